"""Answers that are whole only by their looks, and jobs that cannot be told apart, by the CLI."""

from __future__ import annotations

import copy
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.dev_server.server import DevServer
from tests.cloud.driving import digests, options, select
from tests.conftest import MODEL, MODEL_CODE, Ingest, StudyFolder

STATES = "SELECT DISTINCT job_status, error_kind FROM job_results ORDER BY 1, 2"
COUNTERS = "SELECT status, total_jobs, successful_jobs, failed_jobs FROM validation_runs"
KEPT = "SELECT count(*) FROM metrics"
JOBS = 8
VALUES = JOBS * 12 * 26  # what the server makes up: 12 labels, 2025-2050


@pytest.fixture(autouse=True)
def _until_2050(study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    write_end_year(study, 2051)


def write_end_year(study: StudyFolder, end_year: int) -> None:
    model: dict[str, Any] = copy.deepcopy(MODEL)
    model["runtime"]["endYear"] = end_year
    study.write_json("model.json", model)


def given(server: DevServer, *more: str) -> list[str]:
    return options(server, "run.poll_interval_s=0.05", "analytics.lag_s=0.3", *more)


def whole(study: StudyFolder, ingest: Ingest, server: DevServer) -> list[tuple[Any, ...]]:
    """The results of an undisturbed run."""
    server.change_faults(rates={})
    assert ingest("run", *given(server), "--database", "whole.db").exit_code == 0
    return digests(study.root / "whole.db")


# --- cut off -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["analytics-cut-csv", "analytics-cut-gzip"])
def test_answers_that_are_cut_off_are_asked_for_again(
    study: StudyFolder, ingest: Ingest, kind: str
) -> None:
    with DevServer(faults={kind: 0.3}) as server:
        assert ingest("run", *given(server, "analytics.lag_s=30")).exit_code == 0
        assert digests(study.database) == whole(study, ingest, server)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("analytics-cut-csv", "the results are cut off: their last line has no line end"),
        ("analytics-cut-gzip", "the answer's gzip is cut off"),
    ],
)
def test_an_answer_that_stays_cut_off_is_no_success(
    study: StudyFolder, ingest: Ingest, kind: str, told: str
) -> None:
    with DevServer(faults={kind: 1.0}) as server:
        run = ingest("run", *given(server))
        assert run.exit_code == 1
        assert told in run.stdout
        assert select(study.database, STATES) == [("failed", "results not fetched")]
        server.change_faults(rates={})
        assert ingest("backfill", *given(server)[2:]).exit_code == 0
        assert select(study.database, KEPT) == [(VALUES,)]


# --- short ---------------------------------------------------------------------------------------


def test_first_answers_that_are_short_are_asked_for_again(
    study: StudyFolder, ingest: Ingest
) -> None:
    rates = {"analytics-few-years": 0.3, "analytics-few-labels": 0.2}
    with DevServer(faults=rates) as server:
        run = ingest("run", *given(server, "analytics.lag_s=20"))
        assert run.exit_code == 0, run.output
        assert "incomplete" not in run.stdout
        assert digests(study.database) == whole(study, ingest, server)


def test_what_stays_short_is_kept_as_incomplete_told_and_found_by_backfill(
    study: StudyFolder, ingest: Ingest
) -> None:
    with DevServer(faults={"analytics-few-years": 1.0}) as server:
        run = ingest("run", *given(server))
        assert run.exit_code == 0
        assert "Kept though incomplete: 8 results. Fetch the rest: ingest backfill" in run.stdout
        why = "8 x incomplete: the results end in 2034, the document's years in 2050"
        assert why in run.stdout
        assert select(study.database, STATES) == [("success", "incomplete")]
        again = ingest("run", *given(server))
        assert again.stdout.splitlines()[-1] == (
            "8 results are incomplete. Fetch the rest: ingest backfill"
        )
        missed = ingest("backfill", *given(server)[2:])
        assert (missed.exit_code, "0 of 8 jobs filled" in missed.stdout) == (1, True)
        assert select(study.database, STATES) == [("success", "incomplete")]
        server.change_faults(rates={})
        assert ingest("backfill", *given(server)[2:]).exit_code == 0
        assert select(study.database, STATES) == [("success", None)]
        assert select(study.database, KEPT) == [(VALUES,)]
        assert "incomplete" not in ingest("run", *given(server)).stdout
        assert server.counts()["largest_count"] == 1


@pytest.mark.parametrize("incomplete", ["keep", "fail"])
def test_results_that_a_later_run_shows_to_be_short_are_asked_for_again(
    study: StudyFolder, ingest: Ingest, incomplete: str
) -> None:
    first = ("--countries", "KEN", "--scenarios", "null")
    with DevServer(faults={"analytics-few-labels": 1.0}) as server:
        options = given(server, f"analytics.incomplete={incomplete}")
        assert ingest("run", *options, *first).exit_code == 0  # nothing says what it lacks
        assert select(study.database, STATES) == [("success", None)]
        server.change_faults(rates={})
        rest = ingest("run", *options)
        assert rest.exit_code == 0, rest.output
        assert "run 1: KEN / null is incomplete: the results lack labels" in rest.stderr
        assert select(study.database, STATES) == [("success", None)]
        assert digests(study.database) == whole(study, ingest, server)


def test_what_stays_short_fails_where_that_is_set(study: StudyFolder, ingest: Ingest) -> None:
    with DevServer(faults={"analytics-few-years": 1.0}) as server:
        assert ingest("run", *given(server, "analytics.incomplete=fail")).exit_code == 1
        assert select(study.database, STATES) == [("failed", "incomplete")]
        assert select(study.database, KEPT) == [(0,)]
        server.change_faults(rates={})
        assert ingest("backfill", *given(server)[2:]).exit_code == 0
        assert select(study.database, COUNTERS) == [("completed", 8, 8, 0)]


def test_nobody_looks_where_that_is_set(study: StudyFolder, ingest: Ingest) -> None:
    with DevServer(faults={"analytics-few-years": 1.0}) as server:
        assert ingest("run", *given(server, "analytics.incomplete=accept")).exit_code == 0
    assert select(study.database, STATES) == [("success", None)]


SHORT_BY_A_YEAR = MODEL_CODE.replace('runtime["endYear"])', 'runtime["endYear"] - 1)')
EVERY_FIFTH_YEAR = MODEL_CODE.replace('runtime["endYear"])', 'runtime["endYear"], 5)')
FEWER_FOR_ONE_COUNTRY = MODEL_CODE.replace(
    '        yield "Healthy', '        if country != "NAM":\n          yield "Healthy'
)
FEWER_FOR_ONE_SCENARIO = MODEL_CODE.replace(
    '        yield "Healthy', '        if coverage:\n          yield "Healthy'
)


@pytest.mark.parametrize(
    "code", [SHORT_BY_A_YEAR, EVERY_FIFTH_YEAR, FEWER_FOR_ONE_COUNTRY, FEWER_FOR_ONE_SCENARIO]
)
def test_a_healthy_study_has_no_incomplete_results(
    study: StudyFolder, ingest: Ingest, code: str
) -> None:
    assert code != MODEL_CODE
    study.write_model(code)
    with DevServer(study.root) as server:
        run = ingest("run", *given(server, "analytics.concurrency=1"))
        assert run.exit_code == 0, run.output
    assert select(study.database, STATES) == [("success", None)]


def test_years_that_a_filter_leaves_out_are_not_missed(study: StudyFolder, ingest: Ingest) -> None:
    with DevServer() as server:
        filters = "analytics.filters=timestamp_year__lte=2030"
        assert ingest("run", *given(server, filters)).exit_code == 0
    assert select(study.database, STATES) == [("success", None)]


def test_labels_that_the_first_answers_lack_are_asked_for_when_the_others_have_come(
    study: StudyFolder, ingest: Ingest
) -> None:
    lengths = """SELECT error_kind, count(DISTINCT element_label) FROM job_results
                   JOIN metrics USING (run_id, country, scenario) GROUP BY country, scenario"""
    slowly = ["analytics.lag_s=0", "analytics.concurrency=1", "analytics.pause_s=0.05"]
    with DevServer(faults={"analytics-few-labels": 0.25}, job_time_s=0.2) as server:
        assert ingest("run", *given(server, *slowly)).exit_code == 0
        asked = server.counts()["calls"]["analytics"]
        found = select(study.database, lengths)
        assert all((kind is None) == (labels == 12) for kind, labels in found), found
        assert asked > JOBS
        server.change_faults(rates={})
        ingest("backfill", *given(server)[2:])
    assert set(select(study.database, lengths)) == {(None, 12)}


def test_labels_that_earlier_runs_of_the_model_have_are_missed(
    study: StudyFolder, ingest: Ingest
) -> None:
    kinds = "SELECT DISTINCT run_id, job_status, error_kind FROM job_results ORDER BY 1"
    with DevServer() as server:
        assert ingest("run", *given(server), "--countries", "KEN,UGA,TZA").exit_code == 0
        one = ("--countries", "NAM", "--scenarios", "null")
        assert ingest("run", *given(server), *one).exit_code == 0
        server.change_faults(rates={"analytics-few-labels": 1.0})
        other = ("--countries", "NAM", "--scenarios", "scale_up")
        assert ingest("run", *given(server), *other).exit_code == 0
    assert select(study.database, kinds) == [
        (1, "success", None), (2, "success", None), (3, "success", "incomplete"),
    ]  # fmt: skip


def test_a_run_killed_before_its_end_is_looked_at_when_it_is_closed(
    study: StudyFolder, ingest: Ingest
) -> None:
    lengths = """SELECT error_kind, count(DISTINCT element_label) FROM job_results
                   JOIN metrics USING (run_id, country, scenario) GROUP BY country, scenario"""
    unseen = ("--set", "analytics.incomplete=accept")
    with DevServer(faults={"analytics-few-labels": 0.25}) as server:
        assert ingest("run", *given(server), *unseen).exit_code == 0
        assert set(select(study.database, lengths)) == {(None, 6), (None, 12)}
        with closing(sqlite3.connect(study.database)) as connection, connection:
            connection.execute("UPDATE validation_runs SET status = 'running', finished_at = NULL")
        assert ingest("run", *given(server)).exit_code == 0
    assert set(select(study.database, lengths)) == {("incomplete", 6), (None, 12)}


# --- names of other jobs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "what"), [("submit-same-ulid", "ULID"), ("submit-same-id", "job id")]
)
@pytest.mark.parametrize("pace", ["20/1s", "3/1s"], ids=["at once", "after the first has ended"])
def test_jobs_that_share_a_name_are_all_in_doubt(
    study: StudyFolder, ingest: Ingest, kind: str, what: str, pace: str
) -> None:
    slowly = ["executors.run-api.submit_concurrency=1", f"run.submit_rate={pace}"]
    with DevServer(faults={kind: 1.0}) as server:
        run = ingest("run", *given(server, *slowly))
        assert run.exit_code == 1, run.output
        why = f"8 x bad answer: the backend gave two jobs one {what}, so that nobody can tell whose"
        assert why in run.stdout
        assert server.counts()["largest_count"] == 1
    assert select(study.database, STATES) == [("failed", "bad answer")]
    assert select(study.database, KEPT) == [(0,)]
    assert select(study.database, COUNTERS) == [("failed", 8, 0, 8)]


def test_a_ulid_of_an_earlier_run_is_a_bad_answer(study: StudyFolder, ingest: Ingest) -> None:
    with DevServer() as server:
        assert ingest("run", *given(server)).exit_code == 0
        before = digests(study.database)
        server.change_faults(rates={"submit-same-ulid": 1.0})
        run = ingest("run", *given(server), "--force", "--scenarios", "null")
        assert run.exit_code == 1
    states = "SELECT run_id, job_status, error_kind, count(*) FROM job_results GROUP BY 1, 2, 3"
    assert select(study.database, states) == [
        (1, "success", None, 8),
        (2, "failed", "bad answer", 4),
    ]
    assert digests(study.database) == before


def test_jobs_in_another_environment_end_the_run_after_the_first(
    study: StudyFolder, ingest: Ingest
) -> None:
    slowly = ["executors.run-api.submit_concurrency=1", "run.submit_rate=2/1s"]
    with DevServer(faults={"submit-other-environment": 1.0}) as server:
        run = ingest("run", *given(server, *slowly))
        assert run.exit_code == 4
        assert run.stderr.splitlines()[-1].startswith(
            f"Error: the run API at {server.url} runs jobs in the environment elsewhere, not in "
            "standard: check study.environment and executors.run-api.url."
        )
        assert server.counts()["accepted"] <= 3
    assert select(study.database, "SELECT count(*) FROM job_results WHERE job_status = 'success'")
    assert ("failed", "bad answer") in select(study.database, STATES)
    assert select(study.database, KEPT) == [(0,)]


# --- login pages ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("docs-redirect", "leads on to /login (302) when asked for GET /docs"),
        ("submit-login", "answers with a login page (200) when asked for POST /run/standard"),
        ("status-redirect", "leads on to /login (302) when asked for GET /status"),
        ("analytics-redirect", "leads on to /login (302) when asked for results"),
        ("analytics-login", "answers with a login page (200) when asked for results"),
    ],
)
def test_a_login_page_ends_the_run_with_its_jobs_in_place(
    study: StudyFolder, ingest: Ingest, kind: str, told: str
) -> None:
    with DevServer(faults={kind: 1.0}) as server:
        run = ingest("run", *given(server))
        assert run.exit_code == 4, run.output
        assert f" {told}: check the address, user and password in " in run.stderr.splitlines()[-1]
        assert select(study.database, "SELECT * FROM job_results WHERE job_status = 'failed'") == []
        server.change_faults(rates={})
        assert ingest("run", *given(server)).exit_code == 0
        assert (server.counts()["accepted"], server.counts()["largest_count"]) == (JOBS, 1)


# --- a file of a person --------------------------------------------------------------------------


def test_a_file_that_a_person_imports_may_lack_its_last_line_end(
    study: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("element_label,timestamp_year,value\nDeaths,2030,330")
    with_country = ("--country", "KEN", "--scenario", "null")
    run = ingest("import", "--metrics", str(path), *with_country)
    assert run.exit_code == 0, run.output
    [(notes,)] = select(study.database, "SELECT notes FROM job_results")
    assert "the last line has no line end" in notes
