"""The study of subject and verb: its plan, one tiny run, its command, its verdicts on invented ledgers."""

import copy
import math

import numpy as np
import pytest

from lstm_tutorial import claims, declared, ledger
from lstm_tutorial import numpy_language_model as lm
from lstm_tutorial.__main__ import main
from lstm_tutorial.data import banyan, load_banyan
from lstm_tutorial.studies import agreement as study
from lstm_tutorial.studies import ptb_ablation
from lstm_tutorial.studies.rates import best_rate


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Runs of a second, in a ledger of their own."""
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(ledger, "results_folder", lambda: tmp_path / "results")
    monkeypatch.setitem(study.SIZES, "smoke", study.SIZES["smoke"] | {"epochs": 2, "agreement_items": 10})
    monkeypatch.setitem(study.UNITS, "smoke", {"lstm": 3, "srnn": 4})
    monkeypatch.setattr(study, "GRID", (4e-3, 16e-3))
    return load_banyan("smoke")


# --------------------------------------------------------------------------------------- the plan


@pytest.mark.parametrize("mode", study.SIZES)
def test_both_rows_are_tuned_alike(mode):
    lstm, srnn = (study.tuning_runs(row, mode) for row in study.ROWS)
    assert list(lstm) == list(srnn) == list(study.GRID)
    for rate in study.GRID:
        assert lstm[rate].seed == srnn[rate].seed == study.TUNING_SEED not in study.SEEDS
        differ = {k for k, v in lstm[rate].settings.items() if srnn[rate].settings[k] != v}
        assert differ <= {"hidden_size", "embedding_size"}


@pytest.mark.parametrize("mode", ["laptop", "paper"])
def test_both_rows_have_about_as_many_parameters(mode):
    V, rng = len(banyan.vocabulary()), np.random.default_rng(0)
    lstm, srnn = (
        sum(p.size for p in lm.init_params(row, V, study.UNITS[mode][row], rng).values())
        for row in study.ROWS
    )
    assert srnn == pytest.approx(lstm, rel=0.01)


def test_the_best_rate_and_the_edge():
    assert best_rate({1: 40.0, 2: 39.0, 4: 41.0}) == (2, False)
    assert best_rate({1: 38.0, 2: 39.0, 4: 41.0}) == (1, True)
    assert best_rate({1: math.inf, 2: 39.0}) == (2, True)
    assert best_rate({1: math.inf, 2: math.inf}) == (1, True)


# ---------------------------------------------------------------------------------------- one run


def test_a_run_is_recorded_once_and_repeats_to_the_bit(tiny, monkeypatch):
    said = []
    run = study.run_of("lstm", 3, "smoke", 16e-3)
    record = study.perform(run, tiny, said.append)
    assert ledger.find(study.STUDY, record["run_id"]) == record
    published = ledger.project_folder() / "data" / "results" / f"{ptb_ablation.STUDY}.jsonl"
    assert set(record) == set(ledger._record(published.read_text().splitlines()[0], published))
    assert record["status"] == "finished" and record["run_id"] == run.id_on(tiny)
    assert set(record["metrics"]) >= {"valid_perplexity", "test_perplexity", "agreement_0", "agreement_5"}
    assert {len(curve) for curve in record["epochs"].values()} == {2}
    assert record["epochs"]["valid_perplexity"][-1] == record["metrics"]["valid_perplexity"]
    assert any("epoch 2/2" in line for line in said)

    again = study.train(run, tiny, say=said.append)
    assert (again.metrics, again.epochs) == (record["metrics"], record["epochs"])

    monkeypatch.setattr(study, "train", lambda *_: pytest.fail("it was done again"))
    assert study.perform(run, tiny, said.append)["metrics"] == record["metrics"]


def test_the_metrics_are_those_of_the_model(tiny):
    """Once more, by the same steps outside the study."""
    run = study.run_of("srnn", 0, "smoke", 16e-3)
    outcome = study.train(run, tiny, say=lambda line: None)
    params = lm.init_params("srnn", len(tiny.vocabulary), 4, np.random.default_rng(0), forget_bias=1.0)
    for _ in lm.train("srnn", params, tiny.train, epochs=2, rate=16e-3, max_norm=1.0):
        pass
    assert outcome.parameters == sum(p.size for p in params.values())
    assert outcome.metrics["test_perplexity"] == lm.perplexity("srnn", params, tiny.test, tiny.eos)
    items = banyan.agreement_set(2, 10)
    assert outcome.metrics["agreement_2"] == round(lm.agreement_accuracy("srnn", params, items, tiny.eos), 4)


def test_a_run_that_is_not_finite_has_diverged(tiny, monkeypatch):
    broken = lm.init_params

    def start(*given, **named):
        params = broken(*given, **named)
        params["b_s"][0] = np.inf
        return params

    monkeypatch.setattr(lm, "init_params", start)
    with np.errstate(all="ignore"):
        outcome = study.train(study.run_of("lstm", 0, "smoke", 4e-3), tiny, say=lambda line: None)
    assert (outcome.status, outcome.metrics) == ("diverged", {})


@pytest.mark.parametrize(
    "losses, valid, expected",
    [
        ([6.0, 5.0], [300.0, 200.0], "finished"),
        ([8.0, 5.0], [300.0, 200.0], "diverged"),  # log 2007 = 7.6
        ([6.0, 6.0], [300.0, 310.0], "diverged"),  # above the floor, and not falling
        ([6.0, 6.0], [300.0, 290.0], "finished"),  # slow is neither
        ([6.0], [math.inf], "diverged"),
    ],
)
def test_how_a_run_ended(losses, valid, expected):
    curves = {"train_loss": losses, "valid_perplexity": valid}
    assert study._status(curves, 2007, 204.0) == expected


def test_the_command(tiny, capsys, monkeypatch):
    assert main(["agreement", "--mode", "smoke", "--seeds", "0"]) == 0
    said = capsys.readouterr().out
    assert "lstm: rate 0.016, at the edge of what was tried." in said
    assert said.count("finished") == 1 and said.count("1 of 1") == 2 and "past 5" in said
    assert len(ledger.read(study.STUDY)) == 6

    monkeypatch.setattr(study, "train", lambda *_: pytest.fail("it was done again"))
    assert main(["agreement", "--mode", "smoke", "--seeds", "0", "--variants", "no_gates"]) == 0


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--variants", "gru"], "lstm, srnn, and not 'gru'"),
        (["--variants", "LSTM"], "and not 'LSTM'"),
    ],
)
def test_the_command_refuses(arguments, words, capsys):
    assert main(["agreement", "--mode", "smoke", *arguments]) == 2
    assert words in capsys.readouterr().err


# --------------------------------------------------------------------------- verdicts, invented


def record(run, perplexity, agreement=None, status="finished"):
    metrics = {"valid_perplexity": perplexity, "test_perplexity": perplexity}
    metrics |= {f"agreement_{k}": a for k, a in enumerate(agreement or [0.5] * len(study.ATTRACTORS))}
    return {
        "study": study.STUDY,
        "variant": run.variant,
        "seed": run.seed,
        "mode": run.mode,
        "settings": run.settings,
        "data_sha256": banyan.SHA256[run.mode],
        "metrics": metrics if status == "finished" else {},
        "parameters": 1,
        "status": status,
    }


LEVELS = {
    "laptop": {
        "lstm": (39.0, [0.95, 0.9, 0.9, 0.8, 0.8, 0.7]),
        "srnn": (42.0, [0.9, 0.4, 0.3, 0.3, 0.2, 0.1]),
    },
    "paper": {"lstm": (34.0, [0.99] * 6), "srnn": (35.0, [0.98] * 6)},
}


def book(levels=LEVELS, seeds=study.SEEDS):
    """A ledger whose tuning runs choose the second rate, with a little noise over the seeds."""
    rng, records = np.random.default_rng(0), []
    for mode, rows in levels.items():
        for row, (perplexity, agreement) in rows.items():
            for k, run in enumerate(study.tuning_runs(row, mode).values()):
                records.append(record(run, 50.0 + (k != 1)))
            for seed in seeds:
                run = study.run_of(row, seed, mode, study.GRID[1])
                noisy = [a + 0.01 * rng.normal() for a in agreement]
                records.append(record(run, perplexity * math.exp(0.003 * rng.normal()), noisy))
    return records


def verdicts(records):
    return {v.claim.id: v.verdict for v in claims.verdicts(records, study=study.STUDY)}


def verdict(id, records):
    return verdicts(records)[id]


def changed(mode, row, perplexity=None, agreement=None):
    levels = copy.deepcopy(LEVELS)
    before = levels[mode][row]
    levels[mode][row] = (perplexity or before[0], agreement or before[1])
    return book(levels)


def test_what_the_claims_say_holds_where_it_is_so():
    assert set(verdicts(book()).values()) == {"holds"}
    assert set(verdicts([]).values()) == {"not run"}


@pytest.mark.parametrize(
    "id, mode, row, change",
    [
        ("agreement.1", "laptop", "lstm", dict(agreement=[0.95, 0.4, 0.3, 0.3, 0.2, 0.1])),
        ("agreement.2", "laptop", "srnn", dict(agreement=[0.9, 0.9, 0.9, 0.8, 0.8, 0.6])),
        ("agreement.3", "laptop", "srnn", dict(agreement=[0.6, 0.4, 0.3, 0.3, 0.2, 0.1])),
        ("agreement.4", "laptop", "srnn", dict(perplexity=39.0)),
        ("agreement.5", "paper", "srnn", dict(agreement=[0.98, 0.9, 0.9, 0.8, 0.8, 0.3])),
    ],
)
def test_and_does_not_hold_where_it_is_not(id, mode, row, change):
    found = verdicts(changed(mode, row, **change))
    assert found.pop(id) == "does not hold"
    assert "does not hold" not in found.values() or id in ("agreement.1", "agreement.2")


def test_what_lies_at_the_bound_cannot_be_told():
    assert (
        verdict("agreement.2", changed("laptop", "srnn", agreement=[0.9, 0.4, 0.3, 0.3, 0.2, 0.5]))
        == "cannot tell"
    )


def test_two_seeds_and_failed_runs_decide_nothing():
    assert set(verdicts(book(seeds=(0, 1))).values()) == {"cannot tell"}
    records = book()
    failed = next(r for r in records if (r["variant"], r["mode"], r["seed"]) == ("srnn", "paper", 1))
    failed["status"], failed["metrics"] = "diverged", {}
    assert verdict("agreement.5", records) == "cannot tell" and verdict("agreement.1", records) == "holds"


def test_a_number_of_one_row_wants_the_other_row_too():
    """Below chance is about the simple RNN alone, and was declared of pairs of seeds."""
    alone = [r for r in book() if r["variant"] == "srnn" or r["seed"] == study.TUNING_SEED]
    assert verdict("agreement.2", alone) == "not run"


def test_only_runs_at_the_chosen_rate_on_the_same_text_are_reported():
    records = book()
    strangers = [record(study.run_of("srnn", 9, "laptop", study.GRID[0]), 1.0)]
    strangers += [
        record(study.run_of("srnn", 9, "laptop", study.GRID[1]), 1.0) | {"data_sha256": {"other": "0"}}
    ]
    assert study.reported(records + strangers, "laptop") == study.reported(records, "laptop")
    assert [r["seed"] for r in study.reported(records, "laptop")["srnn"]] == list(study.SEEDS)
    untuned = [r for r in records if r["seed"] != study.TUNING_SEED]
    assert study.reported(untuned, "laptop") == {"lstm": [], "srnn": []}


def test_a_table_of_nothing_says_so():
    table = study.results_table([], "laptop")
    assert [row[0] for row in table.rows] == list(study.ROWS) and "0 of 0" in str(table)


def test_claims_are_about_metrics_that_a_run_has():
    there = set(book()[0]["metrics"])
    ours = [c for c in declared.claims() if c.study == study.STUDY]
    assert len(ours) == 5 and {c.metric for c in ours} <= there
    most = f"agreement_{study.ATTRACTORS[-1]}"
    bounds = {c.id: (c.metric, c.bound) for c in ours}
    assert bounds == {
        "agreement.1": (most, 0.1),
        "agreement.2": (most, 0.5),
        "agreement.3": ("agreement_0", 0.1),
        "agreement.4": ("test_perplexity", 0.98),
        "agreement.5": (most, 0.1),
    }


# -------------------------------------------------------------------------- the committed ledger


def test_what_is_committed_is_whole():
    records = ledger.read(study.STUDY, committed_only=True)
    for r in records:
        key = (r["study"], r["variant"], r["seed"], r["data"], r["data_sha256"], r["mode"], r["settings"])
        assert r["run_id"] == ledger.run_id(*key)
    for mode in ("laptop", "paper"):
        assert {len(runs) for runs in study.reported(records, mode).values()} == {len(study.SEEDS)}
        for row in study.ROWS:
            assert not study.chosen_rate(records, row, mode)[1]
