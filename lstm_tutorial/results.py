"""What several runs of a row come to, and two rows beside one another, seed by seed; of whichever study.

A study finds its own runs in the ledger; here they are only counted, averaged and compared.
"""

import math
import statistics
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from . import declared
from .tables import Table

NOT_RUN = "not run"
CONFIDENCE = 1 - declared.book().significance
FEWEST_PAIRS = declared.book().fewest_seeds  # fewer decide nothing
MOST_PAIRS = 1000


def mean_and_spread(records, metric):
    """``127.3 ± 0.4``: mean and standard deviation over the runs that finished, and how many did not."""
    values = [r["metrics"][metric] for r in records if r["status"] == "finished"]
    failed = [r["status"] for r in records if r["status"] != "finished"]
    if not values:
        ends = [f"{r['metrics'][metric]:.2f}" for r in records if r["metrics"].get(metric) is not None]
        return ", ".join([*sorted(set(failed)), *ends])
    text = f"{statistics.mean(values):.2f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.2f}"
    return text + (f" ({len(failed)} {'/'.join(sorted(set(failed)))})" if failed else "")


def t_test(numbers, bound=0.0):
    """Student's one-sample t-test, two-sided: (mean, low, high, p).

    low, high : the interval of the mean at CONFIDENCE. p : against ``bound``. Of the differences of two rows
    it is the paired test. Needs two numbers or more.
    """
    mean = float(np.mean(numbers))
    if np.ptp(numbers) == 0:  # scipy has no interval then
        return mean, mean, mean, float(mean == bound)
    test = stats.ttest_1samp(numbers, bound)
    return mean, *map(float, test.confidence_interval(CONFIDENCE)), float(test.pvalue)


@dataclass(frozen=True)
class Paired:
    """A row against a baseline, seed by seed.

    ratios : {seed: test perplexity of the row / of the baseline}, of the seeds that finished in both.
    failed : how many runs of the two ended diverged or dead; they are in no ratio.

    Statistics are those of the log ratio, so that row and baseline could change places; what needs two pairs
    is None for fewer.
    """

    ratios: dict[int, float]
    failed: int = 0

    def __len__(self):
        return len(self.ratios)

    @cached_property
    def _logs(self):
        return [math.log(ratio) for ratio in self.ratios.values()]

    @property
    def mean(self):
        """The geometric mean of the ratios; None without a pair."""
        return math.exp(statistics.mean(self._logs)) if self.ratios else None

    @property
    def spread(self):
        """The standard deviation of the log ratios between seeds: 0.01 is about one per cent."""
        return statistics.stdev(self._logs) if len(self) > 1 else None

    @property
    def interval(self):
        """(low, high): the 95 % confidence interval of the mean ratio, by the paired t distribution."""
        if len(self) < 2:
            return None
        _, low, high, _ = t_test(self._logs)
        return math.exp(low), math.exp(high)

    def _half_width(self, pairs):
        """Of the interval in logs, if there were so many pairs with this spread."""
        return float(stats.t.ppf((1 + CONFIDENCE) / 2, pairs - 1)) * self.spread / math.sqrt(pairs)

    @property
    def effect_size(self):
        """The mean log ratio in standard deviations between seeds (Cohen's d of paired data)."""
        return statistics.mean(self._logs) / self.spread if self.spread else None

    def pairs_needed(self, margin):
        """How many pairs would put the interval wholly inside the band 1/margin to margin, or wholly outside.

        An estimate: it takes the mean and the spread that were found for the true ones, and even then the
        chance is about one half. At least ``FEWEST_PAIRS``, since fewer decide nothing. None where there is
        no spread, infinity beyond ``MOST_PAIRS``.
        """
        if self.spread is None:
            return None
        off = min(abs(statistics.mean(self._logs) - edge) for edge in (math.log(margin), -math.log(margin)))
        return next((n for n in range(FEWEST_PAIRS, MOST_PAIRS + 1) if self._half_width(n) <= off), math.inf)

    def in_words(self, margin):
        """What the pairs say about the band from 1/margin to margin, and what they cannot say yet."""
        percent = f"{100 * (margin - 1):g} %"
        if self.failed:
            return f"cannot tell: {self.failed} of the runs ended diverged or dead"
        if not self.ratios:
            return NOT_RUN
        if len(self) < FEWEST_PAIRS:
            return f"cannot tell: fewer than {FEWEST_PAIRS} pairs"
        low, high = self.interval
        if high < 1 / margin:
            return f"better by more than {percent}"
        if low > margin:
            return f"worse by more than {percent}"
        if 1 / margin < low and high < margin:
            return f"level, within {percent}"
        if low > 1 / margin:
            return f"level or worse: not better by more than {percent}"
        if high < margin:
            return f"level or better: not worse by more than {percent}"
        return "cannot tell: the interval covers the whole band"


def paired(runs, baseline):
    """A :class:`Paired` of two lists of records of the same seeds, such as a study's ``reported`` gives.

    Raises ValueError where a seed is in a list twice, at two rates say: which one would be compared?
    """
    ends, failed = [], 0
    for records in (runs, baseline):
        seeds = [r["seed"] for r in records]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"a seed is there twice: {sorted(seeds)}. Compare runs at one rate.")
        done = [r for r in records if r["status"] == "finished"]
        failed += len(records) - len(done)
        ends.append({r["seed"]: r["metrics"]["test_perplexity"] for r in done})
    return Paired(
        {seed: ends[0][seed] / ends[1][seed] for seed in sorted(set(ends[0]) & set(ends[1]))}, failed
    )


def compared(found, baseline="lstm"):
    """{row: its :class:`Paired` against the baseline}, of a dict from row to records."""
    return {row: paired(runs, found[baseline]) for row, runs in found.items() if row != baseline}


def paired_table(rows, margin, baseline="lstm"):
    """Of what :func:`compared` returns: pairs, mean ratio, interval, effect size, and what can be said."""
    lines = []
    for row, one in rows.items():
        low, high = one.interval or (None, None)
        needed = one.pairs_needed(margin)
        lines.append(
            (
                row,
                str(len(one)) + (f" ({one.failed} failed)" if one.failed else ""),
                _or_dash(one.mean, "{:.3f}"),
                f"{low:.3f} to {high:.3f}" if low else "–",
                _or_dash(one.effect_size, "{:+.1f}"),
                f"over {MOST_PAIRS}" if needed == math.inf else _or_dash(needed, "{}"),
                one.in_words(margin),
            )
        )
    columns = (
        "row",
        "pairs",
        f"ratio to {baseline}",
        "95 % interval",
        "effect size",
        "pairs needed",
        "so it is",
    )
    notes = (
        "Effect size: mean log ratio in standard deviations between seeds.",
        f"Pairs needed: an estimate, for an interval wholly inside or outside the band of "
        f"{100 * (margin - 1):g} %, if mean and spread are as found.",
        "Each row by itself: for the verdicts on claims p is corrected for several tests.",
    )
    return Table(f"Test perplexity against {baseline}, paired by seed", columns, tuple(lines), notes)


def _or_dash(value, form):
    return "–" if value is None else form.format(value)
