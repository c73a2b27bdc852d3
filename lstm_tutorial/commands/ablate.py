"""``ablate``: seed 000's table, run."""

from .. import ledger
from ..errors import UserError
from ..spec import variants
from ..studies import ptb_ablation as study
from ..studies.rates import valid_perplexity
from ..studies.runner import perform
from .arguments import (
    RESUMED,
    add_command,
    add_seeds,
    add_torch,
    at_least,
    check_engine,
    corpus_of,
    device_and_threads,
    key_of,
    mode_and_config,
    positive,
    reported_seeds,
    say_rate,
)

DESCRIPTION = """\
Train the five language models of seed 000 and show what each part of an LSTM is worth.

  python -m lstm_tutorial ablate                               a few minutes: small models, little text
  python -m lstm_tutorial ablate --config small --corpus ptb   the paper's settings: about an hour
                                                               on two cores

Finished runs are in the ledger and are not done again; a run that was interrupted (Ctrl-C, kill, power)
goes on where its last checkpoint was when the same command is given again, and a finished one from its
end when more --epochs are asked for.
"""


def add_parser(subparsers):
    """Add ``ablate`` to the commands."""
    parser = add_command(
        subparsers,
        "ablate",
        run,
        help="the LSTM without some of its parts, on Penn Treebank (seed 000)",
        description=DESCRIPTION,
        what_stays=RESUMED,
    )
    add = parser.add_argument
    add("--variants", nargs="+", metavar="NAME", help="rows; default: the five of seed 000")
    add_seeds(parser, [0])
    add("--epochs", type=at_least(1), metavar="N", help="instead of the configuration's")
    add("--learning-rates", nargs="+", type=positive, metavar="RATE", help="instead of the configuration's")
    add(
        "--tune",
        action="store_true",
        help="choose a rate per row, on validation, at the configuration's width; then run with it",
    )
    add("--as-published", action="store_true", help="do what the code of seed 000 did, row by row")
    add(
        "--equal-parameters",
        action="store_true",
        help="widen each row until its whole model is as large as the LSTM's",
    )
    add_torch(parser, ("small", "medium", "large"))


def run(args):
    """Do the runs that were asked for, and print the table. Returns 0."""
    rows, device = _rows(args), device_and_threads(args)
    if args.tune and (args.learning_rates or args.as_published):
        raise UserError("--tune chooses the rate itself: leave out --learning-rates and --as-published.")
    if args.equal_parameters and args.as_published:
        raise UserError("--as-published has the published widths: leave out --equal-parameters.")
    seeds = reported_seeds(args, study.TUNING_SEED)
    mode, config = mode_and_config(args, "small")
    corpus = corpus_of(args, mode)

    def do(run):
        return perform(run, corpus, args.engine, device)

    rates = {row: args.learning_rates or [None] for row in rows}
    selected_on = study.BY_HAND if args.learning_rates else study.BY_SEED
    if args.tune:
        selected_on = study.BY_VALID
        for row in rows:
            rate, at_edge = study.choose_rate(row, mode, config, lambda run: valid_perplexity(do(run)))
            say_rate(row, rate, at_edge)
            rates[row] = [rate]
    make = study.published_run if args.as_published else study.run_of
    changes = dict.fromkeys(rows, {})
    if args.equal_parameters:
        changes = {
            row: {"hidden_size": study.equal_width(row, config, len(corpus.vocabulary))} for row in rows
        }
    for seed in seeds:
        for row in rows:
            for rate in rates[row]:
                how = dict(epochs=args.epochs, rate=rate, selected_on=selected_on) | changes[row]
                do(make(row, seed, mode, config, **how))
    print()
    print(
        study.results_table(
            [r for r in ledger.read(study.STUDY) if r["data_sha256"] == corpus.sha256],
            rows=list(dict.fromkeys([*_rows_of_the_seed(args), *rows])),
            data=corpus.name,
            mode=mode,
            config=config,
            epochs=args.epochs,
            rates="tuned" if args.tune else args.learning_rates or "seed",
            as_published=args.as_published,
            equal_parameters=args.equal_parameters,
        )
    )
    return 0


def _rows_of_the_seed(args):
    return study.AS_PUBLISHED if args.as_published else study.ROWS


def _rows(args):
    """The canonical keys of the rows asked for, each known to be possible before anything is run."""
    rows = [key_of(name) for name in args.variants or _rows_of_the_seed(args)]
    if args.as_published:
        for row in rows:
            if row not in study.AS_PUBLISHED:
                published = ", ".join(study.AS_PUBLISHED)
                raise UserError(f"seed 000 published no code for {row!r}; --as-published has {published}.")
    check_engine(args.engine, [variants[row] for row in rows])
    return rows
