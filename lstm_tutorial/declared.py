"""What was declared before the first run: ``data/claims.toml``, read and checked.

A study has a table ``[study.NAME]``, a claim an entry ``[[claim]]``; :class:`Study` and :class:`Claim` say
which keys they have. A claim is stated in one of :data:`RULES`; :mod:`lstm_tutorial.claims` decides by it.
"""

import tomllib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache

from . import ledger
from .errors import UserError


@dataclass(frozen=True)
class Rule:
    """What a claim says of its rows. ``needs`` names the keys of a claim that the rule cannot do without.

    kind : the evidence. ``number``: one number a seed, beside a bound. ``counts``: how many seeds of each of
        two rows solved their task. ``alive``: a published figure beside the run that ought to give it.
    of : which number. ``value``: the metric of one row. ``difference``: row − than. ``ratio``: row / than,
        tested in logs. ``log ratio``: the same, and told in logs too.
    side : where the claim expects the number, ``above`` the bound or ``below``.
    bound : the bound, from the smallest difference that matters; None where the claim itself gives it.
    """

    kind: str
    needs: tuple[str, ...]
    of: str = ""
    side: str = ""
    bound: Callable[[float], float] | None = None


RULES = {
    "as_good": Rule("number", ("than",), "ratio", "below", lambda smallest: 1 + smallest),
    "worse": Rule("number", ("than",), "ratio", "above", lambda smallest: 1 + smallest),
    "lower": Rule("number", ("than",), "log ratio", "below", lambda smallest: 1 - smallest),
    "leads": Rule("number", ("than",), "difference", "above", lambda smallest: smallest),
    "hardly_leads": Rule("number", ("than",), "difference", "below", lambda smallest: smallest),
    "above": Rule("number", ("bound",), "value", "above"),
    "below": Rule("number", ("bound",), "value", "below"),
    "solves_more": Rule("counts", ("than",), bound=lambda smallest: smallest),
    "alive": Rule("alive", ("figure", "within")),
}


@dataclass(frozen=True)
class Study:
    """The plan of a study: its test, seeds and smallest differences. ``test`` to ``rates`` are for readers.

    seeds : those that decide; other seeds may be run, and decide nothing. measure : the metric of claims that
    name none. smallest_difference : {metric: number}; in the file also one number, which is that of
    ``measure``. solved : a run has solved its task where ``measure`` reaches this. on : arguments for the
    study's function ``rows_of``, see :mod:`lstm_tutorial.studies.catalogue`, for all its claims.
    """

    name: str
    measure: str
    smallest_difference: dict
    seeds: tuple[int, ...]
    tuning_seed: int
    test: str
    correction: str
    cannot_tell: str
    rates: str = ""
    solved: float | None = None
    on: dict = field(default_factory=dict)

    @property
    def margin(self):
        """The ratio from which on two rows differ in ``measure``: 1.02 where two per cent matter."""
        return 1 + self.smallest_difference[self.measure]


@dataclass(frozen=True)
class Claim:
    """One claim. ``row``, and where two are compared ``than``: rows of the study. ``where``: in which paper.

    metric, bound : what the rule compares with what; where the file leaves them out, those of the study.
    With a rule about one row, ``than`` says that only seeds run with both rows count. figure, within : what
    was published, and how close a run has to come. on : as in :class:`Study`, for this claim.
    """

    id: str
    study: str
    chapter: str
    says: str
    rule: str
    row: str
    where: str = ""
    than: str | None = None
    metric: str | None = None
    bound: float | None = None
    figure: float | None = None
    within: float | None = None
    on: dict = field(default_factory=dict)

    @property
    def how(self):
        """The :class:`Rule` it is stated in."""
        return RULES[self.rule]


class Book:
    """All that is declared, from the text of a file; ``name`` is what errors call it."""

    def __init__(self, text, name="data/claims.toml"):
        self.name = name
        try:
            self._tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{name} is not TOML: {error}.") from None
        self.significance = self._common("significance")
        self.fewest_seeds = self._common("fewest_seeds")

    def _common(self, key):
        if key not in self._tables:
            raise UserError(f"{self.name} has no {key!r} before its first table: write one.")
        return self._tables[key]

    def study(self, name):
        """The :class:`Study` of that name."""
        studies = self._tables.get("study", {})
        if name not in studies:
            raise UserError(f"{self.name} has no [study.{name}]{_instead(name, studies)}.")
        table = {"name": name} | studies[name]
        if isinstance(table.get("seeds"), list):
            table["seeds"] = tuple(table["seeds"])
        if not isinstance(smallest := table.get("smallest_difference", {}), dict):
            table["smallest_difference"] = {table.get("measure"): smallest}
        return _made(Study, table, f"[study.{name}] of {self.name}")

    def claims(self):
        """Every :class:`Claim`, in the order of the file, metric and bound filled in."""
        found = [self._claim(entry, k) for k, entry in enumerate(self._tables.get("claim", ()), 1)]
        ids = [claim.id for claim in found]
        for id in ids:
            if ids.count(id) > 1:
                raise UserError(f"{self.name} has two claims {id}: give one of them another id.")
        return found

    def _claim(self, entry, number):
        where = f"claim {entry.get('id', f'number {number}')} of {self.name}"
        claim = _made(Claim, entry, where)
        if claim.rule not in RULES:
            raise UserError(f"{where} has a rule {claim.rule!r}{_instead(claim.rule, RULES)}.")
        rule, study = claim.how, self.study(claim.study)
        for key in rule.needs:
            if getattr(claim, key) is None:
                raise UserError(f"{where} has no {key!r}, and the rule {claim.rule!r} needs one.")
        if rule.kind == "counts" and study.solved is None:
            raise UserError(f"{where} counts runs that solved, and [study.{study.name}] has no 'solved'.")
        metric, bound = claim.metric or study.measure, claim.bound
        if rule.bound:
            if bound is not None:
                raise UserError(f"{where} has a 'bound', which {claim.rule!r} takes from its study.")
            if metric not in study.smallest_difference:
                known = _instead(metric, study.smallest_difference)
                raise UserError(f"{where} needs a smallest_difference of {metric!r}{known}.")
            bound = rule.bound(study.smallest_difference[metric])
        return replace(claim, metric=metric, bound=bound, on=study.on | claim.on)


def _made(kind, given, where):
    """A dataclass from a table, or one sentence about the key that is missing or that it does not know."""
    known = [f.name for f in fields(kind)]
    for key in given:
        if key not in known:
            raise UserError(f"{where} has a key {key!r}{_instead(key, known)}.")
    for f in fields(kind):
        if f.name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise UserError(f"{where} has no {f.name!r}: write one.")
    return kind(**given)


def _instead(word, known):
    """The end of a sentence that says that a word is not known: which ones are."""
    close = get_close_matches(word, known, n=1)
    return f": perhaps {close[0]!r} is meant" if close else f"; there are {', '.join(known)}"


@cache
def book():
    """What the project declares."""
    path = ledger.project_folder() / "data" / "claims.toml"
    try:
        return Book(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no {path}: go to the folder of the course, which has it.") from None


@cache
def study(name):
    """The :class:`Study` that the project declares under that name."""
    return book().study(name)


def claims(chapter=None):
    """Every :class:`Claim` that the project declares, or those of one chapter."""
    return [claim for claim in book().claims() if chapter in (None, claim.chapter)]
