"""The repository itself: what must lie where, what must not be in it, and that its own tools find faults."""

import base64
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import build_slides
import environment
import execute_notebooks
import lint_notebooks
import nbformat
import pytest
import run
from nbconvert import SlidesExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lstm_tutorial import mode as modes
from lstm_tutorial.environment import stamp
from lstm_tutorial.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def files():
    """The files that belong to the repository: those git knows or would add, or all where there is no git."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
        found = [ROOT / name for name in names.split("\0") if name]
    else:
        hidden = re.compile(r"^(\.(?!ci$|github$|git[a-z]+$)|__pycache__$|build$|dist$|.*\.egg-info$)")
        found = [
            p for p in ROOT.rglob("*") if not any(hidden.match(part) for part in p.relative_to(ROOT).parts)
        ]
    return [path for path in found if path.is_file()]


def text_of(path):
    """What a file says, or nothing where it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


# ---------------------------------------------------------------- what lies where


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE", "LICENSE-TEXT.md"),
        *("Makefile", "pyproject.toml", "requirements.txt", ".ci/run", ".github/workflows/ci.yml"),
        *("notebooks/00_start_here.ipynb", "lstm_tutorial/__init__.py", "data"),
    ],
)
def test_is_there(name):
    assert (ROOT / name).exists()


def test_map_of_the_course_lists_the_notebooks_that_exist():
    start = lint_notebooks.read(ROOT / "notebooks/00_start_here.ipynb")
    (table,) = [cell.source for cell in start.cells if "map" in lint_notebooks.tags(cell)]
    assert sorted(re.findall(r"\]\((\S+\.ipynb)\)", table)) == [path.name for path in NOTEBOOKS]


# ---------------------------------------------------------------- what must not be in it

# One folder of somebody's machine, and the hosts that packages come from: neither is the reader's.
MACHINE_PATH = re.compile(
    r"""(?<![\w.~/\\*-])(?:/(?:home|root|Users|mnt|media|opt|srv|work|workspace|scratch)/|[A-Z]:\\+Users\\)[\w.-]+"""
)
REGISTRY = re.compile(
    r"\bpypi\.(?:org|python\.org)|python[h]osted|npm[j]s|\bdebian\.org|download\.pytorch|/simple/?\s"
)
OUTSIDE = re.compile(r"\.\./shared")
PLANTED = {
    MACHINE_PATH: [
        "open('/" + "home/ada/x.txt')",
        "C:" + r"\Users\ada",
        '"/' + 'work/main"',
        "see /" + "opt/wheels",
    ],
    REGISTRY: ["https://" + "pypi" + ".org/simple", "https://download" + ".pytorch.org/whl/cpu"],
    OUTSIDE: ["." + "./shared/data"],
}


@pytest.mark.parametrize("pattern", PLANTED, ids=["machine path", "registry host", "outside"])
def test_no_trace_of_a_machine(pattern):
    """First that the pattern finds planted traces; then that nothing else holds any."""
    assert all(pattern.search(planted) for planted in PLANTED[pattern])
    allowed = {ROOT / ".ci/run"} if pattern is OUTSIDE else set()
    found = {
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        if path not in allowed
        for match in pattern.finditer(text_of(path))
    }
    assert not found


def test_machine_path_is_not_any_path():
    for harmless in (
        "https://example.org/home/ada",
        "tests/mnt/x",
        "`.venv/bin/python`",
        "lib/root/x",
        "a/opt/b",
    ):
        assert not MACHINE_PATH.search(harmless)


def test_files_are_small_and_of_kinds_that_belong_here():
    """No data set, no trained network, no archive."""
    kinds = {".npz", ".mat", ".wav", ".gz", ".zip", ".tar", ".pt", ".pth", ".pkl", ".safetensors"}
    assert not [path for path in files() if path.suffix in kinds]
    assert not [path for path in files() if path.stat().st_size > 2_000_000 and path.suffix != ".jsonl"]


# ---------------------------------------------------------------- commands and requirements


def makefile():
    """Target → its recipe lines."""
    recipes = {}
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        if rule := re.match(r"([a-z]+):(?!=)", line):
            recipes[rule[1]] = []
        elif line.startswith("\t"):
            recipes[list(recipes)[-1]].append(line.strip())
    return recipes


def test_targets_are_one_plain_command_each():
    recipes = makefile()
    assert {"lab", "test", "notebooks"} <= set(recipes)
    for target, recipe in recipes.items():
        assert recipe == [f"$(PYTHON) tools/run.py {target} $(ARGS)"]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_documented_commands_exist(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, flags=re.DOTALL))
    named = set(re.findall(r"\bmake ([a-z]+)|tools[/\\]run\.py ([a-z]+)", code))
    assert {target or command for target, command in named} <= set(makefile())
    if name == "README.md":
        for command in ("make lab", "make test", "tools/run.py lab", "tools/run.py test"):
            assert command in code


def test_help_lists_every_command():
    answer = subprocess.run(
        [sys.executable, "tools/run.py", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert answer.returncode == 0
    assert set(re.findall(r"^ +python tools/run\.py ([a-z]+)", answer.stdout, flags=re.MULTILINE)) == set(
        makefile()
    )


def test_unknown_command_is_answered_with_the_help():
    answer = subprocess.run(
        [sys.executable, "tools/run.py", "tset"], cwd=ROOT, capture_output=True, text=True
    )
    assert answer.returncode == 2
    assert "tools/run.py test" in answer.stdout


def requirements():
    """Name → (version specifier, comment) from requirements.txt."""
    found = {}
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            package, comment = (part.strip() for part in f"{line} #".split("#")[:2])
            name, specifier = re.fullmatch(r"([A-Za-z0-9_-]+)([<>=!~].*)", package).groups()
            found[name] = (specifier, comment)
    return found


def dependencies():
    """Name → version specifier from pyproject.toml, the optional groups included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return dict(re.fullmatch(r"([A-Za-z0-9_-]+)(.*)", line).groups() for group in groups for line in group)


def test_every_requirement_says_what_it_is_for():
    assert all(len(comment.split()) >= 2 for _, comment in requirements().values())


def test_requirements_and_pyproject_name_the_same_packages():
    assert set(requirements()) == set(dependencies())


def test_pyproject_has_lower_bounds_only_and_requirements_agree_with_them():
    pinned = {"torch": "==2.13.0", "nbval": "==0.11.0", "pytest": "<10"}
    for name, bound in dependencies().items():
        assert re.fullmatch(r">=\d+(\.\d+)+", bound), f"{name}{bound}"
        assert requirements()[name][0] == pinned.get(name, bound)


# ---------------------------------------------------------------- the lint finds what it is for


def clean_notebook():
    """A small notebook in which the lint finds nothing."""

    def slide(**metadata):
        return {"slideshow": {"slide_type": "slide"}, **metadata}

    png = base64.b64encode(bytes(range(256))).decode()
    html = f'<img alt="A circle." width="720" src="data:image/png;base64,{png}">'
    picture = new_output(
        "display_data", data={"image/png": png, "text/html": html, "text/plain": "<picture>"}
    )
    nb = new_notebook(
        cells=[
            new_markdown_cell("# 99 · What is one?", id="open", metadata=slide(tags=["card-open"])),
            new_code_cell("import math", id="import", execution_count=1, metadata=slide()),
            new_code_cell(
                "print(round(math.pi, 4))",
                id="pi",
                execution_count=2,
                metadata=slide(),
                outputs=[new_output("stream", name="stdout", text="3.1416\n")],
            ),
            new_code_cell(
                'show(figure, alt="A circle.")',
                id="plot",
                execution_count=3,
                metadata=slide(),
                outputs=[picture],
            ),
            new_code_cell(
                "seconds = clock()\nassert seconds > 0\nseconds",
                id="time",
                execution_count=4,
                metadata=slide(tags=["nbval-ignore-output"]),
                outputs=[new_output("execute_result", data={"text/plain": "0.123456789"}, execution_count=4)],
            ),
            new_code_cell(
                "widget = explore(circle)\nassert widget.result\nwidget",
                id="widget",
                execution_count=5,
                metadata=slide(tags=["nbval-ignore-output"]),
                outputs=[new_output("execute_result", data={"text/plain": "interactive"}, execution_count=5)],
            ),
            new_markdown_cell("### Exercise 99.1 · One · ●○○ · 1 minute", id="task", metadata=slide()),
            new_code_cell(
                'one = None\none = check("99.1", one)',
                id="stub",
                execution_count=6,
                metadata=slide(tags=["exercise"]),
                outputs=[new_output("stream", name="stdout", text="Exercise 99.1: not solved yet.\n")],
            ),
            new_markdown_cell(
                "<details><summary>Solution</summary>\n\n```python\none = 1\n```\n\n</details>",
                id="solution",
                metadata=slide(),
            ),
            new_markdown_cell("## One\n\nOne is one.", id="close", metadata=slide(tags=["card-close"])),
            new_markdown_cell(
                "Minutes: 1. Ask who knew.", id="notes", metadata={"slideshow": {"slide_type": "notes"}}
            ),
        ]
    )
    nb.metadata["kernelspec"] = execute_notebooks.KERNEL
    record(nb)
    return nb


def record(nb):
    nb.metadata["lstm_tutorial"] = {**lint_notebooks.STORED, "code_sha256": lint_notebooks.code_sha256(nb)}


def cell(nb, key):
    return next(c for c in nb.cells if c.id == key)


def source(key, text):
    """A fault that changes code; the record is kept in step, so that only the fault is left to find."""

    def plant(nb):
        cell(nb, key).source = text
        record(nb)

    return plant


def change(key, action):
    return lambda nb: action(cell(nb, key))


def retag(key, *new):
    return change(key, lambda c: c.metadata.update(tags=list(new)))


def kind(key, slide_type):
    return change(key, lambda c: c.metadata.slideshow.update(slide_type=slide_type))


def html(key, text):
    return change(key, lambda c: c.outputs[0].data.update({"text/html": text}))


def too_few_exercises(nb):
    for c in nb.cells:
        c.source = c.source.replace("99", "03")
    record(nb)


def stored(key, text):
    def plant(c):
        c.outputs[0].text = text

    return change(key, plant)


FAULTS = {
    "no opening card": (retag("open"), "tagged card-open"),
    "no closing card": (retag("close"), "tagged card-close"),
    "closing card before the code": (lambda nb: nb.cells.insert(1, nb.cells.pop(-2)), "tagged card-close"),
    "no slide type": (change("open", lambda c: c.metadata.pop("slideshow")), "slide_type"),
    "unknown slide type": (kind("open", "slides"), "has the slide_type 'slides'"),
    "section within a slide": (kind("close", "fragment"), "heading of a section"),
    "section without its minutes": (
        change("notes", lambda c: c.update(source="Ask who knew.")),
        'do not begin with "Minutes: "',
    ),
    "minutes before the section": (
        lambda nb: nb.cells.insert(-1, nb.cells.pop()),
        'do not begin with "Minutes: "',
    ),
    "minutes that everybody sees": (kind("notes", "fragment"), 'do not begin with "Minutes: "'),
    "no id": (change("open", lambda c: c.pop("id")), "id"),
    "an id twice": (change("close", lambda c: c.update(id="open")), "occurs 2 times"),
    "not a notebook": (change("open", lambda c: c.update(cell_type="prose")), "not a valid notebook"),
    "not Python": (source("pi", "print(3"), "not Python"),
    "not executed": (change("pi", lambda c: c.update(execution_count=None)), "top to bottom"),
    "executed twice": (change("pi", lambda c: c.update(execution_count=7)), "top to bottom"),
    "code changed afterwards": (change("pi", lambda c: c.update(source="print(3)")), "other code"),
    "other mode": (lambda nb: nb.metadata["lstm_tutorial"].update(mode="smoke"), "of mode 'smoke'"),
    "real corpus": (lambda nb: nb.metadata["lstm_tutorial"].update(corpus="real"), "of corpus 'real'"),
    "no record": (lambda nb: nb.metadata.pop("lstm_tutorial"), "other code"),
    "data not named": (
        source("import", "from lstm_tutorial.data import load_corpus"),
        "does not name the data",
    ),
    "an error": (
        change("pi", lambda c: c.outputs.append(new_output("error", ename="E", evalue="", traceback=[]))),
        "holds an error",
    ),
    "widget state": (lambda nb: nb.metadata.update(widgets={}), "widget state"),
    "semicolon": (source("pi", "print(3);"), "semicolon"),
    "semicolon before a comment": (source("pi", "print(3);  # three\n"), "semicolon"),
    "stripped print": (change("pi", lambda c: c.update(outputs=[])), "no output is stored"),
    "stripped figure": (change("plot", lambda c: c.update(outputs=[])), "no output is stored"),
    "stripped value": (source("import", "import math\nmath.pi"), "no output is stored"),
    "idle cell": (source("import", "# nothing"), "neither shows, defines"),
    "stripped exercise": (change("stub", lambda c: c.update(outputs=[])), "no output is stored"),
    "picture that does not come as HTML": (
        change("plot", lambda c: c.outputs[0].data.pop("text/html")),
        "without alternative text: use lstm_tutorial.picture.show",
    ),
    "picture without words": (html("plot", '<img src="data:image/png;base64,AA==">'), "or with none"),
    "picture with empty words": (html("plot", '<IMG alt=" " src="a">'), "an empty alternative text"),
    "one picture of two without words": (
        html("plot", '<img alt="A"/><p><img alt>'),
        "an empty alternative text",
    ),
    "picture in a table without words": (html("time", "<td><img src='a'></td>"), "or with none"),
    "exercise without its tag": (retag("stub"), "is not tagged exercise"),
    "exercise that checks nothing": (retag("pi", "exercise"), "checks none"),
    "exercise whose answer is dropped": (
        source("stub", 'one = None\ncheck("99.1", one)'),
        'does not end with name = check("99.1", name)',
    ),
    "exercise that goes on": (
        source("stub", 'one = None\none = check("99.1", one)\ntwo = one + one'),
        "does not end with",
    ),
    "exercise under another name": (
        source("stub", 'one = None\none = check("99.1", two)'),
        "does not end with",
    ),
    "exercise without a task": (change("task", lambda c: c.update(source="Solve this.")), "with the heading"),
    "task of another exercise": (
        change("task", lambda c: c.update(source=c.source.replace("99.1", "99.2"))),
        "with the heading ### Exercise 99.1 · ",
    ),
    "exercise without a solution": (
        change("solution", lambda c: c.update(source="<details><summary>Hint</summary>One.</details>")),
        "the folded solution",
    ),
    "exercise with another number": (
        lambda nb: [c.update(source=c.source.replace("99.1", "99.2")) for c in nb.cells] and record(nb),
        "which should be ['99.1']",
    ),
    "chapter with one exercise": (too_few_exercises, "has at least 4"),
    "widget without a static twin": (source("plot", "plot(figure)"), "no cell before it shows a picture"),
    "widget whose output is compared": (retag("widget"), "has a widget and is not tagged"),
    "unchecked": (source("time", "seconds = clock()\nseconds"), "asserts nothing"),
    "empty assertion": (source("time", "assert True\nclock()"), "asserts nothing"),
    "assertion nobody runs": (source("time", "def f():\n    assert clock()\nclock()"), "asserts nothing"),
    "mostly unchecked": (
        lambda nb: (
            [
                c.metadata.update(tags=["nbval-ignore-output"])
                or c.update(source=f"assert math.pi > 3\n{c.source}")
                for c in nb.cells
                if c.id in ("pi", "plot")
            ]
            and record(nb)
        ),
        "why-unchecked",
    ),
    "unrounded": (stored("pi", "3.1415927\n"), "3.1415927"),
    "unrounded and small": (stored("pi", "loss 0.00012345678\n"), "0.00012345678"),
}


def test_lint_passes_a_clean_notebook():
    assert lint_notebooks.problems(clean_notebook()) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_lint_finds(fault):
    plant, message = FAULTS[fault]
    nb = clean_notebook()
    plant(nb)
    found = lint_notebooks.problems(nb)
    assert any(message in problem for problem in found), found
    if fault not in ("no id", "no record", "not a notebook"):  # these break several rules at once
        assert len(found) == 1


@pytest.mark.parametrize(
    "number", ["3.14159", "0.0000012", "torch 2.13.0+cpu", "1.5e-07", "0.000123456", "640x480", "12345678"]
)
def test_lint_lets_rounded_numbers_pass(number):
    nb = clean_notebook()
    stored("pi", number)(nb)
    assert lint_notebooks.problems(nb) == []


@pytest.mark.parametrize(
    "code",
    [
        "for k in []:\n    print(k)",
        "plt.close('all')\nx = 1",
        "%config x = 1\ny = 2",
        "error = gradient_check(x)",
    ],
)
def test_lint_lets_silent_cells_pass(code):
    nb = clean_notebook()
    source("import", "import math\n" + code)(nb)
    assert lint_notebooks.problems(nb) == []


@pytest.mark.parametrize(
    "prose", ["```python\n## A comment\n```", "### A smaller heading", "text\n~~~\n## comment\n~~~\ntext"]
)
def test_lint_lets_what_is_no_section_pass(prose):
    nb = clean_notebook()
    cell(nb, "task").metadata.slideshow.slide_type = "fragment"
    cell(nb, "task").source += "\n\n" + prose
    assert lint_notebooks.problems(nb) == []


def test_lint_command_fails_on_a_faulty_file(tmp_path, capsys):
    nb = clean_notebook()
    path = tmp_path / "a.ipynb"
    execute_notebooks.write(nb, path)
    assert lint_notebooks.main([str(path)]) == 0
    nb.metadata["widgets"] = {}
    execute_notebooks.write(nb, path)
    assert lint_notebooks.main([str(path)]) == 1
    assert "a.ipynb: holds widget state" in capsys.readouterr().out


# ---------------------------------------------------------------- the executor


def execute(path, *options):
    command = [sys.executable, ROOT / "tools/execute_notebooks.py", *options, path]
    return subprocess.run(command, capture_output=True, text=True)


def test_executor_writes_the_same_bytes_twice_and_records_how(tmp_path):
    nb = clean_notebook()
    nb.cells = [c for c in nb.cells if c.id not in ("widget", "task", "stub", "solution")]
    cell(nb, "plot").source = "import ipywidgets\nslider = ipywidgets.IntSlider()\nslider"
    cell(nb, "time").source = (
        "import os\nassert os.environ['OMP_NUM_THREADS'] == '1'\n"
        "print(os.environ['LSTM_TUTORIAL_MODE'], os.environ['LSTM_TUTORIAL_CORPUS'])"
    )
    nb.metadata["lstm_tutorial"] = {"uses": ["ptb"]}
    path = tmp_path / "a.ipynb"
    execute_notebooks.write(nb, path)
    first_answer = execute(path)
    first = path.read_bytes()
    assert first_answer.returncode == 0, first_answer.stdout + first_answer.stderr
    assert execute(path).returncode == 0
    assert path.read_bytes() == first
    assert b"\r" not in first

    after = nbformat.read(path, as_version=4)
    assert lint_notebooks.problems(after) == []
    assert after.metadata.lstm_tutorial == {
        "uses": ["ptb"],
        "mode": "laptop",
        "corpus": "stand-in",
        "code_sha256": lint_notebooks.code_sha256(nb),
    }
    assert cell(after, "time").outputs[0].text == "laptop stand-in\n"
    assert cell(after, "plot").outputs[0].data[execute_notebooks.WIDGET]["model_id"] == "plot-0"


@pytest.mark.parametrize(
    "code, reason", [("import time\ntime.sleep(30)", "took over 1 s"), ("1 / 0", "ZeroDivisionError")]
)
def test_executor_stores_nothing_where_a_cell_fails_or_takes_too_long(tmp_path, code, reason):
    nb = clean_notebook()
    cell(nb, "pi").source = code
    path = tmp_path / "a.ipynb"
    execute_notebooks.write(nb, path)
    before = path.read_bytes()
    answer = execute(path, "--limit", "1")
    assert answer.returncode == 1
    assert reason in answer.stdout
    assert path.read_bytes() == before


# ---------------------------------------------------------------- slides


def loaded(page):
    """What a page of slides loads as it opens."""
    return re.findall(
        r"""<(?:script|link)[^>]* (?:src|href)="([^"]+)|^ *import .* from '([^']+)""", page, re.MULTILINE
    )


def test_slides_load_only_what_lies_beside_them(tmp_path):
    (page,) = build_slides.build([ROOT / "notebooks/00_start_here.ipynb"], tmp_path)
    found = ["".join(one) for one in loaded(page.read_text(encoding="utf-8"))]
    assert len(found) == 5 and all((tmp_path / name).is_file() for name in found), found
    stock, _ = SlidesExporter().from_notebook_node(clean_notebook())
    assert sum("".join(one).startswith("https://") for one in loaded(stock)) >= 4


# ---------------------------------------------------------------- which notebooks run on real data


def test_notebooks_run_on_real_data_where_all_of_it_is_at_hand(monkeypatch, tmp_path):
    for name, uses in {"a": ["ptb"], "b": ["ptb", "jsb-chorales"], "c": []}.items():
        nb = clean_notebook()
        nb.metadata["lstm_tutorial"]["uses"] = uses
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        execute_notebooks.write(nb, tmp_path / f"notebooks/{name}.ipynb")
    (tmp_path / "files/ptb").mkdir(parents=True)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setenv("LSTM_TUTORIAL_DATA", str(tmp_path / "files"))
    assert run.notebooks_with_real_data() == [Path("notebooks/a.ipynb")]
    (tmp_path / "files/ptb").rmdir()
    assert run.notebooks_with_real_data() == []
    (tmp_path / "files/ptb.train.txt").touch()  # without a folder of its own
    assert run.notebooks_with_real_data() == [Path("notebooks/a.ipynb")]
    monkeypatch.delenv("LSTM_TUTORIAL_DATA")
    assert run.notebooks_with_real_data() == []


# ---------------------------------------------------------------- environment, modes, and the tests' own net


@pytest.fixture
def unmade(monkeypatch, tmp_path):
    """An environment that does not exist yet, in a folder that is thrown away."""
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv/stamp")
    return tmp_path / ".venv"


def test_environment_is_made_once(unmade, monkeypatch):
    calls = []

    def fake_run(command, **_):
        calls.append([str(part) for part in command])
        environment.python().parent.mkdir(parents=True, exist_ok=True)
        environment.python().touch()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(environment.subprocess, "run", fake_run)
    assert environment.ensure() == environment.python()
    assert [("venv" in call, "pip" in call) for call in calls] == [(True, False), (False, True)]
    environment.ensure()
    assert len(calls) == 2
    monkeypatch.setattr(environment, "fingerprint", lambda: "changed")
    environment.ensure()
    assert len(calls) == 3 and "pip" in calls[-1]


def test_environment_says_what_is_missing(unmade, monkeypatch):
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="venv module is missing"):
        environment.ensure()


@pytest.mark.parametrize("failing, message", [("venv", "could not be made"), ("pip", "could not install")])
def test_environment_says_what_failed(unmade, monkeypatch, failing, message):
    def fake_run(command, **_):
        return subprocess.CompletedProcess(command, int(failing in command))

    monkeypatch.setattr(environment.subprocess, "run", fake_run)
    with pytest.raises(SystemExit, match=message):
        environment.ensure()
    assert not environment.STAMP.exists()


@pytest.mark.parametrize(
    "value, expected", [(None, "laptop"), ("", "laptop"), ("smoke", "smoke"), ("paper", "paper")]
)
def test_mode(monkeypatch, value, expected):
    monkeypatch.delenv("LSTM_TUTORIAL_MODE", raising=False)
    if value is not None:
        monkeypatch.setenv("LSTM_TUTORIAL_MODE", value)
    assert modes.mode() == expected


@pytest.mark.parametrize("value, expected", [(None, "stand-in"), ("stand-in", "stand-in"), ("real", "real")])
def test_corpus_choice(monkeypatch, value, expected):
    monkeypatch.delenv("LSTM_TUTORIAL_CORPUS", raising=False)
    if value is not None:
        monkeypatch.setenv("LSTM_TUTORIAL_CORPUS", value)
    assert modes.corpus_choice() == expected


@pytest.mark.parametrize(
    "variable, ask", [("LSTM_TUTORIAL_MODE", modes.mode), ("LSTM_TUTORIAL_CORPUS", modes.corpus_choice)]
)
def test_anything_else_is_refused(monkeypatch, variable, ask):
    monkeypatch.setenv(variable, "Smoke")
    with pytest.raises(UserError, match=f"{variable} is 'Smoke': set it to one of"):
        ask()


def test_stamp_says_what_is_here_and_names_no_folder():
    report = stamp()
    for line in (
        f"Python +{sys.version.split()[0]}",
        "torch +2",
        "mode +[a-z]+",
        "corpus +[a-z-]+",
        "data: ptb +",
    ):
        assert re.search(f"^{line}", report, flags=re.MULTILINE)
    assert str(Path.home()) not in report and str(ROOT) not in report


def test_stamp_survives_whatever_is_broken(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setitem(sys.modules, "lstm_tutorial.data", None)
    monkeypatch.setenv("LSTM_TUTORIAL_MODE", "fast")
    report = stamp()
    assert "torch cannot be imported (ModuleNotFoundError)" in report
    assert "cannot be checked (ModuleNotFoundError)" in report
    assert "LSTM_TUTORIAL_MODE is 'fast'" in report


def test_network_is_out_of_reach():
    with pytest.raises(AssertionError, match="tried to connect to 192.0.2.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()
