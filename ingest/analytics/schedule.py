"""Which job's results to ask for next, and for how long: plain decisions without a clock.

Time comes in as seconds from any monotonic clock; nothing here waits or calls.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import count

from ingest.errors import AnalyticsError, ResultsNotReadyError, ThrottledError

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 30.0


@dataclass
class _Asked:
    """What a job was asked so far; first_at counts once there was a call."""

    calls: int = 0
    first_at: float = 0.0


class FetchSchedule:
    """The order of all calls for results, earliest due first."""

    def __init__(self, pause_s: float, lag_s: float) -> None:
        """pause_s: between the starts of two calls. lag_s: from a job's first call to its last."""
        self._pause_s = pause_s
        self._lag_s = lag_s
        self._not_before = -math.inf  # for every call: the pause, or what a service asked for
        self._waiting: list[tuple[float, int, str]] = []
        self._numbers = count()  # jobs due at the same time are asked in the order they came
        self._asked: dict[str, _Asked] = {}

    def add(self, ulid: str, now: float) -> None:
        """A job whose results can be asked for from now on."""
        self._asked[ulid] = _Asked()
        self._wait(ulid, now)

    def _wait(self, ulid: str, due: float) -> None:
        heapq.heappush(self._waiting, (due, next(self._numbers), ulid))

    def take(self, now: float) -> str | None:
        """The job to ask about now, None when nothing is due; its call counts as started."""
        due = self._next_at()
        if due is None or due > now:
            return None
        ulid = heapq.heappop(self._waiting)[2]
        self._not_before = now + self._pause_s
        asked = self._asked[ulid]
        if not asked.calls:
            asked.first_at = now
        asked.calls += 1
        return ulid

    def _next_at(self) -> float | None:
        return max(self._waiting[0][0], self._not_before) if self._waiting else None

    def wait_s(self, now: float) -> float | None:
        """Seconds until take() gives a job, None when no job waits for its call."""
        due = self._next_at()
        return None if due is None else max(0.0, due - now)

    def ended(self, ulid: str) -> None:
        """A call brought results, or an error that no further call can mend."""
        del self._asked[ulid]

    def not_ready(
        self, ulid: str, error: ResultsNotReadyError, now: float
    ) -> AnalyticsError | None:
        """A call brought nothing. None: the job is asked again; else why it is not any more.

        The time that a service names is kept to; a job's last call may so come after lag_s.
        """
        asked = self._asked[ulid]
        delay_s = error.after_s
        if delay_s is None:
            delay_s = min(FIRST_DELAY_S * 2.0 ** min(asked.calls - 1, 100), LONGEST_DELAY_S)
        if isinstance(error, ThrottledError):
            self._not_before = max(self._not_before, now + delay_s)
        last_at = asked.first_at + self._lag_s
        if now >= last_at:
            self.ended(ulid)
            return _given_up(ulid, now - asked.first_at, error)
        due = now + delay_s
        self._wait(ulid, due if error.after_s is not None else min(due, last_at))
        return None


def _given_up(ulid: str, waited_s: float, error: ResultsNotReadyError) -> AnalyticsError:
    given_up = AnalyticsError(
        f"no results for job {ulid} after {waited_s:.0f} s (analytics.lag_s): {error}. "
        "Fetch them later: ingest backfill"
    )
    given_up.__cause__ = error
    return given_up
