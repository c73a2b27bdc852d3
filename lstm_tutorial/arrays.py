"""The few operations that NumPy and torch spell differently, and the squashing functions.

:mod:`lstm_tutorial.bptt` is written once, for arrays of either library; ``library(a)`` finds the one that
an array belongs to. What is called in a loop writes into memory that is there already: a small
operation costs about as much as the allocation of its result.

``squash[name](a, out)`` writes s(a) into ``out``, which may be ``a`` itself. ``slope[name](v)`` is the
derivative as a function of the *value* v = s(a), so that no pre-activation has to be kept. Softmax runs
over the H units and has no slope: its derivative is a product with a Jacobian, :func:`softmax_back`.
"""

import sys
from types import SimpleNamespace

import numpy as np

SLOPE = {
    "tanh": lambda v: 1 - v * v,
    "sigmoid": lambda v: v - v * v,
    "hard_sigmoid": lambda v: (0 * v + 0.2) * ((v > 0) & (v < 1)),
    "linear": lambda v: 0 * v + 1,
    "relu": lambda v: (0 * v + 1) * (v > 0),
    "softmax": lambda v: 0 * v + 1,  # the Jacobian comes on top, in softmax_back
    "4sigmoid-2": lambda v: 1 - 0.25 * (v * v),
    "2sigmoid-1": lambda v: 0.5 - 0.5 * (v * v),
}


def softmax_back(d, v):
    """The gradient at a, given the gradient d at v = softmax(a): J d with J = diag(v) − v vᵀ."""
    return v * (d - (d * v).sum(-1)[..., None])


def library(array):
    """The operations for an array: NumPy's, or torch's if it is a tensor.

    torch is not imported here unless the caller has: Part I of the course needs NumPy only.
    """
    if isinstance(array, np.ndarray) or "torch" not in sys.modules:
        return NUMPY
    if not TORCH:
        TORCH.append(_torch())
    return TORCH[0]


def _numpy():
    def add_product(a, x, W):
        a += x @ W

    def add_multiple(a, x, w):
        a += x * w

    def sigmoid(a, out):  # by way of tanh, so that it never overflows
        np.multiply(a, 0.5, out=out)
        np.tanh(out, out=out)
        out *= 0.5
        out += 0.5

    def hard_sigmoid(a, out):
        np.clip(0.2 * a + 0.5, 0, 1, out=out)

    def linear(a, out):
        if out is not a:
            out[...] = a

    def softmax(a, out):
        e = np.exp(a - a.max(-1, keepdims=True))
        np.divide(e, e.sum(-1, keepdims=True), out=out)

    def half_tanh(a, out):  # 2σ(a) − 1 = tanh(a/2)
        np.tanh(0.5 * a, out=out)

    def twice_half_tanh(a, out):
        np.multiply(np.tanh(0.5 * a), 2, out=out)

    return SimpleNamespace(
        empty=lambda like, shape: np.empty(shape, like.dtype),
        zeros=lambda like, shape: np.zeros(shape, like.dtype),
        concatenate=np.concatenate,
        steps=list,  # the views a[0], a[1], … of an array
        add_product=add_product,  # a += x W
        add_multiple=add_multiple,  # a += x ⊙ w
        multiply=lambda x, w, out: np.multiply(x, w, out=out),
        squash={
            "tanh": lambda a, out: np.tanh(a, out=out),
            "sigmoid": sigmoid,
            "hard_sigmoid": hard_sigmoid,
            "linear": linear,
            "relu": lambda a, out: np.maximum(a, 0, out=out),
            "softmax": softmax,
            "4sigmoid-2": twice_half_tanh,
            "2sigmoid-1": half_tanh,
        },
    )


def _torch():
    import torch

    def add_multiple(a, x, w):
        if isinstance(w, torch.Tensor):
            a.addcmul_(x, w)
        else:
            a.add_(x, alpha=w)

    def linear(a, out):
        if out is not a:
            out.copy_(a)

    return SimpleNamespace(
        empty=lambda like, shape: like.new_empty(shape),
        zeros=lambda like, shape: like.new_zeros(shape),
        concatenate=torch.cat,
        steps=lambda a: list(a.unbind(0)),
        add_product=lambda a, x, W: a.addmm_(x, W),
        add_multiple=add_multiple,
        multiply=lambda x, w, out: torch.mul(x, w, out=out),
        squash={
            "tanh": lambda a, out: torch.tanh(a, out=out),
            "sigmoid": lambda a, out: torch.sigmoid(a, out=out),
            "hard_sigmoid": lambda a, out: torch.clamp(0.2 * a + 0.5, 0, 1, out=out),
            "linear": linear,
            "relu": lambda a, out: torch.clamp(a, min=0, out=out),
            "softmax": lambda a, out: out.copy_(torch.softmax(a, -1)),
            "4sigmoid-2": lambda a, out: torch.mul(torch.tanh(0.5 * a), 2, out=out),
            "2sigmoid-1": lambda a, out: torch.tanh(0.5 * a, out=out),
        },
    )


NUMPY = _numpy()
TORCH = []  # torch's, once it is needed
