"""Datasette's own pages and JSON beside ours: the same clothes, the same numbers."""

from __future__ import annotations

import re

import pytest

from ingest.questions.catalogue import load_canned_queries
from tests.browser.site import Site

TABLES = (
    "validation_runs", "job_results", "metrics", "latest_metrics", "latest_results", "countries",
    "scenarios", "labels", "elements", "series_changes", "quality_findings", "reference_values",
    "other_metrics", "other_series", "other_values", "study_names", "run_tags", "inputs",
    "input_sets", "result_sets", "metric_values",
)  # fmt: skip


def test_every_question_answers_with_its_defaults(site: Site) -> None:
    for query in load_canned_queries().values():
        assert query.title in site.get(f"/validation_results/{query.name}").text.replace(
            "&#39;", "'"
        )
        assert isinstance(
            site.get(f"/validation_results/{query.name}.json?_shape=array").json(), list
        )


def test_a_question_gives_its_numbers_as_json(site: Site) -> None:
    path = "/validation_results/scenario_impact.json?_shape=array&baseline=null&scenario=scale_up"
    rows = site.get(f"{path}&label=Healthy+Years+Lived&run=1").json()
    people = {code: sum(map(ord, code)) / 7 for code in ("KEN", "NAM", "TZA", "UGA")}
    assert {row["country"] for row in rows} == set(people)
    for row in rows:
        expected = people[row["country"]] * (25 + 26 + 27) * 0.09
        assert row["difference"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_described_in_the_same_clothes(site: Site, table: str) -> None:
    page = site.get(f"/validation_results/{table}").text
    assert '<div class="metadata-description">' in page
    assert '<dl class="column-descriptions">' in page
    assert "<strong>ingest</strong>" in page
    assert re.search(r'<link rel="stylesheet" href="/static/ingest\.css\?v=[0-9a-f]{8}">', page)
    assert "app.css" not in page


def test_own_files_are_served(site: Site) -> None:
    assert "tabular-nums" in site.get("/static/ingest.css").text
    assert "watchProgress" in site.get("/static/ingest.js").text
    assert site.get("/static/icon.svg").headers["content-type"] == "image/svg+xml"


def test_one_row_and_the_lists_of_datasette_stay_reachable(site: Site) -> None:
    for path in ("/validation_results", "/validation_results/validation_runs/1"):
        assert site.get(path).status == 200
