"""The hooks a plugin may implement: when each is called, what to return, and an example."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from ingest.analytics.sources.base import AnalyticsSource
    from ingest.executors.base import Executor
    from ingest.findings import Finding
    from ingest.metrics import ResultSet
    from ingest.plugins.events import JobFinished, RunFinished
    from ingest.study.combination import Combination
    from ingest.study.settings import Settings


PROJECT_NAME = "ingest"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)


@hookspec(firstresult=True)
def ingest_discover_scenarios(settings: Settings) -> Sequence[Path] | None:
    """Scenario files of a study; called once when a study is read, the first answer counts.

    Return paths in the order in which scenarios are listed, or None to leave it to the next plugin.

        @hookimpl
        def ingest_discover_scenarios(settings):
            return sorted((settings.root / "variants").rglob("*.json"))
    """


@hookspec(firstresult=True)
def ingest_load_countries(settings: Settings) -> Any:
    """Countries of a study; called once when a study is read, the first answer counts.

    Return {"countries": [{"name", "iso3", ...groups}]}, or None to leave it to the next plugin.

        @hookimpl
        def ingest_load_countries(settings):
            with (settings.root / settings.study.countries).open() as file:
                return {"countries": list(csv.DictReader(file))}
    """


@hookspec
def ingest_register_executors() -> Sequence[type[Executor]] | None:
    """Executors a plugin offers; called when an executor is looked up by run.executor.

    Return subclasses of ingest.plugin_api.Executor.

        @hookimpl
        def ingest_register_executors():
            return [SlurmExecutor]
    """


@hookspec
def ingest_register_analytics_sources() -> Sequence[type[AnalyticsSource]] | None:
    """Analytics sources a plugin offers; called when analytics.source is not "executor".

    Return subclasses of ingest.plugin_api.AnalyticsSource.

        @hookimpl
        def ingest_register_analytics_sources():
            return [WarehouseSource]
    """


@hookspec
def ingest_check_metrics(
    settings: Settings, combination: Combination, result_set: ResultSet
) -> Sequence[Finding] | None:
    """What is doubtful or wrong in one job's metrics; called after parsing, before storing.

    Return findings: an error fails the job and stores no metric, a warning is kept with the job.

        @hookimpl
        def ingest_check_metrics(settings, combination, result_set):
            return [warning("negative", m.element_label, f"{m.timestamp_year}: {m.value}")
                    for m in result_set if m.value < 0]
    """


@hookspec
def ingest_job_finished(event: JobFinished) -> None:
    """Called after a job's final state (and its metrics) are stored; nothing to return.

    @hookimpl
    def ingest_job_finished(event):
        print(event.combination, event.job_status)
    """


@hookspec
def ingest_run_finished(event: RunFinished) -> None:
    """Called once at the end of a run, after everything is stored; nothing to return.

    @hookimpl
    def ingest_run_finished(event):
        requests.post(HOOK_URL, json={"run": event.run_id, "failed": event.failed_jobs})
    """
