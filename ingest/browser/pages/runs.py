"""Runs as the pages show them: what is known of one, how far it is, and lists of them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from ingest.database.files import database_file, is_writer_gone
from ingest.database.read import read_run, read_runs
from ingest.text.numbers import count_text
from ingest.text.times import duration_text

SHOWN_RUNS = 50
_ENDED = ("success", "failed", "timeout", "cancelled")


@dataclass(frozen=True)
class Run:
    """One run. facts: the fields of read_run(), and more of validation_runs."""

    facts: dict[str, Any]
    tags: tuple[str, ...]

    @property
    def run_id(self) -> int:
        """The run's id."""
        return int(self.facts["run_id"])

    @property
    def status(self) -> str:
        """running, completed, failed or interrupted."""
        return str(self.facts["status"])

    @property
    def is_running(self) -> bool:
        """Whether it is running, or was killed before it could say so."""
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


_MORE = ("git_branch", "ingest_version", "source", "changed_series", "changed_combinations")


def read_run_facts(connection: sqlite3.Connection, run_id: int) -> Run | None:
    """A run with its tags, None where there is none of that number."""
    facts = read_run(connection, run_id, more=_MORE)
    if facts is None:
        return None
    tags = connection.execute("SELECT tag FROM run_tags WHERE run_id = ? ORDER BY tag", [run_id])
    return Run(facts, tuple(tag for (tag,) in tags))


@dataclass(frozen=True)
class RunsPage:
    """The newest runs, or those before one."""

    runs: list[Run]
    has_more: bool
    is_newest: bool


def run_number(text: str | None) -> int | None:
    """A run's number as a person may type it into a URL; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None


def read_runs_page(connection: sqlite3.Connection, before: str | None) -> RunsPage:
    """The newest runs, or those before the one that a URL names."""
    end = run_number(before)
    rows = read_runs(connection, SHOWN_RUNS + 1, before=end)
    runs = [read_run_facts(connection, row["run_id"]) for row in rows[:SHOWN_RUNS]]
    return RunsPage([run for run in runs if run], len(rows) > SHOWN_RUNS, end is None)


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
