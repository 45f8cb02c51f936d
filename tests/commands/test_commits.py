"""What the commands make of git: whose commit a run is of, and what they say where git cannot."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.commands.test_run import git
from tests.conftest import Ingest, StudyFolder, scenario


def commit(study: StudyFolder) -> str:
    if not (study.root / ".git").exists():
        git(study, "init", "--quiet", "--initial-branch=main")
    git(study, "add", "ingest.toml", "model.json", "model.py", "countries.json", "scenarios")
    git(study, "commit", "--quiet", "--message", "study")
    return git(study, "rev-parse", "HEAD")


@pytest.fixture
def clean_then_dirty(study: StudyFolder, ingest: Ingest) -> str:
    """The commit of run 1, of committed files alone, and of run 2, with an uncommitted one."""
    head = commit(study)
    ingest("run", "--quiet")
    study.write_json("scenarios/null.json", scenario(0.5))
    ingest("run", "--quiet")
    return head


def test_commit_is_its_newest_run_without_uncommitted_files(
    clean_then_dirty: str, ingest: Ingest
) -> None:
    for command in ("export", "compare null scale_up --json --run", "status --json"):
        by_commit = ingest(*command.split(), clean_then_dirty)
        assert by_commit.stdout == ingest(*command.split(), "1").stdout, command
        assert by_commit.stdout != ingest(*command.split(), "2").stdout, command
        assert "not committed" not in by_commit.stderr, command
    assert ingest("export", clean_then_dirty[:7]).stdout == ingest("export", "1").stdout
    found = json.loads(ingest("diff", clean_then_dirty, "latest", "--json").stdout)
    assert [found[side]["run_id"] for side in ("before", "after")] == [1, 2]
    assert [found[side]["dirty_files"] for side in ("before", "after")] == [
        [],
        ["scenarios/null.json"],
    ]


def test_commit_whose_only_run_was_dirty_is_told(
    clean_then_dirty: str, ingest: Ingest, study: StudyFolder
) -> None:
    head = commit(study)
    study.write_json("scenarios/null.json", scenario(0.6))
    ingest("run", "--quiet")
    said = (
        f"Warning: run 3 is not of commit {head[:7]} alone: 1 file (scenarios/null.json) were not "
        "committed, and no run has that commit without changes\n"
    )
    assert ingest("export", head).stderr == said
    result = ingest("compare", "null", "scale_up", "--run", head[:8], "--json")
    assert said in result.stderr
    assert json.loads(result.stdout)["dirty_files"] == ["scenarios/null.json"]
    assert ingest("export", "3").stderr == ""
    assert ingest("export", "latest").stderr == ""


def test_commit_is_a_run_that_has_ended(
    clean_then_dirty: str, ingest: Ingest, study: StudyFolder
) -> None:
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute("UPDATE validation_runs SET dirty_files = '[]'")
        connection.execute("UPDATE validation_runs SET status = 'running' WHERE run_id = 2")
    assert ingest("export", clean_then_dirty).stdout == ingest("export", "1").stdout


# --- git could not answer -------------------------------------------------------------------------


def no_answer(kind: str, study: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make git unable to answer; gives a part of what is to be said."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    if kind == "owner":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        return f"git config --global --add safe.directory {study.root}"
    if kind == "not installed":
        monkeypatch.setenv("PATH", str(study.root))
        return "git is not installed"
    shutil.rmtree(study.root / ".git" / "refs")
    return f"git -C {study.root} fsck"


@pytest.mark.parametrize("kind", ["owner", "not installed", "broken"])
def test_git_that_cannot_answer_is_told_stored_and_may_be_refused(
    kind: str, study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(study)
    said = no_answer(kind, study, monkeypatch)
    refused = ingest("run", "--set", "run.require_commit=true")
    assert refused.exit_code == 2
    assert refused.stderr.startswith(
        "Error: run.require_commit is set, and git cannot tell the commit: "
    )
    assert said in refused.stderr
    assert not study.database.exists()
    result = ingest("run", "--quiet")
    assert result.exit_code == 0
    assert said in result.stderr
    assert "not in a git repository" not in result.stderr
    status = ingest("status", "1")
    assert said in status.stdout
    [(stored,)] = select(study, "SELECT git_problem FROM validation_runs")
    assert said in stored


def select(study: StudyFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(sql).fetchall()


def test_required_commit_is_refused_outside_git_and_taken_within(
    study: StudyFolder, ingest: Ingest
) -> None:
    wanted = ("run", "--set", "run.require_commit=true")
    assert "is not in a git repository" in ingest(*wanted).stderr
    commit(study)
    assert ingest(*wanted).exit_code == 0
    assert select(study, "SELECT git_problem FROM validation_runs") == [(None,)]
