"""Every cell of the course in NumPy: parameters, forward pass, hand-written backward pass.

Shapes: x (T, B, D), y (T, B, H), states (B, H): T steps, B sequences, D inputs, H units. A state is
``(y, c)``; cells with gate recurrence have a third entry, the gates i, f, o one step before, (B, 3H).
The arithmetic itself is in :mod:`lstm_tutorial.bptt`.
"""

import numpy as np

from . import bptt
from .spec import as_spec

__all__ = ["backward", "forward", "init_params", "zero_state"]


def init_params(spec, input_size, hidden_size, rng, dtype=np.float64, scale=None):
    """Random parameters: a dict of arrays, each drawn from U(−scale, scale).

    ``scale`` defaults to 1/√H, as in torch. ``rng`` is a ``numpy.random.Generator``. What
    ``spec.start == "zero_gates"`` names is zero instead.
    """
    spec = as_spec(spec)
    scale = hidden_size**-0.5 if scale is None else scale
    return {
        name: np.zeros(shape, dtype)
        if spec.starts_at_zero(name)
        else rng.uniform(-scale, scale, shape).astype(dtype)
        for name, shape in spec.parameter_shapes(input_size, hidden_size).items()
    }


def zero_state(spec, batch_size, hidden_size, dtype=np.float64):
    """The state before anything has been read."""
    spec = as_spec(spec)
    widths = (1, 1, 3) if spec.gate_recurrence else (1, 1)
    return tuple(np.zeros((batch_size, w * hidden_size), dtype) for w in widths)


def forward(spec, params, x, state=None):
    """Run the cell over a batch of sequences.

    Parameters
    ----------
    spec : a CellSpec or a name from the catalogue.
    params : dict as :func:`init_params` makes it.
    x : (T, B, D), float32 or float64, the same as the parameters.
    state : (y_0, c_0), or None for zeros. A gate-recurrent cell takes (y_0, c_0) or (y_0, c_0, gates_0).

    Returns
    -------
    y : (T, B, H), the block output at every step.
    state : (y_T, c_T), or (y_T, c_T, gates_T), after the last step.
    tape : what :func:`backward` needs; ``tape.z .i .f .o .c .y`` are (T, B, H).

    Raises ValueError if a shape, a name or a dtype does not fit. Source: Greff et al. 2017, section II.
    """
    spec = as_spec(spec)
    x, H = _checked_input(spec, params, x)
    state = _checked_state(spec, state, x.shape[1], H, x.dtype, "state")
    return bptt.forward(spec, params, x, state)


def backward(spec, params, tape, dy, dstate=None, truncate=False):
    """Backpropagation through time, by hand.

    Parameters
    ----------
    spec, params : as given to :func:`forward`; tape : as it returned it.
    dy : (T, B, H), the gradient of the loss with respect to y.
    dstate : (dy_T, dc_T), that with respect to the last state; None for zeros. dy_T is added to the last
        row of dy. A gate-recurrent cell takes a third entry (B, 3H), or goes without.
    truncate : True for the gradient of 1997, in which error flows back in time through the cell alone.

    Returns
    -------
    dx (T, B, D); (dy_0, dc_0), gradients of the initial state; a dict with the gradient of every parameter.

    Raises ValueError if a shape does not fit. Source: Greff et al. 2017, section II; the weight gradients,
    which seed 002 leaves out, in :mod:`lstm_tutorial.bptt`.
    """
    spec = as_spec(spec)
    if spec != tape.spec:
        raise ValueError(f"the tape was recorded by cell {tape.spec.name!r}, not {spec.name!r}.")
    dy = np.asarray(dy, tape.Y.dtype)
    if dy.shape != tape.y.shape:
        raise ValueError(f"dy has the shape of y, {tape.y.shape}, not {dy.shape}.")
    dstate = _checked_state(spec, dstate, dy.shape[1], dy.shape[2], dy.dtype, "dstate")
    return bptt.backward(params, tape, dy, dstate, truncate)


def _checked_input(spec, params, x):
    x = np.asarray(x)
    if x.ndim != 3 or 0 in x.shape:
        raise ValueError(f"x is (T, B, D) with at least one step, sequence and input, not {x.shape}.")
    H = len(next(iter(params.values()))) if params else 0
    shapes = spec.parameter_shapes(x.shape[2], H)
    if set(shapes) != set(params):
        missing, extra = sorted(set(shapes) - set(params)), sorted(set(params) - set(shapes))
        raise ValueError(
            f"cell {spec.name!r} has the parameters {', '.join(shapes)};"
            + (f" missing: {', '.join(missing)}." if missing else "")
            + (f" unknown: {', '.join(extra)}." if extra else "")
        )
    for name, shape in shapes.items():
        if params[name].shape != shape:
            raise ValueError(f"{name} is {shape} for D = {x.shape[2]} and H = {H}, not {params[name].shape}.")
        if params[name].dtype != x.dtype:
            raise ValueError(f"x is {x.dtype} and {name} is {params[name].dtype}: give both the same dtype.")
    return x, H


def _checked_state(spec, state, B, H, dtype, what):
    zeros = zero_state(spec, B, H, dtype)
    if state is None:
        return zeros
    if len(state) not in (2, len(zeros)):
        raise ValueError(f"{what} of cell {spec.name!r} has {len(zeros)} entries, not {len(state)}.")
    state = tuple(np.asarray(s, dtype) for s in state)
    for s, zero in zip(state, zeros, strict=False):
        if s.shape != zero.shape:
            raise ValueError(f"an entry of {what} is {zero.shape}, not {s.shape}.")
    return state + zeros[len(state) :]
