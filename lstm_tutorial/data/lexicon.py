"""The words of the Banyan treebank: about 2,000, from short lists that can be read and changed.

Each list is in order of frequency: the first word is the commonest. Rare words are made as English
makes them, by compounds ("hill-tree") and prefixes ("half-green"). No word stands in two classes, so
that a sentence can be read in one way only.
"""

from functools import cache
from math import fsum

from .process import WordClass

NUMBERS = ("singular", "plural")
TOPICS = ("garden", "harbour", "kitchen", "town")  # in order of frequency
GENERAL = "general"  # verbs and adjectives that go with every topic
RARE = 0.1  # how often a noun, verb or adjective is one of the made-up rare words
TELLING = 0.3  # how often a determiner shows the number of its noun

# Irregular plurals are written out after a colon.
NOUNS = {
    "garden": "tree leaf:leaves branch root flower gardener bush garden hedge blossom vine seed bud lawn "
    "orchard petal thorn fern weed pond",
    "harbour": "boat sailor wave ship captain gull harbour island anchor whale rope net lighthouse oar mast "
    "deck rudder tide reef shell",
    "kitchen": "plate baker spoon cake kettle oven bowl knife:knives loaf:loaves cup guest pan table chair "
    "recipe soup pie waiter candle apron",
    "town": "house singer street bell child:children musician bridge square market tower drummer window "
    "violin song choir lamp door fiddle tune wall",
}
# A noun used before another noun: "the leaves of the banyan tree".
MODIFIERS = {
    "garden": "oak rose banyan apple fig cherry elm willow",
    "harbour": "fishing cargo storm coral pearl pirate mail ferry",
    "kitchen": "bread copper silver honey pepper almond butter kitchen",
    "town": "city church village opera stone marble brass school",
}
# First halves of compounds; second halves are the commonest nouns of the topic.
COMPOUNDS = {
    "garden": "hill river meadow forest summer winter wall pot valley moss",
    "harbour": "sea bay north south east west island river summer night",
    "kitchen": "tea milk plum corn rye barley supper winter summer sugar",
    "town": "park court corner mill hill river castle palace station market",
}
COMPOUNDED_NOUNS = 11

INTRANSITIVE = {
    "garden": "grow bloom wither sprout ripen rot spread thrive droop rustle sway fade",
    "harbour": "drift sink float swim dive vanish rock glide heave toss capsize linger",
    "kitchen": "simmer boil burn melt crumble bubble steam sizzle rise harden thicken smell",
    "town": "sing dance sleep echo wander shine tremble whisper glow laugh gather creak",
    GENERAL: "remain appear change disappear wait fall move stop turn improve survive matter",
}
TRANSITIVE = {
    "garden": "shade feed shelter prune plant protect trim entangle overgrow fertilise pick mulch",
    "harbour": "carry steer follow tow guard rescue load board chase catch unload pull",
    "kitchen": "serve fill heat stir slice taste bake cover grind scrape fry sweeten",
    "town": "visit admire hear watch praise repair build greet annoy applaud paint lead",
    GENERAL: "need love see hide remember find touch keep spoil surround recall resemble",
}
VERB_PREFIX = "half-"

ADJECTIVES = {
    "garden": "green wild leafy tall shady fragrant dry fresh ripe thorny mossy lush sunlit withered "
    "blooming earthy barren fruitful rooted tangled grassy rainy fertile flowery",
    "harbour": "blue salty wet windy stormy calm grey distant rusty tidal sandy misty coastal silvery foamy "
    "seaworthy watertight adrift sunken hollow foggy choppy briny anchored",
    "kitchen": "warm sweet hot tasty clean golden sour spicy crisp bitter creamy burnt tender sticky salted "
    "buttery toasted juicy mouldy stale greasy smoky sugary stuffed",
    "town": "busy quiet noisy famous narrow proud loud ancient crowded grand humble lively merry dusty "
    "cheerful tuneful wealthy modern polite festive solemn shabby paved gloomy",
    GENERAL: "old small big new good strange beautiful young long short strong bright dark heavy lovely poor "
    "plain rare dear round soft white ordinary precious",
}
ADJECTIVE_PREFIXES = ("half-", "ever-")

# Most determiners say nothing about number; that is what makes agreement at a distance a matter of memory.
DETERMINERS = "the my our their his her your no"
TELLING_DETERMINERS = {"singular": "every this each one another", "plural": "these many several few both all"}
PREPOSITIONS = "of near in behind beside under above by beyond from with around"
RELATIVES = "that which"
COPULAS = {"singular": "is was seems looks stays", "plural": "are were seem look stay"}
MODALS = "will can may must should"
DEGREES = "very quite so rather too"
ADVERBS = (
    "often always quietly slowly never suddenly again gently soon rarely here everywhere badly nearby "
    "together well alone gladly early late calmly softly freely boldly kindly neatly oddly safely sadly "
    "barely hardly nearly partly mostly daily twice once outside inside forever"
)


def plural_of(noun):
    """The plural, or the third person singular of a verb: leaf-s, bush-es, carr-ies."""
    if noun.endswith(("s", "x", "z", "ch", "sh", "o")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def noun_pairs(topic):
    """(singular, plural) of each noun of a topic: the common ones and the rare ones, in two lists."""
    words = [word.partition(":") for word in NOUNS[topic].split()]
    common = [(singular, irregular or plural_of(singular)) for singular, _, irregular in words]
    firsts = COMPOUNDS[topic].split()
    return common, [
        (f"{first}-{singular}", f"{first}-{plural}")
        for singular, plural in common[:COMPOUNDED_NOUNS]
        for first in firsts
    ]


def verb_pairs(verbs, topic):
    """("grows", "grow") for each verb of INTRANSITIVE or TRANSITIVE: the common and the rare ones."""
    common = [(plural_of(verb), verb) for verb in verbs[topic].split()]
    return common, [(VERB_PREFIX + singular, VERB_PREFIX + plural) for singular, plural in common]


def zipf(words, kind, number="", rare=()):
    """A word class in which the word of rank r has a share proportional to 1 / r (Zipf's law).

    If there are rare words, they have a share RARE of the whole, and Zipf's law among themselves.
    """
    # fsum and not sum, whose last bit depends on the version of Python: the text must not.
    total = fsum(1 / rank for rank in range(1, len(words) + 1))
    shares = {word: 1 / rank / total for rank, word in enumerate(words, 1)}
    if rare:
        shares = mixture(1 - RARE, shares, zipf(rare, kind).probability)
    return WordClass(shares, kind, number)


def mixture(p, one, other):
    """Two {word: share} with no common word, in one: with probability p a word of the first."""
    return {word: p * share for word, share in one.items()} | {
        word: (1 - p) * share for word, share in other.items()
    }


def _agreeing(pairs, kind, number):
    """The forms of one number of (common pairs, rare pairs), as a word class."""
    common, rare = ([pair[NUMBERS.index(number)] for pair in group] for group in pairs)
    return zipf(common, kind, number, rare)


@cache
def nouns(topic, number):
    return _agreeing(noun_pairs(topic), "noun", number)


@cache
def modifiers(topic):
    return zipf(MODIFIERS[topic].split(), "modifier")


@cache
def intransitive_verbs(topic, number):
    return _agreeing(verb_pairs(INTRANSITIVE, topic), "verb", number)


@cache
def transitive_verbs(topic, number):
    return _agreeing(verb_pairs(TRANSITIVE, topic), "verb", number)


@cache
def copulas(number):
    return zipf(COPULAS[number].split(), "verb", number)


@cache
def adjectives(topic):
    common = ADJECTIVES[topic].split()
    return zipf(common, "adjective", rare=[prefix + word for prefix in ADJECTIVE_PREFIXES for word in common])


@cache
def determiners(number):
    silent = zipf(DETERMINERS.split(), "determiner").probability
    telling = zipf(TELLING_DETERMINERS[number].split(), "determiner").probability
    return WordClass(mixture(1 - TELLING, silent, telling), "determiner")


@cache
def function_words(name):
    """A small class without number: "PREPOSITIONS", "RELATIVES", "MODALS", "DEGREES" or "ADVERBS"."""
    return zipf(globals()[name].split(), name.lower())


@cache
def number_pairs():
    """{word: the same word in the other number}, for every verb form that agrees with its subject."""
    pairs = list(zip(COPULAS["singular"].split(), COPULAS["plural"].split(), strict=True))
    for topic in (*TOPICS, GENERAL):
        for verbs in (INTRANSITIVE, TRANSITIVE):
            common, rare = verb_pairs(verbs, topic)
            pairs += common + rare
    return dict(pairs) | {plural: singular for singular, plural in pairs}
