"""The pictures of an economic evaluation, drawn from a page's reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from ingest.browser.pages.economics import EconomicsPage, read_economics_page
from ingest.charts.pictures import render_svg
from ingest.database import ValidationDatabase
from ingest.database.files import open_for_reading
from ingest.database.study_settings import keep_definitions
from ingest.study.settings import load_settings
from tests.commands.test_economics import SETTINGS, STORED, store
from tests.conftest import StudyFolder


@pytest.fixture
def page(study: StudyFolder) -> Iterator[EconomicsPage]:
    """The total of the results of tests/commands/test_economics.py, without Tanzania's lack."""
    study.write_settings(SETTINGS, 'name = "tiny"\ncountry_values = "gdp.csv"')
    (study.root / "gdp.csv").write_text("iso3,gdp\nKEN,20\nUGA,30\n")
    store(study, {names: values for names, values in STORED.items() if names[0] != "NAM"})
    with ValidationDatabase(study.database).writing() as database:
        keep_definitions(database.db, load_settings(study.root / "ingest.toml", {})[0])
    with closing(open_for_reading(study.database)) as connection:
        yield read_economics_page(connection)


def texts(spec: Any) -> str:
    return json.dumps(spec, ensure_ascii=False)


def test_every_picture_can_be_drawn(page: EconomicsPage) -> None:
    for _, spec in page.charts:
        assert "cheap" in render_svg(spec)
    assert "Net benefit so far" in render_svg(page.case_chart or {})


def test_the_plane_has_each_scenario_but_the_baseline_and_a_line_for_each_threshold(
    page: EconomicsPage,
) -> None:
    plane = texts(page.charts[0][1])
    assert plane.count('"strokeDash"') == 2
    assert '"name": "50"' in plane
    assert '"name": "2 x gdp"' in plane
    assert '"name": "cheap"' in plane
    assert '"name": "null"' not in plane
    assert '"name": "null"' in texts(page.charts[1][1])


def test_the_map_has_marks_as_classes_of_their_own(page: EconomicsPage) -> None:
    assert page.case is not None
    assert page.case.scenario == "cheap"
    # Kenya's and Tanzania's 33 a year is below 50 of both, Uganda's is negative
    assert page.map_answer == (
        "cheap is worth it at 2 x gdp in 1, worth it at 50 in 1, cost-saving in 1 of 3 countries."
    )
    chart = page.map_chart("/static/world-110m.json")
    assert chart is not None
    scale = chart["layer"][1]["encoding"]["color"]["scale"]
    assert scale["domain"] == ["cost-saving", "worth it at 50", "worth it at 2 x gdp"]
    assert len(set(scale["range"])) == 3


def test_the_break_even_year_is_marked(page: EconomicsPage) -> None:
    # over the years -35, +35 and +55: even in the second, discounted in the third
    (row,) = page.case_rows
    assert (row["break_even_year"], row["discounted_break_even_year"]) == (2026, 2027)
    assert '"even from 2027"' in texts(page.case_chart)
