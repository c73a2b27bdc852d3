"""Pictures of chapter 08: how seed 001 is wired, who hears of whom, and what a start does to the gates."""

import numpy as np
from matplotlib.patches import Rectangle

from ..colours import OKABE_ITO, colour, tint
from ..picture import Picture
from .style import GREY

LEAK = OKABE_ITO["vermilion"]
HEARD = OKABE_ITO["blue"]


def wiring(words=("the", "leaves", "are", "green"), leaks=True):
    """Seed 001's model, unrolled over a sentence: where the second layer's first state comes from.

    words : of the sentence. leaks : as published, from the end of the first layer; False: from zeros.
    """
    T = len(words)
    start = (
        f"A red arrow leads from the end of layer 1, after “{words[-1]}”, back to the start of layer 2, "
        f"before “{words[0]}”."
        if leaks
        else "Layer 2 starts from zeros, as layer 1 does."
    )
    figure = Picture(
        f"Two layers of cells over the words {', '.join(words)}. Each word is embedded and read by layer 1, "
        f"layer 1 by layer 2, and layer 2 predicts the next word. {start}",
        7.4,
        3.9,
    )
    axes = figure.add_subplot(xlim=(-1.5, T + 0.35), ylim=(-0.7, 4.15))
    axes.axis("off")
    rows = {"embedding": (0.55, "#EEEEEE"), "layer 1": (1.55, tint("z")), "layer 2": (2.75, tint("i"))}
    arrow = dict(arrowstyle="-|>", shrinkA=0, shrinkB=0, linewidth=1.3, color="black")

    def point(start, end, **look):
        axes.annotate("", end, start, arrowprops=arrow | look)

    for t, word in enumerate(words):
        axes.text(t, -0.2, word, ha="center", va="center", style="italic")
        for name, (height, shade) in rows.items():
            box = dict(boxstyle="round,pad=0.3", facecolor=shade, edgecolor="black")
            axes.text(t, height, name, ha="center", va="center", fontsize=8, bbox=box)
        for low, high in ((-0.02, 0.34), (0.77, 1.33), (1.77, 2.53), (2.97, 3.42)):
            point((t, low), (t, high), color=GREY)
        following = words[t + 1] if t + 1 < T else "<eos>"
        axes.text(t, 3.58, f"{following}?", ha="center", va="center", style="italic")
        for height in (1.55, 2.75) if t + 1 < T else ():
            point((t + 0.3, height), (t + 0.7, height))
    zero = dict(boxstyle="circle,pad=0.25", facecolor="white", edgecolor=GREY)
    for height in (1.55,) if leaks else (1.55, 2.75):
        axes.text(-0.95, height, "0", ha="center", va="center", bbox=zero)
        point((-0.75, height), (-0.3, height))
    if leaks:
        path = [(T - 0.7, 1.55), (T - 0.35, 1.55), (T - 0.35, 2.15), (-0.95, 2.15), (-0.95, 2.75)]
        axes.plot(*zip(*path), color=LEAK, linewidth=2.4, solid_joinstyle="round", gid="leak")
        point((-0.95, 2.75), (-0.3, 2.75), color=LEAK, linewidth=2.4)
        said = dict(color=LEAK, fontsize=9, weight="bold", ha="left", va="center")
        axes.text(-1.45, 3.15, "the last state\nof layer 1", **said)
    axes.text(-1.45, -0.2, "reads", color=GREY, va="center")
    axes.text(-1.45, 3.58, "predicts", color=GREY, va="center")
    return figure


def influence_map(report, words=None, title=""):
    """A :class:`~lstm_tutorial.causality.FutureInfluence` as a table of numbers on coloured squares.

    words : of the steps, (T,); their numbers by default. Left of the diagonal, inside the dashed steps, every
    square of a causal model is empty. What is not is red and hatched.
    """
    influence = report.influence
    T = len(influence)
    words = [str(t) for t in range(T)] if words is None else list(words)
    leaking = [(s, t) for s in range(T) for t in range(s) if influence[s, t] > report.tolerance]
    figure = Picture(_influence_alt(influence, leaking, words), 1.9 + 0.72 * T, 1.5 + 0.55 * T)
    axes = figure.add_subplot(xlim=(-0.5, T - 0.5), ylim=(T - 0.5, -0.5), title=title)
    most = influence[np.isfinite(influence)].max(initial=0) or 1.0
    for s in range(T):
        for t in range(T):
            size = influence[s, t]
            if not size > report.tolerance:
                axes.text(t, s, "0", ha="center", va="center", color=GREY, fontsize=9)
                continue
            early = (s, t) in leaking
            look = dict(facecolor=LEAK, hatch="///", edgecolor="white") if early else dict(facecolor=HEARD)
            share = 0.25 + 0.55 * min(1.0, size / most)
            axes.add_patch(_square(t, s, alpha=share, linewidth=0, gid="leak" if early else "heard", **look))
            box = dict(boxstyle="round,pad=0.15", facecolor="white", edgecolor="none", alpha=0.8)
            axes.text(t, s, f"{size:.2g}", ha="center", va="center", fontsize=9, bbox=box)
    steps = [(k + side - 0.5, k + 0.5) for k in range(T - 1) for side in (0, 1)]
    axes.plot(*zip(*steps, (T - 1.5, T - 0.5)), color="black", linestyle="--", linewidth=1.2)
    axes.set_xticks(range(T), words)
    axes.set_yticks(range(T), words)
    axes.set_xlabel("scores after reading …")
    axes.set_ylabel("word that is changed")
    return figure


def _square(x, y, **look):
    return Rectangle((x - 0.5, y - 0.5), 1, 1, **look)


def _influence_alt(influence, leaking, words):
    T = len(influence)
    said = (
        f"A table of {T} by {T} squares: a row for each word that is changed, a column for the scores after "
        f"each word, and in the square how far these scores move. Right of the diagonal and on it: "
        f"{np.count_nonzero(np.triu(influence))} of {T * (T + 1) // 2} squares are not zero. "
    )
    if not leaking:
        return said + "Left of it, where a later word is changed, every square is zero."
    s, t = max(leaking, key=lambda place: influence[place])
    return said + (
        f"Left of it, where a later word is changed, {len(leaking)} of {T * (T - 1) // 2} squares are not "
        f"zero; the largest, {influence[s, t]:.2g}, says that “{words[s]}” moves the scores after "
        f"“{words[t]}”."
    )


def gate_histograms(rows, title=""):
    """How the values of the gates are spread between 0 and 1, for several starts, one above the other.

    rows : {label: {gate letter: values}}, all of the same gates. A gate near 0 or 1 has no slope to learn by.
    """
    gates = list(next(iter(rows.values())))
    figure = Picture("", 7.2, 0.9 + 1.65 * len(rows))
    figure.suptitle(title, fontsize="large")
    axes = figure.subplots(len(rows), len(gates), sharex=True, sharey="row", squeeze=False)
    said = ["Histograms of the values of the gates."]
    for line, (label, values) in zip(axes, rows.items()):
        for axis, gate in zip(line, gates):
            share, edges = np.histogram(values[gate], bins=20, range=(0, 1))
            axis.bar(edges[:-1], 100 * share / share.sum(), 0.05, align="edge", color=colour(gate))
            axis.set_xticks((0, 0.5, 1))
        line[0].set_ylabel(f"{label}\nshare [%]")
        shut = ", ".join(f"{gate} {stuck(values[gate]):.0%}" for gate in gates)
        said.append(f"{label}: within 0.01 of 0 or 1 are {shut}.")
    for axis, gate in zip(axes[0], gates):
        axis.set_title(f"gate {gate}")
    for axis in axes[-1]:
        axis.set_xlabel("value")
    figure.alt = " ".join(said)
    return figure


def stuck(values, within=0.01):
    """The share of gate values so near to 0 or 1 that the gate has almost no slope left."""
    values = np.asarray(values)
    return float(((values < within) | (values > 1 - within)).mean())


def against_floor(rows, x, floor="honest limit", title=""):
    """Perplexities divided by the lowest that is honestly possible, against something: one line a label.

    rows : {label: {x: ratio}}. Below 1, in the grey, no honest model can be.
    """
    said = [f"Lines, perplexity divided by the {floor}, against {x}; below 1 no honest model can be."]
    figure = Picture("", 7.2, 3.7)
    axes = figure.add_subplot(xlabel=x, ylabel=f"perplexity / {floor}", title=title)
    axes.set_xscale("log")
    for (label, ratios), shade, marker in zip(rows.items(), (LEAK, HEARD), "so"):
        axes.plot(list(ratios), list(ratios.values()), marker=marker, color=shade, linewidth=1.8, label=label)
        found = ", ".join(f"{ratio:.2f}" for ratio in ratios.values())
        said.append(f"{label}, at {', '.join(map(str, ratios))}: {found}.")
    places = sorted({place for ratios in rows.values() for place in ratios})
    axes.axhspan(0, 1, color="#EEEEEE", zorder=0)
    axes.axhline(1, color=GREY, linestyle="--", linewidth=1.2)
    axes.set_xticks(places, [str(place) for place in places])
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, 1.1 * max(1.1, *(max(ratios.values()) for ratios in rows.values())))
    axes.legend(frameon=False, fontsize=9)
    figure.alt = " ".join(said)
    return figure
