"""Choosing a learning rate from runs that are never reported."""

import math


def scores_of(grid, score):
    """{rate: score} of a grid, and of one rate more where the best is at an end of it.

    grid : rates, ascending, three or more. score : a function from a rate to its score, the lower the better,
    infinite for a run that did not finish, None for one not run yet. Returns None where a score is missing.
    """
    scores = {rate: score(rate) for rate in grid}
    if None in scores.values():
        return None
    best, at_edge = best_rate(scores)
    if at_edge:  # one step more, by the ratio of the grid at that end
        further = grid[0] ** 2 / grid[1] if best == grid[0] else grid[-1] ** 2 / grid[-2]
        further = float(f"{further:.3g}")
        scores[further] = score(further)
    return None if None in scores.values() else scores


def best_rate(scores):
    """The rate with the lowest score of {rate: score}, and whether it is at the edge of what was tried.

    Where no rate finished, all scores being infinite, it is the lowest rate, which is at the edge.
    """
    best = min(scores, key=lambda rate: (scores[rate], rate))
    return best, best in (min(scores), max(scores))


def valid_perplexity(record):
    """The score of a run: its valid perplexity, infinite if it did not finish."""
    return record["metrics"]["valid_perplexity"] if record["status"] == "finished" else math.inf
