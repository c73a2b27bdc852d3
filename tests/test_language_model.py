"""The language model: batches, perplexity, weights, dropout, causality, and that every parameter learns.

The oracles are slow loops over single tokens, counts by hand, and closed forms.
"""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from lstm_tutorial import variants
from lstm_tutorial.data import load_corpus
from lstm_tutorial.language_model import (
    LanguageModel,
    batches,
    perplexity,
    safe_exp,
    unigram_perplexity,
)
from lstm_tutorial.studies.ptb_ablation import AS_PUBLISHED, ROWS, settings
from lstm_tutorial.training import build_model

DEAD = "no_gates_as_published"
ALIVE = [key for key in variants if key != DEAD]
V, H = 13, 6


def text(length, seed=0, words=V):
    return np.random.default_rng(seed).integers(0, words, length)


def model_of(key="lstm", *, scale=0.5, seed=0, dtype=torch.float64, **options):
    generator = torch.Generator().manual_seed(seed)
    return LanguageModel(key, V, H, **options).initialise(scale, generator).to(dtype)


# Batches


@pytest.mark.parametrize(
    "length, rows, steps",
    [(100, 4, 5), (101, 4, 5), (103, 4, 6), (104, 4, 5), (21, 1, 20), (42, 2, 20), (50, 7, 3), (9, 4, 1)],
)
def test_batches_against_a_slow_reference(length, rows, steps):
    tokens = np.arange(1000, 1000 + length)  # every token names its own place
    row_length = length // rows
    expected = []
    start = 0
    while start + steps + 1 <= row_length:  # the target of a batch's last step has to exist as well
        inputs = [[1000 + b * row_length + start + t for b in range(rows)] for t in range(steps)]
        targets = [[1000 + b * row_length + start + t + 1 for b in range(rows)] for t in range(steps)]
        expected.append((inputs, targets))
        start += steps
    found = batches(tokens, rows, steps)
    assert [(a.tolist(), b.tolist()) for a, b in found] == expected
    assert len(found) == (length // rows - 1) // steps > 0


def test_batches_go_on_row_by_row_and_every_target_is_the_next_token():
    tokens = text(317, words=1000)
    following = batches(np.arange(317), 5, 7)
    for (inputs, targets), (places, next_places) in zip(batches(tokens, 5, 7), following, strict=True):
        assert torch.equal(next_places, places + 1)
        assert inputs.tolist() == tokens[places].tolist()
        assert targets.tolist() == tokens[next_places].tolist()
    for (before, _), (after, _) in zip(following, following[1:]):
        assert torch.equal(after[0], before[-1] + 1), "row b of a batch goes on in row b of the next"


def test_batches_take_a_list_and_are_integers_that_embeddings_accept():
    (inputs, targets), *_ = batches(list(range(20)), 2, 3)
    assert inputs.dtype == targets.dtype == torch.int64
    assert inputs.shape == targets.shape == (3, 2)


@pytest.mark.parametrize("length, rows, steps", [(0, 1, 1), (20, 4, 5), (5, 10, 1), (20, 1, 20)])
def test_a_text_too_short_for_one_batch_is_refused(length, rows, steps):
    with pytest.raises(
        ValueError, match=f"{length} tokens are too few for a batch of {rows} rows of {steps}"
    ):
        batches(np.arange(length), rows, steps)
    enough = rows * (steps + 1)
    assert len(batches(np.arange(enough), rows, steps)) == 1


# Perplexity


def nats_token_by_token(model, tokens, first):
    """Minus log-probability of every token of one row: one at a time, from a zero state. In float64."""
    model.eval()
    nats, state, previous = [], None, int(first)
    with torch.no_grad():
        for token in tokens:
            scores, state = model(torch.tensor([[previous]]), state)
            scores = scores[0, 0].tolist()
            top = max(scores)
            nats.append(top + math.log(math.fsum(math.exp(s - top) for s in scores)) - scores[token])
            previous = int(token)
    return nats


@pytest.mark.parametrize("key", ["lstm", "vanilla", "fgr", "gru", "srnn", "no_srnn_hidden"])
def test_perplexity_is_the_slow_loop_over_tokens(key):
    model, tokens = model_of(key), text(53)
    expected = math.exp(math.fsum(nats_token_by_token(model, tokens, 4)) / 53)
    assert perplexity(model, tokens, 4) == pytest.approx(expected, rel=1e-12)
    assert perplexity(model, tokens, 5) != pytest.approx(expected, rel=1e-6), "the first token counts"


@pytest.mark.parametrize("length, rows", [(53, 2), (53, 7), (50, 10), (53, 10), (11, 10), (12, 5), (3, 10)])
def test_perplexity_in_rows_is_the_slow_loop_row_by_row(length, rows):
    """Every token is still predicted once: a row starts with a zero state, from the token before it."""
    model, tokens, first = model_of("vanilla"), text(length), 4
    width = math.ceil(length / rows)
    nats = []
    for start in range(0, length, width):
        before = first if start == 0 else tokens[start - 1]
        nats += nats_token_by_token(model, tokens[start : start + width], before)
    assert len(nats) == length
    assert perplexity(model, tokens, first, batch_size=rows) == pytest.approx(
        math.exp(math.fsum(nats) / length), rel=1e-12
    )


def test_perplexity_does_not_depend_on_how_the_text_is_chunked():
    model, tokens = model_of("fgr"), text(60)
    for rows in (1, 7):
        whole = perplexity(model, tokens, 0, batch_size=rows, num_steps=1000)
        for steps in (1, 7, 59, 60):
            assert perplexity(model, tokens, 0, batch_size=rows, num_steps=steps) == pytest.approx(
                whole, rel=1e-12
            )


@pytest.mark.parametrize("training", [True, False])
def test_perplexity_leaves_the_model_as_it_was_and_never_drops(training):
    model, tokens = model_of(dropout=0.9), text(40)
    before = {name: p.clone() for name, p in model.state_dict().items()}
    random = torch.get_rng_state()
    found = perplexity(model.train(training), tokens, 0)
    assert model.training is training and all(m.training is training for m in model.modules())
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    assert found == perplexity(model_of(dropout=0.0), tokens, 0)


def test_a_uniform_model_has_perplexity_v():
    model = model_of().float()
    for p in model.parameters():
        p.data.zero_()
    assert perplexity(model.double(), text(40), 0) == pytest.approx(V, rel=1e-14)


def test_a_softmax_bias_of_log_frequencies_is_the_unigram_model():
    train, other = text(500, seed=1, words=V - 2), text(71, seed=2)
    assert set(other) > set(train), "the text has to hold words that training never saw"
    model = model_of()
    for p in model.parameters():
        p.data.zero_()
    counts = Counter(train.tolist())
    seen_or_once = torch.tensor([max(counts[k], 1) for k in range(V)], dtype=torch.float64)
    model.softmax.bias.data.copy_(seen_or_once.log())  # softmax divides by their sum
    assert perplexity(model, other, 0) == pytest.approx(unigram_perplexity(train, other, V), rel=1e-12)


def test_unigram_perplexity_by_hand():
    # a: 3 of 6, b: 1, c: never seen, so counted once; d: 1. The counts then sum to 3 + 1 + 1 + 1 = 6.
    train, seen, unseen = np.array([0, 0, 0, 1, 3]), np.array([0, 1, 3, 0]), np.array([2, 0])
    assert unigram_perplexity(train, seen, 4) == pytest.approx((2 * 6 * 6 * 2) ** (1 / 4), rel=1e-14)
    assert unigram_perplexity(train, unseen, 4) == pytest.approx((6 * 2) ** (1 / 2), rel=1e-14)


def test_perplexity_that_does_not_fit_a_float_is_infinite():
    assert safe_exp(1e4) == math.inf and safe_exp(math.nan) == math.inf
    assert safe_exp(0.0) == 1
    model = model_of()
    model.softmax.bias.data[0] = 1e5
    assert perplexity(model, np.array([1, 2, 3]), 0) == math.inf


@pytest.mark.real_data("ptb")
def test_unigram_perplexity_of_penn_treebank():
    corpus = load_corpus("ptb", say=None)
    size = len(corpus.vocabulary)
    assert round(unigram_perplexity(corpus.train, corpus.valid, size), 2) == 687.03
    assert round(unigram_perplexity(corpus.train, corpus.test, size), 2) == 639.30
    assert (
        len(batches(corpus.train, 20, 20)) == 2323
    )  # (929,589 // 20 − 1) // 20, as in the TensorFlow tutorial


# Parameters

CELL_COUNTS = {  # closed forms, for D = H
    "vanilla": lambda h: 8 * h * h + 7 * h,
    "lstm": lambda h: 8 * h * h + 4 * h,
    "nig": lambda h: 6 * h * h + 5 * h,
    "nfg": lambda h: 6 * h * h + 5 * h,
    "nog": lambda h: 6 * h * h + 5 * h,
    "niaf": lambda h: 8 * h * h + 7 * h,
    "noaf": lambda h: 8 * h * h + 7 * h,
    "cifg": lambda h: 6 * h * h + 5 * h,
    "fgr": lambda h: 17 * h * h + 7 * h,
    "lstm1997": lambda h: 10 * h * h + 3 * h,
    "lstm2000": lambda h: 8 * h * h + 4 * h,
    "lstm2002": lambda h: 8 * h * h + 7 * h,
    "no_srnn": lambda h: 7 * h * h + 3 * h,
    "no_srnn_out": lambda h: 5 * h * h + 2 * h,
    "no_srnn_hidden": lambda h: 4 * h * h + 3 * h,
    "srnn": lambda h: 2 * h * h + h,
    "no_gates_as_published": lambda h: 8 * h * h + 4 * h,
    "slim1": lambda h: 5 * h * h + 4 * h,
    "slim2": lambda h: 5 * h * h + h,
    "slim3": lambda h: 2 * h * h + 4 * h,
    "gru": lambda h: 6 * h * h + 4 * h,
    "gru_reset_before": lambda h: 6 * h * h,
}


def test_the_closed_forms_cover_the_catalogue():
    assert set(CELL_COUNTS) == set(variants)


@pytest.mark.parametrize("key", variants)
@pytest.mark.parametrize("tied_layers", [False, True])
@pytest.mark.parametrize("tied_words", [False, True])
def test_parameter_count_is_the_closed_form_and_what_is_shared_counts_once(key, tied_layers, tied_words):
    model = LanguageModel(key, V, H, num_layers=3, layers_tied=tied_layers, weight_tying=tied_words)
    cells = 1 if tied_layers else 3
    words = V * H * (1 if tied_words else 2) + V
    assert model.parameter_count() == words + cells * CELL_COUNTS[key](H)
    assert sum(p.numel() for _, p in model.named_parameters()) == model.parameter_count()


@pytest.mark.parametrize(
    "config, expected", [("small", 4_651_600), ("medium", 19_775_200), ("large", 66_022_000)]
)
def test_parameter_counts_of_the_papers_configurations(config, expected):
    with torch.device("meta"):  # shapes without memory
        model = build_model("lstm", settings(config), 10_000)
    assert model.parameter_count() == expected
    h = model.softmax.in_features
    assert expected == 2 * 10_000 * h + 10_000 + 2 * CELL_COUNTS["lstm"](h)


def test_build_model_applies_every_setting():
    chosen = settings(
        "smoke", num_layers=3, hidden_size=5, keep_prob=0.75, spec_changes={"content_reads": "xb"}
    )
    model = build_model("no_srnn", chosen, V, engine="autograd")
    assert (len(model.layers), model.softmax.in_features, model.dropout.p) == (3, 5, 0.25)
    assert model.spec.content_reads == ("x", "b") and model.layers[0].engine == "autograd"
    assert len({id(layer) for layer in model.layers}) == 3
    assert model.softmax.weight is not model.embedding.weight
    tied = build_model("lstm", settings("smoke", layers_tied=True, weight_tying=True), V)
    assert tied.layers[0] is tied.layers[1] and tied.softmax.weight is tied.embedding.weight


def test_the_published_rows_have_the_parameters_of_the_published_code():
    """Tied layers for the LSTM, a bias in every content layer: what makes the seed's rows uneven."""

    def count(row, as_published):
        changes = AS_PUBLISHED[row] if as_published else {}
        with torch.device("meta"):
            return build_model(row, settings("small", **changes), 10_000).parameter_count()

    h = 200
    assert count("lstm", False) - count("lstm", True) == CELL_COUNTS["lstm"](h)
    for row in ("no_srnn", "no_srnn_hidden", "no_srnn_out"):
        assert count(row, True) - count(row, False) == 2 * h
    assert count(DEAD, True) == count("lstm", False)


@pytest.mark.parametrize("key", variants)
def test_no_weights_are_shared_unless_it_is_said(key):
    parameters = list(LanguageModel(key, V, H).parameters())
    assert len({p.data_ptr() for p in parameters}) == len(parameters)


def test_tied_layers_are_untied_layers_with_equal_weights_and_summed_gradients():
    tied, untied = model_of("vanilla", layers_tied=True), model_of("vanilla", seed=1)
    for name in ("embedding", "softmax"):
        getattr(untied, name).load_state_dict(getattr(tied, name).state_dict())
    for layer in untied.layers:
        layer.load_state_dict(tied.layers[0].state_dict())
    tokens, targets = torch.as_tensor(text(24).reshape(2, 4, 3))
    loss, other = tied.loss(tokens, targets)[0], untied.loss(tokens, targets)[0]
    torch.testing.assert_close(loss, other, rtol=1e-13, atol=0)
    loss.backward()
    other.backward()
    for name, p in tied.layers[0].named_parameters():
        both = sum(dict(layer.named_parameters())[name].grad for layer in untied.layers)
        torch.testing.assert_close(p.grad, both, rtol=1e-10, atol=1e-12)


def test_tied_words_are_untied_words_with_equal_weights_and_summed_gradients():
    tied, untied = model_of(weight_tying=True), model_of(seed=1)
    untied.layers.load_state_dict(tied.layers.state_dict())
    untied.softmax.load_state_dict(tied.softmax.state_dict())
    untied.embedding.load_state_dict(tied.embedding.state_dict())
    tokens, targets = torch.as_tensor(text(24).reshape(2, 4, 3))
    for model in (tied, untied):
        model.loss(tokens, targets)[0].backward()
    torch.testing.assert_close(
        tied.embedding.weight.grad, untied.embedding.weight.grad + untied.softmax.weight.grad
    )


# Initial weights


@pytest.mark.parametrize("key", ["lstm", "fgr", "gru", "srnn", DEAD])
@pytest.mark.parametrize("tied", [False, True])
def test_initialise_draws_every_number_again_within_its_scale(key, tied):
    model = LanguageModel(key, 40, 30, layers_tied=tied, weight_tying=tied)
    for p in model.parameters():
        p.data.fill_(99)
    assert model.initialise(0.05, torch.Generator().manual_seed(3)) is model
    for name, p in model.named_parameters():
        if key == DEAD and name.startswith("layers") and "z" not in name:
            assert not p.any(), name
            continue
        assert p.abs().max() <= 0.05, name
        assert len(p.unique()) > 0.9 * p.numel(), f"{name} was not drawn number by number"
        assert p.min() < -0.03 and p.max() > 0.03, name
        if p.numel() >= 900:  # the moments of a uniform distribution: 0 and scale² / 3
            assert p.mean().abs() < 4 * 0.05 / math.sqrt(3 * p.numel()), name
            assert p.var().item() == pytest.approx(0.05**2 / 3, rel=0.15), name
    drawn = [p for p in model.parameters() if p.any()]
    assert len({p.flatten()[0].item() for p in drawn}) == len(drawn), "two tensors start alike"


def test_initialise_depends_on_its_generator_alone():
    def drawn(seed, around):
        torch.manual_seed(around)
        model = LanguageModel("vanilla", V, H)
        before = torch.get_rng_state()
        model.initialise(0.1, torch.Generator().manual_seed(seed))
        assert torch.equal(torch.get_rng_state(), before), "the global generator was used"
        return torch.cat([p.flatten() for p in model.parameters()])

    assert torch.equal(drawn(0, around=1), drawn(0, around=2))
    assert not torch.equal(drawn(0, around=1), drawn(1, around=1))


# Dropout


@pytest.mark.parametrize("key", ["lstm", "vanilla", "gru"])
def test_dropout_is_between_layers_and_not_on_recurrent_connections(key):
    """The embedded words and the output of every layer are dropped; states go on whole."""
    model = model_of(key, dropout=0.5).train()
    tokens = torch.as_tensor(text(15).reshape(5, 3))
    torch.manual_seed(7)
    found, states = model.hidden(tokens)
    torch.manual_seed(7)
    y, whole = F.dropout(model.embedding(tokens), 0.5), []
    for layer in model.layers:
        y, state = layer(y)
        whole.append((y, state))
        y = F.dropout(y, 0.5)
    assert torch.equal(found, y)
    for ours, (y, theirs) in zip(states, whole, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
        assert torch.equal(ours[0][0], y[-1]), "the state that is carried is not dropped"
    assert 0.2 < (found == 0).double().mean() < 0.8
    torch.manual_seed(8)
    assert not torch.equal(model.hidden(tokens)[0], found)
    assert torch.equal(model.eval().hidden(tokens)[0], model.hidden(tokens)[0])


# What a language model may see, and that all of it learns


@pytest.mark.parametrize("key", variants)
def test_causal(key):
    """Another word at step t moves no score before t by a bit, nor another row; it moves those from t on."""
    model = model_of(key, dtype=torch.float32).eval()
    if key == DEAD:  # open its gates, or nothing would depend on anything
        model.layers[0].reset_parameters(0.5)
        for name, p in model.named_parameters():
            if name.startswith("layers"):
                p.data.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(1))
    tokens = torch.as_tensor(text(18).reshape(6, 3))
    with torch.no_grad():
        before = model(tokens)[0]
        for t in range(6):
            changed = tokens.clone()
            changed[t, 1] = (tokens[t, 1] + 1) % V
            after = model(changed)[0]
            assert torch.equal(after[:t], before[:t])
            assert torch.equal(after[:, [0, 2]], before[:, [0, 2]])
            moved = (after[t:, 1] != before[t:, 1]).any(-1)
            assert moved.all(), f"a word at step {t} should be felt from there on: {moved}"


@pytest.mark.parametrize("key", variants)
def test_state_is_carried(key):
    """Two halves with the state between them are one text."""
    model, tokens = model_of(key), torch.as_tensor(text(18).reshape(6, 3))
    with torch.no_grad():
        whole, _ = model(tokens)
        first, state = model(tokens[:2])
        second, _ = model(tokens[2:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=1e-12, atol=1e-14)


def gradients_of_two_steps(model, steps=3):
    """Two steps of SGD on following batches, with the state carried; the gradients of both."""
    found = []
    state = None
    for tokens, targets in batches(text(2 * 4 * (steps + 1), seed=5), 4, steps)[:2]:
        model.zero_grad()
        nats, state = model.loss(tokens, targets, state)
        assert not any(s.requires_grad for layer in state for s in layer), "BPTT is truncated between batches"
        (nats / 4).backward()
        found.append((tokens, {name: p.grad.clone() for name, p in model.named_parameters()}))
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.5 * p.grad
    return found


@pytest.mark.parametrize("engine", ["auto", "autograd"])
@pytest.mark.parametrize("key", ALIVE)
def test_alive(key, engine):
    """Every tensor, and every row of the embedding that was read, learns in one of the first two steps."""
    model = model_of(key, scale=0.1, dtype=torch.float32, engine=engine)
    steps = gradients_of_two_steps(model)
    for name, _ in model.named_parameters():
        assert any(grads[name].any() for _, grads in steps), f"{name} does not learn"
    for tokens, grads in steps:
        rows = grads["embedding.weight"].any(-1)
        assert rows[tokens.unique()].all() and rows.sum() == len(tokens.unique())


@pytest.mark.parametrize("row", [row for row in ROWS if row in AS_PUBLISHED])
def test_the_published_rows_are_alive_but_one(row):
    torch.manual_seed(0)
    model = build_model(row, settings("smoke", **AS_PUBLISHED[row]), V)
    steps = gradients_of_two_steps(model.initialise(0.1, torch.Generator().manual_seed(0)))
    assert all(any(grads[name].any() for _, grads in steps) for name, _ in model.named_parameters())


@pytest.mark.parametrize("engine", ["auto", "autograd"])
def test_the_cell_of_the_published_gates_row_is_dead(engine):
    """Every gradient but the output bias's is exactly zero, and the output ignores the input."""
    model = model_of(DEAD, scale=0.1, dtype=torch.float32, engine=engine)
    for _, grads in gradients_of_two_steps(model):
        learning = {name for name, g in grads.items() if g.any()}
        assert learning == {"softmax.bias"}
    scores = model(torch.as_tensor(text(18).reshape(6, 3)))[0]
    assert torch.equal(scores, model.softmax.bias.expand_as(scores))


def test_loss_is_summed_over_all_predictions():
    model = model_of()
    tokens, targets = torch.as_tensor(text(24).reshape(2, 4, 3))
    nats, state = model.loss(tokens, targets)
    rows = [nats_token_by_token(model, [int(targets[0, b])], int(tokens[0, b]))[0] for b in range(3)]
    with torch.no_grad():
        log_p = torch.log_softmax(model(tokens)[0], -1)
    by_hand = -sum(log_p[t, b, targets[t, b]].item() for t in range(4) for b in range(3))
    assert nats.item() == pytest.approx(by_hand, rel=1e-12)
    assert -log_p[0, range(3), targets[0]].sum().item() == pytest.approx(sum(rows), rel=1e-12)
    assert len(state) == 2 and all(s.shape == (1, 3, H) for layer in state for s in layer)
