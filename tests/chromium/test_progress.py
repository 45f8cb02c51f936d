"""The overview follows a run that goes on."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.site import start_site
from tests.chromium.conftest import Visit
from tests.chromium.test_pages import LINKS
from tests.conftest import MODEL_CODE, StudyFolder

# The one worker ends its nth job as soon as there is a file ticket-n.
WAITING_CODE = f"""{MODEL_CODE}
import time
from pathlib import Path

_plain = simulate
_begun = 0


def simulate(document):
    global _begun
    _begun += 1
    while not (Path(__file__).parent / f"ticket-{{_begun}}").exists():
        time.sleep(0.05)
    return _plain(document)
"""


def let_end(study: StudyFolder, *jobs: int) -> None:
    for job in jobs:
        (study.root / f"ticket-{job}").touch()


def wait_for_run(database: Path) -> None:
    """Until a run stands in the database."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if database.exists():
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
                try:
                    if connection.execute("SELECT count(*) FROM validation_runs").fetchone()[0]:
                        return
                except sqlite3.OperationalError:
                    pass  # its tables are still being made
        time.sleep(0.05)
    raise AssertionError("no run within a minute")


def test_the_overview_follows_a_run_and_shows_it_when_it_has_ended(
    study: StudyFolder, visit: Visit
) -> None:
    study.write_model(WAITING_CODE)
    command = [
        sys.executable,
        "-m",
        "ingest",
        "run",
        "--quiet",
        "--set",
        "executors.local.workers=1",
    ]
    running = subprocess.Popen(command, cwd=study.root)
    wait_for_run(study.database)
    site = start_site(study.database)
    try:
        page = visit(site, fresh=True).open(LINKS.home())
        page.evaluate("() => { window.stays = true }")
        words = page.locator("[data-words]")
        expect(words).to_contain_text("0 of 8 jobs ended")
        let_end(study, 1, 2, 3)
        expect(words).to_contain_text("3 of 8 jobs ended", timeout=60_000)
        assert page.locator("progress").get_attribute("value") == "3"
        assert page.evaluate("() => window.stays === true")
        let_end(study, 4, 5, 6, 7, 8)
        page.locator(".status-line.is-completed").wait_for(timeout=60_000)
        assert page.evaluate("() => window.stays === undefined")
        assert "8 jobs succeeded" in page.locator(".status-line").inner_text()
        assert page.locator("[data-progress]").count() == 0
        assert page.locator("[data-matrix] td a.s-fresh").count() == 8
        page.close()
    finally:
        let_end(study, *range(1, 9))
        assert running.wait(timeout=60) == 0
        site.process.kill()
        site.process.wait()
