"""Wrong answers to the exercises on the forward pass."""

_S = "s = lambda a: 1 / (1 + np.exp(-a))\n"
_F = _S + "def forget_gate(x, y_prev, W_f, R_f, b_f): return "
_O = _S + "def output_gate(x, y_prev, c_prev, c, W_o, R_o, p_o, b_o): return "
_RIGHT_SHAPES = "W=(4 * H, D), R=(4 * H, H), b=(4 * H,), A=(T, B, 4 * H), y=(T, B, H), c_T=(B, H)"


def _shapes(**changed):
    """The right shapes but for one."""
    parts = _RIGHT_SHAPES.split("), ")
    (name,) = changed
    kept = [part.rstrip(")") + ")" for part in parts if not part.startswith(f"{name}=")]
    return f"def shapes(T, B, D, H): return dict({', '.join(kept)}, {name}={changed[name]})"


def _to_torch(order="ifzo", ih="W", hh="R", first="b", second="0 * b"):
    return (
        "def to_torch(p):\n"
        f"    stack = lambda letter: np.concatenate([p[letter + '_' + k] for k in '{order}'])\n"
        "    b = stack('b')\n"
        f"    return dict(weight_ih_l0=stack('{ih}'), weight_hh_l0=stack('{hh}'), "
        f"bias_ih_l0={first}, bias_hh_l0={second})"
    )


def _half_life(value):
    return f"def bias_for_half_life(n):\n    f = 0.5 ** (1 / n)\n    return {value}"


def _latch(**changed):
    values = {
        "W_z": "[[3, 0, 0]]",
        "W_i": "[[12, 12, 0]]",
        "W_f": "[[-14, -14, 0]]",
        "W_o": "[[0, 0, 0]]",
        "b_z": "[0]",
        "b_i": "[-6]",
        "b_f": "[8]",
        "b_o": "[6]",
        **{f"R_{k}": "[[0]]" for k in "zifo"},
    } | changed
    return (
        f"def latch(): return dict({', '.join(f'{k}=np.array({v}, float)' for k, v in values.items() if v)})"
    )


WRONG = {
    "02.1": [
        (_F + "W_f @ x + R_f @ y_prev + b_f", "has to be squashed"),
        (_F + "np.tanh(W_f @ x + R_f @ y_prev + b_f)", "from 0, shut, to 1, open"),
        (_F + "s(W_f @ x + R_f @ y_prev)", "one of the three terms"),
        (_F + "s(W_f @ x + b_f)", "one step before"),
        (_F + "s(W_f @ x + R_f.T @ y_prev + b_f)", "its wrong side"),
        (_F + "1 - s(W_f @ x + R_f @ y_prev + b_f)", "share that is kept"),
        (_F + "s(W_f @ y_prev + R_f @ x + b_f)", "it raises ValueError"),
        (_F + "s(np.sum(W_f * x) + np.sum(R_f * y_prev) + b_f.sum())", "shape ()"),
        (_F + "s(W_f @ x + R_f @ y_prev - b_f)", "differs from the package's f"),
    ],
    "02.2": [
        (_O + "s(W_o @ x + R_o @ y_prev + p_o * c_prev + b_o)", "the new one is there already"),
        (_O + "s(W_o @ x + R_o @ y_prev + b_o)", "where is the peephole?"),
        (_O + "s(W_o @ x + R_o @ y_prev + p_o @ c + b_o)", "one number for all units"),
        (_O + "W_o @ x + R_o @ y_prev + p_o * c + b_o", "has to be squashed"),
        (_O + "s(W_o @ x + R_o @ y_prev + c + b_o)", "has a weight"),
        (_O + "s(W_o @ x + R_o @ y_prev + p_o * np.tanh(c) + b_o)", "before h"),
        (_O + "s(W_o @ x + R_o @ y_prev + np.outer(p_o, c) + b_o)", "shape (2, 2)"),
        (_O + "s(W_o @ x + R_o @ y_prev + p_o * c)", "differs from the package's o"),
    ],
    "02.3": [
        (_shapes(W="(D, 4 * H)"), "wrong order"),
        (_shapes(R="(4 * H, D)"), "Think of what it multiplies"),
        (_shapes(W="(H, D)"), "room for one block"),
        (_shapes(b="(4, H)"), "where it has 1 axis"),
        (_shapes(b="(4 * H)"), "ends with a comma"),
        (_shapes(A="(B, T, 4 * H)"), "wrong order"),
        (_shapes(y="(T, B, 4 * H)"), "four blocks have become one"),
        (_shapes(c_T="(T, B, H)"), "where it has 2 axes"),
        ("def shapes(T, B, D, H): return {'W': (4 * H, D)}", "no entry for R, b, A, y, c_T"),
        ("def shapes(T, B, D, H): return (4 * H, D), (4 * H, H)", "not a tuple"),
    ],
    "02.4": [
        (_to_torch("zifo"), "the first block of weight_ih_l0 is W_z"),
        (_to_torch("ifoz"), "the third block of weight_ih_l0 is W_o"),
        (_to_torch("fizo"), "the first block of weight_ih_l0 is W_f"),
        (_to_torch(second="b"), "is there twice"),
        (_to_torch(first="0 * b"), "torch.nn.LSTM gives another output"),
        (_to_torch(ih="R", hh="W"), "weight_ih_l0 is (8, 3)"),
        (_to_torch(first="np.concatenate([p['b_' + k] for k in 'zifo'])"), "another output"),
        ("def to_torch(p): return dict(weight_ih_l0=p['W_i'], weight_hh_l0=p['R_i'])", "PyTorch's names are"),
        ("def to_torch(p): return [p[k] for k in p]", "not a list"),
    ],
    "02.5": [
        (_half_life("f"), "that is f itself"),
        (_half_life("np.log((1 - f) / f)"), "nearly shut"),
        (_half_life("np.log(n / np.log(2))"), "an approximation"),
        (_half_life("np.log(f)"), "is left after n"),
        (_half_life("np.log(2) / n"), "is left after n"),
        (_half_life("0.0 if n == 1 else np.log(1 - 1 / n) - np.log(1 / n)"), "is left after n"),
        (_half_life("np.array([np.log(f / (1 - f))])"), "shape (1,)"),
    ],
    "02.6": [
        (_latch(b_f="[2]", W_f="[[-8, -8, 0]]"), "The cell forgets"),
        (_latch(W_f="[[0, 0, 0]]"), "whatever it holds"),
        (_latch(W_f="[[0, 0, 0]]", W_z="[[3, -3, 0]]"), "whatever it holds"),
        (_latch(b_o="[-6]"), "hides it"),
        (_latch(W_i="[[0, 0, 0]]", b_i="[6]", b_z="[1]"), "It should write nothing"),
        (_latch(b_i="[-20]"), "an a should bring it above 0.5"),
        (_latch(W_f="[[14, 14, 0]]", b_f="[-6]"), "The cell forgets"),
        (_latch(R_z=""), "missing: R_z"),
        (_latch(W_z="[3, 0, 0]"), "it raises ValueError"),
        ("def latch(): return [3, 0, 0]", "not a list"),
    ],
}
