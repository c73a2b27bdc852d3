"""The course's texts: Penn Treebank, and the generated Banyan treebank that needs no network.

    corpus = load_corpus("banyan")     # or "ptb", or "auto"
    corpus.train                       # int64 token ids, one <eos> after each line
    corpus.decode(corpus.train[:20])

`process.py` and `banyan.py` generate the stand-in and know its exact entropy; `ptb.py` reads and
checks the real files; `registry.py` is the table of all data sets, with their terms.
"""

import numpy as np

from ..errors import DataError
from ..mode import mode
from . import banyan, ptb
from .corpus import Corpus, split_words
from .registry import DATA_SETS, Report, verify

__all__ = ["DATA_SETS", "Corpus", "Report", "load_banyan", "load_corpus", "verify"]


def load_corpus(name="auto", size=None, *, say=print, offline=None):
    """A corpus, ready for a language model.

    name:    "ptb" (Penn Treebank), "banyan" (the generated stand-in), or "auto": Penn Treebank if it can
             be had, otherwise the stand-in
    size:    of the stand-in: "smoke", "laptop" or "paper"; None takes LSTM_TUTORIAL_MODE, default "laptop"
    say:     called with one line that says which corpus it is (also in `corpus.note`), and before each
             download; None says nothing
    offline: True forbids downloads, False allows them; None asks LSTM_TUTORIAL_OFFLINE. While
             LSTM_TUTORIAL_DATA is set nothing is ever downloaded

    Returns a `Corpus`. Raises DataError for an unknown name or size, and for "ptb" that cannot be had;
    UserError for a LSTM_TUTORIAL_MODE that is none.
    """
    say = say or (lambda line: None)
    if name not in ("auto", "ptb", "banyan"):
        raise DataError(f"there is no corpus called {name!r}: choose auto, ptb or banyan.")
    size = size or mode()
    if size not in banyan.SIZES:
        raise DataError(
            f"there is no size {size!r} of the Banyan treebank: choose {', '.join(banyan.SIZES)}."
        )
    if name == "banyan":
        corpus = load_banyan(size)
    elif name == "ptb":
        corpus = ptb.load(offline, say)
    else:
        try:
            corpus = ptb.load(offline, say, timeout=(4, 15))
        except DataError as problem:
            corpus = load_banyan(size, why=f" It stands in for Penn Treebank: {problem}")
    say(corpus.note)
    return corpus


def load_banyan(size="laptop", why=""):
    """The Banyan treebank as a `Corpus`. `why` is added to its note."""
    texts = banyan.generate(size)
    sentences = banyan.SIZES[size][0]
    vocabulary = banyan.vocabulary()
    ids = {word: i for i, word in enumerate(vocabulary)}
    return Corpus(
        name="banyan",
        vocabulary=vocabulary,
        **{
            split: np.array([ids[word] for word in split_words(text)], dtype=np.int64)
            for split, text in texts.items()
        },
        sha256=banyan.sha256(texts),
        size=size,
        note=f"Corpus: Banyan treebank, generated, {size} size, {sentences:,} sentences to train on.{why}",
    )
