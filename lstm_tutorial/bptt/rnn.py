"""The simple recurrent network (Elman 1990): what is left of an LSTM when all gates are gone.

y = g(W_z x + R_z y⁻ + b_z)
"""

from ..arrays import SLOPE, library, softmax_back
from .common import Tape, input_gradients, outer_sum, project_input, stacked


def forward(spec, params, x, state, mask):
    xp = library(x)
    g = xp.squash[spec.g]
    T, B, _ = x.shape
    H = state[0].shape[-1]
    W, R = stacked(xp, spec, params, "W", "x"), stacked(xp, spec, params, "R", "y")

    Y = xp.empty(x, (T + 1, B, H))
    Y[0], Y[1:] = state[0], project_input(xp, spec, params, W, x, H)
    y = xp.steps(Y)
    for t in range(T):
        if R is not None:
            xp.add_product(y[t + 1], y[t] if mask is None else y[t] * mask, R.T)
        g(y[t + 1], y[t + 1])
    return Y[1:], (Y[T], xp.zeros(x, (B, H))), Tape(spec, x, Y[1:], Y, mask=mask, W=W, R=R)


def backward(params, tape, dY, dstate, truncate):
    if truncate:
        raise ValueError("truncate=True is the gradient of 1997, along the cell; a simple RNN has no cell.")
    spec, Y, mask, R = tape.spec, tape.Y, tape.mask, tape.R
    xp = library(Y)
    T, B, H = dY.shape

    slope, y = xp.steps(SLOPE[spec.g](Y[1:])), xp.steps(Y)
    dY = xp.concatenate([xp.zeros(Y, Y[:1].shape), dY])  # row t belongs to the state before step t
    dY[T] += dstate[0]
    dA = xp.empty(Y, (T, B, H))
    dy, d = xp.steps(dY), xp.steps(dA)
    for t in reversed(range(T)):
        if spec.g == "softmax":
            d[t][...] = softmax_back(dy[t + 1], y[t + 1])
        else:
            xp.multiply(dy[t + 1], slope[t], d[t])
        if R is not None and mask is None:
            xp.add_product(dy[t], d[t], R)
        elif R is not None:
            xp.add_multiple(dy[t], d[t] @ R, mask)

    dx, grads = input_gradients(spec, tape.W, tape.x, dA)
    if R is not None:
        grads["R_z"] = outer_sum(dA, Y[:-1] if mask is None else Y[:-1] * mask)
    return dx, (dY[0], xp.zeros(Y, (B, H))), grads
