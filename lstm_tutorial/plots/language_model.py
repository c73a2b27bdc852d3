"""Pictures of a language model: how its text is cut, how it is trained, what it costs, what it has learned.

The pictures of chapter 07. Words, perplexities and tapes come from the caller; nothing is computed here but
places on paper.
"""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import NullLocator

from ..colours import OKABE_ITO, colour, ink, tint
from ..picture import Picture
from .results import DASHES
from .style import GREY, number_in_words, plain_numbers, shades

DROPPED, BACKWARD, OURS = OKABE_ITO["reddish purple"], OKABE_ITO["sky blue"], OKABE_ITO["blue"]
PALE = "#B5B5B5"  # of words that are never predicted: still to be read
ARROW = dict(arrowstyle="-|>", shrinkA=0, shrinkB=0, linewidth=1.4)


def rows_of_text(words, batch_size, num_steps):
    """How :func:`lstm_tutorial.language_model.batches` cuts a text: rows, batches, what is left over.

    words : the text, N of them. Each of the ``batch_size`` rows is drawn from left to right; a batch is a
    band of ``num_steps`` words. Pale words are in no batch.
    """
    length = len(words) // batch_size
    count = (length - 1) // num_steps
    inputs = count * num_steps
    rest = words[batch_size * length :]
    said = [f"A text of {len(words)} words in {batch_size} rows of {length}."]
    figure = Picture("", 7.6, 1.15 + 0.55 * batch_size + (0.35 if rest else 0))
    axes = figure.add_subplot(
        xlim=(-0.85, length + 0.35), ylim=(batch_size + (0.35 if rest else -0.3), -1.25)
    )
    axes.axis("off")
    for k in range(count):
        left = k * num_steps - 0.46
        axes.fill_between(
            [left, left + num_steps - 0.08], -0.5, batch_size - 0.55, color=tint("i", 0.1 + 0.08 * (k % 2))
        )
        axes.text(left + num_steps / 2, -0.8, f"batch {k + 1}", ha="center", va="center", fontsize=10)
    for k in range(inputs, length):
        name, shade = ("target only", OURS) if k == inputs else ("in no batch", GREY)
        axes.text(k, -0.8, name, ha="center", va="center", fontsize=8, color=shade)
    for b in range(batch_size):
        row = words[b * length : (b + 1) * length]
        said.append(f"Row {b + 1}: {' '.join(row)}.")
        axes.text(-0.6, b, f"row {b + 1}", ha="right", va="center", fontsize=9, color=GREY)
        for k, word in enumerate(row):
            shade = "black" if k < inputs else OURS if k == inputs else PALE
            axes.text(k, b, word, ha="center", va="center", fontsize=9, color=shade)
        for k in range(1, count):
            axes.annotate(
                "",
                (k * num_steps - 0.3, b + 0.3),
                (k * num_steps - 0.75, b + 0.3),
                arrowprops=ARROW,
            )
    if rest:
        axes.text(-0.45, batch_size, " ".join(rest), va="center", fontsize=9, color=PALE)
        axes.text(0.3 + 0.55 * len(rest), batch_size, "fill no row", va="center", fontsize=9, color=GREY)
    said.append(
        f"Batches 1 to {count} are bands of {num_steps} words; an arrow carries the state of every row from "
        f"each band to the next. The word after the last band of a row is only a target; "
        f"{length - inputs - 1} at the end of every row and {len(rest)} after the last row are in no batch."
    )
    figure.alt = " ".join(said)
    return figure


def unrolled(words, num_steps, layers=2):
    """A stack of cells over the words of one row: state, gradient and dropout, each on its own arrows."""
    T = len(words)
    cuts = range(num_steps, T, num_steps)
    alt = (
        f"{layers} layers of cells over the words {', '.join(words)}. Black arrows to the right carry the "
        f"state, across all cuts. Dashed purple arrows, from word to cell, cell to cell above and cell to "
        f"softmax, pass dropout; no arrow to the right does. Blue arrows to the left are gradients; none "
        f"crosses the dashed lines after every {num_steps} words."
    )
    top = 1.15 * layers + 0.25
    figure = Picture(alt, 7.4, 1.6 + 0.95 * layers)
    axes = figure.add_subplot(xlim=(-0.7, T - 0.3), ylim=(-0.65, top + 1.0))
    axes.axis("off")
    for k, word in enumerate(words):
        axes.text(k, -0.45, word, ha="center", va="center", fontsize=10)
        axes.text(k, top, "softmax", ha="center", va="center", fontsize=8, color=GREY)
        for layer in range(layers + 1):
            low = 1.15 * layer - 0.28 if layer else -0.28
            high = 1.15 * layer + 0.3 if layer < layers else top - 0.13
            axes.annotate(
                "",
                (k, high),
                (k, low if not layer else low + 0.1),
                arrowprops=ARROW | dict(color=DROPPED, linestyle=(0, (2, 1.5))),
            )
        for layer in range(layers):
            y = 1.15 * layer + 0.55
            box = dict(boxstyle="round,pad=0.3", facecolor="white", edgecolor="black")
            axes.text(k, y, "cell", ha="center", va="center", bbox=box, fontsize=9)
            if k + 1 < T:
                axes.annotate("", (k + 0.74, y + 0.1), (k + 0.26, y + 0.1), arrowprops=ARROW)
            if k + 1 < T and k + 1 not in cuts:
                axes.annotate(
                    "", (k + 0.26, y - 0.12), (k + 0.74, y - 0.12), arrowprops=ARROW | dict(color=BACKWARD)
                )
    for cut in cuts:
        axes.plot([cut - 0.5] * 2, [-0.65, top + 0.2], color=GREY, linestyle="--", linewidth=1)
    for x, said, shade in (
        (-0.4, "→ state", "black"),
        (0.55, "← gradient, up to the cut", ink("i")),
        (2.75, "⇡ dropout acts here", ink("o")),
    ):
        axes.text(x * T / 6, top + 0.65, said, color=shade, fontsize=10)
    return figure


def schedules(rates, stops=None, title=""):
    """The learning rate of every epoch, a staircase for each configuration.

    rates : {label: [rate of epoch 1, 2, …]}. stops : {label: epoch after which somebody stopped}.
    """
    stops = stops or {}
    figure = Picture("", 7.2, 3.6)
    axes = figure.add_subplot(xlabel="epoch", ylabel="learning rate (log scale)", title=title, yscale="log")
    said = ["Learning rate against epoch, falling staircases on a logarithmic axis."]
    for (label, steps), shade, dashes in zip(rates.items(), shades(rates, None, skip=1), DASHES):
        axes.stairs(steps, np.arange(len(steps) + 1), baseline=None, color=shade, linewidth=1.8, label=label)
        axes.patches[-1].set_linestyle((0, dashes) if dashes else "-")
        said.append(f"{label}: {steps[0]:g} in epoch 1, {steps[-1]:.2g} in epoch {len(steps)}.")
        if label in stops:
            end = stops[label]
            axes.plot(
                end, steps[end - 1], "X", color=shade, markersize=9, markeredgecolor="white", gid="stop"
            )
            said.append(f"A cross after epoch {end}.")
    if stops:
        axes.plot([], [], "X", color=GREY, markersize=8, label="where seed 000 stops")
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=4)
    figure.alt = " ".join(said)
    return figure


def ladder(rungs, title=""):
    """Perplexities as dots on one logarithmic axis, worst on top.

    rungs : (label, valid or None, test or None, ours) each. Test is a filled dot, valid an open one.
    """
    figure = Picture("", 7.4, 1.2 + 0.27 * len(rungs))
    axes = figure.add_subplot(xlabel="perplexity (log scale)", xscale="log")
    figure.suptitle(title, fontsize="large")
    said = [f"{len(rungs)} models as dots on a logarithmic axis of perplexity, valid and test."]
    for k, (label, valid, test, ours) in enumerate(rungs):
        shade = OURS if ours else "black"
        if valid is not None:
            axes.plot(valid, k, "o", markerfacecolor="none", color=shade, markersize=7, gid="valid")
        if test is not None:
            axes.plot(test, k, "o", color=shade, markersize=5.5, gid="test")
        figures = [x for x in (valid, test) if x is not None]
        axes.annotate(
            f"{number_in_words(test)}" if test is not None else f"{number_in_words(valid)}, valid",
            (max(figures), k),
            (9, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=shade,
        )
        parts = [
            f"{name} {number_in_words(x)}" for name, x in (("valid", valid), ("test", test)) if x is not None
        ]
        said.append(f"{label}: {', '.join(parts)}.")
    axes.set_yticks(range(len(rungs)), [label for label, *_ in rungs], fontsize=9)
    for tick, (*_, ours) in zip(axes.get_yticklabels(), rungs):
        tick.set_color(OURS if ours else "black")
    axes.set_ylim(len(rungs) - 0.4, -0.6)
    axes.margins(x=0.13)
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
    plain_numbers(axes.xaxis)
    axes.plot([], [], "o", color=GREY, markersize=5.5, label="test")
    axes.plot([], [], "o", color=GREY, markerfacecolor="none", markersize=7, label="valid")
    axes.plot([], [], "s", color=OURS, markersize=6, label="measured by this course")
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=3)
    figure.alt = " ".join(said)
    return figure


def ratios(groups, band, title=""):
    """Test over valid perplexity against valid perplexity, a dot a model.

    groups : {label: [(valid, test), …]}. band : (low, high), shaded: the usual ratios.
    """
    figure = Picture("", 7.2, 3.8)
    axes = figure.add_subplot(
        xlabel="valid perplexity (log scale)", ylabel="test / valid", title=title, xscale="log"
    )
    axes.axhspan(*band, color=tint("z", 0.15), zorder=0)
    axes.axhline(1, color=GREY, linewidth=1, linestyle=":")
    said = [f"Test over valid perplexity; a band from {band[0]:g} to {band[1]:g} is shaded."]
    for (label, models), shade, marker in zip(groups.items(), shades(groups, None, skip=1), "o^sD"):
        found = [test / valid for valid, test in models]
        axes.plot([valid for valid, _ in models], found, marker, color=shade, markersize=6, label=label)
        said.append(f"{label}: {len(models)} models, {min(found):.3f} to {max(found):.3f}.")
    axes.margins(y=0.12)
    plain_numbers(axes.xaxis)
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=3)
    figure.alt = " ".join(said)
    return figure


def mismeasured(errors, title=""):
    """How far off each wrong way of measuring is, in per cent of the right perplexity.

    errors : {what was done: {split: per cent}}, the same splits for all.
    """
    splits = list(next(iter(errors.values())))
    figure = Picture("", 7.4, 1.1 + 0.36 * len(errors))
    figure.suptitle(title, fontsize="large")
    axes = figure.add_subplot(xlabel="off the right perplexity [%] (log scale beyond ±2)")
    axes.axvline(0, color=GREY, linewidth=1)
    said = ["Dots, how far wrong measures are from the right perplexity, in per cent."]
    for k, (name, off) in enumerate(errors.items()):
        axes.plot([0, max(off.values(), key=abs)], [k, k], color="#D5D5D5", linewidth=1.5, zorder=0)
        said.append(f"{name}: " + ", ".join(f"{s} {x:+.1f}" for s, x in off.items()).replace("-", "−") + ".")
    for split, shade, marker, size in zip(splits, ("black", OKABE_ITO["orange"]), "oD", (7, 5)):
        places = [off[split] for off in errors.values()]
        axes.plot(places, range(len(errors)), marker, color=shade, markersize=size, label=split)
    axes.set_xscale("symlog", linthresh=2, linscale=0.5)  # some are ten times as large as others
    ticks = [-100, -50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50, 100]
    axes.set_xticks(ticks, [f"{tick:+d}".replace("-", "−") if tick else "0" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    reach = [x for off in errors.values() for x in off.values()]
    axes.set_xlim(min(-6, 1.3 * min(reach)), max(6, 1.3 * max(reach)))
    axes.set_yticks(range(len(errors)), list(errors), fontsize=9)
    axes.set_ylim(len(errors) - 0.4, -0.6)
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    figure.alt = " ".join(said)
    return figure


def written(lines, title=""):
    """What a model wrote: lines of words, the darker behind a word the more it surprised the model itself.

    lines : [[(word, bits), …], …]. Twelve bits or more are as dark as it gets.
    """
    figure = Picture("", 7.6, 0.75 + 0.34 * len(lines), layout=None)
    axes = figure.add_axes((0.01, 0.02, 0.98, 1 - 0.45 / figure.get_figheight()))
    axes.set(xlim=(0, 100), ylim=(len(lines) - 0.4, -0.6), xticks=[], yticks=[])
    axes.axis("off")
    axes.set_title(title, fontsize=11)
    renderer = FigureCanvasAgg(figure).get_renderer()  # to know how wide a word is
    for k, line in enumerate(lines):
        x = 0.8
        for word, bits in line:
            share = 0.55 * min(bits, 12.0) / 12
            box = dict(boxstyle="round,pad=0.18", facecolor=tint("c", share), edgecolor="none")
            text = axes.text(x, k, word, va="center", fontsize=10, bbox=box)
            end = text.get_window_extent(renderer).transformed(axes.transData.inverted()).x1
            if end > 97.5:  # a long line ends where the page does
                text.set(text="…", bbox=None)
                break
            x = end + 1.5
    said = " / ".join(" ".join(word for word, _ in line) for line in lines)
    figure.alt = f"{title}. Lines of words, darker where the model was surprised: {said}."
    return figure


def gate_map(tape, words, units, *, sequence=0, letters="zifo", title=""):
    """What gates do over the words of a sentence: a panel for each letter, a row for each unit.

    tape : of one layer, as :func:`lstm_tutorial.weighted_sum.tapes_of` gives it. words : T labels. units :
    which of the H. Gates run from white, closed, to their colour, open; the block input z, which has a sign,
    from grey (−1) over white to its colour (1). Raises ValueError where there are not T words.
    """
    T = len(tape.y)
    if len(words) != T:
        raise ValueError(f"words should have an entry for each of the {T} steps, not {len(words)}.")
    height = max(0.75, 0.16 * len(units))
    figure = Picture("", 7.2, 1.4 + height * len(letters))
    panels = figure.subplots(len(letters), 1, sharex=True, squeeze=False)[:, 0]
    said = [f"Maps of {', '.join(letters)} for units {', '.join(map(str, units))} over: {' '.join(words)}."]
    for axes, letter in zip(panels, letters):
        values = np.asarray(getattr(tape, letter))[:, sequence, list(units)].T  # (units, T)
        signed = letter not in "ifo"
        ends = [GREY, "white", colour(letter)] if signed else ["white", colour(letter)]
        image = axes.imshow(
            values,
            cmap=LinearSegmentedColormap.from_list(letter, ends),
            vmin=-1 if signed else 0,
            vmax=1,
            aspect="auto",
            interpolation="none",
        )
        axes.set_yticks(range(len(units)), units, fontsize=7)
        axes.set_ylabel(letter, rotation=0, fontsize=13, color=ink(letter), va="center", labelpad=12)
        figure.colorbar(image, ax=axes, ticks=[-1, 0, 1] if signed else [0, 1], pad=0.01)
        said.append(f"{letter} from {values.min():.2f} to {values.max():.2f}.".replace("-", "−"))
    panels[-1].set_xticks(range(T), words, rotation=50, ha="right", rotation_mode="anchor", fontsize=9)
    figure.suptitle(title, fontsize="large")
    figure.alt = " ".join(said)
    return figure
