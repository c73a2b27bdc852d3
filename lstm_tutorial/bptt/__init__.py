"""Forward pass and hand-written backpropagation through time of every cell.

Written once, for NumPy arrays and torch tensors alike: :mod:`lstm_tutorial.numpy_lstm` is its public
face for NumPy, and the engine ``bptt`` of :class:`lstm_tutorial.LSTM` calls the same code with tensors.

The plan is the same in the three modules. What does not depend on the step before is done for all
steps at once, as one matrix product: the input projections before the loop, the weight gradients after
it. Inside the loop stays what must: the recurrent product and a handful of point-wise operations.

Letters: T steps, B sequences, D inputs, H units, n blocks (z and the learned gates).
``A`` (T, B, nH) holds the pre-activations W x + b at first, and is overwritten by the activations;
``Y`` and ``C`` (T + 1, B, H) hold the initial state in row 0, so that ``Y[t]`` is y before step t.
A ``d`` in front of a name is the gradient of the loss with respect to it.
"""

from . import gru, lstm, rnn
from .common import Tape

__all__ = ["Tape", "backward", "forward"]

_CELLS = {"lstm": lstm, "gru": gru, "gru_reset_before": gru, "rnn": rnn}


def forward(spec, params, x, state, mask=None):
    """y (T, B, H), the state after the last step, and the tape that :func:`backward` needs.

    ``mask`` (B, H), if given, multiplies y⁻ in every recurrent product (recurrent dropout).
    """
    return _CELLS[spec.family].forward(spec, params, x, state, mask)


def backward(params, tape, dy, dstate, truncate=False):
    """dx (T, B, D), the gradients of the initial state, and a dict with the gradient of every parameter."""
    return _CELLS[tape.spec.family].backward(params, tape, dy, dstate, truncate)
