"""The Markdown and the HTML report of a difference."""

from __future__ import annotations

import re
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ingest.changes.diff import StateDiff, diff_states
from ingest.changes.report import Report
from ingest.changes.report_html import html_report
from ingest.changes.report_markdown import markdown_report
from ingest.database.files import open_for_reading
from ingest.database.states import resolve_run
from ingest.study.combination import Combination
from ingest.text.markdown import escape
from tests.conftest import Ingest, StudyFolder, scenario
from tests.differences import NONE_CHANGED, cause, change, difference

HOSTILE = "<script>alert(\"1\")</script> | `x` 🫁 تجربة & 'q' @team #12 http://a.example"


@pytest.fixture
def coverage_change(study: StudyFolder, ingest: Ingest) -> StateDiff:
    """A coverage of the tiny study changed between two runs."""
    ingest("run")
    study.write_json("scenarios/scale_up.json", scenario(0.8))
    ingest("run")
    with closing(open_for_reading(study.database)) as connection:
        runs = resolve_run(connection, "1"), resolve_run(connection, "2")
        return diff_states(connection, *runs)


def crowded() -> StateDiff:
    """More of everything than a report shows."""
    countries = [f"C{number:02}" for number in range(40)]
    series = [
        change(country, "cr1", f"Label {number}", after=100.0 + number)
        for number, country in enumerate(countries)
    ]
    gone = tuple(Combination(country, f"s{number}") for number, country in enumerate(countries))
    changed = {
        Combination(s.country, s.scenario): cause(f"cause {number}")
        for number, s in enumerate(series)
    }
    changed[Combination("C00", "cr1")] = NONE_CHANGED
    return difference(series, changed=changed, added=gone, removed=gone, within=gone)


# --- Markdown ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_markdown_tells_pattern_cause_labels_and_largest(coverage_change: StateDiff) -> None:
    report = markdown_report(
        Report.of(coverage_change, study_countries=4), chart="out/my chart.svg"
    )
    lines = report.splitlines()
    assert lines[0].startswith("### Run 1 (no commit, 20")
    assert lines[2].startswith("**4 of 8 combinations changed between run 1 and run 2: 1 label, 4 ")
    assert lines[4] == r"Rule: \|b-a\| > 1e-09 + 1e-06·\|a\|"
    assert "- 100 % of changes: Healthy Years Lived, all 4 countries, scale_up, ×0.99" in lines
    assert "![Relative change by label](out/my%20chart.svg)" in lines
    assert "| scale_up: Coverage 0.9 -> 0.8 | 4 | 4 | scale_up |" in lines
    assert "| Healthy Years Lived | 4 | −1.01 % | −1.01 % |" in lines
    assert "| KEN / scale_up | Healthy Years Lived | 2027 |" in report
    assert lines[-1] == "- 4 combinations equal to the last digit"
    assert "not deterministic" not in report


@pytest.mark.slow
def test_markdown_of_a_change_is_under_60_lines(coverage_change: StateDiff) -> None:
    assert len(markdown_report(Report.of(coverage_change)).splitlines()) < 60


def test_markdown_of_very_much_is_under_60_lines_and_says_what_it_leaves_out() -> None:
    lines = markdown_report(Report.of(crowded()), chart="x.svg").splitlines()
    assert len(lines) < 60
    for more in ("37 more patterns", "31 more labels", "30 more series"):
        assert any(line.endswith(f"… and {more}") for line in lines), more
    (folded,) = [line for line in lines if line.startswith("<details>")]
    assert folded.startswith("<details><summary>… and 35 more causes</summary><ul><li>")
    assert folded.count("<li>") == 35
    assert any(
        line.startswith("- 40 combinations added: 40 countries under s0, s1") for line in lines
    )
    assert "- 40 combinations with other numbers within the tolerance" in lines
    assert any("**Warning**: the model is not deterministic" in line for line in lines)


def test_markdown_without_changes_says_so() -> None:
    report = markdown_report(Report.of(difference()))
    assert "**Nothing changed between run 6 and run 7: 5 combinations are equal.**" in report
    assert "| --- |" not in report


def test_markdown_keeps_hostile_names_as_text() -> None:
    diff = difference([change("KEN", HOSTILE, HOSTILE)])
    report = markdown_report(Report.of(diff))
    assert "<script" not in report
    assert "@team" not in report
    assert "http://" not in report
    rows = [line for line in report.splitlines() if line.startswith("|")]
    # as many bars as its header has: none of the names' own counts
    cells = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert cells == [5, 5, 5, 5, 5, 5, 7, 7, 7]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("all_treatments", "all_treatments"),
        ("_x_ *y*", r"\_x\_ \*y\*"),
        ("a\nb\u202ec", "a b c"),
        ("[x](y) \\ ~", r"\[x\](y) \\ \~"),
        ("a -> b", "a -> b"),
        ("<b> & www.a", "&lt;b> &amp; www&#46;a"),
    ],
)
def test_markdown_escapes(text: str, escaped: str) -> None:
    assert escape(text) == escaped


# --- HTML ----------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        assert self._open == [], "a tag was not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "br", "line", "rect"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.slow
def test_html_opens_offline(coverage_change: StateDiff) -> None:
    html = html_report(Report.of(coverage_change))
    page = Page(html)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href")]
    assert "url(" not in html
    assert "@import" not in html
    assert "prefers-color-scheme: dark" in html
    assert ("name", "viewport") in page.attributes


@pytest.mark.slow
def test_html_tells_pattern_cause_labels_and_numbers(coverage_change: StateDiff) -> None:
    html = html_report(Report.of(coverage_change, study_countries=4))
    text = Page(html).text
    assert "4 of 8 combinations changed between run 1 and run 2" in text
    assert "all 4 countries, scale_up, ×0.99" in text
    assert "scale_up: Coverage 0.9 -> 0.8" in text
    assert "All 4 series that changed" in text
    assert '<td class="number">−1.01 %</td>' in html
    assert 'aria-label="−1.01 %, median −1.01 %"' in html


def test_html_keeps_hostile_names_as_text() -> None:
    html = html_report(Report.of(difference([change("KEN", HOSTILE, HOSTILE)])))
    page = Page(html)
    assert "script" not in page.tags
    assert HOSTILE in page.text
    assert f"<bdi>{html_escaped(HOSTILE)}</bdi>" in html


def html_escaped(text: str) -> str:
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(letter, entity)
    return text.replace("'", "&#x27;")


def test_html_lists_all_series_up_to_a_limit_that_it_names() -> None:
    series = [change(f"C{number}") for number in range(2100)]
    html = html_report(Report.of(difference(series)))
    assert "The first 2,000 of 2,100 series that changed" in html
    assert "All of them: ingest diff --all --csv" in html
    assert html.count("<td") == 4 + 6 + 8 * (10 + 2000)


def test_html_of_very_much_names_what_came_and_went_and_warns() -> None:
    text = Page(html_report(Report.of(crowded()))).text
    assert "Warning: the model is not deterministic: 1 combination changed" in text
    assert "40 combinations added" in text
    assert "C00 / s0" in text
    assert "… and 35 more patterns" in text


def test_html_of_zero_baselines_and_new_series_has_no_infinity() -> None:
    series = [
        change("KEN", before=0.0, after=12_500_000.0),
        change("TZA", before=None, after=3.0, kind="added"),
    ]
    text = Page(html_report(Report.of(difference(series)))).text
    assert "inf" not in text
    assert "n/a" in text
    assert "+12.50 million" in text


def test_html_without_changes_says_so() -> None:
    page = Page(html_report(Report.of(difference())))
    assert "Nothing changed between run 6 and run 7" in page.text
    assert "table" not in page.tags


@pytest.mark.slow
def test_reports_name_no_path(coverage_change: StateDiff, tmp_path: Path) -> None:
    for report in (
        html_report(Report.of(coverage_change)),
        markdown_report(Report.of(coverage_change)),
    ):
        assert str(tmp_path) not in report
