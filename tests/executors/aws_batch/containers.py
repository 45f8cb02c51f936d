"""Containers of the AWS double, as forks of a process that has imported boto3."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.forks import Fork

PLAIN = (sys.executable, "-P", "-m", "ingest.executors.aws_batch.container_worker")
WORKER = PLAIN[-1]


class Container(Fork):
    """A started container; its output is read by communicate()."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        super().__init__(__name__, [WORKER], folder, environ)


def get_ready() -> None:
    """Import and read what a container does before its first call."""
    import boto3
    import botocore.session

    import ingest.executors.aws_batch.container_worker  # noqa: F401

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    boto3.Session("AKIA", "secret", region_name="eu-west-1").client("s3").close()
    del sys.modules[WORKER]  # which each container runs as its main module
