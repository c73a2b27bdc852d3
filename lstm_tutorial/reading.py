"""The two ways to read a text while training, each with the batches it is cut into and the figures it gives.

``running text`` : rows read side by side down the text, the state carried from batch to batch (Zaremba et
al. 2014, seed 000). ``sentences`` : every sentence alone, in padded batches, in another order each epoch
(seed 001).
"""

import numpy as np

from . import sentences
from .language_model import batches, perplexity, unigram_perplexity

ROWS_FOR_CURVES = (
    10  # of running text: each epoch valid perplexity is measured in so many rows, in the end in one
)
CURVE = f"valid_perplexity_in_{ROWS_FOR_CURVES}_rows"


def reading(corpus, settings):
    """The reading that ``settings["reads"]`` names, of the part of a corpus that the settings ask for."""
    if settings.get("tokens"):
        corpus = corpus.head(settings["tokens"])
    if settings.get("sentences"):
        corpus = corpus.first_sentences(settings["sentences"], settings["words"])
    return READINGS[settings.get("reads", "running text")](corpus, settings)


class RunningText:
    """Rows down the text."""

    decides = CURVE  # the curve that says whether a run still improves

    def __init__(self, corpus, settings):
        self.corpus = corpus
        self.batches = batches(corpus.train, settings["batch_size"], settings["num_steps"])

    def epoch(self, seed, number):
        """The batches of an epoch, in order: always that of the text."""
        return self.batches

    def carry(self, state):
        """What the next batch starts from: the state in which this one has ended."""
        return state

    def after_epoch(self, model):
        """Figures for the curves."""
        return {CURVE: perplexity(model, self.corpus.valid, self.corpus.eos, batch_size=ROWS_FOR_CURVES)}

    def in_the_end(self, model):
        """The figures of a run: perplexity of valid and of test."""
        return {
            f"{split}_perplexity": perplexity(model, getattr(self.corpus, split), self.corpus.eos)
            for split in ("valid", "test")
        }

    def floor(self):
        """Valid perplexity of guessing by frequency."""
        return unigram_perplexity(self.corpus.train, self.corpus.valid, len(self.corpus.vocabulary))


class Sentences(RunningText):
    """Every sentence alone. A perplexity has its usual name only where every word was predicted."""

    decides = "valid_perplexity_without_first_words"

    def __init__(self, corpus, settings):
        self.corpus = corpus
        by_length = settings.get("by_length", True)
        # Measured 64 at a time, as trained on by seed 001.
        self.how = dict(batch_size=64, first_word=settings["first_word"], by_length=by_length)
        self.batches = sentences.sentence_batches(
            corpus.train, corpus.eos, **self.how | {"batch_size": settings["batch_size"]}
        )

    def epoch(self, seed, number):
        """The batches in an order that depends on the run's seed and the number of the epoch alone."""
        order = np.random.default_rng([seed, number]).permutation(len(self.batches))
        return [self.batches[k] for k in order]

    def carry(self, state):
        """Nothing: the next sentence has nothing to do with this one."""
        return None

    def after_epoch(self, model):
        return self._figures(model, "valid")

    def in_the_end(self, model):
        return self._figures(model, "valid") | self._figures(model, "test")

    def _figures(self, model, split):
        tokens, eos = getattr(self.corpus, split), self.corpus.eos
        losses = sentences.surprisals(model, tokens, eos, **self.how)
        found = {f"{split}_perplexity": sentences.perplexity(losses)} if self.how["first_word"] else {}
        losses[np.concatenate([[True], tokens[:-1] == eos])] = np.nan
        return found | {
            f"{split}_perplexity_without_first_words": sentences.perplexity(losses),
            f"{split}_perplexity_as_seed_001": sentences.perplexity_of_means(losses, tokens, eos),
        }


READINGS = {"running text": RunningText, "sentences": Sentences}
