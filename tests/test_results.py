"""Rows against a baseline, paired by seed: statistics against scipy's, words on cases worked out by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from lstm_tutorial import claims, declared, ledger, results
from lstm_tutorial.results import Paired, compared, paired, paired_table
from lstm_tutorial.studies import history
from lstm_tutorial.studies import ptb_ablation as study
from lstm_tutorial.studies.catalogue import STUDIES

RNG = np.random.default_rng(0)
BASE = 127 * np.exp(0.01 * RNG.normal(size=5))
ROW = 130 * np.exp(0.01 * RNG.normal(size=5))


def runs(perplexities, seeds=None, status="finished"):
    seeds = range(len(perplexities)) if seeds is None else seeds
    return [
        {"seed": seed, "status": status, "metrics": {"test_perplexity": p}}
        for seed, p in zip(seeds, perplexities, strict=True)
    ]


def drawn(mean, half_width, pairs=3):
    """Pairs whose mean ratio and 95 % interval are these: mean · exp(± half_width)."""
    z = np.arange(pairs) - (pairs - 1) / 2
    spread = half_width * math.sqrt(pairs) / stats.t.ppf(0.975, pairs - 1)
    return Paired(dict(enumerate(mean * np.exp(z / z.std(ddof=1) * spread))))


@pytest.mark.parametrize("pairs", [2, 3, 5])
def test_interval_and_mean_are_those_of_scipys_paired_t_test(pairs):
    one = paired(runs(ROW[:pairs]), runs(BASE[:pairs]))
    logs = np.log(ROW[:pairs]), np.log(BASE[:pairs])
    due = stats.ttest_rel(*logs)
    assert len(one) == pairs and one.failed == 0
    assert one.interval == pytest.approx(np.exp(due.confidence_interval(0.95)))
    assert one.mean == pytest.approx(stats.gmean(ROW[:pairs] / BASE[:pairs]))
    assert one.effect_size == pytest.approx(due.statistic / math.sqrt(pairs))
    back = paired(runs(BASE[:pairs]), runs(ROW[:pairs]))  # who is the baseline changes nothing but the sign
    assert back.interval == pytest.approx(tuple(1 / v for v in reversed(one.interval)))


def test_only_seeds_that_both_have_and_that_finished_are_paired():
    row = runs([130.0, 131.0, 132.0], seeds=(0, 1, 3)) + runs([900.0], seeds=(2,), status="diverged")
    one = paired(row, runs([120.0, 121.0, 122.0, 123.0]))
    assert one.ratios == {0: 130 / 120, 1: 131 / 121, 3: 132 / 123}
    assert one.failed == 1


def test_two_rates_are_not_compared_as_if_they_were_seeds():
    with pytest.raises(ValueError, match="twice"):
        paired(runs([130.0, 140.0], seeds=(0, 0)), runs([120.0]))


def test_fewer_than_two_pairs_have_no_statistics():
    for one in (Paired({}), Paired({0: 1.1})):
        assert one.interval is one.spread is one.effect_size is one.pairs_needed(1.02) is None
    assert Paired({}).mean is None and Paired({4: 1.1}).mean == pytest.approx(1.1)


@pytest.mark.parametrize(
    "mean, half_width, words",
    [
        (1.0, 0.01, "level, within 2 %"),
        (1.1, 0.01, "worse by more than 2 %"),
        (0.9, 0.01, "better by more than 2 %"),
        (1.01, 0.02, "level or worse"),
        (0.99, 0.02, "level or better"),
        (1.03, 0.02, "level or worse"),
        (1.0, 0.05, "cannot tell: the interval covers the whole band"),
        (1.1, 0.5, "cannot tell: the interval covers the whole band"),
    ],
)
def test_what_an_interval_says_about_the_band(mean, half_width, words):
    assert drawn(mean, half_width).in_words(1.02).startswith(words)


def test_two_pairs_decide_nothing_however_far_apart():
    assert drawn(2.0, 0.001, pairs=2).in_words(1.02) == "cannot tell: fewer than 3 pairs"
    assert drawn(2.0, 0.001, pairs=3).in_words(1.02) == "worse by more than 2 %"
    assert Paired({0: 2.0}).in_words(1.02) == "cannot tell: fewer than 3 pairs"
    assert Paired({}).in_words(1.02) == "not run"
    one = Paired({0: 1.1, 1: 1.1, 2: 1.1}, failed=1)  # not even where the others are clear
    assert (
        one.in_words(1.02)
        == Paired({}, failed=1).in_words(1.02)
        == "cannot tell: 1 of the runs ended diverged or dead"
    )


def test_the_rule_is_that_of_the_claims():
    assert results.FEWEST_PAIRS == claims.FEWEST_SEEDS
    assert declared.study(study.STUDY).margin == 1.02


def decides(mean, spread, pairs):
    """Whether an interval of that many pairs leaves both edges of the band of 2 % alone."""
    half = stats.t.interval(0.95, pairs - 1, scale=spread / math.sqrt(pairs))[1]
    low, high, edge = math.log(mean) - half, math.log(mean) + half, math.log(1.02)
    return -edge <= low and high <= edge or low >= edge or high <= -edge


def test_pairs_needed_is_the_first_number_whose_interval_leaves_the_edges_of_the_band():
    for mean in (0.93, 0.99, 1.0, 1.015, 1.05):
        for spread in (0.002, 0.01, 0.03):
            z = np.array([-1.0, 0.0, 1.0])
            one = Paired(dict(enumerate(mean * np.exp(spread * z))))
            assert one.spread == pytest.approx(spread)
            needed = one.pairs_needed(1.02)
            assert decides(mean, spread, needed)
            assert needed == 3 or not decides(mean, spread, needed - 1)
    assert Paired({0: 1.02, 1: 1.0199, 2: 1.0201}).pairs_needed(1.02) == math.inf


def test_with_so_many_pairs_about_half_of_all_studies_would_decide():
    """What the docstring says of the estimate, by drawing studies whose truth is what was found."""
    one = drawn(1.005, 0.03)
    n = one.pairs_needed(1.02)
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        ratios = 1.005 * np.exp(one.spread * rng.normal(size=n))
        inside += Paired(dict(enumerate(ratios))).in_words(1.02).startswith("level, within")
    assert 0.3 < inside / 400 < 0.7


def test_a_table_of_any_number_of_pairs():
    rows = {
        f"row {n}": drawn(1.1, 0.01, n) if n > 1 else Paired(dict.fromkeys(range(n), 1.1))
        for n in (0, 1, 2, 3, 5)
    }
    table = paired_table(rows, 1.02)
    cells = {row[0]: row for row in table.rows}
    assert [cells[f"row {n}"][1] for n in (0, 1, 2, 3, 5)] == ["0", "1", "2", "3", "5"]
    assert cells["row 0"][2:] == ("–", "–", "–", "–", "not run")
    assert cells["row 1"][2:6] == ("1.100", "–", "–", "–")
    assert cells["row 5"][2:4] == ("1.100", f"{1.1 * math.exp(-0.01):.3f} to {1.1 * math.exp(0.01):.3f}")
    assert "worse by more than 2 %" in cells["row 3"]
    assert str(table)


def test_the_committed_runs_can_be_compared_whatever_has_been_run():
    records = ledger.read(study.STUDY, committed_only=True)
    found = study.reported(records, data="ptb", mode="paper", config="small", rates="tuned")
    rows = compared(found)
    assert list(rows) == [row for row in study.ROWS if row != "lstm"]
    for row, one in rows.items():
        both = {r["seed"] for r in found[row]} & {r["seed"] for r in found["lstm"]}
        assert set(one.ratios) | (both if one.failed else set()) == both
    assert len(paired_table(rows, declared.study(study.STUDY).margin).rows) == 4


def tuning(row, rate, valid, epochs=1, status="finished"):
    run = study.tuning_run(row, rate, "paper", "small", epochs)
    return {
        "data": "ptb",
        "mode": "paper",
        "variant": row,
        "seed": run.seed,
        "settings": run.settings,
        "status": status,
        "metrics": {} if valid is None else {"valid_perplexity": valid},
    }


def test_the_tuning_table_shows_both_rounds_and_what_is_taken():
    where = dict(data="ptb", mode="paper", config="small")

    def line(records, row="srnn"):
        return next(cells[1:] for cells in study.tuning_table(records, **where).rows if cells[0] == row)

    assert line([]) == ("0.03: not run · 0.1: not run · 0.3: not run", "–", "not run")
    first = [
        tuning("srnn", 0.03, 480.0),
        tuning("srnn", 0.1, 300.0),
        tuning("srnn", 0.3, 290.0),
        tuning("srnn", 0.9, None, status="diverged"),
    ]
    tried = "0.03: 480.0 · 0.1: 300.0 · 0.3: 290.0 · 0.9: failed"
    assert line(first) == (tried, "0.1: not run · 0.3: not run", "not run")
    second = [tuning("srnn", 0.1, 190.0, 4), tuning("srnn", 0.3, 250.0, 4)]
    assert line([*first, *second]) == (tried, "0.1: 190.0 · 0.3: 250.0", "0.1")
    clear = [tuning("lstm", rate, valid) for rate, valid in ((0.25, 258.7), (1.0, 177.6), (4.0, 7292.0))]
    assert line(clear, "lstm") == ("0.25: 258.7 · 1: 177.6 · 4: 7292.0", "–", "1")
    elsewhere = [r | {"data": "banyan"} for r in clear]
    assert line(elsewhere, "lstm")[2] == "not run"


def test_the_papers_figures_stand_beside_runs_of_their_length_alone():
    where = dict(data="ptb", mode="paper", config="small")
    assert "seed 000" in study.results_table([], **where).columns
    assert "seed 000" in study.results_table([], **where, epochs=4).columns
    large = study.results_table([], **where | {"config": "large"})  # seed 000's figures are not of it
    shown = [dict(zip(large.columns, row)) for row in large.rows]
    assert {row["seed 000"] for row in shown} == {"–"} and shown[0]["Levy large"] == "78.8"
    assert "seed 000" not in study.results_table([], **where, epochs=13).columns
    assert "seed 000" not in study.results_table([], **where, equal_parameters=True).columns


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_every_table_of_a_study_is_made_once(study):
    tables = list(study.tables(ledger.read(study.STUDY, committed_only=True)))
    titles = [(table.title, table.notes) for table in tables]
    assert tables and len(titles) == len(set(titles))


def test_the_history_has_a_table_a_task_in_the_order_of_the_tasks():
    records = ledger.read(history.STUDY, committed_only=True)
    titles = [table.title.split(",")[0] for table in history.tables(records)]
    assert titles == list(history.TASKS)
    assert not any("not run" in row for table in history.tables(records) for row in table.rows)
