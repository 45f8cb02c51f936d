"""Whole runs from one database into another: an excerpt to hand on, and its way back in."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.database.connection import Database
from ingest.database.files import (
    DatabaseForm,
    connect_read_only,
    database_form,
    open_for_reading,
    open_for_writing,
)
from ingest.database.read import read_result_set
from ingest.errors import DatabaseError
from ingest.study.json_files import canonical_json, sha256_text

# What a run is recognised by; later columns do not change the digest of an earlier run.
_RUN_FACTS = (
    "timestamp, git_commit, status, total_jobs, successful_jobs, failed_jobs, up_to_date_jobs, "
    "finished_at, git_branch, dirty_files, study, executor, ingest_version"
)
_JOB_FACTS = "j.country, j.scenario, j.ulid, j.job_status, j.completed_at, j.input_digest, s.digest"

# Facts of single runs beside their jobs; copied as they are, with the run's id where it goes.
_RUN_TABLES = ("series_changes", "quality_findings")
# What a study calls things, by key.
_NAMES = {"countries": "iso3", "scenarios": "name", "labels": "element_label"}
_INPUT_DIGESTS = ("model_digest", "scenario_digest", "code_digest", "query_digest")
_COUNTED = (
    "validation_runs", "job_results", "input_sets", "inputs", "result_sets", "elements",
    "metric_values", "countries", "scenarios", "labels", *_RUN_TABLES, "run_tags",
)  # fmt: skip
_COLUMN = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class ImportedRuns:
    """Old run id to new one: of the runs that were added, and of those that were there already.

    shadowing: how many added runs began before a run that the database had and that they now
    come after. kept_tags: tags that mean another run here and were left as they are.
    """

    added: Mapping[int, int]
    known: Mapping[int, int]
    new_result_sets: int
    shadowing: int
    kept_tags: tuple[str, ...]


# --- what is there ------------------------------------------------------------------------------


def run_digest(connection: sqlite3.Connection, run_id: int) -> str:
    """SHA-256 of a run's facts and jobs, whatever its id: equal digests mean the same run."""
    run = connection.execute(
        f"SELECT {_RUN_FACTS} FROM validation_runs WHERE run_id = ?", [run_id]
    ).fetchone()
    jobs = connection.execute(
        f"""SELECT {_JOB_FACTS} FROM job_results AS j
              LEFT JOIN result_sets AS s ON s.result_set_id = j.result_set_id
             WHERE j.run_id = ? ORDER BY j.country, j.scenario""",
        [run_id],
    )
    return sha256_text(canonical_json([list(run), [list(job) for job in jobs]]))


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table that travels has."""
    return {
        table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in _COUNTED
    }


# --- out ----------------------------------------------------------------------------------------


def write_excerpt(source: sqlite3.Connection, run_ids: Sequence[int], path: Path) -> None:
    """A new database at path with these runs, whole, and all that they refer to; ids are kept."""
    db, _ = open_for_writing(path)
    with closing(db):
        with db.atomic():
            _copy_columns(source, db.conn, "countries")
            for table, condition in _excerpt_parts(run_ids).items():
                _copy(source, db.conn, table, condition)
        # one file, without a log beside it
        db.conn.execute("PRAGMA journal_mode = DELETE")
        db.conn.execute("VACUUM")


def _excerpt_parts(run_ids: Sequence[int]) -> dict[str, str]:
    """The condition of each table's rows; a table comes after those that it refers to."""
    of_runs = f"run_id IN ({_list(run_ids)})"
    jobs = f"FROM job_results WHERE {of_runs}"
    input_sets = f"input_set_id IN (SELECT input_set_id {jobs})"
    result_sets = f"result_set_id IN (SELECT result_set_id {jobs})"
    digests = " UNION ".join(
        f"SELECT {column} FROM input_sets WHERE {input_sets}" for column in _INPUT_DIGESTS
    )
    return {
        "validation_runs": of_runs,
        "inputs": f"digest IN ({digests})",
        "input_sets": input_sets,
        "result_sets": result_sets,
        "elements": f"element_id IN (SELECT element_id FROM metric_values WHERE {result_sets})",
        "metric_values": result_sets,
        "job_results": of_runs,
        "countries": f"iso3 IN (SELECT country {jobs})",
        "scenarios": f"name IN (SELECT scenario {jobs})",
        "labels": "element_label IN (SELECT element_label FROM elements)",
        **dict.fromkeys((*_RUN_TABLES, "run_tags"), of_runs),
    }


def _list(numbers: Iterable[int]) -> str:
    return ", ".join(str(int(number)) for number in numbers)


def _copy(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str, condition: str
) -> None:
    columns = _columns(source, table)
    names = ", ".join(columns)
    marks = ", ".join("?" for _ in columns)
    rows = source.execute(f"SELECT {names} FROM {table} WHERE {condition}")
    target.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", map(tuple, rows))


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a table, in order; their names are safe to put into SQL."""
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    for name in names:
        if not _COLUMN.fullmatch(name):
            raise DatabaseError(f"table {table} has a column {name!r}, which is no name of ingest")
    return names


def _copy_columns(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> None:
    """Groups of countries are columns that a study brings: let the target have them too."""
    known = _columns(target, table)
    for column in _columns(source, table):
        if column not in known:
            target.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT")


# --- checks -------------------------------------------------------------------------------------


@contextmanager
def open_excerpt(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to an excerpt, brought to the current form first where it is older.

    Raises DatabaseError: not a whole database of ingest.
    """
    with closing(connect_read_only(path)) as connection:
        form = database_form(connection)
    if form is DatabaseForm.OLDER:
        open_for_writing(path)[0].close()
    with closing(open_for_reading(path)) as connection:
        try:
            if [row[0] for row in connection.execute("PRAGMA quick_check(1)")] != ["ok"]:
                raise DatabaseError("the database in it is damaged")
            if connection.execute("PRAGMA foreign_key_check").fetchone():
                raise DatabaseError("the database in it refers to rows that it does not have")
        except sqlite3.Error as exc:
            raise DatabaseError(f"the database in it is damaged: {exc}") from exc
        yield connection


def check_contents(connection: sqlite3.Connection) -> dict[str, int]:
    """Row count of each result set by its digest, after every number and input was checked.

    Raises DatabaseError: a result set or an input that does not have its digest.
    """
    sets = {}
    rows = connection.execute("SELECT result_set_id, digest, row_count FROM result_sets").fetchall()
    for set_id, digest, row_count in rows:
        result_set = read_result_set(connection, set_id)
        if result_set.digest != digest or len(result_set) != row_count:
            raise DatabaseError(f"the numbers of result set {digest[:12]} are not those it had")
        sets[digest] = row_count
    for digest, content in connection.execute("SELECT digest, content FROM inputs"):
        if hashlib.sha256(content.encode()).hexdigest() != digest:
            raise DatabaseError(f"the content of input {digest[:12]} is not what it was")
    return sets


# --- in -----------------------------------------------------------------------------------------


def import_runs(db: Database, source: sqlite3.Connection) -> ImportedRuns:
    """Add the runs of a checked excerpt that are not there yet, in one transaction.

    Runs get new ids in their order, result sets are shared with those stored, names that are
    known stay as they are.
    """
    with db.atomic():
        importer = _Importer(db.conn, source)
        importer.add_runs()
        return importer.report()


class _Importer:
    """One import: what the ids of the source are in the target."""

    def __init__(self, target: sqlite3.Connection, source: sqlite3.Connection) -> None:
        self._target, self._source = target, source
        self._added: dict[int, int] = {}
        self._known: dict[int, int] = {}
        self._new_sets = 0
        self._input_set = lru_cache(maxsize=None)(self._find_input_set)
        self._result_set = lru_cache(maxsize=None)(self._find_result_set)
        self._element = lru_cache(maxsize=None)(self._find_element)
        self._kept_tags: list[str] = []
        self._newest = self._value("SELECT max(timestamp) FROM validation_runs") or ""

    def add_runs(self) -> None:
        """Add what is new of every run."""
        columns = [c for c in _columns(self._source, "validation_runs") if c != "run_id"]
        rows = self._source.execute(
            f"SELECT run_id, {', '.join(columns)} FROM validation_runs ORDER BY run_id"
        ).fetchall()
        for run_id, *values in rows:
            facts = dict(zip(columns, values, strict=True))
            digest = run_digest(self._source, run_id)
            there = self._find_run(digest, facts)
            if there is not None:
                self._known[run_id] = there
            else:
                facts["source"] = facts["source"] or digest
                self._added[run_id] = self._insert("validation_runs", facts)
        if self._added:
            self._add_names()
            self._add_inputs()
            self._add_jobs()
            for table in _RUN_TABLES:
                self._add_facts_of_runs(table)
        self._add_tags()

    def report(self) -> ImportedRuns:
        """What was done."""
        marks = _list(self._added.values())
        shadowing = self._value(
            f"SELECT count(*) FROM validation_runs WHERE run_id IN ({marks}) AND timestamp < ?",
            self._newest,
        )
        return ImportedRuns(
            self._added, self._known, self._new_sets, int(shadowing), tuple(self._kept_tags)
        )

    def _find_run(self, digest: str, facts: Mapping[str, Any]) -> int | None:
        """The run's id here: imported before, or the very run it was made from."""
        known_as = [digest, facts["source"] or digest]
        found = self._value("SELECT run_id FROM validation_runs WHERE source IN (?, ?)", *known_as)
        if found is not None:
            return int(found)
        for (run_id,) in self._target.execute(
            "SELECT run_id FROM validation_runs WHERE timestamp = ? AND git_commit = ?",
            [facts["timestamp"], facts["git_commit"]],
        ).fetchall():
            if run_digest(self._target, run_id) in known_as:
                return int(run_id)
        return None

    def _add_names(self) -> None:
        """Countries, scenarios, labels: what is known stays, what is missing is filled in."""
        _copy_columns(self._source, self._target, "countries")
        for table, key in _NAMES.items():
            columns = _columns(self._source, table)
            filled = ", ".join(f"{c} = coalesce({c}, excluded.{c})" for c in columns if c != key)
            marks = ", ".join("?" for _ in columns)
            self._target.executemany(
                f"""INSERT INTO {table} ({", ".join(columns)}) VALUES ({marks})
                    ON CONFLICT ({key}) DO UPDATE SET {filled}""",
                map(tuple, self._source.execute(f"SELECT {', '.join(columns)} FROM {table}")),
            )

    def _add_inputs(self) -> None:
        self._target.executemany(
            "INSERT OR IGNORE INTO inputs (digest, kind, content) VALUES (?, ?, ?)",
            map(tuple, self._source.execute("SELECT digest, kind, content FROM inputs")),
        )

    def _add_jobs(self) -> None:
        """The jobs of the added runs, with the input and result sets they refer to."""
        columns = _columns(self._source, "job_results")
        for old_run, new_run in self._added.items():
            rows = self._source.execute(
                f"SELECT {', '.join(columns)} FROM job_results WHERE run_id = ?", [old_run]
            ).fetchall()
            for row in rows:
                job = dict(zip(columns, row, strict=True))
                job["run_id"] = new_run
                job["input_set_id"] = self._input_set(job["input_set_id"])
                job["result_set_id"] = self._result_set(job["result_set_id"])
                self._insert("job_results", job)

    def _find_input_set(self, old: int | None) -> int | None:
        if old is None:
            return None
        columns = [c for c in _columns(self._source, "input_sets") if c != "input_set_id"]
        row = self._source.execute(
            f"SELECT {', '.join(columns)} FROM input_sets WHERE input_set_id = ?", [old]
        ).fetchone()
        facts = dict(zip(columns, row, strict=True))
        where = " AND ".join(f"{column} IS ?" for column in columns)
        found = self._value(f"SELECT input_set_id FROM input_sets WHERE {where}", *row)
        return int(found) if found is not None else self._insert("input_sets", facts)

    def _find_result_set(self, old: int | None) -> int | None:
        if old is None:
            return None
        row = self._source.execute(
            "SELECT digest, row_count, first_year, last_year FROM result_sets "
            "WHERE result_set_id = ?",
            [old],
        ).fetchone()
        found = self._value("SELECT result_set_id FROM result_sets WHERE digest = ?", row[0])
        if found is not None:
            return int(found)
        names = ("digest", "row_count", "first_year", "last_year")
        new = self._insert("result_sets", dict(zip(names, row, strict=True)))
        self._new_sets += 1
        values = self._source.execute(
            "SELECT element_id, timestamp_year, value FROM metric_values WHERE result_set_id = ?",
            [old],
        ).fetchall()
        self._target.executemany(
            "INSERT INTO metric_values VALUES (?, ?, ?, ?)",
            ((new, self._element(element), year, value) for element, year, value in values),
        )
        return new

    def _find_element(self, old: int) -> int:
        label = self._source.execute(
            "SELECT element_label FROM elements WHERE element_id = ?", [old]
        ).fetchone()[0]
        found = self._value("SELECT element_id FROM elements WHERE element_label = ?", label)
        return (
            int(found) if found is not None else self._insert("elements", {"element_label": label})
        )

    def _add_facts_of_runs(self, table: str) -> None:
        columns = [c for c in _columns(self._source, table) if c != "run_id"]
        for old_run, new_run in self._added.items():
            rows = self._source.execute(
                f"SELECT {', '.join(columns)} FROM {table} WHERE run_id = ?", [old_run]
            ).fetchall()
            for row in rows:
                self._insert(table, {"run_id": new_run, **dict(zip(columns, row, strict=True))})

    def _add_tags(self) -> None:
        ids = {**self._known, **self._added}
        for tag, old_run in self._source.execute("SELECT tag, run_id FROM run_tags ORDER BY tag"):
            here = self._value("SELECT run_id FROM run_tags WHERE tag = ?", tag)
            if here is None:
                self._insert("run_tags", {"tag": tag, "run_id": ids[old_run]})
            elif here != ids[old_run]:
                self._kept_tags.append(tag)

    def _insert(self, table: str, row: Mapping[str, Any]) -> int:
        marks = ", ".join("?" for _ in row)
        cursor = self._target.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())
        )
        return int(cursor.lastrowid or 0)

    def _value(self, sql: str, *values: object) -> Any:
        row = self._target.execute(sql, values).fetchone()
        return row[0] if row else None


def runs_of_state(connection: sqlite3.Connection, state: str, run_id: int) -> list[int]:
    """The run itself and those that a state table took its results from, in order."""
    rows = connection.execute(
        f"SELECT run_id FROM {state} UNION SELECT ? ORDER BY run_id", [run_id]
    )
    return [run for (run,) in rows]


def unfinished_jobs(
    connection: sqlite3.Connection, run_ids: Iterable[int]
) -> list[tuple[int, int]]:
    """(run, number of its jobs that have not ended) for the runs that have such jobs."""
    return connection.execute(
        f"""SELECT run_id, count(*) FROM job_results
             WHERE job_status IN ('submitted', 'running') AND run_id IN ({_list(run_ids)})
             GROUP BY run_id ORDER BY run_id"""
    ).fetchall()
