"""`ingest report` on numbers made by hand: the numbers that other commands print as JSON."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import docx
import pytest
from python_calamine import CalamineWorkbook

from ingest.database import ValidationDatabase
from ingest.database.study_settings import keep_definitions
from ingest.reports.update import BEGIN, END
from ingest.study.settings import load_settings
from tests.commands.test_economics import GDP, NULL, SETTINGS, STORED, numbers, store
from tests.conftest import Ingest, StudyFolder

INDICATORS = """
[[indicators]]
name = "Healthy years gained"
labels = "Healthy Years Lived"
sense = "gained"
until = [2026, 2027]
discount = 0.03
[[indicators]]
name = "Extra cost"
labels = "Cost"
sense = "gained"
until = [2026, 2027]
[[indicators]]
name = "Cost | year"
ratio = ["Extra cost", "Healthy years gained"]
"""
HAS_WRITER = bool(found := shutil.which("soffice")) and any(
    Path(found).resolve().parent.glob("libswlo.*")
)
BY = ("--by", "country,region,total")
SHEETS = [
    "Summary", "Indicators", "Cost-effectiveness", "Investment case", "Years", "Changes", "Notes",
]  # fmt: skip
STUDY = 'name = "tiny"\ncountry_values = "gdp.csv"'


def write_study(study: StudyFolder, settings: str) -> None:
    study.write_settings(settings, STUDY)
    rows = "".join(f"{iso3},{value}\n" for iso3, value in GDP.items())
    (study.root / "gdp.csv").write_text(f"iso3,gdp\n{rows}")


@pytest.fixture
def stored(study: StudyFolder) -> StudyFolder:
    """Two runs; in the second, Kenya's cheap scenario costs more."""
    write_study(study, SETTINGS + INDICATORS)
    store(study, STORED)
    store(study, {**STORED, ("KEN", "cheap"): numbers((110, 55, 55), (101, 102, 103), 4)})
    return study


def printed(ingest: Ingest, *arguments: str) -> str:
    result = ingest("report", *arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def headings(text: str) -> list[str]:
    return re.findall(r"^#+ (.*)$", text, re.MULTILINE)


def as_json(ingest: Ingest, *arguments: str) -> Any:
    result = ingest(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def sheet_rows(path: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a sheet below its header, which stands after the first empty line."""
    cells = CalamineWorkbook.from_path(path).get_sheet_by_name(name).to_python()
    top = next(number for number, row in enumerate(cells) if not any(row)) + 1
    return [dict(zip(cells[top], row, strict=True)) for row in cells[top + 1 :]]


def same(cells: list[Any], values: list[Any]) -> bool:
    """Whether cells hold these numbers; an empty one stands for none."""
    return [None if cell == "" else cell for cell in cells] == [
        None if value is None else pytest.approx(value, rel=1e-15) for value in values
    ]


# --- numbers -------------------------------------------------------------------------------------


def test_the_workbook_has_the_numbers_of_the_json(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    path = tmp_path / "report.xlsx"
    printed(ingest, *BY, "-o", str(path))
    assert CalamineWorkbook.from_path(path).sheet_names == SHEETS
    found = sheet_rows(path, "Indicators")
    expected = [
        row for by in ("country", "region", "total")
        for row in as_json(ingest, "indicators", "--by", by)["rows"]
    ]  # fmt: skip
    assert len(found) > 20
    assert [row["scenario"] for row in found] == [row["scenario"] for row in expected]
    assert same([row["value"] for row in found], [row["value"] for row in expected])
    tables = {
        "Cost-effectiveness": as_json(ingest, "economics", *BY)["rows"],
        "Investment case": as_json(ingest, "economics", *BY, "--investment-case")["rows"],
        "Years": as_json(ingest, "economics", *BY, "--investment-case")["years"],
    }
    for name, rows in tables.items():
        found = sheet_rows(path, name)
        columns = [key for key in rows[0] if isinstance(rows[0][key], int | float)]
        assert len(columns) > 3
        for column in [*columns, *(["icer"] if "icer" in rows[0] else [])]:
            cells = [row[column.replace("_", " ")] for row in found]
            assert same(cells, [row[column] for row in rows]), (name, column)


def test_each_sheet_names_its_run_keeps_its_header_and_charts_are_native(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    path = tmp_path / "report.xlsx"
    printed(ingest, "-o", str(path))
    book = CalamineWorkbook.from_path(path)
    for name in SHEETS:
        cells = book.get_sheet_by_name(name).to_python()
        assert cells[1][0] == "As of run 2, commit ccccccc, 2026-11-23 09:00 UTC"
    with ZipFile(path) as parts:
        sheets = [parts.read(f"xl/worksheets/sheet{n + 1}.xml") for n in range(len(SHEETS))]
        charts = [parts.read(name) for name in parts.namelist() if "charts/chart" in name]
        drawing = parts.read("xl/drawings/drawing1.xml").decode()
    assert all(b'state="frozen"' in sheet for sheet in sheets)
    kinds = [kind for kind in (b"<c:barChart", b"<c:scatterChart", b"<c:lineChart")
             for chart in charts if kind in chart]  # fmt: skip
    texts = re.findall(r'descr="([^"]*)"', drawing)
    assert len(texts) == len(charts)
    assert texts[0].startswith("Healthy years gained until 2027")
    assert ": scatter chart, " in texts[3]
    assert kinds == [b"<c:barChart"] * 3 + [b"<c:scatterChart", b"<c:lineChart"]


def test_a_country_that_lacks_the_baseline_or_values_says_so(
    study: StudyFolder, ingest: Ingest
) -> None:
    write_study(study, SETTINGS)
    store(study, {**STORED, ("NAM", "dear"): NULL})
    for command in ("report", "economics"):
        result = ingest(command, "-c", "NAM")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "no country has results of the baseline null and of another" in result.stderr
        assert "NAM: no results of null" in result.stderr
    text = printed(ingest, "-c", "TZA")
    assert headings(text) == ["tiny", "Cost-effectiveness", "Notes"]
    assert "| Investment case | left out: no country has gdp |" in text


def convert(path: Path, form: str) -> None:
    """Convert a file by LibreOffice, beside it."""
    profile = f"-env:UserInstallation=file://{path.parent / 'profile'}"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to", form, "--outdir", path.parent, path],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip


@pytest.fixture
def document(stored: StudyFolder, ingest: Ingest, tmp_path: Path) -> Path:
    path = tmp_path / "report.docx"
    printed(ingest, *BY, "-o", str(path))
    return path


def test_the_document_has_the_content_of_the_other_formats(document: Path, ingest: Ingest) -> None:
    markdown = printed(ingest, *BY)
    found = docx.Document(str(document))
    styled = [(part.style.name, part.text) for part in found.paragraphs if part.style]
    heads = [text for style, text in styled if style == "Title" or style.startswith("Heading")]
    assert heads == headings(markdown)
    cells = [row.cells[0].text for table in found.tables for row in table.rows]
    rows = re.findall(r"^\| *((?:[^|\\]|\\.)*?) *\|", markdown, re.MULTILINE)
    plain = [re.sub(r"\\(.)", r"\1", text) for text in rows if not re.fullmatch(r":?-+:?", text)]
    assert cells == plain
    assert all("w:tblHeader" in table.rows[0]._tr.xml for table in found.tables)
    assert not any("w:tblHeader" in row._tr.xml for t in found.tables for row in t.rows[1:])
    texts = [shape._inline.docPr.get("descr") for shape in found.inline_shapes]
    assert len(texts) == 2
    assert texts == [text for style, text in styled if style == "Caption" and text in texts]
    footer = found.sections[0].footer.paragraphs[0]
    assert footer.text == "tiny · as of run 2, commit ccccccc, 2026-11-23 09:00 UTC · page "
    assert "PAGE" in footer._p.xml


def test_a_document_holds_any_title_and_misses_pictures_in_words(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    monkeypatch.setattr("ingest.charts.pictures.find_spec", lambda _: None)
    path = tmp_path / "odd.docx"
    printed(ingest, "--set", "report.title=a <b> & \x0b]]>", "-o", str(path))
    found = docx.Document(str(path))
    assert found.paragraphs[0].text == "a <b> & \N{REPLACEMENT CHARACTER}]]>"
    assert "No pictures: vl-convert was not installed." in [p.text for p in found.paragraphs]


@pytest.mark.slow
@pytest.mark.skipif(not HAS_WRITER, reason="LibreOffice Writer is not installed")
def test_the_document_becomes_a_pdf(document: Path) -> None:
    convert(document, "pdf")
    assert (document.parent / "report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_libreoffice_reads_the_same_numbers(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    printed(ingest, *BY, "-o", str(tmp_path / "report.xlsx"))
    every_sheet = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,-1"
    convert(tmp_path / "report.xlsx", every_sheet)
    text = (tmp_path / "report-Cost-effectiveness.csv").read_text(encoding="utf-8")
    head, *cells = list(csv.reader(text.splitlines()))[4:]
    rows = as_json(ingest, "economics", *BY)["rows"]
    for column in ("extra_cost", "effect_gained", "icer"):
        place = head.index(column.replace("_", " "))
        found = [float(row[place]) if row[place] else None for row in cells]
        assert found == [row[column] and pytest.approx(row[column]) for row in rows]


def test_markdown_says_numbers_and_where_they_are_from(stored: StudyFolder, ingest: Ingest) -> None:
    text = printed(ingest)
    assert headings(text) == [
        "tiny", "Indicators", "Cost-effectiveness", "Investment case", "Changes", "Notes",
    ]  # fmt: skip
    rows = as_json(ingest, "indicators", "--by", "total", "--until", "2027")["rows"]
    cost = next(r for r in rows if (r["indicator"], r["scenario"]) == ("Extra cost", "dear"))
    assert "| Extra cost | 2027 | US\\$ | 2-3 of 4 | " in text
    assert f" {cost['value']:,.2f} |" in text
    assert "**total, 2 of 4 countries**" in text
    assert "| Healthy years gained | labels = Healthy Years Lived; until = 2026, 2027; " in text
    assert "sense = gained; discount = 0.03 |" in text
    assert "| Discount rates | costs 3 %, effects 3 % a year to 2025 |" in text
    assert "| Run | 2, " in text
    assert "| Cost \\| year | " in text
    assert "Costs and effects are of 2 of 4 countries; see notes." in text
    assert "in no group, no results of dear: TZA" in text
    assert "- Warning: the model is not deterministic: 1 combination changed" in text
    assert "| Extra cost | 2027 | total of 3 | cheap | 385 | 405 | +5.19 % | US\\$ |" in text


def test_html_opens_offline_with_its_pictures(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    printed(ingest, "-o", str(path), "--set", "report.title=<b>A & B</b>")
    text = path.read_text(encoding="utf-8")
    assert "<h1><bdi>&lt;b&gt;A &amp; B&lt;/b&gt;</bdi></h1>" in text
    assert text.count("<figure") == text.count("<svg") == 2
    assert not re.search(r"<script|<link|src=|href=\"http|url\(http", text)
    assert '<th scope="col" class="number"><bdi>extra cost</bdi></th>' in text


# --- what is told --------------------------------------------------------------------------------


def test_the_settings_choose_sections_groups_and_names(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    chosen = """
    [report]
    title = "For the ministry"
    sections = ["indicators"]
    by = ["region"]
    countries = ["KEN"]
    scenarios = ["ch*"]
    indicators = ["Extra*"]
    """
    write_study(stored, SETTINGS + INDICATORS + chosen)
    text = printed(ingest)
    assert headings(text) == ["For the ministry", "Indicators", "Notes"]
    assert "| region | countries | cheap |" in text
    assert "| East | 1 | 220.000 |" in text
    assert "Healthy years gained" not in text
    assert "| Only countries | KEN |" in text
    by_option = printed(ingest, "--by", "total", "-c", "uga", "-s", "dear")
    assert "| indicator | until | unit | countries | dear |" in by_option
    assert "| Only countries | UGA |" in by_option


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sections=indicatrs", "report.sections"),
        ("by=contnent", "contnent"),
        ("countries=XYZ", "XYZ"),
        ("scenarios=chep", "Did you mean cheap"),
        ("indicators=Extra", "Extra cost"),
    ],
)
def test_what_is_not_there_is_named(
    stored: StudyFolder, ingest: Ingest, setting: str, message: str
) -> None:
    result = ingest("report", "--set", f"report.{setting}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_what_the_study_does_not_define_is_left_out_with_a_note(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_settings(INDICATORS)
    store(study, STORED)
    text = printed(ingest)
    assert headings(text)[1:] == ["Indicators", "Notes"]
    assert (
        "| Cost-effectiveness | left out: the study has no \\[economics\\] in ingest.toml |" in text
    )
    assert "| Changes | left out: run 1 is the first |" in text
    write_study(study, SETTINGS.partition("[[")[0])
    text = printed(ingest)
    assert headings(text)[1:] == ["Cost-effectiveness", "Notes"]
    assert (
        "| Indicators | left out: the study has no \\[\\[indicators\\]\\] in ingest.toml |" in text
    )
    assert "| Investment case | left out: ingest.toml has no " in text
    study.write_settings()
    result = ingest("report")
    assert (result.exit_code, "there is nothing to report" in result.stderr) == (2, True)


def test_a_database_alone_has_the_same_report(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load_settings(stored.root / "ingest.toml", {})[0]
    with ValidationDatabase(stored.database).writing() as database:
        keep_definitions(database.db, settings)
    before = printed(ingest)
    monkeypatch.chdir(tmp_path)
    shutil.copy(stored.database, tmp_path / "alone.db")
    after = printed(ingest, "-d", str(tmp_path / "alone.db"))
    assert after.splitlines()[1:] == before.splitlines()[1:]


def test_indicators_that_the_run_before_cannot_answer_are_told(
    study: StudyFolder, ingest: Ingest
) -> None:
    write_study(study, INDICATORS)
    store(study, {("KEN", "cheap"): NULL})
    store(study, {("KEN", "null"): NULL, ("KEN", "cheap"): numbers((5, 5, 5), (101, 102, 103))})
    text = printed(ingest)
    assert "indicators are not compared with run 1" in text


# --- within a file -------------------------------------------------------------------------------


def test_update_replaces_what_is_between_the_marks_and_nothing_else(
    stored: StudyFolder, ingest: Ingest
) -> None:
    readme = stored.root / "README.md"
    head, tail = f"# Mine\r\n\r\n{BEGIN}\r\n".encode(), f"{END}\r\nThe end".encode()
    readme.write_bytes(head + b"old\r\n" + tail)
    readme.chmod(0o644)
    check = ingest("report", "--update", "README.md", "--check")
    assert (check.exit_code, "README.md is out of date" in check.stderr) == (3, True)
    assert readme.read_bytes() == head + b"old\r\n" + tail
    printed(ingest, "--update", "README.md")
    written = readme.read_bytes()
    assert written.startswith(head + b"\r\n## tiny\r\n")
    assert written.endswith(b"\r\n\r\n" + tail)
    assert written.count(b"\n") == written.count(b"\r\n")
    changed = readme.stat().st_mtime_ns
    again = ingest("report", "--update", "README.md")
    assert (again.exit_code, again.stderr) == (0, "README.md is up to date\n")
    assert (readme.read_bytes(), readme.stat().st_mtime_ns) == (written, changed)
    assert ingest("report", "--update", "README.md", "--check").exit_code == 0
    assert ingest("report", "previous", "--update", "README.md", "--check").exit_code == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{BEGIN}\n",
        f"{END}\n{BEGIN}\n",
        f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n",
        f"{BEGIN} {END}\n",
    ],
)
def test_a_file_without_its_marks_stays_as_it_is(
    stored: StudyFolder, ingest: Ingest, text: str
) -> None:
    readme = stored.root / "README.md"
    readme.write_text(text)
    result = ingest("report", "--update", "README.md")
    assert result.exit_code == 2
    assert BEGIN in result.stderr
    assert END in result.stderr
    assert readme.read_text() == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--check"], "--check goes with --update"),
        (["--update", "a.md", "-o", "b.md"], "choose one"),
        (["-o", "report.pdf"], "must end in .md, .xlsx, .docx or .html"),
        (["-o", "gdp.csv", "--force"], "a file of the study"),
        (["-o", "there.md"], "overwrite it with --force"),
        (["--update", "missing.md"], "missing.md cannot be read: No such file"),
        (["--update", "there.txt"], "must end in .md"),
    ],
)
def test_options_that_do_not_fit_write_nothing(
    stored: StudyFolder, ingest: Ingest, options: list[str], message: str
) -> None:
    (stored.root / "there.md").write_text("mine")
    before = sorted(stored.root.glob("*.[!d]*"))
    result = ingest("report", *options)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert (stored.root / "there.md").read_text() == "mine"
    assert sorted(stored.root.glob("*.[!d]*")) == before
