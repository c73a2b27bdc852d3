"""Is a hand-written gradient right? Checked against differences, and against autograd.

The problem is drawn so that no wrong term can hide: states, biases and peepholes are random and not
zero, and so is the upstream gradient, on every y and on the last state. All in float64.

The error of a tensor is max|a − n| / max(1e-3, max|n|), a the gradient under test and n the reference.
"""

from dataclasses import dataclass

import numpy as np

from . import numpy_lstm
from .spec import as_spec
from .tables import Table

STEP = 1e-5  # of the central differences: rounding and the third derivative are both near 1e-10 there
KINKED = ("relu", "hard_sigmoid")
WITHIN = {"differences": 1e-6, "autograd": 1e-10}


@dataclass(frozen=True)
class Problem:
    """A cell with random parameters, input, initial state and upstream gradients."""

    spec: object
    params: dict
    x: np.ndarray
    state: tuple
    dy: np.ndarray
    dstate: tuple

    def inputs(self):
        """Everything that has a gradient, by name: x, y_0, c_0 (gates_0), and every parameter."""
        states = dict(zip(("y_0", "c_0", "gates_0"), self.state))
        return {"x": self.x, **states, **self.params}

    def loss(self):
        """Σ dy ⊙ y + Σ dstate ⊙ last state: a number whose gradient uses every upstream entry."""
        y, last, _ = numpy_lstm.forward(self.spec, self.params, self.x, self.state)
        return (self.dy * y).sum() + sum((d * s).sum() for d, s in zip(self.dstate, last))


@dataclass(frozen=True)
class Report:
    """The errors of every tensor, by reference: ``report.errors["autograd"]["W_z"]``."""

    spec: object
    errors: dict
    shapes: dict

    @property
    def passed(self):
        """Whether every error lies within its bound."""
        return not self.wrong

    @property
    def wrong(self):
        """The names of the tensors whose gradient is wrong by any reference."""
        return [
            name
            for name in self.shapes
            if any(not errors[name] <= WITHIN[reference] for reference, errors in self.errors.items())
        ]

    def worst(self, reference):
        """The largest error against one reference."""
        return max(self.errors[reference].values())

    def table(self):
        """A :class:`Table`: tensor, shape, the error against each reference, verdict."""
        rows = tuple(
            (
                name,
                " × ".join(map(str, shape)),
                *(f"{errors[name]:.0e}" for errors in self.errors.values()),
                "wrong" if name in self.wrong else "right",
            )
            for name, shape in self.shapes.items()
        )
        columns = ("gradient of", "shape", *(f"against {r}" for r in self.errors), "")
        return Table(f"Gradient check of {self.spec.name}", columns, rows)

    def __str__(self):
        return str(self.table())

    def _repr_html_(self):
        return self.table()._repr_html_()


def draw_problem(spec, rng, input_size=3, hidden_size=4, steps=5, batch_size=2):
    """A random :class:`Problem`: T = steps, B = batch_size, D = input_size, H = hidden_size."""
    spec = as_spec(spec)
    shapes = spec.parameter_shapes(input_size, hidden_size)
    # Drawn whatever spec.start says: at zero, gates and gradients would all be zero too.
    params = {name: rng.uniform(-0.8, 0.8, shape) for name, shape in shapes.items()}
    x = rng.normal(size=(steps, batch_size, input_size))
    zeros = numpy_lstm.zero_state(spec, batch_size, hidden_size)
    state = [rng.normal(size=s.shape) for s in zeros]
    if not spec.has_cell:
        state[1] = zeros[1]
    if spec.gate_recurrence:
        state[2] = state[2] * np.repeat([float(k in spec.learned_gates) for k in "ifo"], hidden_size)
    dy = rng.normal(size=(steps, batch_size, hidden_size))
    return Problem(spec, params, x, tuple(state), dy, tuple(rng.normal(size=s.shape) for s in zeros))


def by_hand(problem, truncate=False):
    """The gradients under test: ``numpy_lstm.backward``."""
    _, _, tape = numpy_lstm.forward(problem.spec, problem.params, problem.x, problem.state)
    dx, dstate, grads = numpy_lstm.backward(
        problem.spec, problem.params, tape, problem.dy, problem.dstate, truncate
    )
    return {"x": dx, **dict(zip(("y_0", "c_0", "gates_0"), dstate)), **grads}


def by_differences(problem):
    """Central differences of the loss in every number; None if one of them straddles a kink."""
    at_rest = problem.loss()
    gradients = {}
    for name, values in problem.inputs().items():
        gradients[name] = np.empty_like(values)
        for k in np.ndindex(values.shape):
            before = values[k]
            values[k] = before + STEP
            above = problem.loss()
            values[k] = before - STEP
            below = problem.loss()
            values[k] = before
            gradients[name][k] = (above - below) / (2 * STEP)
            # Slopes on both sides differ by STEP · curvature on a smooth stretch, by far more at a kink.
            if _has_kinks(problem.spec) and abs(above - 2 * at_rest + below) > 1e-3 * STEP:
                return None
    return gradients


def by_autograd(problem, truncate=False):
    """torch's gradients of an independent loop, ``engines.autograd``; ``truncate`` as in 1997."""
    import torch

    from .engines import autograd

    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in problem.inputs().items()}
    state = [leaves[k] for k in ("y_0", "c_0", "gates_0") if k in leaves]
    params = {name: leaves[name] for name in problem.params}
    y, last = autograd.run(problem.spec, params, leaves["x"], state, truncate=truncate)
    loss = (torch.tensor(problem.dy) * y).sum()
    loss = loss + sum((torch.tensor(d) * s).sum() for d, s in zip(problem.dstate, last))
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return {k: np.zeros(v.shape) if g is None else g.numpy() for (k, v), g in zip(leaves.items(), gradients)}


def error(a, n):
    """max|a − n| / max(1e-3, max|n|); infinite where a is missing, of another shape, or not finite."""
    if np.shape(a) != np.shape(n):
        return np.inf
    difference = np.abs(a - n).max(initial=0)
    return float(difference / max(1e-3, np.abs(n).max(initial=0))) if np.isfinite(difference) else np.inf


def gradient_check(spec, rng, input_size=3, hidden_size=4, steps=5, batch_size=2, backward=by_hand):
    """Check every gradient of a cell: all parameters, x, and the initial state.

    Parameters
    ----------
    spec : a CellSpec or a name. rng : ``numpy.random.Generator``; the sizes are those of the problem drawn.
    backward : a function from a :class:`Problem` to a dict of gradients; by default the package's own.

    Returns a :class:`Report`. A problem in which a difference would straddle a kink of ReLU or of the hard
    sigmoid is drawn again.
    """
    numeric = None
    while numeric is None:
        problem = draw_problem(spec, rng, input_size, hidden_size, steps, batch_size)
        numeric = by_differences(problem)
    ours = backward(problem)
    references = {"differences": numeric, "autograd": by_autograd(problem)}
    errors = {r: {k: error(ours.get(k), n[k]) for k in n} for r, n in references.items()}
    return Report(problem.spec, errors, {k: v.shape for k, v in problem.inputs().items()})


def _has_kinks(spec):
    return bool({spec.g, spec.h, spec.gate_activation} & set(KINKED))
