"""Verdicts: the statistics against scipy's own words, the rules on invented ledgers whose answer is known."""

import copy
import math
import subprocess
import sys
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from lstm_tutorial import claims, declared
from lstm_tutorial.errors import UserError
from lstm_tutorial.studies import ptb_ablation as study
from lstm_tutorial.studies.catalogue import STUDIES

SEEDS = range(5)
BASE = {"lstm": 127.0, "no_srnn": 126.0, "no_srnn_hidden": 127.5, "no_srnn_out": 127.2, "srnn": 185.0}


def record(run, test, status="finished"):
    metrics = {} if test is None else {"valid_perplexity": test * 1.03, "test_perplexity": test}
    return {
        "study": run.study,
        "variant": run.variant,
        "seed": run.seed,
        "mode": run.mode,
        "settings": run.settings,
        "data": "ptb",
        "metrics": metrics,
        "parameters": 1,
        "status": status,
        "run_id": f"{run.variant}{run.seed}{run.settings['learning_rate']}{run.settings['max_max_epoch']}",
    }


def ledger(base=BASE, seeds=SEEDS, noise=0.002):
    """Tuning rows that choose the middle of each grid, and final rows at that rate."""
    rng = np.random.default_rng(0)
    records = []
    for row, level in base.items():
        for k, rate in enumerate(study.grid(row, "small")):
            records.append(record(study.tuning_run(row, rate, "paper", "small"), 200.0 + 100 * (k != 1)))
        best = study.grid(row, "small")[1]
        for seed in seeds:
            run = study.run_of(row, seed, "paper", "small", rate=best, selected_on=study.BY_VALID)
            records.append(record(run, level * np.exp(noise * rng.normal())))
    return records


def verdict(id, records):
    return {v.claim.id: v for v in claims.verdicts(records)}[id]


def test_every_claim_has_a_verdict_from_the_committed_ledger():
    found = claims.verdicts()
    assert len({v.claim.id for v in found}) == len(found) >= 18
    assert {v.verdict for v in found} <= {"holds", "does not hold", "cannot tell", "not run"}


def test_nothing_run_is_said():
    assert {v.verdict for v in claims.verdicts([])} == {"not run"}


def test_as_good_and_worse():
    records = ledger()
    for id in ("000.1", "000.2", "000.3", "000.4"):
        assert verdict(id, records).verdict == "holds", id
    assert verdict("000.1", ledger(BASE | {"no_srnn": 135.0})).verdict == "does not hold"
    assert verdict("000.4", ledger(BASE | {"srnn": 127.0})).verdict == "does not hold"


def test_what_lies_at_the_margin_cannot_be_told():
    assert verdict("000.1", ledger(BASE | {"no_srnn": 127.0 * 1.02}, noise=0.01)).verdict == "cannot tell"


def test_two_seeds_are_too_few():
    v = verdict("000.1", ledger(seeds=range(2)))
    assert v.verdict == "cannot tell" and "2 paired seeds" in v.because


def test_only_paired_seeds_count():
    records = [r for r in ledger() if not (r["variant"] == "no_srnn" and r["seed"] in (0, 1, 2))]
    assert "2 paired seeds" in verdict("000.1", records).because


def test_diverged_runs_are_counted_not_dropped():
    records = copy.deepcopy(ledger())
    broken = next(r for r in records if r["variant"] == "no_srnn" and r["seed"] == 1)
    broken["status"], broken["metrics"] = "diverged", {}
    v = verdict("000.1", records)
    assert v.verdict == "cannot tell" and "diverged" in v.because


def test_other_rates_and_other_models_are_left_out():
    records = ledger()
    at_other_rate = study.run_of("no_srnn", 0, "paper", "small", rate=4.0)
    biased = study.published_run("no_srnn", 0, "paper", "small")
    others = [record(at_other_rate, 999.0), record(biased, 999.0)]
    assert verdict("000.1", records + others) == verdict("000.1", records)


@pytest.mark.parametrize(
    ("status", "figure", "expected"),
    [
        ("dead", 655.70, "does not hold"),
        ("dead", 640.0, "cannot tell"),
        ("finished", 655.70, "holds"),
        ("finished", 183.0, "cannot tell"),
    ],
)
def test_the_published_figure(status, figure, expected):
    run = study.published_run("no_gates_as_published", 0, "paper", "small")
    assert verdict("000.5", [record(run, figure, status)]).verdict == expected


def test_paired_interval_and_p():
    rng = np.random.default_rng(1)
    base = 127 * np.exp(0.01 * rng.normal(size=5))
    row = base * 1.05 * np.exp(0.01 * rng.normal(size=5))
    found = claims.compare(row, base, 1.02)
    expected = stats.ttest_rel(np.log(row), np.log(base)).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((np.exp(expected.low), np.exp(expected.high)))
    shifted = stats.ttest_rel(np.log(row), np.log(base * 1.02))
    assert found.p == pytest.approx(shifted.pvalue)


def test_holm_on_a_case_worked_by_hand():
    # 4 × 0.005, 3 × 0.01, 2 × 0.03, then 0.04 raised to what stands before it
    assert claims.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert claims.holm([]) == []
    assert claims.holm([0.9, 0.8]) == [1.0, 1.0]


def test_the_table_shows_one_chapter():
    table = claims.claims_table("10_ptb_ablations", [])
    assert len(table.rows) == sum(v.claim.chapter == "10_ptb_ablations" for v in claims.verdicts([]))
    assert "000.1" in str(table) and "<td" in table._repr_html_()
    assert table.title.startswith("What is claimed")
    ours = claims.claims_table(records=[], study="agreement")
    assert [row[0] for row in ours.rows] == [f"agreement.{k}" for k in range(1, 6)]
    assert ours.title == "What was claimed before the first run"


# --- the rules, on a study of one's own ----------------------------------------------------------------

BOOK = """
significance = 0.05
fewest_seeds = 3

[study.mine]
measure = "right"
smallest_difference = { right = 0.1, loss = 0.1 }
solved = 0.9
seeds = [0, 1, 2, 3, 4]
tuning_seed = 100
test = "in words"
correction = "in words"
cannot_tell = "in words"
on = { size = "laptop" }
"""
CLAIM = """
[[claim]]
id = "mine.1"
study = "mine"
chapter = "99"
says = "in our words"
"""


def declare(monkeypatch, *claims_of, text=BOOK):
    """A study "mine" with rows a and b of one's own, and these claims."""
    text += "".join(CLAIM.replace("mine.1", f"mine.{k}") + rule for k, rule in zip(count(1), claims_of))
    book = declared.Book(text, "mine.toml")
    monkeypatch.setattr(declared, "study", book.study)
    monkeypatch.setattr(declared, "claims", lambda chapter=None: book.claims())

    def rows_of(records, *, size, task=None):
        found = [r for r in records if r["size"] == size and r["task"] == task]
        return {name: [r for r in found if r["row"] == name] for name in "ab"}

    monkeypatch.setitem(STUDIES, "mine", SimpleNamespace(rows_of=rows_of))


def runs(size="laptop", metric="right", task=None, status="finished", **values):
    """Records of rows a and b, one figure a seed."""
    base = {"study": "mine", "size": size, "task": task, "status": status}
    return [
        base | {"row": row, "seed": seed, "metrics": {metric: v}}
        for row, of_row in values.items()
        for seed, v in enumerate(of_row)
    ]


def decide(records):
    (v,) = claims.verdicts(records)
    return v


A = [0.80, 0.82, 0.81, 0.79, 0.80]
RULES_AND_LEVELS = [
    # the rule, b for A in row a where it holds, and where it does not; noise of a hundredth around each
    ("leads", 0.6, 0.75),
    ("hardly_leads", 0.75, 0.6),
    ("as_good", 0.8, 0.7),
    ("worse", 0.7, 0.8),
    ("lower", 0.95, 0.85),
]


@pytest.mark.parametrize(("rule", "holds", "does_not"), RULES_AND_LEVELS)
def test_a_number_a_seed_beside_a_bound(monkeypatch, rule, holds, does_not):
    declare(monkeypatch, f'rule = "{rule}"\nrow = "a"\nthan = "b"')
    noise = 0.01 * np.random.default_rng(2).normal(size=5)
    assert decide(runs(a=A, b=holds + noise)).verdict == "holds"
    assert decide(runs(a=A, b=does_not + noise)).verdict == "does not hold"


@pytest.mark.parametrize(
    ("rule", "at_the_bound"),
    [
        ("leads", lambda a: a - 0.1),
        ("hardly_leads", lambda a: a - 0.1),
        ("as_good", lambda a: a / 1.1),
        ("worse", lambda a: a / 1.1),
        ("lower", lambda a: a / 0.9),
    ],
)
def test_nothing_is_told_at_the_bound_and_little_beyond_it(monkeypatch, rule, at_the_bound):
    """The mean of the numbers is on the bound but for chance: one test in twenty still sees something."""
    declare(monkeypatch, f'rule = "{rule}"\nrow = "a"\nthan = "b"')
    rng, found = np.random.default_rng(3), []
    for _ in range(200):
        a = 0.8 + 0.01 * rng.normal(size=5)
        b = at_the_bound(a * np.exp(0.02 * rng.normal(size=5)))
        found.append(decide(runs(a=a, b=b)).verdict)
    assert 0.90 < found.count("cannot tell") / len(found) < 0.99


def test_where_only_the_correction_undoes_a_verdict_both_p_are_told(monkeypatch):
    lead, untold = 'rule = "leads"\nrow = "a"\nthan = "b"', 'rule = "above"\nrow = "a"\nbound = 0.804'
    declare(monkeypatch, lead, *[untold] * 9)
    noise = np.array([-0.05, -0.02, 0.0, 0.03, 0.05])
    first, *_ = claims.verdicts(runs(a=A, b=np.array(A) - 0.16 + noise))
    p = stats.ttest_1samp(0.16 - noise, 0.1).pvalue
    assert 0.005 < p < 0.05 and first.verdict == "cannot tell"
    assert f"; p {p:.2g}, and {10 * p:.2g} corrected" in first.because


@pytest.mark.parametrize("rule", ["above", "below"])
def test_one_row_beside_a_bound_of_the_claim(monkeypatch, rule):
    declare(monkeypatch, f'rule = "{rule}"\nrow = "a"\nbound = 0.5')
    high, low = decide(runs(a=A)), decide(runs(a=[1 - a for a in A]))
    assert {high.verdict, low.verdict} == {"holds", "does not hold"}
    assert (high if rule == "above" else low).verdict == "holds"
    assert high.because == "mean 0.804, bound 0.500, 5 seeds"
    assert decide(runs(a=A[:1])).because == "1 seed, fewer than 3; value 0.800"


def test_what_is_told_of_two_rows(monkeypatch):
    b = [0.6, 0.61, 0.62, 0.6, 0.59]
    for rule, words in {
        "leads": f"mean {np.mean(A) - np.mean(b):.3f}, bound 0.100, 5 paired seeds",
        "lower": f"mean {np.mean(np.log(A) - np.log(b)):.3f}, bound {math.log(0.9):.3f}, 5 paired seeds",
    }.items():
        declare(monkeypatch, f'rule = "{rule}"\nrow = "a"\nthan = "b"')
        assert decide(runs(a=A, b=b)).because == words
    declare(monkeypatch, 'rule = "as_good"\nrow = "a"\nthan = "b"')
    interval = stats.ttest_rel(np.log(A), np.log(b)).confidence_interval(0.95)
    assert decide(runs(a=A, b=b)).because == (
        f"ratio {np.exp(np.mean(np.log(A) - np.log(b))):.3f}, 95 % interval {np.exp(interval.low):.3f} to "
        f"{np.exp(interval.high):.3f}, 5 paired seeds"
    )
    assert decide(runs(a=A, b=b[:2])).because == "2 paired seeds, fewer than 3; ratio 1.333, 1.344"


@pytest.mark.parametrize("of", ["value", "difference", "ratio", "log ratio"])
def test_p_of_a_number_is_that_of_students_t(of):
    """By hand: t = (mean − bound) / (s / √n), two tails of n − 1 degrees of freedom."""
    b = np.array([0.7, 0.75, 0.72, 0.71, 0.69])
    a, bound = np.array(A), {"value": 0.79, "difference": 0.07, "ratio": 1.1, "log ratio": 1.1}[of]
    numbers = {"value": a, "difference": a - b}.get(of, np.log(a / b))
    t = (numbers.mean() - (math.log(bound) if "ratio" in of else bound)) / (
        numbers.std(ddof=1) / math.sqrt(5)
    )
    assert claims.compare(a, b, bound, of).p == pytest.approx(2 * stats.t.sf(abs(t), 4), rel=1e-9)


@pytest.mark.filterwarnings("error")
def test_numbers_without_spread_are_no_puzzle(monkeypatch):
    declare(monkeypatch, 'rule = "above"\nrow = "a"\nbound = 0.5')
    assert decide(runs(a=[1.0] * 5)).verdict == "holds"
    assert decide(runs(a=[0.5] * 5)).verdict == "cannot tell"


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_a_figure_that_is_not_finite_decides_nothing(monkeypatch, value):
    declare(monkeypatch, 'rule = "leads"\nrow = "a"\nthan = "b"')
    v = decide(runs(a=A, b=[0.6, 0.6, value, 0.6, 0.61]))
    assert (v.verdict, v.because) == ("cannot tell", "right is not finite in 1 of the runs")


def test_a_run_that_did_not_finish_decides_nothing_though_its_seed_has_no_pair(monkeypatch):
    declare(monkeypatch, 'rule = "leads"\nrow = "a"\nthan = "b"')
    records = runs(a=A, b=[0.6, 0.6, 0.61, 0.6])
    assert decide(records).verdict == "holds"
    records[4] |= {"status": "dead", "metrics": {}}
    records[3] |= {"status": "diverged", "metrics": {}}
    assert decide(records).because == "2 of the runs ended dead/diverged"


def test_seeds_that_were_not_declared_decide_nothing(monkeypatch):
    declare(monkeypatch, 'rule = "leads"\nrow = "a"\nthan = "b"')
    many = runs(a=[0.8] * 5 + [0.1] * 20, b=[0.6, 0.61, 0.6, 0.6, 0.59] + [0.6] * 20)
    assert decide(many) == decide([r for r in many if r["seed"] < 5])
    assert decide(many).verdict == "holds"


def test_a_claim_is_about_its_own_runs(monkeypatch):
    declare(monkeypatch, 'rule = "above"\nrow = "a"\nbound = 0.5\non = { task = "hard" }')
    hard, easy = runs(a=[0.2, 0.21, 0.22], task="hard"), runs(a=A)
    assert decide(hard + easy).verdict == "does not hold"
    assert decide(easy).verdict == "not run"
    assert decide(hard + runs(a=A, task="hard", size="paper")).verdict == "does not hold"
    assert decide([r | {"study": "other"} for r in hard]).verdict == "not run"


# --- counts --------------------------------------------------------------------------------------------


def solved(k, n, j, m):
    return runs(a=[0.9] * k + [0.89] * (n - k), b=[0.95] * j + [0.0] * (m - j))


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((5, 5, 0, 5), "holds"),
        ((0, 5, 5, 5), "does not hold"),
        ((5, 5, 3, 5), "cannot tell"),
        ((3, 3, 0, 3), "cannot tell"),  # p = 0.1
        ((2, 2, 0, 5), "cannot tell"),
    ],
)
def test_counts_of_two_rows(monkeypatch, counts, verdict):
    declare(
        monkeypatch,
        'rule = "solves_more"\nrow = "a"\nthan = "b"',
        text=BOOK.replace("right = 0.1", "right = 0.5"),
    )
    v = decide(solved(*counts))
    k, n, j, m = counts
    assert v.verdict == verdict
    assert v.because == f"{k} of {n} against {j} of {m} solved" + ": too few seeds" * (n < 3)
    for r in (records := solved(*counts)):
        if r["metrics"]["right"] < 0.9:
            r |= {"status": "diverged", "metrics": {}}
    assert decide(records) == v


def test_a_difference_that_is_found_and_too_small_does_not_hold_by_the_test_alone(monkeypatch):
    """5 of 5 against 0 of 5 is found; with all runs asked for and one missing, it is not so large."""
    text = BOOK.replace("right = 0.1", "right = 0.9").replace(
        "seeds = [0, 1, 2, 3, 4]", f"seeds = {list(range(20))}"
    )
    declare(monkeypatch, 'rule = "solves_more"\nrow = "a"\nthan = "b"', text=text)
    assert decide(solved(20, 20, 0, 20)).verdict == "holds"
    assert decide(solved(17, 20, 0, 20)).verdict == "cannot tell"
    assert decide(solved(10, 20, 0, 20)).verdict == "does not hold"


@pytest.mark.parametrize("counts", [(5, 5, 0, 5), (9, 10, 2, 10), (10, 10, 8, 10), (4, 10, 9, 10)])
def test_p_of_counts_is_fishers(counts):
    """By hand: the probability of all tables with the same margins that are no likelier than this one."""
    k, n, j, m = counts
    ways = [math.comb(n, x) * math.comb(m, k + j - x) for x in range(k + j + 1)]
    expected = sum(w for w in ways if w <= ways[k]) / math.comb(n + m, k + j)
    assert claims.Counts(k, n, j, m).p == pytest.approx(expected, rel=1e-6)


def test_interval_of_a_difference():
    """Newcombe 1998, table II, example (a): 56 of 70 and 48 of 80, by method 10."""
    low, high = claims.difference_interval(56, 70, 48, 80)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


# --- one correction ------------------------------------------------------------------------------------


def test_the_correction_is_over_the_tests_of_a_study_run_or_not(monkeypatch):
    """p is between 0.05 / 4 and 0.05 / 3: enough for one of three tests, too little for one of four."""
    shift = np.array([0.0, 0.01, -0.01, 0.02, -0.02])
    a = [0.5 + 0.0305 + s for s in shift]
    p = claims.compare(a, a, 0.5, "value").p
    assert 0.05 / 4 < p < 0.05 / 3
    tested = 'rule = "above"\nrow = "a"\nbound = 0.5'
    not_run = 'rule = "above"\nrow = "b"\nbound = 0.5'
    alive = 'rule = "alive"\nrow = "b"\nfigure = 1.0\nwithin = 0.1'
    for others, expected in {2: "holds", 3: "cannot tell"}.items():
        declare(monkeypatch, tested, *[not_run] * others, alive)
        found = claims.verdicts(runs(a=a))
        assert [v.verdict for v in found] == [expected] + ["not run"] * (others + 1)


# --- the published figure ------------------------------------------------------------------------------


def test_a_published_cell_that_diverged_decides_nothing():
    run = study.published_run("no_gates_as_published", 0, "paper", "small")
    assert verdict("000.5", [record(run, None, "diverged")]).verdict == "cannot tell"


# --- what is written in the file -----------------------------------------------------------------------


def wrong(old, new, rule='rule = "leads"\nrow = "a"\nthan = "b"'):
    """What is said of a file in which something is written otherwise."""
    text = BOOK + CLAIM + rule
    assert old in text
    with pytest.raises(UserError) as error:
        declared.Book(text.replace(old, new, 1), "mine.toml").claims()
    said = str(error.value)
    assert "mine.toml" in said and "\n" not in said and len(said) < 250
    return said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('says = "in our words"\n', "", "claim mine.1 of mine.toml has no 'says'"),
        ("says =", "say =", "has a key 'say': perhaps 'says' is meant"),
        ('id = "mine.1"\n', "", "claim number 1 of mine.toml has no 'id'"),
        ('"leads"', '"leeds"', "a rule 'leeds': perhaps 'leads' is meant"),
        ('"leads"', '"best"', "a rule 'best'; there are as_good, worse"),
        ('than = "b"', "", "has no 'than', and the rule 'leads' needs one"),
        ('than = "b"', 'then = "b"', "has a key 'then': perhaps 'than' is meant"),
        ('than = "b"', 'than = "b"\nbound = 0.2', "has a 'bound', which 'leads' takes from its study"),
        ('than = "b"', 'than = "b"\nmetric = "los"', "smallest_difference of 'los': perhaps 'loss' is meant"),
        ('study = "mine"', 'study = "mime"', "has no [study.mime]: perhaps 'mine' is meant"),
        ("seeds = [0, 1, 2, 3, 4]\n", "", "[study.mine] of mine.toml has no 'seeds'"),
        ("\nseeds =", "\nseedz =", "[study.mine] of mine.toml has a key 'seedz': perhaps 'seeds' is meant"),
        ('correction = "in words"\n', "", "[study.mine] of mine.toml has no 'correction'"),
        ("significance = 0.05\n", "", "has no 'significance' before its first table"),
        ("[study.mine]", "[study.mine", "is not TOML"),
    ],
)
def test_a_slip_in_the_file_is_one_clear_sentence(old, new, said):
    assert said in wrong(old, new)


def test_so_are_those_of_the_other_rules():
    below = 'rule = "below"\nrow = "a"\nbound = 0.5'
    assert "has no 'bound', and the rule 'below' needs one" in wrong("bound = 0.5", "", below)
    counts = 'rule = "solves_more"\nrow = "a"\nthan = "b"'
    assert "[study.mine] has no 'solved'" in wrong("solved = 0.9\n", "", counts)
    alive = 'rule = "alive"\nrow = "a"\nfigure = 1.0\nwithin = 0.1'
    assert "has no 'within'" in wrong("within = 0.1", "", alive)
    assert "two claims mine.1" in wrong("bound = 0.5", "bound = 0.5\n" + CLAIM + below, below)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ('rule = "leads"\nrow = "a"\nthan = "c"', "there is no row 'c', but a, b"),
        ('rule = "above"\nrow = "a"\nbound = 0.5\nmetric = "rihgt"', "no metric 'rihgt'; they have right"),
        (
            'rule = "above"\nrow = "a"\nbound = 0.5\non = { taks = "hard" }',
            "unexpected keyword argument 'taks'",
        ),
        ('rule = "solves_more"\nrow = "a"\nthan = "b"\nmetric = "loss"', "no metric 'loss'; they have right"),
    ],
)
def test_and_what_only_the_runs_can_tell(monkeypatch, rule, said):
    declare(monkeypatch, rule)
    with pytest.raises(UserError, match=said) as error:
        claims.verdicts(runs(a=A, b=A))
    assert "claim mine.1" in str(error.value)


def test_a_study_that_nobody_registered_is_said(monkeypatch):
    declare(monkeypatch, 'rule = "above"\nrow = "a"\nbound = 0.5')
    monkeypatch.delitem(STUDIES, "mine")
    with pytest.raises(UserError, match="enter the study 'mine' in studies/catalogue.py"):
        claims.verdicts([])


def test_the_studies_agree_with_what_is_declared():
    for name, one in STUDIES.items():
        assert one.TUNING_SEED == declared.study(name).tuning_seed not in declared.study(name).seeds
    assert set(STUDIES) >= {c.study for c in declared.claims()}
    assert [c.bound for c in declared.claims("10_ptb_ablations")] == [1.02, 1.02, 1.02, 1.02, None]


def test_chapters_of_part_one_read_their_claims_without_torch():
    script = (
        "import sys; from lstm_tutorial import claims; claims.verdicts(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=declared.ledger.project_folder())
