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
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import ingest
from ingest.executors.local.worker_side import Frame, Request, take_frames
from ingest.executors.output_tail import output_tail
from ingest.study.local_settings import LocalSettings
from ingest.temporary import TemporaryFolder

# -P and the place of ingest at the end: neither the folder that one is in nor the study's comes
# before ingest and Python's own modules while these are loaded.
_START = (
    "import sys; place = sys.argv.pop(1); place in sys.path or sys.path.append(place); "
    "from ingest.executors.local.worker_side import main; main(sys.argv[1:])"
)


# They lead to services and hold passwords, which a model that prints or uploads them gives away.
_KEPT_BACK = ("AWS_", "INGEST_")


def model_environment(environ: Mapping[str, str], passed: Sequence[str]) -> dict[str, str]:
    """The variables that a model gets: all but those for ingest alone, and of these the passed."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(_KEPT_BACK) or any(fnmatchcase(name, one) for one in passed)
    }


class WorkerProcess:
    """A running worker; jobs it holds are in ulids, the first is the one it works on.

    recalled: the job that was asked back, until it comes back or ends.
    """

    def __init__(self, root: Path, settings: LocalSettings) -> None:
        command = settings.command
        self.ulids: deque[str] = deque()
        self.recalled: str | None = None
        self.ready = False
        self._unsent: deque[memoryview] = deque()
        self._buffer = bytearray()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the worker
        # the files of a command's jobs; here, since a worker that is killed cannot clean up
        self._folder = TemporaryFolder("job") if command else None
        jobs_read, self.jobs_fd = os.pipe()
        self.answers_fd, answers_write = os.pipe()
        os.set_blocking(self.jobs_fd, False)
        inherited = (jobs_read, answers_write, self._output.fileno())
        place = str(Path(ingest.__file__).resolve().parent.parent)
        arguments = [sys.executable, "-P", "-u", "-c", _START, place, *map(str, inherited)]
        try:
            self._process = subprocess.Popen(
                arguments,
                pass_fds=inherited,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
                env=model_environment(os.environ, settings.pass_variables),
            )
        except OSError:
            self._free()
            raise
        finally:
            os.close(jobs_read)
            os.close(answers_write)
        model = {
            "root": str(root),
            "entry_point": settings.entry_point,
            "command": command,
            "folder": str(self._folder.path) if self._folder else None,
        }
        self._queue(Frame(Request.JOB, body=json.dumps(model).encode()))

    def give(self, ulid: str, document: bytes) -> None:
        """Hand over one more job, as far as the worker takes it now; send() hands over the rest."""
        self.ulids.append(ulid)
        self._queue(Frame(Request.JOB, ulid, document))

    def recall(self) -> None:
        """Ask the newest job back; it comes back (Answer.RECALLED) unless it has begun."""
        self.recalled = self.ulids[-1]
        self._queue(Frame(Request.RECALL))

    def _queue(self, frame: Frame) -> None:
        self._unsent.append(memoryview(frame.encode()))
        self.send()

    @property
    def has_unsent(self) -> bool:
        """Whether a part of a job still waits for room in the pipe."""
        return bool(self._unsent)

    def send(self) -> None:
        """Write what the pipe has room for; never waits for a worker that does not read."""
        try:
            while self._unsent:
                written = os.write(self.jobs_fd, self._unsent[0])
                rest = self._unsent.popleft()[written:]
                if rest:
                    self._unsent.appendleft(rest)
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._unsent.clear()  # it has died: that shows on the other pipe, and is handled there

    def read_answers(self) -> Iterator[Frame | None]:
        """Each whole answer that has arrived; None once the worker has ended."""
        chunk = os.read(self.answers_fd, 1 << 20)
        self._buffer += chunk
        yield from take_frames(self._buffer)
        if not chunk:
            yield None

    def last_output(self) -> str:
        """The tail of what the job printed to stdout and stderr."""
        return output_tail(self._output.fileno())

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone; what it answered before may still be in the pipe."""
        return self._process.poll() is not None

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
        self._free()

    def _free(self) -> None:
        os.close(self.jobs_fd)
        os.close(self.answers_fd)
        self._output.close()
        if self._folder is not None:
            self._folder.close()
