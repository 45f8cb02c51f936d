"""A run in a process of its own, to be killed: adopts, submits, keeps what it is told in a file.

Called with the database's path, the API's address and how many documents there are. The file
`<database>.runs` stands for the database: one line for each job, the last one counts.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ulid import ULID

from ingest.executors.base import EarlierJob, Job, Submission
from ingest.executors.run_api.executor import RunApiExecutor
from ingest.executors.run_api.settings import RunApiSettings
from ingest.study.combination import Combination
from ingest.study.settings import AnalyticsSettings
from tests.executors.drive import make_context


@dataclass
class Stored:
    """What is kept of a job. fault: its kind, where there is one."""

    number: int
    ulid: str
    job_id: str | None = None
    fault: str | None = None


def document(number: int) -> bytes:
    return json.dumps({"number": number, "padding": "x" * 100_000}).encode()


def read_store(path: Path) -> dict[int, Stored]:
    if not path.exists():
        return {}
    lines = path.read_text().split("\n")[:-1]  # a torn line was not stored
    return {stored.number: stored for line in lines for stored in [Stored(**json.loads(line))]}


class Store:
    def __init__(self, path: Path) -> None:
        self.jobs = read_store(path)
        if path.exists():
            path.write_text("".join(json.dumps(vars(j)) + "\n" for j in self.jobs.values()))
        self._file = path.open("a")

    def keep(self, stored: Stored) -> None:
        self.jobs[stored.number] = stored
        self._file.write(json.dumps(vars(stored)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def store_path(state_path: Path) -> Path:
    return state_path.with_name(state_path.name + ".runs")


def run(state_path: Path, url: str, count: int) -> None:
    context = make_context(
        state_path.parent,
        state_path=state_path,
        analytics=AnalyticsSettings(source="analytics-api"),
    )
    store = Store(store_path(state_path))
    for number in range(count):
        if number not in store.jobs:
            store.keep(Stored(number, str(ULID())))
    executor = RunApiExecutor(RunApiSettings(url=url, submit_concurrency=8), context)
    executor.start()
    by_ulid = {job.ulid: job for job in store.jobs.values()}

    def take(submission: Submission) -> None:
        stored = by_ulid.pop(submission.ulid)
        stored.ulid = submission.new_ulid or submission.ulid
        stored.job_id = submission.external_id
        stored.fault = submission.fault.kind if submission.fault else None
        store.keep(stored)

    def combination(number: int) -> Combination:
        return Combination(f"C{number}", "null")

    for submission in executor.adopt(
        [
            EarlierJob(combination(j.number), j.ulid, f"ingest-{j.ulid}", None)
            for j in store.jobs.values()
            if j.job_id is None and j.fault is None
        ]
    ):
        take(submission)
    waiting = [j for j in store.jobs.values() if j.job_id is None and j.fault is None]
    executor.submit(
        [
            Job(combination(j.number), j.ulid, f"ingest-{j.ulid}", document(j.number))
            for j in waiting
        ]
    )
    left = {job.ulid for job in waiting}
    while left:
        for answer in executor.poll([], 1.0):
            assert isinstance(answer, Submission)
            left.discard(answer.ulid)
            take(answer)
    executor.poll([], 0.0)
    executor.close()
    store.close()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
