"""A choice changes chart, sentence and URL; a URL shows the same view to someone else."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.site import Site, run_ingest, start_site
from tests.chromium.conftest import Visit
from tests.chromium.studies import AIR, BASELINE, TREATMENTS
from tests.chromium.test_pages import question_url
from tests.chromium.view import choose, open_tab, read_view
from tests.chromium.visit import wait_for_charts
from tests.conftest import StudyFolder, scenario

COMPARE = question_url("compare_scenarios")


def copy_link(page: Page) -> str:
    """What is in the clipboard after a click on the pinned link."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("[data-copy-link]").click()
    page.get_by_text("Copied").wait_for()
    return str(page.evaluate("() => navigator.clipboard.readText()"))


@pytest.mark.parametrize(
    ("question", "name", "value"),
    [
        ("compare_scenarios", "country", "UGA"),
        ("compare_scenarios", "scenario", AIR),
        ("compare_scenarios", "label", "DALYs"),
        ("scenario_impact", "run", "1"),
        ("scenario_impact", "scenario", AIR),
        ("scenario_totals", "country", "IND"),
    ],
)
def test_a_drop_down_changes_chart_sentence_and_url(
    bundled_site: Site, visit: Visit, question: str, name: str, value: str
) -> None:
    page = visit(bundled_site).open(question_url(question))
    before = read_view(page)
    assert before.chosen[name] != value
    after = choose(page, name, value)
    assert after.chosen == before.chosen | {name: value}
    assert after.charts != before.charts
    assert after.sentence != before.sentence
    assert after.rows != before.rows
    assert page.url == bundled_site.url + question_url(question, **{name: value})


def test_back_brings_the_view_of_before(bundled_site: Site, visit: Visit) -> None:
    page = visit(bundled_site).open(COMPARE)
    first = read_view(page)
    second = choose(page, "country", "UGA")
    third = choose(page, "label", "DALYs")
    assert third.chosen["country"] == "UGA"
    for view in (second, first):
        page.go_back()
        wait_for_charts(page)
        assert read_view(page) == view
    page.go_forward()
    wait_for_charts(page)
    assert read_view(page) == second


def test_the_tab_stays_when_something_else_is_chosen(bundled_site: Site, visit: Visit) -> None:
    page = visit(bundled_site).open(COMPARE)
    open_tab(page, "Difference")
    assert page.url.endswith("#difference")
    assert choose(page, "country", "UGA").tab == "Difference"
    assert page.url == bundled_site.url + question_url("compare_scenarios", country="UGA") + (
        "#difference"
    )


def test_several_countries_are_chosen_in_one_box(bundled_site: Site, visit: Visit) -> None:
    page = visit(bundled_site).open(question_url("label_trend"))
    before = read_view(page)
    page.locator("fieldset.many summary").first.click()
    box = page.locator("fieldset.many").first
    box.get_by_role("searchbox").fill("kenya")
    assert box.locator("li:visible").count() == 1
    box.get_by_role("searchbox").fill("")
    for name in ("Kenya (KEN)", "Uganda (UGA)"):
        box.get_by_role("checkbox", name=name).check()
    with page.expect_navigation():
        box.get_by_role("button", name="Show").click()
    wait_for_charts(page)
    after = read_view(page)
    assert after.charts != before.charts
    assert "KEN" in page.url
    assert "UGA" in page.url


def test_a_url_shows_the_same_view_in_a_fresh_profile(bundled_site: Site, visit: Visit) -> None:
    page = visit(bundled_site).open(COMPARE)
    choose(page, "country", "UGA")
    choose(page, "baseline", TREATMENTS)
    choose(page, "scenario", BASELINE)
    open_tab(page, "Difference")
    view = read_view(page)
    assert view.tab == "Difference"
    other = visit(bundled_site, fresh=True).open(page.url)
    assert read_view(other) == view


def test_the_pinned_link_shows_the_same_view_in_a_fresh_profile(
    bundled_site: Site, visit: Visit
) -> None:
    page = visit(bundled_site, fresh=True).open(COMPARE)
    choose(page, "country", "IND")
    open_tab(page, "Difference")
    link = copy_link(page)
    assert link.startswith(bundled_site.url + COMPARE + "?")
    assert link.endswith("#difference")
    for part in ("country=IND", "run=2", f"scenario={TREATMENTS}"):
        assert part in link
    other = visit(bundled_site, fresh=True).open(link)
    assert read_view(other) == read_view(page)


def test_after_a_further_run_the_pinned_link_shows_the_old_chart_the_other_the_new_one(
    study: StudyFolder, visit: Visit
) -> None:
    run_ingest(study.root, "run", "--quiet")
    site = start_site(study.database)
    try:
        page = visit(site, fresh=True).open(COMPARE)
        choose(page, "country", "UGA")
        old, plain, pinned = read_view(page), page.url, copy_link(page)
        study.write_json("scenarios/scale_up.json", scenario(0.4))
        run_ingest(study.root, "run", "--quiet")
        same = read_view(visit(site, fresh=True).open(pinned))
        new = read_view(visit(site, fresh=True).open(plain))
        assert (same.sentence, same.charts, same.rows) == (old.sentence, old.charts, old.rows)
        assert same.chosen == old.chosen
        assert new.chosen == old.chosen | {"run": "2"}
        assert new.sentence != old.sentence
        assert new.charts != old.charts
    finally:
        site.process.kill()
        site.process.wait()


def test_the_country_page_follows_its_drop_downs(bundled_site: Site, visit: Visit) -> None:
    page = visit(bundled_site).open("/validation_results/-/country/KEN")
    before = page.locator("main .lead").inner_text()
    with page.expect_navigation():
        page.get_by_label("Element label").select_option("DALYs")
    wait_for_charts(page)
    assert "label=DALYs" in page.url
    assert page.locator("main .lead").inner_text() != before
