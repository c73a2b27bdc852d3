"""Doing the runs of a study: each once, resumable, and into the ledger as it finishes."""

import sys
from dataclasses import replace

import torch
from tqdm import tqdm

from .. import ledger
from ..training import train
from .record import corpus_behind, once, say_at_once


def perform(run, corpus, engine="auto", device="cpu", say=say_at_once, name=None):
    """The ledger's record of a language-model run: read, resumed, or run from the start.

    Its last checkpoint stays beside the record, in ``<run_id>.checkpoint``: the same run over more epochs
    goes on from there. ``name`` is what the run is called while it goes on, by default as its cell.
    """

    def go_on(run, corpus, label, say):
        checkpoint = ledger.path_of(run.study, run.id_on(corpus), ".checkpoint")
        begun = next((path for path in _of_fewer_epochs(run, corpus) if path.exists()), None)
        if checkpoint.exists():
            say(f"{label}: going on from its checkpoint.")
        else:
            say(f"{label}: {'going on from where fewer epochs ended' if begun else 'starting'}.")
        with ProgressBar(label, run.settings["max_max_epoch"]) as bar:
            return train(
                corpus, run.variant, run.settings, run.seed, engine, device, checkpoint, begun, progress=bar
            )

    label = f"{name or run.variant}, rate {run.settings['learning_rate']:g}, seed {run.seed}"
    return once(run, corpus, go_on, label, say, _device_name(device), torch.get_num_threads())


def again(record, device="cpu"):
    """A language-model run of the ledger once more, with its engine and threads; nothing is written."""
    corpus = corpus_behind(record)
    torch.set_num_threads(record["versions"]["threads"] or torch.get_num_threads())
    engine = record["engine"] if torch.device(device).type == "cpu" else "auto"
    with ProgressBar(record["run_id"], record["settings"]["max_max_epoch"]) as bar:
        return train(
            corpus, record["variant"], record["settings"], record["seed"], engine, device, progress=bar
        )


def _of_fewer_epochs(run, corpus):
    """Where the checkpoints of the same run over fewer epochs would be, the longest first.

    Up to its end such a run is the beginning of this one: all that depends on the number of epochs, like a
    schedule, stands in the settings by itself and is part of the name.
    """
    for epochs in range(run.settings["max_max_epoch"] - 1, 0, -1):
        shorter = replace(run, settings=run.settings | {"max_max_epoch": epochs})
        yield ledger.path_of(run.study, shorter.id_on(corpus), ".checkpoint")


def _device_name(device):
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


class ProgressBar:
    """A progress bar over all steps of a run on a terminal; a line an epoch elsewhere."""

    def __init__(self, label, epochs):
        self.label, self.epochs, self.bar, self.last = label, epochs, None, None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()

    def __call__(self, epoch, step, steps, mean_loss):
        if self.bar is None and sys.stderr.isatty():
            self.bar = tqdm(total=steps * self.epochs, desc=self.label, unit="batch", leave=False)
        if self.bar is not None:
            self.bar.n = epoch * steps + step
            self.bar.set_postfix_str(f"epoch {epoch + 1}/{self.epochs}, loss {mean_loss:.3f}", refresh=False)
            self.bar.update(0)
        elif step == steps:
            print(f"{self.label}: epoch {epoch + 1}/{self.epochs}, mean loss {mean_loss:.4f}", flush=True)
