from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import BUNDLED_STUDY, Ingest


@pytest.fixture
def elsewhere(tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a study, to stand in."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_init_writes_a_study_that_checks_and_runs(elsewhere: Path, ingest: Ingest) -> None:
    result = ingest("init", "mine")
    assert result.exit_code == 0
    assert "cd mine" in result.stderr
    assert ingest("check", "--study", "mine").exit_code == 0
    run = ingest("run", "--study", "mine", "--countries", "KEN")
    assert run.exit_code == 0
    assert "8 succeeded, 0 failed" in run.stdout


def test_init_copies_the_bundled_study_and_nothing_it_made(elsewhere: Path, ingest: Ingest) -> None:
    ingest("init", "mine")
    copied = {path.relative_to(elsewhere / "mine") for path in (elsewhere / "mine").rglob("*")}
    made = {".db", ".db-wal", ".db-shm", ".lock", ".pyc"}
    bundled = {
        path.relative_to(BUNDLED_STUDY)
        for path in BUNDLED_STUDY.rglob("*")
        if path.suffix not in made and path.name != "__pycache__"
    }
    assert copied == bundled


def test_init_refuses_a_folder_that_is_not_empty(elsewhere: Path, ingest: Ingest) -> None:
    (elsewhere / "mine").mkdir()
    (elsewhere / "mine" / "notes.txt").write_text("keep me")
    result = ingest("init", "mine")
    assert result.exit_code == 2
    assert result.stderr == "Error: mine exists and is not empty; name a new folder\n"
    assert [path.name for path in (elsewhere / "mine").iterdir()] == ["notes.txt"]
