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
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode, v4
from nbformat.validator import iter_validate

ROOT = Path(__file__).resolve().parent.parent
UNCHECKED = "nbval-ignore-output"
STORED = {"mode": "laptop", "corpus": "stand-in"}
SIGNIFICANT = 6

FLOAT = re.compile(r"(?<![\w.])(\d+)\.(\d+)")
SHOWING = {"print", "display", "show"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
DOING = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Assert, *DEFINITIONS)


def read(path) -> NotebookNode:
    """The notebook in a file, as it stands there: nothing is repaired on the way in."""
    return v4.reads(Path(path).read_text(encoding="utf-8"))


def code_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


def code_sha256(nb) -> str:
    """A hash of all code cells in their order, by which stored outputs can be told to be stale."""
    return hashlib.sha256(json.dumps([cell.source for cell in code_cells(nb)]).encode()).hexdigest()


def name(cell):
    """How a message refers to a cell: its id and the first line of it."""
    return f"cell {cell.get('id', 'without id')} ({(cell.source.strip() or '(empty)').splitlines()[0][:40]})"


def tree(cell) -> ast.Module:
    """The syntax tree of a cell, magics included."""
    return ast.parse(TransformerManager().transform_cell(cell.source))


def images(output):
    return [mime for mime in output.get("data", {}) if mime.startswith("image/")]


def texts(output):
    """What an output says in words: streams, and text, HTML and LaTeX of results."""
    if output.output_type == "stream":
        return [output.text]
    return [text for mime, text in output.get("data", {}).items() if mime.startswith("text/")]


# ---------------------------------------------------------------- the rules


def is_a_valid_notebook(nb):
    yield from (f"is not a valid notebook: {error.message[:200]}" for error in iter_validate(nb))


def cells_have_ids(nb):
    ids = Counter(cell.get("id") for cell in nb.cells)
    yield from (f"{name(cell)} has no id" for cell in nb.cells if "id" not in cell)
    yield from (f"the cell id {key} occurs {n} times" for key, n in ids.items() if key and n > 1)


def cells_have_a_slide_type(nb):
    for cell in nb.cells:
        if not cell.metadata.get("slideshow", {}).get("slide_type"):
            yield f"{name(cell)} has no slideshow.slide_type in its metadata"


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
        calls = [s.value for s in body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call)]
        shows = any(getattr(c.func, "attr", getattr(c.func, "id", None)) in SHOWING for c in calls)
        value = body and isinstance(body[-1], ast.Expr) and not isinstance(body[-1].value, ast.Call)
        if shows or value:
            yield f"{name(cell)} shows something, but no output is stored"
        elif not any(isinstance(node, DOING) for statement in body for node in ast.walk(statement)):
            yield f"{name(cell)} neither shows, defines, assigns nor asserts anything"


def images_have_alternative_text(nb):
    for cell in code_cells(nb):
        for output in cell.outputs:
            metadata = output.get("metadata", {})
            for mime in images(output):
                said = (cell.metadata, metadata, metadata.get(mime, {}))
                if not any(str(where.get("alt", "")).strip() for where in said):
                    yield f'{name(cell)} shows a picture without alternative text (cell metadata "alt")'


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
    has_its_cards,
    was_executed_in_order,
    outputs_belong_to_the_code,
    says_which_data_it_uses,
    holds_no_error,
    holds_no_widget_state,
    no_trailing_semicolon,
    silent_cells_are_meant_to_be,
    images_have_alternative_text,
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
