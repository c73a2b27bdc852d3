"""Training a language model: truncated BPTT, clipping, SGD with a schedule or Adam.

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
from .language_model import IGNORED, LanguageModel
from .reading import CURVE, reading
from .seed_001 import Seed001
from .spec import as_spec

__all__ = [
    "CURVE",
    "Outcome",
    "build_model",
    "initialise",
    "learning_rate",
    "make_optimiser",
    "take_step",
    "train",
]

CHECKPOINT_SECONDS = 60


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
    """The model of a run, not yet initialised; ``settings["spec_changes"]`` are applied to the cell.

    With ``settings["model"]`` = ``seed 001`` it is :class:`lstm_tutorial.seed_001.Seed001`.
    """
    spec = replace(as_spec(spec), **settings.get("spec_changes", {}))
    options = dict(
        num_layers=settings["num_layers"],
        dropout=1 - settings["keep_prob"],
        layers_tied=settings["layers_tied"],
        weight_tying=settings["weight_tying"],
        engine=engine,
    )
    if settings.get("model") == "seed 001":
        options |= dict(leaks=settings["leaks"], wide=settings["wide"])
        return Seed001(spec, vocabulary_size, settings["hidden_size"], **options)
    return LanguageModel(spec, vocabulary_size, settings["hidden_size"], **options)


def initialise(model, settings, seed):
    """Initial parameters that depend on the seed alone. Returns the model.

    ``settings["init_scale"]``: everything from U(−scale, scale); None: as torch's layers start by themselves,
    and with ``settings["cell_init"]`` = ``log-normal`` the cells' parameters then from torch's log-normal
    distribution, of exp(1 + 2 N(0, 1)).
    """
    if settings["init_scale"] is not None:
        return model.initialise(settings["init_scale"], torch.Generator().manual_seed(seed))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(seed)
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        if settings.get("cell_init") == "log-normal":
            for p in model.layers.parameters():
                p.log_normal_()
    return model


def learning_rate(settings, epoch):
    """Constant for ``max_epoch`` epochs, then multiplied by ``lr_decay`` each epoch (epoch counts from 0)."""
    return settings["learning_rate"] * settings["lr_decay"] ** max(epoch + 1 - settings["max_epoch"], 0)


def train(
    corpus, spec, settings, seed, engine="auto", device="cpu", checkpoint=None, begun=None, progress=None
):
    """Train one model and measure it.

    Parameters
    ----------
    corpus : a :class:`lstm_tutorial.data.Corpus`. spec : the cell. seed : of the initial weights and dropout.
    settings : dict of all hyper-parameters, see ``studies.ptb_ablation`` and ``studies.lstm_vs_gru``.
    checkpoint : path of a file to resume from and to write to; None for a run that cannot be resumed.
    begun : path of a checkpoint to go on from where ``checkpoint`` does not exist yet: of the same run over
        fewer epochs, which is the beginning of this one.
    progress : called as ``progress(epoch, step, steps, mean_loss)`` after every step, or None.

    Returns an :class:`Outcome`. The global random state of torch is left as it was.
    """
    device = torch.device(device)
    text = reading(corpus, settings)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        model = build_model(spec, settings, len(text.corpus.vocabulary), engine)
        initialise(model, settings, seed).to(device)
        run = _Run(model, text, settings, seed, device, checkpoint, begun)
        while run.status is None and run.at["epoch"] < settings["max_max_epoch"]:
            run.train_epoch(progress)
            if run.status is None:
                run.end_epoch()
        metrics = run.measure() if run.status is None else {}
    engine = model.layers[0].engine
    return Outcome(run.status, metrics, run.curves, model.parameter_count(), engine, run.seconds(), model)


class _Run:
    """A run under way: where it stands, and the checkpoint it goes on from.

    ``at`` and ``curves`` are what a checkpoint keeps beside the model, the optimiser, the recurrent state and
    the state of the random generators. ``status`` is None until the run is over.
    """

    def __init__(self, model, text, settings, seed, device, checkpoint, begun):
        self.model, self.text, self.settings, self.seed = model, text, settings, seed
        self.device = device
        self.optimiser = make_optimiser(model, settings)
        self.path = None if checkpoint is None else Path(checkpoint)
        self.at = {"epoch": 0, "step": 0, "nats": 0.0, "words": 0, "seconds": 0.0, "dead_steps": 0}
        self.curves = {"learning_rate": [], "train_loss": []}
        self.state = self.status = None
        if self.path is not None and self.path.exists():
            self.restore(self.path)
        elif begun is not None:
            self.restore(begun)
        self.before = self.at["seconds"]
        self.started = self.saved = time.monotonic()

    def seconds(self):
        """How long the run has taken, with what it took before it was interrupted."""
        return self.before + time.monotonic() - self.started

    def train_epoch(self, progress):
        """The steps that are left of this epoch."""
        at, batches = self.at, self.text.epoch(self.seed, self.at["epoch"])
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, at["epoch"])
        self.model.train()
        while self.status is None and at["step"] < len(batches):
            tokens, targets = batches[at["step"]]
            at["words"] += int((targets != IGNORED).sum())
            tokens, targets = tokens.to(self.device), targets.to(self.device)
            nats, norm, state = take_step(
                self.model, self.optimiser, tokens, targets, self.state, self.settings
            )
            self.state = self.text.carry(state)
            if not (math.isfinite(nats) and math.isfinite(norm)):
                self.status = "diverged"
            # Dead: in the first two batches nothing but the output bias learns, and the input is ignored.
            elif at["epoch"] * len(batches) + at["step"] < 2:
                at["dead_steps"] += _is_dead(self.model, tokens)
                if at["dead_steps"] == 2 and self.settings["stop_when_dead"]:
                    self.status = "dead"
            at["nats"] += nats
            at["step"] += 1
            if progress is not None:
                progress(at["epoch"], at["step"], len(batches), at["nats"] / at["words"])
            if time.monotonic() - self.saved > CHECKPOINT_SECONDS and self.status is None:
                self.save()

    def end_epoch(self):
        """Extend the curves, and see whether anything was learned at all."""
        at = self.at
        loss = at["nats"] / at["words"]
        figures = {"learning_rate": learning_rate(self.settings, at["epoch"]), "train_loss": loss}
        for name, value in (figures | self.text.after_epoch(self.model)).items():
            self.curves.setdefault(name, []).append(value)
        at |= {"epoch": at["epoch"] + 1, "step": 0, "nats": 0.0, "words": 0}
        self.state = None
        if loss > math.log(len(self.text.corpus.vocabulary)) and at["dead_steps"] < 2:
            self.status = "diverged"
        else:
            self.save()

    def measure(self):
        """The final figures; and what the run has come to."""
        metrics = self.text.in_the_end(self.model)
        if self.at["dead_steps"] == 2 and _is_dead(self.model, self.text.batches[0][0].to(self.device)):
            self.status = "dead"
        else:
            valid = metrics.get("valid_perplexity", metrics.get(self.text.decides))
            curve = self.curves[self.text.decides]
            self.status = _status(valid, self.text.floor(), curve, self.model.parameters())
        return metrics

    def save(self):
        """Write the checkpoint under another name and then rename it, so that it is whole or not there."""
        self.saved = time.monotonic()
        if self.path is None:
            return
        cuda = self.device.type == "cuda"
        content = {
            "model": {name: p.detach() for name, p in self.model.named_parameters()},
            "optimiser": self.optimiser.state_dict(),
            "at": self.at | {"seconds": self.seconds()},
            "curves": self.curves,
            "state": [] if self.state is None else [list(layer) for layer in self.state],
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self.device) if cuda else None,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with ledger.whole_or_nothing(self.path) as file:
            torch.save(content, file)

    def restore(self, path):
        """Go on from a checkpoint. Raises UserError if it is damaged."""
        try:
            content = torch.load(path, map_location=self.device, weights_only=True)
            with torch.no_grad():
                for name, p in self.model.named_parameters():
                    p.copy_(content["model"][name])
            self.optimiser.load_state_dict(content["optimiser"])
            self.at |= content["at"]
            self.curves |= content["curves"]
            torch.set_rng_state(content["rng"].cpu())
        except (OSError, RuntimeError, EOFError, LookupError, TypeError, pickle.UnpicklingError) as problem:
            raise UserError(
                f"{path} is damaged: delete it, and the run starts again from the beginning."
            ) from problem
        if self.device.type == "cuda" and content["cuda_rng"] is not None:
            torch.cuda.set_rng_state(content["cuda_rng"].cpu(), self.device)
        self.state = [tuple(layer) for layer in content["state"]] or None


def make_optimiser(model, settings):
    """SGD, or with ``settings["optimiser"]`` = ``adam`` Adam with ``settings["betas"]``."""
    if settings.get("optimiser", "sgd") == "adam":
        return torch.optim.Adam(model.parameters(), settings["learning_rate"], betas=settings["betas"])
    return torch.optim.SGD(model.parameters(), settings["learning_rate"])


def take_step(model, optimiser, tokens, targets, state, settings):
    """One step: the loss, its gradient, one norm over all parameters, and the optimiser.

    tokens, targets : (T, B); state : as the last call returned it, or None. Changes the parameters in place.
    The loss is summed over all words and divided by the rows, as seed 000 does; with
    ``settings["loss_over"]`` = ``words`` by the words, as most code does.
    Returns the summed negative log-likelihood in nats, the norm before clipping, and the new state.
    """
    optimiser.zero_grad(set_to_none=True)
    nats, state = model.loss(tokens, targets, state)
    over_words = settings.get("loss_over") == "words"
    (nats / ((targets != IGNORED).sum() if over_words else tokens.shape[1])).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings["max_grad_norm"])
    optimiser.step()
    return nats.item(), norm.item(), state


@torch.no_grad()
def _is_dead(model, tokens):
    """Whether every gradient but the output bias's is exactly zero and the output ignores the input."""
    others = (p for p in model.parameters() if p is not model.output_bias)
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
