"""A started aws-batch executor without the double, whose moto takes a second to import."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ingest.executors.aws_batch.executor import AwsBatchExecutor
from ingest.executors.aws_batch.settings import AwsBatchSettings
from ingest.executors.base import ExecutorContext
from tests.executors.drive import make_context

QUEUE, DEFINITION, BUCKET = "models", "tiny-model", "study-bucket"
SETTINGS = AwsBatchSettings(queue=QUEUE, job_definition=DEFINITION, bucket=BUCKET)


@contextmanager
def started(
    root: Path, context: ExecutorContext | None = None, **changes: Any
) -> Iterator[AwsBatchExecutor]:
    """A started executor that does not wait between looks and further tries."""
    settings = AwsBatchSettings(**{**SETTINGS.__dict__, **changes})
    executor = AwsBatchExecutor(settings, context or make_context(root), pause=lambda _: None)
    with closing(executor):
        executor.start()
        yield executor
