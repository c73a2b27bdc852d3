"""The course in a real browser: JupyterLab as `make lab` starts it, exported pages, and slides.

One server and one headless Chromium serve the whole module. The server works on a copy of the notebooks, and
beside it on planted ones, which show that a picture that stays as it is, an error in a widget's callback, a
missing description and a request to another machine are found. Without a browser the tests are skipped, or
fail where LSTM_TUTORIAL_BROWSER=required.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import build_slides
import execute_notebooks
import lint_notebooks
import pytest
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60  # seconds, for what takes one or two on an idle machine


def stem(path):
    return path.stem


def browser_on_this_machine():
    """The path of a browser. Where there is none the test that asks is skipped, or fails."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        give_up = pytest.fail if os.environ.get("LSTM_TUTORIAL_BROWSER") == "required" else pytest.skip
        give_up("needs a browser on the PATH: " + ", ".join(BROWSERS))
    return found


@pytest.mark.parametrize("value, ending", [("required", pytest.fail), ("", pytest.skip)])
def test_without_a_browser_the_others_are_skipped_or_fail(monkeypatch, tmp_path, value, ending):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LSTM_TUTORIAL_BROWSER", value)
    with pytest.raises(ending.Exception, match="needs a browser on the PATH"):
        browser_on_this_machine()


# ---------------------------------------------------------------- planted notebooks


def notebook(*cells):
    return new_notebook(cells=list(cells), metadata={"kernelspec": execute_notebooks.KERNEL})


def widgets(*bodies):
    """A notebook with a widget for each body of a function that draws a picture."""
    code = "from lstm_tutorial.picture import Picture\nfrom lstm_tutorial.widgets import explore\n"
    for k, body in enumerate(bodies):
        code += (
            f"\n\ndef draw_{k}(x=1.0, curve='line', grid=False):\n"
            "    picture = Picture('A line to the point at x.', 3, 2)\n"
            f"    axes = picture.add_subplot(xlim=(0, 9))\n{body}    return picture\n"
        )
    controls = "x=(0.0, 8.0, 0.5), curve=['line', 'dots'], grid=False"
    return notebook(
        new_code_cell(code), *(new_code_cell(f"explore(draw_{k}, {controls})") for k, _ in enumerate(bodies))
    )


def stored(bundle, metadata=None):
    """A notebook with one output that is stored in it."""
    output = new_output("display_data", data=bundle, metadata=metadata or {})
    return notebook(new_code_cell("...", outputs=[output], execution_count=1))


DRAWN = "    axes.plot([0, x], [0, 1], '-' if curve == 'line' else ':')\n    axes.grid(grid)\n"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
IMG = f'<img src="data:image/png;base64,{PNG}" alt="{{}}">'
PLANTED = {
    "widgets": widgets(DRAWN, DRAWN.replace("axes.grid(grid)", "pass"), DRAWN + "    1 / (x < 5)\n"),
    "described": stored({"image/png": PNG, "text/html": IMG.format("A dot."), "text/plain": "dot"}),
    "png-only": stored({"image/png": PNG}, {"image/png": {"alt": "A dot."}, "alt": "A dot."}),
    "empty-alt": stored({"text/html": "<table><td>" + IMG.format(" ") + "</table>"}),
    "foreign": stored({"text/html": '<img src="http://192.0.2.1/dot.png" alt="A dot.">'}),
}


# ---------------------------------------------------------------- the browser


@pytest.fixture(scope="module")
def browser():
    path = browser_on_this_machine()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",  # in a container, as root
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # Chromium itself stays here, too
            ],
        )
        yield chromium
        chromium.close()


@contextlib.contextmanager
def watched_page(browser):
    """A new page and the list of its faults: errors, and requests to other machines, which are stopped."""
    faults = []

    def guard(route):
        if re.match(r"http://127\.0\.0\.1[:/]|file:|data:|blob:|about:", route.request.url):
            route.continue_()
        else:
            faults.append(f"request to {route.request.url}")
            route.abort()

    def hear(said):
        if said.type == "error":
            faults.append(f"console: {said.text}")

    def catch(error):
        if "Canceled future" not in str(error):  # what JupyterLab still asked a kernel that we have shut down
            faults.append(f"error on the page: {error}")

    with browser.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.route("**", guard)
        page = context.new_page()
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", hear)
        page.on("pageerror", catch)
        yield page, faults


# ---------------------------------------------------------------- JupyterLab


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory):
    """The page that opens JupyterLab, which `make lab` would start so, on a copy of the notebooks."""
    folder, config = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("config")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    (folder / "planted").mkdir()
    for name, nb in PLANTED.items():
        execute_notebooks.write(nb, folder / f"planted/{name}.ipynb")
    settings = config / "lab/user-settings/@jupyterlab/notebook-extension/tracker.jupyterlab-settings"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"windowingMode": "none"}))  # cells out of sight are on the page, too

    start = (
        "import pathlib, sys, run; run.ROOT = pathlib.Path(sys.argv[1]); "
        "sys.exit(run.lab(sys.executable, sys.argv[2:]))"
    )
    options = ("--no-browser", "--allow-root", "--expose-app-in-browser", "--ServerApp.ip=127.0.0.1")
    environ = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tools"), os.environ.get("PYTHONPATH", "")]),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_RUNTIME_DIR": str(config / "runtime"),
        "IPYTHONDIR": str(config / "ipython"),
        "LSTM_TUTORIAL_MODE": "smoke",
    }
    environ.pop("MPLBACKEND", None)  # the notebooks have inline figures
    command = [sys.executable, "-c", start, folder, *options]
    with (config / "log").open("w") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT)
    try:
        page = None
        while not page:  # which a browser would be given; the server writes it when it is ready
            assert process.poll() is None, (config / "log").read_text()
            time.sleep(0.1)
            page = next((config / "runtime").glob("jpserver-file-to-run-*-open.html"), None)
        yield page.as_uri()
        (info,) = (config / "runtime").glob("jpserver-*.json")
        info = json.loads(info.read_text())
        token = {"Authorization": f"token {info['token']}"}
        urllib.request.urlopen(
            urllib.request.Request(info["url"] + "api/shutdown", b"", token), timeout=PATIENCE
        )
        process.wait(PATIENCE)
    finally:
        process.kill()


# What the page does, one expression of JavaScript each. `panel` is the notebook that is shown.
SHOWN = ".jp-NotebookPanel:not(.lm-mod-hidden)"
PANEL = "const app = window.jupyterapp, panel = app.shell.currentWidget;"
OPEN = """async path => {
    const panel = await window.jupyterapp.commands.execute("docmanager:open", {path});
    await panel.context.ready;
    await panel.revealed;
}"""
CONNECT = f"""async () => {{
    {PANEL}
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}}"""
ANSWERED = f"""async () => {{
    {PANEL}
    await panel.sessionContext.session.kernel.requestExecute({{code: "", silent: true}}).done;
}}"""
RUN_ALL = f"async () => {{ {PANEL} await app.commands.execute('notebook:run-all-cells'); }}"
CLOSE = f"async () => {{ {PANEL} await panel.sessionContext.shutdown(); panel.dispose(); }}"

# What a piece of the page holds.
ERRORS = """piece => [...piece.querySelectorAll(".jp-OutputArea-output")]
    .filter(output => /(stderr|error)$/.test(output.dataset.mimeType)).map(output => output.innerText)"""
PICTURES = """piece => [...piece.querySelectorAll(".jp-OutputArea-output img")].map(img => img.src)"""
WORDLESS = """piece => [...piece.querySelectorAll(".jp-OutputArea-output img")]
    .filter(img => !img.alt.trim()).map(img => img.src.slice(0, 60))"""


@pytest.fixture(scope="module")
def jupyterlab(server, browser):
    """(page, faults): JupyterLab, as it opens by itself."""
    with watched_page(browser) as (page, faults):
        page.goto(server)
        page.wait_for_selector(".jp-NotebookPanel .jp-Notebook")
        page.evaluate("() => window.jupyterapp.restored")
        yield page, faults


@contextlib.contextmanager
def opened(jupyterlab, path):
    """The page with a notebook open, that part of it, and its faults; the kernel is shut down afterwards."""
    page, faults = jupyterlab
    faults.clear()
    page.evaluate(OPEN, path)
    try:
        page.evaluate(CONNECT)
        yield page, page.locator(SHOWN), faults
    finally:
        page.evaluate(CLOSE)


def move(control):
    """Set a slider, a menu or a box to another value."""
    kind = control.evaluate("e => e.type || e.className")
    if kind == "checkbox":
        control.click()
    elif kind == "select-one":
        here, many = control.evaluate("e => [e.selectedIndex, e.length]")
        control.select_option(index=(here + 1) % many)
    else:
        before = control.get_attribute("aria-valuenow")
        control.press("End")
        if control.get_attribute("aria-valuenow") == before:
            control.press("Home")


def changes(page, widget, before, patience=20):
    """Whether a widget shows another picture, or an error, before the kernel has answered that often."""
    for _ in range(patience):
        page.evaluate(ANSWERED)
        if widget.evaluate(PICTURES) not in ([], before) or widget.evaluate(ERRORS):
            return True
        page.wait_for_timeout(100)
    return False


def try_widgets(page, notebook, many):
    """Run a notebook with so many widgets, then move every control of each: the faults of each widget."""
    page.evaluate(RUN_ALL)
    errors = notebook.evaluate(ERRORS)
    assert not errors, "\n".join(errors)
    widgets = notebook.locator(".widget-interact")
    widgets.nth(many - 1).wait_for()
    return [list(try_widget(page, widget)) for widget in widgets.all()]


def try_widget(page, widget):
    widget.locator(".widget-output img").first.wait_for()
    for control in widget.locator(".noUi-handle, select, input[type=checkbox]").all():
        before = widget.evaluate(PICTURES)
        move(control)
        if not changes(page, widget, before):
            yield f"{control.evaluate('e => e.className')} changes nothing"
        if errors := widget.evaluate(ERRORS):
            yield from errors
            break


def widgets_in(path):
    cells = lint_notebooks.code_cells(lint_notebooks.read(path))
    return sum(lint_notebooks.calls(cell, "explore") for cell in cells)


def test_the_course_opens_at_its_map(jupyterlab):
    page, faults = jupyterlab
    chapters = re.findall(r"\[(\d\d) ", (ROOT / "notebooks/00_start_here.ipynb").read_text(encoding="utf-8"))
    for chapter in chapters:
        page.locator(".jp-Notebook table a:visible", has_text=re.compile(f"^{chapter} ")).first.wait_for()
    assert "00" in chapters
    assert faults == []


@pytest.mark.parametrize("path", list(filter(widgets_in, NOTEBOOKS)), ids=stem)
def test_widgets_work(jupyterlab, path):
    with opened(jupyterlab, f"notebooks/{path.name}") as (page, notebook, faults):
        many = widgets_in(path)
        assert try_widgets(page, notebook, many) == [[]] * many
        assert notebook.evaluate(ERRORS) == []
        assert notebook.evaluate(WORDLESS) == []
        assert faults == []


def test_widgets_that_do_not_work_are_found(jupyterlab):
    with opened(jupyterlab, "planted/widgets.ipynb") as (page, notebook, _):
        works, deaf, raises = try_widgets(page, notebook, 3)
    assert works == []
    assert len(deaf) == 1 and "changes nothing" in deaf[0]
    assert "ZeroDivisionError" in "".join(raises)


def pictures_in(nb):
    """How many pictures are stored in a notebook."""
    outputs = (output for cell in lint_notebooks.code_cells(nb) for output in cell.outputs)
    return sum(any(mime.startswith("image/") for mime in output.get("data", {})) for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=stem)
def test_stored_pictures_have_words(jupyterlab, path):
    """As a reader sees them who has run nothing yet."""
    many = pictures_in(lint_notebooks.read(path))
    with opened(jupyterlab, f"notebooks/{path.name}") as (_, notebook, faults):
        if many:
            notebook.locator(".jp-OutputArea-output img").nth(many - 1).wait_for(state="attached")
        assert notebook.evaluate(WORDLESS) == []
        assert faults == []


@pytest.mark.parametrize("name, faults", [("described", 0), ("png-only", 1), ("empty-alt", 1)])
def test_a_picture_without_words_is_found(jupyterlab, name, faults):
    with opened(jupyterlab, f"planted/{name}.ipynb") as (_, notebook, _):
        notebook.locator(".jp-OutputArea-output img").wait_for()
        assert len(notebook.evaluate(WORDLESS)) == faults


def test_a_request_to_another_machine_is_found(jupyterlab):
    with opened(jupyterlab, "planted/foreign.ipynb") as (*_, faults):
        assert "request to http://192.0.2.1/dot.png" in faults


def test_no_pop_up_asks_for_anything(jupyterlab):
    page, _ = jupyterlab
    page.wait_for_timeout(1000)
    assert page.locator(".Toastify__toast, .jp-Dialog").all_inner_texts() == []


# ---------------------------------------------------------------- exported pages and slides


def wordless(page):
    """How many pictures of an HTML page have no description, or the one that nbconvert puts in its place."""
    said = lint_notebooks.Alternatives(page).texts
    return sum(not text or text.startswith("No description") for text in said), len(said)


def export(nb):
    return HTMLExporter().from_notebook_node(nb)[0]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=stem)
def test_pictures_of_exported_pages_have_words(path):
    faults, pictures = wordless(export(lint_notebooks.read(path)))
    assert faults == 0
    assert pictures == pictures_in(lint_notebooks.read(path))


@pytest.mark.parametrize("name, faults", [("described", 0), ("png-only", 1), ("empty-alt", 1)])
def test_a_picture_without_words_is_found_in_an_exported_page(name, faults):
    assert wordless(export(PLANTED[name])) == (faults, 1)


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """Name → page of slides, of all notebooks and of planted ones."""
    planted, folder = tmp_path_factory.mktemp("planted"), tmp_path_factory.mktemp("slides")
    for name, nb in DECKS.items():
        execute_notebooks.write(nb, planted / f"{name}.ipynb")
    pages = build_slides.build([*NOTEBOOKS, *sorted(planted.glob("*.ipynb"))], folder)
    return {page.stem: page for page in pages}


def prose(source, slide_type="slide"):
    return new_markdown_cell(source, metadata={"slideshow": {"slide_type": slide_type}})


DECKS = {
    "good": notebook(
        prose("# A title"),
        prose("## A section\n\n$$\\begin{aligned}\\bar z &= 1\\end{aligned}$$\n\nand [more](good.ipynb)"),
        prose("Say this: $x^2$.", "notes"),
        prose("Not this.", "skip"),
        *(prose(f"Slide {k}", "subslide") for k in range(5)),
    ),
    "not-tex": notebook(prose("# A title"), prose("$$\\unheard{x}$$")),
    "not-closed": notebook(prose("# A title"), prose("$$\\bar{x$$")),
    "tall": notebook(prose("# A title"), prose("\n\n".join(["A paragraph."] * 60))),
    "no-picture": notebook(prose("# A title"), prose("<img src='nowhere.png' alt='Nothing.'>")),
    "foreign": notebook(prose("# A title"), prose("<img src='http://192.0.2.1/a.png' alt='A dot.'>")),
}

# What a page of slides says of itself. A slide is shown smaller where it is too tall, but not too small.
TOO_TALL = """() => Reveal.getSlides().filter(slide => {
    const {h, v} = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    return slide.scrollHeight > slide.clientHeight + 3 || slide.scrollWidth > slide.clientWidth + 3;
}).map(slide => slide.innerText.trim().slice(0, 60))"""
NOT_TEX = """() => [
    ...[...document.querySelectorAll("g[data-mjx-error]")].map(formula => formula.dataset.mjxError),
    ...[...document.querySelectorAll(".jp-RenderedMarkdown p")].map(p => p.innerText)
        .filter(text => text.includes("$$")),
]"""
BROKEN = """() => [...document.images].filter(img => !img.naturalWidth).map(img => img.src.slice(0, 60))"""
SLIDES = "Reveal.getTotalSlides()"
FORMULAS = "document.querySelectorAll('mjx-container svg').length"


@contextlib.contextmanager
def shown(browser, deck):
    """A deck of slides, opened from the file system as far as its first slide, and the list of its faults."""
    with watched_page(browser) as (page, faults):
        page.goto(deck.as_uri())
        page.wait_for_selector("body[data-ready=yes]")
        yield page, faults


def what_is_wrong_with(page, faults):
    for fault, found in (("too tall", TOO_TALL), ("not TeX", NOT_TEX), ("broken", BROKEN)):
        faults = faults + [f"{fault}: {what}" for what in page.evaluate(found)]
    return faults


@pytest.mark.parametrize("path", NOTEBOOKS, ids=stem)
def test_slides_of(browser, decks, path):
    nb = lint_notebooks.read(path)
    kinds = [lint_notebooks.slide_type(cell) for cell in nb.cells]
    with shown(browser, decks[path.stem]) as (page, faults):
        assert page.evaluate(SLIDES) == kinds.count("slide") + kinds.count("subslide") > 5
        before = page.evaluate("Reveal.getIndices()")
        page.keyboard.press("Space")
        assert page.evaluate("Reveal.getIndices()") != before
        assert what_is_wrong_with(page, faults) == []
        if any("$$" in cell.source for cell in nb.cells if cell.cell_type == "markdown"):
            assert page.evaluate(FORMULAS) > 0
    assert wordless(decks[path.stem].read_text(encoding="utf-8"))[0] == 0


def test_slides_have_equations_links_and_notes_and_leave_out_what_is_skipped(browser, decks):
    with shown(browser, decks["good"]) as (page, faults):
        assert what_is_wrong_with(page, faults) == []
        assert page.evaluate(SLIDES) == 7
        assert page.evaluate(FORMULAS) == 2
        assert "Not this." not in page.content()
        assert page.locator("a", has_text="more").get_attribute("href") == "good.html"
        page.evaluate("Reveal.slide(1, 0)")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        popup.value.locator(".speaker-controls-notes", has_text="Say this:").wait_for()
        assert faults == []


@pytest.mark.parametrize(
    "name, message",
    [
        ("tall", "too tall: A paragraph."),
        ("not-tex", "not TeX: Undefined control sequence"),
        ("not-closed", "not TeX: $$"),
        ("no-picture", "broken: file:"),
        ("foreign", "request to http://192.0.2.1"),
    ],
)
def test_a_faulty_slide_is_found(browser, decks, name, message):
    with shown(browser, decks[name]) as (page, faults):
        assert any(fault.startswith(message) for fault in what_is_wrong_with(page, faults))
