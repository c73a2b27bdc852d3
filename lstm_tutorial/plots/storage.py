"""A picture of what a forward pass keeps for the backward pass."""

from ..colours import GATE_COLOURS, colour, tint
from ..picture import Picture
from .style import GREY

PALE = "#EDEDED"


def shelf(rows, title):
    """A box for every number that is kept for one unit and one step, coloured by what it is.

    rows: {name of a way to compute: {letter: how many}}; letters without a colour of their own are grey
    """
    longest = max(sum(kept.values()) for kept in rows.values())
    figure = Picture(_alt(rows, title), 7.2, 0.9 + 0.5 * len(rows))
    axes = figure.subplots()
    for k, kept in enumerate(rows.values()):
        left = 0
        for letter, count in kept.items():
            for _ in range(count):
                own = letter in GATE_COLOURS
                share = 0.2 if letter == "y" else 0.35  # y is black
                face, edge = (tint(letter, share), colour(letter)) if own else (PALE, GREY)
                axes.barh(k, 0.9, 0.62, left, color=face, edgecolor=edge, linewidth=1.4)
                axes.text(left + 0.45, k, letter, ha="center", va="center", fontsize=11)
                left += 1
        axes.text(left + 0.15, k, f"{left}", va="center", color="#444444")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set(xlim=(-0.1, longest + 0.8), xlabel="numbers kept for one unit and step")
    figure.suptitle(title)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure


def _alt(rows, title):
    said = [f"{name}: {sum(kept.values())}, namely {', '.join(kept)}" for name, kept in rows.items()]
    return f"{title}. Boxes for the numbers kept for a unit and step. {'; '.join(said)}."
