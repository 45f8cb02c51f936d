from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from ingest.analytics.fetcher import Fetched, ResultFetcher
from ingest.analytics.schedule import FetchSchedule
from ingest.analytics.sources.base import AnalyticsSource
from ingest.errors import AnalyticsError, BackendError, ResultsNotReadyError, ThrottledError
from ingest.study.settings import AnalyticsSettings

# Far longer than anything here takes.
LIMIT_S = 60.0


class ManualClock:
    """A clock that goes on when it is told to, or slept with."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def timestamp(self) -> str:
        return "2026-11-23T09:00:00.000Z"


class ScriptedSource(AnalyticsSource):
    """Gives what the script of a ULID says, the last item again and again; b"ok" without one."""

    name = "scripted"

    def __init__(self, clock: ManualClock, *, is_remote: bool = True) -> None:
        self.is_remote = is_remote  # type: ignore[misc]
        self.clock = clock
        self.scripts: dict[str, list[Any]] = {}
        self.calls: list[tuple[str, float]] = []
        self.threads: set[threading.Thread] = set()
        self.open = threading.Event()
        self.open.set()

    def fetch(self, ulid: str) -> bytes:
        self.threads.add(threading.current_thread())
        self.calls.append((ulid, self.clock.now()))
        self.open.wait(LIMIT_S)
        script = self.scripts.get(ulid, [b"ok"])
        item = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(item, BaseException):
            raise item
        return bytes(item)

    @property
    def ulids(self) -> list[str]:
        return [ulid for ulid, _ in self.calls]

    @property
    def times(self) -> list[float]:
        return [at - 1000.0 for _, at in self.calls]


def not_ready(after_s: float | None = None) -> ResultsNotReadyError:
    return ResultsNotReadyError("there are no rows", after_s)


@contextmanager
def fetching(source: ScriptedSource, **settings: Any) -> Iterator[ResultFetcher]:
    fetcher = ResultFetcher(source, AnalyticsSettings(**settings), source.clock)
    try:
        yield fetcher
    finally:
        source.open.set()
        fetcher.close()


def until(holds: Callable[[], bool], also: Callable[[], object] = lambda: None) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        also()
        time.sleep(0.002)


def all_of(fetcher: ResultFetcher) -> list[Fetched]:
    """Everything that is pending, sorted by ULID; the clock does not move."""
    done: list[Fetched] = []
    until(lambda: not fetcher.pending, lambda: done.extend(fetcher.finished(0.05)))
    return sorted(done, key=lambda fetched: fetched.ulid)


# --- the schedule --------------------------------------------------------------------------------


def test_schedule_gives_jobs_in_the_order_they_came() -> None:
    schedule = FetchSchedule(pause_s=0, lag_s=300)
    for ulid in ("B", "A", "C"):
        schedule.add(ulid, 0)
    assert [schedule.take(0) for _ in range(4)] == ["B", "A", "C", None]
    assert schedule.wait_s(0) is None


def test_schedule_keeps_the_pause_between_the_starts_of_two_calls() -> None:
    schedule = FetchSchedule(pause_s=5, lag_s=300)
    for ulid in "ABC":
        schedule.add(ulid, 0)
    assert schedule.take(0) == "A"
    assert (schedule.take(0), schedule.take(4.99), schedule.wait_s(3)) == (None, None, 2)
    assert schedule.take(7) == "B"
    assert (schedule.take(11.99), schedule.wait_s(11)) == (None, 1)
    assert schedule.take(12) == "C"


def test_schedule_keeps_the_pause_after_all_jobs_are_taken() -> None:
    schedule = FetchSchedule(pause_s=5, lag_s=300)
    schedule.add("A", 0)
    assert schedule.take(0) == "A"
    schedule.add("B", 1)
    assert schedule.take(4.5) is None
    assert schedule.take(5) == "B"


def ask_until_given_up(schedule: FetchSchedule, after_s: float | None) -> tuple[list[float], str]:
    """When a job is asked about, and the error that ends it."""
    schedule.add("A", 0)
    times, now = [], 0.0
    while True:
        now += schedule.wait_s(now) or 0.0
        assert schedule.take(now) == "A"
        times.append(now)
        given_up = schedule.not_ready("A", not_ready(after_s), now)
        if given_up is not None:
            assert schedule.wait_s(now) is None
            return times, str(given_up)


def test_results_not_there_are_asked_for_at_growing_intervals_until_the_lag_is_over() -> None:
    times, message = ask_until_given_up(FetchSchedule(pause_s=0, lag_s=100), None)
    assert times == [0, 1, 3, 7, 15, 31, 61, 91, 100]
    assert message == (
        "no results for job A after 100 s (analytics.lag_s): there are no rows. "
        "Fetch them later: ingest backfill"
    )


def test_without_a_lag_a_job_is_asked_about_once() -> None:
    times, message = ask_until_given_up(FetchSchedule(pause_s=0, lag_s=0), None)
    assert times == [0]
    assert message.startswith("no results for job A after 0 s (analytics.lag_s): ")


def test_time_that_a_service_names_is_kept_to_even_beyond_the_lag() -> None:
    times, message = ask_until_given_up(FetchSchedule(pause_s=0, lag_s=100), 40.0)
    assert times == [0, 40, 80, 120, 160, 200]
    assert "after 200 s" in message


def test_cause_of_giving_up_is_kept() -> None:
    schedule = FetchSchedule(pause_s=0, lag_s=0)
    schedule.add("A", 0)
    schedule.take(0)
    cause = not_ready()
    given_up = schedule.not_ready("A", cause, 5)
    assert given_up is not None
    assert given_up.__cause__ is cause
    assert not isinstance(given_up, ResultsNotReadyError)


def test_throttling_holds_back_all_calls() -> None:
    schedule = FetchSchedule(pause_s=1, lag_s=300)
    for ulid in "ABC":
        schedule.add(ulid, 0)
    assert schedule.take(0) == "A"
    assert schedule.not_ready("A", ThrottledError("slower", 20.0), 0.5) is None
    assert (schedule.take(20.4), schedule.wait_s(0.5)) == (None, 20)
    assert schedule.hold(0.5) == (20, "slower")
    assert schedule.take(20.5) == "A"
    assert schedule.take(21.5) == "B"
    assert schedule.take(22.5) == "C"
    assert schedule.hold(22.5) is None


def test_throttling_without_a_time_holds_back_all_calls_by_the_growing_interval() -> None:
    schedule = FetchSchedule(pause_s=0, lag_s=300)
    schedule.add("A", 0)
    schedule.take(0)
    schedule.not_ready("A", ThrottledError("slower"), 0)
    schedule.add("B", 0)
    assert schedule.take(0.99) is None
    assert [schedule.take(1), schedule.take(1)] == ["A", "B"]
    schedule.ended("B")
    schedule.not_ready("A", ThrottledError("slower"), 1)
    assert schedule.wait_s(1) == 2


def test_results_of_one_job_that_are_not_there_hold_back_no_other() -> None:
    schedule = FetchSchedule(pause_s=0, lag_s=300)
    schedule.add("A", 0)
    schedule.add("B", 0)
    assert schedule.take(0) == "A"
    schedule.not_ready("A", not_ready(20.0), 0)
    assert schedule.take(0) == "B"


def test_shorter_throttling_does_not_lift_a_longer_one() -> None:
    schedule = FetchSchedule(pause_s=0, lag_s=300)
    for ulid in "ABC":
        schedule.add(ulid, 0)
    assert [schedule.take(0), schedule.take(0)] == ["A", "B"]
    schedule.not_ready("A", ThrottledError("slower", 20.0), 0)
    schedule.not_ready("B", ThrottledError("slower", 2.0), 0)
    assert schedule.wait_s(0) == 20


def results_of(
    schedule: FetchSchedule, questions: int, jobs: int = 48, ended_every_s: float = 0.0
) -> tuple[int, float]:
    """How many jobs get their results when each job's question of this number brings them, and
    when all is over; one call at a time, each of which takes no time.
    """
    asked: Counter[str] = Counter()
    to_come = [(number * ended_every_s, str(number)) for number in range(jobs)]
    found, now = 0, 0.0
    while True:
        while to_come and to_come[0][0] <= now:
            schedule.add(to_come.pop(0)[1], now)
        wait_s = schedule.wait_s(now)
        if wait_s is None and not to_come:
            return found, now
        if wait_s is None or (to_come and to_come[0][0] < now + wait_s):
            now = to_come[0][0]
            continue
        now += wait_s
        ulid = schedule.take(now)
        assert ulid is not None
        asked[ulid] += 1
        if asked[ulid] == questions:
            found += 1
            schedule.ended(ulid)
        else:
            schedule.not_ready(ulid, not_ready(), now)


def test_jobs_that_wait_for_each_other_all_get_their_results() -> None:
    """A pause of 0.5 s, a lag of 20 s, and each job's third question brings its rows."""
    assert results_of(FetchSchedule(0.5, 20), questions=3) == (48, pytest.approx(0.5 * 3 * 48, 0.1))


@pytest.mark.parametrize(
    ("pause_s", "lag_s", "questions", "jobs"),
    [
        (0.5, 1.0, 6, 48),  # six questions, however short the lag
        (2.0, 5.0, 4, 300),
        (0.1, 0.2, 2, 100),
        (5.0, 300.0, 3, 1376),  # the maintainers' pace, with the default lag
        (5.0, 300.0, 6, 1376),
    ],
)
@pytest.mark.parametrize("ended_every_s", [0.0, 0.7])
def test_a_slow_pace_loses_no_results(
    pause_s: float, lag_s: float, questions: int, jobs: int, ended_every_s: float
) -> None:
    schedule = FetchSchedule(pause_s, lag_s)
    assert results_of(schedule, questions, jobs, ended_every_s)[0] == jobs


def test_a_job_that_waited_for_long_is_given_up_after_six_questions() -> None:
    schedule = FetchSchedule(pause_s=5, lag_s=20)
    schedule.add("A", 0)
    times, now = [], 1000.0  # so long was its first call held up by others
    while (ulid := schedule.take(now)) is not None:
        times.append(now)
        if given_up := schedule.not_ready(ulid, not_ready(), now):
            break
        now += schedule.wait_s(now) or 0.0
    assert len(times) == 6
    assert "no results for job A after 10" in str(given_up)


# --- a remote source -----------------------------------------------------------------------------


def test_jobs_are_fetched_in_other_threads_and_handed_out_once() -> None:
    source = ScriptedSource(ManualClock())
    with fetching(source) as fetcher:
        for ulid in "ABCDEF":
            fetcher.request(ulid)
        assert fetcher.pending == 6
        assert all_of(fetcher) == [Fetched(ulid, b"ok") for ulid in "ABCDEF"]
        assert fetcher.finished() == []
    assert threading.current_thread() not in source.threads
    assert sorted(source.ulids) == list("ABCDEF")


def test_a_job_is_pending_until_it_is_handed_out() -> None:
    source = ScriptedSource(ManualClock())
    with fetching(source) as fetcher:
        source.open.clear()
        fetcher.request("A")
        assert fetcher.finished() == []
        assert fetcher.pending == 1
        source.open.set()
        assert all_of(fetcher) == [Fetched("A", b"ok")]
        assert fetcher.pending == 0


def test_a_pending_job_is_not_queued_twice() -> None:
    source = ScriptedSource(ManualClock())
    with fetching(source) as fetcher:
        source.open.clear()
        fetcher.request("A")
        fetcher.request("A")
        source.open.set()
        assert all_of(fetcher) == [Fetched("A", b"ok")]
    assert source.ulids == ["A"]


def test_no_more_calls_than_the_concurrency_run_side_by_side() -> None:
    source = ScriptedSource(ManualClock())
    with fetching(source, concurrency=3) as fetcher:
        source.open.clear()
        for number in range(20):
            fetcher.request(f"{number:02}")
        until(lambda: len(source.calls) == 3, fetcher.finished)
        for _ in range(50):
            assert fetcher.finished() == []
        assert len(source.calls) == 3
        source.open.set()
        assert len(all_of(fetcher)) == 20
    assert len(source.threads) == 3


def test_pause_is_kept_between_the_starts_of_calls() -> None:
    clock = ManualClock()
    source = ScriptedSource(clock)
    with fetching(source, pause_s=5.0) as fetcher:
        for ulid in "ABCD":
            fetcher.request(ulid)
        for number in range(4):
            until(lambda n=number: len(source.calls) == n + 1, fetcher.finished)
            clock.time += 5.0
    assert source.times == [0, 5, 10, 15]
    assert source.ulids == list("ABCD")


def test_jobs_that_wait_for_their_results_occupy_no_thread() -> None:
    source = ScriptedSource(ManualClock())
    source.scripts = {ulid: [not_ready(), b"late"] for ulid in "ABCDEFGH"}
    with fetching(source, concurrency=1) as fetcher:
        for ulid in "ABCDEFGH":
            fetcher.request(ulid)
        until(lambda: len(source.calls) == 8)
        fetcher.request("Z")
        done: list[Fetched] = []
        until(lambda: bool(done), lambda: done.extend(fetcher.finished()))
        assert done == [Fetched("Z", b"ok")]
        source.clock.time += 1.0
        assert all_of(fetcher) == [Fetched(ulid, b"late") for ulid in "ABCDEFGH"]


def test_lag_then_results() -> None:
    clock = ManualClock()
    source = ScriptedSource(clock)
    source.scripts["A"] = [not_ready(), not_ready(30.0), not_ready(), b"there"]
    done: list[Fetched] = []
    with fetching(source, lag_s=1e9) as fetcher:
        fetcher.request("A")
        while not done:
            done = fetcher.finished()
            clock.time += 0.25
            time.sleep(0.001)
    assert done == [Fetched("A", b"there")]
    gaps = [after - before for before, after in pairwise(source.times)]
    assert [gap >= least for gap, least in zip(gaps, (1, 30, 4), strict=True)] == [True] * 3


def test_an_error_ends_its_job_alone() -> None:
    source = ScriptedSource(ManualClock())
    refused = AnalyticsError("the query is refused")
    source.scripts["B"] = [refused]
    with fetching(source) as fetcher:
        for ulid in "ABC":
            fetcher.request(ulid)
        done = all_of(fetcher)
    assert done == [Fetched("A", b"ok"), Fetched("B", error=refused), Fetched("C", b"ok")]


@pytest.mark.parametrize("is_remote", [True, False])
@pytest.mark.parametrize(
    "failure",
    [BackendError("the credentials are refused"), KeyError("a plugin's mistake"), SystemExit(3)],
)
def test_any_other_error_is_raised_once_everything_done_before_is_handed_out(
    is_remote: bool, failure: BaseException
) -> None:
    source = ScriptedSource(ManualClock(), is_remote=is_remote)
    source.scripts["B"] = [failure]
    with fetching(source, concurrency=1) as fetcher:
        for ulid in "ABC":
            fetcher.request(ulid)
        done: list[Fetched] = []
        with pytest.raises(type(failure)) as raised:
            until(lambda: False, lambda: done.extend(fetcher.finished(0.05)))
        assert raised.value is failure
        assert done == [Fetched("A", b"ok")]
        assert fetcher.pending == 2
        with pytest.raises(type(failure)):
            fetcher.finished()
    assert source.ulids == ["A", "B"]


def test_after_close_no_call_is_begun_and_nobody_waits_for_those_under_way() -> None:
    source = ScriptedSource(ManualClock())
    with fetching(source, concurrency=1) as fetcher:
        source.open.clear()
        for ulid in "ABC":
            fetcher.request(ulid)
        until(lambda: len(source.calls) == 1)
        fetcher.close()  # comes back while the call hangs
        source.open.set()
        fetcher.request("D")
        until(lambda: not any(thread.is_alive() for thread in source.threads))
    assert source.ulids == ["A"]


def test_nothing_pending_is_not_waited_for() -> None:
    source = ScriptedSource(ManualClock())
    with fetching(source) as fetcher:
        assert fetcher.finished(LIMIT_S * 1000) == []


@pytest.mark.slow
def test_a_call_that_hangs_does_not_keep_the_process() -> None:
    code = """
import threading
from ingest.analytics.sources.base import AnalyticsSource
from ingest.analytics.fetcher import ResultFetcher
from ingest.clock import SystemClock
from ingest.study.settings import AnalyticsSettings

begun = threading.Event()

class Hanging(AnalyticsSource):
    name = "hanging"
    def __init__(self): pass
    def fetch(self, ulid):
        begun.set()
        threading.Event().wait()

fetcher = ResultFetcher(Hanging(), AnalyticsSettings(), SystemClock())
fetcher.request("A")
assert begun.wait(60)
fetcher.close()
print("closed")
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "closed\n", "")


def test_a_look_asks_once_and_a_request_makes_it_go_on() -> None:
    source = ScriptedSource(ManualClock())
    source.scripts = {"A": [not_ready()], "B": [not_ready(), b"late"], "C": [b"there"]}
    with fetching(source) as fetcher:
        for ulid in "ABC":
            fetcher.request(ulid, is_look=True)
        until(lambda: len(source.calls) == 3)
        until(lambda: len(fetcher._done) == 3)
        fetcher.request("B")  # it is known by now that there are, or will be, some
        found = {fetched.ulid: fetched for fetched in all_of(fetcher)}
    assert (found["A"].raw, found["A"].is_look, found["C"].raw) == (None, True, b"there")
    assert found["B"] == Fetched("B", b"late")
    assert sorted(source.ulids) == list("ABBC")


def test_a_look_that_is_under_way_goes_on_when_it_is_requested() -> None:
    source = ScriptedSource(ManualClock())
    source.scripts = {"A": [not_ready(), b"late"]}
    with fetching(source) as fetcher:
        source.open.clear()
        fetcher.request("A", is_look=True)
        until(lambda: len(source.calls) == 1)
        fetcher.request("A")
        source.open.set()
        until(lambda: fetcher._schedule.wait_s(source.clock.now()) is not None)
        source.clock.time += 1.0
        assert all_of(fetcher) == [Fetched("A", b"late")]


def test_a_look_that_was_throttled_has_seen_nothing() -> None:
    source = ScriptedSource(ManualClock())
    source.scripts = {"A": [ThrottledError("slower", 5.0), b"there"]}
    with fetching(source) as fetcher:
        fetcher.request("A", is_look=True)
        until(lambda: fetcher.hold() == (5.0, "slower"))
        source.clock.time += 5.0
        assert all_of(fetcher) == [Fetched("A", b"there", is_look=True)]
        assert fetcher.hold() is None


# --- a source that is not remote -----------------------------------------------------------------


def test_a_source_that_is_not_remote_is_asked_at_once_in_the_callers_thread() -> None:
    source = ScriptedSource(ManualClock(), is_remote=False)
    with fetching(source, pause_s=5.0, concurrency=1) as fetcher:
        for ulid in "ABC":
            fetcher.request(ulid)
            assert source.ulids[-1] == ulid
        assert fetcher.pending == 3
        assert fetcher.finished() == [Fetched(ulid, b"ok") for ulid in "ABC"]
        assert fetcher.pending == 0
    assert source.threads == {threading.current_thread()}
    assert source.clock.slept == []


def test_a_source_that_is_not_remote_is_asked_again_too() -> None:
    clock = ManualClock()
    source = ScriptedSource(clock, is_remote=False)
    source.scripts["A"] = [not_ready(), not_ready(), b"there"]
    with fetching(source) as fetcher:
        fetcher.request("A")
        assert fetcher.finished(0.25) == []
        assert clock.slept == [0.25]
        assert fetcher.finished(10.0) == []
        assert clock.slept == [0.25, 0.75]
        assert fetcher.finished(10.0) == [Fetched("A", b"there")]
    assert source.times == [0, 1, 3]


def test_a_source_that_is_not_remote_gives_up_after_the_lag() -> None:
    source = ScriptedSource(ManualClock(), is_remote=False)
    source.scripts["A"] = [not_ready()]
    with fetching(source, lag_s=60.0) as fetcher:
        fetcher.request("A")
        done: list[Fetched] = []
        while not done:
            done = fetcher.finished(1000.0)
    assert str(done[0].error) == (
        "no results for job A after 60 s (analytics.lag_s): there are no rows. "
        "Fetch them later: ingest backfill"
    )
    assert source.times == [0, 1, 3, 7, 15, 31, 60]


def test_results_that_lack_something_are_asked_for_again_until_the_lag_is_over() -> None:
    clock = ManualClock()
    source = ScriptedSource(clock, is_remote=False)
    source.scripts["A"] = [b"half", b"more", b"whole"]
    fetcher = ResultFetcher(source, AnalyticsSettings(lag_s=31), clock)
    fetcher.request("A")
    fetcher.request("B")
    raws: list[bytes | None] = []
    while fetcher.pending:
        for fetched in fetcher.finished(60):
            raws.append(fetched.raw)
            if fetched.raw != b"ok":
                lasts = not fetcher.ask_again(fetched.ulid, "it lacks years")
    assert raws == [b"half", b"ok", b"more", *[b"whole"] * 4]
    assert lasts
    assert source.times == [0, 0, 1, 3, 7, 15, 31]
