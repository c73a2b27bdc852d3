"""The course's plots: learning curves, and the rows of a table as dots.

Each function takes numbers and words and returns a figure that carries its description, ``figure.alt``;
nothing is registered with pyplot, nothing is read, nothing is remembered. As the last expression of a
notebook cell a figure is shown once. Colours are those of :mod:`lstm_tutorial.colours`; what a colour
says is said by a dash or a marker too.
"""

from itertools import cycle
from statistics import mean

from matplotlib.ticker import MaxNLocator, NullLocator

from ..colours import CELL_COLOURS, OKABE_ITO
from ..picture import Picture
from .style import GREY, SEED, number_in_words, plain_numbers, shades

DASHES = ((), (6, 2), (2, 1.5), (7, 2, 2, 2), (4, 1.5, 1, 1.5, 1, 1.5))
MARKERS = "osD^v"


def learning_curves(
    curves, *, floors=None, colours=None, title="", x="step", y="perplexity", limits=None, marker=None
):
    """One line for every label: the mean over seeds, with each seed as a thin line behind it.

    curves:  {label: [(xs, ys), …]}, one pair of equally long sequences for each seed; a label with no
             seeds is left out
    floors:  {label: height}: horizontal lines to compare with
    colours: {label: colour}; the palette in turn for labels that have none
    x, y:    what the axes show, with units. The y axis is logarithmic
    limits:  (bottom, top) of the y axis; what leaves it is cut off, and the description says so

    The mean stops where the first seed does: averaging the survivors would flatter a row.
    """
    curves = {label: runs for label, runs in curves.items() if runs}
    floors = floors or {}
    figure = Picture(curves_alt(curves, floors, x, y, limits), 7.2, 4.2)
    axes = figure.add_subplot(xlabel=x, ylabel=f"{y} (log scale)", title=title)
    axes.set_yscale("log")
    for (label, runs), shade, dashes in zip(curves.items(), shades(curves, colours), cycle(DASHES)):
        for xs, ys in runs if len(runs) > 1 else ():
            axes.plot(xs, ys, color=shade, gid="seed", **SEED)
        xs, means = mean_curve(runs)
        name = f"{label} ({len(runs)} seeds)" if len(runs) > 1 else label
        if limits and not any(limits[0] <= value <= limits[1] for value in means):
            name += ", off the scale"
        axes.plot(xs, means, color=shade, dashes=dashes, linewidth=1.8, marker=marker, label=name)
    for (label, height), style in zip(floors.items(), cycle(("--", ":", "-."))):
        axes.axhline(height, color=GREY, linestyle=style, linewidth=1.2, gid="floor")
        axes.annotate(
            label,
            (1, height),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=GREY,
            fontsize=9,
        )
    if limits:
        axes.set_ylim(*limits)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
    plain_numbers(axes.yaxis)
    if curves:
        figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=3)
    else:
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", color=GREY)
    return figure


def mean_curve(runs):
    """The mean of several curves as (xs, means), as far as every one of them goes."""
    shortest = min((list(xs) for xs, _ in runs), key=len)
    return shortest, [mean(values) for values in zip(*(list(ys)[: len(shortest)] for _, ys in runs))]


def curves_alt(curves, floors, x, y, limits=None):
    """What :func:`learning_curves` shows, in words."""
    said = [f"Learning curves, {y} against {x}, on a logarithmic axis."]
    for label, runs in curves.items():
        _, means = mean_curve(runs)
        if not means:
            said.append(f"{label}: nothing was recorded.")
            continue
        leaves = limits and not means[-1] <= limits[1]
        end = "leaves the picture at the top" if leaves else f"ends at {number_in_words(means[-1])}"
        seeds = f", mean of {len(runs)} seeds" if len(runs) > 1 else ""
        said.append(f"{label} starts at {number_in_words(means[0])} and {end}{seeds}.")
    said += [f"A line at {number_in_words(height)}: {label}." for label, height in floors.items()]
    return " ".join(said) if curves else said[0] + " Nothing has been run yet."


def row_dots(rows, series, *, references=None, title="", x="test perplexity"):
    """The rows of a table as dots on one logarithmic axis, several series of them, and open markers beside.

    rows:       labels from top to bottom
    series:     {label: {row: [outcome, …]}}, one outcome for each seed: a number, or a word such as
                "diverged" where there is none. A row with an empty list has not been run, and the legend
                counts how many have; a row that is not named has no place in the series
    references: {label: {row: number}}: published figures, as open markers

    A large marker is the mean of a row's numbers, the small ones behind it are the seeds; words are
    written at the right edge, so that what failed is seen. Series differ in marker and grey, the last is
    black: colours belong to the rows.
    """
    rows, references = list(rows), references or {}
    figure = Picture(dots_alt(rows, series, references, x), 7.2, 1.3 + 0.55 * len(rows))
    figure.suptitle(title, fontsize="large")  # over the names of the rows too, which are long
    axes = figure.add_subplot(xlabel=f"{x} (log scale)")
    axes.set_xscale("log")
    axes.margins(x=0.08)
    names = [*references, *series]
    offsets = {name: 0.22 * (k - (len(names) - 1) / 2) for k, name in enumerate(names)}
    for name, figures in references.items():
        places = [(figures[row], k + offsets[name]) for k, row in enumerate(rows) if row in figures]
        axes.plot(*zip(*places), "o", markerfacecolor="none", color="black", markersize=8, label=name)
    greys = [f"{0.45 * k / max(1, len(series) - 1):.2f}" for k in reversed(range(len(series)))]
    for (name, outcomes), shade, marker in zip(series.items(), greys, cycle(MARKERS)):
        asked = [row for row in rows if row in outcomes]
        run = [row for row in asked if outcomes[row]]
        label = name if len(run) == len(asked) else f"{name} ({len(run)} of {len(asked)} rows run)"
        look = dict(color=shade, marker=marker, linestyle="")
        axes.plot([], [], markersize=7, label=label, **look)
        for k, row in enumerate(rows):
            numbers, words = _split(outcomes.get(row, ()))
            height = k + offsets[name]
            if len(numbers) > 1:
                axes.plot(numbers, [height] * len(numbers), markersize=3.5, alpha=0.5, gid="seed", **look)
            if numbers:
                axes.plot([mean(numbers)], [height], markersize=7, gid="mean", **look)
            if words:
                axes.annotate(
                    _counted(words),
                    (1, height),
                    (-4, 0),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    ha="right",
                    va="center",
                    color=shade,
                    fontsize=9,
                )
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.hlines(
        [k + 0.5 for k in range(len(rows) - 1)],
        0,
        1,
        transform=axes.get_yaxis_transform(),
        color="#E5E5E5",
        linewidth=0.8,
    )
    plain_numbers(axes.xaxis)
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    return figure


def dots_alt(rows, series, references, x):
    """What :func:`row_dots` shows, in words."""
    said = [f"The rows {', '.join(rows)} as dots on a logarithmic axis of {x}."]
    for name, figures in references.items():
        said.append(f"{name}: " + ", ".join(f"{r} {figures[r]:g}" for r in rows if r in figures) + ".")
    for name, outcomes in series.items():
        found = []
        for row in (row for row in rows if row in outcomes):
            numbers, words = _split(outcomes[row])
            parts = [number_in_words(mean(numbers))] if numbers else []
            parts += [_counted(words)] if words else []
            found.append(f"{row} {' and '.join(parts) or 'not run'}")
        said.append(f"{name}: {', '.join(found)}.")
    return " ".join(said)


def paired_dots(rows, margin, *, baseline="lstm", title="", limits=None):
    """Each row against a baseline: a dot for each seed, mean, 95 % interval, and the band that means "level".

    rows:   {label: a Paired}, as :func:`lstm_tutorial.results.compared` returns them
    margin: the ratio, such as 1.02, from which a difference matters; the band is 1/margin to margin
    limits: (left, right) of the axis as ratios; a row beyond them is written at the edge

    One pair has a dot and no more; where there is none the row says so.
    """
    figure = Picture(paired_alt(rows, margin, baseline, limits), 7.2, 1.5 + 0.6 * len(rows))
    figure.suptitle(title, fontsize="large")
    axes = figure.add_subplot(xlabel=f"test perplexity, divided by {baseline}'s of the same seed (log scale)")
    axes.set_xscale("log")
    axes.axvspan(1 / margin, margin, color="#E5E5E5", zorder=0, gid="band")
    axes.axvline(1, color=GREY, linewidth=1, zorder=1)
    axes.set_title("grey band: differences too small to matter", fontsize=9, color=GREY)
    for k, (row, one) in enumerate(rows.items()):
        shade = CELL_COLOURS.get(row, OKABE_ITO["black"])
        if not one.ratios:
            words = "not run" if not one.failed else "no pair that finished"
            axes.text(
                0.5, k, words, transform=axes.get_yaxis_transform(), ha="center", color=GREY, va="bottom"
            )
            continue
        ratios = list(one.ratios.values())
        axes.plot(ratios, [k + 0.2] * len(ratios), "o", color=shade, markersize=4, alpha=0.55, gid="seed")
        if one.interval:
            ends = dict(color=shade, linewidth=2.2, solid_capstyle="butt", marker="|", markersize=11)
            axes.plot(one.interval, [k, k], gid="interval", **ends)
            axes.plot([one.mean], [k], "D", color=shade, markersize=5.5, gid="mean")
        if _outside(one.mean, limits):
            arrow, edge, side = ("{} →", 1, "right") if one.mean > limits[1] else ("← {}", 0, "left")
            axes.annotate(
                arrow.format(f"{one.mean:.2f}"),
                (edge, k),
                (-4 if edge else 4, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha=side,
                va="center",
                color=shade,
            )
    counts = [f"{row}\n{len(one)} pair{'s' * (len(one) != 1)}" for row, one in rows.items()]
    axes.set_yticks(range(len(rows)), counts)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(*(limits or _around(rows, margin)))
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=(1, 2, 2.5, 5, 10)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    return figure


def _outside(ratio, limits):
    return limits is not None and not limits[0] <= ratio <= limits[1]


def _around(rows, margin):
    """Limits that take in the band, every seed and every interval, with a little room."""
    places = [1 / margin, margin]
    for one in rows.values():
        places += [*one.ratios.values(), *(one.interval or ())]
    room = (max(places) / min(places)) ** 0.06
    return min(places) / room, max(places) * room


def paired_alt(rows, margin, baseline, limits=None):
    """What :func:`paired_dots` shows, in words."""
    said = [
        f"Each row's test perplexity divided by that of {baseline} with the same seed, on a logarithmic "
        f"axis, with a grey band from {1 / margin:.3f} to {margin:.3f}."
    ]
    for row, one in rows.items():
        if not one.ratios:
            said.append(f"{row}: {one.in_words(margin)}.")
            continue
        seeds = f"{len(one)} pair{'s' * (len(one) != 1)}"
        interval = "{:.3f} to {:.3f}".format(*one.interval) if one.interval else "none"
        beyond = ", beyond the edge of the picture" if _outside(one.mean, limits) else ""
        said.append(f"{row}: mean {one.mean:.3f}{beyond}, 95 % interval {interval}, {seeds}.")
    return " ".join(said)


def _split(outcomes):
    numbers = [o for o in outcomes if not isinstance(o, str)]
    return numbers, [o for o in outcomes if isinstance(o, str)]


def _counted(words):
    """("diverged", "diverged") as "2 diverged", a single one without the number."""
    counts = {word: words.count(word) for word in words}
    return ", ".join(word if n == 1 else f"{n} {word}" for word, n in counts.items())
