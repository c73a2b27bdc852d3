"""The scoreboard: its reference against differences, and its diagnoses against planted slips."""

import re

import numpy as np
import pytest

from lstm_tutorial.gradient_check import by_autograd, draw_problem, error
from lstm_tutorial.plots.gradients import catch_grid, error_maps, fan_out, final_losses, step_sizes
from lstm_tutorial.scoreboard import (
    GROUPS,
    LINES,
    NOT_YET,
    PASSED_ON,
    RIGHT,
    WRONG,
    _evaluate,
    _factors,
    _slips,
    by_nudges,
    scoreboard,
)
from lstm_tutorial.wrong_gradients import DELTAS, GALLERY, right

PROBLEM = draw_problem("vanilla", np.random.default_rng(0))
TRUTH = by_nudges(PROBLEM)


def nudged_loss(problem, name, nudge, at):
    """The loss with something added to a quantity of one step, from the equations alone."""

    def sigma(a):
        return 1 / (1 + np.exp(-a))

    p, (y, c), total = problem.params, problem.state, 0
    for t, x in enumerate(problem.x):
        add = {name: nudge} if t == at else {}
        bar = {
            k: x @ p[f"W_{k}"].T + y @ p[f"R_{k}"].T + p[f"b_{k}"] + add.get(f"{k}_bar", 0) for k in "zifo"
        }
        before = c
        c = np.tanh(bar["z"]) * sigma(bar["i"] + p["p_i"] * before)
        c = c + before * sigma(bar["f"] + p["p_f"] * before) + add.get("c", 0)
        y = np.tanh(c) * sigma(bar["o"] + p["p_o"] * c) + add.get("y", 0)
        total = total + (problem.dy[t] * y).sum()
    return total + (problem.dstate[0] * y).sum() + (problem.dstate[1] * c).sum()


def test_reference_is_autograds_for_inputs_and_parameters():
    independent = by_autograd(PROBLEM)
    assert set(TRUTH) == {*independent, *DELTAS} == set(LINES)
    assert all(error(TRUTH[name], n) < 1e-13 for name, n in independent.items())


@pytest.mark.parametrize("name", DELTAS)
def test_reference_of_a_delta_is_what_nudging_does(name):
    """By the complex step, Im L(a + ih) / h, which is exact to rounding."""
    measured = np.empty_like(TRUTH[name])
    for t, *k in np.ndindex(measured.shape):
        nudge = np.zeros(measured.shape[1:], complex)
        nudge[tuple(k)] = 1e-30j
        measured[(t, *k)] = nudged_loss(PROBLEM, name, nudge, t).imag / 1e-30
    assert error(TRUTH[name], measured) < 1e-13


@pytest.mark.parametrize("name", LINES)
def test_line_as_data_gives_the_gradient(name):
    assert error(_evaluate(LINES[name], _factors(PROBLEM, TRUTH)), TRUTH[name]) < 1e-13


def test_groups_name_every_line_once():
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(LINES)


# ---------------------------------------------------------------- verdicts


def test_right_gradients_are_green():
    board = scoreboard(PROBLEM, right(PROBLEM))
    assert board.passed and not board.wrong and not board.sentences
    assert str(board).splitlines()[0] == "24 gradients: 24 right, 0 wrong, 0 not yet"


def test_what_is_not_given_is_not_yet():
    board = scoreboard(PROBLEM, {"y": TRUTH["y"], "W_z": None, "p_o": 2 * TRUTH["p_o"]})
    assert board.verdicts["y"] == RIGHT and board.verdicts["p_o"] == WRONG
    assert board.verdicts["W_z"] == board.verdicts["c"] == NOT_YET
    assert not board.passed and board.wrong == ["p_o"]
    assert str(board).startswith("24 gradients: 1 right, 1 wrong, 22 not yet\n")
    assert not scoreboard(PROBLEM, {}).passed


def test_what_has_no_gradient_is_refused():
    with pytest.raises(ValueError, match="nothing here is called 'W_q'; there are y, o_bar"):
        scoreboard(PROBLEM, {"W_q": TRUTH["W_z"]})
    with pytest.raises(ValueError, match="vanilla cell, not of 'lstm'"):
        scoreboard(draw_problem("lstm", np.random.default_rng(0)), {})


def test_page_says_in_words_what_it_says_in_colours():
    html = scoreboard(PROBLEM, {"y": TRUTH["y"], "p_o": -TRUTH["p_o"]})._repr_html_()
    said = re.sub(r"<[^>]*>", " ", html)
    assert "✓ right" in said and "✗ wrong" in said and "… not yet" in said
    assert "p_o: the sign is turned round." in said


# ---------------------------------------------------------------- diagnoses

ROOTS = {  # what the scoreboard must say of each bug of the gallery, and of which gradients
    "cell path cut": ({"c", "c_0"}, "δc⁺ ⊙ f⁺ is missing"),
    "f of the wrong step": ({"c"}, "f stands where f⁺ belongs"),
    "f′ without (1 − f)": ({"f_bar"}, "the factor (1 − f) is missing"),
    "nothing into f": ({"f_bar"}, "zero everywhere"),
    "h′ as 1 − c²": ({"c"}, "(1 − c²) stands where (1 − h(c)²) belongs"),
    "δc without p_o": ({"c"}, "the term p_o ⊙ δo_bar is missing"),
    "δc without p_i, p_f": ({"c", "c_0"}, "two slips: the term p_i ⊙ δi_bar⁺ is missing; and the term p_f"),
    "δp_o with c⁻": ({"p_o"}, "c⁻ stands where c belongs"),
    "δp_i a step late": ({"p_i"}, "c stands where c⁻ belongs"),
    "δy without R_o": ({"y", "y_0"}, "the term R_oᵀ δo_bar⁺ is missing"),
    "R not transposed": ({"y", "y_0"}, "R is not transposed"),
    "unbarred, as printed": ({"y", "y_0"}, "lacks the slope"),
    "i and f swapped": ({f"{k}_{g}" for k in "WRbp" for g in "if"}, "δf_bar stands where δi_bar belongs"),
    "dc_T ignored": ({"c"}, "the term dc_T is missing"),
    "dy_T ignored": ({"y"}, "the term dy_T is missing"),
    "upstream reversed": ({"y"}, "Δ in reverse stands where Δ belongs"),
    "y_0, c_0 as zeros": ({"R_z", "R_i", "R_f", "R_o", "p_i", "p_f"}, "y⁻ with y_0 = 0 stands where y⁻"),
    "δb over the wrong axis": ({f"b_{k}" for k in "zifo"}, "sum over the units"),
    "δb averaged over B": ({f"b_{k}" for k in "zifo"}, "mean over the sequences"),
    "= instead of +=": (set(PROBLEM.params), "first step alone"),
    "detached every step": ({"y", "c"}, "nothing comes back from the next step"),
    "values kept in float16": (None, "nearly right"),
}


@pytest.mark.parametrize("title", GALLERY)
def test_each_bug_of_the_gallery_is_traced_to_its_line(title):
    roots, words = ROOTS[title]
    board = scoreboard(PROBLEM, GALLERY[title](PROBLEM))
    found = {name for name, reason in board.reasons.items() if not reason.startswith(PASSED_ON)}
    assert roots is None or found == roots
    assert words in " ".join(board.sentences)


@pytest.mark.parametrize("title", GALLERY)
def test_without_the_deltas_the_gallery_is_asked(title):
    """A reader who hands in the end results alone is told the bug, or the slip in the result itself."""
    given = {name: a for name, a in GALLERY[title](PROBLEM).items() if name not in DELTAS}
    board = scoreboard(PROBLEM, given)
    said = " ".join(board.sentences)
    assert f"“{title}”" in said or ROOTS[title][1] in said
    assert "none of the slips" not in said


@pytest.mark.parametrize("name", LINES)
def test_every_slip_in_every_line_is_named(name):
    """Planted one by one, in a gradient that is right otherwise."""
    tried = 0
    for words, slip in _slips(LINES[name]):
        wrong = TRUTH[name]
        for _ in range(len(PROBLEM.x) + 1):  # δc⁺ stands in the line of δc: once for each step, from the last
            before, wrong = wrong, _evaluate(slip, _factors(PROBLEM, {**TRUTH, name: wrong}))
        settled = error(wrong, before) < 1e-13  # else δc of a step would depend on itself
        if settled and wrong.any() and error(wrong, TRUTH[name]) > 1e-8:
            assert words in scoreboard(PROBLEM, {**TRUTH, name: wrong}).reasons[name]
            tried += 1
    assert tried >= 10


@pytest.mark.parametrize(
    "name, damage, words",
    [
        ("W_z", lambda a: a.T, "its shape is (3, 4), and should be (4, 3) (it may be transposed)"),
        ("R_f", lambda a: a.T, "it is transposed"),
        ("b_o", lambda a: a[:2], "its shape is (2,), and should be (4,)"),
        ("p_i", lambda a: a * np.nan, "it is not finite"),
        ("f_bar", lambda a: 0 * a, "it is zero everywhere"),
        ("i_bar", lambda a: -a, "the sign is turned round"),
        ("z_bar", lambda a: 2 * a, "it is twice what it should be"),
        ("o_bar", lambda a: a + 1e-4, "it is nearly right"),
        ("o_bar", lambda a: np.cos(a), "none of the slips tried"),
    ],
)
def test_other_damage_is_told(name, damage, words):
    board = scoreboard(PROBLEM, {name: damage(TRUTH[name])})
    assert board.wrong == [name] and board.reasons[name].startswith(words)


def test_two_bugs_at_once_are_told_apart():
    """One in δf_bar and one in δy: each is named in its own line, with the other one in it."""

    class Both(type(GALLERY["f′ without (1 − f)"]), type(GALLERY["δy without R_o"])):
        pass

    board = scoreboard(PROBLEM, Both()(PROBLEM))
    assert board.reasons["f_bar"] == "the factor (1 − f) is missing"
    assert board.reasons["y"] == "the term R_oᵀ δo_bar⁺ is missing"
    assert board.reasons["z_bar"] == PASSED_ON + "δc"


# ---------------------------------------------------------------- pictures


def test_map_of_errors_shows_where():
    picture = scoreboard(PROBLEM, GALLERY["cell path cut"](PROBLEM)).picture()
    assert "δy is wrong at steps 1, 2, 3 and right at the others" in picture.alt
    assert "δc is wrong at steps 1, 2, 3, 4 and right at the others" in picture.alt
    drawn = [axes.images[0].get_array() for axes in picture.axes[:6]]
    assert all(a.shape == (4, 5) and a[:, 4].max() <= 1e-10 for a in drawn)
    crosses = sum(len(line.get_xdata()) for axes in picture.axes[:6] for line in axes.lines)
    assert crosses == 4 * (3 + 3 + 4 * 4)
    assert "right everywhere" in error_maps({"c": np.zeros((3, 1, 2))}).alt


@pytest.mark.parametrize("letter", "yc")
def test_fan_out_has_an_arrow_for_each_term(letter):
    picture = fan_out(letter, LINES[letter])
    arrows = [t for t in picture.axes[0].texts if getattr(t, "arrow_patch", None) is not None]
    assert len(arrows) == len(LINES[letter].terms) == 6
    assert "6 readers" in picture.alt and "next step" in picture.alt


def test_grid_marks_what_is_missed():
    caught = {("a", "full"): True, ("a", "weak"): False, ("b", "full"): True, ("b", "weak"): True}
    picture = catch_grid(caught)
    assert [t.get_text() for t in picture.axes[0].texts] == ["missed"]
    assert picture.alt == "2 bugs in rows against 2 checks in columns. full misses none; weak misses a."
    mostly = catch_grid({(b, "weak"): b == "b" for b in "abc"})
    assert "weak misses all but b" in mostly.alt


def test_other_pictures_say_what_they_show():
    steps = [1e-8, 1e-5, 1e-2]
    v = step_sizes(steps, {"float64": [1e-6, 1e-10, 1e-3], "float32": [1, 1e-1, 1e-3]})
    assert "float64 is best near 1e-5, float32 is best near 1e-2" in v.alt
    dots = final_losses([1e-3, 1e-4, 1e-5], [1e-4, 1e-6, 1e-4])
    assert "each of 3 seeds" in dots.alt and "2 dots lie under the diagonal" in dots.alt
