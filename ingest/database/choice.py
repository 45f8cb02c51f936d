"""Results chosen from a state by country, scenario and label, one row per number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from ingest.database.consistency import read_consistency
from ingest.database.states import RunRef, make_state_table
from ingest.database.study_settings import Definitions
from ingest.errors import ConfigError
from ingest.study.combination import select_names


class ResultRow(NamedTuple):
    """One number of a state; the fields are the columns of the CSV layout."""

    country: str
    scenario: str
    element_label: str
    timestamp_year: int
    value: float


class MixedRow(NamedTuple):
    """One number of a state whose results are of several models, with the run that computed it."""

    country: str
    scenario: str
    element_label: str
    timestamp_year: int
    value: float
    run_id: int


@dataclass(frozen=True)
class NameChoice:
    """What of a state is wanted: names, comma lists and globs; everything where empty."""

    countries: Sequence[str] = ()
    scenarios: Sequence[str] = ()
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class ExportJob:
    """One combination whose numbers are exported, and where they are stored."""

    country: str
    scenario: str
    result_set_id: int
    run_id: int
    """The run that computed it."""


@dataclass(frozen=True)
class StatePart:
    """Which part of a state is wanted.

    only_run: what the run executed itself. all_history: with what is no longer in the study.
    consistent: only what was computed with the inputs that the study had at the run.
    """

    only_run: bool = False
    all_history: bool = False
    consistent: bool = False


@dataclass(frozen=True)
class Chosen:
    """What to export: combinations sorted by country and scenario, and labels (None: all).

    is_mixed: its numbers are of several models or versions of a scenario. definitions: those of the
    study at hand; None for what its newest run kept.
    """

    run: RunRef
    jobs: tuple[ExportJob, ...]
    labels: tuple[str, ...] | None = None
    is_mixed: bool = False
    definitions: Definitions | None = None
    is_consistent: bool = False
    """Whether it is only of results of the inputs that the study had at the run."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its rows, see read_rows()."""
        return (MixedRow if self.is_mixed else ResultRow)._fields

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """The scenarios and the countries, each once."""
        scenarios = dict.fromkeys(job.scenario for job in self.jobs)
        countries = dict.fromkeys(job.country for job in self.jobs)
        return list(scenarios), list(countries)


def choose_results(
    connection: sqlite3.Connection,
    run: RunRef,
    names: NameChoice = NameChoice(),
    part: StatePart = StatePart(),
) -> Chosen:
    """What the state as of a run holds of the chosen names.

    Raises ConfigError: a name that matches nothing, or nothing is left to export.
    """
    jobs = _read_jobs(connection, run, part)
    if not jobs:
        whose = "of its own" if part.only_run else "as of it"
        whose += " of the inputs that the study had" if part.consistent else ""
        raise ConfigError(f"run {run.run_id} has no success {whose}: there is nothing to export")
    countries = set(select_names(names.countries, sorted({j.country for j in jobs}), "country"))
    scenarios = set(select_names(names.scenarios, sorted({j.scenario for j in jobs}), "scenario"))
    chosen = tuple(j for j in jobs if j.country in countries and j.scenario in scenarios)
    labels = tuple(choose_labels(connection, names.labels)) if names.labels else None
    result = Chosen(run, chosen, labels, is_consistent=part.consistent)
    is_mixed = read_consistency(connection, run.run_id, *result.names).is_mixed
    result = replace(result, is_mixed=is_mixed and not part.consistent)
    if next(read_rows(connection, result), None) is None:
        raise ConfigError(f"run {run.run_id} has no number of this choice: nothing to export")
    return result


def _read_jobs(
    connection: sqlite3.Connection, run: RunRef, part: StatePart
) -> tuple[ExportJob, ...]:
    make_state_table(connection, "export_state", run.run_id, all_history=part.all_history)
    conditions = ["result_set_id IS NOT NULL"]
    if part.only_run:
        conditions.append(f"run_id = {run.run_id}")
    if part.consistent:
        current = f"SELECT input_set_id FROM current_inputs WHERE run_id = {run.run_id}"
        conditions.append(f"input_set_id IN ({current})")
    rows = connection.execute(
        f"""SELECT state.country, state.scenario, state.result_set_id,
                   (SELECT coalesce(job.restored_from, job.run_id) FROM job_results AS job
                     WHERE job.run_id = state.run_id AND job.country = state.country
                       AND job.scenario = state.scenario)
              FROM export_state AS state
             WHERE {" AND ".join(conditions)} ORDER BY 1, 2"""
    )
    return tuple(ExportJob(*row) for row in rows)


def choose_labels(connection: sqlite3.Connection, patterns: Sequence[str]) -> list[str]:
    """The labels in the database that patterns choose.

    Raises ConfigError: a name that matches nothing.
    """
    rows = connection.execute("SELECT element_label FROM elements ORDER BY element_label")
    return select_names(patterns, [label for (label,) in rows], "label")


def read_rows(connection: sqlite3.Connection, chosen: Chosen) -> Iterator[ResultRow | MixedRow]:
    """The chosen numbers, one job in memory at a time, sorted by the columns in their order."""
    condition, values = _label_condition(chosen.labels)
    for job in chosen.jobs:
        rows = connection.execute(
            f"""SELECT e.element_label, m.timestamp_year, m.value
                  FROM metric_values AS m JOIN elements AS e ON e.element_id = m.element_id
                 WHERE m.result_set_id = ? {condition} ORDER BY 1, 2""",
            [job.result_set_id, *values],
        ).fetchall()
        for label, year, value in rows:
            row = ResultRow(job.country, job.scenario, label, year, value)
            yield MixedRow(*row, job.run_id) if chosen.is_mixed else row


def _label_condition(labels: Sequence[str] | None) -> tuple[str, Sequence[str]]:
    if labels is None:
        return "", ()
    marks = ", ".join("?" for _ in labels)
    return f"AND e.element_label IN ({marks})", labels


def read_years(connection: sqlite3.Connection, chosen: Chosen) -> list[int]:
    """The years that the chosen numbers have, sorted."""
    condition, values = _label_condition(chosen.labels)
    years: set[int] = set()
    for set_id in {job.result_set_id for job in chosen.jobs}:
        years |= {
            year
            for (year,) in connection.execute(
                f"""SELECT DISTINCT m.timestamp_year
                      FROM metric_values AS m JOIN elements AS e ON e.element_id = m.element_id
                     WHERE m.result_set_id = ? {condition}""",
                [set_id, *values],
            )
        }
    return sorted(years)
