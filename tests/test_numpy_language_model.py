"""The NumPy language model against differences, torch's autograd, torch's optimisers and torch's model."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lstm_tutorial import language_model, numpy_lstm, variants
from lstm_tutorial import numpy_language_model as lm
from lstm_tutorial.data import banyan, load_banyan
from lstm_tutorial.engines import autograd
from lstm_tutorial.gradient_check import error

V, H, D, T, B = 7, 4, 3, 5, 2


def problem(name, seed=0):
    """A cell's model with random parameters, a batch in which words repeat, and a random state."""
    rng = np.random.default_rng(seed)
    shapes = lm.init_params(name, V, H, rng, D, dtype=np.float64)
    params = {k: rng.uniform(-0.8, 0.8, p.shape) for k, p in shapes.items()}
    tokens, targets = rng.integers(V, size=(2, T, B))
    assert len(set(tokens.flat)) < tokens.size
    state = [rng.normal(size=s.shape) for s in numpy_lstm.zero_state(name, B, H)]
    if not variants[name].has_cell:
        state[1] *= 0
    return params, tokens, targets, tuple(state)


def by_autograd(name, params, tokens, targets, state):
    leaves = {k: torch.tensor(p, requires_grad=True) for k, p in params.items()}
    tokens, targets = torch.tensor(tokens), torch.tensor(targets)
    cell = {k: p for k, p in leaves.items() if k not in ("E", "W_s", "b_s")}
    y, last = autograd.run(variants[name], cell, leaves["E"][tokens], [torch.tensor(s) for s in state])
    scores = y @ leaves["W_s"].T + leaves["b_s"]
    loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten())
    grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return loss.item(), dict(zip(leaves, grads)), last


@pytest.mark.parametrize("name", variants)
def test_loss_gradients_and_state_are_those_of_autograd(name):
    params, tokens, targets, state = problem(name)
    loss, grads, last = lm.loss_and_gradients(name, params, tokens, targets, state)
    expected, references, expected_last = by_autograd(name, params, tokens, targets, state)
    assert loss == pytest.approx(expected, rel=1e-12)
    assert set(grads) == set(params)
    for k, reference in references.items():
        reference = np.zeros_like(params[k]) if reference is None else reference.numpy()
        assert error(grads[k], reference) < 1e-10, k
    for ours, theirs in zip(last, expected_last):
        assert error(ours, theirs.detach().numpy()) < 1e-10


@pytest.mark.parametrize("name", ["vanilla", "lstm", "gru", "srnn"])
def test_gradients_are_those_of_differences(name):
    params, tokens, targets, state = problem(name)
    _, grads, _ = lm.loss_and_gradients(name, params, tokens, targets, state)
    for k, p in params.items():
        numeric = np.empty_like(p)
        for place in np.ndindex(p.shape):
            sides = []
            before = p[place]
            for step in (1e-5, -1e-5):
                p[place] = before + step
                sides.append(lm.loss_and_gradients(name, params, tokens, targets, state)[0])
            p[place] = before
            numeric[place] = (sides[0] - sides[1]) / 2e-5
        assert error(grads[k], numeric) < 1e-6, k


def test_a_word_that_occurs_twice_collects_twice():
    params, tokens, targets, state = problem("lstm")
    tokens[:] = 3
    _, grads, _ = lm.loss_and_gradients("lstm", params, tokens, targets, state)
    _, references, _ = by_autograd("lstm", params, tokens, targets, state)
    assert error(grads["E"], references["E"].numpy()) < 1e-10
    assert not grads["E"][[0, 1, 2, 4, 5, 6]].any()


def test_softmax_does_not_overflow():
    s = np.array([[1000.0, 0.0, -1000.0], [0.0, 0.0, 0.0]])
    loss, ds = lm.softmax_cross_entropy(s, np.array([0, 1]))
    assert loss == pytest.approx(np.log(3) / 2)
    np.testing.assert_allclose(ds, [[0, 0, 0], [1 / 6, -1 / 3, 1 / 6]], atol=1e-15)
    assert np.isfinite(lm.softmax_cross_entropy(s, np.array([2, 1]))[0])


def test_the_state_is_what_lets_two_halves_be_one():
    params, tokens, targets, state = problem("vanilla")
    whole, _, last = lm.loss_and_gradients("vanilla", params, tokens, targets, state)
    first, _, middle = lm.loss_and_gradients("vanilla", params, tokens[:2], targets[:2], state)
    second, _, end = lm.loss_and_gradients("vanilla", params, tokens[2:], targets[2:], middle)
    assert (2 * first + 3 * second) / 5 == pytest.approx(whole)
    np.testing.assert_allclose(end, last)


def random_steps(update, optimiser_of, steps=30):
    """The parameters after the same random gradients, ours and torch's."""
    rng = np.random.default_rng(0)
    params = {"a": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}
    leaves = {k: torch.tensor(p.copy(), requires_grad=True) for k, p in params.items()}
    optimiser = optimiser_of(list(leaves.values()))
    for step in range(steps):
        grads = {k: rng.normal(size=p.shape) * 10.0**-step for k, p in params.items()}
        update(params, grads, 0.1)
        for k, p in leaves.items():
            p.grad = torch.tensor(grads[k])
        optimiser.step()
    return params, {k: p.detach().numpy() for k, p in leaves.items()}


@pytest.mark.parametrize(
    "update, optimiser_of",
    [
        (lm.sgd, lambda p: torch.optim.SGD(p, lr=0.1)),
        (lm.Adam(), lambda p: torch.optim.Adam(p, lr=0.1)),
        (lm.Adam(0.8, 0.9, 1e-4), lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.9), eps=1e-4)),
    ],
)
def test_an_optimiser_takes_torchs_steps(update, optimiser_of):
    ours, theirs = random_steps(update, optimiser_of)
    for k in ours:
        np.testing.assert_allclose(ours[k], theirs[k], rtol=1e-10)


@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping_is_torchs(max_norm):
    rng = np.random.default_rng(0)
    grads = {"a": rng.normal(size=(3, 2)), "b": rng.normal(size=4)}
    leaves = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in grads.values()]
    for leaf, g in zip(leaves, grads.values()):
        leaf.grad = torch.tensor(g)
    theirs = torch.nn.utils.clip_grad_norm_(leaves, max_norm).item()
    clipped, norm = lm.clip(grads, max_norm)
    assert norm == pytest.approx(theirs)
    for leaf, g in zip(leaves, clipped.values()):
        np.testing.assert_allclose(g, leaf.grad.numpy(), rtol=1e-5)  # torch adds 1e-6 to the norm


def test_batches_are_those_of_the_torch_model():
    text = np.arange(103)
    for ours, theirs in zip(lm.batches(text, 4, 5), language_model.batches(text, 4, 5), strict=True):
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b.numpy())
    with pytest.raises(ValueError, match="8 tokens are too few for a batch of 4 rows of 5 steps"):
        lm.batches(np.arange(8), 4, 5)


def torch_twin(name, params):
    """The torch model with the same parameters."""
    model = language_model.LanguageModel(name, V, H, num_layers=1).double()
    model.layers[0].load_numpy({k: p for k, p in params.items() if k not in ("E", "W_s", "b_s")})
    with torch.no_grad():
        model.embedding.weight.copy_(torch.tensor(params["E"]))
        model.softmax.weight.copy_(torch.tensor(params["W_s"]))
        model.softmax.bias.copy_(torch.tensor(params["b_s"]))
    return model


@pytest.mark.parametrize("name", ["vanilla", "lstm", "srnn"])
def test_perplexity_is_that_of_the_torch_model(name):
    rng = np.random.default_rng(0)
    start = lm.init_params(name, V, H, rng, dtype=np.float64)
    params = {k: rng.normal(size=p.shape) for k, p in start.items()}
    text = rng.integers(V, size=600)  # more than two stretches
    theirs = language_model.perplexity(torch_twin(name, params), text, 2)
    assert lm.perplexity(name, params, text, 2) == pytest.approx(theirs, rel=1e-8)


def test_a_model_that_knows_nothing_is_as_unsure_as_the_vocabulary_is_large():
    params = lm.init_params("lstm", V, H, np.random.default_rng(0))
    params["W_s"] *= 0
    assert lm.perplexity("lstm", params, np.arange(V), 0) == pytest.approx(V, rel=1e-6)


def test_agreement_is_what_single_sentences_say():
    rng = np.random.default_rng(1)
    vocabulary = len(banyan.vocabulary())
    params = lm.init_params("vanilla", vocabulary, H, rng, dtype=np.float64, scale=1.0)
    params["b_s"] = rng.normal(size=vocabulary)
    items, eos, right = banyan.agreement_set(2, 30), 0, 0
    for item in items:
        s, _ = lm.scores_of("vanilla", params, np.array([eos, *item.prefix])[:, None])
        right += s[-1, 0, item.right] > s[-1, 0, item.wrong]
    assert 0 < right < 30
    assert lm.agreement_accuracy("vanilla", params, items, eos) == right / 30


def test_temperature():
    s = np.array([2.0, 1.0, 0.0])
    np.testing.assert_allclose(lm.probabilities(s), torch.softmax(torch.tensor(s), 0).numpy())
    np.testing.assert_allclose(lm.probabilities(s, 0.5), lm.probabilities(2 * s))
    np.testing.assert_allclose(lm.probabilities(s, 1e6), 1 / 3, atol=1e-6)
    np.testing.assert_allclose(lm.probabilities(1000 * s, 1e-2), [1, 0, 0], atol=1e-12)


def test_samples_follow_the_models_probabilities():
    rng = np.random.default_rng(0)
    params = lm.init_params("lstm", V, H, rng, dtype=np.float64, scale=2.0)
    prefix = [3, 1]
    s, _ = lm.scores_of("lstm", params, np.array(prefix)[:, None])
    q = lm.probabilities(s[-1, 0], 0.7)
    drawn = [lm.sample("lstm", params, rng, prefix, 1, temperature=0.7)[0] for _ in range(3000)]
    share = np.bincount(drawn, minlength=V) / len(drawn)
    assert np.abs(share - q).max() < 4 * 0.5 / np.sqrt(len(drawn))


def test_sampling_reads_what_it_has_drawn():
    rng = np.random.default_rng(0)
    params = lm.init_params("lstm", V, H, rng, dtype=np.float64, scale=2.0)
    greedy = lm.sample("lstm", params, rng, [3], 6, temperature=1e-6)
    text = [3]
    for token in greedy:
        s, _ = lm.scores_of("lstm", params, np.array(text)[:, None])
        assert token == s[-1, 0].argmax()
        text.append(token)


@pytest.mark.parametrize("name", ["lstm", "no_srnn_out", "cifg", "srnn"])
def test_parameters_start_as_asked(name):
    plain = lm.init_params(name, V, H, np.random.default_rng(0), D)
    raised = lm.init_params(name, V, H, np.random.default_rng(0), D, forget_bias=2.0)
    assert plain["E"].shape == (V, D) and plain["W_s"].shape == (V, H) and not plain["b_s"].any()
    assert {p.dtype for p in plain.values()} == {np.dtype(np.float32)}
    for k, p in plain.items():
        assert np.abs(p).max() <= H**-0.5
        np.testing.assert_allclose(raised[k], p + 2.0 * (k == "b_f"))


def test_train_is_the_loop_that_it_says():
    text = np.random.default_rng(3).integers(V, size=103)
    params = lm.init_params("lstm", V, H, np.random.default_rng(0), dtype=np.float64)
    by_hand = {k: p.copy() for k, p in params.items()}
    how = dict(epochs=2, batch_size=4, num_steps=5, rate=0.1, max_norm=0.2)
    steps = list(lm.train("lstm", params, text, **how))

    adam, expected = lm.Adam(), []
    for _ in range(2):
        state = None
        for tokens, targets in lm.batches(text, 4, 5):
            loss, grads, state = lm.loss_and_gradients("lstm", by_hand, tokens, targets, state)
            expected.append(loss)
            grads, _ = lm.clip(grads, 0.2)
            adam(by_hand, grads, 0.1 * (1 - (len(expected) - 1) / 8))
    assert [s.loss for s in steps] == expected
    assert [s.epoch for s in steps] == 4 * [0] + 4 * [1] and steps[-1].step == steps[-1].steps == 8
    for k in params:
        np.testing.assert_array_equal(params[k], by_hand[k])
    assert max(s.norm for s in steps) > 0.2  # so that something was clipped


@pytest.mark.parametrize("name", variants)
def test_every_cell_can_be_trained(name):
    """Alive: every parameter has a gradient in one of the first two steps, but for the dead network's."""
    text = load_banyan("smoke").train[:402]
    words = len(banyan.vocabulary())
    params = lm.init_params(name, words, H, np.random.default_rng(0))
    before = {k: p.copy() for k, p in params.items()}
    steps = list(lm.train(name, params, text, batch_size=20, num_steps=10, rate=1e-2))
    assert np.isfinite(steps[-1].loss)
    moved = {k for k in params if (params[k] != before[k]).any()}
    assert moved == ({"b_s"} if name == "no_gates_as_published" else set(params))


def test_training_that_is_no_longer_finite_stops():
    text = np.random.default_rng(3).integers(V, size=103)
    params = lm.init_params("srnn", V, H, np.random.default_rng(0))
    with np.errstate(all="ignore"):
        training = lm.train("srnn", params, text, batch_size=4, num_steps=5)
        assert np.isfinite(next(training).loss)
        params["b_s"][0] = np.inf  # as a step that was far too long would leave it
        (last,) = training
    assert last.step == 2 < last.steps and not np.isfinite(last.loss)


def test_it_learns_what_it_reads():
    """A text that repeats itself: after a while nearly every next word is known."""
    text = np.tile(np.arange(V), 200)
    params = lm.init_params("lstm", V, 8, np.random.default_rng(0))
    training = lm.train("lstm", params, text, epochs=4, batch_size=5, num_steps=7, rate=0.05)
    losses = [step.loss for step in training]
    assert losses[0] > 0.9 * np.log(V) and losses[-1] < 0.1
    assert lm.perplexity("lstm", params, text[:70], V - 1) < 1.2


def test_unigram_perplexity_by_hand():
    # a: 3 of 6, b: 1, c: never seen, so counted once; d: 1. The counts then sum to 3 + 1 + 1 + 1 = 6.
    train, seen, unseen = np.array([0, 0, 0, 1, 3]), np.array([0, 1, 3, 0]), np.array([2, 0])
    assert lm.unigram_perplexity(train, seen, 4) == pytest.approx((2 * 6 * 6 * 2) ** (1 / 4), rel=1e-14)
    assert lm.unigram_perplexity(train, unseen, 4) == pytest.approx((6 * 2) ** (1 / 2), rel=1e-14)
