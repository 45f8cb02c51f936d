"""The table quality_findings: what the rules found, replaced whole for a job or for some rules."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ingest.database.rows import insert_rows

if TYPE_CHECKING:
    from ingest.analytics.quality import QualityFinding
    from ingest.database.connection import Database
    from ingest.study.combination import Combination


def replace_job_findings(
    db: Database, run_id: int, combination: Combination, findings: Sequence[QualityFinding]
) -> None:
    """Keep what the rules found in one job of a run; call within a transaction."""
    db.conn.execute(
        "DELETE FROM quality_findings WHERE run_id = ? AND country = ? AND scenario = ?",
        [run_id, *combination],
    )
    _insert(db, run_id, findings)


def copy_findings(db: Database, source: int, run_id: int, combination: Combination) -> None:
    """Keep with a run what the rules found in the same job of an earlier one."""
    columns = "country, scenario, rule, severity, element_label, timestamp_year, value, message"
    db.conn.execute(
        f"""INSERT INTO quality_findings (run_id, {columns}) SELECT ?, {columns}
              FROM quality_findings WHERE run_id = ? AND country = ? AND scenario = ?""",
        [run_id, source, *combination],
    )


def replace_rule_findings(
    db: Database, run_id: int, rules: Iterable[str], findings: Sequence[QualityFinding]
) -> None:
    """Keep what some rules, by name, found at the end of a run."""
    with db.atomic():
        db.conn.executemany(
            "DELETE FROM quality_findings WHERE run_id = ? AND rule = ?",
            [(run_id, rule) for rule in rules],
        )
        _insert(db, run_id, findings)


def _insert(db: Database, run_id: int, findings: Sequence[QualityFinding]) -> None:
    if findings:
        rows = ((run_id, *vars(finding).values()) for finding in findings)
        insert_rows(db.conn, "quality_findings", ("run_id", *vars(findings[0])), rows)


def read_finding_counts(connection: sqlite3.Connection, run_id: int) -> tuple[int, int]:
    """How many errors and how many warnings are kept with a run."""
    row = connection.execute(
        """SELECT count(*) FILTER (WHERE severity = 'error'),
                  count(*) FILTER (WHERE severity = 'warning')
             FROM quality_findings WHERE run_id = ?""",
        [run_id],
    ).fetchone()
    return int(row[0]), int(row[1])


def read_countries_of_run(connection: sqlite3.Connection, run_id: int) -> list[str]:
    """The countries of which a run has successes, sorted."""
    rows = connection.execute(
        """SELECT DISTINCT country FROM job_results
            WHERE run_id = ? AND job_status = 'success' ORDER BY country""",
        [run_id],
    )
    return [country for (country,) in rows]
