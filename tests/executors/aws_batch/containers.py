"""Containers as forks of one process, which has imported once what each of them needs.

Two hundred containers would spend a minute on importing boto3. A fork has its own environment,
folder, session and output, and from there runs the worker as `python -P -m` does; that a
container starts that way, too, is what test_container_worker.py shows.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

PLAIN = (sys.executable, "-P", "-m", "ingest.executors.aws_batch.container_worker")
WORKER = PLAIN[-1]
_LIMIT = 1 << 16
_starting = threading.Lock()

# --- for tests -----------------------------------------------------------------------------------


class Container:
    """A started container; what is used of subprocess.Popen, in bytes."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Start it; its standard output and its standard error are read by communicate()."""
        self.returncode: int | None = None
        out, err = os.pipe(), os.pipe()
        self._read = {out[0]: b"", err[0]: b""}
        self._order, theirs = socket.socketpair()
        with _starting:
            socket.send_fds(_server(), [b"."], [theirs.fileno()])
        order = json.dumps({"folder": str(folder), "environ": dict(environ)}).encode() + b"\n"
        socket.send_fds(self._order, [order], [out[1], err[1]])
        for given in (out[1], err[1], theirs.detach()):
            os.close(given)
        self._answers = self._order.makefile()
        self.pid = int(self._answers.readline())

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """All of its standard output and standard error. Raises subprocess.TimeoutExpired."""
        ends = time.monotonic() + timeout if timeout is not None else None
        with selectors.DefaultSelector() as selector:
            for pipe in self._read if self.returncode is None else ():
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(ends and max(ends - time.monotonic(), 0))
                if ends and time.monotonic() >= ends:
                    raise subprocess.TimeoutExpired(WORKER, timeout or 0)
                for key, _ in ready:
                    self._take(selector, key.fd)
        self._end()
        out, err = self._read.values()
        return out, err

    def _take(self, selector: selectors.BaseSelector, pipe: int) -> None:
        data = os.read(pipe, _LIMIT)
        self._read[pipe] += data
        if not data:
            selector.unregister(pipe)

    def _end(self) -> None:
        if self.returncode is None:
            self.returncode = int(self._answers.readline())
            for pipe in self._read:
                os.close(pipe)
            self._answers.close()
            self._order.close()


@functools.cache
def _server() -> socket.socket:
    """The way to this process's server, which ends when it is closed."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", __file__, str(theirs.fileno())]
    server = subprocess.Popen(
        command,
        env={"PATH": os.environ["PATH"]},
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


def _import_all() -> None:
    """What a container imports and reads before its first call."""
    import boto3
    import botocore.session

    import ingest.executors.aws_batch.container_worker  # noqa: F401

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    boto3.Session("AKIA", "secret", region_name="eu-west-1").client("s3").close()
    del sys.modules[WORKER]  # which each container runs as its main module
    gc.collect()
    gc.freeze()


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
    """Start one container, tell its process id and, once it has ended, its exit code."""
    text, outputs, *_ = socket.recv_fds(order, _LIMIT, 2)
    while not text.endswith(b"\n"):
        text += order.recv(_LIMIT)
    if (pid := os.fork()) == 0:
        order.close()
        _contain(json.loads(text), outputs)
    for output in outputs:
        os.close(output)
    with contextlib.suppress(OSError):  # whoever asked has gone
        order.sendall(b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        order.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _contain(order: dict[str, object], outputs: list[int]) -> NoReturn:
    """Run the worker in this process."""
    try:
        os.setsid()
        for number, output in enumerate(outputs, start=1):
            os.dup2(output, number)
            os.close(output)
        os.chdir(str(order["folder"]))
        os.environ.clear()
        os.environ.update(order["environ"])  # type: ignore[call-overload]
        runpy.run_module(WORKER, run_name="__main__", alter_sys=True)
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)


if __name__ == "__main__":
    _import_all()
    _serve(socket.socket(fileno=int(sys.argv[1])))
