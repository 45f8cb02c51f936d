"""The plugin that comes along, made of the same hooks as anyone else's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest.findings import Finding, warning
from ingest.plugins.hookspecs import hookimpl
from ingest.study.json_files import read_json
from ingest.study.setting_fields import names_in
from ingest.study.study import find_scenario_files

if TYPE_CHECKING:
    from ingest.metrics import ResultSet
    from ingest.study.combination import Combination
    from ingest.study.settings import Settings


class Offer(NamedTuple):
    """An executor or analytics source by name; its module is imported when it is chosen."""

    name: str
    module: str
    class_name: str

    def load(self) -> type[Any]:
        """The class."""
        loaded: type[Any] = getattr(import_module(self.module), self.class_name)
        return loaded

    @property
    def Settings(self) -> type[Any]:
        """The settings of the class."""
        settings: type[Any] = self.load().Settings
        return settings

    @property
    def asks_query(self) -> bool:
        """Whether a source asks with the query of [analytics]."""
        return bool(self.load().asks_query)

    def identity(self, settings: Any) -> Mapping[str, Any]:
        """What of the settings of the class decides a result."""
        identity: Mapping[str, Any] = self.load().identity(settings)
        return identity


@hookimpl(trylast=True)
def ingest_discover_scenarios(settings: Settings) -> Sequence[Path]:
    """The *.json files in the folders and globs of study.scenarios."""
    return find_scenario_files(settings)


@hookimpl(trylast=True)
def ingest_load_countries(settings: Settings) -> Any:
    """The JSON document that study.countries names; None for a file of another kind."""
    file = settings.study.countries
    return read_json(settings.root / file, file) if file.endswith(".json") else None


@hookimpl
def ingest_register_executors() -> Sequence[Offer]:
    """Jobs on this machine, through the run API, and on AWS Batch."""
    return [
        Offer("local", "ingest.executors.local.executor", "LocalExecutor"),
        Offer("run-api", "ingest.executors.run_api.executor", "RunApiExecutor"),
        Offer("aws-batch", "ingest.executors.aws_batch.executor", "AwsBatchExecutor"),
    ]


@hookimpl
def ingest_register_analytics_sources() -> Sequence[Offer]:
    """Results from the analytics API beside the run API, and from files in S3."""
    return [
        Offer("analytics-api", "ingest.analytics.sources.analytics_api", "AnalyticsApiSource"),
        Offer("s3", "ingest.analytics.sources.s3", "S3Source"),
    ]


@hookimpl
def ingest_check_metrics(
    settings: Settings, combination: Combination, result_set: ResultSet
) -> Sequence[Finding]:
    """A warning for each of analytics.element_labels that is missing from the results."""
    there = set(result_set.element_labels)
    missing = set(names_in(settings.analytics.element_labels, there)) - there
    return [
        warning("missing-label", str(combination), f"no metric labelled {label!r}")
        for label in sorted(missing)
    ]
