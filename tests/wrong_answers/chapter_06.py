"""Wrong answers to the exercises on PyTorch cells."""

_SEED = """
import torch
def seed_step(x, h, c, p):
    def a(k, u=None): return x @ p[f"U_{u or k}"] + h @ p[f"V_{k}"] + p[f"B_{k}"]
    s = torch.sigmoid; F, I, G, O = s(a('f')), s(a('i')), torch.tanh(a('c')), s(a('o'))
"""

_FUSED = """
import torch
def fused_step(x, h, c, W, R, b):
    s, tanh = torch.sigmoid, torch.tanh
    i, f, g, o = (x @ W.T + h @ R.T + b).chunk(4, -1)
"""
_POINT = "    c = s(f) * c + s(i) * tanh(g); return s(o) * tanh(c), c"

_LOOP = """
import torch
def hoisted(x, h, c, W, R, b):
    s, tanh, hs = torch.sigmoid, torch.tanh, []
"""
_REST = """
        i, f, g, o = a.chunk(4, -1)
        c = s(f) * c + s(i) * tanh(g)
        h = s(o) * tanh(c)
        hs.append(h)
"""
_END = "    return torch.stack(hs), (h, c)"

_BIAS = """
import torch
def set_forget_bias(lstm, value):
    H = lstm.hidden_size
    with torch.no_grad():
"""
_EACH = "        for name, bias in lstm.named_parameters():\n            if "

_GRU = """
def to_torch_gru(p):
    H = len(p['R_n']); z = {k: np.zeros(H) for k in ('b_r', 'b_u', 'b_n', 'b_Rn')}
"""
_R = "def delta_r_bar(dn_bar, R_n, y_prev, r): return "

_KERAS = """
def keras_gru_to_torch(kernel, recurrent_kernel, bias):
    def turn(s): z, r, h = np.split(s, 3); return np.concatenate([r, z, h])
    def flip(s): return np.concatenate([a.T for a in np.split(s, 3)])
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    K, R, b, d = kernel.T, recurrent_kernel.T, bias[0], bias[1]
"""

WRONG = {
    "06.1": [
        (
            _SEED.replace("a('f')", "a('f', 'i')") + "    c = F * c + I * G; return O * torch.tanh(c), c",
            "printed in (9)",
        ),
        (_SEED + "    c = F * c + I * G; return c, O * torch.tanh(c)", "wrong way round"),
        (_SEED + "    c = I * c + F * G; return O * torch.tanh(c), c", "changed places"),
        (_SEED.replace("tanh", "sigmoid") + "    c = F * c + I * G; return O * torch.tanh(c), c", "no gate"),
        (_SEED + "    c = I * G; return O * torch.tanh(c), c", "old cell is nowhere"),
        (_SEED.replace('+ p[f"B_{k}"]', "") + "    c = F * c + I * G; return O * torch.tanh(c), c", "biases"),
        (_SEED + "    n = F * c + I * G; return O * torch.tanh(c), n", "old cell; (14)"),
        (_SEED + "    c = F * c + I * G; return O * c, c", "squashes the cell"),
        (_SEED + "    c = F * c + I * G; return O * torch.tanh(c)", "return a pair"),
        (_SEED + "    c = F * c - I * G; return O * torch.tanh(c), c", "compare with (9)"),
        (_SEED + "    c = F * c + I * G; return torch.tanh(c), c", "compare with (12) and (14)"),
        (
            _SEED + "    c.mul_(F).add_(I * G); return O * torch.tanh(c), c",
            "in place",
        ),
        (_SEED.replace("h @", "h.T @") + "    return h, c", "RuntimeError"),
    ],
    "06.2": [
        (_FUSED.replace("i, f, g, o", "i, f, o, g") + _POINT, "another order"),
        (_FUSED.replace("i, f, g, o", "g, i, f, o") + _POINT, "another order"),
        (_FUSED.replace(" + b)", ")") + _POINT, "bias is missing"),
        (_FUSED + _POINT.replace("tanh(g)", "s(g)"), "no gate"),
        (_FUSED.replace("(4, -1)", "(4, 0)") + _POINT, "ValueError"),
        (_FUSED + "    return s(o) * tanh(c), s(f) * c + s(i) * tanh(g)", "old cell"),
        (_FUSED + _POINT.replace("return s(o) * tanh(c), c", "return c, s(o) * tanh(c)"), "wrong way round"),
        (_FUSED + _POINT.replace("s(o) * tanh(c)", "tanh(c)"), "c is right"),
        (
            _FUSED.replace(
                "(x @ W.T + h @ R.T + b).chunk(4, -1)",
                "(x @ w.T + h @ r.T + d for w, r, d in zip(W.chunk(4), R.chunk(4), b.chunk(4)))",
            )
            + _POINT,
            "8 products",
        ),
    ],
    "06.3": [
        (
            _LOOP + "    for x_t in x:\n        a = x_t @ W.T + h @ R.T + b" + _REST + _END,
            "in the loop that need not be",
        ),
        (
            _LOOP + "    for a in x @ W.T + b:\n        a = a + h @ R.T" + _REST + "    return hs, (h, c)",
            "list of steps",
        ),
        (_LOOP + "    for a in x @ W.T + b + h @ R.T:" + _REST + _END, "cannot leave the loop"),
        (
            _LOOP
            + "    h, c = 0 * h, 0 * c\n    for a in x @ W.T + b:\n        a = a + h @ R.T"
            + _REST
            + _END,
            "from zeros",
        ),
        (_LOOP + "    for a in x @ W.T:\n        a = a + h @ R.T" + _REST + _END, "bias is missing"),
        (_LOOP + "    for a in x @ W.T + b:\n        a = a + h @ R.T + b" + _REST + _END, "twice"),
        (
            _LOOP
            + "    h0, c0 = h, c\n    for a in x @ W.T + b:\n        a = a + h0 @ R.T; c = c0"
            + _REST
            + _END,
            "not passed on",
        ),
        (
            _LOOP
            + "    h0 = h\n    for a in x @ W.T + b:\n        a = a + h @ R.T"
            + _REST
            + "    return torch.stack(hs), (h0, c)",
            "not the last state",
        ),
        (
            _LOOP
            + "    for a in x @ W.T + b:\n        a = a + h @ R.T"
            + _REST
            + "    return torch.stack(hs, 1), (h, c)",
            "shape",
        ),
        (
            _LOOP
            + "    for a in x @ W.T + b:\n        a = a + h @ R.T"
            + _REST
            + "    return torch.stack(hs)",
            "pair",
        ),
    ],
    "06.4": [
        (_BIAS + _EACH + "'bias' in name: bias[H : 2 * H] = value", "gets twice"),
        (_BIAS + _EACH + "'bias' in name: bias[H : 2 * H] = 1.0 if 'ih' in name else 0.0", "gets 1, and 1.5"),
        (_BIAS + _EACH + "'bias_ih' in name: bias[H : 2 * H] = value", "what torch drew"),
        (_BIAS + _EACH + "'bias' in name: bias[:H] = value if 'ih' in name else 0.0", "Where in i, f, g, o"),
        (_BIAS + _EACH + "'bias' in name: bias.fill_(value / 2)", "Where in i, f, g, o"),
        (
            _BIAS + "        lstm.bias_ih_l0[H : 2 * H] = value; lstm.bias_hh_l0[H : 2 * H] = 0",
            "only the first layer",
        ),
        (_BIAS + _EACH + "'_ih' in name: bias[H : 2 * H] = value", "weight matrix"),
        (_BIAS + "        b = lstm.bias_ih_l0.clone(); b[H : 2 * H] = value; return b", "changes nothing"),
        ("def set_forget_bias(lstm, value): lstm.bias_ih_l0[4:8] = value", "RuntimeError"),
    ],
    "06.5": [
        (_GRU + "    return {**p, **z}", "still weights"),
        (_GRU + "    return {**p, **z, 'W_u': -p['W_u']}", "half of what feeds u"),
        (_GRU + "    return {**p, **z, 'R_u': -p['R_u']}", "half of what feeds u"),
        (_GRU + "    return {**p, **z, 'W_r': -p['W_r'], 'R_r': -p['R_r']}", "wrong gate"),
        (
            _GRU + "    return {**z, **{k: v if k[-1] == 'n' else -v for k, v in p.items()}}",
            "does the same in both",
        ),
        (_GRU + "    return {**p, 'W_u': -p['W_u'], 'R_u': -p['R_u']}", "missing: b_Rn"),
        (_GRU + "    return {**p, **z, 'W_u': 1 - p['W_u'], 'R_u': 1 - p['R_u']}", "where they can agree"),
        (_GRU + "    return {**p, **z, 'b_u': np.ones(H)}", "has no biases"),
        (
            _GRU + "    return {**p, **z, 'W_u': -p['W_u'], 'R_u': -p['R_u'], 'R_n': p['R_n'].T}",
            "another matrix",
        ),
        (_GRU + "    return {**p, **z, 'W_u': -p['W_u'].T, 'R_u': -p['R_u']}", "shape"),
    ],
    "06.6": [
        (_R + "dn_bar * (y_prev @ R_n.T) * r * (1 - r)", "that is torch's"),
        (_R + "(dn_bar @ R_n.T) * y_prev * r * (1 - r)", "wrong way round"),
        (_R + "(dn_bar @ R_n) * y_prev", "slope is missing"),
        (_R + "(dn_bar @ R_n) * y_prev * (1 - r**2)", "the slope of tanh"),
        (_R + "(dn_bar @ R_n) * r * (1 - r)", "by what?"),
        (_R + "dn_bar * y_prev * r * (1 - r)", "lies a matrix"),
        (_R + "(dn_bar @ R_n) * r * r * (1 - r)", "the factor of r"),
        (_R + "((dn_bar @ R_n) * y_prev * r * (1 - r)).sum(0)", "has the shape of r"),
        (_R + "-(dn_bar @ R_n) * y_prev * r * (1 - r)", "nudging"),
    ],
    "06.7": [
        (_KERAS + "    return dict(zip(names, (K, R, b, d)))", "changed places"),
        (_KERAS + "    return dict(zip(names, (turn(K), turn(R), b, d)))", "not the biases"),
        (_KERAS + "    return dict(zip(names, (turn(K), R, turn(b), turn(d))))", "recurrent matrix is still"),
        (_KERAS + "    return dict(zip(names, (turn(K), turn(R), turn(b), d)))", "second bias is still"),
        (
            _KERAS + "    return dict(zip(names, (turn(K), turn(R), turn(d), turn(b))))",
            "two biases have changed",
        ),
        (_KERAS + "    return dict(zip(names, (turn(K), turn(R), turn(b + d), 0 * b)))", "inside the reset"),
        (_KERAS + "    return dict(zip(names, (turn(K).T, turn(R), turn(b), turn(d))))", "on its side"),
        (
            _KERAS + "    return dict(zip(names, (turn(K), flip(turn(R)), turn(b), turn(d))))",
            "another function",
        ),
        (_KERAS + "    return dict(zip(names, (turn(K), turn(R), turn(b))))", "torch's names are"),
        (_KERAS + "    return dict(zip(names, (turn(K), turn(R), bias, bias)))", "shape"),
    ],
    "06.8": [
        ("gru_tape = 3", "besides"),
        ("gru_tape = 4", "another quantity"),
        ("gru_tape = 6", "autograd's count"),
        ("gru_tape = 7", "LSTM's count"),
        ("gru_tape = 2", "right-hand sides"),
        ("gru_tape = 'five'", "a number is asked for"),
    ],
}
