"""The pages on a study with failures, changes, findings and odd names."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from ingest.browser.links import Links
from tests.browser.site import ODD_LABEL, ODD_SCENARIO, ODD_TEXT, Site

DB = "/validation_results"
LINKS = Links("validation_results")
OWN_PAGES = [
    "/",
    LINKS.overview(),
    LINKS.countries(),
    LINKS.countries(region="East"),
    LINKS.country("KEN"),
    LINKS.country("UGA", label=ODD_LABEL, run=2),
    LINKS.economics(),
    LINKS.economics("country:KEN", scenario=ODD_SCENARIO, discounted="no"),
    LINKS.economics("country:UGA"),
    LINKS.runs(),
    LINKS.run(1),
    LINKS.run(2),
    LINKS.run(3),
    LINKS.changes(1),
    LINKS.changes(2),
    LINKS.changes(2, label="Healthy Years Lived", country="KEN"),
    LINKS.job(2, "UGA", "scale_up"),
    LINKS.job(2, "KEN", "scale_up"),
    LINKS.job(3, "KEN", ODD_SCENARIO),
    LINKS.api(),
]


class Page(HTMLParser):
    """What a page is made of: tags with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.parts: list[str] = []
        self._hidden = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden += tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def hrefs(self) -> list[str]:
        return [attributes["href"] or "" for attributes in self.all("a") if "href" in attributes]


def page_of(site: Site, path: str) -> Page:
    return Page(site.get(path).text)


@pytest.mark.parametrize("path", OWN_PAGES)
def test_every_page_has_its_landmarks_and_one_heading(site: Site, path: str) -> None:
    page = page_of(site, path)
    assert [attributes["lang"] for attributes in page.all("html")] == ["en"]
    assert len(page.all("main")) == len(page.all("header")) == len(page.all("h1")) == 1
    assert page.hrefs[0] == "#content"
    assert [a.get("id") for a in page.all("main")] == ["content"]
    titles = re.findall(r"<title>(.+)</title>", site.get(path).text)
    assert len(titles) == 1
    assert titles[0].endswith(" · tiny")


@pytest.mark.parametrize("path", OWN_PAGES)
def test_no_page_has_a_script_of_its_own(site: Site, path: str) -> None:
    for script in page_of(site, path).all("script"):
        assert "src" in script or script["type"] == "application/json"


@pytest.mark.parametrize("path", OWN_PAGES)
def test_columns_of_numbers_are_told_apart_and_labels_name_their_controls(
    site: Site, path: str
) -> None:
    page = page_of(site, path)
    assert len(page.all("select")) <= len(page.all("label"))
    assert all("scope" in cell for cell in page.all("th"))


def test_home_says_how_the_newest_run_went(site: Site) -> None:
    page = page_of(site, "/")
    assert "tiny : is everything fine?" in page.text
    assert "Run 3 completed" in page.text
    assert "1 job succeeded commit unknown" in page.text
    assert "9 of 12 combinations have numbers, 1 of them older ones after a failure." in page.text
    assert 'class="status-line is-completed"' in site.get("/").text


def test_matrix_tells_state_and_leads_to_the_job(site: Site) -> None:
    cells = {a["href"]: a for a in page_of(site, "/").all("a") if "aria-label" in a}
    failed = cells[LINKS.job(2, "UGA", "scale_up")]
    assert (failed["aria-label"] or "").startswith("Land of UGA, scale_up: failed in run 2")
    assert (failed["aria-label"] or "").endswith("its numbers are those of run 1")
    assert failed["class"] == "s-stale"
    assert cells[LINKS.job(3, "KEN", ODD_SCENARIO)]["class"] == "s-fresh"
    assert cells[LINKS.job(1, "KEN", "null")]["class"] == "s-recent"
    never_run = [
        i for i in page_of(site, "/").all("i") if i["class"] == "s-missing" and "title" in i
    ]
    assert len(never_run) == 3


def test_home_has_the_questions_by_topic(site: Site) -> None:
    page = page_of(site, "/")
    for name in ("compare_scenarios", "scenario_impact", "failed_jobs"):
        assert LINKS.question(name) in page.hrefs


def test_home_counts_what_is_missing_and_suspicious(site: Site) -> None:
    text = page_of(site, "/").text
    assert "3 combinations without any result." in text
    assert "1 combination failed last; older numbers are shown for it." in text
    assert "cost is positive : 3 findings in 1 combination" in text


def test_country_shows_all_scenarios_on_one_scale_with_differences(site: Site) -> None:
    page = page_of(site, LINKS.country("KEN"))
    assert "Land of KEN" in page.text
    people = sum(map(ord, "KEN")) / 7
    gain = people * (25 + 26 + 27) * 0.05
    assert f"moves Healthy Years Lived most: +{gain:.4g} against null" in page.text
    specs = re.findall(r'class="chart-spec">(.*?)</script>', site.get(LINKS.country("KEN")).text)
    values, differences = (json.loads(spec) for spec in specs)
    assert values["facet"]["sort"] == ["null", ODD_SCENARIO, "scale_up"]
    assert differences["facet"]["sort"] == [ODD_SCENARIO, "scale_up"]
    drawn = [row for row in differences["data"]["values"] if row["scenario"] == "scale_up"]
    assert sum(row["value"] for row in drawn) == pytest.approx(gain)


def test_country_as_of_an_earlier_run_has_the_numbers_of_then(site: Site) -> None:
    people = sum(map(ord, "KEN")) / 7
    before = people * (25 + 26 + 27) * 0.09
    assert f"+{before:.4g} against null" in page_of(site, LINKS.country("KEN", run=1)).text


def test_country_lists_its_failures(site: Site) -> None:
    page = page_of(site, LINKS.country("UGA"))
    assert "Failed last" in page.text
    assert ODD_TEXT in page.text
    assert LINKS.job(2, "UGA", "scale_up") in page.hrefs
    assert "Failed last" not in page_of(site, LINKS.country("KEN")).text


def test_country_list_filters_by_region(site: Site) -> None:
    assert "4 countries in East , 3 scenarios." in page_of(site, LINKS.countries("East")).text
    assert "No country is in this region." in page_of(site, LINKS.countries("Nowhere")).text


def test_run_page_tells_reasons_failures_changes_and_neighbours(site: Site) -> None:
    page = page_of(site, LINKS.run(2))
    assert "Run 2 failed" in page.text
    assert "published" in page.text
    assert "4 jobs: 3 succeeded, 1 failed; 4 combinations up to date" in page.text
    assert "scenario scale_up changed (Coverage 0.9 -> 0.5)" in page.text
    assert f"model error: ValueError: {ODD_TEXT}" in page.text
    assert "3 series of 3 combinations moved against the state before ( run 1 )" in page.text
    assert "cost is positive warning" in page.text
    assert {LINKS.run(1), LINKS.run(3), LINKS.changes(2)} <= set(page.hrefs)


def test_first_run_has_nothing_before_it(site: Site) -> None:
    assert (
        "It is the first run; there is nothing to compare it with."
        in page_of(site, LINKS.run(1)).text
    )


def test_changes_can_be_narrowed(site: Site) -> None:
    everything = page_of(site, LINKS.changes(2))
    assert "3 series of 3 combinations moved" in everything.text
    one = page_of(site, LINKS.changes(2, country="KEN"))
    assert LINKS.job(2, "KEN", "scale_up") in one.hrefs
    assert LINKS.job(2, "TZA", "scale_up") not in one.hrefs


def test_failed_job_shows_its_whole_error_as_text(site: Site) -> None:
    text = site.get(LINKS.job(2, "UGA", "scale_up")).text
    assert "<script>alert(1)" not in text
    page = Page(text)
    assert f"ValueError: {ODD_TEXT} (model.py:" in page.text
    assert "Traceback (most recent call last):" in page.text
    assert "failed after 1 attempt" in page.text


def test_job_page_has_its_inputs_numbers_and_other_runs(site: Site) -> None:
    page = page_of(site, LINKS.job(2, "KEN", "scale_up"))
    assert re.search(r"Country KEN 2 Coverage 0\.5 1", page.text)
    assert "9 values , 2025 to 2027" in page.text
    assert LINKS.metrics(run_id=2, country="KEN", scenario="scale_up") in page.hrefs
    assert LINKS.job(1, "KEN", "scale_up") in page.hrefs
    assert "Healthy Years Lived 2027" in page.text


def test_link_to_the_numbers_of_a_job_gives_them_all(site: Site) -> None:
    path = LINKS.metrics(run_id=3, country="KEN", scenario=ODD_SCENARIO)
    table, _, query = path.partition("?")
    rows = site.get(f"{table}.json?{query}&_shape=array").json()
    assert len(rows) == 9
    assert {row["scenario"] for row in rows} == {ODD_SCENARIO}
    assert ODD_LABEL in {row["element_label"] for row in rows}


def test_odd_names_are_text_wherever_they_stand(site: Site) -> None:
    for path in OWN_PAGES:
        text = site.get(path).text
        assert "<script>alert" not in text
        assert "<b>" not in text
        assert "<i>" not in text
    assert html.escape(ODD_LABEL) in site.get(LINKS.country("KEN")).text.replace("&#34;", "&quot;")


def test_progress_is_told_as_json(site: Site) -> None:
    newest = site.get(LINKS.progress()).json()
    assert newest["run_id"] == 3
    assert newest["words"].startswith("1 of 1 job ended; ")
    second: dict[str, Any] = site.get(LINKS.progress(2)).json()
    assert {key: second[key] for key in ("status", "total", "finished", "counts")} == {
        "status": "failed", "total": 4, "finished": 4, "counts": {"failed": 1, "success": 3},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (LINKS.run(99), "There is no such page in these results."),
        (LINKS.job(1, "XXX", "null"), "There is no such page in these results."),
        (LINKS.country("XXX"), "There is no such page in these results."),
        (LINKS.changes(99), "There is no such page in these results."),
        (Links("other").overview(), "There is no database other with results."),
    ],
)
def test_what_is_not_there_is_a_404_in_the_same_clothes(
    site: Site, path: str, message: str
) -> None:
    answer = site.request(path)
    assert answer.status == 404
    assert message in answer.text
    assert "<strong>ingest</strong>" in answer.text


def test_run_that_does_not_exist_is_a_400_that_says_which_there_are(site: Site) -> None:
    answer = site.request(LINKS.country("KEN", run=99))
    assert answer.status == 400
    assert "no run &#39;99&#39; in this database; runs are 1 to 3." in answer.text


def test_progress_of_a_run_that_is_not_there_is_a_404(site: Site) -> None:
    assert site.request(LINKS.progress(99)).status == 404


def test_navigation_marks_where_one_is(site: Site) -> None:
    where = {
        "/": "Overview", LINKS.country("KEN"): "Countries", LINKS.job(1, "KEN", "null"): "Runs",
        LINKS.table("job_results"): "Data", LINKS.question("scenario_impact"): "Compare",
        LINKS.question("biggest_changes"): "Changes",
    }  # fmt: skip
    for path, title in where.items():
        current = re.findall(r'aria-current="page">([^<]+)<', site.get(path).text)
        assert current == [title], path


def test_every_link_of_every_page_leads_somewhere_and_the_file_stays_as_it_was(site: Site) -> None:
    before = site.checksum()
    seen: set[str] = set()
    waiting = list(OWN_PAGES)
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = site.request(path)
        assert answer.status in (200, 302), f"{path}: {answer.status}"
        if is_looked_into(path) and "html" in answer.headers.get("content-type", ""):
            found = (urljoin(site.url + path, href) for href in Page(answer.text).hrefs)
            waiting += [
                link.removeprefix(site.url).partition("#")[0] or "/"
                for link in found
                if link.startswith(site.url)
            ]
    assert len(seen) > 80
    assert site.checksum() == before


def is_looked_into(path: str) -> bool:
    """Own pages and the database's page; the links of Datasette's tables have no end."""
    place = urlsplit(path).path
    return place in ("/", DB) or "/-/" in place
