"""Training a language model as seed 000 does: truncated BPTT, clipping, SGD with a schedule.

One call of :func:`train` is one run. It is deterministic for a given seed on one machine, leaves a
checkpoint behind at regular intervals, and picks up from there: a run that was killed ends with the
same numbers as one that was not. Runs that diverged or were dead from the start are recognised,
stopped, and say so.
"""

import math
import pickle
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from . import ledger
from .errors import UserError
from .language_model import LanguageModel, batches, perplexity, unigram_perplexity
from .spec import as_spec

CHECKPOINT_SECONDS = 60
ROWS_FOR_CURVES = 10  # after each epoch, valid perplexity is measured in this many rows; final figures in one
CURVE = f"valid_perplexity_in_{ROWS_FOR_CURVES}_rows"


@dataclass
class Outcome:
    """What a run came to: ``status`` is finished, diverged or dead."""

    status: str
    metrics: dict
    epochs: dict
    parameters: int
    engine: str
    seconds: float
    model: LanguageModel = field(repr=False)


def build_model(spec, settings, vocabulary_size, engine="auto"):
    """The model of a run, not yet initialised; ``settings["spec_changes"]`` are applied to the cell."""
    spec = replace(as_spec(spec), **settings.get("spec_changes", {}))
    return LanguageModel(
        spec,
        vocabulary_size,
        settings["hidden_size"],
        num_layers=settings["num_layers"],
        dropout=1 - settings["keep_prob"],
        layers_tied=settings["layers_tied"],
        weight_tying=settings["weight_tying"],
        engine=engine,
    )


def learning_rate(settings, epoch):
    """Constant for ``max_epoch`` epochs, then multiplied by ``lr_decay`` each epoch (epoch counts from 0)."""
    return settings["learning_rate"] * settings["lr_decay"] ** max(epoch + 1 - settings["max_epoch"], 0)


def train(corpus, spec, settings, seed, engine="auto", device="cpu", checkpoint=None, progress=None):
    """Train one model and measure it.

    Parameters
    ----------
    corpus : a :class:`lstm_tutorial.data.Corpus`. spec : the cell. seed : of the initial weights and dropout.
    settings : dict of the hyper-parameters in seed 000's table, see ``studies.ptb_ablation``.
    checkpoint : path of a file to resume from and to write to; None for a run that cannot be resumed.
    progress : called as ``progress(epoch, step, steps, mean_loss)`` after every step, or None.

    Returns an :class:`Outcome`. The global random state of torch is left as it was.
    """
    device = torch.device(device)
    if settings.get("tokens"):
        corpus = corpus.head(settings["tokens"])
    text = batches(corpus.train, settings["batch_size"], settings["num_steps"])
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        model = build_model(spec, settings, len(corpus.vocabulary), engine)
        model.initialise(settings["init_scale"], torch.Generator().manual_seed(seed)).to(device)
        run = _Run(model, settings, device, checkpoint)
        while run.status is None and run.at["epoch"] < settings["max_max_epoch"]:
            run.train_epoch(text, progress)
            if run.status is None:
                run.end_epoch(text, corpus)
        metrics = run.measure(text, corpus) if run.status is None else {}
    engine = model.layers[0].engine
    return Outcome(run.status, metrics, run.curves, model.parameter_count(), engine, run.seconds(), model)


class _Run:
    """A run under way: where it stands, and the checkpoint it goes on from.

    ``at`` and ``curves`` are what a checkpoint keeps beside the model, the recurrent state and the state of
    the random generators. ``status`` is None until the run is over.
    """

    def __init__(self, model, settings, device, checkpoint):
        self.model, self.settings, self.device = model, settings, device
        self.parameters = list(model.parameters())
        self.path = None if checkpoint is None else Path(checkpoint)
        self.at = {"epoch": 0, "step": 0, "nats": 0.0, "seconds": 0.0, "dead_steps": 0}
        self.curves = {"learning_rate": [], "train_loss": [], CURVE: []}
        self.state = self.status = None
        if self.path is not None and self.path.exists():
            self.restore()
        self.before = self.at["seconds"]
        self.started = self.saved = time.monotonic()

    def seconds(self):
        """How long the run has taken, with what it took before it was interrupted."""
        return self.before + time.monotonic() - self.started

    def train_epoch(self, text, progress):
        """The steps that are left of this epoch."""
        at, rate = self.at, learning_rate(self.settings, self.at["epoch"])
        self.model.train()
        while self.status is None and at["step"] < len(text):
            tokens, targets = (a.to(self.device) for a in text[at["step"]])
            nats, norm, self.state = sgd_step(
                self.model, self.parameters, tokens, targets, self.state, rate, self.settings
            )
            if not (math.isfinite(nats) and math.isfinite(norm)):
                self.status = "diverged"
            # Dead: in the first two batches nothing but the output bias learns, and the input is ignored.
            elif at["epoch"] * len(text) + at["step"] < 2:
                at["dead_steps"] += _is_dead(self.model, tokens)
                if at["dead_steps"] == 2 and self.settings["stop_when_dead"]:
                    self.status = "dead"
            at["nats"] += nats
            at["step"] += 1
            if progress is not None:
                progress(at["epoch"], at["step"], len(text), at["nats"] / (at["step"] * tokens.numel()))
            if time.monotonic() - self.saved > CHECKPOINT_SECONDS and self.status is None:
                self.save()

    def end_epoch(self, text, corpus):
        """Extend the curves, and see whether anything was learned at all."""
        at = self.at
        loss = at["nats"] / (len(text) * self.settings["num_steps"] * self.settings["batch_size"])
        self.curves["learning_rate"].append(learning_rate(self.settings, at["epoch"]))
        self.curves["train_loss"].append(loss)
        valid = perplexity(self.model, corpus.valid, corpus.eos, batch_size=ROWS_FOR_CURVES)
        self.curves[CURVE].append(valid)
        at |= {"epoch": at["epoch"] + 1, "step": 0, "nats": 0.0}
        self.state = None
        if loss > math.log(len(corpus.vocabulary)) and at["dead_steps"] < 2:
            self.status = "diverged"
        else:
            self.save()

    def measure(self, text, corpus):
        """The final perplexities; and what the run has come to."""
        metrics = {
            f"{split}_perplexity": perplexity(self.model, getattr(corpus, split), corpus.eos)
            for split in ("valid", "test")
        }
        if self.at["dead_steps"] == 2 and _is_dead(self.model, text[0][0].to(self.device)):
            self.status = "dead"
        else:
            floor = unigram_perplexity(corpus.train, corpus.valid, len(corpus.vocabulary))
            self.status = _status(metrics["valid_perplexity"], floor, self.curves[CURVE], self.parameters)
        return metrics

    def save(self):
        """Write the checkpoint under another name and then rename it, so that it is whole or not there."""
        self.saved = time.monotonic()
        if self.path is None:
            return
        cuda = self.device.type == "cuda"
        content = {
            "model": {name: p.detach() for name, p in self.model.named_parameters()},
            "at": self.at | {"seconds": self.seconds()},
            "curves": self.curves,
            "state": [] if self.state is None else [list(layer) for layer in self.state],
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self.device) if cuda else None,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with ledger.whole_or_nothing(self.path) as file:
            torch.save(content, file)

    def restore(self):
        """Go on from the checkpoint. Raises UserError if it is damaged."""
        try:
            content = torch.load(self.path, map_location=self.device, weights_only=True)
            with torch.no_grad():
                for name, p in self.model.named_parameters():
                    p.copy_(content["model"][name])
            self.at |= content["at"]
            self.curves |= content["curves"]
            torch.set_rng_state(content["rng"].cpu())
        except (OSError, RuntimeError, EOFError, LookupError, TypeError, pickle.UnpicklingError) as problem:
            raise UserError(
                f"{self.path} is damaged: delete it, and the run starts again from the beginning."
            ) from problem
        if self.device.type == "cuda" and content["cuda_rng"] is not None:
            torch.cuda.set_rng_state(content["cuda_rng"].cpu(), self.device)
        self.state = [tuple(layer) for layer in content["state"]] or None


def sgd_step(model, parameters, tokens, targets, state, rate, settings):
    """One step of SGD: loss summed over steps and averaged over rows, one gradient norm over all parameters.

    tokens, targets : (T, B); state : as the last call returned it, or None. Changes the parameters in place.
    Returns the summed negative log-likelihood in nats, the norm before clipping, and the new state.
    """
    for p in parameters:
        p.grad = None
    nats, state = model.loss(tokens, targets, state)
    (nats / tokens.shape[1]).backward()
    norm = torch.nn.utils.clip_grad_norm_(parameters, settings["max_grad_norm"])
    with torch.no_grad():
        torch._foreach_add_(parameters, [p.grad for p in parameters], alpha=-rate)
    return nats.item(), norm.item(), state


@torch.no_grad()
def _is_dead(model, tokens):
    """Whether every gradient but the output bias's is exactly zero and the output ignores the input."""
    others = (p for name, p in model.named_parameters() if name != "softmax.bias")
    if any(p.grad is not None and p.grad.any() for p in others):
        return False
    y, _ = model.hidden(tokens)
    return bool((y == y[0, 0]).all())


def _status(valid, floor, curve, parameters):
    """``diverged`` if a parameter is not finite, or the end is above the unigram floor and not falling."""
    if not all(bool(torch.isfinite(p).all()) for p in parameters):
        return "diverged"
    falling = len(curve) < 2 or curve[-1] < curve[-2]
    return "diverged" if not math.isfinite(valid) or (valid > floor and not falling) else "finished"
