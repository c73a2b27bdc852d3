"""The same for every test: no network, one thread, no chance; what needs absent things is skipped."""

import importlib.util
import os
import socket
from pathlib import Path

import pytest
from environment import ONE_THREAD
from hypothesis import settings

# Before numpy and torch are imported, which read these once.
os.environ.update(ONE_THREAD, LSTM_TUTORIAL_OFFLINE="1", MPLBACKEND="agg")
os.environ.setdefault("LSTM_TUTORIAL_MODE", "smoke")

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")


class NetworkUsed(AssertionError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Connections to this machine pass (dask and Jupyter talk to themselves); any other fails the test."""
    connect = socket.socket.connect

    def local_only(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])
            if not (host.startswith("127.") or host in ("::1", "localhost")):
                raise NetworkUsed(f"a test tried to connect to {host}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)


def _cuda():
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def pytest_collection_modifyitems(items):
    folder = os.environ.get("LSTM_TUTORIAL_DATA")
    for item in items:
        if item.get_closest_marker("gpu") and not _cuda():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
        for marker in item.iter_markers("real_data"):
            (name,) = marker.args
            if not (folder and (Path(folder) / name).is_dir()):
                item.add_marker(pytest.mark.skip(reason=f"needs the real {name} under LSTM_TUTORIAL_DATA"))
