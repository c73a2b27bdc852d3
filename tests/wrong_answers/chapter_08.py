"""What readers of chapter 08 answer, and the words they must be told."""

_NEXT = "def next_word(joint, prefix):\n    V, T, t = joint.shape[0], joint.ndim, len(prefix)\n    "

_LEAKS = """
def leaks(model, tokens, V):
    before = model(tokens)
    for s in {steps}:
        changed = tokens.copy()
        changed[s] = {other}
        after = model(changed)
        if {moved}:
            return True
    return False
"""


def _leak_test(
    steps="range(1, len(tokens))", other="(changed[s] + 1) % V", moved="(after[:s] != before[:s]).any()"
):
    return _LEAKS.format(steps=steps, other=other, moved=moved)


_FORWARD = "def forward(x, layers, states):\n    new = []\n"
_LOOP = "    for layer, state in zip(layers, states):\n"
_REST = "        new.append(state)\n    return x, new"

_VERDICTS = {"A": "leaks", "B": "causal", "C": "leaks", "D": "leaks", "E": "causal", "F": "causal"}


def _verdict(**changes):
    return f"suspicion = {_VERDICTS | changes}"


_LIMITS = "def limits(s, n): return "
_TWO = "def two_perplexities(losses):\n    every = np.concatenate(losses)\n    return "
_GOOD, _THEIRS = "float(np.exp(every.mean()))", "float(np.exp(np.mean([l[1:].mean() for l in losses])))"

_PARTS = """
def parts(blocks, biases, words, H, wide=0):
    output = {output}
    return {{"embedding": {embedding}, "layers": {layers}, "output": output}}
"""


def _parts(
    embedding="words * H",
    layers="2 * blocks * (2 * H * H + biases * H)",
    output="H * wide + wide + wide * words + words if wide else H * words + words",
):
    return _PARTS.format(embedding=embedding, layers=layers, output=output)


WRONG = {
    "08.1": [
        (_NEXT + "return joint[prefix]", "Sum over the words after the next"),
        (_NEXT + "return joint[prefix].reshape(V, -1).sum(1)", "do not sum to 1"),
        (_NEXT + "return joint.sum(tuple(k for k in range(T) if k != t))", "ignores the words"),
        (
            _NEXT + "best = joint[prefix].reshape(V, -1).max(1)\n    return best / best.sum()",
            "likeliest rest",
        ),
        (_NEXT + "return np.full(V, 1 / V)", "not p(next word | prefix)"),
        (_NEXT + "return 2 * joint[prefix].reshape(V, -1).sum(1)", "sum to 2.000"),
        (
            _NEXT + "p = joint.sum(0)[prefix[-1]] if t == 2 else joint[prefix]\n"
            "    p = p.reshape(V, -1).sum(1)\n    return p / p.sum()",
            "last of them alone",
        ),
        (
            "def next_word(joint, prefix):\n    t = len(prefix)\n"
            "    rest = joint.sum((1, 2)) if t == 0 else joint.sum(2)[prefix] if t == 1 else joint[prefix]\n"
            "    return rest / rest.sum()",
            "out of bounds",
        ),
    ],
    "08.2": [
        (_leak_test(steps="[len(tokens) - 1]"), "step 2"),
        (_leak_test(steps="range(1, len(tokens) - 1)"), "Is the last word changed"),
        (_leak_test(moved="(after[0] != before[0]).any()"), "all steps before it"),
        (_leak_test(moved="(after[s - 1] != before[s - 1]).any()"), "each score before it"),
        (_leak_test(moved="(after[:s] != before[:s]).all()"), "One that moves is enough"),
        (_leak_test(moved="(after[:s] - before[:s]).sum() > 1e-12"), "up or down"),
        (_leak_test().removesuffix("    return False\n"), "returns nothing where no score has moved"),
        (_leak_test(moved="(after != before).any()"), "a causal model leaks"),
        (_leak_test(moved="(after[:s + 1] != before[:s + 1]).any()"), "a causal model leaks"),
        (_leak_test(moved="(after[:s, 0] != before[:s, 0]).any()"), "second sequence"),
        (_leak_test(other="0"), "already"),
        (_leak_test(moved="not np.allclose(after[:s], before[:s])"), "last bit"),
        (_leak_test(other="changed[s] + 1"), "out of bounds"),
        (_leak_test(other="np.maximum(changed[s] - 1, 0)"), "really become another"),
        (_LEAKS.format(steps="range(1, len(tokens))", other="0", moved="True"), "a causal model leaks"),
        ("def leaks(model, tokens, V): return False", "first scores know the last word"),
        ("def leaks(model, tokens, V): return 1.0", "True or False"),
        (
            "def leaks(model, tokens, V):\n    before = model(tokens)\n"
            "    tokens[-1] = (tokens[-1] + 1) % V\n"
            "    return bool((model(tokens)[:-1] != before[:-1]).any())",
            "in place",
        ),
    ],
    "08.3": [
        (
            _FORWARD
            + "    state = states[0]\n    for layer in layers:\n        x, state = layer(x, state)\n"
            + _REST,
            "still leaks",
        ),
        (_FORWARD + _LOOP + "        x, state = layer(x, None)\n" + _REST, "left behind is lost"),
        (_FORWARD + _LOOP + "        x, state = layer(x, states[0])\n" + _REST, "Each has its own"),
        (
            _FORWARD
            + _LOOP.replace("states)", "states[::-1])")
            + "        x, state = layer(x, state)\n"
            + _REST,
            "wrong order",
        ),
        (
            _FORWARD + _LOOP + "        y, state = layer(x, state)\n" + _REST.replace("x, new", "y, new"),
            "reads x",
        ),
        (_FORWARD + _LOOP + "        x, _ = layer(x, state)\n" + _REST, "have ended"),
        (_FORWARD + _LOOP + "        x, _ = layer(x, state)\n        state = x[-1]\n" + _REST, "not a state"),
        (
            _FORWARD
            + _LOOP.replace("zip(layers, states)", "zip(layers[::-1], states[::-1])")
            + "        x, state = layer(x, state)\n"
            + _REST.replace("x, new", "x, new[::-1]"),
            "output of the top layer",
        ),
        (_FORWARD + _LOOP + "        x, state = layer(x, state)\n" + _REST.replace("x, new", "x"), "a pair"),
        (
            _FORWARD + _LOOP + "        x, state = layer(x, state)\n" + _REST.replace("x, new", "x, state"),
            "for each layer",
        ),
        (
            _FORWARD
            + _LOOP
            + "        x, state = layer(x, state)\n"
            + _REST.replace("new.append(state)", "new.insert(0, state)"),
            "from the bottom up",
        ),
    ],
    "08.4": [
        (_verdict(A="causal"), "reads backwards"),
        (_verdict(B="leaks"), "belong to one step"),
        (_verdict(C="causal"), "computed from the last word"),
        (_verdict(D="causal"), "step 0 look at"),
        (_verdict(E="leaks"), "is left for step 0"),
        (_verdict(F="leaks"), "Any order"),
        (_verdict(F="yes"), "neither"),
        ('suspicion = {"A": "leaks"}', "no verdict on B, C, D, E, F"),
        ('suspicion = ["leaks"]', "a dict"),
    ],
    "08.5": [
        (_LIMITS + "(s, s)", "everybody can count"),
        (_LIMITS + "(s ** (n / (n + 1)), s)", "everybody can count"),
        (_LIMITS + "(s ** ((n - 1) / n), s ** (n / (n + 1)))", "wrong order"),
        (_LIMITS + "(s ** (n / (n + 1)),) * 2", "first roll"),
        (_LIMITS + "(s ** (n / (n + 1)), s ** ((n - 1) / (n + 1)))", "divide"),
        (_LIMITS + "s ** (n / (n + 1))", "a pair"),
        (_LIMITS + "(s ** ((n - 1) / n),) * 2", "5 predictions"),
        (_LIMITS + "np.log(s) * n / (n + 1), np.log(s) * (n - 1) / n", "exp of that"),
        (_LIMITS + "(s + 1.0, s + 1.0)", "not one side more"),
        (_LIMITS + "((n * s + 1) / (n + 1), ((n - 1) * s + 1) / n)", "mean of perplexities"),
    ],
    "08.6": [
        (_TWO + f"{_THEIRS}, {_GOOD}", "wrong order"),
        (_TWO + f"{_GOOD}, {_GOOD}", "not exp of the mean of the sentences"),
        (_TWO + f"float(np.exp(np.mean([l.mean() for l in losses]))), {_THEIRS}", "every word counts alike"),
        (
            _TWO + f"float(np.exp(np.concatenate([l[1:] for l in losses]).mean())), {_THEIRS}",
            "predicted as well",
        ),
        (
            _TWO + f"{_GOOD}, float(np.exp(np.concatenate([l[1:] for l in losses]).mean()))",
            "mean of these means",
        ),
        (_TWO + f"{_GOOD}, float(np.exp(np.mean([l.mean() for l in losses])))", "is left out"),
        (_TWO + f"{_GOOD}, float(np.exp(np.mean([l[:-1].mean() for l in losses])))", "end of the sentence"),
        (_TWO + f"{_GOOD}, float(np.mean([np.exp(l[1:].mean()) for l in losses]))", "exp comes last"),
        (_TWO + f"{_GOOD}, float(np.exp(np.mean([l[1:].sum() / len(l) for l in losses])))", "not counted"),
        (_TWO + f"float(every.mean()), {_THEIRS}", "exp of that"),
        (_TWO + _GOOD, "a pair"),
        (_TWO + f"{_GOOD}, np.mean([l[1:].mean() for l in losses])", "exp of it"),
        (_TWO + f"{_GOOD}, np.exp([l[1:].mean() for l in losses])", "one number"),
        (_TWO + f"2 ** every.mean(), {_THEIRS}", "power of 2"),
        (_TWO + f"np.exp(every).mean(), {_THEIRS}", "exp comes last"),
    ],
    "08.7": [
        (_parts(layers="blocks * (2 * H * H + biases * H)"), "two layers"),
        (_parts(layers="2 * blocks * 2 * H * H"), "have a bias each"),
        (_parts(layers="2 * blocks * (2 * H * H + H)"), "have no bias"),
        (_parts(layers="2 * blocks * (2 * H * H + 2 * biases * H)"), "two biases"),
        (_parts(layers="2 * blocks * (H * H + biases * H)"), "two matrices"),
        (_parts(layers="2 * 4 * (2 * H * H + biases * H)"), "in the layers"),
        (_parts(output="H * words + words"), "in two steps"),
        (_parts(output="wide * words + words if wide else H * words + words"), "H → wide"),
        (_parts(output="H * wide + wide * words if wide else H * words"), "has a bias"),
        (_parts(output="H * wide + wide * words + words if wide else H * words + words"), "has a bias"),
        (
            _parts(output="H * words + words + (H * wide + wide + wide * words + words) * (wide > 0)"),
            "no way past it",
        ),
        (_parts(layers="2 * blocks * (2 * H * H + biases)"), "a bias of its own"),
        (_parts(layers="2 * (blocks * 2 * H * H + biases * H)"), "a bias of its own"),
        (_parts(embedding="H"), "one row"),
        ("def parts(blocks, biases, words, H, wide=0): return 5", "a dict"),
        ("def parts(blocks, biases, words, H, wide=0): return {'layers': 1}", "no embedding, output"),
    ],
}
