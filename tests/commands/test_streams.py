"""Output that cannot be written is an error; a closed stream puts nothing in its place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Ingest, StudyFolder

INGEST = f"{sys.executable} -m ingest"


def shell(study: StudyFolder, line: str) -> tuple[int, str]:
    result = subprocess.run(
        ["sh", "-c", line], cwd=study.root, stderr=subprocess.PIPE, text=True, check=False
    )
    return result.returncode, result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize(
    "arguments",
    [
        "export -o -",
        "query 'SELECT * FROM metrics'",
        "status",
        "plan --json",
        "explain KEN null --json",
    ],
)
def test_a_full_disk_under_stdout_is_one_line_and_its_own_exit_code(
    study: StudyFolder, ingest: Ingest, arguments: str
) -> None:
    ingest("run", "--quiet")
    code, err = shell(study, f"{INGEST} {arguments} > /dev/full")
    assert (code, err) == (74, "Error: the output is not complete: No space left on device\n")


@pytest.mark.parametrize("arguments", ["export -o -", "run", "status"])
def test_a_closed_stdout_is_told_before_anything_is_done(
    study: StudyFolder, arguments: str
) -> None:
    code, err = shell(study, f"{INGEST} {arguments} >&-")
    assert (code, err) == (
        74,
        "Error: standard output is closed; for no output write: > /dev/null\n",
    )
    assert not study.database.exists()


def test_closed_stdin_and_stderr_do_no_harm(study: StudyFolder) -> None:
    code, _ = shell(study, f"{INGEST} run <&- 2>&- > out.txt")
    assert code == 0
    assert "8 succeeded, 0 failed, 48 values" in (study.root / "out.txt").read_text()
