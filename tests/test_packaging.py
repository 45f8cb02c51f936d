"""What the wheel holds, and that the program runs from it outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import BUNDLED_STUDY, PROJECT

pytestmark = pytest.mark.slow

BUNDLED = ("canned_queries", "datasette_plugins", "examples", "static", "templates")


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of a wheel that was built just now."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_the_wheel_holds_every_bundled_file(unpacked_wheel: Path) -> None:
    bundled = unpacked_wheel / "ingest" / "_bundled"
    assert (bundled / "metadata.yml").read_bytes() == (PROJECT / "metadata.yml").read_bytes()
    tracked = subprocess.run(
        ["git", "ls-files", *BUNDLED], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.split()
    names = tracked or [
        str(path.relative_to(PROJECT)) for path in BUNDLED_STUDY.rglob("*.json")
    ]  # outside git
    assert names
    for name in names:
        assert (bundled / name).read_bytes() == (PROJECT / name).read_bytes(), name


def test_the_wheel_holds_nothing_that_was_made_by_running(unpacked_wheel: Path) -> None:
    made = [
        path.name
        for path in unpacked_wheel.rglob("*")
        if path.suffix in {".db", ".lock", ".pyc", ".bak"} or path.name == "__pycache__"
    ]
    assert made == []


def test_the_wheel_puts_nothing_beside_the_package(unpacked_wheel: Path) -> None:
    names = sorted(path.name for path in unpacked_wheel.iterdir())
    assert [name for name in names if not name.endswith(".dist-info")] == ["ingest"]


def test_init_run_status_and_query_work_from_the_wheel(
    unpacked_wheel: Path, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(unpacked_wheel), "PYTHONDONTWRITEBYTECODE": "1"}

    def ingest(*arguments: str, folder: Path = tmp_path) -> str:
        command = [sys.executable, "-m", "ingest", *arguments]
        result = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    where = "import ingest; print(ingest.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert found.stdout.startswith(str(unpacked_wheel))
    ingest("init", "study")
    study = tmp_path / "study"
    assert "16 succeeded, 0 failed" in ingest("run", "--countries", "KEN,UGA", folder=study)
    assert "completed" in ingest("status", folder=study)
    query = "SELECT count(DISTINCT country) AS n FROM metrics"
    assert ingest("query", query, "--csv", folder=study) == "n\n2\n"
