"""The real `ingest serve` as a process, and a client that measures its answers."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVING = re.compile(r"Serving .* at https?://[^ ]*:(\d+)")
_START_TIMEOUT_S = 300
_ANSWER_TIMEOUT_S = 120

# What a page or an answer says when a query was cut off or went wrong.
_BAD_TEXTS = ("SQL Interrupted", "took too long", 'class="message-error"', "facets timed out")


@dataclass(frozen=True)
class Answer:
    """One answer over HTTP; seconds: from the request to its last byte."""

    path: str
    status: int
    content_type: str
    body: bytes
    seconds: float

    @property
    def text(self) -> str:
        """The body as text; pictures give something unreadable."""
        return self.body.decode("utf-8", "replace")

    @property
    def problem(self) -> str:
        """What is wrong with the answer, empty where nothing is."""
        if self.status != 200:
            return f"{self.path}: status {self.status}: {self.text[:200]}"
        if "text/html" in self.content_type:
            bad = [text for text in _BAD_TEXTS if text in self.text]
            return f"{self.path}: {bad[0]}" if bad else ""
        if "json" in self.content_type:
            return self._problem_in_json()
        return ""

    def _problem_in_json(self) -> str:
        document = json.loads(self.body)
        if not isinstance(document, dict):
            return ""
        if document.get("ok") is False or document.get("error"):
            return f"{self.path}: {document.get('error')}"
        timed_out = document.get("facets_timed_out")
        return f"{self.path}: facets timed out" if timed_out else ""


class Client:
    """One visitor: one connection, which is kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_TIMEOUT_S)

    def get(self, path: str) -> Answer:
        """The answer to a path; a connection that the server gave up meanwhile is made anew."""
        try:
            return self._get(path)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self.close()
            self._connection = self._connect()
            return self._get(path)

    def _get(self, path: str) -> Answer:
        begin = time.perf_counter()
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - begin
        return Answer(path, answer.status, answer.headers.get("Content-Type", ""), body, seconds)

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()


@dataclass(frozen=True)
class Served:
    """A running site. start_s: from the start of the process until it said that it serves."""

    port: int
    start_s: float
    pid: int


@contextmanager
def serving(database: Path) -> Iterator[Served]:
    """`ingest serve` on a free port, for as long as the block lasts."""
    command = [sys.executable, "-m", "ingest", "serve", "-d", str(database), "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    begin = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    watch = threading.Timer(_START_TIMEOUT_S, process.kill)
    watch.start()
    try:
        port = _read_port(process)
        watch.cancel()
        seconds = time.perf_counter() - begin
        threading.Thread(target=_drain, args=[process], daemon=True).start()
        yield Served(port, seconds, process.pid)
    finally:
        watch.cancel()
        process.terminate()
        process.wait()


def _read_port(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if found := _SERVING.search(line):
            return int(found[1])
    raise SystemExit("ingest serve did not begin:\n" + "".join(said))


def _drain(process: subprocess.Popen[str]) -> None:
    """Read what the server says, so that it never waits for a full pipe."""
    assert process.stderr is not None
    for line in process.stderr:
        print(line, end="", file=sys.stderr)


def drop_from_cache(database: Path) -> bool:
    """Ask the system to forget what it remembers of a file; whether it can be asked."""
    if not hasattr(os, "posix_fadvise"):
        return False
    with database.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True
