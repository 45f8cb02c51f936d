"""A run API on loopback that misbehaves as it is told, and counts what it is asked."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ulid import ULID

from tests.executors.drive import LIMIT_S


@dataclass(frozen=True)
class Act:
    """How to answer one call.

    content: instead of the proper answer; as JSON unless bytes. drop: close the connection without
    an answer, before or after the call took effect. promise: the Content-Length that is told.
    gate, delay_s: wait for it before answering, after the call took effect.
    """

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: str = ""
    promise: int | None = None
    gate: threading.Event | None = None
    delay_s: float = 0.0


PROPER = Act()


class RunApiServer:
    """What it was asked and what it did; tests plan its next answers."""

    def __init__(self) -> None:
        self.url = ""
        self.lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.posts: list[tuple[str, bytes]] = []
        self.accepted: dict[str, bytes] = {}
        self.job_names: dict[str, str] = {}
        self.headers: list[dict[str, str]] = []
        self.side_by_side: Counter[str] = Counter()
        self.most_side_by_side: Counter[str] = Counter()
        self.post_plan: deque[Act] = deque()
        self.plan_post: Callable[[bytes], Act] = lambda body: PROPER
        self.status_plan: dict[str, deque[Act]] = defaultdict(deque)
        self.health = PROPER
        self.statuses: dict[str, Any] = {}
        self.default_status: Any = "SUCCEEDED"
        self.job_name = "botech-sim-{environment}-{ulid}"

    def accepted_documents(self) -> Counter[bytes]:
        """How often each document was accepted."""
        with self.lock:
            return Counter(self.accepted.values())

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not is_so():
            assert time.monotonic() < deadline, f"never so; asked: {self.calls}"
            time.sleep(0.002)

    def wait_for_posts(self, count: int) -> None:
        self.wait_for(lambda: len(self.posts) >= count)

    @contextmanager
    def counted(self, *names: str) -> Iterator[None]:
        with self.lock:
            for name in names:
                self.calls[name] += 1
                self.side_by_side[name] += 1
                most = max(self.most_side_by_side[name], self.side_by_side[name])
                self.most_side_by_side[name] = most
        try:
            yield
        finally:
            with self.lock:
                self.side_by_side.subtract(names)

    def accept(self, environment: str, body: bytes) -> dict[str, Any]:
        job_id = str(uuid.uuid4())
        name = self.job_name.format(environment=environment, ulid=ULID())
        with self.lock:
            self.accepted[job_id] = body
            self.job_names[job_id] = name
        return {"jobId": job_id, "jobName": name, "config_s3_path": "s3://b/model.json"}

    def next_post(self, environment: str, body: bytes) -> Act:
        with self.lock:
            self.posts.append((environment, body))
            return self.post_plan.popleft() if self.post_plan else self.plan_post(body)

    def next_status(self, job_id: str) -> Act:
        with self.lock:
            plan = self.status_plan[job_id] or self.status_plan["*"]
            return plan.popleft() if plan else PROPER

    def status_of(self, job_id: str) -> dict[str, Any]:
        status = self.statuses.get(job_id, self.default_status)
        if isinstance(status, str):
            status = {"jobStatus": status}
        return {"jobId": job_id, "jobName": self.job_names.get(job_id)} | status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def do_GET(self) -> None:
        api = self.server.api
        with api.lock:
            api.headers.append(dict(self.headers))
        if self.path == "/docs":
            self.hold(api.health)
            self.answer(api.health, "ok")
        elif self.path.startswith("/status/"):
            job_id = self.path.removeprefix("/status/")
            with api.counted("status", f"status {job_id}"):
                act = api.next_status(job_id)
                self.hold(act)
            # not counted while it is sent: a client may ask again before this thread goes on
            proper = PROPER if job_id in api.accepted else Act(404, {"detail": "no such job"})
            self.answer(proper if act is PROPER else act, api.status_of(job_id))
        else:
            self.answer(Act(404), None)

    def do_POST(self) -> None:
        api = self.server.api
        with api.lock:
            api.headers.append(dict(self.headers))
        size = int(self.headers["Content-Length"])
        body = self.rfile.read(size)
        if len(body) < size:
            return
        with api.counted("post"):
            environment = self.path.removeprefix("/run/")
            act = api.next_post(environment, body)
            takes_effect = act.status == 200 and act.drop != "before"
            answer = api.accept(environment, body) if takes_effect else {"detail": "no"}
            self.hold(act)
        self.answer(act, answer)

    def hold(self, act: Act) -> None:
        if act.gate is not None:
            act.gate.wait(LIMIT_S)
        time.sleep(act.delay_s)

    def answer(self, act: Act, proper: Any) -> None:
        if act.drop:
            self.close_connection = True
            return
        content = proper if act.content is None else act.content
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        with contextlib.suppress(ConnectionError):  # the other side may have been killed
            self.send_response(act.status)
            headers = {"Content-Length": str(act.promise or len(raw)), **act.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)
        self.close_connection = self.close_connection or act.promise is not None

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    api: RunApiServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that was killed


@contextmanager
def run_api_server(port: int = 0) -> Iterator[RunApiServer]:
    api = RunApiServer()
    with _HttpServer(("127.0.0.1", port), _Handler) as server:
        server.api = api
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
