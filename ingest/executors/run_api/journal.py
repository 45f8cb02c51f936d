"""The submission journal: a file beside the database that says what was sent and answered.

One JSON line an event. "sending" is on the disk before a document leaves, its answer right after
it came; so a job without a line was certainly never sent, and one whose last line is "sending"
may have been accepted without anybody knowing. No document and no credential stands in it.

A line of its own gives the journal an id, which the database keeps with each run: so jobs whose
journal was left behind are not taken for jobs that were never sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ingest.clock import SystemClock
from ingest.errors import BackendError
from ingest.executors.job_name import new_ulid
from ingest.study.combination import Combination

_ID = "journal"


class JournalEvent(StrEnum):
    """What a line says of a job; the last line about it counts."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not accepted"
    LOST = "lost"


@dataclass(frozen=True)
class JournalLine:
    """One event. ulid: the one the job was handed in under; time: UTC, ISO 8601."""

    event: JournalEvent
    ulid: str
    combination: Combination
    environment: str
    time: str
    job_id: str | None = None
    job_name: str | None = None
    reason: str | None = None


def journal_path(state_path: Path) -> Path:
    """Where the journal of a database lies."""
    return state_path.with_name(state_path.name + ".run-api.jsonl").absolute()


def journal_time() -> str:
    """The time now, as lines hold it; such texts can be compared."""
    return SystemClock().timestamp()


class SubmissionJournal:
    """Appends events, reads them back. Not for several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def _lock_path(self) -> Path:
        return self._path.with_name(self._path.name + ".lock")

    @contextmanager
    def lock(self, timeout_s: float = 0.0) -> Iterator[None]:
        """Hold the journal; the lock ends with its process. Raises BackendError: it is held."""
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock_path, timeout=timeout_s)
        try:
            lock.acquire()
        except Timeout as exc:
            pid = self.holder()
            who, how = (f"process {pid}", f": kill {pid}") if pid else ("a process", "")
            raise BackendError(
                f"{who} still submits jobs for {self._path.name} after {timeout_s:g} s. "
                f"Wait for it to end, or end it{how}"
            ) from exc
        except OSError as exc:
            raise BackendError(f"{self._lock_path} cannot be written: {exc.strerror}") from exc
        try:
            self._lock_path.write_text(f"{os.getpid()}\n")
            yield
        finally:
            lock.release()

    def is_free(self) -> bool:
        """Whether nobody holds the lock now."""
        try:
            with self.lock():
                return True
        except BackendError:
            return False

    def holder(self) -> int | None:
        """The process id of the one that holds the lock, or held it last."""
        try:
            return int(self._lock_path.read_text())
        except (OSError, ValueError):
            return None

    def append(self, line: JournalLine) -> None:
        """Write an event and wait until it is on the disk. Raises OSError."""
        self._write({name: value for name, value in asdict(line).items() if value is not None})

    def _write(self, fields: Mapping[str, Any]) -> None:
        if self._fd is None:
            self._fd = self._open()
        rest = json.dumps(fields).encode() + b"\n"
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.fsync(self._fd)

    def _open(self) -> int:
        is_new = not self._path.exists()
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            os.write(fd, b"\n")  # a line that a crash tore must not run into the next one
        if is_new:
            _sync_folder(self._path.parent)
        return fd

    def find_id(self) -> str | None:
        """The journal's id; None where there is no journal, or one that an older version wrote."""
        ids = (_parse_id(raw) for raw in self._raw_lines())
        return next((found for found in ids if found is not None), None)

    def make_id(self) -> str:
        """The journal's id, on the disk; a journal that has none is begun or gets one."""
        found = self.find_id()
        if found is None:
            found = new_ulid()
            self._write({_ID: found})
        return found

    def read(self) -> dict[str, JournalLine]:
        """What became of each job, by the ULID it was handed in under."""
        last: dict[str, JournalLine] = {}
        for line in self._lines():
            before = last.get(line.ulid)
            if before is None or before.event is not JournalEvent.ACCEPTED:
                last[line.ulid] = line
        return last

    def keep(
        self, is_needed: Callable[[JournalLine], bool], before_removal: Callable[[], None]
    ) -> None:
        """Forget all jobs whose last line is not needed; a journal without any other is removed."""
        if not self._path.exists():
            return
        kept = [line for line in self.read().values() if is_needed(line)]
        if not kept:
            before_removal()
            self._path.unlink()
            return
        fresh = self._path.with_name(self._path.name + ".new")
        fresh.unlink(missing_ok=True)
        copy = SubmissionJournal(fresh)
        if own_id := self.find_id():
            copy._write({_ID: own_id})
        for line in kept:
            copy.append(line)
        copy.close()
        os.replace(fresh, self._path)
        _sync_folder(self._path.parent)

    def _raw_lines(self) -> list[bytes]:
        try:
            return self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []

    def _lines(self) -> Iterator[JournalLine]:
        for raw in self._raw_lines():
            line = _parse_line(raw)
            if line is not None:  # what a crash tore off was not acted on yet
                yield line

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _parse_id(raw: bytes) -> str | None:
    if not raw.startswith(b'{"' + _ID.encode()):
        return None
    try:
        return str(json.loads(raw)[_ID])
    except ValueError:  # torn
        return None


def _parse_line(raw: bytes) -> JournalLine | None:
    try:
        fields = json.loads(raw)
        fields["event"] = JournalEvent(fields["event"])
        fields["combination"] = Combination(*fields["combination"])
        return JournalLine(**fields)
    except (ValueError, TypeError, KeyError):
        return None


def _sync_folder(folder: Path) -> None:
    """Make sure that a file's name is on the disk, as its content is."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
