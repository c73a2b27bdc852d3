"""How large a whole language model is, and how wide it has to be to be as large as another.

Embedding and softmax grow with the width H too: the embedding is as wide as the layers.
"""

from bisect import bisect_left

from ..spec import as_spec


def parameter_count(cell, hidden_size, vocabulary_size, num_layers=2):
    """How many numbers a model learns, H = D: embedding VH, the cells, softmax HV + V."""
    cells = num_layers * as_spec(cell).parameter_count(hidden_size, hidden_size)
    return (2 * hidden_size + 1) * vocabulary_size + cells


def closest_width(cell, target, vocabulary_size, num_layers=2):
    """The hidden size with which a model comes closest to so many parameters; of two the smaller."""

    def size(H):
        return parameter_count(cell, H, vocabulary_size, num_layers)

    widths = range(1, target // (2 * vocabulary_size) + 1)  # wider, the embedding alone would be too large
    first = bisect_left(widths, target, key=size)
    return min(widths[max(first - 1, 0) : first + 1], key=lambda H: abs(size(H) - target))


def vocabulary_behind(cell, record):
    """How many words the model of a record knew, which its size implies."""
    s = record["settings"]
    H, layers = s["hidden_size"], 1 if s["layers_tied"] else s["num_layers"]
    return (record["parameters"] - layers * as_spec(cell).parameter_count(H, H)) // (2 * H + 1)
