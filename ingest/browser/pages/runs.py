"""Runs as the pages show them: what is known of one, how far it is, which is the newest."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from ingest.database.files import database_file, is_writer_gone
from ingest.database.read import read_run
from ingest.text.numbers import count_text
from ingest.text.times import duration_text

SHOWN_RUNS = 50
_NO_LIMIT = 2**62
_ENDED = ("success", "failed", "timeout", "cancelled")


@dataclass(frozen=True)
class Run:
    """One run. facts: the fields of read_run() and git_branch, ingest_version, source."""

    facts: dict[str, Any]
    tags: tuple[str, ...]

    @property
    def run_id(self) -> int:
        """Its number."""
        return int(self.facts["run_id"])

    @property
    def status(self) -> str:
        """running, completed, failed or interrupted."""
        return str(self.facts["status"])

    @property
    def is_running(self) -> bool:
        """Whether it is going on, or was killed without a word."""
        return self.status == "running"

    @property
    def commit(self) -> str:
        """4f2c9e1 + 2 files not committed; the branch."""
        words = str(self.facts["git_commit"])[:7]
        dirty = len(self.facts["dirty_files"])
        if dirty:
            words += f" + {count_text(dirty, 'file')} not committed"
        branch = self.facts["git_branch"]
        return f"{words} on {branch}" if branch and branch != "HEAD" else words

    @property
    def unfinished_jobs(self) -> int:
        """Jobs that have not ended."""
        facts = self.facts
        return int(facts["total_jobs"] - facts["successful_jobs"] - facts["failed_jobs"])


def read_run_facts(connection: sqlite3.Connection, run_id: int) -> Run | None:
    """A run with its tags, None where there is none of that number."""
    facts = read_run(connection, run_id)
    if facts is None:
        return None
    more = connection.execute(
        "SELECT git_branch, ingest_version, source FROM validation_runs WHERE run_id = ?", [run_id]
    ).fetchone()
    facts |= dict(zip(("git_branch", "ingest_version", "source"), more, strict=True))
    tags = connection.execute("SELECT tag FROM run_tags WHERE run_id = ? ORDER BY tag", [run_id])
    return Run(facts, tuple(tag for (tag,) in tags))


def newest_run_id(connection: sqlite3.Connection, *, ended: bool = False) -> int | None:
    """The newest run, or the newest that is not going on; None where there is none."""
    condition = "WHERE status <> 'running'" if ended else ""
    row = connection.execute(
        f"SELECT run_id FROM validation_runs {condition} ORDER BY run_id DESC LIMIT 1"
    ).fetchone()
    return int(row[0]) if row else None


def run_before(connection: sqlite3.Connection, run_id: int) -> int | None:
    """The number of the run before one, None for the first."""
    return _neighbour(connection, "run_id < ? ORDER BY run_id DESC", run_id)


def run_after(connection: sqlite3.Connection, run_id: int) -> int | None:
    """The number of the run after one, None for the newest."""
    return _neighbour(connection, "run_id > ? ORDER BY run_id", run_id)


def _neighbour(connection: sqlite3.Connection, condition: str, run_id: int) -> int | None:
    row = connection.execute(
        f"SELECT run_id FROM validation_runs WHERE {condition} LIMIT 1", [run_id]
    ).fetchone()
    return int(row[0]) if row else None


@dataclass(frozen=True)
class RunsPage:
    """The newest runs, or those before one."""

    runs: list[dict[str, Any]]
    has_more: bool
    is_newest: bool


def read_runs_page(connection: sqlite3.Connection, before: int | None) -> RunsPage:
    """The newest runs, or those before one, with how many series each moved and its tags."""
    rows = connection.execute(
        """SELECT run_id, timestamp, git_commit, dirty_files, status, executor,
                  successful_jobs, failed_jobs, up_to_date_jobs,
                  (julianday(finished_at) - julianday(timestamp)) * 86400 AS duration_s,
                  changed_series,
                  (SELECT group_concat(tag, ', ') FROM run_tags AS t WHERE t.run_id = r.run_id)
                      AS tags
             FROM validation_runs AS r WHERE run_id < ? ORDER BY run_id DESC LIMIT ?""",
        [_NO_LIMIT if before is None else before, SHOWN_RUNS + 1],
    )
    names = [column[0] for column in rows.description]
    runs = [dict(zip(names, row, strict=True)) for row in rows]
    for run in runs:
        run["dirty_files"] = json.loads(run["dirty_files"] or "[]")
    return RunsPage(runs[:SHOWN_RUNS], len(runs) > SHOWN_RUNS, before is None)


@dataclass(frozen=True)
class Progress:
    """How far a run is; all counts are jobs."""

    run_id: int
    status: str
    total: int
    counts: dict[str, int]
    """Jobs by state."""
    elapsed_s: float | None
    is_cut_off: bool = False
    """Whether the run's process has ended without ending the run."""

    @property
    def finished(self) -> int:
        """Jobs that have ended, whichever way."""
        return sum(self.counts.get(state, 0) for state in _ENDED)

    @property
    def words(self) -> str:
        """131 of 172 jobs have ended, 1 failed, 2 running; 41 s so far."""
        parts = [f"{self.finished:,} of {count_text(self.total, 'job')} ended"]
        failed = self.finished - self.counts.get("success", 0)
        if failed:
            parts.append(f"{failed:,} failed")
        if self.counts.get("running"):
            parts.append(f"{self.counts['running']:,} running")
        if self.is_cut_off or self.elapsed_s is None:
            return ", ".join(parts)
        return f"{', '.join(parts)}; {duration_text(self.elapsed_s)} so far"

    def as_json(self) -> dict[str, Any]:
        """What a page that watches asks for again and again."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "total": self.total,
            "finished": self.finished,
            "counts": self.counts,
            "cut_off": self.is_cut_off,
            "words": self.words,
        }


def read_progress(connection: sqlite3.Connection, run_id: int) -> Progress | None:
    """How far a run is, None where there is none of that number."""
    row = connection.execute(
        """SELECT status, total_jobs,
                  (julianday(coalesce(finished_at, 'now')) - julianday(timestamp)) * 86400
             FROM validation_runs WHERE run_id = ?""",
        [run_id],
    ).fetchone()
    if row is None:
        return None
    counts = dict(
        connection.execute(
            "SELECT job_status, count(*) FROM job_results WHERE run_id = ? GROUP BY job_status",
            [run_id],
        ).fetchall()
    )
    is_cut_off = row[0] == "running" and is_writer_gone(database_file(connection))
    return Progress(run_id, row[0], row[1], counts, row[2], is_cut_off)
