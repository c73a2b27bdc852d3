"""A word-level language model: embedding, a stack of recurrent layers, softmax.

Seed 000's model (Zaremba et al. 2014): dropout acts between layers only, on the embedded words, on the
output of every layer, never on a recurrent connection. Also how text is cut into batches, and how
perplexity is measured.

Letters: V words, N tokens, T steps, B rows of a batch, H units.
"""

import math
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from . import numpy_language_model
from .layers import LSTM
from .numpy_language_model import unigram_perplexity
from .spec import as_spec

__all__ = [
    "IGNORED",
    "LanguageModel",
    "batches",
    "evaluating",
    "perplexity",
    "safe_exp",
    "surprisals",
    "token_losses",
    "unigram_perplexity",
]

IGNORED = -100  # a target that is none: torch's cross entropy leaves it out


class LanguageModel(nn.Module):
    """Predicts the next word at every step.

    Parameters
    ----------
    spec : the cell, a CellSpec or a name.
    vocabulary_size : V. hidden_size : H, also the size of the embedding. num_layers : recurrent layers.
    dropout : probability of dropping a number between layers.
    layers_tied : one cell used for all layers, as the code of seed 000 does for its LSTM.
    weight_tying : the softmax uses the embedding matrix (Press and Wolf 2017).
    engine : see :mod:`lstm_tutorial.engines`.
    """

    def __init__(
        self,
        spec,
        vocabulary_size,
        hidden_size,
        num_layers=2,
        dropout=0.0,
        layers_tied=False,
        weight_tying=False,
        engine="auto",
    ):
        super().__init__()
        self.spec = as_spec(spec)
        self.embedding = nn.Embedding(vocabulary_size, hidden_size)
        first = LSTM(self.spec, hidden_size, hidden_size, engine=engine)
        self.layers = nn.ModuleList(
            first if layers_tied or k == 0 else LSTM(self.spec, hidden_size, hidden_size, engine=engine)
            for k in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.softmax = nn.Linear(hidden_size, vocabulary_size)
        if weight_tying:
            self.softmax.weight = self.embedding.weight

    def initialise(self, scale, generator=None):
        """Every parameter from U(−scale, scale), biases too; zeros where the cell has them. Returns self."""
        cells = {id(layer): layer for layer in self.layers}.values()
        own = {id(p) for cell in cells for p in cell.parameters()}
        with torch.no_grad():
            for p in self.parameters():
                if id(p) not in own:
                    p.uniform_(-scale, scale, generator=generator)
        for cell in cells:
            cell.reset_parameters(scale, generator)
        return self

    def forward(self, tokens, state=None):
        """Scores of the next word (T, B, V) and the new state, for tokens (T, B)."""
        y, state = self.hidden(tokens, state)
        return self.softmax(y), state

    def hidden(self, tokens, state=None):
        """The last layer's output (T, B, H), and the state: a list with one tuple per layer."""
        y = self.dropout(self.embedding(tokens))
        new_state = []
        for k, layer in enumerate(self.layers):
            y, s = layer(y, self.start_of_layer(k, state, new_state))
            y = self.dropout(y)
            new_state.append(s)
        return y, new_state

    def start_of_layer(self, k, state, ended):
        """The state layer k starts from: its own of ``state``; ``ended`` are those of the layers below."""
        return None if state is None else state[k]

    def loss(self, tokens, targets, state=None):
        """The negative log-likelihood of the targets (T, B) in nats, summed; and the new state, detached.

        Targets that are ``IGNORED`` are none, and cost no product with the softmax.
        """
        y, state = self.hidden(tokens, state)
        real = targets != IGNORED
        nats = F.cross_entropy(self.softmax(y[real]), targets[real], reduction="sum")
        return nats, [tuple(s.detach() for s in layer) for layer in state]

    @property
    def output_bias(self):
        """The bias of the scores: the one parameter that learns whatever the layers do."""
        return self.softmax.bias

    def parameter_count(self):
        """How many numbers the model learns; what is shared counts once."""
        return sum(p.numel() for p in self.parameters())


def batches(tokens, batch_size, num_steps):
    """Cut a text into rows read side by side, and these into steps: a list of (tokens, targets), (T, B) each.

    tokens (N,) in, tensors out. Row b of one batch goes on in row b of the next, so that the state can be
    carried. As in the TensorFlow tutorial that seed 000 follows, what does not fill a row or a last batch is
    left out. Raises ValueError if the text is too short for one batch.
    """
    pairs = numpy_language_model.batches(np.asarray(tokens), batch_size, num_steps)
    return [tuple(map(torch.as_tensor, pair)) for pair in pairs]


def perplexity(model, tokens, first, batch_size=1, num_steps=256):
    """exp of the mean negative log-likelihood over *all* of a text, see :func:`surprisals`.

    One pass, a zero state at the start that is carried through, so that every token is predicted exactly
    once. With ``batch_size`` > 1 the rows start from a zero state each: faster, a little different, for
    curves only.
    """
    return safe_exp(surprisals(model, tokens, first, batch_size, num_steps).mean())


@torch.no_grad()
def surprisals(model, tokens, first, batch_size=1, num_steps=256):
    """The surprisal of every token of a text, −log q in nats, (N,), in float64; in eval mode.

    tokens (N,) are read in one pass from a zero state, the first predicted from ``first`` (the id of <eos>).
    ``batch_size`` > 1 cuts the text into that many rows, side by side, each from a zero state and ``first``
    replaced by the token before. ``num_steps`` is how many steps are computed at once; it changes nothing.
    """
    previous = np.concatenate([[first], tokens[:-1]])
    width = -(-len(tokens) // batch_size)
    pad = width * batch_size - len(tokens)
    inputs, targets = (
        torch.as_tensor(np.pad(a, (0, pad)).reshape(batch_size, width).T.copy()) for a in (previous, tokens)
    )
    losses, state = [], None
    with evaluating(model) as device:
        for k in range(0, width, num_steps):
            part = slice(k, k + num_steps)
            scores, state = model(inputs[part].to(device), state)
            losses.append(token_losses(scores, targets[part].to(device)))
    return np.concatenate(losses).T.reshape(-1)[: len(tokens)]


def token_losses(scores, targets):
    """Negative log-likelihoods (T, B) in nats as a float64 array, of targets (T, B) by scores (T, B, V)."""
    losses = F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none")
    return losses.double().view(targets.shape).cpu().numpy()


@contextmanager
def evaluating(model):
    """The model in eval mode for a while; gives the device it is on."""
    was = model.training
    model.eval()
    try:
        yield next(model.parameters()).device
    finally:
        model.train(was)


def safe_exp(x):
    """exp, with infinity where it does not fit a float."""
    return math.exp(x) if x < 700 else math.inf
