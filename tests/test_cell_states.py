"""Gates, cell and output over time: the bars are the tape's numbers, and the description says the same."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from lstm_tutorial import numpy_lstm, variants
from lstm_tutorial.colours import colour
from lstm_tutorial.plots.cell_states import cell_states

T, B, D, H = 6, 3, 2, 4


def run(key, started=True, seed=0):
    spec, rng = variants[key], np.random.default_rng(seed)
    params = numpy_lstm.init_params(spec, D, H, rng, scale=1.5)
    state = tuple(rng.normal(size=s.shape) for s in numpy_lstm.zero_state(spec, B, H)) if started else None
    return numpy_lstm.forward(spec, params, rng.normal(size=(T, B, D)), state)[2]


def bars(figure):
    """{name of the lane: heights of its bars at steps 1 to T}; an outline is ``name, start``."""
    found = {}
    for axes in figure.axes:
        for bar in axes.patches:
            found.setdefault(bar.get_gid(), []).append((bar.get_x() + bar.get_width() / 2, bar.get_height()))
    return {name: [height for _, height in sorted(heights)] for name, heights in found.items()}


@pytest.mark.parametrize("key", variants)
def test_bars_are_the_numbers_of_the_tape(key):
    tape = run(key)
    drawn = bars(cell_states(tape, units=(2,), sequence=1))
    letters = [name for name in drawn if ", start" not in name]
    cell = ["z", "i", "f", "o", "c", "y"]
    assert letters == (cell if variants[key].has_cell else [*variants[key].blocks, "y"])
    for letter in letters:
        assert np.allclose(drawn[letter], getattr(tape, letter)[:, 1, 2])
    assert np.allclose(drawn["y, start"], tape.Y[0, 1, 2])
    assert "c, start" not in drawn or np.allclose(drawn["c, start"], tape.C[0, 1, 2])
    assert ("c, start" in drawn) == variants[key].has_cell


def test_lanes_stand_in_the_order_asked_for_and_in_their_colours():
    tape = run("vanilla")
    figure = cell_states(tape, "cf", units=(3, 0))
    names = [axes.get_ylabel() for axes in figure.axes]
    assert names == ["c, unit 3", "c, unit 0", "f, unit 3", "f, unit 0"]
    assert np.allclose(bars(figure)["f, unit 0"], tape.f[:, 0, 0])
    for name, axes in zip(names, figure.axes):
        assert to_hex(axes.patches[0].get_facecolor()).upper() == colour(name[0])


def test_no_step_0_without_a_state_to_start_from():
    assert not [name for name in bars(cell_states(run("vanilla", started=False))) if "start" in name]


def test_inputs_are_grey_lanes_above_and_labels_stand_below():
    words = ["the", "leaves", "of", "the", "tree", "are"]
    figure = cell_states(run("lstm"), "c", inputs={"write": [1, 0, 0, 1, 0, 0]}, labels=words, title="Kept")
    assert [axes.get_ylabel() for axes in figure.axes] == ["write", "c"]
    assert bars(figure)["write"] == [1, 0, 0, 1, 0, 0]
    assert [t.get_text() for t in figure.axes[-1].get_xticklabels()] == ["start", *words]
    assert figure.axes[0].get_title() == "Kept"
    assert "write: near 1 at steps 1, 4, and near 0 otherwise" in figure.alt
    assert "the leaves of the tree are" in figure.alt


def test_every_bar_is_inside_its_lane():
    for key in ("vanilla", "noaf", "nfg", "lstm1997", "no_gates_as_published", "gru"):
        for axes in cell_states(run(key, seed=3), units=range(H)).axes:
            low, high = axes.get_ylim()
            for bar in axes.patches:
                assert low <= min(0, bar.get_height()) and max(0, bar.get_height()) <= high


def test_a_lane_can_be_given_its_reach_so_that_pictures_compare():
    figure = cell_states(run("lstm"), "ci", limits={"c": 7.0})
    assert np.abs(figure.axes[0].get_yticks()).tolist() == [7, 7]  # the cell goes below zero here
    assert list(figure.axes[1].get_yticks()) == [0, 1]


def test_what_has_not_a_number_for_every_step_is_refused():
    with pytest.raises(ValueError, match="write should have an entry for each of the 6 steps, not 5"):
        cell_states(run("lstm"), inputs={"write": [0] * 5})
    with pytest.raises(ValueError, match="labels should have an entry"):
        cell_states(run("lstm"), labels="ab")


def test_the_description_has_the_numbers():
    """A cell that keeps all it is given: its course is known beforehand."""
    open_gates = variants["no_srnn_out"]
    spec = replace(open_gates, name="sum", input_gate="one", forget_gate="one", gate_reads="")
    x = np.array([0.5, -2.0, 0.25, 0.0, 0.75])[:, None, None]
    _, _, tape = numpy_lstm.forward(spec, {"W_z": np.ones((1, 1))}, x, (np.zeros((1, 1)), np.ones((1, 1))))
    alt = cell_states(tape, "cif").alt
    assert alt.startswith("Lanes of bars over 5 steps")
    assert (
        "c: 1.00 before the first step, 1.50 at first, 0.50 in the end, lowest at step 2 (−0.50), "
        "highest at step 1 (1.50)." in alt
    )
    assert "i: 1.00 throughout." in alt and "0.00 0" not in alt


@pytest.mark.parametrize("inputs", [None, {"value": np.ones(T), "write": np.zeros(T)}])
def test_names_of_lanes_stay_on_the_picture_and_apart(inputs):
    figure = cell_states(run("vanilla"), units=(0, 1), inputs=inputs)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [axes.yaxis.label.get_window_extent(canvas.get_renderer()) for axes in figure.axes]
    assert min(box.x0 for box in boxes) >= 0
    assert all(above.y0 > below.y1 for above, below in zip(boxes, boxes[1:]))


def test_same_picture_every_time_and_nothing_registered():
    from matplotlib import pyplot

    tape, before = run("vanilla"), pyplot.get_fignums()
    assert cell_states(tape)._repr_mimebundle_() == cell_states(tape)._repr_mimebundle_()
    assert pyplot.get_fignums() == before
