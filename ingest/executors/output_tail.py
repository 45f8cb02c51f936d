"""The last lines of what a program prints, while all of it goes on to where it belongs."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType

TAIL_BYTES = 4000
_TAIL_LINES = 20
_END_WAIT_S = 1.0


def last_lines(text: str) -> str:
    """The end of a text, at most 20 lines and 4,000 characters."""
    return "\n".join(text[-TAIL_BYTES:].strip().splitlines()[-_TAIL_LINES:])


class TailedOutput:
    """Passes this process's stdout and stderr on within a with block, and keeps the end.

    Meant for a program that is waited for, not for code in this process: code that prints while
    it holds the interpreter would wait for the thread that reads.
    """

    def __init__(self) -> None:
        self._kept = b""

    @property
    def tail(self) -> str:
        """The last lines that were printed."""
        return last_lines(self._kept.decode("utf-8", "replace"))

    def __enter__(self) -> TailedOutput:
        sys.stdout.flush()
        sys.stderr.flush()
        self._saved = (os.dup(1), os.dup(2))
        reading, writing = os.pipe()
        for stream in (1, 2):
            os.dup2(writing, stream)
        os.close(writing)
        pipes = (reading, os.dup(self._saved[0]))
        self._thread = threading.Thread(target=self._pass_on, args=pipes, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream, saved in zip((1, 2), self._saved, strict=True):
            os.dup2(saved, stream)
            os.close(saved)
        # a program that was left running in the background may keep the pipe open
        self._thread.join(_END_WAIT_S)

    def _pass_on(self, reading: int, writing: int) -> None:
        with os.fdopen(reading, "rb", buffering=0) as pipe, os.fdopen(writing, "wb", 0) as log:
            while chunk := pipe.read(65536):
                self._kept = (self._kept + chunk)[-TAIL_BYTES:]
                log.write(chunk)


def output_tail(output_fd: int) -> str:
    """The last lines of a file that holds what a job printed to stdout and stderr."""
    size = os.fstat(output_fd).st_size
    tail = os.pread(output_fd, TAIL_BYTES, max(0, size - TAIL_BYTES))
    return last_lines(tail.decode("utf-8", "replace"))


def with_output(message: str, output: str | None) -> str:
    """A message followed by the output that belongs to it, where there is some."""
    return f"{message}\n{output}" if output else message
