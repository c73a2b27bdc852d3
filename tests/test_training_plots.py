"""The pictures of chapter 04: what they say is what they were given, and what they draw too."""

import pytest

from lstm_tutorial.plots import training as plots


def heights(axes):
    return [round(patch.get_height(), 6) for patch in axes.patches]


def test_truncation_cuts_the_gradient_and_not_the_state():
    figure = plots.truncation("a b c d e".split(), num_steps=2)
    colours = [a.arrow_patch.get_edgecolor() for a in figure.axes[0].texts if getattr(a, "arrow_patch", None)]
    assert len(colours) == 5 + 4 + 2  # from every word, between all cells, back within (a b), (c d) and (e)
    assert len(figure.axes[0].lines) == 2 and "after every 2 words" in figure.alt


def test_surprisal_bars():
    figure = plots.surprisal_bars(["a", "b"], {"best": [1.0, 2.5], "model": [1.5, 3.0]})
    assert heights(figure.axes[0]) == [1.0, 2.5, 1.5, 3.0]
    assert "best: a 1.0, b 2.5. model: a 1.5, b 3.0." in figure.alt


def test_agreement_has_a_thin_line_a_seed_behind_the_mean_and_says_what_was_not_run():
    figure = plots.agreement_curves({"lstm": [[1.0, 0.5], [0.8, 0.3]], "srnn": []})
    seeds = [line for line in figure.axes[0].lines if line.get_gid() == "seed"]
    (thick,) = (line for line in figure.axes[0].lines if line.get_label() == "lstm (2 seeds)")
    assert len(seeds) == 2 and list(thick.get_ydata()) == pytest.approx([90, 40])
    assert "lstm (2 seeds), with 0 to 1 attractors: 90 %, 40 %. srnn: not run." in figure.alt
    assert "not run" in plots.agreement_curves({"lstm": []}).alt


def test_panels_of_agreement_stand_beside_the_rule_of_the_nearest_noun():
    panels = {"small": {"LSTM": [[1.0, 0.9], [0.8, 0.7]], "plain RNN": []}, "large": {"LSTM": [[1.0, 0.6]]}}
    figure = plots.agreement_panels(panels, [1.0, 0.2], "t", {"LSTM": "blue"})
    assert "the rule of the nearest noun: 100 %, 20 %." in figure.alt
    assert (
        "small, LSTM (2 seeds), with 0 to 1 attractors: 90 %, 80 %. small, plain RNN: not run." in figure.alt
    )
    assert "large, LSTM, with 0 to 1 attractors: 100 %, 60 %." in figure.alt
    drawn = [{line.get_label(): list(line.get_ydata()) for line in axes.lines} for axes in figure.axes]
    assert all(lines["nearest noun"] == pytest.approx([100, 20]) for lines in drawn)
    assert drawn[0]["LSTM (2 seeds)"] == pytest.approx([90, 80])
    assert drawn[1]["LSTM"] == pytest.approx([100, 60])
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == ["nearest noun", "LSTM (2 seeds)", "plain RNN (not run)", "LSTM"]


def test_next_words():
    figure = plots.next_words(["is", "are"], [0.0, 0.6], [0.1, 0.5], rest=0.4)
    assert [round(patch.get_width(), 6) for patch in figure.axes[0].patches] == [0, 60, 10, 50]
    assert "is 0% and 10%, are 60% and 50%" in figure.alt and "leaves 40%" in figure.alt


def test_echo_dots_keep_what_is_off_the_scale_at_its_edge():
    figure = plots.echo_dots({3: [1.0, 2.0], 20: [0.01]}, "steps")
    dots = [list(line.get_ydata()) for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert dots == [[1.0, 1.25], [0.01]] and "3: 1.00, 2.00; 20: 0.01" in figure.alt


def test_valley():
    figure = plots.valley({"one": [(4.0, 1.0), (2.0, 0.5)], "two": [(4.0, 1.0), (0.1, 0.0)]}, 30)
    assert "one ends at (2, 0.5), two ends at (0.1, 0)" in figure.alt
    paths = {line.get_label(): line.get_xydata().tolist() for line in figure.axes[0].lines}
    assert paths["one"] == [[4.0, 1.0], [2.0, 0.5]]
