"""Files that a command writes: `diff`, `export`, `chart` and the log of `run`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import Ingest, StudyFolder
from tests.odd_study import run_study


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = StudyFolder(tmp_path_factory.mktemp("outputs") / "tiny")
    run_study(study)
    run_study(study, "--force", "--countries", "KEN")
    return study.database


@pytest.fixture
def ran(built: Path, study: StudyFolder) -> StudyFolder:
    """The tiny study with two runs, a database beside which everything lies that can."""
    shutil.copy(built, study.database)
    study.write_settings(study='name = "tiny"\ngroups = "groups.csv"\nplugins = "plugins"')
    (study.root / "groups.csv").write_text("iso3,region\nKEN,East\n")
    (study.root / "plugins").mkdir()
    (study.root / "plugins" / "mine.py").write_text('"""A plugin without hooks."""\n')
    for end in ("-wal", "-shm", ".lock", ".v3.bak", ".run-api.jsonl"):
        (study.root / f"validation_results.db{end}").touch()
    return study


KEPT = [
    *(f"validation_results.db{end}" for end in ("", "-wal", "-shm", ".lock", ".v3.bak")),
    "validation_results.db.run-api.jsonl", "ingest.toml", "model.json", "model.py",
    "countries.json", "scenarios/null.json", "groups.csv", "plugins/mine.py",
]  # fmt: skip
WRITERS = {
    "diff --html": ["diff", "--force", "--html"],
    "diff --chart": ["diff", "--force", "--chart"],
    "export": ["export", "--force", "-o"],
    "bundle": ["export", "--format", "bundle", "--force", "-o"],
    "chart": ["chart", "scenario_impact", "--force", "-o"],
    "report": ["report", "--force", "-o"],
    "report --update": ["report", "--update"],
    "log": ["run", "--log-file"],
}


@pytest.mark.parametrize("name", KEPT)
@pytest.mark.parametrize("writer", WRITERS)
def test_no_output_replaces_the_database_or_the_study(
    ran: StudyFolder, ingest: Ingest, writer: str, name: str
) -> None:
    before = (ran.root / name).read_bytes()
    result = ingest(*WRITERS[writer], name)
    is_database = name.startswith("validation_results")
    what = "part of the results database" if is_database else "a file of the study"
    assert (result.exit_code, result.stdout, result.stderr) == (
        2,
        "",
        f"Error: {name} is {what}, which no output replaces; name another file\n",
    )
    assert (ran.root / name).read_bytes() == before


def test_a_file_by_another_name_is_the_same_file(ran: StudyFolder, ingest: Ingest) -> None:
    os.link(ran.root / "model.py", ran.root / "report.html")
    (ran.root / "link.html").symlink_to("validation_results.db")
    for name, what in (("report.html", "a file of the study"), ("link.html", "part of the")):
        result = ingest("diff", "--force", "--html", name)
        assert (result.exit_code, f"{name} is {what}" in result.stderr) == (2, True)
    elsewhere = ingest("diff", "--force", "--html", "../tiny/model.py")
    assert (elsewhere.exit_code, "a file of the study" in elsewhere.stderr) == (2, True)


def test_the_database_that_is_named_is_kept(
    ran: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy(ran.database, tmp_path / "other.csv")
    monkeypatch.chdir(tmp_path)
    result = ingest("export", "--database", "other.csv", "-o", "other.csv", "--force")
    assert (result.exit_code, "part of the results database" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("command", "good", "bad", "endings"),
    [
        (["diff", "--html"], "r.html", "r.md", ".html"),
        (["diff", "--chart"], "r.SVG", "r.pdf", ".svg or .png"),
        (["export", "-o"], "r.csv", "r.db", ".csv"),
        (["export", "--format", "wide", "-o"], "r.csv", "r.parquet", ".csv"),
        (["export", "-f", "bundle", "-o"], "r.zip", "r.csv", ".zip"),
        (["chart", "scenario_impact", "-o"], "r.vl.json", "r.json",
         ".svg, .png, .html or .vl.json"),
    ],
)  # fmt: skip
def test_endings_fit_and_only_force_replaces_a_file(
    ran: StudyFolder, ingest: Ingest, command: list[str], good: str, bad: str, endings: str
) -> None:
    result = ingest(*command, bad)
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {bad}: the name must end in {endings}\n",
    )
    assert not (ran.root / bad).exists()
    (ran.root / good).write_text("mine")
    refused = ingest(*command, good)
    assert (refused.exit_code, refused.stderr) == (
        2,
        f"Error: {good} exists; overwrite it with --force, or name another file\n",
    )
    assert (ran.root / good).read_text() == "mine"
    assert ingest(*command, good, "--force").exit_code == 0
    assert (ran.root / good).read_bytes() != b"mine"
    assert not list(ran.root.glob(".*.part"))


def test_a_study_that_cannot_be_read_is_kept_and_in_nobodys_way(
    ran: StudyFolder, ingest: Ingest
) -> None:
    (ran.root / "ingest.toml").write_text("[study\n")
    command = ("chart", "scenario_impact", "--database", "validation_results.db", "--force", "-o")
    assert ingest(*command, "c.svg").exit_code == 0
    refused = ingest(*command, "ingest.toml")
    assert (refused.exit_code, "ingest.toml is a file of the study" in refused.stderr) == (2, True)
