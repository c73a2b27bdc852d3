"""Wrong answers to the exercises on training by hand."""

WRONG = {
    "04.1": [
        ("def perplexity_of(nats): return np.exp(-np.mean(nats))", "sign is there twice"),
        ("def perplexity_of(nats): return 2 ** np.mean(nats)", "goes with bits"),
        ("def perplexity_of(nats): return np.mean(np.exp(nats))", "mean of perplexities"),
        ("def perplexity_of(nats): return np.exp(np.sum(nats))", "length of the text"),
        ("def perplexity_of(nats): return np.exp(nats)", "one perplexity"),
        ("def perplexity_of(nats): return np.mean(nats)", "cross-entropy"),
        ("def perplexity_of(nats): return np.exp(np.median(nats)) + 1", "fair die"),
    ],
    "04.2": [
        (
            "def d_scores(s, targets):\n"
            "    q = np.exp(s - s.max(1, keepdims=True)); q /= q.sum(1, keepdims=True)\n"
            "    q[np.arange(len(s)), targets] -= 1\n"
            "    return q",
            "lacks that 1/N",
        ),
        (
            "def d_scores(s, targets):\n"
            "    q = np.exp(s) / np.exp(s).sum(1, keepdims=True)\n"
            "    return (np.eye(s.shape[1])[targets] - q) / len(s)",
            "sign is wrong",
        ),
        (
            "def d_scores(s, targets):\n"
            "    q = np.exp(s) / np.exp(s).sum(1, keepdims=True)\n"
            "    return q / len(s)",
            "becomes of the row's target",
        ),
        (
            "def d_scores(s, targets):\n"
            "    q = np.exp(s) / np.exp(s).sum(0)\n"
            "    q[np.arange(len(s)), targets] -= 1\n"
            "    return q / len(s)",
            "over the V words",
        ),
        (
            "def d_scores(s, targets):\n"
            "    q = np.exp(s) / np.exp(s).sum(1, keepdims=True)\n"
            "    return (q - np.eye(s.shape[1])[targets]) / len(s)",
            "exp overflows",
        ),
        (
            "def d_scores(s, targets):\n"
            "    s -= s.max(1, keepdims=True)\n"
            "    q = np.exp(s) / np.exp(s).sum(1, keepdims=True)\n"
            "    return (q - np.eye(s.shape[1])[targets]) / len(s)",
            "changes the scores",
        ),
        (
            "def d_scores(s, targets):\n"
            "    q = np.exp(s) / np.exp(s).sum(1, keepdims=True)\n"
            "    return q[np.arange(len(s)), targets] - 1",
            "shape of s",
        ),
    ],
    "04.3": [
        (
            "def d_embedding(tokens, dx, V):\n"
            "    dE = np.zeros((V, dx.shape[-1])); dE[tokens] += dx; return dE",
            "do not add up",
        ),
        (
            "def d_embedding(tokens, dx, V):\n"
            "    dE = np.zeros((V, dx.shape[-1])); dE[tokens] = dx; return dE",
            "do not add up",
        ),
        (
            "def d_embedding(tokens, dx, V):\n    return np.einsum('tbv,tbd->dv', np.eye(V)[tokens], dx)",
            "transpose",
        ),
        ("def d_embedding(tokens, dx, V): return dx", "has E's shape"),
        (
            "def d_embedding(tokens, dx, V):\n"
            "    hot = np.eye(V)[tokens]\n"
            "    return np.einsum('tbv,tbd->vd', hot, dx) / np.maximum(hot.sum((0, 1)), 1)[:, None]",
            "mean over the occurrences",
        ),
        (
            "def d_embedding(tokens, dx, V):\n"
            "    dE = np.zeros((V, dx.shape[-1])); np.add.at(dE, tokens[0], dx[0]); return dE",
            "all places",
        ),
    ],
    "04.4": [
        (
            "def clip_all(grads, max_norm):\n"
            "    norms = {k: np.sqrt((g**2).sum()) for k, g in grads.items()}\n"
            "    return {k: g * min(1, max_norm / norms[k]) for k, g in grads.items()}",
            "each tensor is clipped for itself",
        ),
        (
            "def clip_all(grads, max_norm):\n"
            "    return {k: np.clip(g, -max_norm / 2, max_norm / 2) for k, g in grads.items()}",
            "common factor",
        ),
        (
            "def clip_all(grads, max_norm):\n"
            "    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))\n"
            "    return {k: g * max_norm / norm for k, g in grads.items()}",
            "not lengthened",
        ),
        (
            "def clip_all(grads, max_norm):\n"
            "    norm = sum((g**2).sum() for g in grads.values())\n"
            "    return {k: g * min(1, max_norm / norm) for k, g in grads.items()}",
            "square root",
        ),
        (
            "def clip_all(grads, max_norm):\n"
            "    norm = sum(np.sqrt((g**2).sum()) for g in grads.values())\n"
            "    return {k: g * min(1, max_norm / norm) for k, g in grads.items()}",
            "are added",
        ),
        ("def clip_all(grads, max_norm): return list(grads.values())", "a dict"),
    ],
    "04.5": [
        (
            "def adam_step(p, g, m, v, t, rate):\n"
            "    m = 0.9 * m + 0.1 * g; v = 0.999 * v + 0.001 * g**2\n"
            "    return p - rate * m / (np.sqrt(v) + 1e-8), m, v",
            "too small at first",
        ),
        (
            "def adam_step(p, g, m, v, t, rate):\n"
            "    m = 0.9 * m + 0.1 * g; v = 0.999 * v + 0.001 * g\n"
            "    return p - rate * m / (np.sqrt(abs(v)) + 1e-8), m, v",
            "not squared",
        ),
        (
            "def adam_step(p, g, m, v, t, rate):\n"
            "    m = 0.999 * m + 0.001 * g; v = 0.9 * v + 0.1 * g**2\n"
            "    return p - rate * m / (np.sqrt(v) + 1e-8), m, v",
            "m keeps 0.9",
        ),
        (
            "def adam_step(p, g, m, v, t, rate):\n"
            "    m = 0.9 * m + 0.1 * g; v = 0.999 * v + 0.001 * g**2\n"
            "    return p + rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
            "it climbs",
        ),
        (
            "def adam_step(p, g, m, v, t, rate):\n"
            "    m = 0.9 * m + 0.1 * g; v = 0.999 * v + 0.001 * g**2\n"
            "    return p - rate * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v",
            "only one of the two",
        ),
        (
            "def adam_step(p, g, m, v, t, rate):\n"
            "    m = 0.9 * m + 0.1 * g; v = 0.999 * v + 0.001 * g**2\n"
            "    return p - rate * (m / (1 - 0.9**t)) / (v / (1 - 0.999**t) + 1e-8), m, v",
            "root of v",
        ),
        (
            "def adam_step(p, g, m, v, t, rate):\n"
            "    m = 0.9 * m + 0.1 * g; v = 0.999 * v + 0.001 * g**2\n"
            "    return p - rate * (m / (1 - 0.9)) / (np.sqrt(v / (1 - 0.999)) + 1e-8), m, v",
            "the later are not",
        ),
        ("def adam_step(p, g, m, v, t, rate): return p - rate * g", "three things"),
    ],
    "04.6": [
        ("def tempered(q, temperature): return q ** (1 / temperature)", "sum to one"),
        (
            "def tempered(q, temperature):\n    r = q**temperature\n    return r / r.sum()",
            "it gets flatter",
        ),
        (
            "def tempered(q, temperature):\n    r = q / temperature\n    return r / r.sum()",
            "changes nothing",
        ),
        (
            "def tempered(q, temperature):\n    r = np.exp(q / temperature)\n    return r / r.sum()",
            "applied to probabilities",
        ),
        ("def tempered(q, temperature): return (q ** (1 / temperature)).sum()", "one probability a word"),
        ("def tempered(q, temperature): return np.log(q) / temperature", "sum to one"),
    ],
}
