"""Chapter 07: rows of text, dropout's places, the scale of a loss, perplexity, left neighbours, symptoms."""

from collections import defaultdict

import numpy as np

from . import Wrong, attempt, exercise, expect, near

_RNG = np.random.default_rng(7)


# ---------------------------------------------------------------- 07.1, batches


def _cut(tokens, batch_size, num_steps):
    length = len(tokens) // batch_size
    rows = tokens[: batch_size * length].reshape(batch_size, length).T
    starts = range(0, (length - 1) // num_steps * num_steps, num_steps)
    return [(rows[k : k + num_steps], rows[k + 1 : k + num_steps + 1]) for k in starts]


@exercise("07.1", reference=_cut)
def cut(answer):
    """Tokens that are their own places: 0, 1, 2 …, so that every one shows where it comes from."""
    B, T = 3, 4
    for N in (29, 27, 25):  # 9 a row and 2 left over; 9 a row: two full batches; 8 a row: one, and no more
        text, length = np.arange(N), N // B
        due = (length - 1) // T
        got = attempt(answer, text, B, T)
        expect(isinstance(got, list) and got, f"it should be a list of pairs, not {type(got).__name__}")
        try:
            batches = [tuple(np.asarray(a) for a in pair) for pair in got]
            shapes = {a.shape for pair in batches for a in pair}
        except (TypeError, ValueError):
            raise Wrong("each entry of the list should be a pair (inputs, targets)") from None
        expect({len(pair) for pair in batches} == {2}, "each entry should be a pair (inputs, targets)")
        expect(shapes != {(B, T)}, f"time runs down: a batch has the shape ({T}, {B}), steps before rows")
        inputs, targets = batches[0]
        expect(inputs.shape == (T, B), f"a batch has the shape ({T}, {B}), not {inputs.shape}")
        expect(
            not np.array_equal(inputs.ravel(), (np.arange(B)[:, None] * length + text[:T]).ravel()),
            "those are the right words in the wrong places: reshape does not turn (B, T) into (T, B), a "
            "transpose does",
        )
        expect(not np.array_equal(inputs, targets + 1), "inputs and targets have changed places")
        expect(
            not np.array_equal(inputs[0], np.arange(B)),
            "neighbours in a row of the array are neighbours in the text: then column b holds every third "
            "word. First cut the text into B long pieces",
        )
        expect(
            not np.array_equal(inputs[0], np.arange(B) * T),
            "the pieces of the first batch follow one another in the text. Where does column b go on in the "
            "second batch? There the state of another piece would come in",
        )
        expect(np.array_equal(inputs[:, 0], text[:T]), "column 0 should begin with the first words")
        expect(np.array_equal(inputs[0], np.arange(B) * length), f"column b should begin at b × {length}")
        expect(not np.array_equal(targets, inputs), "the targets are the inputs. What is to be predicted?")
        expect(
            not np.array_equal(targets[-1], inputs[0]),
            "the last target of a column is its own first word. np.roll goes round the corner",
        )
        expect(
            targets.shape == inputs.shape,
            f"every input has its target, so targets are {inputs.shape} too, not {targets.shape}",
        )
        expect(np.array_equal(targets, inputs + 1), "each target should be the word after its input")
        expect(
            len(batches) <= due and shapes == {(T, B)},
            f"of {length} words a row, {length - 1} have a next one: that fills {due} batches of {T} steps, "
            f"and an incomplete one is left out",
        )
        expect(
            len(batches) == due,
            f"of {length} words a row, {length - 1} can be inputs, and they fill {due} batches of {T} steps, "
            f"not {len(batches)}",
        )
        for before, after in zip(batches, batches[1:]):
            expect(
                np.array_equal(after[0][0], before[0][-1] + 1),
                "a batch does not go on where the one before stopped, so some words are read twice or never",
            )


# ---------------------------------------------------------------- 07.2, dropout


def _stack_step(x, states, cells, drop):
    y, new = drop(x), []
    for cell, state in zip(cells, states):
        y, state = cell(y, state)
        new.append(state)
        y = drop(y)
    return y, new


def _toy_cell(a, b):
    """A cell with state (y, c) in which every input leaves its own trace."""

    def cell(x, state):
        y = a * x + b * state[0] + state[1]
        return y, (y, state[1] + x)

    return cell


@exercise("07.2", reference=_stack_step)
def stack_step(answer):
    """In place of dropout comes a factor of 10, so that the result tells what was dropped."""
    x = np.array([[1.0, 2.0]])
    states = [(np.array([[3.0, -1.0]]), np.array([[0.5, 0.25]])), (np.array([[-2.0, 4.0]]), np.zeros((1, 2)))]
    cells = [_toy_cell(0.7, 0.3), _toy_cell(-0.4, 0.9)]
    tens = lambda a: 10 * a  # noqa: E731
    due_y, due = _stack_step(x, states, cells, tens)
    plain = _stack_step(x, states, cells, lambda a: a)

    got = attempt(answer, x, states, cells, tens)
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        "it should return a pair: y for the softmax, and states",
    )
    y, new = got
    expect(
        isinstance(new, list | tuple) and len(new) == 2 and all(len(s) == 2 for s in new),
        "the second thing returned is a list with the new state (y, c) of every cell",
    )

    def is_(y_then, new_then):
        pairs = [(y, y_then), *((a, b) for s, t in zip(new, new_then) for a, b in zip(s, t))]
        return all(near(np.asarray(a), np.asarray(b)) for a, b in pairs)

    expect(not is_(*plain), "nothing is dropped at all")
    not_below = _stack_step(x / 10, states, cells, tens)
    expect(not is_(*not_below), "the embedded word x goes into the first cell without dropout")
    expect(not is_(due_y / 10, due), "the output of the last cell goes to the softmax without dropout")

    def recurrent(which):
        def cell_with(cell):
            return lambda x, s: cell(x, (tens(s[0]), s[1]) if which == "y" else tuple(map(tens, s)))

        return _stack_step(x, states, [cell_with(cell) for cell in cells], tens)

    for which in ("y", "both"):
        expect(
            not is_(*recurrent(which)),
            "the old state is dropped before a cell reads it: it has to pass whole",
        )
    spoilt = [(tens(s[0]), s[1]) for s in due]
    expect(
        not is_(due_y, spoilt) and not is_(due_y, [tuple(map(tens, s)) for s in due]),
        "what is carried to the next step is dropped: at every step something of the memory would be lost. "
        "Only what goes up may be",
    )

    def between(y, new=()):
        for k, cell in enumerate(cells):
            y, state = cell(y, states[k])
            new = (*new, state)
        return tens(y), list(new)

    expect(not is_(*between(tens(x))), "between the two cells nothing is dropped")

    def each_from(start):
        """A stack in which something is handed on that should not be: the word, or a state, to every cell."""
        y, state, new = tens(x), states[0], []
        for k, cell in enumerate(cells):
            y, state = cell(tens(x) if start == "x" else y, state if start == "state" else states[k])
            new.append(state)
            y = tens(y)
        return y, new

    expect(not is_(*each_from("x")), "every cell is given the word. What does the second one read?")
    expect(
        not is_(*each_from("state")),
        "a cell starts from the new state of the cell below it. Its own old state is in states",
    )
    twice = _stack_step(10 * x, states, cells, tens)
    expect(not is_(*twice), "x is dropped twice")
    expect(
        not is_(10 * due_y, due), "the output of the last cell is dropped twice: once on the way up is enough"
    )
    expect(near(np.asarray(y), due_y), "y is not the last cell's output with dropout on every way up")
    expect(is_(due_y, due), "the states are not those that the cells return")


# ---------------------------------------------------------------- 07.3, loss scale


def _for_a_mean(rate, max_norm, num_steps, batch_size):
    return rate * num_steps, max_norm / num_steps


def _step(g, rate, max_norm):
    return rate * g * min(1.0, max_norm / np.linalg.norm(g))


@exercise("07.3", reference=_for_a_mean)
def for_a_mean(answer):
    """Whether the step is the same, for gradients that are clipped and for others that are not."""
    T, B, rate, bound = 8, 5, 0.5, 3.0
    got = attempt(answer, rate, bound, T, B)
    expect(
        np.shape(got) == (2,) and not any(isinstance(part, str) for part in got),
        "it should return a pair of numbers: rate and max_norm",
    )
    new_rate, new_bound = map(float, got)
    expect(
        not (near(new_rate, bound / T) and near(new_bound, rate * T)),
        "the two have changed places: the rate comes first",
    )
    expect(
        not (near(new_rate, rate * T * B) or near(new_bound, bound / (T * B))),
        "rows count twice: the loss is averaged over the B rows already. What is it only summed over?",
    )
    expect(
        not near(new_rate, rate / T),
        "the mean is smaller, and so is its gradient. Does a larger or a smaller rate make up for that?",
    )
    expect(not near(new_rate, rate), "the gradient has shrunk, and the rate does not make up for it")
    small = 0.1 * _RNG.normal(size=20)  # of the loss that is summed over steps; never clipped
    large = 100 * small  # always clipped
    expect(
        near(_step(small / T, new_rate, new_bound), _step(small, rate, bound)),
        "without clipping the step is another one",
    )
    expect(
        not near(new_bound, bound),
        "that works as long as nothing is clipped. The gradient's norm has shrunk too: which bound clips "
        "the same steps as before?",
    )
    expect(not near(new_bound, bound * T), "the norm has become smaller, and the bound larger?")
    expect(
        near(_step(large / T, new_rate, new_bound), _step(large, rate, bound)),
        "where the gradient is clipped the step is another one",
    )


# ---------------------------------------------------------------- 07.4, perplexity


def _perplexity_of(windows):
    return float(np.exp(-sum(w.sum() for w in windows) / sum(w.size for w in windows)))


@exercise("07.4", reference=_perplexity_of)
def perplexity_of(answer):
    """Three windows of log-probabilities, the last one short and dear, so that every wrong mean shows."""
    windows = [-_RNG.uniform(1, 4, (5, 2)), -_RNG.uniform(1, 4, (5, 2)), -_RNG.uniform(6, 9, (2, 2))]
    got = attempt(answer, windows)
    expect(np.ndim(got) == 0, f"a text has one perplexity, not an array of shape {np.shape(got)}")
    nats = -np.concatenate([w.ravel() for w in windows])
    right, means = np.exp(nats.mean()), [-w.mean() for w in windows]
    expect(got >= 1, "a perplexity below 1: log q is negative, so where does the minus go?")
    expect(not near(got, nats.mean()), "that is the cross-entropy in nats; exp is missing")
    expect(not near(got, 2 ** nats.mean()), "these are natural logarithms, so they need e and not 2")
    expect(
        not near(got, np.exp(means[0])),
        "only the first window counts. Is there a return inside the loop?",
    )
    expect(
        not (near(got, np.exp(nats.sum())) or near(got, np.exp(nats.sum() / 3))),
        "the sum of all logarithms is divided by how many words there are, not by something else or nothing",
    )
    expect(
        not near(got, np.exp(nats.reshape(-1, 2).mean(0)).mean()),
        "it is a mean over rows of perplexities: exp comes last, after the one mean over all words",
    )
    expect(
        not near(got, 1 / np.exp(-nats).mean()),
        "it is 1 over the mean of the probabilities. The mean is one of the logarithms",
    )
    expect(
        not near(got, np.exp(np.mean(means))),
        "it is a mean of means: a word in the short window weighs more than one in a long window",
    )
    expect(
        not near(got, np.mean(np.exp(means))),
        "it is a mean of perplexities: exp comes last, after the one mean over all words",
    )
    expect(
        not near(got, np.exp(nats.sum() / (3 * 5 * 2))),
        "it divides as if the last window were full: it pays for words that are not there",
    )
    expect(
        not near(got, np.exp(-(windows[0].sum() + windows[1].sum()) / 20)),
        "the last window is left out: every word of the text counts",
    )
    expect(
        not near(got, np.exp(nats.sum() / (5 + 5 + 2))),
        "it divides by the number of steps; each step has a word in every row",
    )
    expect(not near(got, np.exp(nats).mean()), "exp comes last: take the mean of the logarithms first")
    expect(near(got, right, within=1e-5), "it is not exp of the mean of −log q over all words")


# ---------------------------------------------------------------- 07.5, left neighbours

SIX_WORDS = "old banyan tree young banyan tree".split()


def _around(words, step):
    """{word: what stands next to it}: on its left for step = 1, on its right for step = −1."""
    found = defaultdict(set)
    line = ["<s>", *words, "<eos>"]
    for here, before in zip(line[1:], line) if step == 1 else zip(line, line[1:]):
        found[here].add(before)
    return {word: len(found[word]) for word in dict.fromkeys([*words, "<eos>"])}


LEFT_NEIGHBOURS = _around(SIX_WORDS, 1)


@exercise("07.5", reference=LEFT_NEIGHBOURS)
def left_neighbours(answer):
    """Counted by hand, against a count by program."""
    expect(isinstance(answer, dict), f"a dict is asked for, {{word: number}}, not a {type(answer).__name__}")
    missing = [word for word in LEFT_NEIGHBOURS if word not in answer]
    expect(not missing, f"something is missing: {', '.join(missing)}")
    extra = [word for word in answer if word not in LEFT_NEIGHBOURS]
    expect(not extra, f"{', '.join(map(str, extra))}: not a word that is ever predicted")
    odd = [word for word, number in answer.items() if not isinstance(number, int | float | np.number)]
    expect(not odd, f"a number is asked for: how many words. That of {', '.join(odd)} is none")
    often = {word: [*SIX_WORDS, "<eos>"].count(word) for word in LEFT_NEIGHBOURS}
    expect(answer != often, "that is how often each word occurs. How many different words stand to its left?")
    expect(answer != _around(SIX_WORDS, -1), "these are right neighbours: what follows. Look to the left")
    expect(
        answer["old"] != 0, "the first word has a left neighbour too, the start symbol, and it counts as one"
    )
    for word, due in LEFT_NEIGHBOURS.items():
        expect(
            answer[word] == due,
            f"{word} is not {answer[word]}: write down what stands to its left each time, then cross out "
            f"what is there twice",
        )


# ---------------------------------------------------------------- 07.6, symptoms

CAUSES = ("padding", "base", "means", "swapped", "reset", "dropout")
DIAGNOSIS = {"A": "padding", "B": "base", "C": "means", "D": "swapped", "E": "reset", "F": "dropout"}
_ASK = {
    "A": "what grows with the longest sentence of a batch, and costs nothing?",
    "B": "compute log 10,000, and then 2 and e to that power.",
    "C": "what weighs a word of a short sentence differently from one of a long sentence?",
    "D": "a unigram model has no state, no dropout and no sentences. What is left that can be wrong?",
    "E": "what happens at the beginning of every row, and how many beginnings are there?",
    "F": "which part of a model is random?",
}


@exercise("07.6", reference=DIAGNOSIS)
def diagnosis(answer):
    """One cause for each symptom; a wrong one is answered by a question."""
    expect(isinstance(answer, dict), f"a dict is asked for, {{letter: cause}}, not a {type(answer).__name__}")
    missing = [letter for letter in DIAGNOSIS if letter not in answer]
    expect(not missing, f"no cause is given for {', '.join(missing)}")
    for letter, due in DIAGNOSIS.items():
        given = answer[letter]
        expect(given is not ..., f"{letter} is still open: … is none of the causes")
        expect(given in CAUSES, f"{given!r} is none of the causes: {', '.join(CAUSES)}")
        expect(given == due, f"{letter} is not {given}: {_ASK[letter]}")
