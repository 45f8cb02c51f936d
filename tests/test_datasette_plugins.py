"""The adapters in a real Datasette, in-process, on a database that `ingest run` made."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ingest.canned_queries import load_canned_queries
from tests.conftest import PROJECT, Ingest, StudyFolder

datasette_app = pytest.importorskip("datasette.app", reason="pip install 'ingest[browser]'")

Get = Callable[[str], Any]


@pytest.fixture
def get(study: StudyFolder, ingest: Ingest) -> Get:
    """Gets a path of a Datasette on the study's results."""
    ingest("run", "--quiet")
    datasette = datasette_app.Datasette(
        [str(study.database)],
        plugins_dir=str(PROJECT / "datasette_plugins"),
        template_dir=str(PROJECT / "templates"),
        static_mounts=[("static", str(PROJECT / "static"))],
        metadata=yaml.safe_load((PROJECT / "metadata.yml").read_text(encoding="utf-8")),
        settings={"suggest_facets": False},
    )

    async def fetch(path: str) -> Any:
        return await datasette.client.get(path)

    return lambda path: asyncio.run(fetch(path))


def test_every_canned_query_answers_with_its_defaults(get: Get) -> None:
    for query in load_canned_queries().values():
        page = get(f"/validation_results/{query.name}")
        assert page.status_code == 200, query.name
        assert query.title in page.text
        assert get(f"/validation_results/{query.name}.json?_shape=array").status_code == 200


def test_a_question_gives_its_numbers_as_json(get: Get, study: StudyFolder) -> None:
    path = "/validation_results/scenario_impact.json?_shape=array"
    rows = get(f"{path}&baseline=null&scenario=scale_up&label=Healthy+Years+Lived").json()
    people = {code: sum(map(ord, code)) / 7 for code in ("KEN", "NAM", "TZA", "UGA")}
    for row in rows:
        expected = people[row["country"]] * (25 + 26 + 27) * 0.09
        assert row["difference"] == pytest.approx(expected, rel=1e-9)
    assert [row["country"] for row in rows] == list(people)


def test_tables_are_described_and_the_style_is_served(get: Get) -> None:
    page = get("/validation_results/validation_runs").text
    assert "One row for each" in page
    assert "/static/ingest.css" in page
    assert "tabular-nums" in get("/static/ingest.css").text


def test_looking_changes_nothing(get: Get, study: StudyFolder) -> None:
    before = hashlib.sha256(study.database.read_bytes()).hexdigest()
    for path in ("/", "/validation_results", "/validation_results/latest_metrics"):
        assert get(path).status_code == 200
    assert hashlib.sha256(study.database.read_bytes()).hexdigest() == before
