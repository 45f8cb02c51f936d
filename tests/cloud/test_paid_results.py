"""Jobs that were paid for: none is submitted twice, and what they brought is not lost."""

from __future__ import annotations

import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.dev_server.server import DevServer
from ingest.executors.run_api.journal import SubmissionJournal, journal_path
from tests.cloud.driving import digests, finish, options, select, served, start, wait_for
from tests.conftest import Ingest, StudyFolder

STATES = "SELECT DISTINCT job_status, error_kind FROM job_results ORDER BY 1, 2"


@pytest.fixture
def server(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[DevServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with served(study) as server:
        yield server


def kill_with_answers_in_the_journal_alone(study: StudyFolder, server: DevServer) -> None:
    """A run that is killed while all its documents are on their way; the submitter ends them."""
    server.change_faults(latency_s={"submit": 1.0})
    process = start(study, options(server))
    deadline = time.monotonic() + 60
    while server.counts()["calls"]["submit"] < 8:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    finish(process)
    server.change_faults(latency_s={})
    with SubmissionJournal(journal_path(study.database)).lock(60):
        assert server.counts()["accepted"] == 8


def test_an_attempt_whose_answer_a_killed_run_never_read_is_counted(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    server.change_faults(rates={"job-not-started": 1.0})
    process = start(study, options(server, "run.retry_delay_s=0.5"))
    wait_for(server, 8)
    server.change_faults(rates={}, latency_s={"submit": 1.0})
    deadline = time.monotonic() + 60
    while server.counts()["calls"]["submit"] < 16:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    finish(process)
    server.change_faults(latency_s={})
    with SubmissionJournal(journal_path(study.database)).lock(60):
        assert server.counts()["accepted"] == 16
    assert ingest("run", *options(server)).exit_code == 0
    ends = "SELECT job_status, attempts, count(*) FROM job_results GROUP BY 1, 2"
    assert select(study.database, ends) == [("success", 2, 8)]


# --- a journal that was left behind --------------------------------------------------------------


def leave_behind(study: StudyFolder, how: str) -> Path:
    """The database that is used from now on."""
    journal, other = journal_path(study.database), study.root / "other.db"
    if how == "renamed":
        return study.database.rename(other)
    if how == "copied":
        shutil.copy(study.database, other)
        return other
    journal.write_text('{"journal": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}\n')
    return study.database


@pytest.mark.parametrize("how", ["renamed", "copied", "replaced"])
def test_a_database_without_its_journal_submits_nothing(
    study: StudyFolder, server: DevServer, ingest: Ingest, how: str
) -> None:
    kill_with_answers_in_the_journal_alone(study, server)
    kept = journal_path(study.database).read_bytes()
    database = leave_behind(study, how)
    given = (*options(server), "--database", str(database))
    refused = ingest("run", *given)
    assert refused.exit_code == 4
    what = "belongs to another database" if how == "replaced" else "is not there"
    assert refused.stderr.splitlines()[-1].startswith(
        "Error: 8 jobs may have been submitted already, which only their journal tells, and "
        f"{journal_path(database)} {what}. "
    )
    assert server.counts()["accepted"] == 8
    journal_path(database).write_bytes(kept)
    assert ingest("run", *given).exit_code == 0
    assert (server.counts()["accepted"], server.counts()["largest_count"]) == (8, 1)
    assert len(digests(database)) == 8
    assert not journal_path(database).exists()
    assert select(database, "SELECT DISTINCT journal_id FROM validation_runs") == [(None,)]


def test_of_other_combinations_nothing_is_submitted_either_and_no_run_is_begun(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    kill_with_answers_in_the_journal_alone(study, server)
    database = leave_behind(study, "renamed")
    given = (*options(server), "--database", str(database), "--countries", "KEN")
    assert ingest("run", *given).exit_code == 4
    assert select(database, "SELECT count(*) FROM job_results") == [(8,)]
    journal_path(study.database).rename(journal_path(database))
    assert ingest("run", *given).exit_code == 0
    assert server.counts()["accepted"] == 8


def test_a_journal_that_is_gone_for_good_is_a_choice(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    kill_with_answers_in_the_journal_alone(study, server)
    journal_path(study.database).unlink()
    again = "executors.run-api.lost_answer_retries=1"
    assert ingest("run", *options(server, again, "run.retry_delay_s=0.05")).exit_code == 0
    assert (server.counts()["accepted"], server.counts()["largest_count"]) == (16, 2)


def test_jobs_that_were_never_sent_are_submitted_after_a_stop(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    given = options(server, "run.submit_rate=4/60s")
    process = start(study, given)
    wait_for(server, 4)
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    assert ingest("run", *options(server)).exit_code == 0
    assert (server.counts()["accepted"], server.counts()["largest_count"]) == (8, 1)
    assert not journal_path(study.database).exists()


def test_the_journal_of_a_killed_run_goes_with_the_end_of_the_next(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    given = options(server, "run.max_in_flight=2")
    process = start(study, given)
    wait_for(server, 5)
    process.kill()
    finish(process)
    assert journal_path(study.database).exists()
    assert ingest("run", *given).exit_code == 0
    assert not journal_path(study.database).exists()
    study.write_json("countries.json", {"countries": [{"name": "Chad", "iso3": "TCD"}]})
    assert ingest("run", *given).exit_code == 0
    assert not journal_path(study.database).exists()


# --- jobs that the API does not know any more ----------------------------------------------------


def test_jobs_that_the_api_has_forgotten_over_the_weekend_bring_their_results(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    kill_with_answers_in_the_journal_alone(study, server)
    server.change_faults(rates={"status-forgotten": 1.0})
    result = ingest("run", *options(server))
    assert (result.exit_code, server.counts()["accepted"]) == (0, 8)
    assert len(digests(study.database)) == 8
    assert not server.counts()["answers"]["status"].get("200")


def test_a_job_that_is_lost_for_a_moment_is_followed(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    server.change_faults(analytics_lag_s=0.5, rates={"status-lost": 0.5})
    given = options(server, "run.unknown_limit_s=2")
    assert ingest("run", *given).exit_code == 0
    assert (server.counts()["accepted"], len(digests(study.database))) == (8, 8)


@pytest.mark.parametrize(
    ("faults", "limit", "state", "words"),
    [
        (
            {"status-lost": 1.0, "analytics-empty": 1.0},
            "run.unknown_limit_s=0.3",
            ("failed", "job lost"),
            "(404)\ngiven up after 0.3 s (run.unknown_limit_s); ",
        ),
        (
            {"status-unknown-state": 1.0},
            "run.unknown_limit_s=0.3",
            ("failed", "unknown status"),
            "; its results may be there later: ingest backfill",
        ),
        (
            {"job-stuck": 1.0},
            "run.job_timeout_s=0.3",
            ("timeout", "timed out"),
            "; its results may come all the same: ingest backfill",
        ),
    ],
)
def test_jobs_that_were_given_up_are_fetched_by_backfill(
    study: StudyFolder,
    server: DevServer,
    ingest: Ingest,
    faults: dict[str, float],
    limit: str,
    state: tuple[str, str],
    words: str,
) -> None:
    server.change_faults(rates=faults)
    given = options(server, limit)
    assert ingest("run", *given).exit_code == 1
    assert select(study.database, STATES) == [state]
    ((error,),) = select(study.database, "SELECT error FROM job_results LIMIT 1")
    assert words in error
    server.change_faults(rates={})
    for (ulid,) in select(study.database, "SELECT ulid FROM job_results"):
        job = server._jobs.find_ulid("standard", ulid)
        assert job is not None
        server._jobs.end(job, job.result, None)
    filled = ingest("backfill", *given)
    assert filled.exit_code == 0, filled.output
    assert filled.stdout.startswith("8 of 8 jobs filled in ")
    assert select(study.database, STATES) == [("success", None)]
    assert select(study.database, "SELECT status FROM validation_runs") == [("completed",)]


def test_backfill_leaves_lost_jobs_alone_that_succeeded_later(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    server.change_faults(rates={"status-lost": 1.0, "analytics-empty": 1.0})
    given = options(server, "run.unknown_limit_s=0.3")
    assert ingest("run", *given).exit_code == 1
    server.change_faults(rates={})
    assert ingest("run", *given).exit_code == 0
    nothing = ingest("backfill", *given)
    assert nothing.stdout.startswith("Nothing to do: ")


# --- results that lag behind ---------------------------------------------------------------------


def test_results_that_come_at_the_third_question_are_not_lost_at_a_slow_pace(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    study.write_countries(*[f"X{a}{b}" for a in "ABCD" for b in "EFGHIJ"])
    server.change_faults(rates={"analytics-late": 1.0})
    given = options(server, "analytics.pause_s=0.02", "analytics.lag_s=0.8")
    assert ingest("run", *given).exit_code == 0
    assert len(digests(study.database)) == 48
    assert server.counts()["calls"]["analytics"] == 3 * 48


# --- waiting, and failures that pass -------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("submit-429", r"submissions wait until \S+: the run API answered 429"),
        ("status-429", r"questions wait until \S+: the run API could not be asked: answered 429"),
        ("analytics-429", r"no results are fetched until \S+: http://\S+ answered 429 .*"),
    ],
)
def test_the_progress_says_what_is_waited_for(
    study: StudyFolder,
    server: DevServer,
    ingest: Ingest,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    words: str,
) -> None:
    monkeypatch.setattr("ingest.commands.common.progress._PLAIN_INTERVAL_S", 0.0)
    server.change_faults(rates={kind: 0.3}, retry_after_s=0.5, seed=3)
    result = ingest("run", *options(server))
    assert result.exit_code == 0
    waits = [line for line in result.stderr.splitlines() if re.search(f"; {words}$", line)]
    assert waits
    assert waits[0].startswith("Run 1: ")


def test_a_container_that_never_started_is_tried_again(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    server.change_faults(rates={"job-not-started": 0.5})
    given = options(server, "run.retries=9", "run.retry_delay_s=0.01")
    assert ingest("run", *given).exit_code == 0
    assert server.counts()["failed"] > 0
    assert len(digests(study.database)) == 8


def test_a_document_that_is_too_large_is_told_with_its_size(
    study: StudyFolder, server: DevServer, ingest: Ingest
) -> None:
    server.change_faults(rates={"submit-413": 1.0})
    result = ingest("run", *options(server))
    assert result.exit_code == 1
    assert re.search(r"the run API answered 413 to a document of 0\.\d+ MB: ", result.stdout)
