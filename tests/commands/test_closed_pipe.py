"""`ingest ... | head -1` ends quietly, with the exit code that shells expect of it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import PROJECT, Ingest, StudyFolder

MANY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) "
    "SELECT i FROM n"
)


@pytest.mark.parametrize(
    "arguments",
    [("query", MANY, "--csv"), ("query", MANY, "--json"), ("export",), ("status",)],
)
def test_command_whose_reader_has_gone_ends_quietly(
    study: StudyFolder, ingest: Ingest, arguments: tuple[str, ...]
) -> None:
    ingest("run", "--quiet")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "ingest", *arguments],
            cwd=study.root,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, b"")
