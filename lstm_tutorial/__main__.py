"""``python -m lstm_tutorial``: the command line of the course."""

import argparse
import os
import sys

from .errors import UserError


def main(arguments=None):
    """Run one command. Returns 0; 2 after a sentence on stderr that says what to do; 130 after Ctrl-C."""
    what_stays = ""
    try:
        args = _parser().parse_args(arguments)
        what_stays = getattr(args, "what_stays", "")
        code = args.func(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the output, head for one, has enough of it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nStopped. {what_stays}".rstrip(), file=sys.stderr)
        return 130


def _parser():
    # Here, since a study reads data/claims.toml where it is imported, and what is wrong with it is said once.
    from .commands import ablate, agreement, bench, compare, exchange, history, rerun, results
    from .data import cli as data

    parser = argparse.ArgumentParser(
        prog="python -m lstm_tutorial",
        description="Data, experiments, tables and benchmarks of the course. Every command explains itself: "
        "add --help.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in (data, ablate, compare, agreement, exchange, history, results, rerun, bench):
        command.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
