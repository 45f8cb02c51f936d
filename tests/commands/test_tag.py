from __future__ import annotations

import json

import pytest

from ingest.database.files import writer_lock
from tests.conftest import MODEL_CODE, Ingest, StudyFolder


@pytest.fixture
def two_runs(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    ingest("run")
    study.write_model(MODEL_CODE + "\n# second\n")
    ingest("run")
    return study


@pytest.mark.usefixtures("two_runs")
def test_a_tag_names_a_run_and_is_listed(ingest: Ingest) -> None:
    result = ingest("tag", "1", "paper-2026")
    assert (result.exit_code, result.stdout) == (0, "Run 1 is now paper-2026\n")
    assert ingest("tag", "paper-2026", "v1.0_draft").stdout == "Run 1 is now v1.0_draft\n"
    assert ingest("tag", "latest", "newest").stdout == "Run 2 is now newest\n"
    lines = [line.split()[:2] for line in ingest("tag").stdout.splitlines()]
    assert lines[0] == ["tag", "run"]
    assert lines[2:] == [["newest", "2"], ["paper-2026", "1"], ["v1.0_draft", "1"]]


@pytest.mark.usefixtures("two_runs")
def test_tags_as_json(ingest: Ingest) -> None:
    assert json.loads(ingest("tag", "--json").stdout) == []
    ingest("tag", "1", "first")
    [tag] = json.loads(ingest("tag", "--json").stdout)
    assert (tag["tag"], tag["run_id"], tag["status"]) == ("first", 1, "completed")
    assert tag["git_commit"] == "unknown"


@pytest.mark.usefixtures("two_runs")
def test_moving_a_tag_needs_force(ingest: Ingest) -> None:
    ingest("tag", "1", "paper")
    refused = ingest("tag", "2", "paper")
    assert refused.exit_code == 2
    assert refused.stderr == (
        "Error: 'paper' is already the name of run 1. Move it with: ingest tag 2 paper --force\n"
    )
    assert ingest("tag", "1", "paper").stdout == "Run 1 is now paper\n"
    assert ingest("tag", "2", "paper", "--force").stdout == "Run 2 is now paper (was: run 1)\n"


@pytest.mark.usefixtures("two_runs")
def test_deleting_a_tag(ingest: Ingest) -> None:
    ingest("tag", "1", "paper")
    result = ingest("tag", "--delete", "papr")
    assert result.exit_code == 2
    assert result.stderr == "Error: no run has the name 'papr'. Did you mean paper?\n"
    assert ingest("tag", "--delete", "paper").stdout == "paper is no longer the name of a run\n"
    assert ingest("tag").stdout == "No run has a name. Give one with: ingest tag latest NAME\n"
    again = ingest("tag", "--delete", "paper")
    assert again.stderr == "Error: no run has the name 'paper'. List them with: ingest tag\n"


RULE = (
    "cannot be a tag: a tag starts with a letter, followed by letters, digits, _ . or -, "
    "up to 100 in all"
)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("latest", "'latest' always means a run by its position; choose another name"),
        ("previous", "'previous' always means a run by its position; choose another name"),
        ("2026-11-23", f"'2026-11-23' {RULE}"),
        ("7", f"'7' {RULE}"),
        ("a b", f"'a b' {RULE}"),
        ("é", f"'é' {RULE}"),
        ("x" * 101, f"'{'x' * 101}' {RULE}"),
        ("Beef", "'Beef' looks like a commit; choose another name, such as v-Beef"),
    ],
)
@pytest.mark.usefixtures("two_runs")
def test_names_that_could_mean_something_else_are_refused(
    ingest: Ingest, name: str, message: str
) -> None:
    result = ingest("tag", "1", name)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")
    assert json.loads(ingest("tag", "--json").stdout) == []


@pytest.mark.usefixtures("two_runs")
def test_what_is_missing_is_told(ingest: Ingest) -> None:
    result = ingest("tag", "9", "paper")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: no run '9' in this database; runs are 1 to 2. Name one by number, tag, commit, "
        "date, latest or previous (ingest status lists them)\n"
    )
    result = ingest("tag", "1")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: which name should run 1 get? Type: ingest tag 1 NAME\n",
    )
    result = ingest("tag", "1", "--delete", "x")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: --delete takes one name and no run; leave out '1'\n",
    )


def test_without_a_database_nothing_is_made(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("tag", "latest", "paper")
    assert result.exit_code == 2
    assert result.stderr.endswith("Make one with: ingest run\n")
    assert not study.database.exists()


def test_while_another_writes_a_tag_is_refused(two_runs: StudyFolder, ingest: Ingest) -> None:
    with writer_lock(two_runs.database):
        result = ingest("tag", "1", "paper")
    assert result.exit_code == 2
    assert "is writing to" in result.stderr
