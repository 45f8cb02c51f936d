from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Ingest, StudyFolder

PLUGIN = """
from ingest.plugin_api import hookimpl

@hookimpl
def ingest_run_finished(event):
    pass

@hookimpl
def ingest_job_finished(event):
    pass
"""


@pytest.fixture
def with_plugin(study: StudyFolder) -> StudyFolder:
    (study.root / "plugins").mkdir()
    (study.root / "plugins" / "notify.py").write_text(PLUGIN)
    study.write_settings(study='name = "tiny"\nplugins = "plugins"')
    return study


def test_default_plugins_are_listed_without_a_study(
    ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert json.loads(ingest("plugins", "--json").stdout) == [
        {
            "name": "ingest.plugins.defaults",
            "hooks": [
                "ingest_check_metrics",
                "ingest_discover_scenarios",
                "ingest_load_countries",
                "ingest_register_analytics_sources",
                "ingest_register_executors",
            ],
            "origin": "default",
        }
    ]


def test_plugins_of_the_study_are_listed_with_their_hooks(
    with_plugin: StudyFolder, ingest: Ingest
) -> None:
    (own,) = [p for p in json.loads(ingest("plugins", "--json").stdout) if p["origin"] == "file"]
    assert own == {
        "name": str(Path("plugins/notify.py")),
        "hooks": ["ingest_job_finished", "ingest_run_finished"],
        "origin": "file",
    }


def test_plugins_are_printed_as_a_table(with_plugin: StudyFolder, ingest: Ingest) -> None:
    result = ingest("plugins")
    assert result.exit_code == 0
    assert result.stderr == ""
    header, _, *rows = [line.split("  ") for line in result.stdout.splitlines()]
    assert [cell.strip() for cell in header if cell] == ["plugin", "from", "hooks"]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    own = cells.index(["plugins/notify.py", "file", "ingest_job_finished"])
    assert cells[own + 1 :] == [["ingest_run_finished"]]
    assert cells[0][:2] == ["ingest.plugins.defaults", "default"]


def test_study_is_chosen_by_an_option(
    with_plugin: StudyFolder, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [
        entry["name"]
        for entry in json.loads(
            ingest("plugins", "--study", str(with_plugin.root), "--json").stdout
        )
    ]
    assert str(with_plugin.root / "plugins" / "notify.py") in names


def test_study_that_is_not_there_is_told(ingest: Ingest, tmp_path: Path) -> None:
    result = ingest("plugins", "--study", str(tmp_path))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"Error: no ingest.toml in {tmp_path}. "
        "Name a study with --study FOLDER, or write a first one: ingest init DIR\n"
    )


def test_missing_plugin_folder_is_told(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("plugins", "--set", "study.plugins=absent")
    assert result.exit_code == 2
    assert result.stderr == "Error: study.plugins: no folder absent\n"


def test_plugin_that_cannot_be_imported_is_told(with_plugin: StudyFolder, ingest: Ingest) -> None:
    (with_plugin.root / "plugins" / "notify.py").write_text("1 / 0")
    result = ingest("plugins")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: plugin plugins/notify.py: ZeroDivisionError: division by zero\n"
    )


def test_plugin_with_a_hook_that_does_not_exist_is_told(
    with_plugin: StudyFolder, ingest: Ingest
) -> None:
    (with_plugin.root / "plugins" / "notify.py").write_text(
        PLUGIN.replace("ingest_job_finished", "ingest_job_finish")
    )
    result = ingest("plugins")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert "ingest_job_finish" in result.stderr
    assert len(result.stderr.splitlines()) == 1
