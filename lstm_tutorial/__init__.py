"""LSTMs from a NumPy cell with hand-written backpropagation through time to ablations on Penn Treebank.

>>> from lstm_tutorial import variants, numpy_lstm, LSTM
"""

from . import numpy_lstm
from .spec import CellSpec, variants

__version__ = "0.1.0"
__all__ = ["LSTM", "CellSpec", "numpy_lstm", "variants"]


def __getattr__(name):
    # torch takes seconds to import, and Part I of the course does without it.
    if name == "LSTM":
        from .layers import LSTM

        return LSTM
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
