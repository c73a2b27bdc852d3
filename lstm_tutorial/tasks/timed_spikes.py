"""A spike every N steps, from a network that is told nothing but to go on.

The input is 1 at every step; a spike is asked for at steps N, 2N, 3N, … and silence at all others. Nothing
marks the time: the cell has to measure it, and to start again by itself.

Source: Gers and Schmidhuber 2000 (IJCNN); Gers, Schraudolph and Schmidhuber 2002, section 5, "generating
timed spikes". As there, a network has solved it when it is right at every step.
"""

import numpy as np

from ..spec import variants
from . import Batch

SILENCE, SPIKE = 0, 1


def spikes(period, count):
    """The one sequence of the task, ``count`` spikes long: x (T, 1, 1) all ones, the target (T, 1) 0 or 1."""
    due = (np.arange(1, period * count + 1) % period == 0).astype(int)[:, None]
    legal = np.stack([due == SILENCE, due == SPIKE], -1)
    return Batch(np.ones((len(due), 1, 1)), due, legal)


def by_hand(period, sharpness=20.0):
    """Weights with which one unit of ``lstm2002`` (D = H = 1) solves the task.

    The cell counts, c^t = c^{t−1} + 1. Both gates that matter see it through their peepholes: o opens when c
    has reached ``period``, and one step later f closes, so that the count starts again at 1. Nothing reads
    y⁻. ``sharpness`` is by how much a gate's pre-activation changes from one count to the next.
    """
    between = period - 0.5  # where both gates turn: after the last count before the spike, before the spike's
    numbers = {
        "W_z": np.log(3),  # z = 4 σ(ln 3) − 2 = 1 a step
        "b_i": 40.0,  # i = 1
        "p_o": sharpness,
        "b_o": -sharpness * between,
        "p_f": -sharpness,
        "b_f": sharpness * between,
    }
    shapes = variants["lstm2002"].parameter_shapes(1, 1)
    return {name: np.full(shape, numbers.get(name, 0.0)) for name, shape in shapes.items()}
