"""A look inside a trained language model: what it writes, and which words it holds to be alike.

Letters: V words, D numbers a word.
"""

import numpy as np
import torch

from .language_model import evaluating
from .numpy_language_model import probabilities


@torch.no_grad()
def sample(model, rng, first, length, temperature=1.0, rows=1):
    """Let a :class:`~lstm_tutorial.language_model.LanguageModel` write: ids and bits, (length, rows) each.

    rng : a ``numpy.random.Generator``. first : the id that is read first, that of <eos>. Each word is drawn
    from softmax(scores / temperature) and read back; ``rows`` texts are written side by side. bits : what
    each word costs by the model itself, that is at temperature 1, however it was drawn.
    """
    ids, bits, state, words = [], [], None, np.full(rows, first)
    with evaluating(model) as device:
        for _ in range(length):
            scores, state = model(torch.as_tensor(words[None], device=device), state)
            scores = scores[0].cpu().numpy()
            below = probabilities(scores, temperature).cumsum(1)
            words = (below < rng.random((rows, 1)) * below[:, -1:]).sum(1)
            ids.append(words)
            bits.append(-np.log2(probabilities(scores)[np.arange(rows), words]))
    return np.array(ids), np.array(bits)


def sentences_of(ids, bits, corpus):
    """The whole sentences of a sample (T, B), without their <eos>: [[(word, bits), …], …], row after row."""
    lines = []
    for words, costs in zip(ids.T, bits.T):
        line = []
        for k, cost in zip(words, costs):
            if k != corpus.eos:
                line.append((corpus.vocabulary[k], float(cost)))
            elif line:
                lines.append(line)
                line = []  # what stands behind the last <eos> of a row is unfinished
    return lines


def neighbours(matrix, ids, count=5):
    """For each word the words whose rows point in the most similar direction, by cosine: ids, (n, count).

    matrix : (V, D), of an embedding or of a softmax. ids : (n,), the words to compare among themselves. A
    word is no neighbour of its own. Raises ValueError where there are not enough words.
    """
    ids = np.asarray(ids)
    if not 0 < count < len(ids):
        raise ValueError(f"{len(ids)} words have at most {len(ids) - 1} neighbours each, and not {count}.")
    rows = np.asarray(matrix, np.float64)[ids]
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    likeness = rows @ rows.T
    np.fill_diagonal(likeness, -np.inf)
    return ids[np.argsort(-likeness, axis=1, kind="stable")[:, :count]]


def word_classes(process):
    """{word: (kind, number)} of a :class:`~lstm_tutorial.data.process.Process` such as Banyan's.

    Kind is "noun", "verb" …, number "singular", "plural" or "". Raises ValueError where a word has two.
    """
    classes = {}
    for state in process.states:
        found = (state.words.kind, state.words.number)
        for word in state.words.words:
            if classes.setdefault(word, found) != found:
                raise ValueError(f"{word!r} is {' '.join(found)} and {' '.join(classes[word])}.")
    return classes


def same_class(labels, ids, near):
    """How often a word's neighbours are of its own class, and how often any other word is: two shares.

    labels : (V,). ids : (n,), the words compared, of all of which ``near`` (n, count) are the neighbours.
    """
    labels, ids = np.asarray(labels), np.asarray(ids)
    found = float((labels[near] == labels[ids][:, None]).mean())
    _, counts = np.unique(labels[ids], return_counts=True)
    chance = float((counts * (counts - 1)).sum() / (len(ids) * (len(ids) - 1)))
    return found, chance
