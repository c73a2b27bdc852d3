"""By which part of the weighted sum does the number of a subject reach the verb? On the Banyan treebank.

Two language models, the standard LSTM and LSTM − SRNN, are trained on the same text in NumPy. Each then reads
pairs of beginnings that differ in the number of the subject noun alone, and is asked for the verb while parts
of one reading are replaced by those of the other (:func:`lstm_tutorial.weighted_sum.exchange`): the z of the
noun, all z, all w, the output gate o. How much of the verb's log-odds an exchange takes along, as a share of
what exchanging everything does, is the metric ``carried_…``; the share of right verbs that it turns round is
``turned_…``. Both are told for beginnings without an attractor (``…_0``) and with 1 to 5 (``…_some``).

The study is data; claims and seeds are in ``data/claims.toml``. Units, epochs and rate, the same for both
rows, were chosen with the tuning seed, for a network that knows the verb past attractors at little cost. No
run with that seed is in the ledger.
"""

import math
import time

import numpy as np

from .. import declared, numpy_lstm
from .. import numpy_language_model as lm
from ..data import banyan, lexicon
from ..tables import Table
from ..weighted_sum import Pair, verb_margins
from . import by_hand
from .record import Outcome, Run, corpus_behind, grouped, once, repeats, run_behind, say_at_once

STUDY, COMMAND, ON_A_TEXT = "exchange", "exchange", False
ROWS = ("lstm", "no_srnn")
SEEDS = declared.study(STUDY).seeds
TUNING_SEED = declared.study(STUDY).tuning_seed
ATTRACTORS = tuple(range(banyan.most_attractors() + 1))

PARTS = {"noun": "z of the noun", "z": "all z", "w": "all w", "o": "o"}  # in metrics, and in weighted_sum
WHERE = {"0": ATTRACTORS[:1], "some": ATTRACTORS[1:]}

_COMMON = {
    "num_layers": 1,
    "batch_size": 10,
    "num_steps": 20,
    "optimiser": "adam",
    "rate_schedule": "linear to zero",
    "learning_rate": 0.01,
    "max_norm": 1.0,
    "forget_bias": 1.0,
    "dtype": "float32",
}
SIZES = {
    "smoke": _COMMON | {"hidden_size": 16, "embedding_size": 16, "epochs": 1, "items": 40},
    "laptop": _COMMON | {"hidden_size": 64, "embedding_size": 64, "epochs": 4, "items": 400},
    "paper": _COMMON | {"hidden_size": 64, "embedding_size": 64, "epochs": 2, "items": 400},
}


# --- what is read --------------------------------------------------------------------------------------


def minimal_pairs(attractors, n, seed=0):
    """Pairs of beginnings that differ in the number of their subject noun alone: at most n.

    They are those of :func:`lstm_tutorial.data.banyan.agreement_set` in which nothing but the subject shows
    its number: a determiner that says nothing (the, not these), and no verb inside.
    """
    words, ids = banyan.vocabulary(), {word: k for k, word in enumerate(banyan.vocabulary())}
    number, verbs, silent = _other_number(), lexicon.number_pairs(), lexicon.DETERMINERS.split()
    pairs = []
    for item in banyan.agreement_set(attractors, n, seed):
        said = [words[k] for k in item.prefix]
        if said[0] not in silent or any(word in verbs for word in said):
            continue
        subject = next(k for k, word in enumerate(said) if word in number)
        swapped = list(item.prefix)
        swapped[subject] = ids[number[said[subject]]]
        eos = ids[banyan.EOS]
        pairs.append(
            Pair((eos, *item.prefix), (eos, *swapped), subject + 2, item.right, item.wrong, attractors)
        )
    return pairs


def _other_number():
    """{noun: the same in the other number}."""
    nouns = [pair for topic in lexicon.TOPICS for group in lexicon.noun_pairs(topic) for pair in group]
    return dict(nouns) | {plural: singular for singular, plural in nouns}


# --- which runs there are ------------------------------------------------------------------------------


def run_of(row, seed, mode):
    """One run of the study."""
    return Run(STUDY, row, seed, mode, SIZES[mode])


# --- doing one -----------------------------------------------------------------------------------------


def perform(run, corpus, say=say_at_once):
    """The ledger's record of a run: read, or run from the start. A run takes about half a minute."""
    label = f"{run.variant}, seed {run.seed}"
    return once(run, corpus, train, label, say)


def train(run, corpus, label="", say=say_at_once):
    """Train one model and exchange its parts; the random numbers depend on ``run.seed`` alone."""
    s, spec, started = run.settings, run.variant, time.monotonic()

    def after_epoch(epoch, loss, params):
        say(f"{label}: epoch {epoch}/{s['epochs']}, loss {loss:.3f}")
        return {}

    params, curves, finite = by_hand.train(run, corpus, after_epoch)
    metrics, status = {}, "diverged"
    if finite and curves["train_loss"][-1] < math.log(len(corpus.vocabulary)):
        status, metrics = "finished", measured(spec, params, s["items"])
        for split in ("valid", "test"):
            text = getattr(corpus, split)
            metrics[f"{split}_perplexity"] = lm.perplexity(spec, params, text, corpus.eos)
    parameters = sum(p.size for p in params.values())
    return Outcome(status, metrics, curves, parameters, time.monotonic() - started)


def measured(spec, params, items):
    """The metrics of a trained model.

    items : how many beginnings there are for each number of attractors, before those are chosen in which the
    subject alone shows its number. Every number of attractors counts alike in a
    mean over several.
    """
    pairs = [pair for k in ATTRACTORS for pair in minimal_pairs(k, items, seed=k)]
    cell = {k: p.astype(float) for k, p in params.items() if k not in ("E", "W_s", "b_s")}
    E, W, b = (params[k].astype(float) for k in ("E", "W_s", "b_s"))
    margins = verb_margins(lambda tokens: numpy_lstm.forward(spec, cell, E[tokens])[2], W, b, pairs)
    return metrics_of(margins, np.array([pair.attractors for pair in pairs]))


def metrics_of(margins, attractors):
    """The metrics, from the log-odds {part: (N,)} of :func:`verb_margins` and (N,) numbers of attractors."""
    found = {f"right_{k}": float(np.mean(margins["nothing"][attractors == k] > 0)) for k in ATTRACTORS}
    for where, counts in WHERE.items():
        right = {
            part: _mean((margins["nothing"] > 0) & (m > 0), attractors, counts) for part, m in margins.items()
        }
        odds = {part: _mean(m, attractors, counts) for part, m in margins.items()}
        as_read, all_of_it = odds["nothing"], odds["nothing"] - odds["everything"]
        found |= {f"right_{where}": right["nothing"], f"margin_{where}": as_read}
        found[f"change_{where}"] = all_of_it
        for name, part in PARTS.items():
            found[f"carried_{name}_{where}"] = (as_read - odds[part]) / all_of_it
            found[f"turned_{name}_{where}"] = 1 - right[part] / right["nothing"] if right["nothing"] else 0.0
    return {name: round(value, 4) for name, value in found.items()}


def _mean(values, attractors, counts):
    """The mean over some numbers of attractors of the mean of each."""
    return float(np.mean([values[attractors == k].mean() for k in counts]))


def again(record, device="cpu"):
    """A run of the ledger once more, from its record, in NumPy whatever the device: an Outcome."""
    return train(run_behind(record), corpus_behind(record), record["run_id"])


# --- finding them again --------------------------------------------------------------------------------


def reported(records, mode):
    """{row: its records, seed by seed}, on the text of its size; none with the tuning seed."""
    text = banyan.SHA256[mode]
    found = {row: repeats(records, run_of(row, None, mode), data_sha256=text) for row in ROWS}
    return {row: [r for r in runs if r["seed"] != TUNING_SEED] for row, runs in found.items()}


rows_of = reported  # for the claims


def tables(records):
    """The study's table, for every size of the text that has been run."""
    for (mode,), same in grouped(records, "mode"):
        yield results_table(same, mode)


def results_table(records, mode):
    """Two lines a run: how often it is right, and what each exchange takes along of the verb's log-odds."""
    lines = []
    for row, runs in reported(records, mode).items():
        for r in runs:
            lines += [_line(row, r, where) for where in WHERE]
        if not runs:
            lines.append((row, "–", "not run", *[""] * (1 + len(PARTS))))
    columns = ("row", "seed", "attractors", "verbs right", *PARTS.values())
    title = f"Banyan treebank, {mode} size: share of the verb's log-odds that goes with a part of the sum"
    note = "1.00 is the change when everything is exchanged. Parts need not add up."
    return Table(title, columns, tuple(lines), (note,))


def _line(row, record, where):
    counts, m = WHERE[where], record["metrics"]
    said = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    if record["status"] != "finished":
        return (row, str(record["seed"]), said, record["status"], *["–"] * len(PARTS))
    shares = (f"{m[f'carried_{name}_{where}']:.2f}" for name in PARTS)
    return (row, str(record["seed"]), said, f"{m[f'right_{where}']:.0%}", *shares)
