"""Says what is wrong with the committed notebooks, without executing them.

    python tools/lint_notebooks.py [NOTEBOOK ...]       all of notebooks/ by default

nbval compares what a notebook prints with what it printed before, and no more: it does not look at pictures,
and does not check a cell that has no stored output. These rules cover the rest. Each is a function that
yields one sentence for every fault it finds; `problems` collects them.

What a notebook records about itself stands in its metadata under "lstm_tutorial":

    uses          written by the author: names of the data sets that its live cells load, ["ptb"]
    mode, corpus, code_sha256       written by tools/execute_notebooks.py: how the stored outputs came about
"""

import ast
import hashlib
import io
import json
import re
import sys
import tokenize
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode, v4
from nbformat.validator import iter_validate

ROOT = Path(__file__).resolve().parent.parent
UNCHECKED = "nbval-ignore-output"
STORED = {"mode": "laptop", "corpus": "stand-in"}
SIGNIFICANT = 6
SLIDE_TYPES = ("slide", "subslide", "fragment", "skip", "notes", "-")
EXERCISES = 4  # at least, in every chapter
LAST_CHAPTER = "15"
MAP = "00"  # it is read, not presented

FLOAT = re.compile(r"(?<![\w.])(\d+)\.(\d+)")
FENCED = re.compile(r"^ *(```+|~~~+).*?^ *\1", re.DOTALL | re.MULTILINE)
MINUTES = re.compile(r"Minutes: \d+\b")
CHECK = re.compile(r"""\bcheck\(["'](\d\d\.\d+)["']""")
SOLUTION = re.compile(r"<details>\s*<summary>Solution</summary>\s*```python\n")
SHOWING = {"print", "display", "show", "check", "explore"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
DOING = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Assert, *DEFINITIONS)


def read(path) -> NotebookNode:
    """The notebook in a file, as it stands there: nothing is repaired on the way in."""
    return v4.reads(Path(path).read_text(encoding="utf-8"))


def code_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def slide_type(cell):
    return cell.metadata.get("slideshow", {}).get("slide_type")


def code_sha256(nb) -> str:
    """A hash of all code cells in their order, by which stored outputs can be told to be stale."""
    return hashlib.sha256(json.dumps([cell.source for cell in code_cells(nb)]).encode()).hexdigest()


def name(cell):
    """How a message refers to a cell: its id and the first line of it."""
    return f"cell {cell.get('id', 'without id')} ({(cell.source.strip() or '(empty)').splitlines()[0][:40]})"


def tree(cell) -> ast.Module:
    """The syntax tree of a cell, magics included."""
    return ast.parse(TransformerManager().transform_cell(cell.source))


def called(node):
    """The name of the function that a call calls, without what stands before its last dot."""
    return getattr(node.func, "attr", getattr(node.func, "id", None))


def calls(cell, function):
    """Whether a cell calls a function."""
    return any(isinstance(node, ast.Call) and called(node) == function for node in ast.walk(tree(cell)))


def images(output):
    return [mime for mime in output.get("data", {}) if mime.startswith("image/")]


def texts(output):
    """What an output says in words: streams, and text, HTML and LaTeX of results."""
    if output.output_type == "stream":
        return [output.text]
    return [text for mime, text in output.get("data", {}).items() if mime.startswith("text/")]


class Alternatives(HTMLParser):
    """The alternative texts of the pictures in a piece of HTML; nothing stands for one that has none."""

    def __init__(self, html):
        super().__init__()
        self.texts = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.texts.append((dict(attributes).get("alt") or "").strip())


# ---------------------------------------------------------------- the rules


def is_a_valid_notebook(nb):
    yield from (f"is not a valid notebook: {error.message[:200]}" for error in iter_validate(nb))


def cells_have_ids(nb):
    ids = Counter(cell.get("id") for cell in nb.cells)
    yield from (f"{name(cell)} has no id" for cell in nb.cells if "id" not in cell)
    yield from (f"the cell id {key} occurs {n} times" for key, n in ids.items() if key and n > 1)


def cells_have_a_slide_type(nb):
    for cell in nb.cells:
        kind = slide_type(cell)
        if not kind:
            yield f"{name(cell)} has no slideshow.slide_type in its metadata"
        elif kind not in SLIDE_TYPES:
            yield f"{name(cell)} has the slide_type {kind!r}, which is none of {', '.join(SLIDE_TYPES)}"


def starts_a_section(cell):
    """Whether a cell has the heading of a section: ## outside of a block of code."""
    return cell.cell_type == "markdown" and bool(re.search("^## ", FENCED.sub("", cell.source), re.MULTILINE))


def sections_start_a_slide(nb):
    for cell in nb.cells:
        if starts_a_section(cell) and slide_type(cell) != "slide":
            yield f"{name(cell)} has the heading of a section, but not the slide_type slide"


def chapter_of(nb):
    """The two digits of the title; None where it has none."""
    return re.match(r"# (\d\d) · |", nb.cells[0].source)[1] if nb.cells else None


def sections_tell_their_minutes(nb):
    """For whoever presents it: the speaker notes of a section begin with how long it takes."""
    if chapter_of(nb) == MAP:
        return
    sections = []  # [the cell with its heading, whether its minutes are told]
    for cell in nb.cells:
        if starts_a_section(cell):
            sections.append([cell, False])
        elif sections and slide_type(cell) == "notes" and MINUTES.match(cell.source):
            sections[-1][1] = True
    for cell, told in sections:
        if not told:
            yield f'{name(cell)} is a section whose speaker notes do not begin with "Minutes: "'


def has_its_cards(nb):
    code = [k for k, cell in enumerate(nb.cells) if cell.cell_type == "code"] or [len(nb.cells)]
    for tag, place, in_place in (
        ("card-open", "before the first code cell", lambda k: k < code[0]),
        ("card-close", "after the last code cell", lambda k: k > code[-1] or code[-1] == len(nb.cells)),
    ):
        found = [k for k, cell in enumerate(nb.cells) if tag in tags(cell) and cell.cell_type == "markdown"]
        if len(found) != 1 or not in_place(found[0]):
            yield f"needs one markdown cell tagged {tag}, {place}"


def code_is_python(nb):
    for cell in code_cells(nb):
        try:
            tree(cell)
        except SyntaxError as error:
            yield f"{name(cell)} is not Python: {error.msg}"


def was_executed_in_order(nb):
    counts = [cell.execution_count for cell in code_cells(nb)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"was not executed from top to bottom in one go: its execution counts are {counts}"


def outputs_belong_to_the_code(nb):
    recorded = nb.metadata.get("lstm_tutorial", {})
    for key, value in STORED.items():
        if recorded.get(key) != value:
            yield f"holds outputs of {key} {recorded.get(key)!r}, not {value!r}: run make notebooks"
    if recorded.get("code_sha256") != code_sha256(nb):
        yield "holds outputs of other code than it shows: run make notebooks"


def says_which_data_it_uses(nb):
    loads = any("load_corpus" in cell.source for cell in code_cells(nb))
    if loads and not nb.metadata.get("lstm_tutorial", {}).get("uses"):
        yield 'calls load_corpus, but its metadata does not name the data: "lstm_tutorial": {"uses": [...]}'


def holds_no_error(nb):
    for cell in code_cells(nb):
        if any(output.output_type == "error" for output in cell.outputs):
            yield f"{name(cell)} holds an error"


def holds_no_widget_state(nb):
    if "widgets" in nb.metadata:
        yield "holds widget state in its metadata, which keeps it from being rendered elsewhere"


def no_trailing_semicolon(nb):
    blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.DEDENT, tokenize.ENDMARKER}
    for cell in code_cells(nb):
        source = TransformerManager().transform_cell(cell.source)
        tokens = [t for t in tokenize.generate_tokens(io.StringIO(source).readline) if t.type not in blank]
        if tokens and tokens[-1].string == ";":
            yield f"{name(cell)} ends with a semicolon, which suppresses nothing under nbval"


def silent_cells_are_meant_to_be(nb):
    """A cell without stored output is not compared: it must be one that shows nothing, yet does something."""
    for cell in code_cells(nb):
        if cell.outputs:
            continue
        body = tree(cell).body
        values = [s.value for s in body if isinstance(s, ast.Expr | ast.Assign)]
        shows = any(called(value) in SHOWING for value in values if isinstance(value, ast.Call))
        value = body and isinstance(body[-1], ast.Expr) and not isinstance(body[-1].value, ast.Call)
        if shows or value:
            yield f"{name(cell)} shows something, but no output is stored"
        elif not any(isinstance(node, DOING) for statement in body for node in ast.walk(statement)):
            yield f"{name(cell)} neither shows, defines, assigns nor asserts anything"


def images_have_alternative_text(nb):
    """In HTML, because JupyterLab does not hand on to the page what the metadata of an image says."""
    for cell in code_cells(nb):
        for output in cell.outputs:
            said = Alternatives("".join(output.get("data", {}).get("text/html", ""))).texts
            if not all(said):
                yield f"{name(cell)} shows a picture with an empty alternative text, or with none"
            elif images(output) and not said:
                yield f"{name(cell)} shows a picture without alternative text: use lstm_tutorial.picture.show"


def exercises_have_one_form(nb):
    numbers = []
    for before, cell, after in zip([None, *nb.cells], nb.cells, [*nb.cells[1:], None]):
        found = CHECK.findall(cell.source) if cell.cell_type == "code" else []
        if not found:
            if "exercise" in tags(cell):
                yield f"{name(cell)} is tagged exercise, but checks none"
            continue
        number = found[0]
        numbers.append(number)
        heading = f"### Exercise {number} · "
        if "exercise" not in tags(cell):
            yield f"{name(cell)} checks exercise {number}, but is not tagged exercise"
        if not re.search(rf'^(\w+) = check\("{number}", \1\)\s*\Z', cell.source, re.MULTILINE):
            yield f'{name(cell)} does not end with name = check("{number}", name)'
        if not (before and before.cell_type == "markdown" and before.source.startswith(heading)):
            yield f"{name(cell)} does not follow a markdown cell with the heading {heading}…"
        if not (after and after.cell_type == "markdown" and SOLUTION.search(after.source)):
            yield f"{name(cell)} is not followed by a markdown cell with the folded solution"
    chapter = chapter_of(nb)
    expected = [f"{chapter}.{k}" for k, _ in enumerate(numbers, start=1)]
    if numbers != expected:
        yield f"has the exercises {numbers}, which should be {expected}"
    if chapter and chapter <= LAST_CHAPTER and len(numbers) < EXERCISES:
        yield f"has {len(numbers)} exercises, and a chapter has at least {EXERCISES}"


def widgets_have_a_static_twin(nb):
    shown = False
    for cell in code_cells(nb):
        if calls(cell, "explore"):
            if not shown:
                yield f"{name(cell)} has a widget, but no cell before it shows a picture"
            if UNCHECKED not in tags(cell):
                yield f"{name(cell)} has a widget and is not tagged {UNCHECKED}"
        shown = shown or calls(cell, "show")


def holds_when_run(node):
    """Whether running these statements runs an assert that could fail: not in a function nobody calls."""
    if isinstance(node, ast.Assert):
        return not isinstance(node.test, ast.Constant)
    return not isinstance(node, DEFINITIONS) and any(map(holds_when_run, ast.iter_child_nodes(node)))


def unchecked_cells_assert(nb):
    for cell in code_cells(nb):
        if UNCHECKED in tags(cell) and not holds_when_run(tree(cell)):
            yield f"{name(cell)} is tagged {UNCHECKED} and asserts nothing in its place"


def says_why_most_is_unchecked(nb):
    unchecked = sum(UNCHECKED in tags(cell) for cell in code_cells(nb))
    if 2 * unchecked > len(code_cells(nb)) and not any("why-unchecked" in tags(cell) for cell in nb.cells):
        yield f"tags over half of its cells {UNCHECKED} and has no markdown cell tagged why-unchecked"


def checked_numbers_are_rounded(nb):
    for cell in code_cells(nb):
        if UNCHECKED in tags(cell):
            continue
        for text in (text for output in cell.outputs for text in texts(output)):
            for number in FLOAT.finditer(text):
                whole, decimals = number.groups()
                if len(decimals if int(whole) else decimals.lstrip("0")) > SIGNIFICANT:
                    yield f"{name(cell)} prints {number[0]}: round it, machines differ in the last digits"


SHAPE = (is_a_valid_notebook, cells_have_ids, code_is_python)
RULES = (
    cells_have_a_slide_type,
    sections_start_a_slide,
    sections_tell_their_minutes,
    has_its_cards,
    was_executed_in_order,
    outputs_belong_to_the_code,
    says_which_data_it_uses,
    holds_no_error,
    holds_no_widget_state,
    no_trailing_semicolon,
    silent_cells_are_meant_to_be,
    images_have_alternative_text,
    exercises_have_one_form,
    widgets_have_a_static_twin,
    unchecked_cells_assert,
    says_why_most_is_unchecked,
    checked_numbers_are_rounded,
)


def problems(nb) -> list[str]:
    """Every fault of a notebook, one sentence each; where its very shape is wrong, only that."""
    wrong_shape = [problem for rule in SHAPE for problem in rule(nb)]
    return wrong_shape or [problem for rule in RULES for problem in rule(nb)]


def main(argv) -> int:
    paths = [Path(arg) for arg in argv] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    faults = 0
    for path in paths:
        for problem in problems(read(path)):
            print(f"{path.name}: {problem}.")
            faults += 1
    print(f"{len(paths)} notebooks, {faults} faults.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
