"""What is claimed, and what the ledger says of it.

``data/claims.toml`` states each claim in our words, the rule that decides it, and beforehand the smallest
difference that would matter, the test and the seeds; :mod:`lstm_tutorial.declared` reads it. Here the rules
are carried out, for whichever study of :mod:`lstm_tutorial.studies.catalogue`. A verdict is one of
*holds*, *does not hold*, *cannot tell* and *not run*.
"""

import inspect
import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from . import declared, ledger
from .declared import Claim
from .errors import UserError
from .results import t_test
from .studies.catalogue import STUDIES
from .tables import Table

SIGNIFICANCE = declared.book().significance
FEWEST_SEEDS = declared.book().fewest_seeds


@dataclass(frozen=True)
class Verdict:
    """A claim, decided: "holds", "does not hold", "cannot tell" or "not run", and ``because``."""

    claim: Claim
    verdict: str
    because: str

    @property
    def id(self):
        """The claim's."""
        return self.claim.id


def verdicts(records=None, *, study=None, chapter=None):
    """Every claim, or those of one study or chapter, with its verdict.

    records : of any studies, as the ledger has them; without, what is committed.

    Raises:
        UserError: ``data/claims.toml`` has a key, rule, row or metric that there is not.
    """
    wanted = [c for c in declared.claims(chapter) if study in (None, c.study)]
    decided = {}
    for name in dict.fromkeys(c.study for c in wanted):
        ours = ledger.read(name, committed_only=True) if records is None else records
        decided |= _study_verdicts(name, [r for r in ours if r["study"] == name])
    return [decided[c.id] for c in wanted]


def claims_table(chapter=None, records=None, *, study=None):
    """Claims and verdicts as a :class:`~lstm_tutorial.tables.Table`; parameters as of :func:`verdicts`."""
    found = verdicts(records, study=study, chapter=chapter)
    rows = tuple((v.claim.id, v.claim.says, v.verdict, v.because) for v in found)
    of_a_seed = any(v.claim.where for v in found)
    title = (
        "What is claimed, and what the ledger says" if of_a_seed else "What was claimed before the first run"
    )
    return Table(title, ("", "claim", "verdict", "because"), rows, left=4)


# --- deciding ------------------------------------------------------------------------------------------


def _study_verdicts(name, records):
    """{id: verdict} of all claims of a study. Holm's correction is over all its tests, run or not."""
    claims = [c for c in declared.claims() if c.study == name]
    found = {c.id: _EVIDENCE[c.how.kind](c, _rows_for(c, records)) for c in claims}
    tests = [c.id for c in claims if c.how.kind != "alive"]
    p_values = [1.0 if isinstance(found[id], Verdict) else found[id].p for id in tests]
    corrected = dict(zip(tests, holm(p_values)))
    return {c.id: _decide(c, found[c.id], corrected.get(c.id)) for c in claims}


def _decide(claim, evidence, p):
    """The Verdict: the evidence may be one already, where there was nothing to test."""
    if isinstance(evidence, Verdict):
        return evidence
    verdict, because = evidence.verdict(claim, p), str(evidence)
    if isinstance(evidence, Comparison) and evidence.p < SIGNIFICANCE <= p:
        because += f"; p {evidence.p:.2g}, and {p:.2g} corrected for several tests"
    return Verdict(claim, verdict, because)


def holm(p_values):
    """Holm's correction for several tests: the adjusted p-values, in the order given (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda k: p_values[k])
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, k in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[k]))
        adjusted[k] = least
    return adjusted


# --- the runs that a claim is about --------------------------------------------------------------------


def _rows_for(claim, records):
    """The runs of the claim's rows, in the order row, than: of each a list, of the declared seeds alone."""
    if claim.study not in STUDIES:
        raise UserError(f"claim {claim.id}: enter the study {claim.study!r} in studies/catalogue.py.")
    find = STUDIES[claim.study].rows_of
    try:
        inspect.signature(find).bind(records, **claim.on)
    except TypeError as error:
        raise UserError(
            f"claim {claim.id}: its 'on' does not suit the study {claim.study}: {error}."
        ) from None
    rows = find(records, **claim.on)
    names = [claim.row] if claim.than is None else [claim.row, claim.than]
    for name in names:
        if name not in rows:
            raise UserError(f"claim {claim.id}: there is no row {name!r}, but {', '.join(rows)}.")
    seeds = declared.study(claim.study).seeds
    return [[r for r in rows[name] if r["seed"] in seeds] for name in names]


def _figure(claim, record):
    """The claim's metric of a run; nan if that was not finite, which the ledger writes as null."""
    metrics = record["metrics"]
    if claim.metric not in metrics:
        known = ", ".join(metrics) or "none"
        raise UserError(f"claim {claim.id}: the runs have no metric {claim.metric!r}; they have {known}.")
    return math.nan if metrics[claim.metric] is None else metrics[claim.metric]


def _missing(claim):
    return Verdict(claim, "not run", "a row of the comparison is missing")


def _seeds(count, paired=True):
    return f"{count}{' paired' * paired} seed{'s' * (count != 1)}"


# --- a number per seed, beside a bound -----------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """Numbers, one a seed, beside a bound: their mean, its interval at SIGNIFICANCE, and p against the bound.

    ``of`` is that of a :class:`~lstm_tutorial.declared.Rule`. Ratios are tested in logs: of a ``ratio`` mean
    (the geometric one), interval and bound are ratios again, of a ``log ratio`` they are logs.
    """

    of: str
    pairs: int
    mean: float
    low: float
    high: float
    bound: float
    p: float
    paired: bool = True

    def verdict(self, claim, p):
        """The verdict on a claim at the corrected p."""
        if not p < SIGNIFICANCE:
            return "cannot tell"
        return "holds" if (self.mean > self.bound) == (claim.how.side == "above") else "does not hold"

    def __str__(self):
        seeds = _seeds(self.pairs, self.paired)
        if self.of == "ratio":
            interval = f"{100 * (1 - SIGNIFICANCE):g} % interval {self.low:.3f} to {self.high:.3f}"
            return f"ratio {self.mean:.3f}, {interval}, {seeds}"
        return f"mean {self.mean:.3f}, bound {self.bound:.3f}, {seeds}"


def compare(row, than, bound, of="ratio", paired=True):
    """The :class:`Comparison` of two rows, run with the same seeds.

    row, than : arrays of the same length, one figure a seed; at least two. Where ``of`` is ``value``, only
    ``row`` counts. bound : what the p-value is about, of a ratio as a ratio, such as 1.02. The test is
    :func:`~lstm_tutorial.results.t_test`.
    """
    numbers, bound = _numbers(row, than, of), math.log(bound) if "ratio" in of else bound
    mean, low, high, p = t_test(numbers, bound)
    told = [mean, low, high, bound]
    if of == "ratio":
        told = [math.exp(v) for v in told]
    return Comparison(of, len(numbers), *told, p, paired)


def _numbers(row, than, of):
    """One number a seed."""
    if of == "value":
        return list(row)
    if of == "difference":
        return [a - b for a, b in zip(row, than)]
    return [math.log(a) - math.log(b) for a, b in zip(row, than)]


def _number(claim, rows):
    """The Comparison of a claim, or where there is none to be made the Verdict."""
    if not all(rows):
        return _missing(claim)
    failed = [r["status"] for row in rows for r in row if r["status"] != "finished"]
    if failed:
        how = "/".join(sorted(set(failed)))
        return Verdict(claim, "cannot tell", f"{len(failed)} of the runs ended {how}")
    by_seed = [{r["seed"]: _figure(claim, r) for r in row} for row in rows]
    infinite = sum(not math.isfinite(v) for row in by_seed for v in row.values())
    if infinite:
        return Verdict(claim, "cannot tell", f"{claim.metric} is not finite in {infinite} of the runs")
    seeds = sorted(set.intersection(*map(set, by_seed)))
    row, than = ([metric[s] for s in seeds] for metric in (by_seed[0], by_seed[-1]))
    of, paired = claim.how.of, claim.than is not None
    if len(seeds) < FEWEST_SEEDS:
        found = [math.exp(v) if of == "ratio" else v for v in _numbers(row, than, of)]
        because = f"{_seeds(len(seeds), paired)}, fewer than {FEWEST_SEEDS}"
        because += f"; {of} {', '.join(f'{v:.3f}' for v in found)}" if found else ""
        return Verdict(claim, "cannot tell", because)
    return compare(row, than, claim.bound, of, paired)


# --- how many seeds solved their task, of two rows -----------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """``k`` of ``n`` runs of a row solved their task, and ``other`` of ``m`` of another."""

    k: int
    n: int
    other: int
    m: int

    @property
    def p(self):
        """Of Fisher's exact test, two-sided."""
        return float(
            stats.fisher_exact([(self.k, self.n - self.k), (self.other, self.m - self.other)]).pvalue
        )

    def verdict(self, claim, p):
        """The verdict on a claim at the corrected p."""
        difference = self.k / self.n - self.other / self.m
        if difference >= claim.bound and p < SIGNIFICANCE:
            return "holds"
        _, high = difference_interval(self.k, self.n, self.other, self.m)
        return "does not hold" if high < claim.bound else "cannot tell"

    def __str__(self):
        return f"{self.k} of {self.n} against {self.other} of {self.m} solved"


def difference_interval(k, n, other, m):
    """The 95 % interval of k / n − other / m, from Wilson's intervals of both (Newcombe 1998, method 10)."""
    ours, theirs = k / n, other / m
    low, high = stats.binomtest(k, n).proportion_ci(1 - SIGNIFICANCE, method="wilson")
    other_low, other_high = stats.binomtest(other, m).proportion_ci(1 - SIGNIFICANCE, method="wilson")
    d = ours - theirs
    return d - np.hypot(ours - low, other_high - theirs), d + np.hypot(high - ours, theirs - other_low)


def _counts(claim, rows):
    """The Counts of a claim, or where there are too few runs the Verdict. Runs that diverged count."""
    if not all(rows):
        return _missing(claim)
    least = declared.study(claim.study).solved
    (k, n), (other, m) = ((sum(_solved(claim, r, least) for r in row), len(row)) for row in rows)
    counts = Counts(k, n, other, m)
    if min(n, m) < FEWEST_SEEDS:
        return Verdict(claim, "cannot tell", f"{counts}: too few seeds")
    return counts


def _solved(claim, record, least):
    return record["status"] == "finished" and _figure(claim, record) >= least


# --- a published figure, and the run that ought to give it ---------------------------------------------


def _alive(claim, rows):
    """The Verdict on the claim that a published figure is that of a network that learned."""
    (runs,) = rows
    if not runs:
        return Verdict(claim, "not run", "the published cell has not been run to the end")
    status = runs[0]["status"]
    if status == "diverged":
        return Verdict(claim, "cannot tell", "the published cell is diverged")
    figure = _figure(claim, runs[0])
    matches = abs(figure - claim.figure) <= claim.within
    because = f"the published cell is {status} and reaches {figure:.2f} (printed: {claim.figure})"
    if not matches:
        return Verdict(claim, "cannot tell", because)
    return Verdict(claim, "does not hold" if status == "dead" else "holds", because)


_EVIDENCE = {"number": _number, "counts": _counts, "alive": _alive}
