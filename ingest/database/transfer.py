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
from ingest.database.labels import fill_in_labels
from ingest.database.read import read_result_set
from ingest.database.records import IS_OPEN
from ingest.database.rows import first_value, insert_row, insert_rows, read_dicts
from ingest.database.schema import TABLES
from ingest.database.write import (
    find_or_insert_input_set,
    find_result_set,
    insert_result_set,
    keep_inputs,
)
from ingest.errors import DatabaseError
from ingest.planning.inputs import InputSet
from ingest.study.country import country_problem
from ingest.study.json_files import canonical_json, sha256_text
from ingest.study.lists import KEYS
from ingest.text.names import name_problem

# What a run is recognised by; later columns do not change the digest of an earlier run.
_RUN_FACTS = (
    "timestamp, git_commit, status, total_jobs, successful_jobs, failed_jobs, up_to_date_jobs, "
    "finished_at, git_branch, dirty_files, study, executor, ingest_version"
)
_JOB_FACTS = "j.country, j.scenario, j.ulid, j.job_status, j.completed_at, j.input_digest, s.digest"

# Facts of single runs beside their jobs; copied as they are, with the run's id where it goes.
_RUN_TABLES = ("series_changes", "quality_findings")
_INPUT_DIGESTS = ("model_digest", "scenario_digest", "code_digest", "query_digest")
# Contents of files, too: a bundle is of results, not of a study's code.
_STAYING = (
    "reference_values", "reference_levels", "reference_facts", "other_series", "other_values",
    "file_contents", "study_settings",
)  # fmt: skip
_LIST_DIGESTS = tuple(f"{kind}_digest" for kind in KEYS)
_COUNTED = tuple(table for table in TABLES if table not in _STAYING)
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
    input_sets = (
        f"input_set_id IN (SELECT input_set_id {jobs} UNION "
        f"SELECT input_set_id FROM run_inputs WHERE {of_runs})"
    )
    versions = f"SELECT model_version_id FROM input_sets WHERE {input_sets}"
    result_sets = f"result_set_id IN (SELECT result_set_id {jobs})"
    digests = " UNION ".join(
        f"SELECT {column} FROM {table} WHERE {rows}"
        for table, rows, columns in (
            ("input_sets", input_sets, _INPUT_DIGESTS),
            ("validation_runs", of_runs, _LIST_DIGESTS),
        )
        for column in columns
    )
    return {
        "study_names": "1 ORDER BY study_name_id",
        "validation_runs": of_runs,
        "inputs": f"digest IN ({digests} UNION SELECT country_data_digest {jobs})",
        "model_versions": f"model_version_id IN ({versions})",
        "input_sets": input_sets,
        "run_inputs": of_runs,
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
    rows = source.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE {condition}")
    insert_rows(target, table, columns, rows)


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

    Raises DatabaseError: a result set or an input that does not have its digest, a text that is
    no label or no country.
    """
    for (label,) in connection.execute("SELECT element_label FROM elements"):
        if (problem := name_problem(label)) is not None:
            raise DatabaseError(f"element_label {label!r:.60} {problem}")
    for (scenario,) in connection.execute("SELECT DISTINCT scenario FROM job_results"):
        if (problem := name_problem(scenario)) is not None:
            raise DatabaseError(f"scenario {scenario!r:.60} {problem}")
    for (country,) in connection.execute("SELECT DISTINCT country FROM job_results"):
        if (problem := country_problem(country)) is not None:
            raise DatabaseError(f"it has results of a country that is none: {problem}")
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
        return _Importer(db, source).add_runs()


class _Importer:
    """One import: what the ids of the source are in the target."""

    def __init__(self, db: Database, source: sqlite3.Connection) -> None:
        self._db, self._target, self._source = db, db.conn, source
        self._added: dict[int, int] = {}
        self._known: dict[int, int] = {}
        self._new_sets = 0
        self._input_set = lru_cache(maxsize=None)(self._find_input_set)
        self._result_set = lru_cache(maxsize=None)(self._find_result_set)

    def add_runs(self) -> ImportedRuns:
        """Add what is new of every run; gives what was done."""
        newest = self._value("SELECT max(timestamp) FROM validation_runs") or ""
        has_lists = self._value(
            "SELECT 1 FROM validation_runs WHERE countries_digest IS NOT NULL LIMIT 1"
        )
        shadowing = 0
        for facts in self._rows("validation_runs", "1 ORDER BY run_id"):
            run_id = facts.pop("run_id")
            digest = run_digest(self._source, run_id)
            there = self._find_run(digest, facts)
            if there is not None:
                self._known[run_id] = there
            else:
                facts["source"] = facts["source"] or digest
                if has_lists:  # what the study here consists of is not for others to say
                    facts.update(dict.fromkeys(_LIST_DIGESTS))
                self._added[run_id] = insert_row(self._target, "validation_runs", facts)
                shadowing += facts["timestamp"] < newest
        if self._added:
            self._add_names()
            inputs = self._source.execute("SELECT digest, kind, content FROM inputs")
            keep_inputs(self._db, {digest: (kind, content) for digest, kind, content in inputs})
            for old_run, new_run in self._added.items():
                self._add_jobs(old_run, new_run)
                self._add_run_inputs(old_run, new_run)
                for table in _RUN_TABLES:
                    self._add_facts(table, old_run, new_run)
        kept_tags = tuple(self._add_tags())
        return ImportedRuns(self._added, self._known, self._new_sets, shadowing, kept_tags)

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
        for table, key in KEYS.items():
            columns = _columns(self._source, table)
            filled = ", ".join(
                f"{c} = coalesce(nullif({c}, ''), excluded.{c})" for c in columns if c != key
            )
            rows = self._source.execute(f"SELECT {', '.join(columns)} FROM {table}")
            conflict = f"ON CONFLICT ({key}) DO UPDATE SET {filled}"
            insert_rows(self._target, table, columns, rows, conflict)
        fill_in_labels(self._target)

    def _rows(self, table: str, condition: str, *values: object) -> list[dict[str, Any]]:
        columns = ", ".join(_columns(self._source, table))
        return read_dicts(self._source, f"SELECT {columns} FROM {table} WHERE {condition}", *values)

    def _add_jobs(self, old_run: int, new_run: int) -> None:
        """The jobs of an added run, with the inputs and result sets they refer to."""
        for job in self._rows("job_results", "run_id = ?", old_run):
            job["run_id"] = new_run
            job["input_set_id"] = self._input_set(job["input_set_id"])
            job["result_set_id"] = self._result_set(job["result_set_id"])
            ids = {**self._known, **self._added}
            job["restored_from"] = ids.get(job["restored_from"])
            insert_row(self._target, "job_results", job)

    def _add_run_inputs(self, old_run: int, new_run: int) -> None:
        for row in self._rows("run_inputs", "run_id = ?", old_run):
            row |= {"run_id": new_run, "input_set_id": self._input_set(row["input_set_id"])}
            insert_row(self._target, "run_inputs", row)

    def _add_facts(self, table: str, old_run: int, new_run: int) -> None:
        columns = [column for column in _columns(self._source, table) if column != "run_id"]
        query = f"SELECT {', '.join(columns)} FROM {table} WHERE run_id = ?"
        rows = ((new_run, *row) for row in self._source.execute(query, [old_run]))
        insert_rows(self._target, table, ("run_id", *columns), rows)

    def _find_input_set(self, old: int | None) -> int | None:
        if old is None:
            return None
        row = self._rows("input_sets", "input_set_id = ?", old)[0]
        del row["input_set_id"]
        version = self._rows("model_versions", "model_version_id = ?", row.pop("model_version_id"))
        identity = version[0]["model_digest"] if version else ""
        return find_or_insert_input_set(self._db, InputSet(**row, model_identity=identity))

    def _find_result_set(self, old: int | None) -> int | None:
        if old is None:
            return None
        digest = self._rows("result_sets", "result_set_id = ?", old)[0]["digest"]
        found = find_result_set(self._db, digest)
        if found is not None:
            return found
        self._new_sets += 1
        return insert_result_set(self._db, read_result_set(self._source, old)).result_set_id

    def _add_tags(self) -> Iterator[str]:
        """Add tags that are not there; gives those that mean another run here."""
        ids = {**self._known, **self._added}
        for tag, old_run in self._source.execute("SELECT tag, run_id FROM run_tags ORDER BY tag"):
            here = self._value("SELECT run_id FROM run_tags WHERE tag = ?", tag)
            if here is None:
                insert_row(self._target, "run_tags", {"tag": tag, "run_id": ids[old_run]})
            elif here != ids[old_run]:
                yield tag

    def _value(self, sql: str, *values: object) -> Any:
        return first_value(self._target, sql, *values)


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
             WHERE {IS_OPEN} AND run_id IN ({_list(run_ids)})
             GROUP BY run_id ORDER BY run_id"""
    ).fetchall()
