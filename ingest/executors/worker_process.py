"""One worker process as the local executor sees it: jobs in, answers out, kill and last words."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from ingest.executors.local_worker import FRAME_HEADER, Answer

_TAIL_BYTES = 4000
_TAIL_LINES = 20


class WorkerProcess:
    """A running worker; jobs it holds are in ulids, the first is the one it works on."""

    def __init__(self, root: Path, entry_point: str | None, command: tuple[str, ...]) -> None:
        self.ulids: deque[str] = deque()
        self.ready = False
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the worker
        jobs_read, self._jobs_fd = os.pipe()
        self.answers_fd, answers_write = os.pipe()
        inherited = (jobs_read, answers_write, self._output.fileno())
        arguments = [sys.executable, "-m", "ingest.executors.local_worker", *map(str, inherited)]
        try:
            self._process = subprocess.Popen(
                arguments,
                pass_fds=inherited,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )
        finally:
            os.close(jobs_read)
            os.close(answers_write)
        self._buffer = bytearray()
        model = {"root": str(root), "entry_point": entry_point, "command": command}
        self._write(json.dumps(model).encode())

    def give(self, ulid: str, document: bytes) -> None:
        """Hand over one more job."""
        self.ulids.append(ulid)
        self._write(document)

    def _write(self, body: bytes) -> None:
        frame = memoryview(FRAME_HEADER.pack(0, len(body)) + body)
        try:
            while frame:
                frame = frame[os.write(self._jobs_fd, frame) :]
        except BrokenPipeError:
            pass  # it has died; that shows on the other pipe and is dealt with there

    def read_answers(self) -> Iterator[tuple[Answer, bytes] | None]:
        """Each whole answer that has arrived; None once the worker has ended."""
        chunk = os.read(self.answers_fd, 1 << 20)
        self._buffer += chunk
        while len(self._buffer) >= FRAME_HEADER.size:
            kind, size = FRAME_HEADER.unpack_from(self._buffer)
            end = FRAME_HEADER.size + size
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[FRAME_HEADER.size : end])
            del self._buffer[:end]
            yield Answer(kind), body
        if not chunk:
            yield None

    def last_output(self) -> str:
        """The tail of what the job printed to stdout and stderr."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _TAIL_BYTES))
        text = self._output.read().decode("utf-8", "replace").strip()
        return "\n".join(text.splitlines()[-_TAIL_LINES:])

    def wait(self) -> int:
        """The exit status of a worker that has closed its pipe."""
        try:
            return self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def kill(self) -> None:
        """End the worker and everything it started, now."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill what is left and free the pipes."""
        self.kill()
        self._process.wait()
        os.close(self._jobs_fd)
        os.close(self.answers_fd)
        self._output.close()
