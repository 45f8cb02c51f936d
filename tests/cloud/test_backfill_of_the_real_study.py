"""The recorded run of the real study: imported, its numbers fetched, interrupted or not."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

from ingest.dev_server import DevServer, made_up_rows
from ingest.dev_server.results import Row
from tests.cloud.driving import LIMIT_S, ingest_output, select
from tests.conftest import StudyFolder

FILLED = "SELECT count(*) FROM job_results WHERE result_set_id IS NOT NULL"


def backfill_command(server: DevServer, database: str) -> list[str]:
    settings = ["analytics.source=analytics-api", f"analytics.url={server.url}"]
    given = itertools.chain(*(("--set", setting) for setting in settings))
    return [sys.executable, "-m", "ingest", "backfill", "--database", database, *given]


def few_rows(ulid: str) -> list[Row]:
    """One of each label of the made-up rows."""
    return made_up_rows(ulid)[::26]


def test_all_1376_are_filled_interrupted_or_not(real_study: Path, study: StudyFolder) -> None:
    original = str(real_study / "validation_results.db")
    for database in ("undisturbed.db", "killed.db"):
        ingest_output(study, "import", original, "--database", database)
    imported = "SELECT count(*), min(length(ulid)), max(length(ulid)) FROM job_results"
    assert select(study.root / "killed.db", imported) == [(1376, 26, 26)]
    assert select(study.root / "killed.db", "SELECT count(*) FROM validation_runs") == [(1,)]
    with DevServer(results=few_rows) as server:
        subprocess.run(backfill_command(server, "undisturbed.db"), cwd=study.root, check=True)
        killed = backfill_command(server, "killed.db")
        for number in range(3):
            process = subprocess.Popen(killed, cwd=study.root, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + LIMIT_S
            while select(study.root / "killed.db", FILLED)[0][0] < 200 * (number + 1):
                assert time.monotonic() < deadline, "the backfill does not come on"
                time.sleep(0.01)
            process.kill()
            process.wait()
        subprocess.run(killed, cwd=study.root, check=True)
    digests = """SELECT ulid, digest FROM job_results JOIN result_sets USING (result_set_id)
                 ORDER BY ulid"""
    filled = select(study.root / "killed.db", digests)
    assert len(filled) == 1376
    assert filled == select(study.root / "undisturbed.db", digests)
