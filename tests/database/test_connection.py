from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ingest.database.connection import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "notes.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (note TEXT UNIQUE ON CONFLICT ROLLBACK)")
    return path


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    with closing(Database(sqlite3.connect(path))) as db:
        yield db


def add(db: Database, note: str) -> None:
    db.conn.execute("INSERT INTO notes VALUES (?)", [note])


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [note for (note,) in connection.execute("SELECT note FROM notes ORDER BY rowid")]


def test_a_transaction_is_stored_at_its_end(db: Database, path: Path) -> None:
    with db.atomic():
        add(db, "a")
        with db.atomic():
            add(db, "b")
        assert stored(path) == []
    assert stored(path) == ["a", "b"]


def add_and_fail(db: Database, note: str, error: BaseException) -> None:
    with db.atomic():
        add(db, note)
        raise error


def test_an_error_undoes_the_whole_transaction(db: Database, path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), db.atomic():
        add_and_fail(db, "a", KeyboardInterrupt())
    assert stored(path) == []
    assert not db.conn.in_transaction


def test_an_error_that_is_caught_undoes_the_inner_part_only(db: Database, path: Path) -> None:
    with db.atomic():
        add(db, "a")
        with db.atomic():
            with pytest.raises(ValueError, match="inner"):
                add_and_fail(db, "b", ValueError("inner"))
            add(db, "c")
        add(db, "d")
    assert stored(path) == ["a", "c", "d"]


def add_then_fail_twice(db: Database) -> None:
    with db.atomic():
        add(db, "b")
        with pytest.raises(ValueError, match="inner"):
            add_and_fail(db, "c", ValueError("inner"))
        raise ValueError("outer")


def test_a_part_is_undone_whole_after_a_part_of_its_own_was(db: Database, path: Path) -> None:
    with db.atomic():
        add(db, "a")
        with pytest.raises(ValueError, match="outer"):
            add_then_fail_twice(db)
    assert stored(path) == ["a"]


def add_twice(db: Database, note: str) -> None:
    with db.atomic():
        add(db, note)
        with db.atomic():
            add(db, note)


def test_an_error_that_ended_the_transaction_is_raised_as_it_is(db: Database, path: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        add_twice(db, "a")
    assert stored(path) == []
    assert not db.conn.in_transaction


def test_a_commit_that_fails_leaves_no_transaction_open(db: Database, path: Path) -> None:
    db.conn.execute("PRAGMA foreign_keys = ON")
    db.conn.executescript(
        "CREATE TABLE parents (id INTEGER PRIMARY KEY);"
        "CREATE TABLE children (id REFERENCES parents DEFERRABLE INITIALLY DEFERRED);"
    )
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"), db.atomic():
        db.conn.execute("INSERT INTO children VALUES (1)")
    assert not db.conn.in_transaction
