"""Every page and every question at desktop and phone width, on two studies.

Pages of one study are opened on a phone and then widened, those of the other the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from ingest.browser.links import Links
from ingest.browser.pages.routes import PAGES
from ingest.questions.catalogue import load_canned_queries
from tests.browser.site import ODD_LABEL, ODD_SCENARIO, Site
from tests.chromium.charts import read_charts
from tests.chromium.conftest import Visit
from tests.chromium.odd_names import elements_of_names
from tests.chromium.studies import TREATMENTS
from tests.chromium.view import open_tab
from tests.chromium.visit import WIDTHS, keep_picture, resize

LINKS = Links("validation_results")
QUERIES = load_canned_queries()

# Pages by the name of their picture.
DATA = {
    "data": LINKS.data(),
    "table-runs": LINKS.table("validation_runs"),
    "table-jobs": LINKS.table("job_results"),
    "table-metrics": LINKS.metrics(country="KEN"),
    "row": LINKS.table("validation_runs") + "/1",
}
ODD_PAGES = {
    "overview": LINKS.home(),
    "countries": LINKS.countries(),
    "country": LINKS.country("KEN"),
    "country-failed": LINKS.country("UGA", label=ODD_LABEL, run=2),
    "economics": LINKS.economics(),
    "economics-country": LINKS.economics("country:KEN", scenario=ODD_SCENARIO),
    "runs": LINKS.runs(),
    "run": LINKS.run(2),
    "changes": LINKS.changes(2),
    "job-failed": LINKS.job(2, "UGA", "scale_up"),
    "job": LINKS.job(3, "KEN", ODD_SCENARIO),
    "api": LINKS.api(),
    **DATA,
}
BUNDLED_PAGES = {
    "overview": LINKS.overview(),
    "countries": LINKS.countries(),
    "country": LINKS.country("KEN"),
    "economics": LINKS.economics(),
    "runs": LINKS.runs(),
    "run": LINKS.run(2),
    "changes": LINKS.changes(2),
    "job": LINKS.job(2, "KEN", TREATMENTS),
    "api": LINKS.api(),
    **DATA,
}
# What the two studies have no rows for; each question has rows in one of them.
NO_ROWS = {
    "tiny": ("reference_against_model", "model_fit"),
    "asthma": ("failed_jobs", "data_quality", "missing_combinations", "suspicious_values"),
}
MEANT_FOR_ROWS: dict[str, dict[str, object]] = {
    "failed_jobs": {"run": 2},
    "data_quality": {"run": 2},
    "suspicious_values": {"label": ODD_LABEL},
}

# The second change comes while the chart is being drawn for the first one.
NARROW_FOR_A_MOMENT = """() => {
  const figure = document.querySelector(".tab:not([hidden]) figure.chart");
  const wide = figure.dataset.width;
  for (const width of ["200px", ""]) {
    figure.querySelector(".chart-picture").style.width = width;
    dispatchEvent(new Event("resize"));
  }
  window.drawnTwice = () => !figure.dataset.drawing && figure.dataset.width === wide;
}"""

both_widths = pytest.mark.parametrize("width", WIDTHS)


def question_url(name: str, **parameters: object) -> str:
    return LINKS.question(name, **parameters)


def overflow(page: Page) -> int:
    """By how many pixels the document is wider than its window."""
    return int(page.evaluate("() => document.scrollingElement.scrollWidth - innerWidth"))


def keep(page: Page, artefacts: Path | None, picture: str) -> None:
    if artefacts is not None:
        keep_picture(page, artefacts / picture)


def check_page(page: Page) -> None:
    assert overflow(page) <= 0
    assert page.locator("main h1, main h2, .page-header").first.inner_text().strip()


@pytest.mark.parametrize("name", ODD_PAGES)
def test_page_opens_without_a_complaint_and_fits(
    site: Site, visit: Visit, artefacts: Path | None, name: str
) -> None:
    visitor = visit(site, "phone")
    page = visitor.open(ODD_PAGES[name])
    for width in at_both_widths(page, "phone"):
        check_page(page)
        keep(page, artefacts, f"tiny/{name}-{width}.png")
    assert elements_of_names(page) == []
    assert visitor.told() == []


@pytest.mark.parametrize("name", BUNDLED_PAGES)
def test_page_with_187_countries_opens_without_a_complaint_and_fits(
    bundled_site: Site, visit: Visit, artefacts: Path | None, name: str
) -> None:
    visitor = visit(bundled_site, "desktop")
    page = visitor.open(BUNDLED_PAGES[name])
    for width in at_both_widths(page, "desktop"):
        check_page(page)
        keep(page, artefacts, f"asthma/{name}-{width}.png")
    assert visitor.told() == []


@pytest.mark.parametrize("name", QUERIES)
def test_question_about_odd_names_opens_without_a_complaint_and_all_its_charts_have_marks(
    site: Site, visit: Visit, artefacts: Path | None, name: str
) -> None:
    visitor = visit(site, "phone")
    page = visitor.open(question_url(name, **MEANT_FOR_ROWS.get(name, {})))
    for width in at_both_widths(page, "phone"):
        check_question(page, "tiny", name, width, artefacts)
    assert elements_of_names(page) == []
    assert visitor.told() == []


@pytest.mark.parametrize("name", QUERIES)
def test_question_about_187_countries_opens_without_a_complaint_and_all_its_charts_have_marks(
    bundled_site: Site, visit: Visit, artefacts: Path | None, name: str
) -> None:
    visitor = visit(bundled_site, "desktop")
    page = visitor.open(question_url(name))
    for width in at_both_widths(page, "desktop"):
        check_question(page, "asthma", name, width, artefacts)
    assert visitor.told() == []


def at_both_widths(page: Page, opened_at: str) -> Iterator[str]:
    """The width at which a page was opened, then the other one with the page resized to it."""
    yield opened_at
    other = next(width for width in WIDTHS if width != opened_at)
    resize(page, other)
    yield other


def check_question(page: Page, study: str, name: str, width: str, artefacts: Path | None) -> None:
    """There is a sentence, and in each tab a chart with marks and a scale that fits."""
    check_page(page)
    assert page.locator(".answer").inner_text().strip()
    tabs = [] if name in NO_ROWS[study] else [chart.tab for chart in QUERIES[name].charts]
    assert page.locator("figure.chart").count() == len(tabs)
    assert page.get_by_role("tab").all_inner_texts() == (tabs if len(tabs) > 1 else [])
    if not tabs:
        keep(page, artefacts, f"{study}/question-{name}-{width}.png")
    for number, tab in enumerate(tabs):
        if len(tabs) > 1:
            open_tab(page, tab)
        anchor = f"-{tab_anchor(tab)}" if number else ""
        keep(page, artefacts, f"{study}/question-{name}{anchor}-{width}.png")
        (chart,) = read_charts(page)
        assert chart.problems(null_is_a_name=study == "tiny") == [], tab
        assert overflow(page) <= 0, tab


def tab_anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower())


@both_widths
def test_both_charts_of_a_country_have_marks_and_a_scale(
    bundled_site: Site, visit: Visit, width: str
) -> None:
    charts = read_charts(visit(bundled_site, width).open(LINKS.country("KEN")))
    assert [chart.problems() for chart in charts] == [[], []]


@both_widths
def test_the_map_is_filled_in_more_than_one_colour(
    bundled_site: Site, visit: Visit, width: str
) -> None:
    page = visit(bundled_site, width).open(question_url("scenario_impact") + "#map")
    (world,) = read_charts(page)
    assert world.is_map
    assert len(world.marks) > 300  # each outline in grey, and once more in its colour
    assert len(world.fills) > 20
    assert world.width > 0.8 * world.room


def test_a_chart_fits_again_after_its_window_was_narrow_for_a_moment(
    bundled_site: Site, visit: Visit
) -> None:
    page = visit(bundled_site).open(question_url("scenario_impact") + "#map")
    before = read_charts(page)
    page.evaluate(NARROW_FOR_A_MOMENT)
    page.wait_for_function("() => window.drawnTwice()")
    assert read_charts(page) == before


def test_every_page_of_ingest_is_among_those_opened_here() -> None:
    assert set(PAGES) - {"home"} <= set(ODD_PAGES)


@pytest.mark.parametrize("path", ["job_results", "compare_scenarios"])
def test_chart_editor_draws_where_it_is_asked_for(site: Site, chromium: Browser, path: str) -> None:
    page = chromium.new_page()  # the editor's own warnings are not ours
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(f"{site.url}/validation_results/{path}")
        assert page.locator("script[src*=datasette_vega]").count() == 0
        page.get_by_role("link", name="Open in chart editor").click()
        page.wait_for_url("**_editor=1**")
        expect(page.locator("script[src*=datasette_vega]")).to_have_count(1)
        if path == "compare_scenarios":  # its link chooses mark and columns
            page.locator("canvas, svg.marks").first.wait_for()
        assert errors == []
    finally:
        page.close()
