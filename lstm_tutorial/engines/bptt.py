"""Engine ``bptt``: the hand-written forward and backward as one ``torch.autograd.Function``."""

import torch

from .. import bptt


@torch.autocast("cuda", enabled=False)
@torch.autocast("cpu", enabled=False)
def run(spec, params, x, state, mask=None):
    """y (T, B, H) and the last state, for x (T, B, D) and a state (y, c[, gates]).

    The loop writes into arrays that are there already, so under autocast it keeps the parameters' precision.
    """
    dtype = next(iter(params.values())).dtype
    x, *state = (a.to(dtype) for a in (x, *state))
    tensors = (x, *state, *params.values())
    if torch.is_grad_enabled() and any(a.requires_grad for a in tensors):
        y, *last = _Recurrence.apply(spec, tuple(params), mask, len(state), *tensors)
    else:
        y, last, _ = bptt.forward(spec, params, x, state, mask)
    return y, tuple(last)


class _Recurrence(torch.autograd.Function):
    """The whole loop as one node of the graph: torch sees its inputs and outputs, and nothing between."""

    @staticmethod
    def forward(ctx, spec, names, mask, state_size, x, *rest):
        state, params = rest[:state_size], dict(zip(names, rest[state_size:], strict=True))
        y, last, tape = bptt.forward(spec, params, x, state, mask)
        ctx.spec, ctx.names = spec, names
        # A state that is a row of y's own buffer would make autograd track views of one another.
        last = tuple(s.clone() for s in last)
        ctx.save_for_backward(*(getattr(tape, a) for a in bptt.Tape.arrays), *rest)
        return y, *last

    @staticmethod
    @torch.autocast("cuda", enabled=False)
    @torch.autocast("cpu", enabled=False)
    def backward(ctx, dy, *dstate):
        k = len(bptt.Tape.arrays)
        inputs = ctx.saved_tensors[k:]
        with torch.no_grad():
            tape = bptt.Tape(ctx.spec, *ctx.saved_tensors[:k])
            params = dict(zip(ctx.names, inputs[-len(ctx.names) :], strict=True))
            dx, dstate_0, grads = bptt.backward(params, tape, dy, dstate)
        out = (dx, *dstate_0, *(grads[name] for name in ctx.names))
        if torch.is_grad_enabled():  # somebody wants to differentiate the gradient
            anchor = next(a for a in (tape.x, *inputs, dy) if a.requires_grad)
            out = _OnceOnly.apply(anchor, *out)
        return None, None, None, None, *out


class _OnceOnly(torch.autograd.Function):
    """Ties gradients to something that requires one, so that a second derivative is refused, not zero."""

    @staticmethod
    def forward(ctx, anchor, *gradients):
        return tuple(g.view_as(g) for g in gradients)

    @staticmethod
    def backward(ctx, *_):
        raise RuntimeError(
            "engine 'bptt' is once differentiable: its backward pass is written by hand and has none "
            "of its own. For a second derivative use engine='autograd'."
        )
