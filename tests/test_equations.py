"""The equations a student reads are the function that runs: the LaTeX is turned into Python and executed."""

import pickle
import re

import numpy as np
import pytest

from lstm_tutorial import equations as module
from lstm_tutorial import numpy_lstm
from lstm_tutorial.equations import NAMES, Equations, equations, terms
from lstm_tutorial.spec import GATE_SQUASHING, SQUASHING, CellSpec, variants

D, H, T = 3, 4, 3

# LaTeX to Python, one rule per construct. Nothing here knows about cells.
RULES = [
    (r"\\odot", "*"),
    (r"\\sigma_\{\\mathrm\{hard\}\}", "hard"),
    (r"\\mathrm\{(\w+)\}", r"\1"),
    (r"\\(tanh|sigma|min|max)\b", r"\1"),
    (r"\\bar\{\\mathbf\{([a-z])\}\}\^t(?![\w{])", r"now['\1_bar']"),
    (r"\\mathbf\{([a-z])\}\^\{t-1\}", r"before['\1']"),
    (r"\\mathbf\{([a-z])\}\^t(?![\w{])", r"now['\1']"),
    (r"\\mathbf\{([WR])\}_\{?(\w+)\}? ", r"P['\1_\2'] @ "),  # a matrix acts on what follows it
    (r"\\mathbf\{([pb])\}_\{?(\w+)\}?", r"P['\1_\2']"),
    (r"(?<![\w.'])(\d+(?:\.\d+)?) (?=sigma|a\b)", r"\1 * "),
]


def to_python(latex):
    """The statements of an ``aligned`` environment, in the order in which they are read."""
    begin, end = "\\begin{aligned}\n", "\n\\end{aligned}"
    assert latex.startswith(begin) and latex.endswith(end)
    body = latex[len(begin) : -len(end)].replace("\\\\\n&\\quad", "&\\quad")
    statements = []
    for row in body.split("\\\\\n"):
        cells = [cell.strip() for cell in row.split("&")]
        continued = " ".join(c.removeprefix("\\quad {} ") for c in cells if c.startswith("\\quad"))
        cells = [c for c in cells if c and not c.startswith(("\\quad", "\\text"))]
        assert len(cells) in (2, 4), row
        for left, right in ((cells[j], cells[j + 1]) for j in range(0, len(cells), 2)):
            statement = f"{left} {right} {continued if left is cells[0] else ''}".strip()
            for pattern, python in RULES:
                statement = re.sub(pattern, python, statement)
            assert "\\" not in statement and "{" not in statement, statement
            statements.append(re.sub(r"^hard\(a\) =", "hard = lambda a:", statement))
    return sorted(statements, key=lambda s: not s.startswith("hard ="))  # definitions come first


def run(latex, params, x, state):
    """y (T, H), the last c, and every other symbol, for one sequence x (T, D)."""

    def sigma(a):
        return np.where(a > 0, 1 / (1 + np.exp(-np.abs(a))), 1 - 1 / (1 + np.exp(-np.abs(a))))

    def softmax(a):
        return np.exp(a - a.max()) / np.exp(a - a.max()).sum()

    def relu(a):
        return np.where(a > 0, a, 0)

    functions = dict(tanh=np.tanh, sigma=sigma, softmax=softmax, ReLU=relu, min=np.minimum, max=np.maximum)
    statements = [compile(s, s, "exec") for s in to_python(latex)]
    before, history = dict(state), []
    for x_t in x:
        now = {"x": x_t}
        scope = functions | {"now": now, "before": before, "P": params}
        for statement in statements:
            exec(statement, scope)
        history.append(now)
        before = now
    return history


def experiment(spec, rng, B=2):
    """Random numbers through numpy_lstm: parameters, x, initial states, and what came out."""
    params = {k: rng.normal(size=shape) for k, shape in spec.parameter_shapes(D, H).items()}
    x = rng.normal(size=(T, B, D))
    state = tuple(rng.normal(size=s.shape) for s in numpy_lstm.zero_state(spec, B, H))
    y, last, tape = numpy_lstm.forward(spec, params, x, state)
    return params, x, state, y, last, tape


def difference(latex, data, B=2):
    """The largest difference between the LaTeX and numpy_lstm, over y, c and every named block."""
    params, x, state, y, last, tape = data
    worst = 0
    for b in range(B):
        initial = {"y": state[0][b], "c": state[1][b]}
        if len(state) == 3:
            initial |= {k: state[2][b, j * H : (j + 1) * H] for j, k in enumerate("ifo")}
        history = run(latex, params, x[:, b], initial)
        for t, now in enumerate(history):
            for letter in set(now) - {"x"}:
                if not letter.endswith("_bar"):
                    error = np.abs(getattr(tape, letter)[t, b] - now[letter]).max()
                    assert np.isfinite(error)
                    worst = max(worst, error)
        assert "y" in history[0] and ("c" in history[0]) == tape.spec.has_cell
        worst = max(worst, np.abs(last[0][b] - history[-1]["y"]).max())
    return worst


def random_specs(rng, wanted):
    """Valid cells from all corners of the space of specs."""

    def subset(letters):
        return "".join(k for k in letters if rng.random() < 0.6)

    found = []
    while len(found) < wanted:
        family = str(rng.choice(["lstm", "lstm", "lstm", "gru", "gru_reset_before", "rnn"]))
        fields = dict(family=family, content_reads=subset("xyb"), g=str(rng.choice(SQUASHING)))
        if family != "rnn":
            fields |= dict(gate_reads=subset("xyb"), gate_activation=str(rng.choice(GATE_SQUASHING)))
        if family == "lstm":
            fields |= dict(
                h=str(rng.choice(SQUASHING)),
                peepholes=subset("ifo"),
                gate_recurrence=bool(rng.random() < 0.4),
                input_gate=str(rng.choice(["learned", "learned", "one"])),
                output_gate=str(rng.choice(["learned", "learned", "one"])),
                forget_gate=str(rng.choice(["learned", "one", "coupled"])),
            )
        try:
            found.append(CellSpec(f"random {len(found)}", **fields))
        except ValueError:
            continue
    return found


@pytest.mark.parametrize("key", variants)
def test_what_is_read_is_what_runs(key):
    data = experiment(variants[key], np.random.default_rng(0))
    assert difference(variants[key].equations(), data) < 1e-12


def test_any_cell_one_can_invent():
    rng = np.random.default_rng(1)
    for spec in random_specs(rng, 300):
        # Without a bound on y or c, three steps of random numbers reach a few thousand: compare relatively.
        data = experiment(spec, rng)
        scale = max(1, np.abs(data[3]).max(), np.abs(data[4][1]).max())
        assert difference(spec.equations(), data) < 1e-12 * scale, spec


@pytest.mark.parametrize("key", variants)
def test_a_term_left_out_is_noticed(key, monkeypatch):
    """Each term of each sum is taken away in turn."""
    whole, data = terms(key), experiment(variants[key], np.random.default_rng(2))
    for symbol, parts in whole.items():
        for j in range(len(parts) if len(parts) > 1 else 0):
            less = whole | {symbol: parts[:j] + parts[j + 1 :]}
            monkeypatch.setattr(module, "terms", lambda spec, less=less: less)
            assert difference(equations(key), data) > 1e-6, parts[j]


@pytest.mark.parametrize(
    "key, right, wrong",
    [
        ("vanilla", r"\mathbf{p}_o \odot \mathbf{c}^t", r"\mathbf{p}_o \odot \mathbf{c}^{t-1}"),
        ("fgr", r"\mathbf{p}_o \odot \mathbf{c}^t", r"\mathbf{p}_o \odot \mathbf{c}^{t-1}"),
        ("fgr", r"\mathbf{R}_{fi} \mathbf{f}^{t-1}", r"\mathbf{R}_{if} \mathbf{f}^{t-1}"),
        ("vanilla", r"\tanh(\mathbf{c}^t)", r"\mathbf{c}^t"),
        ("lstm1997", r"4 \sigma", r"2 \sigma"),
        ("cifg", r"1 - \mathbf{i}^t", r"\mathbf{i}^t"),
        ("nfg", r"\mathbf{f}^t &= 1", r"\mathbf{f}^t &= 0"),
        (
            "gru",
            r"\mathbf{r}^t \odot (\mathbf{R}_n \mathbf{y}^{t-1} + \mathbf{b}_{Rn})",
            r"\mathbf{R}_n (\mathbf{r}^t \odot \mathbf{y}^{t-1}) + \mathbf{b}_{Rn}",
        ),
        (
            "gru_reset_before",
            r"\mathbf{R}_n (\mathbf{r}^t \odot \mathbf{y}^{t-1})",
            r"\mathbf{r}^t \odot (\mathbf{R}_n \mathbf{y}^{t-1})",
        ),
        (
            "gru",
            r"(1 - \mathbf{u}^t) \odot \mathbf{n}^t + \mathbf{u}^t \odot \mathbf{y}^{t-1}",
            r"(1 - \mathbf{u}^t) \odot \mathbf{y}^{t-1} + \mathbf{u}^t \odot \mathbf{n}^t",
        ),
    ],
)
def test_planted_errors_are_noticed(key, right, wrong):
    latex, data = str(equations(key)), experiment(variants[key], np.random.default_rng(3))
    assert latex.count(right) == 1
    assert difference(latex.replace(right, wrong), data) > 1e-3


def test_order_of_execution():
    """The output gate's peephole needs the new cell: moved before it, the statements cannot run."""
    lines = str(equations("vanilla")).split("\n")
    assert "{cell}" in lines[4] and "{output gate}" in lines[5]
    lines[4], lines[5] = lines[5], lines[4]
    data = experiment(variants["vanilla"], np.random.default_rng(4))
    with pytest.raises(KeyError, match="'c'"):
        difference("\n".join(lines), data)


def test_every_parameter_is_read_exactly_once():
    """No parameter is missing from the equations, and none is in them that the cell does not have."""
    for spec in [*variants.values(), *random_specs(np.random.default_rng(5), 100)]:
        named = re.findall(r"\\mathbf\{([WRpb])\}_\{?(\w+)", spec.equations())
        assert sorted(f"{letter}_{to}" for letter, to in named) == sorted(spec.parameter_shapes(D, H)), spec


def test_terms_of_the_vanilla_cell():
    assert terms("vanilla") == {
        "z_bar": ("W_z x", "R_z y⁻", "b_z"),
        "z": ("tanh(z_bar)",),
        "i_bar": ("W_i x", "R_i y⁻", "p_i ⊙ c⁻", "b_i"),
        "i": ("σ(i_bar)",),
        "f_bar": ("W_f x", "R_f y⁻", "p_f ⊙ c⁻", "b_f"),
        "f": ("σ(f_bar)",),
        "c": ("z ⊙ i", "c⁻ ⊙ f"),
        "o_bar": ("W_o x", "R_o y⁻", "p_o ⊙ c", "b_o"),
        "o": ("σ(o_bar)",),
        "y": ("tanh(c) ⊙ o",),
    }


def test_the_identity_is_not_written():
    assert r"\mathbf{z}^t &= \bar{\mathbf{z}}^t" in equations("niaf")
    assert r"\mathbf{y}^t &= \mathbf{c}^t \odot \mathbf{o}^t" in equations("noaf")


def test_in_a_notebook_and_as_plain_text():
    for key in variants:
        e = variants[key].equations()
        assert isinstance(e, str) and isinstance(e, Equations)
        assert e._repr_latex_() == e._repr_markdown_() == f"$$\n{e}\n$$"
        assert variants[key]._repr_markdown_() == e._repr_markdown_()
        # What a Markdown renderer that does not protect mathematics would eat, or GitHub forbids.
        assert not re.search(r"(?<!\\)\\[^a-zA-Z\\]|\\operatorname|\\color|\\boldsymbol|\*|<|\n\n", e)
        assert e.count("{") == e.count("}") and e.isascii()
        # Plain text: the same statements, a line per block.
        assert repr(e) == e.text and "\\" not in e.text
        for symbol, parts in terms(key).items():
            assert f"{symbol} = {parts[0]}" in e.text
        for line in e.text.split("\n"):
            assert line.endswith(tuple(NAMES.values())) and len(line) <= 105
        again = pickle.loads(pickle.dumps(e))
        assert (str(again), again.text) == (str(e), e.text)


def test_same_every_time_and_by_name():
    assert equations("np") == equations(variants["lstm"])
    with pytest.raises(KeyError, match="no cell is called"):
        equations("lstm2000000")
