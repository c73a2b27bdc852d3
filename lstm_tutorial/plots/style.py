"""What the course's plots have in common: greys, dashes, how a number is written."""

from itertools import cycle
from math import isfinite

from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..colours import OKABE_ITO

GREY = "#767676"  # floors and other lines to compare with
SEED = dict(linewidth=0.8, alpha=0.45)  # the single seeds behind a mean


def shades(labels, colours, skip=0):
    """A colour for every label: its own, or the next of the palette."""
    spare = cycle([shade for name, shade in OKABE_ITO.items() if name not in ("yellow", "black")][skip:])
    return [(colours or {}).get(label) or next(spare) for label in labels]


def plain_numbers(axis):
    """100, 150, 200 … on a logarithmic axis, rather than powers of ten."""
    low, high = sorted(axis.get_view_interval())
    subs = (1,)
    for span, finer in (
        (1000, (1, 2, 5)),
        (30, (1, 1.5, 2, 3, 5, 7)),
        (8, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8)),
    ):
        subs = finer if high < span * low else subs
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 10 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def number_in_words(value):
    if not isfinite(value):
        return "infinity"
    return f"{value:.1f}" if abs(value) < 1000 else f"{value:,.0f}" if abs(value) < 1e6 else f"{value:.0e}"
