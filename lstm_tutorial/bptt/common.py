"""What the cells share: the tape, stacked weights, and the products taken over all steps at once."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Tape:
    """Everything the backward pass needs to know about the forward pass.

    ``tape.z``, ``.i``, ``.f``, ``.o``, ``.c``, ``.y`` (or ``.r``, ``.u``, ``.n``) are ``(T, B, H)``.
    """

    spec: Any
    x: Any  # (T, B, D)
    A: Any  # (T, B, nH) activations, stacked in the order of spec.blocks
    Y: Any  # (T + 1, B, H) outputs, the initial one first
    C: Any = None  # (T + 1, B, H) cells, likewise
    extra: Any = None  # (T, B, H): h(c) in an LSTM, the candidate's recurrent part in a GRU
    gates: Any = None  # (B, kH): the learned gates before the first step, where they recur
    mask: Any = None  # (B, H): recurrent dropout
    W: Any = None  # the input matrices of all blocks, stacked, and the recurrent ones
    R: Any = None

    arrays = ("x", "A", "Y", "C", "extra", "gates", "mask", "W", "R")

    def __getattr__(self, letter):
        spec = self.__dict__.get("spec")
        if spec is None or letter.startswith("__"):
            raise AttributeError(letter)
        if letter == "y":
            return self.Y[1:]
        if letter == "c" and spec.has_cell:
            return self.C[1:]
        if letter in spec.blocks:
            return self.A[:, :, block_columns(spec, self.Y.shape[-1])[letter]]
        if letter == "f" and spec.forget_gate == "coupled":
            return 1 - self.i
        if letter in ("i", "f", "o") and spec.has_cell:
            return 0 * self.c + 1
        raise AttributeError(f"the tape of cell {spec.name!r} has no {letter!r}")


def block_columns(spec, H):
    """Which columns of A belong to each block."""
    return {k: slice(j * H, (j + 1) * H) for j, k in enumerate(spec.blocks)}


def columns_reading(spec, source, H):
    """The columns of A whose blocks read x, y or b.

    Always one contiguous slice: all gates read the same sources, and the block input is at one end.
    """
    places = [j for j, k in enumerate(spec.blocks) if source in spec.reads(k)]
    return slice(places[0] * H, (places[-1] + 1) * H) if places else slice(0, 0)


def stacked(xp, spec, params, letter, source):
    """The matrices (or biases) of all blocks that read a source, on top of one another; or None."""
    parts = [params[f"{letter}_{k}"] for k in spec.blocks if source in spec.reads(k)]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else xp.concatenate(parts)


def unstacked(spec, letter, source, d):
    """The rows of a stacked gradient, by parameter name."""
    names = [f"{letter}_{k}" for k in spec.blocks if source in spec.reads(k)]
    H = len(d) // max(1, len(names))
    return {name: d[j * H : (j + 1) * H] for j, name in enumerate(names)}


def each(xp, a, T):
    """a[0], a[1], …; or a number T times."""
    return [a] * T if isinstance(a, int) else xp.steps(a)


def project_input(xp, spec, params, W, x, H):
    """W x + b for all blocks and all steps, as one product: (T, B, nH)."""
    T, B, D = x.shape
    width = len(spec.blocks) * H
    if len(W) == width:
        A = x.reshape(T * B, D) @ W.T
    else:
        A = xp.zeros(x, (T * B, width))
        xp.add_product(A[:, columns_reading(spec, "x", H)], x.reshape(T * B, D), W.T)
    b = stacked(xp, spec, params, "b", "b")
    if b is not None:
        A[:, columns_reading(spec, "b", H)] += b
    return A.reshape(T, B, width)


def input_gradients(spec, W, x, dA):
    """dx, and the gradients of every W and b: dW = Σ_t d_bar^t (x^t)ᵀ, db = Σ_t d_bar^t."""
    T, B, D = x.shape
    H = dA.shape[-1] // len(spec.blocks)
    dA = dA.reshape(T * B, -1)
    reads_x = dA[:, columns_reading(spec, "x", H)]
    dx = (reads_x @ W).reshape(T, B, D)
    grads = unstacked(spec, "W", "x", reads_x.T @ x.reshape(T * B, D))
    grads |= unstacked(spec, "b", "b", dA[:, columns_reading(spec, "b", H)].sum(0))
    return dx, grads


def outer_sum(d, y):
    """Σ_t d^t (y^t)ᵀ over all steps and sequences, for d (T, B, m) and y (T, B, k): one product."""
    return d.reshape(-1, d.shape[-1]).T @ y.reshape(-1, y.shape[-1])
