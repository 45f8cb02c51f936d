"""The submission journal: what is on the disk, what a crash leaves, what is forgotten."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import BackendError
from ingest.executors.run_api.journal import (
    JournalEvent,
    JournalLine,
    SubmissionJournal,
    journal_path,
    journal_time,
)
from ingest.study.combination import Combination

KEN = Combination("KEN", "null")


def line(event: JournalEvent, ulid: str = "A", **more: str) -> JournalLine:
    return JournalLine(event, ulid, KEN, "standard", "2026-01-01T00:00:00.000Z", **more)


def never() -> None:
    raise AssertionError("it is not removed")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path(tmp_path / "results.db")


@pytest.fixture
def journal(path: Path) -> Iterator[SubmissionJournal]:
    with closing(SubmissionJournal(path)) as journal:
        yield journal


def test_it_lies_beside_the_database(tmp_path: Path) -> None:
    assert journal_path(tmp_path / "a.db") == tmp_path / "a.db.run-api.jsonl"
    assert journal_path(Path("a.db")).is_absolute()


def test_a_line_is_one_json_object_without_a_document(
    journal: SubmissionJournal, path: Path
) -> None:
    journal.append(line(JournalEvent.ACCEPTED, job_id="J", job_name="name"))
    assert json.loads(path.read_text()) == {
        "event": "accepted",
        "ulid": "A",
        "combination": ["KEN", "null"],
        "environment": "standard",
        "time": "2026-01-01T00:00:00.000Z",
        "job_id": "J",
        "job_name": "name",
    }


def test_the_last_line_of_a_job_counts(journal: SubmissionJournal) -> None:
    journal.append(line(JournalEvent.SENDING))
    journal.append(line(JournalEvent.SENDING, "B"))
    journal.append(line(JournalEvent.NOT_ACCEPTED))
    journal.append(line(JournalEvent.SENDING))
    journal.append(line(JournalEvent.LOST, reason="answered 500"))
    events = {ulid: found.event for ulid, found in journal.read().items()}
    assert events == {"A": JournalEvent.LOST, "B": JournalEvent.SENDING}
    assert journal.read()["A"] == line(JournalEvent.LOST, reason="answered 500")


def test_an_accepted_job_stays_accepted(journal: SubmissionJournal) -> None:
    journal.append(line(JournalEvent.ACCEPTED, job_id="J"))
    journal.append(line(JournalEvent.SENDING))
    assert journal.read()["A"].job_id == "J"


def test_no_file_is_an_empty_journal(journal: SubmissionJournal) -> None:
    assert journal.read() == {}


@given(st.integers(0, 400))
def test_a_torn_last_line_loses_no_other(cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "j"
        with closing(SubmissionJournal(path)) as journal:
            journal.append(line(JournalEvent.SENDING))
            whole = path.stat().st_size
            journal.append(line(JournalEvent.ACCEPTED, job_id="J"))
        kept = path.read_bytes()[: whole + cut]
        path.write_bytes(kept)
        with closing(SubmissionJournal(path)) as journal:
            journal.append(line(JournalEvent.SENDING, "B"))
            found = journal.read()
    assert set(found) == {"A", "B"}
    is_whole = b"}" in kept[whole:]
    assert found["A"].event is (JournalEvent.ACCEPTED if is_whole else JournalEvent.SENDING)


@pytest.mark.parametrize("raw", [b"[]", b"5", b'"x"', b"{}", b'{"event": "new word"}', b"\xff\x00"])
def test_lines_of_another_form_are_passed_over(
    journal: SubmissionJournal, path: Path, raw: bytes
) -> None:
    path.write_bytes(raw + b"\n")
    journal.append(line(JournalEvent.SENDING))
    assert set(journal.read()) == {"A"}


def test_what_is_not_needed_is_forgotten(journal: SubmissionJournal, path: Path) -> None:
    for ulid in "ABC":
        journal.append(line(JournalEvent.SENDING, ulid))
        journal.append(line(JournalEvent.ACCEPTED, ulid, job_id=f"J{ulid}"))
    journal.keep(lambda found: found.ulid == "B", never)
    assert journal.read() == {"B": line(JournalEvent.ACCEPTED, "B", job_id="JB")}
    assert len(path.read_text().splitlines()) == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_empty_journal_is_removed(journal: SubmissionJournal, path: Path) -> None:
    journal.append(line(JournalEvent.SENDING))
    there_before: list[bool] = []
    journal.keep(lambda found: False, lambda: there_before.append(path.exists()))
    assert there_before == [True]
    assert not path.exists()
    journal.keep(lambda found: True, never)
    assert not path.exists()


def test_its_id_stays_while_lines_come_and_go(journal: SubmissionJournal, path: Path) -> None:
    assert journal.find_id() is None
    own_id = journal.make_id()
    assert json.loads(path.read_text()) == {"journal": own_id}
    for ulid in "AB":
        journal.append(line(JournalEvent.SENDING, ulid))
    journal.keep(lambda found: found.ulid == "B", never)
    assert (journal.find_id(), set(journal.read())) == (own_id, {"B"})
    assert SubmissionJournal(path).make_id() == own_id


def test_a_journal_of_an_older_version_gets_an_id(journal: SubmissionJournal, path: Path) -> None:
    journal.append(line(JournalEvent.SENDING))
    assert journal.find_id() is None
    assert journal.make_id() == SubmissionJournal(path).find_id()
    assert set(journal.read()) == {"A"}


def test_an_id_that_a_crash_tore_is_made_anew(path: Path) -> None:
    path.write_bytes(b'{"journal": "01')
    with closing(SubmissionJournal(path)) as journal:
        assert journal.find_id() is None
        assert journal.make_id() == SubmissionJournal(path).find_id()


def test_what_a_crash_left_of_forgetting_does_no_harm(
    journal: SubmissionJournal, path: Path
) -> None:
    journal.append(line(JournalEvent.SENDING))
    path.with_name(path.name + ".new").write_text("half of ")
    journal.keep(lambda found: True, never)
    assert set(journal.read()) == {"A"}
    assert not path.with_name(path.name + ".new").exists()


HOLD = """
import sys
from pathlib import Path
from ingest.executors.run_api.journal import SubmissionJournal
with SubmissionJournal(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_is_one_processs_and_ends_with_it(journal: SubmissionJournal, path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        assert not journal.is_free()
        with pytest.raises(BackendError) as caught, journal.lock(0.01):
            pass
        process.kill()
    assert str(caught.value) == (
        f"process {process.pid} still submits jobs for {path.name} after 0.01 s. "
        f"Wait for it to end, or end it: kill {process.pid}"
    )
    assert journal.is_free()
    assert journal.holder() == os.getpid()


def test_a_lock_that_cannot_be_written_is_told(journal: SubmissionJournal, path: Path) -> None:
    lock = path.with_name(path.name + ".lock")
    lock.mkdir()
    with pytest.raises(BackendError) as caught, journal.lock():
        pass
    assert str(caught.value) == f"{lock} cannot be written: Is a directory"
    assert caught.value.exit_code == 4


def test_times_can_be_compared_as_texts() -> None:
    assert journal_time() >= "2026-01-01T00:00:00.000Z"
    assert journal_time().endswith("Z")
