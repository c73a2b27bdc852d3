"""What a cell does over time: its gates, its cell and its output as lanes of bars, one above the other.

    y, _, tape = numpy_lstm.forward(spec, params, x)
    show(cell_states(tape, labels="the leaves of the tree are".split(), title="…"))

Each lane is one unit of one letter, in the letter's colour and with a scale of its own: nothing covers
anything, and no colour has to be told from another.
"""

import numpy as np

from ..colours import colour, ink
from ..equations import NAMES
from ..picture import Picture
from .style import GREY

LANE = 0.5  # inches
STATES = ("c", "y")  # these have a value before the first step


def cell_states(
    tape, letters=None, *, units=(0,), sequence=0, inputs=None, labels=None, limits=None, title=""
):
    """Lanes of bars over time, one for every letter and unit: a Picture.

    tape:     of :func:`lstm_tutorial.numpy_lstm.forward`, of any cell
    letters:  which of its values, from top to bottom, such as ``"ifc"``; None for all that the cell has
    units:    which of the H units; a letter's units lie next to one another
    sequence: which of the B sequences
    inputs:   {name: (T,) numbers} for grey lanes above the others
    labels:   T words or letters under the steps, instead of their numbers
    limits:   {letter: how far its lane reaches}; by default what the values need, and at least 1
    title:    the take-away

    A state that is not zero before the first step is drawn there too, as an outline, at step 0. Raises
    ValueError where inputs or labels do not have T entries.
    """
    T = len(tape.y)
    for name, given in {"labels": labels, **(inputs or {})}.items():
        if given is not None and len(given) != T:
            raise ValueError(f"{name} should have an entry for each of the {T} steps, not {len(given)}.")
    lanes = [(name, GREY, np.asarray(values, float), 0.0) for name, values in (inputs or {}).items()]
    for letter in letters or _letters(tape.spec):
        for unit in units:
            name = letter if len(units) == 1 else f"{letter}, unit {unit}"
            lanes.append((name, letter, *_values(tape, letter, sequence, unit)))
    return _draw(lanes, labels, limits or {}, title)


def _letters(spec):
    blocks = "zifo" if spec.has_cell else spec.blocks
    return (*blocks, "c", "y") if spec.has_cell else (*blocks, "y")


def _values(tape, letter, sequence, unit):
    """The T values of a lane, and that before the first step."""
    start = getattr(tape, letter.upper())[0, sequence, unit] if letter in STATES else 0.0
    return np.asarray(getattr(tape, letter)[:, sequence, unit], float), float(start)


def _draw(lanes, labels, limits, title):
    T = len(lanes[0][2])
    figure = Picture(_alt(lanes, labels), 7.2, 0.8 + LANE * len(lanes))
    rows = figure.subplots(len(lanes), 1, sharex=True, squeeze=False)[:, 0]
    steps, begins = np.arange(1, T + 1), any(start for *_, start in lanes)
    for axes, (name, letter, values, start) in zip(rows, lanes):
        shade = GREY if letter == GREY else colour(letter)
        axes.bar(steps, values, width=0.84, color=shade, gid=name)
        if start:
            outline = dict(facecolor="none", edgecolor=shade, linewidth=1.2)
            axes.bar(0, start, width=0.84, gid=f"{name}, start", **outline)
        reach = limits.get(letter, max(1.0, np.abs(values).max(), abs(start)))
        low = 0.0 if min(start, values.min()) >= 0 else -reach
        axes.set(ylim=(1.06 * low - 0.06 * reach * (low == 0), 1.06 * reach), yticks=[low, reach])
        axes.set_yticklabels([f"{low:.2g}".replace("-", "−"), f"{reach:.2g}"], fontsize=7, color=GREY)
        axes.set_ylabel(
            name,
            rotation=0,
            ha="right",
            va="center",
            fontsize=10,
            color="black" if letter == GREY else ink(letter),
            labelpad=16,
        )
        axes.axhline(0, color=GREY, linewidth=0.6)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(axis="both", length=0, pad=2)
    _time_axis(rows[-1], T, labels, begins)
    rows[0].set_title(title, pad=9)
    return figure


def _time_axis(axes, T, labels, begins):
    axes.set_xlim((-0.6 if begins else 0.4), T + 0.6)
    axes.spines["bottom"].set_visible(True)
    if labels is None:
        every = max(1, round(T / 12))
        ticks = [t for t in range(1, T + 1) if t == 1 or t % every == 0]
        axes.set_xticks([0, *ticks] if begins else ticks)
        axes.set_xlabel("step t")
        return
    axes.set_xticks(range(not begins, T + 1), ["start", *labels] if begins else labels)
    crowded = sum(len(str(word)) + 1 for word in labels) > 90
    axes.tick_params(axis="x", labelrotation=60 if crowded else 0)
    axes.set_xlabel("step t, by what is read")


def _alt(lanes, labels):
    T = len(lanes[0][2])
    read = f", in which it reads {' '.join(map(str, labels))}" if labels is not None else ""
    said = [f"Lanes of bars over {T} steps{read}, one above the other."]
    for name, letter, values, start in lanes:
        what = f"{NAMES[letter]} " if letter in NAMES else ""
        before = f"{_number(start)} before the first step, " if start else ""
        said.append(f"{what}{name}: {before}{_course(values)}.")
    return " ".join(said)


def _course(values):
    """How a lane runs, in words."""
    low, high = values.argmin(), values.argmax()
    if values[high] - values[low] < 5e-3:
        return f"{_number(values[0])} throughout"
    if len(values) <= 4:
        return ", ".join(map(_number, values))
    on = values > 0.5
    if np.abs(values - on).max() < 0.05:
        rare, named, rest = (on, 1, 0) if on.sum() <= len(on) / 2 else (~on, 0, 1)
        steps = ", ".join(str(t + 1) for t in np.flatnonzero(rare))
        return f"near {named} at step{'s' if rare.sum() > 1 else ''} {steps}, and near {rest} otherwise"
    return (
        f"{_number(values[0])} at first, {_number(values[-1])} in the end, lowest at step {low + 1} "
        f"({_number(values[low])}), highest at step {high + 1} ({_number(values[high])})"
    )


def _number(value):
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")
