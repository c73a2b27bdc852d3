"""Executes notebooks in laptop mode on the stand-ins and stores their outputs, the same bytes every time.

    python tools/execute_notebooks.py [--limit SECONDS] [NOTEBOOK ...]      all of notebooks/ by default

A cell may take a minute, because that is what a reader is promised. No network, one thread, no real data:
the stored outputs are those that every reader can have. What would differ from run to run is left out
(timestamps, the version of Python, the state and the random names of widgets); how the outputs came about
is noted in the metadata, where tools/lint_notebooks.py looks for it.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from environment import ONE_THREAD
from lint_notebooks import ROOT, STORED, code_sha256, problems, read
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"}


def execute(nb, folder, limit=60) -> list[float]:
    """Execute a notebook in place, as if it lay in that folder; return the seconds each code cell took.

    Raises nbclient's errors where a cell fails, takes longer than `limit` seconds, or ends the kernel.
    """
    client = NotebookClient(
        nb,
        timeout=limit,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # how a stream is cut into messages is chance
        resources={"metadata": {"path": str(folder)}},
    )
    seconds = []
    with client.setup_kernel():
        for index, cell in enumerate(nb.cells):
            cell.metadata.pop("execution", None)
            start = time.perf_counter()
            client.execute_cell(cell, index)
            if cell.cell_type == "code":
                seconds.append(time.perf_counter() - start)
                for k, output in enumerate(cell.outputs):
                    if WIDGET in output.get("data", {}):
                        output.data[WIDGET]["model_id"] = f"{cell.id}-{k}"
    nb.metadata.pop("widgets", None)
    nb.metadata["kernelspec"] = KERNEL
    nb.metadata["language_info"] = LANGUAGE
    nb.metadata["lstm_tutorial"] = {
        **nb.metadata.get("lstm_tutorial", {}),
        **STORED,
        "code_sha256": code_sha256(nb),
    }
    return seconds


def write(nb, path):
    """Store a notebook, with the same line ends on every system."""
    Path(path).write_text(nbformat.writes(nb) + "\n", encoding="utf-8", newline="\n")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--limit", type=int, default=60, help="seconds that a cell may take (default: 60)")
    args = parser.parse_args(argv)

    failed = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for variable in ("LSTM_TUTORIAL_DATA", "MPLBACKEND"):
            os.environ.pop(variable, None)
        os.environ.update(  # the kernels inherit these
            LSTM_TUTORIAL_MODE=STORED["mode"],
            LSTM_TUTORIAL_CORPUS=STORED["corpus"],
            LSTM_TUTORIAL_OFFLINE="1",
            IPYTHONDIR=profile,  # without the user's own start-up files
            **ONE_THREAD,
        )
        for path in args.notebooks or sorted((ROOT / "notebooks").glob("*.ipynb")):
            nb = read(path)
            try:
                seconds = execute(nb, path.resolve().parent, args.limit)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                print(f"{path.name}: not stored, because a cell failed or took over {args.limit} s:\n{error}")
                failed = True
                continue
            write(nb, path)
            slowest = max(seconds, default=0.0)
            print(f"{path.name}: {sum(seconds):.1f} s, its slowest cell {slowest:.1f} s", flush=True)
            for problem in problems(nb):
                print(f"{path.name}: {problem}.")
                failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
