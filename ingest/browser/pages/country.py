"""The page of one country: all scenarios side by side, their totals, its failures."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from ingest.browser.questions.catalogue import questions_of
from ingest.charts.small_multiples import Series, draw_differences, draw_values
from ingest.charts.style import Spec, scenario_colours
from ingest.database.labels import read_label
from ingest.database.states import resolve_run
from ingest.questions.catalogue import run_canned_query
from ingest.questions.compare import DEFAULT_LABEL
from ingest.questions.horizon import Horizon, horizon_of_rows
from ingest.questions.wording import over_years_text
from ingest.study.label import Label
from ingest.study.scenario_order import order_scenarios


@dataclass(frozen=True)
class CountryJob:
    """The newest job of a scenario; success_run_id is where its numbers come from, if any."""

    scenario: str
    run_id: int
    job_status: str
    completed_at: str | None
    error_kind: str
    error: str
    success_run_id: int | None


@dataclass(frozen=True)
class Total:
    """A scenario's years together, as the label adds up, and its difference to the baseline."""

    scenario: str
    value: float
    difference: float | None
    percent: float | None
    first_year: int
    last_year: int


@dataclass(frozen=True)
class CountryPage:
    """Everything about one country for one label in the state as of a run."""

    iso3: str
    name: str
    groups: dict[str, str]
    run_id: int
    runs: list[int]
    label: str
    meaning: Label
    """What the label is, and how it adds up."""
    labels: list[str]
    baseline: str
    scenario_labels: dict[str, str]
    totals: list[Total]
    jobs: list[CountryJob]
    chart: Spec | None
    difference_chart: Spec | None
    """Small multiples with one scale each; None where there is nothing to draw."""

    @property
    def horizon(self) -> Horizon:
        """The years that the totals are over."""
        rows = [(total.scenario, total.first_year, total.last_year) for total in self.totals]
        return horizon_of_rows(("scenario", "first_year", "last_year"), rows)

    @property
    def years(self) -> str:
        """How the years were added up: summed over 2025-2050, in 2050."""
        return over_years_text(self.meaning, *(self.horizon.years or ()))

    @property
    def failures(self) -> list[CountryJob]:
        """The newest jobs that did not succeed."""
        return [job for job in self.jobs if job.job_status in ("failed", "timeout", "cancelled")]

    @property
    def best(self) -> Total | None:
        """The scenario with the largest difference to the baseline."""
        moved = [total for total in self.totals if total.difference]
        return max(moved, key=lambda total: abs(total.difference or 0.0), default=None)


def read_country_page(
    connection: sqlite3.Connection, country: str, label: str | None, run: str | None
) -> CountryPage | None:
    """The page of a country, None where neither the study nor a job names it.

    label: an element label, the default one where None or unknown. run: what resolve_run()
    understands, the newest where None. Raises ConfigError: there is no such run.
    """
    name, groups = _read_names(connection, country)
    jobs = _read_jobs(connection, country)
    if name is None and not jobs:
        return None
    run_id = resolve_run(connection, run or "latest").run_id if jobs else 0
    labels = [row[0] for row in connection.execute("SELECT element_label FROM elements ORDER BY 1")]
    chosen = _choose(labels, label)
    baseline = next(iter(order_scenarios(job.scenario for job in jobs)), "")
    scenario_labels = connection.execute("SELECT name, label FROM scenarios WHERE label <> ''")
    series = _read_series(connection, country, chosen, run_id)
    colours = scenario_colours(_all_scenarios(connection))
    meaning = read_label(connection, chosen, run_id or None)
    unit = meaning.unit
    title = f"{chosen} in {name or country}"
    return CountryPage(
        iso3=country,
        name=name or country,
        groups=groups,
        run_id=run_id,
        runs=_read_runs(connection, country),
        label=chosen,
        meaning=meaning,
        labels=labels,
        baseline=baseline,
        scenario_labels=dict(scenario_labels.fetchall()),
        totals=_read_totals(connection, country, chosen, baseline, run_id) if jobs else [],
        jobs=jobs,
        chart=draw_values(title, unit, baseline, series, colours),
        difference_chart=draw_differences(title, unit, baseline, series, colours),
    )


def _all_scenarios(connection: sqlite3.Connection) -> list[str]:
    """Every scenario that has a job: together they decide the colours, here as in questions."""
    # by way of the pairs, which an index has side by side
    rows = connection.execute(
        """SELECT DISTINCT scenario FROM (SELECT DISTINCT country, scenario FROM job_results)"""
    )
    return [name for (name,) in rows]


def _choose(labels: list[str], label: str | None) -> str:
    return next((one for one in (label, DEFAULT_LABEL, *labels) if one and one in labels), "")


def _read_names(connection: sqlite3.Connection, iso3: str) -> tuple[str | None, dict[str, str]]:
    """The name of a country and its groups; (None, {}) where the study does not name it."""
    cursor = connection.execute("SELECT * FROM countries WHERE iso3 = ?", [iso3])
    row = cursor.fetchone()
    if row is None:
        return None, {}
    facts = dict(zip((column[0] for column in cursor.description), row, strict=True))
    groups = {key: text for key, text in facts.items() if key not in ("iso3", "name") and text}
    return facts["name"] or iso3, groups


def _read_runs(connection: sqlite3.Connection, iso3: str) -> list[int]:
    """The runs that ran something of the country, newest first."""
    rows = connection.execute(
        "SELECT DISTINCT run_id FROM job_results WHERE country = ? ORDER BY run_id DESC", [iso3]
    )
    return [run_id for (run_id,) in rows]


def _read_jobs(connection: sqlite3.Connection, iso3: str) -> list[CountryJob]:
    rows = connection.execute(
        """SELECT scenario, run_id, job_status, completed_at, coalesce(error_kind, ''),
                  coalesce(error, ''), success_run_id
             FROM (SELECT scenario, max(run_id) AS run_id,
                          max(run_id) FILTER (WHERE job_status = 'success') AS success_run_id
                     FROM job_results WHERE country = ?1 GROUP BY scenario)
             JOIN job_results USING (run_id, scenario) WHERE country = ?1""",
        [iso3],
    )
    jobs = {row[0]: CountryJob(*row) for row in rows}
    return [jobs[scenario] for scenario in order_scenarios(jobs)]


def _read_totals(
    connection: sqlite3.Connection, iso3: str, label: str, baseline: str, run_id: int
) -> list[Total]:
    """The answer of the question scenario_totals, the baselines first."""
    values: dict[str, Any] = {
        "run": run_id, "country": iso3, "label": label, "baseline": baseline,
    }  # fmt: skip
    _, rows = run_canned_query(connection, questions_of(None)["scenario_totals"], values)
    totals = {row[0]: Total(*row[:6]) for row in rows}
    return [totals[scenario] for scenario in order_scenarios(totals)]


def _read_series(connection: sqlite3.Connection, iso3: str, label: str, run_id: int) -> Series:
    """(year, value) of one label by scenario, in the state as of a run."""
    rows = connection.execute(
        """WITH state AS (
               SELECT scenario, result_set_id, max(run_id) FROM job_results
                WHERE country = ? AND job_status = 'success' AND run_id <= ? GROUP BY scenario)
           SELECT state.scenario, timestamp_year, value
             FROM state CROSS JOIN metric_values AS m ON m.result_set_id = state.result_set_id
              AND m.element_id = (SELECT element_id FROM elements WHERE element_label = ?)
            ORDER BY state.scenario, timestamp_year""",
        [iso3, run_id, label],
    )
    series: Series = {}
    for scenario, year, value in rows:
        series.setdefault(scenario, []).append((year, value))
    return {scenario: series[scenario] for scenario in order_scenarios(series)}
