"""The scheduler under a simulated clock: thousands of schedules, each from a seed."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ConfigError
from ingest.running.scheduler import Limits, Rate, Scheduler, parse_rate
from tests.effort import examples

SEEDS = examples(500, long=5_000)

# Sums of floats are not exact; a millionth of a millionth of the times used here.
EPSILON_S = 1e-9


# --- one decision at a time ----------------------------------------------------------------------


def test_jobs_are_submitted_in_order_up_to_the_limit_in_flight() -> None:
    scheduler = Scheduler("abcde", Limits(max_in_flight=2))
    assert scheduler.take_submissions(0.0) == ["a", "b"]
    assert scheduler.take_submissions(1.0) == []
    scheduler.ended("a")
    assert scheduler.take_submissions(1.0) == ["c"]
    assert scheduler.in_flight == ["b", "c"]


def test_a_run_without_jobs_is_finished() -> None:
    scheduler: Scheduler[str] = Scheduler([], Limits())
    assert scheduler.is_finished
    assert scheduler.take_submissions(0.0) == []
    assert scheduler.take_questions(0.0) == []


def test_a_run_is_finished_when_every_job_has_ended() -> None:
    scheduler = Scheduler("ab", Limits())
    scheduler.take_submissions(0.0)
    scheduler.ended("a")
    assert not scheduler.is_finished
    scheduler.ended("b")
    assert scheduler.is_finished


def test_the_rate_holds_in_any_window_and_is_used_up() -> None:
    scheduler = Scheduler(range(10), Limits(rate=Rate(3, 2.0)))
    assert len(scheduler.take_submissions(0.0)) == 3
    assert scheduler.take_submissions(1.9) == []
    assert scheduler.wait_s(1.5, 60.0) == pytest.approx(0.5)
    assert len(scheduler.take_submissions(2.0)) == 3
    assert len(scheduler.take_submissions(5.0)) == 3
    assert len(scheduler.take_submissions(5.1)) == 0


def test_a_wait_for_the_rate_is_never_rounded_to_nothing() -> None:
    """When 'first + span' is reached, the job goes; 'now - span' may round the other way."""
    for seed in range(SEEDS):
        chance = random.Random(seed)
        start, span = chance.random() * 10, chance.choice([0.1, 0.3, 0.7, 1.1, chance.random()])
        scheduler = Scheduler("ab", Limits(rate=Rate(1, span)))
        scheduler.take_submissions(start)
        then = start + span
        assert scheduler.take_submissions(then) == ["b"], f"seed {seed}"


def test_a_job_is_overdue_exactly_at_its_time_out() -> None:
    for seed in range(SEEDS):
        chance = random.Random(seed)
        start, timeout = chance.random() * 10, chance.choice([0.1, 0.7, 60.1, chance.random()])
        scheduler = Scheduler("a", Limits(job_timeout_s=timeout))
        scheduler.take_submissions(0.0)
        assert scheduler.overdue(1e9) == []  # not running yet
        scheduler.began("a", start)
        assert scheduler.overdue(math.nextafter(start + timeout, 0.0)) == []
        assert scheduler.overdue(start + timeout) == ["a"], f"seed {seed}"


def test_the_time_out_counts_from_the_first_time_a_job_was_seen_running() -> None:
    scheduler = Scheduler("a", Limits(job_timeout_s=10.0))
    scheduler.take_submissions(0.0)
    assert scheduler.running_s("a", 5.0) is None
    scheduler.began("a", 1.0)
    scheduler.began("a", 9.0)
    assert scheduler.running_s("a", 5.0) == 4.0
    assert scheduler.running == 1
    assert scheduler.overdue(11.0) == ["a"]


def test_the_time_out_of_a_further_attempt_counts_anew() -> None:
    scheduler = Scheduler("a", Limits(job_timeout_s=10.0, retry_delay_s=1.0))
    scheduler.take_submissions(0.0)
    scheduler.began("a", 0.0)
    assert scheduler.failed("a", 9.0, can_pass=True)
    assert scheduler.overdue(100.0) == []
    assert scheduler.take_submissions(100.0) == ["a"]
    scheduler.began("a", 100.0)
    assert scheduler.overdue(109.0) == []
    assert scheduler.overdue(110.0) == ["a"]


def test_a_fault_that_cannot_pass_gets_no_further_attempt() -> None:
    scheduler = Scheduler("a", Limits(retries=5))
    scheduler.take_submissions(0.0)
    assert not scheduler.failed("a", 1.0, can_pass=False)
    assert scheduler.attempts("a") == 1


def test_retries_are_further_attempts() -> None:
    scheduler = Scheduler("a", Limits(retries=2, retry_delay_s=0.0))
    answers = []
    for now in range(3):
        assert scheduler.take_submissions(float(now)) == ["a"]
        answers.append(scheduler.failed("a", float(now), can_pass=True))
    assert answers == [True, True, False]
    assert scheduler.attempts("a") == 3


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_retry_delays_double_up_to_their_limit(jitter: float) -> None:
    limits = Limits(retries=2_000, retry_delay_s=1.5, retry_delay_max_s=20.0)
    scheduler = Scheduler("a", limits, lambda: jitter)
    now, delays = 0.0, []
    for _ in range(1_200):  # past the point where a power of two is beyond all floats
        scheduler.take_submissions(now)
        assert scheduler.failed("a", now, can_pass=True)
        delay = scheduler.wait_s(now, math.inf)
        assert scheduler.take_submissions(now + delay / 2) == []
        delays.append(delay / (0.5 + jitter))
        now += delay
    assert delays[:5] == pytest.approx([1.5, 3.0, 6.0, 12.0, 20.0])
    assert delays[5:] == pytest.approx([20.0] * 1_195)


def test_jobs_that_fail_together_are_tried_again_together() -> None:
    chance = random.Random(3)
    scheduler = Scheduler(range(50), Limits(poll_interval_s=1.0), chance.random)
    accepted(scheduler, 0.0)
    for key in range(50):  # one answer after the other, as a poll gives them
        scheduler.failed(key, 5.0 + key / 1000, can_pass=True)
    assert scheduler.take_submissions(5.0 + scheduler.wait_s(5.0, 60.0)) == list(range(50))


def test_the_time_out_is_that_of_one_execution() -> None:
    scheduler = Scheduler("ab", Limits(job_timeout_s=10.0))
    accepted(scheduler, 0.0)
    scheduler.began("a", 0.0, "0")
    scheduler.began("b", 0.0, "0")
    scheduler.queued("a", 8.0)  # its machine was taken away
    scheduler.began("b", 8.0, "1")  # likewise, but nobody saw it wait
    assert scheduler.running == 1
    assert scheduler.overdue(17.9) == []
    assert scheduler.overdue(18.0) == ["b"]
    scheduler.began("a", 100.0, "1")
    scheduler.began("a", 105.0, "1")
    assert scheduler.running_s("a", 105.0) == 5.0
    assert scheduler.overdue(109.9) == ["b"]
    assert scheduler.overdue(110.0) == ["a", "b"]


def test_further_attempts_go_before_jobs_that_never_ran() -> None:
    scheduler = Scheduler("abc", Limits(max_in_flight=1, retry_delay_s=1.0))
    scheduler.take_submissions(0.0)
    scheduler.failed("a", 0.0, can_pass=True)
    assert scheduler.take_submissions(0.0) == ["b"]
    scheduler.ended("b")
    assert scheduler.take_submissions(10.0) == ["a"]


def accepted(scheduler: Scheduler[str], now: float) -> None:
    for key in scheduler.take_submissions(now):
        scheduler.accepted(key, now)


def test_a_job_is_asked_about_at_the_poll_interval_and_more_seldom_with_its_age() -> None:
    scheduler = Scheduler("a", Limits(poll_interval_s=1.0, poll_interval_max_s=30.0))
    accepted(scheduler, 0.0)
    asked = []
    now = 0.0
    while now < 600.0:
        if scheduler.take_questions(now):
            asked.append(now)
            assert scheduler.take_questions(now) == []
        now += scheduler.wait_s(now, math.inf)
    assert asked[:10] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    gaps = [after - before for before, after in itertools.pairwise(asked)]
    ages = asked[:-1]
    assert all(gap <= max(1.0, 0.1 * age + 0.5) for gap, age in zip(gaps, ages, strict=True))
    assert max(gaps) == 30.0
    assert len(asked) < 60


def test_questions_come_together_on_a_grid() -> None:
    scheduler = Scheduler("abc", Limits(poll_interval_s=1.0, rate=Rate(1, 0.3)))
    for now in (0.0, 0.3, 0.6):
        accepted(scheduler, now)
    assert scheduler.take_questions(0.99) == []
    assert scheduler.take_questions(1.01) == ["a", "b"]
    assert scheduler.take_questions(2.02) == ["a", "b", "c"]


def test_a_job_is_not_asked_about_before_it_was_accepted() -> None:
    scheduler = Scheduler("a", Limits(poll_interval_s=1.0))
    scheduler.take_submissions(0.0)
    assert scheduler.take_questions(100.0) == []
    assert scheduler.wait_s(100.0, 5.0) == 5.0
    scheduler.accepted("a", 100.0)
    assert scheduler.take_questions(101.0) == ["a"]


def test_without_a_poll_interval_every_job_in_flight_is_asked_about_every_time() -> None:
    scheduler = Scheduler("ab", Limits())
    accepted(scheduler, 0.0)
    assert scheduler.take_questions(0.0) == scheduler.take_questions(0.0) == ["a", "b"]


def test_a_poll_interval_above_its_limit_is_kept() -> None:
    scheduler = Scheduler("a", Limits(poll_interval_s=60.0, poll_interval_max_s=30.0))
    accepted(scheduler, 0.0)
    assert scheduler.wait_s(0.0, math.inf) == 60.0


def test_a_job_of_an_earlier_process_is_in_flight_and_asked_about_at_once() -> None:
    scheduler = Scheduler("ab", Limits(poll_interval_s=1.0, retries=2, max_in_flight=1))
    scheduler.adopt("b", 7.3, attempts=2)
    assert scheduler.take_submissions(7.3) == []
    assert scheduler.take_questions(7.3) == ["b"]
    assert scheduler.attempts("b") == 2
    scheduler.ended("b")
    assert scheduler.take_submissions(7.3) == ["a"]


def test_a_job_whose_results_are_fetched_makes_room_and_has_not_ended() -> None:
    scheduler = Scheduler("ab", Limits(max_in_flight=1))
    accepted(scheduler, 0.0)
    scheduler.began("a", 1.0)
    scheduler.fetching("a")
    assert scheduler.in_flight == []
    assert scheduler.overdue(1e9) == []
    assert scheduler.running_s("a", 3.0) == 2.0
    accepted(scheduler, 1.0)
    scheduler.ended("b")
    assert not scheduler.is_finished
    scheduler.ended("a")
    assert scheduler.is_finished


def test_a_job_is_lost_when_its_state_stays_unknown() -> None:
    scheduler = Scheduler("ab", Limits(unknown_limit_s=10.0))
    accepted(scheduler, 0.0)
    scheduler.unknown("a", 1.0)
    scheduler.unknown("a", 10.9)
    assert scheduler.lost(10.9) == []
    assert scheduler.in_doubt == 1
    assert scheduler.lost(11.0) == ["a"]
    scheduler.heard("a", 11.0)
    assert scheduler.lost(100.0) == []
    assert scheduler.in_doubt == 0


def test_silence_of_everything_is_no_fault_of_the_jobs() -> None:
    scheduler = Scheduler("ab", Limits(unreachable_limit_s=10.0))
    accepted(scheduler, 0.0)
    scheduler.heard("a", 1.0)
    for key in "ab":
        scheduler.unreachable(key, 2.0)
    assert not scheduler.is_cut_off(11.9)
    assert scheduler.is_cut_off(12.0)
    assert scheduler.lost(100.0) == []
    scheduler.heard("a", 100.0)
    assert not scheduler.is_cut_off(100.0)
    assert scheduler.lost(100.0) == ["b"]  # b alone stays silent while a is heard of


def test_nothing_waits_when_a_place_came_free() -> None:
    scheduler = Scheduler("ab", Limits(max_in_flight=1))
    scheduler.take_submissions(0.0)
    assert scheduler.wait_s(0.0, 5.0) == 5.0
    scheduler.ended("a")
    assert scheduler.wait_s(0.0, 5.0) == 0.0


# --- rates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("50/1s", Rate(50, 1.0)),
        ("50/s", Rate(50, 1.0)),
        ("10/m", Rate(10, 60.0)),
        ("10/1m", Rate(10, 60.0)),
        ("600/1h", Rate(600, 3600.0)),
        ("5/250ms", Rate(5, 0.25)),
        ("1/0.5s", Rate(1, 0.5)),
        ("1/.5s", Rate(1, 0.5)),
        (" 3 / 2 s ", Rate(3, 2.0)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        *("", "50", "50/", "/1s", "0/1s", "50/0s", "-1/1s", "50/-1s", "1.5/s", "50/1", "50/1d"),
        *("fast", "50 per second", "50/1s/2", "50/1e3s", "1/1.2.3s", "50/.s", "50/1S", "1/s\n1/s"),
    ],
)
def test_a_rate_that_cannot_be_read_says_what_to_write(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r"write a number per span of time, e\.g\. 50/1s"
    ) as error:
        parse_rate(text)
    assert repr(text) in str(error.value)


# --- simulation ----------------------------------------------------------------------------------


@dataclass
class World:
    """Jobs that begin, end, fail or hang at times that a seed decides."""

    seed: int
    chance: random.Random = field(init=False)
    events: list[tuple[float, int, str, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        pick = self.chance.choice
        self.job_count = self.chance.randint(1, 25)
        self.limits = Limits(
            max_in_flight=pick([1, 2, 5, 100]),
            rate=pick([None, None, Rate(1, 0.7), Rate(3, 2.3), Rate(7, 1.1), Rate(50, 1.0)]),
            job_timeout_s=pick([3.1, 10.0, 60.0]),
            retries=pick([0, 1, 2, 5]),
            retry_delay_s=pick([0.0, 0.3, 1.0]),
            retry_delay_max_s=pick([2.0, 300.0]),
            poll_interval_s=pick([0.0, 0.0, 0.5, 1.0]),  # 0: an executor that pushes
            poll_interval_max_s=pick([1.0, 8.0]),
        )
        self.faults = pick([0.0, 0.1, 0.5, 0.9])
        self.hangs = pick([0.0, 0.0, 0.2])
        self.at_most_s = pick([0.25, 5.0, math.inf])

    def submit(self, key: int, attempt: int, now: float) -> str:
        """The answer to a submission; what comes later is kept as events."""
        if self.chance.random() < self.faults / 3:
            return self.chance.choice(["fault", "final fault"])
        begins = now + self.chance.choice([0.0, self.chance.random() * 3])
        if self.chance.random() < 0.9:  # some end without having been seen running
            self._add(begins, "began", key, attempt)
        if self.chance.random() < self.hangs:
            self._add(begins, "began", key, attempt)
            return "accepted"  # it never ends by itself
        fault = self.chance.choice(["fault", "fault", "final fault"])
        what = fault if self.chance.random() < self.faults else "succeeded"
        self._add(begins + self.chance.expovariate(0.5), what, key, attempt)
        return "accepted"

    def _add(self, when: float, what: str, key: int, attempt: int) -> None:
        heapq.heappush(self.events, (when, len(self.events), what, key, attempt))

    def due(self, now: float, asked: list[int]) -> list[tuple[str, int, int]]:
        """What has happened to the jobs that are asked about; the rest is told when they are."""
        answers, others = [], []
        while self.events and self.events[0][0] <= now:
            event = heapq.heappop(self.events)
            _, _, what, key, attempt = event
            if key in asked:
                answers.append((what, key, attempt))
            else:
                others.append(event)
        for event in others:
            heapq.heappush(self.events, event)
        return answers


class Simulation:
    """The runner's loop without a runner: the clock moves by what the scheduler says, only."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.limits = self.world.limits
        self.waits_in_poll = not self.limits.poll_interval_s
        self.keys = list(range(self.world.job_count))
        jitter = random.Random(seed + 1).random
        self.scheduler = Scheduler(self.keys, self.limits, jitter)
        self.now = 0.0
        self.trace: list[tuple[float, str, int]] = []
        self.submitted: list[float] = []
        self.began_at: dict[int, float] = {}
        self.failed_at: dict[int, float] = {}
        self.ends: dict[int, str] = {}

    def run(self) -> list[tuple[float, str, int]]:
        steps = 0
        while not self.scheduler.is_finished:
            steps += 1
            assert steps < 100_000, "the loop does not come to an end"
            before, told = self.now, len(self.trace)
            self.submit()
            self.stop_overdue()
            self.wait_and_poll()
            assert self.now > before or len(self.trace) > told, "a round that did nothing"
        self.check_whole_run()
        return self.trace

    def tell(self, what: str, key: int) -> None:
        self.trace.append((self.now, what, key))

    def submit(self) -> None:
        for key in self.scheduler.take_submissions(self.now):
            assert key not in self.ends
            self.tell("submitted", key)
            self.submitted.append(self.now)
            self.check_delay(key)
            answer = self.world.submit(key, self.scheduler.attempts(key), self.now)
            if answer != "accepted":
                self.attempt_failed(key, can_pass=answer == "fault")
            else:
                self.scheduler.accepted(key, self.now)
        assert len(self.scheduler.in_flight) <= self.limits.max_in_flight
        assert set(self.scheduler.in_flight).isdisjoint(self.ends)

    def check_delay(self, key: int) -> None:
        """A further attempt comes when its delay is over, and at once if nothing else is full."""
        if key not in self.failed_at:
            return
        waited = self.now - self.failed_at.pop(key)
        nominal = self.limits.retry_delay_s * 2 ** (self.scheduler.attempts(key) - 2)
        nominal = min(nominal, self.limits.retry_delay_max_s)
        assert waited >= 0.5 * nominal - EPSILON_S
        if self.limits.rate is None and self.limits.max_in_flight >= len(self.keys):
            assert waited <= 1.5 * nominal + self.limits.poll_interval_s + EPSILON_S

    def stop_overdue(self) -> None:
        timeout = self.limits.job_timeout_s
        expected = {k for k, since in self.began_at.items() if since + timeout <= self.now}
        overdue = self.scheduler.overdue(self.now)
        assert set(overdue) == expected
        for key in overdue:  # nothing ever slept past it
            assert self.now - self.began_at[key] == pytest.approx(timeout)
            self.end(key, "timeout")

    def forget_what_is_over(self) -> None:
        """Nobody asks about an attempt that was given up."""
        events = [e for e in self.world.events if self.is_current(e[3], e[4])]
        heapq.heapify(events)
        self.world.events = events

    def wait_and_poll(self) -> None:
        self.forget_what_is_over()
        wait_s = self.scheduler.wait_s(self.now, self.world.at_most_s)
        assert wait_s >= 0.0
        asked = self.scheduler.take_questions(self.now)
        if not asked:
            if not self.scheduler.is_finished:
                assert wait_s < math.inf, "it would sleep for ever"
                self.now += wait_s
            return
        if self.waits_in_poll:  # poll() waits, until something happens at the latest
            next_event = self.world.events[0][0] if self.world.events else math.inf
            wake = min(self.now + wait_s, max(self.now, next_event))
            assert wake < math.inf, "it would sleep for ever"
            self.now = wake
        answers = self.world.due(self.now, asked)
        self.tell("polled", len(answers))
        for what, key, attempt in answers:
            if self.is_current(key, attempt):
                self.take_answer(what, key)

    def is_current(self, key: int, attempt: int) -> bool:
        return key not in self.ends and self.scheduler.attempts(key) == attempt

    def take_answer(self, what: str, key: int) -> None:
        if what == "began":
            self.scheduler.began(key, self.now)
            self.began_at[key] = self.now
        elif what == "succeeded":
            self.end(key, what)
        else:
            self.attempt_failed(key, can_pass=what == "fault")

    def attempt_failed(self, key: int, *, can_pass: bool) -> None:
        self.began_at.pop(key, None)
        if self.scheduler.failed(key, self.now, can_pass=can_pass):
            assert can_pass
            self.tell("to be tried again", key)
            self.failed_at[key] = self.now
        else:
            assert not can_pass or self.scheduler.attempts(key) == self.limits.retries + 1
            self.end(key, "failed")

    def end(self, key: int, how: str) -> None:
        assert key not in self.ends, "a job ended twice"
        self.began_at.pop(key, None)
        self.ends[key] = how
        self.tell(how, key)
        self.scheduler.ended(key)

    def check_whole_run(self) -> None:
        assert set(self.ends) == set(self.keys)
        assert self.scheduler.in_flight == []
        assert self.scheduler.running == 0
        assert all(1 <= self.scheduler.attempts(k) <= self.limits.retries + 1 for k in self.keys)
        assert len(self.submitted) == sum(map(self.scheduler.attempts, self.keys))
        rate = self.limits.rate
        if rate is not None:
            for first, after in zip(self.submitted, self.submitted[rate.count :], strict=False):
                assert after - first >= rate.span_s - EPSILON_S


def simulate(seed: int) -> list[tuple[float, str, int]]:
    """Play one schedule; simulate(SEED) in a shell plays a failed one again."""
    try:
        return Simulation(seed).run()
    except AssertionError as exc:
        raise AssertionError(f"simulate({seed}): {exc}") from exc


@pytest.mark.parametrize("block", range(4))
def test_every_schedule_of_faults_and_delays_keeps_the_limits(block: int) -> None:
    happened = set()
    for seed in range(block * SEEDS, (block + 1) * SEEDS):
        happened |= {what for _, what, _ in simulate(seed)}
    # the schedules are rich enough for the checks to mean something
    assert happened >= {"submitted", "polled", "to be tried again", "failed", "timeout"}
    assert "succeeded" in happened


def test_a_seed_plays_the_same_schedule_again() -> None:
    assert simulate(42) == simulate(42)
    assert simulate(42) != simulate(43)


@settings(deadline=None, max_examples=examples(100, long=2_000))
@given(st.integers(1, 40), st.integers(1, 9), st.floats(0.01, 100))
def test_a_rate_alone_is_used_up_to_its_limit(jobs: int, count: int, span_s: float) -> None:
    """All jobs are out after the shortest time that the rate allows, in as few steps."""
    scheduler = Scheduler(range(jobs), Limits(max_in_flight=jobs, rate=Rate(count, span_s)))
    now, steps = 0.0, 0
    left = jobs
    while left:
        steps += 1
        left -= len(scheduler.take_submissions(now))
        now += scheduler.wait_s(now, math.inf) if left else 0.0
    assert steps == math.ceil(jobs / count)
    assert now == pytest.approx(span_s * (steps - 1))
