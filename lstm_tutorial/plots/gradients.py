"""Pictures of the backward pass: who reads what, where a gradient is wrong, which check sees it."""

import re

import numpy as np
from matplotlib.colors import LogNorm

from ..colours import GATE_COLOURS, colour, ink, tint
from ..picture import Picture
from .style import GREY

LATER = "#E8E8E8"


def in_tex(name):
    """``δo_bar⁺`` or ``f_bar`` in matplotlib's mathematics: the letter with its bar."""
    letter, bar = re.fullmatch(r"δ?(\w)(_bar)?⁺?", name).groups()
    return rf"\bar{{{letter}}}" if bar else letter


# ---------------------------------------------------------------- who reads what


def fan_out(letter, line):
    """Who reads y or c of a step, and so sends error back to it.

    letter: "y" or "c"
    line:   its line of the backward pass, ``lstm_tutorial.scoreboard.LINES[letter]``: a term for each reader
    """
    readers = [_reader(factors) for _, factors in line.terms]
    readers = sorted(readers, key=lambda r: r[1])  # those of the same step first
    figure = Picture(_fan_out_alt(letter, readers), 7.2, 0.75 + 0.6 * len(readers), layout=None)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 10), ylim=(len(readers) - 0.45, -1.2))
    axes.axis("off")
    middle = (len(readers) - 1) / 2
    _node(axes, 1.3, middle, f"${letter}^{{\\,t}}$", letter)
    for k, (name, when, factor) in enumerate(readers):
        words = {"": "$L$ at step $t$", "T": "whatever follows\nthe last step"}.get(name)
        label = words or f"${in_tex(name)}^{{\\,t{'+1' if when else ''}}}$"
        shade = name[0] if not words and name[0] in GATE_COLOURS else None
        end = (8.2, k)
        axes.annotate(
            "",
            (end[0] - 0.75, end[1]),
            (1.85, middle + 0.12 * (k - middle)),
            arrowprops=dict(arrowstyle="-|>", color=colour(shade) if shade else GREY, linewidth=1.5),
        )
        axes.text(
            6.1,
            k + (middle - k) * 0.26,
            _factor_in_tex(factor),
            ha="center",
            va="center",
            fontsize=11,
            color="black",
            bbox=dict(facecolor="white", edgecolor="none", pad=1.5),
        )
        _node(axes, *end, label, shade, square=True)
    before, last = _terms(readers)
    title = f"$\\delta {letter}^{{\\,t}}$: {before} terms before the last step, {last} at it"
    axes.text(5, -0.8, title, ha="center", va="center", fontsize="large")
    return figure


def _terms(readers):
    """How many terms a δ has before the last step, and how many at it, in words."""
    return _COUNT[sum(when < 2 for _, when, _ in readers)], _COUNT[sum(when != 1 for _, when, _ in readers)]


_COUNT = "no one two three four five six seven eight".split()


def _reader(factors):
    """(who reads, 1 if a step later, by what it multiplies), from a term of a line."""
    if factors[0] == "Δ":
        return "", 0, "Δ"
    if factors[0] in ("dy_T", "dc_T"):
        return "T", 2, factors[0]
    (delta,) = (f for f in factors if "δ" in f)
    rest = [f for f in factors if f != delta]
    matrix, _, name = delta.rpartition(" ")
    return name.strip("δ⁺"), int(name.endswith("⁺")), matrix or " ⊙ ".join(rest)


def _factor_in_tex(factor):
    """R_zᵀ with its indices in place, p_o too; the rest of a factor is plain text."""
    if factor in ("Δ", "dy_T", "dc_T"):
        return {"Δ": r"$\Delta^t$", "dy_T": "$dy_T$", "dc_T": "$dc_T$"}[factor] + ", given"
    factor = factor.replace("f⁺", r"$f^{\,t+1}$")
    return re.sub(r"([Rp])_(\w)(ᵀ?)", lambda m: f"${m[1]}_{m[2]}{'^{T}' * bool(m[3])}$", factor)


def _node(axes, x, y, label, letter, square=False):
    box = "round,pad=0.35" if square else "circle,pad=0.35"
    face, edge = (tint(letter), colour(letter)) if letter else ("white", GREY)
    size = 15 if label.startswith("$") and not label.startswith("$L") else 9.5
    look = dict(boxstyle=box, facecolor=face, edgecolor=edge, linewidth=1.5)
    axes.text(x, y, label, ha="center", va="center", fontsize=size, bbox=look)


def _fan_out_alt(letter, readers):
    said = []
    for name, when, factor in readers:
        who = {"": "the loss", "T": "whatever follows the last step"}.get(name, name)
        said.append(f"{who}{' of the next step' if when == 1 else ''} ({factor})")
    before, last = _terms(readers)
    return (
        f"Arrows from {letter} of step t to its {len(readers)} readers, {before} before the last step and "
        f"{last} at it, with what multiplies error on its way back: {', '.join(said)}."
    )


# ---------------------------------------------------------------- the step of a difference


def step_sizes(steps, errors, title=""):
    """The error of central differences against their step, for each kind of number: a V for each.

    steps:  increasing
    errors: {"float64": [error at each step], …}
    """
    lowest = {kind: (min(e), steps[int(np.argmin(e))]) for kind, e in errors.items()}
    said = ", ".join(f"{kind} is best near 1e{np.log10(s):.0f}" for kind, (_, s) in lowest.items())
    alt = (
        "Error of central differences against their step, axes logarithmic: a V for each kind of number; "
        f"{said}."
    )
    figure = Picture(alt, 7.2, 4.0)
    axes = figure.add_subplot(xlabel="step ε", ylabel="error of the gradient", title=title)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for (kind, e), (line, marker) in zip(errors.items(), (("-", "o"), ("--", "s"))):
        axes.plot(steps, e, line, marker=marker, markersize=4, color="black", label=kind)
    axes.set_ylim(top=1e3 * max(map(max, errors.values())))  # room for the legend
    axes.legend(frameon=False, loc="upper right", title="arithmetic in", ncols=2)
    axes.text(0.03, 0.06, "too small: rounding,\nerror ∝ 1/ε", transform=axes.transAxes, color=GREY)
    axes.text(
        0.97,
        0.06,
        "too large: third derivative,\nerror ∝ ε²",
        transform=axes.transAxes,
        color=GREY,
        ha="right",
    )
    return figure


# ---------------------------------------------------------------- where a delta is wrong

FLOOR = 1e-10


def error_maps(errors, title="Where the deltas are wrong"):
    """Errors of deltas, units against steps, a panel for each; the worst sequence of the batch is shown.

    errors: {"f_bar": (T, B, H), …}, relative, as ``Scoreboard.errors`` gives them. At or under 1e-10 a cell
    is white: right. Every other is crossed, and darker where the error is larger.
    """
    worst = {name: np.asarray(e).max(1).T for name, e in errors.items()}  # (H, T)
    figure = Picture(_maps_alt(worst), 7.2, 2.5 if len(worst) <= 3 else 4.3)
    figure.suptitle(title, fontsize="large")
    columns = min(3, len(worst))
    panels = list(figure.subplots(-(-len(worst) // columns), columns, squeeze=False).flat)
    for axes in panels[len(worst) :]:
        axes.axis("off")
    for axes, (name, e) in zip(panels, worst.items()):
        H, T = e.shape
        shown = axes.imshow(
            np.maximum(e, FLOOR), cmap="Greys", norm=LogNorm(FLOOR, 10), aspect="auto", origin="lower"
        )
        for places, shade in ((e > 1e-4, "white"), ((e > FLOOR) & (e <= 1e-4), "black")):
            h, t = np.where(places)
            axes.plot(t, h, "x", color=shade, markersize=4.5, markeredgewidth=1)
        axes.set_xticks(range(T), range(1, T + 1))
        axes.set_yticks(range(H), range(1, H + 1))
        axes.set_xlabel("step t")
        axes.set_ylabel("unit")
        axes.set_title(rf"$\delta {in_tex(name)}$", color=ink(name[0]), fontsize=13)
    bar = figure.colorbar(shown, ax=figure.axes, shrink=0.8, label="relative error (log scale)")
    bar.set_ticks([1e-10, 1e-7, 1e-4, 1e-1])
    return figure


def _maps_alt(worst):
    said = []
    for name, e in worst.items():
        wrong = e > FLOOR
        steps = [t + 1 for t in range(e.shape[1]) if wrong[:, t].any()]
        if not steps:
            said.append(f"δ{name} is right everywhere")
        elif len(steps) == e.shape[1]:
            said.append(f"δ{name} is wrong at every step")
        else:
            where = f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
            said.append(f"δ{name} is wrong at {where} and right at the others")
    return f"Maps of errors, units against steps, a cross where a delta is wrong. {'; '.join(said)}."


# ---------------------------------------------------------------- which check sees what


def catch_grid(caught, title="Which check sees which bug?"):
    """Bugs in rows, checks in columns: a tick where the check sees the bug, a black cell where it misses it.

    caught: {(bug, check): bool}, as ``wrong_gradients.who_catches_what`` finds it
    """
    bugs, checks = (list(dict.fromkeys(key[k] for key in caught)) for k in (0, 1))
    figure = Picture(_grid_alt(caught, bugs, checks), 7.6, 1.3 + 0.27 * len(bugs))
    figure.suptitle(title, fontsize="large")
    axes = figure.add_subplot(xlim=(-0.5, len(checks) - 0.5), ylim=(len(bugs) - 0.5, -0.5))
    missed = np.array([[not caught[b, c] for c in checks] for b in bugs])
    axes.imshow(missed, cmap="Greys", vmin=0, vmax=1.15, aspect="auto")
    rows, columns = np.where(~missed)
    axes.plot(columns, rows, linestyle="", marker="$✓$", color=GREY, markersize=6, markeredgewidth=0)
    for k, j in zip(*np.where(missed)):
        axes.text(j, k, "missed", ha="center", va="center", fontsize=8, color="white")
    axes.set_yticks(range(len(bugs)), bugs)
    axes.set_xticks(range(len(checks)), checks, rotation=35, ha="left", rotation_mode="anchor")
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.set_xticks(np.arange(len(checks) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(bugs) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color=LATER, linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    return figure


def _grid_alt(caught, bugs, checks):
    said = []
    for check in checks:
        missed = [bug for bug in bugs if not caught[bug, check]]
        if not missed:
            said.append(f"{check} misses none")
        elif 2 * len(missed) > len(bugs):
            seen = [bug for bug in bugs if caught[bug, check]]
            said.append(f"{check} misses all" + (f" but {', '.join(seen)}" if seen else ""))
        else:
            said.append(f"{check} misses {', '.join(missed)}")
    return f"{len(bugs)} bugs in rows against {len(checks)} checks in columns. {'; '.join(said)}."


# ---------------------------------------------------------------- a lower loss


def final_losses(right, wrong, title="", labels=("right gradient", "wrong gradient")):
    """Last losses of the same seeds trained with two gradients: a dot for each seed, and the diagonal.

    right, wrong: sequences of losses, seed by seed. Under the diagonal the wrong gradient is ahead.
    """
    right, wrong = np.asarray(right), np.asarray(wrong)
    lower = int((wrong < right).sum())
    alt = (
        f"Last loss with the {labels[1]} against that with the {labels[0]}, a dot for each of {len(right)} "
        f"seeds, logarithmic axes: {lower} dots lie under the diagonal, where the {labels[1]} is ahead."
    )
    figure = Picture(alt, 5.4, 4.4)
    axes = figure.add_subplot(
        xlabel=f"last loss, {labels[0]}",
        ylabel=f"last loss, {labels[1]}",
        title=title,
        xscale="log",
        yscale="log",
    )
    ends = np.array([min(right.min(), wrong.min()) / 30, max(right.max(), wrong.max()) * 3])
    axes.fill_between(ends, ends, ends[0], color=LATER, linewidth=0)
    axes.plot(ends, ends, color=GREY, linewidth=1)
    axes.plot(right, wrong, "o", color="black", markersize=6)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.text(0.96, 0.04, f"here the {labels[1]}\nhas the lower loss", transform=axes.transAxes, ha="right")
    return figure
