"""A thread that runs accepted documents through the study's local executor."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from ingest.dev_server.jobs import DevJob
from ingest.errors import IngestError
from ingest.executors.base import Executor, Job, JobFault, JobState, JobUpdate, Submission
from ingest.running.backend import Backend
from ingest.study.combination import Combination

# How long a new job may wait until the thread looks for it again while others run.
_ROUND_S = 0.02

Begun = Callable[[DevJob], None]
Ended = Callable[[DevJob, bytes | None, JobFault | None], None]


class ModelThread:
    """Drives one executor: submit, poll, fetch. begun and ended are called from its thread."""

    def __init__(self, backend: Backend, begun: Begun, ended: Ended) -> None:
        self._backend = backend
        self._begun, self._ended = begun, ended
        self._queue: queue.SimpleQueue[tuple[DevJob, bytes] | None] = queue.SimpleQueue()
        self._open: dict[str, DevJob] = {}
        self._stopping = False
        self._ready: Future[None] = Future()
        # not a daemon: its worker processes are ended before this process is
        self._thread = threading.Thread(target=self._work, name="ingest-dev-server-model")

    def start(self) -> None:
        """Start the workers and wait until the model is loaded.

        Raises ConfigError or BackendError as the executor does.
        """
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self._thread.join()
            raise

    def run(self, job: DevJob, document: bytes) -> None:
        """Have a document run; returns at once."""
        self._queue.put((job, document))

    def close(self) -> None:
        """End the workers, whatever they do."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        executor = self._backend.make_executor()
        try:
            executor.start()
        except BaseException as exc:  # noqa: BLE001  # raised again where start() waits
            executor.close()
            self._ready.set_exception(exc)
            return
        self._ready.set_result(None)
        try:
            while not self._stopping:
                self._round(executor)
        except IngestError as exc:
            self._fail_from_now_on(str(exc))
        finally:
            executor.close()

    def _round(self, executor: Executor) -> None:
        """Take what was handed in, and hand on what has happened; idle while there is nothing."""
        new = self._take(wait=not self._open)
        if new:
            self._open.update((job.ulid, job) for job, _ in new)
            jobs = [Job(_named(job), job.ulid, job.job_name, document) for job, document in new]
            for submission in executor.submit(jobs):
                self._tell(executor, submission)
        if self._open:
            for update in executor.poll((), _ROUND_S):
                self._tell(executor, update)

    def _take(self, *, wait: bool) -> list[tuple[DevJob, bytes]]:
        taken: list[tuple[DevJob, bytes]] = []
        try:
            while not self._stopping:
                item = self._queue.get(block=wait and not taken)
                if item is not None:
                    taken.append(item)
        except queue.Empty:
            pass
        return taken

    def _tell(self, executor: Executor, news: JobUpdate | Submission) -> None:
        job = self._open[news.ulid]
        if isinstance(news, Submission):
            if news.fault is not None:
                self._end(job, None, news.fault)
        elif news.state is JobState.RUNNING:
            self._begun(job)
        elif news.state is JobState.SUCCEEDED:
            self._end(job, executor.fetch(job.ulid), None)
        elif news.state is JobState.FAILED:
            self._end(job, None, news.fault)

    def _end(self, job: DevJob, result: bytes | None, fault: JobFault | None) -> None:
        del self._open[job.ulid]
        self._ended(job, result, fault)

    def _fail_from_now_on(self, message: str) -> None:
        """The executor cannot go on: what it held has failed, and so does what comes."""
        fault = JobFault("backend", message)
        while not self._stopping:
            for job in list(self._open.values()):
                self._end(job, None, fault)
            self._open.update((job.ulid, job) for job, _ in self._take(wait=True))


def _named(job: DevJob) -> Combination:
    """A document does not say which combination it is; the executor needs a name alone."""
    return Combination("document", job.digest[:12])
