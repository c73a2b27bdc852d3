"""``results``: the tables of the course, from the ledger."""

from .. import ledger
from ..claims import claims_table
from ..errors import UserError
from ..results import ablation_table
from ..studies import agreement, history, ptb_ablation

STUDIES = (ptb_ablation.STUDY, agreement.STUDY, history.STUDY)


def add_parser(subparsers):
    """Add ``results`` to the commands."""
    parser = subparsers.add_parser(
        "results",
        help="tables of what has been run, beside the papers' figures",
        description="Tables from the ledger: the runs committed in data/results, and those of this machine.",
    )
    default = ptb_ablation.STUDY
    parser.add_argument("study", nargs="?", choices=STUDIES, default=default, help=f"default: {default}")
    parser.add_argument(
        "--data", choices=("ptb", "banyan"), help=f"of {default}, on which text; default: ptb"
    )
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
    records = ledger.read(args.study)
    if args.study == ptb_ablation.STUDY:
        _ablation(records, args.data or "ptb")
        return 0
    if not records:
        raise UserError(
            f"the ledger holds no run of {args.study}: python -m lstm_tutorial {args.study} makes some."
        )
    for mode in sorted({r["mode"] for r in records}):
        if args.study == agreement.STUDY:
            print(agreement.results_table(records, mode), end="\n\n")
        else:
            for task in history.TASKS:
                print(history.results_table(records, task, mode), end="\n\n")
    print(claims_table(records=records, study=args.study))
    return 0


def _ablation(records, data):
    """The tables of seed 000, for every text and configuration that has been run."""
    records = [r for r in records if r["data"] == data]
    if not records:
        raise UserError(
            f"the ledger holds no run of {ptb_ablation.STUDY} on {data}: "
            f"python -m lstm_tutorial ablate --corpus {data} makes some."
        )
    texts = {}  # of one name there may be several, generated in several sizes
    for r in records:
        key = (r["mode"], r["settings"]["config"], tuple(sorted(r["data_sha256"].items())))
        texts.setdefault(key, []).append(r)
    for (mode, config, _), records in sorted(texts.items()):
        where = dict(data=data, mode=mode, config=config)
        print(ablation_table(records, **where), end="\n\n")
        print(ablation_table(records, **where, rates="tuned"), end="\n\n")
        if mode == "paper":
            print(ablation_table(records, **where, as_published=True), end="\n\n")
