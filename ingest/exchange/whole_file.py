"""A file that is written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.errors import ConfigError


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise ConfigError where a file would be overwritten, or there is no folder for it."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; name a file with --output")
    if path.exists() and not force:
        raise ConfigError(f"{path} exists; overwrite it with --force, or name another file")
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent} for {path.name}")


@contextmanager
def whole_file(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it at the end; removed after a failure.

    Raises ConfigError as refuse_existing does, or where the folder cannot be written to.
    """
    refuse_existing(path, force=force)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        refuse_existing(path, force=force)  # may have been created since the first check
        temporary.replace(path)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror or exc}") from exc
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
