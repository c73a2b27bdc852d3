"""Pictures of chapter 05: a grammar, runs that solve a task or do not, a cell that cannot forget, a timer.

Every function takes numbers and returns a :class:`Picture` that carries its description.
"""

import numpy as np
from matplotlib.patches import FancyArrowPatch
from matplotlib.ticker import MaxNLocator

from .. import numpy_lstm
from ..colours import GATE_COLOURS, OKABE_ITO, colour, ink
from ..picture import Picture
from ..spec import variants
from ..tasks import timed_spikes
from ..tasks.reber import ARROWS, LAST
from .style import GREY

PLACES = ((0, 0), (1.1, 0), (2.2, 1), (2.2, -1), (3.8, 1), (3.8, -1), (4.9, 0), (6.0, 0))
RUNS = OKABE_ITO["black"]


def grammar():
    """The Reber grammar: its nodes, and an arrow for each symbol that may be written there."""
    figure = Picture(_grammar_alt(), 7.2, 3.0)
    axes = figure.add_subplot(
        title="A Reber string is a walk from node 0 to node 7; each arrow writes a symbol"
    )
    axes.set_axis_off()
    axes.set(xlim=(-0.5, 6.5), ylim=(-1.75, 1.75), aspect="equal")
    for node, arrows in enumerate(ARROWS):
        x, y = PLACES[node]
        for symbol, to in arrows:
            if to == node:
                _loop(axes, x, y, symbol)
            else:
                _arrow(axes, PLACES[node], PLACES[to], symbol)
    for node, (x, y) in enumerate(PLACES):
        face = "white" if node != LAST else "#DDDDDD"
        axes.plot(x, y, "o", markersize=19, markerfacecolor=face, markeredgecolor=GREY, zorder=3)
        axes.text(x, y, str(node), ha="center", va="center", color=GREY, fontsize=10, zorder=4)
    return figure


def _arrow(axes, start, end, symbol):
    axes.add_patch(
        FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=13, shrinkA=11, shrinkB=11, color=GREY)
    )
    _symbol(axes, *(np.array(start) + 0.5 * (np.array(end) - start)), symbol)


def _loop(axes, x, y, symbol):
    side = np.sign(y)
    axes.add_patch(
        FancyArrowPatch(
            (x - 0.12, y + 0.12 * side),
            (x + 0.12, y + 0.12 * side),
            connectionstyle=f"arc3,rad={-1.9 * side}",
            arrowstyle="-|>",
            mutation_scale=13,
            shrinkA=3,
            shrinkB=3,
            color=GREY,
        )
    )
    _symbol(axes, x, y + 0.5 * side, symbol)


def _symbol(axes, x, y, symbol):
    box = dict(boxstyle="circle,pad=0.15", facecolor="white", edgecolor="none")
    axes.text(x, y, symbol, ha="center", va="center", fontsize=12, weight="bold", bbox=box, zorder=2)


def _grammar_alt():
    said = ["The Reber grammar as a graph of eight nodes, 0 to 7."]
    for node, arrows in enumerate(ARROWS[:LAST]):
        ways = " or ".join(f"{symbol} to node {to}" for symbol, to in arrows)
        said.append(f"From node {node}: {ways}.")
    return " ".join(said)


def until_solved(rows, limit, title):
    """Each run of each row: after how many updates it solved its task, or that it did not.

    rows: {label: [updates, or None for a run that did not solve it, …]}; an empty list has not been run
    limit: the most updates that a run was given
    """
    figure = Picture(_until_alt(rows, limit), 7.2, 1.5 + 0.42 * len(rows))
    figure.suptitle(title, fontsize="large")
    axes = figure.add_subplot(xlabel="updates until the task was solved (right of the line: not solved)")
    edge = 1.03 * limit
    axes.axvline(edge, color=GREY, linewidth=0.8)
    for k, runs in enumerate(rows.values()):
        solved = sorted(u for u in runs if u is not None)
        heights = k + 0.14 * (np.arange(len(solved)) % 3 - 1)  # runs that took equally long lie side by side
        axes.plot(solved, heights, "o", color=RUNS, markersize=6, alpha=0.7)
        failed = len(runs) - len(solved)
        places = edge + limit * (0.025 + 0.022 * np.arange(failed))
        axes.plot(places, [k] * failed, "x", color=GREY, markersize=6)
        text = f"{len(solved)} of {len(runs)}" if runs else "not run"
        axes.annotate(
            text, (1.01, k), xycoords=("axes fraction", "data"), va="center", fontsize=9, color=RUNS
        )
    most = max([1, *(sum(u is None for u in runs) for runs in rows.values())])
    axes.set_xlim(0, edge + limit * (0.03 + 0.022 * most))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), list(rows))
    ticks = MaxNLocator(6, integer=True).tick_values(0, limit)
    axes.set_xticks([tick for tick in ticks if tick <= limit])
    return figure


def _until_alt(rows, limit):
    said = [f"Each row shows its runs as dots by the number of updates until solved, at most {limit:,}."]
    for label, runs in rows.items():
        solved = sorted(u for u in runs if u is not None)
        what = f"{len(solved)} of {len(runs)} runs solved it" if runs else "not run"
        if solved:
            span = dict.fromkeys(f"{updates:,}" for updates in (solved[0], solved[-1]))
            what += f", after {' to '.join(span)} updates"
        said.append(f"{label}: {what}.")
    return " ".join(said)


def memories(cells, ends, title):
    """The cells of networks that read the same stream, one panel each.

    cells: {label: c (T, H)}. ends: the steps at which a string of the stream ends
    """
    figure = Picture(_memories_alt(cells, ends), 7.2, 1.9 * len(cells) + 0.6)
    figure.suptitle(title, fontsize="large")
    panels = figure.subplots(len(cells), 1, sharex=True)
    for axes, (label, c) in zip(np.atleast_1d(panels), cells.items()):
        axes.vlines(ends, 0, 1, transform=axes.get_xaxis_transform(), color="#D5D5D5", linewidth=0.8)
        axes.plot(c, color=colour("c"), linewidth=0.9, alpha=0.8)
        axes.set_title(label, fontsize=10, loc="left")
        axes.set_ylabel("cell c, each unit")
        axes.margins(x=0.01)
    axes.set_xlabel("step (grey lines: a string ends)")
    return figure


def _memories_alt(cells, ends):
    T = len(next(iter(cells.values())))
    said = [f"The cells of each unit over {T} steps of a stream, in which {len(ends)} strings end."]
    for label, c in cells.items():
        first, last = (np.abs(part).max() for part in (c[: T // 10], c[-T // 10 :]))
        said.append(
            f"{label}: the largest is {first:.1f} in the first tenth of the steps and {last:.1f} in the last."
        )
    return " ".join(said)


def timer(period=8, sharpness=20.0, peepholes="both"):
    """A cell with one unit, set by hand to spike every ``period`` steps: its count, its gates, its output.

    sharpness: how steeply its gates turn. peepholes: "both", "only o" or "none": which are left uncut
    """
    params, steps = timed_spikes.by_hand(period, sharpness), 32
    cut = {"both": (), "only o": ("p_f",), "none": ("p_o", "p_f")}[peepholes]
    params = params | {name: 0 * params[name] for name in cut}
    y, _, tape = numpy_lstm.forward(variants["lstm2002"], params, np.ones((steps, 1, 1)))
    t = np.arange(1, steps + 1)
    figure = Picture(_timer_alt(y[:, 0, 0], tape.c[:, 0, 0], peepholes), 7.2, 4.4)
    count, gates, output = figure.subplots(3, 1, sharex=True)
    count.step(t, tape.c[:, 0, 0], where="mid", color=colour("c"))
    count.set_ylabel("cell c")
    for letter, dashes in (("f", ()), ("o", (4, 1.5))):
        values = getattr(tape, letter)[:, 0, 0]
        gates.step(t, values, where="mid", color=colour(letter), dashes=dashes, label=letter)
    gates.set(ylabel="gates f, o", ylim=(-0.1, 1.1))
    gates.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    output.stem(t, y[:, 0, 0], linefmt=colour("y"), markerfmt=" ", basefmt=" ")
    output.set(ylabel="output y", xlabel="step t")
    output.vlines(
        t[period - 1 :: period], 0, 1, transform=output.get_xaxis_transform(), color=GREY, ls=":", lw=1
    )
    output.set_ylim(0, 1.15 * max(1, y.max()))
    said = {"both": "both peepholes", "only o": "a peephole to o only", "none": "no peepholes"}[peepholes]
    figure.suptitle(f"A timer with {said}; dotted: where a spike is due", fontsize="large")
    return figure


def _timer_alt(y, c, peepholes):
    high = np.flatnonzero(y > 0.5) + 1
    where = ", ".join(map(str, high[:6])) + (" and so on" if len(high) > 6 else "")
    return (
        f"Three panels over {len(y)} steps: the cell c, the gates f and o, and the output y of a timer "
        f"that was set by hand, peepholes: {peepholes}. c rises to {c.max():.1f}; "
        + (f"y is above one half at steps {where}." if len(high) else "y never rises above one half.")
    )


def alignment(cosines, title):
    """How far the truncated gradient of each parameter points where the full one does: bars in gate colours.

    cosines: {name of a parameter: cosine of the angle between the two}
    """
    figure = Picture(_alignment_alt(cosines), 7.2, 3.2)
    axes = figure.add_subplot(ylabel="cosine with the full gradient", title=title)
    for k, (name, value) in enumerate(cosines.items()):
        letter = name[-1]
        axes.bar(k, value, color=colour(letter) if letter in GATE_COLOURS else GREY, width=0.7)
    axes.axhline(1, color=GREY, linewidth=0.8)
    axes.set_xticks(range(len(cosines)), list(cosines))
    for label in axes.get_xticklabels():
        letter = label.get_text()[-1]
        label.set_color(ink(letter) if letter in GATE_COLOURS else GREY)
    low = min(0, *cosines.values())
    axes.set_ylim(1.1 * low, 1.08)
    return figure


def _alignment_alt(cosines):
    said = ", ".join(f"{name} {value:.2f}" for name, value in cosines.items())
    return f"Bars: the cosine between the truncated and the full gradient of each parameter: {said}."
