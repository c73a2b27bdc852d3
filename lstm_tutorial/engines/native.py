"""Engine ``native``: torch's own fused LSTM, GRU and RNN, where the spec is exactly one of them.

Torch stacks its gates in another order, (i, f, g, o) and (r, z, n), and gives every gate two biases.
Here the second is a constant zero (but for a GRU's b_Rn, which stands inside the reset), so that
training and parameter counts do not depend on the engine.
"""

from dataclasses import replace

import torch

from ..spec import variants

# The parameters of each of torch's blocks, in torch's order: rows of weight_ih, weight_hh, bias_ih, bias_hh.
BLOCKS = {"lstm": "ifzo", "gru": "run", "rnn": "z"}


def kind(spec):
    """``lstm``, ``gru`` or ``rnn`` where torch has exactly this cell, else None."""
    bare = replace(spec, name="lstm", start="default")
    if bare == variants["lstm"]:
        return "lstm"
    if bare == replace(variants["gru"], name="lstm"):
        return "gru"
    if spec.g in ("tanh", "relu") and bare == replace(variants["srnn"], name="lstm", g=spec.g):
        return "rnn"
    return None


def stacked_weights(spec, params):
    """[weight_ih, weight_hh, bias_ih, bias_hh] as torch stacks them."""
    blocks = BLOCKS[kind(spec)]
    W, R, b = (torch.cat([params[f"{letter}_{k}"] for k in blocks]) for letter in "WRb")
    b2 = torch.zeros_like(b)
    if spec.family == "gru":
        b2 = torch.cat([b2[: -len(params["b_Rn"])], params["b_Rn"]])
    return [W, R, b, b2]


def unstacked_weights(spec, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """The inverse, with torch's two biases added up: a dict of parameters by their names here."""
    blocks = BLOCKS[kind(spec)]
    n = len(blocks)
    zero = weight_ih.new_zeros(len(weight_ih))
    first, second = (zero if b is None else b for b in (bias_ih, bias_hh))
    params = {}
    for letter, stack in (("W", weight_ih), ("R", weight_hh), ("b", first)):
        params |= {f"{letter}_{k}": part for k, part in zip(blocks, stack.chunk(n), strict=True)}
    for k, part in zip(blocks, second.chunk(n), strict=True):
        if spec.family == "gru" and k == "n":
            params["b_Rn"] = part
        else:
            params[f"b_{k}"] = params[f"b_{k}"] + part
    return params


def run(spec, params, x, state, mask=None):
    """y (T, B, H) and the last state, for x (T, B, D) and a state (y, c); ``mask`` has to be None."""
    if mask is not None:
        raise ValueError("engine 'native' has no recurrent dropout: torch's fused cells have none.")
    weights = stacked_weights(spec, params)
    options = (
        True,
        1,
        0.0,
        False,
        False,
        False,
    )  # biases, layers, dropout, training, bidirectional, batch_first
    y_0, c_0 = (s[None].contiguous() for s in state)
    if kind(spec) == "lstm":
        y, y_n, c_n = torch.lstm(x, (y_0, c_0), weights, *options)
        return y, (y_n[0], c_n[0])
    fused = {"gru": torch.gru, "rnn": torch.rnn_tanh if spec.g == "tanh" else torch.rnn_relu}[kind(spec)]
    y, y_n = fused(x, y_0, weights, *options)
    return y, (y_n[0], torch.zeros_like(y_n[0]))
