"""What the server refuses, and what it says to browsers."""

from __future__ import annotations

import pytest

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


def test_own_pages_run_no_text_as_a_script(site: Site) -> None:
    policy = site.get("/validation_results/-/runs").headers["content-security-policy"]
    assert "script-src 'self';" in policy
    table = site.get("/validation_results/job_results").headers["content-security-policy"]
    assert "script-src 'self' 'unsafe-eval';" in table


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
