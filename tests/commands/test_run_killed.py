"""`ingest run` as a process of its own: killed, stopped, cut off, and run again."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MODEL_CODE, Ingest, StudyFolder
from tests.effort import examples


def rows(study: StudyFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(sql).fetchall()


def start_run(study: StudyFolder, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ingest", "run"],
        cwd=study.root, stdout=subprocess.DEVNULL, stderr=stderr, text=True,
    )  # fmt: skip


def wait_for_lock(study: StudyFolder) -> None:
    lock = study.root / "validation_results.db.lock"
    wait_until(lambda: lock.exists() and lock.read_text() != "")


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "waited for 30 s"
        time.sleep(0.01)


SLOW_CODE = MODEL_CODE.replace(
    "def simulate(document):\n", "import time\ndef simulate(document):\n    time.sleep(0.05)\n"
)


def finished(study: StudyFolder) -> int:
    try:
        return int(rows(study, "SELECT count(*) FROM job_results WHERE result_set_id")[0][0])
    except sqlite3.OperationalError:
        return 0


def contents(study: StudyFolder) -> dict[str, list[tuple[Any, ...]]]:
    """What the database holds, without ids and times."""
    return {
        "runs": rows(
            study,
            "SELECT git_commit, status, total_jobs, successful_jobs, failed_jobs, up_to_date_jobs, "
            "dirty_files, study, executor, finished_at IS NOT NULL FROM validation_runs",
        ),
        "jobs": rows(
            study,
            "SELECT country, scenario, job_status, attempts, reason, error, notes, input_digest, "
            "document_digest, digest, length(ulid), submitted_at IS NOT NULL, external_id, "
            "completed_at IS NOT NULL FROM job_results LEFT JOIN result_sets USING (result_set_id) "
            "ORDER BY country, scenario",
        ),
        "metrics": rows(
            study,
            "SELECT country, scenario, element_label, timestamp_year, value FROM metrics ORDER BY "
            "1, 2, 3, 4",
        ),
        "sets": rows(study, "SELECT digest, row_count, first_year FROM result_sets ORDER BY 1"),
        "inputs": rows(study, "SELECT digest, kind, content FROM inputs ORDER BY 1"),
        "countries": rows(study, "SELECT * FROM countries ORDER BY 1"),
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The same study, run to its end without disturbance."""
    study = StudyFolder(tmp_path_factory.mktemp("undisturbed") / "tiny")
    study.write_model(SLOW_CODE)
    assert start_run(study).wait() == 0
    return study


@pytest.mark.parametrize("finished_jobs", [0, 1, 3, 6])
def test_after_kill_9_a_run_ends_as_if_undisturbed(
    study: StudyFolder, undisturbed: StudyFolder, finished_jobs: int
) -> None:
    study.write_model(SLOW_CODE)
    killed = start_run(study)
    wait_until(lambda: study.database.exists() and finished(study) >= finished_jobs)
    killed.kill()
    killed.wait()
    assert start_run(study).wait() == 0
    assert contents(study) == contents(undisturbed)


@pytest.mark.parametrize("delay_s", [n / 100 for n in range(15, 60, examples(20, 5))])
def test_after_kill_9_at_any_time_a_run_ends_as_if_undisturbed(
    study: StudyFolder, undisturbed: StudyFolder, delay_s: float
) -> None:
    study.write_model(SLOW_CODE)
    for _ in range(3):
        killed = start_run(study)
        time.sleep(delay_s)
        killed.kill()
        killed.wait()
    assert start_run(study).wait() == 0
    assert contents(study) == contents(undisturbed)


# Ends itself at the start of one of the migrations, or when all are done but not committed.
KILLED = """
import os, signal, sys
from ingest.database import schema
def end(*_): os.kill(os.getpid(), signal.SIGKILL)
moment = int(sys.argv.pop(1))
if moment < 0:
    schema.refresh_views = end
else:
    schema.migrations._migrations[schema.migrations.names[moment]] = end
from ingest.cli import main
main(["run", "--quiet"])
"""


@pytest.mark.parametrize("moment", [0, 1, 7, -1])
def test_a_database_whose_creation_was_killed_is_no_old_one(
    study: StudyFolder, ingest: Ingest, moment: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(moment)]
    assert subprocess.run(command, cwd=study.root).returncode == -signal.SIGKILL
    result = ingest("run")
    assert result.exit_code == 0
    assert "brought up to date" not in result.output
    assert list(study.root.glob("*.bak")) == []


def test_no_folder_of_a_killed_run_outlives_the_next(
    study: StudyFolder, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    command = ["sh", "-c", "touch begun; test -e go || sleep 600; cp results.csv $0", "{result}"]
    study.write_settings()
    settings = (study.root / "ingest.toml").read_text()
    entry_point = 'entry_point = "model:simulate"'
    text = settings.replace(entry_point, f"command = {json.dumps(command)}")
    (study.root / "ingest.toml").write_text(text)
    (study.root / "results.csv").write_text("element_label,timestamp_year,value\nA,2030,1\n")
    killed = start_run(study)
    wait_until((study.root / "begun").exists)
    assert list(scratch.iterdir()) != []
    killed.kill()
    killed.wait()
    (study.root / "go").write_text("")
    assert ingest("run", "--quiet").exit_code == 0
    assert list(scratch.iterdir()) == []


def test_a_run_cut_off_is_left_behind_when_the_study_has_changed(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_model(SLOW_CODE)
    killed = start_run(study)
    wait_until(lambda: study.database.exists() and finished(study) >= 2)
    killed.kill()
    killed.wait()
    study.write_model(MODEL_CODE)
    assert ingest("run").exit_code == 0
    assert rows(study, "SELECT run_id, status FROM validation_runs") == [
        (1, "interrupted"),
        (2, "completed"),
    ]
    open_jobs = "SELECT count(*) FROM job_results WHERE job_status IN ('submitted', 'running')"
    assert rows(study, open_jobs) == [(0,)]
    assert rows(study, "SELECT count(*) FROM job_results WHERE run_id = 2") == [(8,)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_keeps_what_has_finished_and_the_next_run_goes_on(
    study: StudyFolder, undisturbed: StudyFolder, number: int
) -> None:
    study.write_model(SLOW_CODE)
    stopped = start_run(study, stderr=subprocess.PIPE)
    wait_until(lambda: study.database.exists() and finished(study) >= 1)
    stopped.send_signal(number)
    _, stderr = stopped.communicate()
    assert stopped.returncode == 130
    assert "Error: run 1 was stopped with" in stderr
    assert "Go on with: ingest run" in stderr
    assert rows(study, "SELECT status FROM validation_runs") == [("interrupted",)]
    assert finished(study) >= 1
    assert start_run(study).wait() == 0
    assert contents(study) == contents(undisturbed)


def test_a_run_after_nohup_does_not_hear_that_its_terminal_is_gone(study: StudyFolder) -> None:
    study.write_model(SLOW_CODE)
    command = ["nohup", sys.executable, "-m", "ingest", "run"]
    with subprocess.Popen(
        command, cwd=study.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        wait_until(lambda: study.database.exists() and finished(study) >= 1)
        process.send_signal(signal.SIGHUP)
    assert process.returncode == 0
    assert finished(study) == 8


def test_a_terminal_that_is_closed_stops_a_run_in_order(study: StudyFolder) -> None:
    study.write_model(SLOW_CODE)
    terminal, its_end = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ingest", "run"],
        cwd=study.root, stdin=its_end, stdout=its_end, stderr=its_end, start_new_session=True,
    ) as process:  # fmt: skip
        os.close(its_end)
        wait_until(lambda: study.database.exists() and finished(study) >= 1)
        process.send_signal(signal.SIGHUP)
        os.close(terminal)  # from now on it can write nothing
    assert rows(study, "SELECT status FROM validation_runs") == [("interrupted",)]
    assert finished(study) >= 1


def test_a_run_that_is_taken_up_says_so(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model(SLOW_CODE)
    killed = start_run(study)
    wait_until(lambda: study.database.exists() and finished(study) >= 1)
    killed.kill()
    killed.wait()
    result = ingest("run")
    assert "to run: left over from run 1" in result.stderr
    assert "Run 1 was taken up again and finished" in result.stdout
    assert "8 succeeded, 0 failed" in result.stdout


def test_wait_waits_for_the_first_run(study: StudyFolder) -> None:
    study.write_model("import time\ntime.sleep(1)\n" + MODEL_CODE)
    first = start_run(study)
    wait_for_lock(study)
    second = subprocess.run(
        [sys.executable, "-m", "ingest", "run", "--wait"],
        cwd=study.root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert first.wait() == 0
    assert second.returncode == 0
    assert "Nothing to do: 8 of 8" in second.stdout


def test_a_full_disk_leaves_an_undamaged_database(study: StudyFolder) -> None:
    code = """
import sqlite3, sys
from ingest.database import write
from ingest.cli import main
original, calls = write.insert_result_set, []
def full(*arguments):
    calls.append(1)
    if len(calls) == 4:
        raise sqlite3.OperationalError("database or disk is full")
    return original(*arguments)
write.insert_result_set = full
main(["run"])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=study.root, capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1] == (
        f"Error: {study.database.name}: database or disk is full; the last change was undone"
    )
    assert rows(study, "PRAGMA integrity_check") == [("ok",)]
    assert rows(study, "SELECT count(*) FROM job_results WHERE job_status = 'success'") == [(3,)]
    assert start_run(study).wait() == 0
    assert rows(study, "SELECT run_id, status, successful_jobs FROM validation_runs") == [
        (1, "completed", 8)
    ]
