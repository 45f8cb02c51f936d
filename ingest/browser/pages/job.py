"""The page of one job: its state, its inputs, its error, its numbers, and what they moved."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from ingest.browser.pages.changes import Change, read_changes
from ingest.browser.pages.reasons import read_input_changes
from ingest.database.read import read_input
from ingest.database.records import read_notes
from ingest.study.scenario import COUNTRY_PARAMETER

SHOWN_CHANGES = 50
SHOWN_RUNS = 20
_INPUTS = ("model_digest", "scenario_digest", "code_digest", "environment", "query_digest")


@dataclass(frozen=True)
class Parameter:
    """A parameter of the job's scenario; value as text, long ones as JSON."""

    name: str
    value: str
    paths: int
    """How many places of the model document it sets."""


@dataclass(frozen=True)
class OtherJob:
    """The same combination in another run."""

    run_id: int
    job_status: str
    completed_at: str | None
    git_commit: str
    reason: str
    same_numbers: int
    """1 where its numbers are those of the job of this page, to the last bit."""


@dataclass(frozen=True)
class FoundProblem:
    """What a data-quality rule found in the job."""

    rule: str
    severity: str
    element_label: str | None
    timestamp_year: int | None
    value: float | None
    message: str


@dataclass(frozen=True)
class JobPage:
    """Everything about one job. job: its columns in job_results."""

    job: dict[str, Any]
    country_name: str
    scenario_label: str
    scenario_description: str
    notes: tuple[str, ...]
    inputs: dict[str, str]
    parameters: tuple[Parameter, ...]
    result: dict[str, Any]
    """The result set: digest, row_count, first_year, last_year; empty without one."""
    changes: list[Change]
    changed_inputs: tuple[str, ...]
    """Which inputs differ from those of the success before."""
    findings: list[FoundProblem]
    others: list[OtherJob]


def read_job_page(
    connection: sqlite3.Connection, run_id: int, country: str, scenario: str
) -> JobPage | None:
    """The page of a job, None where the run had none for this combination."""
    job = _row(connection, "job_results", run_id=run_id, country=country, scenario=scenario)
    if not job:
        return None
    named = _row(connection, "countries", iso3=country)
    described = _row(connection, "scenarios", name=scenario)
    inputs = _row(connection, "input_sets", input_set_id=job["input_set_id"])
    return JobPage(
        job=job,
        country_name=named.get("name") or country,
        scenario_label=described.get("label") or "",
        scenario_description=described.get("description") or "",
        notes=read_notes(job["notes"]),
        inputs={name: inputs[name] for name in _INPUTS if inputs.get(name)},
        parameters=_parameters(connection, inputs["scenario_digest"], country) if inputs else (),
        result=_row(connection, "result_sets", result_set_id=job["result_set_id"]),
        changes=read_changes(connection, run_id, SHOWN_CHANGES, country=country, scenario=scenario),
        changed_inputs=read_input_changes(connection, run_id, country, scenario),
        findings=_findings(connection, (run_id, country, scenario)),
        others=_others(connection, job),
    )


def _row(connection: sqlite3.Connection, table: str, **key: Any) -> dict[str, Any]:
    """The row of a table with these values in its key; empty where there is none."""
    wanted = " AND ".join(f"{column} = ?" for column in key)
    cursor = connection.execute(f"SELECT * FROM {table} WHERE {wanted}", [*key.values()])
    return dict(zip((c[0] for c in cursor.description), cursor.fetchone() or (), strict=False))


def _parameters(
    connection: sqlite3.Connection, scenario_digest: str, country: str
) -> tuple[Parameter, ...]:
    """The scenario's parameters, as they were set for the country."""
    content = read_input(connection, scenario_digest)
    if not isinstance(content, list):
        return ()
    return tuple(
        Parameter(name, country if name == COUNTRY_PARAMETER else _value(value), len(paths))
        for name, value, paths in content
    )


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _findings(connection: sqlite3.Connection, key: tuple[int, str, str]) -> list[FoundProblem]:
    rows = connection.execute(
        """SELECT rule, severity, element_label, timestamp_year, value, message
             FROM quality_findings WHERE run_id = ? AND country = ? AND scenario = ?
            ORDER BY severity, rule, element_label, timestamp_year""",
        key,
    )
    return [FoundProblem(*row) for row in rows]


def _others(connection: sqlite3.Connection, job: dict[str, Any]) -> list[OtherJob]:
    rows = connection.execute(
        """SELECT j.run_id, j.job_status, j.completed_at, r.git_commit, coalesce(j.reason, ''),
                  j.result_set_id IS NOT NULL AND j.result_set_id IS ?
             FROM job_results AS j JOIN validation_runs AS r ON r.run_id = j.run_id
            WHERE j.country = ? AND j.scenario = ? AND j.run_id <> ?
            ORDER BY j.run_id DESC LIMIT ?""",
        [job["result_set_id"], job["country"], job["scenario"], job["run_id"], SHOWN_RUNS],
    )
    return [OtherJob(*row) for row in rows]
