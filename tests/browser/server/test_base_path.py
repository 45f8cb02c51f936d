"""Below a base_url, with and without a proxy that takes it off."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from html import unescape
from urllib.parse import quote, urljoin

import pytest

from ingest.browser.server.base_path import base_path
from ingest.browser.server.server import ServeOptions, make_site
from ingest.errors import ConfigError
from tests.browser.site import Site, start_site
from tests.conftest import StudyFolder

DB = "/validation_results"
SQL = quote("select run_id, x'00' as bytes from job_results")
PAGES = (
    "/",
    "",
    f"{DB}/-/runs",
    f"{DB}/-/api",
    f"{DB}/compare_scenarios",
    DB,
    f"{DB}/job_results",
    f"{DB}/job_results?_facet=country&_where=run_id=1&_where=country='KEN'&_sort=country&_size=1",
    f"{DB}/job_results?_where=run_id=1",
    f"{DB}?sql={SQL}",
    f"{DB}?sql={SQL}&_hide_sql=1",
    f"{DB}/run_tags/published",
    "/-/metadata",
    "/-/settings",
)
WAYS = ["direct", "stripping proxy"]


@pytest.fixture(scope="module")
def below(served_study: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site below /results/, named without its slashes."""
    database = tmp_path_factory.mktemp("below") / "validation_results.db"
    with (
        closing(sqlite3.connect(served_study.database)) as source,
        closing(sqlite3.connect(database)) as target,
    ):
        source.backup(target)
    running = start_site(
        database, "--allow-sql", "--diagnostics", extra=["--setting", "base_url", "results"]
    )
    yield running
    running.process.kill()
    running.process.wait()


def asked(way: str, path: str) -> str:
    """What the server gets where a visitor asks for /results and a path."""
    return f"/results{path}" if way == "direct" else path or "/"


def links(text: str, address: str) -> set[str]:
    """Addresses on this site that a page leads to or loads, absolute."""
    found = re.findall(r'(?:href|src|action)="([^"#][^"]*)"', text)
    there = {urljoin(f"http://x{address}", unescape(link)).partition("#")[0] for link in found}
    return {link.removeprefix("http://x") for link in there if link.startswith("http://x/")}


@pytest.mark.parametrize("way", WAYS)
def test_every_link_of_every_page_is_below_the_base_and_there(below: Site, way: str) -> None:
    seen: set[str] = set()
    for page in PAGES:
        answer = below.get(asked(way, page))
        seen |= links(answer.text, f"/results{page}")
    wrong = {link for link in seen if not link.startswith("/results/") or "results/results" in link}
    assert wrong - {"/results"} == set()
    some = sorted(link for link in seen if ".csv" not in link and ".png" not in link)[::3]
    dead = {link: below.request(asked(way, link.removeprefix("/results"))).status for link in some}
    assert {link: status for link, status in dead.items() if status not in (200, 302)} == {}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("path", "target"),
    [
        (f"{DB}/run_tags/", f"/results{DB}/run_tags"),
        (f"{DB}/run_tags?_filter_column=tag&_filter_op=exact&_filter_value=x",
         f"/results{DB}/run_tags?tag__exact=x"),
        ("/-/config", "/results/-/settings"),
    ],
)  # fmt: skip
def test_redirects_lead_below_the_base(below: Site, way: str, path: str, target: str) -> None:
    answer = below.request(asked(way, path))
    assert (answer.status in (301, 302), answer.headers["location"]) == (True, target)


@pytest.mark.parametrize("way", WAYS)
def test_no_redirect_leads_to_another_site(below: Site, way: str) -> None:
    target = below.request(asked(way, "//evil.example.com/")).headers["location"]
    assert target.startswith("/results/")


@pytest.mark.parametrize("way", WAYS)
def test_data_name_addresses_below_the_base(below: Site, way: str) -> None:
    address = f"http://127.0.0.1:{below.port}/results{DB}"
    page = below.get(asked(way, f"{DB}/job_results.json?_size=1")).json()
    assert page["next_url"].startswith(f"{address}/job_results.json?")
    assert f"{address}.blob?" in below.get(asked(way, f"{DB}.csv?sql={SQL}")).text


@pytest.mark.parametrize("way", WAYS)
def test_menu_says_where_one_is(below: Site, way: str) -> None:
    text = below.get(asked(way, f"{DB}/-/runs")).text
    assert re.search(r'<a href="/results/validation_results/-/runs"[^>]*aria-current', text)


@pytest.mark.parametrize(
    ("text", "path"),
    [("/results/", "/results/"), ("results", "/results/"), ("/a/b", "/a/b/"), ("/", "/")],
)
def test_slashes_are_added(text: str, path: str) -> None:
    assert base_path(text, ["validation_results"]) == path


@pytest.mark.parametrize("text", ["/validation_results/", "validation_results", "/last/x"])
def test_name_of_a_database_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the name of a database"):
        base_path(text, ["validation_results", "last"])


def test_served_database_is_looked_at(served_study: StudyFolder) -> None:
    extra = ("--setting", "base_url", "/validation_results/")
    with pytest.raises(ConfigError, match="begins with the name of a database"):
        make_site(ServeOptions(served_study.database, extra=extra))
