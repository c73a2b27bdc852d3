"""``exchange``: by which part of the weighted sum a subject's number reaches the verb, in NumPy."""

from .. import ledger
from .. import mode as modes
from ..data import load_corpus
from ..studies import exchange as study
from .arguments import RUN_AGAIN, add_cells, add_command, add_mode, add_seeds, cells_among, reported_seeds

DESCRIPTION = """\
Train the LSTM and LSTM − SRNN on the generated Banyan treebank, in NumPy, let each read sentences with a
subject in both numbers, exchange parts of one reading for those of the other, and see what the verb makes of
it.

  python -m lstm_tutorial exchange --mode smoke     seconds: does it run?
  python -m lstm_tutorial exchange --seeds 0        one seed
  python -m lstm_tutorial exchange --mode paper     five seeds on the larger text, as reported: some minutes

Finished runs are in the ledger and are not done again: stop with Ctrl-C and give the command again to go on.
"""


def add_parser(subparsers):
    """Add ``exchange`` to the commands."""
    parser = add_command(
        subparsers,
        "exchange",
        run,
        help="which part of the weighted sum carries a subject's number, in NumPy (chapter 09)",
        description=DESCRIPTION,
        what_stays=RUN_AGAIN,
    )
    add_cells(parser, study.ROWS)
    add_seeds(parser, study.SEEDS)
    add_mode(parser)


def run(args):
    """Do the runs that were asked for, and print the table. Returns 0."""
    rows, mode = cells_among(args.variants, study.ROWS), args.mode or modes.mode()
    seeds = reported_seeds(args, study.TUNING_SEED)
    corpus = load_corpus("banyan", size=mode)
    for seed in seeds:
        for row in rows:
            study.perform(study.run_of(row, seed, mode), corpus)
    print()
    print(study.results_table(ledger.read(study.STUDY), mode))
    return 0
