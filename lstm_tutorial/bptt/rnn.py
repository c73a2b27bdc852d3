"""The simple recurrent network (Elman 1990): what is left of an LSTM when all gates are gone.

    y = g(W_z x + R_z y⁻ + b_z)
"""

from ..arrays import library
from .common import Tape, input_gradients, outer_sum, project_input


def forward(spec, params, x, state, mask):
    xp = library(x)
    g = xp.squash[spec.g]
    T, B, _ = x.shape
    H = state[0].shape[-1]
    R = params.get("R_z")
    R_T = None if R is None else xp.contiguous(R.T)

    A = project_input(xp, spec, params, x, H)
    Y = xp.empty(x, (T + 1, B, H))
    Y[0] = state[0]
    for t in range(T):
        if R is not None:
            xp.add_product(A[t], Y[t] if mask is None else Y[t] * mask, R_T)
        A[t] = Y[t + 1] = g(A[t])
    return Y[1:], (Y[T], xp.zeros(x, (B, H))), Tape(spec, x, A, Y, mask=mask)


def backward(params, tape, dY, dstate, truncate):
    spec, x, Y, mask = tape.spec, tape.x, tape.Y, tape.mask
    if truncate:
        raise ValueError("truncate=True is the gradient of 1997, along the cell; a simple RNN has no cell.")
    xp = library(x)
    g_back = xp.squash_back[spec.g]
    T, B, H = dY.shape
    R = params.get("R_z")

    dA = xp.empty(tape.A, tape.A.shape)
    dy_next = dstate[0]
    for t in reversed(range(T)):
        dA[t] = g_back(dY[t] + dy_next, Y[t + 1])
        dy_next = xp.zeros(Y, (B, H)) if R is None else dA[t] @ R
        if mask is not None:
            dy_next = dy_next * mask

    dx, grads = input_gradients(xp, spec, params, x, dA)
    if R is not None:
        grads["R_z"] = outer_sum(dA, Y[:-1] if mask is None else Y[:-1] * mask)
    return dx, (dy_next, xp.zeros(x, (B, H))), grads
