"""Causal and alive: all models of the course pass, models that are wired wrongly do not.

The oracle is a linear model whose influence is known in closed form; the wrong wirings are those that happen.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_tutorial import LSTM, numpy_lstm, variants
from lstm_tutorial.causality import aliveness, future_influence
from lstm_tutorial.language_model import LanguageModel, batches

DEAD = "no_gates_as_published"
V, H, T, B = 13, 6, 7, 3


def text(seed=0, shape=(T, B)):
    return torch.as_tensor(np.random.default_rng(seed).integers(0, V, shape))


def drawn(model, scale=0.5, seed=0):
    """The model with every parameter from U(−scale, scale), zeros nowhere."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.uniform_(-scale, scale, generator=generator)
    return model


# The oracle


@given(st.integers(0, 1000), st.integers(2, 6), st.sampled_from([0.0, 0.3, 1.0]))
def test_influence_of_a_linear_model_is_a_closed_form(seed, steps, share_of_leaks):
    """scores[t] = Σ_s A[t, s] E[word s]: with another word s they move by |A[t, s]| · |E[w + 1] − E[w]|."""
    rng = np.random.default_rng(seed)
    E, tokens = rng.normal(size=(V, V)), rng.integers(0, V, (steps, 2))
    A = np.tril(rng.normal(size=(steps, steps)))
    leaks = np.triu(rng.random((steps, steps)) < share_of_leaks, 1)
    A = np.where(leaks, rng.normal(size=(steps, steps)), A)
    report = future_influence(lambda words: np.einsum("ts,sbv->tbv", A, E[words]), tokens)
    jump = np.abs(E[(tokens + 1) % V] - E[tokens]).max((1, 2))
    expected = np.abs(A.T) * jump[:, None]
    np.testing.assert_allclose(report.influence, expected, rtol=1e-9, atol=1e-12)
    # einsum may add in another order; what does not depend on a word is still moved by rounding alone.
    report = future_influence(lambda words: np.einsum("ts,sbv->tbv", A, E[words]), tokens, tolerance=1e-12)
    assert report.verdict == ("leaks" if leaks.any() else "causal")
    assert report.passed is not leaks.any()
    movement = [expected[t + 1 :, t].max() for t in range(steps - 1)]
    np.testing.assert_allclose(report.movement, movement, rtol=1e-9, atol=1e-12)


def test_a_leak_into_one_score_of_one_row_is_found():
    def model(words):
        scores = np.zeros((T, B, V)) + words[..., None]
        scores[0, 1, 5] += 1e-9 * words[-1, 1]
        return scores

    report = future_influence(model, text().numpy())
    assert report.verdict == "leaks" and np.flatnonzero(report.movement).tolist() == [0]
    assert str(report).startswith(f"Leaks: changing the word at step {T - 1} moves the scores of step 0 by ")


# The models of the course


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("key", variants)
def test_every_language_model_of_the_course_is_causal(key, tied):
    model = drawn(LanguageModel(key, V, H, layers_tied=tied, weight_tying=tied))
    report = future_influence(model, text())
    assert report.verdict == "causal" and report.passed and report.repeated == 0
    assert not report.movement.any() and report.movement.shape == (T - 1,)
    felt = report.influence[np.triu_indices(T)]
    assert felt.all(), "every word is felt from its own step on"
    assert str(report) == "Causal: changing a later word moves no earlier score."


@pytest.mark.parametrize("engine", ["autograd", "bptt"])
@pytest.mark.parametrize("key", ["vanilla", "fgr", "gru", "no_srnn_hidden"])
def test_on_every_engine(key, engine):
    assert future_influence(drawn(LanguageModel(key, V, H, engine=engine)), text()).passed


def test_a_network_that_ignores_its_input_is_not_called_causal():
    report = future_influence(LanguageModel(DEAD, V, H).initialise(0.1), text())
    assert report.verdict == "cannot tell" and not report.passed and not report.influence.any()
    assert "ignores its input" in str(report)


def test_arrays_of_numpy():
    """A language model in NumPy alone, as a reader writes one by hand."""
    rng = np.random.default_rng(0)
    params = numpy_lstm.init_params("vanilla", H, H, rng)
    E, W = rng.normal(size=(V, H)), rng.normal(size=(V, H))

    def model(words):
        assert isinstance(words, np.ndarray)
        y, state, _ = numpy_lstm.forward("vanilla", params, E[words])
        return y @ W.T, state

    tokens = text().numpy()
    before = tokens.copy()
    assert future_influence(model, tokens).passed
    assert np.array_equal(tokens, before)
    assert future_influence(lambda words: model(words[::-1])[0][::-1], tokens).verdict == "leaks"


# Wrong wirings


class Stack(nn.Module):
    """Two layers of one cell between an embedding and a softmax, wired rightly or wrongly."""

    def __init__(self, wiring, layers, dropout=0.0):
        super().__init__()
        self.wiring = wiring
        self.embedding, self.softmax = nn.Embedding(V, H), nn.Linear(H, V)
        self.first, self.second = layers
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens):
        x = self.dropout(self.embedding(tokens))
        if self.wiring == "reads its target":
            x = x.roll(-1, 0)
        elif self.wiring == "a word too late":
            x = x.roll(1, 0) * (torch.arange(len(x)) > 0)[:, None, None]
        y, last = self.first(x)
        y, _ = self.second(self.dropout(y), last if self.wiring == "starts from the end" else None)
        if self.wiring == "centred over time":
            y = y - y.mean(0)
        return self.softmax(self.dropout(y))


def stack(wiring, cell="lstm", **options):
    return drawn(Stack(wiring, [LSTM(cell, H, H) for _ in range(2)], **options))


@pytest.mark.parametrize("key", variants)
def test_a_second_layer_that_starts_from_the_first_ones_final_state_leaks(key):
    """The wiring of seed 001: the very first prediction depends on the very last word."""
    assert future_influence(stack("right", key), text()).passed
    report = future_influence(stack("starts from the end", key), text())
    assert report.verdict == "leaks" and not report.passed
    assert report.influence[T - 1, 0] > 0
    assert f"the word at step {T - 1} moves the scores of step 0 by {report.influence[T - 1, 0]:.2g}" in str(
        report
    )


@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
def test_the_same_wiring_with_layers_of_torch(cell):
    for wiring, verdict in (("right", "causal"), ("starts from the end", "leaks")):
        model = drawn(Stack(wiring, [cell(H, H), cell(H, H)]))
        assert future_influence(model, text()).verdict == verdict


def test_a_model_that_reads_its_target_leaks_one_word_back():
    report = future_influence(stack("reads its target"), text())
    assert report.verdict == "leaks"
    assert report.movement.all() and not np.tril(report.influence, -2)[:, 1:].any()
    assert "step 1 moves the scores of step 0" in str(report)


def test_a_model_that_reads_a_word_too_late_is_causal():
    report = future_influence(stack("a word too late"), text())
    assert report.passed and not report.influence.diagonal().any()


def test_a_statistic_over_the_whole_sentence_leaks_everywhere():
    report = future_influence(stack("centred over time"), text())
    assert report.verdict == "leaks" and report.influence.all()


def test_a_bidirectional_model_leaks():
    model = drawn(
        nn.Sequential(
            nn.Embedding(V, H), LSTM("vanilla", H, H, bidirectional=True), First(), nn.Linear(2 * H, V)
        )
    )
    report = future_influence(model, text())
    assert report.verdict == "leaks" and report.movement.all()
    forwards = drawn(nn.Sequential(nn.Embedding(V, H), LSTM("vanilla", H, H), First(), nn.Linear(H, V)))
    assert future_influence(forwards, text()).passed


class First(nn.Module):
    """The first of what a layer returns."""

    def forward(self, output):
        return output[0]


# Dropout, and other things that move by themselves


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("wiring, verdict", [("right", "causal"), ("starts from the end", "leaks")])
def test_dropout_is_not_mistaken_for_a_leak_and_the_module_is_left_as_it_was(wiring, verdict, training):
    model = stack(wiring, dropout=0.5).train(training)
    model.second.training = not training  # a part may have been set apart
    modes = [m.training for m in model.modules()]
    random, weights = torch.get_rng_state(), {k: p.clone() for k, p in model.state_dict().items()}
    report = future_influence(model, text())
    assert report.verdict == verdict and report.repeated == 0
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(p, weights[k]) for k, p in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    np.testing.assert_array_equal(future_influence(model.eval(), text()).influence, report.influence)


def test_dropout_that_cannot_be_turned_off_is_not_mistaken_for_a_leak():
    model = stack("right").eval()
    for wiring, verdict in (("right", "causal"), ("reads its target", "leaks")):
        model.wiring = wiring
        report = future_influence(lambda words: F.dropout(model(words), 0.5), text())
        assert report.verdict == verdict and report.repeated == 0


def test_a_module_is_left_as_it_was_after_an_error():
    model = stack("right", dropout=0.5).train()
    with pytest.raises(IndexError):
        future_influence(model, text() + V)
    assert all(m.training for m in model.modules())


def test_chance_that_is_not_torchs_gives_no_verdict():
    rng = np.random.default_rng(0)
    report = future_influence(lambda words: rng.normal(size=(T, B, V)) + words[..., None], text().numpy())
    assert report.verdict == "cannot tell" and not report.passed and report.repeated > 0.1
    assert f"asked twice, gave scores that differ by {report.repeated:.2g}" in str(report)


def test_a_model_that_carries_its_state_from_call_to_call_gives_no_verdict():
    model, state = stack("right"), [None]

    def carries(words):
        y, state[0] = model.first(model.embedding(words), state[0])
        return model.softmax(y)

    report = future_influence(carries, text())
    assert report.verdict == "cannot tell" and "same state" in str(report)


def test_scores_that_are_not_numbers_give_no_verdict():
    def model(words):
        scores = np.zeros((T, B, V)) + words[..., None]
        scores[2, 0, 0] = np.nan
        return scores

    report = future_influence(model, text().numpy())
    assert report.verdict == "cannot tell" and "not finite" in str(report)

    last = int(text()[-1, 0])

    def bursts(words):  # finite as given, and not once the last word is another
        return (np.zeros((T, B, V)) + words[..., None]) / (words[-1, 0] == last)

    with np.errstate(all="ignore"):
        report = future_influence(bursts, text().numpy())
    assert report.repeated == 0 and report.verdict == "cannot tell" and "not finite" in str(report)

    def masked(words):  # a word that must never be said has the score −∞: that does not move
        scores = np.zeros((T, B, V)) + words[..., None]
        scores[..., 0] = -np.inf
        return scores

    assert future_influence(masked, text().numpy()).passed


# Other shapes: batch first, padded, packed, hidden layers

LENGTHS = torch.tensor([7, 5, 2])
PAD = 0


def padded():
    """(B, T) with words 1 … V − 1, the last of them there too, so that the next id would be the padding."""
    tokens = text(3).T.clone() % (V - 1) + 1
    tokens[:, 1] = V - 1
    return tokens * (torch.arange(T) < LENGTHS[:, None])


class Padded(nn.Module):
    """Batch first, short sentences filled up; layer 2 starts from zeros or from layer 1's final state."""

    def __init__(self, leaks, packed):
        super().__init__()
        self.leaks, self.packed = leaks, packed
        self.embedding, self.softmax = nn.Embedding(V, H, padding_idx=PAD), nn.Linear(H, V)
        self.first, self.second = (nn.LSTM(H, H, batch_first=True) for _ in range(2))

    def forward(self, tokens, lengths):
        assert (lengths == (tokens != PAD).sum(1)).all(), "a word has become padding, or the other way round"
        x = self.embedding(tokens)
        if self.packed:
            x = pack_padded_sequence(x, lengths, batch_first=True)
        y, last = self.first(x)
        y, _ = self.second(y, last if self.leaks else None)
        if self.packed == "returned":
            return y
        if self.packed:
            y, _ = pad_packed_sequence(y, batch_first=True)
        return [self.softmax(y), last]


@pytest.mark.parametrize(
    "packed, more", [(False, 0), (True, 0), ("returned", 0), ("returned", 2), (False, 2)]
)
@pytest.mark.parametrize("leaks", [False, True])
def test_padded_batches(leaks, packed, more):
    """Also with ``more`` padding than the longest sentence needs."""
    report = future_influence(
        drawn(Padded(leaks, packed)),
        F.pad(padded(), (0, more), value=PAD),
        LENGTHS,
        batch_first=True,
        padding=PAD,
        vocabulary_size=V,
    )
    assert report.verdict == ("leaks" if leaks else "causal")
    assert report.influence.shape == (T + more, T + more) and not report.influence[T:].any()
    assert (report.influence[T - 1, 0] > 0) == leaks


@pytest.mark.parametrize("before", [False, True], ids=["after", "before"])
def test_padding_is_neither_changed_nor_looked_at(before):
    """A model that writes whatever it has read into padded places, behind or before, does not leak."""
    tokens = padded().flip(1) if before else padded()
    real = tokens != PAD

    def writes(words):
        total = words.sum(1)[:, None, None] * ~real[..., None]
        return (words[..., None] * real[..., None] + total).repeat(1, 1, V).double()

    assert future_influence(writes, tokens, batch_first=True, padding=PAD).passed
    assert future_influence(writes, tokens, batch_first=True).verdict == "leaks", "what is ignored is there"


def test_batch_first_is_the_same_transposed():
    model = stack("starts from the end")
    expected = future_influence(model, text()).influence
    found = future_influence(lambda rows: model(rows.T).transpose(0, 1), text().T, batch_first=True).influence
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_hidden_layer_by_its_bound_method():
    model = drawn(LanguageModel("lstm", V, 2 * V, dropout=0.5)).train()
    report = future_influence(model.hidden, text() * 0 + V - 1, vocabulary_size=V)
    assert report.passed and model.training and model.dropout.training
    expected = future_influence(model.eval().hidden, text() * 0 + V - 1, vocabulary_size=V)
    assert np.array_equal(report.influence, expected.influence), "without dropout"


@pytest.mark.parametrize(
    "tokens, options, message",
    [
        (text()[0], {}, r"\(T, B\) with T at least 2, not \(3,\)"),
        (text()[:1], {}, r"\(T, B\) with T at least 2, not \(1, 3\)"),
        (text()[:, :1], {"batch_first": True}, r"\(B, T\) with T at least 2, not \(7, 1\)"),
    ],
)
def test_tokens_of_other_shapes_are_refused(tokens, options, message):
    with pytest.raises(ValueError, match=message):
        future_influence(stack("right"), tokens, **options)


def test_scores_of_other_shapes_are_refused():
    model = stack("right")
    for wrong in (
        lambda w: model(w).flatten(0, 1),
        lambda w: model(w)[1:],
        lambda w: model(w).transpose(0, 1),
    ):
        with pytest.raises(ValueError, match=r"here \(7, 3, V\), not"):
            future_influence(wrong, text())


# Alive


def some_batches(steps=3, rows=4, seed=5):
    return batches(text(seed, 3 * rows * (steps + 1)).numpy(), rows, steps)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("key", [key for key in variants if key != DEAD])
def test_every_language_model_of_the_course_is_alive(key, tied):
    model = LanguageModel(key, V, H, layers_tied=tied, weight_tying=tied)
    report = aliveness(model.initialise(0.1, torch.Generator().manual_seed(0)), some_batches())
    assert report.passed, str(report)
    assert list(report.largest) == [name for name, _ in model.named_parameters()]
    assert (
        str(report)
        == f"Alive: each of the {len(report.largest)} parameter tensors has a gradient in the first steps."
    )


def test_the_published_cell_without_gates_is_dead():
    model = LanguageModel(DEAD, V, H).initialise(0.1, torch.Generator().manual_seed(0))
    report = aliveness(model, some_batches())
    assert not report.passed
    names = [name for name, _ in model.named_parameters()]
    assert report.silent == [name for name in names if name != "softmax.bias"]
    assert str(report).startswith(f"Not alive: {len(names) - 1} of {len(names)} parameter tensors")
    words = {int(w) for tokens, _ in some_batches()[:2] for w in tokens.unique()}
    assert report.silent_words == {"embedding": sorted(words)}


def test_largest_is_the_largest_gradient_of_any_step():
    model, data = drawn(LanguageModel("vanilla", V, H).double()), some_batches()
    found = aliveness(model, data, rate=0.0, steps=3).largest
    sizes = {name: [] for name in found}
    for tokens, targets in data:
        model.zero_grad()
        (model.loss(tokens, targets)[0] / 4).backward()
        for name, p in model.named_parameters():
            sizes[name].append(p.grad.abs().max().item())
    assert len(data) == 3 and len({int(np.argmax(s)) for s in sizes.values()}) > 1
    assert found == pytest.approx({name: max(s) for name, s in sizes.items()}, rel=1e-12)


def test_what_wakes_up_in_the_second_step_is_alive():
    """A softmax that starts at zero lets nothing through in the first step, and learns in it."""
    model = drawn(LanguageModel("lstm", V, H))
    model.softmax.weight.data.zero_()
    (first, _), (second, _), *_ = some_batches()
    assert aliveness(model, some_batches(), steps=1).silent[0] == "embedding.weight"
    report = aliveness(model, some_batches())
    assert not report.silent
    words_of_the_first_step_alone = set(first.unique().tolist()) - set(second.unique().tolist())
    assert report.silent_words == {"embedding": sorted(words_of_the_first_step_alone)} != {"embedding": []}
    assert aliveness(model, some_batches(), rate=0.0).silent


def test_a_model_that_diverges_is_not_said_to_be_dead():
    model = drawn(LanguageModel("lstm", V, H))
    with torch.no_grad():
        model.softmax.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="is not finite: this model diverges"):
        aliveness(model, some_batches())


def test_with_one_step_neither_recurrent_weights_nor_forget_gates_can_learn():
    report = aliveness(drawn(LanguageModel("lstm", V, H)), some_batches(steps=1))
    cannot = {f"layers.{k}.{p}_l0" for k in (0, 1) for p in ("R_z", "R_i", "R_f", "R_o", "W_f", "b_f")}
    assert set(report.silent) == cannot


def test_what_is_never_used_is_named_and_what_is_frozen_is_not():
    model = drawn(LanguageModel("lstm", V, H))
    model.extra = nn.Linear(H, H)
    report = aliveness(model, some_batches())
    assert report.silent == ["extra.weight", "extra.bias"] and "extra.weight, extra.bias" in str(report)
    model.extra.requires_grad_(False)
    model.embedding.requires_grad_(False)
    assert aliveness(model, some_batches()).passed


def test_a_word_that_is_never_learned_is_named_and_padding_is_not():
    model = drawn(stack("right"))
    embedding = model.embedding
    word = int(some_batches()[0][0][0, 0])
    padded_at = nn.Embedding(V, H, padding_idx=word)
    padded_at.load_state_dict(embedding.state_dict())
    model.embedding = padded_at
    assert aliveness(model, some_batches()).passed
    model.embedding = Deaf(embedding, word)
    report = aliveness(model, some_batches())
    assert not report.silent and report.silent_words == {"embedding.inner": [word]} and not report.passed
    assert str(report) == f"Not alive: of the words that embedding.inner read, 1 have no gradient: {word}."


class Deaf(nn.Module):
    """An embedding that says nothing about one word."""

    def __init__(self, inner, word):
        super().__init__()
        self.inner, self.word = inner, word

    def forward(self, tokens):
        return self.inner(tokens) * (tokens != self.word)[..., None]


def test_the_model_is_left_as_it_was():
    model = drawn(LanguageModel("gru", V, H, dropout=0.5)).train()
    before, random = {k: p.clone() for k, p in model.state_dict().items()}, torch.get_rng_state()
    with torch.no_grad():
        first, second = (aliveness(model, iter(some_batches())) for _ in range(2))
    assert first.largest == second.largest and first.passed
    assert all(torch.equal(p, before[k]) for k, p in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters()) and all(m.training for m in model.modules())
    assert torch.equal(torch.get_rng_state(), random)


def test_too_few_batches_are_refused():
    with pytest.raises(ValueError, match="2 steps take 2 batches, and there are 1"):
        aliveness(stack("right"), some_batches()[:1])


@pytest.mark.gpu
def test_both_on_a_gpu():
    tokens = text().cuda()
    for layers in ([nn.LSTM(H, H), nn.LSTM(H, H)], [LSTM("vanilla", H, H), LSTM("lstm", H, H)]):
        for wiring, verdict in (("right", "causal"), ("starts from the end", "leaks")):
            model = Stack(wiring, layers, 0.5).cuda()
            random = torch.cuda.get_rng_state()
            assert future_influence(model, tokens).verdict == verdict
            assert torch.equal(torch.cuda.get_rng_state(), random)
        data = [(a.cuda(), b.cuda()) for a, b in some_batches()]
        assert aliveness(Stack("right", layers).cuda(), data).passed
