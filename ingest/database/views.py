"""The views, created anew from this one list whenever the schema is brought up to date."""

from __future__ import annotations

import sqlite3

_METRICS = """
SELECT job_results.run_id, job_results.country, job_results.scenario, job_results.ulid,
       elements.element_label, metric_values.timestamp_year, metric_values.value
  FROM job_results
  JOIN metric_values ON metric_values.result_set_id = job_results.result_set_id
  JOIN elements ON elements.element_id = metric_values.element_id
"""

# The metrics of the state as of now, for queries that do not care about runs.
_LATEST_METRICS = """
SELECT latest_results.run_id, latest_results.country, latest_results.scenario,
       elements.element_label, metric_values.timestamp_year, metric_values.value
  FROM latest_results
  JOIN metric_values ON metric_values.result_set_id = latest_results.result_set_id
  JOIN elements ON elements.element_id = metric_values.element_id
"""

# The newest success of each combination, the state as of now: one seek for each combination,
# however many runs there were. {columns} are all those of job_results; country and scenario are
# those of the combinations, so that a join finds them by both.
_LATEST_RESULTS = """
SELECT {columns}
  FROM (SELECT DISTINCT country, scenario FROM job_results) AS combinations
 CROSS JOIN job_results
    ON job_results.run_id = (
       SELECT newest.run_id FROM job_results AS newest
        WHERE newest.country = combinations.country
          AND newest.scenario = combinations.scenario
          AND newest.job_status = 'success'
        ORDER BY newest.run_id DESC LIMIT 1)
   AND job_results.country = combinations.country
   AND job_results.scenario = combinations.scenario
"""

# Numbers of other studies and sources, which are no part of any state.
_OTHER_METRICS = """
SELECT other_series.study, other_series.country, other_series.scenario,
       other_series.element_label, other_values.timestamp_year, other_values.value
  FROM other_series
  JOIN other_values ON other_values.series_id = other_series.series_id
"""

VIEWS = {
    "metrics": _METRICS,
    "latest_metrics": _LATEST_METRICS,
    "latest_results": _LATEST_RESULTS,
    "other_metrics": _OTHER_METRICS,
}


def refresh_views(connection: sqlite3.Connection) -> None:
    """Drop and create all views where one is not as this version defines it."""
    wanted = _definitions(connection)
    stored = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'"))
    if wanted.items() <= stored.items():
        return
    for name, definition in wanted.items():
        connection.execute(f"DROP VIEW IF EXISTS {name}")
        connection.execute(definition)


def _definitions(connection: sqlite3.Connection) -> dict[str, str]:
    columns = ", ".join(
        f"{'combinations' if name in ('country', 'scenario') else 'job_results'}.{name}"
        for _, name, *_ in connection.execute("PRAGMA table_info(job_results)")
    )
    return {
        name: f'CREATE VIEW "{name}" AS {query.format(columns=columns).rstrip()}'
        for name, query in VIEWS.items()
    }
