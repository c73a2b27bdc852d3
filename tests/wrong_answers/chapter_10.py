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
        (_SPEC + "replace(variants['lstm'], gate_reads='b')", "do not read the present input"),
        (_SPEC + "replace(variants['lstm'], name='mine')", "still read y⁻"),
        (_SPEC + "replace(variants['lstm'], content_reads='xb')", "content has lost its recurrence"),
        (_SPEC + "replace(variants['lstm'], gate_reads='xb', g='linear')", "lost its tanh"),
        (_SPEC + "replace(variants['lstm'], output_gate='one')", "a gate is gone"),
        (_SPEC + "replace(variants['lstm'], gate_reads='xb', h='linear')", "h differs"),
        (_SPEC + "variants['srnn']", "no LSTM any more"),
        (_SPEC + "replace(variants['no_srnn_hidden'], content_reads='xyb')", "lost its tanh"),
        (
            _SPEC + "replace(variants['no_srnn_hidden'], content_reads='xy', g='tanh')",
            "reads less than before",
        ),
        (_SPEC + "replace(variants['lstm'], gate_reads='xb', forget_gate='coupled')", "a gate is gone"),
        (_SPEC + "replace(variants['lstm'], gate_reads='xb', start='zero_gates')", "start differs"),
        (_SPEC + "'replace(lstm)'", "not a str"),
    ],
    "10.2": [
        ("def parameters(D, H): return 4 * (H * D + H * H + H)", "whole LSTM"),
        ("def parameters(D, H): return 4 * (H * D + H)", "z keeps R_z"),
        ("def parameters(D, H): return 4 * H * D + 3 * H * H + 4 * H", "there are three gates"),
        ("def parameters(D, H): return 4 * H * D + H * H", "biases are missing"),
        ("def parameters(D, H): return 4 * H * D + H * H + H", "keep their biases"),
        ("def parameters(D, H): return 4 * H * D + H * H + 3 * H", "content keeps its bias"),
        ("def parameters(D, H): return 4 * H * D + H * H + 8 * H", "two biases a block"),
        ("def parameters(D, H): return 4 * (H * D + D) + H * H", "H numbers and not D"),
        ("def parameters(D, H): return 3 * (H * D + H) + H * H", "all have a W"),
        ("def parameters(H, D): return 4 * (H * D + H) + H * H", "changed places"),
        ("def parameters(D, H): return 4 * H * D + D * D + 4 * H", "not D"),
        ("def parameters(D, H): return 2 * (4 * H * D + H * H + 4 * H)", "not two"),
        ("def parameters(D, H): return H * D + H * H + H", "numbers, and not"),
        ("def parameters(D, H): return [(H, D)] * 4", "a number"),
    ],
    "10.3": [
        (_WIDTH + _SEARCH.format("2 * words * H + words + cell(H)"), "two layers"),
        (_WIDTH + "    return (target - words) // (2 * words)", "parameters, too"),
        (_WIDTH + "    return min(range(1, 2000), key=lambda H: size(H) - target)", "smallest abs"),
        (_WIDTH + "    return np.argmin([abs(size(H) - target) for H in range(1, 2000)])", "an index starts"),
        (_WIDTH + "    return np.argmin([abs(size(H) - target) for H in range(2000)])", "at least 1"),
        (_WIDTH + _SEARCH.format("2 * (words * H + words) + 2 * cell(H)"), "bias once"),
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
        (_DEAD + f"    return not any(g.any() for g in rest) or {_SAME}", "starts at zero"),
        (_DEAD + f"    return any(g.any() for g in rest) and {_SAME}", "as published is dead"),
        (_DEAD + f"    return not any(g.all() for g in rest) and {_SAME}", "differs from zero"),
        (_DEAD + "    return not any(g.any() for g in rest) and np.allclose(one, other)", "bit for bit"),
        (_DEAD + "    return not any(g.any() for g in rest) and (one - other).sum() == 0", "same sum"),
        (_DEAD + "    return not any(g.any() for g in rest) and (one == other).any()", "one by one"),
        (_DEAD + f"    del gradients['softmax.bias']; return {_SAME}", "in place"),
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
        (_INTERVAL + "    return np.exp(m - t * e) - 1, np.exp(m + t * e) - 1", "that is the change"),
        (_INTERVAL + "    return np.exp(m) - t * e, np.exp(m) + t * e", "exp comes last"),
        (_INTERVAL + "    return np.exp(m - 2 * e), np.exp(m + 2 * e)", "many seeds"),
        (_INTERVAL + "    e = e / np.sqrt(n); return np.exp([m - t * e, m + t * e])", "not n"),
        (
            _INTERVAL + "    t = stats.t.ppf(0.975, 2 * n - 2); return np.exp([m - t * e, m + t * e])",
            "not 2n",
        ),
        (
            _INTERVAL + "    m, e = m / np.log(10), e / np.log(10); return np.exp([m - t * e, m + t * e])",
            "log10",
        ),
        (
            _INTERVAL + "    m = np.log(row.mean() / baseline.mean()); return np.exp([m - t * e, m + t * e])",
            "of each pair",
        ),
        (
            _INTERVAL
            + "    e = np.sqrt((np.log(row).var(ddof=1) + np.log(baseline).var(ddof=1)) / n)\n"
            + "    return np.exp([m - t * e, m + t * e])",
            "and then its spread",
        ),
        (_INTERVAL + "    return np.quantile(row / baseline, [0.025, 0.975])", "paired t test"),
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
        (
            "def verdict(low, high, margin):\n"
            "    if 2 - margin < low and high < margin: return 'level'\n"
            "    return 'worse' if low > margin else 'better' if high < 2 - margin else 'cannot tell'",
            "not at 2 − margin",
        ),
        (
            "def verdict(low, high, margin):\n"
            "    if low < 1 < high: return 'cannot tell'\n"
            "    return 'worse' if low > margin else 'better' if high < 1 / margin else 'level'",
            "whole interval is within",
        ),
        (
            "def verdict(low, high, margin):\n"
            "    mean = (low + high) / 2\n"
            "    return 'worse' if mean > margin else 'better' if mean < 1 / margin else 'level'",
            "not deciding is not equality",
        ),
    ],
    "10.7": [
        ("def holm(p): return list(p)", "nothing is corrected"),
        ("def holm(p): return [min(1, len(p) * v) for v in p]", "Bonferroni"),
        ("def holm(p): return [min(1, (len(p) - k) * v) for k, v in enumerate(p)]", "not by place"),
        (
            "from scipy import stats\ndef holm(p): return list(stats.false_discovery_control(p))",
            "Hochberg",
        ),
        (
            _HOLM
            + "    m = 1\n"
            + "    for r, k in reversed([*enumerate(order)]): m = min(m, (n - r) * p[k]); out[k] = m\n"
            + "    return out",
            "start at the smallest",
        ),
        (
            _HOLM
            + "    m = 0\n"
            + "    for r, k in enumerate(order): m = max(m, min(1, (n - r - 1) * p[k])); out[k] = m\n"
            + "    return out",
            "from n down to 1",
        ),
        (
            "def holm(p):\n"
            "    p = np.array(p); o = np.argsort(p); n = len(p)\n"
            "    return np.minimum(1, np.maximum.accumulate(p[o] * np.arange(n, 0, -1)))[o]",
            "place of its own p",
        ),
        (_HOLM + "    return [v < 0.05 / (n - order.index(k)) for k, v in enumerate(p)]", "not decisions"),
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
        (_FAIR.replace("d='size'", "d='tuning'"), "a layer less"),
        (_FAIR.replace("e='tuning'", "e='seeds'"), "twelve tries"),
        (_FAIR.replace("g='tuning'", "g='seeds'"), "very text"),
        (_FAIR.replace("c='seeds'", "c=None"), "missing: c"),
        (_FAIR.replace("g='tuning'", "g='fair'"), "very text"),
        (_FAIR.replace(", g='tuning'", ""), "missing: g"),
        (_FAIR.replace("e='tuning'", "e='rates'"), "one of fair"),
        ("fair = ['fair', 'tuning']", "a dict"),
    ],
}
