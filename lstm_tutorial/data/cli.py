"""`python -m lstm_tutorial data list | fetch | verify`."""

import argparse
import textwrap

from . import files
from .registry import chosen, verify

DESCRIPTION = """\
The data sets of the course: what they are, under which terms, and whether yours are the right ones.

You need none of them to work through the course: every data set has a generated stand-in. To repeat
the papers' experiments you need the real ones, in one of two ways:

  python -m lstm_tutorial data fetch ptb       downloads Penn Treebank once (5.9 MB) and checks it
  LSTM_TUTORIAL_DATA=<folder>                  takes files you already have, and downloads nothing;
                                               in it ptb/ptb.train.txt (or .txt.gz), valid and test

LSTM_TUTORIAL_OFFLINE=1 forbids downloads altogether.
"""


def add_parser(subparsers):
    """Add `data` to the sub-commands of an argparse parser; `args.func(args)` returns the exit code."""
    parser = subparsers.add_parser(
        "data",
        help="list, download and check the data sets",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="list | fetch | verify")
    for name, func, text, names_help in (
        ("list", _list, "say what each data set is, with its terms and how to cite it", "default: all"),
        (
            "fetch",
            _fetch,
            "download into the cache and check; by downloading you accept the terms",
            "default: all",
        ),
        ("verify", _verify, "check what is here, byte for byte; downloads nothing", "default: all"),
    ):
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        command.add_argument("names", nargs="*", metavar="NAME", help=f"ptb, banyan ({names_help})")
        command.set_defaults(func=func)
    return parser


def _list(args):
    for entry in chosen(args.names):
        print(f"{entry.name}: {entry.title}")
        for label, text in (
            ("for", entry.used_for),
            ("from", entry.source),
            ("terms", entry.terms),
            ("cite", entry.citation),
        ):
            print(textwrap.fill(text, 96, initial_indent=f"  {label:6}", subsequent_indent=" " * 8))
    return 0


def _fetch(args):
    for entry in chosen(args.names):
        if entry.fetch is None:
            print(f"{entry.name}: generated, nothing to fetch.")
        elif files.place().own:
            print(
                f"{entry.name}: LSTM_TUTORIAL_DATA is set, so nothing is downloaded; checking what is there."
            )
        elif files.is_offline():
            print(
                f"{entry.name}: LSTM_TUTORIAL_OFFLINE is set, so nothing is downloaded; checking the cache."
            )
        else:
            print(textwrap.fill(f"{entry.name}: {entry.terms}", 100))
            entry.fetch(say=print)
    return _report(verify(args.names), explicit=True)


def _verify(args):
    return _report(verify(args.names), explicit=bool(args.names))


def _report(reports, explicit):
    """Print the reports. 2 if a data set is wrong, or missing although it was asked for; otherwise 0."""
    for report in reports:
        print(f"{report.name}: {report.status}")
        for line in report.lines:
            print(f"  {line}")
    failed = {"wrong", "missing"} if explicit else {"wrong"}
    return 2 if any(report.status in failed for report in reports) else 0
