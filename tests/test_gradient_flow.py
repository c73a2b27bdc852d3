"""Jacobians and their products, against autograd, the backward pass over many steps, and closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lstm_tutorial import numpy_lstm, variants
from lstm_tutorial.engines import autograd
from lstm_tutorial.gradient_check import draw_problem
from lstm_tutorial.gradient_flow import (
    cell_path,
    draw_cell,
    growth,
    orthogonal,
    products,
    spectral_radius,
    step_jacobians,
)
from lstm_tutorial.plots import gradient_flow as pictures

T, B, D, H = 5, 2, 3, 4


def flat(spec, state):
    """The numbers that a cell carries, side by side; without a cell, c is none of them."""
    return torch.cat([s for k, s in enumerate(state) if k != 1 or spec.has_cell], -1)


def unflat(spec, s, state):
    parts, at = [], 0
    for k, like in enumerate(state):
        width = like.shape[-1] if k != 1 or spec.has_cell else 0
        parts.append(s[..., at : at + width] if width else torch.zeros(like.shape, dtype=s.dtype))
        at += width
    return tuple(parts)


def by_autograd(problem, t):
    """∂s^T/∂s^t for every sequence, (B, n, n), by torch's autograd through an independent loop."""
    spec = problem.spec
    params = {k: torch.from_numpy(v) for k, v in problem.params.items()}
    x = torch.from_numpy(problem.x)
    start = tuple(torch.from_numpy(s) for s in problem.state)
    state = autograd.run(spec, params, x[:t], start)[1] if t else start
    jacobians = []
    for b in range(x.shape[1]):
        one = tuple(s[b : b + 1] for s in state)

        def last(s, one=one, b=b):
            after = autograd.run(spec, params, x[t:, b : b + 1], unflat(spec, s[None], one))[1]
            return flat(spec, after)[0]

        jacobians.append(torch.autograd.functional.jacobian(last, flat(spec, one)[0]).numpy())
    return np.array(jacobians)


@pytest.mark.parametrize("name", variants)
def test_the_product_is_autograds_jacobian_for_every_cell(name):
    problem = draw_problem(name, np.random.default_rng(0), D, H, T, B)
    P = products(step_jacobians(problem.spec, problem.params, problem.x, problem.state))
    for t in range(T):
        expected = by_autograd(problem, t)
        assert P[t].shape == expected.shape
        np.testing.assert_allclose(P[t], expected, atol=1e-12)
    np.testing.assert_array_equal(P[T], np.broadcast_to(np.eye(P.shape[-1]), P[T].shape))


def test_a_first_state_that_is_not_given_is_zero():
    problem = draw_problem("vanilla", np.random.default_rng(1))
    zeros = numpy_lstm.zero_state("vanilla", 2, 4)
    given = step_jacobians("vanilla", problem.params, problem.x, zeros)
    np.testing.assert_array_equal(step_jacobians("vanilla", problem.params, problem.x), given)


def test_gates_that_are_not_given_are_zero():
    problem = draw_problem("fgr", np.random.default_rng(1))
    y_0, c_0, gates_0 = problem.state
    given = step_jacobians("fgr", problem.params, problem.x, (y_0, c_0, 0 * gates_0))
    np.testing.assert_array_equal(step_jacobians("fgr", problem.params, problem.x, (y_0, c_0)), given)


def test_a_gradient_is_the_product_times_the_upstream_gradient():
    problem = draw_problem("lstm", np.random.default_rng(2))
    P = products(step_jacobians("lstm", problem.params, problem.x, problem.state))
    _, _, tape = numpy_lstm.forward("lstm", problem.params, problem.x, problem.state)
    _, (dy_0, dc_0), _ = numpy_lstm.backward("lstm", problem.params, tape, 0 * problem.dy, problem.dstate)
    upstream = np.concatenate(problem.dstate, 1)
    np.testing.assert_allclose(np.einsum("ba,bak->bk", upstream, P[0]), np.concatenate([dy_0, dc_0], 1))


def test_a_plain_rnn_has_the_jacobian_of_the_textbook():
    problem = draw_problem("srnn", np.random.default_rng(3))
    y, _, _ = numpy_lstm.forward("srnn", problem.params, problem.x, problem.state)
    textbook = (1 - y**2)[..., None] * problem.params["R_z"]
    jacobians = step_jacobians("srnn", problem.params, problem.x, problem.state)
    np.testing.assert_allclose(jacobians, textbook, atol=1e-14)


def test_a_linear_rnn_with_orthogonal_matrix_neither_vanishes_nor_explodes():
    spec = replace(variants["srnn"], name="linear", g="linear")
    rng = np.random.default_rng(4)
    params = draw_cell(spec, D, H, rng) | {"R_z": orthogonal(H, rng)}
    x = rng.normal(size=(200, B, D))
    values = np.linalg.svd(products(step_jacobians(spec, params, x)), compute_uv=False)
    np.testing.assert_allclose(values, 1, atol=1e-12)
    for factor in (0.9, 1.1):
        scaled = params | {"R_z": factor * params["R_z"]}
        np.testing.assert_allclose(growth(step_jacobians(spec, scaled, x)), factor)


@pytest.mark.parametrize("name", ["lstm", "nfg", "cifg", "nog", "niaf", "slim1"])
def test_the_cell_path_is_the_truncated_gradient(name):
    spec = replace(variants[name], peepholes="")
    problem = draw_problem(spec, np.random.default_rng(5))
    _, _, tape = numpy_lstm.forward(spec, problem.params, problem.x, problem.state)
    path = cell_path(tape.f)
    dc_T = problem.dstate[1]
    for t in range(len(path) - 1):  # the gradient at c^t: that of the first state of the rest
        state = problem.state if t == 0 else (tape.y[t - 1], tape.c[t - 1])
        _, _, rest = numpy_lstm.forward(spec, problem.params, problem.x[t:], state)
        zeros = np.zeros_like(rest.y)
        upstream = (np.zeros_like(dc_T), dc_T)
        _, (_, dc), _ = numpy_lstm.backward(spec, problem.params, rest, zeros, upstream, truncate=True)
        np.testing.assert_allclose(dc, path[t] * dc_T)
    np.testing.assert_array_equal(path[-1], 1)


def test_orthogonal_matrices_are_orthogonal_and_have_no_preferred_sign():
    rng = np.random.default_rng(6)
    Q = orthogonal(7, rng)
    np.testing.assert_allclose(Q @ Q.T, np.eye(7), atol=1e-14)
    corners = np.array([orthogonal(3, rng)[0, 0] for _ in range(400)])
    assert abs(corners.mean()) < 0.1  # LAPACK's own sign would make it −0.5


def test_the_dials_do_what_they_say_and_leave_the_rest():
    cells = [
        draw_cell("lstm", D, H, np.random.default_rng(7), radius=r, forget_bias=b, input_scale=s)
        for r, b, s in ((0.5, 2.0, 1.0), (1.5, -1.0, 3.0))
    ]
    for params, radius, bias in zip(cells, (0.5, 1.5), (2.0, -1.0)):
        for k in "zifo":
            assert spectral_radius(params[f"R_{k}"]) == pytest.approx(radius)
            assert (params[f"b_{k}"] == (bias if k == "f" else 0)).all()
    np.testing.assert_allclose(cells[1]["R_z"], 3 * cells[0]["R_z"])
    np.testing.assert_allclose(cells[1]["W_z"], 3 * cells[0]["W_z"])
    wide = draw_cell("srnn", 400, 300, np.random.default_rng(8), input_scale=0.5)
    x = np.random.default_rng(9).normal(size=(400, 50))
    assert (wide["W_z"] @ x).std() == pytest.approx(0.5, rel=0.05)


# --- the pictures ----------------------------------------------------------------------------------------


def test_lines_run_from_the_end_backwards_and_the_description_has_their_numbers():
    figure = pictures.flow_lines({"halves": 0.5 ** np.arange(10.0)[::-1]}, title="t")
    (line,) = (line for line in figure.axes[0].get_lines() if line.get_label() == "halves")
    np.testing.assert_allclose(line.get_ydata(), 0.5 ** np.arange(10.0))
    assert "halves: about 10⁻³ after 9 steps, a factor of 0.50 a step." in figure.alt


def test_what_underflows_is_drawn_at_the_bottom():
    figure = pictures.flow_lines({"gone": np.array([0.0, 1e-300, 1.0])}, title="t")
    assert min(figure.axes[0].get_lines()[-1].get_ydata()) == pytest.approx(pictures.SMALLEST)
    assert "gone: less than 10⁻¹⁶" in figure.alt


def test_a_map_writes_every_number_into_its_square():
    values = np.array([[0.5, 1.0], [1.2, 2.0]])
    figure = pictures.growth_map(values, (1, 2), (3, 4), row_label="r", column_label="c", title="t")
    written = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert written == {(0, 0): "0.50", (1, 0): "1.00", (0, 1): "1.20", (1, 1): "2.00"}
    assert "At 2: from 1.20 on the left to 2.00 on the right." in figure.alt


@pytest.mark.parametrize("dials", [(0.25, -2.0, 0.0), (4.0, 6.0, 2.0), (4.0, 6.0, 0.0)])
def test_the_widget_draws_at_the_ends_of_its_sliders(dials):
    figure = pictures.reach(*dials)
    figure.draw_without_rendering()
    assert all(np.isfinite(line.get_ydata()).all() for line in figure.axes[0].get_lines())
    cell = next(line for line in figure.axes[0].get_lines() if "cell alone" in line.get_label())
    assert max(cell.get_ydata()) <= 1  # forget gates never amplify


def test_a_cliff_names_the_longest_step_of_a_path():
    axis = np.linspace(0, 1, 5)
    figure = pictures.cliff(np.ones((5, 5)), axis, axis, {"p": [(0, 0), (0.3, 0.4), (0.3, 0.5)]})
    assert "p: from w 0.0, b 0.0 to w 0.3, b 0.5; its longest step is 0.5." in figure.alt
