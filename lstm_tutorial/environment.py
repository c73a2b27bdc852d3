"""What this course is running on: a short report to look at first, and to paste into a bug report.

It names no folder and no user, and whatever is missing or broken is a line of it, never an exception.
"""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import __version__
from .errors import UserError
from .mode import corpus_choice, mode

PACKAGES = ("torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab", "ipykernel")


def stamp() -> str:
    """Versions, system, device, threads, mode and data, one line each.

    Torch is imported and the real data sets at hand are checked, which takes a few seconds the first time.
    """
    device, threads = _torch()
    lines = {
        "lstm-tutorial": __version__,
        "Python": f"{platform.python_version()}, {_environment()}",
        "system": f"{_system()}, {platform.machine()}",
        **{package: _version(package) for package in PACKAGES},
        "device": device,
        "CPU threads": f"{threads} of {os.cpu_count()}",
        "mode": _chosen(mode),
        "corpus": _chosen(corpus_choice),
        **{f"data: {name}": status for name, status in _data().items()},
    }
    width = max(map(len, lines))
    return "\n".join(f"{key:{width}}  {value}" for key, value in lines.items())


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _environment():
    if sys.prefix == sys.base_prefix and not os.environ.get("CONDA_DEFAULT_ENV"):
        return "no virtual environment"
    return f"environment {Path(sys.prefix).name}"


def _system():
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def _torch():
    """The device that torch computes on, and its number of CPU threads."""
    try:
        import torch
    except (
        Exception
    ) as error:  # a broken build raises OSError, RuntimeError, ...: all of them belong in the report
        return f"unknown, torch cannot be imported ({type(error).__name__})", "unknown"
    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}", torch.get_num_threads()
    return "CPU", torch.get_num_threads()


def _chosen(choice):
    try:
        return choice()
    except UserError as error:
        return str(error)


def _data():
    """Data set → what was found of it, for those that would have to be downloaded."""
    try:
        from .data import DATA_SETS, verify

        reports = verify([name for name, entry in DATA_SETS.items() if entry.fetch])
    except Exception as error:
        return {"all": f"cannot be checked ({type(error).__name__})"}
    words = {
        "ok": "real files at hand and as published",
        "missing": "no real files at hand: the generated stand-in takes their place",
        "wrong": "files at hand, but not as published: python -m lstm_tutorial data verify says more",
    }
    return {report.name: words[report.status] for report in reports}
