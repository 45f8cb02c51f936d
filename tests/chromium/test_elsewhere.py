"""On paper, and without JavaScript."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.site import Site
from tests.chromium.charts import read_charts
from tests.chromium.conftest import Visit
from tests.chromium.test_pages import LINKS, question_url


@pytest.mark.parametrize("path", [LINKS.home(), question_url("compare_scenarios")])
def test_paper_has_the_content_and_neither_menu_nor_form(
    site: Site, visit: Visit, path: str
) -> None:
    page = visit(site, fresh=True).open(path)
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    page.emulate_media(media="print")
    for part in ("header nav", "form"):
        for one in page.locator(part).all():
            expect(one).to_be_hidden()
    expect(page.locator("main h1")).to_be_visible()
    assert all(chart.marks for chart in read_charts(page))


def test_without_javascript_a_question_can_be_asked_and_read(site: Site, visit: Visit) -> None:
    visitor = visit(site, java_script_enabled=False)
    page = visitor.context.new_page()
    page.goto(site.url + question_url("compare_scenarios", scenario="scale_up"))
    expect(page.locator("figure.chart noscript p").first).to_be_visible()
    expect(page.locator(".chart-message").first).to_be_hidden()
    expect(page.locator("section.rows tbody tr").first).to_be_visible()
    expect(page.locator(".answer")).to_be_visible()
    page.locator("select[name=country]").select_option("TZA")
    page.locator("form[data-question]").get_by_role("button", name="Show").last.click()
    page.wait_for_url("**country=TZA**")
    expect(page.locator(".answer")).to_contain_text("Land of TZA")
    expect(page.locator("select[name=country]")).to_have_value("TZA")


def test_without_javascript_the_overview_is_whole(site: Site, visit: Visit) -> None:
    page = visit(site, java_script_enabled=False).context.new_page()
    page.goto(site.url + LINKS.home())
    expect(page.locator("[data-matrix] td a").first).to_be_visible()
    page.locator("[data-matrix] td a").first.click()
    expect(page.locator("h1")).to_be_visible()
    assert "/-/job/" in page.url
