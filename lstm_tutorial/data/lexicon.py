"""The words of the Banyan treebank: about 2,000, from short lists that can be read and changed.

Each list is in order of frequency: the first word is the commonest. The tail of each class is made as
English makes it, by compounds ("hill-tree") and prefixes ("half-green"). No word stands in two
classes, so that a sentence can be read in one way only.
"""

from functools import cache
from math import fsum

from .process import WordClass

NUMBERS = ("singular", "plural")
TOPICS = ("garden", "harbour", "kitchen", "town")  # in order of frequency
GENERAL = "general"  # verbs and adjectives that go with every topic

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
VERB_PREFIXES = ("", "half-")

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
ADJECTIVE_PREFIXES = ("", "half-", "ever-")

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
    """(singular, plural) of each noun of a topic, commonest first."""
    words = [word.partition(":") for word in NOUNS[topic].split()]
    simple = [(singular, irregular or plural_of(singular)) for singular, _, irregular in words]
    firsts = COMPOUNDS[topic].split()
    return simple + [
        (f"{first}-{singular}", f"{first}-{plural}")
        for singular, plural in simple[:COMPOUNDED_NOUNS]
        for first in firsts
    ]


def verb_pairs(verbs, topic):
    """(singular, plural) of each verb of INTRANSITIVE or TRANSITIVE: ("grows", "grow"), commonest first."""
    return [
        (plural_of(prefix + verb), prefix + verb) for prefix in VERB_PREFIXES for verb in verbs[topic].split()
    ]


def zipf(words, kind, number=""):
    """A word class in which the word of rank r has a share proportional to 1 / r (Zipf's law)."""
    # fsum and not sum, whose last bit depends on the version of Python: the text must not.
    total = fsum(1 / rank for rank in range(1, len(words) + 1))
    return WordClass({word: 1 / rank / total for rank, word in enumerate(words, 1)}, kind, number)


@cache
def nouns(topic, number):
    return zipf([pair[NUMBERS.index(number)] for pair in noun_pairs(topic)], "noun", number)


@cache
def modifiers(topic):
    return zipf(MODIFIERS[topic].split(), "modifier")


@cache
def intransitive_verbs(topic, number):
    return zipf([pair[NUMBERS.index(number)] for pair in verb_pairs(INTRANSITIVE, topic)], "verb", number)


@cache
def transitive_verbs(topic, number):
    return zipf([pair[NUMBERS.index(number)] for pair in verb_pairs(TRANSITIVE, topic)], "verb", number)


@cache
def copulas(number):
    return zipf(COPULAS[number].split(), "verb", number)


@cache
def adjectives(topic):
    return zipf(
        [prefix + word for prefix in ADJECTIVE_PREFIXES for word in ADJECTIVES[topic].split()], "adjective"
    )


@cache
def determiners(number, telling=0.2):
    """Determiners of a noun phrase; a share `telling` of them shows its number."""
    silent = zipf(DETERMINERS.split(), "determiner").probability
    shows = zipf(TELLING_DETERMINERS[number].split(), "determiner").probability
    return WordClass(
        {word: (1 - telling) * p for word, p in silent.items()}
        | {word: telling * p for word, p in shows.items()},
        "determiner",
    )


@cache
def function_words(name):
    """A small class without number: "PREPOSITIONS", "RELATIVES", "MODALS", "DEGREES" or "ADVERBS"."""
    return zipf(globals()[name].split(), name.lower())


@cache
def number_pairs():
    """{word: the same word in the other number}, for every verb form that agrees with its subject."""
    pairs = list(zip(COPULAS["singular"].split(), COPULAS["plural"].split(), strict=True))
    for topic in (*TOPICS, GENERAL):
        pairs += verb_pairs(INTRANSITIVE, topic) + verb_pairs(TRANSITIVE, topic)
    return dict(pairs) | {plural: singular for singular, plural in pairs}
