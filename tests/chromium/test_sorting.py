"""The table of a question in a real browser: a heading sorts its rows."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from ingest.browser.links import Links
from tests.browser.site import Site
from tests.chromium.conftest import Visit

IMPACT = Links("validation_results").question(
    "scenario_impact", label="Healthy Years Lived", baseline="null", scenario="scale_up"
)


def heading(page: Page, column: str) -> Locator:
    return page.locator(f"section.rows th[data-column={column}]")


def numbers(page: Page, column: str) -> list[float]:
    """The column's numbers, from top to bottom."""
    cells = page.locator(f"section.rows tbody .col-{column}")
    return [float(value) for value in cells.evaluate_all("all => all.map(c => c.dataset.value)")]


def texts(page: Page, column: str) -> list[str]:
    return page.locator(f"section.rows tbody .col-{column}").all_text_contents()


def test_a_heading_sorts_by_the_number_up_then_down_then_not(site: Site, visit: Visit) -> None:
    page = visit(site).open(IMPACT)
    before = numbers(page, "difference")
    button = heading(page, "difference").get_by_role("button")
    button.click()
    assert numbers(page, "difference") == sorted(before)
    assert heading(page, "difference").get_attribute("aria-sort") == "ascending"
    button.click()
    assert numbers(page, "difference") == sorted(before, reverse=True)
    assert heading(page, "difference").get_attribute("aria-sort") == "descending"
    button.click()
    assert numbers(page, "difference") == before
    assert heading(page, "difference").get_attribute("aria-sort") is None


def test_one_column_at_a_time_is_sorted_with_the_keyboard(site: Site, visit: Visit) -> None:
    page = visit(site).open(IMPACT)
    heading(page, "difference").get_by_role("button").click()
    name = heading(page, "name").get_by_role("button")
    name.press("Enter")
    name.press("Space")
    assert texts(page, "name") == sorted(texts(page, "name"), reverse=True)
    assert heading(page, "name").get_attribute("aria-sort") == "descending"
    assert heading(page, "difference").get_attribute("aria-sort") is None


def test_empty_cells_come_last_either_way(site: Site, visit: Visit) -> None:
    page = visit(site).open(Links("validation_results").question("run_history"))
    page.evaluate(
        """() => {
          const cell = document.querySelector("section.rows tbody .col-duration_s");
          delete cell.dataset.value;
          cell.textContent = "";
        }"""
    )
    button = heading(page, "duration_s").get_by_role("button")
    for _ in range(2):
        button.click()
        assert texts(page, "duration_s")[-1] == ""
        assert "" not in texts(page, "duration_s")[:-1]
