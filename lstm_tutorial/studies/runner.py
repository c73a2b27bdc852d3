"""Doing the runs of a study: each once, resumable, and into the ledger as it finishes."""

import sys
from dataclasses import dataclass, field

import torch
from safetensors.torch import save_file
from tqdm import tqdm

from .. import ledger
from ..training import train


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


def perform(run, corpus, engine="auto", device="cpu", say=print):
    """The ledger's record of a language-model run: read, resumed, or run from the start.

    The weights are kept beside the record, in ``<run_id>.safetensors``.
    """
    identity = run.id_on(corpus)
    label = f"{run.variant}, rate {run.settings['learning_rate']:g}, seed {run.seed}"
    done = ledger.find(run.study, identity)
    if done is not None:
        say(f"{label}: in the ledger ({summary(done)}).")
        return done
    checkpoint = ledger.path_of(run.study, identity, ".checkpoint")
    say(f"{label}: {'going on from its checkpoint' if checkpoint.exists() else 'starting'}.")
    with _Bar(label, run.settings["max_max_epoch"]) as bar:
        outcome = train(corpus, run.variant, run.settings, run.seed, engine, device, checkpoint, bar)
    record = {
        "run_id": identity,
        "study": run.study,
        "variant": run.variant,
        "seed": run.seed,
        "data": corpus.name,
        "data_sha256": corpus.sha256,
        "mode": run.mode,
        "settings": run.settings,
        "metrics": outcome.metrics,
        "epochs": outcome.epochs,
        "parameters": outcome.parameters,
        "engine": outcome.engine,
        "device": _device_name(device),
        "seconds": round(outcome.seconds, 1),
        "status": outcome.status,
        **ledger.where_run(torch.get_num_threads()),
    }
    weights = {name: p.detach().cpu().contiguous() for name, p in outcome.model.named_parameters()}
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    save_file(weights, ledger.path_of(run.study, identity, ".safetensors"))
    ledger.write(record)
    checkpoint.unlink(missing_ok=True)
    say(f"{label}: {summary(record)}.")
    return record


def summary(record):
    """One phrase: how a run ended."""
    if "test_perplexity" not in record["metrics"]:
        return record["status"]
    m = record["metrics"]
    end = f"valid {m['valid_perplexity']:.2f}, test {m['test_perplexity']:.2f}"
    return end if record["status"] == "finished" else f"{record['status']}; {end}"


def _device_name(device):
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


class _Bar:
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
