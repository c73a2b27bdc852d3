"""Runs of the ledger, done again from their records."""

from types import SimpleNamespace

import pytest

from lstm_tutorial import ledger
from lstm_tutorial.__main__ import main
from lstm_tutorial.commands.rerun import _beside
from lstm_tutorial.studies.catalogue import STUDIES

RUNS = {
    "ptb-ablation": ["ablate", "--corpus", "banyan", "--variants", "no_srnn", "--threads", "1"],
    "lstm-vs-gru": ["compare", "--corpus", "banyan", "--rows", "lstm, leak", "--threads", "1"],
    "agreement": ["agreement", "--variants", "srnn", "--seeds", "0"],
    "exchange": ["exchange", "--variants", "lstm", "--seeds", "0"],
    "history": ["history", "--tasks", "timed-spikes", "--seeds", "0"],
}


@pytest.mark.parametrize("study", STUDIES)
def test_a_run_repeats_to_the_bit_from_its_record(study, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path))
    assert main(RUNS[study]) == 0
    record = next(r for r in reversed(ledger.read(study)) if r["mode"] == "smoke")
    capsys.readouterr()
    assert main(["rerun", record["run_id"]]) == 0
    printed = capsys.readouterr().out
    for name, value in record["metrics"].items():
        (line,) = [line for line in printed.splitlines() if line.startswith(f"{name} ")]
        assert line.split()[1] == f"{value:.6g}" and line.endswith("the same")
    assert len(list(tmp_path.glob("*/*.json"))) == len(
        [r for r in ledger.read(study) if r["mode"] == "smoke"]
    )


def test_what_lands_elsewhere_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path))
    assert main(RUNS["ptb-ablation"]) == 0
    record = next(r for r in ledger.read("ptb-ablation") if r["mode"] == "smoke")
    for factor, code in ((1.029, 0), (1.031, 1)):
        changed = record | {"metrics": {k: v * factor for k, v in record["metrics"].items()}}
        ledger.write(changed)
        assert main(["rerun", record["run_id"]]) == code
    ledger.write(record | {"status": "diverged"})
    assert main(["rerun", record["run_id"]]) == 1
    ledger.write(record | {"data_sha256": {"x": "0"}})
    assert main(["rerun", record["run_id"]]) == 2
    assert "another banyan" in capsys.readouterr().err


def test_the_list_and_ids_that_are_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path))
    assert main(["rerun"]) == 0
    listed = capsys.readouterr().out
    assert all(r["run_id"] in listed for study in STUDIES for r in ledger.read(study))
    assert main(["rerun", "nothing"]) == 2
    assert "no run" in capsys.readouterr().err
    assert main(["rerun", ""]) == 2
    assert "runs have ids" in capsys.readouterr().err


@pytest.mark.parametrize(
    "before, now, difference", [(0.0, 0.5, "+0.5"), (None, 0.5, "+nan%"), (2.0, 1.0, "-50.00%")]
)
def test_a_figure_that_was_zero_or_not_finite_is_no_error(before, now, difference):
    run = {"run_id": "0", "status": "finished", "metrics": {"share": before, "gone": None}}
    table, off = _beside(run, SimpleNamespace(status="finished", metrics={"share": now}))
    (_, *share), (_, *gone) = table.rows[1:]
    assert share[-1] == difference and gone[-1] == "the same" and off == 0
