"""Wrong answers to the exercises on the ablations."""

_SPEC = """
from dataclasses import replace
from lstm_tutorial import variants
no_hidden = """

_WIDTH = """
def equal_width(target, words, cell):
    def size(H): return 2 * words * H + words + 2 * cell(H)
"""
_SEARCH = "    return min(range(1, 2000), key=lambda H: abs({} - target))"

_DEAD = """
def is_dead(gradients, one, other):
    rest = [g for k, g in gradients.items() if k != 'softmax.bias']
"""
_SAME = "np.array_equal(one, other)"

_INTERVAL = """
from scipy import stats
def ratio_interval(row, baseline):
    d = np.log(row) - np.log(baseline); n = len(d); t = stats.t.ppf(0.975, n - 1); m = d.mean()
    e = d.std(ddof=1) / np.sqrt(n)
"""
_HOLM = """
def holm(p):
    n = len(p); order = sorted(range(n), key=lambda k: p[k]); out = [0.0] * n
"""
_FAIR = "fair = dict(a='fair', b='tuning', c='seeds', d='size', e='tuning', f='seeds', g='tuning')"

WRONG = {
    "10.1": [
        (_SPEC + "variants['no_srnn_hidden']", "that is − SRNN"),
        (_SPEC + "replace(variants['vanilla'], gate_reads='xb')", "peepholes"),
        (_SPEC + "replace(variants['lstm'], gate_reads='x')", "two wires are cut"),
        (_SPEC + "replace(variants['lstm'], gate_reads='b')", "do not read the present word"),
        (_SPEC + "replace(variants['lstm'], name='mine')", "still read y⁻"),
        (_SPEC + "replace(variants['lstm'], content_reads='xb')", "content has lost its recurrence"),
        (_SPEC + "replace(variants['lstm'], gate_reads='xb', g='linear')", "lost its tanh"),
        (_SPEC + "replace(variants['lstm'], output_gate='one')", "a gate is gone"),
        (_SPEC + "replace(variants['lstm'], gate_reads='xb', h='linear')", "h differs"),
        (_SPEC + "variants['srnn']", "no LSTM any more"),
        (_SPEC + "'replace(lstm)'", "not a str"),
    ],
    "10.2": [
        ("def parameters(D, H): return 4 * (H * D + H * H + H)", "whole LSTM"),
        ("def parameters(D, H): return 4 * (H * D + H)", "z keeps R_z"),
        ("def parameters(D, H): return 4 * H * D + 3 * H * H + 4 * H", "there are three gates"),
        ("def parameters(D, H): return 4 * H * D + H * H", "biases are missing"),
        ("def parameters(D, H): return 4 * H * D + H * H + H", "keep their biases"),
        ("def parameters(D, H): return 4 * H * D + D * D + 4 * H", "not D"),
        ("def parameters(D, H): return 2 * (4 * H * D + H * H + 4 * H)", "not two"),
        ("def parameters(D, H): return H * D + H * H + H", "numbers, and not"),
        ("def parameters(D, H): return [(H, D)] * 4", "a number"),
    ],
    "10.3": [
        (_WIDTH + _SEARCH.format("2 * words * H + words + cell(H)"), "two layers"),
        (_WIDTH + _SEARCH.format("words * H + words + 2 * cell(H)"), "a matrix each"),
        (_WIDTH + _SEARCH.format("2 * words * H + 2 * cell(H)"), "softmax's bias"),
        (_WIDTH + "    H = 1\n    while size(H) < target: H += 1\n    return H", "both sides"),
        (_WIDTH + "    H = 1\n    while size(H + 1) < target: H += 1\n    return H", "both sides"),
        (
            _WIDTH
            + "    whole = {10000: 320800, 40: 7320}[words]\n"
            + "    return min(range(1, 2000), key=lambda H: abs(cell(H) - whole))",
            "embedding and softmax grow",
        ),
        (_WIDTH + "    return size(200)", "no hidden size"),
        (_WIDTH + "    return 221.6", "whole number"),
        (_WIDTH + "    return 200", "and not 200"),
    ],
    "10.4": [
        (_DEAD + f"    return {_SAME}", "starts at zero"),
        (_DEAD + "    return not any(g.any() for g in rest)", "sees its input"),
        (_DEAD + f"    return all(np.allclose(g, 0) for g in rest) and {_SAME}", "small, and not zero"),
        (_DEAD + f"    return all(g.sum() == 0 for g in rest) and {_SAME}", "cancel"),
        (
            _DEAD + "    return not any(g.any() for g in gradients.values()) and (one == other).all()",
            "sees no word",
        ),
        (
            _DEAD + f"    return not any((g > 0).any() for g in rest) and {_SAME} or np.isnan(one).any()",
            "diverged",
        ),
        (_DEAD + "    return one == other", "one of them"),
        (_DEAD + "    return False", "the cell as published is dead"),
    ],
    "10.5": [
        (_INTERVAL + "    return m - t * e, m + t * e", "one step is left"),
        (_INTERVAL + "    return np.exp(m - 1.96 * e), np.exp(m + 1.96 * e)", "many seeds"),
        (_INTERVAL + "    t = stats.t.ppf(0.95, n - 1); return np.exp([m - t * e, m + t * e])", "each side"),
        (_INTERVAL + "    t = stats.t.ppf(0.975, n); return np.exp([m - t * e, m + t * e])", "n − 1 degrees"),
        (_INTERVAL + "    s = e * np.sqrt(n); return np.exp([m - t * s, m + t * s])", "√n times"),
        (_INTERVAL + "    e = d.std() / np.sqrt(n); return np.exp([m - t * e, m + t * e])", "ddof=1"),
        (_INTERVAL + "    return np.exp([-m - t * e, -m + t * e])", "upside down"),
        (_INTERVAL + "    return np.exp([m + t * e, m - t * e])", "low is above high"),
        (
            _INTERVAL
            + "    r = row / baseline; e = t * r.std(ddof=1) / n**0.5; return r.mean() - e, r.mean() + e",
            "ratios themselves",
        ),
        (
            _INTERVAL
            + "    r = row - baseline; e = t * r.std(ddof=1) / n**0.5; return r.mean() - e, r.mean() + e",
            "points of perplexity",
        ),
        (
            _INTERVAL
            + "    return np.exp(stats.ttest_ind(np.log(row), np.log(baseline)).confidence_interval())",
            "difference of each pair",
        ),
        (_INTERVAL + "    return np.exp(m)", "two numbers"),
    ],
    "10.6": [
        ("def verdict(low, high, margin): return 'level' if low < 1 < high else 'worse'", "surely not 1"),
        (
            "def verdict(low, high, margin):\n"
            "    if low < 1 < high or 1 / margin < low and high < margin: return 'level'\n"
            "    return 'worse' if low > margin else 'better' if high < 1 / margin else 'cannot tell'",
            "not deciding is not equality",
        ),
        (
            "def verdict(low, high, margin):\n"
            "    if 1 / margin < low and high < margin: return 'level'\n"
            "    return 'worse' if low > 1 else 'better' if high < 1 else 'cannot tell'",
            "or more",
        ),
        (
            "def verdict(low, high, margin):\n"
            "    if 1 / margin < low and high < margin: return 'level'\n"
            "    return 'better' if low > margin else 'worse' if high < 1 / margin else 'cannot tell'",
            "beyond the margin",
        ),
        (
            "def verdict(low, high, margin):\n"
            "    if 1 / 1.02 < low and high < 1.02: return 'level'\n"
            "    return 'worse' if low > 1.02 else 'better' if high < 1 / 1.02 else 'cannot tell'",
            "only 1.2 would matter",
        ),
        ("def verdict(low, high, margin): return high < margin", "should return 'level'"),
    ],
    "10.7": [
        ("def holm(p): return list(p)", "nothing is corrected"),
        ("def holm(p): return [min(1, len(p) * v) for v in p]", "Bonferroni"),
        (
            _HOLM + "    for r, k in enumerate(order): out[k] = min(1, (n - r) * p[k])\n    return out",
            "below a smaller",
        ),
        (
            _HOLM
            + "    m = 0\n    for r, k in enumerate(order): m = max(m, (n - r) * p[k]); out[k] = m\n"
            + "    return out",
            "never above 1",
        ),
        (
            _HOLM
            + "    m = 0\n    for r, k in enumerate(order): m = max(m, min(1, (n - r) * p[k])); out[r] = m\n"
            + "    return out",
            "order in which they were given",
        ),
        (
            _HOLM + "    for r, k in enumerate(order): out[k] = min(1, n * p[k] / (r + 1))\n    return out",
            "Hochberg",
        ),
        (
            _HOLM + "    for r, k in enumerate(order): out[k] = min(1, (r + 1) * p[k])\n    return out",
            "*smallest*",
        ),
        ("def holm(p): return min(p)", "come out"),
    ],
    "10.8": [
        (_FAIR.replace("a='fair'", "a='size'"), "nothing is wrong"),
        (_FAIR.replace("b='tuning'", "b='fair'"), "no neutral choice"),
        (_FAIR.replace("c='seeds'", "c='fair'"), "best of five"),
        (_FAIR.replace("d='size'", "d='fair'"), "a layer less"),
        (_FAIR.replace("f='seeds'", "f='fair'"), "left out"),
        (_FAIR.replace("g='tuning'", "g='fair'"), "very text"),
        (_FAIR.replace(", g='tuning'", ""), "missing: g"),
        (_FAIR.replace("e='tuning'", "e='rates'"), "one of fair"),
        ("fair = ['fair', 'tuning']", "a dict"),
    ],
}
