"""The API page, what a wrong request is told, and JSON that does not have every row."""

from __future__ import annotations

import ast
import html
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ingest.browser.links import Links
from ingest.browser.pages.api import ApiQuestion, describe_query
from ingest.questions.catalogue import load_canned_queries
from ingest.questions.files import parse_canned_query
from tests.browser.site import ODD_LABEL, ODD_SCENARIO, ODD_TEXT, Site, start_site
from tests.conftest import StudyFolder

pytest.importorskip("datasette")

DB = "/validation_results"
LINKS = Links("validation_results")
QUERIES = load_canned_queries()
OWN = """/*
---
title: How many <b>jobs</b> & more?
description: A question of one's own.
parameters:
  scenario:
  country:
    use: country
    default: SELECT max(country) FROM job_results
columns:
  jobs: number of jobs
---
*/
SELECT count(*) AS jobs FROM job_results WHERE scenario = :scenario AND country >= :country
"""


def codes_of(page: str) -> list[str]:
    """The examples of a page, as they are copied."""
    return [
        html.unescape(code) for code in re.findall(r"<pre><code>(.*?)</code></pre>", page, re.S)
    ]


def details_of(page: str, name: str) -> str:
    found = re.search(rf'<details class="api-question" id="{name}">(.*?)</details>', page, re.S)
    assert found, name
    return found[1]


@pytest.fixture(scope="module")
def limited(served_study: StudyFolder) -> Iterator[Site]:
    """A server that gives five rows of JSON at most."""
    running = start_site(served_study.database, extra=("--setting", "max_returned_rows", "5"))
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


# --- the page ------------------------------------------------------------------------------------


def test_page_has_every_question_with_parameters_columns_and_examples(site: Site) -> None:
    page = site.get(LINKS.api()).text
    for query in QUERIES.values():
        part = details_of(page, query.name)
        assert f'<a href="#{query.name}">' in page
        for parameter in query.parameters:
            assert f'<th scope="row"><code>{parameter.name}</code></th>' in part
        for column in query.columns:
            name = "YEAR ..." if column == "(years)" else column
            assert f'<th scope="row"><code>{name}</code></th>' in part
        assert len(codes_of(part)) == 3 + len(query.charts)


def test_page_has_the_values_of_this_database(site: Site) -> None:
    part = html.unescape(details_of(site.get(LINKS.api()).text, "compare_scenarios"))
    assert "KEN, NAM, TZA, UGA" in part
    assert f"{ODD_LABEL}, Healthy Years Lived, Population" in part
    assert ODD_SCENARIO in part
    assert "<td>the newest run that has ended</td><td><code>3</code></td>" in part


def test_examples_name_the_server_that_was_asked(site: Site) -> None:
    page = site.request(LINKS.api(), Host="results.example.org:8080").text
    addresses = re.findall(r"https?://[^/]+/", "\n".join(codes_of(page)))
    assert set(addresses) == {"http://results.example.org:8080/"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_examples_of_the_page_answer_as_they_stand(site: Site, tmp_path: Path) -> None:
    codes = [code for code in codes_of(site.get(LINKS.api()).text) if code.startswith("curl")]
    assert len(codes) == len(QUERIES) + 3
    for code in codes:
        result = subprocess.run(
            ["sh", "-euc", code], cwd=tmp_path, capture_output=True, check=False
        )
        assert result.returncode == 0, f"{code}: {result.stdout!r}"
        told = (tmp_path / "rows.json").read_bytes() if "--output" in code else result.stdout
        assert isinstance(json.loads(told), list)


def test_every_page_leads_to_it_and_a_question_to_its_own_part(site: Site) -> None:
    for path in ("/", LINKS.runs(), LINKS.data(), LINKS.table("job_results")):
        assert f'<a href="{LINKS.api()}">API</a>' in site.get(path).text, path
    question = site.get(LINKS.question("scenario_impact")).text
    assert f'<a href="{LINKS.api("scenario_impact")}">API</a>' in question


def test_copying_is_done_by_a_file_of_its_own(site: Site) -> None:
    page = site.get(LINKS.api()).text
    (script,) = re.findall(r'<script src="(/static/api\.js\?v=\w{8})" defer>', page)
    assert "navigator.clipboard" in site.get(script).text
    assert page.count("data-copy") == len(codes_of(page))


def test_question_of_ones_own_is_there_as_text_with_its_own_default(
    served_study: StudyFolder, tmp_path: Path
) -> None:
    shutil.copytree(served_study.root, tmp_path / "copy")
    (tmp_path / "copy" / "canned_queries").mkdir()
    (tmp_path / "copy" / "canned_queries" / "own_jobs.sql").write_text(OWN)
    running = start_site(tmp_path / "copy" / "validation_results.db")
    try:
        page = running.get(LINKS.api()).text
        assert "<b>" not in page
        part = details_of(page, "own_jobs")
        assert "How many &lt;b&gt;jobs&lt;/b&gt; &amp; more?" in part
        assert "<td>chosen from the results</td><td><code>UGA</code></td>" in part
        assert "country=UGA" in codes_of(part)[0]
    finally:
        running.process.kill()
        running.process.wait()


# --- examples, whatever a value holds ------------------------------------------------------------


def odd_question(value: str) -> ApiQuestion:
    query = parse_canned_query("odd", OWN)
    return describe_query(query, {"scenario": value, "country": "KEN", "unknown": "x"})


@pytest.mark.parametrize(
    "value", [ODD_TEXT, ODD_SCENARIO, "it's; rm -rf $HOME `id`", "a\nb\\", "ä"]
)
def test_examples_hold_any_text_as_a_value(value: str) -> None:
    curl, requests, pandas = odd_question(value).examples("http://host/db")
    url = shlex.split(curl.code)[-1]
    told = ["sh", "-euc", curl.code.replace("curl -sS --fail-with-body", "printf %s")]
    assert subprocess.run(told, capture_output=True, text=True, check=True).stdout == url
    given = {"_shape": ["array"], "scenario": [value], "country": ["KEN"]}
    assert parse_qs(urlsplit(url).query) == given
    calls = [node for node in ast.walk(ast.parse(requests.code)) if isinstance(node, ast.Call)]
    call = next(node for node in calls if ast.unparse(node.func) == "requests.get")
    assert ast.literal_eval(call.args[0]) == "http://host/db/odd.json"
    parameters = next(word.value for word in call.keywords if word.arg == "params")
    assert ast.literal_eval(parameters) == {k: v for k, (v,) in given.items()}
    read = next(node for node in ast.walk(ast.parse(pandas.code)) if isinstance(node, ast.Call))
    csv = urlsplit(ast.literal_eval(read.args[0]))
    assert csv.path == "/db/odd.csv"
    assert parse_qs(csv.query) == {"scenario": [value], "country": ["KEN"]}


def test_question_without_choices_is_asked_without_parameters() -> None:
    question = describe_query(QUERIES["failed_jobs"], {"scenario": "null", "run": "1"})
    assert question.address(".csv") == "failed_jobs.csv"


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("scenario_impact.json?basline=null",
         "canned query scenario_impact has no parameter 'basline'. Did you mean baseline?"),
        ("scenario_impact.json?_shape=array&scenario=scale-up",
         "scenario: there is no 'scale-up'. Did you mean scale_up?"),
        ("scenario_impact.csv?countries=KEN,UGN",
         "countries: there is no 'UGN'. Did you mean UGA?"),
        ("compare_scenarios.json?until=20x0",
         "until: '20x0' is no year; write four digits, e.g. 2030"),
        ("compare_scenarios.json?discount_rate=much", "discount_rate: 'much' is no rate."),
        ("scenario_totals.json?label=Helthy+Years+Lived",
         "label: there is no 'Helthy Years Lived'. Did you mean Healthy Years Lived?"),
        ("failed_jobs.json?run=99", "no run '99' in this database; runs are 1 to 3. Name one by "
         "number, tag, commit, date, latest or previous"),
    ],
)  # fmt: skip
def test_wrong_request_is_told_in_json_what_is_wrong(site: Site, asked: str, error: str) -> None:
    answer = site.request(f"{DB}/{asked}")
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    told = answer.json()
    assert told.pop("error").startswith(error)
    assert told == {"ok": False, "status": 400, "title": None}


def test_what_is_not_there_is_404_in_json(site: Site) -> None:
    answer = site.request(f"{DB}/scenario_impct.json")
    assert answer.status == 404
    assert answer.json()["ok"] is False


# --- not every row -------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["array", "arrayfirst", "arrays", "objects", "array&_nl=on"])
def test_json_that_was_cut_says_so_in_every_shape(limited: Site, shape: str) -> None:
    answer = limited.get(f"{DB}/metrics_pivot.json?label=&_shape={shape}")
    assert answer.headers["ingest-truncated"] == "5"
    assert limited.get(f"{DB}/metrics_pivot.json?label=&_shape=objects").json()["truncated"] is True
    whole = limited.get(f"{DB}/run_history.json?_shape={shape}")
    assert "ingest-truncated" not in whole.headers


def test_csv_is_whole_where_json_is_cut(site: Site, limited: Site) -> None:
    rows = site.get(f"{DB}/metrics_pivot.json?label=&_shape=array").json()
    assert len(rows) > 5
    lines = limited.get(f"{DB}/metrics_pivot.csv?label=").text.splitlines()
    assert len(lines) == len(rows) + 1
    assert "ingest-truncated" not in limited.get(f"{DB}/metrics_pivot.csv?label=").headers


def test_page_of_a_table_is_not_cut_but_leads_to_the_next(limited: Site) -> None:
    answer = limited.get(f"{DB}/job_results.json?_shape=array&_size=max")
    assert len(answer.json()) == 5
    assert "ingest-truncated" not in answer.headers
    assert 'rel="next"' in answer.headers["link"]


def test_page_tells_the_limit_of_this_server(site: Site, limited: Site) -> None:
    assert "JSON ends after 10,000 rows." in site.get(LINKS.api()).text
    assert "JSON ends after 5 rows." in limited.get(LINKS.api()).text
