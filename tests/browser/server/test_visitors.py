"""Visitors who open connections and let the server wait: others are answered meanwhile."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from ingest.browser.server.visitors import Limits, Visitors
from tests.browser.site import Site, start_site
from tests.conftest import StudyFolder

FILES = 1024
MANY = 1100
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: "
LARGE = b"GET /validation_results/metrics.json?_size=max&_x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
WRONG = b"no HTTP at all\r\n\r\n"
UPGRADE = b"GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


@pytest.fixture(scope="module")
def small(served_study: StudyFolder) -> Iterator[Site]:
    """`ingest serve` that can open 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * MANY:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * MANY), hard))
    running = start_site(served_study.database, files=FILES)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def connections(site: Site, count: int, words: bytes) -> Iterator[list[socket.socket]]:
    """Connections that say something, and then nothing more."""
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.connect(("127.0.0.1", site.port))
            with suppress(OSError):  # it may be too many already
                one.sendall(words)
            opened.append(one)
        yield opened


@pytest.mark.parametrize("words", [HALF, b"", LARGE], ids=["half a header", "silent", "not read"])
def test_others_are_answered_however_many_let_the_server_wait(small: Site, words: bytes) -> None:
    count = MANY if words != LARGE else 100
    with connections(small, count, words):
        begin = time.monotonic()
        for _ in range(5):
            small.get("/validation_results/-/runs")
        assert time.monotonic() - begin < 10
    assert small.read_lines()[1:] == []


@pytest.mark.parametrize("words", [WRONG, UPGRADE], ids=["no HTTP", "upgrade"])
def test_mistakes_of_visitors_are_a_line_a_second(small: Site, words: bytes) -> None:
    before, begin = len(small.read_lines()), time.monotonic()
    for _ in range(8):
        with connections(small, 50, words) as opened:
            for one in opened:
                one.settimeout(30)
                with suppress(OSError):
                    assert one.recv(20).startswith(b"HTTP/1.1 4")
    seconds = time.monotonic() - begin
    said = small.read_lines()[before:]
    assert 1 <= len(said) <= seconds + 2, said[:10]


# --- the rules, with a clock of their own --------------------------------------------------------


@dataclass(eq=False)
class Connection:
    """As Visitors see one of Uvicorn's."""

    unread: int = 0
    cycle: Any = None
    ended: list[str] = field(default_factory=list)

    @property
    def transport(self) -> Any:
        return SimpleNamespace(
            get_write_buffer_size=lambda: self.unread,
            abort=lambda: self.ended.append("aborted"),
            write=lambda text: self.ended.append(text.split(b"\r\n")[0].decode()),
            close=lambda: self.ended.append("closed"),
        )


class Case:
    """Visitors and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
        self.now = 0.0
        self.visitors = Visitors(Limits(**limits), clock=lambda: self.now)
        monkeypatch.setattr(self.visitors, "_look_later", lambda: None)

    def come(self, **state: Any) -> Connection:
        connection = Connection(**state)
        self.visitors.come(connection)
        self.now += 0.001
        return connection

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            self.visitors.look()


WORKING = SimpleNamespace(response_complete=False)
DONE = SimpleNamespace(response_complete=True)


def test_a_header_has_ten_seconds_whatever_drips_in(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(monkeypatch)
    half, working, kept = case.come(), case.come(cycle=WORKING), case.come(cycle=DONE)
    case.wait(9)
    case.visitors.answered(kept)  # its next request came and was answered
    case.wait(2)
    assert (half.ended, working.ended, kept.ended) == (["aborted"], [], [])
    case.wait(10)
    assert (working.ended, kept.ended) == ([], ["aborted"])


def test_a_reader_may_be_slow_and_not_still(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(monkeypatch)
    still, slow = case.come(unread=5000, cycle=WORKING), case.come(unread=5000, cycle=DONE)
    for _ in range(4):
        case.wait(30)
        slow.unread -= 1000
    assert (still.ended, slow.ended) == (["aborted"], [])


def test_who_lets_wait_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(monkeypatch, most=3)
    working, first, second = case.come(cycle=WORKING), case.come(), case.come()
    third = case.come()
    assert (working.ended, first.ended, second.ended) == ([], ["aborted"], [])
    second.cycle = third.cycle = WORKING
    late = case.come()
    assert late.ended == ["HTTP/1.1 503 Service Unavailable", "closed"]
    case.visitors.leave(third)
    assert case.come().ended == []
