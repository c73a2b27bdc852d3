"""The engines: one cell, three ways to compute it in torch, all the same numbers as NumPy's."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from lstm_tutorial import numpy_lstm, variants
from lstm_tutorial.engines import ENGINES, choose, native
from lstm_tutorial.gradient_check import draw_problem, error
from lstm_tutorial.spec import SQUASHING

KEYS = tuple(variants)
NATIVE = ("lstm", "gru", "srnn")
PAIRS = [(engine, key) for engine in ENGINES for key in KEYS if engine != "native" or key in NATIVE]
SOME_PAIRS = [p for p in PAIRS if p[1] in ("vanilla", "fgr", "lstm", "gru", "gru_reset_before", "srnn")]
NAMES = ("y_0", "c_0", "gates_0")


def leaves_of(problem, dtype=torch.float64):
    return {k: torch.tensor(v, dtype=dtype, requires_grad=True) for k, v in problem.inputs().items()}


def run(engine, problem, leaves, mask=None):
    state = tuple(leaves[k] for k in NAMES if k in leaves)
    return ENGINES[engine](problem.spec, {k: leaves[k] for k in problem.params}, leaves["x"], state, mask)


def loss_of(problem, y, last):
    """Random weights on every y and on the last state."""
    loss = (torch.as_tensor(problem.dy, dtype=y.dtype) * y).sum()
    return loss + sum((torch.as_tensor(d, dtype=s.dtype) * s).sum() for d, s in zip(problem.dstate, last))


def gradients(loss, leaves):
    grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return {k: torch.zeros_like(v) if g is None else g for (k, v), g in zip(leaves.items(), grads)}


def by_numpy(problem):
    y, last, tape = numpy_lstm.forward(problem.spec, problem.params, problem.x, problem.state)
    dx, dstate, grads = numpy_lstm.backward(problem.spec, problem.params, tape, problem.dy, problem.dstate)
    return y, last, {"x": dx, **dict(zip(NAMES, dstate)), **grads}


def same(ours, reference, tolerance=1e-10):
    assert set(ours) == set(reference)
    for name in reference:
        assert tuple(ours[name].shape) == tuple(reference[name].shape), name
        e = error(np.asarray(ours[name].detach()), np.asarray(reference[name]))
        assert e <= tolerance, f"{name}: {e:.1e}"


# Which engine


@pytest.mark.parametrize("key", KEYS)
def test_auto_takes_torchs_own_cell_where_the_spec_is_exactly_that(key):
    assert choose("auto", variants[key]) == ("native" if key in NATIVE else "bptt")
    assert choose("auto", variants[key], recurrent_dropout=0.1) == "bptt"
    assert native.kind(variants[key]) == {"lstm": "lstm", "gru": "gru", "srnn": "rnn"}.get(key)
    for engine in ("autograd", "bptt"):
        assert choose(engine, variants[key], 0.5) == engine


@pytest.mark.parametrize(
    "changed, kind",
    [
        (replace(variants["lstm"], name="mine"), "lstm"),
        (replace(variants["lstm"], start="zero_gates"), "lstm"),
        (replace(variants["lstm"], g="relu"), None),
        (replace(variants["lstm"], gate_activation="hard_sigmoid"), None),
        (replace(variants["lstm"], content_reads="xy"), None),
        (replace(variants["gru"], g="relu"), None),
        (replace(variants["gru"], gate_reads="xy"), None),
        (replace(variants["srnn"], g="relu"), "rnn"),
        (replace(variants["srnn"], g="sigmoid"), None),
        (replace(variants["srnn"], content_reads="xy"), None),
    ],
)
def test_what_torch_has(changed, kind):
    assert native.kind(changed) == kind


def test_an_engine_that_does_not_apply_is_refused():
    with pytest.raises(ValueError, match="native.*'vanilla'.*bptt"):
        choose("native", variants["vanilla"])
    with pytest.raises(ValueError, match="recurrent dropout"):
        choose("native", variants["lstm"], 0.5)
    with pytest.raises(ValueError, match="one of auto.*'cudnn'"):
        choose("cudnn", variants["lstm"])


# The same numbers


@pytest.mark.parametrize("engine, key", PAIRS)
def test_values_and_gradients_are_numpys(engine, key):
    problem = draw_problem(key, np.random.default_rng(0), steps=6, batch_size=3)
    y, last, reference = by_numpy(problem)
    leaves = leaves_of(problem)
    y_t, last_t = run(engine, problem, leaves)
    assert isinstance(last_t, tuple) and len(last_t) == len(last)
    same(dict(enumerate((y_t, *last_t))), dict(enumerate((y, *last))), 1e-12)
    same(gradients(loss_of(problem, y_t, last_t), leaves), reference)


@pytest.mark.parametrize("engine", ENGINES)
def test_native_rnn_with_relu(engine):
    problem = draw_problem(replace(variants["srnn"], g="relu"), np.random.default_rng(1), steps=6)
    y, _, reference = by_numpy(problem)
    leaves = leaves_of(problem)
    y_t, last = run(engine, problem, leaves)
    same({"y": y_t}, {"y": y}, 1e-12)
    same(gradients(loss_of(problem, y_t, last), leaves), reference)


@pytest.mark.parametrize("role, key", [("g", "vanilla"), ("h", "vanilla"), ("g", "gru"), ("g", "srnn")])
@pytest.mark.parametrize("squashing", SQUASHING)
def test_every_squashing_in_double_precision(squashing, role, key):
    """To rounding: a factor that passes through float32 on its way would be off by 1e-8."""
    problem = draw_problem(replace(variants[key], **{role: squashing}), np.random.default_rng(2))
    ours, reference = (leaves_of(problem) for _ in range(2))
    a = gradients(loss_of(problem, *run("bptt", problem, ours)), ours)
    b = gradients(loss_of(problem, *run("autograd", problem, reference)), reference)
    same(a, {k: v.numpy() for k, v in b.items()}, 1e-12)


@pytest.mark.parametrize("gate_activation", ["hard_sigmoid", "linear"])
@pytest.mark.parametrize("key", ["fgr", "cifg", "gru", "gru_reset_before"])
def test_every_gate_activation_in_double_precision(gate_activation, key):
    spec = replace(variants[key], gate_activation=gate_activation)
    problem = draw_problem(spec, np.random.default_rng(3))
    ours, reference = (leaves_of(problem) for _ in range(2))
    a = gradients(loss_of(problem, *run("bptt", problem, ours)), ours)
    b = gradients(loss_of(problem, *run("autograd", problem, reference)), reference)
    same(a, {k: v.numpy() for k, v in b.items()}, 1e-12)


@pytest.mark.parametrize("key", KEYS)
def test_recurrent_dropout_mask_in_both_loops(key):
    problem = draw_problem(key, np.random.default_rng(4), steps=6)
    mask = torch.tensor([[2.0, 0, 2, 0], [0, 2, 2, 2]], dtype=torch.float64)
    ours, reference = (leaves_of(problem) for _ in range(2))
    y, last = run("bptt", problem, ours, mask)
    y_r, last_r = run("autograd", problem, reference, mask)
    same({"y": y}, {"y": y_r.detach()}, 1e-12)
    a, b = gradients(loss_of(problem, y, last), ours), gradients(loss_of(problem, y_r, last_r), reference)
    same(a, {k: v.numpy() for k, v in b.items()})
    unmasked, _ = run("bptt", problem, leaves_of(problem))
    reads_y = "y" in variants[key].content_reads or "y" in variants[key].gate_reads
    assert ((unmasked - y).abs().max() > 1e-3) == reads_y


def test_native_refuses_a_mask():
    problem = draw_problem("lstm", np.random.default_rng(5))
    with pytest.raises(ValueError, match="recurrent dropout"):
        run("native", problem, leaves_of(problem), torch.ones(2, 4, dtype=torch.float64))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_lower_precisions(dtype, key):
    problem = draw_problem(key, np.random.default_rng(6))
    y, last, reference = by_numpy(problem)
    tolerance = {torch.float16: 0.02, torch.bfloat16: 0.15, torch.float32: 1e-5}[dtype]
    for engine in ("bptt", "autograd"):
        leaves = leaves_of(problem, dtype)
        y_t, last_t = run(engine, problem, leaves)
        assert y_t.dtype == dtype and all(s.dtype == dtype for s in last_t)
        grads = gradients(loss_of(problem, y_t, last_t), leaves)
        assert all(g.dtype == dtype for g in grads.values())
        np.testing.assert_allclose(y_t.detach().double(), y, rtol=0, atol=tolerance * max(1, np.abs(y).max()))
        for name, n in reference.items():
            np.testing.assert_allclose(
                grads[name].double(), n, rtol=0, atol=tolerance * max(1, np.abs(n).max()), err_msg=name
            )


@pytest.mark.parametrize("key", ["vanilla", "fgr", "no_srnn_hidden", "gru", "gru_reset_before", "srnn"])
@pytest.mark.parametrize("inside", [True, False])
def test_under_autocast_bptt_keeps_the_precision_of_its_parameters(key, inside):
    """To the bit, wherever backward is called; an input that is rounded already is taken as it is."""
    problem = draw_problem(key, np.random.default_rng(16))
    plain, cast = (leaves_of(problem, torch.float32) for _ in range(2))
    y, last = run("bptt", problem, plain)
    with torch.autocast("cpu", torch.bfloat16):
        y_a, last_a = run("bptt", problem, cast)
        rounded, _ = run(
            "bptt", problem, {k: v.detach() for k, v in cast.items()} | {"x": cast["x"].bfloat16()}
        )
        if inside:
            got = gradients(loss_of(problem, y_a, last_a), cast)
    if not inside:
        got = gradients(loss_of(problem, y_a, last_a), cast)
    reference = gradients(loss_of(problem, y, last), plain)
    for a, b in [(y_a, y), *zip(last_a, last), *((got[k], reference[k]) for k in reference)]:
        assert a.dtype == torch.float32 and torch.equal(a, b)
    assert rounded.dtype == torch.float32 and 0 < (rounded - y).abs().max() < 0.1


# bptt as a citizen of autograd


def as_function(engine, problem):
    """A function of tensors alone, as torch's own checks want it."""
    names = list(problem.inputs())

    def f(*tensors):
        y, last = run(engine, problem, dict(zip(names, tensors)))
        return (y, *last)

    return f, tuple(leaves_of(problem).values())


@pytest.mark.parametrize(
    "key", ["vanilla", "fgr", "lstm1997", "cifg", "slim3", "gru", "gru_reset_before", "srnn"]
)
def test_torchs_own_gradcheck(key):
    problem = draw_problem(key, np.random.default_rng(7), input_size=2, hidden_size=2, steps=3)
    f, tensors = as_function("bptt", problem)
    assert torch.autograd.gradcheck(f, tensors, fast_mode=True)


def test_torchs_own_gradcheck_number_by_number():
    problem = draw_problem("vanilla", np.random.default_rng(8), input_size=1, hidden_size=2, steps=2)
    f, tensors = as_function("bptt", problem)
    assert torch.autograd.gradcheck(f, tensors)


@pytest.mark.parametrize("key", ["vanilla", "fgr", "gru", "srnn"])
def test_autograd_engine_is_twice_differentiable(key):
    problem = draw_problem(key, np.random.default_rng(9), input_size=1, hidden_size=2, steps=2, batch_size=1)
    f, tensors = as_function("autograd", problem)
    assert torch.autograd.gradgradcheck(f, tensors, fast_mode=True)


@pytest.mark.parametrize("loss", ["linear", "square"])
@pytest.mark.parametrize("key", ["vanilla", "gru", "srnn"])
def test_bptt_engine_is_once_differentiable_and_says_so(key, loss):
    """A penalty on a gradient has to be refused: taken for a constant, it would train wrongly.

    Which is what ``once_differentiable`` alone lets happen where the upstream gradient is a constant.
    """
    problem = draw_problem(key, np.random.default_rng(10))
    leaves = leaves_of(problem)
    y, _ = run("bptt", problem, leaves)
    with pytest.raises(RuntimeError, match="(?i)once|engine='autograd'"):
        (dx,) = torch.autograd.grad((y if loss == "linear" else y**2).sum(), leaves["x"], create_graph=True)
        ((dx**2).sum() + (y**2).sum()).backward()


@pytest.mark.parametrize("engine, key", PAIRS)
def test_outputs_left_out_of_the_loss(engine, key):
    """Only the last state, or only one row of y: what is not used has gradient zero, not None and not NaN."""
    problem = draw_problem(key, np.random.default_rng(11))
    zero = replace_dy(problem, row=2)
    leaves = leaves_of(problem)
    y, _ = run(engine, problem, leaves)
    loss = (torch.tensor(problem.dy[2]) * y[2]).sum()
    _, _, reference = by_numpy(zero)
    same(gradients(loss, leaves), reference)


def replace_dy(problem, row):
    """The same problem with upstream gradients on one row of y only."""
    dy = np.zeros_like(problem.dy)
    dy[row] = problem.dy[row]
    return replace(problem, dy=dy, dstate=tuple(np.zeros_like(d) for d in problem.dstate))


@pytest.mark.parametrize("engine, key", PAIRS)
def test_without_gradients_the_values_are_the_same(engine, key):
    problem = draw_problem(key, np.random.default_rng(12))
    leaves = leaves_of(problem)
    y, last = run(engine, problem, leaves)
    with torch.no_grad():
        y_n, last_n = run(engine, problem, leaves)
    y_d, last_d = run(engine, problem, {k: v.detach() for k, v in leaves.items()})
    with torch.inference_mode():
        y_i, last_i = run(engine, problem, leaves)
    for other in ((y_n, *last_n), (y_d, *last_d), (y_i, *last_i)):
        assert not any(a.requires_grad for a in other)
        for a, b in zip(other, (y, *last), strict=True):
            torch.testing.assert_close(a, b.detach(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("engine, key", SOME_PAIRS)
def test_frozen_inputs_cost_no_gradient(engine, key):
    """One parameter frozen, or all but one, or only x asked for: the gradients that remain are the same."""
    problem = draw_problem(key, np.random.default_rng(13))
    _, _, reference = by_numpy(problem)
    one = next(iter(problem.params))
    for wanted in ({one}, set(reference) - {one}, {"x"}, {"y_0"}):
        leaves = {k: v.detach().requires_grad_(k in wanted) for k, v in leaves_of(problem).items()}
        loss_of(problem, *run(engine, problem, leaves)).backward()
        assert all(v.grad is None for k, v in leaves.items() if k not in wanted)
        got = {k: torch.zeros_like(leaves[k]) if leaves[k].grad is None else leaves[k].grad for k in wanted}
        same(got, {k: reference[k] for k in wanted})


@pytest.mark.parametrize("engine, key", SOME_PAIRS)
def test_strided_and_expanded_inputs(engine, key):
    problem = draw_problem(key, np.random.default_rng(14), input_size=4, hidden_size=4)
    leaves = leaves_of(problem)
    expected, _ = run(engine, problem, leaves)

    def strange(v):
        """The same numbers with a stride of two, transposed in memory."""
        if v.dim() < 2:
            return torch.stack([v, v], -1)[..., 0]
        return torch.stack([v, v], -1)[..., 0].transpose(-1, -2).contiguous().transpose(-1, -2)

    odd = {k: strange(v.detach()).requires_grad_() for k, v in leaves.items()}
    assert not any(v.is_contiguous() for k, v in odd.items() if v.dim() >= 2)
    y, last = run(engine, problem, odd)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-13)
    _, _, reference = by_numpy(problem)
    same(gradients(loss_of(problem, y, last), odd), reference)
    repeated = leaves | {"x": leaves["x"][:1, :1].expand(5, 2, -1)}
    copied = leaves | {"x": leaves["x"][:1, :1].repeat(5, 2, 1)}
    torch.testing.assert_close(run(engine, problem, repeated)[0], run(engine, problem, copied)[0])


@pytest.mark.parametrize("engine, key", PAIRS)
def test_what_is_changed_in_place_never_gives_a_wrong_gradient(engine, key):
    """y, the last state, x or a weight changed before backward: refused, or harmless; not wrong."""
    problem = draw_problem(key, np.random.default_rng(15))

    def gradient(change):
        leaves = leaves_of(problem)
        used = {k: v * 1 for k, v in leaves.items()}  # not leaves, so that they can be changed in place
        y, last = run(engine, problem, used)
        loss = loss_of(problem, y * 1, [s * 1 for s in last])
        change(y, last, used)
        return gradients(loss, leaves)

    reference = {k: v.numpy() for k, v in gradient(lambda y, last, used: None).items()}
    refused = 0
    changes = [
        lambda y, last, used: y.mul_(2),
        lambda y, last, used: y[0].zero_(),
        lambda y, last, used: last[0].mul_(2),
        lambda y, last, used: last[1].mul_(2),
        lambda y, last, used: used["x"].mul_(2),
        lambda y, last, used: used["y_0"].mul_(2),
        *(lambda y, last, used, name=name: used[name].mul_(2) for name in problem.params),
    ]
    for change in changes:
        try:
            got = gradient(change)
        except RuntimeError:
            refused += 1
        else:
            same(got, reference, 1e-12)
    assert refused > 0


@pytest.mark.parametrize("key", [key for key in KEYS if key != "no_srnn_hidden"])
def test_bptt_refuses_a_y_that_was_changed_before_backward(key):
    """As torch does for a tensor that its backward needs."""
    problem = draw_problem(key, np.random.default_rng(16))
    leaves = leaves_of(problem)
    with pytest.raises(RuntimeError, match="(?i)in-?place"):
        y, _ = run("bptt", problem, leaves)
        y.mul_(2)
        y.sum().backward()


@pytest.mark.parametrize("engine, key", SOME_PAIRS)
@pytest.mark.parametrize("backward", [True, False])
def test_nothing_is_kept_alive(engine, key, backward):
    """With the collector off, what nobody holds is freed at once: no reference cycle, no leak.

    A tensor that the C++ graph still holds keeps its Python object, so weak references see both.
    """
    problem = draw_problem(key, np.random.default_rng(17))
    leaves = leaves_of(problem)
    used = {k: v * 1 for k, v in leaves.items()}
    gc.disable()
    try:
        y, last = run(engine, problem, used)
        watched = [weakref.ref(a) for a in (y, *last, *used.values())]
        loss = loss_of(problem, y, last)
        if backward:
            loss.backward()
        assert all(w() is not None for w in watched)
        del used, y, last, loss
        assert sum(w() is not None for w in watched) == 0
    finally:
        gc.enable()


def test_the_graph_of_bptt_is_freed_after_backward():
    problem = draw_problem("vanilla", np.random.default_rng(18))
    leaves = leaves_of(problem)
    y, last = run("bptt", problem, leaves)
    loss = loss_of(problem, y, last)
    loss.backward(retain_graph=True)
    once = leaves["W_z"].grad.clone()
    loss.backward()
    torch.testing.assert_close(leaves["W_z"].grad, 2 * once)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
