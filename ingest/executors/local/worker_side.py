"""The process in which the local executor runs jobs, one after the other, for a whole run.

Started as `python -m ingest.executors.local.worker_side JOBS_FD ANSWERS_FD OUTPUT_FD` with a JSON
description of the model on JOBS_FD's first frame. It ends when JOBS_FD does, in the middle of a
job too, so no worker outlives the run that started it.
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
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from ingest.executors.model_call import (
    EntryPoint,
    ModelCrashError,
    ModelError,
    call_entry_point,
    load_entry_point,
    run_command,
)
from ingest.executors.output_tail import output_tail, with_output

FRAME_HEADER = struct.Struct(">BQ")


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


def read_frame(pipe: BinaryIO) -> tuple[Request, bytes] | None:
    """The next frame sent to a worker, None at the end."""
    header = pipe.read(FRAME_HEADER.size)
    if len(header) < FRAME_HEADER.size:
        return None
    kind, size = FRAME_HEADER.unpack(header)
    body = pipe.read(size)
    return (Request(kind), body) if len(body) == size else None


class Worker:
    """Runs documents through the study's model and answers in frames."""

    def __init__(self, answers: BinaryIO, output_fd: int, model: dict[str, object]) -> None:
        self._answers = answers
        self._output_fd = output_fd
        self._sending = threading.Lock()
        self._documents: deque[bytes] = deque()
        self._held = threading.Semaphore(0)  # how many documents there are
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
            self._send(Answer.CANNOT_START, _encoded(str(exc)))
            return False
        self._send(Answer.READY, b"")
        return True

    def receive(self, jobs: BinaryIO) -> None:
        """Queue what arrives, until the pipe ends; runs in a thread of its own."""
        while (frame := read_frame(jobs)) is not None:
            request, document = frame
            if request is Request.JOB:
                self._documents.append(document)
                self._held.release()
            elif self._held.acquire(blocking=False):
                self._documents.pop()
                self._send(Answer.RECALLED, b"")

    def run_next(self) -> None:
        """Wait for a document, run it, and send the result or the error."""
        self._held.acquire()
        self._run(self._documents.popleft())

    def _run(self, document: bytes) -> None:
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
            self._send(Answer.MODEL_CRASH if is_crash else Answer.MODEL_ERROR, _encoded(message))
        else:
            self._send(Answer.RESULT, result)

    def _send(self, kind: Answer, body: bytes) -> None:
        with self._sending:
            self._answers.write(FRAME_HEADER.pack(kind, len(body)) + body)
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
    jobs, answers = os.fdopen(jobs_fd, "rb"), os.fdopen(answers_fd, "wb")
    frame = read_frame(jobs)
    if frame is None:
        return
    model = json.loads(frame[1])
    os.chdir(model["root"])
    worker = Worker(answers, output_fd, model)
    threading.Thread(target=_receive_until_end, args=(worker, jobs), daemon=True).start()
    if not worker.start():
        os._exit(1)
    while True:
        worker.run_next()


def _receive_until_end(worker: Worker, jobs: BinaryIO) -> None:
    """When the pipe that jobs come from ends, end this process and all it started, at once."""
    worker.receive(jobs)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
