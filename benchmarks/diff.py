"""How long a difference of two states takes, next to a plain SQL self-join over the same rows.

python benchmarks/diff.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from timing import best

from ingest.changes.diff import diff_states
from ingest.database import ValidationDatabase
from ingest.database.files import open_for_reading
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunRecord
from ingest.database.states import resolve_run
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.plan import Reason, ReasonKind
from ingest.study.combination import Combination

LABELS, YEARS = 16, 26

SELF_JOIN = """
SELECT count(*), sum(abs(b.value - a.value))
  FROM job_results AS j
  JOIN job_results AS k ON k.run_id = 2 AND k.country = j.country AND k.scenario = j.scenario
  JOIN metric_values AS a ON a.result_set_id = j.result_set_id
  JOIN metric_values AS b ON b.result_set_id = k.result_set_id
       AND b.element_id = a.element_id AND b.timestamp_year = a.timestamp_year
 WHERE j.run_id = 1
"""


def store_run(database: ValidationDatabase, factor: float, combinations: int) -> None:
    """A run in which every number is a factor times those of the first."""
    keys = sorted((f"Label {i:02d}", 2025 + y) for i in range(LABELS) for y in range(YEARS))
    record = RunRecord("2026-01-01T00:00:00.000Z", "c", "", (), "s", "local", "0")
    inputs = Inputs(InputSet("null", "m", "s", str(factor), "standard", "q"), "d")
    reason = Reason(ReasonKind.NEVER_RUN, "never run")
    jobs = [
        JobRecord(Combination(f"C{number}", "null"), f"{number:026d}", "", inputs, reason)
        for number in range(combinations)
    ]
    contents = {str(factor): ("code", f'{{"model.py": "{factor}"}}')}
    run_id = database.start_validation_run(record, jobs, contents)
    for number, job in enumerate(jobs):
        values = [
            Metric(*key, factor * (number * 7 + i * 37 % 101 + 1)) for i, key in enumerate(keys)
        ]
        outcome = JobOutcome(
            job.combination, JobStatus.SUCCESS, record.timestamp, 1, result_set=ResultSet(values)
        )
        database.record_job_result(run_id, outcome)


def measure(connection: sqlite3.Connection, rows: int) -> None:
    first, second = resolve_run(connection, "1"), resolve_run(connection, "2")
    diff = diff_states(connection, first, second)
    assert sum(series.changed_years for series in diff.series) == rows
    different = best(lambda: diff_states(connection, first, second))
    plain = best(lambda: connection.execute(SELF_JOIN).fetchone())
    equal = best(lambda: diff_states(connection, second, second))
    print(f"diff of two states of {rows:,} rows that differ everywhere  {different:.2f} s")
    print(f"plain SQL self-join over the same rows                      {plain:.2f} s")
    print(f"ratio                                        {different / plain:.2f}   aim: at most 2")
    print(f"diff of two equal states                 {equal * 1000:.1f} ms   aim: under 50 ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    combinations = parser.parse_args().rows // (LABELS * YEARS)
    with tempfile.TemporaryDirectory() as folder:
        database = ValidationDatabase(Path(folder) / "results.db")
        with database.writing():
            store_run(database, 1.0, combinations)
            store_run(database, 1.1, combinations)
            database.settle()
        with closing(open_for_reading(database.path)) as connection:
            measure(connection, combinations * LABELS * YEARS)


if __name__ == "__main__":
    main()
