"""The cell is an element-wise weighted sum of everything that was ever written to it.

Unroll c_t = i_t ⊙ z_t + f_t ⊙ c_{t−1} down to the initial state, and there is no recursion left:

    c_t = Σ_{j=1..t} w_j^t ⊙ z_j + w_0^t ⊙ c_0
    w_j^t = i_j ⊙ Π_{k=j+1..t} f_k            w_0^t = Π_{k=1..t} f_k

What was written at step j has passed the forget gate once at every step since. This holds for every cell with
a cell state, from any initial state, whatever the gates read. With coupled gates, f = 1 − i, the sum is an
average: the weights, that of c_0 included, sum to one. The GRU's output is such an average of its candidates:
there c is y, z is n, and (i, f) is (1 − u, u) for ``gru``, (u, 1 − u) for ``gru_reset_before``.

Everything here is read off a tape, as :func:`lstm_tutorial.numpy_lstm.forward` returns it. Where two readings
differ in one word only, :func:`exchange` takes single parts of the sum from the other reading, and
:func:`verb_margins` asks a language model for the verb then.

Letters: T steps, B sequences, H units. Steps count from 1, and 0 stands for the initial state: the places t
and j in an array are the t and j of the equations, and there are T + 1 of them.

Source: Levy, Lee, FitzGerald and Zettlemoyer 2018; seed 000. The term with c_0 is added here.
"""

from typing import NamedTuple

import numpy as np

from . import numpy_lstm
from .arrays import library


def summands(tape):
    """(T + 1, B, H): c_0, then z_1 … z_T. For a GRU y_0, then the candidates n_1 … n_T."""
    start, z, _, _ = _parts(tape)
    return np.concatenate([start[None], z])


def weights_at(tape, t):
    """(t + 1, B, H): the weights w_0^t … w_t^t of the sum that c_t is.

    Raises ValueError for a cell whose state is no such sum (the simple RNN), and for a t outside 0 … T.
    """
    _, z, i, f = _parts(tape)
    if not 0 <= t <= len(z):
        raise ValueError(f"t is a step from 0, before the first, to {len(z)}, after the last; not {t}.")
    one = np.ones_like(z[:1])
    written = np.concatenate([one, i[:t]])  # c_0 was there before any gate
    still_there = np.cumprod(np.concatenate([one, f[:t][::-1]]), axis=0)[::-1]  # Π_{k=j+1..t} f_k
    return written * still_there


def weights(tape):
    """(T + 1, T + 1, B, H): row t holds w_0^t … w_t^t, and zeros for the steps that come later.

    So ``(weights(tape) * summands(tape)).sum(1)`` is c_0 … c_T. That is T times the memory of the tape:
    for long sequences ask :func:`weights_at` for the steps you need.
    """
    T, B, H = tape.y.shape
    w = np.zeros((T + 1, T + 1, B, H), tape.y.dtype)
    for t in range(T + 1):
        w[t, : t + 1] = weights_at(tape, t)
    return w


def contributions_at(tape, t):
    """(t + 1, B, H): the terms w_j^t ⊙ z_j, whose sum over j is c_t (y_t in a GRU)."""
    return weights_at(tape, t) * summands(tape)[: t + 1]


def effective_memory(tape, t, share=0.5):
    """(B, H): how far back from step t lies a given share of what each unit holds, in steps.

    Step j lies t − j steps back, the present one 0. The answer is the smallest distance within which the sum
    of |w_j^t ⊙ z_j| reaches ``share`` of the sum over all j; with share = 0.5 it is a median. c_0 counts as t
    steps back; it stands for everything before the sequence, so an answer of t means "t or more": choose t
    well above the answers. NaN where a unit holds nothing at all.

    Sizes are added without their signs: terms that cancel in c are both remembered. What happens to c
    afterwards, h and the output gate, plays no part.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is a part of the whole, above 0 and at most 1, not {share}.")
    within = np.cumsum(np.abs(contributions_at(tape, t))[::-1], axis=0)  # row d: at most d words back
    distance = (within >= share * within[-1]).argmax(0)
    return np.where(within[-1] > 0, distance, np.nan)


def tapes_of(model, tokens, state=None):
    """The tapes of all layers of a :class:`lstm_tutorial.language_model.LanguageModel`, without dropout.

    tokens : (T, B) ids. state : as the model returns it, or None for zeros. All in float64.
    """
    x = _float64(model.embedding.weight)[np.asarray(tokens)]
    tapes = []
    for k, layer in enumerate(model.layers):
        (params,) = layer.to_numpy()
        params = {name: p.astype(np.float64) for name, p in params.items()}
        before = None if state is None else [_float64(s)[0] for s in state[k]]
        x, _, tape = numpy_lstm.forward(layer.spec, params, x, before)
        tapes.append(tape)
    return tapes


# --- two readings, and parts of one in the other -----------------------------------------------------------

PARTS = ("nothing", "z of the noun", "all z", "all w", "o", "everything")


class Reading(NamedTuple):
    """What a cell's output is made of after some step t: y_t = h(Σ_j w_j ⊙ z_j) ⊙ o_t.

    w, z : (t + 1, B, H) weights and summands, those of c_0 first. o : (B, H). h : the squashing function's
    name, as in a :class:`~lstm_tutorial.spec.CellSpec`.
    """

    w: np.ndarray
    z: np.ndarray
    o: np.ndarray
    h: str

    def y(self):
        """(B, H): the output."""
        c = (self.w * self.z).sum(0)
        library(c).squash[self.h](c, c)
        return c * self.o


def reading_at(tape, t):
    """The :class:`Reading` after step t, from 1. Raises ValueError for a cell that has no such output."""
    if not tape.spec.has_cell:
        raise ValueError(f"cell {tape.spec.name!r} has no cell state: its y is no h(c) ⊙ o.")
    return Reading(weights_at(tape, t), summands(tape)[: t + 1], tape.o[t - 1], tape.spec.h)


def exchange(one, other, place):
    """{part: y (B, H)} for each of :data:`PARTS`: the output of ``one`` with that part taken from ``other``.

    one, other : readings of B pairs of sentences of the same length. place : (B,) the step of the word in
    which a pair differs, the ``noun``. Nothing is computed anew from an exchanged part: the other parts stay
    as they were read, so the mixtures need be no states that the network could reach, and the effects of two
    parts need not add up to that of both.
    """
    z_noun, b = one.z.copy(), np.arange(len(place))
    z_noun[place, b] = other.z[place, b]
    mixed = {
        "nothing": one,
        "z of the noun": one._replace(z=z_noun),
        "all z": one._replace(z=other.z),
        "all w": one._replace(w=other.w),
        "o": one._replace(o=other.o),
        "everything": other,
    }
    return {part: reading.y() for part, reading in mixed.items()}


class Pair(NamedTuple):
    """A beginning of a sentence, and the same with its subject noun in the other number.

    words, swapped : ids, with <eos> in front. place : the step of the noun, counted from 1 at <eos>.
    right, wrong : ids of a verb that agrees with the noun in ``words``, and of its other form.
    """

    words: tuple
    swapped: tuple
    place: int
    right: int
    wrong: int
    attractors: int


def verb_margins(read, W, b, pairs):
    """{part: (N,)} for each of :data:`PARTS`: the log-odds of the right verb against the wrong one, in nats.

    read : a function from ids (T, B) to the tape of the last layer. W, b : (V, H) and (V,), of the softmax;
    log q[right] / q[wrong] is the difference of two scores. pairs : N of :class:`Pair`. Right is what agrees
    with the noun as it stands: positive with "nothing" exchanged where the model knows the verb.
    """
    found = {part: np.empty(len(pairs)) for part in PARTS}
    lengths = np.array([len(pair.words) for pair in pairs])
    for T in np.unique(lengths):  # sentences of one length are read side by side
        here = np.flatnonzero(lengths == T)
        same = [pairs[k] for k in here]
        one, other = (
            reading_at(read(np.array([getattr(pair, which) for pair in same]).T), T)
            for which in ("words", "swapped")
        )
        right, wrong = (np.array([getattr(pair, which) for pair in same]) for which in ("right", "wrong"))
        for part, y in exchange(one, other, np.array([pair.place for pair in same])).items():
            found[part][here] = (y * (W[right] - W[wrong])).sum(1) + b[right] - b[wrong]
    return found


def _parts(tape):
    """c_0 (B, H), and z, i, f (T, B, H) each, in the words of the theorem."""
    family = tape.spec.family
    if tape.spec.has_cell:
        return tape.C[0], tape.z, tape.i, tape.f
    if family == "gru":
        return tape.Y[0], tape.n, 1 - tape.u, tape.u
    if family == "gru_reset_before":
        return tape.Y[0], tape.n, tape.u, 1 - tape.u
    raise ValueError(
        f"cell {tape.spec.name!r} has no gates: its y is squashed anew at every step, and no weighted sum."
    )


def _float64(tensor):
    return tensor.detach().cpu().double().numpy()
