"""What a question's page shows, so that two views can be held against each other."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

from tests.chromium.charts import Chart, read_charts
from tests.chromium.visit import wait_for_charts

_CHOSEN = """() => Object.fromEntries(
  [...document.querySelectorAll("form[data-question] select")]
    .map((one) => [one.name, one.value]))"""


@dataclass(frozen=True)
class View:
    """Title, sentence, what is chosen, the tab in front, the charts in it, the rows."""

    title: str
    sentence: str
    chosen: dict[str, str]
    tab: str
    charts: list[Chart]
    rows: list[str]


def read_view(page: Page) -> View:
    """The view as it is now."""
    tab = page.locator("[role=tab][aria-selected=true]")
    return View(
        page.locator("h1").inner_text(),
        page.locator(".answer").inner_text(),
        page.evaluate(_CHOSEN),
        tab.inner_text() if tab.count() else "",
        read_charts(page),
        page.locator("section.rows tbody tr").all_inner_texts(),
    )


def choose(page: Page, name: str, value: str) -> View:
    """The view after a choice in a drop-down."""
    with page.expect_navigation():
        page.locator(f"form[data-question] select[name={name}]").select_option(value)
    wait_for_charts(page)
    return read_view(page)


def open_tab(page: Page, title: str) -> None:
    """A click on a tab, and its chart drawn."""
    page.get_by_role("tab", name=title, exact=True).click()
    wait_for_charts(page)
