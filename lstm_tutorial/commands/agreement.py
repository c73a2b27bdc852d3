"""``agreement``: an LSTM and a simple RNN on subject and verb, in NumPy."""

from .. import ledger
from .. import mode as modes
from ..data import load_corpus
from ..studies import agreement as study
from ..studies.rates import best_rate, valid_perplexity
from .arguments import (
    RUN_AGAIN,
    add_cells,
    add_command,
    add_mode,
    add_seeds,
    cells_among,
    reported_seeds,
    say_rate,
)

DESCRIPTION = """\
Train an LSTM and a simple RNN on the generated Banyan treebank, in NumPy, and see how often each gets a verb
right past more and more attractors: "the leaves of the tree near the walls ... are".

  python -m lstm_tutorial agreement --mode smoke     seconds: does it run?
  python -m lstm_tutorial agreement --seeds 0        about five minutes
  python -m lstm_tutorial agreement                  five seeds: a quarter of an hour
  python -m lstm_tutorial agreement --mode paper     the larger text: about three quarters of an hour

First each cell tries the same learning rates, with a seed that is not reported; then it is run with the best.
Finished runs are in the ledger and are not done again: stop with Ctrl-C and give the command again to go on.
"""


def add_parser(subparsers):
    """Add ``agreement`` to the commands."""
    parser = add_command(
        subparsers,
        "agreement",
        run,
        help="LSTM and simple RNN on subject and verb, in NumPy (chapters 01 and 04)",
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
    for row in rows:
        runs = study.tuning_runs(row, mode)
        tried = {rate: valid_perplexity(study.perform(r, corpus)) for rate, r in runs.items()}
        rate, at_edge = best_rate(tried)
        say_rate(row, rate, at_edge)
    records = ledger.read(study.STUDY)
    rates = {row: study.chosen_rate(records, row, mode)[0] for row in rows}
    for seed in seeds:
        for row in rows:
            study.perform(study.run_of(row, seed, mode, rates[row]), corpus)
    print()
    print(study.results_table(ledger.read(study.STUDY), mode))
    return 0
