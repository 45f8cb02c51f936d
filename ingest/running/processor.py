"""AnalyticsProcessor: from a job's raw results to what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ingest.analytics.validate import parse_analytics
from ingest.database import ValidationDatabase
from ingest.database.late_results import NOT_FETCHED
from ingest.database.records import JobOutcome, StoredResult
from ingest.errors import AnalyticsError, CutOffError, IngestError
from ingest.executors.base import JobFault
from ingest.metrics import ResultSet
from ingest.running.job_csv import JobCsvFiles
from ingest.study.combination import Combination
from ingest.study.settings import Settings

if TYPE_CHECKING:
    import pluggy

    from ingest.analytics.quality import QualityFinding


@dataclass(frozen=True)
class ProcessedResults:
    """One job's raw results after reading and checking: a result set, or the fault."""

    result_set: ResultSet | None
    fault: JobFault | None = None
    lack: str = ""
    """What may still come: the rest of an answer that was cut off."""
    notes: Sequence[str] = field(default=())
    findings: Sequence[QualityFinding] = field(default=())


class AnalyticsProcessor:
    """Reads, checks and stores the results of single jobs."""

    def __init__(
        self,
        database: ValidationDatabase,
        settings: Settings,
        plugins: pluggy.PluginManager,
    ) -> None:
        """Raises ConfigError where run.save_csv is set and its list cannot be gone on with."""
        self._database = database
        self._settings = settings
        self._plugins = plugins
        self._files = JobCsvFiles(settings.database_path.parent) if settings.run.save_csv else None

    def process(self, combination: Combination, raw: bytes) -> ProcessedResults:
        """Read and check one job's raw results: by its parser, the plugins and the rules."""
        from ingest.analytics.quality import check_result_set  # imports statistics: slow

        analytics = self._settings.analytics
        try:
            result_set = parse_analytics(
                raw,
                on_bad_rows=analytics.on_bad_rows,
                element_labels=analytics.element_labels,
                is_whole=analytics.source == "executor",
            )
        except CutOffError as exc:
            return ProcessedResults(None, JobFault(NOT_FETCHED, str(exc)), str(exc))
        except AnalyticsError as exc:
            return ProcessedResults(None, JobFault("bad results", str(exc)))
        notes, errors = self._check_metrics(combination, result_set)
        if errors:
            return ProcessedResults(None, JobFault("metric check", "\n".join(errors)))
        findings = check_result_set(
            self._settings.rules, combination, result_set, self._settings.quality.max_findings
        )
        return ProcessedResults(result_set, notes=notes, findings=findings)

    def _check_metrics(
        self, combination: Combination, result_set: ResultSet
    ) -> tuple[list[str], list[str]]:
        """Notes to keep with the job, and errors that fail it, from the metric-check plugins."""
        try:
            answers = self._plugins.hook.ingest_check_metrics(
                settings=self._settings, combination=combination, result_set=result_set
            )
        except IngestError as exc:  # a plugin's fault fails this job alone
            return [], [str(exc)]
        findings = [finding for answer in answers for finding in answer]
        notes = [*result_set.notes, *(str(f) for f in findings if not f.is_error)]
        return notes, [str(f) for f in findings if f.is_error]

    def store_analytics_in_db(
        self, run_id: int, ulid: str, outcome: JobOutcome
    ) -> StoredResult | None:
        """Store a job's end with its metrics, all or nothing, and its CSV where that is wanted."""
        if outcome.result_set is not None:
            self.maintain_csv_compatibility(
                outcome.combination, ulid, outcome.completed_at, outcome.result_set
            )
        return self._database.record_job_result(run_id, outcome)

    def maintain_csv_compatibility(
        self, combination: Combination, ulid: str, completed_at: str, result_set: ResultSet
    ) -> None:
        """Write a job's CSV in the layout of before, where run.save_csv is set.

        It is written before the database is, so that no job is in the one and missing in the other.
        """
        if self._files is not None:
            self._files.write(combination, ulid, completed_at, result_set)
