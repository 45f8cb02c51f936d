"""Connections whose answers have to begin in time, also where their first lines dribble.

requests and urllib3 limit the silence between two packets, not the whole: a server that sends a
byte of its headers now and then would hold a call for ever.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Timer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter
    from urllib3 import PoolManager


def make_adapter(connections: int) -> HTTPAdapter:
    """An adapter that tries nothing twice; status and headers come within the read time-out."""
    from requests.adapters import HTTPAdapter

    class DeadlineAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options)
            _use_ours(self.poolmanager)

        def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
            return _use_ours(super().proxy_manager_for(proxy, **options))

    return DeadlineAdapter(pool_maxsize=connections, max_retries=0)


def _use_ours(manager: PoolManager) -> PoolManager:
    import urllib3

    manager.pool_classes_by_scheme = {
        "http": _in_time(urllib3.HTTPConnectionPool),
        "https": _in_time(urllib3.HTTPSConnectionPool),
    }
    return manager


@cache
def _in_time(pool: Any) -> Any:
    """A class of pools whose connections end themselves when an answer does not begin in time."""
    connection = pool.ConnectionCls

    def getresponse(self: Any) -> Any:
        sock = self.sock
        with limited(lambda: sock.shutdown(socket.SHUT_RDWR), self.timeout or 0.0):
            return connection.getresponse(self)

    ours = type("Connection", (connection,), {"getresponse": getresponse})
    return type("Pool", (pool,), {"ConnectionCls": ours})


@contextmanager
def limited(shutdown: Callable[[], object], limit_s: float) -> Iterator[None]:
    """Call shutdown() when the block takes longer than this. Raises TimeoutError then."""
    is_over = False

    def end() -> None:
        nonlocal is_over
        is_over = True
        # the connection may have ended, or gone back to its pool, just now
        with contextlib.suppress(OSError, RuntimeError):
            shutdown()

    timer = Timer(limit_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as exc:
        if is_over:
            raise TimeoutError from exc
        raise
    finally:
        timer.cancel()
    if is_over:
        raise TimeoutError
