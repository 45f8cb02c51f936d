"""Timing, the same way in every benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable


def best(function: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of the fastest of several calls."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)
