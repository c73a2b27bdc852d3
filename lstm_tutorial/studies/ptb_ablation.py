"""Seed 000 (Khan 2019, after Levy et al. 2018): what is left of an LSTM language model when parts are cut.

The study is data: its rows, its configurations, what was published. :func:`run_of` makes a run of a row.
"""

import math
from dataclasses import replace

from ..spec import variants
from .rates import best_rate, scores_of
from .record import Run
from .sizes import closest_width, parameter_count, vocabulary_behind

STUDY = "ptb-ablation"

# The five rows of seed 000's table, in its order.
ROWS = ("lstm", "no_srnn", "srnn", "no_srnn_hidden", "no_srnn_out")

# Test perplexity on PTB. Levy et al. 2018 (an early version): medium and large, mean of 5 runs for the LSTM,
# one run otherwise; theirs is another training regime, to be read down a column and not across.
SEED_000 = {
    "lstm": 132.434,
    "no_srnn": 129.044,
    "srnn": 655.695,
    "no_srnn_hidden": 126.070,
    "no_srnn_out": 141.061,
}
LEVY_MEDIUM = {"lstm": 83.9, "no_srnn": 80.5, "no_srnn_out": 81.6, "srnn": 140.9}
LEVY_LARGE = {"lstm": 78.8, "no_srnn": 76.0, "no_srnn_out": 78.5, "srnn": 126.1}

_COMMON = {"num_layers": 2, "batch_size": 20, "learning_rate": 1.0}
CONFIGS = {
    "small": _COMMON
    | dict(init_scale=0.1, max_grad_norm=5.0, num_steps=20, hidden_size=200)
    | dict(max_epoch=4, max_max_epoch=4, keep_prob=1.0, lr_decay=0.5),
    "medium": _COMMON
    | dict(init_scale=0.05, max_grad_norm=5.0, num_steps=35, hidden_size=650)
    | dict(max_epoch=6, max_max_epoch=10, keep_prob=0.5, lr_decay=0.8),
    "large": _COMMON
    | dict(init_scale=0.04, max_grad_norm=10.0, num_steps=35, hidden_size=1500)
    | dict(max_epoch=14, max_max_epoch=55, keep_prob=0.35, lr_decay=1 / 1.15),
    # Ours, for runs that a reader waits for: the small configuration, smaller still, and of a real text only
    # the beginning of each split.
    "smoke": _COMMON
    | dict(init_scale=0.1, max_grad_norm=5.0, num_steps=10, hidden_size=16)
    | dict(max_epoch=1, max_max_epoch=1, keep_prob=1.0, lr_decay=0.5, tokens=15_000),
    "laptop": _COMMON
    | dict(init_scale=0.1, max_grad_norm=5.0, num_steps=20, hidden_size=64)
    | dict(max_epoch=4, max_max_epoch=4, keep_prob=1.0, lr_decay=0.5, tokens=150_000),
}

TUNING_SEED = 100
TUNING_EPOCHS = 1  # of the first round
CLOSE = 1.25  # rates whose valid perplexity is within this factor of the best are run for the whole schedule
# Factors on the configuration's rate, tried for every row alike; one more step where the best is at an edge.
# A simple RNN needs another order of magnitude, so its grid is placed lower, and is as long.
GRID = (0.25, 1.0, 4.0)
GRID_SRNN = (0.03, 0.1, 0.3)

BY_SEED = "the configuration's own"
BY_GRID = "the grid itself"
BY_VALID = f"valid perplexity, seed {TUNING_SEED}: one epoch, and where that was close the whole schedule"
BY_HAND = "given on the command line"

# What the published code did and the catalogue's cells do not.
AS_PUBLISHED = {
    "lstm": {"layers_tied": True},
    "no_srnn": {"spec_changes": {"content_reads": "xb"}},
    "no_gates_as_published": {"stop_when_dead": False},
    "no_srnn_hidden": {"spec_changes": {"content_reads": "xb"}},
    "no_srnn_out": {"spec_changes": {"content_reads": "xb"}},
}


def settings(config, epochs=None, rate=None, selected_on=BY_SEED, **changes):
    """Every hyper-parameter of a run, from the name of a configuration."""
    chosen = CONFIGS[config] | {
        "config": config,
        "layers_tied": False,
        "weight_tying": False,
        "spec_changes": {},
        "stop_when_dead": True,
        "rate_selected_on": selected_on,
    }
    if epochs is not None:
        chosen["max_max_epoch"] = epochs
    if rate is not None:
        chosen["learning_rate"] = rate
    return chosen | changes


def run_of(variant, seed, mode, config, **options):
    """One run of the study; ``options`` as :func:`settings` takes them."""
    return Run(STUDY, variants.key(variant), seed, mode, settings(config, **options))


def published_run(variant, seed, mode, config, **options):
    """The run that does what seed 000's code did for a row, with its own departures from the catalogue."""
    return run_of(variant, seed, mode, config, **options, **AS_PUBLISHED[variant])


def equal_width(variant, config, vocabulary_size, baseline="lstm"):
    """The hidden size with which a row's whole model is closest in size to the baseline's."""
    hidden, layers = CONFIGS[config]["hidden_size"], CONFIGS[config]["num_layers"]
    target = parameter_count(baseline, hidden, vocabulary_size, layers)
    return closest_width(variant, target, vocabulary_size, layers)


def has_equal_width(record):
    """Whether a run has the hidden size of :func:`equal_width`, for the vocabulary that its size implies."""
    words = vocabulary_behind(spec_of(record), record)
    return record["settings"]["hidden_size"] == equal_width(
        record["variant"], record["settings"]["config"], words
    )


def grid(variant, config):
    """The learning rates first tried for a row."""
    base = CONFIGS[config]["learning_rate"]
    return [base * k for k in (GRID_SRNN if variants[variant].family == "rnn" else GRID)]


def tuning_run(variant, rate, mode, config, epochs=TUNING_EPOCHS):
    """A run at one rate, with a seed that is never reported; ``epochs=None`` is the whole schedule."""
    return run_of(variant, TUNING_SEED, mode, config, epochs=epochs, rate=rate, selected_on=BY_GRID)


def choose_rate(variant, mode, config, valid_perplexity):
    """The best learning rate of a row, and whether it is at the edge of what was tried.

    The first round is an epoch at each rate of the grid, and one rate more where the best is at an end of it.
    One epoch flatters high rates: where others come ``CLOSE`` to the best, a second round runs these and the
    best for the whole schedule, and decides.

    ``valid_perplexity`` is a function from a tuning run to its valid perplexity (infinite if it did not
    finish), or to None if it has not been run. Returns (rate, at_edge); (None, False) if a run is missing.
    """

    def score(rate, epochs=TUNING_EPOCHS):
        return valid_perplexity(tuning_run(variant, rate, mode, config, epochs))

    scores = scores_of(grid(variant, config), score)
    if scores is None:
        return None, False
    best, _ = best_rate(scores)
    close = [rate for rate in scores if scores[rate] <= CLOSE * scores[best] < math.inf]
    if len(close) > 1:
        finals = {rate: score(rate, None) for rate in close}
        if None in finals.values():
            return None, False
        best, _ = best_rate(finals)
    return best, best in (min(scores), max(scores))


def spec_of(record):
    """The cell of a record, with the changes that its settings name."""
    return replace(variants[record["variant"]], **record["settings"]["spec_changes"])
