"""The submitter as a run sees it: jobs in, words out, never waiting for it."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import ingest
from ingest.executors.base import Job
from ingest.executors.output_tail import output_tail
from ingest.executors.run_api.submitter_protocol import (
    SubmitterConfig,
    Word,
    decode_word,
    encode_config,
    encode_order,
)


@dataclass(frozen=True)
class SubmitterEnded:
    """The process is gone and its pipes are read to their end; output: its last words."""

    status: int
    output: str


SubmitterEvent = Word | SubmitterEnded


class SubmitterProcess:
    """A running submitter; tell() is called with each thing it says, SubmitterEnded last.

    Two threads serve its pipes, so that neither large documents nor a stopped process hold up the
    run. They are daemons: the run may end at once, which the submitter is made for.
    """

    def __init__(self, config: SubmitterConfig, tell: Callable[[SubmitterEvent], None]) -> None:
        self._tell = tell
        self._closing = threading.Event()
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the reader
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ingest.executors.run_api.submitter"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._output,
                bufsize=0,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": _python_path()},
            )
        except OSError:
            self._output.close()
            raise
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._outgoing.put(encode_config(config))
        _start(self._write, self._process.stdin)
        self._reader = _start(self._read, self._process.stdout)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def hand_in(self, job: Job) -> None:
        """Queue a job for submission."""
        self._outgoing.put(encode_order(job))

    def close(self, wait_s: float) -> bool:
        """Let it finish what it has begun and end; whether it has ended within wait_s."""
        self._closing.set()
        self._outgoing.put(None)
        self._reader.join(wait_s)
        return not self._reader.is_alive()

    def _write(self, pipe: IO[bytes]) -> None:
        """Hand over what is queued; closing the pipe tells the submitter to end."""
        try:
            while (content := self._outgoing.get()) is not None and not self._closing.is_set():
                rest = memoryview(content)
                while rest:
                    rest = rest[os.write(pipe.fileno(), rest) :]
        except BrokenPipeError:
            pass  # it is gone, which the reader tells
        finally:
            pipe.close()

    def _read(self, pipe: IO[bytes]) -> None:
        buffer = b""
        while chunk := os.read(pipe.fileno(), 1 << 16):
            *lines, buffer = (buffer + chunk).split(b"\n")  # a torn last line is in the journal
            for line in lines:
                self._tell(decode_word(line))
        pipe.close()
        status = self._process.wait()
        output = output_tail(self._output.fileno())
        self._output.close()
        self._outgoing.put(None)
        self._tell(SubmitterEnded(status, output))


def _python_path() -> str:
    """Where ingest can be imported from; not from the study's folder, whose modules are its own."""
    own = str(Path(ingest.__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), own]))


def _start(target: Callable[[IO[bytes]], None], pipe: IO[bytes]) -> threading.Thread:
    thread = threading.Thread(target=target, args=(pipe,), daemon=True)
    thread.start()
    return thread
