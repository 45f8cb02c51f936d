"""What the server refuses, and what it says to browsers."""

from __future__ import annotations

import asyncio
import html
import re

import pytest

from ingest.browser.protocols import Message
from ingest.browser.server.diagnostics import without_diagnostics
from tests.browser.site import Site

PATHS = ("/", "/validation_results/job_results", "/-/logout", "/-/messages", "/nowhere")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", PATHS)
def test_what_could_write_is_refused(site: Site, method: str, path: str) -> None:
    answer = site.request(path, method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.text == (
        "These results can only be read: GET and HEAD are accepted, nothing else.\n"
    )


def test_head_is_answered_like_get_without_a_body(site: Site) -> None:
    answer = site.request("/validation_results/-/runs", "HEAD")
    assert answer.body == b""
    assert answer.status == 200


@pytest.mark.parametrize("path", [*PATHS, "/static/ingest.css", "/validation_results/-/runs"])
def test_every_answer_has_the_headers_that_protect(site: Site, path: str) -> None:
    headers = site.request(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    for rule in ("default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"):
        assert rule in policy


PAGES = ("/-/runs", "/compare_scenarios", "/job_results", "", "/validation_runs/1")


@pytest.mark.parametrize("path", PAGES)
def test_no_page_compiles_a_text_unless_the_chart_editor_is_asked_for(
    site: Site, path: str
) -> None:
    page = site.get(f"/validation_results{path}")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "datasette_vega/main.08" not in page.text


@pytest.mark.parametrize("path", ["compare_scenarios", "job_results"])
def test_the_chart_editor_is_there_where_it_is_asked_for(site: Site, path: str) -> None:
    link = re.search(
        r'href="([^"]*)">Open in chart editor', site.get(f"/validation_results/{path}").text
    )
    assert link
    editor = site.get(html.unescape(link[1]).partition("#")[0])
    assert "script-src 'self' 'unsafe-eval';" in editor.headers["content-security-policy"]
    assert re.search(r'<script [^>]*src="[^"]*/datasette_vega/main', editor.text)


ABOUT_THE_SERVER = (
    "versions", "plugins", "threads", "settings", "config", "metadata", "databases", "actor",
    "allow-debug", "patterns", "messages", "logout", "permissions", "actions",
)  # fmt: skip


@pytest.mark.parametrize("ending", ["", ".json", "/"])
@pytest.mark.parametrize("page", ABOUT_THE_SERVER)
def test_pages_about_the_server_are_closed(site: Site, page: str, ending: str) -> None:
    answer = site.request(f"/-/{page}{ending}")
    assert answer.status == 404
    assert answer.text == (
        "This page is about the server, and closed. Open such pages: ingest serve --diagnostics\n"
    )


@pytest.mark.parametrize("path", ["/%2D/versions.json", "/-%2Fversions.json", "//-/versions.json"])
def test_no_other_spelling_opens_them(site: Site, path: str) -> None:
    assert site.request(path).status == 404


@pytest.mark.parametrize(
    ("base", "path", "closed"),
    [
        ("/results/", "/results/-/versions", True),
        ("/results/", "/-/versions", True),
        ("/results/", "/results//-/versions", True),
        ("/", "/-", True),
        ("/results/", "/results/-/static/app.css", False),
        ("/", "/-/ingest/vega.js", False),
        ("/", "/validation_results/-/runs", False),
    ],
)
def test_what_is_closed_below_a_base_path(base: str, path: str, closed: bool) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {}

    async def app(*_: object) -> None:
        sent.append({"status": 200})

    scope = {"type": "http", "method": "GET", "path": path}
    asyncio.run(without_diagnostics(app, base)(scope, receive, send))
    assert sent[0]["status"] == (404 if closed else 200)


def test_database_cannot_be_downloaded(site: Site) -> None:
    assert site.request("/validation_results.db").status == 403


@pytest.mark.parametrize("path", ["/validation_results", "/validation_results.json"])
def test_sql_of_visitors_is_refused(site: Site, path: str) -> None:
    answer = site.request(f"{path}?sql=select+count(*)+from+job_results")
    assert answer.status == 403


def test_large_tables_are_not_counted_unless_asked(site: Site) -> None:
    table = "/validation_results/metrics"
    assert site.get(f"{table}.json").json()["filtered_table_rows_count"] is None
    assert site.get(f"{table}.json?_nocount=").json()["filtered_table_rows_count"] > 0
    assert site.get("/validation_results/job_results.json").json()["filtered_table_rows_count"] > 0
