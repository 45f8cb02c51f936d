"""The standard streams: none that is closed, and no output that is cut off without a word."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ingest.errors import OutputError

_LOST = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def whole_output() -> Iterator[None]:
    """Raises OutputError where not all that is printed within can be written to stdout."""
    if not _is_open(1):
        raise OutputError("standard output is closed; for no output write: > /dev/null")
    for stream in (0, 2):  # or a file or a pipe would get its number
        if not _is_open(stream):
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:  # it was closed
        sys.stderr = os.fdopen(2, "w")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as exc:
        if exc.errno not in _LOST or exc.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what is still to be flushed
        raise OutputError(f"the output is not complete: {exc.strerror}") from exc


def _is_open(stream: int) -> bool:
    with suppress(OSError):
        os.fstat(stream)
        return True
    return False
