"""The state of every combination, country by country: what the overview's matrix shows."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from ingest.browser.states import state_word
from ingest.database.read import read_lists
from ingest.study.scenario_order import order_scenarios
from ingest.text.times import age_text

RECENT_DAYS = 30
OTHER_REGION = "Other countries"


class Cell(NamedTuple):
    """A combination. kind decides the shade; run_id is the newest job's, None where it never ran.

    kind: fresh (succeeded in the newest run), recent (at most 30 days before), older, stale (the
    newest job did not succeed; older numbers hold), outdated (it succeeded with other
    inputs than the study has), failed, timeout, cancelled (it never succeeded), submitted,
    running, missing.
    """

    scenario: str
    kind: str
    run_id: int | None
    words: str


@dataclass(frozen=True)
class MatrixRow:
    """A country with a cell for each scenario, in their order."""

    iso3: str
    name: str
    region: str
    cells: tuple[Cell, ...]

    @property
    def failures(self) -> int:
        """How many scenarios have no numbers, or numbers older than a failure."""
        return sum(cell.kind in FAILED_KINDS for cell in self.cells)


WITH_NUMBERS = ("fresh", "recent", "older", "outdated", "stale")
FAILED_KINDS = ("stale", "failed", "timeout", "cancelled")


@dataclass(frozen=True)
class Matrix:
    """Countries sorted by region and name; scenarios are baselines first, then by name."""

    scenarios: tuple[str, ...]
    labels: Mapping[str, str]
    """What people call the scenarios that have a label."""
    rows: tuple[MatrixRow, ...]

    @property
    def regions(self) -> list[tuple[str, list[MatrixRow]]]:
        """The rows by region."""
        return [(name, list(rows)) for name, rows in groupby(self.rows, lambda row: row.region)]

    @cached_property
    def counts(self) -> Counter[str]:
        """How many cells there are of each kind."""
        return Counter(cell.kind for row in self.rows for cell in row.cells)

    @property
    def size(self) -> int:
        """How many combinations there are."""
        return len(self.rows) * len(self.scenarios)

    @property
    def with_numbers(self) -> int:
        """How many combinations succeeded once."""
        return sum(self.counts[kind] for kind in WITH_NUMBERS)

    @property
    def without_success(self) -> int:
        """How many combinations have no numbers at all."""
        return sum(self.counts[kind] for kind in ("missing", "failed", "timeout", "cancelled"))


class _Job(NamedTuple):
    """The newest job of a combination, and the run of its newest success."""

    run_id: int
    job_status: str
    submitted_at: str | None
    completed_at: str | None
    success_run_id: int | None
    is_current: int | None


def read_matrix(connection: sqlite3.Connection, now: datetime | None = None) -> Matrix:
    """The state as of now of every country and scenario of the study."""
    found = connection.execute(_JOBS)
    jobs = {(country, scenario): _Job(*rest) for country, scenario, *rest in found}
    newest = connection.execute("SELECT max(run_id) FROM validation_runs").fetchone()[0]
    labels = dict(connection.execute("SELECT name, coalesce(label, '') FROM scenarios"))
    listed = read_lists(connection)  # without lists: every name that is known
    present = {name for (name,) in connection.execute("SELECT scenario FROM present_scenarios")}
    scenarios = order_scenarios(present if listed else {*labels, *present})
    present = {name for (name,) in connection.execute("SELECT country FROM present_countries")}
    countries = read_countries(connection, present)
    if listed:
        countries = [country for country in countries if country[0] in present]
    moment = now or datetime.now(UTC)
    rows = tuple(
        MatrixRow(iso3, name, region, tuple(
            _cell(name, scenario, jobs.get((iso3, scenario)), newest, moment)
            for scenario in scenarios
        ))
        for iso3, name, region in countries
    )  # fmt: skip
    return Matrix(scenarios, {name: label for name, label in labels.items() if label}, rows)


@dataclass(frozen=True)
class CountriesPage:
    """The countries of a region, of all where it is empty."""

    matrix: Matrix
    region: str

    @property
    def rows(self) -> list[MatrixRow]:
        """The countries to be shown."""
        return [row for row in self.matrix.rows if self.region in ("", row.region)]


def read_countries_page(connection: sqlite3.Connection, region: str | None) -> CountriesPage:
    """The page of the countries of a region, of all without one."""
    return CountriesPage(read_matrix(connection), region or "")


def read_countries(
    connection: sqlite3.Connection, also: Iterable[str] = ()
) -> list[tuple[str, str, str]]:
    """(ISO3, name, region) of the countries known, and of codes beside them, by region and name."""
    rows: Sequence[tuple[str, str, str]] = [
        (iso3, name or iso3, region or OTHER_REGION)
        for iso3, name, region in connection.execute("SELECT iso3, name, region FROM countries")
    ]
    known = {iso3 for iso3, _, _ in rows}
    others = [(iso3, iso3, OTHER_REGION) for iso3 in also if iso3 not in known]
    return sorted([*rows, *others], key=lambda row: (row[2] == OTHER_REGION, row[2], row[1]))


# Two steps down an index for each combination, however many runs there are.
_JOBS = """
SELECT newest.country, newest.scenario, newest.run_id, job.job_status, job.submitted_at,
       job.completed_at,
       (SELECT success.run_id FROM job_results AS success
         WHERE success.country = newest.country AND success.scenario = newest.scenario
           AND success.job_status = 'success'
         ORDER BY success.run_id DESC LIMIT 1),
       job.input_set_id IN (SELECT input_set_id FROM current_inputs
                             WHERE run_id = (SELECT max(run_id) FROM validation_runs))
  FROM (SELECT country, scenario,
               (SELECT max(j.run_id) FROM job_results AS j
                 WHERE j.country = combination.country AND j.scenario = combination.scenario)
                   AS run_id
          FROM (SELECT DISTINCT country, scenario FROM job_results) AS combination) AS newest
  JOIN job_results AS job ON job.run_id = newest.run_id AND job.country = newest.country
       AND job.scenario = newest.scenario
"""


def _cell(country: str, scenario: str, job: _Job | None, newest_run_id: int, now: datetime) -> Cell:
    if job is None:
        return Cell(scenario, "missing", None, f"{country}, {scenario}: never run")
    age = age_text(job.completed_at or job.submitted_at, now)
    words = f"{country}, {scenario}: {state_word(job.job_status)} in run {job.run_id}"
    words += f", {age}" if age else ""
    if job.job_status == "success" and job.is_current == 0:
        words += ", with other inputs than the study has now"
        return Cell(scenario, "outdated", job.run_id, words)
    if job.job_status == "success":
        return Cell(scenario, _shade(job, newest_run_id, now), job.run_id, words)
    if job.success_run_id is not None and job.job_status not in ("submitted", "running"):
        words += f"; its numbers are those of run {job.success_run_id}"
        return Cell(scenario, "stale", job.run_id, words)
    return Cell(scenario, job.job_status, job.run_id, words)


def _shade(job: _Job, newest_run_id: int, now: datetime) -> str:
    if job.run_id == newest_run_id:
        return "fresh"
    try:
        days = (now - datetime.fromisoformat(job.completed_at or "").astimezone()).days
    except (ValueError, OverflowError):
        return "older"
    return "recent" if days < RECENT_DAYS else "older"
