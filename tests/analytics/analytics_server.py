"""An analytics API on loopback that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request: its path without escapes, its query in order, its headers."""

    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """One answer. cut_at: the connection ends after so many bytes of the body; 0: at once.

    length: the Content-Length that is told, the body's own where None; -1: none is told. every_s:
    each byte of the body comes so long after the one before.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    length: int | None = None
    every_s: float = 0.0


class AnalyticsServer:
    """Answers are taken from the script of a ULID, the last one again and again."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.side_by_side = 0
        self.most_side_by_side = 0
        self.connections = 0
        self.open = threading.Event()
        """Answers are held back while it is not set."""
        self.open.set()
        self._scripts: dict[str, deque[Answer]] = {}
        self._lock = threading.Lock()

    def tell(self, ulid: str, *answers: Answer) -> None:
        """What a job's questions are answered, one after the other."""
        self._scripts[ulid] = deque(answers)

    def answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            self.side_by_side += 1
            self.most_side_by_side = max(self.most_side_by_side, self.side_by_side)
            script = self._scripts.get(asked.path.rpartition("/")[2], deque([rows(("L", 2030, 1))]))
            answer = script.popleft() if len(script) > 1 else script[0]
        self.open.wait(60)
        with self._lock:
            self.side_by_side -= 1
        return answer

    def times_asked(self, ulid: str) -> int:
        """How often a job was asked about."""
        with self._lock:
            return sum(1 for asked in self.asked if asked.path.endswith(f"/{ulid}"))


def rows(*found: tuple[Any, Any, Any]) -> Answer:
    """An answer with (label, year, value) rows as JSON."""
    names = ("element_label", "timestamp_year", "value")
    return Answer(json.dumps([dict(zip(names, row, strict=True)) for row in found]).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is what some tests are about; anything else is printed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def analytics_server() -> Iterator[AnalyticsServer]:
    """A server in threads of its own, closed in the end."""
    told = AnalyticsServer()
    server = _Server(("127.0.0.1", 0), _handler(told))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield told
    finally:
        told.open.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(told: AnalyticsServer) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            told.connections += 1
            super().setup()

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qsl(parts.query, keep_blank_values=True)
            answer = told.answer(Asked(unquote(parts.path), query, self.headers))
            if answer.cut_at == 0:
                self.close_connection = True
                return
            headers = dict(answer.headers)
            self.send_response_only(answer.status)
            self.send_header("Date", headers.pop("Date", "Mon, 23 Nov 2026 09:00:00 GMT"))
            for name, value in headers.items():
                self.send_header(name, value)
            length = len(answer.body) if answer.length is None else answer.length
            if length >= 0:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.close_connection = answer.cut_at is not None or answer.length is not None
            body = answer.body[: answer.cut_at]
            size = 1 if answer.every_s else len(body) or 1
            for begin in range(0, len(body), size):
                self.wfile.write(body[begin : begin + size])
                time.sleep(answer.every_s)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    return Handler
