"""The ledger: one record for every finished run, and the only source of tables and figures.

A run writes one JSON file under ``runs/<study>/`` (not committed), under a temporary name that is then
renamed, so any number of workers may write at once. :func:`collect` folds those files into
``data/results/<study>.jsonl``, which is committed. :func:`read` sees both.
"""

import hashlib
import json
import math
import os
import platform
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

from .errors import UserError

PROVENANCE = ("rate_selected_on",)  # settings that say why a run was made, not what it computes


def project_folder():
    """The checkout this package lies in; else the current folder."""
    here = Path(__file__).resolve().parent.parent
    return here if (here / "data" / "results").is_dir() else Path.cwd()


def results_folder():
    """Where committed results are."""
    return project_folder() / "data" / "results"


def runs_folder():
    """Where this machine's runs and checkpoints are: ``LSTM_TUTORIAL_RUNS``, or ``runs`` in the project."""
    named = os.environ.get("LSTM_TUTORIAL_RUNS")
    return Path(named).expanduser() if named else project_folder() / "runs"


def run_id(study, variant, seed, data, data_sha256, mode, settings):
    """A name for a run: a hash of everything that decides what it computes.

    Engine, device, threads and versions are recorded beside it, and so is why its learning rate was chosen:
    the same computation is never done twice.
    """
    text = json.dumps([study, variant, seed, data, data_sha256, mode, decisive(settings)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def decisive(settings):
    """Those of a run's settings that decide what it computes: all but its provenance."""
    return {k: v for k, v in settings.items() if k not in PROVENANCE}


def path_of(study, run_id, ending=".json"):
    """The file of a run on this machine: its record, or with another ending its checkpoint or its weights."""
    return runs_folder() / study / f"{run_id}{ending}"


def prepare(study):
    """Make the folder that a run will be stored in: before it is run. UserError if it cannot be written."""
    folder = runs_folder() / study
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(
            f"{folder} cannot be written ({error.strerror}): set LSTM_TUTORIAL_RUNS to a folder that can."
        ) from None


def write(record):
    """Store the record of a finished run. Atomic: it is there whole, or not at all."""
    path = path_of(record["study"], record["run_id"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(path) as file:
        file.write((_json(record, indent=1) + "\n").encode())


def read(study, committed_only=False):
    """All records of a study, committed and of this machine, each run once, in a fixed order."""
    records = {}
    committed = results_folder() / f"{study}.jsonl"
    if committed.exists():
        for number, line in enumerate(committed.read_bytes().splitlines(), 1):
            record = _record(line, f"line {number} of {committed}")
            records[record["run_id"]] = record
    for path in [] if committed_only else sorted((runs_folder() / study).glob("*.json")):
        record = _record(path.read_bytes(), path)
        records.setdefault(record["run_id"], record)
    return sorted(records.values(), key=_order)


def find(study, run_id):
    """The record of a run, or None if it has not been finished."""
    return next((r for r in read(study) if r["run_id"] == run_id), None)


def collect(study):
    """Fold this machine's records into the committed file of a study. Returns its path."""
    lines = [_json(r) for r in read(study)]
    path = results_folder() / f"{study}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(path) as file:
        file.write("".join(line + "\n" for line in lines).encode())
    return path


def where_run(threads=None):
    """Versions, commit, platform and threads, to be recorded with a run: to be asked before it begins."""
    versions = {"python": platform.python_version(), "platform": platform.platform(terse=True)}
    for package in ("torch", "numpy"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    versions["threads"] = threads
    return {"versions": versions, "commit": _commit()}


@cache  # what this process has imported, whatever is checked out while it runs
def _commit():
    """The commit of the checkout this package lies in, ``-dirty`` if it has changes; None outside one."""
    folder = Path(__file__).resolve().parent
    try:
        git = ["git", "-C", str(folder)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        status = subprocess.run(
            [*git, "status", "--porcelain", "--", str(folder)], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("-dirty" if status.stdout.strip() else "")


def _order(record):
    return (
        record["data"],
        record["mode"],
        record["variant"],
        json.dumps(record["settings"], sort_keys=True),
        record["seed"],
        record["run_id"],
    )


def _record(text, where):
    try:
        record = json.loads(text)
        _order(record)
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{where} is not the record of a run: delete it, and that run is done again."
        ) from None
    return record


def _json(record, indent=None):
    """Strict JSON: what is not finite becomes null."""

    def strict(value):
        if isinstance(value, dict):
            return {k: strict(v) for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [strict(v) for v in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(strict(record), indent=indent, sort_keys=True, allow_nan=False)


@contextmanager
def whole_or_nothing(path):
    """A binary file to write to that appears under its name only when it is complete and on the disk."""
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
