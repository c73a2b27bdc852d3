"""A grammar of bounded depth, compiled to a finite-state process with exact answers.

A grammar is an expression made of three pieces,

    Emit(words)                  one word, drawn from a WordClass
    Sequence(a, b, ...)          a, then b, ...
    Choice((p, a), (q, b), ...)  a with probability p, b with probability q, ...

and `compile_grammar` turns it into a hidden Markov model: each state draws a word from its word
class, then moves on to one of its successors. There are no loops, so every sentence ends, and the
model's questions have exact answers:

    surprisals       -log p(word | all words before it), by the forward algorithm
    entropy          of a whole sentence, by one sweep over the states
    expected_length  in tokens, <eos> included

Letters: s is a state, p a probability, alpha the forward algorithm's distribution over states.
Source for the forward algorithm: Rabiner, "A tutorial on hidden Markov models", Proc. IEEE 77(2), 1989.
"""

from bisect import bisect
from dataclasses import dataclass, field
from itertools import accumulate, combinations
from math import exp, inf, isclose, log

EOS = "<eos>"


# eq=False: two pieces are the same only if they are the same object. That makes them cheap
# dictionary keys, and a rule that is cached gives one object per set of arguments.
@dataclass(frozen=True, eq=False)
class WordClass:
    """Words that can stand in one place. `probability` maps each word to its share; they sum to 1.

    `kind` ("noun", "verb", ...) and `number` ("singular", "plural" or "") are labels for the reader of
    the process; they do not change what is generated.
    """

    probability: dict
    kind: str = ""
    number: str = ""
    words: tuple = field(init=False, repr=False)
    cumulative: tuple = field(init=False, repr=False)
    entropy: float = field(init=False, repr=False)

    def __post_init__(self):
        _check_distribution(self.probability.values(), f"the word class {self.kind or self.probability}")
        object.__setattr__(self, "words", tuple(self.probability))
        object.__setattr__(self, "cumulative", tuple(accumulate(self.probability.values())))
        object.__setattr__(self, "entropy", -sum(p * log(p) for p in self.probability.values()))


@dataclass(frozen=True, eq=False)
class Emit:
    """One word of a class. `role` labels the place in the sentence ("subject", "main verb" or "")."""

    words: WordClass
    role: str = ""


@dataclass(frozen=True, eq=False, init=False)
class Sequence:
    """Its parts, one after the other. `Sequence()` is nothing at all."""

    parts: tuple

    def __init__(self, *parts):
        object.__setattr__(self, "parts", parts)


@dataclass(frozen=True, eq=False, init=False)
class Choice:
    """One of its options: `Choice((0.7, a), (0.3, b))`. The probabilities sum to 1."""

    options: tuple

    def __init__(self, *options):
        _check_distribution([p for p, _ in options], "a Choice")
        object.__setattr__(self, "options", options)


def maybe(p, expression):
    """The expression with probability p, otherwise nothing."""
    return Choice((p, expression), (1 - p, Sequence()))


def _check_distribution(probabilities, what):
    probabilities = list(probabilities)
    if not (all(p > 0 for p in probabilities) and isclose(sum(probabilities), 1, abs_tol=1e-9)):
        raise ValueError(
            f"the probabilities of {what} must be positive and sum to 1; their sum is {sum(probabilities)}"
        )


def compile_grammar(expression):
    """Turn an expression into a `Process`.

    The grammar is linked from its last word to its first: each piece is told what comes `then`, a tuple
    of (probability, state) pairs. So a state's successors always have smaller numbers than the state,
    and one pass over the states in order visits every successor first.
    """
    states = [State(WordClass({EOS: 1.0}, kind="end"), "", ())]
    known_states, known_links = {}, {}

    def link(piece, then):
        if (piece, then) not in known_links:
            known_links[piece, then] = linked(piece, then)
        return known_links[piece, then]

    def linked(piece, then):
        if isinstance(piece, Emit):
            key = (piece.words, piece.role, then)
            if key not in known_states:
                known_states[key] = len(states)
                states.append(State(piece.words, piece.role, then))
            return ((1.0, known_states[key]),)
        if isinstance(piece, Sequence):
            for part in reversed(piece.parts):
                then = link(part, then)
            return then
        shares = {}
        for p, option in piece.options:
            for q, s in link(option, then):
                shares[s] = shares.get(s, 0.0) + p * q
        return tuple((p, s) for s, p in shares.items())

    start = link(expression, ((1.0, 0),))
    return Process(tuple(states), start)


@dataclass(frozen=True, eq=False)
class State:
    """Draw a word from `words`, then move to one of `then`: ((probability, state), ...)."""

    words: WordClass
    role: str
    then: tuple


class Process:
    """A finite-state source of sentences; state 0 says <eos> and ends the sentence.

    `states` is a tuple of `State`, `start` a tuple of (probability, state) pairs.
    """

    def __init__(self, states, start):
        self.states = states
        self.start = start
        self._cumulative = {}
        self._ambiguous = None

    def __repr__(self):
        return f"Process({len(self.states):,} states, {len(self.words()):,} words)"

    def words(self):
        """Every word the process can say, in the order of the grammar, <eos> included."""
        return tuple(dict.fromkeys(w for state in self.states for w in state.words.words))

    def sample(self, rng):
        """One sentence, a list of words without <eos>.

        `rng` is a `random.Random`. Only its method `.random()` is used, because Python promises that
        its stream never changes: the same seed gives the same sentence on every machine and version.
        """
        sentence = []
        s = self._draw(self.start, rng)
        while s:
            words = self.states[s].words
            sentence.append(words.words[bisect(words.cumulative, rng.random(), 0, len(words.words) - 1)])
            s = self._draw(self.states[s].then, rng)
        return sentence

    def _draw(self, branches, rng):
        if branches not in self._cumulative:
            self._cumulative[branches] = tuple(accumulate(p for p, _ in branches))
        return branches[bisect(self._cumulative[branches], rng.random(), 0, len(branches) - 1)][1]

    # --- what is exact -----------------------------------------------------------------------------

    def forward(self, words):
        """The forward algorithm, one word at a time.

        Yields, for each word, p(word | the words before it in the sentence) and then alpha, the
        distribution over the states that come next: {state: probability}, empty after <eos> or after a
        word that cannot come here.
        """
        alpha = {s: p for p, s in self.start}
        for word in words:
            said = {s: p * self.states[s].words.probability.get(word, 0.0) for s, p in alpha.items()}
            total = sum(said.values())
            alpha = {}
            for s, p in said.items():
                if p > 0:
                    for q, after in self.states[s].then:
                        alpha[after] = alpha.get(after, 0.0) + q * p / total
            yield total, alpha

    def surprisals(self, sentence):
        """-log p(word | words before it) in nats, for each word and for <eos>: a list, inf where impossible.

        `sentence` is a string, or a list of words, without <eos>.
        """
        return [-log(p) if p > 0 else inf for p, _ in self.forward([*_words(sentence), EOS])]

    def log_probability(self, sentence):
        """log p(sentence) in nats, its <eos> included; -inf if the process cannot say it."""
        return -sum(self.surprisals(sentence))

    def next_words(self, prefix):
        """The exact distribution of the next word after `prefix`: {word: probability}; may hold <eos>."""
        steps = list(self.forward(_words(prefix)))
        alpha = steps[-1][1] if steps else {s: p for p, s in self.start}
        shares = {}
        for s, p in alpha.items():
            for word, q in self.states[s].words.probability.items():
                shares[word] = shares.get(word, 0.0) + p * q
        return shares

    def expected_length(self):
        """Expected number of tokens in a sentence, <eos> included."""
        return self._sweep(lambda state: 1.0, lambda p: 0.0)

    def entropy(self):
        """Entropy of a whole sentence in nats.

        It is the entropy of the path through the states, which is the sentence's own only when no
        sentence has two paths. Raises ValueError for a grammar in which one does.
        """
        if self.is_ambiguous():
            raise ValueError(
                "this grammar can say one sentence in two ways, so the entropy of the path is larger than "
                "that of the sentence; make its word classes or its rules tell the two readings apart"
            )
        return self._sweep(lambda state: state.words.entropy, lambda p: -log(p))

    def entropy_rate(self, unit="bits"):
        """Entropy per token: a sentence's entropy over its expected length, in "bits" or "nats"."""
        nats = self.entropy() / self.expected_length()
        return {"nats": nats, "bits": nats / log(2)}[unit]

    def perplexity(self):
        """exp(entropy rate in nats): no model can do better on an endless text of this process."""
        return exp(self.entropy_rate("nats"))

    def _sweep(self, gain, toll):
        """Expected sum over a sentence of `gain(state)` at each state and `toll(p)` at each branch."""
        value = []

        def branches(then):
            return sum(p * (toll(p) + value[s]) for p, s in then)

        for state in self.states:
            value.append(gain(state) + branches(state.then))
        return branches(self.start)

    def expected_counts(self):
        """Expected number of times each word occurs in one sentence: {word: count}."""
        visits = [0.0] * len(self.states)
        for p, s in self.start:
            visits[s] += p
        counts = dict.fromkeys(self.words(), 0.0)
        for s in range(len(self.states) - 1, -1, -1):
            for word, p in self.states[s].words.probability.items():
                counts[word] += visits[s] * p
            for p, after in self.states[s].then:
                visits[after] += visits[s] * p
        return counts

    def is_ambiguous(self):
        """Whether some sentence has two different paths.

        Two copies of the process read the same words side by side. The grammar is ambiguous exactly if
        they can part and meet again in one state, and they must meet: state 0 ends every sentence.
        """
        if self._ambiguous is None:
            self._ambiguous = self._find_ambiguity()
        return self._ambiguous

    def _find_ambiguity(self):
        shared = {}

        def can_agree(a, b):
            one, other = self.states[a].words, self.states[b].words
            if (one, other) not in shared:
                shared[one, other] = not one.probability.keys().isdisjoint(other.probability)
            return shared[one, other]

        partings = dict.fromkeys([self.start, *(state.then for state in self.states)])
        pairs = dict.fromkeys(
            pair
            for then in partings
            for pair in combinations(sorted(s for _, s in then), 2)
            if can_agree(*pair)
        )
        waiting = list(pairs)
        while waiting:
            a, b = waiting.pop()
            for _, next_a in self.states[a].then:
                for _, next_b in self.states[b].then:
                    if next_a == next_b:
                        return True
                    pair = (min(next_a, next_b), max(next_a, next_b))
                    if pair not in pairs and can_agree(*pair):
                        pairs[pair] = None
                        waiting.append(pair)
        return False


def _words(sentence):
    return sentence.split() if isinstance(sentence, str) else list(sentence)
