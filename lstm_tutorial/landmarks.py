"""What language models reach on Penn Treebank: published perplexities, and what counting words reaches.

    for mark in LANDMARKS:
        print(mark.model, mark.valid, mark.test, mark.source)

On Mikolov's files, 10,000 words, valid and test whole. Networks of this course are not here: theirs are in
the ledger. ``counted`` marks are this package's own figures, which anyone can compute again from the files
(:func:`recount`, in a few seconds).
"""

from dataclasses import dataclass

from .kneser_ney import KneserNey
from .language_model import unigram_perplexity

# Test over valid on the whole splits: a band that holds the models of the list, but for the uniform one.
USUAL_RATIO = (0.92, 0.99)

ZAREMBA = "Zaremba, Sutskever and Vinyals 2014"
TUTORIAL = "docstring of TensorFlow's tutorial"


@dataclass(frozen=True)
class Landmark:
    """A model's perplexity on valid and on test, and who says so; None where the source does not."""

    model: str
    valid: float | None
    test: float | None
    source: str
    counted: bool = False
    n: int | None = None  # of a counted model: how many words an n-gram has


LANDMARKS = (
    Landmark("uniform", 10_000, 10_000, "1 / V, V = 10,000", counted=True, n=0),
    Landmark("unigram", 687.03, 639.30, "counted", counted=True, n=1),
    Landmark("Kneser–Ney, n = 2", 201.48, 186.80, "counted", counted=True, n=2),
    Landmark("Kneser–Ney, n = 3", 161.38, 150.59, "counted", counted=True, n=3),
    Landmark("Kneser–Ney, n = 5", 151.29, 143.38, "counted", counted=True, n=5),
    Landmark("LSTM small, 13 epochs", 121.4, 115.9, TUTORIAL),
    Landmark("LSTM small, no dropout", 120.7, 114.5, ZAREMBA),
    Landmark("LSTM medium, dropout", 86.2, 82.7, ZAREMBA),
    Landmark("LSTM medium, 39 epochs", 86.2, 82.1, TUTORIAL),
    Landmark("LSTM large, dropout", 82.2, 78.4, ZAREMBA),
    Landmark("LSTM large, 55 epochs", 82.6, 78.3, TUTORIAL),
    Landmark("2 × 650, tied softmax", None, 75.96, "README of pytorch/examples"),
    Landmark("tuned LSTM, 24 M", 60.9, 58.3, "Melis, Dyer and Blunsom 2018"),
    Landmark("AWD-LSTM, 24 M", 60.0, 57.3, "Merity, Keskar and Socher 2018"),
    Landmark("Mogrifier LSTM, 24 M", 51.4, 50.1, "Melis, Kočiský and Blunsom 2020"),
)


def recount(corpus, n):
    """(valid, test), perplexities of a counted model. n : 0 uniform, 1 unigram, from 2 on Kneser–Ney."""
    V = len(corpus.vocabulary)
    texts = (corpus.valid, corpus.test)
    if n == 0:
        return float(V), float(V)
    if n == 1:
        return tuple(unigram_perplexity(corpus.train, text, V) for text in texts)
    model = KneserNey(n).fit(corpus.train, corpus.eos, V)
    return tuple(model.perplexity(text) for text in texts)
