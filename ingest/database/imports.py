"""Imports jobs that other tools recorded: each is stored once, recognised by its ULID."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ingest import __version__
from ingest.database.connection import Database
from ingest.database.records import JobColumns, JobStatus, RunStatus, notes_text
from ingest.database.rows import first_value, insert_row, read_dicts, update_job
from ingest.database.write import insert_result_set, keep_study, set_run_status
from ingest.errors import ConfigError
from ingest.metrics import ResultSet
from ingest.study.combination import Combination
from ingest.study.country import Country
from ingest.study.json_files import sha256_text
from ingest.study.label import Label
from ingest.study.scenario import Scenario
from ingest.text.numbers import at_most, count_text

EXECUTOR = "import"
"""The executor of imported runs."""
UNKNOWN_COMMIT = "unknown"
END_NOT_RECORDED = "end not recorded"
"""The error_kind of a job that was still on its way when it was recorded."""


@dataclass(frozen=True)
class ImportedJob(JobColumns):
    """One recorded job; times are the texts that were recorded.

    ulid: 26 characters, or where has_ulid is False the text that was found in its place.
    """

    OTHERS = frozenset({"has_ulid", "origin"})

    combination: Combination
    ulid: str
    job_status: JobStatus
    submitted_at: str | None = None
    completed_at: str | None = None
    job_name: str | None = None
    error_kind: str | None = None
    error: str | None = None
    has_ulid: bool = True
    origin: str | None = None
    """Where this job was recorded, if that is not where its run was."""


@dataclass(frozen=True)
class ImportedRun:
    """Recorded jobs that belong together; equal digests mean the same run, grown or not.

    origin: words for where it was recorded, recorded_id: its number there. status: what was
    recorded, for a run without jobs.
    """

    digest: str
    origin: str
    timestamp: str
    git_commit: str
    status: RunStatus
    jobs: Sequence[ImportedJob]
    recorded_id: int | None = None
    finished_at: str | None = None


MetricsOf = Callable[[ImportedRun, ImportedJob], ResultSet | None]


@dataclass(frozen=True)
class StudyNames:
    """Names in the study at hand, which a file does not have; kept with what is imported."""

    study: str | None = None
    countries: tuple[Country, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    labels: tuple[Label, ...] = ()


@dataclass
class ImportReport:
    """What an import did. added and grown: how many jobs came into runs, by the runs' ids here.

    known: jobs that were there. completed: those of them that lacked something that the file has.
    shadowing: how many added runs began before the newest run that was there. filled: runs that
    were there and whose jobs got results.
    """

    added: dict[int, int] = field(default_factory=dict)
    grown: dict[int, int] = field(default_factory=dict)
    known: int = 0
    completed: int = 0
    without_metrics: int = 0
    new_result_sets: int = 0
    shadowing: int = 0
    filled: set[int] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)

    @property
    def has_changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.added or self.grown or self.completed)

    @property
    def touched(self) -> set[int]:
        """The runs whose results are new."""
        return self.filled | self.added.keys() | self.grown.keys()

    @property
    def new_jobs(self) -> int:
        """How many jobs came in."""
        return sum(self.added.values()) + sum(self.grown.values())


def import_jobs(
    db: Database,
    runs: Iterable[ImportedRun],
    metrics: MetricsOf,
    names: StudyNames,
) -> ImportReport:
    """Add what is new of recorded runs, all or nothing."""
    with db.atomic():
        report = JobImporter(db, metrics, names.study).add(runs)
        if report.has_changed:
            keep_study(db, names.countries, names.scenarios, names.labels)
        return report


@dataclass(frozen=True)
class _Place:
    """Where a known job is."""

    run_id: int
    combination: Combination


class JobImporter:
    """One import; the caller holds the transaction."""

    def __init__(self, db: Database, metrics: MetricsOf, study: str | None) -> None:
        self._db, self._metrics, self._study = db, metrics, study
        self._report = ImportReport()
        self._over_own: list[str] = []
        self._newest = self._value("SELECT max(timestamp) FROM validation_runs") or ""
        self._places: dict[str, _Place] = {}
        self._places_in_run: dict[tuple[int, str, Combination], _Place] = {}
        for ulid, run_id, *combination in db.conn.execute(
            "SELECT ulid, run_id, country, scenario FROM job_results"
        ):
            self._remember(ulid, _Place(run_id, Combination(*combination)))

    def add(self, runs: Iterable[ImportedRun]) -> ImportReport:
        """Add what is new of runs; gives what was done.

        Raises ConfigError where a job would take the place of a result that ingest computed.
        """
        for run in runs:
            self._add_run(run)
        if self._over_own:
            raise ConfigError(
                f"the model has results of {count_text(len(self._over_own), 'combination')} "
                f"already, and imported jobs never take their place: {at_most(self._over_own)}. "
                "Import into a database of its own with --database FILE, or keep the numbers "
                "beside these with --as-study NAME; nothing was changed"
            )
        return self._report

    def _remember(self, ulid: str, place: _Place) -> None:
        self._places[ulid] = place
        self._places_in_run[place.run_id, ulid, place.combination] = place

    def _add_run(self, run: ImportedRun) -> None:
        target = self._value("SELECT run_id FROM validation_runs WHERE source = ?", run.digest)
        places = [(job, self._find(job, target)) for job in run.jobs]
        known = [(job, place) for job, place in places if place is not None]
        if target is None:
            target = self._same_run(run, {place.run_id for _, place in known})
        for job, place in known:
            self._complete(run, job, place)
        new = [job for job, place in places if place is None and not self._contradicts(job)]
        for job in new:
            if (own := self._own_run(job.combination)) is not None:
                self._over_own.append(f"{job.combination} (run {own})")
        if new or not run.jobs:
            self._add_jobs(run, target, new)

    def _own_run(self, combination: Combination) -> int | None:
        """The newest run of this program that has a result of a combination."""
        query = """SELECT max(run_id) FROM job_results JOIN validation_runs USING (run_id)
                    WHERE country = ? AND scenario = ? AND result_set_id IS NOT NULL
                      AND executor <> ?"""
        found: int | None = self._value(query, *combination, EXECUTOR)
        return found

    def _find(self, job: ImportedJob, target: int | None) -> _Place | None:
        """Where a job is already; one without a ULID is recognised only within its run."""
        if not job.has_ulid:
            return self._places_in_run.get((target or 0, job.ulid, job.combination))
        place = self._places.get(job.ulid)
        return place if place and place.combination == job.combination else None

    def _contradicts(self, job: ImportedJob) -> bool:
        """Whether a job's ULID belongs to another combination here; warns, the job is left out."""
        place = self._places.get(job.ulid) if job.has_ulid else None
        if place is None or place.combination == job.combination:
            return False
        self._report.warnings.append(
            f"{job.combination} was left out: its ULID {job.ulid} is that of "
            f"{place.combination} in run {place.run_id}"
        )
        return True

    def _same_run(self, run: ImportedRun, run_ids: set[int]) -> int | None:
        """The run here that was made of a list of this run's jobs; it gets the run's own facts."""
        if run.git_commit == UNKNOWN_COMMIT or len(run_ids) != 1:
            return None
        (run_id,) = run_ids
        cursor = self._db.conn.execute(
            """UPDATE validation_runs SET git_commit = ?, timestamp = ?, source = ?
               WHERE run_id = ? AND git_commit = ? AND executor = ?""",
            [run.git_commit, run.timestamp, run.digest, run_id, UNKNOWN_COMMIT, EXECUTOR],
        )
        return run_id if cursor.rowcount else None

    def _complete(self, run: ImportedRun, job: ImportedJob, place: _Place) -> None:
        """Fill in what a known job lacks; a job that ingest ran itself stays as it is."""
        self._report.known += 1
        there = read_dicts(
            self._db.conn,
            """SELECT job_name, submitted_at, completed_at, job_status, error_kind, result_set_id
                 FROM job_results JOIN validation_runs USING (run_id)
                WHERE run_id = ? AND country = ? AND scenario = ? AND executor = ?""",
            place.run_id, *place.combination, EXECUTOR,
        )  # fmt: skip
        facts = self._missing_facts(run, job, there[0]) if there else {}
        if facts:
            self._report.completed += 1
            self._report.filled.add(place.run_id)
            update_job(self._db.conn, place.run_id, place.combination, facts)
            if "job_status" in facts:
                self._recount(place.run_id, run)

    def _missing_facts(
        self, run: ImportedRun, job: ImportedJob, there: dict[str, Any]
    ) -> dict[str, Any]:
        """The columns of a known job to set: what it lacks, and its end where it had none."""
        names = ("job_name", "submitted_at", "completed_at")
        facts: dict[str, Any] = {
            name: getattr(job, name)
            for name in names
            if there[name] is None and getattr(job, name) is not None
        }
        if there["error_kind"] == END_NOT_RECORDED and job.error_kind != END_NOT_RECORDED:
            columns = ("job_status", "error_kind", "error")
            facts |= {column: getattr(job, column) for column in columns}
        status = facts.get("job_status", there["job_status"])
        if there["result_set_id"] is None and status == job.job_status == JobStatus.SUCCESS:
            facts |= self._store_metrics(run, job)
        return facts

    def _store_metrics(self, run: ImportedRun, job: ImportedJob) -> dict[str, Any]:
        """The columns that say where a job's metrics are, none where none are recorded."""
        result_set = self._metrics(run, job)
        if result_set is None:
            return {}
        stored = insert_result_set(self._db, result_set)
        self._report.new_result_sets += stored.is_new
        return {"result_set_id": stored.result_set_id, "notes": notes_text(result_set.notes)}

    def _add_jobs(self, run: ImportedRun, target: int | None, jobs: Sequence[ImportedJob]) -> None:
        """Add jobs to a run, made where there is none.

        A run has one job per combination: further attempts go into a run of their own.
        """
        taken = self._taken(target)
        fitting: dict[Combination, ImportedJob] = {}
        further = []
        for job in jobs:
            if job.combination in taken or job.combination in fitting:
                further.append(job)
            else:
                fitting[job.combination] = job
        if fitting or not jobs:
            run_id = self._insert_run(run) if target is None else target
            counts = self._report.added if target is None else self._report.grown
            counts[run_id] = len(fitting)
            for job in fitting.values():
                self._insert_job(run, run_id, job)
            self._recount(run_id, run)
        if further:
            self._add_further(run, further)

    def _add_further(self, run: ImportedRun, jobs: Sequence[ImportedJob]) -> None:
        digest = sha256_text(f"{run.digest} {jobs[0].ulid}")
        further = replace(
            run,
            digest=digest,
            origin=f"{run.origin}, further attempts",
            timestamp=jobs[0].submitted_at or jobs[0].completed_at or run.timestamp,
            jobs=jobs,
        )
        target = self._value("SELECT run_id FROM validation_runs WHERE source = ?", digest)
        there = [job for job in jobs if not job.has_ulid and self._find(job, target)]
        self._report.known += len(there)
        new = [job for job in jobs if job not in there]
        if new:
            self._add_jobs(further, target, new)

    def _taken(self, run_id: int | None) -> set[Combination]:
        rows = self._db.conn.execute(
            "SELECT country, scenario FROM job_results WHERE run_id = ?", [run_id]
        )
        return {Combination(*row) for row in rows}

    def _insert_run(self, run: ImportedRun) -> int:
        self._report.shadowing += run.timestamp < self._newest
        row = {
            "timestamp": run.timestamp,
            "git_commit": run.git_commit,
            "status": run.status,
            "study": self._study,
            "ingest_version": __version__,
            "executor": EXECUTOR,
            "source": run.digest,
        }
        return insert_row(self._db.conn, "validation_runs", row)

    def _insert_job(self, run: ImportedRun, run_id: int, job: ImportedJob) -> None:
        row = {
            "run_id": run_id,
            **job.combination._asdict(),
            **job.columns(),
            "reason": f"imported from {job.origin or run.origin}",
        }
        if job.job_status is JobStatus.SUCCESS:
            row |= self._store_metrics(run, job)
            self._report.without_metrics += "result_set_id" not in row
        insert_row(self._db.conn, "job_results", row)
        self._remember(job.ulid, _Place(run_id, job.combination))

    def _recount(self, run_id: int, run: ImportedRun) -> None:
        """Count a run's jobs and let them say its status; one without jobs keeps what it was."""
        total, good = self._db.conn.execute(
            """SELECT count(*), coalesce(sum(job_status = 'success'), 0) FROM job_results
                WHERE run_id = ?""",
            [run_id],
        ).fetchone()
        by_jobs = RunStatus.COMPLETED if good == total else RunStatus.FAILED
        set_run_status(self._db, run_id, by_jobs if total else run.status, run.finished_at)

    def _value(self, sql: str, *values: object) -> Any:
        return first_value(self._db.conn, sql, *values)
