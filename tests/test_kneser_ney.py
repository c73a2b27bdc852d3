"""Interpolated Kneser–Ney: against its definition in dictionaries, closed forms, figures of a real corpus."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_tutorial.data import banyan, load_corpus
from lstm_tutorial.kneser_ney import KneserNey, discount
from lstm_tutorial.language_model import unigram_perplexity

EOS = 0
START = "start"


class ByDefinition:
    """The equations of the module's docstring, word for word, in dictionaries and by recursion. Slow."""

    def __init__(self, n, sentences, vocabulary_size):
        self.n, self.V = n, vocabulary_size
        padded = [[START] * (n - 1) + sentence for sentence in sentences]
        self.counts = {n: Counter(tuple(p[j - n + 1 : j + 1]) for p in padded for j in range(n - 1, len(p)))}
        for k in range(n - 1, 0, -1):
            lefts = {}
            for gram in self.counts[k + 1]:
                lefts.setdefault(gram[1:], set()).add(gram[0])
            self.counts[k] = {gram: len(words) for gram, words in lefts.items()}
        self.D = {}
        for k, counts in self.counts.items():
            n1, n2 = (list(counts.values()).count(r) for r in (1, 2))
            self.D[k] = n1 / (n1 + 2 * n2) if n1 + n2 else 0

    def probability(self, context, word):
        """context : exactly k − 1 words, start symbols included."""
        return self._p(len(context) + 1, tuple(context), word)

    def _p(self, k, context, word):
        if k == 0:
            return 1 / self.V
        shorter = self._p(k - 1, context[1:], word)
        after = {gram[-1]: count for gram, count in self.counts[k].items() if gram[:-1] == context}
        if not after:
            return shorter
        N, total, D = after.get(word, 0), sum(after.values()), self.D[k]
        return (max(N - D, 0) if N else 0) / total + D * len(after) / total * shorter

    def of_text(self, sentences):
        for sentence in sentences:
            padded = [START] * (self.n - 1) + sentence
            for j in range(len(sentence)):
                yield self.probability(padded[j : j + self.n - 1], sentence[j])


def flat(sentences):
    return np.array([word for sentence in sentences for word in sentence], dtype=np.int64)


def texts(most_sentences):
    """Lists of sentences over the words 0 (<eos>, at the end of each) to 4; the last word, 4, is rare."""
    words = st.lists(st.sampled_from([1, 1, 1, 2, 2, 3, 4]), max_size=6)
    return st.lists(words.map(lambda sentence: [*sentence, EOS]), min_size=1, max_size=most_sentences)


def random_text(length, V=40, seed=0):
    """Words of very different frequency, with sentences of random length."""
    rng = np.random.default_rng(seed)
    return np.minimum(rng.zipf(1.3, length) - 1, V - 1)


# Against the definition


@given(st.integers(1, 5), texts(12), texts(4))
def test_is_the_definition_in_dictionaries(n, train, other):
    model, slow = KneserNey(n).fit(flat(train), EOS, 5), ByDefinition(n, train, 5)
    assert [order.discount for order in model.orders] == [slow.D[k] for k in range(1, n + 1)]
    for text in (train, other):
        expected = list(slow.of_text(text))
        np.testing.assert_allclose(model.probabilities(flat(text)), expected, rtol=1e-12, atol=0)


@given(st.integers(1, 5), texts(12), st.lists(st.integers(1, 4), max_size=6))
def test_distribution_after_any_context_is_the_definition_and_sums_to_one(n, train, context):
    model, slow = KneserNey(n).fit(flat(train), EOS, 5), ByDefinition(n, train, 5)
    found = model.distribution(context)
    last = ([START] * (n - 1) + context)[len(context) :]
    np.testing.assert_allclose(found, [slow.probability(last, w) for w in range(5)], rtol=1e-12, atol=0)
    assert found.sum() == pytest.approx(1, abs=1e-12) and found.min() >= 0
    assert [model.probability(context, w) for w in range(5)] == pytest.approx(list(found), rel=1e-14)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_distributions_sum_to_one_and_give_every_word_a_chance(n):
    train, rng = random_text(3000), np.random.default_rng(1)
    model = KneserNey(n).fit(train, EOS, 40)
    starts = rng.integers(0, 2900, 20)
    seen, any_at_all = [train[s : s + 6] for s in starts], rng.integers(0, 40, (20, 6))
    for context in [[], *seen, *any_at_all]:
        p = model.distribution(context)
        assert p.shape == (40,) and p.min() > 0
        assert p.sum() == pytest.approx(1, abs=1e-12)


# By hand


def test_one_sentence_by_hand():
    """The sentence "a b a": bigrams (start a) (a b) (b a) (a eos), each once. Ids: 0 eos, 1 a, 2 b, 3 unseen.

    Left neighbours: a has two (start, b), b one, eos one. D₁ = 2 / (2 + 2 · 1) = 1/2, D₂ = 4 / (4 + 0) = 1.
    """
    model = KneserNey(2).fit([1, 2, 1, 0], eos=0, vocabulary_size=4)
    assert [order.discount for order in model.orders] == [0.5, 1]
    # Unigrams: (N − 1/2) / 4 + (1/2 · 3 / 4) · 1/4, and the bigrams give all they have to them.
    eos, a, b, unseen = np.array([0.5, 1.5, 0.5, 0]) / 4 + 0.375 / 4
    for context in ([], [1], [2], [3], [1, 2, 0]):  # of 3 nothing is known: the same again
        assert model.distribution(context) == pytest.approx([eos, a, b, unseen], rel=1e-14)
    assert model.perplexity([1, 0, 3, 0]) == pytest.approx((a * eos * unseen * eos) ** (-1 / 4), rel=1e-14)


def test_what_follows_one_word_only_is_no_guess_elsewhere():
    """Words 1 and 2 are as frequent, but 1 comes after 3 alone: after anything new, 2 is the better guess."""
    sentences = [[3, 1, 0]] * 4 + [[4, 2, 0], [5, 2, 0], [6, 2, 0], [7, 2, 0]]
    model = KneserNey(2).fit(flat(sentences), EOS, 9)
    assert np.bincount(flat(sentences))[1] == np.bincount(flat(sentences))[2]
    assert model.probability([8], 2) > 2 * model.probability([8], 1)
    assert model.probability([3], 1) > model.probability([3], 2)


def test_order_one_is_a_closed_form():
    train, other = random_text(500, seed=2), np.arange(40)
    counts = np.bincount(train, minlength=40)
    assert (counts == 0).any(), "some words have to be unseen"
    D = discount(counts)
    expected = (np.maximum(counts - D, 0) + D * (counts > 0).sum() / 40) / 500
    np.testing.assert_allclose(KneserNey(1).fit(train, EOS, 40).probabilities(other), expected, rtol=1e-13)


def test_with_nothing_to_discount_order_one_counts():
    """Every word three times: n₁ = n₂ = 0, so D = 0 and the model is the frequencies."""
    model = KneserNey(1).fit([1, 2, 0] * 3, EOS, 4)
    assert model.distribution([]).tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert model.perplexity([1, 2, 0]) == pytest.approx(unigram_perplexity([1, 2, 0], [1, 2, 0], 3))
    assert model.perplexity([3, 0]) == math.inf


@pytest.mark.parametrize(
    "counts, expected", [([1, 1, 2, 5], 0.5), ([1, 3], 1), ([2, 2], 0), ([7], 0), ([1, 2, 2], 0.2)]
)
def test_discount(counts, expected):
    assert discount(np.array(counts)) == expected


# What a context is


def test_a_text_may_be_shorter_than_a_context():
    model = KneserNey(9).fit([0], EOS, 2)
    # <eos> once at every order, so D = 1 throughout, and the uniform guess comes through from the bottom.
    assert model.probabilities([0, 0]).tolist() == [0.5, 0.5]


def test_sentences_do_not_see_one_another():
    train = random_text(2000, seed=3)
    model = KneserNey(3).fit(train, EOS, 40)
    one, two = [5, 2, 7, EOS], [1, 1, 30, 2, EOS]
    together = model.probabilities([*one, *two])
    assert together.tolist() == [*model.probabilities(one), *model.probabilities(two)]
    assert model.perplexity([*one, *two]) == pytest.approx(np.exp(-np.log(together).mean()), rel=1e-14)
    assert model.probability([*one], 1) == model.probability([], 1) == together[4]
    ends = np.flatnonzero(train == EOS)[:200]
    sentences = [s for s in np.split(train[: ends[-1] + 1], ends[:-1] + 1)]
    shuffled = [sentences[k] for k in np.random.default_rng(0).permutation(len(sentences))]
    again = KneserNey(3).fit(np.concatenate(shuffled), EOS, 40)
    first = KneserNey(3).fit(np.concatenate(sentences), EOS, 40)
    assert again.probabilities(train).tolist() == first.probabilities(train).tolist()


@pytest.mark.parametrize("n", [2, 3, 4])
def test_only_the_last_words_of_a_context_matter(n):
    model = KneserNey(n).fit(random_text(2000, seed=4), EOS, 40)
    context = [3, 1, 2, 1, 5, 2, 1]
    assert np.array_equal(model.distribution(context), model.distribution(context[-(n - 1) :]))
    assert not np.array_equal(model.distribution(context), model.distribution(context[-(n - 1) :][1:]))


def test_the_names_of_the_words_do_not_matter():
    train, other = random_text(1500, seed=5), random_text(300, seed=6)
    rename = np.random.default_rng(0).permutation(40)
    found = KneserNey(3).fit(rename[train], int(rename[EOS]), 40).probabilities(rename[other])
    np.testing.assert_allclose(found, KneserNey(3).fit(train, EOS, 40).probabilities(other), rtol=1e-13)


# On corpora


def test_on_the_generated_treebank_it_lies_between_the_exact_perplexity_and_the_unigrams():
    corpus = load_corpus("banyan", size="smoke", say=None)
    V = len(corpus.vocabulary)
    exact = banyan.exact_perplexity(corpus.test)
    unigram = unigram_perplexity(corpus.train, corpus.test, V)
    found = [KneserNey(n).fit(corpus.train, corpus.eos, V).perplexity(corpus.test) for n in (2, 3)]
    assert all(1.05 * exact < perplexity < 0.8 * unigram for perplexity in found), (exact, found, unigram)


# Valid and test: what this module and the dictionaries give; then what another implementation gave.
PENN_TREEBANK = {
    2: (201.48, 186.80, 201.6, 186.8),
    3: (161.38, 150.59, 161.8, 150.9),
    5: (151.29, 143.38, 151.5, 143.7),
}


@pytest.mark.real_data("ptb")
@pytest.mark.parametrize("n", PENN_TREEBANK)
def test_perplexities_of_penn_treebank(n):
    corpus = load_corpus("ptb", say=None)
    model = KneserNey(n).fit(corpus.train, corpus.eos, len(corpus.vocabulary))
    valid, test = model.perplexity(corpus.valid), model.perplexity(corpus.test)
    assert (round(valid, 2), round(test, 2)) == PENN_TREEBANK[n][:2]
    assert (valid, test) == pytest.approx(PENN_TREEBANK[n][2:], rel=0.01)
    assert 0.91 < test / valid < 1.0
    assert model.distribution(corpus.test[100:104]).sum() == pytest.approx(1, abs=1e-10)


@pytest.mark.real_data("ptb")
@pytest.mark.parametrize("n", [1, 3, 5])
def test_with_two_thousand_words_the_test_text_is_no_longer_the_easier_one(n):
    """Chapter 08's replica has test / valid above what is usual: that is its vocabulary, not its training."""
    corpus, ratios = load_corpus("ptb", say=None), []
    for words in (10_000, 2_000):
        part = corpus.first_sentences(12_000, words)
        model = KneserNey(n).fit(part.train, part.eos, len(part.vocabulary))
        ratios.append(model.perplexity(part.test) / model.perplexity(part.valid))
    assert 0.91 < ratios[0] < 0.97 and 0.98 < ratios[1] < 1.04


# What is refused


@pytest.mark.parametrize("n", [0, -1])
def test_an_order_below_one_is_refused(n):
    with pytest.raises(ValueError, match=f"at least 1, not {n}"):
        KneserNey(n)
    with pytest.raises(TypeError):
        KneserNey(2.5)


@pytest.mark.parametrize(
    "ids, eos, message",
    [
        ([], 0, "nothing to count"),
        ([1, 5], 0, "from 0 to 4, not from 1 to 5"),
        ([-1, 2], 0, "from 0 to 4, not from -1 to 2"),
        ([1, 0], 5, "eos is an id from 0 to 4, not 5"),
        ([[1, 0]], 0, "one row of whole numbers"),
        ([1.0, 0.0], 0, "one row of whole numbers"),
    ],
)
def test_what_is_no_text_is_refused(ids, eos, message):
    with pytest.raises(ValueError, match=message):
        KneserNey(2).fit(ids, eos, 5)


def test_a_model_that_counted_nothing_says_so():
    for ask in (lambda m: m.perplexity([1]), lambda m: m.distribution([1]), lambda m: m.probability([], 1)):
        with pytest.raises(ValueError, match="call fit"):
            ask(KneserNey(2))
    fitted = KneserNey(2).fit([1, 0], 0, 2)
    with pytest.raises(ValueError, match="no perplexity"):
        fitted.perplexity([])
    with pytest.raises(ValueError, match="from 0 to 1"):
        fitted.probabilities([2])
    assert repr(fitted) == "KneserNey(2)"
