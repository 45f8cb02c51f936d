"""Drives an executor as the runner does: submit, poll until all jobs have ended, fetch."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ingest.analytics.validate import parse_analytics
from ingest.executors.base import (
    Executor,
    ExecutorContext,
    Job,
    JobFault,
    JobState,
    JobUpdate,
    Submission,
)
from ingest.executors.local.executor import LocalExecutor
from ingest.metrics import Metric, ResultSet
from ingest.study.combination import Combination
from ingest.study.local_settings import LocalSettings
from ingest.study.settings import AnalyticsSettings, RunSettings, StudySettings

# Far longer than anything here takes: a test that hangs shall fail and name what it waited for.
LIMIT_S = 60.0


def make_context(root: Path, **changes: Any) -> ExecutorContext:
    context = ExecutorContext(
        root=root,
        study_name="tiny",
        environment="standard",
        max_in_flight=100,
        state_path=root / "validation_results.db",
        study=StudySettings(),
        run=RunSettings(),
        analytics=AnalyticsSettings(),
    )
    return replace(context, **changes)


def make_job(ulid: str, document: Any = None) -> Job:
    """A job; a document that is no bytes is written as JSON."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Job(Combination("KEN", ulid), ulid, f"ingest-tiny-{ulid}", raw)


@dataclass
class Ended:
    """What a run of jobs came to; updates holds everything poll() said, in order."""

    results: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, JobFault] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)
    updates: list[JobUpdate] = field(default_factory=list)

    def metrics(self, ulid: str) -> list[Metric]:
        return list(self.result_set(ulid))

    def result_set(self, ulid: str) -> ResultSet:
        assert ulid not in self.faults, self.faults[ulid]
        return parse_analytics(self.results[ulid])


def poll_until(
    executor: Executor, ulids: Sequence[str], done: Callable[[list[JobUpdate]], bool]
) -> list[JobUpdate]:
    """All updates until done(updates) holds."""
    updates: list[JobUpdate] = []
    deadline = time.monotonic() + LIMIT_S
    while not done(updates):
        assert time.monotonic() < deadline, f"nothing more after {updates}"
        open_ulids = set(ulids) - {update.ulid for update in updates if update.state.is_final}
        updates += executor.poll([ulid for ulid in ulids if ulid in open_ulids], 0.05)
        if not executor.waits_in_poll:
            time.sleep(0.03)
    return updates


def run_jobs(executor: Executor, documents: Mapping[str, Any]) -> Ended:
    """Submit a job for each document and follow all to their end."""
    ended = Ended()
    jobs = [make_job(ulid, document) for ulid, document in documents.items()]
    ended.submissions = list(executor.submit(jobs))
    accepted = [s.ulid for s in ended.submissions if s.fault is None]
    ended.faults = {s.ulid: s.fault for s in ended.submissions if s.fault is not None}
    ended.updates = poll_until(executor, accepted, lambda updates: are_final(updates, accepted))
    for update in ended.updates:
        if update.state is JobState.FAILED:
            assert update.fault is not None
            ended.faults[update.ulid] = update.fault
        elif update.state is JobState.SUCCEEDED:
            ended.results[update.ulid] = executor.fetch(update.ulid)
    return ended


def are_final(updates: Sequence[JobUpdate], ulids: Sequence[str]) -> bool:
    return {update.ulid for update in updates if update.state.is_final} >= set(ulids)


@contextmanager
def local_executor(
    root: Path,
    *,
    entry_point: str | None = None,
    command: Sequence[str] = (),
    workers: int = 1,
) -> Iterator[LocalExecutor]:
    """A started local executor, closed in the end."""
    settings = LocalSettings(entry_point, tuple(command), workers)
    executor = LocalExecutor(settings, make_context(root))
    try:
        executor.start()
        yield executor
    finally:
        executor.close()


def wait_for_text(path: Path) -> str:
    """The text of a file that somebody is about to write in one go."""
    deadline = time.monotonic() + LIMIT_S
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} was never written"
        time.sleep(0.01)
    return path.read_text()


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def assert_ends(pid: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.02)
