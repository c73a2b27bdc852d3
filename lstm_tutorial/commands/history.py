"""``history``: the LSTM of 1997, 2000, 2002 and 2005 on the tasks that asked for it, in NumPy."""

from .. import ledger
from .. import mode as modes
from ..errors import UserError
from ..studies import history as study
from .arguments import RUN_AGAIN, add_command, add_mode, add_seeds, key_of, reported_seeds

DESCRIPTION = """\
Train the cells of 1997, 2000, 2002 and 2005, and cells with one wire less, on the tasks of chapter 05.

  python -m lstm_tutorial history --mode smoke                 seconds: does it run?
  python -m lstm_tutorial history --tasks continual-reber --seeds 0 1
  python -m lstm_tutorial history                              everything, ten seeds: about half an hour

First each row tries the same learning rates, with a seed that is not reported; then it is run with the best.
Finished runs are in the ledger and are not done again: stop with Ctrl-C and give the command again to go on.
"""


def add_parser(subparsers):
    """Add ``history`` to the commands."""
    parser = add_command(
        subparsers,
        "history",
        run,
        help="1997, 2000, 2002, 2005: each part of the LSTM on the task that asked for it, in NumPy",
        description=DESCRIPTION,
        what_stays=RUN_AGAIN,
    )
    add = parser.add_argument
    tasks = " ".join(study.TASKS)
    add("--tasks", nargs="+", choices=study.TASKS, metavar="TASK", help=f"default: {tasks}")
    add("--variants", nargs="+", metavar="NAME", help="cells of the catalogue; default: all that a task has")
    add_seeds(parser, study.SEEDS)
    add_mode(parser)


def run(args):
    """Do the runs that were asked for, and print their table. Returns 0."""
    mode, seeds, pairs = (
        args.mode or modes.mode(),
        reported_seeds(args, study.TUNING_SEED),
        _pairs(args),
    )

    rates = {}
    for task, row in pairs:
        tried = {rate: study.perform(r) for rate, r in study.tuning_runs(task, row, mode).items()}
        rates[task, row] = study.choose_rate(tried)
        print(f"{task}: {row}, rate {rates[task, row]:g}.", flush=True)
    for seed in seeds:
        for (task, row), rate in rates.items():
            study.perform(study.run_of(task, row, seed, mode, rate))
    records = ledger.read(study.STUDY)
    for task in dict.fromkeys(task for task, _ in pairs):
        print(f"\n{study.results_table(records, task, mode)}")
    return 0


def _pairs(args):
    """(task, row) for all that was asked for."""
    wanted = {key_of(name) for name in args.variants or ()}
    pairs = [
        (task, row)
        for task in args.tasks or study.TASKS
        for row in study.ON[task]
        if not wanted or study.ROWS[row].variant in wanted
    ]
    if not pairs:
        has = sorted(
            {study.ROWS[row].variant for task in args.tasks or study.TASKS for row in study.ON[task]}
        )
        raise UserError(f"these tasks are run with the cells {', '.join(has)}, not with {', '.join(wanted)}.")
    return pairs
