"""``agreement``: an LSTM and a simple RNN on subject and verb, in NumPy."""

import argparse

from .. import ledger
from .. import mode as modes
from ..data import load_corpus
from ..studies import agreement as study
from ..studies.rates import best_rate, valid_perplexity
from .arguments import cells_among, seeds_among

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
    parser = subparsers.add_parser(
        "agreement",
        help="LSTM and simple RNN on subject and verb, in NumPy (chapters 01 and 04)",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    seeds = " ".join(map(str, study.SEEDS))
    parser.add_argument("--variants", nargs="+", metavar="NAME", help=f"default: {' '.join(study.ROWS)}")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help=f"default: {seeds}")
    parser.add_argument(
        "--mode", choices=modes.MODES, help="how much to compute; default: LSTM_TUTORIAL_MODE, or laptop"
    )
    parser.set_defaults(func=run)


def run(args):
    """Do the runs that were asked for, and print the table. Returns 0."""
    rows, mode = cells_among(args.variants, study.ROWS), args.mode or modes.mode()
    seeds = seeds_among(args.seeds, study.SEEDS, study.TUNING_SEED)
    corpus = load_corpus("banyan", size=mode)
    for row in rows:
        runs = study.tuning_runs(row, mode)
        tried = {rate: valid_perplexity(study.perform(r, corpus)) for rate, r in runs.items()}
        rate, at_edge = best_rate(tried)
        print(f"{row}: rate {rate:g}" + (", at the edge of what was tried." if at_edge else "."), flush=True)
    records = ledger.read(study.STUDY)
    rates = {row: study.chosen_rate(records, row, mode)[0] for row in rows}
    for seed in seeds:
        for row in rows:
            study.perform(study.run_of(row, seed, mode, rates[row]), corpus)
    print()
    print(study.results_table(ledger.read(study.STUDY), mode))
    return 0
