"""Text can be read in light and in dark, and nothing moves for those who do not want it."""

from __future__ import annotations

import pytest

from tests.browser.site import Site
from tests.chromium.charts import read_charts
from tests.chromium.conftest import Visit
from tests.chromium.contrast import contrast, read_texts, text_contrast, too_faint
from tests.chromium.test_pages import LINKS, ODD_PAGES, question_url

SHOWN = {
    **{name: path for name, path in ODD_PAGES.items() if not name.startswith("table-")},
    "lines": question_url("compare_scenarios", scenario="scale_up"),
    "bars": question_url("scenario_totals"),
    "map": question_url("scenario_impact", scenario="scale_up") + "#map",
    "failures": question_url("failed_jobs", run=2),
}
# What has to be among the texts, so that nothing is held to be readable that was not looked at.
PARTS = {
    "overview": ("p.quiet", "a.", "a.s-stale", "i.s-missing", "span.badge", "small.", "p."),
    "run": ("span.badge", "dt.", "td.error-text", "code."),
    "job-failed": ("span.badge", "pre."),
    "lines": ("text.", "p.answer", "figcaption.", "button.", "summary.", "p.source"),
    "map": ("text.",),
}


def test_the_contrast_is_that_of_the_standard() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.005)
    assert contrast((255, 0, 0), (255, 255, 255)) == pytest.approx(3.998, abs=0.005)
    half = text_contrast((0, 0, 0, 0.5), [(0, 0, 0, 0), (255, 255, 255, 1), (9, 9, 9, 1)])
    assert half == pytest.approx(contrast((127.5, 127.5, 127.5), (255, 255, 255)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SHOWN)
def test_every_text_can_be_read(site: Site, visit: Visit, name: str, scheme: str) -> None:
    page = visit(site, color_scheme=scheme).open(SHOWN[name])
    texts = read_texts(page)
    kinds = [text.kind for text in texts]
    for part in PARTS.get(name, ("a.",)):
        assert any(kind.startswith(part) for kind in kinds), f"{part} not among {set(kinds)}"
    assert too_faint(texts) == []


def test_dark_pages_and_charts_are_dark(site: Site, visit: Visit) -> None:
    colours = {}
    for scheme in ("light", "dark"):
        page = visit(site, color_scheme=scheme).open(SHOWN["lines"])
        ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        (chart,) = read_charts(page)
        colours[scheme] = (ground, {mark[2] for mark in chart.marks})
    assert colours["light"][0] == "rgb(255, 255, 255)"
    assert colours["dark"][0] == "rgb(20, 23, 27)"
    assert colours["light"][1] != colours["dark"][1]


def test_a_page_that_is_open_follows_the_scheme(site: Site, visit: Visit) -> None:
    page = visit(site, fresh=True, color_scheme="light").open(SHOWN["lines"])
    (before,) = read_charts(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector("figure.chart[data-drawn=dark]")
    (after,) = read_charts(page)
    assert {mark[2] for mark in before.marks} != {mark[2] for mark in after.marks}
    assert too_faint(read_texts(page)) == []


@pytest.mark.parametrize("path", [LINKS.home(), SHOWN["lines"]])
def test_nothing_moves_for_those_who_do_not_want_it(site: Site, visit: Visit, path: str) -> None:
    page = visit(site, reduced_motion="reduce").open(path)
    assert page.evaluate("() => matchMedia('(prefers-reduced-motion: reduce)').matches")
    assert page.evaluate("() => document.getAnimations().length") == 0
    assert all(chart.problems(null_is_a_name=True) == [] for chart in read_charts(page))
