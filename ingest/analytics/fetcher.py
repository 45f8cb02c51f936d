"""Fetching results beside whatever else goes on: a few threads that keep to a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Condition, Thread

from ingest.analytics.schedule import FetchSchedule
from ingest.analytics.sources.base import AnalyticsSource
from ingest.clock import Clock
from ingest.errors import AnalyticsError, ResultsNotReadyError, ThrottledError
from ingest.study.settings import AnalyticsSettings


@dataclass(frozen=True)
class Fetched:
    """What came of fetching one job's results: raw, or the error. is_look: it was asked once."""

    ulid: str
    raw: bytes | None = None
    error: AnalyticsError | None = None
    is_look: bool = False


class ResultFetcher:
    """Fetches results beside whatever else goes on; its methods are called from one thread.

    Side by side at most settings.concurrency calls, settings.pause_s between the starts of two.
    Results that are not there yet are asked for again until settings.lag_s is over; meanwhile they
    occupy no thread. A source that is not remote is asked in the caller's thread, without pauses.
    """

    def __init__(self, source: AnalyticsSource, settings: AnalyticsSettings, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._threads_at_most = settings.concurrency if source.is_remote else 0
        pause_s = settings.pause_s if source.is_remote else 0.0
        self._schedule = FetchSchedule(pause_s, settings.lag_s)
        self._pending: set[str] = set()
        self._looks: set[str] = set()  # of the pending: asked for once, whatever comes of it
        self._done: list[Fetched] = []
        self._failure: BaseException | None = None
        self._closed = False
        self._threads = 0
        self._changed = Condition()  # guards all of the above

    @property
    def pending(self) -> int:
        """How many jobs were requested and not yet handed out by finished()."""
        return len(self._pending)

    def request(self, ulid: str, *, is_look: bool = False) -> None:
        """Queue a job; one that is pending already is not queued twice.

        is_look: nobody knows whether there are results, so they are asked for once. A request
        without it turns a look that is pending into one that goes on.
        """
        with self._changed:
            if not is_look:
                self._looks.discard(ulid)
                in_vain = [f for f in self._done if f.ulid == ulid and f.is_look and f.error]
                self._done = [fetched for fetched in self._done if fetched not in in_vain]
                self._pending -= {fetched.ulid for fetched in in_vain}
            if ulid in self._pending:
                return
            self._pending.add(ulid)
            if is_look:
                self._looks.add(ulid)
            self._schedule.add(ulid, self._clock.now())
            self._start_thread()
            self._changed.notify_all()
        self._call_here()

    def hold(self) -> tuple[float, str] | None:
        """For how many seconds the service asked for no call, and its words; None for no hold."""
        with self._changed:
            return self._schedule.hold(self._clock.now())

    def finished(self, wait_s: float = 0.0) -> list[Fetched]:
        """The jobs done since the last question, in the order they were done.

        Waits up to wait_s seconds for one while jobs are pending; with none it returns at once.
        Raises BackendError that a call came to, once everything done before is handed out.
        """
        self._call_here()
        with self._changed:
            self._changed.notify_all()  # a clock that tests set may have moved
            if self._threads_at_most and self._pending:
                self._changed.wait_for(lambda: self._done or self._failure, wait_s)
        if not self._threads_at_most:
            self._wait_here(wait_s)
        with self._changed:
            done, self._done = self._done, []
            self._pending -= {fetched.ulid for fetched in done}
            if self._failure and not done:
                raise self._failure
            return done

    def ask_again(self, ulid: str, lack: str) -> bool:
        """Ask for a job's results once more, as what came lacks something; False: lag_s is over."""
        with self._changed:
            error = ResultsNotReadyError(lack)
            if self._schedule.not_ready(ulid, error, self._clock.now()) is not None:
                return False
            self._pending.add(ulid)
            self._changed.notify_all()
            return True

    def close(self) -> None:
        """Begin no further call; calls under way are left to their own end, nobody waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    # --- in the caller's thread, for a source that is not remote ---------------------------------

    def _call_here(self) -> None:
        while not self._threads_at_most and (ulid := self._take()) is not None:
            self._call(ulid)

    def _wait_here(self, wait_s: float) -> None:
        """Let the time pass until a job is due again, and ask for it."""
        due_s = self._schedule.wait_s(self._clock.now())
        if due_s is None or self._done or self._failure or wait_s <= 0:
            return
        self._clock.sleep(min(wait_s, due_s))
        self._call_here()

    # --- in threads, for a remote source ---------------------------------------------------------

    def _start_thread(self) -> None:
        """One thread more, until there are as many as may call side by side."""
        if self._threads < self._threads_at_most:
            self._threads += 1
            # a daemon, so that a call that hangs never keeps the process
            Thread(target=self._work, name=f"ingest-fetch-{self._threads}", daemon=True).start()

    def _work(self) -> None:
        while (ulid := self._wait_for_call()) is not None:
            self._call(ulid)

    def _wait_for_call(self) -> str | None:
        """The next job to ask about, once its call is due; None when there is none any more."""
        with self._changed:
            while not self._is_over:
                if (ulid := self._take()) is not None:
                    return ulid
                self._changed.wait(self._schedule.wait_s(self._clock.now()))
            return None

    # --- in either -------------------------------------------------------------------------------

    @property
    def _is_over(self) -> bool:
        return self._closed or self._failure is not None

    def _take(self) -> str | None:
        with self._changed:
            return None if self._is_over else self._schedule.take(self._clock.now())

    def _call(self, ulid: str) -> None:
        """Ask for one job's results and keep what comes of it."""
        raw = error = failure = None
        try:
            raw = self._source.fetch(ulid)
        except AnalyticsError as exc:
            error = exc
        except (Exception, SystemExit) as exc:  # noqa: BLE001  # finished() raises it again
            failure = exc
        with self._changed:
            if failure is not None:
                self._failure = self._failure or failure
            elif isinstance(error, ResultsNotReadyError):
                self._keep_asking(ulid, error)
            else:
                if error is not None:
                    self._schedule.ended(ulid)
                self._end(ulid, raw, error)
            self._changed.notify_all()

    def _keep_asking(self, ulid: str, error: ResultsNotReadyError) -> None:
        """Ask again, unless the time is over or one answer was all that was wanted."""
        if ulid in self._looks and not isinstance(error, ThrottledError):
            self._schedule.ended(ulid)
            self._end(ulid, None, error)
            return
        given_up = self._schedule.not_ready(ulid, error, self._clock.now())
        if given_up is not None:
            self._end(ulid, None, given_up)

    def _end(self, ulid: str, raw: bytes | None, error: AnalyticsError | None) -> None:
        is_look = ulid in self._looks
        self._looks.discard(ulid)
        self._done.append(Fetched(ulid, raw, error, is_look))
