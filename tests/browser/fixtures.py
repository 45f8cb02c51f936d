"""Fixtures, for every folder: a study with a history, and one server for all who only look."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from tests.browser.site import Site, make_served_study, start_site
from tests.conftest import StudyFolder


@pytest.fixture(scope="session")
def served_study(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The study of make_served_study(); tests must not run it again."""
    if importlib.util.find_spec("datasette") is None:
        pytest.skip("pip install 'ingest[browser]'")
    return make_served_study(tmp_path_factory.mktemp("served") / "tiny")


@pytest.fixture(scope="session")
def site(served_study: StudyFolder) -> Iterator[Site]:
    """`ingest serve` on the served study."""
    running = start_site(served_study.database)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
