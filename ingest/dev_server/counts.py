"""What the dev server counts about itself: calls, answers, and how many of them side by side."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ingest.dev_server.faults import Endpoint


class CallCounts:
    """Calls by endpoint and by their answers; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[Endpoint] = Counter()
        self._answers: dict[Endpoint, Counter[str]] = {name: Counter() for name in Endpoint}
        self._open: Counter[Endpoint] = Counter()
        self._most_open: Counter[Endpoint] = Counter()

    @contextmanager
    def call(self, endpoint: Endpoint) -> Iterator[None]:
        """Count a call, and that it goes on, for as long as the block takes."""
        with self._lock:
            self._calls[endpoint] += 1
            self._open[endpoint] += 1
            self._most_open[endpoint] = max(self._most_open[endpoint], self._open[endpoint])
        try:
            yield
        finally:
            with self._lock:
                self._open[endpoint] -= 1

    def answered(self, endpoint: Endpoint, answer: str) -> None:
        """Count an answer: its HTTP status, "dropped" or "truncated"."""
        with self._lock:
            self._answers[endpoint][answer] += 1

    def as_dict(self) -> dict[str, Any]:
        """Everything counted, as JSON has it."""
        with self._lock:
            return {
                "calls": {name.value: self._calls[name] for name in Endpoint},
                "answers": {name.value: dict(self._answers[name]) for name in Endpoint},
                "side_by_side_max": {name.value: self._most_open[name] for name in Endpoint},
            }
