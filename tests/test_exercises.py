"""Every exercise of every notebook: the untouched stub, the folded solution, and wrong answers.

A stub is the code cell that calls ``check("NN.k", …)``, its solution the ``<details>`` block of the next
markdown cell; wrong answers are in ``tests/wrong_answers``. Each runs in a fresh namespace that knows ``np``.
"""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pytest

from lstm_tutorial import exercises
from lstm_tutorial.exercises import NOT_YET, RIGHT, WRONG, Outcome, attempt, check, expect, judge, near

ROOT = Path(__file__).resolve().parent.parent
CALL = re.compile(r'^(\w+) = check\("(\d\d\.\d+)", (\w+)\)\s*$', re.M)
SOLUTION = re.compile(r"<summary>Solution</summary>\s*```python\n(.*?)```", re.S)


def stubs():
    """(name of the exercise, name it defines, stub's code, solution's code or None)"""
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        for k, cell in enumerate(cells):
            source = "".join(cell["source"])
            if cell["cell_type"] != "code" or not (call := CALL.search(source)):
                continue
            after = "".join(cells[k + 1]["source"]) if k + 1 < len(cells) else ""
            solution = SOLUTION.search(after)
            found.append((call[2], call[1], source[: call.start()], solution and solution[1]))
    return found


STUBS = stubs()
CHAPTERS = sorted({name.partition(".")[0] for name, *_ in STUBS})


def answer(code, defined):
    namespace = {"np": np}
    exec(code, namespace)
    return namespace[defined]


def wrong_answers():
    for chapter in CHAPTERS:
        try:
            module = importlib.import_module(f"wrong_answers.chapter_{chapter}")
        except ModuleNotFoundError:  # then test_every_exercise_has_wrong_answers says so
            continue
        for name, attempts in module.WRONG.items():
            yield from ((name, code, words) for code, words in attempts)


WRONG_ANSWERS = list(wrong_answers())


@pytest.mark.parametrize("name, defined, stub, solution", STUBS, ids=[s[0] for s in STUBS])
def test_an_untouched_stub_is_not_solved_yet(name, defined, stub, solution):
    assert judge(name, answer(stub, defined)).verdict == NOT_YET


@pytest.mark.parametrize("name, defined, stub, solution", STUBS, ids=[s[0] for s in STUBS])
def test_the_folded_solution_is_right(name, defined, stub, solution):
    assert solution, f"exercise {name} has no folded solution in the cell after it"
    assert judge(name, answer(solution, defined)) == Outcome(name, RIGHT)


@pytest.mark.parametrize("name, defined, stub, solution", STUBS, ids=[s[0] for s in STUBS])
def test_what_the_chapter_goes_on_with_is_right(name, defined, stub, solution, capsys):
    assert judge(name, check(name, None)).verdict == RIGHT


@pytest.mark.parametrize("name, code, words", WRONG_ANSWERS)
def test_a_wrong_answer_is_told_why(name, code, words):
    (defined,) = (d for n, d, *_ in STUBS if n == name)
    outcome = judge(name, answer(code, defined))
    assert outcome.verdict == WRONG
    assert words in outcome.reason


def test_every_exercise_has_wrong_answers():
    told = {name for name, *_ in WRONG_ANSWERS}
    assert told == {name for name, *_ in STUBS}
    for name in told:
        assert sum(n == name for n, *_ in WRONG_ANSWERS) >= 3, name


# ------------------------------------------------------- the mechanism, on an exercise of this file


@pytest.fixture(autouse=True)
def double(monkeypatch):
    monkeypatch.setitem(importlib.sys.modules, "lstm_tutorial.exercises.chapter_99", exercises)

    def look(answer):
        x = np.arange(3.0)
        got = attempt(answer, x)
        expect(np.shape(got) == x.shape, "the shape changes")
        expect(near(got, x + x), "it is not twice x")

    entry = exercises._Exercise(lambda x: 2 * x, look)
    monkeypatch.setitem(exercises._EXERCISES, "99.1", entry)


@pytest.mark.parametrize(
    "answer, said",
    [
        (lambda x: x + x, "Exercise 99.1: right ✓"),
        (lambda x: None, "Exercise 99.1: not solved yet: it returns nothing. The chapter"),
        (None, "Exercise 99.1: not solved yet."),
        (..., "Exercise 99.1: not solved yet."),
        (lambda x: 3 * x, "Exercise 99.1: wrong, because it is not twice x."),
        (
            lambda x: np.multiply(x, 2, out=x),
            "Exercise 99.1: wrong, because it changes its arguments in place",
        ),
        (lambda x: x[:2], "Exercise 99.1: wrong, because the shape changes."),
        (lambda x: x / np.array([1, 2]), "Exercise 99.1: wrong, because it raises ValueError: operands"),
        (lambda: 1, "Exercise 99.1: wrong, because it raises TypeError"),
        (7, "Exercise 99.1: wrong, because it raises TypeError: 'int' object is not callable"),
        (lambda x: np.full(3, np.nan), "Exercise 99.1: wrong, because it is not twice x."),
    ],
)
def test_check_says_what_became_of_an_answer(answer, said, capsys):
    goes_on = check("99.1", answer)
    printed = capsys.readouterr().out
    assert printed.startswith(said) and printed.count("\n") == 1
    assert near(goes_on(np.ones(2)), 2 * np.ones(2))


@pytest.mark.parametrize("reason, end", [("it is half", "it is half. The"), ("why half?", "why half? The")])
def test_a_sentence_ends_once(reason, end):
    assert end in str(Outcome("99.1", WRONG, reason))


def test_an_argument_inside_another_is_looked_into_too():
    def spoils(params, x):
        params["W"][0] += 1
        return x

    with pytest.raises(exercises.Wrong, match="in place"):
        attempt(spoils, {"W": np.zeros(2)}, np.ones(3))
    assert attempt(lambda params, x: x, {"W": np.array([np.nan])}, [np.ones(3)])


def test_an_exercise_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="chapter 99 has no exercise '99.7'; it has 99.1"):
        check("99.7", None)
    with pytest.raises(ValueError, match="there is no chapter '77'"):
        check("77.1", None)


def test_near_wants_the_shape_too():
    assert near([1.0, 2.0], [1.0, 2.0 + 1e-12])
    assert not near([[1.0, 2.0]], [1.0, 2.0])
    assert not near([np.nan], [np.nan])
