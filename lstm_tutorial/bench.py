"""Speed, always as a ratio of two things measured side by side in one run.

Every comparison warms up, then takes turns, and reports medians: what disturbs the machine disturbs both.
NumPy and torch have thread pools that get in each other's way, so they are given a process each.
"""

import os
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
from torch import nn

from . import numpy_lstm
from .layers import LSTM
from .spec import variants
from .tables import Table
from .training import build_model, make_optimiser, take_step

WARM_UP = 3


def alternate(functions, rounds):
    """Median milliseconds of each function, called in turns: a dict by name."""
    times = {name: [] for name in functions}
    for k in range(WARM_UP + rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if k >= WARM_UP:
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(ts) for name, ts in times.items()}


def keep_memory():
    """Let the C library keep what a pass frees, as it does in every process that once freed a large array.

    Training frees the scores of a whole vocabulary at each step. Where nothing but small passes run, glibc
    gives their memory back now and then and takes it again page by page: up to a millisecond, at random.
    """
    torch.empty(4_000_000)


def engines_table(rounds=30, steps=20, batch_size=20, size=200, names=None):
    """Forward and backward of one layer, ``bptt`` against ``autograd``, for every variant."""
    keep_memory()
    rows = []
    for name in names or variants:
        passes = {e: layer_pass(name, e, steps, batch_size, size) for e in ("autograd", "bptt")}
        times = alternate(passes, rounds)
        rows.append(_row(name, times["bptt"], times["autograd"]))
    return Table(
        f"Engines: forward and backward, T = {steps}, B = {batch_size}, D = H = {size}, float32",
        ("cell", "bptt, ms", "autograd, ms", "ratio"),
        tuple(rows),
    )


def layer_pass(name, engine, steps, batch_size, size):
    """A function that runs one layer forward and backward."""
    torch.manual_seed(0)
    layer = LSTM(name, size, size, engine=engine)
    x = torch.randn(steps, batch_size, size, requires_grad=True)
    dy = torch.randn(steps, batch_size, size)

    def once():
        layer.zero_grad()
        x.grad = None
        layer(x)[0].backward(dy)

    return once


def numpy_table(rounds=30, steps=20, batch_size=20, size=200, threads=2):
    """NumPy's forward and backward of ``lstm`` against a plain loop over ``nn.LSTMCell``, a process each."""
    sizes = [str(n) for n in (steps, batch_size, size, threads)]
    workers = {
        kind: subprocess.Popen(
            [sys.executable, "-m", "lstm_tutorial.bench", kind, *sizes],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)},
        )
        for kind in ("numpy", "cell")
    }

    def turn(kind):
        workers[kind].stdin.write("go\n")
        workers[kind].stdin.flush()
        return float(workers[kind].stdout.readline())

    try:
        times = {kind: [] for kind in workers}
        for k in range(WARM_UP + rounds):
            for kind in workers:
                ms = turn(kind)
                if k >= WARM_UP:
                    times[kind].append(ms)
    finally:
        for worker in workers.values():
            worker.stdin.close()
            worker.wait()
    medians = {kind: statistics.median(ts) for kind, ts in times.items()}
    return Table(
        f"NumPy: forward and backward of lstm, T = {steps}, B = {batch_size}, D = H = {size}, float32",
        ("", "NumPy, ms", "loop over nn.LSTMCell, ms", "ratio"),
        (_row("lstm", medians["numpy"], medians["cell"]),),
    )


def numpy_pass(steps, batch_size, size):
    """A function that runs NumPy's ``lstm`` forward and backward."""
    rng = np.random.default_rng(0)
    params = numpy_lstm.init_params("lstm", size, size, rng, np.float32)
    x, dy = rng.normal(size=(2, steps, batch_size, size)).astype(np.float32)

    def once():
        _, _, tape = numpy_lstm.forward("lstm", params, x)
        numpy_lstm.backward("lstm", params, tape, dy)

    return once


def cell_pass(steps, batch_size, size):
    """A function that runs the loop everybody writes, over ``nn.LSTMCell``, forward and backward."""
    torch.manual_seed(0)
    cell = nn.LSTMCell(size, size)
    x = torch.randn(steps, batch_size, size, requires_grad=True)
    dy = torch.randn(steps, batch_size, size)

    def once():
        cell.zero_grad()
        x.grad = None
        h = c = torch.zeros(batch_size, size)
        ys = []
        for x_t in x:
            h, c = cell(x_t, (h, c))
            ys.append(h)
        torch.stack(ys).backward(dy)

    return once


def training_table(rounds=30, vocabulary_size=10_000):
    """One SGD step of seed 000's small configuration, against the ordinary script."""
    from .studies.ptb_ablation import settings

    small = settings("small")
    text = torch.Generator().manual_seed(0)
    shape = (2, small["num_steps"], small["batch_size"])
    tokens, targets = torch.randint(vocabulary_size, shape, generator=text)
    functions = {"ordinary": ordinary_step(small, vocabulary_size, tokens, targets)}
    for engine in ("native", "bptt"):
        functions[engine] = our_step(small, vocabulary_size, tokens, targets, engine)
    times = alternate(functions, rounds)
    return Table(
        "A training step of the small configuration with lstm, against the ordinary script",
        ("engine", "ours, ms", "ordinary, ms", "ratio"),
        tuple(_row(engine, times[engine], times["ordinary"]) for engine in ("native", "bptt")),
    )


def our_step(settings, vocabulary_size, tokens, targets, engine):
    """A function that takes one step as :mod:`lstm_tutorial.training` does."""
    model = build_model("lstm", settings, vocabulary_size, engine)
    model.initialise(settings["init_scale"], torch.Generator().manual_seed(0))
    optimiser, state = make_optimiser(model, settings), [None]

    def once():
        *_, state[0] = take_step(model, optimiser, tokens, targets, state[0], settings)

    return once


def ordinary_step(settings, vocabulary_size, tokens, targets):
    """A function that takes one step written as most scripts write it."""
    torch.manual_seed(0)
    size = settings["hidden_size"]
    embedding = nn.Embedding(vocabulary_size, size)
    lstm = nn.LSTM(size, size, settings["num_layers"])
    decoder = nn.Linear(size, vocabulary_size)
    model = nn.ModuleList([embedding, lstm, decoder])
    for p in model.parameters():
        nn.init.uniform_(p, -settings["init_scale"], settings["init_scale"])
    criterion = nn.CrossEntropyLoss()
    optimiser = torch.optim.SGD(model.parameters(), lr=settings["learning_rate"])
    state = [None]

    def once():
        optimiser.zero_grad()
        y, s = lstm(embedding(tokens), state[0])
        loss = criterion(decoder(y).flatten(0, 1), targets.flatten()) * settings["num_steps"]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), settings["max_grad_norm"])
        optimiser.step()
        state[0] = tuple(v.detach() for v in s)
        return loss.item()

    return once


def _row(name, ours, other):
    return (name, f"{ours:.2f}", f"{other:.2f}", f"{ours / other:.2f}")


def _worker(kind, steps, batch_size, size, threads):
    """Times one pass for every line it reads, and prints the milliseconds."""
    torch.set_num_threads(threads)
    keep_memory()
    once = {"numpy": numpy_pass, "cell": cell_pass}[kind](steps, batch_size, size)
    for _ in sys.stdin:
        start = time.perf_counter()
        once()
        print(1e3 * (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    _worker(sys.argv[1], *map(int, sys.argv[2:]))
