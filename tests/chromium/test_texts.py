"""Hover texts tell everything, and names that look like markup are text wherever they stand."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.site import ODD_LABEL, ODD_SCENARIO, ODD_TEXT, Site
from tests.chromium.charts import read_charts
from tests.chromium.conftest import Visit
from tests.chromium.odd_names import elements_of_names
from tests.chromium.test_pages import LINKS, question_url
from tests.chromium.view import open_tab

TOOLTIP = "#vg-tooltip-element.visible"
ODD_QUESTION = {"scenario": ODD_SCENARIO, "label": ODD_LABEL}


def hover(page: Page, across: float = 0.5, down: float = 0.5) -> dict[str, str]:
    """The hover text at a place of the first chart, as its titles with their values."""
    plot = page.locator(".chart-picture svg .background").first.bounding_box()
    assert plot is not None
    page.mouse.move(plot["x"] + 2, plot["y"] + 2)
    page.mouse.move(plot["x"] + plot["width"] * across, plot["y"] + plot["height"] * down, steps=4)
    page.locator(TOOLTIP).wait_for()
    rows = page.locator(f"{TOOLTIP} tr")
    return {
        row.locator("td.key").inner_text().removesuffix(":"): row.locator("td.value").inner_text()
        for row in rows.all()
    }


def test_hovering_over_lines_tells_the_year_and_every_series(
    bundled_site: Site, visit: Visit
) -> None:
    page = visit(bundled_site).open(question_url("compare_scenarios", country="KEN"))
    told = hover(page)
    assert told.keys() == {"year", "baseline", "all_treatments"}
    assert 2025 < int(told["year"]) < 2050
    elsewhere = hover(page, across=0.8)
    assert int(elsewhere["year"]) > int(told["year"])
    assert elsewhere["baseline"] != told["baseline"]
    page.mouse.move(2, 2)
    page.locator(TOOLTIP).wait_for(state="hidden")


def test_hovering_over_a_country_of_the_map_tells_its_name_and_change(
    bundled_site: Site, visit: Visit
) -> None:
    page = visit(bundled_site).open(question_url("scenario_impact") + "#map")
    told = hover(page, across=0.52, down=0.42)  # in Africa
    assert told.keys() == {"country", "percent", "difference"}
    assert told["country"].strip()


def test_hovering_over_a_panel_of_a_country_tells_scenario_and_year(
    bundled_site: Site, visit: Visit
) -> None:
    page = visit(bundled_site).open(LINKS.country("KEN"))
    points = page.locator("figure.chart").first.locator(".mark-symbol path")
    points.nth(points.count() // 2).hover(force=True)
    page.locator(TOOLTIP).wait_for()
    words = page.locator(f"{TOOLTIP} td.key").all_inner_texts()
    assert [word.removesuffix(":") for word in words] == ["scenario", "year", "value", "baseline"]


def test_odd_names_are_text_in_hover_texts(site: Site, visit: Visit) -> None:
    page = visit(site).open(question_url("compare_scenarios", **ODD_QUESTION))
    told = hover(page)
    assert told.keys() == {"year", "null", ODD_SCENARIO}
    assert elements_of_names(page) == []


def test_odd_names_are_text_in_charts(site: Site, visit: Visit) -> None:
    page = visit(site).open(question_url("compare_scenarios", **ODD_QUESTION))
    (chart,) = read_charts(page)
    assert ODD_SCENARIO in chart.texts
    assert ODD_LABEL in page.locator("figcaption").first.inner_text()
    open_tab(page, "Difference")
    assert elements_of_names(page) == []


def test_odd_names_are_text_in_drop_downs(site: Site, visit: Visit) -> None:
    page = visit(site).open(question_url("compare_scenarios", **ODD_QUESTION))
    for name, text in ODD_QUESTION.items():
        assert text in page.locator(f"select[name={name}] option:checked").inner_text()
    assert f"{ODD_SCENARIO} gives" in page.locator(".answer").inner_text()


def test_an_odd_error_is_told_as_it_was(site: Site, visit: Visit) -> None:
    page = visit(site).open(LINKS.job(2, "UGA", "scale_up"))
    assert ODD_TEXT in page.locator("main").inner_text()
    page = visit(site).open(question_url("failed_jobs", run=2))
    assert ODD_TEXT in page.locator(".answer").inner_text()


def test_an_odd_value_in_the_url_is_text(site: Site, visit: Visit) -> None:
    visitor = visit(site)
    page = visitor.open(question_url("compare_scenarios"))
    page.goto(site.url + question_url("compare_scenarios", country=ODD_TEXT))
    assert repr(ODD_TEXT) in page.locator("main").inner_text()
    assert elements_of_names(page) == []
    assert all("400" in words for words in visitor.told())
