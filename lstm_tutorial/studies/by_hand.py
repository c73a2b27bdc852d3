"""Training a language model in NumPy as a run says: what the studies of chapters 04 and 09 have in common."""

import math

import numpy as np

from .. import numpy_language_model as lm


def train(run, corpus, after_epoch):
    """Train the model of a run; the random numbers depend on ``run.seed`` alone.

    run : a :class:`~lstm_tutorial.studies.record.Run`. corpus : a :class:`lstm_tutorial.data.Corpus`.
    after_epoch : a function of (epoch, loss, params), called after each epoch, counted from 1; it returns
    {name: figure} for the curves.

    Returns (params, curves, finite): the parameters, {name: a figure an epoch} with ``train_loss``, and
    whether every loss and norm was finite. The run ends at the first that is not.
    """
    s, losses, curves = run.settings, [], {"train_loss": []}
    params = lm.init_params(
        run.variant,
        len(corpus.vocabulary),
        s["hidden_size"],
        np.random.default_rng(run.seed),
        s["embedding_size"],
        dtype=np.dtype(s["dtype"]),
        forget_bias=s["forget_bias"],
    )
    how = {name: s[name] for name in ("epochs", "batch_size", "num_steps", "max_norm")}
    for step in lm.train(run.variant, params, corpus.train, rate=s["learning_rate"], **how):
        if not (math.isfinite(step.loss) and math.isfinite(step.norm)):
            return params, curves, False
        losses.append(step.loss)
        if step.step % (step.steps // s["epochs"]) == 0:
            loss = float(np.mean(losses))
            figures = {"train_loss": loss} | after_epoch(step.epoch + 1, loss, params)
            for name, value in figures.items():
                curves.setdefault(name, []).append(value)
            losses = []
    return params, curves, True
