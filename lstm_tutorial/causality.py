"""Two questions to ask of any language model before its perplexity means anything.

Is it **causal**? The score of a word may depend on earlier words only. :func:`future_influence` changes one
word at a time and watches all scores: those of earlier steps must not move, not by the last bit. What a model
that leaks reports as its perplexity can be reached only by one who knows the text already.

Is it **alive**? Every parameter tensor should have a gradient that is not zero in one of the first two steps.
:func:`aliveness` names those that have none. Gates that start at zero can keep a whole network from ever
learning, and it reports a perplexity all the same.

Letters: T steps, counted from 0, B sequences, V words. Scores are logits or log-probabilities (T, B, V); any
other output with one row per step, such as that of a hidden layer, will do as well.
"""

import copy
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence


@dataclass(frozen=True, eq=False)
class FutureInfluence:
    """What moved when words were changed: ``str`` says it in one sentence.

    influence : (T, T). In row s and column t, the largest movement of any score at step t when the words at
        step s are changed. Of a causal model the columns left of the diagonal, t < s, are zero.
    repeated : the largest movement when nothing is changed, which has to be zero for a verdict.
    tolerance : movements up to this size count as none.
    """

    influence: np.ndarray = field(repr=False)
    repeated: float
    tolerance: float = 0.0

    @property
    def movement(self):
        """(T − 1,): for each step but the last, how far its scores moved when any later word was changed."""
        return np.array([self.influence[t + 1 :, t].max() for t in range(len(self.influence) - 1)])

    @property
    def _reach(self):
        """(T, T): how many steps back a change is felt, 0 where it is not."""
        steps = np.arange(len(self.influence))
        return np.where(self.influence > self.tolerance, steps[:, None] - steps, 0)

    @property
    def verdict(self):
        """``causal``, ``leaks``, or ``cannot tell``: scores not finite, not repeatable, or constant."""
        if not np.isfinite(self.influence).all() or not self.repeated <= self.tolerance:
            return "cannot tell"
        if (self.movement > self.tolerance).any():
            return "leaks"
        return "causal" if (self.influence > self.tolerance).any() else "cannot tell"

    @property
    def passed(self):
        """Whether the model was seen to be causal."""
        return self.verdict == "causal"

    def __str__(self):
        if self.verdict == "causal":
            return "Causal: changing a later word moves no earlier score."
        if self.verdict == "leaks":
            late, early = np.unravel_index(np.argmax(self._reach), self._reach.shape)
            return (
                f"Leaks: changing the word at step {late} moves the scores of step {early} by "
                f"{self.influence[late, early]:.2g}; no earlier score may move."
            )
        if not np.isfinite([*self.influence.flat, self.repeated]).all():
            return "Cannot tell: some scores are not finite."
        if not self.repeated <= self.tolerance:
            return (
                f"Cannot tell: the same words, asked twice, gave scores that differ by {self.repeated:.2g}; "
                f"turn off what is random, and start from the same state."
            )
        return "Cannot tell: no score moves, whichever word is changed; this model ignores its input."


def future_influence(
    model, tokens, *arguments, batch_first=False, padding=None, vocabulary_size=None, tolerance=0.0
):
    """Change the words of every step in turn, in all sequences at once, and see which scores move.

    Parameters
    ----------
    model : any callable from tokens to scores: a module, a function of NumPy arrays, a bound method. Of a
        tuple or list the first entry is taken; a ``PackedSequence`` is unpacked. A module, or the module
        whose method it is, is asked in eval mode, without gradients, and left as it was. Random numbers drawn
        from torch are the same in every call, so dropout that stays on is not mistaken for a leak.
    tokens : (T, B) integers, an array or a tensor; (B, T) with ``batch_first``, as the scores then are too.
    arguments : passed on after the tokens, such as the lengths of padded sequences.
    padding : the id that fills up short sequences. It is neither changed nor looked at, nor does a word
        become it.
    vocabulary_size : V, where the last axis of the scores is not V.
    tolerance : the largest movement that counts as none. Zero is right for one device and one shape.

    A word is replaced by the next id. Returns a :class:`FutureInfluence`, after T + 2 calls of the model.
    Raises ValueError where tokens or scores do not have these shapes.
    """
    time = 1 if batch_first else 0
    if tokens.ndim != 2 or tokens.shape[time] < 2:
        wanted = "(B, T)" if batch_first else "(T, B)"
        raise ValueError(f"tokens are {wanted} with T at least 2, not {tuple(tokens.shape)}.")
    words = _time_first(tokens, batch_first)
    real = np.ones(words.shape, bool) if padding is None else words != padding
    T = len(words)

    def scores(words):
        ids = words.T if batch_first else words
        ids = ids.copy() if isinstance(tokens, np.ndarray) else torch.as_tensor(ids.copy()).to(tokens)
        with _same_chance(ids):
            return _scores(model(ids, *arguments), words.shape, batch_first)

    with _evaluating(model), torch.no_grad():
        before = scores(words)
        repeated = _movement(scores(words), before)[real].max(initial=0)
        V = vocabulary_size or before.shape[-1]
        influence = np.zeros((T, T))
        for s in range(T):
            changed = words.copy()
            changed[s] = np.where(real[s], _another(words[s], V, padding), words[s])
            moved = _movement(scores(changed), before)
            influence[s] = np.where(real & real[s], moved, 0).max(1)
    return FutureInfluence(influence, float(repeated), tolerance)


@dataclass(frozen=True, eq=False)
class Aliveness:
    """Which parameters learn: ``str`` says it in one sentence.

    largest : for each parameter tensor by name, the largest entry of its gradient in any of the steps taken.
    silent_words : for each embedding by name, the ids of the words it read that never had a gradient.
    """

    largest: dict
    silent_words: dict

    @property
    def silent(self):
        """The names of the tensors whose gradient was zero in every step."""
        return [name for name, size in self.largest.items() if not size > 0]

    @property
    def passed(self):
        """Whether every tensor learns, and every row of an embedding that was read."""
        return not self.silent and not any(self.silent_words.values())

    def __str__(self):
        if self.silent:
            return (
                f"Not alive: {len(self.silent)} of {len(self.largest)} parameter tensors have no gradient in "
                f"the first steps: {', '.join(self.silent)}."
            )
        for name, ids in self.silent_words.items():
            if ids:
                some = ", ".join(map(str, ids[:5])) + ", …" * (len(ids) > 5)
                return f"Not alive: of the words that {name} read, {len(ids)} have no gradient: {some}."
        return f"Alive: each of the {len(self.largest)} parameter tensors has a gradient in the first steps."


def aliveness(model, batches, rate=0.5, steps=2):
    """Take the first steps of SGD on a copy of a model, and see which parameters have a gradient at all.

    Parameters
    ----------
    model : a module from tokens (T, B) to scores (T, B, V); of a tuple or list the first entry is taken. It
        is left as it was; its copy runs in eval mode, without dropout.
    batches : pairs of (tokens, targets), (T, B) each, of which the first ``steps`` are used. T is 3 at least:
        in one step alone, recurrent weights and forget gates cannot have a gradient.
    rate : of SGD, for the loss summed over steps and averaged over sequences.

    Returns an :class:`Aliveness`. Raises ValueError for fewer batches than steps, and for a gradient that is
    not finite.
    """
    batches = list(islice(batches, steps))
    if len(batches) < steps:
        raise ValueError(f"{steps} steps take {steps} batches, and there are {len(batches)}.")
    model = copy.deepcopy(model).eval()
    learned = {name: p for name, p in model.named_parameters() if p.requires_grad}
    largest = dict.fromkeys(learned, 0.0)
    embeddings = {
        name: m for name, m in model.named_modules() if isinstance(m, nn.Embedding) and m.weight.requires_grad
    }
    read, moved = ({name: set() for name in embeddings} for _ in range(2))
    # cuDNN has no backward pass for recurrent layers in eval mode; torch's own kernels have.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        for tokens, targets in batches:
            model.zero_grad(set_to_none=True)
            scores = _first(model(tokens))
            nats = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="sum")
            (nats / tokens.shape[1]).backward()
            gradients = {name: p.grad for name, p in learned.items() if p.grad is not None}
            for name, gradient in gradients.items():
                size = gradient.abs().max().item()
                if not math.isfinite(size):
                    raise ValueError(f"the gradient of {name} is not finite: this model diverges.")
                largest[name] = max(largest[name], size)
            for name, m in embeddings.items():
                read[name] |= set(tokens.unique().tolist()) - {m.padding_idx}
                if m.weight.grad is not None:
                    moved[name] |= set(m.weight.grad.any(-1).nonzero().flatten().tolist())
            with torch.no_grad():
                for name, gradient in gradients.items():
                    learned[name] -= rate * gradient
    return Aliveness(largest, {name: sorted(read[name] - moved[name]) for name in embeddings})


def _another(words, V, padding):
    """For every id another one: the next, but never the padding."""
    other = (words + 1) % V
    return other if padding is None else np.where(other == padding, (other + 1) % V, other)


def _movement(after, before):
    """(T, B): the largest |after − before| over the vocabulary. Equal infinities have not moved."""
    with np.errstate(invalid="ignore"):
        return np.where(after == before, 0, np.abs(after - before)).max(-1)


def _first(output):
    return (
        output[0] if isinstance(output, (tuple, list)) and not isinstance(output, PackedSequence) else output
    )


def _scores(output, shape, batch_first):
    """What a model returned, as an array (T, B, V)."""
    output = _first(output)
    if isinstance(output, PackedSequence):
        output = pad_packed_sequence(output, batch_first, total_length=shape[0])[0]
    output = _time_first(output, batch_first)
    if output.ndim != 3 or output.shape[:2] != shape:
        raise ValueError(
            f"the scores are (T, B, V), here ({shape[0]}, {shape[1]}, V), not {output.shape} (time first)."
        )
    return output


def _time_first(a, batch_first):
    """As an array, (T, B, …)."""
    if isinstance(a, torch.Tensor):
        a = a.detach().cpu()
        a = (a.double() if a.is_floating_point() else a).numpy()
    return np.swapaxes(a, 0, 1) if batch_first else np.asarray(a)


@contextmanager
def _evaluating(model):
    """Eval mode for a module (or for the module that a bound method belongs to), and back to what was."""
    owner = getattr(model, "__self__", model)
    was = [(m, m.training) for m in owner.modules()] if isinstance(owner, nn.Module) else []
    for m, _ in was:
        m.training = False
    try:
        yield
    finally:
        for m, training in was:
            m.training = training


def _same_chance(ids):
    """A context after which torch's generators are as they were: every call draws the same numbers."""
    cuda = isinstance(ids, torch.Tensor) and ids.is_cuda
    return torch.random.fork_rng(devices=[ids.device] if cuda else [])
