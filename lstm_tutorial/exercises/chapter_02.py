"""Chapter 02: lines of the forward pass, their shapes, PyTorch's order, and gates set by hand."""

from dataclasses import replace

import numpy as np

from .. import numpy_lstm, variants
from . import attempt, exercise, expect, near

_RNG = np.random.default_rng(2)
_D, _H = 3, 2


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


def _one_step(key):
    """Random parameters, x, y⁻ and c⁻ of one step as vectors, and the package's tape of it."""
    params = numpy_lstm.init_params(key, _D, _H, _RNG, scale=1.5)
    x, y, c = (_RNG.normal(size=n) for n in (_D, _H, _H))
    tape = numpy_lstm.forward(key, params, x[None, None], (y[None], c[None]))[2]
    return params, x, y, c, tape


def _forget_gate(x, y_prev, W_f, R_f, b_f):
    return _sigmoid(W_f @ x + R_f @ y_prev + b_f)


@exercise("02.1", reference=_forget_gate)
def forget_gate(answer):
    """f without its peephole, against the package's forward pass."""
    p, x, y_prev, _, tape = _one_step("lstm")
    due, W, R, b = tape.f[0, 0], p["W_f"], p["R_f"], p["b_f"]
    got = attempt(answer, x, y_prev, W, R, b)
    expect(
        np.shape(got) == (_H,), f"f has a number for each unit, ({_H},), and this has shape {np.shape(got)}"
    )
    f_bar = W @ x + R @ y_prev + b
    expect(not near(got, f_bar), "that is f_bar: to become a gate it has to be squashed")
    expect(not near(got, np.tanh(f_bar)), "tanh runs from −1 to 1, and a gate from 0, shut, to 1, open")
    expect(
        not near(got, 1 - due), "it is turned round: f is the share that is kept, not the one that is lost"
    )
    expect(not near(got, _sigmoid(W @ x + R @ y_prev)), "one of the three terms is missing: look at the end")
    expect(not near(got, _sigmoid(W @ x + b)), "it does not look at the output one step before")
    expect(
        not near(got, _sigmoid(W @ x + y_prev @ R + b)),
        "R_f is applied from its wrong side: the rows of R belong to the unit that receives",
    )
    expect(near(got, due), "it differs from the package's f")


def _output_gate(x, y_prev, c_prev, c, W_o, R_o, p_o, b_o):
    return _sigmoid(W_o @ x + R_o @ y_prev + p_o * c + b_o)


@exercise("02.2", reference=_output_gate)
def output_gate(answer):
    """o with its peephole, against the package's forward pass."""
    p, x, y_prev, c_prev, tape = _one_step("vanilla")
    due, c = tape.o[0, 0], tape.c[0, 0]
    W, R, p_o, b = (p[name] for name in ("W_o", "R_o", "p_o", "b_o"))
    got = attempt(answer, x, y_prev, c_prev, c, W, R, p_o, b)
    expect(
        np.shape(got) == (_H,), f"o has a number for each unit, ({_H},), and this has shape {np.shape(got)}"
    )
    rest = W @ x + R @ y_prev + b
    expect(not near(got, rest + p_o * c), "that is o_bar: to become a gate it has to be squashed")
    expect(not near(got, _sigmoid(rest)), "where is the peephole? Nothing in it depends on the cell")
    expect(
        not near(got, _sigmoid(rest + p_o * c_prev)),
        "it sees the cell of the step before, but when o is computed the new one is there already",
    )
    expect(
        not near(got, _sigmoid(rest + p_o @ c)),
        "p_o @ c is one number for all units, but a peephole is a wire from each unit's cell to its own gate",
    )
    expect(not near(got, _sigmoid(rest + c)), "the wire from the cell has a weight, which is missing")
    expect(not near(got, _sigmoid(rest + p_o * np.tanh(c))), "a peephole sees the cell itself, before h")
    expect(near(got, due), "it differs from the package's o")


def _shapes(T, B, D, H):
    return {
        "W": (4 * H, D),
        "R": (4 * H, H),
        "b": (4 * H,),
        "A": (T, B, 4 * H),
        "y": (T, B, H),
        "c_T": (B, H),
    }


@exercise("02.3", reference=_shapes)
def shapes(answer):
    """The shapes of stacked arrays, against those of arrays that were stacked and run."""
    T, B, D, H = 7, 5, 3, 2
    params = numpy_lstm.init_params("lstm", D, H, _RNG)
    W, R, b = (np.concatenate([params[f"{letter}_{k}"] for k in "zifo"]) for letter in "WRb")
    x = _RNG.normal(size=(T, B, D))
    y, (_, c_T), _ = numpy_lstm.forward("lstm", params, x)
    due = {"W": W, "R": R, "b": b, "A": x @ W.T + b, "y": y, "c_T": c_T}
    got = attempt(answer, T, B, D, H)
    expect(isinstance(got, dict), f"it should be a dict from names to shapes, not a {type(got).__name__}")
    missing = [name for name in due if name not in got]
    expect(not missing, f"it has no entry for {', '.join(missing)}")
    for name, array in due.items():
        _look_at_shape(name, got[name], array.shape, H)


def _look_at_shape(name, given, due, H):
    """Say what is wrong with a shape, but not what would be right."""
    said = f"{name} is given as {given}"
    given = tuple(given) if isinstance(given, tuple | list) else given
    expect(isinstance(given, tuple), f"{said}: a shape is a tuple, one of one axis ends with a comma")
    expect(len(given) == len(due), f"{said}, {_axes(given)}, where it has {_axes(due)}")
    stacked = 4 * H in due
    expect(
        not stacked or 4 * H in given or H not in given,
        f"{said}, which is room for one block, and four are stacked",
    )
    expect(
        stacked or 4 * H not in given, f"{said}, but four blocks have become one number for each unit by then"
    )
    expect(given == due or sorted(given) != sorted(due), f"{said}: the right numbers in the wrong order")
    expect(given == due, f"{said}. Think of what it multiplies, or of what it comes from")


def _axes(shape):
    return f"{len(shape)} ax{'i' if len(shape) == 1 else 'e'}s"


def _to_torch(p):
    def stack(letter):
        return np.concatenate([p[f"{letter}_{k}"] for k in "ifzo"])

    b = stack("b")
    return {"weight_ih_l0": stack("W"), "weight_hh_l0": stack("R"), "bias_ih_l0": b, "bias_hh_l0": 0 * b}


@exercise("02.4", reference=_to_torch)
def to_torch(answer):
    """Parameters in PyTorch's order, against torch.nn.LSTM itself."""
    import torch

    params = numpy_lstm.init_params("lstm", _D, _H, _RNG)
    layer = torch.nn.LSTM(_D, _H, dtype=torch.float64)
    got = attempt(answer, params)
    expect(isinstance(got, dict), f"it should be a dict of four arrays, not a {type(got).__name__}")
    due = {name: tuple(tensor.shape) for name, tensor in layer.state_dict().items()}
    expect(set(got) == set(due), f"PyTorch's names are {', '.join(due)}, not {', '.join(map(str, got))}")
    for name, shape in due.items():
        expect(
            np.shape(got[name]) == shape, f"{name} is {shape} for D, H = {_D, _H}, not {np.shape(got[name])}"
        )
    for name, letter in (("weight_ih_l0", "W"), ("weight_hh_l0", "R")):
        for block, belongs, place in zip(np.split(np.asarray(got[name]), 4), "ifzo", _PLACES):
            for k in "zifo":
                expect(
                    k == belongs or not near(block, params[f"{letter}_{k}"]),
                    f"the {place} block of {name} is {letter}_{k}, but PyTorch expects another gate there",
                )
    bias = np.asarray(got["bias_ih_l0"]) + np.asarray(got["bias_hh_l0"])
    expect(
        not near(bias, 2 * _to_torch(params)["bias_ih_l0"]),
        "PyTorch adds its two biases, so that ours is there twice",
    )
    layer.load_state_dict({name: torch.as_tensor(np.array(array)) for name, array in got.items()})
    x = _RNG.normal(size=(4, 3, _D))
    theirs = layer(torch.from_numpy(x))[0].detach().numpy()
    expect(
        near(theirs, numpy_lstm.forward("lstm", params, x)[0]), "torch.nn.LSTM gives another output with it"
    )


_PLACES = ("first", "second", "third", "last")


def _bias_for_half_life(n):
    f = 0.5 ** (1 / n)
    return float(np.log(f / (1 - f)))


@exercise("02.5", reference=_bias_for_half_life)
def bias_for_half_life(answer):
    """b_f with which half of the cell is left after n steps, by running the cell for n steps."""
    for n in (50, 1, 400):
        b_f = attempt(answer, n)
        expect(np.ndim(b_f) == 0, f"one number is asked for, and this has shape {np.shape(b_f)}")
        f = 0.5 ** (1 / n)
        left = _left_after(n, float(b_f))
        expect(
            n == 1 or not near(b_f, f, 1e-6),
            f"that is f itself; with it as b_f, before σ, {left:.2g} is left after {n} steps",
        )
        expect(
            n == 1 or not near(b_f, -np.log(f / (1 - f)), 1e-6), "its sign is turned round: f is nearly shut"
        )
        expect(
            n == 1 or not near(b_f, np.log(n / np.log(2)), 1e-2) or near(left, 0.5, 1e-6),
            f"it is an approximation, if a good one: {left:.4f} is left after {n} steps, not 0.5",
        )
        expect(
            near(left, 0.5, 1e-6), f"with b_f = {b_f:.4g} a share of {left:.4g} is left after n = {n} steps"
        )


def _left_after(n, b_f):
    """What is left of c = 1 when a cell whose gates read their biases alone has run n steps on zeros."""
    spec = replace(variants["lstm"], name="biases", gate_reads="b", content_reads="x")
    one = np.ones((1, 1))
    params = {"W_z": one, "b_i": np.zeros(1), "b_f": np.array([b_f]), "b_o": np.zeros(1)}
    return numpy_lstm.forward(spec, params, np.zeros((n, 1, 1)), (0 * one, one))[1][1].item()


def _latch():
    zero = np.zeros((1, 1))
    return {
        "W_z": np.array([[3.0, 0, 0]]),
        "W_i": np.array([[12.0, 12, 0]]),
        "W_f": np.array([[-14.0, -14, 0]]),
        "W_o": np.array([[0.0, 0, 0]]),
        "b_z": np.array([0.0]),
        "b_i": np.array([-6.0]),
        "b_f": np.array([8.0]),
        "b_o": np.array([6.0]),
        **{f"R_{k}": zero for k in "zifo"},
    }


@exercise("02.6", reference=_latch)
def latch(answer):
    """A hand-set LSTM that says whether a came after the last b, against a loop over the letters."""
    params = attempt(answer)
    expect(isinstance(params, dict), f"it should be a dict of parameters, not a {type(params).__name__}")
    params = {name: np.asarray(array, float) for name, array in params.items()}
    letters = (
        "..a..b..a" + "." * 100 + "b" + "." * 50 + "aaaab..abab.bba" + "".join(_RNG.choice([*"ab...."], 60))
    )
    x = np.eye(3)[["ab.".index(letter) for letter in letters]][:, None]
    y, _, tape = numpy_lstm.forward("lstm", params, x)
    expect(y.shape[-1] == 1, f"one unit is asked for, and these parameters have {y.shape[-1]}")
    on = False
    for t, letter in enumerate(letters):
        on = letter == "a" or (on and letter != "b")
        _look_at_latch(on, letters[: t + 1], y[t, 0, 0], tape.c[t, 0, 0], tape.o[t, 0, 0])


def _look_at_latch(on, read, y, c, o):
    after = f"after {read if len(read) < 12 else '…' + read[-12:]} the output is {y:.2f}"
    letter, quiet = read[-1], len(read) - 1 - max(read.rfind("a"), read.rfind("b"))
    if on:
        expect(
            y > 0.5 or c < 0.6,
            f"{after}, though the cell holds {c:.2f}: the output gate, at {o:.2f}, hides it",
        )
        expect(
            y > 0.5 or letter != "a", f"{after}: an a should bring it above 0.5, but the cell holds {c:.2f}"
        )
        expect(y > 0.5, f"{after}. How far open is f at a dot? The cell forgets: dots since the a: {quiet}")
    else:
        expect(
            abs(y) < 0.1 or letter != "b",
            f"{after}: a b should empty the cell, whatever it holds, and it still holds {c:.2f}",
        )
        expect(
            abs(y) < 0.1,
            f"{after}. How far open is i at a dot? It should write nothing, but the cell now holds {c:.2f}",
        )
