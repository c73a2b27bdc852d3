"""Pictures of training and of what a language model knows: truncation, surprisal, agreement, next words."""

from statistics import mean

import numpy as np

from ..colours import CELL_COLOURS, OKABE_ITO, colour
from ..picture import Picture
from .style import GREY, SEED

CARRIED, BACKWARD = "black", OKABE_ITO["sky blue"]
MODEL, EXACT = OKABE_ITO["sky blue"], GREY


def truncation(words, num_steps=4):
    """Truncated backpropagation through time: what is carried on, and where gradients stop.

    words : the text of one row, such as eight words; it is cut after every ``num_steps`` of them.
    """
    cuts = list(range(num_steps, len(words), num_steps))
    alt = (
        f"The words {', '.join(words)} in a line, one cell above each. Black arrows carry the state from "
        f"every cell to the next, all along the line. Blue arrows carry gradients back from cell to cell, "
        f"but none crosses the dashed lines that cut the text after every {num_steps} words."
    )
    figure = Picture(alt, 7.6, 2.5)
    axes = figure.add_subplot(xlim=(-0.8, len(words) - 0.2), ylim=(-0.75, 2.0))
    axes.axis("off")
    arrow = dict(arrowstyle="-|>", shrinkA=0, shrinkB=0, linewidth=1.5)
    for k, word in enumerate(words):
        axes.text(k, -0.55, word, ha="center", va="center")
        axes.annotate("", (k, 0.2), (k, -0.3), arrowprops=arrow | dict(color=GREY, linewidth=1))
        box = dict(boxstyle="round,pad=0.35", facecolor="white", edgecolor="black")
        axes.text(k, 0.5, "cell", ha="center", va="center", bbox=box, fontsize=9)
        if k + 1 < len(words):
            axes.annotate("", (k + 0.68, 0.6), (k + 0.32, 0.6), arrowprops=arrow | dict(color=CARRIED))
        if k + 1 < len(words) and k + 1 not in cuts:
            back = arrow | dict(color=BACKWARD)
            axes.annotate("", (k + 0.32, 0.36), (k + 0.68, 0.36), arrowprops=back)
    for k, start in enumerate([0, *cuts]):
        middle = (start + min(start + num_steps, len(words)) - 1) / 2
        axes.text(middle, 1.15, f"batch {k + 1}", ha="center", va="center")
    for cut in cuts:
        axes.plot([cut - 0.5] * 2, [-0.75, 1.3], color=GREY, linestyle="--", linewidth=1)
    axes.text(-0.3, 1.75, "→ the state is carried on", color=CARRIED, fontsize=9)
    axes.text(3.7, 1.75, "← the gradient stops at the cut", color=BACKWARD, fontsize=9, weight="bold")
    return figure


def valley(paths, stretch, title=""):
    """The paths of optimisers down the valley L(a, b) = (a² + stretch · b²) / 2.

    paths : {label: [(a, b), …]}, from a common start.
    """
    ends = ", ".join(f"{label} ends at ({a:.2g}, {b:.2g})" for label, (*_, (a, b)) in paths.items())
    start = next(iter(paths.values()))[0]
    alt = (
        f"Contours of a long narrow valley, {stretch:g} times as steep in b as in a. All paths begin at "
        f"({start[0]:g}, {start[1]:g}); {ends}; the lowest point is (0, 0)."
    )
    figure = Picture(alt, 7.2, 3.4)
    axes = figure.add_subplot(xlabel="parameter a", ylabel="parameter b", title=title)
    points = np.concatenate([np.asarray(path) for path in paths.values()])
    reach_a, reach_b = 1.15 * np.abs(points).max(0)
    a, b = np.meshgrid(np.linspace(-reach_a / 3, reach_a, 200), np.linspace(-reach_b, reach_b, 200))
    height = (a**2 + stretch * b**2) / 2
    axes.contour(a, b, height, levels=np.quantile(height, np.linspace(0.02, 0.9, 9)), colors="#CCCCCC")
    for (label, path), shade, marker in zip(paths.items(), ("black", MODEL), "os"):
        axes.plot(*zip(*path), color=shade, marker=marker, markersize=3.5, linewidth=1.3, label=label)
    axes.plot(0, 0, "+", color="black", markersize=12)
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    return figure


def surprisal_bars(words, surprisals, title=""):
    """How many bits each word of a sentence costs, one bar for every source.

    words : of the sentence. surprisals : {label: bits}, as many as words; at most two labels.
    """
    said = [f"Bars, bits of surprise for each word of “{' '.join(words)}”."]
    for label, bits in surprisals.items():
        said.append(f"{label}: " + ", ".join(f"{w} {b:.1f}" for w, b in zip(words, bits)) + ".")
    figure = Picture(" ".join(said), 7.2, 3.4)
    axes = figure.add_subplot(ylabel="surprisal [bits]", title=title)
    width = 0.8 / len(surprisals)
    for k, ((label, bits), shade) in enumerate(zip(surprisals.items(), (EXACT, MODEL))):
        places = np.arange(len(words)) + width * (k - (len(surprisals) - 1) / 2)
        axes.bar(places, bits, width, color=shade, label=label)
    axes.set_xticks(range(len(words)), words, rotation=40, ha="right")
    axes.legend(frameon=False, fontsize=9)
    return figure


VERBS_RIGHT = "the share of verbs in the right number against the number of attractors; chance is 50 %."


def agreement_curves(rows, title="", colours=None):
    """How often the verb is right, against the number of attractors: means, with the seeds as thin lines.

    rows : {label: [[accuracy with 0, 1, … attractors], …]}, one list a seed; a label without seeds has not
    been run. colours : {label: colour}, by default those of chapter 10's rows. Chance is 0.5.
    """
    figure = Picture("", 7.2, 3.8)
    axes = figure.add_subplot(title=title)
    said = _verbs_right(axes, rows, colours)
    axes.set(xlabel="attractors between subject and verb", ylabel="verbs right [%]")
    _chance(axes)
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=3)
    figure.alt = " ".join([f"Lines, {VERBS_RIGHT}", *said])
    return figure


def agreement_panels(panels, nearest, title="", colours=None):
    """:func:`agreement_curves` side by side, each beside the rule of the nearest noun.

    panels : {title: rows}. nearest : the rule's accuracy with 0, 1, … attractors.
    """
    figure = Picture("", 7.2, 4.1)
    figure.suptitle(title)
    rule = ", ".join(f"{100 * share:.0f} %" for share in nearest)
    said = [f"Panels side by side, {VERBS_RIGHT} A grey line, the rule of the nearest noun: {rule}."]
    for k, (panel, rows) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), k + 1, title=panel, xlabel="attractors")
        axes.plot([100 * x for x in nearest], color=GREY, linestyle=":", marker=".", label="nearest noun")
        said += [f"{panel}, {sentence}" for sentence in _verbs_right(axes, rows, colours)]
    figure.axes[0].set_ylabel("verbs right [%]")
    _chance(axes)
    entries = {}
    for axes in figure.axes:
        for line, label in zip(*axes.get_legend_handles_labels()):
            entries.setdefault(label, line)
    below = dict(frameon=False, fontsize=9, loc="outside lower center", ncols=len(entries))
    figure.legend(entries.values(), entries, **below)
    figure.alt = " ".join(said)
    return figure


def _chance(axes):
    """Name the line of chance at its right end."""
    axes.annotate("chance", (1, 50), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points")
    axes.texts[-1].set(va="center", color=GREY, fontsize=9)


def _verbs_right(axes, rows, colours):
    """Draw the rows of :func:`agreement_curves`; returns a sentence for each."""
    said = []
    axes.axhline(50, color=GREY, linestyle="--", linewidth=1.2)
    for (label, seeds), marker in zip(rows.items(), "osD^v"):
        if not seeds:
            said.append(f"{label}: not run.")
            axes.plot([], [], marker=marker, color=GREY, label=f"{label} (not run)")
            continue
        shade = (colours or CELL_COLOURS).get(label, GREY)
        means = [100 * mean(shares) for shares in zip(*seeds)]
        for shares in seeds if len(seeds) > 1 else ():
            axes.plot(range(len(shares)), [100 * x for x in shares], color=shade, gid="seed", **SEED)
        name = f"{label} ({len(seeds)} seeds)" if len(seeds) > 1 else label
        axes.plot(range(len(means)), means, color=shade, marker=marker, linewidth=1.8, label=name)
        figures = ", ".join(f"{value:.0f} %" for value in means)
        said.append(f"{name}, with 0 to {len(means) - 1} attractors: {figures}.")
    axes.set_ylim(0, 103)
    axes.set_xticks(range(max((len(shares) for seeds in rows.values() for shares in seeds), default=1)))
    return said


def next_words(words, exact, model, title="", rest=None, top=100):
    """The probabilities of the next word, the model's beside the exact ones.

    words : the words shown, from top to bottom. exact, model : their probabilities, as many.
    rest : the probability that the model leaves to all words not shown, named in the description.
    top : where the axis ends, in per cent; a longer bar is cut off.
    """
    said = ", ".join(f"{w} {e:.0%} and {m:.0%}" for w, e, m in zip(words, exact, model))
    alt = f"Bars, the probability of each next word, exact and by the model: {said}."
    alt += "" if rest is None else f" The model leaves {rest:.0%} to all other words."
    figure = Picture(alt, 7.2, 3.8)
    axes = figure.add_subplot(xlabel="probability of the next word [%]", title=title)
    places = np.arange(len(words))
    axes.barh(places - 0.2, 100 * np.asarray(exact), 0.4, color=EXACT, label="exact")
    axes.barh(places + 0.2, 100 * np.asarray(model), 0.4, color=MODEL, label="the model")
    axes.set_yticks(places, words)
    axes.invert_yaxis()
    axes.set_xlim(0, top)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def echo_dots(groups, x, title=""):
    """What an echo costs, a dot for every seed, for each setting of something.

    groups : {setting: [bits, …]}, one figure a seed. x : what the settings are. One bit is a guess.
    """
    found = "; ".join(f"{key}: {', '.join(f'{b:.2f}' for b in bits)}" for key, bits in groups.items())
    figure = Picture(f"Dots, bits for the echoed symbol, a dot a seed, by {x}. {found}.", 7.2, 3.2)
    axes = figure.add_subplot(xlabel=x, ylabel="cost of the echo [bits]", title=title, ylim=(-0.06, 1.3))
    axes.axhline(1, color=GREY, linestyle="--", linewidth=1.2)
    axes.annotate("a guess", (1, 1), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points")
    axes.texts[-1].set(va="center", color=GREY, fontsize=9)
    for k, bits in enumerate(groups.values()):
        offsets = k + 0.08 * (np.arange(len(bits)) - (len(bits) - 1) / 2)
        axes.plot(offsets, np.minimum(bits, 1.25), "o", color=colour("y"), markersize=6, alpha=0.7)
    axes.set_xticks(range(len(groups)), [str(key) for key in groups])
    axes.set_xlim(-0.5, len(groups) - 0.5)
    return figure
