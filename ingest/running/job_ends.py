"""What becomes of a run's jobs: tried again, failed, or a success with its results, stored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pluggy

from ingest.analytics.fetcher import Fetched
from ingest.clock import Clock
from ingest.database import ValidationDatabase
from ingest.database.late_results import NOT_FETCHED, withdraw_results
from ingest.database.records import INCOMPLETE, JobOutcome, JobStatus
from ingest.executors.base import BAD_ANSWER, JobFault
from ingest.plugins.events import JobFinished
from ingest.plugins.manager import call_observers
from ingest.running.claims import Clash, Holder
from ingest.running.processor import ProcessedResults
from ingest.running.session import RunSession
from ingest.study.combination import Combination
from ingest.study.settings import Settings

log = logging.getLogger("ingest.run")

_NO_RESULTS = ProcessedResults(None)


class JobEnds:
    """Ends the jobs of a session, each in one transaction. end_year: a job's last year."""

    def __init__(
        self,
        session: RunSession,
        database: ValidationDatabase,
        settings: Settings,
        plugins: pluggy.PluginManager,
        clock: Clock,
        end_year: Callable[[Combination], int | None],
    ) -> None:
        self._session = session
        self._database = database
        self._settings = settings
        self._plugins = plugins
        self._clock = clock
        self._end_year = end_year

    def attempt_failed(self, combination: Combination, fault: JobFault) -> None:
        """Try a job again where attempts are left and that may help; else it has failed."""
        now = self._clock.now()
        if self._session.scheduler.failed(combination, now, can_pass=fault.can_pass):
            what = f"{fault.kind}: {fault.first_line}"
            log.warning("%s: %s; will be tried again", combination, what)
        else:
            self.store(combination, JobStatus.FAILED, fault=fault)

    def store(
        self,
        combination: Combination,
        status: JobStatus,
        *,
        fault: JobFault | None = None,
        processed: ProcessedResults = _NO_RESULTS,
    ) -> None:
        """Store a job's end, count it, and tell the plugins."""
        session = self._session
        outcome = JobOutcome(
            combination=combination,
            job_status=status,
            completed_at=self._clock.timestamp(),
            attempts=session.scheduler.attempts(combination),
            duration_s=session.scheduler.running_s(combination, self._clock.now()),
            result_set=processed.result_set,
            error_kind=fault.kind if fault else None,
            error=fault.message if fault else None,
            notes=processed.notes,
            findings=processed.findings,
        )
        ulid = session.ulids[combination]
        stored = session.processor.store_analytics_in_db(session.run_id, ulid, outcome)
        session.scheduler.ended(combination)
        session.forget(combination)
        session.count(outcome, stored)
        is_new = stored is not None and stored.is_new
        self._tell_job_finished(outcome, ulid, is_new)

    def _tell_job_finished(self, outcome: JobOutcome, ulid: str, is_new: bool) -> None:
        event = JobFinished(
            run_id=self._session.run_id,
            combination=outcome.combination,
            ulid=ulid,
            job_status=outcome.job_status.value,
            attempts=outcome.attempts,
            duration_s=outcome.duration_s,
            row_count=len(outcome.result_set) if outcome.result_set else 0,
            is_new_result=is_new,
            error_kind=outcome.error_kind,
            error=outcome.error,
        )
        first_line = (outcome.error or "").partition("\n")[0]
        log.debug("%s %s %s", event.combination, event.job_status, first_line)
        for problem in call_observers(self._plugins.hook.ingest_job_finished, event=event):
            log.warning(problem)

    def doubt_both(self, own: Holder, clash: Clash) -> None:
        """Two jobs have one name: neither is a success, not even one that is stored already."""
        self.attempt_failed(own.combination, JobFault(BAD_ANSWER, clash.message))
        first = clash.holder
        if first.run_id != self._session.run_id:
            return
        fault = JobFault(BAD_ANSWER, replace(clash, holder=own).message)
        if first.combination in self._session.ulids:
            self.store(first.combination, JobStatus.FAILED, fault=fault)
        else:
            values = withdraw_results(
                self._database.db, first.run_id, first.combination, fault.kind, fault.message
            )
            if values is not None:
                self._session.withdraw(first.combination, values)

    def give_up(self, combination: Combination, hint: str) -> None:
        """Fail a job whose state stays unknown. hint: what may bring its results."""
        doubt, limit_s = self._session.doubts[combination], self._settings.run.unknown_limit_s
        message = f"{doubt.message}\ngiven up after {limit_s:g} s (run.unknown_limit_s); {hint}"
        self.store(combination, JobStatus.FAILED, fault=JobFault(doubt.kind, message))

    def take_results(self, combination: Combination, fetched: Fetched) -> None:
        """Check and store results that have come in, or that they have not."""
        if fetched.raw is None and fetched.is_look:
            if not self._session.scheduler.is_in_flight(combination):
                self.give_up(combination, f"{fetched.error}. Look again later: ingest backfill")
        elif fetched.raw is None:
            fault = JobFault(NOT_FETCHED, str(fetched.error))
            self.store(combination, JobStatus.FAILED, fault=fault)
        else:
            self._store_raw(combination, fetched)

    def _store_raw(self, combination: Combination, fetched: Fetched) -> None:
        assert fetched.raw is not None
        session, end_year = self._session, self._end_year(combination)
        processed = session.processor.process(combination, fetched.raw)
        results, lack = processed.result_set, processed.lack
        if results is not None:
            lack = session.completeness.find_lack(combination, results, end_year)
        if lack and session.fetcher.ask_again(fetched.ulid, lack):
            return
        if lack and results is not None:
            lack = session.completeness.find_lack(combination, results, end_year, is_last=True)
            if lack:
                self._store_incomplete(combination, replace(processed, lack=lack))
                return
        if processed.fault is not None:
            self.attempt_failed(combination, processed.fault)
        else:
            assert results is not None
            session.completeness.keep(combination, results, end_year, run_id=session.run_id)
            self.store(combination, JobStatus.SUCCESS, processed=processed)

    def _store_incomplete(self, combination: Combination, processed: ProcessedResults) -> None:
        """Results that lack something when there is no more time: kept, or not, and told."""
        fault = JobFault(INCOMPLETE, processed.lack)
        if self._settings.analytics.incomplete == "fail":
            self.store(combination, JobStatus.FAILED, fault=fault)
        else:
            self.store(combination, JobStatus.SUCCESS, fault=fault, processed=processed)
