"""Questions of a study's own: a bad file is told, and spoils no other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.browser.own_database import own_tables
from ingest.questions.catalogue import load_canned_queries, load_own_queries
from tests.browser.site import Site, run_ingest, start_site
from tests.conftest import StudyFolder

DB = "/validation_results"
HEAD = "/*\n---\ntitle: Title\ndescription: Words.\n{more}---\n*/\n"
CHART = "columns: {{a: A}}\nchart: {{mark: {mark}, x: a, y: {y}}}\n"
GOOD = HEAD.format(more=CHART.format(mark="bar", y="a")) + "SELECT 1 AS a"

# What no part of can be asked, with what is said.
BAD = {
    "no_head": ("SELECT 1", "no_head.sql does not begin with a comment"),
    "empty": ("", "empty.sql does not begin with a comment"),
    "no_sql": (HEAD.format(more=""), "no_sql.sql has no SQL after its comment"),
    "no_yaml": (HEAD.format(more="a: [\n") + "SELECT 1", "the YAML in its comment"),
    "no_date": (HEAD.format(more="unit: 2026-13-45\n") + "SELECT 1", "the YAML in its comment"),
    "a_list": ("/*\n---\n[1]\n---\n*/\nSELECT 1", "the comment is no mapping"),
    "no_title": ("/*\n---\ndescription: x\n---\n*/\nSELECT 1", "the comment has no title"),
    "key": (HEAD.format(more="titel: x\n") + "SELECT 1", "Did you mean title?"),
    "parameter": (HEAD.format(more="") + "SELECT :nosuch", ":nosuch is not among the parameters"),
    "unused": (HEAD.format(more="parameters: {run: }\n") + "SELECT 1", "run is not used"),
    "column": (
        HEAD.format(more=CHART.format(mark="bar", y="b")) + "SELECT 1 AS a",
        "chart: y: no column 'b'.",
    ),
    "mark": (
        HEAD.format(more=CHART.format(mark="pie", y="a")) + "SELECT 1 AS a",
        "mark 'pie' is none of",
    ),
    "fragment": (HEAD.format(more="") + "WITH\n-- include: nosuch\nSELECT 1", "no fragment"),
    "compare_scenarios": (GOOD, "compare_scenarios.sql has the name of a bundled question"),
    "run_tags": (GOOD, "run_tags.sql has the name of a table; rename it"),
}
# What fails when it is asked.
FAILS = {
    "sql_fails": HEAD.format(more="") + "SELECT nosuch FROM nosuch",
    "default_fails": HEAD.format(more="parameters: {p: {default: SELECT nosuch}}\n") + "SELECT :p",
    "answer_fails": HEAD.format(more="answer: '{{ nosuch }}'\n") + "SELECT 1 AS a",
    "answer_ends": HEAD.format(more="answer: '{{ x'\n") + "SELECT 1 AS a",
}


def write_all(folder: Path) -> None:
    folder.mkdir()
    texts = {name: text for name, (text, _) in BAD.items()} | FAILS | {"mine": GOOD}
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text)
    (folder / "bytes.sql").write_bytes(b"\xff\xfe")
    (folder / "folder.sql").mkdir()
    (folder / "nowhere.sql").symlink_to(folder / "not there")


@pytest.fixture(scope="module")
def study(served_study: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A copy of the study with questions of its own, most of them bad."""
    root = tmp_path_factory.mktemp("own") / "study"
    shutil.copytree(served_study.root, root)
    write_all(root / "canned_queries")
    return StudyFolder.at(root)


@pytest.fixture(scope="module")
def asked(study: StudyFolder) -> Iterator[Site]:
    running = start_site(study.database)
    yield running
    running.process.kill()
    running.process.wait()


def test_each_bad_file_is_told_and_the_others_are_there(study: StudyFolder) -> None:
    own = load_own_queries(study.database, load_canned_queries(), own_tables())
    assert set(own.usable) == {"mine", *FAILS}
    assert set(own.problems) == {*BAD, "bytes", "folder", "nowhere"}
    for name, (_, words) in BAD.items():
        assert words in own.problems[name]
    assert own.problems["folder"] == "folder.sql cannot be read: Is a directory"


@pytest.mark.parametrize(
    "name", ["compare_scenarios", "scenario_totals", "biggest_changes", "mine"]
)
@pytest.mark.parametrize("ending", ["", ".json", ".csv", ".svg"])
def test_questions_beside_bad_ones_are_answered(asked: Site, name: str, ending: str) -> None:
    answer = asked.request(f"{DB}/{name}{ending}")
    assert answer.status == 200 or (ending == ".svg" and answer.status == 404)


@pytest.mark.parametrize("name", [*BAD, *FAILS, "bytes", "folder", "nowhere"])
@pytest.mark.parametrize("ending", ["", ".json", ".csv"])
def test_bad_one_says_what_is_wrong(asked: Site, name: str, ending: str) -> None:
    answer = asked.request(f"{DB}/{name}{ending}")
    if name in ("compare_scenarios", "run_tags") or (name.startswith("answer") and ending):
        assert answer.status == 200
        return
    assert answer.status == 400
    if ending:
        assert f"{name}.sql" in answer.json()["error"] or name == "sql_fails"


def test_overview_has_a_card_for_each_and_pages_are_there(asked: Site) -> None:
    overview = asked.get("/").text
    assert overview.count("A question cannot be asked:") == len(BAD) + 3
    assert f'<a href="{DB}/mine">Title</a>' in overview
    assert str(asked.database.parent) not in overview
    api = asked.get(f"{DB}/-/api").text
    assert "It cannot be asked: <bdi>default_fails.sql: SQL: no such column: nosuch" in api
    for page in (DB, f"{DB}/-/runs", f"{DB}/metrics?_size=1", f"{DB}/run_tags.json"):
        asked.get(page)


def test_a_mended_file_is_there_at_once(asked: Site) -> None:
    file = asked.database.parent / "canned_queries" / "later.sql"
    file.write_text("SELECT 1")
    assert asked.request(f"{DB}/later.json").status == 400
    file.write_text(GOOD)
    assert asked.get(f"{DB}/later.json?_shape=array").json() == [{"a": 1}]
    file.unlink()
    assert asked.request(f"{DB}/later.json").status == 404


def test_server_said_no_traceback(asked: Site) -> None:
    assert not any("Traceback" in line for line in asked.read_lines())


def test_check_tells_them(study: StudyFolder) -> None:
    said = run_ingest(study.root, "check", "--offline").stderr
    for name in (*BAD, "bytes", "folder", "nowhere"):
        assert f"{name}.sql" in said


def test_chart_knows_own_questions(study: StudyFolder) -> None:
    listed = run_ingest(study.root, "chart")
    assert "mine: Title" in listed.stdout
    assert "no_head.sql does not begin with a comment" in listed.stderr
    assert '"data"' in run_ingest(study.root, "chart", "mine").stdout
    assert "compare_scenarios:" in run_ingest(study.root.parent, "chart").stdout
