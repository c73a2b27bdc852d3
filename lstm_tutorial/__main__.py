"""``python -m lstm_tutorial``: the command line of the course."""

import argparse
import sys

from .commands import ablate, agreement, bench, compare, exchange, history, rerun, results
from .data import cli as data
from .errors import UserError


def main(arguments=None):
    """Run one command. Returns 0; 2 after a sentence on stderr that says what to do; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m lstm_tutorial",
        description="Data, experiments, tables and benchmarks of the course. Every command explains itself: "
        "add --help.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in (data, ablate, compare, agreement, exchange, history, results, rerun, bench):
        command.add_parser(subparsers)
    args = parser.parse_args(arguments)
    try:
        return args.func(args)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nStopped. The same command goes on from the last checkpoint, at most a minute back.",
            file=sys.stderr,
        )
        return 130


if __name__ == "__main__":
    sys.exit(main())
