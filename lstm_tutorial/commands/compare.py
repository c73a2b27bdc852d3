"""``compare``: seed 001's LSTM and GRU, run as published and fairly."""

import argparse

import torch

from .. import ledger
from .. import mode as modes
from ..data import load_corpus
from ..engines import ENGINES
from ..errors import UserError
from ..studies import lstm_vs_gru as study
from ..studies.rates import valid_perplexity
from ..studies.runner import perform
from .arguments import at_least, device_of

DESCRIPTION = """\
Train seed 001's language models, LSTM and GRU: as its author wired them, where the second layer knows how
the sentence ends; without that leak; and fairly, each cell at a learning rate of its own.

  python -m lstm_tutorial compare                                 minutes, on generated text
  python -m lstm_tutorial compare --config replica --corpus ptb   a small part of Penn Treebank: some
                                                                  five minutes a run, fifteen runs to
                                                                  choose rates and twelve for each seed
  python -m lstm_tutorial compare --config full --corpus ptb --device cuda    the paper's size: for a GPU

Finished runs are in the ledger and are not done again; a run that was interrupted (Ctrl-C, kill, power)
goes on where its last checkpoint was when the same command is given again.
"""


def add_parser(subparsers):
    """Add ``compare`` to the commands."""
    parser = subparsers.add_parser(
        "compare",
        help="LSTM against GRU on Penn Treebank, as published and fairly (seed 001)",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--config", choices=("replica", "full"), help="of Penn Treebank; without it the mode decides")
    add("--corpus", default="auto", choices=("auto", "ptb", "banyan"), help="default: PTB if it can be had")
    add("--rows", nargs="+", metavar="ROW", help=f"default: all; {'; '.join(map(repr, study.ROWS))}")
    add("--seeds", nargs="+", type=at_least(0), metavar="N", default=[0], help="default: 0")
    add("--engine", default="auto", choices=("auto", *ENGINES), help="default: the fastest for each cell")
    add("--device", default="cpu", metavar="DEVICE", help="cpu, cuda, cuda:1, …; default: cpu")
    add("--threads", type=at_least(1), metavar="N", help="CPU threads; default: torch's choice")
    add("--mode", choices=modes.MODES, help="how much to compute; default: LSTM_TUTORIAL_MODE, or laptop")
    parser.set_defaults(func=run)


def run(args):
    """Do the runs that were asked for, and print the table. Returns 0."""
    rows = args.rows or list(study.ROWS)
    for row in rows:
        if row not in study.ROWS:
            raise UserError(f"no row is called {row!r}; there are {'; '.join(map(repr, study.ROWS))}.")
    if study.TUNING_SEED in args.seeds:
        raise UserError(
            f"seed {study.TUNING_SEED} chooses learning rates and is never reported: take another."
        )
    device = device_of(args.device)
    if args.threads:
        torch.set_num_threads(args.threads)
    mode = args.mode or modes.mode()
    config = args.config or ("replica" if mode == "paper" else mode)
    mode = "paper" if args.config else mode
    corpus = load_corpus(args.corpus, size=mode)
    words = study.vocabulary_size(corpus, config)

    def do(row, run):
        return perform(run, corpus, args.engine, device, name=row)

    rates = {row: (study.SEED_RATE, study.BY_SEED) for row in rows}
    for row in rows:
        if study.ROWS[row].fair:
            rate, at_edge = study.choose_rate(
                row, mode, config, words, lambda run, row=row: valid_perplexity(do(row, run))
            )
            print(f"{row}: rate {rate:g}" + (", at the edge of what was tried." if at_edge else "."))
            rates[row] = rate, study.BY_VALID
    for seed in args.seeds:
        for row in rows:
            rate, selected_on = rates[row]
            do(row, study.run_of(row, seed, mode, config, words, rate, selected_on))
    print()
    records = [r for r in ledger.read(study.STUDY) if r["data_sha256"] == corpus.sha256]
    print(study.results_table(records, mode, config, corpus.name))
    return 0
