"""The two GRUs, which are different functions.

    r = σ(W_r x + R_r y⁻ + b_r)              reset gate
    u = σ(W_u x + R_u y⁻ + b_u)              update gate

``gru``: torch's and cuDNN's, where r acts after the recurrent product:
    n = g(W_n x + b_n + r ⊙ (R_n y⁻ + b_Rn))        y = (1 − u) ⊙ n + u ⊙ y⁻

``gru_reset_before``: seed 001, equations (2) to (8); Cho et al. 2014, where r acts before it:
    n = g(W_n x + R_n (r ⊙ y⁻) + b_n)               y = (1 − u) ⊙ y⁻ + u ⊙ n
"""

from ..arrays import library
from .common import Tape, block_columns, columns_reading, input_gradients, outer_sum, project_input, stacked


def forward(spec, params, x, state, mask):
    xp = library(x)
    g, sigma = xp.squash[spec.g], xp.squash[spec.gate_activation]
    T, B, _ = x.shape
    H = state[0].shape[-1]
    col, gates = block_columns(spec, H), slice(0, 2 * H)
    R_gates, R_n = _recurrent(xp, spec, params)
    R_gates_T = None if R_gates is None else xp.contiguous(R_gates.T)
    R_n_T = xp.contiguous(R_n.T)
    b_Rn = params.get("b_Rn", 0)

    A = project_input(xp, spec, params, x, H)
    Y, Q = xp.empty(x, (T + 1, B, H)), xp.empty(x, (T, B, H))
    Y[0] = state[0]
    for t in range(T):
        a, y = A[t], Y[t]
        y_read = y if mask is None else y * mask
        if R_gates is not None:
            xp.add_product(a[:, gates], y_read, R_gates_T)
        a[:, gates] = sigma(a[:, gates])
        r, u = a[:, col["r"]], a[:, col["u"]]
        if spec.family == "gru":
            q = y_read @ R_n_T + b_Rn
            n = g(a[:, col["n"]] + r * q)
            Y[t + 1] = n + u * (y - n)
        else:
            q = r * y_read
            n = g(a[:, col["n"]] + q @ R_n_T)
            Y[t + 1] = y + u * (n - y)
        a[:, col["n"]], Q[t] = n, q
    return Y[1:], (Y[T], xp.zeros(x, (B, H))), Tape(spec, x, A, Y, extra=Q, mask=mask)


def backward(params, tape, dY, dstate, truncate):
    spec, x, A, Y, Q, mask = tape.spec, tape.x, tape.A, tape.Y, tape.extra, tape.mask
    if truncate:
        raise ValueError("truncate=True is the gradient of 1997, along the cell; a GRU has no cell.")
    xp = library(x)
    g_back, sigma_back = xp.squash_back[spec.g], xp.squash_back[spec.gate_activation]
    T, B, H = Q.shape
    col, gates = block_columns(spec, H), slice(0, 2 * H)
    R_gates, R_n = _recurrent(xp, spec, params)

    dA, dQ = xp.empty(A, A.shape), xp.empty(Q, Q.shape)
    dy_next = dstate[0]
    for t in reversed(range(T)):
        a, y, q, d = A[t], Y[t], Q[t], dA[t]  # y is y⁻ here
        r, u, n = a[:, col["r"]], a[:, col["u"]], a[:, col["n"]]
        y_read = y if mask is None else y * mask
        dy = dY[t] + dy_next
        if spec.family == "gru":
            d[:, col["u"]] = sigma_back(dy * (y - n), u)
            d[:, col["n"]] = g_back(dy * (1 - u), n)
            d[:, col["r"]] = sigma_back(d[:, col["n"]] * q, r)
            dQ[t] = d[:, col["n"]] * r
            dy_direct, dy_read = dy * u, dQ[t] @ R_n
        else:
            d[:, col["u"]] = sigma_back(dy * (n - y), u)
            d[:, col["n"]] = g_back(dy * u, n)
            dQ[t] = d[:, col["n"]] @ R_n
            d[:, col["r"]] = sigma_back(dQ[t] * y_read, r)
            dy_direct, dy_read = dy * (1 - u), dQ[t] * r
        if R_gates is not None:
            dy_read = dy_read + d[:, gates] @ R_gates
        dy_next = dy_direct + (dy_read if mask is None else dy_read * mask)

    dx, grads = input_gradients(xp, spec, params, x, dA)
    y_read = Y[:-1] if mask is None else Y[:-1] * mask
    if R_gates is not None:
        dR = outer_sum(dA[:, :, gates], y_read)
        grads |= {"R_r": dR[:H], "R_u": dR[H:]}
    if spec.family == "gru":
        grads["R_n"] = outer_sum(dQ, y_read)
        if "b_Rn" in params:
            grads["b_Rn"] = dQ.sum((0, 1))
    else:
        grads["R_n"] = outer_sum(dA[:, :, col["n"]], Q)
    return dx, (dy_next, xp.zeros(x, (B, H))), grads


def _recurrent(xp, spec, params):
    """The recurrent matrices of both gates, stacked (or None), and the candidate's."""
    if "y" not in spec.gate_reads:
        return None, params["R_n"]
    return xp.concatenate([params["R_r"], params["R_u"]]), params["R_n"]
