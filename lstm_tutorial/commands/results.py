"""``results``: the tables of the course, from the ledger."""

from .. import ledger
from ..claims import claims_table
from ..errors import UserError
from ..studies import agreement, exchange, history, lstm_vs_gru, ptb_ablation
from .arguments import add_command


def _ablation(records):
    """The tables of seed 000, for every text and configuration that has been run."""
    for (data, mode, config), same in _by(records, _where):
        where = dict(data=data, mode=mode, config=config)
        yield ptb_ablation.results_table(same, **where)
        yield ptb_ablation.tuning_table(same, **where)
        yield ptb_ablation.results_table(same, **where, rates="tuned")
        if mode == "paper":
            yield ptb_ablation.results_table(same, **where, as_published=True)
            yield ptb_ablation.results_table(same, **where, rates="tuned", equal_parameters=True)
        if config == "small":
            yield ptb_ablation.results_table(same, **where, epochs=13, rates="tuned")


def _comparison(records):
    """The tables of seed 001, likewise."""
    for (data, mode, config), same in _by(records, _where):
        yield lstm_vs_gru.results_table(same, mode, config, data)


def _agreement(records):
    for mode, same in _by(records, lambda r: r["mode"]):
        yield agreement.results_table(same, mode)


def _exchange(records):
    for mode, same in _by(records, lambda r: r["mode"]):
        yield exchange.results_table(same, mode)


def _history(records):
    for mode, same in _by(records, lambda r: r["mode"]):
        for task in history.TASKS:
            yield history.results_table(same, task, mode)


def _where(record):
    return record["data"], record["mode"], record["settings"]["config"]


def _by(records, key):
    """[(key, its records)]. Of one text there may be several, generated in several sizes: each for itself."""
    groups = {}
    for r in records:
        groups.setdefault((key(r), tuple(sorted(r["data_sha256"].items()))), []).append(r)
    return [(k, groups[k, text]) for k, text in sorted(groups)]


# For every study: its tables, the command that makes its runs, and whether there is a text to choose.
STUDIES = {
    ptb_ablation.STUDY: (_ablation, "ablate", True),
    lstm_vs_gru.STUDY: (_comparison, "compare", True),
    agreement.STUDY: (_agreement, "agreement", False),
    exchange.STUDY: (_exchange, "exchange", False),
    history.STUDY: (_history, "history", False),
}


def add_parser(subparsers):
    """Add ``results`` to the commands."""
    parser = add_command(
        subparsers,
        "results",
        run,
        help="tables of what has been run, beside the papers' figures",
        description="Tables from the ledger: the runs committed in data/results, and those of this machine.",
    )
    default = ptb_ablation.STUDY
    parser.add_argument("study", nargs="?", choices=STUDIES, default=default, help=f"default: {default}")
    parser.add_argument(
        "--data",
        choices=("ptb", "banyan"),
        help=f"on which text, of {ptb_ablation.STUDY} and {lstm_vs_gru.STUDY}; default: ptb",
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
    tables, command, on_a_text = STUDIES[args.study]
    records, what, corpus = ledger.read(args.study), args.study, ""
    if on_a_text:
        data = args.data or "ptb"
        records = [r for r in records if r["data"] == data]
        what, corpus = f"{args.study} on {data}", f" --corpus {data}"
    if not records:
        raise UserError(
            f"the ledger holds no run of {what}: python -m lstm_tutorial {command}{corpus} makes some."
        )
    for table in tables(records):
        print(table, end="\n\n")
    print(claims_table(records=records, study=args.study))
    return 0
