"""Chapter 01: the Jacobian of a step, the cell's own path, a half-life, a memory set by hand, clipping."""

import numpy as np

from .. import numpy_lstm
from . import Wrong, attempt, exercise, expect, near

_STEP = 1e-6


@exercise("01.1", reference=lambda R, y: (1 - y**2)[:, None] * R)
def step_jacobian(answer):
    """∂y/∂y⁻ of y = tanh(u + R y⁻), against central differences."""
    rng = np.random.default_rng(0)
    H = 3
    R, before, u = rng.normal(size=(H, H)), rng.normal(size=H), rng.normal(size=H)
    y = np.tanh(u + R @ before)
    nudges = _STEP * np.eye(H)
    right = np.array(
        [(np.tanh(u + R @ (before + n)) - np.tanh(u + R @ (before - n))) / (2 * _STEP) for n in nudges]
    ).T
    got = attempt(answer, R, y)
    expect(
        np.shape(got) == (H, H), f"for R of shape {(H, H)} a Jacobian is {(H, H)} too, not {np.shape(got)}"
    )
    expect(not near(got, R), "tanh has a slope too, and it is not 1")
    expect(
        not near(got, R * (1 - y**2)),
        "the slopes scale the columns of R, as if they belonged to y⁻: whose slope is it?",
    )
    expect(
        not near(got, right.T, 1e-6),
        "it is the transpose: row a holds what moves y[a], column k what y⁻[k] moves",
    )
    expect(
        not near(got, (1 - np.tanh(y) ** 2)[:, None] * R),
        "y is tanh of something already, and is put through it once more",
    )
    expect(
        not near(got, (y * (1 - y))[:, None] * R), "that is the slope of σ in terms of its value, not of tanh"
    )
    expect(near(got, right, 1e-6), "it differs from what central differences of the step measure")


def _cell_path(f):
    return np.concatenate([np.cumprod(f[::-1], 0)[::-1], np.ones_like(f[:1])])


@exercise("01.2", reference=_cell_path)
def cell_path(answer):
    """∂c^T/∂c^t with the gates held fixed, by nudging c^t and running the cell on."""
    rng = np.random.default_rng(1)
    T, B, H = 4, 2, 3
    f, u = rng.uniform(0.2, 0.95, (T, B, H)), rng.normal(size=(T, B, H))

    def last(t, c):
        for s in range(t, T):  # step s + 1 of the equations is row s of the arrays
            c = u[s] + c * f[s]
        return c

    c = rng.normal(size=(B, H))
    right = np.array(
        [last(t, c + 1) - last(t, c) for t in range(T + 1)]
    )  # linear in c: a nudge of one will do
    got = np.asarray(attempt(answer, f))
    expect(
        got.shape != f.shape,
        f"it has {T} rows, but t runs from 0 to T: {T + 1} rows, and what is ∂c^T/∂c^T?",
    )
    expect(
        got.shape == right.shape, f"for f {f.shape} it returns {got.shape}, and it should be (T + 1, B, H)"
    )
    expect(
        not near(got, right[::-1]), "it is upside down: row 0 is the longest way, the last row no way at all"
    )
    forward = np.concatenate([np.ones_like(f[:1]), np.cumprod(f, 0)])
    expect(
        not near(got, forward),
        "these are products from the first step on, ∂c^t/∂c^0: what is asked for ends at T and starts at t",
    )
    expect(near(got[-1], right[-1]), "the last row is ∂c^T/∂c^T, where no gate has been passed")
    expect(
        not near(got[:-1], right[1:]),
        "it is off by one step: from c^t to c^(t+1) the gate f^(t+1) is passed, row t of the array f",
    )
    sums = np.concatenate([np.cumsum(f[::-1], 0)[::-1], np.ones_like(f[:1])])
    expect(not near(got, sums), "the gates are added: one after the other, factors multiply")
    expect(near(got, right), "it is not what a nudge of c^t does to c^T")


@exercise("01.3", reference=lambda n: -np.log(2 ** (1 / n) - 1))
def forget_bias(answer):
    """b with σ(b)^n = 1/2."""
    for n in (1, 10, 100):
        got = attempt(answer, n)
        expect(np.ndim(got) == 0 and np.isrealobj(got), f"for n = {n} it returns no number")
        f = 2 ** (-1 / n)
        expect(not near(got, f), "that is f itself, and b is what σ makes f of")
        expect(
            n == 1 or not near(got, -np.log(f / (1 - f))),
            "the sign is turned: a large b keeps more, not less",
        )
        e = np.exp(-1 / n)
        expect(not near(got, np.log(e / (1 - e))), "after n steps 1/e is left: a half is asked for")
        expect(
            n == 1 or not near(got, np.log(0.5 / n / (1 - 0.5 / n))),
            "f is divided by n: n factors multiply to a half, so each is its n-th root",
        )
        kept = (1 / (1 + np.exp(-got))) ** n
        expect(near(kept, 0.5), f"with it {kept:.3g} of the cell is left after n = {n} steps, and not a half")


def _remember(params):
    params["W_z"][0] = 3, 0  # the symbol enters, distractors do not
    params["b_i"][:] = 3
    params["b_f"][:] = 10  # σ(10)^100 is 0.995
    params["b_o"][:] = 3
    return params


@exercise("01.4", reference=_remember)
def remember(answer):
    """The sign of the first input at every step up to 100, whatever the distractors."""
    T, B = 100, 64
    rng = np.random.default_rng(2)
    shapes = {f"{m}_{k}": (1, w) for k in "zifo" for m, w in (("W", 2), ("R", 1))} | {
        f"b_{k}": (1,) for k in "zifo"
    }
    got = attempt(answer, {name: np.zeros(shape) for name, shape in shapes.items()}, may_change=True)
    expect(isinstance(got, dict), "it returns no dict: fill in params and return it")
    expect(set(got) == set(shapes), "the names of the parameters have changed")
    params = {name: np.asarray(value, np.float64) for name, value in got.items()}
    for name, shape in shapes.items():
        expect(params[name].shape == shape, f"{name} is {shape}, not {params[name].shape}")
    symbols = np.where(np.arange(B) % 2, -1.0, 1.0)
    x = np.zeros((T, B, 2))
    x[0, :, 0], x[1:, :, 1] = symbols, rng.normal(size=(T - 1, B))
    y, _, tape = numpy_lstm.forward("lstm", params, x)
    y, c, f = y[:, :, 0], tape.c[:, :, 0], tape.f[:, :, 0]
    if (y * symbols > 0.2).all():
        return
    expect(
        np.abs(c[0]).min() > 0.1,
        f"after the first step c is only {np.abs(c[0]).min():.2g}: the symbol does not get in by z and i",
    )
    expect((c[0] * symbols > 0).all(), "after the first step c has not the sign of the symbol")
    left = f[1:].prod(0).min()
    expect(left > 0.5, f"the forget gate lets {left:.1g} of c through to step {T}: it fades")
    expect(
        not params["W_z"][0, 1],
        "the noise gets into z, and so into c: which entry of W_z reads it?",
    )
    expect(
        not params["b_z"][0],
        "z is not zero when there is nothing to store: c drifts by the same amount at every step",
    )
    expect(
        (y * symbols > 0).all(),
        "y loses the sign of the symbol on the way",
    )
    least = np.abs(c).min()
    expect(least > 0.25, f"|c| falls to {least:.2g}: too little is written, by z or i, or R changes it")
    raise Wrong(f"|y| falls to {np.abs(y).min():.2g}: the cell holds on, but the output gate hides it")


def _clip(grads, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    return {name: g * min(1.0, max_norm / norm) for name, g in grads.items()}


@exercise("01.5", reference=_clip)
def clip(answer):
    """Clipping by the global norm: one factor for all, and none that is larger than one."""
    rng = np.random.default_rng(3)
    large = {
        "W_z": rng.normal(size=(3, 2)),
        "R_z": 30 * rng.normal(size=(3, 3)),
        "b_z": 0.1 * rng.normal(size=3),
    }
    kept = {name: g.copy() for name, g in large.items()}
    squares = {name: float((g**2).sum()) for name, g in large.items()}
    norm = np.sqrt(sum(squares.values()))
    got = attempt(answer, large, 5.0, may_change=True)
    expect(
        isinstance(got, dict) and set(got) == set(large),
        "it returns no dict with the names that it was given",
    )
    for name, g in large.items():
        expect(
            np.shape(got[name]) == g.shape,
            f"{name} changes its shape from {g.shape} to {np.shape(got[name])}",
        )
    expect(all(near(large[n], kept[n]) for n in large), "it changes the arrays that it was given")

    def like(scale):
        return all(near(got[n], g * scale(n), 1e-6) for n, g in kept.items())

    expect(not like(lambda n: 1.0), "nothing is clipped, though the global norm is far above max_norm")
    expect(
        not like(lambda n: min(1, 5 / np.sqrt(squares[n]))),
        "each tensor is clipped by its own norm, which turns the direction of the step",
    )
    expect(
        not all(near(got[n], np.clip(g, -5, 5)) for n, g in kept.items()),
        "single entries are cut off at ±max_norm, which turns the direction of the step",
    )
    expect(
        not like(lambda n: 5 / norm**2),
        "the factor has a sum of squares in it, and a norm is the root of that",
    )
    expect(
        not like(lambda n: 5 / sum(np.sqrt(s) for s in squares.values())),
        "the norms of the tensors are added, but it is their squares that add up",
    )
    expect(
        like(lambda n: 5 / norm),
        f"the global norm was {norm:.4g}, and it should be 5 with the direction kept",
    )
    small = {name: g / 1000 for name, g in kept.items()}
    got = attempt(answer, {name: g.copy() for name, g in small.items()}, 5.0)
    expect(
        all(near(got[n], g, 1e-12) for n, g in small.items()),
        "a gradient below max_norm is changed too: clipping makes gradients smaller, never larger",
    )
