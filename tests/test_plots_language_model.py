"""The pictures of chapter 07: what they say is what they were given, and what they draw too."""

import numpy as np
import pytest

from lstm_tutorial import numpy_lstm
from lstm_tutorial.language_model import batches
from lstm_tutorial.picture import _png
from lstm_tutorial.plots import language_model as plots


def words_at(axes):
    return {text.get_text(): text for text in axes.texts if text.get_text()}


@pytest.mark.parametrize("count, B, T", [(25, 3, 3), (24, 2, 5), (9, 2, 3)])
def test_rows_of_text_are_the_rows_of_the_batcher(count, B, T):
    words = [f"w{k}" for k in range(count)]
    figure = plots.rows_of_text(words, B, T)
    drawn = words_at(figure.axes[0])
    cut = batches(np.arange(count), B, T)
    read = {int(k) for inputs, _ in cut for k in inputs.flatten()}
    predicted = {int(k) for _, targets in cut for k in targets.flatten()}
    black = {k for k in range(count) if f"w{k}" in drawn and drawn[f"w{k}"].get_color() == "black"}
    blue = {k for k in range(count) if f"w{k}" in drawn and drawn[f"w{k}"].get_color() == plots.OURS}
    assert black == read and blue == predicted - read
    column = {k: round(drawn[f"w{k}"].get_position()[0]) for k in read}
    for n, (inputs, _) in enumerate(cut):
        assert [column[int(k)] for k in inputs[:, 0]] == list(range(n * T, (n + 1) * T))
    arrows = [a for a in figure.axes[0].texts if getattr(a, "arrow_patch", None)]
    assert len(arrows) == B * (len(cut) - 1)
    assert f"{count} words in {B} rows of {count // B}" in figure.alt


def test_unrolled_drops_what_goes_up_and_nothing_else():
    figure = plots.unrolled("a b c d e".split(), num_steps=2, layers=3)
    arrows = [a for a in figure.axes[0].texts if getattr(a, "arrow_patch", None)]
    up = [a for a in arrows if a.xy[0] == a.get_position()[0]]
    right = [a for a in arrows if a.xy[0] > a.get_position()[0]]
    left = [a for a in arrows if a.xy[0] < a.get_position()[0]]
    assert (len(up), len(right), len(left)) == (5 * (3 + 1), 3 * 4, 3 * 2)  # back only inside (a b) and (c d)
    assert "solid" not in {a.arrow_patch.get_linestyle() for a in up}
    assert {a.arrow_patch.get_linestyle() for a in right} == {"solid"}


def test_schedules():
    figure = plots.schedules({"small": [1, 1, 0.5], "large": [1, 1, 1, 0.1]}, {"small": 2})
    (cross,) = (line for line in figure.axes[0].lines if line.get_gid() == "stop")
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (2, 1)
    assert list(figure.axes[0].patches[1].get_data().values) == [1, 1, 1, 0.1]
    assert "small: 1 in epoch 1, 0.5 in epoch 3. A cross after epoch 2. large" in figure.alt


def test_ladder_marks_valid_and_test_and_what_is_ours():
    figure = plots.ladder(
        [("one", 200.0, 180.0, True), ("two", None, 90.0, False), ("three", 80, None, False)]
    )
    dots = {
        which: [tuple(line.get_xydata()[0]) for line in figure.axes[0].lines if line.get_gid() == which]
        for which in ("valid", "test")
    }
    assert dots == {"valid": [(200, 0), (80, 2)], "test": [(180, 0), (90, 1)]}
    colours = [tick.get_color() for tick in figure.axes[0].get_yticklabels()]
    assert colours == [plots.OURS, "black", "black"]
    assert "one: valid 200.0, test 180.0. two: test 90.0. three: valid 80.0." in figure.alt


def test_ratios():
    figure = plots.ratios({"ours": [(100.0, 95.0), (200.0, 220.0)]}, (0.92, 0.99))
    drawn = [line for line in figure.axes[0].lines if line.get_label() == "ours"]
    assert drawn[0].get_ydata() == pytest.approx([0.95, 1.1])
    assert "ours: 2 models, 0.950 to 1.100" in figure.alt and "0.92 to 0.99" in figure.alt


def test_mismeasured():
    figure = plots.mismeasured(
        {"padding": {"valid": -80.0, "test": -81.0}, "means": {"valid": 3.0, "test": 4}}
    )
    drawn = {line.get_label(): list(line.get_xdata()) for line in figure.axes[0].lines}
    assert drawn["valid"] == [-80, 3] and drawn["test"] == [-81, 4]
    assert "padding: valid −80.0, test −81.0. means: valid +3.0, test +4.0." in figure.alt


def test_written_cuts_a_long_line_and_says_all_of_it():
    lines = [[("the", 0.5), ("tree", 20.0)], [("long", 1.0)] * 60]
    figure = plots.written(lines, "Temperature 2")
    texts = figure.axes[0].texts
    light, dark = (sum(text.get_bbox_patch().get_facecolor()[:3]) for text in texts[:2])
    assert light > dark and texts[-1].get_text() == "…" and len(texts) < 2 + 60
    assert figure.alt.startswith("Temperature 2.") and "the tree / long long" in figure.alt
    assert _png(figure)


def test_gate_map_shows_the_tape():
    rng = np.random.default_rng(0)
    params = numpy_lstm.init_params("lstm", 3, 5, rng)
    _, _, tape = numpy_lstm.forward("lstm", params, rng.normal(size=(4, 2, 3)))
    figure = plots.gate_map(tape, list("abcd"), (4, 1), sequence=1)
    shown = [np.asarray(axes.images[0].get_array()) for axes in figure.axes[:4]]
    for letter, values in zip("zifo", shown):
        assert np.array_equal(values, getattr(tape, letter)[:, 1, [4, 1]].T)
    limits = [axes.images[0].get_clim() for axes in figure.axes[:4]]
    assert limits == [(-1, 1), (0, 1), (0, 1), (0, 1)]
    assert f"f from {tape.f[:, 1, [4, 1]].min():.2f}" in figure.alt
    with pytest.raises(ValueError, match="each of the 4 steps, not 3"):
        plots.gate_map(tape, list("abc"), (0,))
