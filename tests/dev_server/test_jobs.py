from __future__ import annotations

import pytest

from ingest.dev_server.jobs import JobBook
from ingest.executors.base import JobFault
from ingest.executors.job_name import parse_job_name
from tests.dev_server.hand_clock import HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def book(clock: HandClock, start_time_s: float = 0.0, job_time_s: float = 0.0) -> JobBook:
    return JobBook(clock, lambda: 1_700_000_000.0, start_time_s, job_time_s)


def test_a_job_goes_through_the_states_of_aws_batch(clock: HandClock) -> None:
    jobs = book(clock, start_time_s=3, job_time_s=5)
    job = jobs.accept("standard", b"{}")
    jobs.begin(job)
    jobs.end(job, None, None)
    at = {0: "SUBMITTED", 1: "RUNNABLE", 2: "STARTING", 3: "RUNNING", 7.9: "RUNNING",
          8: "SUCCEEDED", 1000: "SUCCEEDED"}  # fmt: skip
    assert {after: job.state(100 + after) for after in at} == at


def test_a_job_waits_for_a_worker_when_its_start_time_is_over(clock: HandClock) -> None:
    jobs = book(clock, start_time_s=3)
    job = jobs.accept("standard", b"{}")
    assert job.state(200) == "RUNNABLE"
    clock.time_s = 200
    jobs.begin(job)
    assert job.state(200) == "RUNNING"


def test_a_failed_job_ends_as_failed(clock: HandClock) -> None:
    jobs = book(clock)
    job = jobs.accept("standard", b"{}")
    assert job.state(clock.now()) == "RUNNABLE"
    jobs.end(job, None, JobFault("model error", "no"))
    assert job.state(clock.now()) == "FAILED"
    counts = jobs.as_dict()
    assert (counts["succeeded"], counts["failed"], counts["in_flight"]) == (0, 1, 0)


def test_counts_tell_how_many_were_in_flight_at_most(clock: HandClock) -> None:
    jobs = book(clock, job_time_s=10)
    for second in range(30):  # one a second, of 10 s each
        clock.time_s = 100.0 + second
        job = jobs.accept("standard", b"%d" % second)
        jobs.begin(job)
        jobs.end(job, None, None)
    counts = jobs.as_dict()
    assert (counts["accepted"], counts["in_flight"], counts["in_flight_max"]) == (30, 10, 10)
    assert counts["succeeded"] == 20


def test_a_document_that_is_posted_twice_is_two_jobs_and_counted(clock: HandClock) -> None:
    jobs = book(clock)
    accepted = [jobs.accept("standard", document) for document in (b"{}", b"{}", b'{"a": 1}')]
    assert len({job.job_id for job in accepted} | {job.ulid for job in accepted}) == 6
    counts = jobs.as_dict()
    assert counts["largest_count"] == 2
    assert counts["documents"] == {accepted[0].digest: 2, accepted[2].digest: 1}


def test_a_job_is_found_by_id_and_by_ulid_in_its_own_environment(clock: HandClock) -> None:
    jobs = book(clock)
    job = jobs.accept("appendix_3", b"{}")
    assert jobs.find(job.job_id) is job
    assert jobs.find_ulid("appendix_3", job.ulid) is job
    assert jobs.find_ulid("standard", job.ulid) is None
    assert jobs.find("other") is None
    name = parse_job_name(job.job_name)
    assert name is not None
    assert (name.environment, name.ulid) == ("appendix_3", job.ulid)


def test_moments_are_dates(clock: HandClock) -> None:
    assert book(clock).unix_time_s(105.0) == 1_700_000_005.0
