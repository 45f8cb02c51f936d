"""Temporary folders that end with their process, however that ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "ingest_"


class TemporaryFolder:
    """A new folder, removed by close(); of a process that was killed, by the next one's first.

    what: a word in its name. It is locked as long as its process lives, which is how others tell.
    """

    def __init__(self, what: str) -> None:
        remove_leftovers()
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{what}_"))
            lock = _lock(self.path)
            if lock is not None and self.path.exists():
                break
            if lock is not None:  # another process took it for a leftover in between
                os.close(lock)
        self._lock = lock

    def close(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *error: object) -> None:
        self.close()


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder; None where another process holds it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def remove_leftovers() -> None:
    """Remove the folders of this user whose processes are gone."""
    with suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*_*"):
            if folder.stat().st_uid == os.getuid() and (lock := _lock(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
