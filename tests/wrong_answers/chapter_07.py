"""What readers of chapter 07 answer, and the words they must be told."""

_CUT = """
def cut(tokens, batch_size, num_steps):
    L = len(tokens) // batch_size
    rows = tokens[: batch_size * L].reshape(batch_size, L).T
    n = (L - 1) // num_steps
"""
_PAIRS = """
    return [(rows[k*num_steps:(k+1)*num_steps], rows[k*num_steps+1:(k+1)*num_steps+1]) for k in range(n)]
"""

_STACK = """
def stack_step(x, states, cells, drop):
    y, new = x, []
    for k, (cell, state) in enumerate(zip(cells, states)):
"""
_UP = "        y, s = cell(drop(y), state); new.append(s)\n    return drop(y), new"

_MEAN = "def for_a_mean(rate, max_norm, num_steps, batch_size): return "
_PPL = "def perplexity_of(windows): return "
_LEFT = {"old": 1, "banyan": 2, "tree": 1, "young": 1, "<eos>": 1}
_CAUSES = {"A": "padding", "B": "base", "C": "means", "D": "swapped", "E": "reset", "F": "dropout"}


def _left(**changes):
    return f"continuation = {_LEFT | changes}"


def _cause(**changes):
    return f"diagnosis = {_CAUSES | changes}"


WRONG = {
    "07.1": [
        (_CUT.replace(").T", ")") + _PAIRS.replace("rows[", "rows[:, "), "time runs down"),
        (_CUT.replace("reshape(batch_size, L).T", "reshape(L, batch_size)") + _PAIRS, "every third"),
        (_CUT + _PAIRS.replace("(k+1)*num_steps+1", "(k+1)*num_steps"), "every input has its target"),
        (
            _CUT + _PAIRS.replace("num_steps+1:(k+1)*num_steps+1", "num_steps:(k+1)*num_steps"),
            "are the inputs",
        ),
        (
            _CUT
            + "    cut = [rows[k*num_steps:(k+1)*num_steps] for k in range(n)]\n"
            + "    return [(c, np.roll(c, -1, 0)) for c in cut]",
            "goes round the corner",
        ),
        (_CUT.replace("(L - 1)", "L") + _PAIRS, "an incomplete one is left out"),
        (_CUT.replace("(L - 1) // num_steps", "(L - 1) // num_steps or 1") + "    n = 1\n" + _PAIRS, "not 1"),
        (
            "def cut(tokens, batch_size, num_steps):\n    T, B = num_steps, batch_size\n"
            "    n = (len(tokens) - 1) // (T * B)\n    return [(tokens[k*T*B:(k+1)*T*B].reshape(B, T).T, "
            "tokens[k*T*B+1:(k+1)*T*B+1].reshape(B, T).T) for k in range(n)]",
            "state of another piece",
        ),
        (_CUT + "    return rows[:-1], rows[1:]", "list of pairs"),
        (
            _CUT + "    s = num_steps\n    return [(rows[k:k+s], rows[k+1:k+s+1]) for k in range(0, n, 1)]",
            "does not go on where",
        ),
        (
            _CUT
            + "    s = num_steps\n    return [(rows[k*s+1:(k+1)*s+1], rows[k*s:(k+1)*s]) for k in range(n)]",
            "changed places",
        ),
        (
            _CUT
            + "    s = (num_steps, batch_size)\n"
            + "    return [(rows[k*num_steps:(k+1)*num_steps].T.reshape(s), "
            + "rows[k*num_steps+1:(k+1)*num_steps+1].T.reshape(s)) for k in range(n)]",
            "right words in the wrong places",
        ),
    ],
    "07.2": [
        (_STACK + "        y, s = cell(y, state); new.append(s)\n    return y, new", "nothing is dropped"),
        (_STACK + _UP.replace("return drop(y)", "return y"), "softmax without"),
        (_STACK.replace("y, new = x", "y, new = drop(x)") + _UP, "x is dropped twice"),
        (_STACK + _UP.replace("drop(y), state", "drop(y) if k else y, state"), "first cell without"),
        (_STACK + _UP.replace("drop(y), state", "y if k else drop(y), state"), "between the two cells"),
        (_STACK + _UP.replace("drop(y), state", "drop(y), tuple(drop(a) for a in state)"), "pass whole"),
        (_STACK + _UP.replace("drop(y), state", "drop(y), (drop(state[0]), state[1])"), "pass whole"),
        (_STACK + _UP.replace("append(s)", "append((drop(s[0]), s[1]))"), "carried to the next step"),
        (_STACK + _UP.replace("append(s)", "append(tuple(drop(a) for a in s))"), "carried to the next step"),
        (_STACK + _UP.replace("return drop(y)", "return drop(drop(y))"), "dropped twice"),
        (_STACK + _UP.replace("append(s)", "append(state)"), "not those that the cells return"),
        (_STACK + _UP.replace("drop(y), new", "drop(y)"), "a pair"),
        (_STACK + _UP.replace("cell(drop(y)", "cell(drop(x)"), "every cell is given the word"),
        (_STACK + _UP.replace("state)", "s if k else state)", 1), "new state of the cell below"),
        (
            "def stack_step(x, states, cells, drop):\n    for k, cell in enumerate(cells):\n"
            "        x, states[k] = cell(drop(x), states[k])\n    return drop(x), states",
            "changes its arguments",
        ),
    ],
    "07.3": [
        (_MEAN + "rate / num_steps, max_norm / num_steps", "larger or a smaller rate"),
        (_MEAN + "rate * num_steps, max_norm", "as long as nothing is clipped"),
        (_MEAN + "rate * num_steps, max_norm * num_steps", "smaller, and the bound larger"),
        (_MEAN + "rate * num_steps * batch_size, max_norm / num_steps", "rows count twice"),
        (_MEAN + "rate, max_norm / num_steps", "does not make up"),
        (_MEAN + "rate * num_steps", "a pair"),
        (_MEAN + "rate * batch_size, max_norm / batch_size", "without clipping"),
        (_MEAN + "max_norm / num_steps, rate * num_steps", "changed places"),
        (_MEAN + "str(rate * num_steps), str(max_norm / num_steps)", "pair of numbers"),
    ],
    "07.4": [
        (_PPL + "np.exp(np.mean([w.mean() for w in windows]))", "below 1"),
        (_PPL + "np.exp(-np.mean([w.mean() for w in windows]))", "a mean of means"),
        (_PPL + "np.mean([np.exp(-w.mean()) for w in windows])", "mean of perplexities"),
        (_PPL + "np.exp(sum(w.sum() for w in windows) / sum(w.size for w in windows))", "below 1"),
        (_PPL + "-sum(w.sum() for w in windows) / sum(w.size for w in windows)", "exp is missing"),
        (_PPL + "2 ** (-sum(w.sum() for w in windows) / sum(w.size for w in windows))", "natural logarithms"),
        (_PPL + "np.exp(-sum(w.sum() for w in windows) / (len(windows) * windows[0].size))", "not there"),
        (_PPL + "np.exp(-np.mean(windows[:-1]))", "left out"),
        (_PPL + "np.exp(-sum(w.sum() for w in windows) / sum(len(w) for w in windows))", "number of steps"),
        (_PPL + "np.mean(np.exp(-np.concatenate([w.ravel() for w in windows])))", "mean of the logarithms"),
        (_PPL + "np.exp(-np.mean(windows))", "ValueError"),
        (_PPL + "[np.exp(-w.mean()) for w in windows]", "one perplexity"),
        (_PPL + "np.exp(-windows[0].mean())", "return inside the loop"),
        (_PPL + "np.exp(-sum(w.sum() for w in windows) / len(windows))", "how many words"),
        (_PPL + "np.exp(-sum(w.sum() for w in windows))", "how many words"),
        (_PPL + "np.exp(-np.concatenate(windows).mean(0)).mean()", "mean over rows"),
        (_PPL + "1 / np.exp(np.concatenate(windows)).mean()", "mean of the probabilities"),
    ],
    "07.5": [
        (_left(tree=2), "how often each word occurs"),
        (_left(banyan=1, tree=2, **{"<eos>": 0}), "right neighbours"),
        (_left(old=0), "start symbol"),
        ("continuation = {'old': 1, 'banyan': 2, 'tree': 1, 'young': 1}", "missing: <eos>"),
        (_left(**{"<s>": 0}), "ever predicted"),
        (_left(banyan=1), "banyan is not 1"),
        (_left(banyan=["old", "young"]), "how many words"),
        ("continuation = [1, 2, 1, 1, 1]", "a dict is asked for"),
    ],
    "07.6": [
        (_cause(A="means"), "costs nothing"),
        (_cause(B="means"), "2 and e to that power"),
        (_cause(C="padding"), "short sentence"),
        (_cause(D="dropout"), "unigram model has no state"),
        (_cause(E="padding"), "beginnings"),
        (_cause(F="reset"), "random"),
        (_cause(F="the weather"), "none of the causes"),
        (_cause(F=0).replace("0}", "...}"), "still open"),
        ("diagnosis = {'A': 'padding'}", "no cause is given for B"),
        ("diagnosis = 'padding'", "a dict is asked for"),
    ],
}
