"""The pictures of chapter 08: what they say is what they were given, and what they draw too."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from lstm_tutorial.causality import FutureInfluence
from lstm_tutorial.plots import comparison as plots

CAUSAL = np.triu(np.arange(1.0, 10.0).reshape(3, 3))
LEAKING = CAUSAL + np.array([[0, 0, 0], [0, 0, 0], [0.5, 0, 0]])


def squares(figure, gid):
    """(row, column) of the filled squares of that kind."""
    patches = [p for p in figure.axes[0].patches if isinstance(p, Rectangle) and p.get_gid() == gid]
    return sorted((round(p.get_y() + 0.5), round(p.get_x() + 0.5)) for p in patches)


def numbers(figure):
    """{(row, column): what is written there}"""
    written = [text for text in figure.axes[0].texts if text.get_text()]
    return {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in written}


def test_the_leak_is_drawn_only_where_there_is_one():
    published, mended = plots.wiring(), plots.wiring(leaks=False)
    drawn = [[line for line in f.axes[0].lines if line.get_gid() == "leak"] for f in (published, mended)]
    assert [len(lines) for lines in drawn] == [1, 0]
    assert "from the end of layer 1, after “green”" in published.alt
    assert "Layer 2 starts from zeros" in mended.alt and "red arrow" not in mended.alt
    zeros = [sum(text.get_text() == "0" for text in f.axes[0].texts) for f in (published, mended)]
    assert zeros == [1, 2]


def test_influence_of_a_causal_model():
    figure = plots.influence_map(FutureInfluence(CAUSAL, 0.0), words="abc")
    assert squares(figure, "leak") == []
    assert squares(figure, "heard") == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    written = numbers(figure)
    assert all(written[s, t] == f"{CAUSAL[s, t]:.2g}" for s in range(3) for t in range(3))
    assert "6 of 6 squares are not zero" in figure.alt
    assert "where a later word is changed, every square is zero" in figure.alt


def test_influence_of_a_model_that_leaks():
    figure = plots.influence_map(FutureInfluence(LEAKING, 0.0), words="abc")
    assert squares(figure, "leak") == [(2, 0)] and numbers(figure)[2, 0] == "0.5"
    assert (
        "1 of 3 squares are not zero; the largest, 0.5, says that “c” moves the scores after “a”"
        in figure.alt
    )
    hatched = [p.get_hatch() for p in figure.axes[0].patches if p.get_gid() == "leak"]
    assert hatched == ["///"], "not by colour alone"


def test_what_is_within_the_tolerance_is_no_leak():
    figure = plots.influence_map(FutureInfluence(LEAKING, 0.0, tolerance=0.6))
    assert squares(figure, "leak") == [] and numbers(figure)[2, 0] == "0"
    assert "every square is zero" in figure.alt


def test_gate_histograms():
    half, ends = np.full(40, 0.52), np.array([0.001, 0.999, 0.5, 0.995])
    figure = plots.gate_histograms({"one": {"i": half, "f": half}, "two": {"i": ends, "f": half}})
    tall = [[round(p.get_height(), 6) for p in axes.patches] for axes in figure.axes]
    assert all(sum(heights) == pytest.approx(100) for heights in tall)
    assert tall[0][10] == 100 and tall[2][0] == 25 and tall[2][-1] == 50
    assert (
        "one: within 0.01 of 0 or 1 are i 0%, f 0%. two: within 0.01 of 0 or 1 are i 75%, f 0%." in figure.alt
    )


@pytest.mark.parametrize("values, share", [([0.5], 0), ([0.001, 0.5], 0.5), ([0.995, 0.0, 1.0], 1)])
def test_stuck(values, share):
    assert plots.stuck(values) == share


def test_against_floor():
    figure = plots.against_floor({"with": {4: 0.26, 16: 0.9}, "without": {4: 1.01, 16: 1.02}}, "rolls")
    drawn = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines}
    assert drawn["with"] == [[4, 0.26], [16, 0.9]] and drawn["without"] == [[4, 1.01], [16, 1.02]]
    assert "with, at 4, 16: 0.26, 0.90. without, at 4, 16: 1.01, 1.02." in figure.alt
