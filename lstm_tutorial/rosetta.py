"""One cell in many libraries: what each calls its parts, in which order it stacks them, and converters.

    arrays = to_order("lstm", params, "keras")          # this course's dict → the library's own arrays
    params = from_order("lstm", arrays, "keras")        # and back

Every library computes the same products, and stacks the blocks of a cell on top of one another to make
one product of them. The *order* in the stack is a convention. So are the layout of a matrix, (nH, D) or its
transpose, and whether a block has one bias or two, which are added. Nothing in an array says which convention
it follows, and a wrong one has the right shape: hence these functions.

Letters: D inputs, H units, n blocks; the blocks are called by their letters here, z i f o (LSTM) and
r u n (GRU), whatever the library calls them. Single layer, single direction; NumPy arrays.

Sources: the documentation and reference code of PyTorch, Keras and ONNX, against which the tests run (Keras's
and ONNX's where they are installed); NVIDIA's reference of cuDNN, ``cudnnGetRNNWeightParams``; documentation
and plain code of haste and FlashRNN. These three are made for GPUs: their converters follow what is written
there, the tests repeat it in NumPy, and none of it has been run against the libraries themselves.
"""

from dataclasses import dataclass, replace

import numpy as np

from .spec import as_spec, variants
from .tables import Table

__all__ = ["LIBRARIES", "ORDERS", "from_order", "names_table", "options", "to_order"]

LIBRARIES = ("torch", "keras", "onnx", "cudnn", "haste", "flashrnn")

# The blocks from top to bottom of a library's stack, in this course's letters.
ORDERS = {
    "lstm": dict(torch="ifzo", keras="ifzo", onnx="iofz", cudnn="ifzo", haste="izfo", flashrnn="ifzo"),
    "gru": dict(torch="run", keras="urn", onnx="urn", cudnn="run", haste="urn", flashrnn="run"),
}
PEEPHOLES = {"onnx": "iof"}  # of the six only ONNX has them


@dataclass(frozen=True)
class Stack:
    """A cell's parameters on top of one another, in a library's order.

    W (nH, D), R (nH, H); b and b2 (nH,): the bias beside W x, and the one beside R y⁻ if there are two;
    p: peepholes (kH,) or None.
    """

    W: np.ndarray
    R: np.ndarray
    b: np.ndarray
    b2: np.ndarray
    p: np.ndarray | None = None


def to_order(spec, params, library):
    """The arrays of a library, by the names that it gives them, from this course's parameters.

    Parameters
    ----------
    spec : ``lstm``, any cell that differs from it in peepholes alone, ``gru`` or ``gru_reset_before``.
    params : dict as :func:`numpy_lstm.init_params` makes it.
    library : one of ``LIBRARIES``.

    Returns a dict of NumPy arrays. Where a library has two biases the second is zero, but for a GRU's b_Rn.
    Raises ValueError where the library has no such cell. See also :func:`options`.
    """
    spec, order = _order(spec, library)
    missing = set(spec.parameter_shapes(1, 1)) - set(params)
    if missing:
        raise ValueError(
            f"cell {spec.name!r} has parameters that are not there: {', '.join(sorted(missing))}."
        )
    p = {name: np.asarray(value) for name, value in params.items()}
    zero = np.zeros_like(p[f"R_{order[0]}"][0])
    p = _turned(spec, p) if _weights_differ(spec) else p

    def stack(letter, blocks=order):
        return np.concatenate([p.get(f"{letter}_{k}", zero) for k in blocks])

    b2 = np.concatenate([p.get("b_Rn", zero) if k == "n" else zero for k in order])
    peepholes = stack("p", PEEPHOLES[library]) if spec.peepholes else None
    return PACK[library][0](spec, Stack(stack("W"), stack("R"), stack("b"), b2, peepholes))


def from_order(spec, arrays, library):
    """The inverse of :func:`to_order`: this course's parameters, where two biases have become their sum.

    Raises ValueError where the library has no such cell, and where biases that are not zero have no place in
    the spec.
    """
    spec, order = _order(spec, library)
    s = PACK[library][1](spec, {name: np.asarray(a) for name, a in arrays.items()})
    n = len(order)
    p = {f"W_{k}": rows for k, rows in zip(order, np.split(s.W, n), strict=True)}
    p |= {f"R_{k}": rows for k, rows in zip(order, np.split(s.R, n), strict=True)}
    for k, first, second in zip(order, np.split(s.b, n), np.split(s.b2, n), strict=True):
        inside_reset = spec.family == "gru" and k == "n"
        p |= {"b_n": first, "b_Rn": second} if inside_reset else {f"b_{k}": first + second}
    if spec.peepholes:
        letters = PEEPHOLES[library]
        p |= {f"p_{k}": v for k, v in zip(letters, np.split(s.p, len(letters)), strict=True)}
    p = _turned(spec, p) if _weights_differ(spec) else p
    wanted = spec.parameter_shapes(p[f"W_{order[0]}"].shape[1], len(p[f"R_{order[0]}"]))
    homeless = [name for name in p if name not in wanted and p[name].any()]
    if homeless:
        raise ValueError(f"cell {spec.name!r} has no place for {', '.join(homeless)}, which is not zero.")
    return {name: p[name] if name in p else np.zeros(shape) for name, shape in wanted.items()}


def options(spec, library):
    """The arguments with which a library's layer (or operator) computes this cell: a dict, mostly empty."""
    spec, _ = _order(spec, library)
    if spec.family == "lstm":
        return {}
    after = spec.family == "gru"
    return {"keras": {"reset_after": after}, "onnx": {"linear_before_reset": int(after)}}.get(library, {})


# ---------------------------------------------------------------- which cells a library has


def _order(spec, library):
    """The spec, and the order of its blocks in a library that has this cell."""
    spec = as_spec(spec)
    if library not in LIBRARIES:
        raise ValueError(f"the libraries are {', '.join(LIBRARIES)}, not {library!r}.")
    bare = replace(spec, name="bare", start="default")
    if bare == replace(variants["lstm"], name="bare", peepholes=spec.peepholes):
        if spec.peepholes and library not in PEEPHOLES:
            raise ValueError(f"{library} has no peepholes: cell {spec.name!r} cannot be converted.")
        if spec.peepholes and len(spec.peepholes) < 3:
            raise ValueError(f"{library} has three peepholes or none, and cell {spec.name!r} has some.")
        return spec, ORDERS["lstm"][library]
    if bare == replace(variants["gru"], name="bare"):
        return spec, ORDERS["gru"][library]
    if spec.family == "gru_reset_before":
        both = {field: spec.gate_reads for field in ("gate_reads", "content_reads")}
        if bare == replace(variants["gru_reset_before"], name="bare", **both) and "x" in spec.gate_reads:
            if library not in ("keras", "onnx"):
                raise ValueError(
                    f"{library} resets after the recurrent product, and {spec.name!r} before it."
                )
            return spec, ORDERS["gru"][library]
    raise ValueError(f"no library here has a cell like {spec.name!r}.")


def _weights_differ(spec):
    """Whether u weights the candidate here and the old state there, as with seed 001's GRU."""
    return spec.family == "gru_reset_before"


def _turned(spec, p):
    """1 − u in the place of u: σ(−a) = 1 − σ(a), so whatever feeds u changes its sign."""
    return p | {name: -p[name] for name in ("W_u", "R_u", "b_u") if name in p}


# ---------------------------------------------------------------- a stack as each library's arrays, and back


def _to_torch(spec, s):
    return {"weight_ih": s.W, "weight_hh": s.R, "bias_ih": s.b, "bias_hh": s.b2}


def _from_torch(spec, a):
    return Stack(a["weight_ih"], a["weight_hh"], a["bias_ih"], a["bias_hh"])


def _to_keras(spec, s):
    bias = np.stack([s.b, s.b2]) if spec.family == "gru" else s.b
    return {"kernel": s.W.T, "recurrent_kernel": s.R.T, "bias": bias}


def _from_keras(spec, a):
    b, b2 = a["bias"] if spec.family == "gru" else (a["bias"], 0 * a["bias"])
    return Stack(a["kernel"].T, a["recurrent_kernel"].T, b, b2)


def _to_onnx(spec, s):
    arrays = {"W": s.W, "R": s.R, "B": np.concatenate([s.b, s.b2])}
    arrays |= {} if s.p is None else {"P": s.p}
    return {name: a[None] for name, a in arrays.items()}  # the first axis is that of directions


def _from_onnx(spec, a):
    b, b2 = np.split(a["B"][0], 2)
    return Stack(a["W"][0], a["R"][0], b, b2, a["P"][0] if spec.peepholes else None)


def _to_cudnn(spec, s):
    """One matrix and one bias for each linLayerID: first those that meet x, then those that meet y⁻."""
    n = len(ORDERS[_kind(spec)]["cudnn"])
    matrices = [*np.split(s.W, n), *np.split(s.R, n)]
    biases = [*np.split(s.b, n), *np.split(s.b2, n)]
    return {f"matrix_{k}": m for k, m in enumerate(matrices)} | {f"bias_{k}": v for k, v in enumerate(biases)}


def _from_cudnn(spec, a):
    n = len(ORDERS[_kind(spec)]["cudnn"])

    def stack(what, first):
        return np.concatenate([a[f"{what}_{k}"] for k in range(first, first + n)])

    return Stack(stack("matrix", 0), stack("matrix", n), stack("bias", 0), stack("bias", n))


def _to_haste(spec, s):
    second = {"recurrent_bias": s.b2} if spec.family == "gru" else {}
    return {"kernel": s.W.T, "recurrent_kernel": s.R.T, "bias": s.b} | second


def _from_haste(spec, a):
    b2 = a["recurrent_bias"] if spec.family == "gru" else 0 * a["bias"]
    return Stack(a["kernel"].T, a["recurrent_kernel"].T, a["bias"], b2)


def _to_flashrnn(spec, s):
    """R and b by gate and head (here one head); W x is the caller's to compute, with W (n, 1, H, D).

    Its GRU has three recurrent blocks, n first, then r and u, and four biases: b_Rn first, then r, u, n.
    """
    H = s.R.shape[1]
    W, R, b = s.W, s.R, s.b
    if spec.family == "gru":
        R = np.concatenate([R[2 * H :], R[: 2 * H]])
        b = np.concatenate([s.b2[2 * H :], b])
    return {"W": W.reshape(-1, 1, H, W.shape[1]), "R": R.reshape(-1, 1, H, H), "b": b.reshape(-1, 1, H)}


def _from_flashrnn(spec, a):
    H = a["R"].shape[-1]
    W, R, b = a["W"].reshape(-1, a["W"].shape[-1]), a["R"].reshape(-1, H), a["b"].reshape(-1)
    if spec.family == "lstm":
        return Stack(W, R, b, 0 * b)
    return Stack(W, np.concatenate([R[H:], R[:H]]), b[H:], np.concatenate([np.zeros(2 * H), b[:H]]))


def _kind(spec):
    return "lstm" if spec.family == "lstm" else "gru"


PACK = {
    "torch": (_to_torch, _from_torch),
    "keras": (_to_keras, _from_keras),
    "onnx": (_to_onnx, _from_onnx),
    "cudnn": (_to_cudnn, _from_cudnn),
    "haste": (_to_haste, _from_haste),
    "flashrnn": (_to_flashrnn, _from_flashrnn),
}

# ---------------------------------------------------------------- what they call it

# By library: this course's letter → the library's word for it, where it has another.
NAMES = {
    "this course": {},
    "torch": {"y": "h", "z": "g", "u": "z"},
    "keras": {"y": "h", "z": "c", "u": "z", "n": "h"},
    "onnx": {"y": "H", "c": "C", "z": "c", "u": "z", "n": "h"},
    "cudnn": {"y": "h", "z": "c′", "u": "i", "n": "h′"},
    "haste": {"y": "h", "z": "g", "u": "z", "n": "h"},
    "flashrnn": {"y": "h", "u": "z"},
}
TITLES = {
    "this course": "this course",
    "torch": "PyTorch",
    "keras": "Keras",
    "onnx": "ONNX",
    "cudnn": "cuDNN",
    "haste": "haste",
    "flashrnn": "FlashRNN",
}
# By what is to be known: the seven libraries in the order of the columns.
HABITS = {
    "biases, LSTM": ("one", "two, added", "one", "two, added", "two, added (or one, or none)", "one", "one"),
    "biases, GRU": (
        "one, and b_Rn",
        "two",
        "two; one with reset_after=False",
        "two",
        "two (or one, or none)",
        "two",
        "one, and b_Rn",
    ),
    "forget bias at first": ("U(±1/√H)", "U(±1/√H)", "1", "–", "–", "1", "–"),
    "peepholes": ("yes", "no", "no", "yes: P, order i o f", "no", "no", "no"),
    "reset gate acts": (
        "after: gru; before: gru_reset_before",
        "after",
        "after, or before with reset_after=False",
        "before, or after with linear_before_reset=1",
        "after",
        "after",
        "after",
    ),
    "checked here against": (
        "differences, autograd",
        "torch.nn",
        "its code, where installed",
        "its reference code, where installed",
        "its equations, not its code",
        "its equations, not its code",
        "its equations, not its code",
    ),
}  # fmt: skip


def names_table():
    """A :class:`Table` of who calls what how: a row for each part of a cell, a column for each library."""
    columns = ("this course", *LIBRARIES)
    rows = [
        (f"{what} {letter}", *(NAMES[c].get(letter, letter) for c in columns))
        for letter, what in {"y": "output", "c": "cell", "z": "block input", "u": "GRU: update gate",
                             "n": "GRU: candidate"}.items()
    ]  # fmt: skip
    for kind, own in (("lstm", "zifo"), ("gru", "run")):
        orders = [" ".join(NAMES[c].get(k, k) for k in ORDERS[kind].get(c, own)) for c in columns]
        if kind == "gru":
            orders[-1] += "; in R n r z"
        rows.append((f"order, {kind.upper()}", *orders))
    for what, cells in HABITS.items():
        rows.append((what, *cells))
    titles = ("", *(TITLES[c] for c in columns))
    return Table("Who calls what how", titles, tuple(rows), left=len(titles))
