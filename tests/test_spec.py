"""The cell as data: the catalogue, what is refused, parameter counts, and how the variants are tied.

The ties are the strongest oracle here: set some weights of a large cell to a constant or to another
weight, and it has to become a smaller cell, in its values and, by the chain rule, in its gradients.
"""

import copy
import pickle
from collections.abc import Mapping, MutableMapping
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_tutorial import CellSpec, numpy_lstm, variants
from lstm_tutorial.spec import as_spec

KEYS = (
    "vanilla lstm nig nfg nog niaf noaf cifg fgr lstm1997 lstm2000 lstm2002 no_srnn no_srnn_out "
    "no_srnn_hidden srnn no_gates_as_published slim1 slim2 slim3 gru gru_reset_before"
).split()
FOUR_SIGMOID = dict(g="4sigmoid-2", h="2sigmoid-1")


def same_cell(a, b):
    """Equal but for the name."""
    return replace(a, name="") == replace(b, name="")


# The catalogue


def test_catalogue_has_exactly_the_canonical_keys():
    assert sorted(variants) == sorted(KEYS)
    assert len(variants) == len(KEYS)
    assert all(variants[key].name == key for key in KEYS)
    assert len({replace(spec, name="") for spec in variants.values()}) == len(KEYS), "two keys are one cell"


@pytest.mark.parametrize("alias, key", [("np", "lstm"), ("no_gates", "srnn")])
def test_aliases(alias, key):
    assert variants[alias] is variants[key]
    assert variants.key(alias) == variants.key(key) == key
    assert alias in variants and variants.get(alias) is variants[key]
    assert alias not in list(variants)
    assert as_spec(alias) is variants[key]
    assert dict(variants.aliases)[alias] == key


def test_catalogue_is_read_only():
    assert isinstance(variants, Mapping) and not isinstance(variants, MutableMapping)
    with pytest.raises(TypeError):
        variants["mine"] = variants["lstm"]
    with pytest.raises(TypeError):
        del variants["lstm"]
    with pytest.raises(TypeError):
        variants.aliases["mine"] = "lstm"
    assert not hasattr(variants, "pop") and not hasattr(variants, "update")


def test_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(KeyError) as caught:
        variants["lstmm"]
    sentence = str(caught.value)
    assert sentence.startswith("no cell is called 'lstmm'") and all(key in sentence for key in KEYS)
    assert "lstmm" not in variants and variants.get("lstmm") is None
    with pytest.raises(KeyError):
        variants.key("lstmm")
    with pytest.raises(TypeError, match="CellSpec or a name"):
        as_spec(3)


@pytest.mark.parametrize(
    "key, changes",
    {
        "vanilla": {},
        "lstm": dict(peepholes=""),
        "nig": dict(input_gate="one"),
        "nfg": dict(forget_gate="one"),
        "nog": dict(output_gate="one"),
        "niaf": dict(g="linear"),
        "noaf": dict(h="linear"),
        "cifg": dict(forget_gate="coupled"),
        "fgr": dict(gate_recurrence=True),
        "lstm1997": dict(forget_gate="one", peepholes="", gate_recurrence=True, **FOUR_SIGMOID),
        "lstm2000": dict(peepholes="", **FOUR_SIGMOID),
        "lstm2002": dict(g="4sigmoid-2", h="linear"),
        "no_srnn": dict(peepholes="", g="linear", content_reads="x"),
        "no_srnn_out": dict(peepholes="", g="linear", content_reads="x", output_gate="one"),
        "no_srnn_hidden": dict(peepholes="", g="linear", content_reads="x", gate_reads="xb"),
        "no_gates_as_published": dict(peepholes="", gate_activation="linear", start="zero_gates"),
        "slim1": dict(peepholes="", gate_reads="yb"),
        "slim2": dict(peepholes="", gate_reads="y"),
        "slim3": dict(peepholes="", gate_reads="b"),
    }.items(),
)
def test_what_differs_from_vanilla(key, changes):
    assert same_cell(variants[key], replace(variants["vanilla"], **changes))


def test_cells_without_a_cell_state():
    cells = {key: spec.family for key, spec in variants.items() if not spec.has_cell}
    assert cells == {"srnn": "rnn", "gru": "gru", "gru_reset_before": "gru_reset_before"}
    assert all("b" not in variants["gru_reset_before"].reads(k) for k in "run")
    assert all("b" in variants["gru"].reads(k) for k in "run")


# The spec as a value


@pytest.mark.parametrize("key", KEYS)
def test_a_spec_is_a_frozen_hashable_value(key):
    spec = variants[key]
    with pytest.raises(FrozenInstanceError):
        spec.g = "relu"
    twin = pickle.loads(pickle.dumps(spec))
    assert twin == spec and hash(twin) == hash(spec) and len({twin, spec, copy.deepcopy(spec)}) == 1
    assert twin != replace(spec, name="other")


specs = st.builds(
    lambda **f: f,
    input_gate=st.sampled_from(["learned", "one"]),
    forget_gate=st.sampled_from(["learned", "one", "coupled"]),
    output_gate=st.sampled_from(["learned", "one"]),
    gate_reads=st.sets(st.sampled_from("xyb")).map("".join),
    content_reads=st.sets(st.sampled_from("xyb")).map("".join),
    peepholes=st.sets(st.sampled_from("ifo")).map("".join),
    gate_recurrence=st.booleans(),
    g=st.sampled_from(["tanh", "relu", "softmax", "4sigmoid-2"]),
    h=st.sampled_from(["tanh", "linear", "2sigmoid-1"]),
    gate_activation=st.sampled_from(["sigmoid", "hard_sigmoid", "linear"]),
)


@given(specs)
def test_any_accepted_cell_can_be_pasted_back_and_run(given_fields):
    """Whatever is not refused has to work: as text, in NumPy, forwards and backwards."""
    try:
        spec = CellSpec('it\'s "mine"', **given_fields)
    except ValueError:
        return
    assert eval(repr(spec), {"CellSpec": CellSpec}) == spec
    assert replace(spec) == spec
    rng = np.random.default_rng(0)
    params = numpy_lstm.init_params(spec, 2, 3, rng)
    y, last, tape = numpy_lstm.forward(spec, params, rng.normal(size=(2, 2, 2)))
    dx, dstate, grads = numpy_lstm.backward(spec, params, tape, np.ones_like(y))
    assert sum(p.size for p in params.values()) == spec.parameter_count(2, 3)
    assert {k: v.shape for k, v in grads.items()} == {k: v.shape for k, v in params.items()}
    assert np.isfinite(y).all() and np.isfinite(dx).all()


@pytest.mark.parametrize("key", KEYS)
def test_repr_can_be_pasted_back_and_names_only_what_differs(key):
    spec = variants[key]
    text = repr(spec)
    assert eval(text, {"CellSpec": CellSpec}) == spec
    for f in fields(spec)[1:]:
        assert (f"{f.name}=" in text) == (getattr(spec, f.name) != f.default)
    assert repr(variants["vanilla"]) == "CellSpec('vanilla')"


def test_letters_are_taken_in_any_form_and_order():
    first = CellSpec("a", gate_reads="bx", content_reads=["y", "x"], peepholes={"o", "f"})
    second = CellSpec("a", gate_reads=("x", "b"), content_reads=iter("xyx"), peepholes="fo")
    assert first == second and hash(first) == hash(second)
    assert first.gate_reads == ("x", "b") and first.peepholes == ("f", "o")


def test_cutting_a_gate_takes_its_wires_with_it():
    assert variants["nig"].peepholes == ("f", "o")
    assert variants["cifg"].peepholes == ("i", "o")
    assert variants["srnn"].peepholes == variants["srnn"].gate_reads == ()
    assert not any(name.endswith("_f") for name in variants["cifg"].parameter_shapes(2, 3))


@pytest.mark.parametrize(
    "fields, because",
    [
        (dict(forget_gate="coupled", input_gate="one"), "coupled"),
        (dict(gate_recurrence=True, input_gate="one", forget_gate="one", output_gate="one"), "learned gate"),
        (dict(start="zero_gates", input_gate="one", forget_gate="one", output_gate="one"), "learned gate"),
        (dict(gate_reads="", peepholes=""), "reads nothing"),
        (dict(gate_reads="", peepholes="io"), "gate f reads nothing"),
        (dict(content_reads=""), "content_reads"),
        (dict(gate_reads="yb", content_reads="yb"), "never sees its input"),
        (dict(family="lstmm"), "family is one of"),
        (dict(input_gate="coupled"), "input_gate is one of"),
        (dict(output_gate="coupled"), "output_gate is one of"),
        (dict(forget_gate="zero"), "forget_gate is one of"),
        (dict(g="swish"), "g is one of"),
        (dict(h="swish"), "h is one of"),
        (dict(g=None), "g is one of"),
        (dict(gate_activation="softmax"), "gate_activation is one of"),
        (dict(start="zeros"), "start is one of"),
        (dict(gate_reads="xq"), "'q'"),
        (dict(content_reads="c"), "'c'"),
        (dict(peepholes="z"), "'z'"),
        (dict(peepholes=None), "peepholes"),
        (dict(gate_recurrence=1), "True or False"),
        (dict(gate_recurrence="no"), "True or False"),
        (dict(family="rnn", forget_gate="coupled"), "forget_gate belongs"),
        (dict(family="rnn", gate_recurrence=True), "gate_recurrence belongs"),
        (dict(family="rnn", h="relu"), "h belongs"),
        (dict(family="rnn", gate_activation="linear"), "no gates"),
        (dict(family="rnn", start="zero_gates"), "no gates"),
        (dict(family="rnn", content_reads="yb"), "never sees its input"),
        (dict(family="gru", output_gate="one"), "output_gate belongs"),
        (dict(family="gru", content_reads="xb"), "reset"),
        (dict(family="gru_reset_before", gate_reads=""), "reads? nothing"),
    ],
)
def test_what_means_nothing_is_refused_with_a_sentence(fields, because):
    with pytest.raises(ValueError, match=because) as caught:
        CellSpec("odd", **fields)
    sentence = str(caught.value)
    assert sentence.startswith("cell 'odd': ") and sentence.endswith(".") and "\n" not in sentence


# Parameter counts: m inputs, n units


def gates(k, m, n):
    """k blocks that read x, y and a bias."""
    return k * (m * n + n * n + n)


COUNTS = {
    "vanilla": lambda m, n: gates(4, m, n) + 3 * n,
    "lstm": lambda m, n: 4 * (m * n + n**2 + n),
    "nig": lambda m, n: gates(3, m, n) + 2 * n,
    "nfg": lambda m, n: gates(3, m, n) + 2 * n,
    "nog": lambda m, n: gates(3, m, n) + 2 * n,
    "niaf": lambda m, n: gates(4, m, n) + 3 * n,
    "noaf": lambda m, n: gates(4, m, n) + 3 * n,
    "cifg": lambda m, n: gates(3, m, n) + 2 * n,
    "fgr": lambda m, n: gates(4, m, n) + 3 * n + 9 * n * n,
    "lstm1997": lambda m, n: gates(3, m, n) + 4 * n * n,
    "lstm2000": lambda m, n: gates(4, m, n),
    "lstm2002": lambda m, n: gates(4, m, n) + 3 * n,
    "no_srnn": lambda m, n: gates(3, m, n) + m * n,
    "no_srnn_out": lambda m, n: gates(2, m, n) + m * n,
    "no_srnn_hidden": lambda m, n: m * n + 3 * (m * n + n),
    "srnn": lambda m, n: gates(1, m, n),
    "no_gates_as_published": lambda m, n: gates(4, m, n),
    "slim1": lambda m, n: m * n + 4 * n**2 + 4 * n,
    "slim2": lambda m, n: m * n + 4 * n**2 + n,
    "slim3": lambda m, n: m * n + n**2 + 4 * n,
    "gru": lambda m, n: gates(3, m, n) + n,
    "gru_reset_before": lambda m, n: 3 * (m * n + n * n),
}


@given(st.sampled_from(KEYS), st.integers(1, 700), st.integers(1, 700))
def test_parameter_counts_are_the_closed_forms(key, m, n):
    assert variants[key].parameter_count(m, n) == COUNTS[key](m, n)


@pytest.mark.parametrize("key", KEYS)
def test_parameters_drawn_are_those_counted(key):
    params = numpy_lstm.init_params(key, 3, 5, np.random.default_rng(0))
    assert sum(p.size for p in params.values()) == COUNTS[key](3, 5)
    assert {name: p.shape for name, p in params.items()} == variants[key].parameter_shapes(3, 5)


def test_cutting_one_of_the_gates_that_recur_leaves_four_matrices():
    for spec in (replace(variants["fgr"], forget_gate="coupled"), variants["lstm1997"]):
        recurrent = [k for k in spec.parameter_shapes(2, 3) if k.startswith("R_") and len(k) == 4]
        assert sorted(recurrent) == ["R_ii", "R_io", "R_oi", "R_oo"]


@pytest.mark.parametrize("H, published", [(200, 4_651_600), (650, 19_775_200), (1500, 66_022_000)])
def test_penn_treebank_models_have_the_published_size(H, published):
    V = 10_000
    assert V * H + 2 * variants["lstm"].parameter_count(H, H) + V * H + V == published


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0), (-1, 3)])
def test_sizes_below_one_are_refused(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        variants["lstm"].parameter_count(*sizes)


# Ties between variants


def run(spec, params, x, state, dy, dstate):
    y, last, tape = numpy_lstm.forward(spec, params, x, state)
    dx, dstate_0, grads = numpy_lstm.backward(spec, params, tape, dy, dstate)
    return dict(y=y, last=last, dx=dx, dstate=dstate_0, grads=grads)


def close(a, b, tolerance=1e-12):
    scale = max(1.0, np.abs(b).max(initial=0))
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


def check_tie(small, big, wire, D=3, H=4, c_scale=1.0, y_scale=1.0):
    """The big cell, its weights wired so, is the small cell: values, and gradients by the chain rule.

    ``wire(name)`` says what a weight of the big cell is: (factor, a small cell's weight), or a number.
    The big cell's c and y are c_scale and y_scale times the small cell's.
    """
    small, big = as_spec(small), as_spec(big)
    rng = np.random.default_rng(7)
    params = {k: rng.uniform(-1, 1, s) for k, s in small.parameter_shapes(D, H).items()}
    shapes = big.parameter_shapes(D, H)
    wires = {name: wire(name) for name in shapes}
    tied = {name: w for name, w in wires.items() if isinstance(w, tuple)}
    assert {source for _, source in tied.values()} == set(params), "every small weight is tied"
    wired = {k: w[0] * params[w[1]] if k in tied else np.full(shapes[k], float(w)) for k, w in wires.items()}
    x, dy = rng.normal(size=(6, 2, D)), rng.normal(size=(6, 2, H))
    state, dstate = (tuple(rng.normal(size=(2, H)) for _ in range(2)) for _ in range(2))

    ours = run(small, params, x, state, dy, dstate)
    theirs = run(
        big,
        wired,
        x,
        (state[0] * y_scale, state[1] * c_scale),
        dy / y_scale,
        (dstate[0] / y_scale, dstate[1] / c_scale),
    )
    close(theirs["y"] / y_scale, ours["y"])
    close(theirs["dx"], ours["dx"])
    for k, scale in enumerate((y_scale, c_scale)):
        close(theirs["last"][k] / scale, ours["last"][k])
        close(theirs["dstate"][k] * scale, ours["dstate"][k])
    for name in params:
        pulled = sum(factor * theirs["grads"][k] for k, (factor, source) in tied.items() if source == name)
        close(pulled, ours["grads"][name])
        assert np.abs(ours["grads"][name]).max() > 1e-3, f"the gradient of {name} is too small to tell"


def keep(name):
    return 1, name


def open_gate(k):
    """Everything of gate k is zero but its bias: σ(40) rounds to 1 in float64, and σ′(40) is 4e-18."""
    return lambda name: (40 if name[0] == "b" else 0) if name.endswith(f"_{k}") else keep(name)


def zero(*names):
    return lambda name: 0 if name in names else keep(name)


GATE_MATRICES = tuple(f"R_{a}{b}" for a in "ifo" for b in "ifo")


def by_prefix(letters, gates="ifo"):
    return tuple(f"{letter}_{k}" for letter in letters for k in gates)


TIES = {
    "cifg is vanilla with the forget gate's weights the input gate's, negated": (
        "cifg",
        "vanilla",
        lambda name: (-1, name.replace("_f", "_i")) if name.endswith("_f") else keep(name),
    ),
    "lstm is vanilla without peepholes": ("lstm", "vanilla", zero(*by_prefix("p"))),
    "nig": ("nig", "vanilla", open_gate("i")),
    "nfg": ("nfg", "vanilla", open_gate("f")),
    "nog": ("nog", "vanilla", open_gate("o")),
    "vanilla is fgr without its nine matrices": ("vanilla", "fgr", zero(*GATE_MATRICES)),
    "slim1 is lstm with gates blind to x": ("slim1", "lstm", zero(*by_prefix("W"))),
    "slim2 is lstm with gates blind to x and without bias": ("slim2", "lstm", zero(*by_prefix("Wb"))),
    "slim2 is slim1 without bias": ("slim2", "slim1", zero(*by_prefix("b"))),
    "slim3 is lstm with nothing but a bias": ("slim3", "lstm", zero(*by_prefix("WR"))),
    "no_srnn is a linear lstm without recurrence and bias in its content": (
        "no_srnn",
        replace(variants["lstm"], g="linear"),
        zero("R_z", "b_z"),
    ),
    "no_srnn_out is no_srnn with an open output gate": ("no_srnn_out", "no_srnn", open_gate("o")),
    "no_srnn_hidden is no_srnn with gates blind to y": ("no_srnn_hidden", "no_srnn", zero(*by_prefix("R"))),
    "lstm1997 without gate recurrence is lstm2000 that never forgets": (
        replace(variants["lstm1997"], gate_recurrence=False),
        "lstm2000",
        open_gate("f"),
    ),
    "lstm1997 without its four matrices": (
        replace(variants["lstm1997"], gate_recurrence=False),
        "lstm1997",
        zero(*GATE_MATRICES),
    ),
    "lstm1997 is fgr with its squashing, a forget gate that is one, and no wires to or from it": (
        "lstm1997",
        replace(variants["fgr"], **FOUR_SIGMOID),
        lambda name: (40 if name == "b_f" else 0) if "f" in name[2:] or name[0] == "p" else keep(name),
    ),
    "lstm2000 is lstm2002 without peepholes, but for h": (
        replace(variants["lstm2000"], h="linear"),
        "lstm2002",
        zero(*by_prefix("p")),
    ),
    # 4σ(a) − 2 = 2 tanh(a/2) and 2σ(c) − 1 = tanh(c/2): that of 1997 is tanh with a cell twice as large.
    "lstm2000 is lstm with half of z": (
        "lstm2000",
        "lstm",
        lambda name: (0.5, name) if name.endswith("_z") else keep(name),
        dict(c_scale=0.5),
    ),
    "lstm2002 is noaf with half of z, c and y": (
        "lstm2002",
        "noaf",
        lambda name: ({"W_z": 0.5, "b_z": 0.5, "R_z": 1}.get(name, 2 if name[0] in "Rp" else 1), name),
        dict(c_scale=0.5, y_scale=0.5),
    ),
    "the two GRUs are one for a single unit without biases": (
        "gru_reset_before",
        "gru",
        lambda name: 0 if name[0] == "b" else (-1 if name.endswith("_u") else 1, name),
        dict(H=1),
    ),
}


@pytest.mark.parametrize("tie", TIES)
def test_tie(tie):
    small, big, wire, *options = TIES[tie]
    check_tie(small, big, wire, **(options[0] if options else {}))


def test_the_simple_recurrent_network_is_an_lstm_that_only_writes():
    """i = o = 1, f = 0, h linear. σ(−40) = 4e-18 is closed enough for float64."""
    only_writes = CellSpec("only_writes", input_gate="one", output_gate="one", peepholes="", h="linear")
    rng = np.random.default_rng(1)
    params = numpy_lstm.init_params("srnn", 3, 4, rng, scale=1)
    closed = {"W_f": np.zeros((4, 3)), "R_f": np.zeros((4, 4)), "b_f": np.full(4, -40.0)}
    x, dy = rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 2, 4))
    y_0, dy_T, zeros = rng.normal(size=(2, 4)), rng.normal(size=(2, 4)), np.zeros((2, 4))
    ours = run("srnn", params, x, (y_0, zeros), dy, (dy_T, zeros))
    theirs = run(only_writes, params | closed, x, (y_0, zeros), dy, (dy_T, zeros))
    close(theirs["y"], ours["y"])
    close(theirs["dx"], ours["dx"])
    close(theirs["dstate"][0], ours["dstate"][0])
    for name in params:
        close(theirs["grads"][name], ours["grads"][name])


def test_simple_recurrent_network_is_three_lines():
    rng = np.random.default_rng(2)
    p = numpy_lstm.init_params("srnn", 3, 4, rng, scale=1)
    x, y = rng.normal(size=(5, 2, 3)), rng.normal(size=(2, 4))
    ys, last, _ = numpy_lstm.forward("srnn", p, x, (y, np.zeros((2, 4))))
    for t in range(5):
        y = np.tanh(x[t] @ p["W_z"].T + y @ p["R_z"].T + p["b_z"])
        close(ys[t], y, 1e-14)
    assert (last[0] == ys[-1]).all() and (last[1] == 0).all()


@pytest.mark.parametrize("key, vanilla", [("niaf", "vanilla"), ("noaf", "vanilla"), ("niaf", "noaf")])
def test_linear_activations_are_the_limit_of_small_block_inputs(key, vanilla):
    """tanh(εa) = εa − O(ε³): with block inputs ε times as large the relative difference falls with ε²."""

    def difference(eps):
        rng = np.random.default_rng(3)
        params = numpy_lstm.init_params("vanilla", 3, 4, rng, scale=1)
        params |= {k: eps * params[k] for k in ("W_z", "R_z", "b_z")}
        x, dy = rng.normal(size=(5, 2, 3)), rng.normal(size=(5, 2, 4))
        state = (eps * rng.normal(size=(2, 4)), eps * rng.normal(size=(2, 4)))
        a, b = (run(k, params, x, state, dy, None) for k in (key, vanilla))
        of_y = np.abs(a["y"] - b["y"]).max() / np.abs(b["y"]).max()
        of_gradient = np.abs(a["grads"]["W_z"] - b["grads"]["W_z"]).max() / np.abs(b["grads"]["W_z"]).max()
        return np.array([of_y, of_gradient])

    coarse, fine = difference(1e-1), difference(1e-2)
    assert (difference(1.0) > 1e-2).all(), "at full size they are different cells"
    assert (coarse < 0.1).all()
    np.testing.assert_allclose(coarse / fine, 100, rtol=0.35)


def gru_pair(H, y_0, diagonal=False):
    """y of both GRUs, with the same weights but for the sign of the update gate's."""
    rng = np.random.default_rng(4)
    p = numpy_lstm.init_params("gru_reset_before", 3, H, rng, scale=1)
    if diagonal:
        p["R_n"] = np.diag(np.diag(p["R_n"]))
    q = {k: -v if k.endswith("_u") else v for k, v in p.items()}
    q |= {k: np.zeros(H) for k in ("b_r", "b_u", "b_n", "b_Rn")}
    x = rng.normal(size=(5, 2, 3))
    state = (np.full((2, H), y_0), np.zeros((2, H)))
    return numpy_lstm.forward("gru_reset_before", p, x, state)[0], numpy_lstm.forward("gru", q, x, state)[0]


def test_the_two_grus_differ_for_two_units():
    before, after = gru_pair(H=2, y_0=0.5)
    assert np.abs(before - after).max() > 1e-3
    before, after = gru_pair(H=2, y_0=0.0)
    close(before[0], after[0])  # nothing to reset at the first step
    assert np.abs(before[1] - after[1]).max() > 1e-4


def test_the_two_grus_agree_when_the_recurrence_is_diagonal():
    close(*gru_pair(H=4, y_0=0.5, diagonal=True))


def test_slim3_ignores_the_input_in_its_gates():
    rng = np.random.default_rng(5)
    params = numpy_lstm.init_params("slim3", 3, 4, rng, scale=1)
    (y, _, tape), (y2, _, tape2) = (
        numpy_lstm.forward("slim3", params, rng.normal(size=(5, 2, 3)), rng.normal(size=(2, 2, 4)))
        for _ in range(2)
    )
    for k in "ifo":
        gate, other = getattr(tape, k), getattr(tape2, k)
        assert (gate == other).all() and (gate == gate[0, 0]).all()
        close(gate[0, 0], 1 / (1 + np.exp(-params[f"b_{k}"])))
    assert np.abs(tape.z - tape2.z).max() > 0.1 and np.abs(y - y2).max() > 0.01


@pytest.mark.parametrize("key", ["slim1", "slim2"])
def test_gates_of_slim_cells_see_the_input_one_step_late(key):
    """At the first step they know y_0 only; at the second they have read the first x through y."""
    rng = np.random.default_rng(6)
    params = numpy_lstm.init_params(key, 3, 4, rng, scale=1)
    x = rng.normal(size=(2, 1, 3))
    _, _, tape = numpy_lstm.forward(key, params, x)
    _, _, other = numpy_lstm.forward(key, params, x + [[[1.0]], [[0.0]]])
    assert (tape.i[0] == other.i[0]).all() and np.abs(tape.i[1] - other.i[1]).max() > 1e-3


def test_content_without_recurrence_does_not_see_the_past():
    rng = np.random.default_rng(8)
    x = rng.normal(size=(4, 2, 3))
    for key in ("no_srnn", "no_srnn_out", "no_srnn_hidden"):
        params = numpy_lstm.init_params(key, 3, 4, rng, scale=1)
        _, _, tape = numpy_lstm.forward(key, params, x, rng.normal(size=(2, 2, 4)))
        close(tape.z, x @ params["W_z"].T)
        sees_y = np.abs(tape.i[0] - 1 / (1 + np.exp(-(x[0] @ params["W_i"].T + params["b_i"])))).max() > 1e-3
        assert sees_y == (key != "no_srnn_hidden")


# The published network without gates


def test_cell_without_gates_as_published_is_dead():
    rng = np.random.default_rng(9)
    spec = variants["no_gates_as_published"]
    params = numpy_lstm.init_params(spec, 3, 4, rng)
    assert all((params[k] != 0).any() == k.endswith("_z") for k in params)
    x, dy = rng.normal(size=(6, 2, 3)), rng.normal(size=(6, 2, 4))
    out = run(spec, params, x, rng.normal(size=(2, 2, 4)), dy, (rng.normal(size=(2, 4)), np.zeros((2, 4))))
    assert (out["y"] == 0).all() and (out["last"][0] == 0).all() and (out["last"][1] == 0).all()
    assert (out["dx"] == 0).all() and all((d == 0).all() for d in out["dstate"])
    assert all((g == 0).all() for g in out["grads"].values())


def test_what_is_dead_is_the_start_and_not_the_cell():
    rng = np.random.default_rng(10)
    alive = replace(variants["no_gates_as_published"], start="default")
    params = numpy_lstm.init_params(alive, 3, 4, rng)
    x, dy = rng.normal(size=(6, 2, 3)), rng.normal(size=(6, 2, 4))
    for spec in (alive, variants["no_gates_as_published"]):  # the start is no part of the function
        out = run(spec, params, x, None, dy, None)
        assert all(np.abs(g).max() > 0 for g in out["grads"].values())


@pytest.mark.parametrize("key", KEYS)
def test_only_the_dead_start_has_gates_at_zero(key):
    at_zero = [k for k in variants[key].parameter_shapes(2, 3) if variants[key].starts_at_zero(k)]
    expected = [f"{a}_{k}" for a in "WRb" for k in "ifo"] if key == "no_gates_as_published" else []
    assert sorted(at_zero) == sorted(expected)
