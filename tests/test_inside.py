"""A look inside language models, and the landmarks that they are held against."""

import numpy as np
import pytest
import torch

from lstm_tutorial.data import banyan, load_corpus
from lstm_tutorial.inside import neighbours, same_class, sample, sentences_of, word_classes
from lstm_tutorial.landmarks import LANDMARKS, USUAL_RATIO, recount
from lstm_tutorial.language_model import LanguageModel, surprisals

V, H = 7, 5


@pytest.fixture
def model():
    return LanguageModel("lstm", V, H, dropout=0.5).initialise(0.8, torch.Generator().manual_seed(0))


def test_a_sample_costs_what_the_same_text_costs_when_it_is_read(model):
    ids, bits = sample(model, np.random.default_rng(0), first=0, length=30, temperature=1.7, rows=3)
    assert ids.shape == bits.shape == (30, 3) and (ids[:, 0] != ids[:, 1]).any()
    for row in range(3):
        read = surprisals(model, ids[:, row], 0) / np.log(2)
        assert bits[:, row] == pytest.approx(read, abs=1e-5)
    assert model.training  # as it was


def test_a_sample_is_drawn_from_the_model(model):
    scores, _ = model.eval()(torch.tensor([[0]]))
    for temperature in (0.5, 1.0, 2.0):
        first, _ = sample(model, np.random.default_rng(0), 0, 1, temperature, rows=20_000)
        shares = np.bincount(first[0], minlength=V) / first.size
        due = (scores[0, 0] / temperature).softmax(-1).detach().numpy()
        assert shares == pytest.approx(due, abs=0.015)


def test_a_cold_sample_is_always_the_likeliest_word(model):
    ids, _ = sample(model, np.random.default_rng(0), 0, 10, temperature=1e-4)
    scores, _ = model.eval()(torch.tensor([0, *ids[:-1, 0]])[:, None])
    assert ids[:, 0].tolist() == scores[:, 0].argmax(-1).tolist()


def test_sentences_of_a_sample():
    corpus = load_corpus("banyan", size="smoke", say=None)
    the, tree, eos = corpus.ids["the"], corpus.ids["tree"], corpus.eos
    ids = np.array([[the, tree, eos, eos, tree, eos, the], [eos, the, the, tree, tree, the, the]]).T
    bits = np.arange(14).reshape(2, 7).T
    assert sentences_of(ids, bits, corpus) == [[("the", 0), ("tree", 1)], [("tree", 4)]]
    assert sentences_of(ids[:1], bits[:1], corpus) == []


def test_neighbours_by_angle_and_not_by_length():
    matrix = np.array([[1, 0], [5, 0.1], [0, 1], [0.1, 9], [-1, 0]])
    assert neighbours(matrix, [0, 1, 2, 3, 4], 1)[:4, 0].tolist() == [1, 0, 3, 2]
    assert neighbours(matrix, [0, 2, 4], 1)[0, 0] == 2  # only words that were asked for, and never itself
    with pytest.raises(ValueError, match="3 words have at most 2 neighbours each, and not 3"):
        neighbours(matrix, [0, 1, 2], 3)


def test_same_class_against_every_pair():
    rng = np.random.default_rng(0)
    labels = rng.choice(["a", "b", "c"], size=40)
    ids = np.flatnonzero(rng.random(40) < 0.6)
    everyone = np.array([[j for j in ids if j != i] for i in ids])
    found, chance = same_class(labels, ids, everyone)
    assert found == pytest.approx(chance)  # all the others as neighbours: no better than chance
    pairs = [labels[i] == labels[j] for i in ids for j in ids if i != j]
    assert chance == pytest.approx(np.mean(pairs))


def test_word_classes_of_banyan():
    classes = word_classes(banyan.process())
    assert classes["leaves"] == ("noun", "plural") and classes["grows"] == ("verb", "singular")
    assert set(classes) == set(banyan.vocabulary())


def test_landmarks_lie_in_the_usual_band():
    both = [m for m in LANDMARKS if m.valid and m.test and m.n != 0]
    assert len(both) >= 8
    assert all(USUAL_RATIO[0] <= m.test / m.valid <= USUAL_RATIO[1] for m in both)
    assert all(m.source for m in LANDMARKS)


@pytest.mark.real_data("ptb")
def test_counted_landmarks_are_counted_again():
    corpus = load_corpus("ptb", say=None)
    for mark in (m for m in LANDMARKS if m.counted):
        assert tuple(round(p, 2) for p in recount(corpus, mark.n)) == (mark.valid, mark.test)


def test_recount_of_nothing_but_the_vocabulary():
    corpus = load_corpus("banyan", size="smoke", say=None)
    assert recount(corpus, 0) == (len(corpus.vocabulary),) * 2
    uniform, unigram, bigram = (recount(corpus, n)[0] for n in range(3))
    assert uniform > unigram > bigram > banyan.exact_perplexity(corpus.valid)
