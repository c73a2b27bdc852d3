"""Seed 001 (Luchetta): LSTM against GRU on Penn Treebank, as it was done, and done fairly.

The study is data: its configurations, its rows, its grid of rates. Rows ending in "leak" are wired as
published (:mod:`lstm_tutorial.seed_001`); "no leak" is the same without the leak, so that its size can be
told. The fair rows are the course's own language model: no leak, every word predicted, a rate of its own for
each row, and the GRU once with as many units and once with as many parameters. "fair lstm, wide" has seed
001's pair of linear layers, and nothing else of it.
"""

from dataclasses import dataclass, field

from .. import declared
from ..results import NOT_RUN, mean_and_spread
from ..tables import Table
from .rates import best_rate, scores_of, valid_perplexity
from .record import Run, again_in_torch, grouped, is_of
from .sizes import closest_width, parameter_count, vocabulary_behind

STUDY, COMMAND, ON_A_TEXT = "lstm-vs-gru", "compare", True
FULL_WIDE, FULL_HIDDEN = 5000, 650

# What the author reports for the full size: valid and test perplexity, by his own measure.
PUBLISHED = {
    "lstm, leak": {"valid": 85.6},
    "lstm, leak, wide": {"valid": 70.64, "test": 77.04},
}

# Adam as in seed 001. Its rate is constant; max_epoch and lr_decay matter to SGD alone.
_ADAM = dict(optimiser="adam", betas=[0.9, 0.99], max_grad_norm=0.35, loss_over="words", lr_decay=1.0)
_COMMON = _ADAM | {
    "reads": "sentences",
    "num_layers": 2,
    "batch_size": 64,
    "keep_prob": 0.5,
    "init_scale": None,
    "layers_tied": False,
    "weight_tying": False,
    "spec_changes": {},
    "stop_when_dead": True,
}
CONFIGS = {
    # seed 001's own, for a GPU: hours a run on a CPU
    "full": _COMMON | dict(hidden_size=FULL_HIDDEN, max_epoch=20, max_max_epoch=20),
    # the smallest in which the leak shows: 12,000 sentences of PTB, its 2,000 commonest words
    "replica": _COMMON | dict(hidden_size=128, max_epoch=16, max_max_epoch=16, sentences=12_000, words=2_000),
    "laptop": _COMMON | dict(hidden_size=64, max_epoch=6, max_max_epoch=6, sentences=4_000, words=2_000),
    "smoke": _COMMON
    | dict(hidden_size=16, batch_size=4, max_epoch=1, max_max_epoch=1, sentences=300, words=2_000),
}

TUNING_SEED = declared.study(STUDY).tuning_seed
GRID = {"adam": (5e-4, 1e-3, 2e-3), "sgd": (0.5, 1.0, 2.0)}
SEED_RATE = 1e-3
BY_SEED = "seed 001's"
BY_GRID = "the grid itself"
BY_VALID = f"valid perplexity of a whole run, seed {TUNING_SEED}"


@dataclass(frozen=True)
class Row:
    """A row of the study: a cell, what its settings change, and whether its rate is chosen on validation."""

    variant: str
    fair: bool
    changes: dict = field(default_factory=dict, hash=False)
    as_many_parameters_as: str = ""  # the row whose whole model it is to match in size

    @property
    def grid(self):
        """The rates tried for the row."""
        return GRID[self.changes.get("optimiser", "adam")]


def _as_published(variant, leaks, wide=False, **changes):
    how = dict(model="seed 001", leaks=leaks, wide=FULL_WIDE * wide, first_word=False)
    return Row(variant, False, how | changes)


_SGD = dict(optimiser="sgd", max_grad_norm=5.0, loss_over="rows", lr_decay=0.7)
_OWN = dict(first_word=True)
_WIDE = dict(model="seed 001", leaks=False, wide=FULL_WIDE)
ROWS = {
    "lstm, leak": _as_published("lstm", True),
    "lstm, no leak": _as_published("lstm", False),
    "lstm, leak, wide": _as_published("lstm", True, wide=True),
    "lstm, no leak, wide": _as_published("lstm", False, wide=True),
    # The batches so far have sentences of one length. Where lengths are mixed, the first layer reads padding
    # between the last word and the state that the second one is given.
    "lstm, leak, mixed lengths": _as_published("lstm", True, by_length=False),
    "lstm, no leak, mixed lengths": _as_published("lstm", False, by_length=False),
    "gru, leak": _as_published("gru_reset_before", True),
    "gru, no leak": _as_published("gru_reset_before", False),
    "fair lstm": Row("lstm", True, _OWN),
    "fair gru": Row("gru_reset_before", True, _OWN),
    "fair gru, equal parameters": Row("gru_reset_before", True, _OWN, "fair lstm"),
    "fair torch gru": Row("gru", True, _OWN),
    "fair lstm, sgd": Row("lstm", True, _OWN | _SGD),
    "fair lstm, log-normal": Row("lstm", True, _OWN | {"cell_init": "log-normal"}),
    "fair lstm, wide": Row("lstm", True, _OWN | _WIDE),
}


# --- which runs there are ------------------------------------------------------------------------------


def settings(name, config, words, rate=SEED_RATE, selected_on=BY_SEED):
    """Every hyper-parameter of a row in a configuration; ``words`` is the size of the vocabulary."""
    row = ROWS[name]
    chosen = CONFIGS[config] | {"config": config} | row.changes
    if row.changes.get("optimiser") == "sgd":  # constant for half of the epochs
        chosen["max_epoch"] = -(-chosen["max_max_epoch"] // 2)
    if chosen.get("wide"):  # as many times the hidden size as in the paper
        chosen["wide"] = FULL_WIDE * chosen["hidden_size"] // FULL_HIDDEN
    if row.as_many_parameters_as:
        chosen["hidden_size"] = equal_parameters(row, config, words)
    return chosen | {"learning_rate": rate, "rate_selected_on": selected_on}


def vocabulary_size(corpus, config):
    """How many words are left of a corpus in a configuration."""
    part = {key: CONFIGS[config].get(key) for key in ("sentences", "words")}
    return len(corpus.first_sentences(**part).vocabulary)


def equal_parameters(row, config, words):
    """The hidden size that brings a row's model closest to that of the row it is compared with."""
    hidden, layers = CONFIGS[config]["hidden_size"], CONFIGS[config]["num_layers"]
    target = parameter_count(ROWS[row.as_many_parameters_as].variant, hidden, words, layers)
    return closest_width(row.variant, target, words, layers)


def run_of(name, seed, mode, config, words, rate=SEED_RATE, selected_on=BY_SEED):
    """One run of the study."""
    return Run(STUDY, ROWS[name].variant, seed, mode, settings(name, config, words, rate, selected_on))


def choose_rate(name, mode, config, words, score):
    """The best rate of a fair row, and whether it is at the edge of what was tried; (None, False) if not run.

    score : a function from a run, with a seed that is never reported, to its valid perplexity; None for a run
    that has not been done.
    """
    scores = scores_of(
        ROWS[name].grid,
        lambda rate: score(run_of(name, TUNING_SEED, mode, config, words, rate, BY_GRID)),
    )
    return (None, False) if scores is None else best_rate(scores)


again = again_in_torch


# --- finding them again --------------------------------------------------------------------------------


def reported(records, mode, config, data="ptb"):
    """{row: its records, seed by seed}: fair rows at the rate that was chosen, the others at the seed's."""
    rows = {}
    for name, row in ROWS.items():
        found = _records_of(records, name, mode, config, data)
        rate = chosen_rate(records, name, mode, config, data)[0] if row.fair else SEED_RATE
        rows[name] = [r for r in found if r["settings"]["learning_rate"] == rate and r["seed"] != TUNING_SEED]
    return rows


rows_of = reported  # for the claims


def tried(records, name, mode, config, data="ptb"):
    """{rate: valid perplexity} of a fair row's runs with the tuning seed; infinite for one that failed."""
    return {
        r["settings"]["learning_rate"]: valid_perplexity(r)
        for r in _records_of(records, name, mode, config, data)
        if r["seed"] == TUNING_SEED
    }


def chosen_rate(records, name, mode, config, data="ptb"):
    """The rate that tuning gives a fair row, and whether it is at the edge; (None, False) if not tuned."""
    scores = scores_of(ROWS[name].grid, tried(records, name, mode, config, data).get)
    return (None, False) if scores is None else best_rate(scores)


def _records_of(records, name, mode, config, data):
    """All records of a row, whatever their seed and rate, by seed."""

    def is_wanted(record):
        words = vocabulary_behind(record["variant"], record)  # of use where sizes are matched
        rate = record["settings"]["learning_rate"]
        return record["data"] == data and is_of(record, run_of(name, None, mode, config, words, rate))

    return sorted(filter(is_wanted, records), key=lambda r: r["seed"])


def tables(records):
    """The study's table, for every text and configuration that has been run."""
    for (data, mode, config), same in grouped(records, "data", "mode", "config"):
        yield results_table(same, mode, config, data)


def results_table(records, mode, config, data="ptb"):
    """Every row: its size, its rate, and test perplexity by both measures, beside what was published."""
    published = config == "full" and data == "ptb"
    lines = []
    notes = ["A row that leaks has no perplexity: what stands there is what its author would print."]
    for name, runs in reported(records, mode, config, data).items():
        fair, cells = ROWS[name].fair, [NOT_RUN] * 6
        if runs:
            cells = [f"{runs[0]['parameters']:,}", f"{runs[0]['settings']['learning_rate']:g}"]
            cells += [str(len(runs)), mean_and_spread(runs, "test_perplexity_as_seed_001")]
            for split in ("valid", "test"):
                cells.append(mean_and_spread(runs, f"{split}_perplexity") if fair else "–")
        paper = PUBLISHED.get(name, {}).get("test")
        lines.append((name, *cells, *((f"{paper:g}" if paper else "–",) if published else ())))
        if fair and chosen_rate(records, name, mode, config, data)[1]:
            notes.append(f"{name}: the best rate is at the edge of what was tried.")
    columns = ("row", "parameters", "rate", "seeds", "test, measured as seed 001", "valid", "test")
    columns += ("published, test",) if published else ()
    if data != "ptb":
        notes.append("Generated text: not to be compared with any figure on Penn Treebank.")
    elif not published:
        notes.append("A small part of Penn Treebank: not to be compared with figures on the whole.")
    epochs = CONFIGS[config]["max_max_epoch"]
    title = f"LSTM and GRU on {data}, {config} configuration, {epochs} epoch{'s' * (epochs != 1)}"
    return Table(title, columns, tuple(lines), tuple(notes))
