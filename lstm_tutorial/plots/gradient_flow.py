"""Pictures of chapter 01: how far a nudge reaches, what training does about it, and a cliff.

Every function takes numbers and returns a :class:`Picture` that carries its description. Black is
an LSTM as a whole, orange its cell path alone, vermilion the plain RNN, which has nothing but y.
"""

import numpy as np
from matplotlib.colors import PowerNorm, TwoSlopeNorm
from matplotlib.ticker import MaxNLocator

from .. import numpy_lstm, variants
from ..colours import CELL_COLOURS, OKABE_ITO, colour
from ..gradient_flow import cell_path, draw_cell, products, step_jacobians
from ..picture import Picture
from .style import GREY, SEED

RNN, LSTM, CELL = CELL_COLOURS["srnn"], CELL_COLOURS["lstm"], colour("c")
DASHES = ((), (6, 2), (2, 1.5), (7, 2, 2, 2), (4, 1.5, 1, 1.5, 1, 1.5))
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
SMALLEST = 1e-16  # what lies below it is drawn there: no gradient is used to so many digits


def flow_lines(curves, *, title, colours=None, y="size of the gradient that arrives"):
    """The norms of ∂s^T/∂s^t against the distance T − t, on a logarithmic axis.

    curves  : {label: norms for t = 0 … T, (T + 1,), or (T + 1, B) for B sequences: thin lines behind their
              geometric mean}
    colours : {label: colour}, the plain RNN's where it is missing; what a colour tells apart dashes do
              too, unless lines share colours: those of one colour then differ in their dashes
    """
    colours = colours or {}
    curves = {label: np.asarray(norms, float).reshape(len(norms), -1) for label, norms in curves.items()}
    figure = Picture(_flow_alt(curves, y), 7.2, 4.2)
    axes = figure.add_subplot(xlabel="steps back, T − t", ylabel=f"{y} (log scale)", title=title)
    axes.set_yscale("log")
    axes.axhline(1, color=GREY, linewidth=0.8)
    shades = [colours.get(label, RNN) for label in curves]
    shared = len(set(shades)) < len(shades)
    for k, ((label, norms), shade) in enumerate(zip(curves.items(), shades)):
        dashes = DASHES[(shades[:k].count(shade) if shared else k) % len(DASHES)]
        norms = np.maximum(norms[::-1], SMALLEST)
        if norms.shape[1] > 1:
            axes.plot(norms, color=shade, gid="seed", **SEED)
        axes.plot(_geometric_mean(norms), color=shade, dashes=dashes, linewidth=1.8, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    columns = len(curves) if len(curves) < 6 else 3
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=columns, handlelength=3.5)
    return figure


def _geometric_mean(norms):
    return np.exp(np.log(norms).mean(1))


def _flow_alt(curves, y):
    said = [f"Lines on a logarithmic axis: {y}, against the number of steps back, each from 1."]
    for label, norms in curves.items():
        T, end = len(norms) - 1, _geometric_mean(np.maximum(norms[:1], SMALLEST))[0]
        said.append(f"{label}: {_size(end)} after {T} steps, a factor of {end ** (1 / T):.2f} a step.")
    return " ".join(said)


def _size(value):
    """A number by its power of ten, where it is far from one."""
    if value < 1.01 * SMALLEST:
        return "less than 10⁻¹⁶"
    power = str(round(np.log10(value))).translate(SUPERSCRIPT)
    return f"{value:.2f}" if 0.01 <= value < 100 else f"about 10{power}"


def growth_map(values, rows, columns, *, row_label, column_label, title):
    """Growth factors per step as a table of coloured squares; white is 1, where nothing is lost or gained.

    values (len(rows), len(columns)); rows are drawn from the bottom upwards.
    """
    values = np.asarray(values)
    figure = Picture(_map_alt(values, rows, columns, row_label, column_label), 6.6, 1.5 + 0.4 * len(rows))
    axes = figure.add_subplot(xlabel=column_label, ylabel=row_label, title=title)
    low, high = min(np.log(values).min(), -0.01), max(np.log(values).max(), 0.01)
    image = axes.imshow(
        np.log(values), cmap="BrBG_r", norm=TwoSlopeNorm(0, low, high), origin="lower", aspect="auto"
    )
    for (r, k), value in np.ndenumerate(values):
        dark = not 0.65 * low < np.log(value) < 0.65 * high
        axes.text(
            k, r, f"{value:.2f}", ha="center", va="center", fontsize=9, color="white" if dark else "black"
        )
    axes.set_xticks(range(len(columns)), [f"{c:g}" for c in columns])
    axes.set_yticks(range(len(rows)), [f"{r:g}" for r in rows])
    bar = figure.colorbar(image, ax=axes, label="growth per step")
    ticks = [v for v in (0.1, 0.2, 0.5, 0.8, 1, 1.1, 1.2, 1.5, 2, 5) if low <= np.log(v) <= high]
    bar.set_ticks([np.log(v) for v in ticks], labels=[f"{v:g}" for v in ticks])
    return figure


def _map_alt(values, rows, columns, row_label, column_label):
    said = [
        f"A table of coloured squares, the growth of a gradient per step: {row_label} upwards, "
        f"{column_label} to the right. It runs from {values.min():.2f} to {values.max():.2f}."
    ]
    for row, line in zip(rows, values):
        said.append(f"At {row:g}: from {line[0]:.2f} on the left to {line[-1]:.2f} on the right.")
    return " ".join(said)


def reach(radius=1.0, forget_bias=1.0, input_scale=0.5):
    """How far a nudge reaches in a random plain RNN and a random LSTM, with three dials.

    radius      : the spectral radius of every recurrent matrix
    forget_bias : of the LSTM, in all units
    input_scale : how large W x is: with it y saturates, and the slope of tanh falls
    """
    T, B, D, H = 50, 3, 4, 16
    x = np.random.default_rng(1).normal(size=(T, B, D))
    dials = dict(radius=radius, forget_bias=forget_bias, input_scale=input_scale)
    norms = {}
    for name, label in (("srnn", "plain RNN"), ("lstm", "LSTM, all paths")):
        params = draw_cell(name, D, H, np.random.default_rng(0), **dials)
        P = products(step_jacobians(variants[name], params, x))
        norms[label] = np.linalg.norm(P, 2, axis=(-2, -1))
    _, _, tape = numpy_lstm.forward("lstm", params, x)
    norms["LSTM, along the cell alone"] = cell_path(tape.f).max(-1)
    colours = dict(zip(norms, (RNN, LSTM, CELL)))
    ends = [_size(_geometric_mean(n[:1])[0]).removeprefix("about ") for n in norms.values()]
    title = f"After {T} steps: plain RNN {ends[0]}, LSTM {ends[1]}, its cell path {ends[2]}"
    figure = flow_lines(norms, title=title, colours=colours)
    figure.axes[0].set_ylim(1e-12, 1e12)
    figure.axes[0].set_yticks([10.0**k for k in range(-12, 13, 4)])
    figure.alt = f"Radius {radius:g}, forget bias {forget_bias:g}, input {input_scale:g}. {figure.alt}"
    return figure


def training_reach(runs, *, title):
    """What a growth factor and an accuracy do during training: two panels over the same updates.

    runs : {label: [(steps, growth, accuracy), …]}, one triple of equally long sequences for each seed
    """
    said = ["Two panels over updates: the growth of a gradient per step, and the accuracy."]
    figure = Picture("", 7.2, 5.2)
    top, bottom = figure.subplots(2, 1, sharex=True)
    for (label, seeds), shade, dashes in zip(runs.items(), (RNN, GREY, GREY), ((), (6, 2), (2, 1.5))):
        for axes, column, name in ((top, 1, label), (bottom, 2, None)):
            for run in seeds:
                axes.plot(run[0], run[column], color=shade, gid="seed", **SEED)
            mean = np.mean([run[column] for run in seeds], 0)
            axes.plot(seeds[0][0], mean, color=shade, dashes=dashes, linewidth=1.8, label=name)
        grown, right = (np.mean([run[column] for run in seeds], 0) for column in (1, 2))
        said.append(
            f"{label}: the growth starts at {grown[0]:.2f}, has its maximum {grown.max():.2f} and ends at "
            f"{grown[-1]:.2f}; the accuracy ends at {right[-1]:.0%}, mean of {len(seeds)} seeds."
        )
    top.axhline(1, color=GREY, linewidth=0.8)
    bottom.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":", label="chance")
    top.set(ylabel="growth per step", title=title)
    bottom.set(xlabel="updates", ylabel="share right", ylim=(-0.03, 1.03))
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=4, handlelength=3.5)
    figure.alt = " ".join(said)
    return figure


def holding(plain, gated, readouts, asked, delay, *, units=(1, 2)):
    """How two trained cells hold a symbol: units that the answer hangs on, and the answer at every step.

    plain, gated : tapes of a plain RNN and of an LSTM, B = 2: the same distractors after either symbol
    readouts     : the readout of each, (H,); units : of how many units of each lines are drawn
    asked        : {label: the share of right answers at every step, (T,)}, the plain RNN's first
    delay        : the step at which both were trained to answer
    """
    figure = Picture("", 7.2, 6.4)
    first, second, third = figure.subplots(3, 1, sharex=True)
    steps = np.arange(1, len(plain.y) + 1)
    for axes, tape, letter, w, count in zip((first, second), (plain, gated), "yc", readouts, units):
        hangs = np.abs(w * (tape.y[delay - 1, 0] - tape.y[delay - 1, 1]))
        kept = np.argsort(-hangs)[:count]
        for b, dashes in enumerate(((), (4, 1.5))):
            axes.plot(
                steps, getattr(tape, letter)[:, b, kept], color=colour(letter), dashes=dashes, linewidth=1
            )
    for (label, shares), shade in zip(asked.items(), (RNN, LSTM)):
        third.plot(steps, shares, color=shade, linewidth=1.4, label=label)
    for axes, label in ((first, None), (second, None), (third, "the step it was trained for")):
        axes.axvline(delay, color=GREY, linestyle=":", label=label)
    first.set(title="Both know the symbol when they are asked; one knows it nearly always", ylim=(-1.1, 1.1))
    for axes, label in zip((first, second, third), ("y, plain RNN", "c, LSTM", "share right")):
        axes.set_ylabel(label)
    third.set(xlabel="step t", ylim=(-0.05, 1.08))
    for label, dashes in (("after +1", ()), ("after −1", (4, 1.5))):
        first.plot([], [], color=RNN, dashes=dashes, linewidth=1, label=label)
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=5)
    said = [
        f"Three panels over {len(steps)} steps: outputs y of the plain RNN after either symbol ({units[0]} "
        f"unit), cells c of the LSTM ({units[1]} units), and the share of right answers if asked at step t."
    ]
    for label, shares in asked.items():
        late = np.asarray(shares)[delay // 2 :]
        said.append(
            f"{label}: {shares[delay - 1]:.2f} at step {delay}; from step {delay // 2 + 1} on between "
            f"{late.min():.2f} and {late.max():.2f}."
        )
    figure.alt = " ".join(said)
    return figure


def cliff(loss, w, b, paths):
    """A loss over two weights as shades of grey, and two paths of gradient descent on it.

    loss (len(w), len(b)); w, b : the values along the axes; paths : {label: (steps, 2) of (w, b)}
    """
    figure = Picture(_cliff_alt(loss, paths), 7.2, 4.6)
    axes = figure.add_subplot(
        xlabel="bias b", ylabel="recurrent weight w", title="One step on the cliff throws the weights off"
    )
    shading = dict(norm=PowerNorm(0.5, 0, 3 * loss.max()), cmap="Greys", shading="nearest", rasterized=True)
    image = axes.pcolormesh(b, w, loss, **shading)
    looks = (dict(marker="o", color="black"), dict(marker="s", color="black", markerfacecolor="white"))
    for (label, path), look in zip(paths.items(), looks):
        axes.plot(*np.asarray(path).T[::-1], markersize=4, linewidth=1, label=label, **look)
    axes.plot(
        *path[0][::-1], "*", color=OKABE_ITO["yellow"], markeredgecolor="black", markersize=14, label="start"
    )
    axes.set(xlim=(b[0], b[-1]), ylim=(w[0], w[-1]))
    bar = figure.colorbar(image, ax=axes, label="loss")
    bar.ax.set_ylim(0, loss.max())
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=3)
    return figure


def _cliff_alt(loss, paths):
    said = [
        f"A loss over the bias, to the right, and the recurrent weight, upwards, up to {loss.max():.1f}: two "
        f"plains, and between them a narrow valley along the foot of a cliff."
    ]
    for label, path in paths.items():
        path = np.asarray(path)
        longest = np.hypot(*np.diff(path, axis=0).T).max()
        (w, b), (w_end, b_end) = path[0], path[-1]
        said.append(
            f"{label}: from w {w:.1f}, b {b:.1f} to w {w_end:.1f}, b {b_end:.1f}; "
            f"its longest step is {longest:.1f}."
        )
    return " ".join(said)
