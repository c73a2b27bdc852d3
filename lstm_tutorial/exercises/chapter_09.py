"""Chapter 09: the weights of the sum, how they grow, join and average, and how far back half of them lies."""

import numpy as np

from .. import numpy_lstm
from ..gradient_check import draw_problem
from . import attempt, exercise, expect, near

_RNG = np.random.default_rng(9)
_T, _B, _H = 6, 1, 3


def _run(steps=_T, seed=0, key="vanilla"):
    """A tape of random everything, and the problem that it comes from."""
    problem = draw_problem(key, np.random.default_rng(seed), 2, _H, steps, _B)
    return problem, *numpy_lstm.forward(problem.spec, problem.params, problem.x, problem.state)[1:]


def _shape(got, shape, what):
    expect(np.shape(got) == shape, f"{what} has the shape {shape}, not {np.shape(got)}")


def _copies(*arrays):
    return [np.array(a) for a in arrays]  # the tape's own gates are needed again


# --- 09.1 ----------------------------------------------------------------------------------------------


def _last_weights(i, f):
    one = np.ones_like(i[:1])
    still_there = np.cumprod(np.concatenate([one, f[::-1]]), axis=0)[::-1]
    return np.concatenate([one, i]) * still_there


@exercise("09.1", reference=_last_weights)
def last_weights(answer):
    """Against the cell itself: c_T moves with z_j by w_j, for c is linear in what is written."""
    _, _, tape = _run()
    i, f, z, c_0 = tape.i[:, 0], tape.f[:, 0], tape.z[:, 0], tape.C[0, 0]

    def c_T(z, c):
        for k in range(_T):
            c = z[k] * i[k] + c * f[k]
        return c

    due = np.empty((_T + 1, _H))
    due[0] = c_T(0 * z, np.ones(_H))
    for j in range(_T):
        alone = np.zeros_like(z)
        alone[j] = 1
        due[j + 1] = c_T(alone, np.zeros(_H))
    assert near((due * np.concatenate([c_0[None], z])).sum(0), tape.c[-1, 0])

    got = attempt(answer, *_copies(i, f))
    expect(np.shape(got) != (_T, _H), f"c_0 has a weight too: {_T + 1} rows are due, not {_T}")
    _shape(got, due.shape, "the array of weights")
    got = np.asarray(got)
    own = np.concatenate([np.cumprod(f[::-1], axis=0)[::-1], np.ones_like(f[:1])])  # Π_{k ≥ j}: one too many
    expect(
        not near(got[1:], i * own[:-1]),
        "w_j has one forget gate too many: what is written at step j meets f first at step j + 1",
    )
    expect(
        not near(got[1:], i * np.cumprod(f, axis=0)),
        "the products run from the wrong end: they take the gates before step j, and not those after it",
    )
    expect(not near(got[::-1], due), "the rows stand in the wrong order: c_0 is row 0, the last step row T")
    expect(
        not near(got[1:], own[1:]), "what was written at step j has passed the input gate of that step too"
    )
    expect(
        not near(got[1:], i * f.prod(0)),
        "every row has all the forget gates: what comes late has passed only those that come after it",
    )
    first = "the row of c_0 differs: it was there before any input gate, and passes all the forget gates"
    expect(near(got[0], due[0]) or not near(got[1:], due[1:]), first)
    expect(near(got, due), "it differs from what writing 1 at step j alone does to c_T")


# --- 09.2 ----------------------------------------------------------------------------------------------


def _one_more_step(w, i, f):
    return np.concatenate([w * f, i[None]])


@exercise("09.2", reference=_one_more_step)
def one_more_step(answer):
    """Against the whole sequence, unrolled from the start."""
    _, _, tape = _run(seed=1)
    i, f = tape.i[:, 0], tape.f[:, 0]
    w, due = _last_weights(i[:-1], f[:-1]), _last_weights(i, f)
    got = attempt(answer, *_copies(w, i[-1], f[-1]))
    expect(np.shape(got) != w.shape, "one more word has been read, so there is one more weight")
    _shape(got, due.shape, "the array of weights")
    got = np.asarray(got)
    expect(
        not near(got, np.concatenate([w, i[-1:]])),
        "the old weights stay as they are, but everything held has passed the forget gate once more",
    )
    expect(
        not near(got, np.concatenate([w * f[-1], i[-1:] * f[-1:]])),
        "the newest word is written behind the forget gate of its own step, and does not pass it",
    )
    expect(
        not near(got, np.concatenate([i[-1:], w * f[-1]])),
        "the new weight stands in front, where that of c_0 belongs",
    )
    expect(
        not near(got, np.concatenate([w * i[-1], f[-1:]])),
        "the gates are exchanged: i is for what is written now, f for what is held",
    )
    expect(
        not near(got, np.concatenate([w[:1], w[1:] * f[-1], i[-1:]])),
        "row 0 stays as it is, but c_0 is held in the same cell, and passes the forget gate too",
    )
    expect(
        not near(got, np.concatenate([w * f[-1], 1 - f[-1:]])),
        "i = 1 − f holds for coupled gates only, and these are not",
    )
    expect(near(got, due), "it differs from the weights of the whole sequence, unrolled from the start")


# --- 09.4 ----------------------------------------------------------------------------------------------


def _plain_average(T):
    return 1 / np.arange(1, T + 1)


@exercise("09.4", reference=_plain_average)
def plain_average(answer):
    """Against the mean of T random numbers, run through the coupled recurrence."""
    for T in (5, 2, 9):
        i = attempt(answer, T)
        _shape(i, (T,), "the input gates are one for each step: their array")
        i = np.asarray(i, float)
        expect((i >= 0).all() and (i <= 1).all(), "a gate lies between 0 and 1")
        w = _last_weights(i[:, None], 1 - i[:, None])[:, 0]
        expect(
            T < 3 or not near(i, np.full(T, 1 / T)),
            "the same gate at every step gives the latest word the same weight, but the earlier ones less",
        )
        expect(
            T < 3 or not near(i, 1 / np.arange(T, 0, -1)),
            "the order is turned round: the later a word comes, the smaller the share that it should take",
        )
        expect(
            T < 3 or not near(i, np.arange(1, T + 1) / T),
            "the gate opens more and more, so that the last word takes everything",
        )
        left = (
            f"c_0 keeps the weight {w[0]:.2g}, and the words should have it all: the first must wipe it out"
        )
        expect(w[0] < 1e-9 or not near(w[1:], np.full(T, w[-1])), left)
        expect(
            near(w[1:], np.full(T, 1 / T)),
            f"the weights are {', '.join(f'{v:.2g}' for v in w[1:])} for T = {T}, and not all 1/T",
        )


# --- 09.5 ----------------------------------------------------------------------------------------------


def _half_memory(f):
    return max(0, int(np.ceil(np.log(0.5) / np.log(f) - 1 - 1e-9)))


@exercise("09.5", reference=_half_memory)
def half_memory(answer):
    """Against adding up f^d until half of 1 / (1 − f) is there."""
    for f in (0.9, 0.99, 0.3, 0.75, 0.5):
        held, d = 1.0, 0
        while held < 0.5 / (1 - f) - 1e-12:
            d += 1
            held += f**d
        got = attempt(answer, f)
        expect(
            np.shape(got) == (), f"one number of steps is asked for, not an array of shape {np.shape(got)}"
        )
        exactly = "for f = 0.5 the present word alone makes up exactly half, and at least half is asked for"
        expect(f != 0.5 or got == d, exactly)
        half_life = np.log(0.5) / np.log(f)
        expect(
            got >= 0, f"it is negative for f = {f}: half or more is there with the present word, 0 steps back"
        )
        expect(
            not (near(got, half_life, 1e-6) or got == round(half_life) != d),
            "that is when *one* word has lost half its weight; asked is where half of the whole sum lies, "
            "and the distances 0 to d are d + 1 words",
        )
        expect(
            f == 0.3 or got != d + 1,
            f"it is one step too many for f = {f}: the present word is 0 steps back, and counts",
        )
        expect(f == 0.3 or got != d - 1, f"within {d - 1} steps back lies less than half for f = {f}")
        expect(
            float(got).is_integer(),
            f"words are whole, and for f = {f} it says {float(got):.3g}: which way to round?",
        )
        expect(got == d, f"for f = {f} half of the sum lies within {d} steps, and it says {got}")


# --- 09.3 ----------------------------------------------------------------------------------------------


def _without(c, o, w, z):
    return o * np.tanh(c - w * z)


@exercise("09.3", reference=_without)
def without(answer):
    """Against a cell that runs once more, with nothing written at one step."""
    _, _, tape = _run(seed=2, key="lstm")
    j, T = 2, _T
    w = _last_weights(tape.i[:, 0], tape.f[:, 0])
    c = tape.C[0, 0]
    for k in range(T):
        c = (0 if k + 1 == j else tape.z[k, 0]) * tape.i[k, 0] + c * tape.f[k, 0]
    o, z = tape.o[-1, 0], tape.z[j - 1, 0]
    due = o * np.tanh(c)
    held = tape.c[-1, 0]
    got = attempt(answer, *_copies(held, o, w[j], z))
    _shape(got, (_H,), "y")
    got = np.asarray(got)
    expect(not near(got, o * np.tanh(held)), "nothing was taken out: that is y as it was")
    expect(
        not near(got, o * np.tanh(held - z)),
        "z_j arrives at c with a weight: it is w_j ⊙ z_j that is in the sum",
    )
    expect(not near(got, o * np.tanh(held - w[j])), "a weight alone is not in the sum: what does it weigh?")
    expect(not near(got, o * np.tanh(held + w[j] * z)), "the summand was put in once more, and not taken out")
    expect(
        not near(got, o * (np.tanh(held) - np.tanh(w[j] * z))),
        "tanh of a difference is no difference of tanhs: the sum is in c, before tanh",
    )
    expect(
        not near(got, o * (np.tanh(held) - w[j] * z)) and not near(got, o * np.tanh(held) - w[j] * z),
        "y is not the sum: take the summand out of c, and only then let tanh and o act",
    )
    expect(
        not near(got, o * np.tanh(w[j] * z)), "that is what the word alone would give: all others are gone"
    )
    expect(not near(got, c), "that is c without the word: on the way to y there are tanh and the output gate")
    expect(not near(got, np.tanh(c)), "the output gate is missing")
    expect(not near(got, o * c), "c goes through tanh on its way to y")
    expect(near(got, due), "it differs from a run in which nothing was written at that step")
