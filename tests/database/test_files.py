from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ingest.database.files import (
    DatabaseForm,
    connect_read_only,
    database_form,
    is_writer_gone,
    open_for_reading,
    open_for_writing,
    writer_lock,
)
from ingest.database.schema import migrations
from ingest.database.validation_database import ValidationDatabase
from ingest.errors import (
    DatabaseBusyError,
    DatabaseError,
    DatabaseMissingError,
    NewerSchemaError,
    OriginalSchemaError,
)

ORIGINAL_SCHEMA = """
CREATE TABLE validation_runs (run_id INTEGER PRIMARY KEY, git_commit TEXT, status TEXT);
CREATE TABLE job_results (run_id INTEGER, country TEXT, scenario TEXT, ulid TEXT);
CREATE TABLE metrics (run_id INTEGER, country TEXT, element_label TEXT, value REAL);
"""


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def execute(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def make(path: Path) -> None:
    db, _ = open_for_writing(path)
    db.close()


def form(path: Path) -> DatabaseForm:
    with closing(connect_read_only(path)) as connection:
        return database_form(connection)


def test_a_new_database_has_the_current_form(tmp_path: Path) -> None:
    make(tmp_path / "new.db")
    assert form(tmp_path / "new.db") is DatabaseForm.CURRENT


def test_an_older_schema_is_migrated_after_a_copy_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        migrations.apply(connection, stop_before="m002_latest_metrics")
        connection.execute(
            "INSERT INTO validation_runs (timestamp, git_commit, status) "
            "VALUES ('t', 'c', 'failed')"
        )
        connection.commit()
    assert form(path) is DatabaseForm.OLDER
    with pytest.raises(DatabaseError, match="has an older schema"):
        open_for_reading(path)

    db, copy = open_for_writing(path)
    db.close()

    assert form(path) is DatabaseForm.CURRENT
    assert copy == tmp_path / "old.db.v1.bak"
    assert form(copy) is DatabaseForm.OLDER
    for kept in (path, copy):
        with closing(connect_read_only(kept)) as connection:
            assert connection.execute("SELECT git_commit FROM validation_runs").fetchall() == [
                ("c",)
            ]


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    make(path)
    execute(
        path,
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('ingest', 'm999_from_the_future', 'now')",
    )
    before = checksum(path)
    for opening in (open_for_writing, open_for_reading):
        with pytest.raises(NewerSchemaError, match="written by a later version of ingest; nothing"):
            opening(path)
    assert checksum(path) == before


def test_the_original_form_is_recognised_named_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "original.db"
    execute(path, ORIGINAL_SCHEMA)
    before = checksum(path)
    for opening in (open_for_writing, open_for_reading):
        with pytest.raises(OriginalSchemaError, match=r"three-table form .* ingest import"):
            opening(path)
    assert checksum(path) == before
    assert [file.name for file in tmp_path.iterdir()] == ["original.db"]


def test_the_real_original_database_is_recognised_and_left_as_it_is(
    real_study: Path, tmp_path: Path
) -> None:
    path = tmp_path / "validation_results.db"
    path.write_bytes((real_study / "validation_results.db").read_bytes())
    before = checksum(path)
    with pytest.raises(OriginalSchemaError, match="ingest import"):
        open_for_writing(path)
    assert checksum(path) == before


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cats.db"
    execute(path, "CREATE TABLE cats (name TEXT)")
    with pytest.raises(DatabaseError, match="a database of something else"):
        open_for_writing(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes, and long enough to be taken for a database header " * 20)
    before = checksum(path)
    with pytest.raises(DatabaseError, match="cannot be read as a database"):
        open_for_writing(path)
    assert checksum(path) == before


def test_reading_a_missing_database_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissingError, match=r"no database .*none\.db yet.* ingest run"):
        open_for_reading(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_reading_an_empty_file_names_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(DatabaseMissingError, match=r"is empty\. Fill it with: ingest run"):
        open_for_reading(tmp_path / "empty.db")


def test_writing_into_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no folder"):
        open_for_writing(tmp_path / "nowhere" / "new.db")


def test_a_read_only_connection_cannot_write_to_another_file(tmp_path: Path) -> None:
    make(tmp_path / "results.db")
    make(tmp_path / "other.db")
    with closing(open_for_reading(tmp_path / "results.db")) as connection:
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            connection.execute("ATTACH ? AS other", [str(tmp_path / "other.db")])
        with pytest.raises(sqlite3.DatabaseError, match="authorization denied"):
            connection.execute("VACUUM INTO ?", [str(tmp_path / "copy.db")])
    assert not (tmp_path / "copy.db").exists()


HOLD_LOCK = """
import sys, time
from pathlib import Path
from ingest.database.files import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def hold_lock(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


@pytest.mark.slow
def test_a_second_writer_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    holder = hold_lock(path)
    expected = pytest.raises(DatabaseBusyError, match=f"process {holder.pid} is writing")
    with holder:
        with expected as refusal, writer_lock(path):
            pass
        holder.kill()
    assert refusal.value.pid == holder.pid


@pytest.mark.slow
def test_the_lock_of_a_killed_writer_is_free(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    with hold_lock(path) as holder:
        holder.kill()
    with writer_lock(path):
        assert (tmp_path / "results.db.lock").read_text().startswith(f"{os.getpid()}\n")


@pytest.mark.slow
def test_a_writer_is_gone_when_its_process_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "results.db"
    assert not is_writer_gone(path)
    with hold_lock(path) as holder:
        assert not is_writer_gone(path)
        holder.kill()
    assert is_writer_gone(path)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "x\n", "{pid}\n", "{pid}\nanother machine\n"])
def test_of_a_writer_elsewhere_or_unknown_nobody_can_tell(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.db"
    with hold_lock(path) as holder:
        holder.kill()
    (tmp_path / "results.db.lock").write_text(text.format(pid=holder.pid))
    assert not is_writer_gone(path)


@pytest.mark.slow
def test_a_look_at_the_file_gives_up_no_lock_of_its_writer(tmp_path: Path) -> None:
    """Another process that comes and goes must not fold and remove the log that is in use."""
    path = tmp_path / "results.db"
    visit = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute('SELECT count(*) FROM run_tags').fetchone(); c.close()"
    )
    log = path.with_name("results.db-wal")
    with ValidationDatabase(path).writing() as database:
        database.db.conn.execute("CREATE TABLE written (a)")
        connect_read_only(path).close()
        (tmp_path / "none.db").write_bytes(b"not a database, but long enough to look like one" * 40)
        with pytest.raises(DatabaseError, match="is not SQLite"):
            connect_read_only(tmp_path / "none.db")
        subprocess.run([sys.executable, "-c", visit, str(path)], check=True)
        assert log.exists()
        assert log.stat().st_size > 0
