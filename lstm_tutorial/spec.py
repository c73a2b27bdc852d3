"""A recurrent cell as data.

Every cell in this course is the same machine with some wires cut. A :class:`CellSpec` says which
sources feed each gate, which gates are learned, constant or coupled, and which squashing functions
are used. Equations, diagram, parameter count, NumPy and PyTorch code are all derived from it.

Letters (Greff et al. 2017): ``x`` input (D numbers), ``y`` block output (H numbers), ``c`` cell,
``z`` block input, ``i``, ``f``, ``o`` input, forget and output gate, ``b`` bias; for the GRUs ``r``
reset gate, ``u`` update gate, ``n`` candidate.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from types import MappingProxyType

FAMILIES = ("lstm", "gru", "gru_reset_before", "rnn")
SOURCES = ("x", "y", "b")
GATES = ("i", "f", "o")
SQUASHING = ("tanh", "sigmoid", "hard_sigmoid", "linear", "relu", "softmax", "4sigmoid-2", "2sigmoid-1")
GATE_SQUASHING = ("sigmoid", "hard_sigmoid", "linear")


@dataclass(frozen=True, repr=False)
class CellSpec:
    """One cell. The defaults are the vanilla LSTM; ``dataclasses.replace`` makes a new variant.

    Parameters
    ----------
    name : what to call it.
    family : ``lstm``; ``gru`` (torch's: reset after the recurrent product); ``gru_reset_before``
        (seed 001's, Chung et al. 2014); ``rnn`` (no gates at all: y = g(W_z x + R_z y⁻ + b_z)).
    input_gate, output_gate : ``learned``, or ``one`` for a gate that is always open.
    forget_gate : ``learned``, ``one``, or ``coupled`` for f = 1 − i.
    gate_reads, content_reads : which of x, y (the output one step before) and b (a bias) the gates
        and the block input read: any iterable of letters, such as ``"xyb"``.
    peepholes : which gates also see the cell: any of i, f, o. Cutting a gate cuts its peephole.
    gate_recurrence : each learned gate also reads all learned gates one step before.
    g, h : squashing of the block input and of the cell; for a GRU g squashes the candidate.
    gate_activation : squashing of the gates: ``sigmoid``, ``hard_sigmoid`` or ``linear``.
    start : ``default``, or ``zero_gates`` for gates whose parameters all start at zero.

    Raises
    ------
    ValueError : the combination means nothing; the message says why.
    """

    name: str
    family: str = "lstm"
    input_gate: str = "learned"
    forget_gate: str = "learned"
    output_gate: str = "learned"
    gate_reads: tuple[str, ...] = SOURCES
    content_reads: tuple[str, ...] = SOURCES
    peepholes: tuple[str, ...] = GATES
    gate_recurrence: bool = False
    g: str = "tanh"
    h: str = "tanh"
    gate_activation: str = "sigmoid"
    start: str = "default"

    def __post_init__(self):
        self._choose("family", FAMILIES)
        self._choose("input_gate", ("learned", "one"))
        self._choose("forget_gate", ("learned", "one", "coupled"))
        self._choose("output_gate", ("learned", "one"))
        self._choose("g", SQUASHING)
        self._choose("h", SQUASHING)
        self._choose("gate_activation", GATE_SQUASHING)
        self._choose("start", ("default", "zero_gates"))
        self._subset("gate_reads", SOURCES)
        self._subset("content_reads", SOURCES)
        self._subset("peepholes", GATES)
        if not isinstance(self.gate_recurrence, bool):
            self._refuse(f"gate_recurrence is True or False, not {self.gate_recurrence!r}")
        (self._check_lstm if self.family == "lstm" else self._check_without_cell)()
        if "x" not in self.content_reads and "x" not in self.gate_reads:
            self._refuse("nothing reads x, so the cell never sees its input")

    def _check_lstm(self):
        if self.forget_gate == "coupled" and self.input_gate != "learned":
            self._refuse(
                "a forget gate coupled to an input gate that is always one (f = 1 − i = 0) never remembers"
            )
        # A gate that is cut takes its wires with it, so that cutting one is a single `replace`.
        self._set("peepholes", tuple(k for k in self.peepholes if k in self.learned_gates))
        if not self.learned_gates:
            if self.gate_recurrence:
                self._refuse("gate recurrence needs at least one learned gate")
            if self.start == "zero_gates":
                self._refuse("start='zero_gates' needs at least one learned gate")
            self._set("gate_reads", ())
        for gate in self.learned_gates:
            if not self.gate_reads and gate not in self.peepholes and not self.gate_recurrence:
                self._refuse(
                    f"gate {gate} reads nothing and so can learn nothing: let it read 'b', or make it 'one'"
                )
        if not self.content_reads:
            self._refuse("the block input reads nothing: content_reads needs at least one of x, y, b")

    def _check_without_cell(self):
        """GRUs and the simple RNN have no cell, hence no peepholes and no gates i, f, o to cut."""
        self._set("peepholes", ())
        for field, only in (
            ("input_gate", "learned"),
            ("forget_gate", "learned"),
            ("output_gate", "learned"),
            ("gate_recurrence", False),
            ("h", "tanh"),
        ):
            if getattr(self, field) != only:
                self._refuse(
                    f"{field} belongs to cells of family 'lstm' and means nothing in family {self.family!r}"
                )
        if self.family == "rnn":
            self._set("gate_reads", ())
            if self.gate_activation != "sigmoid" or self.start != "default":
                self._refuse("a simple RNN has no gates to squash or to start at zero")
        elif "y" not in self.content_reads:
            self._refuse("a GRU whose candidate does not read y leaves its reset gate nothing to reset")
        elif not self.gate_reads:
            self._refuse(
                "the gates of a GRU read nothing and so can learn nothing: let them read 'b' at least"
            )

    def _choose(self, field, options):
        if getattr(self, field) not in options:
            self._refuse(f"{field} is one of {', '.join(options)}, not {getattr(self, field)!r}")

    def _subset(self, field, letters):
        given = getattr(self, field)
        try:
            chosen = list(given)
        except TypeError:
            chosen = [given]
        unknown = [k for k in chosen if k not in letters]
        if unknown:
            self._refuse(f"{field} takes letters from {', '.join(letters)}, not {unknown[0]!r}")
        self._set(field, tuple(k for k in letters if k in chosen))

    def _set(self, field, value):
        object.__setattr__(self, field, value)

    def _refuse(self, why):
        raise ValueError(f"cell {self.name!r}: {why}.")

    # What follows is derived.

    @property
    def has_cell(self) -> bool:
        """Whether there is a cell state c beside the output y."""
        return self.family == "lstm"

    @cached_property
    def learned_gates(self) -> tuple[str, ...]:
        """The gates with parameters, in the order i, f, o (LSTM) or r, u (GRU)."""
        if self.family == "lstm":
            kinds = (self.input_gate, self.forget_gate, self.output_gate)
            return tuple(k for k, kind in zip(GATES, kinds, strict=True) if kind == "learned")
        return () if self.family == "rnn" else ("r", "u")

    @cached_property
    def content(self) -> str:
        """The letter of the block input: z, or n in a GRU."""
        return "n" if self.family.startswith("gru") else "z"

    @cached_property
    def blocks(self) -> tuple[str, ...]:
        """All that has a pre-activation, in the order in which it is stacked: (z, i, f, o) or (r, u, n)."""
        if self.content == "n":
            return (*self.learned_gates, "n")
        return ("z", *self.learned_gates)

    def reads(self, block: str) -> tuple[str, ...]:
        """Which of x, y, b feed this block."""
        return self.content_reads if block == self.content else self.gate_reads

    def parameter_shapes(self, input_size: int, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter: ``W_z`` (H, D), ``R_z`` (H, H), ``p_i`` (H,), ``b_z`` (H,) …"""
        D, H = input_size, hidden_size
        shapes = {f"W_{k}": (H, D) for k in self.blocks if "x" in self.reads(k)}
        shapes |= {f"R_{k}": (H, H) for k in self.blocks if "y" in self.reads(k)}
        if self.gate_recurrence:  # R_ab goes from gate a to gate b
            shapes |= {f"R_{a}{b}": (H, H) for b in self.learned_gates for a in self.learned_gates}
        shapes |= {f"p_{k}": (H,) for k in self.peepholes}
        shapes |= {f"b_{k}": (H,) for k in self.blocks if "b" in self.reads(k)}
        if self.family == "gru" and "b" in self.content_reads:
            shapes["b_Rn"] = (H,)  # inside the reset: n = tanh(W_n x + b_n + r ⊙ (R_n y⁻ + b_Rn))
        return shapes

    def parameter_count(self, input_size: int, hidden_size: int) -> int:
        """How many numbers the cell learns, with D = input_size and H = hidden_size."""
        if input_size < 1 or hidden_size < 1:
            raise ValueError(f"sizes are at least 1, not input_size={input_size}, hidden_size={hidden_size}.")
        return sum(
            shape[0] * (shape[1] if len(shape) > 1 else 1)
            for shape in self.parameter_shapes(input_size, hidden_size).values()
        )

    def starts_at_zero(self, parameter: str) -> bool:
        """Whether the named parameter is one that ``start='zero_gates'`` sets to zero."""
        return self.start == "zero_gates" and parameter.partition("_")[2] != self.content

    def equations(self):
        """The forward equations in LaTeX: a ``str`` that a notebook renders."""
        from .equations import equations

        return equations(self)

    def diagram(self):
        """The cell drawn from this spec: a matplotlib ``Figure``; wires that are cut are grey."""
        from .diagram import diagram

        return diagram(self)

    def _repr_markdown_(self):
        return self.equations()._repr_markdown_()

    def __repr__(self):
        """The name and whatever differs from the vanilla cell; can be pasted back."""
        ours = {f.name: getattr(self, f.name) for f in fields(self)}
        changed = [f"{f.name}={_short(ours[f.name])}" for f in fields(self)[1:] if ours[f.name] != f.default]
        return f"CellSpec({', '.join([repr(self.name), *changed])})"


def _short(value):
    """('x', 'b') as 'xb': the form a person types."""
    return repr("".join(value)) if isinstance(value, tuple) else repr(value)


class Catalogue(Mapping):
    """A read-only mapping from canonical keys to specs; aliases are understood, and not listed."""

    def __init__(self, specs, aliases):
        self._specs = MappingProxyType({spec.name: spec for spec in specs})
        self._aliases = MappingProxyType(dict(aliases))

    @property
    def aliases(self):
        """Other names, each with the canonical key it stands for."""
        return self._aliases

    def key(self, name: str) -> str:
        """The canonical key of a name or alias."""
        self[name]
        return self._aliases.get(name, name)

    def __getitem__(self, name):
        try:
            return self._specs[self._aliases.get(name, name)]
        except KeyError:
            raise KeyError(
                _Sentence(f"no cell is called {name!r}; there are {', '.join(self._specs)}")
            ) from None

    def __contains__(self, name):
        return name in self._specs or name in self._aliases

    def __iter__(self):
        return iter(self._specs)

    def __len__(self):
        return len(self._specs)

    def __repr__(self):
        return "variants: " + ", ".join(self._specs)


class _Sentence(str):
    """A message that KeyError prints without quotes."""

    __repr__ = str.__str__


def as_spec(cell) -> CellSpec:
    """A spec, from a spec or from a name in the catalogue."""
    if isinstance(cell, CellSpec):
        return cell
    if isinstance(cell, str):
        return variants[cell]
    raise TypeError(f"a cell is a CellSpec or a name from the catalogue, not {type(cell).__name__}.")


def _catalogue():
    def cell(name, **changes):
        return CellSpec(name, **changes)

    return Catalogue(
        [
            # Seed 002 (Greff et al. 2017): the vanilla cell and its eight variants.
            cell("vanilla"),
            cell("lstm", peepholes=""),
            cell("nig", input_gate="one"),
            cell("nfg", forget_gate="one"),
            cell("nog", output_gate="one"),
            cell("niaf", g="linear"),
            cell("noaf", h="linear"),
            cell("cifg", forget_gate="coupled"),
            cell("fgr", gate_recurrence=True),
            # History: Hochreiter and Schmidhuber 1997; Gers et al. 2000; Gers et al. 2002.
            cell(
                "lstm1997",
                forget_gate="one",
                peepholes="",
                gate_recurrence=True,
                g="4sigmoid-2",
                h="2sigmoid-1",
            ),
            cell("lstm2000", peepholes="", g="4sigmoid-2", h="2sigmoid-1"),
            cell("lstm2002", g="4sigmoid-2", h="linear"),
            # Seed 000, after Levy et al. 2018.
            cell("no_srnn", peepholes="", content_reads="x", g="linear"),
            cell("no_srnn_out", peepholes="", content_reads="x", g="linear", output_gate="one"),
            cell("no_srnn_hidden", peepholes="", content_reads="x", g="linear", gate_reads="xb"),
            cell("srnn", family="rnn"),
            cell("no_gates_as_published", peepholes="", gate_activation="linear", start="zero_gates"),
            # Seed 003 (Kent and Salem; Lu and Salem 2017).
            cell("slim1", peepholes="", gate_reads="yb"),
            cell("slim2", peepholes="", gate_reads="y"),
            cell("slim3", peepholes="", gate_reads="b"),
            # For comparison, and seed 001.
            cell("gru", family="gru"),
            cell("gru_reset_before", family="gru_reset_before", gate_reads="xy", content_reads="xy"),
        ],
        aliases={"np": "lstm", "no_gates": "srnn"},
    )


variants = _catalogue()
