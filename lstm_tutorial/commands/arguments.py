"""What several commands read from their arguments."""

import argparse
import math

import torch

from ..errors import UserError


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
