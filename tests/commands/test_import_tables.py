from __future__ import annotations

import gzip
import zipfile

import pytest

from tests.conftest import Ingest, StudyFolder
from tests.recorded import query
from tests.workbooks import write_workbook

GZIPPED = gzip.compress(b"country", mtime=0)

HEADER = "country,scenario,element_label,timestamp_year,value"
METRICS = "SELECT country, scenario, element_label, timestamp_year, value FROM metrics ORDER BY 3"
DIGESTS = """SELECT country, scenario, digest FROM latest_results
              JOIN result_sets USING (result_set_id) ORDER BY 1, 2"""


def table(separator: str, *values: str) -> str:
    lines = [HEADER.replace(",", separator)]
    for number, value in enumerate(values):
        cell = f'"{value}"' if separator in value else value
        lines.append(separator.join(("KEN", "null", f"Label {number}", "2025", cell)))
    return "\n".join(lines) + "\n"


def values_of(study: StudyFolder) -> list[float]:
    return [row[4] for row in query(study.database, METRICS)]


@pytest.mark.parametrize(
    ("content", "values", "how"),
    [
        (table(";", "1,5", "2"), [1.5, 2.0], "; and decimal comma"),
        (table(";", "1.234.567,5", "1.234"), [1234567.5, 1234.0],
         ";, decimal comma and thousands points"),
        (table("\t", "1,5", "0,125"), [1.5, 0.125], "tabs and decimal comma"),
        (table(",", "0,125", "12,500"), [0.125, 12.5], "decimal comma"),
        (table(",", "1,234,567", "12,500"), [1234567.0, 12500.0], "thousands commas"),
        (table(",", "1,234.5", "-7"), [1234.5, -7.0], "thousands commas"),
        (table(";", "1 234,5", "12\u00a0345\u202f678,25"), [1234.5, 12345678.25],
         "; and decimal comma"),
        ("sep=;\n" + table(";", "1,5"), [1.5], "; and decimal comma"),
        (table(";", "1.5"), [1.5], ";"),
        (table("\t", "1.5").encode("utf-16"), [1.5], "UTF-16 and tabs"),
        (("\ufeff" + table(",", "1.5")).encode("utf-16-be"), [1.5], "UTF-16"),
        (table(";", "1,5").replace("Label 0", "A, b, c, d, e"), [1.5], "; and decimal comma"),
    ],
)  # fmt: skip
def test_tables_as_excel_saves_them(
    study: StudyFolder, ingest: Ingest, content: str | bytes, values: list[float], how: str
) -> None:
    raw = content if isinstance(content, bytes) else content.encode()
    (study.root / "m.csv").write_bytes(raw)
    result = ingest("import", "--metrics", "m.csv")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[0] == f"m.csv: read with {how}"
    assert values_of(study) == values


def test_nothing_is_said_of_a_csv_as_all_others(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "m.csv").write_text(table(",", "1.234", "0.125"))
    assert "read with" not in ingest("import", "--metrics", "m.csv").stderr
    assert values_of(study) == [1.234, 0.125]


@pytest.mark.parametrize(
    ("separator", "values", "message", "readings"),
    [
        (",", ("1,234", "5"), "m.csv: line 2: '1,234' could be 1.234 or 1234.0", (1.234, 1234.0)),
        (";", ("7", "12.500"), "m.csv: line 3: '12.500' could be 12500.0 or 12.5", (12500.0, 12.5)),
        ("\t", ("100,000",), "m.csv: line 2: '100,000' could be 100.0 or 100000.0", (100.0, 1e5)),
    ],
)
def test_a_number_with_two_readings_needs_a_decision(
    study: StudyFolder,
    ingest: Ingest,
    separator: str,
    values: tuple[str, ...],
    message: str,
    readings: tuple[float, float],
) -> None:
    (study.root / "m.csv").write_text(table(separator, *values))
    result = ingest("import", "--metrics", "m.csv")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {message}. Say which mark is before decimals: --decimal , or --decimal .\n",
    )
    for decimal, reading in zip(",.", readings, strict=True):
        name = f"{'comma' if decimal == ',' else 'point'}.db"
        ingest("import", "--metrics", "m.csv", "--decimal", decimal, "--database", name)
        assert reading in [row[0] for row in query(study.root / name, "SELECT value FROM metrics")]


def test_marks_that_contradict_each_other_are_told(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "m.csv").write_text(table(";", "1,5", "2.5"))
    assert ingest("import", "--metrics", "m.csv").stderr == (
        "Error: m.csv: line 2 has a decimal comma ('1,5'), line 3 a decimal point ('2.5'). Say "
        "which is meant: --decimal , or --decimal .\n"
    )
    result = ingest("import", "--metrics", "m.csv", "--decimal", ",")
    assert result.stderr == (
        "Error: m.csv: line 3: value '2.5' is no number (; and decimal comma); "
        "nothing was changed\n"
    )


def test_a_group_after_a_leading_zero_is_no_thousands(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "t.csv").write_text('ISO3,null\nKEN,"0,125"\nUGA,"12,500"\n')
    command = ("reference", "load", "t.csv", "--name", "a", "--label", "X")
    assert "read with decimal comma" in ingest(*command).stderr
    values = "SELECT value FROM reference_values ORDER BY country"
    assert query(study.database, values) == [(0.125,), (12.5,)]
    refused = ingest(*command, "--decimal", ".")
    assert (refused.exit_code, refused.stderr) == (
        2,
        "Error: t.csv: 1 bad row: line 2: null is '0,125', not a number. Nothing was stored\n",
    )
    (study.root / "t.csv").write_text("ISO3;null\nKEN;1.234.567,5\nSource: WHO;\n")
    assert ingest(*command).stderr == (
        "Error: t.csv: 1 bad row: line 3: 'Source: WHO' stands alone: a note on the table (delete "
        "the line), or a row that is cut off. Nothing was stored\n"
    )


@pytest.mark.parametrize("note", ["Source: WHO", "Source: WHO;;;;", "* own estimates;;;;"])
def test_a_note_below_the_table_is_told_with_its_line(
    study: StudyFolder, ingest: Ingest, note: str
) -> None:
    (study.root / "m.csv").write_text(table(";", "1,5", "2,5") + note + "\n")
    assert ingest("import", "--metrics", "m.csv").stderr == (
        f"Error: m.csv: line 4: {note.rstrip(';')!r} stands alone: a note on the table (delete the "
        "line), or a row that is cut off; nothing was changed\n"
    )


SHEET = [HEADER.split(","), ["KEN", "null", "Deaths", 2025, 0.1], ["KEN", "null", "X", 2025, 1234]]


@pytest.mark.parametrize("name", ["m.xlsx", "m.csv"])
def test_a_workbook(study: StudyFolder, ingest: Ingest, name: str) -> None:
    write_workbook(study.root / name, {"Data": SHEET})
    result = ingest("import", "--metrics", name)
    assert result.stderr.splitlines()[0] == f"{name}: read with sheet 'Data'"
    assert values_of(study) == [0.1, 1234.0]


def test_one_sheet_of_several_is_chosen(study: StudyFolder, ingest: Ingest) -> None:
    write_workbook(study.root / "m.xlsx", {"About": [["Notes"]], "Data": SHEET})
    assert ingest("import", "--metrics", "m.xlsx").stderr == (
        "Error: m.xlsx has the sheets 'About', 'Data': choose one with --sheet NAME\n"
    )
    assert ingest("import", "--metrics", "m.xlsx", "--sheet", "data").stderr == (
        "Error: m.xlsx has no sheet 'data'; it has 'About', 'Data'. Did you mean Data?\n"
    )
    assert ingest("import", "--metrics", "m.xlsx", "--sheet", "Data").exit_code == 0
    write_workbook(study.root / "f.xlsx", {"A": [["x"]], "F": [["ISO3", "null"], ["KEN", 2.5]]})
    options = ("--name", "a", "--label", "Deaths", "--sheet", "F")
    assert "sheet 'F'" in ingest("reference", "load", "f.xlsx", *options).stderr


def test_a_text_that_looks_like_a_number_needs_a_decision_in_a_workbook_too(
    study: StudyFolder, ingest: Ingest
) -> None:
    write_workbook(study.root / "m.xlsx", {"Data": [SHEET[0], [*SHEET[1][:4], "1,234"]]})
    assert "'1,234' could be 1.234 or 1234.0" in ingest("import", "--metrics", "m.xlsx").stderr


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
         "is a Git LFS pointer, not the file itself: run `git lfs pull`"),
        (GZIPPED, "is compressed with gzip: unpack it first, with gunzip"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>",
         "is a web page (HTML), such as a sign-in or error page: download the file again"),
        (b"", "is empty"),
        (b"SQLite format 3\x00" + bytes(84), "is an SQLite database"),
        (b"%PDF-1.7\n", "is a PDF document"),
    ],
)  # fmt: skip
def test_what_a_file_really_is_is_named(
    study: StudyFolder, ingest: Ingest, file: bytes, message: str
) -> None:
    (study.root / "m.csv").write_bytes(file)
    commands = [("import", "--metrics", "m.csv"), ("reference", "load", "m.csv", "--name", "a")]
    for command in commands[: 2 if file else 1]:
        result = ingest(*command)
        assert (result.exit_code, result.stderr) == (2, f"Error: m.csv {message}\n")


def test_a_zip_file_without_a_table_and_a_folder(study: StudyFolder, ingest: Ingest) -> None:
    with zipfile.ZipFile(study.root / "m.csv", "w") as archive:
        archive.writestr("a.txt", "a")
    assert ingest("import", "--metrics", "m.csv").stderr.startswith(
        "Error: m.csv is a zip file (Excel workbooks are, too) that holds no table: "
    )
    assert ingest("import", "--metrics", "scenarios").stderr == (
        "Error: scenarios cannot be read: Is a directory\n"
    )


def test_a_workbook_that_unpacks_to_gigabytes_is_not_unpacked(
    study: StudyFolder, ingest: Ingest
) -> None:
    write_workbook(study.root / "m.xlsx", {"Data": SHEET})
    with zipfile.ZipFile(study.root / "m.xlsx", "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/a.bin", bytes(150_000_000))
    result = ingest("import", "--metrics", "m.xlsx")
    assert result.stderr == "Error: m.xlsx is not unpacked: 0.1 MB would unpack to 150 MB\n"


# --- what is exported can be imported -------------------------------------------------------------


@pytest.mark.parametrize("options", [
    ("-o", "out.csv"), ("-f", "wide", "-o", "out.csv"), ("-f", "iamc", "-o", "out.csv"),
    ("-o", "out.parquet"),
])  # fmt: skip
def test_every_export_comes_back_with_equal_digests(
    study: StudyFolder, ingest: Ingest, options: tuple[str, ...]
) -> None:
    study.write_model(ODD_MODEL)
    assert ingest("run", "--quiet").exit_code == 0
    ingest("export", *options)
    result = ingest("import", "--metrics", options[-1], "--database", "new.db")
    assert result.stderr == "Run 1 added to new.db with 8 jobs, 8 new result sets\n"
    assert query(study.root / "new.db", DIGESTS) == query(study.database, DIGESTS)


ODD_MODEL = """
def simulate(document):
    country = document["nodes"][0]["generate_array"]["parameters"]["country"]
    coverage = document["nodes"][1]["generate_array"]["parameters"]["value"]
    for label in ("=A1 + 1", "+x", "-y", "@z", "'=quoted", "Plain, with commas"):
        yield label, 2025, 0.1 * len(label) + coverage + ord(country[0])
    yield "Later", 2027, 1 / 3 * ord(country[1])
    yield "Tiny", 2026, 1e-300 * ord(country[2])
"""


def test_years_as_columns_with_decimal_commas(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "w.csv").write_text(
        "country;scenario;metric;2025;2026\nKEN;null;Deaths;1,5;\nKEN;null;X;;2,25\n"
    )
    ingest("import", "--metrics", "w.csv")
    assert query(study.database, METRICS) == [
        ("KEN", "null", "Deaths", 2025, 1.5),
        ("KEN", "null", "X", 2026, 2.25),
    ]


# --- countries and years --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("country", "message"),
    [
        ("NA", "NA: write NAM"),
        ("Kenya", "Kenya: write KEN"),
        ("ken", "ken: write KEN"),
        ("404", "404: write KEN"),
        ("ROM", "ROM: write ROU"),
        ("ZAR", "ZAR: write COD"),
        ("TMP", "TMP: write TLS"),
        ("BUR", "BUR: write MMR"),
        ("KSV", "KSV: write XKX"),
    ],
)
def test_a_country_is_an_iso3_code_wherever_it_comes_in(
    study: StudyFolder, ingest: Ingest, country: str, message: str
) -> None:
    (study.root / "m.csv").write_text(f"{HEADER}\n{country},null,X,2025,1\n")
    result = ingest("import", "--metrics", "m.csv")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: m.csv: line 2: {message}; nothing was changed\n",
    )
    study.write_countries("KEN", country)
    assert f"Write {message[-3:]}" in ingest("check").stderr


@pytest.mark.parametrize("timestamp", ["2026-01-01", "2026-07-01 00:00:00", "2024-12-31T23:00Z"])
def test_a_year_that_contradicts_its_date_is_refused(
    study: StudyFolder, ingest: Ingest, timestamp: str
) -> None:
    header = HEADER.replace("value", "value,timestamp")
    (study.root / "m.csv").write_text(f"{header}\nKEN,null,X,2025,1,{timestamp}\n")
    assert ingest("import", "--metrics", "m.csv").stderr == (
        f"Error: m.csv: line 2: timestamp_year 2025 contradicts timestamp {timestamp}; "
        "nothing was changed\n"
    )
    (study.root / "m.csv").write_text(f"{header}\nKEN,null,X,2025,1,2025-07-01\n")
    assert ingest("import", "--metrics", "m.csv").exit_code == 0
