"""The Banyan treebank: generated sentences in Penn Treebank's file format, with exact answers.

    the leaves of the banyan tree are green

The verb agrees with "leaves", not with "tree": a reader who only looks at the nearest noun gets it
wrong. Such a noun of the other number between subject and verb is called an **attractor**. Here up
to MAX_DEPTH of them can stand in a chain of phrases, so how well a model remembers its subject can be
plotted against how much there is to confuse it.

The rules below are the whole grammar. Each has a number, "singular" or "plural", and a topic, which
its verbs and adjectives share: boats drift, cakes crumble. The rules are compiled to a finite-state
process (`process.py`), so the best perplexity that any model could reach is known exactly. Change a
rule, and everything else follows.
"""

import hashlib
from functools import cache
from math import exp, fsum
from random import Random
from typing import NamedTuple

from . import lexicon
from .lexicon import GENERAL, NUMBERS, TOPICS
from .process import EOS, Choice, Emit, Sequence, WordClass, compile_grammar, maybe

MAX_DEPTH = 5  # how deep phrases can hang on the subject
TOPIC_SHARE = {"garden": 0.4, "harbour": 0.3, "kitchen": 0.2, "town": 0.1}
KEEPS_TOPIC = 0.5  # how often the noun of a phrase takes over the topic of its head
OWN_WORDS = 0.75  # how often verbs and adjectives come from the topic rather than from the general stock

# Sentences in train, valid and test. A smaller corpus is the beginning of a larger one.
SIZES = {"smoke": (1_500, 200, 200), "laptop": (12_000, 1_200, 1_200), "paper": (40_000, 3_400, 3_800)}
SPLITS = ("train", "valid", "test")
SEEDS = {"train": 2_001, "valid": 2_002, "test": 2_003}

# SHA-256 of the generated files. A changed grammar has other ones: record them with its results.
SHA256 = {
    "smoke": {
        "banyan.train.txt": "803f461d1bc3c1257e2f5aa3f7142d0dcd46ce56e0c9a35164541dc15a3a7482",
        "banyan.valid.txt": "b165eb30a21d36b1fd86141fcb73aa84cb94a54edc7c976f9b42807b36267b33",
        "banyan.test.txt": "9fb498309034754ba0b0d9c4cf9fa761893d234f58106e3f01c3c16c1e3a14f2",
    },
    "laptop": {
        "banyan.train.txt": "702588d51426c5b558a7a734b076f8092e1fc34412c8f1369b71b567ccd0b6fb",
        "banyan.valid.txt": "189f8ce59c3418c3080dd6aa7a7ea5108b13703c3d1d8e492181826bd14262ea",
        "banyan.test.txt": "f91dd715b67347e2eed49dc5177edbe5e859f5dfc055575dedef5c80dc2a4613",
    },
    "paper": {
        "banyan.train.txt": "a40530dd66073ce900cfea46d9a54b92a2c1b867740990c06f951b9018384cfc",
        "banyan.valid.txt": "7a4bc77c193243f8c88e387b4af6b2c494fce03aa9713813ec0acbebaf3cc5c5",
        "banyan.test.txt": "7fa4eb32b66e4afd6953b2b30a5b49429e2c33088815ba6e3f10e95c3647e51e",
    },
}

# --- the grammar -----------------------------------------------------------------------------------


@cache
def sentence():
    """A subject and what it does."""
    return any_topic_and_number(
        None,
        lambda topic, number: Sequence(
            noun_phrase(topic, number, MAX_DEPTH, role="subject"), predicate(topic, number)
        ),
    )


@cache
def noun_phrase(topic, number, depth, role=""):
    """the (old) (green) (banyan) tree, and what hangs on it: at most `depth` phrases inside each other."""
    return Sequence(
        Emit(lexicon.determiners(number)),
        maybe(0.25, Sequence(adjective(topic), maybe(0.15, adjective(topic)))),
        maybe(0.15, Emit(lexicon.modifiers(topic))),
        Emit(lexicon.nouns(topic, number), role),
        noun_complement(topic, number, depth),
    )


@cache
def noun_complement(topic, number, depth):
    """Nothing, or one phrase: of the tree · that hides the tree · that the gardeners love."""
    if depth == 0:
        return Sequence()
    if depth == 1:
        return maybe(0.45, prepositional_phrase(topic, depth))
    return Choice(
        (0.43, Sequence()),
        (0.45, prepositional_phrase(topic, depth)),
        (0.12, relative_clause(topic, number, depth)),
    )


@cache
def prepositional_phrase(topic, depth):
    """near the old walls, with more phrases on its noun."""
    return Sequence(
        Emit(lexicon.function_words("PREPOSITIONS")),
        any_topic_and_number(topic, lambda t, n: noun_phrase(t, n, depth - 1)),
    )


@cache
def relative_clause(topic, number, depth):
    """that grows · that is green · that hides the wall · that the gardener loves."""
    # What stands inside a clause must be remembered together with the main subject, so it is kept short.
    inside = min(depth - 2, 2)
    return Sequence(
        Emit(lexicon.function_words("RELATIVES")),
        Choice(
            (0.15, intransitive_verb(topic, number)),
            (0.15, Sequence(Emit(lexicon.copulas(number)), adjective(topic))),
            (0.35, Sequence(transitive_verb(topic, number), object_phrase(topic, 0))),
            (
                0.35,
                any_topic_and_number(
                    topic,
                    lambda t, n: Sequence(noun_phrase(t, n, inside), transitive_verb(t, n)),
                ),
            ),
        ),
    )


@cache
def predicate(topic, number):
    """What the subject does, and with "and" perhaps a second thing."""
    return Sequence(
        verb_phrase(topic, number, role="main verb"),
        maybe(0.12, Sequence(Emit(the_word("and")), verb_phrase(topic, number))),
    )


@cache
def verb_phrase(topic, number, role=""):
    """grow (quietly) (near the wall) · hide the wall · are (very) green · will grow, without a number."""
    # After "will" every verb has the form of the plural: "the leaf will grow".
    return Choice(
        (
            0.3,
            Sequence(
                intransitive_verb(topic, number, role),
                maybe(0.3, Emit(lexicon.function_words("ADVERBS"))),
                maybe(0.3, prepositional_phrase(topic, 1)),
            ),
        ),
        (0.3, Sequence(transitive_verb(topic, number, role), object_phrase(topic, 1))),
        (
            0.3,
            Sequence(
                Emit(lexicon.copulas(number), role),
                maybe(0.3, Emit(lexicon.function_words("DEGREES"))),
                adjective(topic),
            ),
        ),
        (
            0.1,
            Sequence(
                Emit(lexicon.function_words("MODALS")),
                Choice(
                    (0.5, intransitive_verb(topic, "plural")),
                    (0.5, Sequence(transitive_verb(topic, "plural"), object_phrase(topic, 0))),
                ),
            ),
        ),
    )


@cache
def object_phrase(topic, depth):
    return any_topic_and_number(topic, lambda t, n: noun_phrase(t, n, depth))


@cache
def adjective(topic):
    return own_or_general(topic, lexicon.adjectives)


@cache
def intransitive_verb(topic, number, role=""):
    return own_or_general(topic, lambda t: lexicon.intransitive_verbs(t, number), role)


@cache
def transitive_verb(topic, number, role=""):
    return own_or_general(topic, lambda t: lexicon.transitive_verbs(t, number), role)


def own_or_general(topic, word_class, role=""):
    """A word of the topic, or one that goes with every topic."""
    return Choice(
        (OWN_WORDS, Emit(word_class(topic), role)), (1 - OWN_WORDS, Emit(word_class(GENERAL), role))
    )


def any_topic_and_number(head, phrase):
    """`phrase(topic, number)` with each number equally likely, and a topic near that of its head, if any."""
    keeps = KEEPS_TOPIC if head else 0.0
    return Choice(
        *(
            (0.5 * (keeps * (topic == head) + (1 - keeps) * TOPIC_SHARE[topic]), phrase(topic, number))
            for topic in TOPICS
            for number in NUMBERS
        )
    )


@cache
def the_word(word):
    return WordClass({word: 1.0}, kind="function word")


# --- the process and its exact answers -------------------------------------------------------------


@cache
def process():
    """The grammar, compiled."""
    return compile_grammar(sentence())


@cache
def vocabulary():
    """Every word the grammar can say, <eos> included: a tuple, commonest first, ties alphabetical.

    It is sorted by the expected frequency, so it is the same for every size of the corpus.
    """
    counts = process().expected_counts()
    # Rounded, so that words that are equally likely count as tied whatever the order of summation.
    return tuple(sorted(counts, key=lambda word: (-round(counts[word], 12), word)))


@cache
def entropy_rate(unit="bits"):
    """Exact entropy per token, <eos> included, in "bits" or "nats"."""
    return process().entropy_rate(unit)


def log_probability(sentence):
    """log p(sentence) in nats, <eos> included. `sentence` is a string or a list of words without <eos>."""
    return process().log_probability(sentence)


def exact_perplexity(ids):
    """The best perplexity that can be reached on this very text: that of the process which wrote it.

    `ids` are token ids (any sequence of whole sentences, each ended by <eos>), such as `corpus.valid`.
    Every token counts, <eos> included. Sentences are independent, so nothing is lost by starting afresh
    at each. Returns inf if the text has a sentence that the grammar cannot say.
    """
    words = vocabulary()
    surprise, sentence = 0.0, []
    known = {}  # common short sentences come again and again
    for token in ids:
        if words[token] != EOS:
            sentence.append(words[token])
            continue
        key = tuple(sentence)
        if key not in known:
            known[key] = -log_probability(sentence)
        surprise += known[key]
        sentence = []
    if sentence or not len(ids):
        raise ValueError("exact_perplexity needs whole sentences: the last token must be <eos>.")
    return exp(surprise / len(ids)) if surprise < float("inf") else surprise


# --- the files -------------------------------------------------------------------------------------


def generate(size="laptop"):
    """{"train": text, "valid": text, "test": text}: one sentence a line, with the spaces of PTB's files."""
    texts = {}
    for split, count in zip(SPLITS, SIZES[size], strict=True):
        rng = Random(SEEDS[split])
        lines = (" ".join(process().sample(rng)) for _ in range(count))
        texts[split] = "".join(f" {line} \n" for line in lines)
    return texts


def file_name(split):
    return f"banyan.{split}.txt"


def sha256(texts):
    """{file name: SHA-256 of the bytes} of what `generate` returns."""
    return {
        file_name(split): hashlib.sha256(text.encode("utf-8")).hexdigest() for split, text in texts.items()
    }


# --- agreement -------------------------------------------------------------------------------------


class AgreementItem(NamedTuple):
    """A sentence up to its main verb, and the two verbs to choose between.

    `prefix` holds token ids, from the first word after <eos> to the last word before the verb; `right`
    and `wrong` are the ids of one verb in both numbers. The grammar never says the wrong one here.
    """

    prefix: tuple
    right: int
    wrong: int
    attractors: int


def agreement_set(attractors, n, seed=0):
    """`n` beginnings of sentences with exactly `attractors` nouns that could mislead about the number.

    attractors: how many nouns between subject and main verb have the other number, 0 to `most_attractors()`
    n:          how many items; subjects are singular and plural in turn
    seed:       the same seed gives the same items everywhere

    Items are drawn from the process itself, on the condition that the main verb shows its number and that
    the number of attractors is the one asked for. So common sentences may come more than once. Nouns with
    the subject's own number may stand between as well; they help, and are not counted.
    Returns a list of `AgreementItem`. Raises ValueError for a number of attractors that cannot occur.
    """
    rng = Random(seed)
    if not 0 <= attractors <= most_attractors():
        raise ValueError(
            f"{attractors} attractors cannot occur in this grammar; ask for 0 to {most_attractors()}."
        )
    ids = {word: i for i, word in enumerate(vocabulary())}
    items = []
    for index in range(n):
        words = _sample_to_verb(attractors, NUMBERS[index % 2], rng)
        right = words.pop()
        wrong = lexicon.number_pairs()[right]
        items.append(AgreementItem(tuple(ids[w] for w in words), ids[right], ids[wrong], attractors))
    return items


@cache
def most_attractors():
    """The largest number of attractors that a sentence of the grammar can have."""
    return max(count for number in NUMBERS for chances in _chances(number) for count in chances)


@cache
def _chances(number):
    """For a subject of this `number`, and each state: {a: p}, the probability p of coming from there to a
    main verb that shows its number, past exactly a attractors. A state's own word is counted."""
    chances = []
    for state in process().states:
        if state.role == "main verb":
            here = {0: 1.0}
        elif state.role == "subject" and state.words.number != number:
            here = {}
        else:
            attractor = state.words.kind == "noun" and state.words.number != number
            here = {}
            for p, s in state.then:
                for a, q in chances[s].items():
                    here[a + attractor] = here.get(a + attractor, 0.0) + p * q
        chances.append(here)
    return chances


def _sample_to_verb(attractors, number, rng):
    """Words up to and including the main verb, drawn under the condition of `agreement_set`."""
    states, chances = process().states, _chances(number)
    words, branches = [], process().start
    while True:
        weights = [p * chances[s].get(attractors, 0.0) for p, s in branches]
        s = branches[_draw(weights, rng)][1]
        state = states[s]
        words.append(state.words.words[_draw(state.words.probability.values(), rng)])
        if state.role == "main verb":
            return words
        attractors -= state.words.kind == "noun" and state.words.number != number
        branches = state.then


def _draw(weights, rng):
    """An index, in proportion to the weights; never one of weight zero."""
    weights = list(weights)
    left = rng.random() * fsum(weights)
    for index, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)
