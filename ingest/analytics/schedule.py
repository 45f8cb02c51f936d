"""Which job's results to ask for next, and for how long: plain decisions without a clock.

Time comes in as seconds from any monotonic clock; nothing here waits or calls.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from itertools import count

from ingest.errors import AnalyticsError, ResultsNotReadyError, ThrottledError

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 30.0
# However long a job waited for its first call: results that lag a little are not given up.
FEWEST_CALLS = 6


@dataclass
class _Asked:
    """How often a job was asked about, and when it ended."""

    ended_at: float
    calls: int = 0


class FetchSchedule:
    """The order of all calls for results: a job that is due again goes before one never asked.

    So each job is asked on until its results are there, however many wait behind it.
    """

    def __init__(self, pause_s: float, lag_s: float) -> None:
        """pause_s: between the starts of two calls. lag_s: from a job's end to its last call, of
        which it gets six at least; without a lag, one.
        """
        self._pause_s = pause_s
        self._lag_s = lag_s
        self._fewest_calls = FEWEST_CALLS if lag_s else 1
        # so short that six calls fit into a short lag, as the delays double
        self._first_delay_s = min(FIRST_DELAY_S, lag_s / (2 ** (FEWEST_CALLS - 1) - 1))
        self._not_before = -math.inf  # for every call: the pause, or what a service asked for
        self._held_until, self._held_why = -math.inf, ""
        self._never_asked: deque[str] = deque()
        self._waiting: list[tuple[float, int, str]] = []
        self._numbers = count()  # jobs due at the same time are asked in the order they came
        self._asked: dict[str, _Asked] = {}

    def add(self, ulid: str, now: float) -> None:
        """A job that has ended, whose results can be asked for from now on."""
        self._asked[ulid] = _Asked(now)
        self._never_asked.append(ulid)

    def take(self, now: float) -> str | None:
        """The job to ask about now, None when nothing is due; its call counts as started."""
        due = self._next_at()
        if due is None or due > now:
            return None
        if self._waiting and self._waiting[0][0] <= now:
            ulid = heapq.heappop(self._waiting)[2]
        else:
            ulid = self._never_asked.popleft()
        self._not_before = now + self._pause_s
        self._asked[ulid].calls += 1
        return ulid

    def _next_at(self) -> float | None:
        if self._never_asked:
            return self._not_before
        return max(self._waiting[0][0], self._not_before) if self._waiting else None

    def wait_s(self, now: float) -> float | None:
        """Seconds until take() gives a job, None when no job waits for its call."""
        due = self._next_at()
        return None if due is None else max(0.0, due - now)

    def hold(self, now: float) -> tuple[float, str] | None:
        """For how many seconds a service asked for no call, and its words; None for no hold."""
        left_s = self._held_until - now
        return (left_s, self._held_why) if left_s > 0 and self._asked else None

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
            delay_s = self._first_delay_s * 2.0 ** min(asked.calls - 1, 100)
            delay_s = min(delay_s, LONGEST_DELAY_S)
        if isinstance(error, ThrottledError):
            self._not_before = max(self._not_before, now + delay_s)
            if self._not_before > self._held_until:
                self._held_until, self._held_why = self._not_before, str(error)
        last_at = asked.ended_at + self._lag_s
        if now >= last_at and asked.calls >= self._fewest_calls:
            self.ended(ulid)
            return _given_up(ulid, now - asked.ended_at, error)
        due = now + delay_s
        if now < last_at and error.after_s is None:
            due = min(due, last_at)
        heapq.heappush(self._waiting, (due, next(self._numbers), ulid))
        return None


def _given_up(ulid: str, waited_s: float, error: ResultsNotReadyError) -> AnalyticsError:
    given_up = AnalyticsError(
        f"no results for job {ulid} after {waited_s:.0f} s (analytics.lag_s): {error}. "
        "Fetch them later: ingest backfill"
    )
    given_up.__cause__ = error
    return given_up
