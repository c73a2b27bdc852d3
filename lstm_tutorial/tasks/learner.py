"""A cell, a linear readout, and how it learns one of the tasks: NumPy alone, gradients by hand.

    y^t = the cell's output      any cell of the catalogue
    s^t = W_s y^t + b_s          scores, one a symbol

Letters: T steps, B sequences, D inputs, H units, V scores. Parameters are one dict: the cell's, and W_s (V,
H), b_s (V,). Settings are one dict too, the ``settings`` of a record in the ledger:

    task              "strings" or "stream", with inner (Reber strings in the middle), or "spikes", with
                      period N and count, the number of spikes to learn from
    batch_size        B, sequences side by side (one, of spikes)
    steps, blocks     a stream is read in blocks of that many steps; after so many blocks a new one begins
    hidden_size       H
    truncate          True for the gradient of 1997, in which error flows back along the cell alone
    learning_rate, max_norm, updates     Adam, clipping of the gradient's norm, the longest that a run may be
    check_every       after how many updates the network is examined; it stops when it makes no mistake
"""

from dataclasses import dataclass, field

import numpy as np

from .. import numpy_lstm
from ..numpy_language_model import Adam, clip
from . import reber, steps_until_error
from .timed_spikes import spikes

SIZES = {"strings": (7, 7), "stream": (7, 7), "spikes": (1, 2)}  # D, V
# Examinations are drawn with seeds of their own: one to decide when to stop, another to judge the run.
VALID, TEST = 1, 2
LONGER = 2  # spikes go on for twice as long as what was learned from


@dataclass
class Outcome:
    """What became of a run: its parameters, how many updates it took, whether and when it went wrong.

    history: lists with an entry for each examination: updates, loss (of the batch), right (share of
    sequences).
    """

    params: dict
    updates: int = 0
    finite: bool = True
    history: dict = field(default_factory=lambda: {"updates": [], "loss": [], "right": []})


def init_params(spec, settings, rng):
    """Random parameters, each drawn from U(−1/√H, 1/√H); only b_s starts at zero."""
    D, V = SIZES[settings["task"]]
    H = settings["hidden_size"]
    params = numpy_lstm.init_params(spec, D, H, rng)
    return params | {"W_s": rng.uniform(-(H**-0.5), H**-0.5, (V, H)), "b_s": np.zeros(V)}


def lessons(settings, rng):
    """Endless batches to learn from, each with whether the state is carried over from the batch before."""
    task, B = settings["task"], settings["batch_size"]
    while True:
        if task == "strings":
            yield reber.strings(rng, B, settings["inner"]), False
        elif task == "stream":
            T, blocks = settings["steps"], settings["blocks"]
            whole = reber.stream(rng, B, T * blocks, settings["inner"])
            for k in range(blocks):
                yield whole.part(slice(k * T, (k + 1) * T)), k > 0
        else:
            yield spikes(settings["period"], settings["count"]), False


def examination(settings, which):
    """Sequences to be judged on: ``which`` is VALID or TEST."""
    rng = np.random.default_rng((2000, which))
    if settings["task"] == "strings":
        return reber.strings(rng, {VALID: 256, TEST: 1000}[which], settings["inner"])
    if settings["task"] == "stream":
        return reber.stream(rng, 50, {VALID: 500, TEST: 1000}[which], settings["inner"])
    return spikes(settings["period"], LONGER * settings["count"])


def scores(spec, params, x, state=None):
    """The scores (T, B, V) of inputs x (T, B, D), and the state after them."""
    y, state, _ = numpy_lstm.forward(spec, _cell(params), x, state)
    return y @ params["W_s"].T + params["b_s"], state


def loss_and_gradients(spec, params, batch, truncate=False, state=None):
    """The loss of one batch, its gradient in every parameter, and the state to go on from.

    The given state is a constant: no gradient flows into the batch before.
    """
    y, state, tape = numpy_lstm.forward(spec, _cell(params), batch.x, state)  # (T, B, H)
    loss, ds = batch.loss(y @ params["W_s"].T + params["b_s"])  # (T, B, V)
    _, _, grads = numpy_lstm.backward(spec, _cell(params), tape, ds @ params["W_s"], truncate=truncate)
    grads["W_s"] = np.einsum("tbv,tbh->vh", ds, y)
    grads["b_s"] = ds.sum((0, 1))
    return loss, grads, state


def train(spec, settings, rng, progress=None):
    """Learn until an examination shows no mistake, or the updates are used up: an :class:`Outcome`.

    progress: called as progress(updates, loss, share of right sequences) after each examination. A run ends
    early, and says so, where the loss or the gradient is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return _train(spec, settings, rng, progress)


def _train(spec, settings, rng, progress):
    out = Outcome(init_params(spec, settings, rng))
    valid, adam, state = examination(settings, VALID), Adam(), None
    for batch, carried in lessons(settings, rng):
        loss, grads, state = loss_and_gradients(
            spec, out.params, batch, settings["truncate"], state if carried else None
        )
        grads, norm = clip(grads, settings["max_norm"])
        out.finite = bool(np.isfinite(loss) and np.isfinite(norm))
        if not out.finite:
            return out
        rate = settings["learning_rate"] * (1 - out.updates / settings["updates"])
        adam(out.params, grads, rate)
        out.updates += 1
        if out.updates % settings["check_every"] and out.updates < settings["updates"]:
            continue
        share = examine(spec, out.params, valid)["right"]
        for key, value in (("updates", out.updates), ("loss", loss), ("right", share)):
            out.history[key].append(value)
        if progress:
            progress(out.updates, loss, share)
        if share == 1 or out.updates >= settings["updates"]:
            return out


def examine(spec, params, exam):
    """How a network does.

    ``right`` is the share of sequences that it gets right from the first step to the last; ``first_mistake``,
    of the others, the mean step of the first mistake, counted from 1, or None if there are none; ``loss`` in
    nats a symbol that is asked for.
    """
    s, _ = scores(spec, params, exam.x)
    right = exam.right(s)
    before = steps_until_error(right[:, ~right.all(0)])
    return {
        "right": float(right.all(0).mean()),
        "first_mistake": float(before.mean()) + 1 if len(before) else None,
        "loss": exam.loss(s)[0],
    }


def _cell(params):
    return {name: p for name, p in params.items() if name not in ("W_s", "b_s")}
