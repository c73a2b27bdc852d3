"""How much to compute, and on which data: the two choices a reader makes once, in the set-up cell.

``LSTM_TUTORIAL_MODE``
    ``smoke``: every notebook runs in seconds, and nothing is learned;
    ``laptop`` (the default): at most a minute a cell, on two cores;
    ``paper``: the papers' own settings, which take hours.
``LSTM_TUTORIAL_CORPUS``
    ``stand-in`` (the default): generated data, no network;
    ``real``: the data set itself, at hand or downloaded.
"""

import os

from .errors import UserError

MODES = ("smoke", "laptop", "paper")
CORPORA = ("stand-in", "real")


def mode() -> str:
    """One of ``smoke``, ``laptop``, ``paper``, from ``LSTM_TUTORIAL_MODE``; ``laptop`` where that is not set.

    Raises:
        UserError: the variable holds anything else.
    """
    return _choice("LSTM_TUTORIAL_MODE", MODES, default="laptop")


def corpus_choice() -> str:
    """``stand-in`` or ``real``, from ``LSTM_TUTORIAL_CORPUS``; ``stand-in`` where that is not set.

    Raises:
        UserError: the variable holds anything else.
    """
    return _choice("LSTM_TUTORIAL_CORPUS", CORPORA, default="stand-in")


def _choice(variable: str, allowed: tuple[str, ...], default: str) -> str:
    value = os.environ.get(variable) or default  # an empty variable is as good as none
    if value not in allowed:
        raise UserError(f"{variable} is {value!r}: set it to one of {', '.join(allowed)}, or not at all.")
    return value
