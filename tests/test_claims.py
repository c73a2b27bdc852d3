"""Verdicts: the statistics against scipy's own words, the rules on invented ledgers whose answer is known."""

import copy

import numpy as np
import pytest
from scipy import stats

from lstm_tutorial import claims
from lstm_tutorial.studies import ptb_ablation as study

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
    return {v.id: v for v in claims.verdicts(records)}[id]


def test_every_claim_has_a_verdict_from_the_committed_ledger():
    found = claims.verdicts()
    assert len({v.id for v in found}) == len(found) >= 5
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
    assert len(table.rows) == sum(v.chapter == "10_ptb_ablations" for v in claims.verdicts([]))
    assert "000.1" in str(table) and "<td" in table._repr_html_()
