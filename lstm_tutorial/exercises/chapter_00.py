"""Chapter 00: four warm-ups on what the course takes for granted."""

import numpy as np

from . import attempt, exercise, expect, near

_RNG = np.random.default_rng(0)
_A = np.array([-2.0, -0.3, 0.0, 0.7, 3.0])
_STEP = 1e-6


def _sigmoid(a):
    return 1 / (1 + np.exp(-a))


@exercise("00.1", reference=lambda s: s * (1 - s))
def slope_of_sigmoid(answer):
    """dσ/da as a function of the value s = σ(a), against central differences of σ."""
    s = _sigmoid(_A)
    right = (_sigmoid(_A + _STEP) - _sigmoid(_A - _STEP)) / (2 * _STEP)
    got = attempt(answer, s)
    expect(np.shape(got) == s.shape, f"for s of shape {s.shape} it returns shape {np.shape(got)}")
    expect(
        not near(got, _sigmoid(s) * (1 - _sigmoid(s))), "s is σ(a) already, and is put through σ once more"
    )
    expect(not near(got, 1 - s * s), "1 − s² is the slope of tanh, in terms of its value")
    expect(not near(got, -right, 1e-6), "σ rises everywhere, so its slope cannot be negative")
    expect(near(got, right, 1e-6), "it differs from the slope that central differences of σ measure")


@exercise("00.2", reference=lambda x, v, w: 2 * w**2 * np.tanh(v * x) * (1 - np.tanh(v * x) ** 2) * x)
def chain_rule(answer):
    """dL/dv of L = (w tanh(v x))², against central differences."""
    x, v, w = 0.7, -0.4, 1.5

    def loss(v):
        return (w * np.tanh(v * x)) ** 2

    right = (loss(v + _STEP) - loss(v - _STEP)) / (2 * _STEP)
    t = np.tanh(v * x)
    got = attempt(answer, x, v, w)
    expect(np.ndim(got) == 0, f"L has one slope in v, a number, and not an array of shape {np.shape(got)}")
    expect(not near(got, 2 * w**2 * t * x, 1e-6), "the link in the middle is missing: tanh has a slope too")
    expect(
        not near(got, 2 * w**2 * t * (1 - t * t), 1e-6),
        "the last link is missing: what is the slope of v x in v?",
    )
    expect(
        not near(got, w**2 * t * (1 - t * t) * x, 1e-6),
        "the first link lacks a factor: what is the slope of a square?",
    )
    expect(
        not near(got, 2 * w * t * (1 - t * t) * x, 1e-6),
        "w is there twice, in the square and in its inner slope",
    )
    expect(near(got, right, 1e-6), "it differs from the slope that central differences measure")


@exercise("00.3", reference=lambda W, x: x @ W.T)
def all_steps_at_once(answer):
    """W x^t for all steps and sequences, against one product at a time."""
    T, B, D, H = 4, 3, 2, 5
    W, x = _RNG.normal(size=(H, D)), _RNG.normal(size=(T, B, D))
    right = np.array([[W @ x[t, b] for b in range(B)] for t in range(T)])
    got = np.asarray(attempt(answer, W, x))
    expect(
        got.shape == right.shape,
        f"it returns {got.shape} for T, B, D, H = {T, B, D, H}, and it should be (T, B, H)",
    )
    expect(near(got, right), "an entry [t, b] is not W x[t, b]")


@exercise("00.4", reference=lambda dy, x: dy.T @ x)
def gradient_of_a_matrix(answer):
    """dL/dW of L = Σ dy ⊙ (x Wᵀ), against central differences."""
    B, D, H = 4, 3, 2
    dy, x, W = _RNG.normal(size=(B, H)), _RNG.normal(size=(B, D)), _RNG.normal(size=(H, D))
    right = np.empty_like(W)
    for k in np.ndindex(W.shape):
        nudge = np.zeros_like(W)
        nudge[k] = _STEP
        right[k] = ((dy * (x @ (W + nudge).T)).sum() - (dy * (x @ (W - nudge).T)).sum()) / (2 * _STEP)
    got = np.asarray(attempt(answer, dy, x))
    expect(
        got.shape != (D, H),
        f"it is the transpose: W is {W.shape}, and its gradient has W's shape, not {got.shape}",
    )
    expect(got.shape == W.shape, f"W is {W.shape}, and its gradient has W's shape, not {got.shape}")
    expect(
        not near(got, right / B, 1e-6),
        "it is the mean over the batch: L is a sum, so every sequence counts whole",
    )
    expect(not near(got, np.outer(dy[0], x[0])), "only the first sequence of the batch is in it")
    expect(near(got, right, 1e-6), "it differs from what central differences measure")
