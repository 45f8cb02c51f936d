from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ingest.temporary import TemporaryFolder

HOLDS = """
import os, signal, sys, tempfile
from ingest.temporary import TemporaryFolder
tempfile.tempdir = sys.argv[1]
folder = TemporaryFolder("job")
(folder.path / "file").write_text("x")
print("made", flush=True)
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_is_there_until_it_is_closed(scratch: Path) -> None:
    with TemporaryFolder("one") as one:
        (one / "file").write_text("x")
        with TemporaryFolder("two") as two:
            assert {folder.name[:11] for folder in scratch.iterdir()} == {
                "ingest_one_",
                "ingest_two_",
            }
            assert two.is_dir()
        assert [folder.name for folder in scratch.iterdir()] == [one.name]
        assert (one / "file").exists()
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
def test_the_folder_of_a_process_that_was_killed_goes_at_the_next_start(scratch: Path) -> None:
    (scratch / "ingest_notes").mkdir()  # not of ours
    (scratch / "ingest_link_x").symlink_to("ingest_notes")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(scratch)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"made\n"
        (left,) = scratch.glob("ingest_job_*")
        TemporaryFolder("other").close()
        assert (left / "file").exists()
        process.stdin.close()
        assert process.wait() == -signal.SIGKILL
    TemporaryFolder("other").close()
    assert sorted(place.name for place in scratch.iterdir()) == ["ingest_link_x", "ingest_notes"]
