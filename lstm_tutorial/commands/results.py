"""``results``: the tables of the course, from the ledger."""

from .. import ledger
from ..claims import claims_table
from ..errors import UserError
from ..studies.catalogue import STUDIES
from .arguments import add_command


def add_parser(subparsers):
    """Add ``results`` to the commands."""
    parser = add_command(
        subparsers,
        "results",
        run,
        help="tables of what has been run, beside the papers' figures",
        description="Tables from the ledger: the runs committed in data/results, and those of this machine.",
    )
    default, *_ = STUDIES
    with_text = " and ".join(name for name, study in STUDIES.items() if study.ON_A_TEXT)
    parser.add_argument("study", nargs="?", choices=STUDIES, default=default, help=f"default: {default}")
    parser.add_argument(
        "--data",
        choices=("ptb", "banyan"),
        help=f"on which text, of {with_text}; default: ptb",
    )
    parser.add_argument(
        "--collect",
        action="store_true",
        help="fold this machine's finished runs into data/results (for those who maintain the course)",
    )


def run(args):
    """Print the tables of a study. Returns 0."""
    if args.collect:
        print(f"collected into {ledger.collect(args.study)}")
    study = STUDIES[args.study]
    everything, what, corpus = ledger.read(args.study), args.study, ""
    records = everything
    if study.ON_A_TEXT:
        data = args.data or "ptb"
        records = [r for r in everything if r["data"] == data]
        what, corpus = f"{args.study} on {data}", f" --corpus {data}"
    elif args.data:
        raise UserError(f"{args.study} has a text of its own: leave out --data.")
    if not records:
        raise UserError(
            f"the ledger holds no run of {what}: python -m lstm_tutorial {study.COMMAND}{corpus} makes some."
        )
    for table in study.tables(records):
        print(table, end="\n\n")
    print(claims_table(records=everything, study=args.study))
    return 0
