"""The messages in docs/troubleshooting.md are those that newcomers meet."""

from __future__ import annotations

import socket
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.conftest import MODEL_CODE, PROJECT, Ingest, StudyFolder

DOC = (PROJECT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in DOC.splitlines() if line.startswith("| ")][1:]
MESSAGES = {what: message.strip("`") for what, message, _ in ROWS}
FAILS = MODEL_CODE.replace("):", '):\n    raise ValueError("no life table")', 1)


class Newcomer:
    """Somebody at a first study; each method is a mistake, and gives what they are told."""

    def __init__(self, study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
        self.study, self.ingest, self.monkeypatch = study, ingest, monkeypatch

    def told(self, *arguments: str) -> str:
        result = self.ingest(*arguments)
        return result.stdout + result.stderr

    def no_study(self) -> str:
        (self.study.root / "empty").mkdir()
        self.monkeypatch.chdir(self.study.root / "empty")
        return self.told("run").replace(f"{self.study.root}/empty", "/home/ana/work")

    def no_git(self) -> str:
        return self.told("run")

    def nothing_has_run(self) -> str:
        return self.told("status")

    def wrong_country(self) -> str:
        return self.told("run", "--countries", "KNE").replace("Land of KEN", "Kenya")

    def wrong_scenario(self) -> str:
        return self.told("run", "--scenarios", "scale_upp")

    def wrong_label(self) -> str:
        self.told("run", "--quiet")
        return self.told("compare", "null", "scale_up", "--label", "Healthy Years")

    def model_raises(self) -> str:
        self.study.write_model(FAILS)
        return self.told("run", "--countries", "KEN")

    def port_is_taken(self) -> str:
        self.told("run", "--quiet")
        with closing(socket.socket()) as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            told = self.told("serve", "--port", str(port))
        return told.replace(str(port + 1), "8002").replace(str(port), "8001")

    def no_datasette(self) -> str:
        self.told("run", "--quiet")
        self.monkeypatch.setitem(sys.modules, "datasette", None)
        self.monkeypatch.setitem(sys.modules, "datasette.cli", None)
        told = self.told("serve", "--port", "0")
        return told.replace(sys.executable, "/home/ana/ingest/.venv/bin/python")

    def old_database(self) -> str:
        self.told("run", "--quiet")
        with closing(sqlite3.connect(self.study.database)) as connection, connection:
            connection.execute(
                "DELETE FROM _sqlite_migrations WHERE name = (SELECT max(name) FROM "
                "_sqlite_migrations)"
            )
        return self.told("query", "SELECT 1")


MISTAKES: dict[str, Callable[[Newcomer], str]] = {
    "The folder holds no study": Newcomer.no_study,
    "The study is not in git": Newcomer.no_git,
    "Nothing has run yet": Newcomer.nothing_has_run,
    "No such country": Newcomer.wrong_country,
    "No such scenario": Newcomer.wrong_scenario,
    "No such label": Newcomer.wrong_label,
    "The model raised an error": Newcomer.model_raises,
    "Another program listens there": Newcomer.port_is_taken,
    "An optional part is not installed": Newcomer.no_datasette,
    "The database is of an earlier version": Newcomer.old_database,
}


def test_every_row_of_the_table_is_tried() -> None:
    assert list(MESSAGES) == list(MISTAKES)


@pytest.mark.parametrize("what", MISTAKES)
def test_the_message_is_as_the_table_has_it(
    study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    told = MISTAKES[what](Newcomer(study, ingest, monkeypatch))
    assert MESSAGES[what] in told
