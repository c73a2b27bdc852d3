"""Sliders over a picture: a pure function that draws, and the controls for its arguments.

show(gate_picture(i=2.0))                          # the static twin: the same on paper
explore(gate_picture, i=(-6.0, 6.0, 0.5))          # with a slider
"""

import inspect

from ipywidgets import fixed, interactive

from .picture import show


def explore(draw, **controls):
    """A widget that draws a picture anew whenever a control is moved.

    draw:     a function that returns a :class:`~lstm_tutorial.picture.Picture`
    controls: for each argument of ``draw`` what ipywidgets makes a control of: (low, high, step) or
              (low, high) for a slider, a list for a menu, a bool for a box, or a widget. They start at the
              defaults of ``draw``. An argument without a control keeps its default

    Returns an ``ipywidgets.interactive``: as the last expression of a cell it is shown; ``.result`` is the
    picture that it shows now. Raises ValueError for a control that ``draw`` has no argument for, and
    whatever the first drawing raises: a widget would swallow it.
    """
    arguments = inspect.signature(draw).parameters
    for name in controls:
        if name not in arguments:
            raise ValueError(f"{draw.__name__} has no argument {name!r}; it has {', '.join(arguments)}.")
    draw(**{name: p.default for name, p in arguments.items()})

    def redraw(**values):
        picture = draw(**values)
        show(picture)
        return picture

    redraw.__signature__ = inspect.Signature(list(arguments.values()))
    left = {name: fixed(p.default) for name, p in arguments.items() if name not in controls}
    widget = _Explorer(redraw, **controls, **left)
    widget.update()  # what it shows first is there before any control is moved
    return widget


class _Explorer(interactive):
    def __repr__(self):  # what a page without a kernel shows in its place
        moved = [child.description for child in self.children if getattr(child, "description", "")]
        return f"Run this cell to move {', '.join(moved)}."
