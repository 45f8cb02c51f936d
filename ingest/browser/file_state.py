"""Which state a database is in, by the file system only: nothing is opened, no SQL runs."""

from __future__ import annotations

import os
import time

# A file changed twice within one tick of its file system's clock looks as if it had changed once.
# Ticks are 4 ms on most, 1 s on some; and a writer needs a moment between the bytes and the commit.
_SETTLED_AFTER_NS = 1_000_000_000

State = tuple[tuple[int, ...], ...]


def settled_state(path: str) -> State | None:
    """Identifies a database's state: device, inode, size and times of file and log.

    Every commit changes the file or the write-ahead log beside it. None where there is no such
    file, or its last change is so recent that another one could hide behind it.
    """
    now_ns = time.time_ns()  # before the files are looked at: a later change is never older
    states = (_file_state(path), _file_state(f"{path}-wal"))
    if not states[0]:
        return None
    newest_ns = max(state[-1] for state in states if state)
    return states if now_ns - newest_ns > _SETTLED_AFTER_NS else None


def file_key(path: str) -> tuple[int, ...]:
    """Identifies the file behind a path, its first two numbers which file it is; empty for none.

    It changes where a file is replaced, overwritten or checkpointed, or its log is another one; a
    commit that only grows the log leaves it. Empty, too, for what is no readable file.
    """
    if not (os.path.isfile(path) and os.access(path, os.R_OK)):
        return ()
    log = _file_state(f"{path}-wal")
    return (*_file_state(path), *log[:2])


def _file_state(path: str) -> tuple[int, ...]:
    """Empty for a file that is not there, or holds nothing: readers make an empty log, too."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    if not found.st_size:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns, found.st_mtime_ns)
