"""Everything can be reached, named and used with the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.chromium.conftest import Visit
from tests.chromium.test_pages import LINKS, ODD_PAGES, question_url
from tests.chromium.view import read_view
from tests.chromium.visit import wait_for_charts

CONTROLS = {
    "button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "tab", "menuitem",
    "slider", "spinbutton", "listbox", "progressbar", "image", "img",
}  # fmt: skip
FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const box = one.getBoundingClientRect();
  return { name: `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 30)}`,
           isBody: one === document.body, outline: style.outlineStyle,
           width: parseFloat(style.outlineWidth), isSeen: box.width > 0 && box.bottom > 0 };
}"""


def nameless_controls(page: Page) -> list[str]:
    """The controls without an accessible name, as the browser computes it."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    session.detach()
    seen = [node for node in nodes if not node["ignored"]]
    controls = [node for node in seen if node["role"]["value"] in CONTROLS]
    assert controls
    return [
        f"{node['role']['value']} {node['backendDOMNodeId']}"
        for node in controls
        if not node.get("name", {}).get("value", "").strip()
    ]


def focus_stops(page: Page, most: int) -> list[dict[str, object]]:
    """Where the Tab key goes from the beginning of the page."""
    stops = []
    for _ in range(most):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUS)
        if stop["isBody"]:
            break
        stops.append(stop)
    return stops


NAMED = {
    **ODD_PAGES,
    "question": question_url("compare_scenarios", scenario="scale_up"),
    "several": question_url("label_trend"),
    "map": question_url("scenario_impact", scenario="scale_up"),
}


@pytest.mark.parametrize("name", NAMED)
def test_every_control_has_a_name(site: Site, visit: Visit, name: str) -> None:
    page = visit(site).open(NAMED[name])
    page.evaluate(
        "() => document.querySelectorAll('details').forEach((one) => { one.open = true })"
    )
    assert nameless_controls(page) == []


def test_a_chart_is_told_in_the_sentence_above_it(site: Site, visit: Visit) -> None:
    page = visit(site).open(question_url("compare_scenarios", scenario="scale_up"))
    chart = page.locator("[role=tabpanel]:visible .chart-picture")
    assert chart.get_attribute("aria-label") == page.locator(".answer").inner_text()


def test_the_first_stop_leads_to_the_content(site: Site, visit: Visit) -> None:
    page = visit(site).open(LINKS.home())
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.closest('main') !== null")


@pytest.mark.parametrize(
    "path",
    [
        LINKS.home(),
        LINKS.country("KEN"),
        LINKS.run(2),
        question_url("compare_scenarios"),
        question_url("label_trend"),
        LINKS.api(),
    ],
)
def test_every_stop_of_the_tab_key_is_seen(site: Site, visit: Visit, path: str) -> None:
    stops = focus_stops(visit(site).open(path), most=60)
    assert len(stops) > 15
    unseen = [
        stop["name"]
        for stop in stops
        if stop["outline"] == "none" or stop["width"] == 0 or not stop["isSeen"]
    ]
    assert unseen == []


def test_arrow_keys_go_around_in_the_matrix_and_enter_opens_the_job(
    site: Site, visit: Visit
) -> None:
    page = visit(site).open(LINKS.home())
    matrix = page.locator("[data-matrix]")
    assert matrix.locator("a[tabindex='0'], a:not([tabindex])").count() == 1
    rows = matrix.locator("tbody tr")
    rows.first.locator("a").first.focus()
    page.keyboard.press("ArrowRight")
    expect(rows.nth(0).locator("td a").first).to_be_focused()
    expect(page.locator(".tip")).to_have_text(
        rows.nth(0).locator("td a").first.get_attribute("aria-label") or ""
    )
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1).locator("td a").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(rows.first.locator("th a")).to_be_focused()
    page.keyboard.press("ArrowRight")
    target = page.evaluate("() => document.activeElement.getAttribute('href')")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == site.url + target
    assert "/-/job/" in target


def test_arrow_keys_stay_in_the_column_over_gaps_and_regions(site: Site, visit: Visit) -> None:
    page = visit(site).open(LINKS.home())
    rows = page.locator("[data-matrix] tbody tr")
    cells = rows.nth(1).locator("td")
    number = cells.count() - 1
    while cells.nth(number).locator("a").count() == 0:
        number -= 1
    cells.nth(number).locator("a").focus()
    page.keyboard.press("ArrowDown")
    column = "() => [...document.activeElement.closest('tr').children]" \
             ".indexOf(document.activeElement.closest('td, th'))"  # fmt: skip
    assert page.evaluate(column) == number + 1


def test_arrow_keys_change_the_tab(site: Site, visit: Visit) -> None:
    page = visit(site).open(question_url("compare_scenarios", scenario="scale_up"))
    tabs = page.get_by_role("tab")
    titles = tabs.all_inner_texts()
    tabs.first.focus()
    seen = []
    for _ in titles:
        page.keyboard.press("ArrowRight")
        wait_for_charts(page)
        seen.append(read_view(page).tab)
        expect(page.locator("[role=tab]:focus")).to_have_text(seen[-1])
        expect(page.locator("[role=tabpanel]:visible")).to_have_count(1)
    assert seen == [*titles[1:], titles[0]]
    page.keyboard.press("ArrowLeft")
    expect(tabs.last).to_be_focused()


def test_a_drop_down_is_changed_with_the_keyboard(site: Site, visit: Visit) -> None:
    page = visit(site).open(question_url("compare_scenarios", scenario="scale_up"))
    before = read_view(page)
    page.locator("select[name=country]").focus()
    with page.expect_navigation():
        page.keyboard.press("ArrowDown")
    wait_for_charts(page)
    assert read_view(page).chosen["country"] != before.chosen["country"]
