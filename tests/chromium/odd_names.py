"""Elements that the odd names of the served study would make, were they taken for markup."""

from __future__ import annotations

from playwright.sync_api import Page

# Tags of the odd names. Pages have <i> for the cells of the matrix and its legend alone, and within
# their content no script but files and the specifications of charts.
_READ = """() => [...document.querySelectorAll("b, i, main script:not([src], .chart-spec)")]
  .filter((one) => !one.matches("i[class^='s-']"))
  .map((one) => one.outerHTML)"""


def elements_of_names(page: Page) -> list[str]:
    """The HTML of each such element; there should be none."""
    found: list[str] = page.evaluate(_READ)
    return found
