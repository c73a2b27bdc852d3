"""How far a nudge reaches: the Jacobians of a recurrent cell from step to step, and their products.

    J^t = ∂s^t/∂s^(t−1)                        one step
    ∂s^T/∂s^t = J^T J^(T−1) … J^(t+1)          many: the chain rule

s is the state that a cell carries: y alone where there is no cell, else (y, c) side by side. Row a of a
Jacobian is the gradient of the a-th number after the step, so `numpy_lstm.backward` gives it, with an
upstream gradient that is one there and zero elsewhere.

Letters: T steps, B sequences, D inputs, H units, n numbers in the state: H, or 2H with a cell.
Sources: Hochreiter 1991; Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013, section 2.
"""

import numpy as np

from . import numpy_lstm
from .spec import as_spec

__all__ = [
    "cell_path",
    "draw_cell",
    "growth",
    "orthogonal",
    "products",
    "spectral_radius",
    "step_jacobians",
]


def step_jacobians(spec, params, x, state=None):
    """The Jacobian of every step, (T, B, n, n): entry [t, b, a, k] is ∂s^(t+1)_a / ∂s^t_k, s^0 the first.

    spec, params, x (T, B, D), state : as for :func:`numpy_lstm.forward`. A gate-recurrent cell carries its
    gates too, n = 5H.
    """
    spec = as_spec(spec)
    T, B, D = x.shape
    zeros = numpy_lstm.zero_state(spec, B, len(next(iter(params.values()))), x.dtype)
    state = zeros if state is None else (*state, *zeros[len(state) :])
    before = []  # the states that the steps start from
    for t in range(T):
        before.append(state)
        _, state, _ = numpy_lstm.forward(spec, params, x[t : t + 1], state)
    carried = [k for k in range(len(state)) if k != 1 or spec.has_cell]  # without a cell, c is ignored
    widths = [state[k].shape[1] if k in carried else 0 for k in range(len(state))]
    n = sum(widths)

    # Every step of every sequence, n times over, as one step of a batch of T B n: each with its own upstream.
    many = tuple(np.repeat(np.concatenate(parts), n, 0) for parts in zip(*before))
    _, _, tape = numpy_lstm.forward(spec, params, np.repeat(x.reshape(1, T * B, D), n, 1), many)
    upstream = np.split(np.tile(np.eye(n, dtype=x.dtype), (T * B, 1)), np.cumsum(widths)[:-1], 1)
    upstream = tuple(u if k in carried else np.zeros_like(many[k]) for k, u in enumerate(upstream))
    _, back, _ = numpy_lstm.backward(spec, params, tape, np.zeros_like(tape.y), upstream)
    return np.concatenate([back[k] for k in carried], 1).reshape(T, B, n, n)


def products(jacobians):
    """∂s^T/∂s^t for t = 0 … T, from the Jacobians of the steps: (T, …, n, n) to (T + 1, …, n, n)."""
    T, n = len(jacobians), jacobians.shape[-1]
    P = np.empty((T + 1, *jacobians.shape[1:]), jacobians.dtype)
    P[T] = np.eye(n)
    for t in reversed(range(T)):
        P[t] = P[t + 1] @ jacobians[t]
    return P


def growth(jacobians):
    """The factor per step by which the whole product grows, ‖∂s^T/∂s^0‖^(1/T): (T, …, n, n) to (…).

    ‖·‖ is the spectral norm, the largest singular value. Below 1 gradients vanish, above 1 they explode.
    """
    return np.linalg.norm(products(jacobians)[0], 2, axis=(-2, -1)) ** (1 / len(jacobians))


def cell_path(f):
    """∂c^T/∂c^t along the cell alone, for t = 0 … T: the product f^(t+1) ⊙ … ⊙ f^T of forget gates.

    f (T, B, H), as ``tape.f``; returns (T + 1, B, H), the last row ones: the diagonal of a diagonal matrix,
    for units do not mix. Source: Hochreiter and Schmidhuber 1997 for f = 1, Gers et al. 2000 for learned f.
    """
    return np.concatenate([np.cumprod(f[::-1], 0)[::-1], np.ones_like(f[:1])])


def spectral_radius(R):
    """The largest absolute value of an eigenvalue of R (H, H)."""
    return float(np.abs(np.linalg.eigvals(R)).max())


def orthogonal(size, rng):
    """A random orthogonal matrix, (size, size): all its singular values are one.

    Q of the QR decomposition of a Gaussian matrix, its signs set such that no direction is preferred
    (Mezzadri 2007).
    """
    Q, upper = np.linalg.qr(rng.normal(size=(size, size)))
    return Q * np.sign(np.diag(upper))


def draw_cell(spec, input_size, hidden_size, rng, radius=1.0, forget_bias=0.0, input_scale=1.0):
    """Parameters with dials: Gaussian matrices, every R scaled to one spectral radius, all else zero but b_f.

    radius : the spectral radius of each R. forget_bias : every entry of b_f, where the cell has one.
    input_scale : W x has entries of about this size for x ~ N(0, 1). rng : a ``numpy.random.Generator``; the
    same one draws the same matrices whatever the dials say.
    """
    params = {}
    for name, shape in as_spec(spec).parameter_shapes(input_size, hidden_size).items():
        drawn = rng.normal(size=shape)
        if name.startswith("W"):
            params[name] = input_scale / np.sqrt(input_size) * drawn
        elif len(shape) == 2:
            params[name] = radius / spectral_radius(drawn) * drawn
        else:
            params[name] = np.full(shape, float(forget_bias) if name == "b_f" else 0.0)
    return params
