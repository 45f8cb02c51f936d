"""A file that a command writes: may it be written there, and then whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ingest.errors import ConfigError


@dataclass(frozen=True)
class OutputFile:
    """A path to write to, and what may not happen there.

    endings: what its name must end in, any where empty. force: replace a file that exists.
    keep: files that are never replaced, and what each is, in words.
    """

    path: Path
    endings: tuple[str, ...] = ()
    force: bool = False
    keep: Mapping[Path, str] = field(default_factory=dict)

    def check(self) -> None:
        """Raise ConfigError where nothing may be written to the path, with what to do instead."""
        path = self.path
        kept = next((what for file, what in self.keep.items() if _is_same(path, file)), None)
        if kept is not None:
            raise ConfigError(f"{path} is {kept}, which no output replaces; name another file")
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; name a file")
        if self.endings and not path.name.lower().endswith(self.endings):
            *others, last = self.endings
            endings = f"{', '.join(others)} or {last}" if others else last
            raise ConfigError(f"{path}: the name must end in {endings}")
        if path.exists() and not self.force:
            raise ConfigError(f"{path} exists; overwrite it with --force, or name another file")
        if not path.parent.is_dir():
            raise ConfigError(f"there is no folder {path.parent} for {path.name}")

    @contextmanager
    def whole(self) -> Iterator[Path]:
        """A temporary path beside it that replaces it at the end; removed after a failure.

        Raises ConfigError as check() does, or where the folder cannot be written to.
        """
        self.check()
        path = self.path
        try:
            handle, name = tempfile.mkstemp(
                dir=path.parent, prefix=f".{path.name}.", suffix=".part"
            )
        except OSError as exc:
            raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            self.check()  # may have been created since the first check
            temporary.replace(path)
        except OSError as exc:
            raise ConfigError(f"{path} cannot be written: {exc.strerror or exc}") from exc
        finally:
            temporary.unlink(missing_ok=True)

    def write(self, content: bytes) -> None:
        """Write the whole file. Raises ConfigError as whole() does."""
        with self.whole() as temporary:
            temporary.write_bytes(content)


def _is_same(path: Path, other: Path) -> bool:
    """Whether two paths lead to one file, also where it is not there yet."""
    try:
        return path.samefile(other)
    except OSError:
        return path.resolve() == other.resolve()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
