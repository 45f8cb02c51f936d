"""Runs, jobs and what planning needs, read on read-only connections."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Full, LifoQueue
from typing import Any

from ingest.database.files import open_for_reading
from ingest.database.records import (
    CUT_OFF,
    HAS_FAILED,
    INCOMPLETE,
    IS_OPEN,
    CutOffJob,
    OpenRun,
    RunRecord,
    RunStatus,
)
from ingest.database.rows import first_value, read_dicts
from ingest.database.views import NEWEST_SUCCESSES
from ingest.metrics import Metric, ResultSet
from ingest.planning.code_history import FileLookup, no_file
from ingest.planning.inputs import ContentLookup, Inputs, InputSet
from ingest.planning.plan import (
    EarlierLookup,
    StoredFailure,
    StoredState,
    StoredSuccess,
    UnfinishedJob,
)
from ingest.study.combination import Combination
from ingest.study.lists import KEYS, Rows
from ingest.text.causes import cause_of

Row = Mapping[str, Any]


class ReadConnections:
    """A small pool of read-only connections to one database, for any number of threads."""

    def __init__(self, path: Path, size: int = 4) -> None:
        self._path = path
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue(size)

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Borrow a connection; afterwards it goes back, or is closed when the pool is full."""
        try:
            connection = self._idle.get_nowait()
        except Empty:
            connection = open_for_reading(self._path)
            connection.row_factory = sqlite3.Row
        try:
            yield connection
        finally:
            try:
                self._idle.put_nowait(connection)
            except Full:
                connection.close()

    def close(self) -> None:
        """Close all idle connections."""
        while not self._idle.empty():
            self._idle.get_nowait().close()


def read_stored_state(
    connection: sqlite3.Connection,
    content: ContentLookup,
    earlier: EarlierLookup,
    file: FileLookup = no_file,
) -> StoredState:
    """What planning needs: newest success, newest failure and unfinished job of combinations.

    content, file: look up an input or a file that was kept; earlier: a success with the same
    inputs; all for as long as the state is used.
    """
    input_sets = _read_input_sets(connection)
    return StoredState(
        successes=_read_successes(connection, input_sets),
        failures=_read_failures(connection),
        unfinished=_read_unfinished(connection),
        content=content,
        earlier=earlier,
        file=file,
    )


def find_success(
    connection: sqlite3.Connection, combination: Combination, inputs: Inputs
) -> int | None:
    """The newest run in which a combination succeeded with such inputs, None without one.

    A model document that differed by what is no input alone is the same input.
    """
    found: int | None = first_value(
        connection,
        """SELECT run_id FROM job_results AS job
            WHERE country = ? AND scenario = ? AND job_status = 'success'
              AND result_set_id IS NOT NULL
              AND (input_digest = ?
                   OR coalesce(country_data_digest, '') = ? AND EXISTS (
                      SELECT 1 FROM input_sets AS s JOIN model_versions AS v
                                 ON v.model_version_id = s.model_version_id
                       WHERE s.input_set_id = job.input_set_id AND s.scenario_digest = ?
                         AND (v.model_digest, v.code_digest, v.environment, v.query_digest)
                             = (?, ?, ?, ?)))
            ORDER BY run_id DESC LIMIT 1""",
        *combination,
        inputs.digest,
        inputs.country_data_digest,
        inputs.shared.scenario_digest,
        *inputs.shared.model_version,
    )
    return found


def _read_input_sets(connection: sqlite3.Connection) -> dict[int, InputSet]:
    rows = connection.execute(
        """SELECT s.input_set_id, s.scenario, s.model_digest, s.scenario_digest, s.code_digest,
                  s.environment, s.query_digest,
                  coalesce(nullif(v.model_digest, s.model_digest), '')
             FROM input_sets AS s LEFT JOIN model_versions AS v USING (model_version_id)"""
    )
    return {set_id: InputSet(*rest) for set_id, *rest in rows}


def read_run_inputs(connection: sqlite3.Connection) -> list[InputSet]:
    """The inputs that the study had at the newest run that kept them, one a scenario."""
    input_sets = _read_input_sets(connection)
    rows = connection.execute(
        """SELECT input_set_id FROM run_inputs
            WHERE run_id = (SELECT max(run_id) FROM run_inputs)"""
    )
    return [input_sets[set_id] for (set_id,) in rows]


def _read_successes(
    connection: sqlite3.Connection, input_sets: Mapping[int, InputSet]
) -> dict[Combination, StoredSuccess]:
    rows = connection.execute(
        f"""SELECT country, scenario, run_id, result_set_id IS NOT NULL, input_set_id,
                  document_digest, coalesce(country_data_digest, '')
             FROM ({NEWEST_SUCCESSES})"""
    )
    runs = {
        run_id: told
        for run_id, *told in connection.execute(
            "SELECT run_id, git_commit, analytics_source FROM validation_runs"
        )
    }
    successes = {}
    for country, scenario, run_id, has_metrics, set_id, document, data in rows:
        inputs = Inputs(input_sets[set_id], document, data) if set_id and document else None
        commit, source = runs[run_id]
        success = StoredSuccess(run_id, commit, bool(has_metrics), inputs, source)
        successes[Combination(country, scenario)] = success
    return successes


def _read_failures(connection: sqlite3.Connection) -> dict[Combination, StoredFailure]:
    rows = connection.execute(
        """SELECT country, scenario, run_id, job_status FROM job_results AS job
            WHERE job_status IN ('failed', 'timeout', 'cancelled') AND NOT EXISTS (
                SELECT 1 FROM job_results AS newer
                 WHERE newer.country = job.country AND newer.scenario = job.scenario
                   AND newer.run_id > job.run_id)"""
    )
    return {
        Combination(country, scenario): StoredFailure(run_id, status)
        for country, scenario, run_id, status in rows
    }


def _read_unfinished(connection: sqlite3.Connection) -> dict[Combination, UnfinishedJob]:
    rows = connection.execute(
        f"""SELECT country, scenario, run_id, input_digest FROM job_results
            WHERE {IS_OPEN} ORDER BY run_id"""
    )
    return {
        Combination(country, scenario): UnfinishedJob(run_id, digest)
        for country, scenario, run_id, digest in rows
    }


def read_input(connection: sqlite3.Connection, digest: str) -> Any:
    """Parsed content of an input that was kept, None otherwise."""
    row = connection.execute("SELECT content FROM inputs WHERE digest = ?", [digest]).fetchone()
    return json.loads(row[0]) if row else None


def read_lists(connection: sqlite3.Connection, run_id: int | None = None) -> dict[str, Rows]:
    """What the study consisted of and called things as of a run, by kind; without one: as of now.

    Empty where no run by then kept it.
    """
    columns = ", ".join(f"{kind}_digest" for kind in KEYS)
    row = connection.execute(
        f"""SELECT {columns} FROM validation_runs
             WHERE countries_digest IS NOT NULL AND (?1 IS NULL OR run_id <= ?1)
             ORDER BY run_id DESC LIMIT 1""",
        [run_id],
    ).fetchone()
    return {kind: read_input(connection, row[n]) for n, kind in enumerate(KEYS)} if row else {}


def read_open_run(connection: sqlite3.Connection) -> OpenRun | None:
    """The newest run, when it was cut off before all its jobs had ended."""
    row = connection.execute(
        """SELECT run_id, status, timestamp, git_commit, git_branch, dirty_files, study, executor,
                  ingest_version, up_to_date_jobs
             FROM validation_runs ORDER BY run_id DESC LIMIT 1"""
    ).fetchone()
    if row is None or row[1] not in (RunStatus.RUNNING, RunStatus.INTERRUPTED):
        return None
    run_id, status, timestamp, commit, branch, dirty, *rest = row
    record = RunRecord(timestamp, commit, branch or "", tuple(json.loads(dirty or "[]")), *rest)
    unfinished, finished = {}, set()
    for country, scenario, digest, is_open in connection.execute(
        f"SELECT country, scenario, input_digest, {IS_OPEN} FROM job_results WHERE run_id = ?",
        [run_id],
    ):
        if is_open:
            unfinished[Combination(country, scenario)] = digest
        else:
            finished.add(Combination(country, scenario))
    return OpenRun(run_id, RunStatus(status), record, unfinished, frozenset(finished))


def read_cut_off_jobs(
    connection: sqlite3.Connection, executor: str, input_digests: Mapping[Combination, str]
) -> dict[Combination, CutOffJob]:
    """Jobs of runs by this executor that were cut off, for the same inputs; the newest of each."""
    found = {}
    for country, scenario, digest, *rest in connection.execute(
        f"""SELECT country, scenario, input_digest, ulid, job_name, external_id, submitted_at,
                  attempts, run_id, journal_id
             FROM job_results JOIN validation_runs USING (run_id)
            WHERE executor = ?
              AND ({IS_OPEN} OR (job_status = 'cancelled' AND error_kind = ?))
            ORDER BY run_id""",
        [executor, CUT_OFF],
    ):
        combination = Combination(country, scenario)
        if input_digests.get(combination) == digest:
            found[combination] = CutOffJob(combination, *rest)
    return found


def read_unanswered(connection: sqlite3.Connection, executor: str) -> set[str]:
    """The ULIDs of jobs that a later run by this executor may adopt and that have no id yet."""
    rows = connection.execute(
        f"""SELECT ulid FROM job_results JOIN validation_runs USING (run_id)
            WHERE executor = ? AND external_id IS NULL
              AND ({IS_OPEN} OR (job_status = 'cancelled' AND error_kind = ?))""",
        [executor, CUT_OFF],
    )
    return {ulid for (ulid,) in rows}


def read_job_names(connection: sqlite3.Connection) -> Iterator[tuple[str, int, Combination]]:
    """Each ULID and backend id with the run and the combination of its job, newest run last."""
    for column in ("ulid", "external_id"):
        for name, run_id, *combination in connection.execute(
            f"""SELECT {column}, run_id, country, scenario FROM job_results
                 WHERE {column} IS NOT NULL ORDER BY run_id"""
        ):
            yield name, run_id, Combination(*combination)


def read_labels_as_of(
    connection: sqlite3.Connection, run_id: int
) -> Iterator[tuple[Combination, int | None, ResultSet, int | None]]:
    """The whole results of a run, and of earlier ones with its model, by their last values alone.

    Gives combination, end year, the last value of each label (seeks, not a scan), and the run, None
    for one of another executor. Of earlier runs, combinations whose newest job is a success.
    """
    found: dict[tuple[Combination, int | None, int | None], list[Metric]] = {}
    for country, scenario, end_year, of_run, label, last_year in connection.execute(
        """WITH newest AS MATERIALIZED (
               SELECT country, scenario, max(run_id) AS run_id FROM job_results
                WHERE run_id <= ?1 GROUP BY country, scenario
           ),
           versions AS MATERIALIZED (
               SELECT DISTINCT model_version_id FROM input_sets WHERE input_set_id IN (
                   SELECT input_set_id FROM job_results WHERE run_id = ?1)
           )
           SELECT j.country, j.scenario, j.end_year, CASE WHEN run.executor IS (
                      SELECT executor FROM validation_runs WHERE run_id = ?1)
                  THEN j.run_id END, e.element_label,
                  (SELECT max(timestamp_year) FROM metric_values AS m
                    WHERE m.result_set_id = j.result_set_id AND m.element_id = e.element_id) AS last
             FROM newest CROSS JOIN job_results AS j USING (run_id, country, scenario)
             JOIN validation_runs AS run USING (run_id)
             LEFT JOIN input_sets AS s ON s.input_set_id = j.input_set_id
            CROSS JOIN elements AS e
            WHERE (j.run_id = ?1 OR s.model_version_id IN versions)
              AND j.job_status = 'success' AND j.error_kind IS NOT 'incomplete'
              AND j.result_set_id IS NOT NULL AND last IS NOT NULL
            ORDER BY 1, 2, 5""",
        [run_id],
    ):
        job = (Combination(country, scenario), end_year, of_run)
        found.setdefault(job, []).append(Metric(label, last_year, 0.0))
    for (combination, end_year, of_run), metrics in found.items():
        yield combination, end_year, ResultSet(metrics), of_run


def read_runs(
    connection: sqlite3.Connection,
    limit: int = 10,
    *,
    before: int | None = None,
    more: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The newest runs, or those before one, newest first; duration_s is None until a run ends.

    more: further columns of validation_runs, as SQL.
    """
    condition, values = ("1", ()) if before is None else ("run_id < ?", (before,))
    rest = f"{condition} ORDER BY run_id DESC LIMIT ?"
    return _read_runs(connection, rest, *values, limit, more=more)


def read_run(
    connection: sqlite3.Connection, run_id: int, more: Sequence[str] = ()
) -> dict[str, Any] | None:
    """One run with the fields of read_runs(), None where there is none of that id."""
    return next(iter(_read_runs(connection, "run_id = ?", run_id, more=more)), None)


def _read_runs(
    connection: sqlite3.Connection, condition: str, *values: int, more: Sequence[str]
) -> list[dict[str, Any]]:
    columns = ", ".join(
        (
            "run_id, timestamp, finished_at, git_commit, dirty_files, git_problem, status",
            "executor, study, model_path",
            "total_jobs, successful_jobs, failed_jobs, up_to_date_jobs",
            "(julianday(finished_at) - julianday(timestamp)) * 86400 AS duration_s",
            *more,
        )
    )
    query = f"SELECT {columns} FROM validation_runs WHERE {condition}"
    runs = read_dicts(connection, query, *values)
    for run in runs:
        run["dirty_files"] = json.loads(run["dirty_files"] or "[]")
    return runs


def read_study_name(connection: sqlite3.Connection, run_id: int | None = None) -> str:
    """The study of a run, of the newest where none is given; empty where none was recorded."""
    condition = "ORDER BY run_id DESC LIMIT 1" if run_id is None else "WHERE run_id = ?"
    values = () if run_id is None else (run_id,)
    name = first_value(connection, f"SELECT study FROM validation_runs {condition}", *values)
    return str(name or "")


def read_jobs(
    connection: sqlite3.Connection, run_id: int, *, only_failed: bool = False
) -> list[dict[str, Any]]:
    """The jobs of one run, sorted by scenario and country."""
    condition = f"AND {HAS_FAILED}" if only_failed else ""
    return read_dicts(
        connection,
        f"""SELECT country, scenario, ulid, job_status, submitted_at, completed_at, attempts,
                   duration_s, reason, error_kind, error, notes, input_digest, result_set_id
              FROM job_results WHERE run_id = ? {condition} ORDER BY scenario, country""",
        run_id,
    )


def read_failure_causes(connection: sqlite3.Connection, run_id: int) -> list[dict[str, Any]]:
    """The groups of read_failures(): error_kind, error and the names of the jobs."""
    return _as_causes(read_failures(connection, run_id))


def _as_causes(
    groups: Iterable[tuple[tuple[str, str], list[Combination]]],
) -> list[dict[str, Any]]:
    return [
        {"error_kind": kind, "error": message, "jobs": list(map(str, jobs))}
        for (kind, message), jobs in groups
    ]


def read_incomplete_causes(connection: sqlite3.Connection, run_id: int) -> list[dict[str, Any]]:
    """Jobs whose results are kept though they lack something, in groups as failures are."""
    jobs = [job for job in read_jobs(connection, run_id) if _is_incomplete(job)]
    return _as_causes(_group(jobs))


def _is_incomplete(job: Mapping[str, Any]) -> bool:
    return bool(job["job_status"] == "success" and job["error_kind"] == INCOMPLETE)


def count_incomplete(connection: sqlite3.Connection) -> int:
    """How many results of the state as of now lack years or labels."""
    query = "SELECT count(*) FROM latest_results WHERE error_kind = ?"
    return int(first_value(connection, query, INCOMPLETE))


def read_failures(
    connection: sqlite3.Connection, run_id: int
) -> list[tuple[tuple[str, str], list[Combination]]]:
    """Failed jobs of a run by cause, the largest group first: kind and first line of its first job.

    What names one job in a message does not make a cause of its own.
    """
    return _group(read_jobs(connection, run_id, only_failed=True))


def _group(jobs: Iterable[Mapping[str, Any]]) -> list[tuple[tuple[str, str], list[Combination]]]:
    groups: dict[tuple[str, str], tuple[str, list[Combination]]] = {}
    for job in jobs:
        kind, message = job["error_kind"] or job["job_status"], job["error"] or ""
        line = message.partition("\n")[0]
        combination = Combination(job["country"], job["scenario"])
        cause = kind, cause_of(line, [*combination, job["ulid"] or ""])
        groups.setdefault(cause, (line, []))[1].append(combination)
    found = [((kind, line), jobs) for (kind, _), (line, jobs) in groups.items()]
    return sorted(found, key=lambda group: -len(group[1]))


def read_result_set(connection: sqlite3.Connection, result_set_id: int) -> ResultSet:
    """A stored result set, as it was when it was stored."""
    rows = connection.execute(
        """SELECT e.element_label, m.timestamp_year, m.value
             FROM metric_values AS m JOIN elements AS e ON e.element_id = m.element_id
            WHERE m.result_set_id = ? ORDER BY 1, 2""",
        [result_set_id],
    )
    return ResultSet([Metric(*row) for row in rows])
