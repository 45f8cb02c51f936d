"""The local executor: the study's model on this machine, in worker processes that live on."""

from __future__ import annotations

import os
import selectors
import shutil
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import ClassVar

from ingest.errors import AnalyticsError, BackendError, ConfigError
from ingest.executors.base import (
    Executor,
    ExecutorContext,
    Job,
    JobFault,
    JobState,
    JobUpdate,
    Submission,
)
from ingest.executors.local.worker_process import WorkerProcess
from ingest.executors.local.worker_side import Answer
from ingest.executors.model_call import command_path, describe_exit
from ingest.executors.output_tail import with_output
from ingest.findings import Finding, error, warning
from ingest.study.local_settings import MODEL_SECTION, LocalSettings

# Jobs a worker holds: the one it works on, and the next, so that it never waits for the runner.
_JOBS_A_WORKER = 2
_START_TIMEOUT_S = 300.0
_ENDS = (Answer.RESULT, Answer.MODEL_ERROR, Answer.MODEL_CRASH)
_MIXED_UP = (
    "the worker process answered for another job than its own, so no answer of it was taken: does "
    "the model write to files that it did not open?"
)
_SAME_NAME = (
    "Python or ingest has a module of this name; which of the two `import {}` gives depends on "
    "what was imported before: rename the file"
)
_NOTHING_SET = (
    "executors.local needs entry_point (a Python function) or command (a program): write e.g.\n"
    '[executors.local]\nentry_point = "model:simulate"'
)


class LocalExecutor(Executor):
    """Runs jobs in worker processes; a job that crashes its worker fails alone."""

    name: ClassVar[str] = MODEL_SECTION
    waits_in_poll: ClassVar[bool] = True
    polls_a_service: ClassVar[bool] = False
    Settings: ClassVar[type[LocalSettings]] = LocalSettings

    def __init__(self, settings: LocalSettings, context: ExecutorContext) -> None:
        super().__init__(settings, context)
        self._settings = settings
        self._root = context.root.resolve()
        self.worker_count = min(
            settings.workers or available_cores(), max(1, context.max_in_flight)
        )
        self._waiting: deque[Job] = deque()
        self._documents: dict[str, Job] = {}
        self._workers: list[WorkerProcess] = []
        self._results: dict[str, bytes] = {}
        self._cancelled: set[str] = set()
        self._selector = selectors.DefaultSelector()

    @staticmethod
    def check(settings: LocalSettings, context: ExecutorContext) -> list[Finding]:
        """Whether the entry point's module file or the command's program is there."""
        where = "executors.local"
        if not settings.command and settings.entry_point is None:
            return [error("no-model-code", where, _NOTHING_SET.splitlines()[0])]
        if settings.command and settings.entry_point is not None:
            message = "set either entry_point or command, not both"
            return [error("bad-value", where, message)]
        if settings.entry_point is not None:
            return _entry_point_findings(settings.entry_point, context.root)
        if not _program_exists(settings.command[0], context.root):
            message = f"command: no program {settings.command[0]!r} on this machine"
            return [error("no-program", where, message)]
        return []

    def start(self) -> None:
        """Start the workers and wait until the first has loaded the model.

        Raises ConfigError when the model cannot be loaded, BackendError when no worker starts.
        """
        if not self._settings.command and self._settings.entry_point is None:
            raise ConfigError(_NOTHING_SET)
        for _ in range(self.worker_count):
            self._start_worker()
        self._wait_until_ready(self._workers[0])

    def _start_worker(self) -> None:
        try:
            worker = WorkerProcess(self._root, self._settings)
        except OSError as exc:
            raise BackendError(f"cannot start a worker process: {exc}") from exc
        self._workers.append(worker)
        self._selector.register(worker.answers_fd, selectors.EVENT_READ, worker)

    def _wait_until_ready(self, worker: WorkerProcess) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(worker.answers_fd, selectors.EVENT_READ)
            while not worker.ready:
                if not selector.select(_START_TIMEOUT_S):
                    message = f"the model was not loaded within {_START_TIMEOUT_S:.0f} s"
                    raise BackendError(message)
                list(self._answers_of(worker))

    def submit(self, jobs: Sequence[Job]) -> Iterator[Submission]:
        """Queue jobs for the workers."""
        for job in jobs:
            self._waiting.append(job)
            yield Submission(job.ulid)

    def poll(self, ulids: Sequence[str], wait_s: float) -> list[JobUpdate]:
        """Keep the workers busy; what they have finished, waiting for it up to wait_s."""
        updates = self._dispatch()
        events = self._selector.select(0 if updates else max(0.0, wait_s))
        for key, _ in events:
            worker: WorkerProcess = key.data
            if worker not in self._workers:  # buried a moment ago
                continue
            if key.fd == worker.jobs_fd:
                self._send(worker)
            else:
                updates += self._answers_of(worker)
        if not events:
            updates += self._bury_silent()
            self._recall_for_idle()
        return updates + self._dispatch()

    def _dispatch(self) -> list[JobUpdate]:
        """Give waiting jobs to workers; tells which jobs have begun."""
        begun = []
        for depth in range(1, _JOBS_A_WORKER + 1):
            for worker in self._workers:
                if self._waiting and len(worker.ulids) < depth:
                    job = self._waiting.popleft()
                    self._documents[job.ulid] = job
                    worker.give(job.ulid, job.document)
                    self._send(worker)
                    if len(worker.ulids) == 1:
                        begun.append(JobUpdate(job.ulid, JobState.RUNNING))
        return begun

    def _send(self, worker: WorkerProcess) -> None:
        """Hand over what a worker takes now; the selector tells when it takes more."""
        worker.send()
        watched = worker.jobs_fd in self._selector.get_map()
        if worker.has_unsent and not watched:
            self._selector.register(worker.jobs_fd, selectors.EVENT_WRITE, worker)
        elif watched and not worker.has_unsent:
            self._selector.unregister(worker.jobs_fd)

    def _answers_of(self, worker: WorkerProcess) -> Iterator[JobUpdate]:
        for answer in worker.read_answers():
            if answer is None:
                yield from self._bury(worker)
                return
            if answer.kind == Answer.READY:
                worker.ready = True
                command = self._settings.command
                path = command_path(command, self._root) if command else answer.body.decode()
                self.model_path = self.model_path or path
            elif answer.kind == Answer.CANNOT_START:
                raise ConfigError(answer.body.decode())
            elif answer.kind == Answer.RECALLED and answer.ulid == worker.recalled:
                self._taken_back(worker)
            elif answer.kind in _ENDS and worker.ulids and answer.ulid == worker.ulids[0]:
                yield from self._finished(worker, Answer(answer.kind), answer.body)
                if worker not in self._workers:
                    return
            else:
                yield from self._distrust(worker)
                return

    def _distrust(self, worker: WorkerProcess) -> Iterator[JobUpdate]:
        """A worker that answers for another job than its own: nothing it says counts any more."""
        worker.kill()
        failed = worker.ulids.popleft() if worker.ulids else None
        self._replace(worker)
        if failed is not None:
            del self._documents[failed]
            yield JobUpdate(failed, JobState.FAILED, JobFault("model error", _MIXED_UP))

    def _finished(self, worker: WorkerProcess, kind: Answer, body: bytes) -> Iterator[JobUpdate]:
        ulid = worker.ulids.popleft()
        del self._documents[ulid]
        if ulid == worker.recalled:
            worker.recalled = None
        if kind is Answer.RESULT:
            self._results[ulid] = body
            yield JobUpdate(ulid, JobState.SUCCEEDED)
        else:
            yield JobUpdate(ulid, JobState.FAILED, _fault(kind, body.decode()))
        if worker.ulids and worker.ulids[0] in self._cancelled:
            self.cancel([worker.ulids[0]])
        elif worker.ulids:
            yield JobUpdate(worker.ulids[0], JobState.RUNNING)

    def _recall_for_idle(self) -> None:
        """Ask for jobs back that wait behind a long one, as many as other workers could begin."""
        idle = sum(1 for worker in self._workers if worker.ready and not worker.ulids)
        if idle and not self._waiting:
            behind = [w for w in self._workers if len(w.ulids) > 1 and w.recalled is None]
            for worker in behind[:idle]:
                self._recall(worker)

    def _recall(self, worker: WorkerProcess) -> None:
        worker.recall()
        self._send(worker)

    def _taken_back(self, worker: WorkerProcess) -> None:
        ulid, worker.recalled = worker.recalled, None
        assert ulid is not None
        worker.ulids.remove(ulid)
        job = self._documents.pop(ulid)
        if ulid in self._cancelled:
            self._cancelled.discard(ulid)
        else:
            self._waiting.appendleft(job)

    def _bury(self, worker: WorkerProcess) -> Iterator[JobUpdate]:
        """A worker has ended by itself: its job failed, the next one goes back, another starts."""
        status = worker.wait()
        output = worker.last_output()
        if not worker.ready:
            self._remove(worker)
            message = f"a worker process {describe_exit(status)} before it was ready"
            raise BackendError(with_output(message, output))
        failed = worker.ulids.popleft() if worker.ulids else None
        self._replace(worker)
        if failed is not None:
            del self._documents[failed]
            message = with_output(f"the worker process {describe_exit(status)}", output)
            yield JobUpdate(failed, JobState.FAILED, JobFault("worker crashed", message, True))

    def _bury_silent(self) -> Iterator[JobUpdate]:
        """Bury workers that ended while a process they started keeps their pipe open."""
        ended = [worker for worker in self._workers if worker.has_ended]
        if ended:
            readable = {key.fd for key, _ in self._selector.select(0)}
            for worker in ended:
                if worker.answers_fd not in readable:
                    yield from self._bury(worker)

    def _replace(self, worker: WorkerProcess) -> None:
        """Put a new worker in the place of one that is gone; jobs it still held wait again."""
        held = [self._documents.pop(ulid) for ulid in worker.ulids]
        self._waiting.extendleft(job for job in reversed(held) if job.ulid not in self._cancelled)
        self._cancelled.difference_update(worker.ulids)
        self._remove(worker)
        self._start_worker()

    def _remove(self, worker: WorkerProcess) -> None:
        self._selector.unregister(worker.answers_fd)
        if worker.jobs_fd in self._selector.get_map():
            self._selector.unregister(worker.jobs_fd)
        self._workers.remove(worker)
        worker.close()

    def fetch(self, ulid: str) -> bytes:
        """The result of a succeeded job, handed out once."""
        try:
            return self._results.pop(ulid)
        except KeyError as exc:
            raise AnalyticsError(f"no result of job {ulid} is held here any more") from exc

    def cancel(self, ulids: Sequence[str]) -> Mapping[str, str]:
        """Stop jobs: waiting ones are dropped, the worker of a running one is killed."""
        chosen = set(ulids)
        self._waiting = deque(job for job in self._waiting if job.ulid not in chosen)
        outputs = {}
        for worker in list(self._workers):
            behind = chosen.intersection(list(worker.ulids)[1:])
            if behind:  # dropped when it comes back, or when its turn comes
                self._cancelled |= behind
                if worker.recalled is None and worker.ulids[0] not in chosen:
                    self._recall(worker)
            if worker.ulids and worker.ulids[0] in chosen:
                worker.kill()
                ulid = worker.ulids.popleft()
                outputs[ulid] = worker.last_output()
                self._cancelled.discard(ulid)
                del self._documents[ulid]
                self._replace(worker)
        return outputs

    def close(self) -> None:
        """End all workers."""
        for worker in list(self._workers):
            self._remove(worker)
        self._selector.close()


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _program_exists(program: str, root: Path) -> bool:
    return shutil.which(program) is not None or (root / program).is_file()


def _entry_point_findings(entry_point: str, root: Path) -> list[Finding]:
    """What is wrong with an entry point, as far as can be told without importing it."""
    module_name, _, function_name = entry_point.partition(":")
    if not (module_name and function_name):
        message = f'entry_point {entry_point!r} is not of the form "module:function"'
        return [error("bad-value", "executors.local", message)]
    package = module_name.partition(".")[0]
    if PathFinder.find_spec(package, [str(root), *sys.path]) is None:
        message = f"entry_point {entry_point!r}: no module {package} in the study's folder"
        return [error("no-module", "executors.local", message)]
    return [
        warning("module-name", path.name, _SAME_NAME.format(path.stem))
        for path in sorted(root.glob("*.py"))
        if path.stem in sys.stdlib_module_names or path.stem == "ingest"
    ]


def _fault(kind: Answer, message: str) -> JobFault:
    if kind is Answer.MODEL_CRASH:
        return JobFault("command crashed", message, can_pass=True)
    return JobFault("model error", message)
