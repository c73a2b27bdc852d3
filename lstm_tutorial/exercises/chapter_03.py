"""Chapter 03: lines of the backward pass, a diagnosis, and a check that is too weak."""

from dataclasses import replace
from itertools import permutations

import numpy as np

from ..gradient_check import draw_problem
from ..wrong_gradients import DELTAS, FULL, GALLERY, Backward, Check, right, sum_as_loss, zero_states
from . import attempt, exercise, expect, near

_RNG = np.random.default_rng(3)
_T, _B, _H = 4, 3, 2
_STEP = 1e-6
_WITHIN = 1e-6  # of central differences


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _draw(*shape):
    return _RNG.uniform(0.3, 1.5, shape) * _RNG.choice([-1, 1], shape)


def _slope(loss, at):
    """Central differences of loss(array) in every number of the array."""
    slope = np.empty_like(at)
    for k in np.ndindex(at.shape):
        nudge = np.zeros_like(at)
        nudge[k] = _STEP
        slope[k] = (loss(at + nudge) - loss(at - nudge)) / (2 * _STEP)
    return slope


def _shape(got, shape, what):
    expect(np.shape(got) == shape, f"{what} has the shape {shape}, not {np.shape(got)}")


def _by_term(answer, given, deltas):
    """{δ: what an answer gives with all other δ's at zero}: its terms, since a line is linear in its δ's."""

    def alone(name):
        return attempt(answer, *(0 * v if k in deltas and k != name else v for k, v in given.items()))

    return {name: np.asarray(alone(name)) for name in deltas}


def _none_wrong(found, terms, ways, special=None):
    """Raise Wrong for the first term that is not what it should be, by the name of its way.

    found, terms: {δ: array}, the answer's and what belongs there; ways: {δ: where it comes from, in words}
    special:      {δ: what to say where its term is neither missing nor turned round}
    """
    gone = [name for name in terms if not found[name].any()]
    expect(len(gone) != 1, f"one way is missing, the one {ways[gone[0]] if gone else ''}")
    expect(not gone, f"{len(gone)} ways are missing: {'; '.join(ways[name] for name in gone)}")
    for name, term in terms.items():
        expect(not near(found[name], -term, _WITHIN), f"the way {ways[name]}, has the wrong sign")
    for name, term in terms.items():
        ask = (special or {}).get(name, f"by what is {name} multiplied there?")
        expect(
            near(found[name], term, _WITHIN),
            f"its term with {name} is not right, the way {ways[name]}: {ask}",
        )
    expect(False, "each of its terms is right where it stands alone: how do several readers go together?")


@exercise("03.1", reference=lambda dy, h_c, o: dy * h_c * o * (1 - o))
def delta_o_bar(answer):
    """δo_bar, against differences of Σ dy ⊙ h(c) ⊙ σ(o_bar) in o_bar."""
    dy, c, o_bar = _draw(_B, _H), _draw(_B, _H), _draw(_B, _H)
    h_c, o = np.tanh(c), _sigmoid(o_bar)
    due = _slope(lambda a: (dy * h_c * _sigmoid(a)).sum(), o_bar)
    got = attempt(answer, dy, h_c, o)
    _shape(got, o.shape, "δo_bar")
    expect(not near(got, -due, _WITHIN), "its sign is turned round: nothing here is subtracted from y")
    expect(
        not near(got, dy * h_c, _WITHIN),
        "that is δo, of the gate behind the squashing: on the way to o_bar lies σ, and its slope is missing",
    )
    expect(not near(got, dy * h_c * o, _WITHIN), "the slope of σ has two factors, and one of them is missing")
    expect(not near(got, dy * h_c * (1 - o), _WITHIN), "the slope of σ has two factors, and one is missing")
    expect(
        not near(got, dy * o * (1 - o), _WITHIN), "o is multiplied by something on its way into y: by what?"
    )
    expect(not near(got, dy * h_c * (1 - o**2), _WITHIN), "1 − o² is the slope of tanh, and o comes from σ")
    expect(
        not near(got, dy * h_c * _sigmoid(o) * (1 - _sigmoid(o)), _WITHIN),
        "o is σ(o_bar) already, and is put through σ once more",
    )
    expect(
        not near(got, dy * o * (1 - h_c**2), _WITHIN),
        "that is the way from y to c, through h; this one goes through the gate",
    )
    expect(near(got, due, _WITHIN), "it differs from what nudging o_bar does to the loss")


def _delta_c(dy, o, h_c, p_o, do_bar, p_i, di_bar_next, p_f, df_bar_next, dc_next, f_next):
    return dy * o * (1 - h_c**2) + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next + dc_next * f_next


@exercise("03.2", reference=_delta_c)
def delta_c(answer):
    """δc of a step that has one after it, against differences of those two steps in c."""
    dy, dc_next, c = _draw(_B, _H), _draw(_B, _H), _draw(_B, _H)
    z_next, a_o, a_i, a_f = (_draw(_B, _H) for _ in range(4))
    p_o, p_i, p_f = (_draw(_H) for _ in range(3))

    def loss(c):
        y = np.tanh(c) * _sigmoid(a_o + p_o * c)
        c_next = z_next * _sigmoid(a_i + p_i * c) + c * _sigmoid(a_f + p_f * c)
        return (dy * y).sum() + (dc_next * c_next).sum()

    due = _slope(loss, c)
    h_c, o = np.tanh(c), _sigmoid(a_o + p_o * c)
    i_next, f_next = _sigmoid(a_i + p_i * c), _sigmoid(a_f + p_f * c)
    do_bar = dy * h_c * o * (1 - o)
    di_bar_next = dc_next * z_next * i_next * (1 - i_next)
    df_bar_next = dc_next * c * f_next * (1 - f_next)
    given = dict(dy=dy, o=o, h_c=h_c, p_o=p_o, do_bar=do_bar, p_i=p_i, di_bar_next=di_bar_next)
    given |= dict(p_f=p_f, df_bar_next=df_bar_next, dc_next=dc_next, f_next=f_next)
    got = attempt(answer, *given.values())
    _shape(got, c.shape, "δc")
    if near(got, due, _WITHIN):
        return

    terms = {
        "dy": dy * o * (1 - h_c**2),
        "do_bar": p_o * do_bar,
        "di_bar_next": p_i * di_bar_next,
        "df_bar_next": p_f * df_bar_next,
        "dc_next": dc_next * f_next,
    }
    found = _by_term(answer, given, terms)
    gone = {name for name in terms if not found[name].any()}
    expect(
        gone != {"di_bar_next", "df_bar_next", "dc_next"},
        "nothing comes back from the next step, and three of the five ways lead there",
    )
    expect(gone != {"di_bar_next", "df_bar_next"}, "the two peepholes into the next step are missing")
    expect(
        not near(found["di_bar_next"], p_f * di_bar_next, _WITHIN)
        or not near(found["df_bar_next"], p_i * df_bar_next, _WITHIN),
        "each peephole belongs to its own gate, and here p_i and p_f have changed places",
    )
    expect(not near(found["dy"], dy * o, _WITHIN), "h has a slope: how much does tanh(c) change with c?")
    expect(
        not near(found["dy"], dy * (1 - h_c**2), _WITHIN),
        "its term with dy lacks a factor: y is a product, and h(c) is read with the strength of the other",
    )
    expect(not near(found["dy"], dy * o * (1 - h_c), _WITHIN), "1 − h(c) is not the slope of tanh")
    special = {"dc_next": "c enters the next cell multiplied by something: by what?"}
    _none_wrong(found, terms, _WAYS_OF_C, special)


_WAYS_OF_C = {
    "dy": "to y, through h",
    "do_bar": "to this step's output gate, through the peephole p_o",
    "di_bar_next": "to the next step's input gate, through the peephole p_i",
    "df_bar_next": "to the next step's forget gate, through the peephole p_f",
    "dc_next": "to the next cell",
}


def _back_to_c(dc, f, p_i, di_bar, p_f, df_bar):
    return dc * f + p_i * di_bar + p_f * df_bar


@exercise("03.3", reference=_back_to_c)
def back_to_c(answer):
    """dc⁻ of the first step, the gradient of c_0, against differences of a whole cell in c_0."""
    problem = draw_problem("vanilla", np.random.default_rng(4), steps=3, hidden_size=_H, batch_size=_B)
    due = _slope(lambda c: replace(problem, state=(problem.state[0], c)).loss(), problem.state[1])
    d, v, p = right(problem), right.values(problem)[0], problem.params
    dc, di_bar, df_bar = d["c"][0], d["i_bar"][0], d["f_bar"][0]
    given = dict(dc=dc, f=v.f, p_i=p["p_i"], di_bar=di_bar, p_f=p["p_f"], df_bar=df_bar)
    got = attempt(answer, *given.values())
    _shape(got, due.shape, "dc⁻")
    if near(got, due, _WITHIN):
        return

    terms = {"dc": dc * v.f, "di_bar": p["p_i"] * di_bar, "df_bar": p["p_f"] * df_bar}
    found = _by_term(answer, given, terms)
    expect(
        found["di_bar"].any() or found["df_bar"].any() or not near(found["dc"], terms["dc"], _WITHIN),
        "c⁻ is read in three places, and this is one: who else sees it?",
    )
    expect(
        not near(found["di_bar"], p["p_f"] * di_bar, _WITHIN)
        or not near(found["df_bar"], p["p_i"] * df_bar, _WITHIN),
        "each peephole belongs to its own gate, and here they have changed places",
    )
    ways = {
        "dc": "into the new cell",
        "di_bar": "into the input gate, which sees c⁻ through p_i",
        "df_bar": "into the forget gate, which sees c⁻ through p_f",
    }
    _none_wrong(found, terms, ways, {"dc": "c⁻ enters the new cell multiplied by something: by what?"})


def _peephole_gradients(di_bar, df_bar, do_bar, c, c_0):
    c_prev = np.concatenate([c_0[None], c[:-1]])
    return (di_bar * c_prev).sum((0, 1)), (df_bar * c_prev).sum((0, 1)), (do_bar * c).sum((0, 1))


@exercise("03.4", reference=_peephole_gradients)
def peephole_gradients(answer):
    """δp_i, δp_f, δp_o: what p ⊙ cell adds to the pre-activations, against differences."""
    d = {k: _draw(_T, _B, _H) for k in "ifo"}
    c, c_0 = _draw(_T, _B, _H), _draw(_B, _H)
    seen = {"i": np.stack([c_0, *c[:-1]]), "f": np.stack([c_0, *c[:-1]]), "o": c}
    got = attempt(answer, d["i"], d["f"], d["o"], c, c_0)
    several = isinstance(got, tuple | list | np.ndarray) and np.shape(got) != ()
    expect(several and len(got) == 3, "it should return three arrays, (δp_i, δp_f, δp_o)")
    slopes = {k: _slope(lambda p, k=k: (d[k] * (p * seen[k])).sum(), np.zeros(_H)) for k in "ifo"}
    for order in permutations("ifo"):
        expect(
            order == tuple("ifo") or not all(near(g, slopes[k], _WITHIN) for k, g in zip(order, got)),
            "all three are right, but stand in another order than (δp_i, δp_f, δp_o)",
        )
    for k, g in zip("ifo", got):
        name, g, due = f"δp_{k}", np.asarray(g), slopes[k]
        expect(
            g.shape != (_T, _B, _H),
            f"{name} is summed over nothing: one peephole serves all steps and all sequences",
        )
        expect(
            g.shape not in ((_B, _H), (_T, _H)),
            f"{name} is summed over one axis only: one peephole serves all steps and all sequences",
        )
        _shape(g, due.shape, name)
        shifted = (d[k] * (c if k != "o" else np.stack([c_0, *c[:-1]]))).sum((0, 1))
        cell = "the cell before the step" if k != "o" else "the new cell, of the same step"
        expect(
            not near(g, shifted, _WITHIN), f"{name} pairs its δ with the wrong cell: this gate sees {cell}"
        )
        without = (d[k][1:] * c[:-1]).sum((0, 1))
        expect(k == "o" or not near(g, without, _WITHIN), f"{name} leaves out the first step, which saw c_0")
        rolled = (d[k] * np.roll(c, 1, axis=0)).sum((0, 1))
        expect(
            k == "o" or not near(g, rolled, _WITHIN),
            f"{name} pairs the first step with the last cell, as np.roll does: that step saw another one",
        )
        later = (d[k][:-1] * c[1:]).sum((0, 1))
        expect(not near(g, later, _WITHIN), f"{name} is shifted the wrong way: no gate sees a later cell")
        expect(not near(g, due / _B, _WITHIN), f"{name} is averaged over the sequences: the loss is a sum")
        expect(not near(g, d[k].sum((0, 1)), _WITHIN), f"{name} is δb_{k}: where is the cell?")
        expect(near(g, due, _WITHIN), f"{name} differs from what central differences measure")


class _Somebodys(Backward):
    """For exercise 03.5: δf_bar with c instead of c⁻."""

    title = "somebody's"

    def f_bar(self, p, v, d):
        return d.c * v.c * v.f * (1 - v.f)


somebodys_backward = _Somebodys()


@exercise("03.5", reference="f_bar")
def suspect(answer):
    """Which line of `somebodys_backward` has the slip: at the last step only that one is wrong."""
    expect(
        isinstance(answer, str) and answer.strip("δ ") in DELTAS,
        f"it should be the name of one of the six deltas, a string: {', '.join(DELTAS)}",
    )
    name, problem = answer.strip("δ "), FULL.problem
    ours, due = somebodys_backward(problem)[name], right(problem)[name]
    expect(
        not near(ours[-1], due[-1]),
        f"δ{name} is right at the last step, where nothing has come back yet: its own line is in order, "
        "and what is wrong at earlier steps was carried there",
    )


TOO_WEAK = Check(
    "too weak", "Zero states, and y.sum() as the loss.", change=lambda p: zero_states(sum_as_loss(p))
)
FIVE = ("cell path cut", "y_0, c_0 as zeros", "dc_T ignored", "δc without p_o", "upstream reversed")


def _let_through():
    return {title for title in FIVE if not TOO_WEAK.catches(GALLERY[title])}


_WHY_CAUGHT = {
    "cell path cut": "ones or not, error has to pass from cell to cell",
    "δc without p_o": "its peephole is not zero, so the missing term is not zero either",
}


@exercise("03.6", reference={"y_0, c_0 as zeros", "dc_T ignored", "upstream reversed"})
def let_through(answer):
    """Which of five bugs pass a check from zero states with y.sum() as the loss: found by running it."""
    expect(
        isinstance(answer, set | list | tuple) and set(answer) <= set(FIVE),
        f"it should be a set of titles out of {', '.join(map(repr, FIVE))}",
    )
    passing, answer = _let_through(), set(answer)
    for title in FIVE:
        expect(
            title not in answer - passing, f"“{title}” is caught: {_WHY_CAUGHT.get(title, 'run the check')}"
        )
    left = len(passing - answer)
    expect(not left, f"{left} more get{'s' * (left == 1)} through: what is zero here, and what is all alike?")
