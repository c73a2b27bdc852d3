"""A language model in NumPy alone: embedding, one recurrent layer of any cell, softmax; and its training.

    x^t = E[w^t]                 embedding: the row of E that belongs to the word w^t
    y^t = the cell's output      any cell of the catalogue, see :mod:`lstm_tutorial.numpy_lstm`
    s^t = W_s y^t + b_s          scores, one a word of the vocabulary
    q^t = softmax(s^t)           the model's probabilities of the next word
    L   = −mean of log q^t[v^t]  v^t the word that does come next: the cross-entropy, in nats a token

Letters: V words, T steps, B rows of text read side by side, D size of the embedding, H units, N tokens.
Parameters are one dict of arrays: E (V, D), W_s (V, H), b_s (V,), and those of the cell by their own names.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from . import numpy_lstm
from .spec import as_spec

__all__ = [
    "Adam",
    "Step",
    "agreement_accuracy",
    "batches",
    "clip",
    "init_params",
    "loss_and_gradients",
    "perplexity",
    "probabilities",
    "sample",
    "scores_of",
    "sgd",
    "softmax_cross_entropy",
    "surprisals",
    "train",
]


def init_params(
    spec,
    vocabulary_size,
    hidden_size,
    rng,
    embedding_size=None,
    dtype=np.float32,
    scale=None,
    forget_bias=0.0,
):
    """Random parameters, each drawn from U(−scale, scale); only b_s starts at zero.

    spec : the cell. vocabulary_size : V. hidden_size : H. embedding_size : D, by default H.
    rng : a ``numpy.random.Generator``. scale : by default 1/√H.
    forget_bias : is added to b_f, where the cell has one.
    """
    V, H, D = vocabulary_size, hidden_size, embedding_size or hidden_size
    scale = H**-0.5 if scale is None else scale
    params = {"E": rng.uniform(-scale, scale, (V, D)).astype(dtype)}
    params |= numpy_lstm.init_params(spec, D, H, rng, dtype, scale)
    params |= {"W_s": rng.uniform(-scale, scale, (V, H)).astype(dtype), "b_s": np.zeros(V, dtype)}
    if "b_f" in params:
        params["b_f"] += forget_bias
    return params


# --- forward and backward ----------------------------------------------------------------------------


def loss_and_gradients(spec, params, tokens, targets, state=None):
    """The loss on one batch, its gradient in every parameter, and the state to go on from.

    tokens, targets : (T, B) ids; targets are the words that come next. state : as this function returned it
    for the batch before, or None for zeros. It is a constant here: no gradient flows into the batch before,
    which is what truncates backpropagation through time.

    Returns the mean cross-entropy in nats a token, a dict of gradients with the names of ``params``, and the
    state after the last step.
    """
    spec, cell = as_spec(spec), _cell(params)
    T, B = tokens.shape

    x = params["E"][tokens]  # (T, B, D)
    y, state, tape = numpy_lstm.forward(spec, cell, x, state)  # (T, B, H)
    y = y.reshape(T * B, -1)
    s = y @ params["W_s"].T + params["b_s"]  # (T B, V)
    loss, ds = softmax_cross_entropy(s, targets.reshape(-1))

    grads = {"W_s": ds.T @ y, "b_s": ds.sum(0)}
    dy = (ds @ params["W_s"]).reshape(T, B, -1)
    dx, _, d_cell = numpy_lstm.backward(spec, cell, tape, dy)
    grads["E"] = np.zeros_like(params["E"])
    np.add.at(grads["E"], tokens, dx)  # a word that occurs twice collects twice
    return loss, grads | d_cell, state


def softmax_cross_entropy(s, targets):
    """−mean log softmax(s)[target], in nats, and its gradient in s: (q − onehot(target)) / N.

    s : (N, V) scores. targets : (N,) ids. Scores are shifted by their maximum first, which leaves softmax
    as it is and keeps exp from overflowing.
    """
    n = np.arange(len(targets))
    q = s - s.max(1, keepdims=True)
    at_target = q[n, targets]
    np.exp(q, out=q)
    total = q.sum(1, keepdims=True)
    loss = float(np.mean(np.log(total[:, 0]) - at_target, dtype=np.float64))
    q /= total
    q[n, targets] -= 1
    q /= len(targets)
    return loss, q


def scores_of(spec, params, tokens, state=None):
    """The scores (T, B, V) of every next word after tokens (T, B), and the state after the last step."""
    y, state, _ = numpy_lstm.forward(spec, _cell(params), params["E"][tokens], state)
    return y @ params["W_s"].T + params["b_s"], state


def _cell(params):
    """The parameters of the cell alone."""
    return {name: p for name, p in params.items() if name not in ("E", "W_s", "b_s")}


# --- training ------------------------------------------------------------------------------------------


def batches(tokens, batch_size, num_steps):
    """Cut a text into rows read side by side, and these into steps: a list of (tokens, targets), (T, B) each.

    tokens (N,). Row b of one batch goes on in row b of the next, so that the state can be carried. What does
    not fill a row or a last batch is left out. Raises ValueError if the text is too short for one batch.
    """
    width = len(tokens) // batch_size
    count = (width - 1) // num_steps
    if count < 1:
        raise ValueError(
            f"{len(tokens)} tokens are too few for a batch of {batch_size} rows of {num_steps} steps."
        )
    rows = np.ascontiguousarray(tokens[: batch_size * width].reshape(batch_size, width).T)  # (width, B)
    starts = range(0, count * num_steps, num_steps)
    return [(rows[k : k + num_steps], rows[k + 1 : k + 1 + num_steps]) for k in starts]


def clip(grads, max_norm):
    """Scale all gradients by one factor, so that their global norm is at most ``max_norm``.

    The global norm is that of all numbers of all gradients in one long vector: its direction is kept.
    Returns the gradients (new arrays where they were scaled) and the norm before.
    Source: Pascanu et al. 2013, algorithm 1.
    """
    norm = float(np.sqrt(sum(np.vdot(g, g) for g in grads.values())))
    if norm <= max_norm:
        return grads, norm
    return {name: g * (max_norm / norm) for name, g in grads.items()}, norm


def sgd(params, grads, rate):
    """One step of gradient descent: θ ← θ − rate · dθ, in place."""
    for name, g in grads.items():
        params[name] -= rate * g


@dataclass
class Adam:
    """The steps of Adam: ``adam = Adam()``, then again and again ``adam(params, grads, rate)``, in place.

    beta1, beta2 : how slowly the means m of the gradient and v of its square forget. epsilon : keeps a step
    finite where the gradient has always been zero. Source: Kingma and Ba 2015, algorithm 1.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    t: int = 0
    m: dict = field(default_factory=dict, repr=False)
    v: dict = field(default_factory=dict, repr=False)

    def __call__(self, params, grads, rate):
        self.t += 1
        # Means that start at zero are too small at first: both corrections in one factor each.
        rate = rate / (1 - self.beta1**self.t)
        correction = (1 - self.beta2**self.t) ** -0.5
        for name, g in grads.items():
            m = self.m.setdefault(name, np.zeros_like(g))
            v = self.v.setdefault(name, np.zeros_like(g))
            m += (1 - self.beta1) * (g - m)
            v += (1 - self.beta2) * (g * g - v)
            params[name] -= rate * m / (correction * np.sqrt(v) + self.epsilon)


@dataclass(frozen=True)
class Step:
    """One step of :func:`train`: the ``step``-th of ``steps``, in which epoch (from 0), the loss before it in
    nats a token, the global norm of the gradient before clipping, and the learning rate."""

    epoch: int
    step: int
    steps: int
    loss: float
    norm: float
    rate: float


def train(spec, params, text, *, epochs=1, batch_size=20, num_steps=20, rate=8e-3, max_norm=1.0, update=None):
    """Train a language model, one step for each turn of the loop that runs over this generator.

    spec, params : the cell and the parameters, which are changed in place. text : (N,) token ids.
    epochs : passes over the text; each starts from a zero state, which is carried from batch to batch.
    rate : of the first step; it falls on a straight line to zero at the end. max_norm : see :func:`clip`.
    update : :func:`sgd`, or by default a new :class:`Adam`.

    Yields a :class:`Step` after each update. A run ends early where a loss or a norm is not finite.
    """
    update = update or Adam()
    cut = batches(text, batch_size, num_steps)
    steps, state = epochs * len(cut), None
    for step in range(steps):
        epoch, k = divmod(step, len(cut))
        state = None if k == 0 else state
        loss, grads, state = loss_and_gradients(spec, params, *cut[k], state)
        grads, norm = clip(grads, max_norm)
        now = rate * (1 - step / steps)
        if not (np.isfinite(loss) and np.isfinite(norm)):
            yield Step(epoch, step + 1, steps, loss, norm, now)
            return
        update(params, grads, now)
        yield Step(epoch, step + 1, steps, loss, norm, now)


# --- what a trained model knows ------------------------------------------------------------------------


def surprisals(spec, params, text, first, num_steps=256):
    """−log q of every token of a text in nats, (N,): each predicted from all tokens before it.

    One pass, a zero state at the start that is carried through; the first token is predicted from ``first``
    (the id of <eos>), so that every token is predicted exactly once.
    """
    inputs = np.concatenate([[first], text[:-1]])
    nats, state = [], None
    for k in range(0, len(text), num_steps):
        s, state = scores_of(spec, params, inputs[k : k + num_steps, None], state)
        s, targets = s[:, 0].astype(np.float64), text[k : k + num_steps]
        s -= s.max(1, keepdims=True)
        nats.append(np.log(np.exp(s).sum(1)) - s[np.arange(len(s)), targets])
    return np.concatenate(nats)


def perplexity(spec, params, text, first):
    """exp of the mean surprisal over *all* tokens of a text; see :func:`surprisals`."""
    with np.errstate(over="ignore"):
        return float(np.exp(surprisals(spec, params, text, first).mean()))


def unigram_perplexity(train, text, vocabulary_size):
    """Perplexity of guessing by frequency in ``train``, whatever came before; an unseen word counts once."""
    counts = np.maximum(np.bincount(train, minlength=vocabulary_size), 1)
    return math.exp(-np.log(counts / counts.sum())[text].mean())


def agreement_accuracy(spec, params, items, first):
    """The share of agreement items whose right verb gets the higher score.

    items : a list of :class:`lstm_tutorial.data.banyan.AgreementItem`. first : the id of <eos>, which stands
    before every sentence. All items are read side by side, the shorter ones followed by anything: a causal
    model does not see it.
    """
    lengths = np.array([len(item.prefix) for item in items])
    tokens = np.full((1 + lengths.max(), len(items)), first)  # (T, B)
    for b, item in enumerate(items):
        tokens[1 : 1 + lengths[b], b] = item.prefix
    y, _, _ = numpy_lstm.forward(spec, _cell(params), params["E"][tokens])
    before_verb = y[lengths, np.arange(len(items))]  # (B, H)
    right, wrong = (np.array([getattr(item, which) for item in items]) for which in ("right", "wrong"))
    margin = (before_verb * (params["W_s"][right] - params["W_s"][wrong])).sum(1)
    return float(np.mean(margin + params["b_s"][right] - params["b_s"][wrong] > 0))


def probabilities(s, temperature=1.0):
    """softmax(s / temperature) over the last axis: below 1 sharper, above 1 flatter. In float64."""
    s = np.asarray(s, np.float64) / temperature
    q = np.exp(s - s.max(-1, keepdims=True))
    return q / q.sum(-1, keepdims=True)


def sample(spec, params, rng, prefix, length, temperature=1.0):
    """Draw ``length`` further tokens, one after the other: a list of ids.

    rng : a ``numpy.random.Generator``. prefix : ids read first, at least one, such as that of <eos>.
    """
    s, state = scores_of(spec, params, np.asarray(prefix)[:, None])
    drawn = []
    for _ in range(length):
        q = probabilities(s[-1, 0], temperature)
        drawn.append(int(rng.choice(len(q), p=q)))
        s, state = scores_of(spec, params, np.array([[drawn[-1]]]), state)
    return drawn
