"""The drawing of a cell, derived from its spec.

:func:`wires` lists what runs from where to where and which of it is cut; :func:`diagram` draws that list
and nothing else. What is cut is thin and light grey, so that a variant shows what it lacks beside the
vanilla cell; every gate has its colour (:mod:`lstm_tutorial.colours`). After figure 1 of Greff et al. 2017.
An LSTM can also be drawn as far as one of :data:`STAGES`: the same drawing, growing with its equations.

Nodes are named as in the equations: blocks ``z i f o`` (``r u n``), products by their formula, such as
``"z ⊙ i"``, ``"+"``, and sources ``x``, ``y⁻``, ``b``, ``c⁻``, ``i⁻`` … (⁻: one step before).
"""

from dataclasses import dataclass
from math import hypot

from matplotlib.patches import Circle, FancyBboxPatch, PathPatch, Polygon
from matplotlib.path import Path
from matplotlib.patheffects import withStroke

from .colours import colour, ink, tint
from .equations import NAMES
from .picture import Picture
from .spec import GATES, as_spec

WIDTH, HEIGHT = 12.0, 9.0  # the drawing's own units, half an inch each
BOX = (1.2, 0.9)
CUT, CUT_LABEL, WIRE = "#D5D5D5", "#A3A3A3", "#333333"

STAGES = ("block input", "input gate", "forget gate", "output gate", "peepholes")
# The stage in which a node appears, and with it all wires to it but peepholes.
APPEARS = {
    node: stage
    for stage, nodes in zip(
        STAGES, (["z"], ["i", "z ⊙ i"], ["f", "c⁻ ⊙ f", "+", "c"], ["o", "h", "h(c) ⊙ o", "y"])
    )
    for node in nodes
}


@dataclass(frozen=True)
class Wire:
    """One connection; ``parameter`` is what is learned on it, if anything; if not ``live``, it is cut."""

    source: str
    target: str
    parameter: str | None = None
    live: bool = True

    @property
    def id(self):
        return f"{self.source} → {self.target}"

    @property
    def peephole(self):
        return self.parameter is not None and self.parameter.startswith("p_")

    @property
    def stage(self):
        """When it appears in an LSTM that grows: one of STAGES."""
        return "peepholes" if self.peephole else APPEARS[self.target]


def diagram(spec, stage=None) -> Picture:
    """Draw a CellSpec, or a cell from the catalogue by its name: a Picture of 6 by 4.5 inches.

    stage: how far an LSTM is drawn, one of STAGES; what comes later is left out, and everything else stands
        where it stands in the whole drawing, which is that of the last stage and of None

    It is not registered with pyplot: as the last expression of a notebook cell it is shown once, and
    nothing has to be closed. Its ``alt`` is :func:`alt_text`. Raises ValueError for a stage that is none, or
    of a cell that is no LSTM.
    """
    spec = as_spec(spec)
    figure = Picture(alt_text(spec, stage), WIDTH / 2, HEIGHT / 2, layout=None)
    bottom = 0.5 if spec.family == "lstm" else 0
    pen = _Pen(figure.add_axes((0, 0, 1, 1)), bottom, _reached(spec, stage))
    pen.text(0.3, bottom + 8.65, spec.name, size=12, weight="bold", ha="left")
    if stage not in (None, STAGES[-1]):
        pen.text(0.3, bottom + 8.2, f"up to the {stage}", size=9, colour="#555555", ha="left")
    routes = {"lstm": _lay_out_lstm, "rnn": _lay_out_rnn}.get(spec.family, _lay_out_gru)(pen, spec)
    for wire in wires(spec, stage):
        pen.wire(wire, **routes[wire.id])
    return figure


def _reached(spec, stage):
    """The stages that are drawn, the last one included."""
    if stage is None:
        return STAGES
    if stage not in STAGES:
        raise ValueError(f"a stage is one of {', '.join(STAGES)}, not {stage!r}.")
    if spec.family != "lstm":
        raise ValueError(f"only an LSTM is drawn in stages, and {spec.name!r} is of family {spec.family!r}.")
    return STAGES[: STAGES.index(stage) + 1]


# What is connected.


def wires(spec, stage=None) -> tuple[Wire, ...]:
    """All connections of a cell, or those of an LSTM up to a stage; those that are cut included.

    Cut means: in the reference cell of its family (vanilla, or the GRU) but not in this one. Gate
    recurrence and the coupling of f to i, which the reference lacks, are listed only where they are.
    """
    spec = as_spec(spec)
    reached = _reached(spec, stage)
    if spec.family == "lstm":
        return tuple(wire for wire in _lstm_wires(spec) if wire.stage in reached)
    if spec.family == "rnn":
        return (*_reads(spec, "z"), Wire("z", "y"))
    return tuple(_gru_wires(spec))


def _reads(spec, block, sources="xyb"):
    learned = block in spec.blocks
    for source in sources:
        letter = {"x": "W", "y": "R", "b": "b"}[source]
        live = learned and source in spec.reads(block)
        yield Wire("y⁻" if source == "y" else source, block, f"{letter}_{block}", live)


def _lstm_wires(spec):
    for block in ("z", *GATES):
        yield from _reads(spec, block)
    for gate in GATES:
        yield Wire("c" if gate == "o" else "c⁻", gate, f"p_{gate}", gate in spec.peepholes)
    if spec.gate_recurrence:
        for b in spec.learned_gates:
            for a in spec.learned_gates:
                yield Wire(f"{a}⁻", b, f"R_{a}{b}")
    if spec.forget_gate == "coupled":
        yield Wire("i", "f")
    yield Wire("z", "z ⊙ i")
    yield Wire("i", "z ⊙ i")
    yield Wire("z ⊙ i", "+")
    yield Wire("c⁻", "c⁻ ⊙ f")
    yield Wire("f", "c⁻ ⊙ f")
    yield Wire("c⁻ ⊙ f", "+")
    yield Wire("+", "c")
    yield Wire("c", "h")
    yield Wire("h", "h(c) ⊙ o")
    yield Wire("o", "h(c) ⊙ o")
    yield Wire("h(c) ⊙ o", "y")


def _gru_wires(spec):
    for gate in ("r", "u"):
        yield from _reads(spec, gate)
    yield from _reads(spec, "n", "xb")
    if spec.family == "gru":  # the reset comes after the recurrent product …
        yield Wire("y⁻", "R_n", "R_n")
        yield Wire("b", "R_n", "b_Rn", "b" in spec.content_reads)
        yield Wire("R_n", "r ⊙")
        yield Wire("r ⊙", "n")
        kept, new = ("u", "1 − u")
    else:  # … or before it
        yield Wire("y⁻", "r ⊙")
        yield Wire("r ⊙", "R_n", "R_n")
        yield Wire("R_n", "n")
        kept, new = ("1 − u", "u")
    yield Wire("r", "r ⊙")
    yield Wire("u", f"{kept} ⊙ y⁻")
    yield Wire("u", f"{new} ⊙ n")
    yield Wire("y⁻", f"{kept} ⊙ y⁻")
    yield Wire("n", f"{new} ⊙ n")
    yield Wire(f"{kept} ⊙ y⁻", "+")
    yield Wire(f"{new} ⊙ n", "+")
    yield Wire("+", "y")


# Where it is drawn. A layout draws the nodes and returns how each wire runs.


def _lay_out_lstm(pen, spec):
    row, low, loop, high = 4.4, 2.2, 6.1, 7.45
    z, i, f, o = (2.2, row), (3.9, low), (5.4, high), (10.0, low)
    c, h = (6.95, row), (8.55, row)
    around = {"z": (z, "left"), "i": (i, "below"), "f": (f, "above"), "o": (o, "below")}

    pen.begin("block input")
    pen.block(spec, "z", *z)
    pen.name("z", 2.2, 5.1)
    routes = pen.stubs(spec, "z", *around["z"])

    pen.begin("input gate")
    pen.block(spec, "i", *i)
    pen.name("i", 3.75, 3.02, ha="right")
    pen.node("z ⊙ i", 3.9, row)
    pen.symbol("z", 3.44, 4.68)
    pen.symbol("i", 4.08, 3.55, ha="left")
    routes |= pen.stubs(spec, "i", *around["i"])

    pen.begin("forget gate")
    pen.block(spec, "f", *f)
    pen.name("f", 6.15, 7.78, ha="left")
    pen.node("c⁻ ⊙ f", 5.4, loop)
    pen.node("+", 5.4, row)
    pen.cell(*c)
    pen.name("c", 7.12, 5.05, ha="left")
    pen.symbol("f", 5.58, 6.68, ha="left")
    pen.symbol("c⁻", 6.45, 6.4)
    if spec.forget_gate == "coupled":
        pen.dot("i", 3.9, 3.4)
    routes |= pen.stubs(spec, "f", *around["f"])

    pen.begin("output gate")
    pen.block(spec, "o", *o)
    pen.name("o", 10.15, 3.02, ha="left")
    pen.squashing(spec.h, *h)
    pen.node("h(c) ⊙ o", 10.0, row)
    pen.symbol("o", 10.18, 3.55, ha="left")
    pen.symbol("y", 11.45, row, size=12)
    pen.name("y", 11.45, 3.95)
    routes |= pen.stubs(spec, "o", *around["o"])

    if spec.gate_recurrence:
        for k, side in (("i", "left"), ("f", "left"), ("o", "right")):
            if k in spec.learned_gates:
                pen.begin(APPEARS[k])
                routes |= pen.stubs(spec, k, around[k][0], side, [f"{a}⁻" for a in spec.learned_gates])

    pen.begin("peepholes")
    pen.symbol("c⁻", 5.75, 2.48, live="i" in spec.peepholes)
    pen.symbol("c", 8.3, 2.48, live="o" in spec.peepholes)

    pen.begin("block input")
    pen.legend(wires(spec, pen.reached[-1]), 5.95, 1.3)
    see_c = dict(colour=colour("c"), width=1.4)
    return routes | {
        "c⁻ → i": dict(points=[(6.78, 4.0), (6.78, low), (4.5, low)], **see_c),
        "c⁻ → f": dict(points=[(6.95, 5.8), (6.95, high), (6.0, high)], **see_c),
        "c → o": dict(points=[(7.12, 4.0), (7.12, low), (9.4, low)], **see_c),
        # The coupling crosses the block input on a bridge, and starts under the gate's own wire.
        "i → f": dict(
            points=[(3.9, 3.4), (3.08, 3.4), (3.08, high), (4.8, high)], colour=colour("i"), bridge=True
        ),
        "z → z ⊙ i": dict(points=[(2.8, row), (3.66, row)], colour=colour("z")),
        "i → z ⊙ i": dict(points=[(3.9, 2.65), (3.9, 4.16)], colour=colour("i"), order=4),
        "z ⊙ i → +": dict(points=[(4.14, row), (5.16, row)], colour=colour("c")),
        "c⁻ → c⁻ ⊙ f": dict(points=[(6.95, 4.85), (6.95, loop), (5.64, loop)], colour=colour("c")),
        "f → c⁻ ⊙ f": dict(points=[(5.4, 7.0), (5.4, 6.34)], colour=colour("f")),
        "c⁻ ⊙ f → +": dict(points=[(5.4, 5.86), (5.4, 4.64)], colour=colour("c")),
        "+ → c": dict(points=[(5.64, row), (6.5, row)], colour=colour("c")),
        "c → h": dict(points=[(7.4, row), (7.95, row)], colour=colour("c")),
        "h → h(c) ⊙ o": dict(points=[(9.15, row), (9.76, row)], colour=colour("c")),
        "o → h(c) ⊙ o": dict(points=[(10.0, 2.65), (10.0, 4.16)], colour=colour("o")),
        "h(c) ⊙ o → y": dict(points=[(10.24, row), (11.15, row)], colour=colour("y")),
    }


def _lay_out_gru(pen, spec):
    top, middle, row, low = 7.6, 5.6, 3.6, 1.85
    after = spec.family == "gru"
    product, reset = (4.2, 6.6) if after else (6.6, 4.2)  # the one visible difference: which comes first
    u, n, r = (6.6, middle), (9.7, row), (reset, low)
    for k, place in zip("run", (r, u, n)):
        pen.block(spec, k, *place)
    kept, new = ("u", "1 − u") if after else ("1 − u", "u")
    pen.box("R_n", r"$\mathbf{R}_n$", product, row)
    pen.node("r ⊙", reset, row)
    pen.node(f"{kept} ⊙ y⁻", 6.6, top)
    pen.node(f"{new} ⊙ n", 9.7, middle)
    pen.node("+", 9.7, top)
    pen.name("r", reset + 0.75, low, ha="left")
    pen.name("u", 6.6, 4.9)
    pen.name("n", 10.45, row, ha="left")
    pen.name("y", 11.35, top - 0.45)
    pen.symbol("y⁻", 0.75, top, size=12)
    pen.dot("y", 1.75, top)
    pen.symbol("y", 11.35, top, size=12)
    pen.symbol("r", reset + 0.16, 2.75, ha="left")
    pen.symbol("n", 9.86, 4.6, ha="left")
    if after:
        pen.symbol("u", 6.76, 6.7, ha="left")
        pen.box("1 − u", r"$1-\mathbf{u}^t$", 8.2, middle, size=(0.95, 0.5), letter="u")
    else:
        pen.symbol("u", 8.2, middle + 0.28)
        pen.box("1 − u", r"$1-\mathbf{u}^t$", 6.6, 6.7, size=(0.95, 0.5), letter="u")
    pen.legend(wires(spec), 0.45, 1.2)

    routes = pen.stubs(spec, "r", r, "below") | pen.stubs(spec, "u", u, "left")
    routes |= pen.stubs(spec, "n", n, "below", "xb")
    to_keep, to_new = [(6.6, middle + 0.45), (6.6, top - 0.24)], [(7.2, middle), (9.46, middle)]
    first, second = (product, reset) if after else (reset, product)
    half = {product: 0.6, reset: 0.24}
    routes |= {
        f"u → {kept} ⊙ y⁻": dict(points=to_keep, colour=colour("u")),
        f"u → {new} ⊙ n": dict(points=to_new, colour=colour("u")),
        f"y⁻ → {kept} ⊙ y⁻": dict(points=[(1.15, top), (6.36, top)], colour=colour("y")),
        f"{kept} ⊙ y⁻ → +": dict(points=[(6.84, top), (9.46, top)], colour=colour("y")),
        f"n → {new} ⊙ n": dict(points=[(9.7, row + 0.45), (9.7, middle - 0.24)], colour=colour("n")),
        f"{new} ⊙ n → +": dict(points=[(9.7, middle + 0.24), (9.7, top - 0.24)], colour=colour("n")),
        "+ → y": dict(points=[(9.94, top), (11.05, top)], colour=colour("y")),
        "r → r ⊙": dict(points=[(reset, low + 0.45), (reset, row - 0.24)], colour=colour("r")),
    }
    names = ("y⁻", "R_n", "r ⊙", "n") if after else ("y⁻", "r ⊙", "R_n", "n")
    ends = [
        [(1.75, top), (1.75, row), (first - half[first], row)],
        [(first + half[first], row), (second - half[second], row)],
        [(second + half[second], row), (9.1, row)],
    ]
    for source, target, points in zip(names, names[1:], ends):
        routes[f"{source} → {target}"] = dict(points=points, colour=colour("y"))
    if after:
        routes |= pen.stubs(spec, "R_n", (product, row), "below", "b")
    return routes


def _lay_out_rnn(pen, spec):
    row, over = 4.3, 6.4
    pen.block(spec, "z", 5.6, row, size=(2.0, 1.3), fontsize=15)
    pen.text(5.6, row - 1.05, "no gates, no cell", size=9, colour=ink("z"))
    pen.symbol("y", 10.12, row, size=14)
    pen.name("y", 10.12, row - 0.55)
    live = "y" in spec.content_reads
    if live:
        pen.dot("y", 8.3, row)
    pen.symbol("y⁻", 6.95, over + 0.32, size=12, live=live)
    pen.legend(wires(spec), 0.45, 1.2)
    routes = pen.stubs(spec, "z", (5.6, row), "left", "xb", size=(2.0, 1.3), reach=1.6, fontsize=14)
    return routes | {
        "y⁻ → z": dict(points=[(8.3, row), (8.3, over), (5.6, over), (5.6, row + 0.65)], colour=colour("y")),
        "z → y": dict(points=[(6.6, row), (9.8, row)], colour=colour("y")),
    }


# How it is drawn.

SHOWN = {
    "tanh": "tanh",
    "sigmoid": r"$\sigma$",
    "hard_sigmoid": r"hard $\sigma$",
    "linear": "identity",
    "relu": "ReLU",
    "softmax": "softmax",
    "4sigmoid-2": r"$4\sigma-2$",
    "2sigmoid-1": r"$2\sigma-1$",
}


class _Pen:
    """Draws boxes, nodes, words and wires on one pair of axes, in the drawing's units.

    After ``begin(stage)`` it draws only if that stage is ``reached``.
    """

    def __init__(self, axes, bottom, reached):
        self.axes, self.reached, self.draws = axes, reached, True
        axes.set(xlim=(0, WIDTH), ylim=(bottom, bottom + HEIGHT), aspect="equal")
        axes.set_axis_off()

    def begin(self, stage):
        self.draws = stage in self.reached

    def patch(self, patch):
        if self.draws:
            self.axes.add_patch(patch)

    def text(self, x, y, words, size=9, colour="black", weight="normal", ha="center"):
        if not self.draws:
            return
        self.axes.text(
            x,
            y,
            words,
            size=size,
            color=colour,
            weight=weight,
            ha=ha,
            va="center",
            zorder=6,
            family="DejaVu Sans",
            math_fontfamily="stix",
            parse_math=words.startswith(("$", "hard $")),
        )

    def name(self, letter, x, y, ha="center"):
        self.text(x, y, NAMES[letter], size=8, colour=ink(letter), ha=ha)

    def symbol(self, symbol, x, y, size=11, ha="center", live=True):
        """A vector's letter with its time, in its colour."""
        letter = symbol[0]
        shade = ink(letter) if live else CUT_LABEL
        self.text(x, y, _vector(symbol), size=size, colour=shade, ha=ha)

    def box(self, name, words, x, y, size=BOX, letter=None, fill=True, fontsize=11):
        """A rounded box in the colour of its letter, or grey; one that changes nothing is left empty."""
        edge, inside = (colour(letter), tint(letter)) if letter else ("#777777", "#EEEEEE")
        shade = "black" if fill else ink(letter)
        width, height = size
        self.patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.16",
                facecolor=inside if fill else "white",
                edgecolor=edge,
                linewidth=1.6,
                zorder=5,
                gid=name,
            )
        )
        self.text(x, y, words, size=fontsize, colour=shade)

    def block(self, spec, k, x, y, size=BOX, fontsize=None):
        """A block with its squashing function; a gate that is always open, or coupled, says so."""
        kind = {"i": spec.input_gate, "f": spec.forget_gate, "o": spec.output_gate}.get(k, "learned")
        if kind == "one":
            self.box(k, "$1$", x, y, size, k, fill=False, fontsize=13)
        elif kind == "coupled":
            self.box(k, r"$1-\mathbf{i}^t$", x, y, size, k, fontsize=12)
        else:
            self.squashing(spec.g if k == spec.content else spec.gate_activation, x, y, size, k, fontsize)

    def squashing(self, name, x, y, size=BOX, letter=None, fontsize=None):
        """A squashing function; the identity, which does nothing, is an empty box."""
        fits = {"sigmoid": 14, "hard_sigmoid": 10, "linear": 9, "softmax": 9, "relu": 10}
        words, fontsize = SHOWN[name], fontsize or fits.get(name, 11)
        self.box(letter or "h", words, x, y, size, letter or "c", fill=name != "linear", fontsize=fontsize)

    def cell(self, x, y):
        self.patch(
            Circle((x, y), 0.45, facecolor=tint("c"), edgecolor=colour("c"), linewidth=1.6, zorder=5, gid="c")
        )
        self.text(x, y, r"$\mathbf{c}^t$", size=13)

    def node(self, name, x, y):
        """A sum or a product, element by element."""
        self.patch(Circle((x, y), 0.24, facecolor="white", edgecolor=WIRE, linewidth=1.4, zorder=5, gid=name))
        if name == "+":
            strokes = [(0.13, 0), (0, 0.13)]
        else:
            strokes = [(0.1, 0.1), (0.1, -0.1)]
        for dx, dy in strokes:
            self._path([(x - dx, y - dy), (x + dx, y + dy)], color=WIRE, linewidth=1.4, zorder=6)

    def dot(self, letter, x, y):
        """A place where a wire branches."""
        self.patch(Circle((x, y), 0.075, facecolor=colour(letter), edgecolor="none", zorder=4))

    def stubs(self, spec, block, place, side, sources=("x", "y⁻", "b"), size=BOX, reach=0.6, fontsize=10):
        """Labels of the sources that enter a block from one side, and the routes of their wires."""
        live = {wire.id for wire in wires(spec) if wire.live}
        (x, y), (half_width, half_height) = place, (size[0] / 2, size[1] / 2)
        routes = {}
        for j, source in enumerate(sources):
            shift = j - (len(sources) - 1) / 2
            if side in ("left", "right"):
                sign = -1 if side == "left" else 1
                end = (x + sign * half_width, y - 0.67 * half_height * shift)
                start = (end[0] + sign * reach, y - 0.89 * half_height * shift)
                label = (start[0] + sign * 0.1, start[1])
                ha = "right" if side == "left" else "left"
            else:
                sign = -1 if side == "below" else 1
                end = (x + 0.42 * shift, y + sign * half_height)
                start = (x + 0.62 * shift, end[1] + sign * reach)
                label, ha = (start[0], start[1] + sign * 0.24), "center"
            wire_id = f"{source} → {block}"
            recurrent = source in ("i⁻", "f⁻", "o⁻")
            shade = WIRE if not recurrent else colour(source[0])
            label_colour = CUT_LABEL if wire_id not in live else ink(source[0]) if recurrent else "black"
            self.text(*label, _vector(source), size=fontsize, colour=label_colour, ha=ha)
            routes[wire_id] = dict(points=[start, end], colour=shade, width=1.2)
        return routes

    def wire(self, wire, points, colour, width=1.9, bridge=False, order=3):
        """One connection, along points with rounded corners, to an arrow head at the last of them."""
        if not wire.live:
            colour, width, order = CUT, 1.0, 2
        dashes = (0, (3.2, 1.6)) if wire.peephole and wire.live else "solid"
        (x0, y0), (x1, y1) = points[-2:]
        length = hypot(x1 - x0, y1 - y0)
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        long, wide = (0.2, 0.085) if width < 1.5 else (0.24, 0.1)
        bx, by = x1 - long * dx, y1 - long * dy
        effects = [withStroke(linewidth=width + 4, foreground="white")] if bridge else None
        self._path(
            [*points[:-1], (bx, by)],
            edgecolor=colour,
            linewidth=width,
            linestyle=dashes,
            zorder=order + 0.5 * bridge,
            gid=wire.id,
            path_effects=effects,
        )
        head = [(x1, y1), (bx - wide * dy, by + wide * dx), (bx + wide * dy, by - wide * dx)]
        self.patch(Polygon(head, closed=True, facecolor=colour, edgecolor="none", zorder=order))

    def legend(self, drawn, x, y):
        """What dashes and grey mean, where the wires that are drawn have any."""
        rows = [("peephole", colour("c"), 1.4, (0, (3.2, 1.6)))] * any(w.peephole and w.live for w in drawn)
        rows += [("cut", CUT, 1.0, "solid")] * any(not w.live for w in drawn)
        for j, (words, shade, width, dashes) in enumerate(rows):
            at = y - 0.4 * j
            self._path([(x, at), (x + 0.7, at)], edgecolor=shade, linewidth=width, linestyle=dashes)
            self.text(x + 0.85, at, words, size=8, colour="#555555", ha="left")

    def _path(self, points, radius=0.25, **style):
        codes, vertices = [Path.MOVETO], [points[0]]
        for before, corner, after in zip(points, points[1:], points[2:]):
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
            vertices += [_towards(corner, before, radius), corner, _towards(corner, after, radius)]
        path = Path([*vertices, points[-1]], [*codes, Path.LINETO])
        self.patch(PathPatch(path, **{"fill": False, "capstyle": "butt", **style}))


def _vector(symbol):
    """x, y⁻ or b in bold, with its time; a bias has none, and f leans into its own."""
    if symbol == "b":
        return r"$\mathbf{b}$"
    letter, space = symbol[0], r"\," if symbol[0] == "f" else ""
    time = "t-1" if symbol.endswith("⁻") else "t"
    return rf"$\mathbf{{{letter}}}^{{{space}{time}}}$"


def _towards(a, b, distance):
    """The point on the way from a to b."""
    share = distance / hypot(b[0] - a[0], b[1] - a[1])
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


# What it says to those who do not see it.


def alt_text(spec, stage=None) -> str:
    """The drawing, up to a stage of it, in two sentences: what reads what, and what comes of it."""
    spec = as_spec(spec)
    reached = _reached(spec, stage)
    if spec.family == "rnn":
        return (
            f"Diagram of the cell {spec.name}, a simple recurrent network without gates or cell: one block "
            f"({_function(spec.g)}) reads {_sources(spec, 'z')}, and its value is the output."
        )
    drawn = [k for k in spec.learned_gates if not spec.has_cell or APPEARS[k] in reached]
    gates = [NAMES[k].removesuffix(" gate") for k in drawn]
    parts = []
    if spec.has_cell:
        parts.append(f"the block input ({_function(spec.g)}) reads {_sources(spec, 'z')}")
    if gates:
        names, s = f"the {_list(gates)} gate{'s' * (len(gates) > 1)}", "s" * (len(gates) == 1)
        reads = [_sources(spec, spec.learned_gates[0])] if spec.gate_reads else []
        reads += [f"the gates {_list(spec.learned_gates)} one step before"] if spec.gate_recurrence else []
        reading = f" read{s} {' and '.join(reads)}" if reads else f" read{s} no input"
        parts.append(f"{names} ({_function(spec.gate_activation)}){reading}")
    if spec.family == "lstm":
        return _alt_lstm(spec, parts, reached)
    when, product = (
        ("after", "the reset gate times the recurrent product")
        if spec.family == "gru"
        else ("before", "the recurrent product of the reset gate times the output one step before")
    )
    others = _sources(spec, "n", "xb")
    parts.append(f"the candidate ({_function(spec.g)}) reads {others + ' and ' if others else ''}{product}")
    kept, new = ("u", "1 − u") if spec.family == "gru" else ("1 − u", "u")
    return (
        f"Diagram of the gated recurrent unit {spec.name}, which resets {when} the recurrent product: "
        f"{'; '.join(parts)}. With u the update gate, the output is {kept} times the output one step before "
        f"plus {new} times the candidate."
    )


def _alt_lstm(spec, parts, reached):
    whole = reached == STAGES
    if spec.peepholes and whole:
        one = len(spec.peepholes) == 1
        parts.append(f"{'a peephole' if one else 'peepholes'} from the cell to {_list(spec.peepholes)}")
    kinds = zip(GATES, (spec.input_gate, spec.forget_gate, spec.output_gate))
    parts += [f"the {NAMES[k]} is always 1" for k, kind in kinds if kind == "one" and APPEARS[k] in reached]
    if spec.forget_gate == "coupled" and "forget gate" in reached:
        parts.append("the forget gate is 1 minus the input gate")
    if spec.start == "zero_gates" and whole:
        parts.append("all parameters of the gates start at zero")
    value = "the cell" if spec.h == "linear" else f"{_function(spec.h)} of the cell"
    kept = "its value one step before times the forget gate"
    cell = f"The cell adds the block input times the input gate to {kept}"
    outcome = {
        "block input": "Nothing else is drawn yet",
        "input gate": "The block input is multiplied by the input gate",
        "forget gate": cell,
    }.get(reached[-1], f"{cell}, and the output is the output gate times {value}")
    so_far = "" if whole else f", drawn up to the {reached[-1]}"
    return f"Diagram of the LSTM cell {spec.name}{so_far}: {'; '.join(parts)}. {outcome}."


def _function(name):
    return {
        "hard_sigmoid": "hard sigmoid",
        "linear": "identity",
        "relu": "ReLU",
        "4sigmoid-2": "4σ − 2",
        "2sigmoid-1": "2σ − 1",
    }.get(name, name)


def _sources(spec, block, among="xyb"):
    names = {"x": "x", "y": "the output one step before", "b": "a bias"}
    return _list([names[k] for k in spec.reads(block) if k in among])


def _list(words):
    *most, last = words or [""]
    return f"{', '.join(most)} and {last}" if most else last
