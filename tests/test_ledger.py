"""The ledger: names of runs, files that are whole or not there, and one record for each run."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lstm_tutorial import ledger
from lstm_tutorial.errors import UserError
from lstm_tutorial.studies import ptb_ablation

STUDY = "a-study"
ROOT = Path(ledger.__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """Runs and committed results in a folder of their own."""
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(ledger, "results_folder", lambda: tmp_path / "results")
    return tmp_path


def record(name, seed=0, **changes):
    return {
        "run_id": name,
        "study": STUDY,
        "variant": "lstm",
        "seed": seed,
        "data": "banyan",
        "data_sha256": {"train": "a"},
        "mode": "smoke",
        "settings": {"learning_rate": 0.1, "rate_selected_on": "⊙ by hand"},
        "metrics": {"valid_perplexity": 1 / 3},
        "status": "finished",
    } | changes


# Names


DECISIVE = dict(
    study="ptb-ablation",
    variant="lstm",
    seed=0,
    data="ptb",
    data_sha256={"train": "a", "valid": "b"},
    mode="paper",
)


def name_of(settings=None, **changes):
    return ledger.run_id(**(DECISIVE | changes), settings=settings or ptb_ablation.settings("small"))


@pytest.mark.parametrize(
    "changes",
    [
        {"study": "slim"},
        {"variant": "srnn"},
        {"seed": 1},
        {"data": "banyan"},
        {"data_sha256": {"train": "a", "valid": "c"}},
        {"data_sha256": {"train": "a"}},
        {"mode": "laptop"},
    ],
    ids=str,
)
def test_a_run_id_depends_on_whatever_decides_the_run(changes):
    assert name_of(**changes) != name_of()


@pytest.mark.parametrize("key", sorted(set(ptb_ablation.settings("small")) - {"rate_selected_on"}))
def test_a_run_id_depends_on_every_setting(key):
    settings = ptb_ablation.settings("small")
    old = settings[key]
    if isinstance(old, bool):
        settings[key] = not old
    elif isinstance(old, dict):
        settings[key] = {"content_reads": "xb"}
    else:
        settings[key] = old + ("x" if isinstance(old, str) else 1)
    assert name_of(settings) != name_of()
    del settings[key]
    assert name_of(settings) != name_of()


def test_a_run_id_does_not_depend_on_why_the_rate_was_chosen_nor_on_the_order_of_settings():
    settings = ptb_ablation.settings("small")
    names = {
        name_of(),
        name_of(settings | {"rate_selected_on": "a coin"}),
        name_of({k: v for k, v in settings.items() if k != "rate_selected_on"}),
        name_of(dict(reversed(settings.items()))),
        name_of(json.loads(json.dumps(settings))),
        name_of(data_sha256={"valid": "b", "train": "a"}),
    }
    assert len(names) == 1
    (name,) = names
    assert len(name) == 16 and set(name) <= set("0123456789abcdef")


def test_a_run_id_is_the_same_in_another_process():
    code = (
        "from lstm_tutorial import ledger; "
        "hashes, settings = {'a': 'b', 'c': 'd'}, {'x': 0.1, 'y': [1, True]}; "
        "print(ledger.run_id('s', 'lstm', 3, 'ptb', hashes, 'paper', settings))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "123"}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == ledger.run_id(
        "s", "lstm", 3, "ptb", {"a": "b", "c": "d"}, "paper", {"x": 0.1, "y": [1, True]}
    )


# Writing and reading


def test_what_is_written_is_read(folders):
    assert ledger.read(STUDY) == [] and ledger.find(STUDY, "one") is None
    ledger.write(record("one"))
    assert ledger.read(STUDY) == [record("one")]
    assert ledger.find(STUDY, "one") == record("one")
    assert ledger.find(STUDY, "two") is None and ledger.read("another") == []
    assert [p.name for p in (folders / "runs" / STUDY).iterdir()] == ["one.json"]


def test_the_folder_of_runs(monkeypatch, tmp_path):
    assert ledger.path_of(STUDY, "one") == tmp_path / "runs" / STUDY / "one.json"
    assert ledger.path_of(STUDY, "one", ".checkpoint") == tmp_path / "runs" / STUDY / "one.checkpoint"
    monkeypatch.delenv("LSTM_TUTORIAL_RUNS")
    assert ledger.runs_folder() == ROOT / "runs"


@pytest.mark.parametrize("there_before", [False, True])
@pytest.mark.parametrize("step", ["replace", "write"])
def test_a_write_that_fails_leaves_no_half_file(folders, monkeypatch, there_before, step):
    """Killed between writing and renaming, or with a full disk: the old record or none, never half of one."""
    if there_before:
        ledger.write(record("one"))

    def fail(*_, **__):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace" if step == "replace" else "fsync", fail)
        with pytest.raises(OSError):
            ledger.write(record("one", seed=1))
    assert ledger.read(STUDY) == ([record("one")] if there_before else [])
    ledger.write(record("one", seed=2))
    assert ledger.read(STUDY) == [record("one", seed=2)]


def test_a_half_written_temporary_file_is_not_read(folders):
    ledger.write(record("one"))
    for name in ("two.json.4711.tmp", "one.json.4711.tmp", "three.checkpoint", "one.safetensors"):
        (folders / "runs" / STUDY / name).write_text('{"run_id": "tw')
    assert ledger.read(STUDY) == [record("one")]


def test_many_processes_write_at_once_while_one_reads(folders):
    """Each writes records of its own and all write one record in common; a reader never sees half of one."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from lstm_tutorial import ledger\n"
        "for k in range(40):\n"
        "    for name in (f'{sys.argv[1]}-{k}', *sys.argv[3:]):\n"
        "        ledger.write({'run_id': name, 'study': 'a-study', 'variant': 'lstm', 'seed': k,\n"
        "                      'data': 'banyan', 'mode': 'smoke', 'settings': {}, 'padding': 'x' * 5000})\n"
    )
    common = [] if os.name == "nt" else ["common"]  # Windows cannot rename onto a file that somebody reads
    workers = [subprocess.Popen([sys.executable, "-c", code, str(w), str(ROOT), *common]) for w in range(3)]
    seen = 0
    while any(worker.poll() is None for worker in workers):
        found = ledger.read(STUDY)
        assert len(found) >= seen and all(len(r["padding"]) == 5000 for r in found)
        seen = len(found)
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    assert len(ledger.read(STUDY)) == 3 * 40 + len(common)
    assert {p.suffix for p in (folders / "runs" / STUDY).iterdir()} == {".json"}


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot rename onto a file that somebody writes")
def test_many_threads_write_one_record_at_once(folders):
    """Workers may be threads of one process, with one process id between them."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: ledger.write(record("one", seed=k, padding="x" * 20_000)), range(200)))
    (found,) = ledger.read(STUDY)
    assert found["run_id"] == "one" and len(found["padding"]) == 20_000


def test_a_record_is_strict_json(folders):
    """A perplexity may be infinite, but JSON has no infinity: other programs refuse such a file."""
    ledger.write(record("one", epochs={"valid": [2.5, float("inf")]}))

    def refuse(constant):
        pytest.fail(f"{constant} is not JSON")

    json.loads(ledger.path_of(STUDY, "one").read_text(encoding="utf-8"), parse_constant=refuse)
    json.loads(ledger.collect(STUDY).read_text(encoding="utf-8"), parse_constant=refuse)


@pytest.mark.parametrize("damage", ['{"run_id": "tw', "", "[]"])
def test_a_damaged_record_is_named_in_a_sentence(folders, damage):
    """Not passed over, for then a finished run would be lost in silence, and not with a bare traceback."""
    ledger.write(record("one"))
    (folders / "runs" / STUDY / "two.json").write_text(damage)
    with pytest.raises(UserError, match=r"two\.json"):
        ledger.read(STUDY)


def test_a_damaged_line_of_the_committed_file_is_named_in_a_sentence(folders):
    """Such as the marks of an unresolved merge."""
    ledger.write(record("one"))
    path = ledger.collect(STUDY)
    path.write_text(path.read_text(encoding="utf-8") + "<<<<<<< HEAD\n", encoding="utf-8")
    with pytest.raises(UserError, match=rf"{STUDY}\.jsonl"):
        ledger.read(STUDY)


# Committed and local


def test_collect_folds_in_what_is_new_and_changes_nothing_the_second_time(folders):
    names = ["d", "a", "c", "b"]
    for k, name in enumerate(names):
        ledger.write(record(name, seed=10 - k))
    path = ledger.collect(STUDY)
    assert path == folders / "results" / f"{STUDY}.jsonl"
    first = path.read_bytes()
    assert ledger.collect(STUDY).read_bytes() == first
    assert first.count(b"\n") == 4 and first.endswith(b"\n") and b"\r" not in first
    lines = [json.loads(line) for line in first.decode("utf-8").splitlines()]
    assert [r["seed"] for r in lines] == [7, 8, 9, 10]
    assert all(list(r) == sorted(r) for r in lines)

    # Another machine, without these runs: what is committed is kept, the new one comes into its place.
    for file in (folders / "runs" / STUDY).iterdir():
        file.unlink()
    assert ledger.collect(STUDY).read_bytes() == first
    ledger.write(record("e", seed=8.5))
    after = ledger.collect(STUDY).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["seed"] for line in after] == [7, 8, 8.5, 9, 10]
    assert set(first.decode("utf-8").splitlines()) < set(after), "a diff shows the new line and no other"


def test_the_order_does_not_depend_on_the_order_of_writing_nor_on_names_of_files(folders):
    several = [
        record(
            f"{variant}{seed}{rate}{data}{mode}",
            seed,
            variant=variant,
            data=data,
            mode=mode,
            settings={"rate": rate},
        )
        for variant in ("srnn", "lstm")
        for seed in (10, 9)
        for rate in (0.5, 1.0)
        for data in ("ptb", "banyan")
        for mode in ("smoke", "paper")
    ]
    for r in several:
        ledger.write(r)
    first = ledger.collect(STUDY).read_bytes()
    (folders / "results" / f"{STUDY}.jsonl").unlink()
    for file in (folders / "runs" / STUDY).iterdir():
        file.unlink()
    for r in reversed(several):
        ledger.write(r)
    assert ledger.collect(STUDY).read_bytes() == first
    found = ledger.read(STUDY)
    assert len(found) == 32
    assert [r["seed"] for r in found[:2]] == [9, 10], "seeds in the order of numbers, side by side"


def test_a_run_that_is_committed_and_local_counts_once_and_the_committed_one_counts(folders):
    ledger.write(record("one", metrics={"test_perplexity": 1.0}))
    ledger.collect(STUDY)
    ledger.write(record("one", metrics={"test_perplexity": 2.0}))
    ledger.write(record("two"))
    found = {r["run_id"]: r for r in ledger.read(STUDY)}
    assert len(ledger.read(STUDY)) == 2
    assert found["one"]["metrics"] == {"test_perplexity": 1.0}
    assert ledger.read(STUDY, committed_only=True) == [found["one"]]
    ledger.collect(STUDY)
    assert ledger.find(STUDY, "one")["metrics"] == {"test_perplexity": 1.0}


def test_numbers_and_letters_survive_the_committed_file(folders):
    original = record("one", metrics={"a": 0.1 + 0.2, "b": 1e-300, "c": 12345678901234567}, note="β₂ ≥ ⊙")
    ledger.write(original)
    ledger.collect(STUDY)
    ledger.path_of(STUDY, "one").unlink()
    assert ledger.read(STUDY) == [original]


def test_a_collect_that_fails_keeps_the_committed_file(folders, monkeypatch):
    ledger.write(record("one"))
    before = ledger.collect(STUDY).read_bytes()
    ledger.write(record("two"))

    def fail(*_):
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with pytest.raises(OSError):
            ledger.collect(STUDY)
    assert (folders / "results" / f"{STUDY}.jsonl").read_bytes() == before


def test_where_run_names_versions_and_commit_but_no_folder_and_no_user():
    found = ledger.where_run(3)
    assert found["versions"]["threads"] == 3
    assert {"python", "platform", "torch", "numpy"} <= set(found["versions"])
    assert str(Path.home()) not in json.dumps(found) and str(ROOT) not in json.dumps(found)


def test_outside_a_checkout_there_is_no_commit(monkeypatch):
    def no_git(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", no_git)
    ledger._commit.cache_clear()
    assert ledger.where_run()["commit"] is None
    ledger._commit.cache_clear()


def test_the_commit_is_the_one_that_the_process_began_with(monkeypatch):
    first = ledger.where_run()["commit"]
    monkeypatch.setattr(subprocess, "run", None)  # whatever is checked out now is not asked for
    assert ledger.where_run()["commit"] == first


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b'{"run_id": "0"}', b"[]", b'{"run_id'])
def test_a_file_that_holds_no_record_is_one_sentence(folders, text):
    path = ledger.path_of(STUDY, "broken")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    with pytest.raises(UserError, match="broken.json is not the record of a run"):
        ledger.read(STUDY)


def test_a_folder_that_cannot_be_written_is_said_before_the_run(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be written .*LSTM_TUTORIAL_RUNS"):
        ledger.prepare(STUDY)


def test_a_folder_of_ones_own_may_begin_with_a_tilde(monkeypatch):
    monkeypatch.setenv("LSTM_TUTORIAL_RUNS", "~/runs")
    assert ledger.runs_folder() == Path.home() / "runs"
