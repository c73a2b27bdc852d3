"""The Reber grammar, embedded in itself, and as an endless stream.

A Reber string is a walk through seven nodes; each arrow writes a symbol, and where two leave a node, either
is taken with probability ½. The *embedded* grammar writes B, then T or P, then a Reber string, then **the
same T or P**, then E. So the last symbol but one is decided at the second step, and nothing in between tells
which it was. A network reads one symbol a step, one-hot in the order of ``SYMBOLS``, and is to say what may
come next.

With ``inner`` Reber strings between the two, in place of one, the lag grows and the rest stays the same.

Sources: Reber 1967; Cleeremans, Servan-Schreiber and McClelland 1989; Fahlman 1991; Hochreiter and
Schmidhuber 1997, section 5.1; as a stream, Gers, Schmidhuber and Cummins 2000, section 4.
"""

from functools import cache

import numpy as np

from . import NOT_ASKED, Batch

SYMBOLS = "BTPSXVE"
NUMBER = {symbol: k for k, symbol in enumerate(SYMBOLS)}

# node → the arrows that leave it, (symbol, next node); from node 7 none
ARROWS = (
    (("B", 1),),
    (("T", 2), ("P", 3)),
    (("S", 2), ("X", 4)),
    (("T", 3), ("V", 5)),
    (("X", 3), ("S", 6)),
    (("P", 4), ("V", 6)),
    (("E", 7),),
    (),
)
LAST = 7


def reber(rng):
    """A random string of the Reber grammar."""
    node, written = 0, []
    while node != LAST:
        arrows = ARROWS[node]
        symbol, node = arrows[rng.integers(len(arrows))] if len(arrows) > 1 else arrows[0]
        written.append(symbol)
    return "".join(written)


def embedded(rng, inner=1):
    """A random string of the embedded grammar: ``inner`` Reber strings between T or P and its repetition."""
    kind = "TP"[rng.integers(2)]
    return "B" + kind + "".join(reber(rng) for _ in range(inner)) + kind + "E"


def legal_next(string, inner=1):
    """For each symbol of an embedded string, which may come after it: a list of sets, empty after the last E.

    Raises ValueError where the string is not one of the grammar.
    """
    possible, sets = {"B"}, []
    place, node, kind = "start", 0, None  # where we are in the outer string, and in the inner one
    for symbol in string:
        if symbol not in possible:
            raise ValueError(f"{symbol!r} after {string[: len(sets)]!r} is not in the grammar.")
        if place == "start":
            place, possible = "kind", {"T", "P"}
        elif place == "kind":
            place, kind, left = "inner", symbol, inner
            node, possible = 0, {"B"}
        elif place == "inner":
            node = dict(ARROWS[node])[symbol]
            if node == LAST:
                node, left = 0, left - 1
            place = "inner" if left else "repeat"
            possible = {s for s, _ in ARROWS[node]} if left else {kind}
        elif place == "repeat":
            place, possible = "end", {"E"}
        else:
            place, possible = "over", set()
        sets.append(possible)
    return sets


def strings(rng, batch_size, inner=1):
    """``batch_size`` embedded strings side by side, the shorter ones followed by nothing.

    At every symbol the next is asked for, except at the last E.
    """
    drawn = [embedded(rng, inner) for _ in range(batch_size)]
    return _batch([[(s, legal_next(s, inner))] for s in drawn], max(map(len, drawn)), goes_on=False)


def stream(rng, batch_size, steps, inner=1):
    """``batch_size`` endless streams of embedded strings, cut after ``steps`` symbols.

    After E comes the B of the next string, with nothing to mark the border.
    """
    rows = []
    for _ in range(batch_size):
        row, length = [], 0
        while length <= steps:
            s = embedded(rng, inner)
            row.append((s, legal_next(s, inner)))
            length += len(s)
        rows.append(row)
    return _batch(rows, steps, goes_on=True)


def _batch(rows, T, goes_on):
    V, B = len(SYMBOLS), len(rows)
    x, legal = np.zeros((T + 1, B, V)), np.zeros((T + 1, B, V), bool)
    target = np.full((T + 1, B), NOT_ASKED)
    for b, row in enumerate(rows):
        numbers = np.array([NUMBER[symbol] for string, _ in row for symbol in string])[: T + 1]
        sets = [allowed for _, per_symbol in row for allowed in per_symbol][: T + 1]
        t = np.arange(len(numbers))
        x[t, b, numbers] = 1
        target[t[:-1], b] = numbers[1:]
        for k, allowed in enumerate(sets):
            allowed = allowed or ({"B"} if goes_on else set())
            legal[k, b, [NUMBER[symbol] for symbol in allowed]] = True
    return Batch(x, target, legal).part(slice(0, T))


def critical(batch):
    """(T, B): the steps before the repeated T or P, where the answer depends on the second symbol.

    They are where one symbol alone is legal, a T or a P: within a Reber string such a step never has one
    only.
    """
    single = batch.legal.sum(-1) == 1
    return single & (batch.legal[..., NUMBER["T"]] | batch.legal[..., NUMBER["P"]])


@cache
def moments(inner=1):
    """(expected length, entropy in nats) of an embedded string: exact, from the nodes' linear equations.

    For a Reber string, with L the steps from a node to the end: L(node) = 1 + mean of L over its arrows, and
    its entropy likewise with ln(number of arrows) in the place of 1.
    """
    n = len(ARROWS)
    follow = np.zeros((n, n))
    for node, arrows in enumerate(ARROWS):
        for _, after in arrows:
            follow[node, after] += 1 / len(arrows)
    gains = np.array([[1.0, np.log(len(arrows))] if arrows else [0.0, 0.0] for arrows in ARROWS])
    length, entropy = np.linalg.solve(np.eye(n) - follow, gains)[0]
    return 4 + inner * length, np.log(2) + inner * entropy
