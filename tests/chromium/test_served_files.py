"""A person whose database is replaced, and a site that leads its own name to this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error

from tests.browser.server.test_served_files import copy_with_tag
from tests.browser.site import Site, start_site
from tests.chromium.chromium import find_chromium
from tests.conftest import StudyFolder

REBOUND = (
    "/validation_results/run_tags.json",
    "/validation_results/metrics.csv",
    "/validation_results/compare_scenarios.vl.json",
    "/-/versions.json",
)


def test_reload_shows_the_new_file_and_says_when_there_is_none(
    chromium: Browser, served_study: StudyFolder, tmp_path: Path
) -> None:
    database = copy_with_tag(served_study.database, tmp_path / "results.db", "first")
    site = start_site(database)
    page = chromium.new_page()
    try:
        page.goto(f"{site.url}/results/-/runs")
        assert "first" in page.inner_text("main")
        os.replace(copy_with_tag(database, tmp_path / "new.db", "second"), database)
        page.reload()
        assert "second" in page.inner_text("main")
        shutil.move(database, tmp_path / "away.db")
        answer = page.reload()
        assert answer is not None
        assert answer.status == 503
        assert "there is no database results.db yet" in page.inner_text("main")
        shutil.move(tmp_path / "away.db", database)
        page.reload()
        assert "second" in page.inner_text("main")
    finally:
        page.close()
        site.process.kill()
        site.process.wait()


WAYS = {"moved over": os.replace, "overwritten": shutil.copyfile}


KEPT = ("/results/run_tags", "/results/run_tags.json", "/results/run_tags.csv")


@pytest.mark.parametrize("way", WAYS)
def test_nothing_kept_by_the_browser_hides_the_new_file(
    chromium: Browser, served_study: StudyFolder, tmp_path: Path, way: str
) -> None:
    database = copy_with_tag(served_study.database, tmp_path / "results.db", "first")
    site = start_site(database)
    page = chromium.new_page()
    read = "path => fetch(path).then(answer => answer.text())"
    try:
        page.goto(f"{site.url}/results/-/runs")
        for path in KEPT:
            assert "first" in page.evaluate(read, path), path
        WAYS[way](copy_with_tag(database, tmp_path / "new.db", "second"), database)
        for path in KEPT:
            text = page.evaluate(read, path)
            assert ("second" in text, "first" in text) == (True, False), path
        database.unlink()
        for path in KEPT:
            assert page.evaluate("path => fetch(path).then(answer => answer.status)", path) == 503
    finally:
        page.close()
        site.process.kill()
        site.process.wait()


def test_rebound_name_reads_nothing(site: Site, chromium: Browser) -> None:
    rules = "--host-resolver-rules=MAP evil.example.com 127.0.0.1"
    browser = chromium.browser_type.launch(
        executable_path=find_chromium(), args=[rules, "--no-sandbox"]
    )
    try:
        page = browser.new_page()
        answer = page.goto(f"http://evil.example.com:{site.port}/validation_results/metrics.csv")
        assert answer is not None
        assert answer.status == 421
        for path in REBOUND:
            text = page.evaluate(f"() => fetch('{path}').then(answer => answer.text())")
            assert text.startswith("This server does not answer to that name."), path
        # under its own address it is another site, whose answers a script may not read
        blocked = "url => fetch(url).then(() => 'read', () => 'blocked')"
        for path in REBOUND:
            assert page.evaluate(blocked, site.url + path) == "blocked", path
    except Error as exc:
        raise AssertionError(f"the name was not led to this machine: {exc}") from exc
    finally:
        browser.close()
