"""The question about indicators: page, JSON, CSV and what is told where something is missing."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest

from tests.browser.site import Site

PLAIN = """SELECT scenario, sum(value) FROM metrics
            WHERE run_id = 1 AND element_label = 'Healthy Years Lived' AND timestamp_year <= 2026
            GROUP BY scenario"""
ASKED = "/validation_results/indicators{}?run={}"


def test_the_page_answers_in_a_sentence_for_the_last_horizon(site: Site) -> None:
    page = site.get(ASKED.format("", 1) + "&scenario=scale_up")
    assert page.status == 200
    answer = page.text.partition('class="answer"')[2].partition("</p>")[0]
    assert "Years gained until 2027 is highest under scale_up" in answer
    assert 'name="indicator"' in page.text


@pytest.mark.parametrize("group", ["", "country", "region"])
def test_json_and_csv_hold_the_differences(site: Site, group: str) -> None:
    address = ASKED.format("{}", 1) + f"&scenario=scale_up&group_1={group}&until=2026"
    rows = site.get(address.format(".json") + "&_shape=array").json()
    with closing(sqlite3.connect(f"{site.database.as_uri()}?mode=ro", uri=True)) as connection:
        sums = dict(connection.execute(PLAIN).fetchall())
    assert sum(row["value"] for row in rows) == pytest.approx(
        sums["scale_up"] - sums["null"], rel=1e-12
    )
    lines = site.get(address.format(".csv")).text.splitlines()
    assert lines[0].startswith("indicator,until_year,group,scenario,value,unit,")
    assert len(lines) == len(rows) + 1


def test_mixed_inputs_are_told(site: Site) -> None:
    assert "Mixed inputs: scenario scale_up differs" in site.get(ASKED.format("", 2)).text
    assert "mixed-inputs" not in site.get(ASKED.format("", 1)).text


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ("&until=2090", 200, "only 2025-2027 of the years"),
        ("&indicator=Yaers", 400, "Years gained"),
        ("&group_1=regoin", 400, "region"),
    ],
)
def test_what_is_not_there_is_told(site: Site, more: str, status: int, words: str) -> None:
    answer = site.request(ASKED.format("", 1) + more)
    assert (answer.status, words in answer.text) == (status, True), answer.text[:2000]


def shown_columns(site: Site, more: str) -> list[str]:
    page = site.get(ASKED.format("", 1) + more).text
    return re.findall(r'data-column="([^"]*)"', page)


def test_the_table_leaves_out_helpers_and_empty_notes(site: Site) -> None:
    columns = shown_columns(site, "&scenario=scale_up&group_1=country")
    assert {"value", "unit", "scenario"} < set(columns)
    assert not {"bar", "note"} & set(columns)
    page = site.get(ASKED.format("", 1) + "&scenario=scale_up").text
    row = page.partition("<tbody")[2].partition("</tr>")[0]
    assert len(re.findall("<t[hd]", row)) == len(shown_columns(site, "&scenario=scale_up"))
    assert "note" in shown_columns(site, "&until=2090")
    rows = site.get(ASKED.format(".json", 1) + "&_shape=array").json()
    assert {"bar", "note"} < set(rows[0])
