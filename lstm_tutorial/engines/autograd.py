"""Engine ``autograd``: every cell as a readable loop, differentiated by torch.

This is the other implementation: it shares no code with :mod:`lstm_tutorial.bptt`, so each can check
the other. Input products are hoisted out of the loop; nothing else is done for speed.
"""

import torch

SQUASH = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda a: torch.clamp(0.2 * a + 0.5, 0, 1),
    "linear": lambda a: a,
    "relu": torch.relu,
    "softmax": lambda a: torch.softmax(a, -1),
    "4sigmoid-2": lambda a: 4 * torch.sigmoid(a) - 2,
    "2sigmoid-1": lambda a: 2 * torch.sigmoid(a) - 1,
}


def run(spec, params, x, state, mask=None, truncate=False):
    """y (T, B, H) and the last state, for x (T, B, D) and a state (y, c[, gates]).

    ``mask`` (B, H) multiplies y⁻ in the recurrent products. ``truncate`` cuts the graph where the
    training of 1997 did: y⁻, the gates one step before and what peepholes see carry no error.
    """
    cut = torch.Tensor.detach if truncate else (lambda a: a)
    loop = {"lstm": _lstm, "rnn": _rnn}.get(spec.family, _gru)
    return loop(spec, params, x, state, (lambda y: y) if mask is None else (lambda y: y * mask), cut)


def _hoisted(spec, params, x):
    """For each block k, W_k x + b_k for all steps: (T, B, H), or None if it reads neither x nor b."""
    reads_x = [k for k in spec.blocks if "x" in spec.reads(k)]
    products = (x @ torch.cat([params[f"W_{k}"] for k in reads_x]).T).chunk(len(reads_x), -1)
    inputs = dict(zip(reads_x, products, strict=True))
    for k in spec.blocks:
        if "b" in spec.reads(k):
            inputs[k] = (
                inputs[k] + params[f"b_{k}"] if k in inputs else params[f"b_{k}"].expand(len(x), 1, -1)
            )
    return {k: v.unbind(0) for k, v in inputs.items()}


def _recurrent(spec, params):
    """A function from y⁻ to {block: R_k y⁻}, as one product for all blocks that read y."""
    reads_y = [k for k in spec.blocks if "y" in spec.reads(k)]
    if not reads_y:
        return lambda y: {}
    R_T = torch.cat([params[f"R_{k}"] for k in reads_y]).T
    return lambda y: dict(zip(reads_y, (y @ R_T).chunk(len(reads_y), -1), strict=True))


def _lstm(spec, params, x, state, seen, cut):
    g, h, sigma = SQUASH[spec.g], SQUASH[spec.h], SQUASH[spec.gate_activation]
    inputs, recurrent = _hoisted(spec, params, x), _recurrent(spec, params)
    y, c = state[:2]
    if spec.gate_recurrence:
        # columns of gates that are not learned are zero, and stay zero
        i_, f_, o_ = state[2].chunk(3, -1)
        previous = {k: v for k, v in zip("ifo", (i_, f_, o_), strict=True) if k in spec.learned_gates}

    def pre(k, t, from_y, cell, before):
        """The pre-activation of block k: the sum of whatever it reads."""
        terms = [inputs[k][t]] if k in inputs else []
        if k in from_y:
            terms.append(from_y[k])
        if k in spec.peepholes:
            terms.append(params[f"p_{k}"] * cut(cell))
        if spec.gate_recurrence and k != "z":
            terms += [cut(v) @ params[f"R_{a}{k}"].T for a, v in before.items()]
        return sum(terms[1:], terms[0])

    ys = []
    for t in range(len(x)):
        from_y = recurrent(seen(cut(y)))
        before = previous if spec.gate_recurrence else {}
        z = g(pre("z", t, from_y, c, before))
        i = sigma(pre("i", t, from_y, c, before)) if spec.input_gate == "learned" else 1
        if spec.forget_gate == "learned":
            f = sigma(pre("f", t, from_y, c, before))
        else:
            f = 1 - i if spec.forget_gate == "coupled" else 1
        c = z * i + c * f
        o = sigma(pre("o", t, from_y, c, before)) if spec.output_gate == "learned" else 1
        y = h(c) * o
        if spec.gate_recurrence:
            previous = {k: v for k, v in (("i", i), ("f", f), ("o", o)) if k in spec.learned_gates}
        ys.append(y)
    if not spec.gate_recurrence:
        return torch.stack(ys), (y, c)
    gates = [previous.get(k, torch.zeros_like(y)) for k in "ifo"]
    return torch.stack(ys), (y, c, torch.cat(gates, -1))


def _gru(spec, params, x, state, seen, cut):
    g, sigma = SQUASH[spec.g], SQUASH[spec.gate_activation]
    inputs = _hoisted(spec, params, x)
    y = state[0]
    reset_after = spec.family == "gru"
    products = [k for k in ("r", "u") if "y" in spec.gate_reads] + ["n"] * reset_after
    R_T = torch.cat([params[f"R_{k}"] for k in products]).T if products else None

    def pre(k, t, from_y):
        terms = [v for v in (inputs[k][t] if k in inputs else None, from_y.get(k)) if v is not None]
        return sum(terms[1:], terms[0])

    ys = []
    for t in range(len(x)):
        y_read = seen(y)
        from_y = {}
        if products:
            from_y = dict(zip(products, (y_read @ R_T).chunk(len(products), -1), strict=True))
        r, u = sigma(pre("r", t, from_y)), sigma(pre("u", t, from_y))
        if reset_after:
            inner = from_y["n"] + params["b_Rn"] if "b_Rn" in params else from_y["n"]
            n = g(inputs["n"][t] + r * inner) if "n" in inputs else g(r * inner)
            y = (1 - u) * n + u * y
        else:
            inner = (r * y_read) @ params["R_n"].T
            n = g(inputs["n"][t] + inner) if "n" in inputs else g(inner)
            y = (1 - u) * y + u * n
        ys.append(y)
    return torch.stack(ys), (y, torch.zeros_like(y))


def _rnn(spec, params, x, state, seen, cut):
    g, inputs, recurrent = SQUASH[spec.g], _hoisted(spec, params, x), _recurrent(spec, params)
    y = state[0]
    ys = []
    for t in range(len(x)):
        terms = [inputs["z"][t]] if "z" in inputs else []
        terms += recurrent(seen(y)).values()
        y = g(sum(terms[1:], terms[0]))
        ys.append(y)
    return torch.stack(ys), (y, torch.zeros_like(y))
