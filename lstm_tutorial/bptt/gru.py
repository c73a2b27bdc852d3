"""The two GRUs, which are different functions.

    r = σ(W_r x + R_r y⁻ + b_r)              reset gate
    u = σ(W_u x + R_u y⁻ + b_u)              update gate

``gru``: torch's and cuDNN's, where r acts after the recurrent product:
    n = g(W_n x + b_n + r ⊙ (R_n y⁻ + b_Rn))        y = (1 − u) ⊙ n + u ⊙ y⁻

``gru_reset_before``: seed 001, equations (2) to (8), as in Chung et al. 2014, where r acts before it
(in Cho et al. 2014 too, but there u weights the old state):
    n = g(W_n x + R_n (r ⊙ y⁻) + b_n)               y = (1 − u) ⊙ y⁻ + u ⊙ n
"""

from ..arrays import SLOPE, library, softmax_back
from .common import Tape, block_columns, input_gradients, outer_sum, project_input, stacked, unstacked


def forward(spec, params, x, state, mask):
    xp = library(x)
    g, sigma = xp.squash[spec.g], xp.squash[spec.gate_activation]
    T, B, _ = x.shape
    H = state[0].shape[-1]
    col = block_columns(spec, H)
    W, R = stacked(xp, spec, params, "W", "x"), stacked(xp, spec, params, "R", "y")
    R_gates, R_n = R[:-H], R[-H:]
    b_Rn = params.get("b_Rn")

    A = project_input(xp, spec, params, W, x, H)
    Y, Q = xp.empty(x, (T + 1, B, H)), xp.zeros(x, (T, B, H))
    Y[0] = state[0]
    if b_Rn is not None:
        Q[:] = b_Rn
    gates, r, u, n = (xp.steps(A[:, :, c]) for c in (slice(0, 2 * H), col["r"], col["u"], col["n"]))
    y, q = xp.steps(Y), xp.steps(Q)
    for t in range(T):
        y_read = y[t] if mask is None else y[t] * mask
        if len(R_gates):
            xp.add_product(gates[t], y_read, R_gates.T)
        sigma(gates[t], gates[t])
        if spec.family == "gru":  # q = R_n y⁻ + b_Rn
            xp.add_product(q[t], y_read, R_n.T)
            xp.add_multiple(n[t], q[t], r[t])
            old, new = n[t], y[t]
        else:  # q = r ⊙ y⁻
            xp.multiply(r[t], y_read, q[t])
            xp.add_product(n[t], q[t], R_n.T)
            old, new = y[t], n[t]
        g(n[t], n[t])
        xp.multiply(new - old, u[t], y[t + 1])  # y = (1 − u) ⊙ old + u ⊙ new
        y[t + 1] += old
    return Y[1:], (Y[T], xp.zeros(x, (B, H))), Tape(spec, x, A, Y, extra=Q, mask=mask, W=W, R=R)


def backward(params, tape, dY, dstate, truncate):
    if truncate:
        raise ValueError("truncate=True is the gradient of 1997, along the cell; a GRU has no cell.")
    spec, A, Y, Q, mask = tape.spec, tape.A, tape.Y, tape.extra, tape.mask
    xp = library(A)
    T, B, H = Q.shape
    col = block_columns(spec, H)
    R, R_gates, R_n = tape.R, tape.R[:-H], tape.R[-H:]
    reset_after = spec.family == "gru"

    # The local derivatives of all steps at once; the loop multiplies them by the δ they belong to.
    r, u, n = (A[:, :, col[k]] for k in "run")
    gate_slope, n_slope = SLOPE[spec.gate_activation], SLOPE[spec.g]
    y_read = Y[:-1] if mask is None else Y[:-1] * mask
    dA = xp.empty(A, A.shape)  # what goes back through W: δr̄, δū, δn̄
    # What goes back to P = R y⁻: the same δr̄ and δū, and where r acts on P, δq. One product a step then.
    dP = xp.empty(A, A.shape) if reset_after else dA
    dQ = dP[:, :, -H:] if reset_after else xp.empty(Q, Q.shape)
    d = {k: (dA if k == "n" else dP)[:, :, col[k]] for k in spec.blocks}
    xp.multiply(gate_slope(u), Y[:-1] - n if reset_after else n - Y[:-1], d["u"])
    xp.multiply(n_slope(n), 1 - u if reset_after else u, d["n"])
    xp.multiply(gate_slope(r), Q if reset_after else y_read, d["r"])

    dY = xp.concatenate([xp.zeros(Y, Y[:1].shape), dY])
    dY[T] += dstate[0]
    dy, dq, keep = xp.steps(dY), xp.steps(dQ), xp.steps(u if reset_after else 1 - u)
    d_r, d_u, d_n = (xp.steps(d[k]) for k in "run")
    dp = xp.steps(dP[:, :, -len(R) :] if reset_after else dA[:, :, : 2 * H])
    r, n = xp.steps(r), xp.steps(n)
    for t in reversed(range(T)):
        d_u[t] *= dy[t + 1]
        d_n[t] *= dy[t + 1]
        if spec.g == "softmax":
            d_n[t][...] = softmax_back(d_n[t], n[t])
        xp.add_multiple(dy[t], dy[t + 1], keep[t])
        if reset_after:
            d_r[t] *= d_n[t]
            xp.multiply(d_n[t], r[t], dq[t])
            d_read = dp[t] @ R
        else:
            dq[t][...] = d_n[t] @ R_n
            d_r[t] *= dq[t]
            d_read = dq[t] * r[t]
            if len(R_gates):
                xp.add_product(d_read, dp[t], R_gates)
        if mask is not None:
            d_read *= mask
        dy[t] += d_read

    if reset_after:
        dA[:, :, : 2 * H] = dP[:, :, : 2 * H]
    dx, grads = input_gradients(spec, tape.W, tape.x, dA)
    if reset_after:
        grads |= unstacked(spec, "R", "y", outer_sum(dP[:, :, -len(R) :], y_read))
        if "b_Rn" in params:
            grads["b_Rn"] = dQ.sum((0, 1))
    else:
        if len(R_gates):
            dR = outer_sum(dA[:, :, : 2 * H], y_read)
            grads |= {"R_r": dR[:H], "R_u": dR[H:]}
        grads["R_n"] = outer_sum(d["n"], Q)
    return dx, (dY[0], xp.zeros(Y, (B, H))), grads
