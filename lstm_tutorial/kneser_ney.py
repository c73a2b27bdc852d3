"""Interpolated Kneser–Ney: how far counting words goes, and so the bar for every recurrent network.

An n-gram model guesses a word from the n − 1 words before it, its context. Most contexts are rare, so the
guess of a long context is mixed with that of the context one word shorter, and so on down to the uniform
guess 1/V. For a word w after the k − 1 words a b … c:

    p_k(w | a b … c) = [N(a b … c w) − D_k + D_k · S(a b … c) · p_{k−1}(w | b … c)] / N(a b … c ·)
    p_0(w)           = 1/V

N counts; where N(a b … c w) is 0, so is the difference. N(a b … c ·) is the sum of N over all words that
follow, S(a b … c) the number of different ones. The discount D_k is taken from every count, and what was
taken is spread as the shorter context says. A context never seen passes the question on: p_k = p_{k−1}.

What N counts is the idea of Kneser and Ney. At the highest order, k = n, it is how often the n-gram occurs.
Below, it is how many *different* words stand to its left: a word that is frequent, but only ever after one
other, is a poor guess in a new context.

Letters: k order, from 1 to n; V words; N tokens; D_k = n₁ / (n₁ + 2 n₂), where n₁ and n₂ are how many k-grams
were counted once and twice. Sentences are counted one by one, each with n − 1 start symbols in front and
<eos> at its end; a start symbol is read, never predicted.

Sources: Kneser and Ney, ICASSP 1995; in this interpolated form Chen and Goodman, Computer Speech and
Language 13, 1999; the discount from Ney, Essen and Kneser, Computer Speech and Language 8, 1994.
"""

import operator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Order:
    """What is known about contexts of k − 1 words, and about the k-grams that begin with them.

    Contexts have numbers: 0 for the empty one; that of "b … c" with one more word a on its left is the place
    of the pair ("b … c", a) in ``contexts``. A k-gram is the pair (context, word). Pairs are single integers.
    """

    contexts: np.ndarray  # sorted pairs (shorter context, word on its left); for k = 1 only the empty one, 0
    grams: np.ndarray  # sorted pairs (context, word)
    counts: np.ndarray  # N of each k-gram
    totals: np.ndarray  # N(context ·), the sum of its counts
    followers: np.ndarray  # S(context), the number of different words after it
    discount: float  # D_k


class KneserNey:
    """Interpolated Kneser–Ney of order n: ``KneserNey(3).fit(train, eos, V).perplexity(test)``.

    n : how many words an n-gram has; 1 is a model that looks at no context at all.
    """

    def __init__(self, n):
        self.n = operator.index(n)
        if self.n < 1:
            raise ValueError(f"an n-gram has at least one word, so n is at least 1, not {n}.")
        self.orders = ()

    def fit(self, ids, eos, vocabulary_size):
        """Count a text: token ids (N,) from 0 to V − 1, one ``eos`` after each sentence. Returns the model.

        Raises ValueError for an empty text and for ids outside the vocabulary.
        """
        ids = checked(ids, vocabulary_size)
        if not len(ids):
            raise ValueError("there is nothing to count in a text without tokens.")
        if not 0 <= eos < vocabulary_size:
            raise ValueError(f"eos is an id from 0 to {vocabulary_size - 1}, not {eos}.")
        self.eos, self.vocabulary_size = operator.index(eos), operator.index(vocabulary_size)
        windows = self._windows(ids)

        # Numbers for the k-gram that ends at each token and for its context, which grows to the left.
        numbered, context = [], np.zeros(len(windows), np.int64)
        for k in range(1, self.n + 1):
            contexts, context = np.unique(self._pair(context, self._left(windows, k)), return_inverse=True)
            grams, first, gram = np.unique(
                self._pair(context, windows[:, -1]), return_index=True, return_inverse=True
            )
            numbered.append((contexts, context, grams, first, gram))

        # At the highest order every token counts; below it one for each different n-gram of the order above.
        orders, counted = [], slice(None)
        for contexts, context, grams, first, gram in reversed(numbered):
            counts = np.bincount(gram[counted], minlength=len(grams))
            totals = np.bincount(context[counted], minlength=len(contexts))
            followers = np.bincount(context[first], minlength=len(contexts))
            orders.insert(0, Order(contexts, grams, counts, totals, followers, discount(counts)))
            counted = first
        self.orders = tuple(orders)
        return self

    def probabilities(self, ids):
        """The probability of every token of a text (N,), given the tokens before it in its sentence."""
        return self._probabilities(self._read(ids))

    def probability(self, context, word):
        """The probability of one word. context : ids of the words before it in its sentence, maybe none.

        Of the context the last n − 1 words matter; where it has fewer, the sentence begins there. What comes
        before an <eos> belongs to another sentence and is ignored.
        """
        return float(self.probabilities([*context, word])[-1])

    def distribution(self, context):
        """The probabilities of all V words after a context, as in :meth:`probability`: (V,), of sum 1."""
        self._require_counts()
        windows = self._read([*context, self.eos])[-1:].repeat(self.vocabulary_size, axis=0)
        windows[:, -1] = np.arange(self.vocabulary_size)
        return self._probabilities(windows)

    def perplexity(self, ids):
        """exp of the mean negative log-probability over *all* tokens of a text, every <eos> included.

        Infinite if a token has probability 0, which takes a text so small that no k-gram is counted once.
        """
        p = self.probabilities(ids)
        if not len(p):
            raise ValueError("a text without tokens has no perplexity.")
        with np.errstate(divide="ignore"):
            return float(np.exp(-np.log(p).mean()))

    def __repr__(self):
        return f"KneserNey({self.n})"

    def _probabilities(self, windows):
        """(N,): of the last word in each row of (N, n), given the others; from the uniform guess up."""
        p = np.full(len(windows), 1 / self.vocabulary_size)
        context, known = np.zeros(len(windows), np.int64), np.ones(len(windows), bool)
        for k, order in enumerate(self.orders, start=1):
            context, seen = find(self._pair(context, self._left(windows, k)), order.contexts)
            known = known & seen  # an end of a context was never seen: nor was the context
            gram, seen = find(self._pair(context, windows[:, -1]), order.grams)
            kept = np.where(seen, order.counts[gram] - order.discount, 0)
            taken = order.discount * order.followers[context]
            p = np.where(known, (kept + taken * p) / order.totals[context], p)
        return p

    def _windows(self, ids):
        """(N, n): each token with the n − 1 before it, V standing for the start symbol."""
        positions = np.arange(len(ids))
        starts = np.where(np.concatenate([[self.eos], ids[:-1]])[: len(ids)] == self.eos, positions, 0)
        since_start = positions - np.maximum.accumulate(starts)
        back = np.arange(self.n - 1, -1, -1)
        before = np.maximum(positions[:, None] - back, 0)
        return np.where(back <= since_start[:, None], ids[before], self.vocabulary_size)

    def _left(self, windows, k):
        """The word that a context of k − 1 words has on its left; the empty context, k = 1, has none."""
        return windows[:, -k] if k > 1 else 0

    def _pair(self, number, word):
        """Two integers as one: there are V words and a start symbol."""
        return number * (self.vocabulary_size + 1) + word

    def _read(self, ids):
        self._require_counts()
        return self._windows(checked(ids, self.vocabulary_size))

    def _require_counts(self):
        if not self.orders:
            raise ValueError("this model has counted nothing yet: call fit(ids, eos, vocabulary_size) first.")


def checked(ids, vocabulary_size):
    """Token ids as an int64 array (N,). Raises ValueError where they are not ids of the vocabulary."""
    ids = np.asarray(ids)
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        raise ValueError(f"a text is one row of whole numbers, not {ids.dtype} of shape {ids.shape}.")
    if ids.size and not (ids.min() >= 0 and ids.max() < vocabulary_size):
        raise ValueError(f"ids run from 0 to {vocabulary_size - 1}, not from {ids.min()} to {ids.max()}.")
    return ids.astype(np.int64)


def discount(counts):
    """D = n₁ / (n₁ + 2 n₂) from all counts of one order; 0 where nothing was counted once or twice."""
    once, twice = (int((counts == r).sum()) for r in (1, 2))
    return once / (once + 2 * twice) if once + twice else 0.0


def find(keys, table):
    """Where each key stands in a sorted table, and whether it is there at all; where it is not, any place."""
    place = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return place, table[place] == keys
