"""The exercises of the chapters: a check that says why an answer is wrong, and never raises.

In a notebook:

    def delta_f(dc, c_prev, f):
        ...                                    # not solved yet: it returns None

    delta_f = check("03.1", delta_f)           # the reader's, if it is right, and else the course's own

``chapter_03.py`` holds what checks chapter 03, each exercise as a function that looks at an answer and
says what is wrong with it:

    @exercise("03.1", reference=lambda dc, c_prev, f: dc * c_prev * f * (1 - f))
    def delta_f(answer):
        got = attempt(answer, dc, c_prev, f)   # an untouched stub ends here: not solved yet
        expect(np.shape(got) == f.shape, f"δf_bar is {f.shape} like f, not {np.shape(got)}")
        expect(not near(got, dc * c_prev), "σ has a slope too: what is it at f?")
        expect(near(got, numeric), "it differs from central differences")
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

__all__ = ["Outcome", "Wrong", "attempt", "check", "exercise", "expect", "judge", "near"]

NOT_YET, WRONG, RIGHT = "not solved yet", "wrong", "right"
_EXERCISES = {}


class Wrong(Exception):
    """What a check has found: its message ends the sentence "wrong, because …"."""


@dataclass(frozen=True)
class Outcome:
    """What became of an answer: ``verdict`` is "not solved yet", "wrong" or "right"."""

    name: str
    verdict: str
    reason: str = ""

    def __str__(self):
        stop = "" if self.reason.endswith(("?", "!", ".")) else "."
        end = {
            NOT_YET: f"not solved yet{self.reason}. The chapter goes on with its own solution.",
            WRONG: f"wrong, because {self.reason}{stop} The chapter goes on with its own solution.",
            RIGHT: "right ✓",
        }
        return f"Exercise {self.name}: {end[self.verdict]}"


@dataclass(frozen=True)
class _Exercise:
    reference: Any
    look: Callable


def exercise(name, reference):
    """Enter the decorated function as the check of an exercise.

    name:      "03.1": chapter, full stop, number
    reference: the course's own answer, with which an unsolved notebook goes on

    The function takes the answer and raises :class:`Wrong` (or lets :func:`expect` do so) where it is wrong.
    """

    def enter(look):
        _EXERCISES[name] = _Exercise(reference, look)
        return look

    return enter


def expect(holds, reason):
    """Raise :class:`Wrong` with a reason, "…" in the sentence "wrong, because …", unless ``holds``."""
    if not holds:
        raise Wrong(reason)


def near(a, b, within=1e-9):
    """Whether two arrays have the same shape and differ by no more than ``within`` of the larger value."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype == object:
        return False
    return bool(np.abs(a - b).max(initial=0) <= within * max(1.0, np.abs(b).max(initial=0)))


def judge(name, answer):
    """The :class:`Outcome` of an answer. Raises nothing but ValueError, for an exercise that is not there."""
    try:
        look = _find(name).look
        if _unsolved(answer):
            return Outcome(name, NOT_YET)
        look(answer)
    except Wrong as reason:
        return Outcome(name, WRONG, str(reason))
    except _NotYet:
        return Outcome(name, NOT_YET, ": it returns nothing")
    except _NoSuchExercise:
        raise
    except Exception as problem:  # whatever a reader's code does
        return Outcome(name, WRONG, f"it raises {type(problem).__name__}: {str(problem).rstrip('.')}")
    return Outcome(name, RIGHT)


def check(name, answer):
    """Say in one line whether an answer is right, and return what the chapter goes on with.

    Returns the answer if it is right and the course's own otherwise.
    """
    outcome = judge(name, answer)
    print(outcome)
    return answer if outcome.verdict == RIGHT else _find(name).reference


class _NoSuchExercise(ValueError):
    pass


class _NotYet(Exception):
    pass


def attempt(answer, *arguments, may_change=False):
    """Call a reader's function. An untouched stub returns None: then the exercise is not solved yet.

    An answer that writes into its arguments is wrong, unless it ``may_change`` them: it would be right once,
    and spoil what comes after.
    """
    before = deepcopy(arguments)
    given = answer(*arguments)
    if given is None:
        raise _NotYet
    expect(
        may_change or _same(arguments, before),
        "it changes its arguments in place (as a *= b does), and the chapter needs them again",
    )
    return given


def _same(a, b):
    """Whether nested arguments still hold what they held."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if hasattr(a, "detach"):  # a tensor: torch is not imported here, part I does without it
        return _same(a.detach().cpu().numpy(), b.detach().cpu().numpy())
    return True  # numbers and words cannot change, other things are not looked into


def _unsolved(answer):
    return answer is None or answer is Ellipsis


def _find(name):
    chapter = name.partition(".")[0]
    try:
        import_module(f"{__name__}.chapter_{chapter}")
    except ModuleNotFoundError:
        raise _NoSuchExercise(f"there is no chapter {chapter!r} with exercises.") from None
    if name not in _EXERCISES:
        known = ", ".join(sorted(n for n in _EXERCISES if n.startswith(chapter + ".")))
        raise _NoSuchExercise(f"chapter {chapter} has no exercise {name!r}; it has {known}.")
    return _EXERCISES[name]
