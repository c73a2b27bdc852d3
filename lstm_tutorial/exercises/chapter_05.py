"""Chapter 05: what may come next, how long a string is, the gradient of 1997, a timer set by hand."""

import numpy as np

from .. import numpy_lstm
from ..spec import variants
from ..tasks import reber, timed_spikes
from . import attempt, exercise, expect, near

_LEGAL = np.array([[1, 1, 0], [0, 0, 1], [0, 1, 1]], bool)[:, None]  # (T, B, V) = (3, 1, 3)
_CASES = (
    # scores at the three steps, whether they are right, and what an answer that says otherwise has missed
    ([[2, 1, 0], [0, 0, 1], [0, 1, 1]], True, "all legal symbols score higher than all others here"),
    ([[2, -1, 0], [0, 0, 1], [0, 1, 1]], False, "a legal symbol scores lower than one that is not legal"),
    ([[2, 1, 0], [0, 3, 1], [0, 1, 1]], False, "the highest score of the second step is not legal"),
    (
        [[2, 1, 0], [0, 0, 1], [1, 1, 2]],
        False,
        "at the last step a legal and an illegal symbol score the same",
    ),
    (
        [[-2, -3, -9], [-5, -5, -1], [-7, -1, -6]],
        True,
        "what counts is the order of the scores, not their sign",
    ),
)


@exercise(
    "05.2",
    reference=lambda s, legal: (np.where(legal, s, np.inf).min(-1) > np.where(legal, -np.inf, s).max(-1)).all(
        0
    ),
)
def all_right(answer):
    """The criterion of 1997, on scores whose verdict is known; then on two sequences at once."""
    for scores, right, missed in _CASES:
        got = np.asarray(attempt(answer, np.array(scores, float)[:, None], _LEGAL))
        expect(
            got.shape == (1,),
            f"there is one verdict for each sequence, (B,) = (1,), and not an array of shape {got.shape}",
        )
        expect(bool(got[0]) == right, missed)
    both = np.stack([np.array(_CASES[0][0], float), np.array(_CASES[1][0], float)], 1)
    got = np.asarray(attempt(answer, both, np.repeat(_LEGAL, 2, 1)))
    expect(got.shape == (2,), f"for two sequences it returns shape {got.shape}")
    expect(got.tolist() == [True, False], "with two sequences side by side one verdict spills into the other")


@exercise("05.1", reference=8.0)
def mean_length(answer):
    """The expected length of a Reber string, against the package's linear equations."""
    right = reber.moments(1)[0] - 4
    got = float(answer)
    expect(
        not near(got, right + 4), "that is the length of the embedded string, with its four symbols around it"
    )
    expect(not near(got, right - 1), "B, or E, is a symbol too")
    expect(not near(got, right - 2), "B and E are symbols too")
    expect(not near(got, 5.0), "that is the shortest string; the loops make the mean longer")
    expect(near(got, right, 1e-6), "it does not solve L = 1 + (mean of L over the arrows) at every node")


@exercise(
    "05.4",
    reference=lambda dc, f, p_i, p_f, di_bar, df_bar, truncate: (
        dc * f if truncate else dc * f + p_i * di_bar + p_f * df_bar
    ),
)
def one_step_back(answer):
    """What reaches c⁻ from the step after it, by way of the cell, against ``numpy_lstm.backward``."""
    rng, spec = np.random.default_rng(5), variants["vanilla"]
    params = numpy_lstm.init_params(spec, 2, 3, rng)
    x, state = rng.normal(size=(1, 2, 2)), (rng.normal(size=(2, 3)), rng.normal(size=(2, 3)))
    _, _, tape = numpy_lstm.forward(spec, params, x, state)
    dy, dc_T = rng.normal(size=(1, 2, 3)), rng.normal(size=(2, 3))
    i, f, o, c, z = (getattr(tape, k)[0] for k in "ifocz")
    for truncate in (False, True):
        do_bar = dy[0] * np.tanh(c) * o * (1 - o)
        dc = dc_T + dy[0] * o * (1 - np.tanh(c) ** 2) + (0 if truncate else params["p_o"] * do_bar)
        di_bar, df_bar = dc * z * i * (1 - i), dc * state[1] * f * (1 - f)
        parts = (dc, f, params["p_i"], params["p_f"], di_bar, df_bar)
        _, (_, right), _ = numpy_lstm.backward(
            spec, params, tape, dy, (np.zeros((2, 3)), dc_T), truncate=truncate
        )
        got = np.asarray(attempt(answer, *parts, truncate))
        expect(got.shape == right.shape, f"δc⁻ is {right.shape} like δc, not {got.shape}")
        what = "the truncated gradient" if truncate else "the full gradient"
        expect(not near(got, dc), f"{what}: the error passes the forget gate on its way, f")
        if truncate:
            expect(
                not near(got, dc * f + params["p_i"] * di_bar + params["p_f"] * df_bar),
                "truncated, no error goes back through a peephole: that is what was cut",
            )
            expect(not near(got, 0 * dc), "the path along the cell is the one that truncation leaves open")
        else:
            expect(not near(got, dc * f), "full: the gates looked at c⁻ too, through their peepholes")
            expect(
                not near(got, dc * f + di_bar + df_bar),
                "full: what comes back through a peephole is multiplied by its weight",
            )
        expect(near(got, right), f"{what} differs from that of the package")


@exercise("05.5", reference=timed_spikes.by_hand)
def timer(answer):
    """Weights of a timer, judged by letting it run."""
    spec, shapes = variants["lstm2002"], variants["lstm2002"].parameter_shapes(1, 1)
    for period in (3, 7, 12):
        params = attempt(answer, period)
        expect(isinstance(params, dict), f"it is to return a dict, not {type(params).__name__}")
        missing = sorted(set(shapes) - set(params))
        expect(not missing, f"it has no {', '.join(missing[:3])}: weights that are not needed are zero")
        params = {name: np.asarray(params[name], float).reshape(shape) for name, shape in shapes.items()}
        y, _, tape = numpy_lstm.forward(spec, params, np.ones((5 * period, 1, 1)))
        spikes = (np.flatnonzero(y[:, 0, 0] > 0.5) + 1).tolist()
        right = list(range(period, 5 * period + 1, period))
        said = f"asked for a spike every {period} steps, it has them at {', '.join(map(str, spikes[:4]))}"
        expect(spikes, f"asked for a spike every {period} steps, it has none: when does o open?")
        expect(
            not (spikes[0] == period and spikes[: period + 1] == list(range(period, 2 * period + 1))),
            f"{said} …: the first is on time, and then nothing sets the count back: what should f do?",
        )
        expect(spikes != [period], f"{said}, and never again: the count does not start again")
        expect(spikes[0] != period + 1 and spikes[0] != period - 1, f"{said} …: the first is off by one step")
        expect(
            spikes[0] == period and spikes[1:2] == right[1:2],
            f"{said} …: the count does not start again where it started",
        )
        expect(spikes == right, f"{said} …")


@exercise("05.3", reference=lambda legal: float(np.log(legal.sum(-1)).mean()))
def best_loss(answer):
    """The lowest cross-entropy that any network can have, against the loss of one that knows the grammar."""
    batch = reber.stream(np.random.default_rng(7), 3, 40)
    right = batch.loss(np.where(batch.legal, 0.0, -np.inf))[0]
    got = attempt(answer, batch.legal)
    expect(
        np.ndim(got) == 0,
        f"it is one number, the mean over steps and sequences, not of shape {np.shape(got)}",
    )
    expect(not near(got, right / np.log(2)), "those are bits: the loss is in nats")
    expect(
        not near(got, np.log(7)), "ln 7 is the loss of knowing nothing: not all seven symbols are possible"
    )
    expect(
        not near(got, np.log(batch.legal.sum(-1).mean())),
        "the mean of logarithms was asked for, and this is the logarithm of a mean",
    )
    expect(
        not near(got, batch.legal.sum(-1).mean()), "that is the mean number of symbols, before the logarithm"
    )
    expect(not near(got, -right), "a cross-entropy is not negative: − ln of a probability")
    expect(near(got, right, 1e-9), "it differs from the loss of a network that knows the grammar")
