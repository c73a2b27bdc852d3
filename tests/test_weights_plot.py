"""Pictures of chapter 09: what is drawn is what was given, and adds up; the description says the same."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from lstm_tutorial import numpy_lstm, variants
from lstm_tutorial.colours import colour
from lstm_tutorial.gradient_check import draw_problem
from lstm_tutorial.plots.weights import by_attractors, exchanges, memories, origins, weighted_sum
from lstm_tutorial.weighted_sum import contributions_at, effective_memory, weights

T, B, H = 6, 3, 5
WORDS = ["<eos>", "the", "leaves", "of", "the", "tree"]


def run(key="lstm", seed=0):
    problem = draw_problem(key, np.random.default_rng(seed), 2, H, T, B)
    return numpy_lstm.forward(problem.spec, problem.params, problem.x, problem.state)[2]


def named(figure, gid):
    """What is drawn under that name."""
    return [artist for axes in figure.axes for artist in axes.get_children() if artist.get_gid() == gid]


def overlapping(figure):
    """Pairs of texts that cover one another."""
    FigureCanvasAgg(figure).draw()
    texts = [text for axes in figure.axes for text in axes.findobj(lambda a: hasattr(a, "get_text"))]
    boxes = [
        (t.get_text(), t.get_window_extent())
        for t in texts
        if t.get_text() and t.get_visible() and t.get_rotation() == 0
    ]
    return [
        (a, b)
        for k, (a, one) in enumerate(boxes)
        for b, two in boxes[k + 1 :]
        if one.shrunk(0.9, 0.9).overlaps(two.shrunk(0.9, 0.9))
    ]


@pytest.mark.parametrize("key", ["vanilla", "cifg", "no_srnn", "gru", "gru_reset_before"])
def test_the_picture_adds_up(key):
    """The bars on the left, weighted by a column of the drawn squares, are the bar below that column."""
    tape = run(key)
    figure = weighted_sum(tape, WORDS, unit=3, sequence=1)
    (squares,) = named(figure, "weights")
    w = squares.get_array()  # (j, t)
    z = np.array([bar.get_width() for bar in named(figure, "z")])
    c = np.array([bar.get_height() for bar in named(figure, "c")])
    np.testing.assert_allclose(w.filled(0).T @ z, c, rtol=0, atol=1e-12)
    np.testing.assert_allclose(c, (tape.C if variants[key].has_cell else tape.Y)[:, 1, 3], atol=1e-12)
    np.testing.assert_array_equal(w.filled(0).T, weights(tape)[:, :, 1, 3])
    np.testing.assert_array_equal(w.mask, ~np.tri(T + 1, dtype=bool).T)  # the future is left white


def test_black_is_one_and_white_is_nothing():
    (squares,) = named(weighted_sum(run(), WORDS), "weights")
    assert squares.get_clim() == (0, 1)
    assert to_hex(squares.cmap(1.0)) == "#000000" and to_hex(squares.cmap(0.0)) == "#ffffff"


def test_colours_are_those_of_the_letters():
    figure = weighted_sum(run(), WORDS)
    first, *others = [to_hex(bar.get_facecolor()) for bar in named(figure, "z")]
    assert first == colour("c").lower() and set(others) == {colour("z").lower()}
    assert {to_hex(bar.get_facecolor()) for bar in named(figure, "c")} == {colour("c").lower()}


def test_words_are_the_labels_on_both_sides():
    left, _, below, _ = weighted_sum(run(), WORDS).axes
    for labels in (left.get_yticklabels(), below.get_xticklabels()):
        assert [label.get_text() for label in labels] == ["before", *WORDS]


def test_description_of_the_sum_names_what_is_largest():
    tape = run()
    alt = weighted_sum(tape, WORDS, unit=2).alt
    w, c = weights(tape)[-1, :, 0, 2], tape.C[:, 0, 2]
    label = ["before", *WORDS][w.argmax()]
    assert f"the largest weights are {label} {w.max():.2f}" in alt and " ".join(WORDS) in alt
    assert alt.endswith(f"starts at {c[0]:.2f} and ends at {c[-1]:.2f}.".replace("-", "−"))


def test_words_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="each of the 6 steps, not 2"):
        weighted_sum(run(), ["the", "leaves"])


def test_shares_of_a_unit_are_a_row_that_sums_to_one():
    tape = run()
    figure = origins(tape, WORDS, sequence=2)
    (shares,), (dots,) = named(figure, "shares"), named(figure, "memory")
    drawn = shares.get_array()  # (H, T + 1)
    np.testing.assert_allclose(drawn.sum(1), 1)
    memory = effective_memory(tape, T)[2]
    order = np.argsort(memory, kind="stable")
    size = np.abs(contributions_at(tape, T)[:, 2])
    np.testing.assert_allclose(drawn, (size / size.sum(0)).T[order])
    np.testing.assert_array_equal(dots.get_xdata(), T - memory[order])
    assert f"{memory.max():.0f} in the longest" in figure.alt


def test_every_unit_is_a_dot_of_its_own_kind():
    trained, untrained = {"lstm": [0.0, 3.0, 9.0], "slim3": [1.0]}, {"lstm": [2.0, 2.0, 1.0], "slim3": [5.0]}
    figure = memories(trained, untrained, limit=20)
    for name, values in (("trained", trained), ("untrained", untrained)):
        drawn = named(figure, name)
        for row, dots in zip(values, drawn, strict=True):
            np.testing.assert_allclose(np.expm1(dots.get_offsets()[:, 0]), values[row])
    assert to_hex(named(figure, "trained")[0].get_facecolor()[0]) == colour("c").lower()
    assert not len(named(figure, "untrained")[0].get_facecolor()), "untrained units are hollow"
    said = "lstm: median 3.0 and longest 9 steps trained, median 2.0 and longest 2 untrained."
    assert said in figure.alt
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()][-1] == "16"


def test_lines_over_attractors():
    curves = {"lstm": [0.9, 0.5, 0.1], "no_srnn": [0.8, 0.7, 0.6]}
    figure = by_attractors(curves, y="weight", title="It fades.")
    (axes,) = figure.axes
    assert {line.get_label(): list(line.get_ydata()) for line in axes.lines} == curves
    assert (axes.get_title(), axes.get_ylabel()) == ("It fades.", "weight")
    assert "no_srnn: 0.80, 0.70, 0.60." in figure.alt
    with pytest.raises(ValueError, match="3 curves, not for 4"):
        by_attractors({k: [1.0] for k in "abcd"}, y="weight")


SHARES = {
    "no attractor": {
        "lstm": {"all z": [0.1, 0.2], "o": [0.5, 0.6]},
        "no_srnn": {"all z": [0.9], "o": [-0.1]},
    },
    "1 to 5": {"lstm": {"all z": [0.0, 0.3], "o": [1.0, 1.1]}, "no_srnn": {"all z": [], "o": []}},
}


def test_every_seed_is_a_dot_over_its_exchange():
    figure = exchanges(SHARES, title="Exchanges")
    for panel, rows in zip(figure.axes, SHARES.values(), strict=True):
        for row, parts in rows.items():
            dots = [line for line in panel.lines if line.get_gid() == row]
            assert [list(line.get_ydata()) for line in dots] == list(parts.values())
            for place, line in enumerate(dots):
                assert all(abs(x - place) < 0.5 for x in line.get_xdata())
        assert [tick.get_text() for tick in panel.get_xticklabels()] == ["all z", "o"]
    assert "no attractor, lstm: all z 0.10, 0.20; o 0.50, 0.60." in figure.alt
    assert "1 to 5, no_srnn: all z not run; o not run." in figure.alt
    with pytest.raises(ValueError, match="3 rows, not for 4"):
        exchanges({"p": {k: {"o": [1.0]} for k in "abcd"}})


@pytest.mark.parametrize(
    "picture",
    [
        lambda: weighted_sum(run(), WORDS, title="unit 0"),
        lambda: origins(run(), WORDS, title="all units"),
        lambda: memories({"lstm": [1.0, 8.0]}, {"lstm": [2.0, 2.0]}, limit=100, title="memories"),
        lambda: by_attractors({"lstm": [0.9, 0.1]}, y="weight", title="lines"),
        lambda: exchanges(SHARES, title="exchanges"),
    ],
    ids=["sum", "origins", "memories", "lines", "exchanges"],
)
def test_no_words_cover_each_other(picture):
    assert not overlapping(picture())
