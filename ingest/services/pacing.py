"""HoldBack: threads that share one service wait together when it asks for that."""

from __future__ import annotations

import threading
import time


class HoldBack:
    """Until when nobody may call; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0

    def hold(self, seconds: float) -> bool:
        """Let nobody call for this long; whether that is later than what held before."""
        until = time.monotonic() + seconds
        with self._lock:
            is_later = until > self._until
            self._until = max(until, self._until)
        return is_later

    def wait(self, stopped: threading.Event) -> bool:
        """Wait until calls are allowed; False when stopped before."""
        while not stopped.is_set():
            left = self._until - time.monotonic()
            if left <= 0:
                return True
            stopped.wait(left)
        return False


class Pacer:
    """Lets calls through at an even pace, from any thread."""

    def __init__(self, per_s: float) -> None:
        self._interval_s = 1 / per_s
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for this call's turn."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self._interval_s
        time.sleep(max(0.0, turn - time.monotonic()))
