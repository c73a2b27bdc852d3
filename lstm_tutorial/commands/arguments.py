"""What several commands read from their arguments."""

import argparse
import math

import torch

from ..errors import UserError
from ..spec import variants


def device_of(name):
    """The torch device of that name. Raises UserError if it is not to be had."""
    try:
        device = torch.device(name)
        torch.ones(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UserError(
            f"device {name!r} is not to be had here: leave out --device to run on the CPU."
        ) from None
    return device


def at_least(least):
    """An argument type: a whole number from ``least``."""

    def whole_number(text):
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return whole_number


def positive(text):
    """An argument type: a finite number above zero."""
    value = float(text)
    if not (0 < value < math.inf):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def cells_among(names, rows):
    """The canonical keys of cells that were asked for, all ``rows`` if none was. UserError for any other."""
    found = []
    for name in names or rows:
        if name not in variants or variants.key(name) not in rows:
            raise UserError(f"the study has the cells {', '.join(rows)}, and not {name!r}.")
        found.append(variants.key(name))
    return found


def seeds_among(seeds, default, tuning_seed):
    """The seeds that were asked for, or the default. UserError for one that is negative or chooses rates."""
    if seeds and (min(seeds) < 0 or tuning_seed in seeds):
        raise UserError(f"seeds are whole numbers from 0, but for {tuning_seed}, which is never reported.")
    return seeds or default
