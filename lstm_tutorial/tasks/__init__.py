"""The tasks that moved the LSTM's history on: small generators whose right answers are known exactly.

- :mod:`.reber`: which symbols may come next, in strings of the embedded Reber grammar (1997), or in an
  endless stream of them (2000);
- :mod:`.timed_spikes`: a spike every N steps, with nothing in the input that says when (2000 and 2002).

Each gives a :class:`Batch`: sequences, what is asked of a network that reads them, the loss with which it is
trained, and whether its answers are right. :mod:`.learner` trains a cell on them.

Letters: T steps, B sequences, D inputs, V symbols to choose from.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..numpy_language_model import softmax_cross_entropy

NOT_ASKED = -1


@dataclass(frozen=True)
class Batch:
    """Sequences, each step with a symbol to predict.

    x: (T, B, D) inputs. target: (T, B), the symbol that does come next, 0 … V − 1, or ``NOT_ASKED``.
    legal: (T, B, V), which symbols may come next; none where nothing is asked.
    """

    x: np.ndarray
    target: np.ndarray
    legal: np.ndarray

    @property
    def asked(self):
        """(T, B): whether a step asks for an answer."""
        return self.target != NOT_ASKED

    def loss(self, s):
        """The mean cross-entropy of scores s (T, B, V) in nats a symbol, and its gradient in s."""
        loss, d = softmax_cross_entropy(s[self.asked], self.target[self.asked])
        ds = np.zeros_like(s)
        ds[self.asked] = d
        return loss, ds

    def best_loss(self):
        """The lowest mean loss possible, in nats a symbol: all legal symbols of a step are equally likely."""
        return float(np.log(self.legal.sum(-1)[self.asked]).mean())

    def right(self, s):
        """(T, B): whether all legal symbols score higher than all others; True where nothing is asked."""
        lowest_legal = np.where(self.legal, s, np.inf).min(-1)
        highest_other = np.where(self.legal, -np.inf, s).max(-1)
        return (lowest_legal > highest_other) | ~self.asked

    def part(self, steps):
        """The same sequences, cut to a slice of their steps."""
        return replace(self, x=self.x[steps], target=self.target[steps], legal=self.legal[steps])


def steps_until_error(right):
    """(B,): how many steps of each sequence are right before the first that is not; right is (T, B)."""
    return np.where(right.all(0), len(right), right.argmin(0))
