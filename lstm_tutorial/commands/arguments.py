"""What several commands have in common: their arguments, and what is read from them."""

import argparse
import math

import torch

from .. import mode as modes
from ..data import load_corpus
from ..engines import ENGINES, choose
from ..errors import UserError
from ..spec import variants

RESUMED = "The same command goes on from the last checkpoint, at most a minute back."
RUN_AGAIN = "Finished runs are in the ledger; the same command begins with the one that was under way."


def add_command(subparsers, name, run, *, help, description, what_stays=""):
    """Add a command, which ``run(args)`` carries out. Returns its parser.

    what_stays : what is told after Ctrl-C, such as RESUMED or RUN_AGAIN.
    """
    parser = subparsers.add_parser(
        name, help=help, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.set_defaults(func=run, what_stays=what_stays)
    return parser


def add_mode(parser):
    """``--mode``."""
    parser.add_argument(
        "--mode", choices=modes.MODES, help="how much to compute; default: LSTM_TUTORIAL_MODE, or laptop"
    )


def add_seeds(parser, default):
    """``--seeds``, whole numbers from 0; :func:`reported_seeds` refuses the one that they may not be."""
    shown = f"default: {' '.join(map(str, default))}"
    parser.add_argument("--seeds", nargs="+", type=at_least(0), metavar="N", default=default, help=shown)


def add_cells(parser, rows):
    """``--variants``, cells of a study; :func:`cells_among` checks them."""
    parser.add_argument("--variants", nargs="+", metavar="NAME", help=f"default: {' '.join(rows)}")


def add_torch(parser, configs):
    """What a study in torch needs: configuration, text, engine, device, threads and mode."""
    add = parser.add_argument
    add("--config", choices=configs, help="which sizes and settings; without it the mode decides")
    add(
        "--corpus",
        default="auto",
        choices=("auto", "ptb", "banyan"),
        help="default: Penn Treebank if it is at hand, else generated text; ptb downloads it if need be",
    )
    add(
        "--engine",
        default="auto",
        choices=("auto", *ENGINES),
        help="how cells are computed; default: the fastest",
    )
    add("--device", default="cpu", metavar="DEVICE", help="cpu, cuda, cuda:1, …; default: cpu")
    add("--threads", type=at_least(1), metavar="N", help="CPU threads; default: torch's choice")
    add_mode(parser)


def mode_and_config(args, paper_config):
    """How much to compute, and with which configuration: an explicit one is run as in the paper, whatever the
    mode; without one, ``paper_config`` is what mode ``paper`` has."""
    if args.config is not None:
        return "paper", args.config
    mode = args.mode or modes.mode()
    return mode, paper_config if mode == "paper" else mode


def corpus_of(args, mode):
    """The text that was asked for, of a mode's size. Nothing is downloaded but for an explicit ``ptb``."""
    return load_corpus(args.corpus, size=mode, offline=True if args.corpus == "auto" else None)


def check_engine(engine, specs):
    """UserError if an engine cannot compute one of these cells: before the first of them is run."""
    for spec in specs:
        try:
            choose(engine, spec)
        except ValueError as problem:
            raise UserError(str(problem)) from None


def device_and_threads(args):
    """The device that was asked for, torch's threads set. Raises UserError if it is not to be had."""
    device = device_of(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    return device


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
        if value >= 2**63:
            raise argparse.ArgumentTypeError(f"{value} is more than 63 bits hold")
        return value

    return whole_number


def positive(text):
    """An argument type: a finite number above zero."""
    value = float(text)
    if not (0 < value < math.inf):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def cells_among(names, rows):
    """The keys of the cells that were asked for, all ``rows`` if none was. UserError for any other."""
    for name in names or ():
        if name not in variants or variants.key(name) not in rows:
            raise UserError(f"the study has the cells {', '.join(rows)}, and not {name!r}.")
    return [variants.key(name) for name in names or rows]


def key_of(name):
    """The key of a cell of the catalogue, by any of its names. UserError for a name that none has."""
    if name not in variants:
        raise UserError(f"no cell is called {name!r}; there are {', '.join(variants)}.")
    return variants.key(name)


def reported_seeds(args, tuning_seed):
    """The seeds that were asked for. UserError if the one that chooses rates is among them."""
    if tuning_seed in args.seeds:
        raise UserError(f"seed {tuning_seed} chooses rates and is never reported: take another.")
    return args.seeds


def say_rate(row, rate, at_edge):
    """Print the rate that was chosen for a row."""
    print(f"{row}: rate {rate:g}" + (", at the edge of what was tried." if at_edge else "."), flush=True)
