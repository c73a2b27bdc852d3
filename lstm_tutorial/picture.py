"""Pictures that bring their description along, and the one way in which notebooks show a figure.

    show(figure, alt="Perplexity against epochs: …")

JupyterLab does not hand the alternative text of a PNG output on to the page, so a picture goes out as
HTML too, as an ``img`` element with its ``alt``: that arrives in Lab, in exported pages and in slides.
"""

import base64
import sys
from html import escape
from io import BytesIO

from matplotlib.figure import Figure
from PIL import Image

DPI = 150  # pixels an inch, shown at 100: sharp on the finer screens of today


class Picture(Figure):
    """A matplotlib figure with its description, ``alt``, for people who do not see it.

    width, height: in inches. Not registered with pyplot: nothing has to be closed, and as the last
    expression of a cell it is shown once. ``layout`` is matplotlib's, "constrained" by default.
    """

    def __init__(self, alt, width=7.2, height=4.2, layout="constrained"):
        super().__init__(figsize=(width, height), facecolor="white", layout=layout)
        self.alt = alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        return _bundle(self, self.alt)


def show(figure, alt=None):
    """Show a figure in a notebook, with its alternative text.

    figure: a :class:`Picture`, or any figure of matplotlib; one of pyplot's is closed afterwards
    alt:    what the figure shows, in words; a Picture has it already

    Raises ValueError where there is neither.
    """
    from IPython.display import display

    said = alt or getattr(figure, "alt", None)
    if not (said and said.strip()):
        raise ValueError("say what the figure shows, for those who do not see it: show(figure, alt=…).")
    display(_Shown(figure, said))
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)


class _Shown:
    def __init__(self, figure, alt):
        self.bundle, self.alt = _bundle(figure, alt), alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.bundle

    def __repr__(self):  # what a terminal gets
        return f"<picture: {self.alt}>"


def _bundle(figure, alt):
    """The picture in the formats that a notebook stores, and their metadata."""
    png = _png(figure)
    width = round(100 * figure.get_figwidth())
    source = base64.b64encode(png).decode()
    html = f'<img alt="{escape(alt)}" width="{width}" src="data:image/png;base64,{source}">'
    data = {"image/png": png, "text/html": html, "text/plain": f"<picture: {alt}>"}
    return data, {"alt": alt, "image/png": {"alt": alt, "width": width}}


def _png(figure):
    figure.draw_without_rendering()  # a constrained layout settles in its second round
    file = BytesIO()
    figure.savefig(file, format="png", dpi=DPI)
    small = BytesIO()
    # Median cut keeps every colour that fills an area as it is, and rounds those at the edges of letters.
    image = Image.open(file).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    image.save(small, format="png", optimize=True)
    return small.getvalue()
