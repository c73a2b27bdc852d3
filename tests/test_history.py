"""The study of chapter 05: its rows, its runs, its verdicts on invented ledgers, its command."""

from dataclasses import fields

import numpy as np
import pytest
from matplotlib.colors import to_hex

from lstm_tutorial import claims, declared, ledger, variants
from lstm_tutorial.__main__ import main
from lstm_tutorial.colours import colour
from lstm_tutorial.plots import history as plots
from lstm_tutorial.studies import history as study
from lstm_tutorial.studies import ptb_ablation
from lstm_tutorial.tasks import reber

# What a record of the first study has, which was written by another runner.
KEYS = set(ledger.read(ptb_ablation.STUDY, committed_only=True)[0])


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A ledger of our own, empty."""
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("LSTM_TUTORIAL_MODE", "smoke")
    monkeypatch.setattr(ledger, "results_folder", lambda: tmp_path / "results")
    return tmp_path


# --- rows and tasks ------------------------------------------------------------------------------------


def test_every_task_has_rows_and_every_row_a_task():
    assert set(study.ON) == set(study.TASKS)
    assert {row for rows in study.ON.values() for row in rows} == set(study.ROWS)
    assert all(row.variant in variants for row in study.ROWS.values())


def test_rows_of_a_task_are_told_apart_by_what_the_ledger_keeps():
    for rows in study.ON.values():
        kept = {(study.ROWS[r].variant, study.ROWS[r].truncate, str(study.ROWS[r].changes)) for r in rows}
        assert len(kept) == len(rows)


@pytest.mark.parametrize(
    ("row", "other", "wires"),
    [
        ("2000", "2000 but f = 1", {"forget_gate"}),
        ("2002, full gradient", "2002 − peepholes", {"peepholes"}),
        ("2002, full gradient", "2000 + peepholes", {"h"}),
        ("2000, full gradient", "2002 − peepholes", {"h"}),
        ("2005", "2005, truncated", set()),
        ("2002", "2002, full gradient", set()),
    ],
)
def test_controls_differ_by_one_wire_or_by_the_gradient_alone(row, other, wires):
    ours, theirs = study.ROWS[row], study.ROWS[other]
    differ = {f.name for f in fields(ours.spec) if getattr(ours.spec, f.name) != getattr(theirs.spec, f.name)}
    assert differ - {"name"} == wires
    assert (ours.truncate != theirs.truncate) == (not wires)


def test_claims_compare_rows_of_one_task():
    ours = [claim for claim in declared.claims() if claim.study == study.STUDY]
    for claim in ours:
        assert {claim.row, claim.than} <= set(study.ON[claim.on["task"]])
        assert claim.bound == 0.5
    assert len({claim.id for claim in ours}) == len(ours) == 8


def test_examinations_are_the_same_every_time_and_differ_between_tasks():
    hashes = [study.examinations(task).sha256 for task in study.TASKS]
    assert hashes == [study.examinations(task).sha256 for task in study.TASKS]
    assert len({h["test"] for h in hashes}) == len(hashes)
    assert all(h["test"] != h["valid"] for task, h in zip(study.TASKS, hashes) if task != "timed-spikes")


# --- runs ----------------------------------------------------------------------------------------------


def test_a_run_enters_the_ledger_once_with_the_keys_of_every_record(place, monkeypatch):
    run = study.run_of("embedded-reber", "1997", 0, "smoke", 1e-2)
    record = study.perform(run, say=lambda line: None)
    assert record["status"] == "finished" and record["metrics"]["updates"] == 20
    assert record["engine"] == "numpy" and record["variant"] == "lstm1997" and record["data"] == run.task
    assert [r["run_id"] for r in ledger.read(study.STUDY)] == [record["run_id"]]
    assert set(record) == KEYS

    said = []
    monkeypatch.setattr(study, "train", lambda *_: pytest.fail("it is done again"))
    assert study.perform(run, say=said.append)["run_id"] == record["run_id"]
    assert "in the ledger" in said[0]


def test_training_repeats_itself():
    run = study.run_of("continual-reber", "2005", 3, "smoke", 1e-2)
    one, other = study.train(run), study.train(run)
    assert one.metrics == other.metrics and one.epochs == other.epochs
    another = study.run_of("continual-reber", "2005", 4, "smoke", 1e-2)
    assert study.train(another).metrics != one.metrics


def test_a_diverged_run_is_recorded_as_such(place):
    run = study.run_of("embedded-reber", "simple RNN", 0, "smoke", float("inf"))
    outcome = study.train(run)
    assert outcome.status == "diverged" and outcome.metrics == {}
    assert study.summary({"status": "diverged", "metrics": {}}) == "diverged"


# --- on invented ledgers -------------------------------------------------------------------------------


def record(run, solved, updates=500, status="finished"):
    right = 1.0 if solved else 0.3
    metrics = {
        "updates": updates,
        "test_right": right,
        "test_loss": 1 - right,
        "test_first_mistake": None if solved else 9.0,
    }
    return {
        "run_id": f"{run.task}{run.row}{run.seed}{run.settings['learning_rate']}{run.mode}",
        "study": study.STUDY,
        "variant": run.variant,
        "seed": run.seed,
        "data": run.task,
        "mode": run.mode,
        "settings": run.settings,
        "metrics": metrics if status == "finished" else {},
        "status": status,
    }


def invented(solved_of, seeds=10, status="finished"):
    """A ledger in which so many runs of each (task, row) solve it; the lower rate is the better."""
    records = []
    for (task, row), k in solved_of.items():
        low, high = study.GRID[study.TASKS[task]["task"]]
        records.append(record(study.run_of(task, row, study.TUNING_SEED, "laptop", low), True, 300))
        records.append(record(study.run_of(task, row, study.TUNING_SEED, "laptop", high), True, 400))
        for seed in range(seeds):
            failed = "finished" if seed < k else status
            run = study.run_of(task, row, seed, "laptop", low)
            records.append(record(run, seed < k, status=failed))
    return records


ALL = {(task, row): 10 for task, rows in study.ON.items() for row in rows}
BASE = ("continual-reber", "2000 but f = 1")


def verdicts(records):
    return {v.claim.id: v for v in claims.verdicts(records, study=study.STUDY)}


def verdict(id, records):
    return verdicts(records)[id]


def test_nothing_run_is_said():
    assert {v.verdict for v in verdicts([]).values()} == {"not run"}


@pytest.mark.parametrize(
    ("solved", "expected"),
    [(0, "holds"), (3, "holds"), (10, "does not hold"), (9, "does not hold"), (6, "cannot tell")],
)
def test_verdicts(solved, expected):
    v = verdict("history.4", invented(ALL | {BASE: solved}))
    assert v.verdict == expected
    assert v.because == f"10 of 10 against {solved} of 10 solved"


def test_a_difference_the_other_way_does_not_hold():
    assert verdict("history.4", invented(ALL | {("continual-reber", "2000"): 0})).verdict == "does not hold"


def test_two_seeds_are_too_few():
    v = verdict("history.4", invented(ALL | {BASE: 0}, seeds=2))
    assert v.verdict == "cannot tell" and "too few" in v.because


def test_diverged_runs_count_as_not_solved():
    records = invented(ALL | {BASE: 0}, status="diverged")
    assert verdict("history.4", records).because == "10 of 10 against 0 of 10 solved"
    assert "diverged" in str(study.results_table(records, "continual-reber"))


def test_reported_runs_are_those_of_the_row_and_its_rate_alone():
    records = invented(ALL)
    for runs in study.reported(records).values():
        assert [r["seed"] for r in runs] == list(range(10))
    for (task, row), runs in study.reported(records).items():
        assert {r["variant"] for r in runs} == {study.ROWS[row].variant}
        assert {r["settings"]["learning_rate"] for r in runs} == {study.GRID[study.TASKS[task]["task"]][0]}
        assert {r["settings"]["truncate"] for r in runs} == {study.ROWS[row].truncate}
    other_mode = record(study.run_of("continual-reber", "2000", 77, "smoke", 1e-2), True)
    other_rate = record(study.run_of("continual-reber", "2000", 77, "laptop", 3e-2), True)
    assert study.reported(records + [other_mode, other_rate]) == study.reported(records)


def test_a_rate_is_chosen_by_updates_then_by_loss():
    low, high = 1e-2, 3e-2

    def tried(*outcomes):
        runs = [study.run_of("embedded-reber", "1997", study.TUNING_SEED, "laptop", r) for r in (low, high)]
        return {r: record(run, *o) for r, run, o in zip((low, high), runs, outcomes)}

    assert study.choose_rate(tried((True, 900), (True, 300))) == high
    assert study.choose_rate(tried((False, 100), (True, 1400))) == high
    assert study.choose_rate(tried((True, 1400), (False, 100))) == low
    worse = tried((False,), (False,))
    worse[low]["metrics"]["test_loss"] = 2.0
    assert study.choose_rate(worse) == high
    diverged = tried((False,), (False,))
    diverged[low] = record(study.run_of("embedded-reber", "1997", 100, "laptop", low), False, 1, "diverged")
    assert study.choose_rate(diverged) == high
    assert study.chosen_rate([], "embedded-reber", "1997") is None


# --- the committed ledger ------------------------------------------------------------------------------


def _committed(name):
    return ledger.read(name, committed_only=True)


def test_the_committed_ledger_is_complete():
    from pathlib import Path

    folder = Path(ledger.__file__).resolve().parent.parent / "data" / "results"
    assert (folder / "history.jsonl").exists()
    for pair, runs in study.reported(_committed(study.STUDY)).items():
        assert [r["seed"] for r in runs] == list(study.SEEDS), pair
        assert {tuple(r["data_sha256"].items()) for r in runs} == {
            tuple(sorted(study.examinations(pair[0]).sha256.items()))
        }, f"{pair}: the task is no longer the one that was run"
    assert "not run" not in {v.verdict for v in verdicts(_committed(study.STUDY)).values()}


# --- the pictures --------------------------------------------------------------------------------------


def test_the_grammar_is_drawn_whole():
    picture = plots.grammar()
    assert picture.alt.count(" to node ") == sum(map(len, reber.ARROWS))
    drawn = [t.get_text() for t in picture.axes[0].texts]
    written = [s for arrows in reber.ARROWS for s, _ in arrows]
    assert sorted(t for t in drawn if t.isalpha()) == sorted(written)


def test_runs_that_failed_are_drawn_too():
    rows = {"a": [100, None, 300], "b": [], "c": [None, None], "d": [50]}
    picture = plots.until_solved(rows, 1000, "title")
    for said in ("a: 2 of 3 runs solved it, after 100 to 300", "b: not run", "c: 0 of 2", "after 50 updates"):
        assert said in picture.alt
    crosses = [line for line in picture.axes[0].lines if line.get_marker() == "x"]
    assert sum(len(line.get_xdata()) for line in crosses) == 3
    assert all(x > 1000 for line in crosses for x in line.get_xdata())


@pytest.mark.parametrize("peepholes", ("both", "only o", "none"))
@pytest.mark.parametrize("period", (2, 9, 16))
@pytest.mark.parametrize("sharpness", (0.5, 20.0))
def test_the_timer_is_drawn_wherever_the_sliders_stand(period, sharpness, peepholes):
    picture = plots.timer(period, sharpness, peepholes)
    assert len(picture.axes) == 3
    if sharpness == 20:
        on_time = f"at steps {period}, {2 * period}"
        assert (on_time in picture.alt) == (peepholes == "both")
        assert ("never" in picture.alt) == (peepholes == "none")


def test_cells_and_cosines_are_described():
    c = np.outer(np.arange(100), [1.0, -2.0])
    assert "198.0 in the last" in plots.memories({"grows": c, "is still": 0 * c}, [10, 20], "title").alt
    picture = plots.alignment({"W_i": 0.5, "b_s": 1.0}, "title")
    assert "W_i 0.50, b_s 1.00" in picture.alt
    assert to_hex(picture.axes[0].patches[0].get_facecolor()).upper() == colour("i")


# --- the command ---------------------------------------------------------------------------------------


def test_the_command_runs_a_task_and_does_nothing_twice(place, capsys):
    command = ["history", "--tasks", "timed-spikes", "--variants", "lstm2000", "--seeds", "0"]
    assert main(command) == 0
    first = capsys.readouterr().out
    assert "timed-spikes, at most 20 updates" in first and "2000 + peepholes" in first
    assert len(ledger.read(study.STUDY)) == 2 * 3  # two rows: two rates, one seed
    assert main(command) == 0
    assert capsys.readouterr().out.count("in the ledger") == 2 * 3
    assert main(["results", "history", "--collect"]) == 0
    assert "timed-spikes" in capsys.readouterr().out
    assert (place / "results" / "history.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--variants", "lstm1996"], "no cell is called 'lstm1996'"),
        (["--variants", "gru"], "not with gru"),
        (["--tasks", "embedded-reber", "--variants", "lstm2002"], "lstm1997, srnn"),
    ],
)
def test_what_cannot_be_run_is_refused(arguments, said, place, capsys):
    assert main(["history", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_an_empty_ledger_is_said(place, capsys):
    assert main(["results", "history"]) == 2
    assert "python -m lstm_tutorial history" in capsys.readouterr().err
