"""Pictures: shown with their description in every form, small, and the same bytes every time."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import pyplot
from matplotlib.figure import Figure
from PIL import Image

from lstm_tutorial.diagram import diagram
from lstm_tutorial.picture import Picture, show
from lstm_tutorial.widgets import explore


@pytest.fixture(scope="module", autouse=True)
def shell():
    """What a kernel has: without it nothing is displayed but printed."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def shown(*args, **kwargs):
    with capture_output() as captured:
        show(*args, **kwargs)
    (output,) = captured.outputs
    return output


def line(slope=1.0, dashed=False):
    picture = Picture(f"A line of slope {slope:g}.", 3, 2)
    picture.add_subplot().plot([0, 1], [0, slope], "--" if dashed else "-")
    return picture


def test_the_description_arrives_in_page_and_metadata():
    output = shown(Figure(figsize=(2, 1)), alt='A "quoted" line < 3.')
    assert 'alt="A &quot;quoted&quot; line &lt; 3."' in output.data["text/html"]
    assert output.metadata["image/png"]["alt"] == output.metadata["alt"] == 'A "quoted" line < 3.'


def test_a_picture_brings_its_own_description():
    assert 'alt="A line of slope 1."' in shown(line()).data["text/html"]
    data, metadata = line()._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == "A line of slope 1." and 'alt="' in data["text/html"]


@pytest.mark.parametrize("alt", [None, "", "  "])
def test_a_figure_without_description_is_refused(alt):
    with pytest.raises(ValueError, match="say what the figure shows"):
        show(Figure(), alt)


def test_the_page_and_the_file_hold_the_same_picture_at_its_size():
    output = shown(line())
    (source,) = re.findall(r'base64,([^"]+)"', output.data["text/html"])
    png = output.data["image/png"]
    assert base64.b64decode(source) == png
    assert Image.open(BytesIO(png)).size == (450, 300)
    assert 'width="300"' in output.data["text/html"]


def test_same_picture_same_bytes():
    assert shown(line()).data["image/png"] == shown(line()).data["image/png"]


def test_fewer_colours_change_no_area_and_next_to_nothing_else():
    picture = diagram("cifg")  # tints of all gates, some of them near to one another
    picture.draw_without_rendering()
    whole = BytesIO()
    picture.savefig(whole, format="png", dpi=150)
    before = np.asarray(Image.open(whole).convert("RGB"), int).reshape(-1, 3)
    after = np.asarray(Image.open(BytesIO(shown(picture).data["image/png"])).convert("RGB"), int)
    colours, which, counts = np.unique(before, axis=0, return_inverse=True, return_counts=True)
    areas = counts[which] > 0.001 * len(before)
    assert len(colours) > 1000 and areas.mean() > 0.9
    assert (before[areas] == after.reshape(-1, 3)[areas]).all()
    assert np.abs(before - after.reshape(-1, 3)).mean() < 0.1


def test_a_figure_of_pyplot_is_closed():
    figure, _ = pyplot.subplots()
    shown(figure, alt="Empty axes.")
    assert not pyplot.fignum_exists(figure.number)


def test_a_control_draws_anew():
    widget = explore(line, slope=(-2.0, 2.0, 0.5))
    assert widget.result.alt == "A line of slope 1."
    (slider,) = (child for child in widget.children if getattr(child, "description", None) == "slope")
    slider.value = 2.0
    assert widget.result.alt == "A line of slope 2."


def test_an_argument_without_a_control_has_none_on_the_page():
    widget = explore(line, dashed=True)
    assert [c.description for c in widget.children if getattr(c, "description", "")] == ["dashed"]


def test_a_page_without_a_kernel_says_what_to_do():
    widget = explore(line, slope=(0.0, 1.0), dashed=True)
    assert repr(widget) == "Run this cell to move slope, dashed."


def test_a_control_for_nothing_is_refused():
    with pytest.raises(ValueError, match="line has no argument 'height'; it has slope, dashed"):
        explore(line, height=(0, 1))


def test_a_drawing_that_fails_is_not_swallowed():
    def broken(slope=1.0):
        raise ZeroDivisionError("planted")

    with pytest.raises(ZeroDivisionError):
        explore(broken, slope=(0.0, 1.0))
