"""The drawing shows the spec: its wires are the parameters, what is cut is grey, and it can be read."""

import re
import warnings
from dataclasses import replace
from functools import cache

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lstm_tutorial.colours import GATE_COLOURS, OKABE_ITO, colour, ink, tint
from lstm_tutorial.diagram import APPEARS, CUT, STAGES, alt_text, diagram, wires
from lstm_tutorial.spec import SQUASHING, CellSpec, variants

INVENTED = [
    CellSpec("all at once", forget_gate="coupled", gate_recurrence=True, g="softmax", h="relu"),
    CellSpec("hard", gate_recurrence=True, gate_activation="hard_sigmoid", g="hard_sigmoid", h="softmax"),
    CellSpec("peepholes only", gate_reads="", peepholes="if", output_gate="one", g="relu", h="sigmoid"),
    CellSpec("all open", input_gate="one", forget_gate="one", output_gate="one", content_reads="x"),
    CellSpec("linear gru", family="gru", content_reads="y", gate_reads="x", gate_activation="linear"),
    CellSpec("biased", family="gru_reset_before", g="softmax", gate_activation="hard_sigmoid"),
    CellSpec("no recurrence", family="rnn", content_reads="x", g="softmax"),
]
CELLS = [*variants.values(), *INVENTED]
each_cell = pytest.mark.parametrize("spec", CELLS, ids=[s.name for s in CELLS])
LSTMS = [spec for spec in CELLS if spec.has_cell]
each_lstm = pytest.mark.parametrize("spec", LSTMS, ids=[s.name for s in LSTMS])
each_stage = pytest.mark.parametrize("stage", STAGES)


once = cache(diagram)


def drawn_wires(figure):
    return {a.get_gid(): a for a in figure.axes[0].patches if "→" in (a.get_gid() or "")}


def drawn_nodes(figure):
    return {a.get_gid(): a for a in figure.axes[0].patches if a.get_gid() and "→" not in a.get_gid()}


@cache
def pixels(figure):
    """The picture; a warning while it is drawn is an error."""
    canvas = FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas.draw()
    return np.array(canvas.buffer_rgba())


@cache
def texts(figure):
    """Every text with its box in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    return [(t.get_text(), t.get_window_extent(renderer)) for t in figure.axes[0].texts]


def in_boxes(figure):
    """Where words stand on a box, pixels: nothing behind it shows."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    nodes = drawn_nodes(figure).values()
    return [n.get_window_extent(renderer) for n in nodes if isinstance(n, FancyBboxPatch)]


def bare(words):
    """The letters of a label, without their dress."""
    return re.sub(r"mathbf|[$\\{},]", "", words)


def gap(box, point):
    """How far a point is from a box, in pixels."""
    nearest = np.clip(point, box.min, box.max)
    return np.hypot(*(nearest - point))


def on_path(artist, point):
    """How far a point is from a drawn wire, in pixels."""
    (outline,) = artist.get_path().transformed(artist.get_transform()).to_polygons(closed_only=False)
    dense = np.concatenate([np.linspace(a, b, 200) for a, b in zip(outline, outline[1:])])
    return np.hypot(*(dense - point).T).min()


# The wires are the spec's.


@each_cell
def test_live_wires_are_the_parameters(spec):
    live = [w.parameter for w in wires(spec) if w.live and w.parameter]
    assert sorted(live) == sorted(spec.parameter_shapes(3, 4))


@each_cell
def test_no_wire_twice(spec):
    ids = [w.id for w in wires(spec)]
    assert len(set(ids)) == len(ids)


@each_cell
def test_a_gate_that_is_not_learned_is_fed_by_nothing_but_its_coupling(spec):
    if spec.has_cell:
        for gate, kind in zip("ifo", (spec.input_gate, spec.forget_gate, spec.output_gate)):
            sources = [w.source for w in wires(spec) if w.target == gate and w.live]
            assert kind == "learned" or sources == (["i"] if kind == "coupled" else [])
            assert [w.live for w in wires(spec) if w.source == gate and "⊙" in w.target] == [True]


def test_from_where_to_where():
    """Peepholes look at the right cell, R_ab goes from a to b, and W, R, b belong to x, y⁻ and b."""
    for spec in CELLS:
        for w in wires(spec):
            letter, _, to = (w.parameter or "").partition("_")
            if letter == "p":
                assert (w.source, w.target) == ("c" if to == "o" else "c⁻", to)
            elif letter == "W" or (letter == "b" and to != "Rn"):
                assert (w.source, w.target) == ("x" if letter == "W" else "b", to)
            elif letter == "R" and len(to) == 2:
                assert (w.source, w.target) == (f"{to[0]}⁻", to[1])
            elif letter == "R" and to != "n":
                assert (w.source, w.target) == ("y⁻", to)


def test_the_order_of_the_reset():
    def path(key):
        inner = ("y⁻", "R_n", "r ⊙", "n")
        return [w.id for w in wires(key) if w.source in inner and w.target in inner]

    assert path("gru") == ["y⁻ → R_n", "R_n → r ⊙", "r ⊙ → n"]
    assert path("gru_reset_before") == ["y⁻ → r ⊙", "r ⊙ → R_n", "R_n → n"]
    assert {"u → u ⊙ y⁻", "u → 1 − u ⊙ n"} <= {w.id for w in wires("gru")}
    assert {"u → 1 − u ⊙ y⁻", "u → u ⊙ n"} <= {w.id for w in wires("gru_reset_before")}


# The drawing is of the wires.


@each_cell
def test_what_is_drawn_is_the_list_of_wires(spec):
    artists = drawn_wires(once(spec))
    assert set(artists) == {w.id for w in wires(spec)}
    thinnest = min(artists[w.id].get_linewidth() for w in wires(spec) if w.live)
    for w in wires(spec):
        artist = artists[w.id]
        assert (to_hex(artist.get_edgecolor()).upper() == CUT) == (not w.live), w
        assert w.live or artist.get_linewidth() < thinnest
        assert (artist.get_linestyle() not in ("solid", "-")) == (w.live and w.peephole), w


@each_cell
def test_wires_begin_and_end_at_what_they_connect(spec):
    figure = once(spec)
    artists, nodes = drawn_wires(figure), drawn_nodes(figure)
    renderer = FigureCanvasAgg(figure).get_renderer()

    def distance(node, point):
        """To a node of that name, or else to the nearest label."""
        if node in nodes:
            return gap(nodes[node].get_window_extent(renderer), point)
        label = node[0] + {"⁻": "^t-1"}.get(node[1:], "" if node == "b" else "^t")
        return min(gap(box, point) for words, box in texts(figure) if bare(words) == label) - 10  # some air

    for w in wires(spec):
        artist = artists[w.id]
        start, end = artist.get_transform().transform(artist.get_path().vertices[[0, -1]])
        # The line ends at the foot of its arrow head, which is at most 12 pixels long.
        assert distance(w.target, end) <= 13, w
        # What has branched off begins on another wire with the same source; in an RNN z's value is y.
        other = [a for v, a in ((v, artists[v.id]) for v in wires(spec)) if v.source == w.source and v != w]
        other += [artists["z → y"]] if w.id == "y⁻ → z" and spec.family == "rnn" else []
        begin = min(
            [on_path(a, start) for a in other] + [distance("c" if w.source == "c⁻" else w.source, start)]
        )
        assert begin <= 5, w


@each_cell
def test_wires_run_through_nothing_else(spec):
    figure = once(spec)
    renderer = FigureCanvasAgg(figure).get_renderer()
    frames = {name: n.get_window_extent(renderer).padded(-3) for name, n in drawn_nodes(figure).items()}
    for w in wires(spec):
        artist = drawn_wires(figure)[w.id]
        path = artist.get_path().transformed(artist.get_transform())
        for name, frame in frames.items():
            meant = name in (w.source, w.target) or (name == "1 − u" and w.source == "u" and name in w.target)
            assert meant or not path.intersects_bbox(frame, filled=False), (w, name)


@pytest.mark.parametrize(
    "key, shown",
    [
        ("nig", {"$1$"}),
        ("cifg", {r"$1-\mathbf{i}^t$"}),
        ("niaf", {"identity"}),
        ("lstm1997", {"$1$", r"$4\sigma-2$", r"$2\sigma-1$"}),
    ],
)
def test_what_stands_in_the_boxes(key, shown):
    def found(spec):
        return {t.get_text() for t in diagram(spec).axes[0].texts}

    assert shown <= found(key)
    assert not shown & found("vanilla")


def test_every_squashing_function_has_its_own_sign():
    signs = []
    for g in SQUASHING:
        boxes = in_boxes(once(CellSpec("g", g=g, h=g)))
        words = [w for w, box in texts(once(CellSpec("g", g=g, h=g))) if any(b.overlaps(box) for b in boxes)]
        (sign,) = {w for w in words if words.count(w) == (5 if g == "sigmoid" else 2)}
        signs.append(sign)
    assert len(set(signs)) == len(SQUASHING)


# It can be read.


@each_cell
def test_no_label_overlaps_another_or_a_wire_or_the_edge(spec):
    labels_are_free(once(spec))


def labels_are_free(figure):
    assert pixels(figure).shape == (450, 600, 4)
    labels, frames = texts(figure), in_boxes(figure)
    for j, (one, box) in enumerate(labels):
        assert 0 <= box.x0 and box.x1 <= 600 and 0 <= box.y0 and box.y1 <= 450, one
        for other, another in labels[:j]:
            assert not box.overlaps(another), (one, other)
        if any(frame.overlaps(box) for frame in frames):
            continue
        for wire_id, artist in drawn_wires(figure).items():
            path = artist.get_path().transformed(artist.get_transform())
            assert not path.intersects_bbox(box, filled=False), (one, wire_id)


@each_cell
def test_words_stay_inside_their_boxes(spec):
    frames = in_boxes(once(spec))
    inside = [(w, b, f) for f in frames for w, b in texts(once(spec)) if f.overlaps(b)]
    assert len(inside) == len(frames)
    for words, box, frame in inside:
        assert frame.x0 + 2 <= box.x0 and box.x1 <= frame.x1 - 2, words
        assert frame.y0 <= box.y0 and box.y1 <= frame.y1, words


@each_cell
def test_letters_are_large_enough(spec):
    assert min(t.get_fontsize() for t in once(spec).axes[0].texts) >= 8


# It grows.


def labels(figure):
    """Every label with its place, but for those that say what is drawn and how."""
    return {
        (t.get_text(), t.get_position())
        for t in figure.axes[0].texts
        if not t.get_text().startswith("up to the ") and t.get_text() not in ("cut", "peephole")
    }


@each_lstm
def test_stages_only_add_and_end_at_the_whole(spec):
    """What is drawn once stays, at the same place; the last stage is the drawing without stages."""
    drawn = [{(w.id, w.live) for w in wires(spec, stage)} for stage in STAGES]
    grown = [labels(once(spec, stage)) for stage in STAGES]
    for k in range(len(STAGES) - 1):
        assert drawn[k] < drawn[k + 1] and grown[k] < grown[k + 1]
    assert wires(spec, STAGES[-1]) == wires(spec)
    assert np.array_equal(pixels(once(spec, STAGES[-1])), pixels(once(spec)))


@each_lstm
def test_a_stage_shows_its_wires_and_nodes_and_no_others(spec):
    for k, stage in enumerate(STAGES):
        figure = once(spec, stage)
        assert set(drawn_wires(figure)) == {w.id for w in wires(spec, stage)}
        nodes = {node for node in APPEARS if node != "y" and APPEARS[node] in STAGES[: k + 1]}
        assert set(drawn_nodes(figure)) == nodes  # y is a letter


def test_each_stage_brings_the_parameters_of_its_equation():
    """Counted in the equations: W, R and b of one block at a time, and the three peepholes at the end."""
    parameters = [[w.parameter for w in wires("vanilla", stage) if w.parameter] for stage in STAGES]
    new = [sorted(set(after) - set(before)) for before, after in zip([[], *parameters], parameters)]
    assert new == [[f"R_{k}", f"W_{k}", f"b_{k}"] for k in "zifo"] + [["p_f", "p_i", "p_o"]]


@each_stage
@pytest.mark.parametrize("spec", [variants["vanilla"], variants["cifg"], variants["fgr"], INVENTED[0]])
def test_a_stage_can_be_read(spec, stage):
    labels_are_free(once(spec, stage))


def test_a_stage_in_words():
    said = [alt_text("vanilla", stage) for stage in STAGES]
    assert len(set(said)) == len(said) and said[-1] == alt_text("vanilla")
    for stage, words in zip(STAGES, said[:-1]):
        assert f"drawn up to the {stage}: " in words and "peephole" not in words
        assert words.count(". ") == 1 and words.endswith(".") and len(words) < 600
        assert once(variants["vanilla"], stage).alt == words
    assert "gate" not in said[0].split(": ")[1]
    assert "forget" not in said[1] and "output gate" not in said[2]
    assert "always 1" not in alt_text("nog", "forget gate") and "always 1" in alt_text("nog", "output gate")
    assert "1 minus" not in alt_text("cifg", "input gate") and "1 minus" in alt_text("cifg", "forget gate")


def test_stages_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="a stage is one of block input, .*, not 'cell'"):
        diagram("vanilla", "cell")
    for key in ("gru", "srnn"):
        for function in (diagram, wires, alt_text):
            with pytest.raises(ValueError, match=f"only an LSTM is drawn in stages, and '{key}'"):
                function(key, "input gate")


# It behaves.


def test_a_figure_that_leaks_nothing():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    figure = variants["vanilla"].diagram()
    assert isinstance(figure, Figure) and plt.get_fignums() == before
    assert tuple(figure.get_size_inches()) == (6, 4.5) and figure.dpi == 100
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and metadata["image/png"]["alt"] == alt_text("vanilla")


def test_same_picture_every_time():
    for key in ("vanilla", "gru", "srnn"):
        assert np.array_equal(pixels(diagram(key)), pixels(variants[key].diagram()))
        assert diagram(key)._repr_mimebundle_() == diagram(key)._repr_mimebundle_()


def test_a_reader_s_settings_do_not_spoil_it():
    plain = pixels(diagram("fgr"))
    theirs = {"font.size": 20, "mathtext.fontset": "cm", "lines.linewidth": 5, "font.family": "serif"}
    with matplotlib.rc_context(theirs):
        assert np.array_equal(pixels(diagram("fgr")), plain)


def test_different_cells_look_different():
    seen = {}
    for spec in CELLS:
        picture = pixels(once(spec))[30:].tobytes()  # below the name
        assert picture not in seen, (spec.name, seen[picture])
        seen[picture] = spec.name


def test_unknown_names_are_refused():
    with pytest.raises(KeyError, match="no cell is called"):
        diagram("lstm3000")


# In words.


@each_cell
def test_alt_text(spec):
    words = alt_text(spec)
    assert words.startswith("Diagram of the ") and spec.name in words and words.endswith(".")
    assert words.count(". ") <= 1 and "  " not in words and len(words) < 600
    assert once(spec).alt == words


def test_alt_text_tells_cells_apart():
    said = [alt_text(replace(spec, name="cell")) for spec in CELLS]
    assert len(set(said)) == len(said)
    assert "peepholes from the cell to i, f and o" in alt_text("vanilla")
    assert "peephole" not in alt_text("lstm")
    assert "the forget gate is 1 minus the input gate" in alt_text("cifg")
    assert "the input gate is always 1" in alt_text("nig")
    assert "the gates i and o one step before" in alt_text("lstm1997")
    assert "start at zero" in alt_text("no_gates_as_published")


# Colours.


def luminance(hex_colour):
    """WCAG 2's relative luminance."""
    return linear(hex_colour) @ [0.2126, 0.7152, 0.0722]


def linear(hex_colour):
    v = np.array(to_rgb(hex_colour))
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


# Machado, Oliveira and Fernandes 2009, table of full severity, on linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(rgb):
    """CIE L*a*b* of linear RGB, white D65."""
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = to_xyz @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("cell", ["zifocy", "runy"])
def test_colours_can_be_told_apart(cell, kind):
    seen = [lab(BLINDNESS[kind] @ linear(colour(k))) for k in cell]
    closest = min(np.linalg.norm(a - b) for j, a in enumerate(seen) for b in seen[:j])
    assert closest > 15  # a just noticeable difference is 2.3


def test_every_gate_has_its_colour():
    assert list(GATE_COLOURS) == list("zifocyrun")
    assert set(GATE_COLOURS.values()) <= set(OKABE_ITO.values())
    for letter in GATE_COLOURS:
        assert (1 + 0.05) / (luminance(ink(letter)) + 0.05) >= 4.5
        assert (luminance(tint(letter)) + 0.05) / 0.05 >= 4.5  # black words on the tinted box
    with pytest.raises(ValueError, match="not to 'x'"):
        colour("x")
