"""Everything a plugin may import from ingest; names here stay when modules move."""

from __future__ import annotations

from ingest.analytics.sources.base import AnalyticsSource
from ingest.errors import (
    AnalyticsError,
    BackendError,
    ConfigError,
    IngestError,
    ResultsNotReadyError,
    ThrottledError,
)
from ingest.executors.base import (
    EarlierJob,
    Executor,
    ExecutorContext,
    Job,
    JobFault,
    JobState,
    JobUpdate,
    Submission,
)
from ingest.executors.local.executor import LocalExecutor
from ingest.executors.model_call import ModelError, call_entry_point, load_entry_point
from ingest.findings import Finding, error, warning
from ingest.metrics import Metric, ResultSet
from ingest.plugins.events import JobFinished, RunFinished
from ingest.plugins.hookspecs import hookimpl
from ingest.study.combination import Combination
from ingest.study.setting_fields import setting
from ingest.study.settings import Settings

__all__ = [
    "AnalyticsError",
    "AnalyticsSource",
    "BackendError",
    "Combination",
    "ConfigError",
    "EarlierJob",
    "Executor",
    "ExecutorContext",
    "Finding",
    "IngestError",
    "Job",
    "JobFault",
    "JobFinished",
    "JobState",
    "JobUpdate",
    "LocalExecutor",
    "Metric",
    "ModelError",
    "ResultSet",
    "ResultsNotReadyError",
    "RunFinished",
    "Settings",
    "Submission",
    "ThrottledError",
    "call_entry_point",
    "error",
    "hookimpl",
    "load_entry_point",
    "setting",
    "warning",
]
