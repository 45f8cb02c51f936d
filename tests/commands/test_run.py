from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.database.files import writer_lock
from tests.conftest import MODEL, MODEL_CODE, Ingest, StudyFolder, scenario


def rows(study: StudyFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(sql).fetchall()


def git(study: StudyFolder, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(study.root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_run_stores_every_combination(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("run")
    assert result.exit_code == 0
    assert "Run 1 finished in" in result.stdout
    assert "8 succeeded, 0 failed, 48 values (8 new result sets, 0 seen before)" in result.stdout
    assert rows(study, "SELECT count(*) FROM metrics WHERE country = 'KEN'") == [(12,)]
    assert rows(study, "SELECT status, total_jobs, successful_jobs FROM validation_runs") == [
        ("completed", 8, 8)
    ]


def test_run_tells_study_code_and_plan_on_stderr(study: StudyFolder, ingest: Ingest) -> None:
    lines = ingest("run").stderr.splitlines()
    assert lines[:3] == [
        "Study  tiny · 4 countries x 2 scenarios = 8 · local",
        'Code   not in a git repository: results are kept under the commit "unknown"',
        "Plan   8 to run: never run · KEN, UGA, TZA and 1 more under null, scale_up",
    ]


def test_values_are_those_of_the_model(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    people = sum(map(ord, "KEN")) / 7
    assert rows(
        study,
        "SELECT timestamp_year, value FROM latest_metrics WHERE country = 'KEN' "
        "AND scenario = 'scale_up' AND element_label = 'Healthy Years Lived'",
    ) == [(year, people * (year - 2000) * (0.9 + 0.9 / 10)) for year in (2025, 2026, 2027)]


def test_second_run_has_nothing_to_do(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    again = ingest("run")
    assert again.exit_code == 0
    assert again.stdout == ("Nothing to do: 8 of 8 combinations are up to date (commit unknown).\n")
    assert rows(study, "SELECT count(*) FROM validation_runs") == [(1,)]


def test_editing_a_scenario_runs_that_scenario_alone(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    study.write_json("scenarios/scale_up.json", scenario(0.8))
    result = ingest("run")
    assert "4 to run: scenario scale_up changed (Coverage 0.9 -> 0.8)" in result.stderr
    assert "4 up to date" in result.stderr
    assert re.search(
        r"Changed against run 1: 4 combinations, 1 label; largest Healthy Years Lived, "
        r"[A-Z]{3} / scale_up, \N{MINUS SIGN}1\.01 % in 2027\n",
        result.stdout,
    )
    assert rows(study, "SELECT DISTINCT scenario FROM job_results WHERE run_id = 2") == [
        ("scale_up",)
    ]


def test_units_are_taken_over_though_nothing_is_to_run(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet")
    study.write_settings('[units]\nPopulation = "people"\n')
    result = ingest("run")
    assert "Population: unit (none) -> people" in result.stderr
    assert "no job had to run" in result.stdout
    units = "SELECT unit FROM labels WHERE element_label = 'Population'"
    assert rows(study, units) == [("people",)]


def test_a_model_change_that_scenarios_override_runs_nothing(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run")
    document = json.loads(json.dumps(MODEL))
    document["nodes"][1]["generate_array"]["parameters"]["value"] = 0.2
    study.write_json("model.json", document)
    assert "8 restored, 0 succeeded" in ingest("run").stdout
    assert "Nothing to do" in ingest("run").stdout


def test_changing_the_code_runs_everything_and_names_the_file(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run")
    study.write_model(MODEL_CODE + "\n# another version\n")
    result = ingest("run")
    line = "8 to run: code changed (model.py, line 11 added: # another version)"
    assert line in result.stderr
    assert "8 seen before" in result.stdout
    assert rows(study, "SELECT count(*) FROM result_sets") == [(8,)]


def test_code_changed_within_a_second_and_of_equal_size_gives_new_numbers(
    study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for number in (1, 2):
        study.write_model(f'def simulate(document):\n    yield "A", 2025, {number}\n')
        os.utime(study.root / "model.py", (1_700_000_000, 1_700_000_000))
        ingest("run", "--quiet", "--countries", "KEN", "--scenarios", "null")
    assert rows(study, "SELECT value FROM metrics ORDER BY run_id") == [(1.0,), (2.0,)]
    assert not (study.root / "__pycache__").exists()


def test_committing_an_unrelated_file_runs_nothing(study: StudyFolder, ingest: Ingest) -> None:
    git(study, "init", "--quiet", "--initial-branch=main")
    git(study, "add", "ingest.toml", "model.json", "model.py", "countries.json", "scenarios")
    git(study, "commit", "--quiet", "--message", "study")
    first = git(study, "rev-parse", "HEAD")
    assert f"Code   {first[:7]} on main\n" in ingest("run").stderr
    (study.root / "notes.txt").write_text("unrelated")
    git(study, "add", "notes.txt")
    git(study, "commit", "--quiet", "--message", "notes")
    head = git(study, "rev-parse", "--short=7", "HEAD")
    assert ingest("run").stdout == (
        f"Nothing to do: 8 of 8 combinations are up to date (commit {head}).\n"
    )
    assert rows(study, "SELECT git_commit FROM validation_runs") == [(first,)]
    assert "commit changed" in ingest("run", "--rerun-triggers", "input,commit").stderr


def test_a_dirty_working_tree_is_seen_and_recorded(study: StudyFolder, ingest: Ingest) -> None:
    git(study, "init", "--quiet", "--initial-branch=main")
    git(study, "add", ".")
    git(study, "commit", "--quiet", "--message", "study")
    study.write_json("scenarios/null.json", scenario(0.05))
    head = git(study, "rev-parse", "--short=7", "HEAD")
    result = ingest("run")
    assert f"Code   {head} on main, 1 file not committed (scenarios/null.json)" in result.stderr
    assert rows(study, "SELECT dirty_files FROM validation_runs") == [('["scenarios/null.json"]',)]


def test_force_runs_what_is_up_to_date(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    result = ingest("run", "--force", "--countries", "KEN")
    assert "2 to run: --force" in result.stderr
    assert "2 succeeded, 0 failed, 12 values (0 new result sets, 2 seen before)" in result.stdout


def test_selection_by_comma_lists_and_globs(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--countries", "ken,U*", "--countries", "NAM", "--scenarios", "sc*")
    assert rows(study, "SELECT country, scenario FROM job_results ORDER BY country") == [
        ("KEN", "scale_up"),
        ("NAM", "scale_up"),
        ("UGA", "scale_up"),
    ]


def test_an_unknown_country_is_an_error_with_a_suggestion(
    study: StudyFolder, ingest: Ingest
) -> None:
    result = ingest("run", "--countries", "KEN,TAZ")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: no country TAZ in this study. Did you mean TZA (Land of TZA)?\n"
    )
    assert rows(study, "SELECT count(*) FROM validation_runs") == [(0,)]


def test_an_unknown_scenario_is_an_error_with_a_suggestion(
    study: StudyFolder, ingest: Ingest
) -> None:
    result = ingest("run", "--scenarios", "scaleup")
    assert result.exit_code == 2
    assert result.stderr == "Error: no scenario scaleup in this study. Did you mean scale_up?\n"


def failing_code(failure: str) -> str:
    """The tiny model, doing something else for one of the countries."""
    return f"""{MODEL_CODE}
healthy = simulate
def simulate(document):
    if document["nodes"][0]["generate_array"]["parameters"]["country"] == "UGA":
        {failure}
    return healthy(document)
"""


FAILING_CODE = failing_code('raise ValueError("life expectancy missing for UGA")')
BAD_ROW_CODE = """
def simulate(document):
    yield "A", 2025, float("nan")
    yield "B", 2025, 1
"""


def test_failed_jobs_are_grouped_by_cause_and_the_rest_is_stored(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_model(FAILING_CODE)
    result = ingest("run")
    assert result.exit_code == 1
    assert "6 succeeded, 2 failed, 36 values" in result.stdout
    line = FAILING_CODE[: FAILING_CODE.index("        raise")].count("\n") + 1
    assert (
        f"  2 x model error: ValueError: life expectancy missing for UGA (model.py:{line})  "
        "[UGA / null, UGA / scale_up]"
    ) in result.stdout
    assert "ingest run --only-failed" in result.stdout
    assert rows(study, "SELECT status, successful_jobs, failed_jobs FROM validation_runs") == [
        ("failed", 6, 2)
    ]


def test_only_failed_runs_what_failed(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model(FAILING_CODE)
    ingest("run")
    study.write_model(MODEL_CODE)
    result = ingest("run", "--only-failed")
    assert result.exit_code == 0
    assert "2 to run: failed in run 1 · UGA under null, scale_up" in result.stderr
    again = ingest("run", "--only-failed")
    assert again.stdout == "Nothing to do: no combination's newest job has failed.\n"


def test_a_success_without_metrics_runs_again(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute(
            "UPDATE job_results SET result_set_id = NULL WHERE country = 'KEN' AND scenario='null'"
        )
    assert "1 to run: success without metrics in run 1 · KEN under null" in ingest("run").stderr


FORKING_CODE = failing_code("import os, sys; os.fork() or sys.exit(0)")


def test_a_model_that_forks_fails_alone_and_no_country_gets_the_numbers_of_another(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_model(FORKING_CODE)
    result = ingest("run")
    assert result.exit_code == 1
    assert "6 succeeded, 2 failed" in result.stdout
    assert "2 x model error: the model forked, and the forked process came back" in result.stdout
    sums = "SELECT country, sum(value) FROM metrics WHERE element_label = 'Population' GROUP BY 1"
    factor = 2 * (25 + 26 + 27) / 7  # two scenarios, three years
    found = dict(rows(study, sums))
    assert found == {c: pytest.approx(sum(map(ord, c)) * factor) for c in ("KEN", "NAM", "TZA")}
    study.write_model(MODEL_CODE)
    assert ingest("run", "--only-failed").exit_code == 0


@pytest.mark.parametrize(
    ("failure", "begin", "cut"),
    [
        (
            'raise ValueError("begin " + "x" * 5_000_000 + " end")',
            "ValueError: begin xxx",
            "[... 4,999,010 bytes left out ...]",
        ),
        (
            'import sys; sys.stderr.write("x" * 5_000_000 + "\\nlast words\\n"); sys.exit(3)',
            "SystemExit: 3",
            "xxx\nlast words",  # of its output the end is kept
        ),
        (
            'return [("x" * 5_000_000, 2030, 1.0)]',
            "element_label",
            "",
        ),
    ],
)
def test_a_long_text_of_a_model_is_not_stored_whole(
    study: StudyFolder, ingest: Ingest, failure: str, begin: str, cut: str
) -> None:
    study.write_model(failing_code(failure))
    ingest("run", "--countries", "UGA", "--scenarios", "null")
    ((error,),) = rows(study, "SELECT DISTINCT error FROM job_results WHERE error IS NOT NULL")
    assert len(error) < 12_000
    assert begin in error[:100]
    assert cut in error


@pytest.mark.parametrize("start", [["-m", "ingest"], ["-P", "-m", "ingest"]])
def test_modules_of_the_folder_one_is_in_do_not_run(
    study: StudyFolder, tmp_path: Path, start: list[str]
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in ("csv", "statistics", "calendar", "model"):
        (here / f"{name}.py").write_text(
            "def mean(values): return 999\ndef simulate(d): return []\n"
        )
    study.write_model(
        "import calendar, csv, statistics\n"
        "def simulate(document): yield 'Mean', 2030, statistics.mean([1, calendar.MONDAY + 3])\n"
    )
    command = [sys.executable, *start, "run", "--study", str(study.root)]
    result = subprocess.run(command, cwd=here, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert rows(study, "SELECT DISTINCT value FROM metrics") == [(2.0,)]


def test_a_crashing_worker_fails_its_job_alone(study: StudyFolder, ingest: Ingest) -> None:
    crash = 'import os, sys; print("last words", file=sys.stderr, flush=True); os._exit(7)'
    study.write_model(failing_code(crash))
    result = ingest("run", "--retries", "1", "--set", "run.retry_delay_s=0.01")
    assert result.exit_code == 1
    assert "6 succeeded, 2 failed" in result.stdout
    assert "2 x worker crashed: the worker process exited with status 7" in result.stdout
    assert (
        rows(study, "SELECT attempts, error FROM job_results WHERE job_status = 'failed'")
        == [(2, "the worker process exited with status 7\nlast words")] * 2
    )


def test_a_job_out_of_time_is_stopped_and_stored_as_timeout(
    study: StudyFolder, ingest: Ingest
) -> None:
    sleep = "import time; time.sleep(60)"
    study.write_model(failing_code(sleep))
    result = ingest("run", "--job-timeout", "0.5", "--scenarios", "null")
    assert result.exit_code == 1
    assert "1 x timed out: stopped after running for 0.5 s (run.job_timeout_s)" in result.stdout
    assert rows(study, "SELECT country, job_status FROM job_results ORDER BY country") == [
        ("KEN", "success"), ("NAM", "success"), ("TZA", "success"), ("UGA", "timeout"),
    ]  # fmt: skip


def test_bad_rows_fail_the_job_and_store_nothing_of_it(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model(BAD_ROW_CODE)
    result = ingest("run", "--countries", "KEN", "--scenarios", "null")
    assert result.exit_code == 1
    assert (
        "1 x bad results: 1 bad row in the results: record 1: value nan is not finite ('A' 2025)"
    ) in result.stdout
    assert rows(study, "SELECT count(*) FROM metric_values") == [(0,)]


def test_bad_rows_may_be_skipped_and_are_recorded(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model(BAD_ROW_CODE)
    result = ingest("run", "--countries", "KEN", "--set", "analytics.on_bad_rows=skip")
    assert result.exit_code == 0
    assert rows(study, "SELECT DISTINCT notes FROM job_results") == [
        ("1 bad row dropped: record 1: value nan is not finite ('A' 2025)",)
    ]


def test_dry_run_shows_the_plan_and_makes_nothing(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("run", "--dry-run")
    assert result.exit_code == 0
    assert "8 of 8 combinations to run" in result.stdout
    assert not study.database.exists()


def test_json_report(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model(FAILING_CODE)
    result = ingest("run", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert result.stderr == ""
    assert report["status"] == "failed"
    assert (report["total_jobs"], report["successful_jobs"], report["failed_jobs"]) == (8, 6, 2)
    assert report["failures"][0]["jobs"] == ["UGA / null", "UGA / scale_up"]


def test_log_file_tells_of_every_job(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet", "--log-file", "run.log")
    log = (study.root / "run.log").read_text()
    assert log.count(" success") == 8
    assert "KEN / null success" in log


def test_quiet_says_nothing_of_a_good_run(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("run", "--quiet")
    assert (result.stdout, result.stderr) == ("", "")


@pytest.mark.parametrize("database", [None, "other.db"])
def test_quiet_says_in_one_line_how_many_jobs_failed(
    study: StudyFolder, ingest: Ingest, database: str | None
) -> None:
    study.write_model(FAILING_CODE)
    options = ["--database", database] if database else []
    result = ingest("run", "--quiet", *options)
    assert result.exit_code == 1
    command = " ".join(["ingest status 1 --failed", *options])
    told = f"Run 1: 2 of 8 jobs failed. See them with: {command}\n"
    assert result.stdout + result.stderr == told
    assert ingest(*command.split()[1:]).stdout.count("  failed  ") == 2


def test_a_model_that_cannot_be_loaded_is_one_line_and_no_run(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_model("import nothing_of_that_name\n")
    result = ingest("run")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: entry_point 'model:simulate' cannot be imported: ModuleNotFoundError: "
        "No module named 'nothing_of_that_name' (model.py:1)"
    )
    assert rows(study, "SELECT count(*) FROM validation_runs") == [(0,)]


def test_a_bad_submit_rate_is_one_line(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("run", "--submit-rate", "fast")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: submit rate 'fast': write a number per span of time, e.g. 50/1s"
    )


def test_submit_rate_limits_submissions(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--submit-rate", "4/200ms")
    times = [when for (when,) in rows(study, "SELECT submitted_at FROM job_results ORDER BY 1")]
    assert len(set(times)) > 1


def test_a_study_without_ingest_toml_names_the_next_step(
    tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = ingest("run")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: no ingest.toml in {tmp_path}. "
        "Name a study with --study FOLDER, or write a first one: ingest init DIR\n"
    )


def test_the_database_of_another_program_is_refused_and_untouched(
    study: StudyFolder, ingest: Ingest
) -> None:
    with closing(sqlite3.connect(study.database)) as connection:
        connection.execute("CREATE TABLE cats (name TEXT)")
    before = study.database.read_bytes()
    result = ingest("run")
    assert result.exit_code == 2
    assert "is a database of something else; name another --database" in result.stderr
    assert study.database.read_bytes() == before


def test_a_second_run_is_refused_with_the_pid_of_the_first(
    study: StudyFolder, ingest: Ingest
) -> None:
    with writer_lock(study.database):
        result = ingest("run")
    assert result.exit_code == 2
    assert f"process {os.getpid()} is writing to" in result.stderr
