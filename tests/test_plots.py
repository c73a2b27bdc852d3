"""Plots: what is drawn is what was given, and the description says the same."""

from io import BytesIO

import matplotlib
import numpy as np
import pytest

from lstm_tutorial.colours import OKABE_ITO
from lstm_tutorial.plots.results import (
    CELL_COLOURS,
    DASHES,
    learning_curves,
    mean_curve,
    paired_dots,
    row_dots,
)
from lstm_tutorial.results import Paired
from lstm_tutorial.studies import ptb_ablation

TWO_SEEDS = [([1, 2, 3], [100.0, 50.0, 30.0]), ([1, 2, 3], [200.0, 70.0, 40.0])]
ONE_STOPPED = [([1, 2, 3], [100.0, 50.0, 30.0]), ([1], [200.0])]


def lines(figure, gid=None):
    """The drawn lines of that kind, without the empty ones that only stand in the legend."""
    return [line for line in figure.axes[0].lines if line.get_gid() == gid and len(line.get_xdata())]


def png(figure):
    content = BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()


def test_mean_is_that_of_all_seeds():
    assert mean_curve(TWO_SEEDS) == ([1, 2, 3], [150.0, 60.0, 35.0])


def test_mean_stops_where_the_first_seed_stops():
    """Going on with the survivors would say that a row whose seeds diverge is good."""
    assert mean_curve(ONE_STOPPED) == ([1], [150.0])


def test_mean_takes_arrays():
    xs, means = mean_curve([(np.arange(2), np.array([2.0, 4.0]))])
    assert list(xs) == [0, 1] and means == [2.0, 4.0]


def test_seeds_are_thin_lines_behind_the_mean():
    figure = learning_curves({"lstm": TWO_SEEDS})
    (average,) = lines(figure)
    seeds = lines(figure, "seed")
    assert list(average.get_ydata()) == [150.0, 60.0, 35.0]
    assert [list(s.get_ydata()) for s in seeds] == [[100.0, 50.0, 30.0], [200.0, 70.0, 40.0]]
    drawn = figure.axes[0].lines
    assert all(s.get_linewidth() < average.get_linewidth() for s in seeds)
    assert all(drawn.index(s) < drawn.index(average) for s in seeds)
    assert all(s.get_color() == average.get_color() for s in seeds)


def test_single_seed_is_one_line():
    assert not lines(learning_curves({"lstm": TWO_SEEDS[:1]}), "seed")


def test_floors_are_lines_with_a_name():
    figure = learning_curves({"lstm": TWO_SEEDS}, floors={"unigram": 90.0, "best possible": 20.0})
    assert [line.get_ydata()[0] for line in lines(figure, "floor")] == [90.0, 20.0]
    assert {"unigram", "best possible"} <= {text.get_text() for text in figure.axes[0].texts}
    assert "A line at 90.0: unigram." in figure.alt


def test_axes_and_title_are_labelled():
    axes = learning_curves({"a": TWO_SEEDS}, title="It falls.", x="epoch", y="valid perplexity").axes[0]
    assert (axes.get_title(), axes.get_xlabel()) == ("It falls.", "epoch")
    assert axes.get_ylabel() == "valid perplexity (log scale)" and axes.get_yscale() == "log"


def test_curve_that_leaves_the_picture_is_said_to():
    alt = learning_curves(
        {"up": [([1, 2], [10.0, 1e6])], "down": [([1, 2], [10.0, 5.0])]}, limits=(1, 100)
    ).alt
    assert "up starts at 10.0 and leaves the picture" in alt and "down starts at 10.0 and ends at 5.0" in alt


def test_curve_outside_the_picture_is_named_in_the_legend():
    figure = learning_curves({"gone": [([1], [1e9])], "here": [([1], [50.0])]}, limits=(1, 100))
    assert figure.axes[0].get_legend_handles_labels()[1] == ["gone, off the scale", "here"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_curve_that_breaks_down_is_drawn(value):
    figure = learning_curves({"broken": [([1, 2], [10.0, value])]}, limits=(1, 100))
    assert "leaves the picture" in figure.alt and png(figure)


def test_nothing_run_is_said_and_drawn():
    figure = learning_curves({"lstm": []})
    assert "Nothing has been run yet" in figure.alt and png(figure)
    assert [text.get_text() for text in figure.axes[0].texts] == ["not run"]


def test_curves_are_told_apart_without_colour():
    figure = learning_curves({name: TWO_SEEDS[:1] for name in "abcde"})
    patterns = {str(line._unscaled_dash_pattern) for line in lines(figure)}
    assert len(patterns) == len(DASHES) == 5


def test_every_row_of_the_study_has_a_colour_of_its_own():
    rows = {*ptb_ablation.ROWS, *ptb_ablation.AS_PUBLISHED}
    shades = [CELL_COLOURS[row] for row in rows]
    assert len(set(shades)) == len(rows) and set(shades) <= set(OKABE_ITO.values())
    (line,) = lines(learning_curves({"no_srnn": TWO_SEEDS[:1]}, colours=CELL_COLOURS))
    assert line.get_color() == CELL_COLOURS["no_srnn"]


def dots():
    return row_dots(
        ["lstm", "srnn"],
        {
            "one rate": {"lstm": [120.0, 130.0], "srnn": ["diverged", "diverged"]},
            "own rate": {"lstm": [110.0], "srnn": []},
        },
        references={"published": {"srnn": 655.7}},
    )


def test_dot_is_the_mean_and_seeds_stand_behind():
    assert sorted(line.get_xdata()[0] for line in lines(dots(), "mean")) == [110.0, 125.0]
    (seeds,) = lines(dots(), "seed")
    assert list(seeds.get_xdata()) == [120.0, 130.0]


def test_published_figures_are_open_markers_in_their_row():
    figure = dots()
    (published,) = lines(figure)
    assert published.get_markerfacecolor() == "none" and list(published.get_xdata()) == [655.7]
    assert round(published.get_ydata()[0]) == 1  # srnn, the second row


def test_what_failed_is_written_and_what_was_not_run_is_counted():
    figure = dots()
    assert [text.get_text() for text in figure.axes[0].texts] == ["2 diverged"]
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["published", "one rate", "own rate (1 of 2 rows run)"]
    assert "own rate: lstm 110.0, srnn not run." in figure.alt
    assert "one rate: lstm 125.0, srnn 2 diverged." in figure.alt


def test_first_row_is_on_top():
    axes = dots().axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["lstm", "srnn"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_dots_have_axis_and_title():
    figure = row_dots(["lstm"], {"ours": {"lstm": [1.0]}}, title="One row.", x="test perplexity")
    assert (
        figure.axes[0].get_xlabel() == "test perplexity (log scale)" and figure.axes[0].get_xscale() == "log"
    )
    assert figure.get_suptitle() == "One row."


def test_dots_without_any_run_are_drawn():
    figure = row_dots(["lstm"], {"ours": {"lstm": []}}, references={"published": {"lstm": 132.4}})
    assert "ours: lstm not run." in figure.alt and png(figure)


def test_row_that_a_series_does_not_have_is_not_counted_as_missing():
    figure = row_dots(["lstm", "dead"], {"ours": {"lstm": [100.0]}})
    assert figure.axes[0].get_legend_handles_labels()[1] == ["ours"]
    assert figure.alt.endswith("ours: lstm 100.0.")


def in_pairs(limits=None):
    rows = {
        "no_srnn": Paired({0: 1.01, 1: 1.03, 2: 1.02}),
        "srnn": Paired({0: 1.5, 1: 1.4, 2: 1.6}),
        "no_srnn_hidden": Paired({0: 1.03}),
        "no_srnn_out": Paired({}),
    }
    return rows, paired_dots(rows, 1.02, title="Pairs.", limits=limits)


def test_pairs_are_dots_with_mean_and_interval_around_a_band():
    rows, figure = in_pairs()
    assert [list(line.get_xdata()) for line in lines(figure, "seed")] == [
        [1.01, 1.03, 1.02],
        [1.5, 1.4, 1.6],
        [1.03],
    ]
    assert [tuple(line.get_xdata()) for line in lines(figure, "interval")] == [
        rows["no_srnn"].interval,
        rows["srnn"].interval,
    ]
    means = [line.get_xdata()[0] for line in lines(figure, "mean")]
    assert means == [rows["no_srnn"].mean, rows["srnn"].mean]
    axes = figure.axes[0]
    (band,) = [patch for patch in axes.patches if patch.get_gid() == "band"]
    assert band.get_x() == 1 / 1.02 and band.get_x() + band.get_width() == pytest.approx(1.02)
    left, right = axes.get_xlim()
    assert left < rows["srnn"].interval[0] and rows["srnn"].interval[1] < right
    assert [label.get_text().split("\n") for label in axes.get_yticklabels()] == [
        ["no_srnn", "3 pairs"],
        ["srnn", "3 pairs"],
        ["no_srnn_hidden", "1 pair"],
        ["no_srnn_out", "0 pairs"],
    ]
    assert "no_srnn_out: not run." in figure.alt and "mean 1.020, 95 % interval 0.995 to 1.045" in figure.alt
    assert "no_srnn_hidden: mean 1.030, 95 % interval none, 1 pair." in figure.alt and png(figure)


def test_a_row_beyond_the_limits_is_written_at_the_edge():
    rows, figure = in_pairs(limits=(0.9, 1.2))
    assert f"{rows['srnn'].mean:.2f} →" in [text.get_text() for text in figure.axes[0].texts]
    assert figure.axes[0].get_xlim() == (0.9, 1.2)
    assert "srnn: mean 1.498, beyond the edge of the picture" in figure.alt


def test_a_notebook_gets_picture_and_description():
    figure = dots()
    data, metadata = figure._repr_mimebundle_()
    assert data["image/png"] and metadata["image/png"]["alt"] == figure.alt


def test_nothing_is_left_open():
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    learning_curves({"lstm": TWO_SEEDS}), dots()
    assert pyplot.get_fignums() == before and matplotlib.get_backend().lower() == "agg"
