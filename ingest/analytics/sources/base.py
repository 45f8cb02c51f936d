"""Analytics sources: where a finished job's raw results come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ingest.executors.base import Executor, ExecutorContext, NoSettings
from ingest.findings import Finding
from ingest.study.setting_fields import input_values


class AnalyticsSource(ABC):
    """Gives the raw results of succeeded jobs; made for one run.

    Settings is a dataclass whose fields are made with ingest.plugin_api.setting; the section
    [analytics.<name>] is read into it.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[Any]] = NoSettings
    is_remote: ClassVar[bool] = True
    """Whether fetch() waits for a service; it is then called from several threads."""
    asks_query: ClassVar[bool] = False
    """Whether it asks with the query that [analytics] makes, so that a change of that counts."""

    def __init__(self, settings: Any, context: ExecutorContext) -> None:
        """Nothing is connected here."""
        self.settings = settings
        self.context = context

    @classmethod
    def identity(cls, settings: Any) -> Mapping[str, Any]:
        """What decides a result, by name: itself, and of its settings those marked is_input.

        Where that changes, jobs run again. Asked before each plan, of these settings alone: it
        reads no file and asks no service. Values are as in TOML.
        """
        own = {f"{cls.name}.{name}": value for name, value in input_values(settings).items()}
        return {"source": cls.name, **own}

    @staticmethod
    def check(settings: Any, context: ExecutorContext) -> Iterable[Finding]:
        """What `ingest check` finds wrong without fetching."""
        return ()

    @staticmethod
    def preflight(settings: Any, context: ExecutorContext) -> Iterable[Finding]:
        """What `ingest check` finds wrong by asking the service."""
        return ()

    @abstractmethod
    def fetch(self, ulid: str) -> bytes:
        """JSON records or CSV as parse_analytics reads them.

        Raises ResultsNotReadyError when a later question may find them, BackendError when the
        service cannot be used at all (credentials), AnalyticsError for anything else.
        """

    def close(self) -> None:
        """Let go of everything; called once, also after an error."""


class ExecutorSource(AnalyticsSource):
    """The source that an executor brings along: its own fetch()."""

    name: ClassVar[str] = "executor"

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.is_remote = executor.jobs_survive_run  # type: ignore[misc]  # as remote as its executor

    def fetch(self, ulid: str) -> bytes:
        """The raw results that the executor holds for a job."""
        return self._executor.fetch(ulid)
