"""``results``: the tables of the course, from the ledger."""

from .. import ledger
from ..errors import UserError
from ..results import ablation_table
from ..studies import ptb_ablation

STUDIES = (ptb_ablation.STUDY,)


def add_parser(subparsers):
    """Add ``results`` to the commands."""
    parser = subparsers.add_parser(
        "results",
        help="tables of what has been run, beside the papers' figures",
        description="Tables from the ledger: the runs committed in data/results, and those of this machine.",
    )
    parser.add_argument("study", nargs="?", choices=STUDIES, default=ptb_ablation.STUDY)
    parser.add_argument("--data", default="ptb", choices=("ptb", "banyan"), help="default: ptb")
    parser.add_argument(
        "--collect",
        action="store_true",
        help="fold this machine's finished runs into data/results (for those who maintain the course)",
    )
    parser.set_defaults(func=run)


def run(args):
    """Print the tables of a study. Returns 0."""
    if args.collect:
        print(f"collected into {ledger.collect(args.study)}")
    records = [r for r in ledger.read(args.study) if r["data"] == args.data]
    if not records:
        raise UserError(
            f"the ledger holds no run of {args.study} on {args.data}: "
            f"python -m lstm_tutorial ablate --corpus {args.data} makes some."
        )
    texts = {}  # of one name there may be several, generated in several sizes
    for r in records:
        key = (r["mode"], r["settings"]["config"], tuple(sorted(r["data_sha256"].items())))
        texts.setdefault(key, []).append(r)
    for (mode, config, _), records in sorted(texts.items()):
        where = dict(data=args.data, mode=mode, config=config)
        print(ablation_table(records, **where), end="\n\n")
        print(ablation_table(records, **where, rates="tuned"), end="\n\n")
        if mode == "paper":
            print(ablation_table(records, **where, as_published=True), end="\n\n")
    return 0
