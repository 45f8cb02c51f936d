"""The run-api executor for the contract suite: on the dev server, its jobs under our names."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.analytics.sources.analytics_api import AnalyticsApiSource
from ingest.dev_server.server import DevServer
from ingest.errors import AnalyticsError, ResultsNotReadyError
from ingest.executors.base import ExecutorContext, Job, JobUpdate, NoSettings, Submission
from ingest.executors.run_api.executor import RunApiExecutor
from ingest.executors.run_api.settings import RunApiSettings
from ingest.study.settings import AnalyticsSettings
from tests.executors.drive import LIMIT_S, make_context


class RunApiUnderOurNames(RunApiExecutor):
    """What the runner does around it: takes new ULIDs over, and fetches by way of the source."""

    def __init__(self, settings: RunApiSettings, context: ExecutorContext) -> None:
        super().__init__(settings, context)
        self._theirs: dict[str, str] = {}
        self._ours: dict[str, str] = {}
        self._source = AnalyticsApiSource(NoSettings(), context)

    def submit(self, jobs: Sequence[Job]) -> list[Submission]:
        super().submit(jobs)
        answered: list[Submission] = []
        deadline = time.monotonic() + LIMIT_S
        while len(answered) < len(jobs):
            assert time.monotonic() < deadline, "submissions without an answer"
            for answer in super().poll([], 0.05):
                if isinstance(answer, Submission):
                    self._theirs[answer.ulid] = answer.new_ulid or answer.ulid
                    self._ours[answer.new_ulid or answer.ulid] = answer.ulid
                    answered.append(answer)
        return answered

    def poll(self, ulids: Sequence[str], wait_s: float) -> list[Any]:
        answers = super().poll([self._theirs[ulid] for ulid in ulids], wait_s)
        return [
            replace(answer, ulid=self._ours[answer.ulid])
            for answer in answers
            if isinstance(answer, JobUpdate)
        ]

    def fetch(self, ulid: str) -> bytes:
        if ulid not in self._theirs:
            raise AnalyticsError(f"no job {ulid} was submitted")
        deadline = time.monotonic() + LIMIT_S
        while True:
            try:
                return self._source.fetch(self._theirs[ulid])
            except ResultsNotReadyError:
                assert time.monotonic() < deadline, f"no results of {ulid}"

    def close(self) -> None:
        self._source.close()
        super().close()


@contextmanager
def run_api_contract(root: Path, entry_point: str) -> Iterator[Callable[[], RunApiExecutor]]:
    """Executors on a dev server that runs this entry point."""
    study = f'[study]\nname = "tiny"\n[executors.local]\nentry_point = "{entry_point}"\n'
    (root / "ingest.toml").write_text(study)
    with DevServer(root) as server:
        analytics = AnalyticsSettings(source="analytics-api", url=server.url)
        context = make_context(root, analytics=analytics)
        yield lambda: RunApiUnderOurNames(RunApiSettings(url=server.url), context)
