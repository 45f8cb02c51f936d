"""Whether numbers of a state belong together: one model, one version of each scenario, all there.

Every surface that puts results side by side asks read_consistency().
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.database.rows import first_value, read_dicts
from ingest.database.states import newest_run
from ingest.text.numbers import at_most, count_text

_PARTS = {
    "model_digest": "the model document",
    "code_digest": "the code",
    "environment": "the environment",
    "query_digest": "the analytics query",
}


@dataclass(frozen=True)
class Source:
    """Where some results of one scenario are from; all of them had the same inputs.

    runs: the first and the last run that computed them; git_commit: of the last one.
    """

    scenario: str
    combinations: int
    runs: tuple[int, int]
    git_commit: str
    is_current: bool

    @property
    def origin(self) -> str:
        """Run 7 (commit 4f2c9e1)."""
        first, last = self.runs
        runs = f"run {last}" if first == last else f"runs {first} to {last}"
        return f"{runs} (commit {self.git_commit[:7]})"

    def __str__(self) -> str:
        return f"{self.scenario} of {self.origin}"


@dataclass(frozen=True)
class Consistency:
    """What the results of some scenarios and countries, as of a run, have in common.

    current: computed with the inputs that the study had at that run; stale: with others; failed:
    their newest job did not succeed; missing: without any result; retired: no longer in the study.
    differing: which inputs differ between results that stand side by side; empty where none does.
    sources: only where inputs differ.
    """

    run_id: int
    current: int
    stale: int
    failed: int
    missing: int
    retired: int
    differing: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()

    @property
    def is_mixed(self) -> bool:
        """Whether results of different inputs stand side by side."""
        return bool(self.differing)

    @property
    def is_consistent(self) -> bool:
        """Whether all results are there, and of the inputs that the study had at the run."""
        return not (self.is_mixed or self.stale or self.failed or self.missing or self.retired)

    @property
    def counts(self) -> str:
        """The counts as a text: 187 current, 3 stale."""
        numbers = (
            (self.current, "current"),
            (self.stale, "stale"),
            (self.failed, "failed"),
            (self.missing, "missing"),
            (self.retired, "no longer in the study"),
        )
        return ", ".join(f"{number:,} {what}" for number, what in numbers if number) or "0 results"

    @property
    def warning(self) -> str:
        """What a reader has to know before using the numbers; empty where there is nothing."""
        parts = []
        if self.is_mixed:
            verb = "differs" if len(self.differing) == 1 else "differ"
            parts.append(f"mixed inputs: {', '.join(self.differing)} {verb}: {self._origins}")
        elif self.stale:
            results = count_text(self.stale, "result is|results are")
            parts.append(f"{results} of other inputs than the study had at run {self.run_id}")
        if self.failed:
            jobs = count_text(self.failed, "combination")
            parts.append(f"the newest job of {jobs} failed: their numbers are older, or missing")
        if self.retired:
            parts.append(f"{count_text(self.retired, 'combination')} no longer in the study")
        return "; ".join(parts)

    @property
    def _origins(self) -> str:
        """Where the results are from: each scenario of a pair, or how many are of which run."""
        if len({source.scenario for source in self.sources}) <= 2:
            return "; ".join(map(str, self.sources))
        sizes = Counter[str]()
        for source in self.sources:
            sizes[source.origin] += source.combinations
        return at_most([f"{size:,} of {origin}" for origin, size in sizes.most_common()], 4, "; ")

    def as_json(self) -> dict[str, object]:
        """For machines: mixed (null, or what differs and where the results are from), counts."""
        sources = [vars(source) | {"runs": list(source.runs)} for source in self.sources]
        counts = ("current", "stale", "failed", "missing", "retired")
        return {
            "mixed": {"differing": self.differing, "sources": sources} if self.is_mixed else None,
            "state": {name: getattr(self, name) for name in counts},
        }


# The newest success of each combination in question, grouped by what went in. Parameters: run;
# countries and scenarios in question, then those of the study, as JSON lists.
_SOURCES = """
WITH scope (country, scenario) AS MATERIALIZED (
    SELECT c.value, s.value FROM json_each(?2) AS c, json_each(?3) AS s
),
newest_success AS MATERIALIZED (
    SELECT scope.country, scope.scenario,
           (SELECT run_id FROM job_results AS j
             WHERE j.country = scope.country AND j.scenario = scope.scenario
               AND j.job_status = 'success' AND j.run_id <= ?1
             ORDER BY j.run_id DESC LIMIT 1) AS success
      FROM scope
),
-- failure: only one after the success counts, so the runs before need not be looked through
newest AS MATERIALIZED (
    SELECT s.country, s.scenario, s.success,
           (SELECT run_id FROM job_results AS j
             WHERE j.country = s.country AND j.scenario = s.scenario
               AND j.job_status IN ('failed', 'timeout', 'cancelled')
               AND j.run_id > coalesce(s.success, 0) AND j.run_id <= ?1
             ORDER BY j.run_id DESC LIMIT 1) AS failure
      FROM newest_success AS s
)
SELECT newest.scenario, job.input_set_id, count(*) AS combinations,
       count(success) AS successes,
       count(*) FILTER (WHERE failure > coalesce(success, 0)) AS failed,
       count(*) FILTER (WHERE failure > success) AS failed_since,
       count(*) FILTER (WHERE failure > 0 AND success IS NULL) AS never,
       count(success) FILTER (WHERE newest.country NOT IN (SELECT value FROM json_each(?4))
                                 OR newest.scenario NOT IN (SELECT value FROM json_each(?5))
       ) AS retired,
       min(coalesce(job.restored_from, job.run_id)) AS first_run,
       max(coalesce(job.restored_from, job.run_id)) AS last_run
  FROM newest
  LEFT JOIN job_results AS job
    ON job.run_id = success AND job.country = newest.country AND job.scenario = newest.scenario
 GROUP BY newest.scenario, job.input_set_id
 ORDER BY newest.scenario, last_run
"""

# Countries whose own data differ between the scenarios in question.
_COUNTRY_DATA = """
SELECT country FROM (
    SELECT c.value AS country,
           (SELECT country_data_digest FROM job_results AS j
             WHERE j.country = c.value AND j.scenario = s.value
               AND j.job_status = 'success' AND j.run_id <= ?1
             ORDER BY j.run_id DESC LIMIT 1) AS digest
      FROM json_each(?2) AS c, json_each(?3) AS s)
 GROUP BY country HAVING count(DISTINCT digest) > 1 ORDER BY country
"""

_INPUT_SETS = """
SELECT s.input_set_id, s.scenario, s.scenario_digest, v.*,
       s.input_set_id IN (SELECT input_set_id FROM current_inputs WHERE run_id = ?1) AS is_current
  FROM input_sets AS s JOIN model_versions AS v USING (model_version_id)
 WHERE s.input_set_id IN (SELECT value FROM json_each(?2))
"""


def read_consistency(
    connection: sqlite3.Connection,
    run_id: int | None,
    scenarios: Sequence[str] = (),
    countries: Sequence[str] = (),
) -> Consistency:
    """What the results of these scenarios and countries have in common, as of a run.

    scenarios, countries: all of the study where empty. run_id: None for now.
    """
    run = newest_run(connection) if run_id is None else None
    as_of = run_id if run_id is not None else (run.run_id if run else 0)
    study = _study_names(connection, as_of)
    chosen = [
        list(names or known) for names, known in zip((countries, scenarios), study, strict=True)
    ]
    values = (as_of, *(json.dumps(names) for names in chosen))
    groups = read_dicts(connection, _SOURCES, *values, *(json.dumps(names) for names in study))
    input_sets = _read_input_sets(connection, as_of, groups)
    with_results = [group for group in groups if group["successes"]]
    for group in with_results:
        inputs = input_sets.get(group["input_set_id"])
        group["is_current"] = inputs is None or inputs["is_current"]
    differing = tuple(_differing(connection, values, with_results, input_sets))
    current = sum(group["successes"] for group in with_results if group["is_current"])
    older = [group for group in groups if not group.get("is_current")]
    return Consistency(
        run_id=as_of,
        current=current,
        stale=sum(group["successes"] - group["failed_since"] for group in older),
        failed=sum(group["failed"] for group in older),
        missing=sum(g["combinations"] - g["successes"] - g["never"] for g in groups),
        retired=sum(group["retired"] for group in groups),
        differing=differing,
        sources=tuple(_sources(connection, with_results, input_sets)) if differing else (),
    )


def _study_names(connection: sqlite3.Connection, run_id: int) -> tuple[list[str], list[str]]:
    """The countries and scenarios of the study as of a run."""
    queries = (
        "SELECT country FROM study_countries WHERE run_id = ?",
        "SELECT scenario FROM study_scenarios WHERE run_id = ?",
    )
    countries, scenarios = (
        list(dict.fromkeys(name for (name,) in connection.execute(query, [run_id])))
        for query in queries
    )
    return countries, scenarios


def _read_input_sets(
    connection: sqlite3.Connection, run_id: int, groups: Sequence[dict[str, Any]]
) -> dict[int, dict[str, Any]]:
    """The input sets of some results by id; is_current: the study had these inputs at the run."""
    with_inputs = first_value(
        connection, "SELECT max(run_id) FROM run_inputs WHERE run_id <= ?", run_id
    )
    ids = [group["input_set_id"] for group in groups if group["input_set_id"] is not None]
    rows = read_dicts(connection, _INPUT_SETS, with_inputs, json.dumps(ids))
    for row in rows:
        row["is_current"] = with_inputs is None or bool(row["is_current"])
    return {row["input_set_id"]: row for row in rows}


def _differing(
    connection: sqlite3.Connection,
    values: tuple[object, ...],
    groups: Sequence[dict[str, Any]],
    input_sets: Mapping[int, Mapping[str, Any]],
) -> Iterator[str]:
    """Which inputs differ between results that stand side by side."""
    known = [input_sets[g["input_set_id"]] for g in groups if g["input_set_id"] in input_sets]
    for column, words in _PARTS.items():
        if len({row[column] for row in known}) > 1:
            yield words
    for scenario in dict.fromkeys(row["scenario"] for row in known):
        if len({row["scenario_digest"] for row in known if row["scenario"] == scenario}) > 1:
            yield f"scenario {scenario}"
    countries = [country for (country,) in connection.execute(_COUNTRY_DATA, values)]
    if countries:
        yield f"the data of {at_most(countries)}"
    if known and len(known) < len(groups):
        yield "inputs that were not recorded"


def _sources(
    connection: sqlite3.Connection,
    groups: Sequence[dict[str, Any]],
    input_sets: Mapping[int, Mapping[str, Any]],
) -> Iterator[Source]:
    """Where results are from: a source for each scenario and set of inputs."""
    commits = dict(connection.execute("SELECT run_id, git_commit FROM validation_runs"))
    for group in groups:
        yield Source(
            scenario=group["scenario"],
            combinations=group["successes"],
            runs=(group["first_run"], group["last_run"]),
            git_commit=commits.get(group["last_run"], "unknown"),
            is_current=input_sets.get(group["input_set_id"], {}).get("is_current", False),
        )
