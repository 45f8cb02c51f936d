"""Fixtures, for every folder: a study with a history, and one server for all who only look."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.browser.site import Site, make_served_study, start_site
from tests.conftest import StudyFolder


def copy_of_shared(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """A copy of a folder that make() fills once for all processes of this test run."""
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)
    done = shared / f"{name}.done"
    with FileLock(shared / f"{name}.lock"):
        if not done.exists():
            make(shared / name)
            done.touch()
    return Path(shutil.copytree(shared / name, factory.mktemp(name) / name))


@pytest.fixture(scope="session")
def served_study(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The study of make_served_study(); tests must not run it again."""
    if importlib.util.find_spec("datasette") is None:
        pytest.skip("pip install 'ingest[browser]'")
    return StudyFolder.at(copy_of_shared(tmp_path_factory, "tiny", make_served_study))


@pytest.fixture(scope="session")
def site(served_study: StudyFolder) -> Iterator[Site]:
    """`ingest serve` on the served study."""
    running = start_site(served_study.database, "--allow-host", "results.example.org")
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()
