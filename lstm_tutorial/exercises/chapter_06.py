"""Chapter 06: steps and loops in torch, biases, two GRUs, and one cell in another library's order."""

from itertools import permutations
from numbers import Real

import numpy as np
import torch
from torch import nn

from .. import numpy_lstm, variants
from ..gradient_check import draw_problem
from ..rosetta import to_order
from ..storage import Products
from . import attempt, exercise, expect, near

_B, _D, _H, _T = 2, 3, 4, 6
_RNG = np.random.default_rng(6)
_WITHIN = 1e-6  # of central differences


def _drawn(*shape):
    return torch.tensor(_RNG.uniform(0.2, 1, shape) * _RNG.choice([-1, 1], shape))


def _differs(answer, wrong):
    return not near(np.asarray(answer.detach()), np.asarray(wrong.detach()), 1e-9)


def _is(answer, right):
    return near(np.asarray(answer.detach()), np.asarray(right.detach()), 1e-9)


def _pair(got, what="(h, c)"):
    expect(
        isinstance(got, tuple | list) and len(got) == 2, f"it should return a pair {what}, not {_kind(got)}"
    )
    return got


def _kind(got):
    return f"one of shape {tuple(got.shape)}" if isinstance(got, torch.Tensor) else f"a {type(got).__name__}"


def _tensor(got, shape, what):
    expect(isinstance(got, torch.Tensor), f"{what} should be a tensor, not a {type(got).__name__}")
    expect(tuple(got.shape) == shape, f"{what} has the shape {shape}, not {tuple(got.shape)}")


# ---------------------------------------------------------------- 06.1, the printed equations


def _step(x, h, c, p):
    F = torch.sigmoid(x @ p["U_f"] + h @ p["V_f"] + p["B_f"])
    I = torch.sigmoid(x @ p["U_i"] + h @ p["V_i"] + p["B_i"])  # noqa: E741
    G = torch.tanh(x @ p["U_c"] + h @ p["V_c"] + p["B_c"])
    O = torch.sigmoid(x @ p["U_o"] + h @ p["V_o"] + p["B_o"])  # noqa: E741
    c = F * c + I * G
    return O * torch.tanh(c), c


@exercise("06.1", reference=_step)
def seed_step(answer):
    """Equations (9) to (14), against torch.nn.LSTMCell with the same numbers."""
    p = {
        f"{letter}_{k}": _drawn(*size) for k in "ifco" for letter, size in (("U", (_D, _H)), ("V", (_H, _H)))
    }
    p |= {f"B_{k}": _drawn(_H) for k in "ifco"}
    x, h, c = _drawn(_B, _D), _drawn(_B, _H), _drawn(_B, _H)
    cell = nn.LSTMCell(_D, _H, dtype=torch.float64)
    stacks = [torch.cat([p[f"{letter}_{k}"].T for k in "ifco"]) for letter in "UV"]
    b = torch.cat([p[f"B_{k}"] for k in "ifco"])
    cell.load_state_dict(dict(zip(cell.state_dict(), (*stacks, b, torch.zeros_like(b)), strict=True)))
    h_due, c_due = cell(x, (h, c))

    h_got, c_got = _pair(attempt(answer, x, h, c, p))
    _tensor(h_got, (_B, _H), "h")
    _tensor(c_got, (_B, _H), "c")
    expect(_differs(h_got, c_due), "the pair is the wrong way round: h comes first, then c")
    shared = _step(x, h, c, p | {"U_f": p["U_i"]})
    expect(
        _differs(c_got, shared[1]),
        "F reads x through the input gate's matrix. So it is printed in (9), but can it be meant?",
    )
    F, I, G = (  # noqa: E741
        squash(x @ p[f"U_{k}"] + h @ p[f"V_{k}"] + p[f"B_{k}"])
        for k, squash in (("f", torch.sigmoid), ("i", torch.sigmoid), ("c", torch.tanh))
    )
    expect(_differs(c_got, I * c + F * G), "F and I have changed places: which one multiplies the old cell?")
    expect(
        _differs(c_got, F * c + I * torch.sigmoid(x @ p["U_c"] + h @ p["V_c"] + p["B_c"])),
        "G is no gate: it has to be able to be negative, so what squashes it?",
    )
    expect(_differs(c_got, I * G), "the old cell is nowhere in the new one")
    without = _step(x, h, c, p | {f"B_{k}": 0 * b[:_H] for k in "ifco"})
    expect(_differs(c_got, without[1]), "the biases B are missing")
    expect(
        _is(c_got, c_due), "the new cell differs from torch.nn.LSTMCell's; compare with (9), (10), (11), (13)"
    )
    O = torch.sigmoid(x @ p["U_o"] + h @ p["V_o"] + p["B_o"])  # noqa: E741
    expect(_differs(h_got, O * torch.tanh(c)), "the output reads the old cell; (14) comes after (13)")
    expect(_differs(h_got, O * c_due), "(14) squashes the cell before it is multiplied")
    expect(
        _is(h_got, h_due), "c is right, but h differs from torch.nn.LSTMCell's; compare with (12) and (14)"
    )


# ---------------------------------------------------------------- 06.2 and 06.3, faster forms of it


def _fused_step(x, h, c, W, R, b):
    i, f, g, o = (x @ W.T + h @ R.T + b).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


@exercise("06.2", reference=_fused_step)
def fused_step(answer):
    """A step with stacked matrices in torch's order, against torch.nn.LSTMCell."""
    W, R, b = _drawn(4 * _H, _D), _drawn(4 * _H, _H), _drawn(4 * _H)
    x, h, c = _drawn(_B, _D), _drawn(_B, _H), _drawn(_B, _H)
    cell = nn.LSTMCell(_D, _H, dtype=torch.float64)
    cell.load_state_dict(dict(zip(cell.state_dict(), (W, R, b, torch.zeros_like(b)), strict=True)))
    h_due, c_due = cell(x, (h, c))
    with Products() as products:
        got = attempt(answer, x, h, c, W, R, b)
    h_got, c_got = _pair(got)
    _tensor(h_got, (_B, _H), "h")
    _tensor(c_got, (_B, _H), "c")
    expect(_differs(h_got, c_due), "the pair is the wrong way round: h comes first, then c")
    stacks = (W, R, b)
    for order in list(permutations(range(4)))[1:]:
        h_moved, c_moved = _fused_step(x, h, c, *(torch.cat([s.chunk(4)[k] for k in order]) for s in stacks))
        expect(
            _differs(c_got, c_moved) or _differs(h_got, h_moved),
            "the blocks are taken in another order than torch's. No shape can tell: they are all the same",
        )
    expect(_differs(c_got, _fused_step(x, h, c, W, R, 0 * b)[1]), "the bias is missing")
    i, f, g, o = (x @ W.T + h @ R.T + b).chunk(4, -1)
    expect(
        _differs(c_got, torch.sigmoid(f) * c + torch.sigmoid(i) * torch.sigmoid(g)),
        "σ is applied to all four blocks, and one of them is no gate",
    )
    expect(_is(c_got, c_due), "the new cell differs from torch.nn.LSTMCell's")
    expect(_differs(h_got, torch.sigmoid(o) * torch.tanh(c)), "the output reads the old cell")
    expect(_is(h_got, h_due), "c is right, but h differs from torch.nn.LSTMCell's")
    expect(
        products.count <= 2, f"the numbers are right, but it takes {products.count} products, where 2 will do"
    )


def _hoisted(x, h, c, W, R, b):
    A, hs = x @ W.T + b, []
    for a in A:
        i, f, g, o = (a + h @ R.T).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        hs.append(h)
    return torch.stack(hs), (h, c)


@exercise("06.3", reference=_hoisted)
def hoisted(answer):
    """The whole loop, against torch.nn.LSTM, and its matrix products counted."""
    W, R, b = _drawn(4 * _H, _D), _drawn(4 * _H, _H), _drawn(4 * _H)
    x, h, c = _drawn(_T, _B, _D), _drawn(_B, _H), _drawn(_B, _H)
    layer = nn.LSTM(_D, _H, dtype=torch.float64)
    layer.load_state_dict(dict(zip(layer.state_dict(), (W, R, b, torch.zeros_like(b)), strict=True)))
    y_due, (h_due, c_due) = layer(x, (h[None], c[None]))
    with Products() as products:
        got = attempt(answer, x, h, c, W, R, b)
    y, last = _pair(got, "y, (h, c)")
    expect(not isinstance(y, list), "y is a list of steps: torch.stack makes one tensor of it")
    _tensor(y, (_T, _B, _H), "y")
    last = _pair(last, "(h, c) of last states")
    zero, _ = _hoisted(x, 0 * h, 0 * c, W, R, b)
    expect(_differs(y, zero), "it starts from zeros, and not from the h and c that it is given")
    stale = (x @ W.T + b + h @ R.T).chunk(4, -1)
    expect(
        _differs(y[1:], _pointwise(stale, c)[1:]),
        "every step reads the h of the beginning. That product is the one that cannot leave the loop",
    )
    forgetful = torch.stack([_fused_step(x_t, h, c, W, R, b)[0] for x_t in x])
    expect(
        _differs(y[1:], forgetful[1:]),
        "each step starts from the first state again: h and c are not passed on",
    )
    expect(_differs(y, _hoisted(x, h, c, W, R, 0 * b)[0]), "the bias is missing")
    expect(
        _differs(y, _hoisted(x, h, c, W, R, 2 * b)[0]),
        "the bias is in it twice: once before the loop will do",
    )
    expect(_is(y, y_due), "y differs from torch.nn.LSTM's")
    expect(_is(last[0], h_due[0]) and _is(last[1], c_due[0]), "y is right, but (h, c) is not the last state")
    expect(
        products.count <= _T + 1,
        f"the numbers are right, but for {_T} steps it takes {products.count} products: "
        "is one of them in the loop that need not be?",
    )


def _pointwise(blocks, c):
    """h of every step from pre-activations that are all there beforehand."""
    hs = []
    for i, f, g, o in zip(*blocks, strict=True):
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        hs.append(torch.sigmoid(o) * torch.tanh(c))
    return torch.stack(hs)


# ---------------------------------------------------------------- 06.4, two biases


def _set_forget_bias(lstm, value):
    H = lstm.hidden_size
    with torch.no_grad():
        for name, bias in lstm.named_parameters():
            if "bias" in name:
                bias[H : 2 * H] = value if "bias_ih" in name else 0.0


@exercise("06.4", reference=_set_forget_bias)
def forget_bias(answer):
    """The forget gate's pre-activation of every layer where x and y⁻ are zero."""
    torch_state = torch.get_rng_state()
    lstm = nn.LSTM(_D, _H, num_layers=2, dtype=torch.float64)
    torch.set_rng_state(torch_state)
    before = {name: p.detach().clone() for name, p in lstm.named_parameters()}
    value = 1.5  # not 1: an answer that always sets 1 is found out
    given = answer(lstm, value)
    after = dict(lstm.named_parameters())
    touched = any(_differs(after[name], before[name]) for name in before)
    if not touched:
        attempt(lambda: given)  # an untouched stub returns None and changes nothing
        expect(False, "it changes nothing: write into the layer's own tensors, under torch.no_grad()")
    expect(
        not any(_differs(after[n], before[n]) for n in before if "weight" in n),
        "it changes a weight matrix, and only biases are asked for",
    )
    expect(all(p.requires_grad for p in after.values()), "a parameter no longer requires a gradient")
    total = [after[f"bias_ih_l{k}"] + after[f"bias_hh_l{k}"] for k in (0, 1)]
    was = [before[f"bias_ih_l{k}"] + before[f"bias_hh_l{k}"] for k in (0, 1)]
    blocks, old = ([dict(zip("ifgo", t.detach().chunk(4), strict=True)) for t in s] for s in (total, was))
    moved = {k for layer, o in zip(blocks, old, strict=True) for k in "ifgo" if _differs(layer[k], o[k])}
    expect(
        not moved & set("igo"),
        f"block {sorted(moved & set('igo'))[:1]} of the stack has changed. Where in i, f, g, o is f?",
    )
    first, second = (layer["f"] for layer in blocks)
    due = torch.full_like(first, value)
    expect(
        not (_is(first, 2 * due) or _is(second, 2 * due)),
        "the forget gate gets twice the value: the two biases are added, and both have been set",
    )
    expect(not _is(first, due) or _is(second, due), "only the first layer has been set, and this one has two")
    expect(not _is(first, due / value), f"the forget gate gets 1, and {value} was asked for")
    expect(
        _is(first, due) and _is(second, due),
        "one of the two biases is still what torch drew for it, and is added to the value",
    )


# ---------------------------------------------------------------- 06.5, from seed 001's GRU to torch's


def _to_torch_gru(p):
    out = {name: p[name] for name in ("W_r", "R_r", "W_n", "R_n")}
    out |= {"W_u": -p["W_u"], "R_u": -p["R_u"]}
    return out | {name: np.zeros(len(p["R_n"])) for name in ("b_r", "b_u", "b_n", "b_Rn")}


@exercise("06.5", reference=_to_torch_gru)
def to_torch_gru(answer):
    """Parameters of ``gru`` from those of ``gru_reset_before``, compared as functions where both agree."""
    problem = draw_problem("gru_reset_before", np.random.default_rng(65), _D, _H, _T, _B)
    full = {k: v.copy() for k, v in problem.params.items()}
    p = full | {"R_n": np.diag(np.diag(full["R_n"]))}
    due, _, _ = numpy_lstm.forward("gru_reset_before", p, problem.x, problem.state)
    got = attempt(answer, dict(p))
    expect(isinstance(got, dict), f"it should return a dict of parameters, not a {type(got).__name__}")
    wanted = variants["gru"].parameter_shapes(_D, _H)
    missing = sorted(set(wanted) - set(got))
    expect(not missing, f"torch's GRU has parameters that are missing: {', '.join(missing)}")
    extra = sorted(set(got) - set(wanted))
    expect(not extra, f"torch's GRU has no parameters called {', '.join(extra)}")
    for name, shape in wanted.items():
        expect(np.shape(got[name]) == shape, f"{name} has the shape {shape}, not {np.shape(got[name])}")
    biased = [name for name in wanted if name.startswith("b_") and np.any(got[name])]
    expect(not biased, f"seed 001's GRU has no biases, so what should {', '.join(biased)} do?")
    y, _, _ = numpy_lstm.forward("gru", got, problem.x, problem.state)
    right = _to_torch_gru(p)
    for changed, why in (
        (("W_u", "R_u"), "u still weights what it weighted before. What turns σ(a) into 1 − σ(a)?"),
        (("R_u",), "half of what feeds u has changed its sign: u reads x and y⁻"),
        (("W_u",), "half of what feeds u has changed its sign: u reads x and y⁻"),
    ):
        expect(not near(y, _run(right, problem, changed)), why)
    flipped = _run(right, problem, ("W_r", "R_r"))
    expect(not near(y, flipped), "r has been turned round too, and the reset gate does the same in both")
    only_r = _run(right, problem, ("W_u", "R_u", "W_r", "R_r"))
    expect(not near(y, only_r), "the wrong gate has been turned round: which one weights the candidate?")
    expect(near(y, due), "the two cells differ, though R_n is diagonal, where they can agree")
    kept = near(attempt(answer, full)["R_n"], full["R_n"])
    expect(kept, "they agree for a diagonal R_n, but a full one comes back as another matrix")


def _run(params, problem, negated):
    changed = params | {name: -params[name] for name in negated}
    return numpy_lstm.forward("gru", changed, problem.x, problem.state)[0]


# ---------------------------------------------------------------- 06.6, δ of a reset gate that comes first


@exercise("06.6", reference=lambda dn_bar, R_n, y_prev, r: (dn_bar @ R_n) * y_prev * r * (1 - r))
def delta_r_bar(answer):
    """δr_bar of the GRU that resets before the product, against central differences in r_bar."""
    rng = np.random.default_rng(66)
    y_prev, r_bar, rest = (rng.normal(size=(_B, _H)) for _ in range(3))
    R_n, dn = rng.normal(size=(_H, _H)), rng.normal(size=(_B, _H))

    def loss(r_bar):
        return (dn * np.tanh(rest + (y_prev / (1 + np.exp(-r_bar))) @ R_n.T)).sum()

    due = np.empty_like(r_bar)
    for k in np.ndindex(r_bar.shape):
        nudge = np.zeros_like(r_bar)
        nudge[k] = 1e-6
        due[k] = (loss(r_bar + nudge) - loss(r_bar - nudge)) / 2e-6
    r = 1 / (1 + np.exp(-r_bar))
    n = np.tanh(rest + (r * y_prev) @ R_n.T)
    dn_bar = dn * (1 - n**2)
    slope = r * (1 - r)
    got = attempt(answer, dn_bar, R_n, y_prev, r)
    expect(np.shape(got) == r.shape, f"δr_bar has the shape of r, {r.shape}, not {np.shape(got)}")
    after = dn_bar * (y_prev @ R_n.T) * slope
    expect(
        not near(got, after, _WITHIN),
        "that is torch's, where r multiplies R_n y⁻. Here it acts before the product",
    )
    expect(
        not near(got, (dn_bar @ R_n.T) * y_prev * slope, _WITHIN),
        "error comes back through R_n the wrong way round: forwards it was r ⊙ y⁻ times R_nᵀ",
    )
    expect(
        not near(got, (dn_bar @ R_n) * y_prev, _WITHIN),
        "that is δr, behind the squashing; on the way to r_bar lies σ, and its slope is missing",
    )
    expect(
        not near(got, (dn_bar @ R_n) * y_prev * (1 - r**2), _WITHIN),
        "1 − r² is the slope of tanh, and r comes from σ",
    )
    expect(
        not near(got, (dn_bar @ R_n) * slope, _WITHIN), "r is multiplied by something on its way: by what?"
    )
    expect(
        not near(got, dn_bar * y_prev * slope, _WITHIN), "between r and n_bar lies a matrix, which is missing"
    )
    expect(
        not near(got, (dn_bar @ R_n) * r * slope, _WITHIN),
        "that would be error on its way to y⁻, whose factor is r. What is the factor of r?",
    )
    expect(near(got, due, _WITHIN), "it differs from what nudging r_bar does to the loss")


# ---------------------------------------------------------------- 06.7, from Keras to PyTorch


def _keras_gru_to_torch(kernel, recurrent_kernel, bias):
    def reordered(stack):
        z, r, h = np.split(stack, 3)
        return np.concatenate([r, z, h])

    return {
        "weight_ih_l0": reordered(kernel.T),
        "weight_hh_l0": reordered(recurrent_kernel.T),
        "bias_ih_l0": reordered(bias[0]),
        "bias_hh_l0": reordered(bias[1]),
    }


@exercise("06.7", reference=_keras_gru_to_torch)
def keras_gru_to_torch(answer):
    """A GRU's arrays in Keras's layout, loaded into torch.nn.GRU, against the course's NumPy cell."""
    problem = draw_problem("gru", np.random.default_rng(67), _D, _H, _T, _B)
    keras = to_order("gru", problem.params, "keras")
    moved = np.concatenate([np.random.default_rng(68).uniform(0.2, 1, 2 * _H), np.zeros(_H)])
    keras["bias"] = keras["bias"] + np.stack([-moved, moved])  # z and r have a second bias too: the sum stays
    got = attempt(answer, keras["kernel"], keras["recurrent_kernel"], keras["bias"])
    expect(isinstance(got, dict), f"it should return a dict of arrays, not a {type(got).__name__}")
    layer = nn.GRU(_D, _H, dtype=torch.float64)
    due = layer.state_dict()
    expect(
        set(got) == set(due), f"torch's names are {', '.join(due)}, and these are {', '.join(map(str, got))}"
    )
    for name, tensor in due.items():
        shape = tuple(np.shape(got[name]))
        expect(
            shape != tuple(tensor.shape)[::-1] or len(shape) == 1 or shape == tuple(tensor.shape),
            f"{name} lies on its side: Keras multiplies x by the matrix, torch by its transpose",
        )
        expect(shape == tuple(tensor.shape), f"{name} has the shape {tuple(tensor.shape)}, not {shape}")
    y = _gru(layer, got, problem)
    right = _keras_gru_to_torch(keras["kernel"], keras["recurrent_kernel"], keras["bias"])
    as_is = {"weight_ih_l0": keras["kernel"].T, "weight_hh_l0": keras["recurrent_kernel"].T}
    as_is |= {"bias_ih_l0": keras["bias"][0], "bias_hh_l0": keras["bias"][1]}
    expect(
        not near(y, _gru(layer, as_is, problem)),
        "everything fits, but the gates have changed places: r is now z",
    )
    half = as_is | {k: right[k] for k in ("weight_ih_l0", "weight_hh_l0")}
    expect(not near(y, _gru(layer, half, problem)), "the matrices are in torch's order, but not the biases")
    for name, what in (("weight_hh_l0", "recurrent matrix"), ("bias_hh_l0", "second bias")):
        half = right | {name: as_is[name]}
        expect(not near(y, _gru(layer, half, problem)), f"the {what} is still in Keras's order")
    swapped = right | {"bias_ih_l0": right["bias_hh_l0"], "bias_hh_l0": right["bias_ih_l0"]}
    expect(
        not near(y, _gru(layer, swapped, problem)),
        "the two biases have changed places. For r and z that does not matter, for the candidate it does",
    )
    summed = right | {
        "bias_ih_l0": right["bias_ih_l0"] + right["bias_hh_l0"],
        "bias_hh_l0": 0 * right["bias_hh_l0"],
    }
    expect(
        not near(y, _gru(layer, summed, problem)),
        "the two biases are added up, but the candidate's second one stands inside the reset",
    )
    expect(
        near(y, numpy_lstm.forward("gru", problem.params, problem.x)[0]),
        "torch.nn.GRU computes another function",
    )


def _gru(layer, arrays, problem):
    layer.load_state_dict({name: torch.tensor(np.ascontiguousarray(a)) for name, a in arrays.items()})
    with torch.no_grad():
        return layer(torch.tensor(problem.x))[0].numpy()


# ---------------------------------------------------------------- 06.8, what a GRU's tape holds


@exercise("06.8", reference=5)
def gru_tape(answer):
    """How many (T, B, H) arrays the hand-written backward of ``gru`` keeps, counted on its tape."""
    T = 50
    problem = draw_problem("gru", np.random.default_rng(68), _D, _H, T, _B)
    _, _, tape = numpy_lstm.forward("gru", problem.params, problem.x)
    arrays = (tape.A, tape.Y, tape.extra)
    due = sum(a.size for a in arrays) // (T * _B * _H)
    expect(isinstance(answer, Real) and not isinstance(answer, bool), "a number is asked for")
    expect(answer != 7, "7 is the LSTM's count; a GRU has other parts")
    expect(answer != 6, "6 is autograd's count, which keeps 1 − u beside u, or yours includes x")
    expect(
        answer != 4, "it keeps r, u, n and y, but look at δr_bar and δR_n: one of them needs another quantity"
    )
    expect(
        answer != 3, "the activations of r, u and n are three, but what do δu_bar and δr_bar need besides?"
    )
    expect(
        answer == due, "go through the equations, and list everything without a δ on their right-hand sides"
    )
