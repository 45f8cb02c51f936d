"""The process in which the local executor runs jobs, one after the other, for a whole run.

worker_process.py calls main([JOBS_FD, ANSWERS_FD, OUTPUT_FD]) in a new Python; a JSON description
of the model is on JOBS_FD's first frame. It ends when JOBS_FD does, in the middle of a job too, so
no worker outlives the run that started it.
"""

from __future__ import annotations

import faulthandler
import fcntl
import json
import os
import signal
import struct
import sys
import threading
from collections import deque
from collections.abc import Iterator
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ingest.executors.model_call import (
    EntryPoint,
    ModelCrashError,
    ModelError,
    call_entry_point,
    load_entry_point,
    module_path,
    run_command,
)
from ingest.executors.output_tail import output_tail, with_output

_HEADER = struct.Struct(">BHQ")


class Request(IntEnum):
    """The kinds of frames that a worker gets."""

    JOB = 0
    RECALL = 1


class Answer(IntEnum):
    """The kinds of frames that a worker sends."""

    READY = 0
    RESULT = 1
    MODEL_ERROR = 2
    CANNOT_START = 3
    MODEL_CRASH = 4
    RECALLED = 5


class Frame(NamedTuple):
    """One message: its kind, the ULID of the job that it is about, and a document or a result."""

    kind: int
    ulid: str = ""
    body: bytes = b""

    def encode(self) -> bytes:
        """The message as it goes through a pipe."""
        name = self.ulid.encode()
        return _HEADER.pack(self.kind, len(name), len(self.body)) + name + self.body


def take_frames(buffer: bytearray) -> Iterator[Frame]:
    """The whole messages at the beginning of what has arrived; they are taken out of it."""
    while len(buffer) >= _HEADER.size:
        kind, name_size, size = _HEADER.unpack_from(buffer)
        start = _HEADER.size + name_size
        if len(buffer) < start + size:
            return
        ulid, body = buffer[_HEADER.size : start].decode(), bytes(buffer[start : start + size])
        del buffer[: start + size]
        yield Frame(kind, ulid, body)


def read_frames(pipe: int) -> Iterator[Frame]:
    """The messages that come through a pipe, until it ends."""
    buffer = bytearray()
    while chunk := os.read(pipe, 1 << 20):
        buffer += chunk
        yield from take_frames(buffer)


class Worker:
    """Runs documents through the study's model and answers in frames."""

    def __init__(self, answers: BinaryIO, output_fd: int, model: dict[str, object]) -> None:
        self._answers = answers
        self._output_fd = output_fd
        self._sending = threading.Lock()
        self._jobs: deque[Frame] = deque()
        self._held = threading.Semaphore(0)  # how many jobs there are
        self._root = Path(str(model["root"]))
        self._command = [str(part) for part in model["command"]]  # type: ignore[attr-defined]
        self._entry_point = str(model["entry_point"] or "")
        self._folder = None if model["folder"] is None else Path(str(model["folder"]))
        self._function: EntryPoint | None = None

    def start(self) -> bool:
        """Load the entry point; False (and the reason sent) when that fails."""
        try:
            if not self._command:
                self._function = load_entry_point(self._entry_point, self._root)
        except ModelError as exc:
            self._send(Answer.CANNOT_START, "", _encoded(str(exc)))
            return False
        path = "" if self._command else module_path(self._entry_point)
        self._send(Answer.READY, "", _encoded(path))
        return True

    def receive(self, frames: Iterator[Frame]) -> None:
        """Queue what arrives, until the pipe ends; runs in a thread of its own."""
        for frame in frames:
            if frame.kind == Request.JOB:
                self._jobs.append(frame)
                self._held.release()
            elif self._held.acquire(blocking=False):
                self._send(Answer.RECALLED, self._jobs.pop().ulid)

    def run_next(self) -> None:
        """Wait for a document, run it, and send the result or the error."""
        self._held.acquire()
        job = self._jobs.popleft()
        self._run(job.ulid, job.body)

    def _run(self, ulid: str, document: bytes) -> None:
        os.ftruncate(self._output_fd, 0)  # what is in there at an error belongs to this job
        try:
            if self._function is None:
                result = run_command(self._command, document, self._root, self._folder)
            else:
                result = call_entry_point(self._function, document, self._root)
        except ModelError as exc:
            is_crash = isinstance(exc, ModelCrashError)
            # the output goes along: once the next job has begun, the file holds that one's
            message = with_output(str(exc), output_tail(self._output_fd))
            kind = Answer.MODEL_CRASH if is_crash else Answer.MODEL_ERROR
            self._send(kind, ulid, _encoded(message))
        else:
            self._send(Answer.RESULT, ulid, result)

    def _send(self, kind: Answer, ulid: str, body: bytes = b"") -> None:
        with self._sending:
            self._answers.write(Frame(kind, ulid, body).encode())
            self._answers.flush()


def _encoded(text: str) -> bytes:
    """UTF-8; what cannot be (half a surrogate pair in a file name) is written as an escape."""
    return text.encode("utf-8", "backslashreplace")


def main(arguments: list[str]) -> None:
    """Serve jobs until the pipe they come from is closed."""
    # Python tells stale bytecode by size and second: a model edited and run again within one
    # second would give the old numbers under the new digest, had it left any.
    sys.dont_write_bytecode = True
    jobs_fd, answers_fd, output_fd = (int(argument) for argument in arguments)
    for fd in (jobs_fd, answers_fd, output_fd):
        os.set_inheritable(fd, False)  # or a program that outlives the model keeps them open
    # appending: after a job's output was cut to nothing, the next begins at the file's start
    fcntl.fcntl(output_fd, fcntl.F_SETFL, fcntl.fcntl(output_fd, fcntl.F_GETFL) | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output_fd, stream)
    faulthandler.enable(all_threads=False)  # tells the place of a segmentation fault
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to handle
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (jobs_fd, answers_fd):  # a process that the model forks takes and answers no job
        os.register_at_fork(after_in_child=partial(os.dup2, nothing, fd, inheritable=False))
    frames = read_frames(jobs_fd)
    first = next(frames, None)
    if first is None:
        return
    model = json.loads(first.body)
    os.chdir(model["root"])
    worker = Worker(os.fdopen(answers_fd, "wb"), output_fd, model)
    threading.Thread(target=_receive_until_end, args=(worker, frames), daemon=True).start()
    if not worker.start():
        os._exit(1)
    while True:
        worker.run_next()


def _receive_until_end(worker: Worker, frames: Iterator[Frame]) -> None:
    """When the pipe that jobs come from ends, end this process and all it started, at once."""
    worker.receive(frames)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
