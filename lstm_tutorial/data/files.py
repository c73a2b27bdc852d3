"""Where data files are: in the reader's own folder, or in a cache that downloads fill.

Both are laid out alike, one folder per data set:

    <folder>/ptb/ptb.train.txt      also taken: ptb.train.txt.gz, and either of them without ptb/

LSTM_TUTORIAL_DATA names the reader's folder; while it is set nothing is downloaded. With
LSTM_TUTORIAL_OFFLINE=1 nothing is downloaded either.
"""

import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError

UNSET = "unset LSTM_TUTORIAL_DATA to have it downloaded"
STAND_IN = "take the generated stand-in (`--corpus banyan`)"


class NotHere(DataError):
    """None of a data set's files is in the place where they were looked for."""


@dataclass(frozen=True)
class Place:
    """A folder of data files. `own` says whether the reader brought it or it is the download cache."""

    folder: Path
    own: bool

    def __str__(self):
        return f"{self.folder} ({'LSTM_TUTORIAL_DATA' if self.own else 'the download cache'})"

    def way_out(self, dataset, name):
        """What to do about a file that is missing or damaged: the end of an error's sentence."""
        if self.own:
            return f"put the original {name} there, or {UNSET}, or {STAND_IN}."
        return f"delete it and run `python -m lstm_tutorial data fetch {dataset}`, or {STAND_IN}."


def place():
    """The reader's folder if LSTM_TUTORIAL_DATA is set, otherwise the download cache.

    Raises DataError if LSTM_TUTORIAL_DATA does not name a folder.
    """
    own = os.environ.get("LSTM_TUTORIAL_DATA", "").strip()
    if not own:
        import pooch

        return Place(Path(pooch.os_cache("lstm_tutorial")), own=False)
    folder = Path(own).expanduser()
    if not folder.is_dir():
        raise NotHere(
            f"LSTM_TUTORIAL_DATA is {own!r}, which is not a folder: set it to the folder that holds the data "
            f"files, or unset it to have them downloaded, or {STAND_IN}."
        )
    return Place(folder, own=True)


def is_offline():
    """Whether LSTM_TUTORIAL_OFFLINE forbids downloads."""
    return os.environ.get("LSTM_TUTORIAL_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def find(where, dataset, name):
    """The path of a file, plain or gzipped, or None."""
    for folder in (where.folder / dataset, where.folder):
        for path in (folder / name, folder / f"{name}.gz"):
            if path.exists():
                return path
    return None


def find_all(where, dataset, names):
    """{name: path}. Raises NotHere if no file is there, DataError if only some are."""
    paths = {name: find(where, dataset, name) for name in names}
    missing = [name for name, path in paths.items() if path is None]
    if not missing:
        return paths
    kind = NotHere if len(missing) == len(paths) else DataError
    if where.own:
        way_out = f"put the files, plain or as .gz, into {where.folder / dataset}, or {UNSET}, or {STAND_IN}."
    else:
        way_out = (
            f"run `python -m lstm_tutorial data fetch {dataset}`, or set LSTM_TUTORIAL_DATA to a folder that "
            f"holds it, or {STAND_IN}."
        )
    raise kind(f"{', '.join(missing)} not found in {where}: {way_out}")


def read(path, way_out):
    """The plain bytes of a file, unpacked if its name ends in .gz. DataError if that cannot be done."""
    try:
        data = path.read_bytes()
    except OSError as problem:
        raise DataError(f"{path} cannot be read ({problem.strerror}): {way_out}") from problem
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as problem:
        raise DataError(
            f"{path} is not a complete gzip file ({problem}; {len(data):,} bytes found): {way_out}"
        ) from problem


def download(dataset, sources, timeout, say):
    """Download files into the cache, check each SHA-256, and return {name: path}.

    sources: {name: (address, sha256)}; a file already in the cache with that hash is not downloaded
    timeout: seconds (to connect, between two packets); there is one attempt per file
    Raises NotHere if a file cannot be had.
    """
    import pooch

    where = place()
    pooch.get_logger().setLevel("WARNING")  # `say` tells it in our words
    paths = {}
    for name, (address, sha256) in sources.items():
        folder = where.folder / dataset
        if not (folder / name).exists():
            say(f"Downloading {address}")
        try:
            paths[name] = Path(
                pooch.retrieve(
                    address,
                    known_hash=f"sha256:{sha256}",
                    fname=name,
                    path=folder,
                    downloader=pooch.HTTPDownloader(timeout=timeout),
                )
            )
        except (
            OSError,
            ValueError,
        ) as problem:  # requests' errors are OSErrors; a wrong hash is a ValueError
            # The exceptions' own words run over several lines; their names say enough.
            reason = "its SHA-256 was wrong" if isinstance(problem, ValueError) else type(problem).__name__
            raise NotHere(
                f"{name} could not be downloaded from {address} ({reason}): "
                f"try again later, or download the file elsewhere and set LSTM_TUTORIAL_DATA to its folder, "
                f"or {STAND_IN}."
            ) from problem
    return paths
