"""Runs `ingest run` as a process of its own against the dev server, and looks at what it stored."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ingest.dev_server.server import DevServer
from tests.conftest import StudyFolder

LIMIT_S = 120.0


def options(server: DevServer, *more: str) -> list[str]:
    settings = [
        f"executors.run-api.url={server.url}",
        f"analytics.url={server.url}",
        "run.poll_interval_s=0.2",
        *more,
    ]
    return ["--executor", "run-api", *itertools.chain(*(("--set", s) for s in settings))]


def start(study: StudyFolder, arguments: Sequence[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ingest", "run", *arguments]
    return subprocess.Popen(
        command, cwd=study.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    told, _ = process.communicate(timeout=LIMIT_S)
    return process.returncode, told


def run(study: StudyFolder, *arguments: str) -> tuple[int, str]:
    return finish(start(study, arguments))


def select(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def digests(database: Path) -> list[tuple[Any, ...]]:
    return select(
        database,
        """SELECT country, scenario, digest FROM latest_results JOIN result_sets
           USING (result_set_id) ORDER BY country, scenario""",
    )


@contextmanager
def served(study: StudyFolder, **settings: Any) -> Iterator[DevServer]:
    with DevServer(study.root, **settings) as server:
        yield server


def wait_for(server: DevServer, accepted: int) -> None:
    deadline = time.monotonic() + LIMIT_S
    while server.counts()["accepted"] < accepted:
        assert time.monotonic() < deadline, "the server accepted no further job"
        time.sleep(0.01)


def ingest_output(study: StudyFolder, *arguments: str) -> str:
    """What a command prints on stdout; it must succeed."""
    command = [sys.executable, "-m", "ingest", *arguments]
    ended = subprocess.run(command, cwd=study.root, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
