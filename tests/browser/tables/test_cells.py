"""Tables for people: what the cells and headings of rows say, and where they lead."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pytest

from ingest.browser.links import Links
from ingest.browser.questions.table import build_question_table
from ingest.browser.server.shell import TEMPLATE_FILTERS
from ingest.browser.states import STATE_MARKS
from ingest.browser.tables.cells import CellContext, render_value
from ingest.questions.asked import AskedQuestion
from ingest.questions.files import parse_canned_query
from ingest.text.numbers import exact_number, shared_decimals, table_number
from tests.browser.site import ODD_LABEL, ODD_SCENARIO, ODD_TEXT, Answer, Site, start_site
from tests.conftest import PROJECT, StudyFolder
from tests.questions.test_canned_queries import HEAD

DB = "/validation_results"
CONTEXT = CellContext(Links("results", "/base/"), {"KEN": "Kenya", "XYZ": "XYZ"})
OTHER = "other"


@dataclass
class Cell:
    """One th or td: what a person reads, its attributes, and the elements in it."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    inner: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)

    @property
    def href(self) -> str | None:
        """Where its link leads."""
        return next((attrs["href"] for tag, attrs in self.inner if tag == "a"), None)

    def first(self, tag: str) -> dict[str, str | None]:
        """The attributes of the first element of a kind in it."""
        return next(attrs for name, attrs in self.inner if name == tag)


class Rows(HTMLParser):
    """The rows of the first table with the class rows-and-columns."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[Cell]] = []
        self._inside = False
        self._cell: Cell | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._inside = dict(attrs).get("class") == "rows-and-columns" and not self.rows
        elif self._inside and tag == "tr":
            self.rows.append([])
        elif self._inside and tag in ("th", "td"):
            self._cell = Cell(tag, dict(attrs))
            self.rows[-1].append(self._cell)
        elif self._cell is not None:
            self._cell.inner.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "table"
        if tag in ("th", "td"):
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.text += data


def table(answer: Answer) -> list[dict[str, Cell]]:
    """The rows of a page, by the columns' names in the data."""
    head, *body = Rows(answer.text).rows
    names = [cell.attributes.get("data-column") or cell.text.strip() for cell in head]
    return [dict(zip(names, row, strict=True)) for row in body]


def headings(answer: Answer) -> dict[str, Cell]:
    """The heads of a question's columns, by the columns' names in the data."""
    return {str(cell.attributes["data-column"]): cell for cell in Rows(answer.text).rows[0]}


def words(cell: Cell) -> str:
    return " ".join(cell.text.split())


def stored(database: Path, sql: str) -> dict[str, Any]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return dict(connection.execute(sql).fetchone())


# --- the tables of Datasette ---------------------------------------------------------------------


def failed_job(site: Site) -> dict[str, Cell]:
    (row,) = table(site.get(f"{DB}/job_results?job_status=failed"))
    return row


def test_a_job_leads_to_its_run_its_country_and_its_page(site: Site) -> None:
    row = failed_job(site)
    links = Links("validation_results")
    assert (words(row["run_id"]), row["run_id"].href) == ("2", links.run(2))
    assert (words(row["country"]), row["country"].href) == (
        "Land of UGA (UGA)",
        links.country("UGA"),
    )
    assert row["ulid"].href == links.job(2, "UGA", "scale_up")
    job = stored(site.database, "SELECT * FROM job_results WHERE job_status = 'failed'")
    assert words(row["ulid"]) == job["ulid"]


def test_a_foreign_key_is_told_once_and_leads_to_its_row(site: Site) -> None:
    row = failed_job(site)
    number = stored(site.database, "SELECT * FROM job_results WHERE job_status = 'failed'")[
        "input_set_id"
    ]
    assert words(row["input_set_id"]) == str(number)
    assert row["input_set_id"].href == f"{DB}/input_sets/{number}"
    assert words(row["result_set_id"]) == ""


def test_times_durations_and_digests_are_short_and_whole_on_hover(site: Site) -> None:
    row = failed_job(site)
    job = stored(site.database, "SELECT * FROM job_results WHERE job_status = 'failed'")
    moment = row["completed_at"].first("time")
    assert moment == {"datetime": job["completed_at"], "title": job["completed_at"]}
    assert words(row["completed_at"])[-7:-5] == ", "
    assert words(row["completed_at"]) in site.get("/validation_results/-/job/2/UGA/scale_up").text
    seconds = str(job["duration_s"]).replace("-", "\N{MINUS SIGN}")  # 3.3e-05 of a fast machine
    assert row["duration_s"].first("span")["title"] == f"{seconds} s"
    assert words(row["duration_s"]).endswith((" ms", " s"))
    assert row["input_digest"].first("code")["title"] == job["input_digest"]
    assert words(row["input_digest"]) == job["input_digest"][:12]


def test_an_error_shows_its_first_line_and_opens_the_rest(site: Site) -> None:
    row = failed_job(site)
    error = stored(site.database, "SELECT error FROM job_results WHERE job_status = 'failed'")
    first, _, rest = error["error"].partition("\n")
    assert ODD_TEXT in first
    assert row["error"].text == first + rest
    assert [tag for tag, _ in row["error"].inner] == ["details", "summary", "pre"]


def test_a_state_is_the_same_badge_as_on_our_own_pages(site: Site) -> None:
    assert words(failed_job(site)["job_status"]) == "✕ failed"
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(PROJECT / "templates"), autoescape=True)
    env.filters.update(TEMPLATE_FILTERS)
    badge = vars(env.get_template("_parts.html").make_module())["badge"]
    for state in STATE_MARKS:
        assert render_value(CONTEXT, "job_status", state, {}, None) == str(badge(state)).strip()


def test_values_have_separators_and_years_have_none(site: Site) -> None:
    path = f"{DB}/metrics?_nocount=1&run_id=1&country=KEN&scenario=null&element_label="
    (row, *_) = table(site.get(path + quote("Population")))
    value = stored(
        site.database,
        "SELECT value FROM metrics WHERE run_id = 1 AND country = 'KEN' AND scenario = 'null' "
        "AND element_label = 'Population' ORDER BY timestamp_year",
    )["value"]
    assert words(row["timestamp_year"]) == "2025"
    assert words(row["value"]) == table_number(value)
    assert (row["value"].first("span").get("title") or words(row["value"])) == exact_number(value)
    (row, *_) = table(site.get(path + quote(ODD_LABEL)))
    assert words(row["value"]) == "−" + table_number(value)
    assert words(row["element_label"]) == " ".join(ODD_LABEL.split())


def test_a_share_is_told_in_percent(site: Site) -> None:
    (row, *_) = table(site.get(f"{DB}/series_changes?run_id=2&element_label=Healthy+Years+Lived"))
    exact = row["relative_change"].first("span")["title"]
    assert words(
        row["relative_change"]
    ) == f"−{abs(float(str(exact).replace('−', '-'))):.2%}".replace("%", " %")
    assert words(row["absolute_change"]).startswith("−")


def test_a_country_is_linked_by_its_name_in_its_own_table(site: Site) -> None:
    (row, *_) = table(site.get(f"{DB}/countries?_sort=iso3"))
    assert words(row["name"]) == "Land of KEN"
    assert row["name"].href == f"{DB}/-/country/KEN"


PAGES = (
    "job_results", "metrics?_nocount=1&run_id=3", "latest_results",
    "series_changes", "quality_findings", "run_tags", "countries",
    "validation_runs/2", "failed_jobs?run=2", "run_history", "scenario_impact", "data_quality",
    "missing_combinations",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_cell_leads_somewhere(site: Site, path: str) -> None:
    rows = table(site.get(f"{DB}/{path}"))
    links = {cell.href for row in rows for cell in row.values() if cell.href}
    assert links
    for link in links:
        assert site.request(link).status == 200, link


def test_an_odd_scenario_is_text_and_its_job_is_found(site: Site) -> None:
    (row, *_) = table(site.get(f"{DB}/job_results?run_id=3"))
    assert row["scenario"].text == ODD_SCENARIO
    assert site.get(str(row["ulid"].href)).status == 200


def test_other_formats_have_the_values_as_they_are(site: Site) -> None:
    job = stored(site.database, "SELECT * FROM job_results WHERE job_status = 'failed'")
    path = f"{DB}/job_results.json?job_status=failed&_shape=array"
    assert site.get(path).json() == [job]
    text = site.get(f"{DB}/failed_jobs.csv?run=2").text
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row["ulid"] == job["ulid"]
    assert row["completed_at"] == job["completed_at"]
    assert float(row["duration_s"]) == job["duration_s"]


# --- the tables of questions ---------------------------------------------------------------------


def test_the_columns_of_a_question_are_called_as_people_call_them(site: Site) -> None:
    page = site.get(f"{DB}/compare_scenarios?baseline=null&scenario=scale_up&country=KEN")
    found = headings(page)
    assert {column: words(cell) for column, cell in found.items()} == {
        "timestamp_year": "year",
        "baseline_value": "null",
        "scenario_value": "scale_up",
        "difference": "difference",
        "percent": "difference %",
    }
    title = found["baseline_value"].attributes["title"]
    assert str(title).startswith("baseline_value: the label's value under the baseline scenario")
    assert all(cell.attributes["scope"] == "col" for cell in found.values())


def test_the_odd_name_of_a_scenario_is_text_in_a_heading(site: Site) -> None:
    page = site.get(f"{DB}/compare_scenarios?country=KEN&scenario={quote(ODD_SCENARIO)}")
    assert headings(page)["scenario_value"].text == ODD_SCENARIO


def test_the_first_cell_of_a_row_is_its_header(site: Site) -> None:
    for row in table(site.get(f"{DB}/compare_scenarios?country=KEN")):
        tags = [cell.tag for cell in row.values()]
        assert tags == ["th", "td", "td", "td", "td"]
        assert row["timestamp_year"].attributes["scope"] == "row"
        assert words(row["timestamp_year"]).isdecimal()


def test_numbers_of_a_question_carry_what_they_are_in_the_data(site: Site) -> None:
    path = f"{DB}/scenario_impact{{}}?baseline=null&scenario=scale_up&label=Healthy+Years+Lived"
    data = site.get(path.format(".json") + "&_shape=array").json()
    rows = table(site.get(path.format("")))
    assert len(rows) == len(data) == 4
    for row, values in zip(rows, data, strict=True):
        for column in ("baseline_value", "scenario_value", "difference", "percent"):
            cell = row[column]
            assert float(str(cell.attributes["data-value"])) == values[column]
            assert "number" in str(cell.attributes["class"]).split()
        assert words(row["difference"])[0] in "+−"
        assert "data-value" not in row["first_year"].attributes
        assert words(row["first_year"]) == str(values["first_year"])
        assert words(row["country"]) == values["country"]
        assert words(row["name"]) == values["name"]


def test_numbers_of_a_column_line_up() -> None:
    query = parse_canned_query("q", HEAD.format("") + "SELECT 1 AS a")
    asked = AskedQuestion(query, {}, (), {}, None)
    rows = [("x", 12.5, ""), ("y", 3.0, 2.5), ("z", 0.25, "<two>")]
    built = build_question_table(asked, ["name", "value", "mixed"], rows, rows)
    assert str(built.body).splitlines() == [
        '<tr><th scope="row" class="col-name">x</th><td class="col-value number" data-value="12.5"'
        ' title="12.5">12.50</td><td class="col-mixed"></td></tr>',
        '<tr><th scope="row" class="col-name">y</th><td class="col-value number" data-value="3.0"'
        ' title="3.0">3.00</td><td class="col-mixed">2.5</td></tr>',
        '<tr><th scope="row" class="col-name">z</th><td class="col-value number" data-value="0.25">'
        '0.25</td><td class="col-mixed">&lt;two&gt;</td></tr>',
    ]
    assert [heading.css_class for heading in built.headings] == [
        "col-name", "col-value number", "col-mixed",
    ]  # fmt: skip


def test_runs_and_times_of_a_question_are_told_and_sorted_by_what_they_are(site: Site) -> None:
    rows = table(site.get(f"{DB}/run_history"))
    assert [words(row["run_id"]) for row in rows] == ["3", "2", "1"]
    assert rows[1]["run_id"].href == f"{DB}/-/run/2"
    assert words(rows[1]["status"]) == "✕ failed"
    run = stored(site.database, "SELECT * FROM validation_runs WHERE run_id = 2")
    assert rows[1]["timestamp"].attributes["data-value"] == run["timestamp"]
    assert float(str(rows[1]["duration_s"].attributes["data-value"])) > 0
    assert "number" in str(rows[1]["duration_s"].attributes["class"])


def test_the_script_that_sorts_is_a_file_of_the_site(site: Site) -> None:
    page = site.get(f"{DB}/scenario_impact").text
    address = page.partition('<script src="/static/sort.js')[2].partition('"')[0]
    assert "aria-sort" in site.get(f"/static/sort.js{address}").text


# --- addresses, other databases, SQL of visitors -------------------------------------------------


@pytest.fixture(scope="module")
def open_site(
    served_study: StudyFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A copy of the study below /results/, beside a database that is not ours; SQL is allowed."""
    folder = tmp_path_factory.mktemp("open")
    path = folder / "validation_results.db"
    with closing(sqlite3.connect(path)) as copy, closing(
        sqlite3.connect(served_study.database)
    ) as source:  # fmt: skip
        source.backup(copy)
    with closing(sqlite3.connect(folder / f"{OTHER}.db")) as other:
        other.execute("CREATE TABLE job_results (run_id, country, job_status, value)")
        other.execute("INSERT INTO job_results VALUES (1, 'KEN', 'failed', 1234567.5)")
        other.commit()
    settings = ("--setting", "base_url", "/results/")
    running = start_site(path, "--allow-sql", extra=(str(folder / f"{OTHER}.db"), *settings))
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def test_links_are_below_the_base_url(open_site: Site) -> None:
    row = failed_job_below(open_site)
    base = "/results/validation_results"
    assert row["run_id"].href == f"{base}/-/run/2"
    assert row["country"].href == f"{base}/-/country/UGA"
    assert row["ulid"].href == f"{base}/-/job/2/UGA/scale_up"
    assert row["input_set_id"].href == f"{base}/input_sets/{words(row['input_set_id'])}"
    assert (
        '<script src="/results/static/sort.js?v=' in open_site.get(f"/results{DB}/run_history").text
    )


def failed_job_below(site: Site) -> dict[str, Cell]:
    (row,) = table(site.get(f"/results{DB}/job_results?job_status=failed"))
    return row


def test_databases_that_are_not_ours_are_left_as_they_are(open_site: Site) -> None:
    (row,) = table(open_site.get(f"/results/{OTHER}/job_results"))
    assert [words(row[name]) for name in ("run_id", "country", "job_status", "value")] == [
        "1", "KEN", "failed", "1234567.5",
    ]  # fmt: skip
    assert [row[name].inner for name in ("run_id", "country", "job_status", "value")] == [[]] * 4


def sql_row(site: Site, sql: str) -> dict[str, Cell]:
    (row,) = table(site.get(f"/results{DB}?sql={quote(sql)}"))
    return row


def test_known_columns_of_somebodys_sql_are_told_too(open_site: Site) -> None:
    row = sql_row(
        open_site, "SELECT 'KEN' AS country, 2 AS run_id, 1234567.5 AS value, 'x' AS ulid"
    )
    assert (words(row["country"]), words(row["run_id"])) == ("Land of KEN (KEN)", "2")
    assert (words(row["value"]), row["ulid"].href) == ("1,234,568", None)


def test_other_columns_and_other_values_of_somebodys_sql_are_left(open_site: Site) -> None:
    row = sql_row(
        open_site,
        "SELECT 1234567.5 AS amount, 'QQQ' AS country, 'fine' AS status, 'soon' AS timestamp, "
        "'HEAD' AS git_commit, '{' AS notes, 'twelve' AS value, 'latest' AS run_id",
    )
    assert {name: words(cell) for name, cell in row.items()} == {
        "amount": "1234567.5", "country": "QQQ", "status": "fine", "timestamp": "soon",
        "git_commit": "HEAD", "notes": "{", "value": "twelve", "run_id": "latest",
    }  # fmt: skip
    assert [cell.inner for cell in row.values()] == [[]] * 8


def test_a_name_that_changes_is_told_at_once(open_site: Site) -> None:
    assert words(failed_job_below(open_site)["country"]) == "Land of UGA (UGA)"
    with closing(sqlite3.connect(open_site.database)) as connection:
        connection.execute("UPDATE countries SET name = ? WHERE iso3 = 'UGA'", [ODD_TEXT])
        connection.commit()
    time.sleep(0.3)
    assert failed_job_below(open_site)["country"].text == f"{ODD_TEXT} (UGA)"


# --- single values -------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["country", "status", "error", "ulid", "timestamp", "digest"])
def test_markup_in_a_value_is_never_markup(column: str) -> None:
    names = CellContext(Links("results"), {ODD_TEXT: ODD_TEXT})
    row = {"run_id": 1, "country": ODD_TEXT, "scenario": ODD_SCENARIO}
    html = render_value(names, column, ODD_TEXT, row, None) or ""
    assert "<script" not in html
    for text in (f"2026-11-24T09:14:00{ODD_TEXT}", f"{ODD_TEXT}\n{ODD_TEXT}"):
        assert "<script" not in (render_value(names, column, text, row, None) or "")


def test_a_list_is_told_entry_by_entry() -> None:
    def shown(entries: Any) -> str | None:
        return render_value(CONTEXT, "dirty_files", json.dumps(entries), {}, "validation_runs")

    assert shown([]) == '<span class="quiet">none</span>'
    assert shown(["a.json", "<b>"]) == (
        '<ul class="cell-list"><li>a.json</li><li>&lt;b&gt;</li></ul>'
    )
    assert str(shown(list("abcd"))).startswith("<details><summary>4 entries</summary>")
    assert shown({"a": 1}) is None
    assert shown([1]) is None


def test_notes_are_shown_line_by_line() -> None:
    def shown(notes: str | None) -> str | None:
        return render_value(CONTEXT, "notes", notes, {}, "job_results")

    assert shown("2 rows stood twice\n<b>") == (
        '<ul class="cell-list"><li>2 rows stood twice</li><li>&lt;b&gt;</li></ul>'
    )
    assert shown("one note") is None
    assert shown(None) is None


def test_a_commit_is_short_and_what_is_none_stays() -> None:
    commit = "3ea3974b7af8d632dddcd2374705119b876f2fa6"
    shown = render_value(CONTEXT, "git_commit", commit, {}, None)
    assert shown == f'<code title="{commit}">3ea3974</code>'
    assert render_value(CONTEXT, "git_commit", "unknown", {}, None) is None


def test_a_country_without_a_name_is_told_once_by_its_code() -> None:
    shown = render_value(CONTEXT, "country", "XYZ", {"country": "XYZ"}, "metrics")
    assert shown == '<a href="/base/results/-/country/XYZ"><bdi>XYZ</bdi></a>'
    shown = render_value(CONTEXT, "country", "KEN", {"country": "KEN", "name": "Kenya"}, None)
    assert shown == '<a href="/base/results/-/country/KEN"><bdi>KEN</bdi></a>'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.0, "0"), (1234567, "1,234,567"), (-1234567.8912, "−1,234,568"),
        (47.384, "47.38"), (999.96, "1,000"), (0.000312345, "0.0003123"), (25.0, "25"),
        (1e-20, "1e−20"), (3e18, "3e+18"), (float("inf"), "∞"),
    ],
)  # fmt: skip
def test_a_number_keeps_four_digits_and_everything_before_the_point(
    value: float, text: str
) -> None:
    assert table_number(value) == text


def test_a_column_has_the_decimals_of_its_largest_number() -> None:
    assert shared_decimals([12.5, 14.25, 0.004]) == 2
    assert shared_decimals([1e6, 0.5]) == 0
    assert shared_decimals([1.0, 2.0]) == 0
    assert shared_decimals([]) == 0
    assert [table_number(value, 2) for value in (12.5, 14.25, 0.004, 3)] == [
        "12.50", "14.25", "0.004", "3.00",
    ]  # fmt: skip
    assert table_number(12.5, 2, signed=True) == "+12.50"
