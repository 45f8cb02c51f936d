"""ValidationDatabase: the one face of the results database for the rest of the program."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.database import changes, cleanup, late_results, quality, read, references, tags, write
from ingest.database.connection import Database
from ingest.database.files import open_for_writing, writer_lock
from ingest.database.imports import (
    ImportContext,
    ImportedRun,
    ImportReport,
    JobImporter,
    MetricsOf,
)
from ingest.database.records import (
    AcceptedJob,
    CutOffJob,
    JobOutcome,
    JobRecord,
    OpenRun,
    RunRecord,
    RunStatus,
    StoredResult,
)
from ingest.errors import DatabaseError
from ingest.metrics import ResultSet
from ingest.planning.plan import EMPTY_STATE, StoredState
from ingest.study.combination import Combination
from ingest.study.country import Country
from ingest.study.label import Label
from ingest.study.scenario import Scenario

if TYPE_CHECKING:
    from ingest.analytics.quality import QualityFinding


class ValidationDatabase:
    """The results in one SQLite file. Reading needs nothing; writing happens within writing()."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reads = read.ReadConnections(path)
        self._db: Database | None = None
        self._elements: write.ElementIds | None = None
        self.set_aside: Path | None = None
        """The copy made before a migration, where there was one."""

    @contextmanager
    def writing(self, *, wait: bool = False) -> Iterator[ValidationDatabase]:
        """Be the one writer, with the schema up to date; wait for another writer if asked to.

        Raises DatabaseError: busy, foreign, original or newer form; the file is left as it was.
        """
        with writer_lock(self.path, wait=wait):
            try:
                self.setup_schema()
                yield self
            except sqlite3.Error as exc:
                raise DatabaseError(f"{self.path}: {exc}; the last change was undone") from exc
            finally:
                self._reads.close()
                if self._db is not None:
                    self._db.close()
                self._db = self._elements = None

    def setup_schema(self) -> None:
        """Create or migrate the schema and become ready to write; see writing()."""
        self._db, self.set_aside = open_for_writing(self.path)
        self._elements = write.ElementIds(self._db)

    @property
    def db(self) -> Database:
        """The writing connection; there is one within writing() only."""
        if self._db is None:
            raise DatabaseError(f"{self.path} is not open for writing")
        return self._db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection from the pool."""
        with self._reads.connection() as connection:
            yield connection

    def close(self) -> None:
        """Close the pool of read-only connections."""
        self._reads.close()

    def start_validation_run(
        self, record: RunRecord, jobs: Sequence[JobRecord], contents: Mapping[str, tuple[str, str]]
    ) -> int:
        """A new run with all its intended jobs; contents are the inputs to keep. Gives its id."""
        write.keep_inputs(self.db, contents)
        return write.insert_run(self.db, record, jobs)

    def keep_study(
        self,
        countries: Sequence[Country],
        scenarios: Sequence[Scenario],
        labels: Sequence[Label] = (),
    ) -> None:
        """Keep names and groups of countries and scenarios, and the units of element labels."""
        write.keep_countries(self.db, countries)
        write.keep_scenarios(self.db, scenarios)
        write.keep_labels(self.db, labels)

    def update_run_status(
        self, run_id: int, status: RunStatus, finished_at: str | None = None
    ) -> None:
        """Set a run's status and recount its jobs."""
        write.set_run_status(self.db, run_id, status, finished_at)

    def close_open_run(
        self, run_id: int, finished_at: str, why: str, kind: str = read.CUT_OFF
    ) -> None:
        """End a run that was cut off; its unfinished jobs become cancelled.

        With the default kind, a later run may take over those that were submitted.
        """
        write.close_open_run(self.db, run_id, finished_at, kind, why)

    def update_ulids(self, run_id: int, jobs: Iterable[tuple[Combination, str, str]]) -> None:
        """New (combination, ULID, job name) for further attempts, before they are submitted."""
        write.update_ulids(self.db, run_id, jobs)

    def mark_submitted(self, run_id: int, jobs: Iterable[AcceptedJob]) -> None:
        """Keep under which names and when jobs were accepted."""
        write.mark_submitted(self.db, run_id, jobs)

    def cut_off_jobs(
        self, executor: str, input_digests: Mapping[Combination, str]
    ) -> dict[Combination, CutOffJob]:
        """Jobs by an executor whose run was cut off, for these inputs; the newest of each."""
        with self.reading() as connection:
            return read.read_cut_off_jobs(connection, executor, input_digests)

    def take_over(self, run_id: int, jobs: Iterable[CutOffJob]) -> None:
        """Make jobs of runs that were cut off those of a newer run."""
        write.take_over(self.db, run_id, jobs)

    def mark_running(self, run_id: int, combinations: Iterable[Combination]) -> None:
        """Keep that jobs have begun."""
        write.mark_running(self.db, run_id, combinations)

    def record_job_result(self, run_id: int, outcome: JobOutcome) -> StoredResult | None:
        """A job's metrics and its final state, together or not at all."""
        assert self._elements is not None
        return write.finish_job(self.db, self._elements, run_id, outcome)

    def store_metrics(self, result_set: ResultSet) -> StoredResult:
        """Store a result set by itself; the same numbers are stored once."""
        assert self._elements is not None
        try:
            with self.db.atomic():
                return write.insert_result_set(self.db, self._elements, result_set)
        except BaseException:
            self._elements.forget()
            raise

    def store_series_changes(self, run_id: int, rows: Iterable[tuple[Any, ...]]) -> None:
        """Store which series moved in a run; rows in order of changes.COLUMNS."""
        changes.replace_series_changes(self.db, run_id, rows)

    def store_quality_findings(
        self, run_id: int, rules: Sequence[str], findings: Sequence[QualityFinding]
    ) -> None:
        """Store what some rules, by name, found in a run, in place of what they found before."""
        quality.replace_rule_findings(self.db, run_id, rules, findings)

    def replace_reference(
        self, reference: str, element_label: str, values: Iterable[tuple[str, str, float]]
    ) -> int:
        """Store published (country, scenario, value); gives how many figures were there before."""
        return references.replace_reference(self.db, reference, element_label, values)

    def import_jobs(
        self,
        runs: Iterable[ImportedRun],
        metrics: MetricsOf,
        context: ImportContext,
        study: tuple[Sequence[Country], Sequence[Scenario], Sequence[Label]] = ((), (), ()),
    ) -> ImportReport:
        """Add what is new of recorded runs, all or nothing; study: names to keep with them."""
        assert self._elements is not None
        try:
            with self.db.atomic():
                report = JobImporter(self.db, self._elements, metrics, context).add(runs)
                if report.has_changed:
                    self.keep_study(*study)
                return report
        except BaseException:
            self._elements.forget()
            raise

    def import_metrics(
        self, items: Sequence[late_results.LateMetrics], context: ImportContext, timestamp: str
    ) -> late_results.LateMetricsReport:
        """Add metrics out of files to their jobs, the others as a run; all or nothing."""
        assert self._elements is not None
        return late_results.store_late_metrics(self.db, self._elements, items, context, timestamp)

    def attach_results(
        self,
        job: late_results.KnownJob,
        result_set: ResultSet,
        notes: Sequence[str] = (),
        findings: Sequence[QualityFinding] = (),
    ) -> StoredResult:
        """A job's metrics that came after its end; the job is a success from then on."""
        assert self._elements is not None
        return late_results.attach_results(
            self.db, self._elements, job, result_set, notes, findings
        )

    def jobs_without_results(self, run_id: int | None = None) -> list[late_results.KnownJob]:
        """Jobs that succeeded and have no metrics here, of one run or all, newest run first."""
        with self.reading() as connection:
            return late_results.read_jobs_without_results(connection, run_id)

    def tag_run(self, run_id: int, tag: str) -> None:
        """Give a run a name, or move the name to it."""
        tags.store_tag(self.db, run_id, tag)

    def delete_tag(self, tag: str) -> bool:
        """Take a name away; whether there was one."""
        return tags.delete_tag(self.db, tag)

    def clean_up(self, rule: cleanup.CleanupRule) -> cleanup.Cleanup:
        """Remove what a rule chooses, all or nothing; gives what was removed."""
        assert self._elements is not None
        self._elements.forget()
        return cleanup.clean_up(self.db, rule)

    def give_space_back(self) -> None:
        """Shrink the file to what it holds."""
        cleanup.give_space_back(self.db)

    def settle(self) -> None:
        """Checkpoint and refresh statistics; at the end of a run."""
        write.settle(self.db)

    def stored_state(self) -> StoredState:
        """What planning needs to know; the empty state where there is no database yet."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return EMPTY_STATE
        with self.reading() as connection:
            return read.read_stored_state(connection, self.input_content)

    def input_content(self, digest: str) -> Any:
        """Parsed content of an input that was kept, None otherwise."""
        with self.reading() as connection:
            return read.read_input(connection, digest)

    def open_run(self) -> OpenRun | None:
        """The newest run, when it was cut off."""
        with self.reading() as connection:
            return read.read_open_run(connection)

    def get_failed_jobs(self, run_id: int) -> list[dict[str, Any]]:
        """The jobs of a run that did not succeed, with error_kind and error."""
        with self.reading() as connection:
            return read.read_jobs(connection, run_id, only_failed=True)

    def needs_rerun(self, country: str, scenario: str, input_digest: str) -> bool:
        """Whether the newest success of a combination lacks metrics or had other inputs."""
        success = self.stored_state().successes.get(Combination(country, scenario))
        return (
            success is None
            or not success.has_metrics
            or success.inputs is None
            or success.inputs.digest != input_digest
        )
