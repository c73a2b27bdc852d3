"""A text read sentence by sentence: against loops over one sentence at a time."""

import math

import numpy as np
import pytest
import torch

from lstm_tutorial import language_model, sentences
from lstm_tutorial.language_model import LanguageModel

EOS, V = 0, 7
TEXT = np.array([3, 1, 4, EOS, 1, EOS, EOS, 5, 2, 6, 5, 3, EOS, 4, 2, EOS])
SENTENCES = [[3, 1, 4, EOS], [1, EOS], [EOS], [5, 2, 6, 5, 3, EOS], [4, 2, EOS]]


@pytest.fixture
def model():
    return LanguageModel("lstm", V, 6, dropout=0.5).initialise(0.8, torch.Generator().manual_seed(0))


def rows(batches):
    """Every sentence of the batches again: (inputs, targets) without the padding."""
    for inputs, targets in batches:
        assert inputs.shape == targets.shape and inputs.dtype == targets.dtype == torch.int64
        for read, predicted in zip(inputs.T.tolist(), targets.T.tolist()):
            length = len([t for t in predicted if t != sentences.IGNORED])
            assert predicted[length:] == [sentences.IGNORED] * (len(predicted) - length)
            assert read[length:] == [EOS] * (len(read) - length)
            yield read[:length], predicted[:length]


@pytest.mark.parametrize("size", [1, 2, 5, 64])
def test_every_sentence_once_each_word_from_the_one_before(size):
    found = list(rows(sentences.sentence_batches(TEXT, EOS, size)))
    assert found == [([EOS, *s[:-1]], s) for s in sorted(SENTENCES, key=len)]


@pytest.mark.parametrize("size", [1, 2, 64])
def test_without_the_first_word_as_seed_001(size):
    found = list(rows(sentences.sentence_batches(TEXT, EOS, size, first_word=False)))
    assert found == [(s[:-1], s[1:]) for s in sorted(SENTENCES, key=len) if len(s) > 1]


def test_in_the_order_of_the_text():
    found = list(rows(sentences.sentence_batches(TEXT, EOS, 2, by_length=False)))
    assert found == [([EOS, *s[:-1]], s) for s in SENTENCES]


def test_padding_is_no_target_and_costs_nothing(model):
    (inputs, targets) = sentences.sentence_batches(TEXT, EOS, 64)[0]
    assert (targets == sentences.IGNORED).any()
    nats, _ = model.eval().loss(inputs, targets)
    assert nats.item() == pytest.approx(
        np.sum([np.sum(by_hand(model, s, True)) for s in SENTENCES]), rel=1e-5
    )
    seen = []
    model.softmax.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    model.loss(inputs, targets)
    assert seen == [len(TEXT)]


def test_an_unfinished_sentence_is_left_out_and_a_text_without_sentences_refused():
    unfinished = np.concatenate([TEXT, [3, 3]])
    assert list(rows(sentences.sentence_batches(unfinished, EOS, 2))) == list(
        rows(sentences.sentence_batches(TEXT, EOS, 2))
    )
    for tokens, first_word in (([1, 2, 3], True), ([], True), ([EOS, EOS], False)):
        with pytest.raises(ValueError, match="nothing to predict"):
            sentences.sentence_batches(np.array(tokens, int), EOS, 2, first_word)


def by_hand(model, sentence, first_word):
    """Losses of one sentence alone, a word at a time."""
    model.eval()
    losses, state, previous = [], None, EOS
    for word in sentence:
        skipped = not first_word and not losses
        if skipped:
            losses.append(math.nan)
        else:
            with torch.no_grad():
                scores, state = model(torch.tensor([[previous]]), state)
            losses.append(-scores.log_softmax(-1)[0, 0, word].item())
        previous = word
    return losses


@pytest.mark.parametrize("first_word", [True, False])
@pytest.mark.parametrize("by_length", [True, False])
@pytest.mark.parametrize("size", [1, 2, 64])
def test_losses_are_those_of_each_sentence_alone_in_the_order_of_the_text(model, size, first_word, by_length):
    found = sentences.surprisals(model, np.concatenate([TEXT, [2]]), EOS, size, first_word, by_length)
    expected = np.concatenate([by_hand(model, s, first_word) for s in SENTENCES] + [[math.nan]])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float64


def test_the_two_perplexities(model):
    for first_word in (True, False):
        losses = sentences.surprisals(model, TEXT, EOS, 2, first_word)
        alone = [np.array(by_hand(model, s, first_word)) for s in SENTENCES]
        alone = [a[np.isfinite(a)] for a in alone if np.isfinite(a).any()]
        flat = np.concatenate(alone)
        assert sentences.perplexity(losses) == pytest.approx(np.exp(flat.mean()), rel=1e-6)
        of_means = np.exp(np.mean([a.mean() for a in alone]))
        assert sentences.perplexity_of_means(losses, TEXT, EOS) == pytest.approx(of_means, rel=1e-6)
        assert abs(of_means - np.exp(flat.mean())) > 1e-3, "sentences of one length could not tell them apart"


def test_evaluation_never_drops_and_leaves_the_mode(model):
    model.train()
    once, again = (sentences.surprisals(model, TEXT, EOS) for _ in range(2))
    assert np.array_equal(once, again) and model.training


def test_losses_over_the_running_text_are_those_that_perplexity_averages(model):
    for size in (1, 3):
        losses = language_model.surprisals(model, TEXT, EOS, size, num_steps=2)
        assert losses.shape == TEXT.shape
        assert np.exp(losses.mean()) == pytest.approx(
            language_model.perplexity(model, TEXT, EOS, size), rel=1e-6
        )
    # The state is carried: after the first sentence the losses are others than for each sentence alone.
    alone, carried = sentences.surprisals(model, TEXT, EOS), language_model.surprisals(model, TEXT, EOS)
    np.testing.assert_allclose(alone[:4], carried[:4], atol=1e-6)
    assert np.abs(alone[4:] - carried[4:]).max() > 1e-4


def test_carried_losses_in_rows_start_each_row_from_a_zero_state(model):
    losses = language_model.surprisals(model, TEXT, EOS, batch_size=2)
    for k, row in enumerate(TEXT.reshape(2, 8)):
        state, previous = None, EOS if k == 0 else TEXT[7]
        model.eval()
        for t, word in enumerate(row):
            with torch.no_grad():
                scores, state = model(torch.tensor([[previous]]), state)
            assert losses[8 * k + t] == pytest.approx(-scores.log_softmax(-1)[0, 0, word].item(), abs=1e-6)
            previous = word
