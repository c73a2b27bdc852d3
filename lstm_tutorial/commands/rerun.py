"""``rerun``: a run of the ledger once more, from nothing but what its record says."""

import math

from .. import ledger
from ..errors import UserError
from ..studies.catalogue import STUDIES
from ..tables import Table
from .arguments import add_command, device_of

WITHIN = 0.03  # what another machine, version or engine may change in a perplexity

DESCRIPTION = f"""\
Do a run of the ledger again, from its recorded settings, and put its figures beside the recorded ones.

  python -m lstm_tutorial rerun                 which runs there are
  python -m lstm_tutorial rerun 1f0c            the run whose id begins so

On the same machine, with the same versions and threads, a run repeats to the bit; elsewhere its perplexities
should land within {WITHIN:.0%}. Nothing is written to the ledger. Exit code 1 if one lands elsewhere, or if
the run ends otherwise.
"""


def add_parser(subparsers):
    """Add ``rerun`` to the commands."""
    parser = add_command(
        subparsers,
        "rerun",
        run,
        help="a run of the ledger once more, from its recorded settings",
        description=DESCRIPTION,
    )
    parser.add_argument("run_id", nargs="?", metavar="RUN_ID", help="the beginning of the run's id")
    parser.add_argument("--device", default="cpu", metavar="DEVICE", help="cpu, cuda, …; default: cpu")


def run(args):
    """Do the run, or list all. Returns 0; 1 if a perplexity landed elsewhere or the run ended otherwise."""
    records = [r for study in STUDIES for r in ledger.read(study)]
    if args.run_id is None:
        print(_list_of(records))
        return 0
    record = _named(args.run_id, records)
    outcome = STUDIES[record["study"]].again(record, device_of(args.device))
    table, off = _beside(record, outcome)
    print(table)
    return 1 if off or outcome.status != record["status"] else 0


def _named(beginning, records):
    found = [r for r in records if r["run_id"].startswith(beginning)]
    if len(found) != 1:
        how_many = f"{len(found)} runs have ids that begin" if found else "no run has an id that begins"
        raise UserError(f"{how_many} with {beginning!r}: python -m lstm_tutorial rerun lists all.")
    return found[0]


def _list_of(records):
    rows = tuple(
        (
            r["run_id"],
            r["study"],
            r["data"],
            r["variant"],
            str(r["seed"]),
            f"{r['seconds']:,.0f}",
            r["status"],
        )
        for r in records
    )
    columns = ("run", "study", "data", "cell", "seed", "seconds", "ended")
    return Table("Runs of the ledger", columns, rows, left=4)


def _beside(record, outcome):
    """The table of recorded and new figures, and how many perplexities are further off than WITHIN."""
    rows, off = [("status", record["status"], outcome.status, "")], 0
    for name, before in record["metrics"].items():
        before, now = _number(before), _number(outcome.metrics.get(name))
        same = now == before or (math.isnan(now) and math.isnan(before))
        if not same and "perplexity" in name and not abs(now / before - 1) <= WITHIN:
            off += 1
        change = f"{now / before - 1:+.2%}" if before else f"{now - before:+.3g}"
        rows.append((name, f"{before:.6g}", f"{now:.6g}", "the same" if same else change))
    return Table(f"Run {record['run_id']}", ("", "recorded", "now", "difference"), tuple(rows)), off


def _number(value):
    """A metric; nan for one that is not there, or was not finite, which the ledger writes as null."""
    return math.nan if value is None else value
