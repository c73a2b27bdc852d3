"""The few operations that NumPy and torch spell differently, and the squashing functions.

:mod:`lstm_tutorial.bptt` is written once, for arrays of either library; ``library(x)`` finds the one
that x belongs to. Each squashing function stands beside its derivative, which is a function of the
*value* v = s(a), so that no pre-activation has to be kept: ``back(d, v)`` is the gradient at a, given
the gradient d at v. Softmax runs over the H units, and its derivative is a Jacobian product.
"""

import sys
from types import SimpleNamespace

import numpy as np


def _softmax(xp):
    def softmax(a):
        e = xp.exp(a - xp.row_max(a))
        return e / e.sum(-1)[..., None]

    return softmax


def _softmax_back(d, v):
    return v * (d - (d * v).sum(-1)[..., None])


def _numpy():
    xp = SimpleNamespace(
        empty=lambda like, shape: np.empty(shape, like.dtype),
        zeros=lambda like, shape: np.zeros(shape, like.dtype),
        concatenate=np.concatenate,
        contiguous=np.ascontiguousarray,
        add_product=_numpy_add_product,
        exp=np.exp,
        row_max=lambda a: a.max(-1, keepdims=True),
    )
    xp.squash = {
        "tanh": np.tanh,
        "sigmoid": lambda a: 0.5 * np.tanh(0.5 * a) + 0.5,  # never overflows
        "hard_sigmoid": lambda a: np.clip(0.2 * a + 0.5, 0, 1),
        "linear": lambda a: a,
        "relu": lambda a: np.maximum(a, 0),
        "softmax": _softmax(xp),
        "4sigmoid-2": lambda a: 2 * np.tanh(0.5 * a),
        "2sigmoid-1": lambda a: np.tanh(0.5 * a),
    }
    xp.squash_back = {
        "tanh": lambda d, v: d * (1 - v * v),
        "sigmoid": lambda d, v: d * (v * (1 - v)),
        "hard_sigmoid": lambda d, v: d * (0.2 * ((v > 0) & (v < 1))),
        "linear": lambda d, v: d,
        "relu": lambda d, v: d * (v > 0),
        "softmax": _softmax_back,
        "4sigmoid-2": lambda d, v: d * (1 - 0.25 * v * v),
        "2sigmoid-1": lambda d, v: d * (0.5 - 0.5 * v * v),
    }
    return xp


def _numpy_add_product(a, x, W):
    a += x @ W


def _torch():
    import torch

    aten = torch.ops.aten
    xp = SimpleNamespace(
        empty=lambda like, shape: like.new_empty(shape),
        zeros=lambda like, shape: like.new_zeros(shape),
        concatenate=torch.cat,
        contiguous=lambda a: a.contiguous(),
        add_product=lambda a, x, W: a.addmm_(x, W),
        exp=torch.exp,
        row_max=lambda a: a.amax(-1, keepdim=True),
    )
    xp.squash = {
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "hard_sigmoid": lambda a: (0.2 * a + 0.5).clamp_(0, 1),
        "linear": lambda a: a,
        "relu": torch.relu,
        "softmax": _softmax(xp),
        "4sigmoid-2": lambda a: 2 * torch.tanh(0.5 * a),
        "2sigmoid-1": lambda a: torch.tanh(0.5 * a),
    }
    xp.squash_back = _numpy_library.squash_back | {
        "tanh": aten.tanh_backward,  # the same formula in one pass over the memory
        "sigmoid": aten.sigmoid_backward,
    }
    return xp


_numpy_library = _numpy()
_torch_library = None


def library(array):
    """The namespace of operations for an array: NumPy's, or torch's if it is a tensor.

    torch is not imported here unless the caller has: Part I of the course needs NumPy only.
    """
    global _torch_library
    if "torch" not in sys.modules or isinstance(array, np.ndarray):
        return _numpy_library
    if _torch_library is None:
        _torch_library = _torch()
    return _torch_library
