"""The forward equations of a cell, derived from its spec: what a student reads is what runs.

Each line is first written as plain text in the course's notation (``y⁻`` is y one step before,
``z_bar`` a pre-activation); the LaTeX is a translation of that text, symbol by symbol, into the notation
of Greff et al. 2017. The tests go the other way: they translate the LaTeX into Python, run it, and
compare with :func:`lstm_tutorial.numpy_lstm.forward`.
"""

import re

from .spec import as_spec

NAMES = {
    "z": "block input",
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "c": "cell",
    "y": "output",
    "r": "reset gate",
    "u": "update gate",
    "n": "candidate",
}

# How s(a) is written; the identity is not.
SQUASHED = {
    "tanh": "tanh({})",
    "sigmoid": "σ({})",
    "hard_sigmoid": "σ_hard({})",
    "linear": "{}",
    "relu": "ReLU({})",
    "softmax": "softmax({})",
    "4sigmoid-2": "4 σ({}) − 2",
    "2sigmoid-1": "2 σ({}) − 1",
}


class Equations(str):
    """LaTeX (an ``aligned`` environment) that a notebook renders; ``text`` says the same in plain text."""

    def __new__(cls, latex, text):
        self = super().__new__(cls, latex)
        self.text = text
        return self

    def __getnewargs__(self):
        return str(self), self.text

    def __repr__(self):
        return self.text

    def _repr_latex_(self):
        return f"$$\n{self}\n$$"

    _repr_markdown_ = _repr_latex_


def equations(spec) -> Equations:
    """The forward pass of one step, for a CellSpec or a name from the catalogue, in the order of execution.

    Shapes: x (D,), all other small letters (H,); W (H, D), R (H, H), p and b (H,). ⊙ is element-wise.
    Source: Greff et al. 2017, section II; for the GRUs see :mod:`lstm_tutorial.bptt.gru`.
    """
    spec = as_spec(spec)
    rows = _rows(spec)
    return Equations(_latex_table(spec, rows), _text_table(spec, rows))


def terms(spec) -> dict[str, tuple[str, ...]]:
    """What each symbol of one step is the sum of, in plain text and in the order of execution.

    For the vanilla cell ``terms(spec)["z_bar"]`` is ``("W_z x", "R_z y⁻", "b_z")``.
    """
    spec = as_spec(spec)
    if spec.family == "lstm":
        return _lstm(spec)
    if spec.family == "rnn":
        return _sum(spec, "z") | {"y": (_squash(spec.g, "z_bar"),)}
    return _gru(spec)


def _lstm(spec):
    gate = {}
    for k, kind in zip("ifo", (spec.input_gate, spec.forget_gate, spec.output_gate)):
        if kind == "learned":
            gate[k] = _sum(spec, k) | {k: (_squash(spec.gate_activation, f"{k}_bar"),)}
        else:
            gate[k] = {k: ("1",) if kind == "one" else ("1", "− i")}
    return (
        _sum(spec, "z")
        | {"z": (_squash(spec.g, "z_bar"),)}
        | gate["i"]
        | gate["f"]
        | {"c": ("z ⊙ i", "c⁻ ⊙ f")}
        | gate["o"]  # after the cell, which its peephole sees as it is now
        | {"y": (_factor(_squash(spec.h, "c")) + " ⊙ o",)}
    )


def _gru(spec):
    before = {}
    for k in spec.learned_gates:
        before |= _sum(spec, k) | {k: (_squash(spec.gate_activation, f"{k}_bar"),)}
    biased = "b" in spec.content_reads
    parts = ["W_n x"] if "x" in spec.content_reads else []
    if spec.family == "gru":
        parts += ["b_n", "r ⊙ (R_n y⁻ + b_Rn)"] if biased else ["r ⊙ (R_n y⁻)"]
        y = ("(1 − u) ⊙ n", "u ⊙ y⁻")
    else:
        parts += ["R_n (r ⊙ y⁻)", "b_n"] if biased else ["R_n (r ⊙ y⁻)"]
        y = ("(1 − u) ⊙ y⁻", "u ⊙ n")
    return before | {"n_bar": tuple(parts), "n": (_squash(spec.g, "n_bar"),), "y": y}


def _sum(spec, k):
    """The pre-activation of block k, as a dict with one entry."""
    reads = spec.reads(k)
    parts = [f"W_{k} x"] if "x" in reads else []
    parts += [f"R_{k} y⁻"] if "y" in reads else []
    if k in spec.peepholes:
        parts.append("p_o ⊙ c" if k == "o" else f"p_{k} ⊙ c⁻")
    parts += [f"b_{k}"] if "b" in reads else []
    if spec.gate_recurrence and k in spec.learned_gates:
        parts += [f"R_{a}{k} {a}⁻" for a in spec.learned_gates]
    return {f"{k}_bar": tuple(parts)}


def _squash(name, argument):
    return SQUASHED[name].format(argument)


def _factor(formula):
    return f"({formula})" if " − " in formula else formula


def _joined(parts):
    return " + ".join(parts).replace("+ −", "−")


# Laying out. A row is a block: its pre-activation, if it has one, its value, and its name.


def _rows(spec):
    """(block, left sides, right sides) with one or two equations each."""
    rows, pending = [], []
    for symbol, parts in terms(spec).items():
        pending.append((symbol, parts))
        if not symbol.endswith("_bar"):
            rows.append((symbol, pending))
            pending = []
    return rows


def _text_table(spec, rows):
    cells = [[f"{s} = {_joined(parts)}" for s, parts in row] for _, row in rows]
    first, second = (max((len(c[j]) for c in cells if len(c) == 2), default=0) for j in (0, 1))
    lines = [
        f"{c[0]:{first}}   {c[1] if len(c) == 2 else '':{second}}   {NAMES[block]}"
        for (block, _), c in zip(rows, cells)
    ]
    return "\n".join([line.rstrip() for line in lines] + _definitions(spec))


def _latex_table(spec, rows):
    lines = []
    for block, row in rows:
        first, more = row[0][1], ()
        if len(first) > 5:  # too long for one line: the gate recurrence goes on the next
            k = len(first) - len(spec.learned_gates)
            first, more = first[:k], first[k:]
        line = f"{_latex(row[0][0])} &= {_latex(_joined(first))}"
        if len(row) == 2:
            line += f" & {_latex(row[1][0])} &= {_latex(_joined(row[1][1]))} && \\text{{{NAMES[block]}}}"
        else:
            line += f" &&&& \\text{{{NAMES[block]}}}"
        lines.append(line)
        if more:
            lines.append(rf"&\quad {{}} + {_latex(_joined(more))}")
    lines += [_latex_definition(d) for d in _definitions(spec)]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def _definitions(spec):
    """What a name alone would leave open: there are several hard sigmoids."""
    used = {spec.g, spec.h if spec.has_cell else None, spec.gate_activation if spec.learned_gates else None}
    return ["σ_hard(a) = min(1, max(0, 0.2 a + 0.5))"] if "hard_sigmoid" in used else []


def _latex_definition(text):
    left, right = text.split(" = ")
    return rf"{_latex(left, scalars='a')} &= {_latex(right, scalars='a')}"


_WORDS = {
    "⊙": r"\odot",
    "−": "-",
    "tanh": r"\tanh",
    "σ_hard": r"\sigma_{\mathrm{hard}}",
    "σ": r"\sigma",
    "ReLU": r"\mathrm{ReLU}",
    "softmax": r"\mathrm{softmax}",
    "min": r"\min",
    "max": r"\max",
}
_SYMBOL = re.compile(
    r"(?P<parameter>[WRpb])_(?P<to>\w+)"
    r"|(?P<bar>[a-z])_bar"
    r"|(?P<word>σ_hard|[^\W\d]{2,}|[σ⊙−])"
    r"|(?P<letter>[a-z])(?P<before>⁻?)"
)


def _latex(text, scalars=""):
    """Plain text to LaTeX. Vectors and matrices are bold; a vector has its time as superscript."""

    def one(found):
        if found["parameter"]:
            to = found["to"]
            return rf"\mathbf{{{found['parameter']}}}_{to if len(to) == 1 else '{' + to + '}'}"
        if found["bar"]:
            return rf"\bar{{\mathbf{{{found['bar']}}}}}^t"
        if found["word"]:
            return _WORDS[found["word"]]
        if found["letter"] in scalars:
            return found["letter"]
        return rf"\mathbf{{{found['letter']}}}^{'{t-1}' if found['before'] else 't'}"

    return _SYMBOL.sub(one, text)
