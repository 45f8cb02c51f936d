"""The page of an economic evaluation, and its numbers as JSON and CSV."""

from __future__ import annotations

import csv
import io
from contextlib import closing

import pytest

from ingest.browser.links import Links
from ingest.browser.pages.economics import read_economics_page
from ingest.database.files import open_for_reading
from ingest.questions.catalogue import Memo
from tests.browser.pages.test_pages import page_of
from tests.browser.site import ODD_LABEL, ODD_SCENARIO, Site

LINKS = Links("validation_results")
PEOPLE = {code: sum(map(ord, code)) / 7 for code in ("KEN", "UGA", "TZA", "NAM")}


def healthy(country: str, coverage: float, rate: float = 0.03) -> float:
    """What the model of the served study gives from 2025 to 2027."""
    years = ((25 + i) / (1 + rate) ** i for i in range(3))
    return PEOPLE[country] * (0.9 + coverage / 10) * sum(years)


def test_the_page_answers_and_shows_every_scenario(site: Site) -> None:
    page = page_of(site, LINKS.economics("country:KEN"))
    # the cost is the same in all scenarios, so the one with the most coverage is best
    assert "In Land of KEN (KEN), scale_up is more effect at the same cost" in page.text
    assert "discounted at 3 % a year to 2025; as of run 3." in page.text
    assert ODD_SCENARIO in page.text
    assert len([a for a in page.all("script") if a.get("class") == "chart-spec"]) == 3
    assert "Benefit social : Healthy Years Lived , each unit worth 3." in page.text


def test_a_group_is_of_countries_with_every_scenario(site: Site) -> None:
    page = page_of(site, LINKS.economics())
    assert "In total, scale_up" in page.text
    assert "1 of 4 countries: the others lack a scenario." in page.text
    assert "scale_up is more effect at the same cost in 4 of 4 countries." in page.text
    assert len([a for a in page.all("script") if a.get("class") == "chart-spec"]) == 4


def test_json_has_the_numbers_of_plain_arithmetic(site: Site) -> None:
    found = site.get(LINKS.economics("country:KEN", ".json")).json()
    rows = {row["scenario"]: row for row in found["rows"]}
    gained = healthy("KEN", 0.5) - healthy("KEN", 0.0)
    assert rows["scale_up"]["effect_gained"] == pytest.approx(gained, rel=1e-9)
    assert rows["scale_up"]["extra_cost"] == 0
    assert rows["scale_up"]["thresholds"][1]["value"] == 40
    assert rows["scale_up"]["thresholds"][1]["net_benefit"] == pytest.approx(40 * gained, rel=1e-9)
    (case,) = found["investment_case"]
    assert case["discounted_benefit"] == pytest.approx(3 * gained, rel=1e-9)
    assert [row["year"] for row in found["years"]] == [2025, 2026, 2027]


def test_csv_has_the_table(site: Site) -> None:
    path = LINKS.economics("country:UGA", ".csv", discounted="no")
    answer = site.get(path)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = {row["scenario"]: row for row in csv.DictReader(io.StringIO(answer.text))}
    # Uganda failed with the coverage of 0.5: its numbers are those of 0.9
    gained = healthy("UGA", 0.9, 0) - healthy("UGA", 0, 0)
    assert float(rows["scale_up"]["effect_gained"]) == pytest.approx(gained, rel=1e-9)


def test_the_investment_case_is_csv_too(site: Site) -> None:
    for table, column, first in (("investment_case", "horizon", "2027"), ("years", "year", "2025")):
        text = site.get(LINKS.economics("country:KEN", ".csv", table=table)).text
        rows = list(csv.DictReader(io.StringIO(text)))
        assert rows[0][column] == first
        assert rows[0]["scenario"] == "scale_up"
    wrong = site.request(LINKS.economics("country:KEN", ".csv", table="year"))
    assert wrong.status == 400
    assert "tables are scenarios, investment_case, years" in wrong.text


def test_a_place_that_is_none_is_an_answer_in_words(site: Site) -> None:
    for where in ("country:XXX", "continent:Asia", "region:Atlantis", "region:", "Kenya"):
        answer = site.request(LINKS.economics(where))
        assert answer.status == 400
        assert where.removeprefix("country:") in answer.text


def test_names_that_look_like_markup_stay_names(site: Site) -> None:
    text = site.get(LINKS.economics("country:KEN")).text
    assert ODD_LABEL not in text
    assert "<script>alert" not in text


def test_remembered_numbers_are_those_of_a_page_that_is_read_anew(site: Site) -> None:
    """In whatever order places are asked for; each is read once."""
    memo: Memo = {}
    asked = [
        (where, scenario, discounted)
        for where in ("country:UGA", "region:East", "total", "country:KEN")
        for discounted in (None, "no")
        for scenario in (None, "scale_up", "no such scenario")
    ]
    with closing(open_for_reading(site.database)) as connection:
        statements: list[str] = []
        for each in asked:
            new = read_economics_page(connection, *each)
            assert read_economics_page(connection, *each, memo=memo) == new
            connection.set_trace_callback(statements.append)
            assert read_economics_page(connection, *each, memo=memo) == new
            connection.set_trace_callback(None)
    assert statements
    assert not [sql for sql in statements if "metric_values" in sql]
