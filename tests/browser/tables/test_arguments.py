"""Typing mistakes in the address of a table: never every row, never a traceback."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.browser.site import Site

DB = "/validation_results"
JOBS = f"{DB}/job_results"
ENDINGS = ["", ".json", ".csv"]

MISTAKES = {
    "country__exakt=KEN": "country__exakt: there is no filter 'exakt'. Did you mean exact?",
    "contry=KEN": "job_results has no column 'contry'. Did you mean country?",
    "scenaro__in=null,x": "job_results has no column 'scenaro'. Did you mean scenario?",
    "_wher=1": "there is no argument _wher. Did you mean _where?",
    "_limit=10": "there is no argument _limit.",
    "__exact=KEN": "job_results has no column ''.",
    "_col=contry": "_col: job_results has no column 'contry'. Did you mean country?",
    "_search=KEN": "job_results cannot be searched; choose rows by COLUMN__contains=WORD",
}
VALUES = {
    "_timelimit=abc": "_timelimit=abc is no whole number",
    "_timelimit=%C2%B2": "_timelimit=\N{SUPERSCRIPT TWO} is no whole number",
    "_ttl=%C2%B2": "_ttl=\N{SUPERSCRIPT TWO} is no whole number",
    "_facet_size=many": "_facet_size=many is no whole number",
    "_json_infinity=maybe": "_json_infinity=maybe is neither on nor off",
    "_next=%00": "is not the end of a page; take it from the page before",
    "_next=1": "_next=1 is not the end of a page; take it from the page before",
    "_sort=nosuch": "_sort: job_results has no column 'nosuch'.",
    "_sort_desc=contry": "_sort_desc: job_results has no column 'contry'. Did you mean country?",
    "_sort=run_id&_sort_desc=country": "_sort and _sort_desc: only one of them can be",
    "_facet={": "_facet: job_results has no column '{'.",
    '_facet_date={"a":1}': "_facet_date: job_results has no column",
    "_through=x": "_through=x is no JSON",
    "_through={}": "_through={} has no table, column and value",
    '_through={"table":"x","column":"y","value":1}': "_through: there is no table 'x'",
    '_through={"table":"run_tags","column":"tag","value":"x"}': "_through",
    "country__in=[": "country__in=[ is no JSON",
    "country__notin=[[1]]": "country__notin=[[1]]: a list in a list cannot be looked for",
    "run_id__gt=%C2%B2": "run_id__gt=\N{SUPERSCRIPT TWO} is no number",
    "run_id__gt=99999999999999999999": "too large",
    "country__arraycontains=x": "malformed JSON",
}


def address(path: str, asked: str) -> str:
    return f"{path}?{quote(asked, safe='=&%')}"


def error(site: Site, asked: str) -> tuple[int, str]:
    """The status and the sentence; it is on a page, and in JSON for an address of data."""
    answer = site.request(asked)
    if "." in asked.partition("?")[0].rpartition("/")[2]:
        return answer.status, str(json.loads(answer.text)["error"])
    assert answer.headers["content-type"].startswith("text/html")
    return answer.status, answer.text


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("asked", [*MISTAKES, *VALUES])
def test_mistake_is_said_in_the_form_that_was_asked_for(
    site: Site, asked: str, ending: str
) -> None:
    status, text = error(site, address(f"{JOBS}{ending}", asked))
    assert status == 400
    if ending:
        assert {**MISTAKES, **VALUES}[asked] in text
    assert "SQLITE" not in text


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "asked", ["_timelimit=abc", "_ttl=%C2%B2", "_wher=1", "_where=1", "contry=KEN"]
)
def test_questions_and_views_say_it_too(site: Site, asked: str, ending: str) -> None:
    status, _ = error(site, address(f"{DB}/compare_scenarios{ending}", asked))
    assert status == 400
    if asked != "_where=1":
        assert error(site, address(f"{DB}/run_history{ending}", asked))[0] == 400


@pytest.mark.parametrize("asked", ["_next=abc", "_next=%C2%B2", "_next=-1"])
def test_a_view_counts_its_pages(site: Site, asked: str) -> None:
    assert error(site, address(f"{DB}/latest_metrics.json", asked))[0] == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{DB}/nosuch.csv", 404),
        (f"{DB}/nosuch.png", 404),
        (f"{DB}/job_results.png", 404),
        ("/nosuch.csv", 404),
        (f"{DB}.csv", 400),
        (f"{DB}.json?_shape=arrayfirst", 400),
        (f"{DB}/run_tags/nosuch.json", 404),
        (f"{DB}/run_tags/1,2,3.json", 404),
        (f"{DB}/run_tags/published.json?_ttl=%C2%B2", 400),
        (f"{DB}/run_tags/published.json?_json_infinity=maybe", 400),
    ],
)
def test_data_addresses_answer_errors_as_data(site: Site, path: str, status: int) -> None:
    answer = site.request(path)
    assert answer.status == status
    assert answer.json()["status"] == status


@pytest.mark.parametrize(
    "asked",
    [
        "country=KEN&_=1732780800",
        'country__in=["KEN","UGA"]&run_id__gte=1&_sort_desc=country',
        "country__contains=K&scenario__notin=x,y&_facet=country&_facet_size=max&_nofacet=1",
        "_col=country&_size=max&_labels=on&_shape=array&_nl=on&_json=country&_dl=1&_header=off",
        "ulid__isnull=1&_timelimit=500&_ttl=0&_nocount=1&_size=0",
    ],
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_right_is_answered(site: Site, asked: str, ending: str) -> None:
    assert site.request(address(f"{JOBS}{ending}", asked)).status == 200


def test_every_page_of_a_sorted_table_is_reached(site: Site) -> None:
    path, rows = f"{JOBS}.json?_size=5&_sort=country", []
    while path:
        page = site.get(path).json()
        rows += page["rows"]
        path = (page["next_url"] or "").removeprefix(site.url)
    assert len(rows) == site.get(f"{JOBS}.json").json()["filtered_table_rows_count"]


# --- facets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "facets"),
    [
        ("_facet=value&_facet=country&" * 30, {"value", "country"}),
        ("_facet=run_id&_nl=&" * 9, {"run_id"}),
        ("&".join(f"_facet={name}" for name in ("value", "country", "scenario", "run_id")),
         {"value", "country", "scenario", "run_id"}),
    ],
)  # fmt: skip
def test_a_facet_is_counted_once(site: Site, asked: str, facets: set[str]) -> None:
    found = site.get(f"{DB}/metrics.json?{asked}").json()["facet_results"]
    assert set(found) == facets


@pytest.mark.parametrize("ending", ENDINGS)
def test_more_than_five_facets_are_refused(site: Site, ending: str) -> None:
    names = ("value", "country", "scenario", "run_id", "element_label", "timestamp_year")
    asked = "&".join(f"_facet={name}" for name in names)
    status, text = error(site, f"{DB}/metrics{ending}?{asked}")
    assert status == 400
    assert "there are 6 facets; at most 5 are counted at once" in text


def test_server_said_no_traceback(site: Site) -> None:
    assert not any("Traceback" in line for line in site.read_lines())
