"""The project's own virtual environment, `.venv`: made once, brought up to date when its requirements change.

Standard library only, because this runs before anything is installed.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "lstm_tutorial.stamp"

# Two processes of one thread each are several times faster on two cores than two of two threads, and a sum
# that is split over another number of threads rounds differently.
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def python() -> Path:
    """The interpreter inside the environment, whether it exists yet or not."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint() -> str:
    """What the installation depends on: both requirement files, and the folder the package is linked to."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("requirements.txt", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def ensure() -> Path:
    """Make `.venv` and install into it where that is needed; return its interpreter.

    Ends the program with one sentence when the environment cannot be made or filled.
    """
    if python().exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == fingerprint():
        return python()
    if not python().exists():
        # Debian and Ubuntu ship venv without the ensurepip that it needs, in a package of its own.
        if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
            sys.exit(
                "This Python's venv module is missing or incomplete, so it cannot make virtual environments: "
                "install it (on Debian and Ubuntu: sudo apt install python3-venv) and run the command again."
            )
        print(f"Making the virtual environment {VENV.name} ...", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", VENV]).returncode:
            sys.exit(
                f"The virtual environment {VENV.name} could not be made: the message above says why; "
                f"delete the folder {VENV.name} before you try again."
            )
    print("Installing what requirements.txt names (the first time can take several minutes) ...", flush=True)
    install = [python(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    if subprocess.run([*install, "-r", "requirements.txt", "-e", "."], cwd=ROOT).returncode:
        sys.exit(
            "pip could not install the requirements: its last messages above say why; "
            "once that is mended, the same command goes on from here."
        )
    STAMP.write_text(fingerprint(), encoding="utf-8")
    return python()
