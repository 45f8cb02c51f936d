"""A thread that runs accepted documents through the study's local executor."""

from __future__ import annotations

import queue
import threading

from ingest.dev_server.jobs import DevJob, JobBook
from ingest.errors import IngestError
from ingest.executors.base import Job, JobFault, JobState, JobUpdate, Submission
from ingest.running.backend import Backend
from ingest.study.combination import Combination

# How long a new job may wait until the thread looks for it again while others run.
_ROUND_S = 0.02


class ModelThread:
    """Drives one executor: submit, poll, fetch; keeps in the job book what became of each job."""

    def __init__(self, backend: Backend, jobs: JobBook) -> None:
        self._executor = backend.make_executor()
        self._jobs = jobs
        self._queue: queue.SimpleQueue[tuple[DevJob, bytes] | None] = queue.SimpleQueue()
        self._open: dict[str, DevJob] = {}
        self._stopping = False
        # not a daemon: its worker processes are ended before this process is
        self._thread = threading.Thread(target=self._work, name="ingest-dev-server-model")

    def start(self) -> None:
        """Start the workers, which load the model; errors are those of the executor."""
        try:
            self._executor.start()
        except BaseException:
            self._executor.close()
            raise
        self._thread.start()

    def run(self, job: DevJob, document: bytes) -> None:
        """Have a document run; returns at once."""
        self._queue.put((job, document))

    def close(self) -> None:
        """End the workers, whatever they do."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            while not self._stopping:
                self._round()
        except IngestError as exc:
            self._fail_from_now_on(str(exc))
        finally:
            self._executor.close()

    def _round(self) -> None:
        """Take what was handed in, and hand on what has happened; idle while there is nothing."""
        new = self._take(wait=not self._open)
        if new:
            self._open.update((job.ulid, job) for job, _ in new)
            jobs = [Job(_named(job), job.ulid, job.job_name, document) for job, document in new]
            for submission in self._executor.submit(jobs):
                self._take_news(submission)
        if self._open:
            for update in self._executor.poll((), _ROUND_S):
                self._take_news(update)

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

    def _take_news(self, news: JobUpdate | Submission) -> None:
        job = self._open[news.ulid]
        if isinstance(news, Submission):
            if news.fault is not None:
                self._end(job, None, news.fault)
        elif news.state is JobState.RUNNING:
            self._jobs.begin(job)
        elif news.state is JobState.SUCCEEDED:
            self._end(job, self._executor.fetch(job.ulid), None)
        elif news.state is JobState.FAILED:
            self._end(job, None, news.fault)

    def _end(self, job: DevJob, result: bytes | None, fault: JobFault | None) -> None:
        del self._open[job.ulid]
        self._jobs.end(job, result, fault)

    def _fail_from_now_on(self, message: str) -> None:
        """The executor cannot go on: what it held has failed, and so does what comes."""
        fault = JobFault("backend", message)
        while not self._stopping:
            for job in list(self._open.values()):
                self._end(job, None, fault)
            self._open.update((job.ulid, job) for job, _ in self._take(wait=True))


def _named(job: DevJob) -> Combination:
    """A document does not say which combination it is; the executor only needs a name."""
    return Combination("document", job.digest[:12])
