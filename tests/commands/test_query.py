from __future__ import annotations

import csv
import io
import json

import pytest

from tests.conftest import Ingest, StudyFolder


@pytest.fixture
def stored(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """A study whose results are stored."""
    ingest("run", "--quiet")
    return study


TOTALS = """SELECT scenario, count(*) AS n, sum(value) AS total FROM latest_metrics
            WHERE element_label = 'Population' GROUP BY scenario"""


def test_query_prints_an_aligned_table(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("query", "SELECT country, run_id FROM job_results WHERE scenario = 'null'")
    assert result.exit_code == 0
    assert result.stdout == (
        "country      run_id\n---------  --------\n"
        "KEN               1\nNAM               1\nTZA               1\nUGA               1\n"
    )


def test_query_prints_json_with_exact_numbers(stored: StudyFolder, ingest: Ingest) -> None:
    records = json.loads(ingest("query", TOTALS, "--json").stdout)
    assert [record["n"] for record in records] == [12, 12]
    people = [sum(map(ord, code)) / 7 for code in ("KEN", "NAM", "TZA", "UGA")]
    expected = sum(number * (year - 2000) for number in people for year in (2025, 2026, 2027))
    assert records[0]["total"] == pytest.approx(expected, rel=1e-12)


def test_query_prints_csv(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("query", TOTALS, "--csv")
    records = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(record["scenario"], record["n"]) for record in records] == [
        ("null", "12"),
        ("scale_up", "12"),
    ]


def test_query_reads_sql_from_standard_input(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("query", "-", "--json", input="SELECT 1 AS one")
    assert json.loads(result.stdout) == [{"one": 1}]


def test_query_without_rows_prints_the_header(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("query", "SELECT country FROM job_results WHERE country = 'XXX'")
    assert result.stdout == "country\n---------\n"
    assert ingest("query", "SELECT 1 WHERE 0", "--json").stdout == "[]\n"


def test_a_long_table_is_cut_and_says_so(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("query", "SELECT value FROM metrics", "--limit", "3")
    assert len(result.stdout.splitlines()) == 2 + 3
    assert result.stderr == "(the first 3 rows; all of them: --csv, --json or --limit)\n"
    all_of_them = ingest("query", "SELECT value FROM metrics", "--limit", "48")
    assert all_of_them.stderr == ""


def test_html_and_quotes_are_printed_as_they_are(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("query", "SELECT '<b>\"[red]x[/]' AS label")
    assert '<b>"[red]x[/]' in result.stdout


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM metrics",
        "DELETE FROM job_results",
        "UPDATE validation_runs SET status = 'completed'",
        "DROP TABLE countries",
        "CREATE TABLE mine (x)",
        "INSERT INTO elements (element_label) VALUES ('x')",
        "PRAGMA user_version = 7",
        "VACUUM",
        "VACUUM INTO 'copy.db'",
        "ATTACH 'other.db' AS other",
    ],
)
def test_a_write_attempt_is_refused_and_changes_nothing(
    stored: StudyFolder, ingest: Ingest, sql: str
) -> None:
    before = stored.database.read_bytes()
    files = sorted(path.name for path in stored.root.iterdir())
    result = ingest("query", sql)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1
    assert stored.database.read_bytes() == before
    assert sorted(path.name for path in stored.root.iterdir()) == files


def test_the_refusal_says_that_nothing_was_changed(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("query", "delete from job_results")
    assert result.stderr == "Error: this connection is read-only; nothing was changed.\n"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT wages FROM metrics", "Error: SQL: no such column: wages\n"),
        ("SELECT * FROM results", "Error: SQL: no such table: results\n"),
        ("SELECT 1; SELECT 2", "Error: SQL: You can only execute one statement at a time.\n"),
    ],
)
def test_an_sql_error_is_one_line(
    stored: StudyFolder, ingest: Ingest, sql: str, message: str
) -> None:
    result = ingest("query", sql)
    assert result.exit_code == 2
    assert result.stderr == message


def test_query_without_a_database_names_the_next_step(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("query", "SELECT 1")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: there is no database validation_results.db yet. Make one with: ingest run\n"
    )


def test_query_finds_the_database_beside_no_study(stored: StudyFolder, ingest: Ingest) -> None:
    (stored.root / "ingest.toml").unlink()
    assert ingest("query", "SELECT count(*) AS n FROM metrics", "--csv").stdout == "n\n48\n"


def test_query_without_study_and_database_names_both_ways(
    study: StudyFolder, ingest: Ingest
) -> None:
    (study.root / "ingest.toml").unlink()
    result = ingest("query", "SELECT 1")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: no ingest.toml and no validation_results.db in {study.root}. "
        "Name one with --study FOLDER or --database FILE, or begin with: ingest init DIR\n"
    )
