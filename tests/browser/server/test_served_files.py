"""The served file changes underneath: pages show the file that is there, or say that none is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from ingest.browser.file_state import file_key
from tests.browser.site import Answer, Site, start_site
from tests.conftest import StudyFolder

QUESTION = "/validation_results/compare_scenarios"
ADDRESSES = (
    "/",
    "/validation_results/-/runs",
    "/validation_results/-/progress.json",
    "/validation_results/run_tags",
    "/validation_results/run_tags.json",
    "/validation_results/run_tags.csv",
    f"{QUESTION}.png",
    f"{QUESTION}.json",
)
TAGS = "/validation_results/run_tags.json?_shape=array"


def copy_with_tag(source: Path, target: Path, tag: str) -> Path:
    """The whole database in one file, its run tagged so that its answers can be told apart."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")
        new.execute("UPDATE run_tags SET tag = ?", [tag])
        new.commit()
    return target


@pytest.fixture(scope="module")
def moving_site(
    served_study: StudyFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A server whose file every test may change."""
    folder = tmp_path_factory.mktemp("moving")
    database = copy_with_tag(served_study.database, folder / "validation_results.db", "first")
    site = start_site(database)
    yield site
    site.process.kill()
    site.process.wait()


@pytest.fixture
def served(moving_site: Site, served_study: StudyFolder) -> Site:
    """The server with the file tagged `first`, which was read."""
    folder = moving_site.database.parent
    new = copy_with_tag(served_study.database, folder / "new.db", "first")
    os.replace(new, moving_site.database)
    assert tags(moving_site) == ["first"]
    return moving_site


def tags(site: Site) -> list[str]:
    return [row["tag"] for row in site.get(TAGS).json()]


def move_over(new: Path, served: Path) -> None:
    os.replace(new, served)


def copy_over(new: Path, served: Path) -> None:
    shutil.copyfile(new, served)


def restore(new: Path, served: Path) -> None:
    with closing(sqlite3.connect(new)) as source, closing(sqlite3.connect(served)) as target:
        source.backup(target)


def remove_and_copy(new: Path, served: Path) -> None:
    served.unlink()
    shutil.copyfile(new, served)


def vacuum(new: Path, served: Path) -> None:
    with closing(sqlite3.connect(served)) as connection:
        connection.execute("CREATE TABLE scratch AS SELECT hex(randomblob(200000)) AS noise")
        connection.execute("DROP TABLE scratch")
        connection.execute("UPDATE run_tags SET tag = 'second'")
        connection.commit()
        connection.execute("VACUUM")


def migrate(new: Path, served: Path) -> None:
    with closing(sqlite3.connect(served)) as connection:
        connection.execute("ALTER TABLE run_tags ADD COLUMN note TEXT")
        connection.execute("CREATE VIEW tagged AS SELECT * FROM run_tags")
        connection.execute("UPDATE run_tags SET tag = 'second', note = 'new'")
        connection.commit()
    new.unlink()


@pytest.mark.parametrize(
    "replace", [move_over, copy_over, restore, remove_and_copy, vacuum, migrate]
)
def test_next_request_shows_the_file_that_took_the_place(
    served: Site, served_study: StudyFolder, replace: Callable[[Path, Path], None]
) -> None:
    etag = served.get(TAGS).headers.get("etag", "")
    new = copy_with_tag(served_study.database, served.database.parent / "new.db", "second")
    replace(new, served.database)
    assert [tags(served) for _ in range(12)] == [["second"]] * 12
    assert served.request(TAGS, **{"If-None-Match": etag or '"x"'}).status == 200
    assert "second" in served.get("/validation_results/-/runs").text


def remove(database: Path) -> None:
    database.unlink()


def overwrite_with_text(database: Path) -> None:
    database.write_text("version https://git-lfs.github.com/spec/v1\n" * 400)


def empty(database: Path) -> None:
    os.truncate(database, 0)


def cut_off(database: Path) -> None:
    os.truncate(database, 5000)


def make_unreadable(database: Path) -> None:
    database.chmod(0)


def put_a_folder(database: Path) -> None:
    database.unlink()
    database.mkdir()


_UNREADABLE = pytest.param(
    make_unreadable, marks=pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
)


@pytest.mark.parametrize(
    "spoil", [remove, overwrite_with_text, empty, cut_off, put_a_folder, _UNREADABLE]
)
def test_file_that_cannot_be_read_is_503_everywhere_and_heals(
    served: Site, served_study: StudyFolder, spoil: Callable[[Path], None]
) -> None:
    spoil(served.database)
    answers: dict[str, Answer] = {path: served.request(path) for path in ADDRESSES}
    assert {path: answer.status for path, answer in answers.items()} == dict.fromkeys(
        ADDRESSES, 503
    )
    assert all("validation_results.db" in answer.text for answer in answers.values())
    assert not any(str(served.database.parent) in answer.text for answer in answers.values())
    assert answers["/validation_results/run_tags.json"].json()["status"] == 503
    assert served.request("/static/ingest.css").status == 200
    if served.database.is_dir():
        served.database.rmdir()
    copy_with_tag(served_study.database, served.database.parent / "new.db", "third")
    os.replace(served.database.parent / "new.db", served.database)
    assert tags(served) == ["third"]


def test_file_that_may_not_be_read_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "results.db"
    file.write_text("x")
    assert file_key(str(file)) != ()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert file_key(str(file)) == ()


def test_log_that_is_removed_leaves_what_is_in_the_file(served: Site) -> None:
    with closing(sqlite3.connect(served.database)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("UPDATE run_tags SET tag = 'in the log'")
        writer.commit()
        assert tags(served) == ["in the log"]
        for ending in ("-wal", "-shm"):
            Path(f"{served.database}{ending}").unlink()
        for _ in range(3):
            answers = {path: served.request(path).status for path in ADDRESSES}
            assert set(answers.values()) <= {200, 503}, answers
        assert tags(served) == ["first"]


def test_answers_of_one_tag_are_of_one_file_while_files_are_moved(
    served: Site, served_study: StudyFolder
) -> None:
    folder = served.database.parent
    names = [f"state {number}" for number in range(12)]
    files = [
        copy_with_tag(served_study.database, folder / f"{number}.db", name)
        for number, name in enumerate(names)
    ]
    with ThreadPoolExecutor(8) as threads:
        moved = threads.submit(lambda: [os.replace(file, served.database) for file in files])
        all_answers = list(threads.map(lambda _: served.request(TAGS), range(60)))
        moved.result()
    assert tags(served) == [names[-1]]
    by_tag: dict[str, set[str]] = {}
    answers = [answer for answer in all_answers if answer.status == 200]
    assert len(answers) > 30
    refused = [answer for answer in all_answers if answer.status != 200]  # moved at each try
    assert all(each.status == 503 and "being replaced" in each.text for each in refused)
    for answer in answers:
        by_tag.setdefault(answer.headers.get("etag", ""), set()).add(answer.text)
    by_tag.pop("", None)
    assert all(len(texts) == 1 for texts in by_tag.values())


def test_server_said_no_traceback(moving_site: Site) -> None:
    assert not any("Traceback" in line for line in moving_site.read_lines())
