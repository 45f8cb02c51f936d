"""States: what was true as of a run, and the words by which people name a run."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from ingest.clock import ago, parse_age, utc_text
from ingest.errors import ConfigError

_COLUMNS = "run_id, timestamp, git_commit, status, dirty_files"
_LONGEST_NUMBER = 18
# A run in progress does not define a state.
_ENDED = "status <> 'running'"
_CLEAN_FIRST = f"{_ENDED} DESC, coalesce(dirty_files, '[]') IN ('', '[]') DESC,"


@dataclass(frozen=True)
class RunRef:
    """A run as a point in time: the state as of it is each combination's newest success by then."""

    run_id: int
    timestamp: str
    git_commit: str
    status: str
    dirty_files: str
    """JSON array of the study's files that were not committed."""

    @property
    def uncommitted(self) -> tuple[str, ...]:
        """The study's files that were not committed."""
        return tuple(json.loads(self.dirty_files or "[]"))

    def is_named_by_commit(self, name: str) -> bool:
        """Whether a name that means this run is the beginning of its commit, not its number."""
        text = name.strip().lower()
        return self.git_commit.startswith(text) and text != str(self.run_id)


def resolve_run(connection: sqlite3.Connection, name: str) -> RunRef:
    """The run that a name means: its number, a tag, a commit prefix, a date, latest or previous.

    A commit means the newest run on it that has ended and had every file committed, where there is
    one; a date (2026-11-23, or with a time) the newest run that
    began by then, in local time. Raises ConfigError that says which runs there are.
    """
    run = _find(connection, name.strip())
    if run is None:
        raise ConfigError(f"no run {name!r} in this database; {_known_runs(connection)}")
    return run


def run_as_of(connection: sqlite3.Connection, text: str) -> RunRef:
    """The newest run that began by a time: an age (36h, 7d, 2w, 1y), or a date as resolve_run().

    Raises ConfigError: the text is neither, or no run is that old.
    """
    name = text.strip()
    age = parse_age(name)
    try:
        moment = _moment(name) if age is None else ago(age)
    except OverflowError:
        moment = "0001"
    if moment is None:
        raise ConfigError(
            f"{text!r} is no time; write an age or a date: 36h, 7d, 2w, 1y, 2026-11-20"
        )
    run = _one(connection, "timestamp <= ?", moment)
    if run is None:
        oldest = connection.execute(
            "SELECT run_id, timestamp FROM validation_runs ORDER BY timestamp, run_id LIMIT 1"
        ).fetchone()
        known = f"the oldest is run {oldest[0]} of {oldest[1]}" if oldest else "there is none yet"
        raise ConfigError(f"no run began by {name!r} ({moment}); {known}")
    return run


def is_run_number(name: str) -> bool:
    """Whether a text is a whole number that a database can hold."""
    return name.isdecimal() and len(name) <= _LONGEST_NUMBER


def _find(connection: sqlite3.Connection, name: str) -> RunRef | None:
    if name in ("latest", "previous"):
        return _one(connection, _ENDED, offset=1 if name == "previous" else 0)
    if is_run_number(name):
        run = _one(connection, "run_id = ?", int(name))
        if run is not None:
            return run
    tagged = _one(connection, "run_id = (SELECT run_id FROM run_tags WHERE tag = ?)", name)
    if tagged is not None:
        return tagged
    if re.fullmatch(r"[0-9a-fA-F]{4,40}", name):
        return _one(connection, "git_commit LIKE ? || '%'", name.lower(), first=_CLEAN_FIRST)
    moment = _moment(name)
    return _one(connection, "timestamp <= ?", moment) if moment else None


def _one(
    connection: sqlite3.Connection,
    condition: str,
    *values: object,
    offset: int = 0,
    first: str = "",
) -> RunRef | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM validation_runs WHERE {condition} "
        f"ORDER BY {first} run_id DESC LIMIT 1 OFFSET ?",
        [*values, offset],
    ).fetchone()
    return RunRef(*row) if row else None


def _moment(name: str) -> str | None:
    """The end of a day, or a time, as the database writes times; None for another text."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name):
            moment = datetime.combine(date.fromisoformat(name), datetime.max.time())
        else:
            moment = datetime.fromisoformat(name)
        return utc_text(moment)
    except (ValueError, OverflowError):  # the first and last days have no UTC
        return None


def _known_runs(connection: sqlite3.Connection) -> str:
    low, high = connection.execute(
        "SELECT min(run_id), max(run_id) FROM validation_runs"
    ).fetchone()
    if high is None:
        return "there is none yet. Make one with: ingest run"
    known = f"its only run is {high}" if low == high else f"runs are {low} to {high}"
    return (
        f"{known}. Name one by number, tag, commit, date, latest or previous "
        "(ingest status lists them)"
    )


def newest_run(connection: sqlite3.Connection, *, ended: bool = False) -> RunRef | None:
    """The newest run, or the newest that is not in progress; None where there is none."""
    return _one(connection, _ENDED if ended else "1")


def run_before(connection: sqlite3.Connection, run_id: int) -> RunRef | None:
    """The newest run before a run, None for the first."""
    return _one(connection, "run_id < ?", run_id)


def run_after(connection: sqlite3.Connection, run_id: int) -> RunRef | None:
    """The first run after a run, None for the newest."""
    following = "run_id = (SELECT min(run_id) FROM validation_runs WHERE run_id > ?)"
    return _one(connection, following, run_id)


def runs_that_follow(connection: sqlite3.Connection, run_ids: Iterable[int]) -> list[int]:
    """Runs, and for each combination that succeeded in them the next run that has it, in order."""
    found: set[int] = set()
    for run_id in run_ids:
        found.add(run_id)
        rows = connection.execute(
            """SELECT DISTINCT (SELECT min(n.run_id) FROM job_results AS n
                                 WHERE n.country = j.country AND n.scenario = j.scenario
                                   AND n.run_id > j.run_id AND n.job_status = 'success')
                 FROM job_results AS j WHERE j.run_id = ? AND j.job_status = 'success'""",
            [run_id],
        )
        found.update(following for (following,) in rows if following is not None)
    return sorted(found)


def make_state_table(
    connection: sqlite3.Connection, table: str, run_id: int, *, all_history: bool = False
) -> None:
    """A temporary table with the state as of a run, one row for each combination that succeeded.

    Columns: country, scenario, run_id, result_set_id, input_set_id, document_digest; primary key
    (country, scenario). Temporary tables work on read-only connections.
    all_history: with what was no longer in the study by then.
    """
    connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
    connection.execute(
        f"""CREATE TEMP TABLE {table} (
                country TEXT, scenario TEXT, run_id INTEGER, result_set_id INTEGER,
                input_set_id INTEGER, document_digest TEXT, PRIMARY KEY (country, scenario)
            ) WITHOUT ROWID"""
    )
    # SQLite takes the other columns from the row that has the maximum
    connection.execute(
        f"""INSERT INTO {table}
            SELECT country, scenario, max(run_id), result_set_id, input_set_id, document_digest
              FROM job_results WHERE job_status = 'success' AND run_id <= ?
             GROUP BY country, scenario""",
        [run_id],
    )
    if not all_history:
        for name, view in (("country", "study_countries"), ("scenario", "study_scenarios")):
            of_study = f"SELECT {name} FROM {view} WHERE run_id = ?"
            query = f"DELETE FROM temp.{table} WHERE {name} NOT IN ({of_study})"
            connection.execute(query, [run_id])
