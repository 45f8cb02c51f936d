"""docs/api.md says what the server does: every address and example gives its question's rows."""

from __future__ import annotations

import json
import math
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.browser.pages.api import ApiQuestion
from ingest.browser.pages.api_docs import SITE as DATABASE_SITE
from ingest.browser.pages.api_docs import documented_questions
from ingest.database.files import open_for_reading
from ingest.questions.catalogue import Rows, run_canned_query
from ingest.questions.files import YEARS, is_sql
from tests.browser.site import Site, run_ingest, start_site
from tests.conftest import BUNDLED_STUDY, PROJECT

pytest.importorskip("datasette")

PAGE = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
SITE = "http://localhost:8001"
QUESTIONS = {question.query.name: question for question in documented_questions()}
LEVELS = """iso3,year,label,value,low,high
KEN,2030,Healthy Years Lived,900,500,1500
KEN,2031,Healthy Years Lived,950,600,1500
UGA,2030,Healthy Years Lived,400,,
"""
REFERENCE = "ISO3,all_treatments\nKEN,1000\nUGA,2000\n"
RULE = """
[[rules]]
name = "people are many"
kind = "bounds"
label = "Population"
minimum = 1e12
severity = "warning"
"""
FAILURE = """

_simulate = simulate


def simulate(document):
    if '"NAM"' in str(document).replace("'", '"'):
        raise ValueError("no figures for Namibia")
    return _simulate(document)
"""
# Runs each example on its own and prints its rows as JSON.
RUN_ALL = """
import json, sys
for code in json.load(sys.stdin):
    names = {}
    exec(compile(code, "<example>", "exec"), names)
    if "frame" in names:
        frame = names["frame"].astype(object).where(names["frame"].notna(), None)
        told = [dict(zip(frame.columns, row)) for row in frame.itertuples(index=False, name=None)]
    else:
        told = names["rows"]
    print(json.dumps(told, default=lambda number: number.item()))
"""


@pytest.fixture(scope="module")
def asthma(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The bundled study, four countries of it. Run 3: a scenario changes, a country fails.

    One country has only one scenario, and a rule is broken: no question is without rows for it.
    """
    folder = tmp_path_factory.mktemp("api") / "asthma"
    shutil.copytree(BUNDLED_STUDY, folder, ignore=shutil.ignore_patterns("*.db*", "__pycache__"))
    append(folder / "ingest.toml", RULE)
    run_ingest(folder, "run", "--quiet", "--countries", "KEN,UGA,NAM")
    run_ingest(folder, "run", "--quiet", "--countries", "DEU", "--scenarios", "null")
    append(folder / "model.py", FAILURE)
    changed = folder / "scenarios" / "all_treatments.json"
    shutil.copy(folder / "scenarios" / "all_treatments_half.json", changed)
    run_ingest(folder, "run", "--quiet", "--countries", "KEN,UGA,NAM")
    (folder / "reference.csv").write_text(REFERENCE)
    run_ingest(folder, "reference", "load", "reference.csv", "--name", "published")
    (folder / "levels.csv").write_text(LEVELS)
    run_ingest(folder, "reference", "load", "levels.csv", "--name", "observed")
    running = start_site(folder / "validation_results.db")
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


@pytest.fixture(scope="module")
def database(asthma: Site) -> Iterator[sqlite3.Connection]:
    with closing(open_for_reading(asthma.database)) as connection:
        yield connection


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def section(name: str) -> str:
    """What the page says of one question."""
    found = re.search(rf"^### {name}\n(.*?)(?=^### |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1]


def examples(title: str) -> dict[str, str]:
    """The example in one language by the question that it asks, as the page API shows it."""
    return {
        name: example.code
        for name, question in QUESTIONS.items()
        for example in question.examples(DATABASE_SITE)
        if example.title == title
    }


def expected_rows(database: sqlite3.Connection, question: ApiQuestion) -> list[dict[str, Any]]:
    columns, rows = answer(database, question)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def answer(database: sqlite3.Connection, question: ApiQuestion) -> tuple[list[str], Rows]:
    return run_canned_query(database, question.query, question.arguments)


def run_python(codes: list[str], site: Site, folder: Path) -> list[Any]:
    """What each piece of Python gives as rows or frame, all run in one process."""
    given = json.dumps([code.replace(SITE, site.url) for code in codes])
    result = subprocess.run(
        [sys.executable, "-c", RUN_ALL], input=given, capture_output=True, text=True, cwd=folder,
        check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def run_shell(code: str, site: Site, folder: Path) -> str:
    result = subprocess.run(
        ["sh", "-euc", code.replace(SITE, site.url)], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    return result.stdout


def as_read_from_csv(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """CSV cannot tell an empty text from a missing value, nor a whole float from an integer."""
    return [{name: None if v == "" else v for name, v in row.items()} for row in rows]


def assert_same(told: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [list(row) for row in told] == [list(row) for row in expected]
    for one, other in zip(told, expected, strict=True):
        for name, value in other.items():
            if isinstance(value, float):
                assert math.isclose(one[name], value, rel_tol=1e-12), name
            else:
                assert one[name] == value, name


# --- examples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_documented_address_gives_the_rows_of_its_question(
    asthma: Site, database: sqlite3.Connection, name: str
) -> None:
    (address,) = re.findall(r"^Rows: `(/\S+)`$", section(name), re.MULTILINE)
    assert re.match(rf"/validation_results/{name}\.json\?_shape=array", address)
    rows = expected_rows(database, QUESTIONS[name])
    assert rows or name == "suspicious_values"
    assert_same(asthma.get(address).json(), rows)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_curl_example_gives_the_rows_of_its_question(
    asthma: Site, database: sqlite3.Connection, tmp_path: Path
) -> None:
    codes = examples("curl")
    assert codes.keys() == QUESTIONS.keys()
    for name, code in codes.items():
        told = json.loads(run_shell(code, asthma, tmp_path))
        assert_same(told, expected_rows(database, QUESTIONS[name]))


def test_every_python_and_pandas_example_gives_the_rows_of_its_question(
    asthma: Site, database: sqlite3.Connection, tmp_path: Path
) -> None:
    pytest.importorskip("pandas")
    plain, pandas = examples("Python"), examples("pandas")
    assert plain.keys() == pandas.keys() == QUESTIONS.keys()
    told = run_python([*plain.values(), *pandas.values()], asthma, tmp_path)
    expected = [expected_rows(database, question) for question in QUESTIONS.values()]
    for rows, own in zip(told, [*expected, *map(as_read_from_csv, expected)], strict=True):
        assert_same(rows, own)


def test_the_start_and_the_pages_of_a_table_run_as_they_stand(
    asthma: Site, database: sqlite3.Connection, tmp_path: Path
) -> None:
    pytest.importorskip("pandas")
    start = re.findall(r"```python start\n(.*?)\n```", PAGE, re.DOTALL)
    (tables,) = re.findall(r"```python tables\n(.*?)\n```", PAGE, re.DOTALL)
    paged = tables.replace('"max"', '"100"')
    rows, frame, whole, pages = run_python([*start, tables, paged], asthma, tmp_path)
    assert rows == frame == expected_rows(database, QUESTIONS["compare_scenarios"])
    sql = "SELECT count(*) FROM metrics WHERE country = 'KEN' AND scenario = 'null'"
    assert len(whole) == database.execute(sql).fetchone()[0] > 100
    assert pages == whole


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_polling_by_curl_keeps_the_rows_that_it_has(asthma: Site, tmp_path: Path) -> None:
    (code,) = re.findall(r"```sh polling\n(.*?)\n```", PAGE, re.DOTALL)
    run_shell(code, asthma, tmp_path)
    before = (tmp_path / "rows.json").read_text()
    assert len(json.loads(before)) == 3
    said = run_shell(f"{code} --write-out '%{{http_code}}'", asthma, tmp_path)
    assert said == "304"
    assert (tmp_path / "rows.json").read_text() == before


def test_polling_by_python_has_the_rows_both_times(asthma: Site, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python polling\n(.*?)\n```", PAGE, re.DOTALL)
    (rows,) = run_python([f"{code}\nassert again.status_code == 304"], asthma, tmp_path)
    assert [row["run_id"] for row in rows] == [3, 2, 1]


# --- what it says --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUESTIONS)
def test_documented_columns_are_the_keys_in_their_order(asthma: Site, name: str) -> None:
    table = section(name).split("| column | meaning |")[1]
    documented = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    told = asthma.get(f"/validation_results/{name}.json").json()["columns"]
    if YEARS in QUESTIONS[name].query.columns:
        assert documented.pop() == "YEAR ..."
        told = [column for column in told if not column.isdigit()]
    assert told == documented


@pytest.mark.parametrize("name", QUESTIONS)
def test_documented_parameters_are_those_that_the_server_uses(asthma: Site, name: str) -> None:
    table = section(name).split("| column | meaning |")[0]
    documented = re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE)
    answered = asthma.get(f"/validation_results/{name}.json?_shape=objects").json()
    used = [key for key in answered["query"]["params"] if not key.startswith("_")]
    assert used == documented


def test_every_default_is_told_in_words_or_is_a_value() -> None:
    for question in QUESTIONS.values():
        for parameter, told in zip(question.query.parameters, question.parameters, strict=True):
            assert told.default != "chosen from the results", (question.query.name, parameter.name)
            assert not is_sql(told.default)


def test_documented_tables_have_the_values_of_parameters(asthma: Site) -> None:
    tables = {one.table for question in QUESTIONS.values() for one in question.parameters}
    for table, column in sorted(tables - {("", "")}):
        rows = asthma.get(f"/validation_results/{table}.json?_shape=array").json()
        assert rows, table
        assert all(row[column] for row in rows), table


def test_documented_errors_are_those_of_the_server(asthma: Site) -> None:
    table = PAGE.split("| asked | error |")[1].split("\n\n")[0]
    lines = re.findall(r"^\| `([^`]+)` \| (.+) \|$", table, re.MULTILINE)
    assert len(lines) == 5
    for asked, message in lines:
        answered = asthma.request(f"/validation_results/compare_scenarios.json?{asked}")
        assert answered.status == 400
        beginning = message.partition("; runs are")[0]
        assert answered.json()["error"].startswith(beginning)
    (body,) = re.findall(r"```json\n(\{.*?\})\n```", PAGE)
    told = asthma.request("/validation_results/compare_scenarios.json?country=KEM").json()
    assert told == json.loads(body)


def test_documented_pictures_are_there_in_every_format(asthma: Site) -> None:
    path = "/validation_results/scenario_impact"
    beginnings = {"svg": b"<svg", "png": b"\x89PNG", "vl.json": b"{"}
    for kind, beginning in beginnings.items():
        assert asthma.get(f"{path}.{kind}?_chart=map").body.startswith(beginning), kind


@pytest.mark.parametrize("name", QUESTIONS)
def test_documented_charts_are_there(asthma: Site, name: str) -> None:
    (charts,) = re.findall(r"^Charts: (.*)\.$", section(name), re.MULTILINE)
    question = QUESTIONS[name]
    for chart in re.findall(r"`_chart=([^`]+)`", charts):
        path = f"/validation_results/{question.address('.vl.json', _chart=chart)}"
        assert asthma.get(path).json()["title"]["text"] == question.query.title
    assert len(re.findall("_chart=", charts)) == len(question.query.charts)


def test_documented_addresses_of_tables_answer(asthma: Site) -> None:
    paths = re.findall(r"^(/validation_results/\S+)$", PAGE, re.MULTILINE)
    assert len(paths) == 5
    for path in paths:
        asthma.get(path.replace("run=7", "run=1").replace("run=published", "run=latest"))
