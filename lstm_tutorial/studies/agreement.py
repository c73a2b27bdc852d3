"""Does an LSTM keep the number of a subject where a simple RNN loses it? On the Banyan treebank, in NumPy.

Two language models with as many parameters are trained on the same text in the same way, each at a learning
rate of its own, and asked which form of a verb comes next after a subject and 0 to 5 attractors: nouns of
the other number (:func:`lstm_tutorial.data.banyan.agreement_set`). Beside it stands perplexity.

The study is data: its rows and sizes; claims and seeds are in ``data/claims.toml``. :func:`run_of` makes a
run, :func:`perform` does one, and :func:`reported` finds them again in the ledger.
"""

import math
import time

from .. import declared
from .. import numpy_language_model as lm
from ..data import banyan
from ..tables import Table
from . import by_hand
from .rates import best_rate, valid_perplexity
from .record import Outcome, Run, corpus_behind, grouped, once, repeats, run_behind, say_at_once

STUDY, COMMAND, ON_A_TEXT = "agreement", "agreement", False
ROWS = ("lstm", "srnn")
SEEDS = declared.study(STUDY).seeds
ATTRACTORS = tuple(range(banyan.most_attractors() + 1))

# Of the two larger sizes of the corpus, laptop is the one a reader can train on while waiting. The simple RNN
# has more units, so that both models have about as many parameters.
_COMMON = {
    "num_layers": 1,
    "layers_tied": False,
    "batch_size": 20,
    "num_steps": 20,
    "optimiser": "adam",
    "rate_schedule": "linear to zero",
    "max_norm": 1.0,
    "forget_bias": 1.0,
    "dtype": "float32",
}
SIZES = {
    "smoke": _COMMON | {"epochs": 1, "agreement_items": 50},
    "laptop": _COMMON | {"epochs": 5, "agreement_items": 500},
    "paper": _COMMON | {"epochs": 4, "agreement_items": 500},
}
UNITS = {
    "smoke": {"lstm": 16, "srnn": 16},
    "laptop": {"lstm": 128, "srnn": 150},
    "paper": {"lstm": 128, "srnn": 150},
}

# The same learning rates for both rows, each tried once with a seed that is not reported.
GRID = (2e-3, 4e-3, 8e-3, 16e-3)
TUNING_SEED = declared.study(STUDY).tuning_seed
BY_GRID = "the grid itself"
BY_VALID = f"valid perplexity of a whole run, seed {TUNING_SEED}"


# --- which runs there are ------------------------------------------------------------------------------


def run_of(row, seed, mode, rate, selected_on=BY_VALID):
    """One run of the study."""
    settings = SIZES[mode] | {
        "hidden_size": UNITS[mode][row],
        "embedding_size": UNITS[mode][row],
        "learning_rate": rate,
        "rate_selected_on": selected_on,
    }
    return Run(STUDY, row, seed, mode, settings)


def tuning_runs(row, mode):
    """The runs that choose the learning rate of a row: {rate: run}."""
    return {rate: run_of(row, TUNING_SEED, mode, rate, BY_GRID) for rate in GRID}


# --- doing one -----------------------------------------------------------------------------------------


def perform(run, corpus, say=say_at_once):
    """The ledger's record of a run: read, or run from the start. A run takes a minute or more."""
    label = f"{run.variant}, rate {run.settings['learning_rate']:g}, seed {run.seed}"
    return once(run, corpus, train, label, say)


def train(run, corpus, label="", say=say_at_once):
    """Train and measure one model; the random numbers depend on ``run.seed`` alone. Returns an Outcome."""
    s, spec, started = run.settings, run.variant, time.monotonic()
    V = len(corpus.vocabulary)
    items = {k: banyan.agreement_set(k, s["agreement_items"]) for k in ATTRACTORS}

    def after_epoch(epoch, loss, params):
        here = {"valid_perplexity": lm.perplexity(spec, params, corpus.valid, corpus.eos)}
        for k in ATTRACTORS:
            share = lm.agreement_accuracy(spec, params, items[k], corpus.eos)
            here[f"agreement_{k}"] = round(share, 4)
        furthest = ATTRACTORS[-1]
        say(
            f"{label}: epoch {epoch}/{s['epochs']}, valid perplexity {here['valid_perplexity']:.2f}, "
            f"past {furthest} attractors {here[f'agreement_{furthest}']:.0%} right"
        )
        return here

    params, curves, finite = by_hand.train(run, corpus, after_epoch)
    metrics, status = {}, "diverged"
    if finite:
        metrics = {name: values[-1] for name, values in curves.items() if name != "train_loss"}
        metrics["test_perplexity"] = lm.perplexity(spec, params, corpus.test, corpus.eos)
        status = _status(curves, V, lm.unigram_perplexity(corpus.train, corpus.valid, V))
    parameters = sum(p.size for p in params.values())
    return Outcome(status, metrics, curves, parameters, time.monotonic() - started)


def _status(curves, V, floor):
    """``diverged`` if an epoch's loss was above that of guessing, or the end is above the unigram floor and
    not falling."""
    valid = curves["valid_perplexity"]
    falling = len(valid) < 2 or valid[-1] < valid[-2]
    lost = max(curves["train_loss"]) > math.log(V) or not math.isfinite(valid[-1])
    return "diverged" if lost or (valid[-1] > floor and not falling) else "finished"


def again(record, device="cpu"):
    """A run of the ledger once more, from its record, in NumPy whatever the device: an Outcome."""
    return train(run_behind(record), corpus_behind(record), record["run_id"])


# --- finding them again --------------------------------------------------------------------------------


def reported(records, mode):
    """{row: its records at the chosen rate, seed by seed}, without the runs that chose it."""
    rows = {}
    for row in ROWS:
        rate, _ = chosen_rate(records, row, mode)
        same = [] if rate is None else _repeats(records, run_of(row, None, mode, rate))
        rows[row] = [r for r in same if r["seed"] != TUNING_SEED]
    return rows


rows_of = reported  # for the claims


def chosen_rate(records, row, mode):
    """The rate that tuning gives a row, and whether it is at the edge; (None, False) if a run is missing."""
    scores = {}
    for rate, run in tuning_runs(row, mode).items():
        found = _repeats(records, run, seed=run.seed)
        if not found:
            return None, False
        scores[rate] = valid_perplexity(found[0])
    return best_rate(scores)


def _repeats(records, run, **fields):
    """The records that are of a run, on the text of its size."""
    return repeats(records, run, data_sha256=banyan.SHA256[run.mode], **fields)


def tables(records):
    """The study's table, for every size of the text that has been run."""
    for (mode,), same in grouped(records, "mode"):
        yield results_table(same, mode)


def results_table(records, mode):
    """Perplexity and agreement of every row, the mean of its finished runs."""
    lines, notes = [], []
    for row, runs in reported(records, mode).items():
        done = [r["metrics"] for r in runs if r["status"] == "finished"]
        names = ["valid_perplexity", "test_perplexity", *(f"agreement_{k}" for k in ATTRACTORS)]
        means = [math.fsum(m[name] for m in done) / len(done) if done else None for name in names]
        shown = ["–" if x is None else f"{x:.2f}" if k < 2 else f"{x:.0%}" for k, x in enumerate(means)]
        rate, at_edge = chosen_rate(records, row, mode)
        size = f"{runs[0]['parameters']:,}" if runs else "–"
        lines.append((row, size, "–" if rate is None else f"{rate:g}", f"{len(done)} of {len(runs)}", *shown))
        notes += [f"{row}: the best rate is at the edge of what was tried."] if at_edge else []
    columns = ("row", "parameters", "rate", "finished", "valid", "test", *(f"past {k}" for k in ATTRACTORS))
    best = f"{banyan.process().perplexity():.2f}"
    notes.append(f"The best perplexity that is possible on an endless text: {best}.")
    title = f"Banyan treebank, {mode} size: perplexity, and verbs right past 0 to {ATTRACTORS[-1]} attractors"
    return Table(title, columns, tuple(lines), tuple(notes))
