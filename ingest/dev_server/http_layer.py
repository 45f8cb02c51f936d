"""HTTP/1.1 in front of the dev server's API: connections, bodies, broken answers."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ingest import __version__
from ingest.clock import Clock
from ingest.dev_server.api import Call, DevApi, Reply, problem

_LARGEST_BODY = 50_000_000
_DRIBBLE_S = 0.5


class ApiHttpServer(ThreadingHTTPServer):
    """Serves an API; a thread for each connection, which stays open for further requests.

    log: called with one line for each request.
    """

    request_queue_size = 512
    daemon_threads = False  # all of them are waited for in server_close()

    def __init__(
        self, address: tuple[str, int], api: DevApi, clock: Clock, log: Callable[[str], None]
    ) -> None:
        self.api, self.clock, self.log = api, clock, log
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking the name service what this machine is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "ingest-dev-server", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a new connection in a thread of its own."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """A connection has ended."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End every open connection, so that their threads end too."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # it has ended by itself


class _Handler(BaseHTTPRequestHandler):
    server: ApiHttpServer
    protocol_version = "HTTP/1.1"
    server_version = f"ingest-dev-server/{__version__}"
    # Headers and body leave as one packet; else each answer waits for the other side's delayed ACK.
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Serve requests until the connection ends, in whatever way."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def finish(self) -> None:
        """Let go of the connection; what could not be sent any more is dropped."""
        try:
            super().finish()
        except ConnectionError:
            self.rfile.close()

    def do_GET(self) -> None:
        """Answer a question."""
        self._serve(b"")

    def do_POST(self) -> None:
        """Take a body in, and answer."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._refuse(problem(HTTPStatus.LENGTH_REQUIRED, "a Content-Length is needed"))
        elif int(length) > _LARGEST_BODY:
            detail = f"a body of {_LARGEST_BODY:,} bytes at most is taken"
            self._refuse(problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail))
        else:
            body = self.rfile.read(int(length))
            if len(body) == int(length):
                self._serve(body)
            else:
                self.close_connection = True  # the client is gone; half a body is no request

    def _serve(self, body: bytes) -> None:
        begun = self.server.clock.now()
        call = Call(self.command, self.path, self.headers.get("Accept", ""), body)
        reply = self.server.api.answer(call)
        self._send(reply)
        took_s = self.server.clock.now() - begun
        self.server.log(f"{self.command} {self.path} {reply.outcome} {took_s:.3f} s")

    def _refuse(self, reply: Reply) -> None:
        """Answer without having read the body: no further request can be told apart from it."""
        self.close_connection = True
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        if reply.is_dropped:
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        if reply.has_length:
            self.send_header("Content-Length", str(len(reply.body)))
        else:
            self.close_connection = True
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        body = reply.body
        if reply.is_dribbled:
            self._dribble(body)
            return
        if reply.is_cut:
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.wfile.flush()

    def _dribble(self, body: bytes) -> None:
        """A byte now and then, until the client has had enough or the server is closed."""
        self.close_connection = True
        for number in range(len(body)):
            self.wfile.write(body[number : number + 1] if number < len(body) - 1 else b"")
            self.wfile.flush()
            self.server.clock.sleep(_DRIBBLE_S)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: one line a request is logged by _serve()."""
