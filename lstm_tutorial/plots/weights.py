"""What a cell looks back to: its weighted sum over the words of a sentence, and how far it reaches.

    show(weighted_sum(tape, "the leaves of the tree are".split(), unit=3))

The pictures of chapter 09. Green is z, what was written, and orange the cell; weights are shades of grey,
because they are no single gate's. The arithmetic is in :mod:`lstm_tutorial.weighted_sum`.
"""

import numpy as np

from ..colours import OKABE_ITO, colour, ink
from ..picture import Picture
from ..weighted_sum import contributions_at, effective_memory, summands, weights
from .style import GREY

LINES = (OKABE_ITO["sky blue"], "#8F8928", GREY)  # none of them a gate's; the second is a dark yellow
BEFORE = "before"  # the name of c_0 among the words


def weighted_sum(tape, words, *, unit=0, sequence=0, title=""):
    """One unit's sum over a sentence: z_j, its weights w_j^t as the reading goes on, and c_t. A Picture.

    A row is a word that was written, a column a moment of reading. The bars on the left are z_j, the first
    one c_0; a square is the weight w_j^t, white for 0 and black for 1; a column of weights times the bars on
    the left adds up to the bar c_t below it.

    tape : of a cell with such a sum, see :mod:`lstm_tutorial.weighted_sum`. words : T labels. unit and
    sequence : which of the H units and B sequences. Raises ValueError where there are not T words.
    """
    T = len(tape.y)
    if len(words) != T:
        raise ValueError(f"words should have an entry for each of the {T} steps, not {len(words)}.")
    w, z = weights(tape)[:, :, sequence, unit], summands(tape)[:, sequence, unit]
    c = w @ z  # (T + 1,): the theorem
    labels = [BEFORE, *words]
    side = max(0.24, 3.4 / (T + 1))
    figure = Picture(_sum_alt(w, z, c, labels), 7.2, 1.7 + side * (T + 1))
    grid = figure.add_gridspec(2, 3, width_ratios=(0.9, 3.4, 0.12), height_ratios=(side * (T + 1), 0.7))
    left, heat, below = (figure.add_subplot(grid[place]) for place in ((0, 0), (0, 1), (1, 1)))

    places = np.arange(T + 1)
    shades = np.ma.masked_where(places[:, None] > places[None, :], w.T)  # what comes later has no weight
    image = heat.imshow(shades, cmap="Greys", vmin=0, vmax=1, aspect="auto", gid="weights")
    stairs = np.repeat(np.arange(T + 2) - 0.5, 2)
    heat.plot(stairs[1:-1], stairs[2:], color=GREY, linewidth=0.6)
    heat.set(xticks=[], yticks=[], title=title, ylim=(T + 0.5, -0.5))
    figure.colorbar(image, cax=figure.add_subplot(grid[0, 2]), label="weight w")

    left.barh(places, z, color=[colour("c"), *[colour("z")] * T], height=0.7, gid="z")
    left.set(ylim=(T + 0.5, -0.5), yticks=places)
    left.set_yticklabels(labels, fontsize=8)
    left.set_xlabel("written: z", color=ink("z"), fontsize=9)
    reach = max(1.0, np.abs(z).max())
    left.set_xlim(-1.06 * reach, 1.06 * reach)
    below.bar(places, c, color=colour("c"), width=0.7, gid="c")
    reach = max(1.0, np.abs(c).max())
    below.set(xlim=(-0.5, T + 0.5), xticks=places, ylim=(-1.06 * reach, 1.06 * reach))
    below.set_xticklabels(labels, fontsize=8, rotation=60, ha="right", rotation_mode="anchor")
    below.set_ylabel("held: c", color=ink("c"), fontsize=9)
    below.set_xlabel("after reading", fontsize=9)
    for axes, zero in ((left, left.axvline), (below, below.axhline)):
        zero(0, color=GREY, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, length=2)
    return figure


def _sum_alt(w, z, c, labels):
    end = w[-1]
    order = np.argsort(-end)[:3]
    heaviest = ", ".join(f"{labels[j]} {end[j]:.2f}" for j in order)
    said = [
        f"A staircase of squares: a row for each of {len(labels)} things written, from the state {BEFORE} "
        f"the sentence to its last word, a column for each word read; dark is a weight near 1. The sentence: "
        f"{' '.join(labels[1:])}. After its last word the largest weights are {heaviest}."
    ]
    big = np.abs(z).argmax()
    said.append(f"The longest bar of z is at {labels[big]} ({z[big]:.2f}).")
    said.append(f"The cell c starts at {c[0]:.2f} and ends at {c[-1]:.2f}.".replace("-", "−"))
    return " ".join(said)


def origins(tape, words, *, sequence=0, title=""):
    """All units after the last word: which words what they hold has come from. A Picture.

    A row is a unit, a column a word; the shade is the word's share of Σ_j |w_j ⊙ z_j|. Units are sorted by
    their effective memory, the shortest on top, and a unit's is marked by a dot.
    """
    T = len(tape.y)
    size = np.abs(contributions_at(tape, T)[:, sequence])  # (T + 1, H)
    share = size / np.maximum(size.sum(0), np.finfo(float).tiny)
    memory = effective_memory(tape, T)[sequence]
    order = np.argsort(memory, kind="stable")
    labels = [BEFORE, *words]
    said = (
        f"A map of {len(order)} units by {T + 1} columns, the words {' '.join(words)} and what was there "
        f"before them: a word's share in what each unit holds after the last word. Half of it lies within "
        f"{np.nanmin(memory):.0f} steps in the unit with the shortest memory, {np.nanmedian(memory):.0f} in "
        f"the median unit, {np.nanmax(memory):.0f} in the longest."
    )
    figure = Picture(said, 7.2, 4.6)
    axes = figure.add_subplot(title=title, ylabel="units, by how far they look back")
    image = axes.imshow(
        share.T[order], cmap="Greys", vmin=0, vmax=1, aspect="auto", interpolation="none", gid="shares"
    )
    axes.plot(T - memory[order], np.arange(len(order)), ".", color=colour("c"), markersize=4, gid="memory")
    axes.set_xticks(range(T + 1), labels, fontsize=9, rotation=60, ha="right", rotation_mode="anchor")
    axes.set(yticks=[])
    figure.colorbar(image, ax=axes, label="share of what the unit holds")
    return figure


def memories(trained, untrained, *, limit, title=""):
    """The effective memory of all units, by row: trained units orange, untrained ones grey below. A Picture.

    trained, untrained : {row: (units,) steps}, the same rows. limit : the longest that could be measured.
    """
    said = [f"Dots on a scale of steps back, one for each unit, up to {limit}, in {len(trained)} rows."]
    figure = Picture("", 7.2, 0.9 + 0.6 * len(trained))
    axes = figure.add_subplot(title=title, xlabel="effective memory, steps back (scale log(1 + steps))")
    for k, row in enumerate(trained):
        for values, shift, face, edge, name in (
            (untrained[row], 0.2, "none", GREY, "untrained"),
            (trained[row], -0.2, colour("c"), colour("c"), "trained"),
        ):
            values = np.asarray(values, float)
            spread = shift + 0.13 * np.sin(2.4 * np.arange(values.size))  # the same on every machine
            axes.scatter(
                np.log1p(values), k + spread, s=14, facecolor=face, edgecolor=edge, linewidth=0.7,
                gid=name, label=name if k == 0 else None,
            )  # fmt: skip
            middle = np.log1p(np.nanmedian(values))
            axes.plot([middle] * 2, [k + shift - 0.19, k + shift + 0.19], color="black", linewidth=1.8)
        said.append(
            f"{row}: median {np.nanmedian(trained[row]):.1f} and longest {np.nanmax(trained[row]):.0f} steps "
            f"trained, median {np.nanmedian(untrained[row]):.1f} and longest {np.nanmax(untrained[row]):.0f} "
            f"untrained."
        )
    ticks = [t for t in (0, 1, 2, 4, 8, 16, 32, 64, 128) if t <= limit]
    axes.set_xticks(np.log1p(ticks), ticks)
    axes.set_yticks(range(len(trained)), list(trained))
    axes.set(ylim=(len(trained) - 0.5, -0.5), xlim=(-0.1, np.log1p(limit) + 0.1))
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    figure.alt = " ".join(said)
    return figure


def by_attractors(curves, *, y, title="", limits=(-0.03, 1.03)):
    """Lines over the number of attractors, 0 upwards, one for each label. A Picture.

    curves : {label: values}. y : what the values are. Raises ValueError for more than three curves.
    """
    if len(curves) > len(LINES):
        raise ValueError(f"there are colours for {len(LINES)} curves, not for {len(curves)}.")
    figure = Picture("", 7.2, 3.8)
    axes = figure.add_subplot(xlabel="attractors between subject and verb", ylabel=y, title=title)
    said = [f"{y.capitalize()} against the number of attractors between subject and verb."]
    for (label, values), shade, marker in zip(curves.items(), LINES, "os^"):
        axes.plot(values, color=shade, marker=marker, markersize=5, label=label, linewidth=1.6)
        said.append(f"{label}: " + ", ".join(f"{v:.2f}" for v in values) + ".")
    axes.set_xticks(range(max(len(v) for v in curves.values())))
    axes.set_ylim(limits)
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=4, handlelength=3)
    figure.alt = " ".join(said)
    return figure


def exchanges(shares, *, title=""):
    """What an exchange of parts takes along of the verb's log-odds, a dot for every seed. A Picture.

    shares : {panel: {row: {part: [share, …]}}}, one share a seed; 1 is the change where all is exchanged.
    Raises ValueError for more than three rows.
    """
    figure = Picture("", 7.2, 3.9)
    figure.suptitle(title)
    said = ["Dots, one a seed: the share of the verb's log-odds that goes with a part of the sum."]
    common = None
    for k, (panel, rows) in enumerate(shares.items()):
        if len(rows) > len(LINES):
            raise ValueError(f"there are colours for {len(LINES)} rows, not for {len(rows)}.")
        axes = common = figure.add_subplot(1, len(shares), k + 1, title=panel, sharey=common)
        for level in (0, 1):
            axes.axhline(level, color=GREY, linestyle="--", linewidth=1)
        for n, ((row, parts), shade, marker) in enumerate(zip(rows.items(), LINES, "os^")):
            for place, values in enumerate(parts.values()):
                at = place + 0.3 * (n - (len(rows) - 1) / 2)
                spread = at + 0.025 * (np.arange(len(values)) - (len(values) - 1) / 2)
                axes.plot(
                    spread, values, marker, color=shade, markersize=5, alpha=0.75, gid=row,
                    label=row if k == place == 0 else None,
                )  # fmt: skip
            said.append(f"{panel}, {row}: {'; '.join(_dots_said(*item) for item in parts.items())}.")
        axes.set_xticks(range(len(parts)), list(parts))
        axes.set_xlim(-0.5, len(parts) - 0.5)
        axes.tick_params(axis="x", labelsize=9)
    figure.axes[0].set_ylabel("share of the verb's log-odds")
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=3)
    figure.alt = " ".join(said)
    return figure


def _dots_said(part, values):
    return f"{part} " + (", ".join(f"{v:.2f}" for v in values) if len(values) else "not run")
