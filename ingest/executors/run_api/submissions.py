"""One run's submissions to the run API: by way of the submitter, found again in its journal."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from ingest.errors import BackendError
from ingest.executors.base import (
    BAD_ANSWER,
    EarlierJob,
    ExecutorContext,
    Job,
    JobFault,
    Submission,
)
from ingest.executors.job_name import parse_job_name
from ingest.executors.model_call import describe_exit
from ingest.executors.output_tail import with_output
from ingest.executors.run_api.answers import Outcome
from ingest.executors.run_api.journal import (
    JournalEvent,
    JournalLine,
    SubmissionJournal,
    journal_path,
)
from ingest.executors.run_api.settings import RunApiSettings
from ingest.executors.run_api.submitter import GRACE_S
from ingest.executors.run_api.submitter_process import (
    SubmitterEnded,
    SubmitterEvent,
    SubmitterProcess,
)
from ingest.executors.run_api.submitter_protocol import Answered, SubmitterConfig
from ingest.study.combination import Combination
from ingest.text.numbers import count_text
from ingest.text.times import clock_text

log = logging.getLogger("ingest.run")

# How long close() waits for calls that have begun; the submitter ends them without us as well.
_CLOSE_WAIT_S = 2.0
# A submitter that ends by itself so many times without one answer will not do better.
# Sources that ask for results by the ULID in a job's name.
_BY_ULID = ("analytics-api", "s3")
_MAX_CRASHES = 3


class Submissions:
    """Jobs handed in and their answers; tell() is called from a thread with what the submitter
    says, and take() or ended() are to be called with that by the thread that owns this.
    """

    def __init__(
        self,
        settings: RunApiSettings,
        context: ExecutorContext,
        tell: Callable[[SubmitterEvent], None],
    ) -> None:
        self._settings = settings
        self._context = context
        self._tell = tell
        self._path = journal_path(context.state_path)
        self._journal = SubmissionJournal(self._path)
        self._submitter: SubmitterProcess | None = None
        self._is_settled = False
        self._crashes = 0
        self._open: dict[str, Job] = {}  # handed in, not answered
        self._lost: Counter[Combination] = Counter()
        self.unusable: str | None = None
        """What an answer shows of the API, so that nothing more should be handed in."""

    # --- jobs of an earlier process --------------------------------------------------------------

    def adopt(self, jobs: Sequence[EarlierJob]) -> list[Submission]:
        """What the journal knows of jobs whose answers never reached the database.

        Raises BackendError when an earlier submitter does not end, or its journal is not there.
        """
        self._wait_for_earlier()
        journal = self._journal.read()
        open_jobs = [job for job in jobs if job.external_id is None]
        astray = self._astray([job for job in open_jobs if job.ulid not in journal])
        self._count_lost(jobs, journal.values(), {job.ulid for job in open_jobs})
        submissions = [
            Submission(job.ulid, job.external_id, job_name=job.job_name)
            for job in jobs
            if job.external_id is not None
        ]
        for job in open_jobs:
            if job.ulid in journal:
                submissions += self._known(journal[job.ulid])
        for job in astray:
            answered = Answered(job.ulid, Outcome.LOST, "its journal is gone")
            submissions.append(self._submission(answered, job.combination))
        self.unusable = None  # what an earlier run was answered stops no other
        return submissions

    def _astray(self, jobs: Sequence[EarlierJob]) -> list[EarlierJob]:
        """The jobs that may stand in another journal than the one that is here.

        Raises BackendError where they may not be submitted twice.
        """
        known = (None, self._journal.find_id())
        astray = [job for job in jobs if job.journal_id not in known]
        if astray and not self._settings.lost_answer_retries:
            name, count = self._path.name, count_text(len(astray), "job")
            what = "belongs to another database" if self._path.exists() else "is not there"
            raise BackendError(
                f"{count} may have been submitted already, which only their journal tells, and "
                f"{self._path} {what}. Was the database renamed, moved or copied? Put its journal "
                f"beside it as {name} and run again. If that is gone for good, let them be "
                "submitted all the same, some of them perhaps twice: "
                "--set executors.run-api.lost_answer_retries=1"
            )
        return astray

    def journal_id(self) -> str:
        """The id of the journal, which is begun here. Raises BackendError: it cannot be written."""
        self._wait_for_earlier()
        try:
            return self._journal.make_id()
        except OSError as exc:
            raise BackendError(f"{self._path} cannot be written: {exc.strerror}") from exc
        finally:
            self._journal.close()

    def _wait_for_earlier(self) -> None:
        """Wait until the submitter of an earlier run has finished what it had begun."""
        if self._is_settled:
            return
        if not self._journal.is_free():
            longest_s = self._settings.submit_timeout_s + 2 * GRACE_S
            log.warning(
                "process %s still sends what an earlier run had begun: waiting until %s at most",
                self._journal.holder(),
                clock_text(longest_s),
            )
            with self._journal.lock(longest_s):
                pass
        self._is_settled = True

    def _count_lost(
        self, jobs: Sequence[EarlierJob], lines: Iterable[JournalLine], but: set[str]
    ) -> None:
        """Count the answers lost by earlier attempts; those in `but` are counted as they come."""
        combinations = {job.combination for job in jobs}
        for line in lines:
            is_lost = line.event in (JournalEvent.LOST, JournalEvent.SENDING)
            if is_lost and line.combination in combinations and line.ulid not in but:
                self._lost[line.combination] += 1

    def _known(self, line: JournalLine) -> list[Submission]:
        """What a journal's last line about a job says; nothing where it was never accepted."""
        if line.event is JournalEvent.NOT_ACCEPTED:
            return []
        if line.event is JournalEvent.ACCEPTED:
            answered = Answered(line.ulid, Outcome.ACCEPTED, "", line.job_id, line.job_name)
        else:
            reason = line.reason or "the submitting process was ended"
            answered = Answered(line.ulid, Outcome.LOST, reason)
        return [self._submission(answered, line.combination)]

    # --- handing in ------------------------------------------------------------------------------

    def hand_in(self, jobs: Sequence[Job]) -> None:
        """Give jobs to the submitter. Raises BackendError when there can be none."""
        self._wait_for_earlier()
        if self._submitter is None:
            self._submitter = self._start()
        for job in jobs:
            self._open[job.ulid] = job
            self._submitter.hand_in(job)

    def _start(self) -> SubmitterProcess:
        settings = self._settings
        config = SubmitterConfig(
            url=settings.url or "",
            environment=self._context.environment,
            journal=str(self._path),
            concurrency=settings.submit_concurrency,
            timeout_s=settings.submit_timeout_s,
            tries=settings.submit_tries,
            patience_s=self._context.run.unreachable_limit_s,
        )
        try:
            return SubmitterProcess(config, self._tell)
        except OSError as exc:
            raise BackendError(f"cannot start the submitting process: {exc}") from exc

    # --- answers ---------------------------------------------------------------------------------

    def take(self, answered: Answered) -> Iterator[Submission]:
        """The submission that an answer makes."""
        self._crashes = 0
        job = self._open.pop(answered.ulid, None)
        if job is not None:
            yield self._submission(answered, job.combination)

    def _submission(self, answered: Answered, combination: Combination) -> Submission:
        if answered.outcome is Outcome.ACCEPTED:
            return self._accepted(answered, combination)
        if answered.outcome is Outcome.LOST:
            self._lost[combination] += 1
            can_pass = self._lost[combination] <= self._settings.lost_answer_retries
            fault = _lost_fault(answered.reason, can_pass)
        elif answered.outcome is Outcome.BUSY:
            tries = f"{self._settings.submit_tries} times (executors.run-api.submit_tries)"
            fault = JobFault("busy", f"the run API {answered.reason}, {tries}", can_pass=True)
        else:
            fault = JobFault("refused", f"the run API {answered.reason}")
        return Submission(answered.ulid, fault=fault)

    def _accepted(self, answered: Answered, combination: Combination) -> Submission:
        name = parse_job_name(answered.job_name or "")
        if name is None:
            what = f"its job name {answered.job_name!r} is of another form"
            log.info("%s: %s, so it keeps the ULID %s", combination, what, answered.ulid)
            if answered.job_name and self._context.analytics.source in _BY_ULID:
                self.unusable = (
                    f"names a job {answered.job_name!r}, not botech-sim-ENVIRONMENT-ULID, and "
                    f"{self._context.analytics.source} finds results by the ULID alone: check "
                    "executors.run-api.url, or set analytics.source to a source that finds them"
                )
        elif name.environment != self._context.environment:
            wanted = self._context.environment
            self.unusable = (
                f"runs jobs in the environment {name.environment}, not in {wanted}: check "
                "study.environment and executors.run-api.url"
            )
            message = (
                f"the run API runs it in the environment {name.environment}, not in {wanted} "
                f"(study.environment): its job name is {answered.job_name}"
            )
            return Submission(answered.ulid, fault=JobFault(BAD_ANSWER, message))
        return Submission(
            ulid=answered.ulid,
            external_id=answered.job_id,
            new_ulid=name.ulid if name else None,
            job_name=answered.job_name,
        )

    def ended(self, ended: SubmitterEnded) -> Iterator[Submission]:
        """The submitter went by itself: its journal tells what it had begun, another does the rest.

        Raises BackendError when that happens again and again.
        """
        self._submitter = None
        self._crashes += 1
        what = f"the submitting process {describe_exit(ended.status)}"
        if self._crashes >= _MAX_CRASHES:
            raise BackendError(with_output(f"{what}, again and again", ended.output))
        log.warning("%s; another one goes on", what)
        journal = self._journal.read()
        for job in list(self._open.values()):
            known = self._known(journal[job.ulid]) if job.ulid in journal else []
            if known:
                del self._open[job.ulid]
                yield from known
        self.hand_in(list(self._open.values()))

    # --- stopping --------------------------------------------------------------------------------

    def close(self) -> None:
        """Submit nothing more; calls that have begun are finished by the submitter."""
        if self._submitter is not None:
            self._submitter.close(_CLOSE_WAIT_S)

    def settle(self, unanswered: Collection[str], forget: Callable[[], None]) -> None:
        """Forget what is stored or was never accepted; see Executor.settle()."""

        def is_needed(line: JournalLine) -> bool:
            return line.event is not JournalEvent.NOT_ACCEPTED and line.ulid in unanswered

        try:
            with self._journal.lock():
                self._journal.keep(is_needed, forget)
        except (BackendError, OSError) as exc:
            log.info("%s stays as it is: %s", self._path.name, exc)


def _lost_fault(reason: str, can_pass: bool) -> JobFault:
    again = "may be" if can_pass else "is not"
    message = (
        f"nobody knows whether the run API accepted the job ({reason}): it may be running, "
        f"and {again} submitted again (executors.run-api.lost_answer_retries)"
    )
    return JobFault("answer lost", message, can_pass)
