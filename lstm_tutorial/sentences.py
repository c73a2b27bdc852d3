"""A text read sentence by sentence: each alone, from a zero state, in padded batches.

Seed 001 reads Penn Treebank so. It is the other way to cut a text, beside the rows of
:func:`lstm_tutorial.language_model.batches` whose state is carried from batch to batch.

Letters: N tokens, T steps, B sentences. A sentence ends with <eos>; an unfinished last one is left out.
"""

import numpy as np
import torch

from .language_model import IGNORED, evaluating, token_losses


def sentence_batches(tokens, eos, batch_size, first_word=True, by_length=True):
    """Padded batches of sentences: a list of (inputs, targets), (T, B) each.

    A sentence w₁ … w_n <eos> is predicted word by word, w₁ from <eos>; without ``first_word`` the input
    starts with w₁, which is then never a target, as in seed 001. After the end of a sentence the input is
    <eos> and the target ``IGNORED``. Sentences are sorted by length, the shortest first, so that little is
    padded; without ``by_length`` they stay in the order of the text. Those without a target are left out.

    Raises ValueError if there is nothing to predict.
    """
    positions = _positions(tokens, eos, batch_size, first_word, by_length)
    return [_inputs_and_targets(tokens, at, eos) for at in positions]


@torch.no_grad()
def surprisals(model, tokens, eos, batch_size=64, first_word=True, by_length=True):
    """The surprisal of every token, −log q in nats, (N,): each sentence from a zero state.

    In eval mode. nan where nothing is predicted: without ``first_word`` the first word of every sentence, and
    always an unfinished last sentence. How sentences are batched matters to a model that leaks, which has
    read the padding too, and to no other.
    """
    losses = np.full(len(tokens), np.nan)
    with evaluating(model) as device:
        for at in _positions(tokens, eos, batch_size, first_word, by_length):
            inputs, targets = _inputs_and_targets(tokens, at, eos)
            scores, _ = model(inputs.to(device))
            losses[at[at >= 0]] = token_losses(scores, targets.to(device))[at >= 0]
    return losses


def perplexity(losses):
    """exp of the mean loss of the tokens that were predicted. If all were, the perplexity everybody means."""
    return float(np.exp(np.nanmean(losses)))


def perplexity_of_means(losses, tokens, eos):
    """exp of the mean of all sentences' mean losses, as in seed 001: a short one counts like a long one."""
    is_end = np.asarray(tokens) == eos
    sentence = np.cumsum(is_end) - is_end  # its number, for every token
    predicted = np.isfinite(losses)
    sums = np.bincount(sentence[predicted], losses[predicted])
    counts = np.bincount(sentence[predicted])
    return float(np.exp((sums[counts > 0] / counts[counts > 0]).mean()))


def _positions(tokens, eos, batch_size, first_word, by_length):
    """For every batch, where in the text its targets are: (T, B), −1 for padding."""
    ends = np.flatnonzero(np.asarray(tokens) == eos) + 1
    starts = np.concatenate([[0], ends[:-1]]) + (not first_word) if len(ends) else ends
    lengths = ends - starts
    order = np.argsort(lengths, kind="stable") if by_length else np.arange(len(lengths))
    order = order[lengths[order] > 0]
    if not len(order):
        raise ValueError(f"among these {len(tokens)} tokens no sentence ends with {eos}: nothing to predict.")
    for k in range(0, len(order), batch_size):
        rows = order[k : k + batch_size]
        steps = np.arange(lengths[rows].max())[:, None]
        yield np.where(steps < lengths[rows], starts[rows] + steps, -1)


def _inputs_and_targets(tokens, at, eos):
    """The words at those positions as targets, and as inputs the words before them."""
    tokens = np.asarray(tokens)
    inputs = np.where(at > 0, tokens[at - 1], eos)  # the text starts as if after an <eos>
    return torch.as_tensor(inputs), torch.as_tensor(np.where(at >= 0, tokens[at], IGNORED))
