from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pycountry
import pytest
from click.testing import CliRunner, Result

from ingest.cli import ErrorsAsExitCodes
from ingest.commands.backfill import backfill
from tests.analytics_service import PLUGIN, AnalyticsService, analytics_service
from tests.conftest import Ingest, StudyFolder
from tests.recorded import ENDED, insert, insert_run, job_name, make_original, make_small, query
from tests.recorded import ulid as ulid_of

DIGESTS = """SELECT country, scenario, digest FROM job_results
               JOIN result_sets USING (result_set_id) ORDER BY 1, 2"""
STATES = """SELECT country, scenario, job_status, error_kind, result_set_id IS NOT NULL
              FROM job_results ORDER BY country, scenario"""
# The command as it is called by people, in a process of its own.
PROGRAM = """
import sys
from ingest.cli import main
from ingest.commands.backfill import backfill
main.add_command(backfill)
main()
"""
Backfill = Callable[..., Result]


@pytest.fixture
def service() -> Iterator[AnalyticsService]:
    with analytics_service() as service:
        yield service


@pytest.fixture
def served(study: StudyFolder, service: AnalyticsService) -> StudyFolder:
    """The tiny study with the service as its analytics source."""
    (study.root / "plugins").mkdir()
    (study.root / "plugins" / "loopback.py").write_text(PLUGIN)
    settings = f'[analytics]\nsource = "loopback"\nurl = "{service.url}"\n'
    study.write_settings(settings, 'name = "tiny"\nplugins = "plugins"')
    return study


@pytest.fixture
def fill(served: StudyFolder, ingest: Ingest) -> Backfill:
    """Calls `ingest backfill ARGUMENTS...` in the study's folder."""
    group = ErrorsAsExitCodes(commands={"backfill": backfill})

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(group, ["backfill", *arguments], catch_exceptions=False)

    return call


@pytest.fixture
def imported(served: StudyFolder, ingest: Ingest) -> StudyFolder:
    """Two successes, of which one has metrics, and a failure, imported."""
    make_small(served.root / "old.db")
    ingest("import", "old.db")
    return served


def test_the_missing_metrics_are_fetched_with_the_environment_of_the_job(
    imported: StudyFolder, service: AnalyticsService, fill: Backfill
) -> None:
    result = fill()
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("1 of 1 job filled in ")
    assert result.stdout.endswith(": 6 values, 1 new result set\n")
    assert service.asked == [("appendix_3", ulid_of(2))]
    rows = query(imported.database, "SELECT count(*) FROM metrics WHERE country = 'UGA'")
    assert rows == [(6,)]
    again = fill()
    assert (again.exit_code, again.stdout) == (0, "Nothing to do: every success has its metrics.\n")
    assert len(service.asked) == 1


def test_each_environment_is_asked_for_its_own_jobs(
    served: StudyFolder, ingest: Ingest, service: AnalyticsService, fill: Backfill
) -> None:
    old = make_original(served.root / "old.db")
    insert_run(old)
    insert(
        old,
        "job_results",
        (1, "KEN", "null", job_name(1, "standard"), "success", None, ENDED),
        (1, "UGA", "null", job_name(2, "appendix_3"), "success", None, ENDED),
        (1, "TZA", "null", ulid_of(3), "success", None, ENDED),
    )
    ingest("import", "old.db")
    dry = fill("--dry-run", "--set", "study.environment=other")
    assert dry.stdout == (
        "3 jobs without results\n"
        "  run 1, environment standard: 1 job\n"
        "  run 1, environment other: 1 job\n"
        "  run 1, environment appendix_3: 1 job\n"
    )
    as_json = json.loads(fill("--dry-run", "--json").stdout)
    assert as_json["jobs"] == 3
    assert service.asked == []
    assert fill("--set", "study.environment=other").exit_code == 0
    assert sorted(service.asked) == [
        ("appendix_3", ulid_of(2)),
        ("other", ulid_of(3)),
        ("standard", ulid_of(1)),
    ]


def test_a_failure_to_fetch_is_made_good(
    served: StudyFolder, ingest: Ingest, service: AnalyticsService, fill: Backfill
) -> None:
    old = make_small(served.root / "old.db")
    insert(old, "job_results", (1, "NAM", "null", job_name(4), "failed", None, ENDED))
    ingest("import", "old.db")
    with closing(sqlite3.connect(served.database)) as connection, connection:
        connection.execute(
            "UPDATE job_results SET error_kind = 'results not fetched' WHERE country = 'NAM'"
        )
    assert fill().exit_code == 0
    assert query(served.database, STATES) == [
        ("KEN", "null", "success", None, 1),
        ("KEN", "scale_up", "failed", None, 0),
        ("NAM", "null", "success", None, 1),
        ("UGA", "null", "success", None, 1),
    ]
    run = "SELECT status, successful_jobs, failed_jobs FROM validation_runs"
    assert query(served.database, run) == [("failed", 3, 1)]


def test_jobs_that_stay_without_results_are_told_by_cause(
    imported: StudyFolder, ingest: Ingest, service: AnalyticsService, fill: Backfill
) -> None:
    insert_run(imported.root / "old.db", 2)
    insert(
        imported.root / "old.db",
        "job_results",
        *((2, c, "null", job_name(n), "success", None, ENDED)
          for n, c in enumerate(("KEN", "NAM", "TZA", "UGA"), 10)),
        (2, "KEN", "scale_up", "no-name", "success", None, ENDED),
    )  # fmt: skip
    ingest("import", "old.db")
    service.statuses = {ulid_of(10): 404, ulid_of(11): 404}
    service.bodies = {ulid_of(12): b'[{"element_label": "X", "timestamp_year": 1, "value": 1}]'}
    result = fill("--run", "2", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["jobs"], report["filled"], report["missed"]) == (5, 1, 4)
    assert [(cause["error_kind"], len(cause["jobs"])) for cause in report["causes"]] == [
        ("results not fetched", 2),
        ("bad results", 1),
        ("no ULID", 1),
    ]
    told = fill("--run", "2")
    assert told.exit_code == 1
    assert told.stdout.splitlines()[0].startswith("0 of 4 jobs filled in ")
    # one job stands for those with the same cause
    shown = re.sub(r"job 0\w{25}", "job ULID", told.stdout)
    assert shown.splitlines()[1:] == [
        "  2 x results not fetched    KEN / null, NAM / null: "
        "job ULID: the analytics API answered 404",
        "  1 x bad results    TZA / null: 1 bad row in the results: record 1: timestamp_year 1 is "
        "not within 1900-2300 ('X' 1)",
        "  1 x no ULID    KEN / scale_up: without a ULID there is nothing to ask for",
    ]
    assert query(imported.database, "SELECT count(*) FROM job_results WHERE result_set_id > 0") == [
        (2,)
    ]


def test_a_backend_that_cannot_be_used_ends_it_and_keeps_what_came(
    imported: StudyFolder, ingest: Ingest, service: AnalyticsService, fill: Backfill
) -> None:
    insert(
        imported.root / "old.db",
        "job_results",
        (1, "UGA", "scale_up", job_name(5), "success", None, ENDED),
    )
    ingest("import", "old.db")
    service.statuses = {ulid_of(5): 401}
    result = fill("--set", "analytics.concurrency=1")
    assert (result.exit_code, result.stderr) == (
        4,
        "Error: the analytics API refuses the credentials\n",
    )
    assert query(imported.database, "SELECT result_set_id IS NULL FROM job_results "
                 "WHERE country = 'UGA' ORDER BY scenario") == [(0,), (1,)]  # fmt: skip


def test_a_limit_takes_some(
    imported: StudyFolder, ingest: Ingest, service: AnalyticsService, fill: Backfill
) -> None:
    insert(
        imported.root / "old.db",
        "job_results",
        (1, "TZA", "null", job_name(5), "success", None, ENDED),
    )
    ingest("import", "old.db")
    assert fill("--limit", "1").exit_code == 0
    assert len(service.asked) == 1
    assert fill().exit_code == 0
    assert len(service.asked) == 2


def test_the_source_of_the_executor_is_refused(imported: StudyFolder, fill: Backfill) -> None:
    imported.write_settings()
    result = fill()
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: the executor local only has the results of its own runs. Say where they are: "
        "--executor aws-batch where it ran the jobs, or --set analytics.source=NAME "
        "(analytics-api, s3 or a plugin's)\n",
    )


def test_a_database_that_is_not_there_is_told(served: StudyFolder, fill: Backfill) -> None:
    result = fill()
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: there is no database {served.database.name} yet. Make one with: ingest run\n",
    )
    assert not served.database.exists()


def test_csv_files_are_written_where_they_are_wanted(imported: StudyFolder, fill: Backfill) -> None:
    assert fill("--set", "run.save_csv=true").exit_code == 0
    written = imported.root / "results" / f"{ulid_of(2)}.csv"
    assert len(written.read_text().splitlines()) == 7
    listed = (imported.root / "validation_results.csv").read_text().splitlines()
    assert listed == [
        "ulid,timestamp,country,scenario",
        f"{ulid_of(2)},2025-08-18T15:00:04.063841,UGA,null",
    ]


def make_large(path: Path, jobs: int = 1376) -> None:
    """A run of before with many jobs, none with metrics."""
    codes = [country.alpha_3 for country in pycountry.countries]
    make_original(path)
    insert_run(path)
    insert(
        path,
        "job_results",
        *(
            (1, codes[number // 8], f"s{number % 8}", job_name(number), "success", None, ENDED)
            for number in range(jobs)
        ),
    )


def start(study: StudyFolder, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "backfill", *arguments],
        cwd=study.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_and_called_again_it_ends_as_an_undisturbed_one(
    served: StudyFolder, ingest: Ingest, service: AnalyticsService, fill: Backfill
) -> None:
    make_large(served.root / "old.db")
    ingest("import", "old.db")
    shutil.copy(served.database, served.root / "undisturbed.db")
    for open_for in (300, 500):
        asked = len(service.asked)
        service.open_for, service.release = asked + open_for, type(service.release)()
        service.held.clear()
        with start(served, "--quiet") as process:
            assert service.held.wait(60)
            os.kill(process.pid, signal.SIGKILL)
        service.release.set()
    (filled,) = query(served.database, "SELECT count(result_set_id) FROM job_results")[0]
    assert 0 < filled < 1376
    service.open_for = 10**9
    result = fill("--quiet")
    assert result.exit_code == 0, result.output
    assert fill("--database", "undisturbed.db", "--quiet").exit_code == 0
    digests = query(served.database, DIGESTS)
    assert len(digests) == 1376
    assert digests == query(served.root / "undisturbed.db", DIGESTS)


def test_its_progress_names_no_run(
    served: StudyFolder, ingest: Ingest, fill: Backfill, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(served.root / "old.db", 30)
    ingest("import", "old.db")
    monkeypatch.setattr("ingest.commands.common.progress._PLAIN_INTERVAL_S", 0.0)
    told = fill().stderr.splitlines()
    assert all(line.startswith("Backfill: ") for line in told)
    assert told[-1].startswith("Backfill: 30 of 30 done, 0 failed, 0 running")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stopped_it_keeps_what_came_and_says_how_to_go_on(
    served: StudyFolder, ingest: Ingest, service: AnalyticsService, number: int
) -> None:
    make_large(served.root / "old.db", 40)
    ingest("import", "old.db")
    service.open_for = 25
    with start(served, "--json") as process:
        assert service.held.wait(60)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    report = json.loads(out)
    assert report["is_interrupted"]
    left = 40 - report["filled"]
    assert 15 <= left < 40
    assert err.splitlines() == [
        "Stopping; finished jobs are kept. Press Ctrl-C again to end at once.",
        f"Error: stopped with {left} jobs left. Go on with: ingest backfill",
    ]
    stored = query(served.database, "SELECT count(result_set_id) FROM job_results")
    assert stored == [(report["filled"],)]


def test_the_real_study_is_filled(
    served: StudyFolder, ingest: Ingest, service: AnalyticsService, fill: Backfill, real_study: Path
) -> None:
    ingest("import", str(real_study / "validation_results.db"))
    assert fill("--quiet").exit_code == 0
    assert {environment for environment, _ in service.asked} == {"appendix_3"}
    assert len(query(served.database, DIGESTS)) == 1376
    planned = ingest("plan")
    assert planned.exit_code == 0
