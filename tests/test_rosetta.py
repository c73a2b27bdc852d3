"""Converters between libraries: against the libraries themselves where they are there, and round trips."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from lstm_tutorial import LSTM, numpy_lstm, variants
from lstm_tutorial.gradient_check import draw_problem, error
from lstm_tutorial.rosetta import LIBRARIES, ORDERS, from_order, names_table, options, to_order

BEFORE = variants["gru_reset_before"]
BIASED = replace(BEFORE, name="reset before, with biases", gate_reads="xyb", content_reads="xyb")
CELLS = [
    (spec, library)
    for spec in (variants["lstm"], variants["vanilla"], variants["gru"], BEFORE, BIASED)
    for library in LIBRARIES
    if (spec.family != "gru_reset_before" or library in ("keras", "onnx"))
    and (not spec.peepholes or library == "onnx")
]


def ids(value):
    return getattr(value, "name", value)


def outputs(problem, state=None):
    return numpy_lstm.forward(problem.spec, problem.params, problem.x, state)[0]


@pytest.mark.parametrize("spec, library", CELLS, ids=ids)
def test_there_and_back_gives_the_same_numbers(spec, library):
    problem = draw_problem(spec, np.random.default_rng(0))
    back = from_order(spec, to_order(spec, problem.params, library), library)
    assert list(back) == list(spec.parameter_shapes(3, 4))
    assert all(np.array_equal(back[name], a) for name, a in problem.params.items())


@pytest.mark.parametrize("spec, library", CELLS, ids=ids)
def test_every_number_arrives_once(spec, library):
    problem = draw_problem(spec, np.random.default_rng(0))
    arrays = to_order(spec, problem.params, library)
    sent = np.sort(np.abs(np.concatenate([a.ravel() for a in problem.params.values()])))
    found = np.abs(np.concatenate([a.ravel() for a in arrays.values()]))
    assert np.array_equal(np.sort(found[found > 0]), sent)


@pytest.mark.parametrize("name", ["lstm", "gru"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_no_two_libraries_of_different_order_are_taken_for_one_another(name, library):
    """A wrong order is another function: that is what the tests below could not otherwise see."""
    problem = draw_problem(name, np.random.default_rng(0))
    right = to_order(name, problem.params, "torch")
    order = ORDERS[name][library]
    n = len(order)
    moved = {
        key: np.concatenate([np.split(a, n)[ORDERS[name]["torch"].index(k)] for k in order])
        for key, a in right.items()
    }
    y, _, _ = numpy_lstm.forward(name, from_order(name, moved, "torch"), problem.x)
    assert (error(y, outputs(problem)) < 1e-12) == (order == ORDERS[name]["torch"])


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_torch(name):
    problem = draw_problem(name, np.random.default_rng(1))
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[name](3, 4, dtype=torch.float64)
    given = to_order(name, problem.params, "torch")
    layer.load_state_dict({f"{k}_l0": torch.tensor(a) for k, a in given.items()})
    y_0, c_0 = (torch.tensor(s)[None] for s in problem.state)
    y, _ = layer(torch.tensor(problem.x), (y_0, c_0) if name == "lstm" else y_0)
    assert error(y.detach().numpy(), outputs(problem, problem.state)) < 1e-12

    ours = LSTM(name, 3, 4, dtype=torch.float64)
    ours.load_numpy([problem.params])
    for k, a in ours.to_torch().items():  # the layer's own way to the same arrays
        assert np.array_equal(a.numpy(), given[k.removesuffix("_l0")]), k


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_two_biases_of_torch_become_what_they_do_together(name):
    layer = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[name](3, 4, dtype=torch.float64)
    arrays = {k.removesuffix("_l0"): p.detach().numpy() for k, p in layer.named_parameters()}
    problem = draw_problem(name, np.random.default_rng(2))
    y, _, _ = numpy_lstm.forward(name, from_order(name, arrays, "torch"), problem.x)
    assert error(y, layer(torch.tensor(problem.x))[0].detach().numpy()) < 1e-12


def sigma(a):
    return 1 / (1 + np.exp(-a))


def onnx_lstm(X, W, R, B, P, H, C):
    """The equations of ONNX's operator LSTM, in its own letters; opset 22."""
    W, R, B, P = (np.split(a[0], n) for a, n in ((W, 4), (R, 4), (B, 8), (P, 3)))
    Y = []
    for x in X:
        i, o, f, c = (x @ w.T + H @ r.T + b + rb for w, r, b, rb in zip(W, R, B[:4], B[4:], strict=True))
        i, f, c = sigma(i + P[0] * C), sigma(f + P[2] * C), np.tanh(c)
        C = f * C + i * c
        H = sigma(o + P[1] * C) * np.tanh(C)
        Y.append(H)
    return np.stack(Y)


def onnx_gru(X, W, R, B, H, linear_before_reset=0):
    """The equations of ONNX's operator GRU; opset 22."""
    (Wz, Wr, Wh), (Rz, Rr, Rh) = np.split(W[0], 3), np.split(R[0], 3)
    Wbz, Wbr, Wbh, Rbz, Rbr, Rbh = np.split(B[0], 6)
    Y = []
    for x in X:
        z, r = sigma(x @ Wz.T + H @ Rz.T + Wbz + Rbz), sigma(x @ Wr.T + H @ Rr.T + Wbr + Rbr)
        if linear_before_reset:
            h = np.tanh(x @ Wh.T + r * (H @ Rh.T + Rbh) + Wbh)
        else:
            h = np.tanh(x @ Wh.T + (r * H) @ Rh.T + Rbh + Wbh)
        H = (1 - z) * h + z * H
        Y.append(H)
    return np.stack(Y)


@pytest.mark.parametrize("spec", [variants["lstm"], variants["vanilla"]], ids=ids)
def test_onnx_lstm_by_its_equations(spec):
    problem = draw_problem(spec, np.random.default_rng(3))
    arrays = {"P": np.zeros((1, 12))} | to_order(spec, problem.params, "onnx")
    y = onnx_lstm(problem.x, **arrays, H=problem.state[0], C=problem.state[1])
    assert error(y, outputs(problem, problem.state)) < 1e-12


@pytest.mark.parametrize("spec", [variants["gru"], BEFORE, BIASED], ids=ids)
def test_onnx_gru_by_its_equations(spec):
    problem = draw_problem(spec, np.random.default_rng(4))
    arrays, chosen = to_order(spec, problem.params, "onnx"), options(spec, "onnx")
    y = onnx_gru(problem.x, **arrays, H=problem.state[0], **chosen)
    assert error(y, outputs(problem, problem.state)) < 1e-12
    other = {"linear_before_reset": 1 - chosen["linear_before_reset"]}
    assert error(onnx_gru(problem.x, **arrays, H=problem.state[0], **other), y) > 1e-3


@pytest.mark.parametrize(
    "spec", [variants["lstm"], variants["vanilla"], variants["gru"], BEFORE, BIASED], ids=ids
)
def test_onnx_by_its_reference_code(spec):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    problem = draw_problem(spec, np.random.default_rng(5))
    arrays = to_order(spec, problem.params, "onnx")
    feeds = {"X": problem.x, **arrays, "initial_h": problem.state[0][None]}
    slots = ["X", "W", "R", "B", "", "initial_h"]
    if spec.has_cell:
        feeds["initial_c"] = problem.state[1][None]
        slots += ["initial_c"] + ["P"] * ("P" in arrays)
    node = onnx.helper.make_node(
        "LSTM" if spec.has_cell else "GRU", slots, ["Y"], hidden_size=4, **options(spec, "onnx")
    )
    infos = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.DOUBLE, None) for n in (*feeds, "Y")]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "cell", infos[:-1], infos[-1:]))
    (y,) = ReferenceEvaluator(model).run(None, feeds)
    assert error(y[:, 0], outputs(problem, problem.state)) < 1e-12


@pytest.mark.parametrize("spec", [variants["lstm"], variants["gru"], BEFORE, BIASED], ids=ids)
def test_keras_itself(spec):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    problem = draw_problem(spec, np.random.default_rng(6))
    kind = keras.layers.LSTM if spec.has_cell else keras.layers.GRU
    layer = kind(4, return_sequences=True, dtype="float64", **options(spec, "keras"))
    layer.build((None, None, 3))
    given = to_order(spec, problem.params, "keras")
    layer.set_weights([given[k] for k in ("kernel", "recurrent_kernel", "bias")])
    y = keras.ops.convert_to_numpy(layer(problem.x.swapaxes(0, 1))).swapaxes(0, 1)
    assert error(y, outputs(problem)) < 1e-6


def cudnn(kind, x, arrays, states):
    """The equations of NVIDIA's reference, by linLayerID: W is 0, 1, …, R goes on where W ends."""
    n = 4 if kind == "lstm" else 3
    M, b = ([arrays[f"{what}_{k}"] for k in range(2 * n)] for what in ("matrix", "bias"))
    h, c = states
    ys = []
    for x_t in x:
        Wx, Rh = [x_t @ M[k].T + b[k] for k in range(n)], [h @ M[n + k].T + b[n + k] for k in range(n)]
        if kind == "lstm":  # 0 input, 1 forget, 2 new memory, 3 output
            i, f, new, o = (u + v for u, v in zip(Wx, Rh, strict=True))
            c = sigma(f) * c + sigma(i) * np.tanh(new)
            h = sigma(o) * np.tanh(c)
        else:  # 0 reset, 1 update, called i, 2 new memory
            r, i = sigma(Wx[0] + Rh[0]), sigma(Wx[1] + Rh[1])
            h = (1 - i) * np.tanh(Wx[2] + r * Rh[2]) + i * h
        ys.append(h)
    return np.stack(ys)


def haste_gru(x, kernel, recurrent_kernel, bias, recurrent_bias, h):
    """What haste documents: gates z, r, h; the variant that resets after the product."""
    ys = []
    for x_t in x:
        Wx = np.split(x_t @ kernel + bias, 3, -1)
        Rh = np.split(h @ recurrent_kernel + recurrent_bias, 3, -1)
        z, r = sigma(Wx[0] + Rh[0]), sigma(Wx[1] + Rh[1])
        h = z * h + (1 - z) * np.tanh(Wx[2] + r * Rh[2])
        ys.append(h)
    return np.stack(ys)


def haste_lstm(x, kernel, recurrent_kernel, bias, h, c):
    """What haste documents: gates i, g, f, o, and x times the matrix."""
    ys = []
    for x_t in x:
        i, g, f, o = np.split(x_t @ kernel + h @ recurrent_kernel + bias, 4, -1)
        c = sigma(f) * c + sigma(i) * np.tanh(g)
        h = sigma(o) * np.tanh(c)
        ys.append(h)
    return np.stack(ys)


def flashrnn(kind, x, W, R, b, states):
    """What FlashRNN's plain code computes for one head: pre-activations Wx + Ry + b, (gate, head, H)."""
    h, c = states
    ys = []
    for x_t in x:
        Wx, Ry = np.einsum("gnhd,bd->gbh", W, x_t), np.einsum("gnoi,bi->gbo", R, h)
        if kind == "lstm":
            i, f, z, o = Wx + Ry + b
            c = sigma(f) * c + sigma(i) * np.tanh(z)
            h = sigma(o) * np.tanh(c)
        else:
            g, r, z = Ry[0] + b[0], sigma(Wx[0] + Ry[1] + b[1]), sigma(Wx[1] + Ry[2] + b[2])
            h = z * h + (1 - z) * np.tanh(Wx[2] + b[3] + r * g)
        ys.append(h)
    return np.stack(ys)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_cudnn_by_its_documentation(name):
    problem = draw_problem(name, np.random.default_rng(9))
    y = cudnn(name, problem.x, to_order(name, problem.params, "cudnn"), problem.state)
    assert error(y, outputs(problem, problem.state)) < 1e-12


def test_haste_by_its_documentation():
    problem = draw_problem("gru", np.random.default_rng(7))
    y = haste_gru(problem.x, **to_order("gru", problem.params, "haste"), h=problem.state[0])
    assert error(y, outputs(problem, problem.state)) < 1e-12
    problem = draw_problem("lstm", np.random.default_rng(7))
    y = haste_lstm(
        problem.x, **to_order("lstm", problem.params, "haste"), h=problem.state[0], c=problem.state[1]
    )
    assert error(y, outputs(problem, problem.state)) < 1e-12


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_flashrnn_by_its_plain_code(name):
    problem = draw_problem(name, np.random.default_rng(8))
    y = flashrnn(name, problem.x, **to_order(name, problem.params, "flashrnn"), states=problem.state)
    assert error(y, outputs(problem, problem.state)) < 1e-12


@pytest.mark.parametrize(
    "name, library, why",
    [
        ("vanilla", "torch", "torch has no peepholes"),
        ("gru_reset_before", "torch", "resets after the recurrent product"),
        ("cifg", "onnx", "no library here has a cell like 'cifg'"),
        ("srnn", "keras", "no library here has a cell like 'srnn'"),
        ("lstm", "caffe", "the libraries are torch, keras"),
    ],
)
def test_what_a_library_lacks_is_refused(name, library, why):
    problem = draw_problem(name, np.random.default_rng(0))
    with pytest.raises(ValueError, match=why):
        to_order(name, problem.params, library)


def test_some_peepholes_are_refused():
    some = replace(variants["vanilla"], name="some", peepholes="o")
    problem = draw_problem(some, np.random.default_rng(0))
    with pytest.raises(ValueError, match="three peepholes or none"):
        to_order(some, problem.params, "onnx")


def test_missing_parameters_and_homeless_biases_are_refused():
    problem = draw_problem("lstm", np.random.default_rng(0))
    with pytest.raises(ValueError, match="that are not there: b_f"):
        to_order("lstm", {k: v for k, v in problem.params.items() if k != "b_f"}, "torch")
    biased = draw_problem(BIASED, np.random.default_rng(0))
    with pytest.raises(ValueError, match="no place for b_u, b_r, b_n"):
        from_order(BEFORE, to_order(BIASED, biased.params, "onnx"), "onnx")


def test_the_table_has_a_cell_for_every_library():
    table = names_table()
    assert all(len(row) == len(table.columns) == len(LIBRARIES) + 2 for row in table.rows)
    orders = dict(zip(table.columns, next(row for row in table.rows if row[0] == "order, LSTM")))
    assert (orders["PyTorch"], orders["ONNX"], orders["haste"]) == ("i f g o", "i o f c", "i g f o")
