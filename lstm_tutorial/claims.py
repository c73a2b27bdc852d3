"""What the seed papers claim, and what the ledger says of it.

``data/claims.toml`` states each claim in our words, the rule that decides it, and beforehand the smallest
difference that would matter, the test and the seeds. Here the rules are carried out. A verdict is one of
*holds*, *does not hold*, *cannot tell* and *not run*.
"""

import math
import tomllib
from dataclasses import dataclass

import numpy as np
from scipy import stats

from . import ledger, results
from .studies import ptb_ablation
from .tables import Table

SIGNIFICANCE = 0.05
FEWEST_SEEDS = 3
HERE = dict(data="ptb", mode="paper", config="small")


@dataclass(frozen=True)
class Verdict:
    """One claim, decided: its ``id``, what it ``says`` and ``where``, the ``verdict``, and ``because``."""

    id: str
    says: str
    where: str
    chapter: str
    verdict: str
    because: str


@dataclass(frozen=True)
class Comparison:
    """Two rows run with the same seeds: their mean ratio, its 95 % interval, and p against the margin."""

    pairs: int
    ratio: float
    low: float
    high: float
    p: float

    def __str__(self):
        interval = f"{self.low:.3f} to {self.high:.3f}"
        return f"ratio {self.ratio:.3f}, 95 % interval {interval}, {self.pairs} paired seeds"


def compare(row, baseline, margin):
    """Paired comparison of perplexities, as ratios row / baseline.

    row, baseline : arrays of the same length, one figure a seed; at least two. margin : the ratio, such as
    1.02, that the p-value is about (two-sided paired t-test of the log ratio against log margin).
    """
    logs = np.log(row) - np.log(baseline)
    interval = stats.ttest_1samp(logs, 0).confidence_interval(1 - SIGNIFICANCE)
    p = float(stats.ttest_1samp(logs, math.log(margin)).pvalue)
    low, high = (float(np.exp(v)) for v in interval)
    return Comparison(len(logs), float(np.exp(logs.mean())), low, high, p)


def holm(p_values):
    """Holm's correction for several tests: the adjusted p-values, in the order given (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, k in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[k]))
        adjusted[k] = least
    return adjusted


def verdicts(records=None):
    """Every claim with its verdict, from the committed ledger, or from the records given."""
    book = tomllib.loads((ledger.project_folder() / "data" / "claims.toml").read_text(encoding="utf-8"))
    if records is None:
        records = ledger.read(ptb_ablation.STUDY, committed_only=True)
    margin = 1 + book["study"][ptb_ablation.STUDY]["smallest_difference"]
    compared = [c for c in book["claim"] if c["rule"] in ("as_good", "worse")]
    decided = dict(zip((c["id"] for c in compared), _compare_rows(compared, records, margin)))
    return [
        Verdict(c["id"], c["says"], c["where"], c["chapter"], *(decided.get(c["id"]) or _alive(c, records)))
        for c in book["claim"]
    ]


def claims_table(chapter=None, records=None):
    """The claims of one chapter, or all, as a :class:`Table`."""
    rows = tuple(
        (v.id, v.says, v.verdict, v.because)
        for v in verdicts(records)
        if chapter is None or v.chapter == chapter
    )
    title = "What the seeds claim, and what the ledger says"
    return Table(title, ("", "claim", "verdict", "because"), rows, left=4)


def _compare_rows(claims, records, margin):
    """(verdict, reason) of every claim that one row is as good as another, or worse."""
    rows = results.ablation_records(records, **HERE, rates="tuned")
    found = [_paired(rows[c["row"]], rows[c["than"]], margin) for c in claims]
    tested = [k for k, one in enumerate(found) if isinstance(one, Comparison)]
    corrected = dict(zip(tested, holm([found[k].p for k in tested])))
    out = []
    for k, (claim, one) in enumerate(zip(claims, found)):
        if k not in corrected:
            out.append(one)
        elif corrected[k] >= SIGNIFICANCE:
            out.append(("cannot tell", str(one)))
        else:
            above = one.ratio > margin
            out.append(("holds" if above == (claim["rule"] == "worse") else "does not hold", str(one)))
    return out


def _paired(row, baseline, margin):
    """A Comparison, or where there is none to be made the (verdict, reason)."""
    if not row or not baseline:
        return "not run", "a row of the comparison is missing"
    failed = [r for r in (*row, *baseline) if r["status"] != "finished"]
    if failed:
        return "cannot tell", f"{len(failed)} of the runs ended {failed[0]['status']}"
    ours, theirs = ({r["seed"]: r["metrics"]["test_perplexity"] for r in rs} for rs in (row, baseline))
    seeds = sorted(set(ours) & set(theirs))
    if len(seeds) < FEWEST_SEEDS:
        ratios = ", ".join(f"{ours[s] / theirs[s]:.3f}" for s in seeds)
        what = f"{len(seeds)} paired seed{'s' * (len(seeds) != 1)}, fewer than {FEWEST_SEEDS}"
        return "cannot tell", what + (f"; ratio {ratios}" if seeds else "")
    return compare([ours[s] for s in seeds], [theirs[s] for s in seeds], margin)


def _alive(claim, records):
    """(verdict, reason) of the claim that a published figure is that of a network that learned."""
    rows = results.ablation_records(records, **HERE, as_published=True)[claim["row"]]
    if not rows:
        return "not run", "the published cell has not been run to the end"
    figure = rows[0]["metrics"]["test_perplexity"]
    matches = abs(figure - claim["figure"]) <= claim["within"]
    reason = (
        f"the published cell is {rows[0]['status']} and reaches {figure:.2f} (printed: {claim['figure']})"
    )
    if rows[0]["status"] == "dead":
        return ("does not hold" if matches else "cannot tell"), reason
    return ("holds" if matches else "cannot tell"), reason
