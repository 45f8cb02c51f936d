"""The run API executor: documents by HTTP to the service in front of AWS Batch."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import ClassVar

from ingest.errors import BackendError, ConfigError
from ingest.executors.base import (
    EarlierJob,
    Executor,
    ExecutorContext,
    Job,
    JobUpdate,
    Submission,
)
from ingest.executors.run_api.answers import StatusAnswer
from ingest.executors.run_api.client import RunApiClient
from ingest.executors.run_api.settings import (
    RunApiSettings,
    check_health,
    find_problems,
    find_service_problems,
)
from ingest.executors.run_api.status_calls import StatusAnswered, StatusCalls
from ingest.executors.run_api.submissions import Submissions
from ingest.executors.run_api.submitter_process import SubmitterEvent
from ingest.executors.run_api.submitter_protocol import Answered, Holding, Unusable
from ingest.findings import Finding, has_errors
from ingest.services.http_answers import without_credentials
from ingest.text.times import clock_text

log = logging.getLogger("ingest.run")

Event = SubmitterEvent | StatusAnswered


class RunApiExecutor(Executor):
    """Jobs at the run API; they go on without us, and are taken up by the next run."""

    name: ClassVar[str] = "run-api"
    Settings: ClassVar[type[RunApiSettings]] = RunApiSettings
    jobs_survive_run: ClassVar[bool] = True
    brings_results: ClassVar[bool] = False
    can_cancel: ClassVar[bool] = False
    waits_in_poll: ClassVar[bool] = True
    polls_a_service: ClassVar[bool] = True
    default_submit_rate: ClassVar[str | None] = "20/1s"

    def __init__(self, settings: RunApiSettings, context: ExecutorContext) -> None:
        super().__init__(settings, context)
        self._settings = settings
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._submissions = Submissions(settings, context, self._events.put)
        self._client: RunApiClient | None = None
        self._calls: StatusCalls | None = None
        self._job_ids: dict[str, str] = {}  # of jobs at the API that have not ended, by ULID
        self._failure: Exception | None = None
        self._holds: dict[str, tuple[float, str]] = {}  # until when (monotonic), why; by what waits

    @staticmethod
    def check(settings: RunApiSettings, context: ExecutorContext) -> list[Finding]:
        """Whether there is an address, an environment it can take, and a source of results."""
        return find_problems(settings, context)

    @staticmethod
    def preflight(settings: RunApiSettings, context: ExecutorContext) -> list[Finding]:
        """Whether the service answers that it is healthy."""
        return find_service_problems(settings)

    def start(self) -> None:
        """Check settings and the service's health. Raises ConfigError, BackendError."""
        settings = self._settings
        findings = self.check(settings, self.context)
        if has_errors(findings):
            raise ConfigError(str(findings[0]))
        check_health(settings)
        threads = settings.status_concurrency
        self._client = RunApiClient(settings.url or "", settings.status_timeout_s, threads)
        self._calls = StatusCalls(self._client.status, threads, self._events.put)

    def adopt(self, jobs: Sequence[EarlierJob]) -> list[Submission]:
        """Jobs that were submitted, from the database or from the submitter's journal.

        Waits for a submitter that still finishes what it had begun. Raises BackendError.
        """
        return [self._follow(submission) for submission in self._submissions.adopt(jobs)]

    def journal_id(self) -> str:
        """The id of the submitter's journal. Raises BackendError: it cannot be written."""
        return self._submissions.journal_id()

    def submit(self, jobs: Sequence[Job]) -> list[Submission]:
        """Hand jobs to the submitter; the answers come from poll()."""
        self._submissions.hand_in(jobs)
        return []

    def poll(self, ulids: Sequence[str], wait_s: float) -> list[JobUpdate | Submission]:
        """Ask about jobs; answers to submissions and questions as soon as there are some."""
        assert self._calls is not None
        for ulid in ulids:
            if ulid in self._job_ids:
                self._calls.request(ulid, self._job_ids[ulid])
        answers = self._collect(time.monotonic() + wait_s)
        if self._failure is not None and not answers:  # what was answered is stored first
            raise self._failure
        return answers

    def _collect(self, deadline: float) -> list[JobUpdate | Submission]:
        """What has happened; waits for something until the deadline."""
        answers: list[JobUpdate | Submission] = []
        while not answers and self._failure is None:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                break
            answers += self._take(event)
        while not self._events.empty():
            answers += self._take(self._events.get())
        return answers

    def _take(self, event: Event) -> Iterator[JobUpdate | Submission]:
        if isinstance(event, StatusAnswered):
            yield from self._status_answered(event)
        elif isinstance(event, Answered):
            yield from map(self._follow, self._submissions.take(event))
            if self._submissions.unusable is not None:
                self._fail(self._unusable(Unusable(self._submissions.unusable)))
        elif isinstance(event, Holding):
            self._hold("submissions wait", event.seconds, f"the run API {event.reason}")
        elif isinstance(event, Unusable):
            self._fail(self._unusable(event))
        elif self._failure is None:
            try:
                yield from map(self._follow, self._submissions.ended(event))
            except BackendError as exc:
                self._fail(exc)

    def _follow(self, submission: Submission) -> Submission:
        if submission.external_id is not None:
            self._job_ids[submission.new_ulid or submission.ulid] = submission.external_id
        return submission

    def _status_answered(self, event: StatusAnswered) -> Iterator[JobUpdate]:
        assert self._calls is not None
        self._calls.taken(event)
        if isinstance(event.answer, StatusAnswer) and event.answer.retry_after_s:
            why = event.answer.fault.first_line if event.answer.fault else ""
            self._hold("questions wait", event.answer.retry_after_s, why)
        if isinstance(event.answer, Exception):
            self._fail(event.answer)
        elif event.ulid in self._job_ids:
            if event.answer.state.is_final:
                del self._job_ids[event.ulid]
            yield JobUpdate(event.ulid, event.answer.state, event.answer.fault)

    def _hold(self, what: str, seconds: float, why: str) -> None:
        until = time.monotonic() + seconds
        if what not in self._holds or self._holds[what][0] < until:
            self._holds[what] = (until, why)

    def waits(self) -> list[str]:
        """Which calls are held back, because the API asked for that, and until when."""
        now = time.monotonic()
        return [
            f"{what} until {clock_text(until - now)}: {why}"
            for what, (until, why) in self._holds.items()
            if until > now
        ]

    def _fail(self, failure: Exception) -> None:
        self._failure = self._failure or failure

    def _unusable(self, word: Unusable) -> BackendError:
        if word.is_local:
            return BackendError(f"nothing can be submitted: {word.reason}")
        url = without_credentials(self._settings.url or "")
        return BackendError(
            f"the run API at {url} {word.reason}. Jobs that were submitted go on; "
            "the next `ingest run` follows them"
        )

    def cancel(self, ulids: Sequence[str]) -> dict[str, str]:
        """Follow these jobs no longer; the run API has no way to stop them."""
        for ulid in ulids:
            self._job_ids.pop(ulid, None)
        return {}

    def close(self) -> None:
        """Submit and ask nothing more; submissions that have begun are finished without us."""
        if self._calls is not None:
            self._calls.close()
            self._submissions.close()
        if self._client is not None:
            self._client.close()

    def settle(self, unanswered: Collection[str], forget: Callable[[], None]) -> None:
        """Remove from the journal what is stored by now, and the journal where that is all."""
        self._submissions.settle(unanswered, forget)
