"""Processes as forks of one process, which has imported once what each of them needs.

A container imports boto3, a site Datasette: hundreds of them would spend minutes on that. A fork
has its own environment, folder, session and output, and from there runs a module as
`python -P -m MODULE` does; that they start that way, too, is what other tests show.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

_LIMIT = 1 << 16
_starting = threading.Lock()

# --- for tests -----------------------------------------------------------------------------------


class Fork:
    """A started process; what is used of subprocess.Popen.

    ready: a module whose function get_ready() the server has called. out, err: the ends of its
    standard output and standard error, which are for the caller to read and to close.
    """

    def __init__(
        self,
        ready: str,
        command: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        files: int | None = None,
    ) -> None:
        """command: a module and its arguments. files: as many may be open."""
        self.returncode: int | None = None
        (self.out, out), (self.err, err) = os.pipe(), os.pipe()
        self._order, theirs = socket.socketpair()
        with _starting:
            socket.send_fds(_server(ready), [b"."], [theirs.fileno()])
        words = {"command": command, "folder": str(folder), "environ": {**environ}, "files": files}
        socket.send_fds(self._order, [json.dumps(words).encode() + b"\n"], [out, err])
        for given in (out, err, theirs.detach()):
            os.close(given)
        self._answers = self._order.makefile()
        self.pid = int(self._answers.readline())

    def send_signal(self, number: int) -> None:
        """Send it, unless the process is known to have ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._order], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._order.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """All of its standard output and standard error. Raises subprocess.TimeoutExpired."""
        ends = None if timeout is None else time.monotonic() + timeout
        read = {self.out: b"", self.err: b""}
        left = [*read] if self.returncode is None else []
        while left:
            ready, *_ = select.select(left, [], [], ends and max(ends - time.monotonic(), 0))
            if not ready:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            for pipe in ready:
                data = os.read(pipe, _LIMIT)
                read[pipe] += data
                if not data:
                    left.remove(pipe)
                    os.close(pipe)
        self.wait()
        return read[self.out], read[self.err]


@functools.cache
def _server(ready: str) -> socket.socket:
    """The way to this process's server, which ends when it is closed."""
    ours, theirs = socket.socketpair()
    server = subprocess.Popen(
        [sys.executable, "-P", __file__, ready, str(theirs.fileno())],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parent.parent)},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


# --- the server ----------------------------------------------------------------------------------


def _serve(way: socket.socket) -> None:
    """Start a process for each order, until nobody can send one any more."""
    while True:
        _, (*given,), *_ = socket.recv_fds(way, 1, 1)
        if not given:
            return
        if os.fork() == 0:
            way.close()
            _start(socket.socket(fileno=given[0]))
        os.close(given[0])
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _start(order: socket.socket) -> NoReturn:
    """Start one process, tell its process id and, once it has ended, its exit code."""
    text, outputs, *_ = socket.recv_fds(order, _LIMIT, 2)
    while not text.endswith(b"\n"):
        text += order.recv(_LIMIT)
    if (pid := os.fork()) == 0:
        order.close()
        _run(outputs, **json.loads(text))
    for output in outputs:
        os.close(output)
    with contextlib.suppress(OSError):  # whoever asked has gone
        order.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        order.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run(
    outputs: list[int],
    command: list[str],
    folder: str,
    environ: dict[str, str],
    files: int | None,
) -> NoReturn:
    """Run a module in this process, which ends as any interpreter does."""
    os.setsid()
    for number, output in enumerate(outputs, start=1):
        os.dup2(output, number)
        os.close(output)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, closefd=False) for number in (1, 2))
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[1:] = command[1:]
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    raise SystemExit


if __name__ == "__main__":
    importlib.import_module(sys.argv[1]).get_ready()
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[2])))
