"""A run whose process was killed is not told as going on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

from tests.browser.site import start_site
from tests.conftest import MODEL_CODE, PROJECT, StudyFolder

DB = "/validation_results"
ENDLESS_CODE = f"""{MODEL_CODE}
import time

_plain = simulate


def simulate(document):
    if document["nodes"][0]["generate_array"]["parameters"]["country"] != "KEN":
        time.sleep(600)
    return _plain(document)
"""


def start_run(study: StudyFolder) -> subprocess.Popen[bytes]:
    """`ingest run`, once it has stored its first job; the others never end."""
    command = [sys.executable, "-m", "ingest", "run", "--quiet"]
    run = subprocess.Popen(command, cwd=study.root, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if study.database.exists() and count_successes(study):
            return run
        time.sleep(0.1)
    run.kill()
    raise AssertionError("no job was stored within 120 s")


def count_successes(study: StudyFolder) -> int:
    with closing(sqlite3.connect(f"{study.database.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            sql = "SELECT count(*) FROM job_results WHERE job_status = 'success'"
            return int(connection.execute(sql).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_a_run_whose_process_was_killed_is_told_as_cut_off(study: StudyFolder) -> None:
    study.write_model(ENDLESS_CODE)
    run = start_run(study)
    site = start_site(study.database)
    try:
        before = site.get(f"{DB}/-/progress.json").json()
        assert (before["status"], before["cut_off"]) == ("running", False)
        assert "</a> is going on" in site.get("/").text
        run.kill()
        run.wait()
        after = site.get(f"{DB}/-/progress.json").json()
        assert (after["status"], after["cut_off"]) == ("running", True)
        for path in ("/", f"{DB}/-/run/1"):
            page = site.get(path).text
            assert "</a> was cut off" in page
            assert "<code>ingest run</code> goes on where it was" in page
            assert "is going on" not in page
        why = "git is not installed"
        with closing(sqlite3.connect(study.database)) as connection, connection:
            connection.execute("UPDATE validation_runs SET git_problem = ?", [why])
        page = site.get(f"{DB}/-/run/1").text
        assert f"<dt>Git</dt><dd><bdi>{why}</bdi></dd>" in page
        assert f"<dt>Model</dt><dd><bdi><code>{study.root / 'model.py'}</code>" in page
    finally:
        for process in (run, site.process):
            process.kill()
            process.wait()
