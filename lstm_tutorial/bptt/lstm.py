"""The LSTM and all its variants: seed 002 (Greff et al. 2017, section II).

    z_bar = W_z x + R_z y⁻ + b_z                      z = g(z_bar)
    i_bar = W_i x + R_i y⁻ + p_i ⊙ c⁻ + b_i           i = σ(i_bar)
    f_bar = W_f x + R_f y⁻ + p_f ⊙ c⁻ + b_f           f = σ(f_bar)
    c     = z ⊙ i + c⁻ ⊙ f
    o_bar = W_o x + R_o y⁻ + p_o ⊙ c  + b_o           o = σ(o_bar)
    y     = h(c) ⊙ o

With gate recurrence each learned gate b also reads R_ab a⁻ for every learned gate a.
"""

from ..arrays import SLOPE, library, softmax_back
from .common import (
    Tape,
    block_columns,
    columns_reading,
    each,
    input_gradients,
    outer_sum,
    project_input,
    stacked,
    unstacked,
)


def forward(spec, params, x, state, mask):
    xp = library(x)
    g, h, sigma = (xp.squash[s] for s in (spec.g, spec.h, spec.gate_activation))
    T, B, _ = x.shape
    H = state[0].shape[-1]
    col, gates = block_columns(spec, H), _gate_columns(spec, H)
    # σ is applied to all gates in one go, except an output gate that has to wait for its peephole at c.
    early = slice(gates.start, gates.stop - H if "o" in spec.peepholes else gates.stop)
    W, R = stacked(xp, spec, params, "W", "x"), stacked(xp, spec, params, "R", "y")
    G = _gate_matrix(xp, spec, params)
    p = {k: params[f"p_{k}"] for k in spec.peepholes}

    A = project_input(xp, spec, params, W, x, H)
    Y, C, hC = xp.empty(x, (T + 1, B, H)), xp.empty(x, (T + 1, B, H)), xp.empty(x, (T, B, H))
    Y[0], C[0] = state[0], state[1]
    gates_0 = None if G is None else _learned(spec, state[2], H)
    tape = Tape(spec, x, A, Y, C, hC, gates_0, mask, W, R)

    # What does not read the step before need not wait for it.
    z_waits = "y" in spec.content_reads
    gates_wait = "y" in spec.gate_reads or spec.gate_recurrence or bool(p)
    if not z_waits:
        g(A[:, :, col["z"]], A[:, :, col["z"]])
    if not gates_wait:
        sigma(A[:, :, gates], A[:, :, gates])

    z, i, f, o = _activations(spec, A, col)
    c = xp.steps(C)
    if not z_waits and not gates_wait:  # only c does: a linear recurrence, and all else at once
        xp.multiply(z, i, C[1:])
        f = each(xp, 1 - i if spec.forget_gate == "coupled" else f, T)
        for t in range(T):
            xp.add_multiple(c[t + 1], c[t], f[t])
        h(C[1:], hC)
        xp.multiply(hC, o, Y[1:])
        return Y[1:], (Y[T], C[T]), tape

    y, hc = xp.steps(Y), xp.steps(hC)
    z, i, f, o = (each(xp, a, T) for a in (z, i, f, o))
    reads_y = xp.steps(A[:, :, columns_reading(spec, "y", H)])
    all_gates, early_gates = A[:, :, gates], xp.steps(A[:, :, early])
    for t in range(T):
        if R is not None:
            xp.add_product(reads_y[t], y[t] if mask is None else y[t] * mask, R.T)
        if G is not None:
            xp.add_product(all_gates[t], all_gates[t - 1] if t else gates_0, G.T)
        if "i" in p:
            xp.add_multiple(i[t], p["i"], c[t])
        if "f" in p:
            xp.add_multiple(f[t], p["f"], c[t])
        if z_waits:
            g(z[t], z[t])
        if gates_wait:
            sigma(early_gates[t], early_gates[t])
        xp.multiply(c[t], 1 - i[t] if spec.forget_gate == "coupled" else f[t], c[t + 1])
        xp.add_multiple(c[t + 1], z[t], i[t])
        if "o" in p:
            xp.add_multiple(o[t], p["o"], c[t + 1])
            sigma(o[t], o[t])
        h(c[t + 1], hc[t])
        xp.multiply(hc[t], o[t], y[t + 1])

    if G is None:
        return Y[1:], (Y[T], C[T]), tape
    return Y[1:], (Y[T], C[T], _all_three(xp, spec, all_gates[-1], H)), tape


def backward(params, tape, dY, dstate, truncate):
    spec, A, Y, C, hC = tape.spec, tape.A, tape.Y, tape.C, tape.extra
    W, R, mask = tape.W, tape.R, tape.mask
    xp = library(A)
    T, _, H = hC.shape
    col, gates, reads_y = block_columns(spec, H), _gate_columns(spec, H), columns_reading(spec, "y", H)
    G = _gate_matrix(xp, spec, params)
    p = {k: params[f"p_{k}"] for k in spec.peepholes}

    # Whatever does not depend on a δ is computed for all steps at once: dA begins as the local derivatives
    # ∂c/∂z_bar, ∂c/∂i_bar, ∂c/∂f_bar and ∂y/∂o_bar, and each is multiplied by its δc or δy once it is known.
    z, i, f, o = _activations(spec, A, col)
    f = 1 - i if spec.forget_gate == "coupled" else f
    gate_slope = SLOPE[spec.gate_activation]
    dA = xp.empty(A, A.shape)
    d = {k: dA[:, :, col[k]] for k in spec.blocks}
    xp.multiply(SLOPE[spec.g](z), i, d["z"])
    if "i" in d:
        xp.multiply(gate_slope(i), z - C[:-1] if spec.forget_gate == "coupled" else z, d["i"])
    if "f" in d:
        xp.multiply(gate_slope(f), C[:-1], d["f"])
    if "o" in d:
        xp.multiply(gate_slope(o), hC, d["o"])
    y_by_c = SLOPE[spec.h](hC) * o
    d_cell = dA.reshape(T, -1, len(spec.blocks), H)[:, :, : len(d) - ("o" in d)]  # z_bar, i_bar and f_bar

    # Row t of dY belongs to the state before step t, as in Y: row 0 becomes the gradient of y_0.
    dY = xp.concatenate([xp.zeros(Y, Y[:1].shape), dY])
    dY[T] += dstate[0]

    if R is None and G is None and not p:  # only c waits for the step before, so only δc for the step after
        if "o" in d:
            d["o"] *= dY[1:]
        dC = y_by_c
        dC *= dY[1:]
        if spec.h == "softmax":
            dC = softmax_back(dC, hC)
        dC[-1] += dstate[1]
        dc, f = xp.steps(dC), each(xp, f, T)
        for t in reversed(range(T - 1)):
            xp.add_multiple(dc[t], dc[t + 1], f[t + 1])
        d_cell *= dC[:, :, None]
        if spec.g == "softmax":
            d["z"][...] = softmax_back(d["z"], z)
        dx, grads = input_gradients(spec, W, tape.x, dA)
        return dx, (dY[0], dc[0] * f[0]), grads

    dy, y_by_c, f = xp.steps(dY), xp.steps(y_by_c), each(xp, f, T)
    d = {k: xp.steps(v) for k, v in d.items()}
    d_cell, d_reads_y, d_gates = xp.steps(d_cell), xp.steps(dA[:, :, reads_y]), dA[:, :, gates]
    dc = xp.empty(Y, Y[0].shape)
    dc[...] = dstate[1]
    if G is not None:
        slopes = gate_slope(A[:, :, gates])
        dgates = _learned(spec, dstate[2], H)
        from_gates = {}  # what the gates of the next step send back to the pre-activations of these
    for t in reversed(range(T)):
        if G is not None:
            from_gates = dict(zip(spec.learned_gates, _side_by_side(dgates * slopes[t], H)))
        if "o" in d:
            d["o"][t] *= dy[t + 1]
            if G is not None:
                d["o"][t] += from_gates["o"]
        if spec.h == "softmax":
            dc += softmax_back(dy[t + 1] * y_by_c[t], hC[t])
        else:
            xp.add_multiple(dc, dy[t + 1], y_by_c[t])
        if "o" in p and not truncate:
            xp.add_multiple(dc, d["o"][t], p["o"])
        d_cell[t] *= dc[:, None]
        if G is not None:
            for k in set(from_gates) - {"o"}:
                d[k][t] += from_gates[k]
        if spec.g == "softmax":
            d["z"][t][...] = softmax_back(d["z"][t], z[t])
        dc *= f[t]
        if truncate:
            dgates = None if G is None else 0 * dgates
            continue
        for k in p:
            if k != "o":
                xp.add_multiple(dc, d[k][t], p[k])
        if R is not None and mask is None:
            xp.add_product(dy[t], d_reads_y[t], R)
        elif R is not None:
            xp.add_multiple(dy[t], d_reads_y[t] @ R, mask)
        if G is not None:
            dgates = d_gates[t] @ G

    dx, grads = input_gradients(spec, W, tape.x, dA)
    if R is not None:
        y_read = Y[:-1] if mask is None else Y[:-1] * mask
        grads |= unstacked(spec, "R", "y", outer_sum(dA[:, :, reads_y], y_read))
    for k in p:
        grads[f"p_{k}"] = ((C[1:] if k == "o" else C[:-1]) * dA[:, :, col[k]]).sum((0, 1))
    if G is None:
        return dx, (dY[0], dc), grads
    dG = outer_sum(d_gates, xp.concatenate([tape.gates[None], A[:-1, :, gates]]))
    for j, b in enumerate(spec.learned_gates):
        for k, a in enumerate(spec.learned_gates):
            grads[f"R_{a}{b}"] = dG[j * H : (j + 1) * H, k * H : (k + 1) * H]
    return dx, (dY[0], dc, _all_three(xp, spec, dgates, H)), grads


def _activations(spec, A, col):
    """z, i, f, o of all steps; a gate that is not learned is the number 1."""
    return tuple(A[:, :, col[k]] if k in col else 1 for k in "zifo")


# Gate recurrence. Inside the loop the k learned gates of a step lie side by side, (B, kH). The state that is
# handed out has room for all three, (B, 3H), with zeros for a gate that is not learned.


def _gate_columns(spec, H):
    return slice(H, len(spec.blocks) * H)


def _gate_matrix(xp, spec, params):
    """All R_ab as one matrix: rows by the gate b that receives, columns by the gate a that sends."""
    if not spec.gate_recurrence:
        return None
    gates = spec.learned_gates
    return xp.concatenate([xp.concatenate([params[f"R_{a}{b}"] for a in gates], 1) for b in gates])


def _side_by_side(gates, H):
    return [gates[:, j : j + H] for j in range(0, gates.shape[-1], H)]


def _learned(spec, gates, H):
    """(B, 3H) to (B, kH)."""
    parts = dict(zip("ifo", _side_by_side(gates, H)))
    return library(gates).concatenate([parts[k] for k in spec.learned_gates], 1)


def _all_three(xp, spec, gates, H):
    """(B, kH) to (B, 3H)."""
    parts = dict(zip(spec.learned_gates, _side_by_side(gates, H)))
    nothing = xp.zeros(gates, (gates.shape[0], H))
    return xp.concatenate([parts.get(k, nothing) for k in "ifo"], 1)
