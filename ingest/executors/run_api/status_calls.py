"""StatusCalls: questions about jobs, asked side by side, never two at a time about one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ingest.executors.run_api.answers import StatusAnswer
from ingest.services.pacing import Pace


@dataclass(frozen=True)
class StatusAnswered:
    """The answer about a job, or the error that asking came to."""

    ulid: str
    answer: StatusAnswer | Exception


class StatusCalls:
    """A few daemon threads that ask; tell() is called by them with each answer."""

    def __init__(
        self,
        ask: Callable[[str], StatusAnswer],
        concurrency: int,
        tell: Callable[[StatusAnswered], None],
    ) -> None:
        self._ask = ask
        self._concurrency = concurrency
        self._tell = tell
        self._outstanding: set[str] = set()
        self._questions: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()
        self._pace = Pace()

    def request(self, ulid: str, job_id: str) -> None:
        """Ask about a job, unless that is under way."""
        if ulid in self._outstanding:
            return
        self._outstanding.add(ulid)
        self._questions.put((ulid, job_id))
        if len(self._threads) < min(self._concurrency, len(self._outstanding)):
            thread = threading.Thread(target=self._serve, daemon=True)
            self._threads.append(thread)
            thread.start()

    def taken(self, answered: StatusAnswered) -> None:
        """An answer has arrived: the job may be asked about again."""
        self._outstanding.discard(answered.ulid)

    def close(self) -> None:
        """Ask nothing more; a call that is under way is not waited for."""
        self._stopped.set()
        for _ in self._threads:
            self._questions.put(None)

    def _serve(self) -> None:
        while (question := self._questions.get()) is not None and self._pace.wait(self._stopped):
            ulid, job_id = question
            answer: StatusAnswer | Exception
            try:
                answer = self._ask(job_id)
            except Exception as exc:  # noqa: BLE001  # raised again in the thread of the run
                answer = exc
            if isinstance(answer, StatusAnswer) and answer.retry_after_s:
                self._pace.hold(answer.retry_after_s)
            self._tell(StatusAnswered(ulid, answer))
