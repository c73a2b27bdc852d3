"""Chapter 08: what may be conditioned on, finding and mending a leak, honest limits, two measures, sizes."""

import math
from functools import cache
from itertools import product

import numpy as np
import torch
from torch import nn

from ..causality import future_influence
from ..sentences import perplexity, perplexity_of_means
from ..studies.lstm_vs_gru import ROWS, settings
from ..training import build_model
from . import Wrong, attempt, exercise, expect, near

_RNG = np.random.default_rng(8)


# ---------------------------------------------------------------- 08.1, the chain rule


def _next_word(joint, prefix):
    rest = joint[prefix]
    rest = rest.reshape(len(rest), -1).sum(1)
    return rest / rest.sum()


@exercise("08.1", reference=_next_word)
def next_word(answer):
    """Every sentence of three words out of three, each with a random probability; then other sizes."""
    V, T = 3, 3
    joint = _RNG.dirichlet(np.ones(V**T)).reshape(V, V, V)
    for prefix in ((), (1,), (2, 0)):
        got = np.asarray(attempt(answer, joint, prefix), float)
        t = len(prefix)
        where = f"after {t} word{'s' * (t != 1)}"
        expect(
            got.shape == (V,),
            f"{where} it should give {V} probabilities, one for each next word, not the shape {got.shape}. "
            f"Sum over the words after the next",
        )
        unnormalised = joint[prefix].reshape(V, -1).sum(1)
        expect(
            t == 0 or not near(got, unnormalised),
            f"{where} the probabilities do not sum to 1: these are those of the prefix and the next word "
            f"together",
        )
        marginal = joint.sum(tuple(k for k in range(T) if k != t))
        expect(t == 0 or not near(got, marginal), f"{where} it ignores the words that have been read")
        expect(
            t < 2 or not near(got, joint.sum(0)[prefix[-1]] / joint.sum(0)[prefix[-1]].sum()),
            f"{where} it looks at the last of them alone",
        )
        greedy = joint[prefix].reshape(V, -1).max(1)
        expect(
            t == T - 1 or not near(got, greedy / greedy.sum()),
            f"{where} it takes the likeliest rest of the sentence. Every rest may follow: add them up",
        )
        expect(near(got.sum(), 1.0), f"{where} the probabilities sum to {got.sum():.3f}, not to 1")
        expect(near(got, unnormalised / unnormalised.sum()), f"{where} it is not p(next word | prefix)")
    for words in product(range(V), repeat=T):
        p = math.prod(attempt(answer, joint, words[:t])[words[t]] for t in range(T))
        expect(near(p, joint[words]), f"the product for the sentence {words} is not its probability")
    for V, T in ((4, 2), (2, 5)):
        joint = _RNG.dirichlet(np.ones(V**T)).reshape((V,) * T)
        got = np.asarray(attempt(answer, joint, (1,)), float)
        due = _next_word(joint, (1,))
        expect(near(got, due), f"it is right for 3 words and sentences of 3, and not for {V} and {T}")


# ---------------------------------------------------------------- 08.2, find a leak


def _leaks(model, tokens, vocabulary_size):
    before = model(tokens)
    for s in range(1, len(tokens)):
        changed = tokens.copy()
        changed[s] = (changed[s] + 1) % vocabulary_size
        if (model(changed)[:s] != before[:s]).any():
            return True
    return False


_T, _B, _V = 5, 2, 7
_E = _RNG.normal(size=(_V, _V))
_CAUSAL = np.tril(_RNG.uniform(0.5, 1.5, (_T, _T)))


def _linear(weights, sequence=None):
    """Scores of step t: Σ_s weights[t, s] E[word s]. ``sequence``: where those above the diagonal act."""

    def model(tokens):
        scores = np.zeros((*tokens.shape, _V))
        for t, s in product(range(_T), repeat=2):
            rows = slice(None) if s <= t or sequence is None else [sequence]
            scores[t, rows] += weights[t, s] * _E[tokens[s, rows]]
        return scores

    return model


def _with_leak(late, early, size=1.0):
    weights = _CAUSAL.copy()
    weights[early, late] = size
    return weights


@exercise("08.2", reference=_leaks)
def leaks(answer):
    """Linear models, whose every wire is known: some causal, some with a single wire from a later word."""
    tokens = np.array([[1, 5], [2, 0], [3, 3], [6, 4], [4, 0]])
    models = [
        (
            _linear(_CAUSAL),
            False,
            "it says that a causal model leaks. A word may move the scores of its own step and of later "
            "ones: which may it not move?",
        ),
        (
            _linear(np.eye(_T)),
            False,
            "it says that a model leaks which knows nothing but the word it has just read",
        ),
        (
            _linear(_with_leak(_T - 1, 0)),
            True,
            "it misses that the first scores know the last word: the leak of seed 001. Is the last word "
            "changed, and is each score before it looked at? One that moves is enough",
        ),
        (
            _linear(_with_leak(2, 1)),
            True,
            "it misses a model in which the scores after step 1 know the word at step 2. Is each word "
            "changed in turn, and are the scores of all steps before it compared, up or down?",
        ),
        (
            _linear(_with_leak(_T - 1, 0), sequence=1),
            True,
            "it misses a leak in the second sequence. Are all sequences looked at, and does every word "
            "really become another one? A word that is 0 already does not change when it is set to 0",
        ),
        (
            _linear(_with_leak(_T - 1, 0, size=1e-9)),
            True,
            "it misses a small leak. How far may an earlier score move? Not by the last bit",
        ),
    ]
    attempt(answer, models[2][0], tokens, _V)  # an untouched stub ends here
    for model, due, reason in models:
        (got,) = attempt(lambda *given: (answer(*given),), model, tokens, _V)
        expect(got is not None, "it returns nothing where no score has moved. What is the answer then?")
        flag = np.asarray(got)
        expect(flag.shape == () and flag.dtype == bool, f"it should return True or False, not {got!r}")
        expect(bool(got) is due, reason)

    def strict(words):
        expect(
            words.min() >= 0 and words.max() < _V,
            f"it asks the model about a word that is not in the vocabulary of {_V}",
        )
        return _linear(_CAUSAL)(words)

    attempt(answer, strict, tokens, _V)


# ---------------------------------------------------------------- 08.3, mend a leak


def _forward(x, layers, states):
    new = []
    for layer, state in zip(layers, states):
        x, state = layer(x, state)
        new.append(state)
    return x, new


def _toy_layer(a, b, start):
    def layer(x, state):
        h, ys = (np.full(x.shape[1:], start) if state is None else state), []
        for x_t in x:
            h = a * x_t + b * h
            ys.append(np.tanh(h))  # as in an LSTM, the output is not the state
        return np.stack(ys), h

    return layer


@exercise("08.3", reference=_forward)
def forward(answer):
    """Three layers that differ, so that every mix-up shows; with and without states of a batch before."""
    x = _RNG.normal(size=(4, 2, 3))
    layers = [_toy_layer(0.7, 0.5, 0.0), _toy_layer(-1.2, 0.8, 0.0), _toy_layer(0.4, -0.6, 0.0)]
    carried = [_RNG.normal(size=(2, 3)) for _ in layers]
    for states in ([None] * 3, carried):
        due_y, due_new = _forward(x, layers, states)
        got = attempt(answer, x, layers, states)
        expect(
            isinstance(got, tuple | list) and len(got) == 2,
            "it should return a pair: y of the top, new states",
        )
        y, new = np.asarray(got[0]), got[1]
        expect(
            isinstance(new, list | tuple | np.ndarray) and len(new) == 3,
            "it should return one new state for each layer",
        )
        expect(
            not near(y, _published(x, layers, states)),
            "it still leaks: a layer starts where the layer below has ended",
        )
        expect(
            states[0] is None or not near(y, _forward(x, layers, [None] * 3)[0]),
            "the states that are handed in are ignored: what the last batch left behind is lost",
        )
        expect(
            states[0] is None or not near(y, _forward(x, layers, [states[0]] * 3)[0]),
            "all layers start from the state of the first. Each has its own",
        )
        expect(
            states[0] is None or not near(y, _forward(x, layers, states[::-1])[0]),
            "the states are handed out in the wrong order",
        )
        expect(
            not near(y, layers[-1](x, states[-1])[0]),
            "every layer reads x. From the second on, a layer reads the output of the one below",
        )
        expect(near(y, due_y), "y is not the output of the top layer")
        expect(
            states[0] is None or not all(near(a, b) for a, b in zip(new, states)),
            "the states returned are those that came in. The next batch needs those at the end of this one",
        )
        expect(
            not near(new[-1], due_y[-1]),
            "an output is not a state. layers[k](x, state) returns both; the next batch needs the second",
        )
        expect(
            all(a is not None and near(a, b) for a, b in zip(new, due_new)),
            "the states returned are not those in which the layers have ended, from the bottom up",
        )


def _published(x, layers, states):
    last = states[0]
    for layer in layers:
        x, last = layer(x, last)
    return x


# ---------------------------------------------------------------- 08.4, six suspects


class _Suspect(nn.Module):
    """An embedding, something between, and scores; what is between is the question."""

    V, H = 11, 6

    def __init__(self, between, width=1):
        super().__init__()
        self.embedding = nn.Embedding(self.V, self.H)
        self.lstm = nn.LSTM(self.H, self.H, bidirectional=width == 2)
        self.scores = nn.Linear(width * self.H, self.V)
        self.between = between

    def forward(self, tokens):
        x = self.embedding(tokens)
        return self.scores(self.between(self.lstm(x)[0], x))


def _attention(masked):
    def between(_, x):
        weights = torch.einsum("tbh,sbh->bts", x, x)
        if masked:
            weights = weights.masked_fill(torch.triu(torch.ones(len(x), len(x)), 1).bool(), -torch.inf)
        return torch.einsum("bts,sbh->tbh", weights.softmax(-1), x)

    return between


@cache
def suspects():
    """{letter: (what it does, the model)}: six untrained models, tokens (T, B) to scores (T, B, V)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(8)
        return {
            "A": ("a bidirectional LSTM", _Suspect(lambda y, x: y, width=2)),
            "B": (
                "an LSTM whose output at each step is normalised over its units",
                _Suspect(lambda y, x: (y - y.mean(-1, keepdim=True)) / y.std(-1, keepdim=True)),
            ),
            "C": (
                "an LSTM whose outputs are normalised, unit by unit, over the steps of the sentence",
                _Suspect(lambda y, x: (y - y.mean(0)) / y.std(0)),
            ),
            "D": ("attention of every step to all steps of the sentence", _Suspect(_attention(masked=False))),
            "E": (
                "attention of every step to itself and the steps before",
                _Suspect(_attention(masked=True)),
            ),
            "F": (
                "an LSTM on reversed text: all sentences are stored from the last word to the first, and it "
                "predicts them in that order",
                _Suspect(lambda y, x: y),
            ),
        }


SUSPECTS = {"A": "leaks", "B": "causal", "C": "leaks", "D": "leaks", "E": "causal", "F": "causal"}
_QUESTIONS = {
    "A": "what has the half that reads backwards seen when it comes to step 0?",
    "B": "which numbers does the mean run over? All of them belong to one step.",
    "C": "which numbers does the mean run over? One of them is computed from the last word.",
    "D": "what can step 0 look at?",
    "E": "what is left for step 0 to look at?",
    "F": "in the order in which it reads, has it seen the word that it predicts? Any order will do.",
}


@exercise("08.4", reference=SUSPECTS)
def suspicion(answer):
    """What the reader thinks of each, against the test run on each."""
    expect(
        isinstance(answer, dict), f"a dict is asked for, {{letter: verdict}}, not a {type(answer).__name__}"
    )
    missing = [letter for letter in SUSPECTS if letter not in answer]
    expect(not missing, f"there is no verdict on {', '.join(missing)}")
    tokens = torch.as_tensor(np.random.default_rng(0).integers(0, _Suspect.V, (6, 2)))
    for letter, (_, model) in suspects().items():
        expect(answer[letter] in ("leaks", "causal"), f"{answer[letter]!r} is neither 'leaks' nor 'causal'")
        # a precaution: a product over all steps may round differently for other words, on some machine; the
        # leaks here are far larger
        found = future_influence(model, tokens, tolerance=1e-6).verdict
        expect(answer[letter] == found, f"{letter} is not '{answer[letter]}': {_QUESTIONS[letter]}")


# ---------------------------------------------------------------- 08.5, the honest limit


def _limits(sides, rolls):
    return sides ** (rolls / (rolls + 1)), sides ** ((rolls - 1) / rolls)


@exercise("08.5", reference=_limits)
def limits(answer):
    """Against the course's own measures, given the true probabilities of every roll and every end."""
    for sides, rolls in ((6, 4), (20, 3)):
        a, b = _pair(attempt(answer, sides, rolls))
        tokens = np.tile([*range(1, rolls + 1), 0], 3)
        losses = np.where(tokens > 0, math.log(sides), 0.0)
        standard = perplexity(losses)
        losses[:: rolls + 1] = np.nan
        theirs = perplexity_of_means(losses, tokens, 0)
        expect(not near(a, math.log(standard)), "these are mean losses; a perplexity is exp of that")
        expect(
            not (near(a, sides + 1.0) or near(a, (sides + 1.0) ** (rolls / (rolls + 1)))),
            "the end is not one side more: everybody knows when it comes",
        )
        expect(
            not near(a, (rolls * sides + 1) / (rolls + 1)),
            "this is a mean of perplexities. Take the mean of the losses first, and exp of that",
        )
        expect(
            not (near(a, float(sides)) or near(b, float(sides))),
            "the end of a sentence is predicted too, and it costs nothing: everybody can count the rolls",
        )
        expect(not (near(a, theirs) and near(b, standard)), "the two are in the wrong order")
        expect(near(a, standard), f"standard: {rolls} rolls and an end, {rolls + 1} predictions in all")
        expect(
            not near(b, standard),
            "seed 001 does not predict the first roll: how many predictions are left, and what do they cost?",
        )
        expect(
            not near(b, sides ** ((rolls - 1) / (rolls + 1))),
            "what is not predicted is not counted either: by how many does the mean divide?",
        )
        expect(near(b, theirs), f"as seed 001: {rolls - 1} rolls and an end, {rolls} predictions in all")


# ---------------------------------------------------------------- 08.6, two measures


def _two_perplexities(losses):
    standard = np.exp(np.concatenate(losses).mean())
    return float(standard), float(np.exp(np.mean([line[1:].mean() for line in losses])))


@exercise("08.6", reference=_two_perplexities)
def two_perplexities(answer):
    """Sentences of unlike lengths whose first words are dear, against the course's own measures."""
    lines = [_RNG.uniform(1, 4, n) + 3 * (np.arange(n) == 0) for n in (2, 9, 3, 5)]
    lines[0][1:] += 3  # a short sentence that is dear
    a, b = _pair(attempt(answer, lines))
    tokens = np.concatenate([[*range(1, len(line)), 0] for line in lines])
    losses = np.concatenate(lines)
    standard, losses_of_all = perplexity(losses), losses.copy()
    losses[np.concatenate([[True], tokens[:-1] == 0])] = np.nan
    pooled, theirs = perplexity(losses), perplexity_of_means(losses, tokens, 0)
    expect(not (near(a, theirs) and near(b, standard)), "the two are in the wrong order")
    expect(not near(a, math.log(standard)), "these are mean losses; a perplexity is exp of that")
    expect(not near(a, np.exp(losses_of_all).mean()), "standard: exp comes last, after the mean")
    expect(not near(a, 2 ** math.log(standard)), "the losses are in nats, so it is exp and not a power of 2")
    expect(
        not near(a, np.exp(np.mean([line.mean() for line in lines]))),
        "standard: every word counts alike, so there is one mean over all words, and none for each sentence",
    )
    expect(not near(a, pooled), "standard: the first word of a sentence is predicted as well")
    expect(near(a, standard), "the standard one is not exp of the mean over all words")
    expect(
        not near(b, pooled),
        "as seed 001: first the mean of each sentence, and then the mean of these means",
    )
    expect(
        not near(b, np.exp(np.mean([line.mean() for line in lines]))),
        "as seed 001: the first word of each sentence is left out",
    )
    expect(
        not near(b, np.exp(np.mean([line[:-1].mean() for line in lines]))),
        "as seed 001: it is the first entry that is left out; the last is the end of the sentence",
    )
    expect(
        not near(b, np.mean([np.exp(line[1:].mean()) for line in lines])),
        "as seed 001: exp comes last, after the mean of the means",
    )
    expect(
        not near(b, np.exp(np.mean([line[1:].sum() / len(line) for line in lines]))),
        "as seed 001: what is left out is not counted in the mean either",
    )
    expect(not near(b, math.log(theirs)), "as seed 001: this is a mean loss; exp of it is asked for")
    expect(near(b, theirs), "the second is not exp of the mean of the sentences' means")


def _pair(got):
    """The two numbers of an answer, whatever they are kept in."""
    is_pair = isinstance(got, tuple | list | np.ndarray) and len(got) == 2
    expect(is_pair, "it should return a pair: (standard, as seed 001)")
    expect(all(np.size(one) == 1 for one in got), "each of the two should be one number")
    return tuple(float(np.asarray(one).item()) for one in got)


# ---------------------------------------------------------------- 08.7, where the parameters are


def _parts(blocks, biases, words, H, wide=0):
    output = (H * wide + wide) + (wide * words + words) if wide else H * words + words
    return {"embedding": words * H, "layers": 2 * blocks * (2 * H * H + biases * H), "output": output}


@exercise("08.7", reference=_parts)
def parts(answer):
    """Against the parameters of the models themselves, for both cells, with a wide layer and without."""
    for row, blocks, biases in (("lstm, no leak", 4, 1), ("gru, no leak", 3, 0)):
        for wide in (0, 7):
            words, H = 13, 5
            chosen = settings(row, "smoke", words) | {"hidden_size": H, "wide": wide}
            model = build_model(ROWS[row].variant, chosen, words)
            due = {
                "embedding": _size(model.embedding),
                "layers": _size(model.layers),
                "output": _size(model.softmax),
            }
            got = attempt(answer, blocks, biases, words, H, wide)
            expect(isinstance(got, dict), f"a dict is asked for, not a {type(got).__name__}")
            missing = [name for name in due if name not in got]
            expect(not missing, f"there is no {', '.join(missing)}")
            try:
                counts = {name: int(got[name]) for name in due}
            except (TypeError, ValueError):
                raise Wrong("each entry should be a number of parameters") from None
            layers, output = counts["layers"], counts["output"]
            expect(
                counts["embedding"] == due["embedding"], "an embedding has one row of H numbers for each word"
            )
            expect(layers != due["layers"] // 2, "there are two layers")
            expect(
                not biases or layers != 2 * blocks * 2 * H * H,
                "the LSTM's blocks have a bias each (biases = 1)",
            )
            expect(
                biases or layers != 2 * blocks * (2 * H * H + H),
                "equations (2) to (8) have no bias: the blocks of this GRU have none (biases = 0)",
            )
            expect(
                layers != 2 * blocks * (2 * H * H + 2 * H),
                "torch keeps two biases for each block, which act as their sum; here it is one",
            )
            expect(
                layers != 2 * blocks * (H * H + biases * H),
                "each block reads x and the output before: two matrices (H, H)",
            )
            expect(
                layers not in (2 * blocks * (2 * H * H + biases), 2 * (2 * blocks * H * H + biases * H))
                or not biases,
                "each block has a bias of its own, one number for each of its H units",
            )
            expect(layers == due["layers"], f"{layers} in the layers, not {due['layers']}, for H = {H}")
            expect(
                not wide or output != H * words + words,
                "with a wide layer the scores are computed in two steps, H → wide → words",
            )
            expect(
                not wide or output not in (wide * words + words, H * words + words + wide * words + words),
                "the first of the two linear layers is H → wide, a matrix and a bias",
            )
            expect(
                not wide or output != due["output"] + H * words + words,
                "with a wide layer there is no way past it: the one H → words is not there",
            )
            matrices = H * wide + wide * words if wide else H * words
            without = (matrices, matrices + wide, matrices + words * bool(wide))
            expect(output not in without, "a linear layer has a bias, too")
            expect(output == due["output"], f"{output} in the output, not {due['output']}")


def _size(module):
    return sum(p.numel() for p in module.parameters())
