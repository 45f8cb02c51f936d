"""Who polls: tags of data, 304 for what has not changed, and who gets neither."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.browser.file_state import settled_state
from ingest.browser.memo import memo_of
from ingest.browser.server.conditional import _UNSTEADY
from ingest.browser.server.connections import Reading, reading
from ingest.questions.catalogue import load_canned_queries
from tests.browser.site import Answer, Site, run_ingest, start_site
from tests.conftest import StudyFolder

pytest.importorskip("datasette")

QUERIES = load_canned_queries()
DB = "/validation_results"
IMPACT = f"{DB}/scenario_impact.json?_shape=array"
DATA = [
    IMPACT,
    f"{DB}/scenario_impact.json",
    f"{DB}/scenario_impact.csv",
    f"{DB}/scenario_impact.svg",
    f"{DB}/scenario_impact.png",
    f"{DB}/scenario_impact.vl.json",
    f"{DB}/metrics.json?_shape=array",
    f"{DB}/job_results.csv",
    f"{DB}/validation_runs/1.json",
    f"{DB}/-/progress.json",
]
PAGES = ["/", DB, f"{DB}/scenario_impact", f"{DB}/job_results", f"{DB}/-/api", f"{DB}/-/runs"]
QUESTION = """/*
---
title: What is it?
description: One value.
columns:
  told: it
---
*/
SELECT {} AS told
"""


def tag_of(site: Site, path: str) -> str:
    """The tag of an address, once its database has settled."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = site.get(path)
        if "etag" in answer.headers:
            return answer.headers["etag"]
        time.sleep(0.1)
    pytest.fail(f"{path} has no ETag: {answer.headers}")


def ask_again(site: Site, path: str, tag: str, **headers: str) -> Answer:
    return site.request(path, **{"If-None-Match": tag, **headers})


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The tiny study after one run; tests take copies."""
    study = StudyFolder(tmp_path_factory.mktemp("once") / "tiny")
    run_ingest(study.root, "run", "--quiet")
    return study


@pytest.fixture
def ran(once: StudyFolder, tmp_path: Path) -> StudyFolder:
    """The tiny study after one run, whose files have settled."""
    shutil.copytree(once.root, tmp_path / "copy")
    study = StudyFolder(tmp_path / "copy")
    settle(study.database)
    return study


def settle(database: Path) -> None:
    """Nothing has been written to these files for a while."""
    earlier = time.time() - 60
    for file in (database, Path(f"{database}-wal")):
        if file.exists():
            os.utime(file, (earlier, earlier))


@pytest.fixture
def own_site(ran: StudyFolder) -> Iterator[Site]:
    """A server on a study that a test may change."""
    yield from running(ran)


def running(study: StudyFolder, *options: str, extra: tuple[str, ...] = ()) -> Iterator[Site]:
    site = start_site(study.database, *options, extra=extra)
    try:
        yield site
    finally:
        site.process.kill()
        site.process.wait()


class InProcess:
    """The same server without its sockets, for what the command line cannot set up."""

    def __init__(self, database: Path, *extra: str, cors: bool = False) -> None:
        from ingest.browser.server.server import ServeOptions, make_site

        self.datasette = make_site(ServeOptions(database, cors=cors, extra=extra)).datasette

    def get(self, path: str, **headers: str) -> Any:
        return asyncio.run(self.datasette.client.get(path, headers=headers))

    def tag(self, path: str, **headers: str) -> str | None:
        answer = self.get(path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.headers.get("etag")


# --- what has a tag ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DATA)
def test_data_that_has_not_changed_is_not_sent_again(site: Site, path: str) -> None:
    tag = tag_of(site, path)
    first = site.get(path)
    assert first.headers["etag"] == tag
    assert tag.startswith('W/"')
    assert first.headers["cache-control"] == "no-cache"
    again = ask_again(site, path, tag)
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["cache-control"] == "no-cache"
    assert again.headers["vary"] == first.headers["vary"]
    assert "content-type" not in again.headers
    assert again.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in again.headers["content-security-policy"]


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_no_tag_for_they_tell_ages(site: Site, path: str) -> None:
    tag_of(site, IMPACT)
    assert "etag" not in site.get(path).headers
    assert ask_again(site, path, "*").status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{DB}/scenario_impact.json?baseline=nul", 400),
        (f"{DB}/nowhere.json", 404),
        (f"{DB}/-/progress.json?run=99", 404),
        ("/nowhere/scenario_impact.json", 404),
    ],
)
def test_errors_have_no_tag_whatever_is_asked(site: Site, path: str, status: int) -> None:
    tag_of(site, IMPACT)
    for headers in ({}, {"If-None-Match": "*"}):
        answer = site.request(path, **headers)
        assert answer.status == status
        assert answer.body
        assert "etag" not in answer.headers


def test_every_address_has_a_tag_of_its_own(site: Site) -> None:
    paths = [*DATA, f"{IMPACT}&baseline=null", f"{IMPACT}&baseline=scale_up", f"{IMPACT}&run=1"]
    assert len({tag_of(site, path) for path in paths}) == len(paths)


def test_tag_is_found_in_a_list_and_as_a_strong_one(site: Site) -> None:
    tag = tag_of(site, IMPACT)
    for given in (f'"a", {tag}', f'{tag},W/"b"', tag.removeprefix("W/"), "*"):
        assert ask_again(site, IMPACT, given).status == 304, given
    for given in ('W/"a"', "", tag[:-2], f'{tag[:-1]}x"', tag.strip('W/"')):
        assert ask_again(site, IMPACT, given).status == 200, given


def test_head_is_answered_like_get(site: Site) -> None:
    tag = tag_of(site, IMPACT)
    assert site.request(IMPACT, "HEAD").headers["etag"] == tag
    assert site.request(IMPACT, "HEAD", **{"If-None-Match": tag}).status == 304


@pytest.mark.parametrize("more", ["_ttl=60", "_facet=country", "_trace=1"])
def test_what_depends_on_more_than_the_data_has_none(site: Site, more: str) -> None:
    tag_of(site, IMPACT)
    headers = site.request(f"{DB}/job_results.json?{more}").headers
    assert "etag" not in headers
    assert headers["cache-control"] == ("max-age=60" if "ttl" in more else "no-cache")


def test_filter_in_sql_which_may_read_the_clock_has_none(ran: StudyFolder) -> None:
    server = InProcess(ran.database, "--setting", "default_allow_sql", "1")
    assert server.tag(f"{DB}/job_results.json?country=KEN")
    assert server.tag(f"{DB}/job_results.json?_where=1%3D1") is None


@pytest.mark.parametrize("header", ["Cookie", "Authorization"])
def test_answers_for_one_person_have_none(site: Site, header: str) -> None:
    tag = tag_of(site, IMPACT)
    answer = ask_again(site, IMPACT, tag, **{header: "a=b"})
    assert answer.status == 200
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-store"


# --- when it changes -----------------------------------------------------------------------------


def test_a_commit_changes_every_tag(own_site: Site) -> None:
    before = {path: tag_of(own_site, path) for path in (IMPACT, f"{DB}/run_tags.json")}
    run_ingest(own_site.database.parent, "tag", "1", "published")
    for path, tag in before.items():
        answer = ask_again(own_site, path, tag)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-cache"
        assert tag_of(own_site, path) != tag
    assert own_site.get(f"{DB}/run_tags.json?_shape=array").json()[0]["tag"] == "published"


def test_right_after_a_commit_there_is_no_tag(own_site: Site) -> None:
    tag_of(own_site, IMPACT)
    with closing(sqlite3.connect(own_site.database)) as connection, connection:
        connection.execute("UPDATE validation_runs SET status = 'failed'")
    answer = own_site.get(f"{DB}/validation_runs.json?_shape=array")
    assert answer.json()[0]["status"] == "failed"
    assert "etag" not in answer.headers


def test_two_commits_within_one_tick_of_the_clock_are_told_apart(ran: StudyFolder) -> None:
    def commit(status: str, at_ns: int) -> None:
        with closing(sqlite3.connect(ran.database)) as connection, connection:
            connection.execute("UPDATE validation_runs SET status = ?", [status])
        os.utime(ran.database, ns=(at_ns, at_ns))

    def looks() -> tuple[int, ...]:
        found = ran.database.stat()
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    with closing(sqlite3.connect(ran.database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    server = InProcess(ran.database)
    now_ns = time.time_ns()
    commit("failed", now_ns)
    before = looks()
    tag = server.tag(f"{DB}/validation_runs.json")
    commit("running", now_ns)
    assert looks() == before
    assert tag is None


def test_304_takes_no_sql(ran: StudyFolder) -> None:
    with closing(sqlite3.connect(ran.database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    settle(ran.database)
    for site in running(ran):
        tags = {path: tag_of(site, path) for path in (IMPACT, f"{DB}/metrics.json")}
        with closing(sqlite3.connect(ran.database)) as connection:
            connection.execute("BEGIN EXCLUSIVE")  # nobody can read, and the file stays as it is
            for path, tag in tags.items():
                assert ask_again(site, path, tag).status == 304
            assert site.request(IMPACT).status >= 400


def test_each_database_has_tags_by_its_own_file(ran: StudyFolder, tmp_path: Path) -> None:
    with closing(sqlite3.connect(ran.database)) as connection:
        connection.execute("VACUUM INTO ?", [str(tmp_path / "last_year.db")])
    settle(tmp_path / "last_year.db")
    for site in running(ran, extra=(str(tmp_path / "last_year.db"),)):
        other = "/last_year/scenario_impact.json?_shape=array"
        before = {path: tag_of(site, path) for path in (IMPACT, other)}
        assert before[IMPACT] != before[other]
        run_ingest(ran.root, "tag", "1", "published")
        assert ask_again(site, IMPACT, before[IMPACT]).status == 200
        assert ask_again(site, other, before[other]).status == 304


def test_tag_stays_over_a_restart_and_changes_with_settings_and_metadata(ran: StudyFolder) -> None:
    (ran.root / "about.yml").write_text("license: CC BY 4.0\n")
    tag = InProcess(ran.database).tag(IMPACT)
    assert tag
    assert InProcess(ran.database).tag(IMPACT) == tag
    limited = InProcess(ran.database, "--setting", "max_returned_rows", "5").tag(IMPACT)
    licensed = InProcess(ran.database, "--metadata", str(ran.root / "about.yml")).tag(IMPACT)
    assert len({tag, limited, licensed}) == 3


def test_own_question_has_another_tag_when_its_file_is_another(ran: StudyFolder) -> None:
    folder = ran.root / "canned_queries"
    folder.mkdir()
    file = folder / "answer.sql"
    file.write_text(QUESTION.format("42"))
    server = InProcess(ran.database)
    before = server.tag(f"{DB}/answer.json")
    file.write_text(QUESTION.format("43"))
    os.utime(file, (1, 1))
    after = server.tag(f"{DB}/answer.json")
    assert before != after
    assert None not in (before, after)


def test_own_question_that_reads_the_clock_has_none(ran: StudyFolder) -> None:
    folder = ran.root / "canned_queries"
    folder.mkdir()
    passing = ("datetime('now')", "random()", "CURRENT_TIMESTAMP", "date()", "strftime('%Y')")
    for number, sql in enumerate(passing):
        (folder / f"clock_{number}.sql").write_text(QUESTION.format(sql))
    (folder / "steady.sql").write_text(QUESTION.format("date('2026-11-24')"))
    server = InProcess(ran.database)
    for number, sql in enumerate(passing):
        assert server.tag(f"{DB}/clock_{number}.json") is None, sql
    assert server.tag(f"{DB}/steady.json")


def test_query_of_the_metadata_that_reads_the_clock_has_none(ran: StudyFolder) -> None:
    (ran.root / "about.yml").write_text(
        "databases:\n  validation_results:\n    queries:\n"
        "      clock: {sql: \"SELECT datetime('now')\"}\n      steady: {sql: SELECT 1}\n"
    )
    server = InProcess(ran.database, "--metadata", str(ran.root / "about.yml"))
    assert server.tag(f"{DB}/clock.json") is None
    assert server.tag(f"{DB}/steady.json")


def test_progress_of_a_run_that_is_going_on_has_none(ran: StudyFolder) -> None:
    server = InProcess(ran.database)
    assert server.tag(f"{DB}/-/progress.json")
    with closing(sqlite3.connect(ran.database)) as connection, connection:
        connection.execute("UPDATE validation_runs SET status = 'running', finished_at = NULL")
    settle(ran.database)
    assert server.tag(IMPACT)
    answer = server.get(f"{DB}/-/progress.json")
    assert answer.json()["status"] == "running"
    assert "etag" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_databases_in_memory_have_none(ran: StudyFolder) -> None:
    server = InProcess(ran.database)
    memory = server.datasette.add_memory_database("extra")
    asyncio.run(memory.execute_write("CREATE TABLE things (id INTEGER PRIMARY KEY)"))
    assert server.tag("/extra/things.json") is None


def test_below_a_base_url_tags_work_the_same(ran: StudyFolder) -> None:
    for site in running(ran, extra=("--setting", "base_url", "/results/")):
        path = f"/results{IMPACT}"
        assert ask_again(site, path, tag_of(site, path)).status == 304


# --- pages of other sites ------------------------------------------------------------------------


def test_with_cors_pages_of_other_sites_can_poll(ran: StudyFolder) -> None:
    for site in running(ran, "--cors"):
        for path in (IMPACT, f"{DB}/-/progress.json"):
            asked = {
                "Origin": "https://example.org",
                "Access-Control-Request-Method": "GET",
                "Access-Control-Request-Headers": "if-none-match",
            }
            allowed = site.request(path, "OPTIONS", **asked)
            assert allowed.status == 204
            assert "If-None-Match" in allowed.headers["access-control-allow-headers"]
            tag = tag_of(site, path)
            for answer in (site.get(path), ask_again(site, path, tag, Origin=asked["Origin"])):
                assert answer.headers["access-control-allow-origin"] == "*"
                exposed = answer.headers["access-control-expose-headers"].split(", ")
                assert exposed == ["Link", "ETag", "Ingest-Truncated", "Ingest-Mixed-Inputs"]
        wrong = site.request(f"{IMPACT}&run=99")
        assert (wrong.status, wrong.headers["access-control-allow-origin"]) == (400, "*")


def test_no_header_for_other_sites_stands_there_twice(ran: StudyFolder) -> None:
    server = InProcess(ran.database, cors=True)
    tag = server.tag(IMPACT)
    assert tag
    for answer in (server.get(IMPACT), server.get(IMPACT, **{"If-None-Match": tag})):
        assert answer.headers.get_list("access-control-allow-origin") == ["*"]
        exposed = answer.headers.get_list("access-control-expose-headers")
        assert exposed == ["Link, ETag, Ingest-Truncated, Ingest-Mixed-Inputs"]


def test_without_cors_there_are_no_such_headers(site: Site) -> None:
    tag = tag_of(site, IMPACT)
    answers = [site.get(IMPACT), ask_again(site, IMPACT, tag), site.request(IMPACT, "OPTIONS")]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]


# --- the state of a file -------------------------------------------------------------------------


def test_state_is_told_when_the_last_change_is_a_while_ago(tmp_path: Path) -> None:
    file, log = tmp_path / "a.db", tmp_path / "a.db-wal"
    assert settled_state(str(file)) is None
    file.write_bytes(b"1")
    assert settled_state(str(file)) is None
    settle(file)
    first = settled_state(str(file))
    assert first is not None
    log.write_bytes(b"")
    assert settled_state(str(file)) == first, "readers make an empty log"
    log.write_bytes(b"1")
    assert settled_state(str(file)) is None
    settle(file)
    assert settled_state(str(file)) not in (None, first)


def test_what_was_read_is_remembered_of_settled_files_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    file.write_bytes(b"1")
    memo_of(str(file))["key", ()] = "read a moment ago"
    assert memo_of(str(file)) == {}
    settle(file)
    memo_of(str(file))["key", ()] = "read"
    assert memo_of(str(file)) == {("key", ()): "read"}


def test_a_request_remembers_what_it_read_of_a_file_that_just_changed(tmp_path: Path) -> None:
    file = tmp_path / "file.db"
    file.write_bytes(b"x")
    token = reading.set(Reading())
    try:
        memo_of(str(file))["key", ()] = "read in this request"
        file.write_bytes(b"xy")
        assert memo_of(str(file)) == {("key", ()): "read in this request"}
    finally:
        reading.reset(token)
    assert memo_of(str(file)) == {}


@pytest.mark.parametrize("name", QUERIES)
def test_no_question_of_ingest_depends_on_the_clock(name: str) -> None:
    assert _UNSTEADY.search(QUERIES[name].sql) is None
