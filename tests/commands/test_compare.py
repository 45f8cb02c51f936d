from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest

from ingest.database import ValidationDatabase
from tests.conftest import BUNDLED_STUDY, Ingest, StudyFolder, scenario
from tests.questions.test_canned_queries import NOW, store_run, store_two_runs

COMMIT = "c" * 7


@pytest.fixture
def stored(study: StudyFolder) -> Path:
    """The two runs of tests/questions/test_canned_queries.py, where a study has its results."""
    store_two_runs(study.database)
    return study.database


def test_compare_prints_an_aligned_table_with_a_total(stored: Path, ingest: Ingest) -> None:
    result = ingest("compare", "null", "up", "--run", "1")
    assert result.exit_code == 0
    assert result.stdout == (
        f"Healthy Years Lived: up against null · 2025-2027 · as of run 1, commit {COMMIT}\n\n"
        "country    name         null       up    difference     %\n"
        "---------  --------  -------  -------  ------------  ----\n"
        "KEN        Kenya     60.6000  67.7000        7.1000  11.7\n"
        "TZA        Tanzania   0.0000   3.0000        3.0000   n/a\n"
        "UGA        Uganda     6.6000   7.9000        1.3000  19.7\n"
        "total                67.2000  78.6000       11.4000  17.0\n"
    )
    assert result.stderr == "(left out, because they have only one of the two scenarios: NAM)\n"


def test_thousands_are_separated(study: StudyFolder, ingest: Ingest) -> None:
    study.write_json("scenarios/more.json", scenario(50.0))
    study.write_model(
        'def simulate(document):\n'
        '    nodes = document["nodes"]\n'
        '    coverage = nodes[1]["generate_array"]["parameters"]["value"]\n'
        '    yield "Cost", 2025, 1234567.0 * coverage\n'
    )  # fmt: skip
    ingest("run", "--quiet")
    result = ingest("compare", "scale_up", "more", "--by", "total")
    assert result.stdout == (
        "Cost: more against scale_up · 2025 · as of run 1, no commit\n\n"
        "  countries    scale_up         more    difference      %\n"
        "-----------  ----------  -----------  ------------  -----\n"
        "          4   4,444,441  246,913,400   242,468,959  5,456\n"
    )


def test_nested_groups(stored: Path, ingest: Ingest) -> None:
    lines = ingest("compare", "null", "up", "--by", "region,income_group").stdout.splitlines()
    assert lines[2].split() == [
        "region", "income_group", "countries", "null", "up", "difference", "%",
    ]  # fmt: skip
    assert [line.split()[:3] for line in lines[4:]] == [
        ["East", "High", "1"],
        ["East", "Low", "1"],
        ["South", "Low", "1"],
        ["total", "3", "67.2000"],
    ]
    repeated = ingest("compare", "null", "up", "--by", "region", "--by", "income_group")
    assert repeated.stdout.splitlines() == lines


def test_csv_holds_unrounded_rows_and_no_total(stored: Path, ingest: Ingest) -> None:
    result = ingest("compare", "null", "up", "--by", "year", "--country", "ken", "--csv")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert result.stderr == (
        "(Healthy Years Lived: up against null · only KEN · 2025-2027 · as of run 2, commit "
        f"{COMMIT})\n"
    )
    assert rows[0] == [
        "timestamp_year",
        "baseline_value",
        "scenario_value",
        "difference",
        "percent",
    ]
    assert len(rows) == 1 + 3
    assert float(rows[1][3]) == 12.3 - 10.1
    zero = ingest("compare", "null", "up", "--country", "TZA", "--csv").stdout
    assert zero.splitlines()[1] == "TZA,Tanzania,0.0,3.0,3.0,"


def test_json_holds_the_request_the_rows_and_the_total(stored: Path, ingest: Ingest) -> None:
    result = ingest(
        "compare", "null", "up", "--country", "TZA", "--until", "2026", "--discount", "0.25",
        "--base-year", "2024", "--json",
    )  # fmt: skip
    values = {
        "baseline_value": 0.0,
        "scenario_value": 1.44,
        "difference": 1.44,
        "percent": None,
    }
    assert json.loads(result.stdout) == {
        "baseline": "null",
        "scenario": "up",
        "element_label": "Healthy Years Lived",
        "run_id": 2,
        "timestamp": NOW,
        "git_commit": "c" * 40,
        "dirty_files": [],
        "by": ["country"],
        "countries": ["TZA"],
        "until_year": 2026,
        "first_year": 2025,
        "last_year": 2026,
        "horizon_notes": [],
        "discount_rate_percent": 25.0,
        "base_year": 2024,
        "reference": None,
        "label": {
            "unit": "",
            "kind": "flow",
            "over_years": "sum",
            "over_countries": "sum",
            "sum_unit": "",
            "better": "higher",
        },
        "left_out": [],
        "mixed": None,
        "state": {"current": 2, "stale": 0, "failed": 0, "missing": 0, "retired": 0},
        "no_results": [],
        "rows": [{"country": "TZA", "name": "Tanzania", **values}],
        "total": values,
    }


def test_the_title_tells_what_was_chosen(stored: Path, ingest: Ingest) -> None:
    result = ingest(
        "compare", "null", "up", "--country", "KEN,TZA", "--until", "2026", "--discount", "3%"
    )
    assert result.stdout.splitlines()[0] == (
        "Healthy Years Lived: up against null · only KEN, TZA · 2025-2026 · "
        f"discounted at 3 % a year to 2025 · as of run 2, commit {COMMIT}"
    )


def test_sort_and_limit_leave_the_total_as_it_is(stored: Path, ingest: Ingest) -> None:
    whole = ingest("compare", "null", "up").stdout.splitlines()
    result = ingest("compare", "null", "up", "--sort", "percent", "--limit", "1")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines[4:]] == ["KEN", "total"]
    assert lines[-1].split() == whole[-1].split()
    assert result.stderr.splitlines()[-1] == "(the first 1 of 3 rows; totals are over all)"


def test_another_run_by_name(stored: Path, ingest: Ingest) -> None:
    before = ingest("compare", "null", "up", "--run", "previous").stdout
    assert before == ingest("compare", "null", "up", "--run", "1").stdout
    assert before != ingest("compare", "null", "up").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["null", "upp"], "no results of scenario 'upp' as of run 2. Did you mean up?"),
        (["nul", "up"], "no results of scenario 'nul' as of run 2. Did you mean null?"),
        (
            ["null", "up", "--label", "Healthy Years Live"],
            "no label 'Healthy Years Live' in the results. Did you mean Healthy Years Lived?",
        ),
        (
            ["null", "up", "--country", "KEN,TAZ"],
            "no results of country 'TAZ' as of run 2. Did you mean TZA?",
        ),
        (
            ["null", "up", "--by", "incomegroup"],
            "--by incomegroup: groups are total, year, country, region, income_group, club. "
            "Did you mean income_group?",
        ),
        (
            ["null", "up", "--sort", "size"],
            "--sort size: columns are country, name, baseline_value, scenario_value, difference, "
            "percent.",
        ),
        (
            ["null", "up", "--discount", "a lot"],
            "--discount: 'a lot' is no rate. Write one from 0% to 30%, such as 3%",
        ),
        (
            ["null", "up", "--discount", "3"],
            "--discount: 3 could mean 3% or 300% a year. Write 3%",
        ),
        (["null", "up", "--base-year", "2025"], "--base-year needs a rate: add --discount 3%"),
        (["null", "up", "--until", "20"], "--until 20: years are 1900 to 2300"),
        (
            ["null", "up", "--reference", "a3"],
            "no reference is loaded yet. Load one with: ingest reference load FILE",
        ),
        (
            ["null", "up", "--run", "9"],
            "no run '9' in this database; runs are 1 to 2. Name one by number, tag, commit, date, "
            "latest or previous (ingest status lists them)",
        ),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(
    stored: Path, ingest: Ingest, arguments: list[str], message: str
) -> None:
    result = ingest("compare", *arguments)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {message}\n"
    assert result.stdout == ""


def test_compare_without_a_database_names_the_next_step(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("compare", "null", "up")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: there is no database validation_results.db yet. Make one with: ingest run\n"
    )


def test_where_chooses_the_countries_of_a_group(stored: Path, ingest: Ingest) -> None:
    everything = json.loads(ingest("compare", "null", "up", "--run", "1", "--json").stdout)
    regions = json.loads(ingest("query", "SELECT iso3, region FROM countries", "--json").stdout)
    east = {row["iso3"] for row in regions if row["region"] == "East"}
    found = json.loads(
        ingest("compare", "null", "up", "--run", "1", "--where", "region=E*", "--json").stdout
    )
    expected = [row for row in everything["rows"] if row["country"] in east]
    assert found["rows"] == expected
    assert 0 < len(expected) < len(everything["rows"])
    one = ingest("compare", "null", "up", "--where", "region=East", "--country", "KEN", "--json")
    assert [row["country"] for row in json.loads(one.stdout)["rows"]] == ["KEN"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("East", "Error: --where East: write COLUMN=VALUE, e.g. region=Europe*\n"),
        ("regoin=East", "Error: --where regoin=East: no column regoin. Did you mean region?\n"),
        ("region=Est", "Error: no region Est in this study. Did you mean East?\n"),
    ],
)
def test_a_wrong_condition_is_one_line(
    stored: Path, ingest: Ingest, condition: str, message: str
) -> None:
    result = ingest("compare", "null", "up", "--where", condition)
    assert result.exit_code == 2
    assert result.stderr == message


def test_every_scenario_of_the_bundled_study_agrees_with_plain_sql(
    study: StudyFolder, ingest: Ingest
) -> None:
    """Null against each other scenario, to the last digit; groups add up to the whole."""
    where = ("--study", str(BUNDLED_STUDY), "--database", str(study.database))
    assert ingest("run", *where, "--quiet", "--countries", "KEN,IND,DEU,BRA").exit_code == 0
    sql = (
        "SELECT scenario, country, sum(value) AS total FROM metrics "
        "WHERE element_label = 'Healthy Years Lived' GROUP BY scenario, country"
    )
    rows = json.loads(ingest("query", sql, "--json", "--database", str(study.database)).stdout)
    sums = {(row["scenario"], row["country"]): row["total"] for row in rows}
    others = sorted({scenario for scenario, _ in sums} - {"null"})
    assert len(others) == 7
    for other in others:
        found = json.loads(ingest("compare", "null", other, *where, "--json").stdout)
        assert len(found["rows"]) == 4
        for row in found["rows"]:
            a, b = sums["null", row["country"]], sums[other, row["country"]]
            assert row["baseline_value"] == a
            assert row["scenario_value"] == b
            assert row["difference"] == b - a
            assert row["percent"] == 100 * (b - a) / a
        by_region = json.loads(
            ingest("compare", "null", other, *where, "--by", "region", "--json").stdout
        )
        whole = found["total"]["difference"]
        parts = math.fsum(row["difference"] for row in by_region["rows"])
        assert parts == pytest.approx(whole, rel=1e-9)  # sums of sums, in another order


def test_by_groups_of_a_csv_file_and_where_groups_come_from(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_settings(study='name = "tiny"\ngroups = "groups.csv"')
    (study.root / "groups.csv").write_text(
        "iso3,name,who_region,wealth\nKEN,Kenya,Africa,Low\nUGA,Uganda,Africa,\nTZA,,,\n"
        "NAM,,Africa,Low\nFRA,France,Europe,High\n"
    )
    ingest("run", "--quiet")
    answer = json.loads(
        ingest("compare", "null", "scale_up", "--by", "who_region", "--json").stdout
    )
    assert [(row["who_region"], row["countries"]) for row in answer["rows"]] == [
        ("(none)", 1), ("Africa", 3),
    ]  # fmt: skip
    stored = ingest("query", "SELECT iso3, who_region, wealth FROM countries", "--csv").stdout
    assert sorted(stored.splitlines()[1:]) == [
        "KEN,Africa,Low", "NAM,Africa,Low", "TZA,,", "UGA,Africa,",
    ]  # fmt: skip
    result = ingest("compare", "null", "scale_up", "--by", "income_group")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: --by income_group: no country of this study has one. Groups are text fields of the "
        "countries file, or columns of a CSV file that study.groups names; the next ingest run "
        "stores them\n"
    )


def test_years_that_are_not_reached_or_differ_are_told(study: StudyFolder, ingest: Ingest) -> None:
    with ValidationDatabase(study.database).writing() as database:
        store_run(
            database,
            {("KEN", "null"): (1.0, 1.0, 1.0), ("KEN", "up"): (2.0, 2.0),
             ("UGA", "null"): (1.0, 1.0, 1.0), ("UGA", "up"): (2.0, 2.0, 2.0)},
        )  # fmt: skip
    result = ingest("compare", "null", "up", "--until", "2060")
    assert result.stdout.splitlines()[0] == (
        f"Healthy Years Lived: up against null · 2025-2027 · as of run 1, commit {COMMIT}"
    )
    assert result.stderr.splitlines() == [
        "(years: asked for until 2060, the results end in 2027)",
        "(years: null has 2025-2027 and up 2025-2026 in KEN: only the years that both have are "
        "compared)",
        "(years: not all countries have the same years: 2025-2026 in KEN; 2025-2027 in UGA)",
    ]
    answer = json.loads(ingest("compare", "null", "up", "--until", "2060", "--json").stdout)
    assert (answer["until_year"], answer["first_year"], answer["last_year"]) == (2060, 2025, 2027)
    assert len(answer["horizon_notes"]) == 3
