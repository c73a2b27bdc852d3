"""The NumPy cells: shapes, dtypes, states, the tape, and above all the gradients.

The oracles: a second forward pass, written below from the equations alone and differentiated by the
complex step, which is exact to rounding; central differences; autograd; and planted bugs, which
``gradient_check`` has to find and to name.
"""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_tutorial import CellSpec, bptt, numpy_lstm, variants
from lstm_tutorial.engines import autograd
from lstm_tutorial.gradient_check import (
    WITHIN,
    by_autograd,
    by_hand,
    draw_problem,
    error,
    gradient_check,
)
from lstm_tutorial.spec import SQUASHING

KEYS = tuple(variants)
WITH_CELL = tuple(key for key in KEYS if variants[key].has_cell)
WITHOUT_CELL = tuple(key for key in KEYS if not variants[key].has_cell)
GATE_RECURRENT = ("fgr", "lstm1997")
SMALL = dict(input_size=2, hidden_size=2, steps=3, batch_size=2)


def close(a, b, tolerance=1e-12):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.abs(b).max(initial=0)))


def names_of(state):
    return ("y_0", "c_0", "gates_0")[: len(state)]


# A second forward pass, from the equations.


def sigma(a):
    return 1 / (1 + np.exp(-a))


SQUASH = {
    "tanh": np.tanh,
    "sigmoid": sigma,
    "linear": lambda a: a,
    "softmax": lambda a: np.exp(a) / np.exp(a).sum(-1, keepdims=True),
    "4sigmoid-2": lambda a: 4 * sigma(a) - 2,
    "2sigmoid-1": lambda a: 2 * sigma(a) - 1,
}


def textbook(spec, p, x, state, mask=1):
    """Every letter at every step, and the last state: the equations, with nothing shared or hoisted."""
    g, h, s = SQUASH[spec.g], SQUASH[spec.h], SQUASH[spec.gate_activation]
    y, c = state[:2]
    gates = dict(zip("ifo", np.split(state[2], 3, -1))) if spec.gate_recurrence else {}
    nothing = np.zeros_like(y)

    def times(name, v):
        return v @ p[name].T if name in p else nothing

    def bar(k, x, y):
        return times(f"W_{k}", x) + times(f"R_{k}", y) + p.get(f"b_{k}", 0)

    def gate(k, x, y, cell, before):
        if getattr(spec, dict(i="input_gate", f="forget_gate", o="output_gate")[k]) == "one":
            return nothing + 1
        gates_read = sum(times(f"R_{j}{k}", before[j]) for j in before)
        return s(bar(k, x, y) + p.get(f"p_{k}", 0) * cell + gates_read)

    steps = []
    for x_t in x:
        read = y * mask
        if spec.family == "lstm":
            z = g(bar("z", x_t, read))
            i = gate("i", x_t, read, c, gates)
            f = 1 - i if spec.forget_gate == "coupled" else gate("f", x_t, read, c, gates)
            c = z * i + c * f
            o = gate("o", x_t, read, c, gates)
            y = h(c) * o
            gates = dict(i=i, f=f, o=o) if spec.gate_recurrence else {}
            steps.append(dict(z=z, i=i, f=f, o=o, c=c, y=y))
        elif spec.family == "rnn":
            y = g(bar("z", x_t, read))
            steps.append(dict(z=y, y=y))
        else:
            r, u = s(bar("r", x_t, read)), s(bar("u", x_t, read))
            if spec.family == "gru":
                n = g(times("W_n", x_t) + p.get("b_n", 0) + r * (times("R_n", read) + p.get("b_Rn", 0)))
                y = (1 - u) * n + u * y
            else:
                n = g(times("W_n", x_t) + p.get("b_n", 0) + times("R_n", r * read))
                y = (1 - u) * y + u * n
            steps.append(dict(r=r, u=u, n=n, y=y))
    last = (y, c if spec.has_cell else nothing)
    if spec.gate_recurrence:
        last += (np.concatenate([gates[k] if k in spec.learned_gates else nothing for k in "ifo"], -1),)
    return {k: np.stack([step[k] for step in steps]) for k in steps[0]}, last


def complex_step(problem, mask=1, h=1e-30):
    """dL/dv = Im L(v + ih) / h: no subtraction, hence no step to choose, and an error of rounding only."""
    inputs = {k: v.astype(complex) for k, v in problem.inputs().items()}

    def loss():
        state = tuple(inputs[k] for k in names_of(problem.state))
        values, last = textbook(
            problem.spec, {k: inputs[k] for k in problem.params}, inputs["x"], state, mask
        )
        return (problem.dy * values["y"]).sum() + sum((d * v).sum() for d, v in zip(problem.dstate, last))

    gradients = {}
    for name, v in inputs.items():
        gradients[name] = np.empty(v.shape)
        for k in np.ndindex(v.shape):
            v[k] += 1j * h
            gradients[name][k] = loss().imag / h
            v[k] = v[k].real
    return gradients


def same_gradients(ours, reference, tolerance):
    assert set(ours) == set(reference)
    for name, n in reference.items():
        assert ours[name].shape == n.shape, name
        assert error(ours[name], n) <= tolerance, f"{name}: {error(ours[name], n):.1e}"


@pytest.mark.parametrize("key", KEYS)
def test_values_are_those_of_the_equations(key):
    problem = draw_problem(key, np.random.default_rng(0), steps=6)
    y, last, tape = numpy_lstm.forward(key, problem.params, problem.x, problem.state)
    values, expected = textbook(problem.spec, problem.params, problem.x, problem.state)
    close(y, values["y"], 1e-14)
    assert len(last) == len(expected) == (3 if key in GATE_RECURRENT else 2)
    for s, e in zip(last, expected):
        close(s, e, 1e-14)
    for name, v in values.items():
        close(getattr(tape, name), v, 1e-14)


@pytest.mark.parametrize("key", KEYS)
def test_gradients_are_those_of_the_equations_to_rounding(key):
    problem = draw_problem(key, np.random.default_rng(1), input_size=2, hidden_size=3, steps=4)
    same_gradients(by_hand(problem), complex_step(problem), 1e-12)


@pytest.mark.parametrize("key", KEYS)
def test_gradients_under_recurrent_dropout(key):
    """One mask on y⁻, the same for all blocks and steps; the y that leaves the cell is not masked."""
    problem = draw_problem(key, np.random.default_rng(2), input_size=2, hidden_size=3, steps=4)
    mask = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0]])
    y, _, tape = bptt.forward(problem.spec, problem.params, problem.x, problem.state, mask)
    close(y, textbook(problem.spec, problem.params, problem.x, problem.state, mask)[0]["y"])
    dx, dstate, grads = bptt.backward(problem.params, tape, problem.dy, problem.dstate)
    ours = {"x": dx, **dict(zip(names_of(dstate), dstate)), **grads}
    same_gradients(ours, complex_step(problem, mask), 1e-12)

    leaves = {k: torch.tensor(v, requires_grad=True) for k, v in problem.inputs().items()}
    y_t, last = autograd.run(
        problem.spec,
        {k: leaves[k] for k in problem.params},
        leaves["x"],
        tuple(leaves[k] for k in names_of(problem.state)),
        torch.tensor(mask),
    )
    close(y, y_t.detach())
    loss = (torch.tensor(problem.dy) * y_t).sum()
    loss = loss + sum((torch.tensor(d) * s).sum() for d, s in zip(problem.dstate, last))
    wanted = torch.autograd.grad(loss, [leaves[k] for k in ours], allow_unused=True)
    for name, n in zip(ours, wanted):
        assert error(ours[name], np.zeros_like(ours[name]) if n is None else n.numpy()) <= 1e-10, name


@pytest.mark.parametrize("key", ["vanilla", "fgr", "gru_reset_before"])
def test_gradients_against_central_differences(key):
    """Without ``gradient_check``: fourth-order differences of the public forward pass."""
    rng = np.random.default_rng(3)
    spec, T, B, D, H, step = variants[key], 4, 2, 2, 3, 2e-3
    params = {k: rng.uniform(-0.9, 0.9, s) for k, s in spec.parameter_shapes(D, H).items()}
    x, dy = rng.normal(size=(T, B, D)), rng.normal(size=(T, B, H))
    widths = (H, H, 3 * H) if key == "fgr" else (H, H)
    state, dstate = (tuple(rng.normal(size=(B, w)) for w in widths) for _ in range(2))

    def loss():
        y, last, _ = numpy_lstm.forward(spec, params, x, state)
        return np.vdot(dy, y) + sum(np.vdot(d, s) for d, s in zip(dstate, last))

    _, _, tape = numpy_lstm.forward(spec, params, x, state)
    dx, dstate_0, grads = numpy_lstm.backward(spec, params, tape, dy, dstate)
    pairs = [(x, dx), *zip(state, dstate_0), *((params[k], grads[k]) for k in params)]
    for value, gradient in pairs:
        for k in np.ndindex(value.shape):
            at, samples = value[k], {}
            for j in (-2, -1, 1, 2):
                value[k] = at + j * step
                samples[j] = loss()
            value[k] = at
            slope = (8 * (samples[1] - samples[-1]) - (samples[2] - samples[-2])) / (12 * step)
            assert abs(slope - gradient[k]) < 1e-8 * max(1, abs(slope))


# The tool that a student uses: gradient_check


@pytest.mark.parametrize("key", KEYS)
def test_gradient_check_passes(key):
    report = gradient_check(key, np.random.default_rng(4))
    assert report.passed is True and report.wrong == []
    assert WITHIN == {"differences": 1e-6, "autograd": 1e-10}
    assert report.worst("differences") <= 1e-6 and report.worst("autograd") <= 1e-10
    states = ["y_0", "c_0"] + ["gates_0"] * (key in GATE_RECURRENT)
    assert set(report.shapes) == {"x", *states, *variants[key].parameter_shapes(3, 4)}
    assert all(set(errors) == set(report.shapes) for errors in report.errors.values())


SQUASHED = [("vanilla", dict(g=s)) for s in SQUASHING] + [("vanilla", dict(h=s)) for s in SQUASHING]
SQUASHED += [("vanilla", dict(g=s, h=s)) for s in ("softmax", "relu", "hard_sigmoid")]
SQUASHED += [("fgr", dict(gate_activation=s)) for s in ("hard_sigmoid", "linear")]
SQUASHED += [(key, dict(g=s)) for key in ("srnn", "gru", "gru_reset_before") for s in ("softmax", "relu")]
SQUASHED += [("gru", dict(gate_activation=s)) for s in ("hard_sigmoid", "linear")]
SQUASHED += [("slim3", dict(gate_activation="hard_sigmoid", g="relu", h="relu"))]


@pytest.mark.parametrize("key, changes", SQUASHED)
def test_gradient_check_with_every_squashing(key, changes):
    spec = replace(variants[key], name="squashed", **changes)
    report = gradient_check(spec, np.random.default_rng(5), **(SMALL | dict(hidden_size=3)))
    assert report.passed, str(report)


@pytest.mark.parametrize("squashing", SQUASHING)
def test_squashing_on_both_sides_of_its_kinks_and_far_out(squashing):
    """y = g(W x) with W = 1 lays g bare, and its derivative; for softmax the whole Jacobian."""
    spec = CellSpec("bare", family="rnn", content_reads="x", g=squashing)
    x = np.array(
        [[-800.0, -3.0, -2.4, -0.1, 0.1, 2.4, 3.0, 800.0], [0.3, -0.2, 1.0, 0.5, -1.5, 0.7, 2.0, -2.0]]
    )
    dy = np.random.default_rng(6).normal(size=x.shape)
    leaf = torch.tensor(x, requires_grad=True)
    expected = autograd.SQUASH[squashing](leaf)
    expected.backward(torch.tensor(dy))
    with np.errstate(over="raise", invalid="raise"):
        y, _, tape = numpy_lstm.forward(spec, {"W_z": np.eye(8)}, x[None])
        dx, _, _ = numpy_lstm.backward(spec, {"W_z": np.eye(8)}, tape, dy[None])
    close(y[0], expected.detach(), 1e-14)
    close(dx[0], leaf.grad, 1e-14)


@pytest.mark.parametrize(
    "changes", [dict(steps=1), dict(hidden_size=1), dict(batch_size=1), dict(input_size=1)]
)
@pytest.mark.parametrize("key", ["vanilla", "fgr", "lstm1997", "cifg", "gru", "gru_reset_before", "srnn"])
def test_gradient_check_at_the_smallest_sizes(key, changes):
    assert gradient_check(key, np.random.default_rng(7), **(SMALL | changes)).passed


LINEAR = dict(gate_reads="xb", content_reads="xb", peepholes="")  # only c waits for the step before
UNUSUAL = {
    "only i": dict(forget_gate="one", output_gate="one"),
    "coupled, full gate recurrence": dict(forget_gate="coupled", gate_recurrence=True),
    "gates read the cell alone": dict(gate_reads="", content_reads="xb"),
    "gates read gates alone": dict(gate_reads="", peepholes="", gate_recurrence=True),
    "content is a bias": dict(content_reads="b"),
    "content reads y alone": dict(content_reads="y"),
    "peephole of o alone": dict(peepholes="o"),
    "peephole of f alone": dict(peepholes="f"),
    "no gate at all": dict(input_gate="one", forget_gate="one", output_gate="one"),
    "linear recurrence, coupled": LINEAR | dict(forget_gate="coupled"),
    "linear recurrence, f alone": LINEAR | dict(input_gate="one", output_gate="one"),
    "linear recurrence, a plain sum": LINEAR | dict(input_gate="one", forget_gate="one", output_gate="one"),
    "linear recurrence, softmax twice": LINEAR | dict(g="softmax", h="softmax"),
    "coupled, no output gate, softmax": dict(forget_gate="coupled", output_gate="one", h="softmax"),
    "rnn without recurrence": dict(family="rnn", content_reads="x"),
    "gru, gates read x": dict(family="gru", gate_reads="x"),
    "gru, gates are biases": dict(family="gru", gate_reads="b", content_reads="xy"),
    "gru, content reads y": dict(family="gru", content_reads="y"),
    "reset before, biases, gates read b": dict(family="gru_reset_before", gate_reads="b"),
    "reset before, content y b": dict(family="gru_reset_before", content_reads="yb"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_gradient_check_of_invented_cells(name):
    spec = replace(variants["vanilla"], name=name, **UNUSUAL[name])
    report = gradient_check(spec, np.random.default_rng(8), **SMALL)
    assert report.passed, str(report)
    problem = draw_problem(spec, np.random.default_rng(9), **SMALL)
    values, _ = textbook(spec, problem.params, problem.x, problem.state)
    close(numpy_lstm.forward(spec, problem.params, problem.x, problem.state)[0], values["y"])


def test_a_problem_hides_nothing():
    """Zero states or all-ones upstream gradients would let wrong terms at t = 0 pass."""
    problem = draw_problem("fgr", np.random.default_rng(10))
    drawn = [*problem.inputs().values(), problem.dy, *problem.dstate]
    assert len(problem.state) == len(problem.dstate) == 3
    for v in drawn:
        assert v.dtype == np.float64 and (v != 0).all() and len(np.unique(v)) == v.size
    dead = draw_problem("no_gates_as_published", np.random.default_rng(10))
    assert all((v != 0).all() for v in dead.params.values())


def test_gradient_check_draws_from_the_generator_it_is_given():
    rng = np.random.default_rng(11)
    first, second = (gradient_check("lstm", rng, **SMALL).errors for _ in range(2))
    again = gradient_check("lstm", np.random.default_rng(11), **SMALL).errors
    assert first == again and first != second


def test_report_reads_as_a_table():
    def wrong(problem):
        gradients = by_hand(problem)
        gradients["p_o"] = gradients["p_o"] * 1.01
        return gradients

    right, report = (
        gradient_check("vanilla", np.random.default_rng(12), backward=b, **SMALL) for b in (by_hand, wrong)
    )
    rows = {line.split()[0]: line for line in str(report).splitlines() if line}
    assert rows["p_o"].endswith("wrong") and rows["p_i"].endswith("right")
    assert "wrong" not in str(right) and "<table" in report._repr_html_()


# Planted bugs


def corruptions(gradient):
    """Ways in which one tensor comes out wrong."""
    flipped = -gradient
    scaled = gradient * 1.0001
    partial = gradient.copy()
    partial.reshape(-1)[-1] = 0.0
    unstable = gradient.copy()
    unstable.reshape(-1)[0] = np.nan
    return dict(zero=0 * gradient, flipped=flipped, scaled=scaled, partial=partial, unstable=unstable)


@pytest.mark.parametrize("key", KEYS)
def test_one_wrong_tensor_is_found_and_named(key):
    rng = np.random.default_rng(13)
    tiny = SMALL | dict(input_size=1, batch_size=1)
    # A gradient that is zero for every problem (no cell; nothing reads y⁻) cannot be spoilt by a factor.
    problem = by_hand(draw_problem(key, np.random.default_rng(0), **tiny))
    names = [name for name, gradient in problem.items() if gradient.any()]
    always_zero = {"no_srnn_hidden": {"y_0"}}.get(key, set() if variants[key].has_cell else {"c_0"})
    assert set(problem) - set(names) == always_zero
    for k, name in enumerate(names):
        how = ("zero", "flipped", "scaled", "partial", "unstable")[k % 5]

        def planted(problem, name=name, how=how):
            gradients = by_hand(problem)
            return gradients | {name: corruptions(gradients[name])[how]}

        report = gradient_check(key, rng, backward=planted, **tiny)
        assert report.passed is False and report.wrong == [name], (name, how)


@pytest.mark.parametrize("name", ["W_z", "p_o", "c_0"])
@pytest.mark.parametrize("how", ["keepdims", "transposed", "not summed", "missing"])
def test_wrong_shapes_are_not_taken_for_right(name, how):
    """NumPy broadcasts: a gradient of the wrong shape may hold the right numbers."""

    def planted(problem):
        gradients = by_hand(problem)
        if how == "missing":
            del gradients[name]
        else:
            v = gradients[name]
            gradients[name] = {
                "keepdims": v[None],
                "transposed": v.T[..., None],
                "not summed": np.stack([v, v]),
            }[how]
        return gradients

    try:
        report = gradient_check("vanilla", np.random.default_rng(14), backward=planted, **SMALL)
    except (KeyError, ValueError) as caught:
        assert name in str(caught)
    else:
        assert report.wrong == [name]


def slow_backward(problem, bug=None):
    """The vanilla cell's δ, line by line from seed 002, with one line wrong if ``bug`` names it."""
    p, (y_0, c_0) = problem.params, problem.state
    _, _, tape = numpy_lstm.forward(problem.spec, p, problem.x, problem.state)
    z, i, f, o, c, y = tape.z, tape.i, tape.f, tape.o, tape.c, tape.y
    T, blocks = len(y), "zifo"
    grads = {k: np.zeros_like(v) for k, v in p.items()}
    dx = np.zeros_like(problem.x)
    dy_next, dc_next = problem.dstate
    if bug == "last state's gradient dropped":
        dy_next, dc_next = 0 * dy_next, 0 * dc_next
    if bug == "only dc_T dropped":
        dc_next = 0 * dc_next
    for t in reversed(range(T)):
        c_before, y_before = (c[t - 1], y[t - 1]) if t else (c_0, y_0)
        dy = problem.dy[t] + dy_next
        if bug == "last y's gradient overwritten by dy_T" and t == T - 1:
            dy = dy_next
        h = np.tanh(c[t])
        d = {"o": dy * h * o[t] * (1 - o[t])}
        dc = dy * o[t] * (1 - h**2) + dc_next
        if bug == "cell path dropped":
            dc = dc - dc_next
        if bug != "p_o left out of δc":
            dc = dc + p["p_o"] * d["o"]
        d["f"] = dc * c_before * f[t] * (1 - f[t])
        d["i"] = dc * z[t] * i[t] * (1 - i[t])
        d["z"] = dc * i[t] * (1 - z[t] ** 2)
        if bug == "f multiplied by c and not c⁻":
            d["f"] = dc * c[t] * f[t] * (1 - f[t])
        if bug == "h for h′":
            d["z"] = dc * i[t] * (1 - z[t])
        if bug == "i and f swapped":
            d["i"], d["f"] = d["f"], d["i"]
        for k in blocks:
            grads[f"W_{k}"] += d[k].T @ problem.x[t]
            if not (bug == "y_0 left out of δR" and t == 0):
                grads[f"R_{k}"] += d[k].T @ (y[t] if bug == "δR from y and not y⁻" else y_before)
            grads[f"b_{k}"] += d[k][0] if bug == "bias from the first sequence" else d[k].sum(0)
        for k in "if":
            if not (bug == "c_0 left out of δp" and t == 0):
                grads[f"p_{k}"] += (c_before * d[k]).sum(0)
        grads["p_o"] += ((c_before if bug == "p_o from c⁻" else c[t]) * d["o"]).sum(0)
        dx[t] = sum(d[k] @ p[f"W_{k}"] for k in blocks)
        carried = d
        if bug == "activations for pre-activations":  # as the slides print it
            carried = {"z": dc * i[t], "i": dc * z[t], "f": dc * c_before, "o": dy * h}
        dy_next = sum(
            carried[k] @ (p[f"R_{k}"].T if bug == "R transposed" else p[f"R_{k}"])
            for k in blocks
            if not (bug == "o's R left out" and k == "o")
        )
        if bug == "one R scaled by 1.01":
            dy_next = dy_next + 0.01 * d["f"] @ p["R_f"]
        dc_next = dc * f[t]
        if bug == "f left out of δc":
            dc_next = dc
        if bug != "peepholes of i and f left out of δc":
            dc_next = dc_next + p["p_i"] * d["i"] + p["p_f"] * d["f"]
    if bug == "δc_0 is δc":
        dc_next = dc
    return {"x": dx, "y_0": dy_next, "c_0": dc_next, **grads}


ALL_OF = {a: [f"{a}_{k}" for k in "zifo"] for a in "WRb"} | {"p": ["p_i", "p_f", "p_o"]}
EVERYTHING = {"x", "y_0", "c_0", *sum(ALL_OF.values(), [])}
BUGS = {  # which tensors come out wrong: exactly these, or (with …) at least these
    "last state's gradient dropped": EVERYTHING,
    "only dc_T dropped": {"x", "c_0", "W_z", "W_f", ...},
    "last y's gradient overwritten by dy_T": EVERYTHING,
    "cell path dropped": {"x", "y_0", "c_0", "W_z", "W_i", "W_f", ...},
    "p_o left out of δc": {"x", "c_0", "W_z", "W_i", "W_f", ...},
    "f multiplied by c and not c⁻": {"x", "W_f", "R_f", "p_f", "b_f", ...},
    "h for h′": {"x", "W_z", "R_z", "b_z", ...},
    "i and f swapped": {"x", "W_i", "W_f", "b_i", "b_f", "p_i", "p_f", ...},
    "y_0 left out of δR": set(ALL_OF["R"]),
    "δR from y and not y⁻": set(ALL_OF["R"]),
    "bias from the first sequence": set(ALL_OF["b"]),
    "c_0 left out of δp": {"p_i", "p_f"},
    "p_o from c⁻": {"p_o"},
    "activations for pre-activations": {"x", "y_0", "c_0", *ALL_OF["W"], ...},
    "R transposed": {"x", "y_0", "c_0", *ALL_OF["W"], ...},
    "o's R left out": {"x", "y_0", "c_0", *ALL_OF["W"], ...},
    "one R scaled by 1.01": {"x", "y_0", "c_0", *ALL_OF["W"], ...},
    "f left out of δc": {"x", "c_0", "W_z", "W_i", "W_f", ...},
    "peepholes of i and f left out of δc": {"x", "c_0", "W_z", "W_i", "W_f", ...},
    "δc_0 is δc": {"c_0"},
}


def test_backward_pass_line_by_line_is_right():
    report = gradient_check("vanilla", np.random.default_rng(15), backward=slow_backward)
    assert report.passed, str(report)


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_is_found(bug):
    report = gradient_check(
        "vanilla", np.random.default_rng(15), backward=lambda problem: slow_backward(problem, bug)
    )
    assert report.passed is False
    named = BUGS[bug] - {...}
    assert named <= set(report.wrong), f"not named: {sorted(named - set(report.wrong))}"
    if ... not in BUGS[bug]:
        assert set(report.wrong) == named


@pytest.mark.parametrize("key", WITH_CELL)
def test_truncated_gradient_is_not_taken_for_the_full_one(key):
    report = gradient_check(
        key, np.random.default_rng(16), backward=lambda p: by_hand(p, truncate=True), **SMALL
    )
    if key == "no_srnn_hidden":
        assert report.passed, "here all error flows through the cell: there is nothing to cut"
    else:
        assert not report.passed and {"y_0", "c_0"} <= set(report.wrong)


def test_wrong_direction_of_a_gate_matrix_is_found():
    """δR_ab from a to b, not from b to a."""

    def transposed(problem):
        gradients = by_hand(problem)
        swapped = {f"R_{a}{b}": gradients[f"R_{b}{a}"] for a in "ifo" for b in "ifo"}
        return gradients | swapped

    report = gradient_check("fgr", np.random.default_rng(17), backward=transposed, **SMALL)
    assert sorted(report.wrong) == ["R_fi", "R_fo", "R_if", "R_io", "R_of", "R_oi"]


# The gradient of 1997


@pytest.mark.parametrize("key", WITH_CELL)
def test_truncated_gradient_is_autograds_with_its_inputs_detached(key):
    problem = draw_problem(key, np.random.default_rng(18), steps=6)
    same_gradients(by_hand(problem, truncate=True), by_autograd(problem, truncate=True), 1e-10)


@pytest.mark.parametrize("key", WITH_CELL)
def test_truncated_error_flows_through_the_cell_alone(key):
    """A gradient on the last cell reaches the first one times all forget gates, and y_0 never."""
    problem = draw_problem(key, np.random.default_rng(19), steps=6)
    spec, params = problem.spec, problem.params
    _, _, tape = numpy_lstm.forward(spec, params, problem.x, problem.state)
    dc_T = np.random.default_rng(20).normal(size=problem.state[1].shape)
    dx, dstate, _ = numpy_lstm.backward(spec, params, tape, 0 * problem.dy, (0 * dc_T, dc_T), truncate=True)
    close(dstate[1], dc_T * tape.f.prod(0), 1e-14)
    assert all((d == 0).all() for d in (dstate[0], *dstate[2:]))
    assert np.abs(dx[0]).max() > 0


@pytest.mark.parametrize("key", WITHOUT_CELL)
def test_truncation_is_refused_without_a_cell(key):
    problem = draw_problem(key, np.random.default_rng(21))
    with pytest.raises(ValueError, match="no cell"):
        by_hand(problem, truncate=True)


# Shapes, dtypes, states


def call(spec, params, x, state, dy, dstate):
    y, last, tape = numpy_lstm.forward(spec, params, x, state)
    dx, dstate_0, grads = numpy_lstm.backward(spec, params, tape, dy, dstate)
    return dict(y=y, last=last, tape=tape, dx=dx, dstate=dstate_0, grads=grads)


def arrays_of(out):
    return [out["y"], out["dx"], *out["last"], *out["dstate"], *out["grads"].values()]


@settings(max_examples=120)
@given(
    st.sampled_from(KEYS),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_shapes_and_dtypes(key, T, B, D, H, seed):
    spec = variants[key]
    problem = draw_problem(spec, np.random.default_rng(seed), D, H, T, B)
    given_arrays = [problem.x, problem.dy, *problem.state, *problem.dstate, *problem.params.values()]
    before = [a.copy() for a in given_arrays]
    out = call(spec, problem.params, problem.x, problem.state, problem.dy, problem.dstate)
    assert all((a == b).all() for a, b in zip(given_arrays, before, strict=True)), "an input was changed"

    widths = (H, H, 3 * H) if spec.gate_recurrence else (H, H)
    assert out["y"].shape == (T, B, H) and out["dx"].shape == (T, B, D)
    assert [s.shape for s in out["last"]] == [s.shape for s in out["dstate"]] == [(B, w) for w in widths]
    assert {k: v.shape for k, v in out["grads"].items()} == spec.parameter_shapes(D, H)
    letters = "zifocy" if spec.has_cell else ("zy" if key == "srnn" else "runy")
    assert all(getattr(out["tape"], k).shape == (T, B, H) for k in letters)
    assert (out["last"][0] == out["y"][-1]).all()
    assert all(a.dtype == np.float64 for a in arrays_of(out))

    def single(v):
        return v.astype(np.float32)

    state, dstate = (tuple(map(single, s)) for s in (problem.state, problem.dstate))
    params = {k: single(v) for k, v in problem.params.items()}
    short = call(spec, params, single(problem.x), state, single(problem.dy), dstate)
    for a, b in zip(arrays_of(short), arrays_of(out), strict=True):
        assert a.dtype == np.float32
        close(a, b, 2e-4)
    assert all(getattr(short["tape"], k).dtype == np.float32 for k in letters)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("role", ["g", "h", "gate_activation"])
def test_no_squashing_changes_the_dtype(role, dtype):
    options = ("sigmoid", "hard_sigmoid", "linear") if role == "gate_activation" else SQUASHING
    for squashing in options:
        spec = replace(variants["fgr"], **{role: squashing})
        rng = np.random.default_rng(22)
        params = numpy_lstm.init_params(spec, 2, 3, rng, dtype)
        x = rng.normal(size=(3, 2, 2)).astype(dtype)
        out = call(spec, params, x, None, np.ones((3, 2, 3), dtype), None)
        assert all(a.dtype == dtype for a in arrays_of(out)), squashing


@pytest.mark.parametrize("key", KEYS)
def test_two_calls_of_ten_steps_are_one_of_twenty(key):
    spec = variants[key]
    problem = draw_problem(spec, np.random.default_rng(23), steps=20)
    params, x, dy = problem.params, problem.x, problem.dy
    whole = call(spec, params, x, problem.state, dy, problem.dstate)
    y_1, middle, tape_1 = numpy_lstm.forward(spec, params, x[:10], problem.state)
    y_2, last, tape_2 = numpy_lstm.forward(spec, params, x[10:], middle)
    close(np.concatenate([y_1, y_2]), whole["y"])
    for a, b in zip(last, whole["last"], strict=True):
        close(a, b)
    dx_2, dmiddle, grads_2 = numpy_lstm.backward(spec, params, tape_2, dy[10:], problem.dstate)
    dx_1, dstate, grads_1 = numpy_lstm.backward(spec, params, tape_1, dy[:10], dmiddle)
    close(np.concatenate([dx_1, dx_2]), whole["dx"])
    for a, b in zip(dstate, whole["dstate"], strict=True):
        close(a, b)
    for name, g in whole["grads"].items():
        close(grads_1[name] + grads_2[name], g)


@pytest.mark.parametrize("key", KEYS)
def test_states_are_optional(key):
    spec = variants[key]
    problem = draw_problem(spec, np.random.default_rng(24))
    zeros = tuple(np.zeros_like(s) for s in problem.state)
    a = call(spec, problem.params, problem.x, None, problem.dy, None)
    b = call(spec, problem.params, problem.x, zeros, problem.dy, zeros)
    c = call(spec, problem.params, problem.x, zeros[:2], problem.dy, zeros[:2])
    for u, v, w in zip(arrays_of(a), arrays_of(b), arrays_of(c), strict=True):
        assert (u == v).all() and (u == w).all()


@pytest.mark.parametrize("key", GATE_RECURRENT)
def test_missing_third_entry_means_zero(key):
    spec = variants[key]
    problem = draw_problem(spec, np.random.default_rng(25))
    state, dstate = ((*s[:2], np.zeros_like(s[2])) for s in (problem.state, problem.dstate))
    a = call(spec, problem.params, problem.x, state, problem.dy, dstate)
    b = call(spec, problem.params, problem.x, problem.state[:2], problem.dy, problem.dstate[:2])
    full = call(spec, problem.params, problem.x, problem.state, problem.dy, problem.dstate)
    for u, v in zip(arrays_of(a), arrays_of(b), strict=True):
        assert (u == v).all()
    assert np.abs(full["y"] - a["y"]).max() > 1e-3 and np.abs(full["dx"] - a["dx"]).max() > 1e-3


def test_columns_of_a_constant_gate_are_zero_and_get_no_gradient():
    problem = draw_problem("lstm1997", np.random.default_rng(26))
    H = problem.dy.shape[-1]
    loud = (*problem.state[:2], problem.state[2] + np.repeat([0.0, 5.0, 0.0], H))
    a = call("lstm1997", problem.params, problem.x, problem.state, problem.dy, problem.dstate)
    b = call("lstm1997", problem.params, problem.x, loud, problem.dy, problem.dstate)
    for u, v in zip(arrays_of(a), arrays_of(b), strict=True):
        assert (u == v).all()
    for gates in (a["last"][2], a["dstate"][2]):
        assert (
            (gates[:, H : 2 * H] == 0).all() and (gates[:, :H] != 0).all() and (gates[:, 2 * H :] != 0).all()
        )


@pytest.mark.parametrize("key", KEYS)
def test_dy_of_the_last_state_is_added_to_the_last_row(key):
    problem = draw_problem(key, np.random.default_rng(27))
    zeros = tuple(np.zeros_like(s) for s in problem.dstate)
    dy = problem.dy.copy()
    dy[-1] += problem.dstate[0]
    a = call(key, problem.params, problem.x, problem.state, problem.dy, (problem.dstate[0], *zeros[1:]))
    b = call(key, problem.params, problem.x, problem.state, dy, None)
    for u, v in zip(arrays_of(a), arrays_of(b), strict=True):
        close(u, v, 1e-14)


@pytest.mark.parametrize("key", KEYS)
def test_backward_can_be_called_again(key):
    """The tape is read, not used up: two upstream gradients, and their sum by linearity."""
    problem = draw_problem(key, np.random.default_rng(28))
    other = draw_problem(key, np.random.default_rng(29))
    _, _, tape = numpy_lstm.forward(key, problem.params, problem.x, problem.state)

    def back(dy, dstate):
        dx, dstate_0, grads = numpy_lstm.backward(key, problem.params, tape, dy, dstate)
        return [a.copy() for a in (dx, *dstate_0, *grads.values())]

    first, second = back(problem.dy, problem.dstate), back(other.dy, other.dstate)
    together = back(problem.dy + other.dy, [a + b for a, b in zip(problem.dstate, other.dstate)])
    for a, b, c in zip(first, second, together):
        close(a + b, c)
    for a, b in zip(first, back(problem.dy, problem.dstate)):
        assert (a == b).all()


@pytest.mark.parametrize("key", KEYS)
def test_sequences_of_a_batch_do_not_touch(key):
    problem = draw_problem(key, np.random.default_rng(30), batch_size=3)
    whole = call(key, problem.params, problem.x, problem.state, problem.dy, problem.dstate)
    parts = [
        call(
            key,
            problem.params,
            problem.x[:, [b]],
            [s[[b]] for s in problem.state],
            problem.dy[:, [b]],
            [s[[b]] for s in problem.dstate],
        )
        for b in range(3)
    ]
    close(np.concatenate([p["y"] for p in parts], 1), whole["y"])
    close(np.concatenate([p["dx"] for p in parts], 1), whole["dx"])
    for name, g in whole["grads"].items():
        close(sum(p["grads"][name] for p in parts), g)


@pytest.mark.parametrize("key", KEYS)
def test_no_output_knows_the_future(key):
    problem = draw_problem(key, np.random.default_rng(31))
    changed = problem.x.copy()
    changed[3] += 1
    y, _, _ = numpy_lstm.forward(key, problem.params, problem.x, problem.state)
    y_changed, _, _ = numpy_lstm.forward(key, problem.params, changed, problem.state)
    assert (y[:3] == y_changed[:3]).all() and np.abs(y[3:] - y_changed[3:]).max(-1).min() > 0


# The tape


@pytest.mark.parametrize("key", KEYS)
def test_tape_survives_a_copy(key):
    problem = draw_problem(key, np.random.default_rng(32))
    y, _, tape = numpy_lstm.forward(key, problem.params, problem.x, problem.state)
    for twin in (copy.deepcopy(tape), pickle.loads(pickle.dumps(tape))):
        assert (twin.y == y).all()
        a, b = (numpy_lstm.backward(key, problem.params, t, problem.dy)[0] for t in (tape, twin))
        assert (a == b).all()


def test_constant_and_coupled_gates_are_on_the_tape():
    for key, k in (("nig", "i"), ("nfg", "f"), ("nog", "o"), ("lstm1997", "f"), ("no_srnn_out", "o")):
        problem = draw_problem(key, np.random.default_rng(33))
        _, _, tape = numpy_lstm.forward(key, problem.params, problem.x)
        assert getattr(tape, k).shape == tape.c.shape and (getattr(tape, k) == 1).all()
    problem = draw_problem("cifg", np.random.default_rng(33))
    _, _, tape = numpy_lstm.forward("cifg", problem.params, problem.x)
    assert (tape.f == 1 - tape.i).all()


@pytest.mark.parametrize(
    "key, letter", [("gru", "c"), ("gru", "i"), ("srnn", "f"), ("lstm", "r"), ("lstm", "q")]
)
def test_tape_has_no_other_letters(key, letter):
    problem = draw_problem(key, np.random.default_rng(34))
    _, _, tape = numpy_lstm.forward(key, problem.params, problem.x)
    assert not hasattr(tape, letter)
    with pytest.raises(AttributeError, match=letter):
        getattr(tape, letter)


# What is refused


def good(key="vanilla", dtype=np.float64):
    rng = np.random.default_rng(35)
    params = numpy_lstm.init_params(key, 3, 4, rng, dtype)
    return params, rng.normal(size=(5, 2, 3)).astype(dtype)


def test_init_params_spans_the_interval_of_torch():
    params = numpy_lstm.init_params("lstm", 50, 64, np.random.default_rng(36))
    drawn = np.concatenate([p.ravel() for p in params.values()])
    assert 0.124 < drawn.max() <= 0.125 and -0.125 <= drawn.min() < -0.124
    assert abs(drawn.mean()) < 0.002 and abs(drawn.std() - 0.125 / 3**0.5) < 0.002
    assert all(p.dtype == np.float32 for p in good(dtype=np.float32)[0].values())
    scaled = numpy_lstm.init_params("lstm", 50, 64, np.random.default_rng(36), scale=0.25)
    assert all(np.allclose(scaled[k], 2 * params[k]) for k in params)


@pytest.mark.parametrize("shape", [(5, 3), (5, 2, 3, 1), (0, 2, 3), (5, 0, 3), (5, 2, 0), (3,)])
def test_input_of_another_shape_is_refused(shape):
    params, _ = good()
    with pytest.raises(ValueError, match=r"\(T, B, D\)"):
        numpy_lstm.forward("vanilla", params, np.zeros(shape))


def test_parameters_that_do_not_fit_are_refused():
    params, x = good()
    with pytest.raises(ValueError, match=r"W_z is \(4, 2\) for D = 2"):
        numpy_lstm.forward("vanilla", params, x[..., :2])
    with pytest.raises(ValueError, match="unknown: p_f, p_i, p_o"):
        numpy_lstm.forward("lstm", params, x)
    with pytest.raises(ValueError, match="missing: b_o"):
        numpy_lstm.forward("vanilla", {k: v for k, v in params.items() if k != "b_o"}, x)
    with pytest.raises(ValueError, match="p_o"):
        numpy_lstm.forward("vanilla", params | {"p_o": np.zeros(5)}, x)
    with pytest.raises(ValueError, match="b_i"):
        numpy_lstm.forward("vanilla", params | {"b_i": np.zeros((4, 1))}, x)
    with pytest.raises(KeyError, match="no cell is called"):
        numpy_lstm.forward("vanila", params, x)


@pytest.mark.parametrize("name", ["W_z", "R_f", "p_o", "b_i"])
def test_mixed_dtypes_are_refused(name):
    params, x = good()
    with pytest.raises(ValueError, match=f"{name} is float32.*same dtype"):
        numpy_lstm.forward("vanilla", params | {name: params[name].astype(np.float32)}, x)
    with pytest.raises(ValueError, match="int64"):
        numpy_lstm.forward("vanilla", params, np.ones((5, 2, 3), np.int64))


def test_states_that_do_not_fit_are_refused():
    params, x = good()
    s = np.zeros((2, 4))
    for state in ((s,), (s, s, s), (s, s[:1]), (s.T, s), (s[0], s), (s[None], s)):
        with pytest.raises(ValueError, match="state"):
            numpy_lstm.forward("vanilla", params, x, state)
    params, _ = good("fgr")
    for state in ((s, s, s), (s, s, np.zeros((2, 12)), s)):
        with pytest.raises(ValueError, match="state"):
            numpy_lstm.forward("fgr", params, x, state)


def test_upstream_gradients_that_do_not_fit_are_refused():
    params, x = good()
    y, _, tape = numpy_lstm.forward("vanilla", params, x)
    s = np.zeros((2, 4))
    for dy in (y[:4], y[..., :3], y[-1], 1.0):
        with pytest.raises(ValueError, match="dy has the shape of y"):
            numpy_lstm.backward("vanilla", params, tape, dy)
    for dstate in ((s,), (s, s, s), (s, s.T)):
        with pytest.raises(ValueError, match="dstate"):
            numpy_lstm.backward("vanilla", params, tape, y, dstate)
    with pytest.raises(ValueError, match="recorded by cell 'vanilla', not 'lstm'"):
        numpy_lstm.backward("lstm", params, tape, y)
