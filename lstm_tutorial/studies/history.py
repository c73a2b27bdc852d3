"""Each part of the LSTM on the task that asked for it: 1997, 2000, 2002, 2005. NumPy alone.

The study is data: its tasks, its rows (a cell, and the gradient it is trained with), its sizes; claims and
seeds are in ``data/claims.toml``. :func:`run_of` makes a run, :func:`perform` does one, and :func:`reported`
finds them again in the ledger. Learning is in :mod:`lstm_tutorial.tasks.learner`.

Where two rows differ by one wire only, they show what that wire is worth; where they differ by what two
papers differ by, they show history.
"""

import hashlib
import time
from dataclasses import dataclass, field, replace

import numpy as np

from .. import declared, ledger
from ..spec import variants
from ..tables import Table
from ..tasks import learner
from .record import Outcome, once, repeats, say_at_once

STUDY, COMMAND, ON_A_TEXT = "history", "history", False
SEEDS = declared.study(STUDY).seeds
SOLVED = declared.study(STUDY).solved


@dataclass(frozen=True)
class Row:
    """A cell of the catalogue, perhaps with a wire changed, and the gradient that it is trained with."""

    name: str
    variant: str
    truncate: bool = False
    changes: dict = field(default_factory=dict, hash=False)

    @property
    def spec(self):
        return replace(variants[self.variant], name=self.name, **self.changes)


ROWS = {
    row.name: row
    for row in (
        Row("simple RNN", "srnn"),
        Row("1997", "lstm1997", truncate=True),
        Row("2000 but f = 1", "lstm2000", truncate=True, changes={"forget_gate": "one"}),
        Row("2000", "lstm2000", truncate=True),
        Row("2005, truncated", "vanilla", truncate=True),
        Row("2005", "vanilla"),
        Row("2000, full gradient", "lstm2000"),
        Row("2000 + peepholes", "lstm2000", changes={"peepholes": "ifo"}),
        Row("2002 − peepholes", "lstm2002", changes={"peepholes": ""}),
        Row("2002, full gradient", "lstm2002"),
        Row("2002", "lstm2002", truncate=True),
    )
}

_COMMON = {"max_norm": 1.0, "check_every": 50, "optimiser": "adam", "rate_schedule": "linear to zero"}
_GRAMMAR = _COMMON | {"hidden_size": 16, "batch_size": 16}
TASKS = {
    "embedded-reber": _GRAMMAR | {"task": "strings", "inner": 1},
    "embedded-reber-2": _GRAMMAR | {"task": "strings", "inner": 2},
    "continual-reber": _GRAMMAR | {"task": "stream", "inner": 1, "steps": 25, "blocks": 16},
    "timed-spikes": _COMMON | {"hidden_size": 4, "batch_size": 1, "task": "spikes", "period": 20, "count": 4},
}
ON = {
    "embedded-reber": ("simple RNN", "1997"),
    "embedded-reber-2": ("simple RNN", "1997"),
    "continual-reber": ("simple RNN", "1997", "2000 but f = 1", "2000", "2005, truncated", "2005"),
    "timed-spikes": (
        "2000, full gradient",
        "2000 + peepholes",
        "2002 − peepholes",
        "2002, full gradient",
        "2002",
    ),
}
# The longest a run may be. smoke learns nothing; paper gives the rows that fail five times as long.
UPDATES = {"smoke": 20, "laptop": 1500, "paper": 7500}

# The same learning rates for every row of a task, each tried once with a seed that is not reported.
GRID = {"strings": (1e-2, 3e-2), "stream": (1e-2, 3e-2), "spikes": (3e-3, 1e-2)}
TUNING_SEED = declared.study(STUDY).tuning_seed
BY_GRID = "the grid itself"
BY_FEWEST = f"fewest updates until solved, else the lowest loss, seed {TUNING_SEED}"


# --- which runs there are ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One run before it is run; ``settings`` are those of :mod:`lstm_tutorial.tasks.learner`, and more."""

    task: str
    row: str
    seed: int
    mode: str
    settings: dict = field(hash=False)

    study = STUDY

    @property
    def variant(self):
        return ROWS[self.row].variant

    def id_on(self, data):
        """The run's name in the ledger."""
        return ledger.run_id(STUDY, self.variant, self.seed, data.name, data.sha256, self.mode, self.settings)


def run_of(task, row, seed, mode, rate, selected_on=BY_FEWEST):
    """One run of the study."""
    settings = TASKS[task] | {
        "truncate": ROWS[row].truncate,
        "spec_changes": ROWS[row].changes,
        "learning_rate": rate,
        "updates": UPDATES[mode],
        "rate_selected_on": selected_on,
    }
    return Run(task, row, seed, mode, settings)


def run_behind(record):
    """The run that a record of the ledger is of."""
    settings = record["settings"]
    how = (record["variant"], settings["truncate"], settings["spec_changes"])
    name = next(name for name, row in ROWS.items() if (row.variant, row.truncate, row.changes) == how)
    return Run(record["data"], name, record["seed"], record["mode"], settings)


def tuning_runs(task, row, mode):
    """The runs that choose the learning rate of a row on a task: {rate: run}."""
    return {rate: run_of(task, row, TUNING_SEED, mode, rate, BY_GRID) for rate in GRID[TASKS[task]["task"]]}


def choose_rate(records):
    """The best rate of {rate: record}."""

    def score(rate):
        record = records[rate]
        if record["status"] != "finished":
            return (2, 0, rate)
        m = record["metrics"]
        return (0, m["updates"], rate) if solved(record) else (1, m["test_loss"], rate)

    return min(records, key=score)


def solved(record):
    """Whether a run has solved its task."""
    return record["status"] == "finished" and record["metrics"]["test_right"] >= SOLVED


# --- doing one -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Examinations:
    """A task as data of the ledger: its name, and hashes of what it is examined on."""

    name: str
    sha256: dict


def examinations(task):
    """The data of a task."""
    hashes = {}
    for name, which in (("valid", learner.VALID), ("test", learner.TEST)):
        exam = learner.examination(TASKS[task], which)
        whole = (
            exam.x.astype(np.int8).tobytes() + exam.target.astype(np.int8).tobytes() + exam.legal.tobytes()
        )
        hashes[name] = hashlib.sha256(whole).hexdigest()
    return Examinations(task, hashes)


def perform(run, say=say_at_once):
    """The ledger's record of a run: read, or run from the start. A run takes some seconds."""
    label = f"{run.task}: {run.row}, rate {run.settings['learning_rate']:g}, seed {run.seed}"
    return once(run, examinations(run.task), train, label, say, told=summary)


def train(run, *_):
    """Learn and be examined; the random numbers depend on ``run.seed`` alone. Returns an Outcome."""
    started, spec = time.process_time(), ROWS[run.row].spec
    out = learner.train(spec, run.settings, np.random.default_rng(run.seed))
    metrics = {}
    if out.finite:
        test = learner.examine(spec, out.params, learner.examination(run.settings, learner.TEST))
        metrics = {"updates": out.updates} | {f"test_{name}": value for name, value in test.items()}
    parameters = sum(p.size for p in out.params.values())
    status = "finished" if out.finite else "diverged"
    return Outcome(status, metrics, out.history, parameters, time.process_time() - started)


def summary(record):
    """One phrase: how a run ended."""
    if record["status"] != "finished":
        return record["status"]
    m = record["metrics"]
    if solved(record):
        return f"solved after {m['updates']:,} updates"
    return f"not solved in {m['updates']:,} updates, first mistake at step {m['test_first_mistake']:.0f}"


def again(record, device="cpu"):
    """A run of the ledger once more, from its record, in NumPy whatever the device: an Outcome."""
    return train(run_behind(record))


# --- finding them again --------------------------------------------------------------------------------


def reported(records, mode="laptop"):
    """{(task, row): its records at the chosen rate, seed by seed}, without the runs that chose it."""
    found = {}
    for task, rows in ON.items():
        for row in rows:
            rate = chosen_rate(records, task, row, mode)
            same = [] if rate is None else repeats(records, run_of(task, row, None, mode, rate), data=task)
            found[task, row] = [r for r in same if r["seed"] != TUNING_SEED]
    return found


def rows_of(records, *, task, mode):
    """{row: its reported records} of one task, for the claims about it."""
    return {row: runs for (on, row), runs in reported(records, mode).items() if on == task}


def chosen_rate(records, task, row, mode="laptop"):
    """The rate that tuning gives a row; None if a run is missing."""
    tried = {}
    for rate, run in tuning_runs(task, row, mode).items():
        same = repeats(records, run, data=task, seed=run.seed)
        if not same:
            return None
        tried[rate] = same[0]
    return choose_rate(tried)


def tables(records):
    """A table a task, for every length of run that there is."""
    run = {(r["mode"], r["data"]) for r in records}
    for mode in UPDATES:
        for task in TASKS:
            if (mode, task) in run:
                yield results_table(records, task, mode)


def results_table(records, task, mode="laptop"):
    """Of one task: how many seeds of each row solved it, and after how many updates."""
    lines, notes = [], []
    for (on, row), runs in reported(records, mode).items():
        if on != task:
            continue
        rate = chosen_rate(records, task, row, mode)
        updates = [r["metrics"]["updates"] for r in runs if solved(r)]
        ends = [r["metrics"]["test_first_mistake"] for r in runs if r["status"] == "finished"]
        first = [step for step in ends if step is not None]
        lines.append(
            (
                row,
                "truncated" if ROWS[row].truncate else "full",
                "–" if rate is None else f"{rate:g}",
                f"{len(updates)} of {len(runs)}" if runs else "not run",
                f"{np.median(updates):,.0f}" if updates else "–",
                f"{np.median(first):,.0f}" if first else "–",
            )
        )
        lost = sum(r["status"] == "diverged" for r in runs)
        notes += [f"{row}: {lost} of the runs diverged."] if lost else []
    columns = ("row", "gradient", "rate", "solved", "updates (median)", "first mistake at step (median)")
    notes.append(
        "Updates: of the runs that solved it. First mistake: per run, the mean of test sequences with one."
    )
    return Table(f"{task}, at most {UPDATES[mode]:,} updates", columns, tuple(lines), tuple(notes), left=2)
