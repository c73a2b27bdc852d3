"""The LSTM and all its variants: seed 002 (Greff et al. 2017, section II and appendix).

    z_bar = W_z x + R_z y⁻ + b_z                      z = g(z_bar)
    i_bar = W_i x + R_i y⁻ + p_i ⊙ c⁻ + b_i           i = σ(i_bar)
    f_bar = W_f x + R_f y⁻ + p_f ⊙ c⁻ + b_f           f = σ(f_bar)
    c     = z ⊙ i + c⁻ ⊙ f
    o_bar = W_o x + R_o y⁻ + p_o ⊙ c  + b_o           o = σ(o_bar)
    y     = h(c) ⊙ o

With gate recurrence each learned gate b also reads R_ab a⁻ for every learned gate a.
"""

from ..arrays import library
from .common import (
    Tape,
    block_columns,
    columns_reading,
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
    col, reads_y, gates = block_columns(spec, H), columns_reading(spec, "y", H), _gate_columns(spec, H)
    # σ is applied to all gates in one go, except an output gate that has to wait for its peephole at c.
    late = gates.stop - H if "o" in spec.peepholes else gates.stop
    before_c = slice(gates.start, late)
    R = stacked(xp, spec, params, "R", "y")
    G = _gate_matrix(xp, spec, params)
    R_T, G_T = (None if M is None else xp.contiguous(M.T) for M in (R, G))
    p = {k: params[f"p_{k}"] for k in spec.peepholes}

    A = project_input(xp, spec, params, x, H)
    Y, C, hC = xp.empty(x, (T + 1, B, H)), xp.empty(x, (T + 1, B, H)), xp.empty(x, (T, B, H))
    Y[0], C[0] = state[0], state[1]
    gates_0 = _learned(spec, state[2], H) if spec.gate_recurrence else None
    previous_gates = gates_0

    for t in range(T):
        a, y, c = A[t], Y[t], C[t]
        if R is not None:
            xp.add_product(a[:, reads_y], y if mask is None else y * mask, R_T)
        if G is not None:
            xp.add_product(a[:, gates], previous_gates, G_T)
        for k in p:
            if k != "o":
                a[:, col[k]] += p[k] * c
        a[:, col["z"]] = g(a[:, col["z"]])
        a[:, before_c] = sigma(a[:, before_c])
        z, i, f, _ = _gates(spec, a, col)
        c = z * i + c * f
        if "o" in p:
            a[:, col["o"]] = sigma(a[:, col["o"]] + p["o"] * c)
        o = a[:, col["o"]] if "o" in col else 1
        hc = h(c)
        Y[t + 1], C[t + 1], hC[t] = hc * o, c, hc
        previous_gates = a[:, gates]

    tape = Tape(spec, x, A, Y, C, hC, gates_0, mask)
    if spec.gate_recurrence:
        return Y[1:], (Y[T], C[T], _all_three(xp, spec, previous_gates, H)), tape
    return Y[1:], (Y[T], C[T]), tape


def backward(params, tape, dY, dstate, truncate):
    spec, x, A, Y, C, hC, mask = tape.spec, tape.x, tape.A, tape.Y, tape.C, tape.extra, tape.mask
    xp = library(x)
    g_back, h_back, sigma_back = (xp.squash_back[s] for s in (spec.g, spec.h, spec.gate_activation))
    T, _, H = hC.shape
    col, reads_y, gates = block_columns(spec, H), columns_reading(spec, "y", H), _gate_columns(spec, H)
    R = stacked(xp, spec, params, "R", "y")
    G = _gate_matrix(xp, spec, params)
    p = {k: params[f"p_{k}"] for k in spec.peepholes}
    nothing = xp.zeros(Y, Y[0].shape)

    dA = xp.empty(A, A.shape)
    dy_next, dc_next = dstate[0], dstate[1]
    dgates = _learned(spec, dstate[2], H) if spec.gate_recurrence else None
    for t in reversed(range(T)):
        a, c, d = A[t], C[t], dA[t]  # c is c⁻ here
        z, i, f, o = _gates(spec, a, col)
        dy = dY[t] + dy_next
        dc = h_back(dy * o, hC[t]) + dc_next
        if "o" in col:
            d[:, col["o"]] = sigma_back(_plus(dy * hC[t], dgates, spec, "o", H), o)
            if "o" in p and not truncate:
                dc = dc + p["o"] * d[:, col["o"]]
        if "f" in col:
            d[:, col["f"]] = sigma_back(_plus(dc * c, dgates, spec, "f", H), f)
        if "i" in col:
            di = dc * (z - c) if spec.forget_gate == "coupled" else dc * z
            d[:, col["i"]] = sigma_back(_plus(di, dgates, spec, "i", H), i)
        d[:, col["z"]] = g_back(dc * i, z)

        dc_next = dc * f
        dy_next = nothing
        if not truncate:
            for k in p:
                if k != "o":
                    dc_next = dc_next + p[k] * d[:, col[k]]
            if R is not None:
                dy_next = d[:, reads_y] @ R
                if mask is not None:
                    dy_next = dy_next * mask
        if G is not None:
            dgates = 0 * dgates if truncate else d[:, gates] @ G

    dx, grads = input_gradients(xp, spec, params, x, dA)
    if R is not None:
        y_read = Y[:-1] if mask is None else Y[:-1] * mask
        grads |= unstacked(spec, "R", "y", outer_sum(dA[:, :, reads_y], y_read))
    for k in p:
        grads[f"p_{k}"] = ((C[1:] if k == "o" else C[:-1]) * dA[:, :, col[k]]).sum((0, 1))
    dstate_0 = (dy_next, dc_next)
    if G is not None:
        dG = outer_sum(dA[:, :, gates], xp.concatenate([tape.gates[None], A[:-1, :, gates]]))
        for j, b in enumerate(spec.learned_gates):
            for k, a in enumerate(spec.learned_gates):
                grads[f"R_{a}{b}"] = dG[j * H : (j + 1) * H, k * H : (k + 1) * H]
        dstate_0 += (_all_three(xp, spec, dgates, H),)
    return dx, dstate_0, grads


def _gates(spec, a, col):
    """z, i, f, o at one step; a gate that is always open is the number 1."""
    z = a[:, col["z"]]
    i = a[:, col["i"]] if "i" in col else 1
    o = a[:, col["o"]] if "o" in col else 1
    f = a[:, col["f"]] if "f" in col else 1 - i if spec.forget_gate == "coupled" else 1
    return z, i, f, o


def _gate_columns(spec, H):
    return slice(H, len(spec.blocks) * H)


# Gate recurrence. Inside the loop the gates of one step are (B, kH), k learned gates side by side; the
# state that is handed out has room for all three, (B, 3H), with zeros for a gate that is not learned.


def _gate_matrix(xp, spec, params):
    """All R_ab as one matrix: rows by the gate b that receives, columns by the gate a that sends."""
    if not spec.gate_recurrence:
        return None
    return xp.concatenate(
        [xp.concatenate([params[f"R_{a}{b}"] for a in spec.learned_gates], 1) for b in spec.learned_gates]
    )


def _learned(spec, gates, H):
    """(B, 3H) to (B, kH)."""
    keep = ["ifo".index(k) for k in spec.learned_gates]
    if len(keep) == 3:
        return gates
    return library(gates).concatenate([gates[:, j * H : (j + 1) * H] for j in keep], 1)


def _all_three(xp, spec, gates, H):
    """(B, kH) to (B, 3H)."""
    out = xp.zeros(gates, (gates.shape[0], 3 * H))
    for j, k in enumerate(spec.learned_gates):
        place = "ifo".index(k)
        out[:, place * H : (place + 1) * H] = gates[:, j * H : (j + 1) * H]
    return out


def _plus(d, dgates, spec, k, H):
    """The gradient at a gate's activation: from this step, and from the gates of the next that read it."""
    if dgates is None:
        return d
    j = spec.learned_gates.index(k)
    return d + dgates[:, j * H : (j + 1) * H]
