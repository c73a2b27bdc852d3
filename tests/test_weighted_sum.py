"""The theorem of seed 000: the cell as a weighted sum, for every cell that has one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_tutorial import numpy_lstm, variants
from lstm_tutorial.gradient_check import draw_problem
from lstm_tutorial.language_model import LanguageModel
from lstm_tutorial.weighted_sum import (
    contributions_at,
    effective_memory,
    summands,
    tapes_of,
    weights,
    weights_at,
)

T, B, H = 9, 3, 4
COUPLED = [
    variants["cifg"],
    replace(variants["lstm"], name="coupled without peepholes", forget_gate="coupled"),
    replace(variants["fgr"], name="coupled with gate recurrence", forget_gate="coupled"),
    replace(variants["no_srnn_hidden"], name="coupled, gates read x", forget_gate="coupled"),
]
GRUS = [variants["gru"], variants["gru_reset_before"]]
OTHERS = [  # squashing functions of seed 003, and gates that can be exactly zero
    replace(variants["lstm"], name="hard", gate_activation="hard_sigmoid"),
    replace(variants["lstm"], name="softmax", g="softmax", h="softmax"),
    replace(variants["vanilla"], name="relu", g="relu", h="relu"),
]
WITH_CELL = [spec for spec in variants.values() if spec.has_cell] + COUPLED[1:] + OTHERS
SUMS = WITH_CELL + GRUS


def run(spec, seed=0, steps=T):
    """A tape of random everything: parameters, input, and the state that is carried in."""
    problem = draw_problem(spec, np.random.default_rng(seed), 3, H, steps, B)
    return numpy_lstm.forward(problem.spec, problem.params, problem.x, problem.state)[2]


def state_of(tape):
    """(T + 1, B, H): what the sum has to equal, c, or y of a GRU; the initial one first."""
    return tape.C if tape.spec.has_cell else tape.Y


def test_the_catalogue_is_covered():
    assert {spec.name for spec in variants.values()} - {spec.name for spec in SUMS} == {"srnn"}


# The theorem


@pytest.mark.parametrize("spec", SUMS, ids=lambda spec: spec.name)
def test_the_sum_is_the_cell(spec):
    tape = run(spec)
    w, z, c = weights(tape), summands(tape), state_of(tape)
    assert w.shape == (T + 1, T + 1, B, H) and z.shape == c.shape == (T + 1, B, H)
    assert np.abs(c[0]).min() > 0, "the carried state has to be there"
    np.testing.assert_allclose((w * z).sum(1), c, rtol=0, atol=1e-12 * max(1, np.abs(c).max()))
    for t in range(T + 1):
        np.testing.assert_allclose(
            contributions_at(tape, t).sum(0), c[t], rtol=0, atol=1e-12 * np.abs(c).max()
        )
    without = (w[-1, 1:] * z[1:]).sum(0)
    gone = np.abs(without - c[-1]).max() < 1e-9
    assert not gone, "without its c_0 term the theorem is false"


@pytest.mark.parametrize("spec", SUMS, ids=lambda spec: spec.name)
def test_weights_are_the_products_of_the_theorem(spec):
    """Entry by entry, with the gates as the tape's letters name them."""
    tape = run(spec, seed=1)
    if spec.has_cell:
        i, f = tape.i, tape.f
    else:
        i, f = {"gru": (1 - tape.u, tape.u), "gru_reset_before": (tape.u, 1 - tape.u)}[spec.name]
    w = weights(tape)
    for t in range(T + 1):
        for j in range(T + 1):
            product = np.zeros((B, H)) if j > t else np.ones((B, H)) if j == 0 else i[j - 1].copy()
            for k in range(j + 1, t + 1):
                product *= f[k - 1]
            np.testing.assert_allclose(w[t, j], product, rtol=1e-13, atol=0)
        np.testing.assert_array_equal(weights_at(tape, t), w[t, : t + 1])


@given(st.sampled_from(SUMS), st.integers(0, 1000), st.integers(1, 20))
def test_the_sum_is_the_cell_whatever_is_drawn(spec, seed, steps):
    tape = run(spec, seed, steps)
    c = state_of(tape)
    total = contributions_at(tape, steps).sum(0)
    np.testing.assert_allclose(total, c[-1], rtol=0, atol=1e-12 * max(1, np.abs(c).max()))


@pytest.mark.parametrize("spec", SUMS, ids=lambda spec: spec.name)
def test_a_carried_state_only_moves_the_c_0_term_further_back(spec):
    """The second half alone: its weight for c_0 multiplies all the weights of the first half."""
    problem = draw_problem(spec, np.random.default_rng(2), 3, H, T, B)
    _, state, first = numpy_lstm.forward(spec, problem.params, problem.x[:5], problem.state)
    _, _, second = numpy_lstm.forward(spec, problem.params, problem.x[5:], state)
    whole = numpy_lstm.forward(spec, problem.params, problem.x, problem.state)[2]
    w, later = weights_at(whole, T), weights_at(second, T - 5)
    np.testing.assert_allclose(w[6:], later[1:], rtol=1e-12)
    np.testing.assert_allclose(w[:6], later[0] * weights_at(first, 5), rtol=1e-12)


# Averages


@pytest.mark.parametrize("spec", COUPLED + GRUS, ids=lambda spec: spec.name)
def test_coupled_weights_sum_to_one_with_that_of_c_0(spec):
    w = weights(run(spec))
    np.testing.assert_allclose(w.sum(1), 1, rtol=0, atol=1e-14)
    assert w.min() >= 0
    assert np.abs(w[-1, 1:].sum(0) - 1).max() > 1e-6, "only with c_0"


@pytest.mark.parametrize("key", ["vanilla", "lstm", "nfg", "no_srnn_hidden"])
def test_other_weights_do_not_sum_to_one(key):
    assert np.abs(weights(run(variants[key])).sum(1)[1:] - 1).min() > 1e-6


def test_without_a_forget_gate_nothing_is_forgotten_and_without_an_input_gate_all_is_written():
    w = weights(run(variants["nfg"]))
    for j in range(T + 1):
        assert (w[j:, j] == w[j, j]).all()
    now = weights(run(variants["nig"]))[range(1, T + 1), range(1, T + 1)]
    assert (now == 1).all()


def test_what_comes_later_has_no_weight_and_a_closed_forget_gate_leaves_nothing():
    tape = run(OTHERS[0], seed=3)  # the hard sigmoid
    w = weights(tape)
    assert not w[np.triu_indices(T + 1, 1)].any() and w[0, 0].all()
    tape.f[4] = 0  # by hand: at step 5 everything before is wiped out
    w = weights(tape)
    assert not w[5:, :5].any() and w[4, :5].any() and np.isfinite(w).all()


def test_the_simple_rnn_is_no_such_sum():
    for ask in (summands, weights, lambda tape: weights_at(tape, 1), lambda tape: effective_memory(tape, 1)):
        with pytest.raises(ValueError, match="'srnn' has no gates"):
            ask(run(variants["srnn"]))


@pytest.mark.parametrize("t", [-1, T + 1])
def test_a_step_that_is_not_there_is_refused(t):
    with pytest.raises(ValueError, match=f"to {T}, after the last; not {t}"):
        weights_at(run(variants["lstm"]), t)


# Effective memory


def constant(f, z=1.0, c_0=0.0, steps=200):
    """A tape whose gates are constant: i = 1 and f given, one unit. By hand, from that of a real cell."""
    spec = variants["lstm"]
    params = {k: np.zeros(s) for k, s in spec.parameter_shapes(1, 1).items()}
    tape = numpy_lstm.forward(spec, params, np.zeros((steps, 1, 1)), (np.zeros((1, 1)), np.zeros((1, 1))))[2]
    tape.z[:], tape.i[:], tape.f[:], tape.C[0] = z, 1.0, f, c_0
    return tape


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("f", [0.15, 0.55, 0.8, 0.95])
def test_effective_memory_of_a_constant_forget_gate_is_a_closed_form(f, share):
    """Within d steps lies (1 − f^{d+1}) / (1 − f^t) of the total; the smallest d for which that is enough."""
    for t in (1, 7, 200):
        distance = np.log(1 - share * (1 - f**t)) / np.log(f) - 1
        expected = max(0, np.ceil(distance - 1e-9))
        assert effective_memory(constant(f), t, share).item() == expected


def test_effective_memory_of_a_sum_that_forgets_nothing_is_half_of_all():
    tape = constant(1.0)
    assert effective_memory(tape, 100).item() == 49, "50 of 100 words: distances 0 to 49"
    assert effective_memory(tape, 100, share=1).item() == 99
    assert effective_memory(constant(1.0, z=np.resize([1.0, -1.0], (200, 1, 1))), 100).item() == 49
    assert effective_memory(constant(0.0), 100, share=1).item() == 0


def test_what_was_there_before_counts_as_t_words_back():
    assert effective_memory(constant(1.0, z=1.0, c_0=1000.0), 20).item() == 20
    assert effective_memory(constant(1.0, z=1.0, c_0=10.0), 20).item() == 14, "15 of 30 by the last 15 words"
    assert effective_memory(constant(1.0, z=1.0, c_0=1.0), 0).item() == 0
    assert np.isnan(effective_memory(constant(1.0, z=0.0), 20)).all()
    assert np.isnan(effective_memory(constant(0.5), 0)).all()


def test_effective_memory_is_per_sequence_and_unit_and_grows_with_the_share():
    tape = run(variants["vanilla"])
    grows = np.array([effective_memory(tape, T, share) for share in (0.01, 0.3, 0.5, 0.9, 1)])
    assert grows.shape == (5, B, H) and (np.diff(grows, axis=0) >= 0).all()
    assert len(np.unique(grows[2])) > 1 and (grows[0] <= T).all()
    for b in range(B):  # a slow loop over one unit's words, newest first
        for unit in range(H):
            terms = np.abs(contributions_at(tape, T)[:, b, unit])
            held, d = 0.0, -1
            while held < 0.5 * terms.sum():
                d += 1
                held += terms[T - d]
            assert grows[2, b, unit] == d


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        effective_memory(run(variants["lstm"]), T, share)


# Language models


@pytest.mark.parametrize("options", [{}, {"layers_tied": True}, {"dropout": 0.5}], ids=str)
@pytest.mark.parametrize("key", ["vanilla", "fgr", "cifg", "gru", "srnn"])
def test_tapes_of_a_language_model_are_what_its_layers_do(key, options):
    model = LanguageModel(key, 11, H, **options).initialise(0.5, torch.Generator().manual_seed(0)).double()
    tokens = torch.as_tensor(np.random.default_rng(0).integers(0, 11, (2 * T, B)))
    model.eval()
    with torch.no_grad():
        _, state = model.hidden(tokens[:T])
        expected, last = model.hidden(tokens[T:], state)
    model.train()
    tapes = tapes_of(model, tokens[T:].numpy(), state)
    assert len(tapes) == 2 and model.training
    np.testing.assert_allclose(tapes[-1].y, expected, rtol=0, atol=1e-14)
    for tape, (y, c, *_) in zip(tapes, last, strict=True):
        np.testing.assert_allclose(tape.Y[-1], y[0], rtol=0, atol=1e-14)
        if tape.spec.has_cell:
            np.testing.assert_allclose(contributions_at(tape, T).sum(0), c[0], rtol=0, atol=1e-12)
    start = tapes_of(model.float(), tokens[:T])
    assert start[0].y.dtype == np.float64 and not start[0].Y[0].any()
