"""Engine ``bptt``: the hand-written forward and backward as one ``torch.autograd.Function``."""

import torch
from torch.autograd.function import once_differentiable

from .. import bptt


def run(spec, params, x, state, mask=None):
    """y (T, B, H) and the last state, for x (T, B, D) and a state (y, c[, gates])."""
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
        ctx.spec, ctx.names, ctx.state_size = spec, names, state_size
        # A state that is a row of y's own buffer would make autograd track views of one another.
        last = tuple(s.clone() for s in last)
        ctx.save_for_backward(*(getattr(tape, a) for a in bptt.Tape.arrays), *params.values())
        ctx.set_materialize_grads(True)
        return y, *last

    @staticmethod
    @once_differentiable
    def backward(ctx, dy, *dstate):
        k = len(bptt.Tape.arrays)
        tape = bptt.Tape(ctx.spec, *ctx.saved_tensors[:k])
        params = dict(zip(ctx.names, ctx.saved_tensors[k:], strict=True))
        dx, dstate_0, grads = bptt.backward(params, tape, dy, dstate)
        return None, None, None, None, dx, *dstate_0, *(grads[name] for name in ctx.names)
