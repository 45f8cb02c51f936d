"""ValidationRunner: plan -> submit with throttle -> poll -> fetch -> store, resumable."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pluggy

from ingest.analytics.fetcher import ResultFetcher
from ingest.analytics.sources.base import AnalyticsSource
from ingest.clock import Clock, SystemClock
from ingest.database import ValidationDatabase, write
from ingest.database.late_results import read_jobs_without_results
from ingest.database.read import read_job_names, read_open_run, read_unanswered
from ingest.database.records import (
    AcceptedJob,
    CutOffJob,
    JobStatus,
    OpenRun,
    RunStatus,
)
from ingest.errors import BackendError, ConfigError
from ingest.executors.base import (
    JOB_LOST,
    Executor,
    Job,
    JobFault,
    JobState,
    JobUpdate,
    Submission,
)
from ingest.executors.job_name import name_job, new_ulid
from ingest.executors.output_tail import with_output
from ingest.planning.plan import Plan
from ingest.plugins.events import RunFinished, RunProgress
from ingest.plugins.manager import call_observers, find_executor
from ingest.running.backend import Backend, without_exit
from ingest.running.backfill import Backfill
from ingest.running.claims import Claims, Holder
from ingest.running.closing import (
    close_leftovers,
    end_run,
    mark_late,
    read_known_results,
    read_run_quality,
)
from ingest.running.job_ends import JobEnds
from ingest.running.planner import RunPlanner, Selection
from ingest.running.processor import AnalyticsProcessor
from ingest.running.session import RunReport, RunSession
from ingest.running.start import RunStart, RunStarter
from ingest.study.combination import Combination
from ingest.study.git import GitState
from ingest.study.study import Study

log = logging.getLogger("ingest.run")

# The longest a round waits for something to happen before it looks for a stop again.
_ROUND_S = 0.25


class ValidationRunner(RunPlanner):
    """Plans and executes one run of a study; the database must be open for writing to execute."""

    def __init__(
        self,
        study: Study,
        database: ValidationDatabase,
        git: GitState,
        selection: Selection = Selection(),
        *,
        plugins: pluggy.PluginManager,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(study, database, git, selection)
        self._plugins = plugins
        self._clock = clock or SystemClock()
        self._starter = RunStarter(study, database, git, self._clock, jitter, self.end_year)
        self._stop_requested = False
        self._filler: Backfill | None = None

    def request_stop(self) -> None:
        """Stop after the current round; safe to call from a signal handler."""
        self._stop_requested = True
        if self._filler is not None:
            self._filler.request_stop()

    def execute(
        self,
        plan: Plan,
        backend: Backend,
        on_progress: Callable[[RunProgress], None] = lambda progress: None,
        *,
        cancel_on_interrupt: bool = False,
    ) -> RunReport:
        """Run a plan and store every result as soon as it is there.

        on_progress: called after each round, several times a second.
        A run that was cut off is taken up again when this plan is what was left of it; jobs that
        are at the backend already are followed, not submitted again.
        A stop that was requested gives a report with status interrupted. Jobs at the backend go on
        and are followed by the next run; with cancel_on_interrupt they are stopped.
        Raises ConfigError or BackendError when the executor cannot be used; what had finished
        by then is stored and the run is recorded as interrupted.
        """
        with without_exit(backend.executor_type):
            return self._execute(plan, backend, on_progress, cancel_on_interrupt)

    def _execute(
        self,
        plan: Plan,
        backend: Backend,
        on_progress: Callable[[RunProgress], None],
        cancel_on_interrupt: bool,
    ) -> RunReport:
        backend.refuse_wrong_settings()
        executor = backend.make_executor(len(plan.to_run))
        if cancel_on_interrupt and not executor.can_cancel:
            raise ConfigError(f"--cancel-on-interrupt: {executor.name} has no way to stop jobs")
        try:
            executor.start()
            backend.refuse_unusable_source()
            source = backend.make_source(executor)
            try:
                self._session = self._begin(plan, executor, source)
                report = self._run_to_end(backend, on_progress, cancel_on_interrupt)
            finally:
                source.close()
        finally:
            executor.close()
        with self._database.reading() as connection:
            unanswered = read_unanswered(connection, executor.name)
        executor.settle(unanswered, lambda: write.forget_journals(self._database.db, executor.name))
        return report

    def _run_to_end(
        self,
        backend: Backend,
        on_progress: Callable[[RunProgress], None],
        cancel_on_interrupt: bool,
    ) -> RunReport:
        session = self._session
        try:
            while not session.scheduler.is_finished and not self._stop_requested:
                self.submit_jobs_with_throttling()
                self.monitor_job_progress()
                self.fetch_and_store_results()
                on_progress(session.progress(self._clock.now()))
        except BaseException:
            self._finish(interrupted=True)
            raise
        finally:
            session.fetcher.close()
        interrupted = not session.scheduler.is_finished
        if not interrupted:
            self._ask_for_late(backend)
        if interrupted and cancel_on_interrupt:
            self._cancel_the_rest()
        return self._finish(interrupted=interrupted)

    def record(self, plan: Plan) -> RunReport | None:
        """With no job to run: store what is restored, and what the study calls otherwise, as a run.

        None where there is nothing to store. Leaves no run open.
        """
        self._close_leftovers(plan)
        if not (plan.restored or self.study_changes() or self.inputs_changed()):
            self._starter.keep_names()
            return None
        started = self._clock.now()
        run_id = self._starter.record(plan)
        status, changes = end_run(
            self._database, run_id, self.study.settings, self._clock.timestamp()
        )
        return RunReport(
            run_id=run_id,
            status=status,
            is_resumed=False,
            total_jobs=len(plan.restored),
            successful_jobs=len(plan.restored),
            restored_jobs=len(plan.restored),
            failed_jobs=0,
            values=0,
            new_result_sets=0,
            known_result_sets=0,
            changes=changes,
            quality=read_run_quality(self._database, run_id, self.study.settings),
            elapsed_s=self._clock.now() - started,
        )

    def run_left_elsewhere(self) -> OpenRun | None:
        """The run that was cut off at another executor, where its jobs go on without it."""
        with self._database.reading() as connection:
            left = read_open_run(connection)
        if left is None or left.record.executor == self.study.settings.run.executor:
            return None
        return left if left.unfinished and self._jobs_go_on(left.record.executor) else None

    def _jobs_go_on(self, executor: str) -> bool:
        """Whether an executor's jobs survive a run; assumed of one that is no longer there."""
        try:
            return find_executor(self._plugins, executor).jobs_survive_run
        except ConfigError:
            return True

    def _close_leftovers(self, plan: Plan) -> None:
        """End a run that was cut off, unless this plan takes it up again."""
        if self._starter.open_run_of(plan) is None:
            close_leftovers(self._database, self.study.settings, self._clock.timestamp())

    def _begin(self, plan: Plan, executor: Executor, source: AnalyticsSource) -> RunSession:
        settings = self.study.settings
        processor = AnalyticsProcessor(self._database, settings, self._plugins)
        self._close_leftovers(plan)
        start = self._starter.start(plan, executor, self._starter.open_run_of(plan))
        session = RunSession(
            run_id=start.run_id,
            executor=executor,
            fetcher=ResultFetcher(source, settings.analytics, self._clock),
            processor=processor,
            scheduler=start.scheduler,
            completeness=read_known_results(self._database, start.run_id, settings),
            claims=self._known_claims(executor),
            total=len(start.names) + len(start.finished) + start.restored,
            started=self._clock.now(),
            is_resumed=start.is_resumed,
            restored=start.restored,
            succeeded=start.restored,
        )
        for combination, (ulid, job_name) in start.names.items():
            session.rename(combination, ulid, job_name)
        if start.is_resumed:
            session.failed = len(self._database.get_failed_jobs(start.run_id))
            session.succeeded = len(start.finished) - session.failed
        log.info(
            "run %d: %d jobs to do, executor %s", start.run_id, len(start.names), executor.name
        )
        self._session = session
        self._ends = JobEnds(
            session, self._database, settings, self._plugins, self._clock, self.end_year
        )
        self._follow(start)
        return session

    def _known_claims(self, executor: Executor) -> Claims:
        """The names of all stored jobs, where a backend of its own gives names."""
        if not executor.jobs_survive_run:
            return Claims()
        with self._database.reading() as connection:
            return Claims(read_job_names(connection))

    def _follow(self, start: RunStart) -> None:
        """Take the jobs that an earlier process submitted as in flight."""
        accepted = []
        for job, submission in start.adopted:
            attempts = job.attempts + (job.external_id is None)  # no id: handed in, answer unread
            self._session.scheduler.adopt(job.combination, self._clock.now(), attempts)
            accepted += self._answered(submission, job)
        write.mark_submitted(self._database.db, self._session.run_id, accepted)

    def submit_jobs_with_throttling(self) -> None:
        """Submit what the limits allow now; each job's name is stored before it is handed in."""
        session = self._session
        due = session.scheduler.take_submissions(self._clock.now())
        if due:
            self._take_answers(session.executor.submit(self._named_jobs(due)))

    def _named_jobs(self, due: Sequence[Combination]) -> list[Job]:
        """The jobs to hand in, under names that are stored by now."""
        session = self._session
        again = {c for c in due if session.scheduler.attempts(c) > 1}
        for combination in again:
            ulid = new_ulid()
            session.rename(combination, ulid, name_job(self.study.name, ulid))
        jobs = [
            Job(c, session.ulids[c], session.job_names[c], self.compose_document(c)) for c in due
        ]
        wanted = session.executor.intended_names(jobs)
        jobs = [replace(job, job_name=wanted.get(job.ulid, job.job_name)) for job in jobs]
        for job in jobs:
            session.job_names[job.combination] = job.job_name
        renamed = [
            (job.combination, job.ulid, job.job_name)
            for job in jobs
            if job.ulid in wanted or job.combination in again
        ]
        write.update_ulids(self._database.db, session.run_id, renamed)
        return jobs

    def _take_answers(self, submissions: Iterable[Submission]) -> None:
        """Store what was accepted; at once where the job outlives us, so that its id does too."""
        session = self._session
        accepted: list[AcceptedJob] = []
        for submission in submissions:
            accepted += self._answered(submission)
            if session.executor.jobs_survive_run and accepted:
                write.mark_submitted(self._database.db, session.run_id, accepted)
                accepted = []
        if accepted:
            write.mark_submitted(self._database.db, session.run_id, accepted)

    def _answered(
        self, submission: Submission, adopted: CutOffJob | None = None
    ) -> list[AcceptedJob]:
        """The accepted job of an answer; nothing where it was refused.

        adopted: the job as an earlier process left it.
        """
        session = self._session
        combination = session.by_ulid[submission.ulid]
        if submission.fault is not None:
            self._ends.attempt_failed(combination, submission.fault)
            return []
        own = Holder(session.run_id, combination)
        clash = session.claims.find_clash(submission, own, is_adopted=adopted is not None)
        if clash is not None:
            self._ends.doubt_both(own, clash)
            return []
        ulid = submission.new_ulid or submission.ulid
        session.rename(combination, ulid, submission.job_name or session.job_names[combination])
        session.scheduler.accepted(combination, self._clock.now())
        return [
            AcceptedJob(
                combination=combination,
                ulid=ulid,
                job_name=session.job_names[combination],
                external_id=submission.external_id,
                submitted_at=(adopted and adopted.submitted_at) or self._clock.timestamp(),
                attempts=session.scheduler.attempts(combination),
            )
        ]

    def monitor_job_progress(self) -> None:
        """Ask what became of the jobs in flight; waits a moment, gives up those out of time."""
        session, clock = self._session, self._clock
        self._stop_overdue(session.scheduler.overdue(clock.now()))
        self._give_up_lost()
        ulids = [session.ulids[c] for c in session.scheduler.take_questions(clock.now())]
        wait_s = session.scheduler.wait_s(clock.now(), _ROUND_S)
        if session.executor.waits_in_poll:
            answers = session.executor.poll(ulids, wait_s)
        elif ulids:
            answers = session.executor.poll(ulids, 0.0)
        else:
            clock.sleep(wait_s)
            return
        self._take_updates(answers)

    def _take_updates(self, answers: Iterable[JobUpdate | Submission]) -> None:
        begun: list[Combination] = []
        for answer in answers:
            if isinstance(answer, Submission):
                self._take_answers([answer])
            elif answer.ulid in self._session.by_ulid:  # else stopped in the meantime
                self._take_update(self._session.by_ulid[answer.ulid], answer, begun)
        still_running = [c for c in begun if c in self._session.ulids]
        if still_running:
            write.mark_running(self._database.db, self._session.run_id, still_running)

    def _take_update(
        self, combination: Combination, update: JobUpdate, begun: list[Combination]
    ) -> None:
        scheduler, now = self._session.scheduler, self._clock.now()
        if update.state is JobState.UNREACHABLE:
            scheduler.unreachable(combination, now)
            self._remember_doubt(combination, update)
        elif update.state is JobState.UNKNOWN:
            scheduler.unknown(combination, now)
            self._remember_doubt(combination, update)
        elif update.state is JobState.RUNNING:
            scheduler.began(combination, now, update.execution)
            begun.append(combination)
        elif update.state is JobState.SUCCEEDED:
            scheduler.fetching(combination)
            self._session.fetcher.request(update.ulid)
        elif update.state is JobState.FAILED:
            fault = update.fault or JobFault("failed", "the executor gave no reason")
            self._ends.attempt_failed(combination, fault)
        else:
            scheduler.queued(combination, now)

    def _remember_doubt(self, combination: Combination, update: JobUpdate) -> None:
        """Keep why a job's state is not known; one that is new may be ended by its results."""
        fault = update.fault or JobFault("state unknown", f"its state is {update.state.value}")
        if self._session.doubts.get(combination) != fault:
            log.info("%s: %s: %s", combination, update.state.value, fault.first_line)
            if fault.kind == JOB_LOST:
                self._session.fetcher.request(update.ulid, is_look=True)
        self._session.doubts[combination] = fault

    def _give_up_lost(self) -> None:
        """Fail jobs whose state stays unknown, after a last look for the results of those that are
        lost; stop when nothing can be asked about any more.
        """
        session, now, run = self._session, self._clock.now(), self.study.settings.run
        if session.scheduler.is_cut_off(now):
            why = next(reversed(session.doubts.values())).first_line
            raise BackendError(
                f"{session.executor.name} could not be asked about any job for "
                f"{run.unreachable_limit_s:g} s (run.unreachable_limit_s): {why}. Jobs that were "
                "submitted go on; the next `ingest run` follows them"
            )
        for combination in session.scheduler.lost(now):
            if session.doubts[combination].kind == JOB_LOST:
                session.scheduler.fetching(combination)
                session.fetcher.request(session.ulids[combination], is_look=True)
            else:
                self._ends.give_up(combination, "its results may be there later: ingest backfill")

    def _stop_overdue(self, overdue: Sequence[Combination]) -> None:
        session = self._session
        if not overdue:
            return
        outputs = session.executor.cancel([session.ulids[c] for c in overdue])
        what = "stopped" if session.executor.can_cancel else "not waited for"
        limit_s = self.study.settings.run.job_timeout_s
        for combination in overdue:
            message = f"{what} after running for {limit_s:g} s (run.job_timeout_s)"
            if not session.executor.can_cancel:
                message += "; its results may come all the same: ingest backfill"
            message = with_output(message, outputs.get(session.ulids[combination]))
            fault = JobFault("timed out", message)
            self._ends.store(combination, JobStatus.TIMEOUT, fault=fault)

    def _cancel_the_rest(self) -> None:
        """Stop every job at the backend, and give up those that were never submitted."""
        session = self._session
        session.executor.cancel([session.ulids[c] for c in session.scheduler.in_flight])
        write.close_open_run(
            self._database.db,
            session.run_id,
            self._clock.timestamp(),
            "cancelled when the run was stopped (--cancel-on-interrupt)",
            kind="cancelled",
        )

    def fetch_and_store_results(self) -> None:
        """Check and store the results that have come in, each job in one transaction."""
        session = self._session
        only_fetching = not session.scheduler.in_flight and session.fetcher.pending
        wait_s = session.scheduler.wait_s(self._clock.now(), _ROUND_S) if only_fetching else 0.0
        for fetched in session.fetcher.finished(wait_s):
            if fetched.ulid in session.by_ulid:  # else the job has failed in the meantime
                self._ends.take_results(session.by_ulid[fetched.ulid], fetched)

    def _ask_for_late(self, backend: Backend) -> None:
        """Ask again for results that lack something by what came after them."""
        session, settings = self._session, self.study.settings
        lacks = mark_late(self._database, session.completeness, settings)
        if not lacks:
            return
        with self._database.reading() as connection:
            jobs = read_jobs_without_results(connection)
        self._filler = Backfill(self._database, backend, settings, self._plugins, self._clock)
        self._filler.execute([job for job in jobs if job.combination in lacks.get(job.run_id, ())])
        session.failed = len(self._database.get_failed_jobs(session.run_id))
        session.succeeded = session.total - session.failed

    def _finish(self, *, interrupted: bool) -> RunReport:
        """Record the run's end and say what it came to."""
        session, database = self._session, self._database
        if interrupted:
            status, changes = RunStatus.INTERRUPTED, None
            database.update_run_status(session.run_id, status, self._clock.timestamp())
        else:
            status, changes = end_run(
                database, session.run_id, self.study.settings, self._clock.timestamp()
            )
        quality = read_run_quality(database, session.run_id, self.study.settings)
        report = session.report(status, changes, quality, self._clock.now())
        event = RunFinished(
            run_id=session.run_id,
            status=status.value,
            git_commit=self.git.commit,
            total_jobs=session.total,
            successful_jobs=session.succeeded,
            failed_jobs=session.failed,
            elapsed_s=report.elapsed_s,
        )
        for problem in call_observers(self._plugins.hook.ingest_run_finished, event=event):
            log.warning(problem)
        return report
