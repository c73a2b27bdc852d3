"""Wrong answers to the exercises on backpropagation through time."""

_C = "def delta_c(dy, o, h_c, p_o, do_bar, p_i, di_bar_next, p_f, df_bar_next, dc_next, f_next): return "
_P = "def peephole_gradients(di_bar, df_bar, do_bar, c, c_0): "
_BEFORE = _P + "b = np.concatenate([c_0[None], c[:-1]]); "
_BACK = "def back_to_c(dc, f, p_i, di_bar, p_f, df_bar): return "

WRONG = {
    "03.1": [
        ("def delta_o_bar(dy, h_c, o): return dy * h_c", "lies σ"),
        ("def delta_o_bar(dy, h_c, o): return dy * h_c * o", "has two factors"),
        ("def delta_o_bar(dy, h_c, o): return dy * h_c * (1 - o)", "has two factors"),
        ("def delta_o_bar(dy, h_c, o): return dy * o * (1 - o)", "multiplied by something on its way into y"),
        ("def delta_o_bar(dy, h_c, o): return dy * h_c * (1 - o**2)", "slope of tanh"),
        ("def delta_o_bar(dy, h_c, o): s = 1 / (1 + np.exp(-o)); return dy * h_c * s * (1 - s)", "once more"),
        ("def delta_o_bar(dy, h_c, o): return -dy * h_c * o * (1 - o)", "sign"),
        ("def delta_o_bar(dy, h_c, o): return dy * o * (1 - h_c**2)", "way from y to c"),
        ("def delta_o_bar(dy, h_c, o): return (dy * h_c * o * (1 - o)).sum(0)", "has the shape"),
        ("def delta_o_bar(dy, h_c, o): return dy + h_c + o", "nudging o_bar"),
    ],
    "03.2": [
        (
            _C + "dy * o * (1 - h_c**2) + dc_next * f_next + p_i * di_bar_next + p_f * df_bar_next",
            "peephole p_o",
        ),
        (
            _C + "dy * o * (1 - h_c**2) + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next",
            "the one to the next cell",
        ),
        (_C + "dy * o * (1 - h_c**2) + p_o * do_bar", "nothing comes back"),
        (_C + "dy * o * (1 - h_c**2) + p_o * do_bar + dc_next * f_next", "two peepholes"),
        (
            _C + "dy * o + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next + dc_next * f_next",
            "h has a slope",
        ),
        (
            _C + "dy * o * (1 - h_c**2) + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next + dc_next",
            "multiplied by something",
        ),
        (
            _C + "dy * o * (1 - h_c**2) - p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next"
            " + dc_next * f_next",
            "wrong sign",
        ),
        (
            _C + "dy * o * (1 - h_c**2) + p_o * do_bar + p_f * di_bar_next + p_i * df_bar_next"
            " + dc_next * f_next",
            "changed places",
        ),
        (
            _C + "dy * o * (1 - h_c) + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next"
            " + dc_next * f_next",
            "not the slope of tanh",
        ),
        (
            _C + "dy * (1 - h_c**2) + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next"
            " + dc_next * f_next",
            "y is a product",
        ),
        (
            _C + "dy * o * (1 - h_c**2) + do_bar + p_i * di_bar_next + p_f * df_bar_next + dc_next * f_next",
            "its term with do_bar",
        ),
        (
            _C + "dy * o * (1 - h_c**2) + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next"
            " + dc_next * (1 - f_next)",
            "its term with dc_next",
        ),
        (
            _C + "dy * o * (1 - h_c**2) + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next"
            " + dc_next * f_next * o",
            "its term with dc_next",
        ),
        (
            _C + "dy * o * (1 - h_c**2) + p_o * do_bar + p_i * di_bar_next + p_f * df_bar_next * o"
            " + dc_next * f_next",
            "its term with df_bar_next",
        ),
        (
            _C + "np.maximum(dy * o * (1 - h_c**2), 0) + np.minimum(dy * o * (1 - h_c**2), 0) + p_o * do_bar"
            " + p_i * di_bar_next + p_f * df_bar_next + dc_next * f_next + dy * dc_next",
            "how do several readers go together",
        ),
        (_C + "(dy * o * (1 - h_c**2)).sum(0)", "has the shape"),
        (_C + "dc_next", "4 ways are missing"),
    ],
    "03.3": [
        (_BACK + "dc * f", "in three places"),
        (_BACK + "dc * f + p_f * df_bar", "into the input gate"),
        (_BACK + "dc * f + p_i * di_bar", "into the forget gate"),
        (_BACK + "p_i * di_bar + p_f * df_bar", "the one into the new cell"),
        (_BACK + "dc + p_i * di_bar + p_f * df_bar", "by what?"),
        (_BACK + "dc * f + p_i * df_bar + p_f * di_bar", "changed places"),
        (_BACK + "(dc * f + p_i * di_bar + p_f * df_bar).sum(0)", "has the shape"),
        (_BACK + "dc * (1 - f) + p_i * di_bar + p_f * df_bar", "by what?"),
        (_BACK + "dc * f - p_i * di_bar + p_f * df_bar", "wrong sign"),
        (_BACK + "dc * f + di_bar + p_f * df_bar", "its term with di_bar"),
        (_BACK + "dc * f + p_i * di_bar + p_f * df_bar * f", "its term with df_bar"),
        (_BACK + "dc", "2 ways are missing"),
    ],
    "03.4": [
        (
            _P + "return tuple((d * c).sum((0, 1)) for d in (di_bar, df_bar, do_bar))",
            "the cell before the step",
        ),
        (_BEFORE + "return tuple((d * b).sum((0, 1)) for d in (di_bar, df_bar, do_bar))", "the new cell"),
        (
            _P + "z = 0 * c_0; b = np.concatenate([z[None], c[:-1]]); "
            "return (di_bar * b).sum((0, 1)), (df_bar * b).sum((0, 1)), (do_bar * c).sum((0, 1))",
            "leaves out the first step",
        ),
        (_BEFORE + "return di_bar * b, df_bar * b, do_bar * c", "summed over nothing"),
        (_BEFORE + "return (di_bar * b).sum(0), (df_bar * b).sum(0), (do_bar * c).sum(0)", "one axis only"),
        (
            _BEFORE
            + "return tuple((d * s).mean(1).sum(0) for d, s in ((di_bar, b), (df_bar, b), (do_bar, c)))",
            "averaged",
        ),
        (_P + "return tuple(d.sum((0, 1)) for d in (di_bar, df_bar, do_bar))", "where is the cell"),
        (
            _P + "return tuple((d[:-1] * c[1:]).sum((0, 1)) for d in (di_bar, df_bar, do_bar))",
            "shifted the wrong way",
        ),
        (
            _P + "b = np.roll(c, 1, axis=0); "
            "return (di_bar * b).sum((0, 1)), (df_bar * b).sum((0, 1)), (do_bar * c).sum((0, 1))",
            "as np.roll does",
        ),
        (
            _BEFORE + "return (do_bar * c).sum((0, 1)), (di_bar * b).sum((0, 1)), (df_bar * b).sum((0, 1))",
            "another order",
        ),
        (
            _BEFORE + "return np.array([(d * b).sum((0, 1)) for d in (di_bar, df_bar, do_bar)])",
            "the new cell",
        ),
        (_BEFORE + "return (di_bar * b).sum((0, 1))", "three arrays"),
        (_BEFORE + "return (di_bar * b).sum()", "three arrays"),
        (_BEFORE + "return tuple((d * b).sum() for d in (di_bar, df_bar, do_bar))", "has the shape (2,)"),
    ],
    "03.5": [
        ("suspect = 'c'", "δc is right at the last step"),
        ("suspect = 'y'", "δy is right at the last step"),
        ("suspect = 'o_bar'", "δo_bar is right at the last step"),
        ("suspect = 'z_bar'", "carried there"),
        ("suspect = 'the forget gate'", "one of the six deltas"),
        ("suspect = 3", "one of the six deltas"),
    ],
    "03.6": [
        ("let_through = {'cell path cut', 'dc_T ignored'}", "from cell to cell"),
        ("let_through = {'δc without p_o', 'dc_T ignored'}", "its peephole is not zero"),
        ("let_through = {'y_0, c_0 as zeros'}", "2 more get through"),
        ("let_through = {'y_0, c_0 as zeros', 'dc_T ignored'}", "1 more gets through"),
        ("let_through = 'dc_T ignored'", "a set of titles"),
        ("let_through = {'the cell'}", "a set of titles"),
    ],
}
