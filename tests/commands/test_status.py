from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import sys
from contextlib import closing
from datetime import datetime

import pytest

from tests.commands.test_run import FAILING_CODE
from tests.conftest import MODEL_CODE, Ingest, StudyFolder


@pytest.fixture
def two_runs(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """A run with two failed jobs, and one that put them right."""
    study.write_model(FAILING_CODE)
    ingest("run", "--quiet")
    study.write_model(MODEL_CODE)
    ingest("run", "--quiet", "--only-failed")
    return study


def test_status_lists_runs_newest_first(two_runs: StudyFolder, ingest: Ingest) -> None:
    lines = ingest("status").stdout.splitlines()
    assert lines[0] == "Study  tiny"
    assert re.split(r"  +", lines[1].strip()) == [
        "run", "started", "commit", "status", "ok", "failed", "jobs", "took", "executor",
    ]  # fmt: skip
    cells = [re.split(r"  +", line.strip()) for line in lines[3:]]
    assert [(row[0], row[2], row[3], row[4], row[5], row[6]) for row in cells] == [
        ("2", "unknown", "completed", "2", "0", "2"),
        ("1", "unknown", "failed", "6", "2", "8"),
    ]


def test_status_limit(two_runs: StudyFolder, ingest: Ingest) -> None:
    assert len(ingest("status", "--limit", "1").stdout.splitlines()) == 1 + 2 + 1


def test_status_of_one_run_groups_failures_by_cause(two_runs: StudyFolder, ingest: Ingest) -> None:
    lines = ingest("status", "1").stdout.splitlines()
    assert lines[0].startswith("Run 1 failed, started 20")
    assert lines[1] == "8 jobs: 6 succeeded, 2 failed; 0 were up to date"
    assert re.fullmatch(
        r"  2 x model error: ValueError: life expectancy missing for UGA \(model\.py:\d+\)  "
        r"\[UGA / null, UGA / scale_up\]",
        lines[3],
    )


@pytest.mark.parametrize("options", [(), ("--database", "validation_results.db")])
def test_status_says_how_all_jobs_of_a_grouped_failure_are_listed(
    two_runs: StudyFolder, ingest: Ingest, options: tuple[str, ...]
) -> None:
    last = ingest("status", "1", *options).stdout.splitlines()[-1]
    assert last == " ".join(["All of them: ingest status 1 --failed", *options])
    listed = ingest(*last.partition("ingest ")[2].split()).stdout
    assert listed.count("  failed  ") == 2
    assert "All of them" not in listed + ingest("status", "2").stdout


def test_status_shows_what_the_model_was_loaded_from(two_runs: StudyFolder, ingest: Ingest) -> None:
    assert f"Model: {two_runs.root / 'model.py'}" in ingest("status", "1").stdout.splitlines()
    (two_runs.root / "run.py").write_text("import shutil, sys\nshutil.copy('r.csv', sys.argv[2])\n")
    (two_runs.root / "r.csv").write_text("element_label,timestamp_year,value\nA,2030,1\n")
    command = [sys.executable, "run.py", "{document}", "{result}"]
    settings = f"[executors.local]\ncommand = {json.dumps(command)}\n"
    (two_runs.root / "ingest.toml").write_text('[study]\nname = "tiny"\n' + settings)
    assert ingest("run", "--quiet").exit_code == 0
    shown = ingest("status", "latest", "--json").stdout
    assert json.loads(shown)["model_path"] == f"{sys.executable} {two_runs.root / 'run.py'}"


def test_status_failed_shows_whole_errors(two_runs: StudyFolder, ingest: Ingest) -> None:
    text = ingest("status", "1", "--failed").stdout
    assert "UGA / null  failed  " in text
    assert "    Traceback (most recent call last):" in text


def test_status_jobs_lists_every_job_with_its_reason(two_runs: StudyFolder, ingest: Ingest) -> None:
    lines = ingest("status", "latest", "--jobs").stdout.splitlines()
    assert lines[0].startswith("Run 2 completed")
    assert [line.split()[:3] for line in lines[5:]] == [
        ["null", "UGA", "success"],
        ["scale_up", "UGA", "success"],
    ]
    assert all("failed in run 1" in line for line in lines[5:])


def test_status_json(two_runs: StudyFolder, ingest: Ingest) -> None:
    runs = json.loads(ingest("status", "--json").stdout)
    assert [run["run_id"] for run in runs] == [2, 1]
    assert runs[0]["duration_s"] >= 0
    run = json.loads(ingest("status", "1", "--failed", "--json").stdout)
    assert [job["country"] for job in run["jobs"]] == ["UGA", "UGA"]
    assert run["failures"][0]["error_kind"] == "model error"


def test_status_of_an_unknown_run_says_what_is_there(two_runs: StudyFolder, ingest: Ingest) -> None:
    result = ingest("status", "9")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: no run '9' in this database; runs are 1 to 2. Name one by number, tag, commit, "
        "date, latest or previous (ingest status lists them)\n"
    )


def test_status_without_a_database_names_the_next_step(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("status")
    assert result.exit_code == 2
    assert "there is no database validation_results.db yet. Make one with: ingest run" in (
        result.stderr
    )


# --- a run by any of its names --------------------------------------------------------------------


def test_status_finds_a_run_by_tag_position_and_date(two_runs: StudyFolder, ingest: Ingest) -> None:
    ingest("tag", "1", "mytag")
    today = datetime.now().astimezone().date().isoformat()
    for name, run_id in {"mytag": 1, "previous": 1, "latest": 2, today: 2}.items():
        assert ingest("status", name).stdout.startswith(f"Run {run_id} "), name


def test_latest_is_the_newest_run_that_has_ended_in_every_command(
    two_runs: StudyFolder, ingest: Ingest
) -> None:
    end_as(two_runs, "running")
    assert ingest("status", "latest").stdout.startswith("Run 1 ")
    assert json.loads(ingest("check", "--results", "--json").stdout)["run_id"] == 1
    assert ingest("status", "--failed").stdout.startswith("Run 2 ")


# --- a run that was killed ------------------------------------------------------------------------


def end_as(study: StudyFolder, status: str) -> None:
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute("UPDATE validation_runs SET status = ? WHERE run_id = 2", [status])


def test_run_whose_process_is_gone_is_cut_off(two_runs: StudyFolder, ingest: Ingest) -> None:
    end_as(two_runs, "running")
    lock = two_runs.database.with_name("validation_results.db.lock")
    lock.write_text(f"{2**22 - 1}\n{platform.node()}\n")  # no process has this number
    assert "  cut off  " in ingest("status").stdout
    assert ingest("status", "2").stdout.startswith("Run 2 cut off, ")
    told = json.loads(ingest("status", "2", "--json").stdout)
    assert (told["status"], told["cut_off"]) == ("cut off", True)
    assert [run["status"] for run in json.loads(ingest("status", "--json").stdout)] == [
        "cut off",
        "failed",
    ]


def test_run_whose_process_is_there_is_running(two_runs: StudyFolder, ingest: Ingest) -> None:
    end_as(two_runs, "running")
    lock = two_runs.database.with_name("validation_results.db.lock")
    lock.write_text(f"{os.getpid()}\n{platform.node()}\n")
    told = json.loads(ingest("status", "2", "--json").stdout)
    assert (told["status"], told["cut_off"]) == ("running", False)
