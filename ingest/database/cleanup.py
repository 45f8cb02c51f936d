"""Removing old runs, their jobs, and everything that nothing refers to any more.

Every job in the state as of a run that stays is kept, and so is the newest job of each
combination. So the newest success of every combination stays, differences between the runs that
stay do not change, and the next plan is unchanged.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ingest.database.changes import RECOUNT
from ingest.database.connection import Database
from ingest.database.records import IS_OPEN
from ingest.errors import DatabaseError
from ingest.text.numbers import count_text


@dataclass(frozen=True)
class CleanupRule:
    """Which runs may go: those beyond the newest `keep` and begun before `before` (UTC, ISO 8601).

    Both where both are given; no run where neither is. retired: also every job of a country or
    scenario that is no longer in the study, but for those that a tagged run may show. run: this
    run with all of its jobs; see refuse_needed_run.
    """

    keep: int | None = None
    before: str | None = None
    retired: bool = False
    run: int | None = None


@dataclass(frozen=True)
class Cleanup:
    """What a clean-up removes.

    runs: gone altogether. trimmed_runs: lose jobs, but keep those that are still needed. values:
    numbers in the result sets that go. size_bytes: about how much space that takes.
    """

    runs: tuple[int, ...]
    trimmed_runs: tuple[int, ...]
    jobs: int
    result_sets: int
    values: int
    elements: int
    input_sets: int
    inputs: int
    files: int
    series_changes: int
    quality_findings: int
    size_bytes: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not any(vars(self).values())


@dataclass(frozen=True)
class Pinned:
    """Runs that a rule would choose but that stay whole: tagged, in progress, or the newest."""

    tagged: tuple[int, ...]
    open: tuple[int, ...]


def plan_cleanup(connection: sqlite3.Connection, rule: CleanupRule) -> Cleanup:
    """What a rule would remove; changes nothing and works on read-only connections."""
    _choose(connection, rule)
    return _count(connection)


def clean_up(db: Database, rule: CleanupRule) -> Cleanup:
    """Remove what a rule chooses, in one transaction; gives what was removed."""
    connection = db.conn
    # Enforcing would scan a table for each row removed; all is checked at once before the commit.
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        with db.atomic():
            _choose(connection, rule)
            removed = _count(connection)
            for statement in _DELETIONS:
                connection.execute(statement)
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
            if broken is not None:
                raise DatabaseError(
                    f"a row of {broken[0]} refers to {broken[2]} that would be removed; "
                    "nothing was changed"
                )
    finally:
        connection.execute("PRAGMA foreign_keys = ON")
    return removed


def give_space_back(db: Database) -> bool:
    """Shrink the file to what it holds, if it has unused pages; readers may go on meanwhile.

    False where a reader that does not end keeps the file from shrinking; the next call does it.
    """
    if db.conn.execute("PRAGMA freelist_count").fetchone()[0] == 0:
        return True
    # with a reader at work, the log would grow by the whole file, and the file would not shrink
    if not db.fold_log():
        return False
    db.conn.execute("VACUUM")
    return db.fold_log()


def refuse_needed_run(connection: sqlite3.Connection, run_id: int) -> None:
    """Raise DatabaseError where something depends on a run, so that it is not removed by itself."""
    tag = connection.execute(
        "SELECT tag, run_id FROM run_tags WHERE run_id >= ? ORDER BY run_id LIMIT 1", [run_id]
    ).fetchone()
    if tag is not None:
        raise DatabaseError(
            f"run {run_id} stays: the tag {tag[0]} of run {tag[1]} keeps what was true by then. "
            f"Take it away with: ingest tag --delete {tag[0]}"
        )
    is_open = f"""SELECT 1 FROM validation_runs WHERE run_id = :run AND status = 'running'
                   UNION SELECT 1 FROM job_results WHERE run_id = :run AND {IS_OPEN}"""
    if connection.execute(is_open, {"run": run_id}).fetchone():
        raise DatabaseError(f"run {run_id} has not ended: resume it with: ingest run")
    shown = connection.execute(_SHOWN_RESULTS, {"run": run_id}).fetchone()[0]
    if shown:
        raise DatabaseError(
            f"run {run_id} stays: {count_text(shown, 'result')} of it are in the state as of later "
            "runs, or the newest there are. Old runs that are not needed: ingest gc --keep N"
        )


# Results of a run of this program that the next run did not replace. Imported ones may always go.
_SHOWN_RESULTS = """
SELECT count(*) FROM job_results AS j JOIN validation_runs AS r USING (run_id)
 WHERE run_id = :run AND job_status = 'success' AND r.executor IS NOT 'import'
   AND NOT EXISTS (SELECT 1 FROM job_results AS n
                    WHERE n.country = j.country AND n.scenario = j.scenario
                      AND n.job_status = 'success'
                      AND n.run_id = (SELECT min(run_id) FROM validation_runs
                                       WHERE run_id > :run))
"""


def read_pinned(connection: sqlite3.Connection) -> Pinned:
    """The runs that no rule removes."""
    tagged = connection.execute("SELECT DISTINCT run_id FROM run_tags ORDER BY run_id")
    ids = tuple(row[0] for row in tagged)
    return Pinned(ids, tuple(row[0] for row in connection.execute(_OPEN_RUNS)))


# A run in progress, or one that was cut off and whose jobs can still be adopted.
_OPEN_RUNS = f"""
SELECT run_id FROM validation_runs WHERE status = 'running'
 UNION SELECT run_id FROM job_results WHERE {IS_OPEN}
 UNION SELECT max(run_id) FROM validation_runs HAVING max(run_id) IS NOT NULL
"""

_CHOICES = {
    "gc_runs": f"""
        SELECT run_id FROM validation_runs AS r
         WHERE (:keep IS NOT NULL OR :before IS NOT NULL)
           AND (:keep IS NULL OR (SELECT count(*) FROM validation_runs AS newer
                                   WHERE newer.run_id > r.run_id) >= :keep)
           AND (:before IS NULL OR r.timestamp < :before)
           AND run_id NOT IN (SELECT run_id FROM run_tags)
           AND run_id NOT IN ({_OPEN_RUNS})
         UNION SELECT run_id FROM validation_runs WHERE run_id = :run""",
    # a run that stays sees a success until the next success of the same combination
    "gc_jobs": """
        SELECT j.run_id, j.country, j.scenario FROM job_results AS j
         WHERE j.run_id IN (SELECT run_id FROM gc_runs)
           AND j.run_id < (SELECT max(n.run_id) FROM job_results AS n
                            WHERE n.country = j.country AND n.scenario = j.scenario)
           AND (j.job_status <> 'success' OR NOT EXISTS (
               SELECT 1 FROM validation_runs AS r
                WHERE r.run_id > j.run_id AND r.run_id NOT IN (SELECT run_id FROM gc_runs)
                  AND r.run_id < coalesce(
                      (SELECT min(n.run_id) FROM job_results AS n
                        WHERE n.country = j.country AND n.scenario = j.scenario
                          AND n.run_id > j.run_id AND n.job_status = 'success'),
                      r.run_id + 1)))
         UNION
        SELECT run_id, country, scenario FROM job_results WHERE run_id = :run
         UNION
        SELECT run_id, country, scenario FROM job_results
         WHERE :retired AND run_id > (SELECT coalesce(max(run_id), 0) FROM run_tags)
           AND (country NOT IN present_countries OR scenario NOT IN present_scenarios)
           AND run_id NOT IN (SELECT run_id FROM validation_runs WHERE status = 'running')""",
    "gc_kept_jobs": """
        SELECT run_id, country, scenario, result_set_id, input_set_id, country_data_digest
          FROM job_results AS j
         WHERE NOT EXISTS (SELECT 1 FROM gc_jobs AS g WHERE g.run_id = j.run_id
                              AND g.country = j.country AND g.scenario = j.scenario)""",
    "gc_empty_runs": """
        SELECT run_id FROM gc_runs WHERE run_id NOT IN (SELECT run_id FROM gc_kept_jobs)""",
    "gc_result_sets": """
        SELECT result_set_id, row_count FROM result_sets WHERE result_set_id NOT IN
            (SELECT result_set_id FROM gc_kept_jobs WHERE result_set_id IS NOT NULL)""",
    "gc_elements": """
        SELECT element_id FROM elements WHERE NOT EXISTS (
            SELECT 1 FROM result_sets AS s JOIN metric_values AS v
                ON v.result_set_id = s.result_set_id AND v.element_id = elements.element_id
             WHERE s.result_set_id NOT IN (SELECT result_set_id FROM gc_result_sets))""",
    "gc_input_sets": """
        SELECT input_set_id FROM input_sets WHERE input_set_id NOT IN
            (SELECT input_set_id FROM gc_kept_jobs WHERE input_set_id IS NOT NULL
              UNION SELECT input_set_id FROM run_inputs
                     WHERE run_id NOT IN (SELECT run_id FROM gc_empty_runs))""",
    "gc_inputs": """
        WITH kept AS (SELECT * FROM input_sets
                       WHERE input_set_id NOT IN (SELECT input_set_id FROM gc_input_sets))
        SELECT digest, length(content) AS size FROM inputs WHERE digest NOT IN (
            SELECT model_digest FROM kept UNION SELECT scenario_digest FROM kept
             UNION SELECT code_digest FROM kept UNION SELECT query_digest FROM kept
             UNION SELECT country_data_digest FROM gc_kept_jobs
                    WHERE country_data_digest IS NOT NULL
             UNION SELECT value FROM validation_runs AS run,
                   json_each(json_array(countries_digest, scenarios_digest, labels_digest))
                    WHERE value IS NOT NULL
                      AND run.run_id NOT IN (SELECT run_id FROM gc_empty_runs))""",
    "gc_files": """
        SELECT digest, coalesce(length(content), 0) AS size FROM file_contents
         WHERE digest NOT IN (
            SELECT part.value FROM inputs, json_each(inputs.content) AS part
             WHERE inputs.kind = 'code' AND inputs.digest NOT IN (SELECT digest FROM gc_inputs))""",
}

_OF_GONE_JOBS = """
    (run_id, country, scenario) IN (SELECT run_id, country, scenario FROM gc_jobs)
    OR run_id IN (SELECT run_id FROM gc_empty_runs)"""

_DELETIONS = (
    f"DELETE FROM series_changes WHERE {_OF_GONE_JOBS}",
    f"{RECOUNT} WHERE run_id IN (SELECT run_id FROM gc_jobs)",
    f"DELETE FROM quality_findings WHERE {_OF_GONE_JOBS}",
    """DELETE FROM job_results
        WHERE (run_id, country, scenario) IN (SELECT run_id, country, scenario FROM gc_jobs)""",
    "DELETE FROM run_inputs WHERE run_id IN (SELECT run_id FROM gc_empty_runs)",
    "DELETE FROM validation_runs WHERE run_id IN (SELECT run_id FROM gc_empty_runs)",
    """DELETE FROM metric_values
        WHERE result_set_id IN (SELECT result_set_id FROM gc_result_sets)""",
    "DELETE FROM result_sets WHERE result_set_id IN (SELECT result_set_id FROM gc_result_sets)",
    "DELETE FROM elements WHERE element_id IN (SELECT element_id FROM gc_elements)",
    "DELETE FROM input_sets WHERE input_set_id IN (SELECT input_set_id FROM gc_input_sets)",
    """DELETE FROM model_versions
        WHERE model_version_id NOT IN (SELECT model_version_id FROM input_sets)""",
    "DELETE FROM inputs WHERE digest IN (SELECT digest FROM gc_inputs)",
    "DELETE FROM file_contents WHERE digest IN (SELECT digest FROM gc_files)",
)

_COUNTS = {
    "jobs": "SELECT count(*) FROM gc_jobs",
    "result_sets": "SELECT count(*) FROM gc_result_sets",
    "values": "SELECT coalesce(sum(row_count), 0) FROM gc_result_sets",
    "elements": "SELECT count(*) FROM gc_elements",
    "input_sets": "SELECT count(*) FROM gc_input_sets",
    "inputs": "SELECT count(*) FROM gc_inputs",
    "files": "SELECT count(*) FROM gc_files",
    "series_changes": f"SELECT count(*) FROM series_changes WHERE {_OF_GONE_JOBS}",
    "quality_findings": f"SELECT count(*) FROM quality_findings WHERE {_OF_GONE_JOBS}",
}

# Bytes a row with its indexes: rough, for the size that is shown before anything is removed.
_ROW_BYTES = {"jobs": 700, "values": 24, "series_changes": 330, "quality_findings": 250}


def _choose(connection: sqlite3.Connection, rule: CleanupRule) -> None:
    """Temporary tables with the keys of all that a rule removes."""
    for table, query in _CHOICES.items():
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute(f"CREATE TEMP TABLE {table} AS {query}", vars(rule))
        if table in _INDEXED:
            columns = ", ".join(_INDEXED[table])
            connection.execute(f"CREATE INDEX temp.{table}_key ON {table} ({columns})")


_INDEXED = {"gc_jobs": ("run_id", "country", "scenario"), "gc_kept_jobs": ("run_id",)}


def _count(connection: sqlite3.Connection) -> Cleanup:
    numbers = {name: int(connection.execute(sql).fetchone()[0]) for name, sql in _COUNTS.items()}
    sizes = "SELECT size FROM gc_inputs UNION ALL SELECT size FROM gc_files"
    contents = connection.execute(f"SELECT coalesce(sum(size), 0) FROM ({sizes})").fetchone()[0]
    size = int(contents) + sum(numbers[name] * bytes_ for name, bytes_ in _ROW_BYTES.items())
    trimmed = """SELECT DISTINCT run_id FROM gc_jobs
                  WHERE run_id NOT IN (SELECT run_id FROM gc_empty_runs) ORDER BY run_id"""
    return Cleanup(
        runs=_ids(connection, "SELECT run_id FROM gc_empty_runs ORDER BY run_id"),
        trimmed_runs=_ids(connection, trimmed),
        size_bytes=size,
        **numbers,
    )


def _ids(connection: sqlite3.Connection, query: str) -> tuple[int, ...]:
    return tuple(row[0] for row in connection.execute(query))
