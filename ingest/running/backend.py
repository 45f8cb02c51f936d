"""The executor and the analytics source that a study's settings name, made for one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pluggy

from ingest.analytics.sources.base import AnalyticsSource, ExecutorSource
from ingest.errors import BackendError, ConfigError, PluginError, StudyError
from ingest.executors.base import Executor, ExecutorContext
from ingest.findings import Finding, has_errors
from ingest.plugins.manager import find_analytics_source, find_executor
from ingest.study.setting_fields import read_section
from ingest.study.settings import STUDY_FILE, Settings

# The source whose place is a setting of [analytics] itself.
API_SOURCE = "analytics-api"


@dataclass(frozen=True)
class Backend:
    """Where jobs run and results come from: classes with their settings, nothing started yet."""

    executor_type: type[Executor]
    executor_settings: Any
    source_type: type[AnalyticsSource] | None
    source_settings: Any
    context: ExecutorContext

    def make_executor(self, jobs: int | None = None) -> Executor:
        """A new executor for one run of so many jobs; None where that is not known."""
        limits = [self.context.max_in_flight, *filter(None, [jobs])]
        context = replace(self.context, max_in_flight=min(limits))
        return self.executor_type(self.executor_settings, context)

    def make_source(self, executor: Executor) -> AnalyticsSource:
        """A new analytics source for one run; the executor's own unless another is named."""
        if self.source_type is None:
            return ExecutorSource(executor)
        return self.source_type(self.source_settings, self.context)

    @contextmanager
    def earlier_results(self) -> Iterator[AnalyticsSource]:
        """A source for jobs of earlier runs; an executor that keeps them is not started."""
        with ExitStack() as stack:
            if self.source_type is None:
                executor = stack.enter_context(closing(self.make_executor()))
                yield stack.enter_context(closing(ExecutorSource(executor)))
            else:
                yield stack.enter_context(
                    closing(self.source_type(self.source_settings, self.context))
                )

    def check(self) -> list[Finding]:
        """What executor and source find wrong without running a job."""
        with without_exit(self.executor_type):
            findings = list(self.executor_type.check(self.executor_settings, self.context))
        if self.source_type is not None:
            with without_exit(self.source_type):
                findings += self.source_type.check(self.source_settings, self.context)
        return findings

    def preflight(self) -> list[Finding]:
        """What executor and source find wrong by asking their services."""
        with without_exit(self.executor_type):
            findings = list(self.executor_type.preflight(self.executor_settings, self.context))
        return findings + self._ask_source()

    def _ask_source(self) -> list[Finding]:
        if self.source_type is None:
            return []
        with without_exit(self.source_type):
            return list(self.source_type.preflight(self.source_settings, self.context))

    def refuse_wrong_settings(self) -> None:
        """Raises StudyError with everything that check() finds wrong, at once."""
        findings = self.check()
        if has_errors(findings):
            raise StudyError(findings)

    def refuse_unusable_source(self) -> None:
        """Raises BackendError where results could not be fetched once there are some."""
        for finding in self._ask_source():
            if finding.is_error:
                raise BackendError(finding.message)


def with_source(
    settings: Settings, plugins: pluggy.PluginManager, *, of_earlier_runs: bool = False
) -> Settings:
    """The settings with the analytics source that follows from the one place that they name.

    Where the executor brings no results (keeps none, for those of_earlier_runs) and
    analytics.source is not set: `analytics-api` for analytics.url, X for a section [analytics.X].
    """
    if settings.analytics.source != ExecutorSource.name:
        return settings
    try:
        executor = find_executor(plugins, settings.run.executor)
    except ConfigError:
        return settings  # choose_backend() says so
    given = [API_SOURCE] if settings.analytics.url else []
    given += [name for name in settings.analytics_sources if name not in given]
    has_results = executor.keeps_results if of_earlier_runs else executor.brings_results
    if has_results or len(given) != 1:
        return settings
    return replace(settings, analytics=replace(settings.analytics, source=given[0]))


@contextmanager
def without_exit(cls: type[Any]) -> Iterator[None]:
    """Raises PluginError where code of an executor or a source calls sys.exit()."""
    try:
        yield
    except SystemExit as exc:
        what = f"{cls.name} ({cls.__module__}.{cls.__qualname__})"
        raise PluginError(f"{what} called sys.exit({exc.code!r})") from exc


def choose_backend(settings: Settings, plugins: pluggy.PluginManager) -> Backend:
    """The backend that run.executor and analytics.source name.

    Raises ConfigError (no such executor or source), StudyError (wrong keys in their sections).
    """
    executor_type = find_executor(plugins, settings.run.executor)
    executor_settings = _read(
        executor_type.Settings, settings.executors, "executors", executor_type.name
    )
    source_type = source_settings = None
    if settings.analytics.source != ExecutorSource.name:
        source_type = find_analytics_source(plugins, settings.analytics.source)
        source_settings = _read(
            source_type.Settings, settings.analytics_sources, "analytics", source_type.name
        )
    context = ExecutorContext(
        root=settings.root,
        study_name=settings.name,
        environment=settings.study.environment,
        max_in_flight=settings.run.max_in_flight or executor_type.default_max_in_flight,
        state_path=settings.database_path,
        study=settings.study,
        run=settings.run,
        analytics=settings.analytics,
    )
    return Backend(executor_type, executor_settings, source_type, source_settings, context)


def _read(
    section: type[Any], tables: Mapping[str, Mapping[str, Any]], parent: str, name: str
) -> Any:
    settings, findings = read_section(section, tables.get(name, {}), f"{parent}.{name}", STUDY_FILE)
    if has_errors(findings):
        raise StudyError(findings)
    return settings
