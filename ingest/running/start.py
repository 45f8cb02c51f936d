"""How a run begins: anew or where it was cut off, with the jobs that are still at the backend."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingest import __version__
from ingest.clock import Clock
from ingest.database import ValidationDatabase, write
from ingest.database.kept_files import keep_files
from ingest.database.read import read_cut_off_jobs, read_open_run
from ingest.database.records import CutOffJob, JobRecord, OpenRun, RunRecord, RunStatus
from ingest.database.study_identity import claim
from ingest.database.study_settings import keep_definitions
from ingest.executors.base import EarlierJob, Executor, Submission
from ingest.executors.job_name import name_job, new_ulid
from ingest.planning.plan import (
    Plan,
    PlannedJob,
    ReasonKind,
    input_sets_of,
    list_digests,
    study_contents,
)
from ingest.running.scheduler import Limits, Scheduler, parse_rate
from ingest.study.combination import Combination
from ingest.study.file_contents import FileContents
from ingest.study.git import GitState
from ingest.study.study import Study

log = logging.getLogger("ingest.run")


@dataclass(frozen=True)
class RunStart:
    """A run that is about to go on.

    names: ULID and job name of each job to do. finished: the jobs that ended before.
    """

    run_id: int
    names: Mapping[Combination, tuple[str, str]]
    finished: frozenset[Combination]
    is_resumed: bool
    scheduler: Scheduler[Combination]
    adopted: tuple[tuple[CutOffJob, Submission], ...]
    """Jobs of an earlier process with what the executor knows of each."""
    restored: int
    """How many jobs took a result that was computed before."""


class RunStarter:
    """Stores a run and its intended jobs, or finds the one that a plan goes on with."""

    def __init__(
        self,
        study: Study,
        database: ValidationDatabase,
        git: GitState,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        end_year: Callable[[Combination], int | None] = lambda combination: None,
    ) -> None:
        self._study = study
        self._database = database
        self._git = git
        self._clock = clock
        self._jitter = jitter
        self._end_year = end_year

    def open_run_of(self, plan: Plan) -> OpenRun | None:
        """The run that was cut off and that this plan takes up again, where there is one."""
        with self._database.reading() as connection:
            open_run = read_open_run(connection)
        if open_run is None or not open_run.unfinished or not self._is_left_of(open_run, plan):
            return None
        return open_run

    def _is_left_of(self, open_run: OpenRun, plan: Plan) -> bool:
        """Whether a plan is exactly what an open run has left, for the same commit and executor."""
        record = open_run.record
        same = (record.git_commit, record.dirty_files, record.executor) == (
            self._git.commit,
            self._git.dirty_files,
            self._study.settings.run.executor,
        )
        planned = {
            job.combination for job in plan.to_run if job.reason.kind is ReasonKind.UNFINISHED
        }
        others = {job.combination for job in plan.to_run} - planned
        unfinished = set(open_run.unfinished)
        return same and bool(planned) and planned == unfinished and others <= open_run.finished

    def start(self, plan: Plan, executor: Executor, open_run: OpenRun | None) -> RunStart:
        """Everything stored, and the jobs of an earlier process found, before anything is sent."""
        jobs = list(plan.to_run)
        if open_run is not None:
            jobs = [job for job in jobs if job.combination in open_run.unfinished]
        cut_off = self._cut_off_jobs(jobs, executor)
        adopted = self._adopt(cut_off, executor)
        journal_id = executor.journal_id()
        self.keep_names()
        # in one: a new run without the jobs it adopts would hide them from the next
        with self._database.db.atomic():
            if open_run is not None:
                run_id = open_run.run_id
                names = self._resume_run(run_id, jobs, cut_off)
                write.go_on(self._database.db, run_id, journal_id, executor.model_path)
            else:
                run_id, names = self._start_new(plan, journal_id, executor.model_path)
            others = [job for job, _ in adopted if job.run_id != run_id]
            write.adopt_jobs(self._database.db, run_id, others)
        if journal_id is not None:
            self._database.db.fold_log()  # a file that is moved without its log knows it too
        for job, _ in adopted:
            names[job.combination] = (job.ulid, job.job_name)
        attempts = {c: job.attempts for c, job in cut_off.items() if job.run_id == run_id}
        return RunStart(
            run_id=run_id,
            names=names,
            finished=open_run.finished if open_run else frozenset(),
            is_resumed=open_run is not None,
            scheduler=Scheduler(names, self._limits(executor), self._jitter, attempts),
            adopted=tuple(adopted),
            restored=0 if open_run else len(plan.restored),
        )

    def record(self, plan: Plan) -> int:
        """A run that has no job to do, with what the plan restores; gives its id."""
        self.keep_names()
        run_id, _ = self._start_new(plan)
        return run_id

    def keep_names(self) -> None:
        """What the study calls itself and others, and the contents of its code and data files."""
        study, db = self._study, self._database.db
        write.keep_study(db, study.countries, study.scenarios, study.labels)
        keep_definitions(db, study.settings)
        claim(db, study.name, self._clock.timestamp(), "first run")
        contents = FileContents(study)
        keep_files(db, contents.code, contents.read)

    def _cut_off_jobs(
        self, jobs: Sequence[PlannedJob], executor: Executor
    ) -> dict[Combination, CutOffJob]:
        """Jobs that may still be at the backend, for the inputs that are planned now."""
        if not executor.jobs_survive_run:
            return {}
        wanted = {
            job.combination: job.inputs.digest
            for job in jobs
            if job.reason.kind is not ReasonKind.FORCED
        }
        with self._database.reading() as connection:
            return read_cut_off_jobs(connection, executor.name, wanted)

    def _adopt(
        self, cut_off: Mapping[Combination, CutOffJob], executor: Executor
    ) -> list[tuple[CutOffJob, Submission]]:
        """What the executor knows of these jobs; nothing is stored yet, so it may refuse."""
        by_ulid = {job.ulid: job for job in cut_off.values()}
        earlier = [
            EarlierJob(job.combination, job.ulid, job.job_name, job.external_id, job.journal_id)
            for job in cut_off.values()
        ]
        adopted = [(by_ulid[s.ulid], s) for s in executor.adopt(earlier)]
        if adopted:
            log.info("%d jobs of an earlier process are followed from now on", len(adopted))
        return adopted

    def _start_new(
        self, plan: Plan, journal_id: str | None = None, model_path: str | None = None
    ) -> tuple[int, dict[Combination, tuple[str, str]]]:
        settings = self._study.settings
        record = RunRecord(
            timestamp=self._clock.timestamp(),
            git_commit=self._git.commit,
            git_branch=self._git.branch,
            dirty_files=self._git.dirty_files,
            git_problem=self._git.problem or None,
            study=settings.name,
            executor=settings.run.executor,
            analytics_source=settings.analytics.source,
            ingest_version=__version__,
            up_to_date_jobs=len(plan.up_to_date),
            journal_id=journal_id,
            model_path=model_path,
            **{f"{kind}_digest": digest for kind, digest in list_digests(self._study).items()},
        )
        jobs = [self._job_record(job) for job in plan.to_run]
        run_id = self._database.start_validation_run(
            record,
            jobs,
            study_contents(self._study),
            plan.restored,
            list(input_sets_of(self._study).values()),
        )
        return run_id, {job.combination: (job.ulid, job.job_name) for job in jobs}

    def _job_record(self, job: PlannedJob) -> JobRecord:
        ulid = new_ulid()
        name = name_job(self._study.name, ulid)
        end_year = self._end_year(job.combination)
        return JobRecord(job.combination, ulid, name, job.inputs, job.reason, end_year)

    def _resume_run(
        self,
        run_id: int,
        jobs: Sequence[PlannedJob],
        cut_off: Mapping[Combination, CutOffJob],
    ) -> dict[Combination, tuple[str, str]]:
        """Go on with a run; jobs that the backend may know keep their names."""
        names = {}
        for job in jobs:
            known = cut_off.get(job.combination)
            ulid = known.ulid if known else new_ulid()
            name = known.job_name if known else name_job(self._study.name, ulid)
            names[job.combination] = (ulid, name)
        renamed = [(c, *names[c]) for c in names if c not in cut_off]
        write.update_ulids(self._database.db, run_id, renamed)
        self._database.update_run_status(run_id, RunStatus.RUNNING)
        return names

    def _limits(self, executor: Executor) -> Limits:
        run = self._study.settings.run
        rate = run.submit_rate or executor.default_submit_rate
        return Limits(
            max_in_flight=run.max_in_flight or executor.default_max_in_flight,
            rate=parse_rate(rate) if rate else None,
            job_timeout_s=run.job_timeout_s,
            retries=run.retries,
            retry_delay_s=run.retry_delay_s,
            poll_interval_s=run.poll_interval_s if executor.polls_a_service else 0.0,
            poll_interval_max_s=run.poll_interval_max_s,
            unknown_limit_s=run.unknown_limit_s,
            unreachable_limit_s=run.unreachable_limit_s,
        )
