"""Timing, the same way in every benchmark."""

from __future__ import annotations

import time
from collections.abc import Callable


def side_by_side(
    first: Callable[[], object], second: Callable[[], object], rounds: int = 5
) -> tuple[float, float]:
    """Seconds of the processor that each of two takes at best, called in turns.

    For a ratio: other programs and a changing clock of the processor meet both alike.
    """
    times = []
    for _ in range(rounds):
        begin = time.thread_time()
        first()
        middle = time.thread_time()
        second()
        times.append((middle - begin, time.thread_time() - middle))
    return min(one for one, _ in times), min(other for _, other in times)


def best(function: Callable[[], object], rounds: int = 3) -> float:
    """Seconds of the fastest of several calls."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)
