"""An analytics service on loopback, and the study plugin that fetches from it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PLUGIN = """
import http.client
import urllib.parse

from ingest.analytics.sources.base import AnalyticsSource
from ingest.errors import AnalyticsError, BackendError
from ingest.plugin_api import hookimpl


class Loopback(AnalyticsSource):
    name = "loopback"

    def fetch(self, ulid):
        address = urllib.parse.urlsplit(self.context.analytics.url).netloc
        connection = http.client.HTTPConnection(address, timeout=30)
        try:
            connection.request("GET", f"/analytics/{self.context.environment}/{ulid}")
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status == 401:
            raise BackendError("the analytics API refuses the credentials")
        if answer.status != 200:
            raise AnalyticsError(f"job {ulid}: the analytics API answered {answer.status}")
        return body


@hookimpl
def ingest_register_analytics_sources():
    return [Loopback]
"""


class AnalyticsService:
    """What the service is asked, and how it answers: every ULID has numbers of its own."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.statuses: dict[str, int] = {}
        """Other statuses than 200, by ULID."""
        self.bodies: dict[str, bytes] = {}
        """Other bodies than made-up numbers, by ULID."""
        self.open_for = 10**9
        """How many questions are answered; those after them wait until release is set."""
        self.held = threading.Event()
        """Set once a question waits."""
        self.release = threading.Event()
        self.url = ""
        self._lock = threading.Lock()

    def answer(self, environment: str, ulid: str) -> tuple[int, bytes]:
        """Status and body for a question."""
        with self._lock:
            self.asked.append((environment, ulid))
            waits = len(self.asked) > self.open_for
        if waits:
            self.held.set()
            self.release.wait(60)
        return self.statuses.get(ulid, 200), self.bodies.get(ulid) or numbers_of(ulid)


def numbers_of(ulid: str) -> bytes:
    """The made-up metrics of a job."""
    seed = sum(map(ord, ulid)) + int.from_bytes(ulid[-4:].encode(), "big") / 1e3
    rows = [
        {"element_label": label, "timestamp_year": year, "value": seed * year / 7}
        for label in ("Population", "Healthy Years Lived")
        for year in range(2025, 2028)
    ]
    return json.dumps(rows).encode()


@contextmanager
def analytics_service() -> Iterator[AnalyticsService]:
    """A service that answers GET /analytics/{environment}/{ulid}."""
    service = AnalyticsService()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, _, environment, ulid = self.path.split("/")
            status, body = service.answer(environment, ulid)
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # whoever asked was killed
                pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield service
        finally:
            service.release.set()
            server.shutdown()
            thread.join()
