"""``bench``: how fast, side by side."""

import torch

from .. import bench, ledger
from ..errors import UserError
from .arguments import add_command, key_of

DESCRIPTION = """\
Speed as ratios, each measured in one run: our hand-written backward pass against autograd for every cell,
NumPy against a PyTorch loop, and a training step against the ordinary script. Milliseconds are this
machine's; only the ratios travel. Let nothing else run meanwhile.
"""


def add_parser(subparsers):
    """Add ``bench`` to the commands."""
    parser = add_command(
        subparsers,
        "bench",
        run,
        help="how fast the engines are, as ratios",
        description=DESCRIPTION,
    )
    parser.add_argument("what", nargs="*", metavar="engines | numpy | training", help="default: all three")
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="cells to time; default: all")
    parser.add_argument("--rounds", type=int, default=30, metavar="N", help="timed rounds; default: 30")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads; default: 2")


def run(args):
    """Measure and print. Returns 0."""
    unknown = set(args.what) - {"engines", "numpy", "training"}
    if unknown:
        raise UserError(f"there is no benchmark {sorted(unknown)[0]!r}: choose engines, numpy or training.")
    cells = [key_of(name) for name in args.variants or ()]
    if args.rounds < 1 or args.threads < 1:
        raise UserError("--rounds and --threads are whole numbers of at least 1.")
    torch.set_num_threads(args.threads)
    what = args.what or ["engines", "numpy", "training"]
    versions = ledger.where_run(args.threads)["versions"]
    print(", ".join(f"{k} {v}" for k, v in versions.items()), end="\n\n")
    if "engines" in what:
        print(bench.engines_table(args.rounds, names=cells or None), end="\n\n", flush=True)
    if "numpy" in what:
        print(bench.numpy_table(args.rounds, threads=args.threads), end="\n\n", flush=True)
    if "training" in what:
        print(bench.training_table(args.rounds), flush=True)
    return 0
