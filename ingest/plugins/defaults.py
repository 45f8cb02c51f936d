"""The plugins that come along, made of the same hooks as anyone else's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ingest.analytics.sources.analytics_api import AnalyticsApiSource
from ingest.analytics.sources.base import AnalyticsSource
from ingest.analytics.sources.s3 import S3Source
from ingest.executors.aws_batch.executor import AwsBatchExecutor
from ingest.executors.base import Executor
from ingest.executors.local.executor import LocalExecutor
from ingest.executors.run_api.executor import RunApiExecutor
from ingest.findings import Finding, warning
from ingest.metrics import ResultSet
from ingest.plugins.hookspecs import hookimpl
from ingest.study.combination import Combination
from ingest.study.json_files import read_json
from ingest.study.settings import Settings
from ingest.study.study import find_scenario_files


class ScenarioFiles:
    """Scenarios are the *.json files that study.scenarios names."""

    @hookimpl(trylast=True)
    def ingest_discover_scenarios(self, settings: Settings) -> Sequence[Path]:
        """The files in the folders and globs of study.scenarios."""
        return find_scenario_files(settings)


class CountriesFile:
    """Countries are in the JSON file that study.countries names."""

    @hookimpl(trylast=True)
    def ingest_load_countries(self, settings: Settings) -> Any:
        """The JSON document; None for a file of another kind."""
        file = settings.study.countries
        return read_json(settings.root / file, file) if file.endswith(".json") else None


class LocalExecutorPlugin:
    """The local executor."""

    @hookimpl
    def ingest_register_executors(self) -> Sequence[type[Executor]]:
        """LocalExecutor alone."""
        return [LocalExecutor]


class RunApiExecutorPlugin:
    """The run API in front of AWS Batch, and the analytics API beside it."""

    @hookimpl
    def ingest_register_executors(self) -> Sequence[type[Executor]]:
        """RunApiExecutor alone."""
        return [RunApiExecutor]

    @hookimpl
    def ingest_register_analytics_sources(self) -> Sequence[type[AnalyticsSource]]:
        """AnalyticsApiSource alone."""
        return [AnalyticsApiSource]


class AwsBatchExecutorPlugin:
    """AWS Batch without anything in front of it, and result files in S3."""

    @hookimpl
    def ingest_register_executors(self) -> Sequence[type[Executor]]:
        """AwsBatchExecutor alone."""
        return [AwsBatchExecutor]

    @hookimpl
    def ingest_register_analytics_sources(self) -> Sequence[type[AnalyticsSource]]:
        """S3Source alone."""
        return [S3Source]


class ExpectedLabels:
    """Warns when a label that analytics.element_labels asks for is not in the results."""

    @hookimpl
    def ingest_check_metrics(
        self, settings: Settings, combination: Combination, result_set: ResultSet
    ) -> Sequence[Finding]:
        """A warning for each missing label."""
        missing = set(settings.analytics.element_labels) - set(result_set.element_labels)
        return [
            warning("missing-label", str(combination), f"no metric labelled {label!r}")
            for label in sorted(missing)
        ]
