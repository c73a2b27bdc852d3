"""Runs one of the project's commands in its own virtual environment, which is made first if need be.

    python tools/run.py lab          JupyterLab, opened at notebooks/00_start_here.ipynb
    python tools/run.py test         lint, tests, and every notebook executed again and compared
    python tools/run.py notebooks    execute the notebooks and store their outputs
    python tools/run.py slides       build slides from the notebooks, into slides/
    python tools/run.py lint         only the lint of code and notebooks
    python tools/run.py install      only the environment

What follows the command is handed on: to JupyterLab (lab --no-browser), to pytest (test -k mode),
to the executor or the builder (slides notebooks/00_start_here.ipynb).
"""

import sys

# Before any other import, and in a file whose syntax every Python 3 still in use can read.
if sys.version_info < (3, 11):
    sys.exit(
        "This course needs Python 3.11 or newer, and this is Python %d.%d: name a newer one, "
        "for instance make lab PYTHON=python3.12, or python3.12 tools/run.py lab." % sys.version_info[:2]
    )

import json
import os
import subprocess
import tempfile
from pathlib import Path

import environment
from environment import ROOT

START = "notebooks/00_start_here.ipynb"


def run(*command, **variables):
    """Run a command from the repository's root, with these environment variables; return its exit code.

    Ctrl-C reaches the command itself, which decides what to do about it (JupyterLab asks first); when
    that is over, so is the program.
    """
    common = {
        "PYTHONUTF8": "1",  # mathematics in messages, on Windows too
        "JUPYTER_PREFER_ENV_PATH": "1",  # our kernel, where the user has another of the same name
    }
    environ = {**os.environ, **common, **variables}
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, env=environ)
    interrupted = False
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        sys.exit(130)  # what a shell reports after Ctrl-C
    return code


def run_all(steps):
    """Run every (name, exit code of calling it), so that one round shows all there is to mend."""
    failed = []
    for name, step in steps:
        print("\n== " + name, flush=True)
        if step():
            failed.append(name)
    if failed:
        print("\nFailed: " + ", ".join(failed) + ".")
    return 1 if failed else 0


def lab(python, args):
    """Start JupyterLab at the map of the course."""
    quiet = [  # no pop-up about news and no look at the network for updates and extensions
        "--LabApp.news_url=None",
        f"--LabApp.app_settings_dir={Path(__file__).with_name('jupyterlab')}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    return run(python, "-m", "jupyterlab", START, "--ServerApp.root_dir=" + str(ROOT), *quiet, *args)


def lint_steps(python):
    def ruff(*options):
        return lambda: run(python, "-m", "ruff", *options, "--output-format=concise", ".")

    return [
        ("ruff check", ruff("check")),
        ("ruff format", ruff("format", "--check")),
        ("notebook lint", lambda: run(python, "tools/lint_notebooks.py")),
    ]


def lint(python, args):
    """Lint of code and notebooks, without running any of it."""
    return run_all(lint_steps(python))


def notebooks_with_real_data():
    """Those whose metadata names data sets (lstm_tutorial.uses) that all lie under LSTM_TUTORIAL_DATA."""
    folder = os.environ.get("LSTM_TUTORIAL_DATA")
    found = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
        uses = metadata.get("lstm_tutorial", {}).get("uses", [])
        if folder and uses and all(_at_hand(Path(folder), name) for name in uses):
            found.append(path.relative_to(ROOT))
    return found


def _at_hand(folder, name):
    """Whether the files of a data set lie in a folder, or in one of its name there."""
    return (folder / name).is_dir() or any(folder.glob(f"{name}.*"))


def test(python, args):
    """Lint; notebooks on real data that lie at hand; all tests, and all notebooks on the stand-ins."""
    os.environ.pop("MPLBACKEND", None)  # would take the place of the notebooks' inline figures
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:

        def pytest(*what, corpus):
            return run(
                *(python, "-m", "pytest", *what, *args),
                *("--nbval", "--nbval-current-env", "--nbval-cell-timeout=120"),
                "--nbval-sanitize-with=tools/nbval_sanitize.cfg",
                *("-n", "2", "--dist", "loadscope"),  # a notebook is a scope: its cells stay together
                LSTM_TUTORIAL_MODE="smoke",
                LSTM_TUTORIAL_OFFLINE="1",
                LSTM_TUTORIAL_CORPUS=corpus,
                IPYTHONDIR=profile,  # without the reader's own start-up files
                **environment.ONE_THREAD,
            )

        steps = lint_steps(python)
        real = notebooks_with_real_data()
        if real and not args:
            steps.append(("notebooks on real data", lambda: pytest(*real, corpus="real")))
        steps.append(("tests and notebooks", lambda: pytest("tests", "notebooks", corpus="stand-in")))
        return run_all(steps)


def notebooks(python, args):
    """Execute the notebooks in laptop mode on the stand-ins and store their outputs."""
    return run(python, "tools/execute_notebooks.py", *args)


def slides(python, args):
    """Build slides from the cells of the notebooks and their stored outputs."""
    return run(python, "tools/build_slides.py", *args)


def install(python, args):
    """The environment is there by now."""
    print("The environment is ready: " + str(python.relative_to(ROOT)))
    return 0


COMMANDS = {command.__name__: command for command in (lab, test, notebooks, slides, lint, install)}


def main(argv):
    if not argv or argv[0] not in COMMANDS:
        print(__doc__)
        return 0 if argv in (["-h"], ["--help"]) else 2
    return COMMANDS[argv[0]](environment.ensure(), argv[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
