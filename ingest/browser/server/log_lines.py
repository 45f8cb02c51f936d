"""What the web server says in a terminal: a line a second at most, whatever visitors do."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

_EVERY_S = 1.0


class OneEverySecond(logging.Filter):
    """Lets one record of a kind pass each second; the next one tells how many were left out.

    There are two kinds, so that mistakes of visitors never hide an error of the server.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._next: dict[bool, float] = {}
        self._left_out = {False: 0, True: 0}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written."""
        kind, now = bool(record.exc_info), self._clock()
        if now < self._next.get(kind, now):
            self._left_out[kind] += 1
            return False
        if count := self._left_out[kind]:
            record.msg, record.args = f"{record.getMessage()} (and {count:,} more lines)", ()
        self._next[kind], self._left_out[kind] = now + _EVERY_S, 0
        return True


def limit_log_lines() -> None:
    """Have the loggers of Uvicorn and asyncio write to stderr, a line a second at most."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    handler.addFilter(OneEverySecond())
    for name in ("uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)
