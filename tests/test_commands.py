"""What all commands share: help, refusals in a sentence, and what happens when nobody reads on."""

import os
import subprocess
import sys

import pytest

from lstm_tutorial import ledger
from lstm_tutorial.__main__ import main
from lstm_tutorial.studies import agreement, exchange, history, lstm_vs_gru, ptb_ablation, record

COMMANDS = ("data", "ablate", "compare", "agreement", "exchange", "history", "results", "rerun", "bench")
THAT_TRAIN = {
    "ablate": ptb_ablation,
    "compare": lstm_vs_gru,
    "agreement": agreement,
    "exchange": exchange,
    "history": history,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: python -m lstm_tutorial {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", THAT_TRAIN)
def test_the_seed_that_chooses_rates_is_never_reported(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path))
    assert main([command, "--mode", "smoke", "--seeds", "0", str(THAT_TRAIN[command].TUNING_SEED)]) == 2
    said = capsys.readouterr()
    assert said.out == "" and "chooses rates and is never reported" in said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", THAT_TRAIN)
def test_seeds_are_whole_numbers_from_zero(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--mode", "smoke", "--seeds", "-1"])
    assert caught.value.code == 2 and "-1 is less than 0" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["ablate", "agreement", "exchange", "history"])
def test_a_cell_that_there_is_not(command, capsys):
    assert main([command, "--variants", "lstn"]) == 2
    sentence = capsys.readouterr().err
    assert "'lstn'" in sentence and "lstm" in sentence and sentence.count("\n") == 1


def test_output_that_nobody_reads_to_the_end_is_no_error():
    """As when it is piped into head: the reader of the pipe is gone before anything is written."""
    list_runs = (
        "import sys; from lstm_tutorial.__main__ import main; sys.stdin.read(); sys.exit(main(['rerun']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", list_runs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ledger.project_folder(),
    )
    process.stdout.close()
    process.stdin.close()
    assert (process.stderr.read(), process.wait()) == ("", 0)
    process.stderr.close()


def test_a_book_of_claims_that_is_broken_is_one_sentence():
    """A study reads it where it is imported: no traceback then either."""
    broken = (
        "import sys; from lstm_tutorial import declared, errors\n"
        "def book(): raise errors.UserError('data/claims.toml is not TOML.')\n"
        "declared.book = book\n"
        "from lstm_tutorial.__main__ import main; sys.exit(main(['results']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", broken], capture_output=True, text=True, cwd=ledger.project_folder()
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "data/claims.toml is not TOML.\n")


@pytest.mark.parametrize(
    "command, what_stays",
    [
        ("ablate", "last checkpoint"),
        ("compare", "last checkpoint"),
        ("agreement", "begins with the one that was under way"),
        ("exchange", "begins with the one that was under way"),
        ("history", "begins with the one that was under way"),
        ("results", None),
    ],
)
def test_after_control_c_only_what_is_true_is_promised(command, what_stays, monkeypatch, capsys):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ledger, "read", stop)
    assert main([command, "--mode", "smoke"] if what_stays else [command]) == 130
    said = capsys.readouterr().err.strip()
    assert what_stays in said if what_stays else said == "Stopped."


def test_claims_are_decided_on_all_texts_whichever_tables_are_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path))
    assert main(["ablate", "--mode", "smoke", "--corpus", "banyan", "--variants", "lstm"]) == 0
    capsys.readouterr()
    shown = {}
    for data in ("ptb", "banyan"):
        assert main(["results", "--data", data]) == 0
        shown[data] = capsys.readouterr().out.partition("What is claimed")
    assert shown["ptb"][0] != shown["banyan"][0] and "on banyan" in shown["banyan"][0]
    assert shown["ptb"][2] == shown["banyan"][2] != ""


def test_a_study_with_a_text_of_its_own_has_no_data_to_choose(capsys):
    assert main(["results", "agreement", "--data", "ptb"]) == 2
    assert "leave out --data" in capsys.readouterr().err


def test_an_engine_that_a_row_does_not_fit_is_refused_before_any_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path))
    rows = ["fair lstm", "gru, no leak"]
    assert main(["compare", "--mode", "smoke", "--engine", "native", "--rows", *rows]) == 2
    assert "gru_reset_before" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "openblas, openmp, threads", [("", "1,1", 1), ("3", "2", 3), ("", "", os.cpu_count()), ("x", "2", 2)]
)
def test_threads_of_numpy_are_what_openblas_is_told(openblas, openmp, threads, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", openblas)
    monkeypatch.setenv("OMP_NUM_THREADS", openmp)
    assert record.numpy_threads() == threads
