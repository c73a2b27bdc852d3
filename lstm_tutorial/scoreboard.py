"""Which of my gradients are right, and what is wrong with the others?

    board = scoreboard(problem, {"y": dy, "o_bar": do_bar, "W_z": dW_z})     # the rest: not yet
    print(board)                # in a notebook: coloured cells, and a sentence for each wrong gradient
    board.picture()             # where, in step and unit, the deltas are wrong

The diagnosis is computed. Each gradient of the vanilla cell is a line of the backward pass, and a line is
data: a sum of terms, each a product of factors (``LINES``). The scoreboard evaluates the line with *your*
deltas in it. If that gives your numbers, the line is right and only passes on what is wrong before it.
Otherwise it tries every slip it can think of (a term or a factor left out, a sign, a factor taken at another
step, a sum over another axis …), and reports the one that gives your numbers, digit by digit.

Letters: Greff et al. 2017, section II; seed 002. A ⁺ is the step after, a ⁻ the step before.
``Δ`` is the upstream gradient of the y of this step, ``dy_T`` and ``dc_T`` those of the last state.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from itertools import combinations

import numpy as np

from . import numpy_lstm
from .gradient_check import WITHIN, error
from .wrong_gradients import DELTAS, GALLERY

__all__ = ["LINES", "Line", "Scoreboard", "by_nudges", "scoreboard"]

BLOCKS = "zifo"
SAME = 1e-9  # two arrays this close are the same numbers; a slip moves them by far more
RIGHT, WRONG, NOT_YET = "right", "wrong", "not yet"
PASSED_ON = "this line is right, and passes on what is wrong in "


# ---------------------------------------------------------------- the lines of the backward pass, as data


@dataclass(frozen=True)
class Line:
    """A sum of terms. A term is (how often, factors); the factors are multiplied element by element.

    over:  what happens then. "" nothing: (T, B, H); "sum" over steps and sequences: (H,); "first": the first
           step is taken, (B, ·)
    outer: the product of the two factors is the outer one, of vectors, as in the gradient of a matrix
    """

    terms: tuple
    over: str = ""
    outer: bool = False

    def __str__(self):
        return " + ".join(" ⊙ ".join(factors) for _, factors in self.terms)


def _line(*terms, over="", outer=False):
    return Line(tuple((1, tuple(term.split(" ⊙ "))) for term in terms), over, outer)


LINES = {
    "y": _line("Δ", "dy_T", *(f"R_{k}ᵀ δ{k}_bar⁺" for k in BLOCKS)),
    "o_bar": _line("δy ⊙ h(c) ⊙ o ⊙ (1 − o)"),
    "c": _line("δy ⊙ o ⊙ (1 − h(c)²)", "p_o ⊙ δo_bar", "p_i ⊙ δi_bar⁺", "p_f ⊙ δf_bar⁺", "δc⁺ ⊙ f⁺", "dc_T"),
    "f_bar": _line("δc ⊙ c⁻ ⊙ f ⊙ (1 − f)"),
    "i_bar": _line("δc ⊙ z ⊙ i ⊙ (1 − i)"),
    "z_bar": _line("δc ⊙ i ⊙ (1 − z²)"),
    "x": _line(*(f"W_{k}ᵀ δ{k}_bar" for k in BLOCKS)),
    "y_0": _line(*(f"R_{k}ᵀ δ{k}_bar" for k in BLOCKS), over="first"),
    "c_0": _line("δc ⊙ f", "p_i ⊙ δi_bar", "p_f ⊙ δf_bar", over="first"),
    **{f"W_{k}": _line(f"δ{k}_bar ⊙ x", over="sum", outer=True) for k in BLOCKS},
    **{f"R_{k}": _line(f"δ{k}_bar ⊙ y⁻", over="sum", outer=True) for k in BLOCKS},
    **{f"b_{k}": _line(f"δ{k}_bar", over="sum") for k in BLOCKS},
    "p_i": _line("δi_bar ⊙ c⁻", over="sum"),
    "p_f": _line("δf_bar ⊙ c⁻", over="sum"),
    "p_o": _line("δo_bar ⊙ c", over="sum"),
}
GROUPS = {
    "deltas": DELTAS,
    "input, states": ("x", "y_0", "c_0"),
    "W": tuple(f"W_{k}" for k in BLOCKS),
    "R": tuple(f"R_{k}" for k in BLOCKS),
    "b": tuple(f"b_{k}" for k in BLOCKS),
    "p": ("p_i", "p_f", "p_o"),
}


def _factors(problem, deltas):
    """Every factor by name, for all steps at once: the values of the forward pass and the deltas given."""
    p, T = problem.params, len(problem.x)
    _, _, tape = numpy_lstm.forward(problem.spec, p, problem.x, problem.state)

    def later(a):
        return np.concatenate([a[1:], 0 * a[:1]])

    def at_the_end(a):
        return np.concatenate([np.zeros((T - 1, *a.shape)), a[None]])

    value = {k: getattr(tape, k) for k in "zifocy"}
    value |= {"x": problem.x, "h(c)": np.tanh(tape.c), "y⁻": tape.Y[:-1], "c⁻": tape.C[:-1]}
    value |= {"c⁻ with c_0 = 0": tape.C[:-1] * (np.arange(T) > 0)[:, None, None]}
    value |= {"y⁻ with y_0 = 0": tape.Y[:-1] * (np.arange(T) > 0)[:, None, None]}
    value |= {f"(1 − {k})": 1 - value[k] for k in "ifo"} | {f"(1 − {k}²)": 1 - value[k] ** 2 for k in "zifoc"}
    value |= {"(1 − h(c)²)": 1 - value["h(c)"] ** 2, "z (1 − z)": tape.z * (1 - tape.z), "f⁺": later(tape.f)}
    value |= {f"p_{k}": np.broadcast_to(p[f"p_{k}"], tape.c.shape) for k in "ifo"}
    value |= {"Δ": problem.dy, "Δ in reverse": problem.dy[::-1]}
    value |= {"dy_T": at_the_end(problem.dstate[0]), "dc_T": at_the_end(problem.dstate[1])}

    for name in DELTAS:
        value |= {f"δ{name}": deltas[name], f"δ{name}⁺": later(deltas[name])}
    dc, dy = deltas["c"], deltas["y"]
    unbarred = {"z": dc * tape.i, "i": dc * tape.z, "f": dc * tape.C[:-1], "o": dy * np.tanh(tape.c)}
    for k in BLOCKS:
        bar, R = deltas[f"{k}_bar"], p[f"R_{k}"]
        value |= {f"δ{k}": unbarred[k], f"W_{k}ᵀ δ{k}_bar": bar @ p[f"W_{k}"]}
        for when, shift in (("", lambda a: a), ("⁺", later)):
            value[f"R_{k}ᵀ δ{k}_bar{when}"] = shift(bar) @ R
            value[f"R_{k} δ{k}_bar{when}"] = shift(bar) @ R.T
            value[f"R_{k}ᵀ δ{k}{when}"] = shift(unbarred[k]) @ R
    return value


_OVER = {
    "": lambda a: a,
    "first": lambda a: a[0],
    "sum": lambda a: a.sum((0, 1)),
}
_WRONGLY_OVER = {
    "mean over the sequences, not the sum": lambda a: a.mean(1).sum(0),
    "mean over the steps, not the sum": lambda a: a.mean(0).sum(0),
    "mean over steps and sequences, not the sum": lambda a: a.mean((0, 1)),
    "first step alone, not the sum over all": lambda a: a[0].sum(0),
    "last step alone, not the sum over all": lambda a: a[-1].sum(0),
    "first sequence alone, not the sum over all": lambda a: a[:, 0].sum(0),
    "sum over the units, not over the sequences": lambda a: np.resize(a.sum((0, 2)), a.shape[2:]),
}


def _evaluate(line, value):
    total = 0
    for times, factors in line.terms:
        term = times
        if line.outer:
            left, right = factors
            term = times * value[left][..., None] * value[right][..., None, :]
        else:
            for name in factors:
                term = term * value[name]
        total = total + term
    return (_OVER | _WRONGLY_OVER)[line.over](total)


# ---------------------------------------------------------------- slips

# What is easily taken for something else: what belongs there, and what stands there instead.
# fmt: off
CONFUSED = (
    ("f⁺", "f"), ("c⁻", "c"), ("c", "c⁻"), ("y⁻", "y"), ("c⁻", "z"), ("z", "c⁻"), ("c⁻", "y⁻"), ("i", "z"),
    ("z", "i"), ("f", "i"), ("o", "h(c)"), ("h(c)", "c"), ("h(c)", "z"), ("δc", "δy"), ("δy", "δc"),
    ("(1 − h(c)²)", "(1 − c²)"), ("(1 − h(c)²)", "h(c)"), ("(1 − z²)", "z (1 − z)"), ("(1 − z²)", "(1 − i²)"),
    ("Δ", "Δ in reverse"), ("c⁻", "c⁻ with c_0 = 0"), ("y⁻", "y⁻ with y_0 = 0"),
    *((f"p_{a}", f"p_{b}") for a in "ifo" for b in "ifo" if a != b),
    *((f"δ{a}_bar", f"δ{b}_bar") for a in BLOCKS for b in BLOCKS if a != b),
)
# fmt: on
_NEXT = ("", "⁺")

# (words, {factor: what stands instead}): tried on all factors of a line together, and on each one alone.
RULES = (
    ("R is not transposed", {f"R_{k}ᵀ δ{k}_bar{n}": f"R_{k} δ{k}_bar{n}" for k in BLOCKS for n in _NEXT}),
    (
        "the delta has no bar: it lacks the slope of σ or g",
        {f"R_{k}ᵀ δ{k}_bar{n}": f"R_{k}ᵀ δ{k}{n}" for k in BLOCKS for n in _NEXT}
        | {f"δ{k}_bar": f"δ{k}" for k in BLOCKS},
    ),
    ("the delta of this step stands where that of the next belongs", {f"δ{k}⁺": f"δ{k}" for k in DELTAS}),
    ("the delta of the next step stands where that of this one belongs", {f"δ{k}": f"δ{k}⁺" for k in DELTAS}),
    (
        "the deltas of this step stand where those of the next belong",
        {f"R_{k}ᵀ δ{k}_bar⁺": f"R_{k}ᵀ δ{k}_bar" for k in BLOCKS},
    ),
    *((f"{instead} stands where {belongs} belongs", {belongs: instead}) for belongs, instead in CONFUSED),
)


def _slips(line) -> Iterator[tuple[str, Line]]:
    """(what went wrong, the line as it would then be), for every slip of one kind in one place."""
    terms = line.terms
    several = len(terms) > 1

    def within(k):
        return f" in {' ⊙ '.join(terms[k][1])}" if several else ""

    def changed(k, *new):
        return replace(line, terms=(*terms[:k], *new, *terms[k + 1 :]))

    for k, (times, factors) in enumerate(terms):
        if several:
            yield f"the term {' ⊙ '.join(factors)} is missing", changed(k)
        for n in (1, 2):
            for gone in combinations(range(len(factors)), n) if len(factors) > n else ():
                left = tuple(f for j, f in enumerate(factors) if j not in gone)
                words = " and ".join(factors[j] for j in gone)
                fault = f"the factor{'s' * (n > 1)} {words} {'is' if n == 1 else 'are'} missing"
                if not line.outer:
                    yield fault + within(k), changed(k, (times, left))
        if several:
            yield f"the sign of {' ⊙ '.join(factors)} is turned round", changed(k, (-times, factors))
            yield f"{' ⊙ '.join(factors)} is there twice", changed(k, (2 * times, factors))
    yield "the sign is turned round", replace(line, terms=tuple((-n, f) for n, f in terms))
    yield "it is twice what it should be", replace(line, terms=tuple((2 * n, f) for n, f in terms))
    yield "it is half of what it should be", replace(line, terms=tuple((n / 2, f) for n, f in terms))
    from_later = [t for t in terms if any(f.endswith("⁺") for f in t[1])]
    if len(from_later) > 1:
        left = tuple(t for t in terms if t not in from_later)
        yield "nothing comes back from the next step", replace(line, terms=left)
    for words, rule in RULES:
        hit = [k for k, (_, factors) in enumerate(terms) if set(factors) & set(rule)]
        for places in [hit] if len(hit) < 2 else [hit, *([k] for k in hit)]:
            if places:
                new = tuple(
                    (n, tuple(rule.get(f, f) for f in factors) if k in places else factors)
                    for k, (n, factors) in enumerate(terms)
                )
                yield words + (within(places[0]) if len(places) == 1 else ""), replace(line, terms=new)
    if line.over == "sum":
        for over in _WRONGLY_OVER:
            yield f"it is the {over}", replace(line, over=over)


# ---------------------------------------------------------------- the reference, and the board


def by_nudges(problem):
    """Every gradient of the vanilla cell, the deltas included, by autograd of a loop of its own.

    A delta is what the loss does when a number is nudged. So a nudge, zero, is added to every y, o_bar, c,
    f_bar, i_bar and z_bar of every step, and its gradient is taken. Returns a dict, keys as in ``LINES``.
    """
    import torch

    inputs = {name: torch.tensor(v, requires_grad=True) for name, v in problem.inputs().items()}
    nudges = {name: torch.zeros_like(torch.tensor(problem.dy), requires_grad=True) for name in DELTAS}
    y, c = inputs["y_0"], inputs["c_0"]
    loss = 0
    for t, x in enumerate(inputs["x"]):

        def bar(k, cell, x=x, y=y, t=t):
            read = x @ inputs[f"W_{k}"].T + y @ inputs[f"R_{k}"].T + inputs[f"b_{k}"]
            return read + (0 if k == "z" else inputs[f"p_{k}"] * cell) + nudges[f"{k}_bar"][t]

        z, i, f = torch.tanh(bar("z", c)), torch.sigmoid(bar("i", c)), torch.sigmoid(bar("f", c))
        c = z * i + c * f + nudges["c"][t]
        y = torch.tanh(c) * torch.sigmoid(bar("o", c)) + nudges["y"][t]
        loss = loss + (torch.tensor(problem.dy[t]) * y).sum()
    loss = loss + (torch.tensor(problem.dstate[0]) * y).sum() + (torch.tensor(problem.dstate[1]) * c).sum()
    leaves = inputs | nudges
    found = torch.autograd.grad(loss, list(leaves.values()))
    return {name: gradient.numpy() for name, gradient in zip(leaves, found)}


def scoreboard(problem, gradients):
    """Compare gradients of the vanilla cell with autograd, and find out what is wrong with those that differ.

    problem:   a :class:`~lstm_tutorial.gradient_check.Problem` of ``variants["vanilla"]``
    gradients: {name: array}, as far as you are: the deltas ``y``, ``o_bar``, ``c``, ``f_bar``, ``i_bar``,
               ``z_bar``, each (T, B, H); ``x``; ``y_0`` and ``c_0``; and the parameters, ``W_z`` …

    Returns a :class:`Scoreboard`. Raises ValueError for another cell, or a name that has no gradient.
    """
    if problem.spec.name != "vanilla":
        raise ValueError(f"the scoreboard knows the lines of the vanilla cell, not of {problem.spec.name!r}.")
    if unknown := [name for name in gradients if name not in LINES]:
        raise ValueError(f"nothing here is called {unknown[0]!r}; there are {', '.join(LINES)}.")
    given = {name: np.asarray(a) for name, a in gradients.items() if a is not None}
    return Scoreboard(problem, given, by_nudges(problem))


@dataclass(frozen=True)
class Scoreboard:
    """What became of each gradient: ``verdicts[name]``, right, wrong or not yet, and ``reasons[name]``."""

    problem: object = field(repr=False)
    given: dict = field(repr=False)
    reference: dict = field(repr=False)

    @cached_property
    def verdicts(self):
        return {
            name: NOT_YET
            if name not in self.given
            else RIGHT
            if error(self.given[name], self.reference[name]) <= WITHIN["autograd"]
            else WRONG
            for name in LINES
        }

    @property
    def passed(self):
        """Whether every gradient is there and right."""
        return set(self.verdicts.values()) == {RIGHT}

    @property
    def wrong(self):
        """The names of the gradients that are wrong, in the order of the backward pass."""
        return [name for name, verdict in self.verdicts.items() if verdict == WRONG]

    @cached_property
    def reasons(self):
        """For each wrong gradient, what would make it so: found by trying."""
        return {name: self._reason(name) for name in self.wrong}

    def errors(self, name):
        """|yours − reference| / max(1e-3, max|reference|), number by number."""
        n = self.reference[name]
        return np.abs(self.given[name] - n) / max(1e-3, np.abs(n).max())

    def picture(self, title="Where the deltas are wrong"):
        """Where the deltas that were given are wrong: units against steps, a panel for each."""
        from .plots.gradients import error_maps

        return error_maps({name: self.errors(name) for name in DELTAS if name in self.given}, title)

    @cached_property
    def _value(self):
        fits = {k: a for k, a in self.given.items() if a.shape == self.reference[k].shape}
        return _factors(self.problem, self.reference | fits)

    def _reason(self, name):
        a, n, line = self.given[name], self.reference[name], LINES[name]
        turned = " (it may be transposed)" if a.ndim == 2 and a.T.shape == n.shape != a.shape else ""
        if a.shape != n.shape:
            return f"its shape is {a.shape}, and should be {n.shape}{turned}"
        if not np.isfinite(a).all():
            return "it is not finite"
        deltas = {b for b in DELTAS if any(f"δ{b}" in factor for _, term in line.terms for factor in term)}
        before = [b for b in DELTAS if b in deltas and b in self.wrong]
        if before and _same(a, _evaluate(line, self._value)):
            return PASSED_ON + _listed(f"δ{b}" for b in before)
        if not a.any():
            return "it is zero everywhere"
        if a.ndim == 2 and _same(a.T, n):
            return "it is transposed"
        if found := [words for words, slip in _slips(line) if _same(a, _evaluate(slip, self._value))]:
            return ", or ".join(dict.fromkeys(found))
        if not deltas <= set(self.given):  # the slip may lie in a delta that was not given
            for title, bug in GALLERY.items():
                if _same(a, bug(self.problem)[name]):
                    return f"these are the numbers of “{title}” in the gallery of wrong gradients"
        if error(a, n) < 1e-2:
            return "it is nearly right: look for rounding, or for a slope that is approximate"
        for first, slip in _slips(line):
            for second, both in _slips(slip):
                if _same(a, _evaluate(both, self._value)):
                    return f"two slips: {first}; and {second}"
        return "none of the slips tried, nor any two of them, gives these numbers"

    @cached_property
    def sentences(self):
        """What is wrong, in as few sentences as it takes: what has the same reason stands together."""
        together, passive = {}, 0
        for name, reason in self.reasons.items():
            if reason.startswith(PASSED_ON):
                passive += 1
            else:
                together.setdefault(reason, []).append(name)
        said = [f"{_listed(names)}: {reason}." for reason, names in together.items()]
        if passive:
            said.append(f"{passive} more: right in themselves, they pass on what is wrong before them.")
        return said

    def __str__(self):
        counts = [sum(v == verdict for v in self.verdicts.values()) for verdict in (RIGHT, WRONG, NOT_YET)]
        lines = [f"{len(LINES)} gradients: {counts[0]} right, {counts[1]} wrong, {counts[2]} not yet"]
        for group, names in GROUPS.items():
            lines.append(f"  {group:14}" + " · ".join(f"{name} {self.verdicts[name]}" for name in names))
        return "\n".join(lines + self.sentences)

    def _repr_html_(self):
        summary, *_ = str(self).splitlines()
        rows = "".join(
            f"<tr><th style='text-align:left'>{group}</th>{''.join(map(self._cell, names))}</tr>"
            for group, names in GROUPS.items()
        )
        said = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.sentences)
        return f"<table><caption>{summary}</caption>{rows}</table>" + (f"<ul>{said}</ul>" if said else "")

    def _cell(self, name):
        mark, background = _LOOK[self.verdicts[name]]
        look = f"text-align:center;color:#000;background:{background}"
        return f"<td style='{look}'>{name}<br>{mark} {self.verdicts[name]}</td>"


_LOOK = {RIGHT: ("✓", "#CFEBD3"), WRONG: ("✗", "#F6CFC4"), NOT_YET: ("…", "#EEEEEE")}


def _same(a, b):
    return a.shape == np.shape(b) and np.abs(a - b).max() <= SAME * max(1e-3, np.abs(a).max())


def _listed(words):
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
