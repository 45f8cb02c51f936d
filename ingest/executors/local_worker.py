"""The process in which the local executor runs jobs, one after the other, for a whole run.

Started as `python -m ingest.executors.local_worker JOBS_FD ANSWERS_FD OUTPUT_FD` with a JSON
description of the model on JOBS_FD's first frame. It ends when JOBS_FD does, in the middle of a
job too, so no worker outlives the run that started it.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import threading
from enum import IntEnum
from pathlib import Path
from queue import SimpleQueue
from typing import BinaryIO

from ingest.executors.model_call import (
    EntryPoint,
    ModelError,
    call_entry_point,
    load_entry_point,
    run_command,
)

FRAME_HEADER = struct.Struct(">BQ")


class Answer(IntEnum):
    """The kinds of frames that a worker sends."""

    READY = 0
    RESULT = 1
    MODEL_ERROR = 2
    CANNOT_START = 3


def read_frame(pipe: BinaryIO) -> bytes | None:
    """The next frame sent to a worker, None at the end."""
    header = pipe.read(FRAME_HEADER.size)
    if len(header) < FRAME_HEADER.size:
        return None
    _, size = FRAME_HEADER.unpack(header)
    body = pipe.read(size)
    return body if len(body) == size else None


class Worker:
    """Runs documents through the study's model and answers in frames."""

    def __init__(self, answers: BinaryIO, output_fd: int, model: dict[str, object]) -> None:
        self._answers = answers
        self._output_fd = output_fd
        self._root = Path(str(model["root"]))
        self._command = [str(part) for part in model["command"]]  # type: ignore[attr-defined]
        self._entry_point = str(model["entry_point"] or "")
        self._function: EntryPoint | None = None

    def start(self) -> bool:
        """Load the entry point; False (and the reason sent) when that fails."""
        try:
            if not self._command:
                self._function = load_entry_point(self._entry_point, self._root)
        except ModelError as exc:
            self._send(Answer.CANNOT_START, str(exc).encode())
            return False
        self._send(Answer.READY, b"")
        return True

    def run(self, document: bytes) -> None:
        """Run one document and send the result or the error."""
        os.ftruncate(self._output_fd, 0)  # what is in there at an error belongs to this job
        try:
            if self._function is None:
                result = run_command(self._command, document, self._root)
            else:
                result = call_entry_point(self._function, document, self._root)
        except ModelError as exc:
            sys.stdout.flush()
            sys.stderr.flush()
            self._send(Answer.MODEL_ERROR, str(exc).encode())
        else:
            self._send(Answer.RESULT, result)

    def _send(self, kind: Answer, body: bytes) -> None:
        self._answers.write(FRAME_HEADER.pack(kind, len(body)) + body)
        self._answers.flush()


def main(arguments: list[str]) -> None:
    """Serve jobs until the pipe they come from is closed."""
    jobs_fd, answers_fd, output_fd = (int(argument) for argument in arguments)
    for stream in (1, 2):
        os.dup2(output_fd, stream)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to handle
    documents: SimpleQueue[bytes | None] = SimpleQueue()
    with os.fdopen(jobs_fd, "rb") as jobs, os.fdopen(answers_fd, "wb") as answers:
        model = json.loads(read_frame(jobs) or b"{}")
        os.chdir(model["root"])
        worker = Worker(answers, output_fd, model)
        if not worker.start():
            return
        threading.Thread(target=_receive, args=(jobs, documents), daemon=True).start()
        while (document := documents.get()) is not None:
            worker.run(document)


def _receive(jobs: BinaryIO, documents: SimpleQueue[bytes | None]) -> None:
    """Queue what arrives; when the pipe ends, end this process and all it started, at once."""
    while (frame := read_frame(jobs)) is not None:
        documents.put(frame)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
