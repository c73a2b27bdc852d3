"""A run before it is done, and its record in the ledger afterwards; whatever it was done with."""

import os
from dataclasses import dataclass, field

from .. import ledger
from ..data import load_corpus
from ..errors import UserError


@dataclass(frozen=True)
class Run:
    """One run before it is run: a row of a study, with every hyper-parameter in ``settings``."""

    study: str
    variant: str
    seed: int
    mode: str
    settings: dict = field(hash=False)

    def id_on(self, corpus):
        """The run's name in the ledger when it is run on a corpus."""
        return ledger.run_id(
            self.study, self.variant, self.seed, corpus.name, corpus.sha256, self.mode, self.settings
        )


@dataclass(frozen=True)
class Outcome:
    """What a run that was trained in NumPy came to, as the ledger wants it."""

    status: str
    metrics: dict
    epochs: dict
    parameters: int
    seconds: float
    engine: str = "numpy"


def enter(run, data, outcome, where, device="cpu"):
    """Write a run that has been done into the ledger, and return its record.

    data : what it was run on, with ``name`` and ``sha256``, a dict from file to hash. outcome : an
    :class:`Outcome`, or one of :mod:`lstm_tutorial.training`, which has a trained model too. where : what
    :func:`lstm_tutorial.ledger.where_run` said when the run began.
    """
    record = {
        "run_id": run.id_on(data),
        "study": run.study,
        "variant": run.variant,
        "seed": run.seed,
        "data": data.name,
        "data_sha256": data.sha256,
        "mode": run.mode,
        "settings": run.settings,
        "metrics": outcome.metrics,
        "epochs": outcome.epochs,
        "parameters": outcome.parameters,
        "engine": outcome.engine,
        "device": device,
        "seconds": round(outcome.seconds, 1),
        "status": outcome.status,
        **where,
    }
    ledger.write(record)
    return record


def run_behind(record):
    """The :class:`Run` that a record of the ledger is of."""
    return Run(*(record[name] for name in ("study", "variant", "seed", "mode", "settings")))


def is_of(record, run):
    """Whether a record of its study is of a run, whatever its seed and data: same cell, mode, settings."""
    same = (record["variant"], record["mode"]) == (run.variant, run.mode)
    return same and ledger.decisive(record["settings"]) == ledger.decisive(run.settings)


def repeats(records, run, **fields):
    """The records that are of a run, by seed; ``fields`` must be as given, such as ``data_sha256``."""
    found = (r for r in records if is_of(r, run) and all(r[name] == fields[name] for name in fields))
    return sorted(found, key=lambda r: r["seed"])


def corpus_behind(record):
    """The text that a record's run was done on; UserError if the one that is here is another."""
    corpus = load_corpus(record["data"], size=record["mode"])
    if corpus.sha256 != record["data_sha256"]:
        raise UserError(f"run {record['run_id']} was done on another {record['data']} than there is here.")
    return corpus


def again_in_torch(record, device="cpu"):
    """A language-model run of the ledger once more, from its record: the ``again`` of a study in torch."""
    from .runner import again  # torch is imported where something is trained: to read tables it is not needed

    return again(record, device)


def grouped(records, *keys):
    """[(values of the keys, the records that have them)], by value; a key of the settings is ``config``.

    Of one text there may be several, generated in several sizes: each is a group for itself.
    """
    groups = {}
    for r in records:
        values = tuple(r["settings"][key] if key == "config" else r[key] for key in keys)
        groups.setdefault((values, tuple(sorted(r["data_sha256"].items()))), []).append(r)
    return [(values, groups[values, text]) for values, text in sorted(groups)]


def say_at_once(line):
    """print, not held back where the output is a file."""
    print(line, flush=True)


def once(run, data, train, label, say=say_at_once, device="cpu", threads=None, told=None):
    """The ledger's record of a run: read, or made by ``train(run, data, label, say)`` → an Outcome.

    device, threads : what a run that is made is recorded with; without, those of NumPy. told : a function
    from a record to a phrase that says how it ended; without, :func:`summary`.
    """
    told, done = told or summary, ledger.find(run.study, run.id_on(data))
    if done is not None:
        say(f"{label}: in the ledger ({told(done)}).")
        return done
    ledger.prepare(run.study)
    where = ledger.where_run(threads or numpy_threads())
    done = enter(run, data, train(run, data, label, say), where, device)
    say(f"{label}: {told(done)}.")
    return done


def summary(record):
    """One phrase: how a run ended."""
    m, measure = record["metrics"], "perplexity"
    if "test_perplexity" not in m:
        measure = "perplexity_as_seed_001"  # of a model that did not predict every word
    if f"test_{measure}" not in m:
        return record["status"]
    end = f"valid {m[f'valid_{measure}']:.2f}, test {m[f'test_{measure}']:.2f}"
    end += " measured as in seed 001" * (measure != "perplexity")
    return end if record["status"] == "finished" else f"{record['status']}; {end}"


def numpy_threads():
    """How many threads NumPy's products may use, to be recorded: what OpenBLAS is told, or all there are."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        told = os.environ.get(name, "").partition(",")[0].strip()  # OpenMP takes a list, one a level
        if told.isdecimal() and int(told):
            return int(told)
    return os.cpu_count()
