"""Pace: threads that share one service take turns, and wait together when it asks for that."""

from __future__ import annotations

import threading
import time

_NEVER = threading.Event()


class Pace:
    """When the next call may start; safe to use from several threads."""

    def __init__(self, interval_s: float = 0.0) -> None:
        """interval_s: seconds from the start of one call to that of the next."""
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._next = 0.0  # monotonic seconds

    def hold(self, seconds: float) -> bool:
        """Let no call start for this long; whether that is later than what held before."""
        until = time.monotonic() + seconds
        with self._lock:
            is_later = until > self._next
            self._next = max(until, self._next)
        return is_later

    def wait(self, stopped: threading.Event = _NEVER) -> bool:
        """Wait for this call's turn; False when stopped before."""
        while not stopped.is_set():
            with self._lock:
                now = time.monotonic()
                if self._next <= now:
                    self._next = now + self._interval_s
                    return True
                left = self._next - now
            stopped.wait(left)
        return False
