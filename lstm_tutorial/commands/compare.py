"""``compare``: seed 001's LSTM and GRU, run as published and fairly."""

from .. import ledger
from ..errors import UserError
from ..spec import variants
from ..studies import lstm_vs_gru as study
from ..studies.rates import valid_perplexity
from ..studies.runner import perform
from .arguments import (
    RESUMED,
    add_command,
    add_seeds,
    add_torch,
    check_engine,
    corpus_of,
    device_and_threads,
    mode_and_config,
    positive,
    reported_seeds,
    say_rate,
)

DESCRIPTION = """\
Train seed 001's language models, LSTM and GRU: as its author wired them, where the second layer knows how
the sentence ends; without that leak; and fairly, each cell at a learning rate of its own.

  python -m lstm_tutorial compare                                 minutes: small models, little text
  python -m lstm_tutorial compare --config replica --corpus ptb   a small part of Penn Treebank: some
                                                                  five minutes a run; twenty-one or
                                                                  more to choose rates, and fifteen for
                                                                  each seed
  python -m lstm_tutorial compare --config full --corpus ptb --device cuda    the paper's size: for a GPU

Finished runs are in the ledger and are not done again; a run that was interrupted (Ctrl-C, kill, power)
goes on where its last checkpoint was when the same command is given again.
"""


def add_parser(subparsers):
    """Add ``compare`` to the commands."""
    parser = add_command(
        subparsers,
        "compare",
        run,
        help="LSTM against GRU on Penn Treebank, as published and fairly (seed 001)",
        description=DESCRIPTION,
        what_stays=RESUMED,
    )
    parser.add_argument(
        "--rows", nargs="+", metavar="ROW", help=f"default: all; {'; '.join(map(repr, study.ROWS))}"
    )
    add_seeds(parser, [0])
    parser.add_argument(
        "--also-try",
        nargs="+",
        type=positive,
        default=[],
        metavar="RATE",
        help="rates to try too, for fair rows; which one is taken does not depend on them",
    )
    add_torch(parser, ("replica", "full"))


def run(args):
    """Do the runs that were asked for, and print the table. Returns 0."""
    rows = args.rows or list(study.ROWS)
    for row in rows:
        if row not in study.ROWS:
            raise UserError(f"no row is called {row!r}; there are {'; '.join(map(repr, study.ROWS))}.")
    check_engine(args.engine, [variants[study.ROWS[row].variant] for row in rows])
    seeds, device = reported_seeds(args, study.TUNING_SEED), device_and_threads(args)
    mode, config = mode_and_config(args, "replica")
    corpus = corpus_of(args, mode)
    words = study.vocabulary_size(corpus, config)

    def do(row, run):
        return perform(run, corpus, args.engine, device, name=row)

    rates = {row: (study.SEED_RATE, study.BY_SEED) for row in rows}
    for row in rows:
        if study.ROWS[row].fair:
            rate, at_edge = study.choose_rate(
                row, mode, config, words, lambda run, row=row: valid_perplexity(do(row, run))
            )
            say_rate(row, rate, at_edge)
            rates[row] = rate, study.BY_VALID
            for further in args.also_try:
                do(row, study.run_of(row, study.TUNING_SEED, mode, config, words, further, study.BY_GRID))
    for seed in seeds:
        for row in rows:
            rate, selected_on = rates[row]
            do(row, study.run_of(row, seed, mode, config, words, rate, selected_on))
    print()
    records = [r for r in ledger.read(study.STUDY) if r["data_sha256"] == corpus.sha256]
    print(study.results_table(records, mode, config, corpus.name))
    return 0
