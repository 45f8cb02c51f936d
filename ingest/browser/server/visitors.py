"""The open connections: how many there may be, and how long a visitor may let the server wait.

Uvicorn has no limit for a header that never ends, and none for a reader who does not read.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

_FILES = 8192
_MOST_CONNECTIONS = 1000
_LOOK_EVERY_S = 1.0
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nToo many visitors at once; try again.\n"
)


@dataclass(frozen=True)
class Limits:
    """most: open connections. backlog: how many more the system may hold back meanwhile.

    request_s: from the connection, or the last answer, to the whole header of a request.
    reading_s: in which a reader takes nothing of an answer.
    """

    most: int = _MOST_CONNECTIONS
    backlog: int = _MOST_CONNECTIONS
    request_s: float = 10.0
    reading_s: float = 60.0


def limits_here() -> Limits:
    """Limits that leave room below the system's limit on open files, which is raised if it may be.

    asyncio accepts a backlog at once, and some more before it closes the first that is too many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
            soft = files
    files = files if soft == resource.RLIM_INFINITY else soft
    most = min(_MOST_CONNECTIONS, files // 2)
    return Limits(most, min(_MOST_CONNECTIONS, (files - most) // 5))


class _Connection(Protocol):
    """What is looked at of one of Uvicorn's connections."""

    transport: asyncio.Transport
    cycle: Any


@dataclass
class _Wait:
    """since: when the visitor last did what was waited for. unread_bytes: of an answer."""

    since: float
    unread_bytes: int = 0


class Visitors:
    """The open connections of one server."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._waits: dict[_Connection, _Wait] = {}
        self._timer: asyncio.TimerHandle | None = None

    def come(self, connection: _Connection) -> None:
        """Let a connection in. Where all places are taken, the one that lets wait longest goes.

        So others are answered, however many open connections and say nothing.
        """
        if len(self._waits) >= self._limits.most:
            waiting = [one for one in self._waits if self._limit_s(one) is not None]
            if not waiting:
                connection.transport.write(_FULL)
                connection.transport.close()
                return
            longest = min(waiting, key=lambda one: self._waits[one].since)
            self.leave(longest)
            longest.transport.abort()
        self._waits[connection] = _Wait(self._clock())
        if self._timer is None:
            self._look_later()

    def answered(self, connection: _Connection) -> None:
        """The next request of a connection is waited for."""
        if wait := self._waits.get(connection):
            wait.since = self._clock()

    def leave(self, connection: _Connection) -> None:
        """A connection has ended."""
        self._waits.pop(connection, None)

    def look(self) -> None:
        """End the connections that let the server wait for too long."""
        now = self._clock()
        for connection, wait in list(self._waits.items()):
            limit_s = self._limit_s(connection)
            unread = connection.transport.get_write_buffer_size()
            if limit_s is None or unread != wait.unread_bytes:
                wait.since, wait.unread_bytes = now, unread
            elif now - wait.since > limit_s:
                self.leave(connection)
                connection.transport.abort()

    def _limit_s(self, connection: _Connection) -> float | None:
        """How long the visitor may take for what is waited for; None while the server works."""
        if connection.transport.get_write_buffer_size():
            return self._limits.reading_s
        is_working = connection.cycle is not None and not connection.cycle.response_complete
        return None if is_working else self._limits.request_s

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_LOOK_EVERY_S, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self.look()
        if self._waits:
            self._look_later()


def limiting_protocol(limits: Limits) -> type[Any]:
    """Uvicorn's HTTP with these limits, for one server."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    visitors = Visitors(limits)

    class LimitingProtocol(H11Protocol):
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            visitors.come(self)

        def connection_lost(self, exc: Exception | None) -> None:
            visitors.leave(self)
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            visitors.answered(self)
            super().on_response_complete()

    return LimitingProtocol
