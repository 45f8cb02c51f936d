"""Fixtures: one Chromium, visitors of a site at two widths, and a folder for their pictures.

The browser lives as long as the tests of this folder: while Playwright's synchronous API is in use,
asyncio.run() cannot be called in the same thread, which other tests do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.fixtures import copy_of_shared
from tests.browser.site import Site, start_site
from tests.chromium.chromium import NoChromiumError, find_chromium, launch_chromium
from tests.chromium.studies import make_bundled_study
from tests.chromium.visit import Visitor, new_profile

Visit = Callable[..., Visitor]


@pytest.fixture(scope="session", autouse=True)
def _needs_chromium() -> None:
    """Without a browser these tests are skipped; with REQUIRE_CHROMIUM they fail."""
    try:
        find_chromium()
    except NoChromiumError as exc:
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail(str(exc))
        pytest.skip(str(exc))


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def bundled_site(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """`ingest serve` on the study of make_bundled_study(): 187 countries, three scenarios."""
    study = copy_of_shared(tmp_path_factory, "asthma", make_bundled_study)
    running = start_site(study / "validation_results.db")
    yield running
    running.process.kill()
    running.process.wait()


@pytest.fixture(scope="package")
def profiles(chromium: Browser) -> dict[str, Visitor]:
    """One for each site, width and set of options, for all tests that leave no trace in it."""
    return {}


@pytest.fixture
def visit(chromium: Browser, profiles: dict[str, Visitor]) -> Iterator[Visit]:
    """visit(site, "phone") is a visitor; with fresh=True one with a profile that nobody had before.

    At the end no page of any visitor may have complained.
    """
    visitors: list[Visitor] = []
    own: list[Visitor] = []

    def begin(site: Site, width: str = "desktop", fresh: bool = False, **options: Any) -> Visitor:
        key = f"{site.url} {width} {options}"
        visitor = None if fresh else profiles.get(key)
        if visitor is None:
            visitor = Visitor(new_profile(chromium, width, **options), site.url)
            if fresh:
                own.append(visitor)
            else:
                profiles[key] = visitor
        visitors.append(visitor)
        return visitor

    yield begin
    for visitor in own:
        visitor.context.close()
    for visitor in profiles.values():
        visitor.rest()
    assert [words for visitor in visitors for words in visitor.told()] == []


@pytest.fixture(scope="session")
def artefacts() -> Path | None:
    """Where pictures of the pages are kept: the folder that ARTEFACTS names; None without it."""
    folder = os.environ.get("ARTEFACTS")
    return Path(folder) if folder else None
