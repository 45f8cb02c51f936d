"""Why jobs ran: the reasons of a run, and which inputs differ from those of the success before."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ingest.changes.causes import CauseFinder

SHOWN_REASONS = 50
_INPUT_REASONS = ("input", "code", "environment", "restored")


@dataclass(frozen=True)
class Reason:
    """Why jobs of a run ran, in words, and how many did for that reason.

    changes: every input of one of them that differs from that of the success before.
    """

    text: str
    jobs: int
    changes: tuple[str, ...] = ()


# Scenarios that changed in the same way have one row; char(1) stands for their names.
_REASONS = """
SELECT coalesce(nullif(reason, ''), reason_kind, 'not recorded') AS text,
       replace(coalesce(nullif(reason, ''), reason_kind, 'not recorded'),
               'scenario ' || scenario || ' changed', char(1) || ' changed') AS shared,
       count(*), count(DISTINCT scenario), min(country), scenario, reason_kind
  FROM job_results WHERE run_id = ? GROUP BY shared ORDER BY count(*) DESC, shared
"""


def read_reasons(connection: sqlite3.Connection, run_id: int) -> list[Reason]:
    """Why the jobs of a run ran, the most frequent reason first."""
    finder = CauseFinder(connection)
    reasons: list[Reason] = []
    for text, shared, jobs, scenarios, country, scenario, kind in connection.execute(
        _REASONS, [run_id]
    ).fetchall():
        words = text if scenarios == 1 else shared.replace("\x01", f"{scenarios} scenarios")
        is_input = kind in _INPUT_REASONS and len(reasons) < SHOWN_REASONS
        job = (run_id, country, scenario)
        changes = read_input_changes(connection, *job, finder) if is_input else ()
        reasons.append(Reason(words, jobs, changes))
    return reasons


def read_input_changes(
    connection: sqlite3.Connection,
    run_id: int,
    country: str,
    scenario: str,
    finder: CauseFinder | None = None,
) -> tuple[str, ...]:
    """Every input of a job that differs from those of the success before; empty without one."""
    rows = connection.execute(_INPUTS, [country, scenario, run_id, country, scenario, run_id])
    jobs = rows.fetchall()
    if len(jobs) < 2:
        return ()
    (before, old_document, old_rows), (after, new_document, new_rows) = jobs
    data = None if old_rows == new_rows else (country, old_rows, new_rows)
    found = finder or CauseFinder(connection)
    cause = found.cause(before, after, old_document == new_document, data)
    return () if cause.is_nondeterministic else tuple(map(str, cause.changes))


# The newest success before a job, and the job.
_INPUTS = """
SELECT * FROM (
    SELECT input_set_id, document_digest, coalesce(country_data_digest, '') FROM job_results
     WHERE country = ? AND scenario = ? AND run_id < ? AND job_status = 'success'
     ORDER BY run_id DESC LIMIT 1)
UNION ALL
SELECT input_set_id, document_digest, coalesce(country_data_digest, '') FROM job_results
 WHERE country = ? AND scenario = ? AND run_id = ?
"""
