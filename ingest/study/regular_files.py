"""Reading files that a study names: whole, and only what is a file."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST_BYTES = 1_000_000_000


def read_regular(path: Path) -> bytes:
    """A file's content.

    Raises OSError, whose strerror says what is wrong: a link that leads nowhere, a folder, a pipe
    or a device (reading them would wait, or never end), too large a file.
    """
    problem = what_it_is(path)
    if problem:
        raise OSError(errno.EINVAL, problem, str(path))
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        text = f"{size / 1e6:,.0f} MB are too many: {LARGEST_BYTES / 1e6:,.0f} MB at most"
        raise OSError(errno.EFBIG, text, str(path))
    return path.read_bytes()


def what_it_is(path: Path) -> str:
    """What stands at a path in place of a file; empty where it is one, or nothing is there."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        is_link = path.is_symlink()
        return f"it is a link to {os.readlink(path)}, which is not there" if is_link else ""
    except OSError as exc:
        return "it is a link that leads to itself" if exc.errno == errno.ELOOP else ""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    is_file = stat.S_ISREG(mode)
    return "" if is_file else f"it is {kinds.get(stat.S_IFMT(mode), 'a device')}, not a file"
