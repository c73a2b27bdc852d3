"""The Banyan treebank: what is said to be exact is exact, and the text is the same everywhere."""

import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from math import exp, inf, log, sqrt
from pathlib import Path
from random import Random

import numpy as np
import pytest

from lstm_tutorial.data import banyan, lexicon, load_corpus
from lstm_tutorial.data.process import Choice, Emit, Sequence, WordClass, compile_grammar, maybe

# Pinned here a second time: a changed grammar has to change this test knowingly.
SMOKE_TRAIN_SHA256 = "803f461d1bc3c1257e2f5aa3f7142d0dcd46ce56e0c9a35164541dc15a3a7482"


@pytest.fixture(scope="module")
def corpus():
    return load_corpus("banyan", "smoke", say=None)


def words(**probability):
    return Emit(WordClass(probability))


def unambiguous_grammar():
    """A first word "a" leaves two states open; the last word tells them apart."""
    return Choice(
        (0.3, Sequence(words(a=0.5, b=0.5), maybe(0.4, words(d=1.0)), words(e=0.2, f=0.8))),
        (0.7, Sequence(words(a=0.1, c=0.9), maybe(0.1, words(d=1.0)), words(g=0.3, h=0.7))),
    )


def ambiguous_grammar():
    """Most sentences have several paths: a can come from three places."""
    first = Choice((0.3, words(a=0.5, b=0.5)), (0.7, words(a=0.1, c=0.9)))
    return Sequence(
        first, maybe(0.4, words(a=0.25, b=0.75)), Choice((0.6, words(a=1.0)), (0.4, words(b=1.0)))
    )


def paths(process):
    """Every path through a small process: (words, probability). Independent of the forward algorithm."""

    def walk(branches, said, p):
        for q, s in branches:
            state = process.states[s]
            if s == 0:
                yield said, p * q
                continue
            for word, r in state.words.probability.items():
                yield from walk(state.then, (*said, word), p * q * r)

    return list(walk(process.start, (), 1.0))


@pytest.mark.parametrize("grammar", [unambiguous_grammar, ambiguous_grammar])
def test_forward_algorithm_equals_the_sum_over_all_paths(grammar):
    process = compile_grammar(grammar())
    sentences = defaultdict(float)
    for said, p in paths(process):
        sentences[said] += p
    assert sum(sentences.values()) == pytest.approx(1, abs=1e-12)
    for said, p in sentences.items():
        assert process.log_probability(said) == pytest.approx(log(p), abs=1e-12)
    assert process.log_probability("e e e e") == -inf
    assert process.log_probability("a nonsense") == -inf


@pytest.mark.parametrize("grammar", [unambiguous_grammar, ambiguous_grammar])
def test_next_words_against_enumeration(grammar):
    process = compile_grammar(grammar())
    every = paths(process)
    for end in range(3):
        for prefix in {said[:end] for said, _ in every if len(said) >= end}:
            follow = defaultdict(float)
            for said, p in every:
                if said[:end] == prefix:
                    follow[(*said, "<eos>")[end]] += p
            total = sum(follow.values())
            expected = {word: p / total for word, p in follow.items()}
            assert process.next_words(prefix) == pytest.approx(expected, abs=1e-12)


def test_a_grammar_with_two_readings_of_a_sentence_has_no_entropy_here():
    process = compile_grammar(ambiguous_grammar())
    readings = Counter(said for said, _ in paths(process))
    assert max(readings.values()) > 1
    assert process.is_ambiguous()
    with pytest.raises(ValueError, match="two ways"):
        process.entropy()


def random_grammar(rng, depth=3):
    """A small grammar of random shape over four words, with some words in several classes."""
    kind = rng.randrange(3) if depth else 0
    if kind == 0:
        return (
            words(**dict.fromkeys(rng.sample("abcd", 2), 0.5))
            if rng.random() < 0.3
            else words(**{rng.choice("abcd"): 1.0})
        )
    parts = [random_grammar(rng, depth - 1) for _ in range(2)]
    return Sequence(*parts) if kind == 1 else Choice((0.25, parts[0]), (0.75, parts[1]))


def test_random_grammars_by_enumeration():
    rng, seen = Random(7), Counter()
    for _ in range(300):
        process = compile_grammar(random_grammar(rng))
        sentences, readings = Counter(), Counter()
        for said, p in paths(process):
            sentences[said] += p
            readings[said] += 1
        for said, p in sentences.items():
            assert process.log_probability(said) == pytest.approx(log(p), abs=1e-12)
        ambiguous = max(readings.values()) > 1
        assert process.is_ambiguous() == ambiguous
        if not ambiguous:
            entropy = -sum(p * log(p) for p in sentences.values())
            assert process.entropy() == pytest.approx(entropy, abs=1e-12)
        seen[ambiguous, len(sentences) > 3] += 1
    assert min(seen[True, True], seen[False, True]) > 20  # both kinds, and not only trivial ones


def test_entropy_and_counts_of_a_tiny_grammar_by_enumeration():
    process = compile_grammar(unambiguous_grammar())
    assert not process.is_ambiguous()
    sentences = dict(paths(process))
    assert len(sentences) == len(paths(process))  # one path each
    entropy = -sum(p * log(p) for p in sentences.values())
    length = sum(p * (len(said) + 1) for said, p in sentences.items())
    assert process.entropy() == pytest.approx(entropy, abs=1e-12)
    assert process.expected_length() == pytest.approx(length, abs=1e-12)
    assert process.entropy_rate("nats") == pytest.approx(entropy / length, abs=1e-12)
    assert process.entropy_rate("bits") == pytest.approx(entropy / length / log(2), abs=1e-12)
    for word, count in process.expected_counts().items():
        expected = 1 if word == "<eos>" else sum(p * said.count(word) for said, p in sentences.items())
        assert count == pytest.approx(expected, abs=1e-12)


def test_probabilities_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        WordClass({"a": 0.5, "b": 0.4})
    with pytest.raises(ValueError, match="sum to 1"):
        Choice((0.5, words(a=1.0)), (0.6, words(b=1.0)))


# --- the real grammar ------------------------------------------------------------------------------


def test_every_state_and_every_continuation_sums_to_one():
    process = banyan.process()
    for s, state in enumerate(process.states):
        assert sum(state.words.probability.values()) == pytest.approx(1, abs=1e-9)
        if s:
            assert sum(p for p, _ in state.then) == pytest.approx(1, abs=1e-9)
            assert all(after < s for _, after in state.then)
    rng = Random(5)
    for _ in range(20):
        sentence = process.sample(rng)
        for end in range(len(sentence) + 1):
            shares = process.next_words(sentence[:end])
            assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
            word = sentence[end] if end < len(sentence) else "<eos>"
            assert -log(shares[word]) == pytest.approx(process.surprisals(sentence)[end], abs=1e-9)


def test_the_grammar_is_unambiguous():
    assert not banyan.process().is_ambiguous()


def test_exact_entropy_against_a_monte_carlo_mean():
    process, rng = banyan.process(), Random(11)
    sample = [process.sample(rng) for _ in range(20_000)]
    surprise = np.array([-process.log_probability(sentence) for sentence in sample])
    error = surprise.std(ddof=1) / sqrt(len(sample))
    assert error < 0.004 * process.entropy()  # so that the comparison can fail
    assert abs(surprise.mean() - process.entropy()) < 4 * error
    lengths = np.array([len(sentence) + 1 for sentence in sample])
    error = lengths.std(ddof=1) / sqrt(len(sample))
    assert abs(lengths.mean() - process.expected_length()) < 4 * error


def test_the_seed_of_it_all_is_a_sentence():
    assert banyan.log_probability("the leaves of the banyan tree are green") > -30
    assert banyan.log_probability("the leaves of the banyan tree is green") == -inf
    assert banyan.log_probability("the leaf of the banyan trees is green") > -30


def test_a_verb_form_belongs_to_one_number_and_no_word_to_two_classes():
    classes = defaultdict(set)
    for state in banyan.process().states:
        number = state.words.number
        for word in state.words.words:
            classes[word].add((state.words.kind, number))
    assert [word for word, kinds in classes.items() if len(kinds) > 1] == []
    pairs = lexicon.number_pairs()
    assert {word for word, kinds in classes.items() if ("verb", "singular") in kinds} == {
        word for word in pairs if classes[word] == {("verb", "singular")}
    }
    for word, other in pairs.items():
        assert pairs[other] == word != other
        assert {number for _, number in classes[word] | classes[other]} == {"singular", "plural"}


def test_vocabulary(corpus):
    assert 1_900 <= len(corpus.vocabulary) <= 2_100
    assert len(set(corpus.vocabulary)) == len(corpus.vocabulary)
    assert corpus.vocabulary[0] == "<eos>" and "<unk>" not in corpus.vocabulary
    assert banyan.vocabulary() == load_corpus("banyan", "laptop", say=None).vocabulary
    counts = banyan.process().expected_counts()
    assert all(counts[a] >= counts[b] - 1e-12 for a, b in pairwise(corpus.vocabulary))


def test_word_classes_follow_zipfs_law():
    noun = lexicon.nouns("garden", "singular").probability
    common, rare = lexicon.noun_pairs("garden")
    for group, share in ((common, 1 - lexicon.RARE), (rare, lexicon.RARE)):
        shares = [noun[singular] for singular, _ in group]
        assert sum(shares) == pytest.approx(share, abs=1e-12)
        for rank in (2, 10, len(shares)):
            assert shares[rank - 1] == pytest.approx(shares[0] / rank, rel=1e-12)
    determiners = lexicon.determiners("plural").probability
    telling = sum(determiners[word] for word in lexicon.TELLING_DETERMINERS["plural"].split())
    assert telling == pytest.approx(lexicon.TELLING, abs=1e-12)


# --- the text --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", banyan.SIZES)
def test_the_text_is_the_recorded_one(size):
    texts = banyan.generate(size)
    assert banyan.sha256(texts) == banyan.SHA256[size]
    assert tuple(text.count("\n") for text in texts.values()) == banyan.SIZES[size]
    if size == "smoke":
        assert hashlib.sha256(texts["train"].encode()).hexdigest() == SMOKE_TRAIN_SHA256


def test_the_text_does_not_depend_on_the_order_of_sets_and_calls():
    """A fresh Python with another hash seed, which generates the splits of two sizes the other way round."""
    code = (
        "from lstm_tutorial.data import banyan; banyan.agreement_set(2, 10); banyan.generate('laptop');"
        "print(banyan.sha256(banyan.generate('smoke')) == banyan.SHA256['smoke'])"
    )
    for hash_seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == "True"


def test_a_smaller_corpus_is_the_beginning_of_a_larger_one():
    smoke, laptop = banyan.generate("smoke"), banyan.generate("laptop")
    for split in smoke:
        assert laptop[split].startswith(smoke[split])
    assert len(set(text[:500] for text in smoke.values())) == 3  # and the splits are different texts


def test_file_format_and_round_trip(corpus):
    texts = banyan.generate("smoke")
    for split, text in texts.items():
        assert all(line.startswith(" ") and line.endswith(" ") for line in text.split("\n")[:-1])
        ids = getattr(corpus, split)
        assert ids.dtype == np.int64 and ids[-1] == corpus.eos
        assert np.array_equal(corpus.encode(text), ids)
        assert np.array_equal(corpus.encode(corpus.decode(ids)), ids)
    assert corpus.sentence_counts == dict(zip(banyan.SPLITS, banyan.SIZES["smoke"], strict=True))
    assert corpus.token_counts["valid"] == len(corpus.valid)


def test_exact_perplexity_is_that_of_the_sentences(corpus):
    lines = banyan.generate("smoke")["valid"].splitlines()
    total = sum(banyan.log_probability(line) for line in lines)
    assert banyan.exact_perplexity(corpus.valid) == pytest.approx(exp(-total / len(corpus.valid)), rel=1e-12)
    # A short text scatters about the entropy rate; 12,000 sentences hardly do.
    rate = exp(banyan.entropy_rate("nats"))
    assert banyan.exact_perplexity(corpus.valid) == pytest.approx(rate, rel=0.1)
    whole = load_corpus("banyan", "laptop", say=None)
    assert banyan.exact_perplexity(whole.train) == pytest.approx(rate, rel=0.02)


def test_exact_perplexity_of_other_texts(corpus):
    wrong = corpus.encode("the leaves of the banyan tree is green\n")
    assert banyan.exact_perplexity(wrong) == inf
    with pytest.raises(ValueError, match="<eos>"):
        banyan.exact_perplexity(corpus.valid[:-1])


def witten_bell_perplexity(train, test, order, vocabulary_size):
    """An interpolated n-gram model, as a measure of what can be had without a memory."""
    counts = [defaultdict(Counter) for _ in range(order)]
    for i in range(len(train)):
        for n in range(order):
            if i >= n:
                counts[n][tuple(train[i - n : i])][train[i]] += 1
    totals = [{c: (sum(f.values()), len(f)) for c, f in level.items()} for level in counts]
    surprise = 0.0
    for i in range(order, len(test)):
        p = 1 / vocabulary_size
        for n in range(order):
            context = tuple(test[i - n : i])
            if context in totals[n]:
                total, kinds = totals[n][context]
                p = (counts[n][context][test[i]] + kinds * p) / (total + kinds)
        surprise -= log(p)
    return exp(surprise / (len(test) - order))


def test_n_grams_are_clearly_worse_than_the_optimum():
    corpus = load_corpus("banyan", "laptop", say=None)
    best = banyan.exact_perplexity(corpus.valid)
    for order in (2, 3, 5):
        reached = witten_bell_perplexity(
            corpus.train.tolist(), corpus.valid.tolist(), order, len(corpus.vocabulary)
        )
        assert 1.3 * best < reached < 10 * best


# --- agreement -------------------------------------------------------------------------------------


NUMBER_OF_NOUN = {
    word: number
    for topic in lexicon.TOPICS
    for group in lexicon.noun_pairs(topic)
    for pair in group
    for word, number in zip(pair, lexicon.NUMBERS, strict=True)
}
SINGULAR_VERBS = {
    *lexicon.COPULAS["singular"].split(),
    *(
        pair[0]
        for verbs in (lexicon.INTRANSITIVE, lexicon.TRANSITIVE)
        for topic in verbs
        for group in lexicon.verb_pairs(verbs, topic)
        for pair in group
    ),
}


@pytest.mark.parametrize("attractors", range(6))
def test_agreement_items_are_beginnings_of_grammatical_sentences(attractors, corpus):
    process, pairs = banyan.process(), lexicon.number_pairs()
    items = banyan.agreement_set(attractors, 40, seed=3)
    subjects = []
    for item in items:
        prefix = [corpus.vocabulary[i] for i in item.prefix]
        right, wrong = corpus.vocabulary[item.right], corpus.vocabulary[item.wrong]
        after = process.next_words(prefix)
        assert after[right] > 0 and wrong not in after
        assert pairs[right] == wrong
        nouns = [NUMBER_OF_NOUN[word] for word in prefix if word in NUMBER_OF_NOUN]
        subjects.append(nouns[0])  # nothing stands before the subject in this grammar
        assert sum(number != nouns[0] for number in nouns[1:]) == item.attractors == attractors
        assert (right in SINGULAR_VERBS) == (nouns[0] == "singular") != (wrong in SINGULAR_VERBS)
    assert Counter(subjects) == {"singular": 20, "plural": 20}


def test_agreement_sets_repeat_with_their_seed():
    assert banyan.agreement_set(2, 10, seed=1) == banyan.agreement_set(2, 10, seed=1)
    assert banyan.agreement_set(2, 10, seed=1) != banyan.agreement_set(2, 10, seed=2)


def states_of(process, sentence):
    """For each word the states that can have said it, given the words before: by the forward algorithm."""
    alpha = {s: p for p, s in process.start}
    for word, (_, after) in zip(sentence, process.forward(sentence), strict=True):
        yield [process.states[s] for s in alpha if word in process.states[s].words.probability]
        alpha = after


def test_agreement_sets_follow_the_process():
    """Drawing on a condition gives what plain drawing gives where the condition happens to hold."""
    process, rng = banyan.process(), Random(17)
    n, plain = 20_000, defaultdict(list)  # attractors: whether there was a relative clause, per sentence
    for _ in range(n):
        sentence = process.sample(rng)
        for end, states in enumerate(states_of(process, sentence)):
            if any(state.role == "main verb" for state in states):
                nouns = [NUMBER_OF_NOUN[word] for word in sentence[:end] if word in NUMBER_OF_NOUN]
                attractors = sum(number != nouns[0] for number in nouns)
                plain[attractors].append(not {"that", "which"}.isdisjoint(sentence[:end]))
                break

    chances = Counter()
    for number in lexicon.NUMBERS:
        for p, s in process.start:
            for a, q in banyan._chances(number)[s].items():
                chances[a] += p * q
    assert sum(chances.values()) == pytest.approx(0.9, abs=1e-9)  # one main verb in ten follows a modal
    for a in range(4):
        p = chances[a]
        assert abs(len(plain[a]) / n - p) < 4 * sqrt(p * (1 - p) / n)

    ids = {banyan.vocabulary().index(word) for word in ("that", "which")}
    for a in range(3):
        drawn = [not ids.isdisjoint(item.prefix) for item in banyan.agreement_set(a, 2_000, seed=a)]
        share, other = np.mean(plain[a]), np.mean(drawn)
        error = sqrt(share * (1 - share) * (1 / len(plain[a]) + 1 / len(drawn)))
        assert abs(share - other) < 4 * error


def test_impossible_numbers_of_attractors_are_refused():
    assert banyan.most_attractors() >= 4
    for attractors in (-1, banyan.most_attractors() + 1):
        with pytest.raises(ValueError, match="cannot occur"):
            banyan.agreement_set(attractors, 1)
