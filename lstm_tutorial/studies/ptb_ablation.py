"""Seed 000 (Khan 2019, after Levy et al. 2018): what is left of an LSTM language model when parts are cut.

The study is data: its rows, its configurations, what was published. :func:`run_of` makes a run of a row, and
:func:`reported` finds them again in the ledger.
"""

import math
from dataclasses import dataclass, replace

from ..results import NOT_RUN, mean_and_spread
from ..spec import variants
from ..tables import Table
from .rates import best_rate, scores_of, valid_perplexity
from .record import Run, again_in_torch, grouped, repeats
from .sizes import closest_width, parameter_count, vocabulary_behind

STUDY, COMMAND, ON_A_TEXT = "ptb-ablation", "ablate", True

# The five rows of seed 000's table, in its order.
ROWS = ("lstm", "no_srnn", "srnn", "no_srnn_hidden", "no_srnn_out")

# Test perplexity on PTB. Levy et al. 2018 (an early version): medium and large, mean of 5 runs for the LSTM,
# one run otherwise; theirs is another training regime, to be read down a column and not across.
SEED_000 = {
    "lstm": 132.434,
    "no_srnn": 129.044,
    "srnn": 655.695,
    "no_srnn_hidden": 126.070,
    "no_srnn_out": 141.061,
}
LEVY_MEDIUM = {"lstm": 83.9, "no_srnn": 80.5, "no_srnn_out": 81.6, "srnn": 140.9}
LEVY_LARGE = {"lstm": 78.8, "no_srnn": 76.0, "no_srnn_out": 78.5, "srnn": 126.1}

_COMMON = {"num_layers": 2, "batch_size": 20, "learning_rate": 1.0}
CONFIGS = {
    "small": _COMMON
    | dict(init_scale=0.1, max_grad_norm=5.0, num_steps=20, hidden_size=200)
    | dict(max_epoch=4, max_max_epoch=4, keep_prob=1.0, lr_decay=0.5),
    "medium": _COMMON
    | dict(init_scale=0.05, max_grad_norm=5.0, num_steps=35, hidden_size=650)
    | dict(max_epoch=6, max_max_epoch=10, keep_prob=0.5, lr_decay=0.8),
    "large": _COMMON
    | dict(init_scale=0.04, max_grad_norm=10.0, num_steps=35, hidden_size=1500)
    | dict(max_epoch=14, max_max_epoch=55, keep_prob=0.35, lr_decay=1 / 1.15),
    # Ours, for runs that a reader waits for: the small configuration, smaller still, and of a real text only
    # the beginning of each split.
    "smoke": _COMMON
    | dict(init_scale=0.1, max_grad_norm=5.0, num_steps=10, hidden_size=16)
    | dict(max_epoch=1, max_max_epoch=1, keep_prob=1.0, lr_decay=0.5, tokens=15_000),
    "laptop": _COMMON
    | dict(init_scale=0.1, max_grad_norm=5.0, num_steps=20, hidden_size=64)
    | dict(max_epoch=4, max_max_epoch=4, keep_prob=1.0, lr_decay=0.5, tokens=150_000),
}

TUNING_SEED = 100
TUNING_EPOCHS = 1  # of the first round
CLOSE = 1.25  # rates whose valid perplexity is within this factor of the best are run for the whole schedule
# Factors on the configuration's rate, tried for every row alike; one more step where the best is at an edge.
# A simple RNN needs another order of magnitude, so its grid is placed lower, and is as long.
GRID = (0.25, 1.0, 4.0)
GRID_SRNN = (0.03, 0.1, 0.3)

BY_SEED = "the configuration's own"
BY_GRID = "the grid itself"
BY_VALID = f"valid perplexity, seed {TUNING_SEED}: one epoch, and where that was close the whole schedule"
BY_HAND = "given on the command line"

# What the published code did and the catalogue's cells do not.
AS_PUBLISHED = {
    "lstm": {"layers_tied": True},
    "no_srnn": {"spec_changes": {"content_reads": "xb"}},
    "no_gates_as_published": {"stop_when_dead": False},
    "no_srnn_hidden": {"spec_changes": {"content_reads": "xb"}},
    "no_srnn_out": {"spec_changes": {"content_reads": "xb"}},
}


# --- which runs there are ------------------------------------------------------------------------------


def settings(config, epochs=None, rate=None, selected_on=BY_SEED, **changes):
    """Every hyper-parameter of a run, from the name of a configuration."""
    chosen = CONFIGS[config] | {
        "config": config,
        "layers_tied": False,
        "weight_tying": False,
        "spec_changes": {},
        "stop_when_dead": True,
        "rate_selected_on": selected_on,
    }
    if epochs is not None:
        chosen["max_max_epoch"] = epochs
    if rate is not None:
        chosen["learning_rate"] = rate
    return chosen | changes


def run_of(variant, seed, mode, config, **options):
    """One run of the study; ``options`` as :func:`settings` takes them."""
    return Run(STUDY, variants.key(variant), seed, mode, settings(config, **options))


def published_run(variant, seed, mode, config, **options):
    """The run that does what seed 000's code did for a row, with its own departures from the catalogue."""
    return run_of(variant, seed, mode, config, **options, **AS_PUBLISHED[variant])


def equal_width(variant, config, vocabulary_size, baseline="lstm"):
    """The hidden size with which a row's whole model is closest in size to the baseline's."""
    hidden, layers = CONFIGS[config]["hidden_size"], CONFIGS[config]["num_layers"]
    target = parameter_count(baseline, hidden, vocabulary_size, layers)
    return closest_width(variant, target, vocabulary_size, layers)


def has_equal_width(record):
    """Whether a run has the hidden size of :func:`equal_width`, for the vocabulary that its size implies."""
    words = vocabulary_behind(spec_of(record), record)
    return record["settings"]["hidden_size"] == equal_width(
        record["variant"], record["settings"]["config"], words
    )


def grid(variant, config):
    """The learning rates first tried for a row."""
    base = CONFIGS[config]["learning_rate"]
    return [base * k for k in (GRID_SRNN if variants[variant].family == "rnn" else GRID)]


def tuning_run(variant, rate, mode, config, epochs=TUNING_EPOCHS):
    """A run at one rate, with a seed that is never reported; ``epochs=None`` is the whole schedule."""
    return run_of(variant, TUNING_SEED, mode, config, epochs=epochs, rate=rate, selected_on=BY_GRID)


def choose_rate(variant, mode, config, valid_perplexity):
    """The best learning rate of a row, and whether it is at the edge of what was tried.

    The first round is an epoch at each rate of the grid, and one rate more where the best is at an end of it.
    One epoch flatters high rates: where others come ``CLOSE`` to the best, a second round runs these and the
    best for the whole schedule, and decides.

    ``valid_perplexity`` is a function from a tuning run to its valid perplexity (infinite if it did not
    finish), or to None if it has not been run. Returns (rate, at_edge); (None, False) if a run is missing.
    """

    def score(rate, epochs=TUNING_EPOCHS):
        return valid_perplexity(tuning_run(variant, rate, mode, config, epochs))

    scores = scores_of(grid(variant, config), score)
    if scores is None:
        return None, False
    best, _ = best_rate(scores)
    if close := _close(scores):
        finals = {rate: score(rate, None) for rate in close}
        if None in finals.values():
            return None, False
        best, _ = best_rate(finals)
    return best, best in (min(scores), max(scores))


def _close(scores):
    """The rates of {rate: score} that a second round decides between; none where one is far ahead."""
    best = min(scores.values(), default=math.inf)
    close = [rate for rate in scores if scores[rate] <= CLOSE * best < math.inf]
    return close if len(close) > 1 else []


def spec_of(record):
    """The cell of a record, with the changes that its settings name."""
    return replace(variants[record["variant"]], **record["settings"]["spec_changes"])


again = again_in_torch


# --- finding them again --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """Which runs a table is about: of which text, mode and configuration, and done how.

    epochs : None for as many as the configuration has. rates : ``seed`` for the configuration's own rate,
    ``tuned`` for the one chosen on validation, or a list of rates. as_published : as the code of seed 000 did
    it. equal_parameters : every model as large as the LSTM's, see :func:`equal_width`; rates are those chosen
    at the configuration's own width.
    """

    data: str
    mode: str
    config: str
    epochs: int | None = None
    rates: str | list = "seed"
    as_published: bool = False
    equal_parameters: bool = False

    @property
    def where(self):
        """Text, mode and configuration."""
        return self.data, self.mode, self.config

    @property
    def rows(self):
        """The rows of the seed."""
        return tuple(AS_PUBLISHED) if self.as_published else ROWS


def reported(records, *, rows=None, **asked):
    """{row: its records, seed by seed}, without runs that were made to choose a rate.

    rows : default: the seed's. Other arguments as :class:`Asked` takes them.
    """
    asked = Asked(**asked)
    return {row: _records_of(records, row, asked) for row in rows or asked.rows}


def rows_of(records, *, data, mode, config, as_published=False):
    """{row: its reported records} for the claims: each row at its tuned rate, or as its code ran it."""
    how = dict(as_published=True) if as_published else dict(rates="tuned")
    return reported(records, data=data, mode=mode, config=config, **how)


def _records_of(records, row, asked):
    """The records of one row, by rate and seed."""
    wanted = settings(asked.config, asked.epochs, **(AS_PUBLISHED[row] if asked.as_published else {}))
    rates = asked.rates
    if rates == "seed":
        rates = [wanted["learning_rate"]]
    elif rates == "tuned":
        rates = [chosen_rate(records, row, *asked.where)[0]]
    free = {"learning_rate", "rate_selected_on"} | ({"hidden_size"} if asked.equal_parameters else set())
    found = [
        r
        for r in records
        if (r["data"], r["mode"], r["settings"]["config"]) == asked.where
        and r["variant"] == row
        and r["seed"] != TUNING_SEED
        and r["settings"]["learning_rate"] in rates
        and all(r["settings"].get(k) == v for k, v in wanted.items() if k not in free)
        and (not asked.equal_parameters or has_equal_width(r))
    ]
    return sorted(found, key=lambda r: (r["settings"]["learning_rate"], r["seed"]))


def chosen_rate(records, row, data, mode, config):
    """The rate that tuning gives a row, and whether it is at the edge; (None, False) if a run is missing."""

    def valid(run):
        return next((valid_perplexity(r) for r in repeats(records, run, data=data, seed=run.seed)), None)

    return choose_rate(row, mode, config, valid)


def tuning_table(records, *, data, mode, config, rows=None):
    """What was tried to choose each row's rate, in both rounds, and the rate that is taken.

    Valid perplexity after one epoch, and where rates are close then, after the whole schedule; see
    :func:`choose_rate`.
    """
    tuning = [
        r
        for r in records
        if (r["data"], r["mode"], r["settings"]["config"], r["seed"]) == (data, mode, config, TUNING_SEED)
    ]
    whole = CONFIGS[config]["max_max_epoch"]
    lines = []
    for row in rows or ROWS:
        first, last = (
            {
                r["settings"]["learning_rate"]: valid_perplexity(r)
                for r in tuning
                if r["variant"] == row and r["settings"]["max_max_epoch"] == epochs
            }
            for epochs in (TUNING_EPOCHS, whole)
        )
        second = _tried({rate: last.get(rate) for rate in _close(first)}) or "–"
        rate, _ = chosen_rate(records, row, data, mode, config)
        taken = NOT_RUN if rate is None else f"{rate:g}"
        tried = {rate: first.get(rate) for rate in {*grid(row, config), *first}}
        lines.append((row, _tried(tried), second, taken))
    columns = ("row", "rate: after one epoch", f"rate: after {whole}", "taken")
    notes = (f"“After {whole}” only where others are within {CLOSE:g} times the best after one epoch.",)
    return Table(f"Choosing rates: valid perplexity, seed {TUNING_SEED}", columns, tuple(lines), notes, 3)


def _tried(scores):
    """``0.03: 476.7 · 0.1: 299.9 · 0.9: failed`` of {rate: valid perplexity, or None if it was not run}."""

    def end(score):
        return NOT_RUN if score is None else "failed" if score == math.inf else f"{score:.1f}"

    return " · ".join(f"{rate:g}: {end(scores[rate])}" for rate in sorted(scores))


def tables(records):
    """Every table of the study, for every text and configuration that has been run."""
    for (data, mode, config), same in grouped(records, "data", "mode", "config"):
        where = dict(data=data, mode=mode, config=config)
        yield results_table(same, **where)
        yield tuning_table(same, **where)
        yield results_table(same, **where, rates="tuned")
        if mode == "paper":
            yield results_table(same, **where, as_published=True)
            yield results_table(same, **where, rates="tuned", equal_parameters=True)
        if config == "small":
            yield results_table(same, **where, epochs=13, rates="tuned")


def results_table(records, *, rows=None, **asked):
    """Seed 000's table from the ledger; beside it the papers' figures, if the data are PTB.

    Arguments as of :func:`reported`. With ``equal_parameters`` the widths differ: H is shown.
    """
    found, asked = reported(records, rows=rows, **asked), Asked(**asked)
    whole = CONFIGS[asked.config]["max_max_epoch"]
    epochs = asked.epochs or whole
    real = asked.data == "ptb" and asked.mode == "paper"
    beside = real and epochs == whole and not asked.equal_parameters  # what the papers' figures are of
    columns = ["row", *(["H"] * asked.equal_parameters), "parameters", "rate", "seeds", "valid", "test"]
    columns += ["seed 000", "Levy medium", "Levy large"] if beside else []
    seed_000 = SEED_000 if asked.config == "small" else {}  # its rows were of the small configuration alone
    lines, notes = [], []
    for row, runs in found.items():
        name = "srnn" if row == "no_gates_as_published" else row
        papers = (seed_000, LEVY_MEDIUM, LEVY_LARGE) if beside else ()
        published = [f"{paper[name]:g}" if name in paper else "–" for paper in papers]
        for same_rate in _by_rate(runs):
            lines.append((row, *_cells(same_rate, asked.equal_parameters), *published))
        if asked.rates == "tuned" and chosen_rate(records, row, *asked.where)[1]:
            notes.append(f"{row}: the best rate is at the edge of what was tried.")
    how = {"seed": "the configuration's learning rate", "tuned": "a rate per row, chosen on validation"}
    title = f"Perplexity on {asked.data}, {asked.config} configuration, {epochs} epoch{'s' * (epochs != 1)}, "
    title += how.get(str(asked.rates), "given learning rates") + ", as published" * asked.as_published
    if asked.equal_parameters:
        title += ", models of equal size"
        notes.append("H: the hidden size that brings the whole model closest to the LSTM's.")
    if asked.data != "ptb":
        notes.append("Generated text: not to be compared with any figure on Penn Treebank.")
    elif not real:
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


def _cells(records, with_width):
    """H if it is asked for, parameters, rate, seeds, valid and test of the runs of one row at one rate."""
    if not records:
        return (NOT_RUN,) * (5 + with_width)
    chosen = records[0]["settings"]
    return (
        *([str(chosen["hidden_size"])] * with_width),
        f"{records[0]['parameters']:,}",
        f"{chosen['learning_rate']:g}",
        str(len(records)),
        mean_and_spread(records, "valid_perplexity"),
        mean_and_spread(records, "test_perplexity"),
    )
