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

# The run whose lists say what the study consists of as of a run: the newest by then that kept them.
_LISTED = """(
           SELECT max(listed.run_id) FROM validation_runs AS listed
            WHERE listed.run_id <= validation_runs.run_id
              AND listed.{kind}_digest IS NOT NULL)"""

# What the study consists of as of each run: what its lists name, and what came with later runs
# that have none, such as imported ones. details: JSON, as the list has it. No compound query, so
# that one run is looked up and not all of them.
_STUDY_NAMES = """
SELECT validation_runs.run_id,
       iif(is_listed, json_extract(entry.value, '$.{key}'), entry.value) AS {column},
       iif(is_listed, entry.value, NULL) AS details
  FROM validation_runs
 CROSS JOIN (SELECT 1 AS is_listed UNION ALL SELECT 0) AS part
 CROSS JOIN json_each(iif(is_listed, (
           SELECT inputs.content
             FROM validation_runs AS source JOIN inputs ON inputs.digest = source.{kind}_digest
            WHERE source.run_id = {listed}), (
           SELECT json_group_array(DISTINCT job.{column}) FROM job_results AS job
            WHERE job.run_id > coalesce({listed}, 0) AND job.run_id <= validation_runs.run_id)
       )) AS entry
"""

# The newest success of each combination: one seek for each, however many runs there were. country
# and scenario are those of the combinations, so that a join finds them by both.
_NEWEST = """
SELECT {columns}
  FROM ({combinations}) AS combinations
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
_COMBINATIONS = "SELECT DISTINCT country, scenario FROM job_results"

# Numbers of other studies and sources, which are no part of any state.
_OTHER_METRICS = """
SELECT other_series.study, other_series.country, other_series.scenario,
       other_series.element_label, other_values.timestamp_year, other_values.value
  FROM other_series
  JOIN other_values ON other_values.series_id = other_series.series_id
"""
# The state as of now: of the combinations of the study, {columns} of job_results.
_LATEST_RESULTS = _NEWEST.format(
    columns="{columns}",
    combinations=f"""{_COMBINATIONS}
         WHERE country IN present_countries AND scenario IN present_scenarios""",
)

NEWEST_SUCCESSES = _NEWEST.format(
    columns="""combinations.country, combinations.scenario, job_results.run_id,
       job_results.result_set_id, job_results.input_set_id, job_results.document_digest,
       job_results.country_data_digest""",
    combinations=_COMBINATIONS,
)
"""The newest successes, also of what is no longer in the study, which may come back."""


def _names(kind: str, key: str, column: str) -> str:
    listed = _LISTED.format(kind=kind)
    return _STUDY_NAMES.format(kind=kind, key=key, column=column, listed=listed)


# The inputs that the study had at each run: those of the newest run by then that recorded them, and
# those that differ from them only in what does not count as input.
_CURRENT_INPUTS = """
SELECT validation_runs.run_id, alike.input_set_id
  FROM validation_runs
  JOIN run_inputs
    ON run_inputs.run_id = (SELECT max(recorded.run_id) FROM run_inputs AS recorded
                             WHERE recorded.run_id <= validation_runs.run_id)
  JOIN input_sets AS now ON now.input_set_id = run_inputs.input_set_id
  JOIN input_sets AS alike
    ON alike.scenario = now.scenario AND alike.model_version_id = now.model_version_id
   AND alike.scenario_digest = now.scenario_digest
"""
# What the study said of each label at each run; what it did not say then is as of now.
_LABEL_FACTS = (
    "unit", "description", "kind", "over_years", "over_countries", "sum_unit", "better", "guessed",
)  # fmt: skip
_STUDY_LABELS = """
WITH kept AS MATERIALIZED (
    SELECT inputs.digest, json_extract(entry.value, '$.element_label') AS element_label,
           entry.value
      FROM inputs JOIN json_each(inputs.content) AS entry
     WHERE inputs.kind = 'labels'
),
listed AS MATERIALIZED (
    SELECT run_id, (SELECT source.labels_digest FROM validation_runs AS source
                     WHERE source.run_id = {listed}) AS digest
      FROM validation_runs
)
SELECT listed.run_id, labels.element_label,
       {facts}
  FROM listed CROSS JOIN labels
  LEFT JOIN kept
    ON kept.digest = listed.digest AND kept.element_label = labels.element_label
""".format(
    facts=",\n       ".join(
        f"coalesce(json_extract(kept.value, '$.{name}'), labels.{name}) AS {name}"
        for name in _LABEL_FACTS
    ),
    listed=_LISTED.format(kind="labels"),
)
_PRESENT = "SELECT DISTINCT {0} FROM {1} WHERE run_id = (SELECT max(run_id) FROM validation_runs)"

VIEWS = {
    "metrics": _METRICS,
    "latest_metrics": _LATEST_METRICS,
    "latest_results": _LATEST_RESULTS,
    "study_countries": _names("countries", "iso3", "country"),
    "study_scenarios": _names("scenarios", "name", "scenario"),
    "study_labels": _STUDY_LABELS,
    "present_countries": _PRESENT.format("country", "study_countries"),
    "present_scenarios": _PRESENT.format("scenario", "study_scenarios"),
    "current_inputs": _CURRENT_INPUTS,
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
