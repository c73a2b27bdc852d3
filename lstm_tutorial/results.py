"""Tables of results, from the ledger alone, for notebooks and ``python -m lstm_tutorial results`` alike."""

import math
import statistics
from dataclasses import dataclass
from functools import cached_property

from scipy import stats

from . import declared
from .studies import ptb_ablation as study
from .studies.rates import valid_perplexity
from .tables import Table

NOT_RUN = "not run"
CONFIDENCE = 1 - declared.book().significance
FEWEST_PAIRS = declared.book().fewest_seeds  # fewer decide nothing
MOST_PAIRS = 1000


def ablation_records(
    records,
    *,
    data,
    mode,
    config,
    epochs=None,
    rates="seed",
    as_published=False,
    equal_parameters=False,
    rows=None,
):
    """The records behind each row of seed 000's table: a dict from row to its records, seed by seed.

    ``rates``: ``seed`` for the configuration's own rate, ``tuned`` for the one chosen on validation, or a
    list of rates. Runs that were made to choose a rate are never among them. ``equal_parameters``: every
    model as large as the LSTM's, see :func:`~lstm_tutorial.studies.ptb_ablation.equal_width`; rates are
    those chosen at the configuration's own width.
    """
    where = (data, mode, config)
    rows = rows or _rows_of_the_seed(as_published)
    how = (epochs, rates, as_published, equal_parameters)
    return {row: _row(records, row, where, *how)[0] for row in rows}


def _rows_of_the_seed(as_published):
    return study.AS_PUBLISHED if as_published else study.ROWS


def _row(records, row, where, epochs, rates, as_published, equal_parameters):
    """The records of one row, and whether its rate was tuned and lies at the edge of what was tried."""
    data, mode, config = where
    changes = study.AS_PUBLISHED[row] if as_published else {}
    wanted = study.settings(config, epochs, **changes)
    free = {"learning_rate", "rate_selected_on"} | ({"hidden_size"} if equal_parameters else set())
    at_edge = False
    if rates == "seed":
        rates = [wanted["learning_rate"]]
    elif rates == "tuned":
        rate, at_edge = chosen_rate(records, row, data, mode, config)
        rates = [rate]
    found = [
        r
        for r in records
        if (r["data"], r["mode"], r["settings"]["config"]) == where
        and r["variant"] == row
        and r["seed"] != study.TUNING_SEED
        and r["settings"]["learning_rate"] in rates
        and all(r["settings"].get(k) == v for k, v in wanted.items() if k not in free)
        and (not equal_parameters or study.has_equal_width(r))
    ]
    return sorted(found, key=lambda r: (r["settings"]["learning_rate"], r["seed"])), at_edge


def chosen_rate(records, row, data, mode, config):
    """The rate that tuning gives a row, and whether it is at the edge of what was tried; None if not run."""

    def valid(run):
        for r in records:
            same = (r["data"], r["variant"], r["seed"], r["mode"]) == (data, row, run.seed, run.mode)
            if same and r["settings"] | {"rate_selected_on": study.BY_GRID} == run.settings:
                return valid_perplexity(r)
        return None

    return study.choose_rate(row, mode, config, valid)


def tuning_table(records, *, data, mode, config, rows=None):
    """What was tried to choose each row's rate, in both rounds, and the rate that is taken.

    Valid perplexity after one epoch, and where rates are close then, after the whole schedule; see
    :func:`~lstm_tutorial.studies.ptb_ablation.choose_rate`.
    """
    tuning = [
        r
        for r in records
        if (r["data"], r["mode"], r["settings"]["config"], r["seed"])
        == (data, mode, config, study.TUNING_SEED)
    ]
    whole = study.CONFIGS[config]["max_max_epoch"]
    lines = []
    for row in rows or study.ROWS:
        first, last = (
            {
                r["settings"]["learning_rate"]: valid_perplexity(r)
                for r in tuning
                if r["variant"] == row and r["settings"]["max_max_epoch"] == epochs
            }
            for epochs in (study.TUNING_EPOCHS, whole)
        )
        best = min(first.values(), default=math.inf)
        close = [rate for rate in first if first[rate] <= study.CLOSE * best < math.inf]
        second = _tried({rate: last.get(rate) for rate in close}) if len(close) > 1 else "–"
        rate, _ = chosen_rate(records, row, data, mode, config)
        taken = NOT_RUN if rate is None else f"{rate:g}"
        tried = {rate: first.get(rate) for rate in {*study.grid(row, config), *first}}
        lines.append((row, _tried(tried), second, taken))
    columns = ("row", "rate: after one epoch", f"rate: after {whole}", "taken")
    notes = (f"“After {whole}” only where others are within {study.CLOSE:g} times the best after one epoch.",)
    return Table(
        f"Choosing rates: valid perplexity, seed {study.TUNING_SEED}", columns, tuple(lines), notes, 3
    )


def _tried(scores):
    """``0.03: 476.7 · 0.1: 299.9 · 0.9: failed`` of {rate: valid perplexity, or None if it was not run}."""

    def end(score):
        return NOT_RUN if score is None else "failed" if score == math.inf else f"{score:.1f}"

    return " · ".join(f"{rate:g}: {end(scores[rate])}" for rate in sorted(scores))


def ablation_table(
    records,
    *,
    data,
    mode,
    config,
    epochs=None,
    rates="seed",
    as_published=False,
    equal_parameters=False,
    rows=None,
):
    """Seed 000's table from the ledger; beside it the papers' figures, if the data are PTB.

    Arguments as :func:`ablation_records` takes them. With ``equal_parameters`` the widths differ: H is shown.
    """
    asked = epochs in (None, study.CONFIGS[config]["max_max_epoch"])  # what the papers' figures are of
    real = data == "ptb" and mode == "paper" and asked and not equal_parameters
    columns = ["row", *(["H"] if equal_parameters else []), "parameters", "rate", "seeds", "valid", "test"]
    columns += ["seed 000", "Levy medium", "Levy large"] if real else []
    lines, notes = [], []
    for row in rows or _rows_of_the_seed(as_published):
        found, at_edge = _row(
            records, row, (data, mode, config), epochs, rates, as_published, equal_parameters
        )
        published = []
        if real:
            name = "srnn" if row == "no_gates_as_published" else row
            papers = (study.SEED_000, study.LEVY_MEDIUM, study.LEVY_LARGE)
            published = [f"{paper[name]:g}" if name in paper else "–" for paper in papers]
        for same_rate in _by_rate(found):
            cells = _cells(same_rate)
            if equal_parameters:
                cells = (str(same_rate[0]["settings"]["hidden_size"]) if same_rate else NOT_RUN, *cells)
            lines.append((row, *cells, *published))
        if at_edge:
            notes.append(f"{row}: the best rate is at the edge of what was tried.")
    how = {"seed": "the configuration's learning rate", "tuned": "a rate per row, chosen on validation"}
    epochs = epochs or study.CONFIGS[config]["max_max_epoch"]
    size = ", models of equal size" if equal_parameters else ""
    title = f"Perplexity on {data}, {config} configuration, {epochs} epoch{'s' * (epochs != 1)}, "
    title += how.get(str(rates), "given learning rates") + (", as published" if as_published else "") + size
    if equal_parameters:
        notes.append("H: the hidden size that brings the whole model closest to the LSTM's.")
    if data != "ptb":
        notes.append("Generated text: not to be compared with any figure on Penn Treebank.")
    elif mode != "paper":
        notes.append(
            "The beginning of Penn Treebank, and a smaller model: not to be compared with the papers."
        )
    return Table(title, tuple(columns), tuple(lines), tuple(notes))


def _by_rate(records):
    """Records of one row, grouped by learning rate; one empty group if there are none."""
    groups = {}
    for r in records:
        groups.setdefault(r["settings"]["learning_rate"], []).append(r)
    return list(groups.values()) or [[]]


def _cells(records):
    """Parameters, rate, seeds, valid and test of the runs of one row at one rate."""
    if not records:
        return (NOT_RUN,) * 5
    return (
        f"{records[0]['parameters']:,}",
        f"{records[0]['settings']['learning_rate']:g}",
        str(len(records)),
        mean_and_spread(records, "valid_perplexity"),
        mean_and_spread(records, "test_perplexity"),
    )


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


def smallest_difference():
    """The smallest relative difference of the study's measure that matters, as declared before the runs."""
    declared_study = declared.study(study.STUDY)
    return declared_study.smallest_difference[declared_study.measure]


@dataclass(frozen=True)
class Paired:
    """A row against a baseline, seed by seed.

    ratios : {seed: test perplexity of the row / of the baseline}, of the seeds that finished in both.
    failed : how many runs of the two did not finish; they are in no ratio.

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
        half = self._half_width(len(self))
        return self.mean * math.exp(-half), self.mean * math.exp(half)

    def _half_width(self, pairs):
        return float(stats.t.ppf((1 + CONFIDENCE) / 2, pairs - 1)) * self.spread / math.sqrt(pairs)

    @property
    def effect_size(self):
        """The mean log ratio in standard deviations between seeds (Cohen's d of paired data)."""
        return statistics.mean(self._logs) / self.spread if self.spread else None

    def pairs_needed(self, margin):
        """How many pairs would put the interval wholly inside the band 1/margin to margin, or wholly outside.

        An estimate: it takes the mean and the spread that were found for the true ones, and even then the
        chance is about one half. None where there is no spread, infinity beyond ``MOST_PAIRS``.
        """
        if self.spread is None:
            return None
        off = min(abs(statistics.mean(self._logs) - edge) for edge in (math.log(margin), -math.log(margin)))
        return next((n for n in range(2, MOST_PAIRS + 1) if self._half_width(n) <= off), math.inf)

    def in_words(self, margin):
        """What the pairs say about the band from 1/margin to margin, and what they cannot say yet."""
        percent = f"{100 * (margin - 1):g} %"
        if not self.ratios:
            return NOT_RUN if not self.failed else "no pair of runs that finished"
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
    """A :class:`Paired` of two lists of records of the same seeds, such as :func:`ablation_records` gives.

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
    )
    return Table(f"Test perplexity against {baseline}, paired by seed", columns, tuple(lines), notes)


def _or_dash(value, form):
    return "–" if value is None else form.format(value)
