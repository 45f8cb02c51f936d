from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ingest.services import pacing
from ingest.services.pacing import Pace


class FakeTime:
    """A clock that only waiting moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def event(self, on_wait: Callable[[], None] = lambda: None) -> threading.Event:
        fake = self

        class Event(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                assert timeout
                fake.now += timeout
                on_wait()
                return self.is_set()

        return Event()


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr(pacing, "time", fake)
    return fake


def test_calls_start_one_interval_apart(time: FakeTime) -> None:
    pace, stopped, starts = Pace(0.1), time.event(), []
    for _ in range(4):
        assert pace.wait(stopped)
        starts.append(time.now)
    assert starts == pytest.approx([100.0, 100.1, 100.2, 100.3])


def test_calls_without_an_interval_start_at_once(time: FakeTime) -> None:
    pace = Pace()
    assert [pace.wait(time.event()) for _ in range(3)] == [True] * 3
    assert time.now == 100.0


def test_a_hold_lets_no_call_start_before_it_is_over(time: FakeTime) -> None:
    pace = Pace()
    assert pace.hold(5.0)
    assert pace.wait(time.event())
    assert time.now == 105.0


def test_the_longer_of_two_holds_counts(time: FakeTime) -> None:
    pace = Pace()
    assert pace.hold(5.0)
    assert not pace.hold(2.0)
    assert pace.wait(time.event())
    assert time.now == 105.0


def test_a_hold_that_grows_while_a_call_waits_is_kept_to(time: FakeTime) -> None:
    pace = Pace()
    pace.hold(5.0)
    growth = iter([20.0])
    assert pace.wait(time.event(lambda: pace.hold(next(growth, 0.0)) and None))
    assert time.now == 125.0


def test_nobody_waits_once_stopped(time: FakeTime) -> None:
    pace = Pace()
    pace.hold(5.0)
    stopped = time.event()
    stopped.set()
    assert not pace.wait(stopped)
    waiting = time.event(lambda: waiting.set())
    assert not pace.wait(waiting)
    assert time.now == 105.0


def test_threads_share_one_pace() -> None:
    pace, starts = Pace(0.02), []

    def call() -> None:
        assert pace.wait()
        starts.append(pacing.time.monotonic())

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(starts) - min(starts) >= 0.02 * 3.5
