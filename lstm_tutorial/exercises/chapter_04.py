"""Chapter 04: perplexity, the gradients of softmax and embedding, clipping, Adam, temperature."""

import numpy as np

from . import attempt, exercise, expect, near

_RNG = np.random.default_rng(4)
_STEP = 1e-6


@exercise("04.1", reference=lambda nats: float(np.exp(np.mean(nats))))
def perplexity_of(answer):
    """Perplexity from the surprisals of all tokens: a model as unsure as k dice has k."""
    nats = np.array([0.1, 2.3, 0.7, 4.0, 1.1])
    got = attempt(answer, nats)
    expect(np.ndim(got) == 0, f"a text has one perplexity, and not an array of shape {np.shape(got)}")
    expect(not near(got, np.exp(-nats.mean())), "the sign is there twice: a surprisal is −log q already")
    expect(not near(got, 2 ** nats.mean()), "2 to the power goes with bits; these are nats")
    expect(
        not near(got, np.exp(nats).mean()),
        "it is a mean of perplexities: the one bad word would weigh more than all the others together",
    )
    expect(not near(got, np.exp(nats.sum())), "it grows with the length of the text: take the mean per token")
    expect(not near(got, nats.mean()), "that is the cross-entropy, in nats; perplexity counts choices")
    sides = [attempt(answer, np.log(np.full(n, 6.0))) for n in (1, 10)]
    expect(near(sides, [6.0, 6.0]), "a fair die, whose every throw costs log 6 nats, has perplexity 6")
    expect(near(got, np.exp(nats.mean())), "it is not exp of the mean surprisal")


def _softmax(s):
    e = np.exp(s - s.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _loss(s, targets):
    return -np.mean(np.log(_softmax(s)[np.arange(len(s)), targets]))


def _d_scores(s, targets):
    q = _softmax(s)
    q[np.arange(len(s)), targets] -= 1
    return q / len(s)


@exercise("04.2", reference=_d_scores)
def d_scores(answer):
    """The gradient of the mean cross-entropy in the scores, against central differences."""
    s, targets = _RNG.normal(size=(3, 5)), np.array([1, 4, 1])
    kept = s.copy()
    right = np.empty_like(s)
    for k in np.ndindex(s.shape):
        nudge = np.zeros_like(s)
        nudge[k] = _STEP
        right[k] = (_loss(s + nudge, targets) - _loss(s - nudge, targets)) / (2 * _STEP)
    got = np.asarray(attempt(answer, s, targets, may_change=True))
    expect(np.array_equal(s, kept), "it changes the scores that it was given: work on a copy")
    expect(got.shape == s.shape, f"the gradient of s has the shape of s, {s.shape}, and not {got.shape}")
    expect(
        not near(got, 3 * right, 1e-6), "the loss is a mean over the N rows, and the gradient lacks that 1/N"
    )
    expect(
        not near(got, -right, 1e-6), "the sign is wrong: a step against it would lower the right word's score"
    )
    expect(
        not near(got, _softmax(s) / 3, 1e-6) and not near(got, _softmax(s), 1e-6),
        "these are the probabilities: what becomes of the row's target?",
    )
    over_rows = np.exp(s) / np.exp(s).sum(0)
    over_rows[np.arange(3), targets] -= 1
    expect(
        not near(got, over_rows / 3, 1e-6) and not near(got, over_rows, 1e-6),
        "softmax runs over the V words of a row, and not over the N rows",
    )
    expect(near(got, right, 1e-6), "it differs from what central differences of the loss measure")
    with np.errstate(all="ignore"):
        large = np.asarray(attempt(answer, s + 1000, targets))
    expect(
        np.isfinite(large).all(),
        "with scores around 1000 it is not finite: exp overflows unless they are shifted",
    )
    expect(near(large, right, 1e-6), "it changes when all scores grow by 1000; softmax does not")


def _d_embedding(tokens, dx, V):
    dE = np.zeros((V, dx.shape[-1]))
    np.add.at(dE, tokens, dx)
    return dE


@exercise("04.3", reference=_d_embedding)
def d_embedding(answer):
    """The gradient of the embedding matrix, against the product with one-hot vectors."""
    V, D = 5, 3
    tokens = np.array([[1, 4], [1, 0], [1, 4]])  # (T, B)
    dx = _RNG.normal(size=(3, 2, D))
    one_hot = np.eye(V)[tokens]  # (T, B, V)
    right = np.einsum("tbv,tbd->vd", one_hot, dx)
    got = np.asarray(attempt(answer, tokens, dx, V))
    expect(got.shape != (D, V), f"it is the transpose: E is (V, D) = {V, D}, and its gradient has E's shape")
    expect(got.shape == (V, D), f"E is (V, D) = {V, D}, and its gradient has E's shape, not {got.shape}")
    last = np.zeros((V, D))
    last[tokens] = dx
    expect(
        not near(got, last),
        "word 1 occurs three times, and only its last occurrence counts: repeated indices do not add up",
    )
    counts = np.maximum(one_hot.sum((0, 1)), 1)[:, None]
    expect(
        not near(got, right / counts), "it is a mean over the occurrences of a word; the loss adds them up"
    )
    expect(not got[[2, 3]].any(), "words that do not occur get a gradient")
    expect(near(got, right), "it differs from the sum of dx over all places where a word stands")


def _clip(grads, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    factor = min(1.0, max_norm / norm)
    return {name: factor * g for name, g in grads.items()}


@exercise("04.4", reference=_clip)
def clip_all(answer):
    """Clipping by the global norm: direction kept, length bounded, small gradients untouched."""
    grads = {
        "W": np.array([[3.0, 0.0], [0.0, 4.0]]),
        "b": np.array([0.0, 12.0]),
    }  # norms 5 and 12, together 13
    given = {name: g.copy() for name, g in grads.items()}
    got = attempt(answer, given, 6.5)
    expect(isinstance(got, dict) and set(got) == set(grads), "it returns a dict with the names it was given")
    factors = {name: np.asarray(got[name])[g != 0] / g[g != 0] for name, g in grads.items()}
    every = np.concatenate(list(factors.values()))
    expect(
        not (near(every[:2], [1, 1]) and near(every[2], 6.5 / 12)),
        "each tensor is clipped for itself, which turns the direction: one factor for all",
    )
    expect(
        not near(every, [1, 1, 6.5 / 12]) and np.ptp(every) < 1e-9,
        "the numbers are not scaled by one common factor, so the direction changes",
    )
    expect(not near(every, np.full(3, 6.5 / 169)), "the norm is the square root of the sum of squares")
    expect(
        not near(every, np.full(3, 6.5 / 17)),
        "the norms of the tensors, 5 and 12, are added: the global norm is that of one long vector, 13",
    )
    expect(near(every, np.full(3, 0.5)), "a gradient of norm 13 clipped to 6.5 is half of it")
    kept = attempt(answer, {name: g.copy() for name, g in grads.items()}, 26.0)
    expect(
        all(near(kept[name], g) for name, g in grads.items()),
        "a gradient shorter than max_norm is left as it is, and not lengthened",
    )


def _adam_step(p, g, m, v, t, rate):
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g**2
    return p - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v


@exercise("04.5", reference=_adam_step)
def adam_step(answer):
    """One step of Adam: what it must do on a constant gradient is known without any code."""
    p, g = np.array([1.0, 1.0, 1.0]), np.array([2.0, -0.01, 300.0])
    zero = np.zeros(3)
    given = attempt(answer, p.copy(), g.copy(), zero.copy(), zero.copy(), 1, 0.1)
    expect(isinstance(given, tuple) and len(given) == 3, "it returns three things: p, m and v")
    new, m, v = (np.asarray(a) for a in given)
    expect(not near(new, p + 0.1 * np.sign(g), 1e-4), "it climbs: a step goes against the gradient")
    expect(near(m, 0.1 * g), "after the first step m is 0.1 g: m keeps 0.9 of itself and takes 0.1 of g")
    expect(not near(v, 0.001 * g), "v is a mean of squares, and g is not squared in it")
    expect(near(v, 0.001 * g**2), "after the first step v is 0.001 g²: it keeps 0.999 and takes 0.001")
    expect(
        not near(new, p - 0.1 * 0.1 * np.sign(g) / 0.001**0.5, 1e-3),
        "m and v start at zero and are too small at first: divide by 1 − 0.9ᵗ and 1 − 0.999ᵗ",
    )
    expect(
        not near(new, p - 0.1 * np.sign(g) * 0.001**-0.5, 1e-3)
        and not near(new, p - 0.01 * np.sign(g), 1e-3),
        "only one of the two means is corrected for its start at zero",
    )
    expect(
        not near(new, p - 0.1 / g, 1e-3), "the root of v is missing: the step still depends on the scale of g"
    )
    expect(
        near(new, p - 0.1 * np.sign(g), 1e-4),
        "the first step is ± rate in every number, however large its gradient",
    )
    for t in range(2, 6):
        new, m, v = (np.asarray(a) for a in attempt(answer, new, g, m, v, t, 0.1))
    expect(
        near(new, p - 0.5 * np.sign(g), 1e-4),
        "with a constant gradient all five steps are ± rate; the later are not",
    )


@exercise("04.6", reference=lambda q, temperature: q ** (1 / temperature) / (q ** (1 / temperature)).sum())
def tempered(answer):
    """softmax(s / temperature) from the probabilities q = softmax(s)."""
    s = np.array([2.0, 1.0, 0.0, -1.0])
    q = np.exp(s) / np.exp(s).sum()
    right = np.exp(s / 0.5) / np.exp(s / 0.5).sum()
    got = np.asarray(attempt(answer, q.copy(), 0.5))
    expect(got.shape == q.shape, f"it returns one probability a word, {q.shape}, not {got.shape}")
    expect(not near(got, q**2), "these do not sum to one any more")
    expect(
        not near(got, q**0.5 / (q**0.5).sum()),
        "below 1 it should get sharper, and it gets flatter: what is 1/0.5?",
    )
    expect(not near(got, q), "dividing probabilities by a number and normalising them again changes nothing")
    twice = np.exp(q / 0.5) / np.exp(q / 0.5).sum()
    expect(
        not near(got, twice), "softmax is applied to probabilities; it is scores that are divided: s = log q"
    )
    expect(near(got.sum(), 1.0), "these do not sum to one")
    expect(near(got, right), "it is not softmax(s / temperature)")
    expect(near(attempt(answer, q.copy(), 1.0), q), "at temperature 1 nothing changes")
