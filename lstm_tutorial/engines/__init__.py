"""Ways to compute a cell in PyTorch, all giving the same numbers.

An engine is a function ``run(spec, params, x, state, mask)`` that returns y (T, B, H) and the last state.

- ``autograd``: the readable loop, differentiated by torch; twice differentiable.
- ``bptt``: the hand-written backward pass of :mod:`lstm_tutorial.bptt`.
- ``native``: torch's own fused cell, where the spec is exactly that.
"""

from . import autograd, bptt, native

ENGINES = {"autograd": autograd.run, "bptt": bptt.run, "native": native.run}


def choose(engine, spec, recurrent_dropout=0.0):
    """The engine to use: ``auto`` takes the fastest that applies; one that does not apply is refused."""
    fits_native = native.kind(spec) is not None and recurrent_dropout == 0
    if engine == "auto":
        return "native" if fits_native else "bptt"
    if engine not in ENGINES:
        raise ValueError(f"engine is one of auto, {', '.join(ENGINES)}, not {engine!r}.")
    if engine == "native" and not fits_native:
        why = "has no recurrent dropout" if recurrent_dropout else f"has no cell like {spec.name!r}"
        raise ValueError(
            f"engine 'native' {why}: torch fuses its own LSTM, GRU and RNN only; use engine='bptt'."
        )
    return engine
