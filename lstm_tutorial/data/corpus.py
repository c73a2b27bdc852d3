"""A corpus as a language model sees it: three long arrays of token ids, and the words they stand for."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..errors import DataError
from .process import EOS

UNK = "<unk>"


@dataclass(frozen=True, eq=False)
class Corpus:
    """Text as token ids, with one <eos> after each line.

    name:         "ptb" or "banyan"
    vocabulary:   tuple of str, each word once; the id of a word is its position
    train, valid, test: int64 arrays, shape (number of tokens,)
    sha256:       {file name: SHA-256 of the plain bytes}; part of every recorded result
    size:         "smoke", "laptop" or "paper" for a generated corpus, "" for a real one
    note:         one line that says which corpus this is, and why
    """

    name: str
    vocabulary: tuple
    train: np.ndarray = field(repr=False)
    valid: np.ndarray = field(repr=False)
    test: np.ndarray = field(repr=False)
    sha256: dict
    size: str = ""
    note: str = ""

    def __repr__(self):
        counts = ", ".join(f"{split} {count:,}" for split, count in self.token_counts.items())
        return f"Corpus({self.name!r}, {len(self.vocabulary):,} words; tokens: {counts})"

    @property
    def token_counts(self):
        """{"train": number of tokens, "valid": ..., "test": ...}, every <eos> included."""
        return {split: len(getattr(self, split)) for split in ("train", "valid", "test")}

    @property
    def sentence_counts(self):
        """{"train": number of sentences, "valid": ..., "test": ...}."""
        return {split: int((getattr(self, split) == self.eos).sum()) for split in ("train", "valid", "test")}

    def head(self, tokens):
        """The same corpus with at most so many tokens of train, and a tenth as many of valid and of test."""
        return replace(
            self, train=self.train[:tokens], valid=self.valid[: tokens // 10], test=self.test[: tokens // 10]
        )

    def first_sentences(self, sentences=None, words=None):
        """The same corpus with so many sentences of train (None: all), and the whole of valid and of test.

        Of the vocabulary the ``words`` commonest in that part of train are kept, <unk> and <eos> among them,
        and every other word becomes <unk>. None keeps all, and so does a corpus without <unk>.
        """
        ends = np.flatnonzero(self.train == self.eos) + 1
        shorter = replace(self, train=self.train[: ends[:sentences][-1]])
        all_kept = words is None or words >= len(self.vocabulary) or UNK not in self.ids
        return shorter if all_kept else shorter._with_words(words)

    def _with_words(self, words):
        counts = np.bincount(self.train, minlength=len(self.vocabulary))
        counts[[self.eos, self.ids[UNK]]] = len(self.train)  # kept whatever happens
        kept = np.argsort(-counts, kind="stable")[:words]
        new_id = np.full(len(self.vocabulary), np.flatnonzero(kept == self.ids[UNK])[0])
        new_id[kept] = np.arange(words)
        return replace(
            self,
            vocabulary=tuple(self.vocabulary[k] for k in kept),
            **{split: new_id[getattr(self, split)] for split in ("train", "valid", "test")},
        )

    @property
    def eos(self):
        """The id of <eos>, the end of a sentence."""
        return self.ids[EOS]

    @cached_property
    def ids(self):
        """{word: id}, the inverse of `vocabulary`."""
        return {word: i for i, word in enumerate(self.vocabulary)}

    def encode(self, text):
        """Token ids of a text, an int64 array; each line break becomes <eos>.

        A word outside the vocabulary becomes <unk> where the vocabulary has one; otherwise DataError.
        """
        unknown = self.ids.get(UNK)
        tokens = []
        for word in split_words(text):
            token = self.ids.get(word, unknown)
            if token is None:
                raise DataError(
                    f"{word!r} is not one of the {len(self.vocabulary):,} words of {self.name}, which has no "
                    f"{UNK}; choose words from corpus.vocabulary."
                )
            tokens.append(token)
        return np.array(tokens, dtype=np.int64)

    def decode(self, ids):
        """The text of some token ids; each <eos> becomes a line break."""
        lines = " ".join("\n" if i == self.eos else self.vocabulary[i] for i in ids)
        return lines.replace(" \n", "\n").replace("\n ", "\n")


def split_words(text):
    """The words of a text, with <eos> for each line break."""
    return text.replace("\n", f" {EOS} ").split()
