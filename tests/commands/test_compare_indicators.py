"""`ingest compare --indicator` against plain arithmetic over what the model yields."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ingest.cli import main
from tests.conftest import Ingest, StudyFolder, scenario

MODEL = """
PEOPLE = {"KEN": 10.0, "UGA": 20.0, "TZA": 30.0, "NAM": 0.0}

def simulate(document):
    country = document["nodes"][0]["generate_array"]["parameters"]["country"]
    coverage = document["nodes"][1]["generate_array"]["parameters"]["value"]
    years = range(2025, 2027 if (country, coverage) == ("TZA", 0.9) else 2028)
    for year in years:
        yield "Deaths", year, PEOPLE[country] * (1 - coverage / 3)
        yield "Cost", year, 100 * coverage * PEOPLE[country]
        yield "Population", year, PEOPLE[country] * (year - 2020) * (1 + coverage)
"""
INDICATORS = """
[[indicators]]
name = "Deaths averted"
labels = "Deaths"
sense = "averted"
until = [2026, 2027]
[[indicators]]
name = "All deaths"
labels = "Deaths"
allow_partial = true
[[indicators]]
name = "Extra cost"
labels = "Cost"
sense = "gained"
discount = 0.1
until = 2026
[[indicators]]
name = "Cost per death averted"
ratio = ["Extra cost", "Deaths averted"]
until = 2026
[[indicators]]
name = "Death rate"
labels = "Deaths"
per = "Population"
scale = 1000
until = 2026
[[indicators]]
name = "Death rate averted"
labels = "Deaths"
per = "Population"
sense = "averted"
until = 2026
[[indicators]]
name = "Most deaths"
labels = "Deaths"
aggregate = "max"
until = 2026
"""
LEFT = 1 - 0.9 / 3


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    study = StudyFolder(tmp_path_factory.mktemp("compare") / "tiny")
    study.write_settings(INDICATORS)
    study.write_model(MODEL)
    groups = {"KEN": "East", "UGA": "East", "TZA": "East", "NAM": "South"}
    countries = [{"name": f"Land {c}", "iso3": c, "region": r} for c, r in groups.items()]
    study.write_json("countries.json", {"countries": countries})
    study.write_json("scenarios/worse.json", scenario(-0.3))
    result = CliRunner().invoke(main, ["run", "-q", "--study", str(study.root)])
    assert result.exit_code == 0, result.output
    return study


@pytest.fixture(autouse=True)
def _in_the_study(stored: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stored.root)


def ask(*arguments: str, scenario: str = "scale_up") -> dict[str, Any]:
    command = ["compare", "null", scenario, "--json", "--indicator", *arguments]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_what_is_averted_stands_beside_both_levels() -> None:
    answer = ask("Deaths averted", "--by", "region")
    east, south = (row for row in answer["rows"] if row["until_year"] == 2026)
    assert east == {
        "until_year": 2026,
        "region": "East",
        "countries": 3,
        "of_countries": 3,
        "baseline_value": 120.0,
        "scenario_value": pytest.approx(120 * LEFT, rel=1e-14),
        "averted": pytest.approx(36, rel=1e-14),
        "percent": pytest.approx(30, rel=1e-14),
    }
    assert (south["baseline_value"], south["averted"], south["percent"]) == (0, 0, None)
    assert (answer["indicator"]["sense"], answer["unit"]) == ("averted", answer["unit"])


def test_a_country_without_all_years_is_in_neither_number() -> None:
    answer = ask("Deaths averted", "--by", "region", "--until", "2027")
    (east,) = (row for row in answer["rows"] if row["region"] == "East")
    assert (east["countries"], east["of_countries"], east["baseline_value"]) == (2, 3, 90)
    assert any("only 2025-2026 of the years" in note and "TZA" in note for note in answer["notes"])
    (total,) = answer["totals"]
    assert (total["region"], total["countries"], total["of_countries"]) == ("", 3, 4)


def test_levels_are_of_the_years_that_both_scenarios_have() -> None:
    (row,) = ask("All deaths", "--country", "TZA")["rows"]
    assert (row["baseline_value"], row["difference"]) == (60, pytest.approx(-18, rel=1e-14))
    (row,) = ask("All deaths", "--country", "TZA", scenario="worse")["rows"]
    assert (row["baseline_value"], row["difference"]) == (90, pytest.approx(9, rel=1e-14))


def test_levels_compare_as_their_label_does() -> None:
    options = ["--json", "--by", "region", "--until", "2026"]
    label = CliRunner().invoke(main, ["compare", "null", "worse", "--label", "Deaths", *options])
    for by_label, row in zip(
        json.loads(label.stdout)["rows"],
        ask("All deaths", *options, scenario="worse")["rows"],
        strict=True,
    ):
        assert by_label.items() <= row.items()


def test_what_is_gained_is_discounted_at_its_own_rate_or_the_one_given() -> None:
    def total(*arguments: str) -> dict[str, Any]:
        answer = ask("Extra cost", "--by", "total", *arguments)
        return answer["rows"][0] | {"base_year": answer["base_year"]}

    yearly = 90 * 60.0
    own, plain, other = total(), total("--discount", "0"), total("--base-year", "2026")
    assert own["gained"] == pytest.approx(yearly * (1 + 1 / 1.1), rel=1e-14)
    assert (own["baseline_value"], own["percent"], own["base_year"]) == (0, None, 2025)
    assert (plain["gained"], plain["base_year"]) == (pytest.approx(yearly * 2), None)
    assert (other["gained"], other["base_year"]) == (pytest.approx(yearly * 2.1), 2026)


def test_a_rate_of_a_group_is_a_sum_by_a_sum() -> None:
    (row,) = ask("Death rate", "--by", "total")["rows"]
    assert row["baseline_value"] == pytest.approx(1000 * 120 / (60 * 11), rel=1e-14)
    assert row["scenario_value"] == pytest.approx(1000 * 120 * LEFT / (60 * 11 * 1.9), rel=1e-14)
    assert row["difference"] == row["scenario_value"] - row["baseline_value"]
    answer = ask("Death rate")
    assert all(row["country"] != "NAM" for row in answer["rows"])
    answer = ask("Death rate averted", "--by", "total")
    assert answer["rows"][0]["averted"] == pytest.approx(36 / (60 * 11), rel=1e-13)
    assert answer["notes"][-1].startswith("averted is divided by Population of null")


def test_the_largest_of_years_has_no_group() -> None:
    answer = ask("Most deaths", "--country", "KEN,UGA")
    assert [(row["name"], row["baseline_value"]) for row in answer["rows"]] == [
        ("Land KEN", 10),
        ("Land UGA", 20),
    ]
    assert answer["totals"] == []
    assert answer["notes"] == ["the max over years does not add up over countries"]


def test_the_table_has_one_for_each_horizon() -> None:
    options = ["--indicator", "Deaths averted", "--by", "region", "--sort", "averted", "-n", "1"]
    result = CliRunner().invoke(main, ["compare", "null", "scale_up", *options])
    assert result.stdout == (
        "Deaths averted: scale_up against null · as of run 1, no commit\n\n"
        "until 2026\n\n"
        "region      countries     null    scale_up    averted     %\n"
        "--------  -----------  -------  ----------  ---------  ----\n"
        "East                3  120.000     84.0000    36.0000  30.0\n"
        "total               4  120.000     84.0000    36.0000  30.0\n\n"
        "until 2027\n\n"
        "region      countries     null    scale_up    averted     %\n"
        "--------  -----------  -------  ----------  ---------  ----\n"
        "East           2 of 3  90.0000     63.0000    27.0000  30.0\n"
        "total          3 of 4  90.0000     63.0000    27.0000  30.0\n"
    )
    assert "(the first 2 of 4 rows; totals are over all)" in result.stderr


def test_csv_has_one_table_and_its_title_apart() -> None:
    options = ["--indicator", "Deaths averted", "--where", "region=South", "--csv"]
    result = CliRunner().invoke(main, ["compare", "null", "worse", *options])
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [row["until_year"] for row in rows] == ["2026", "2027"]
    assert {row["country"] for row in rows} == {"NAM"}
    assert "(Deaths averted: worse against null · only NAM" in result.stderr


@pytest.mark.parametrize(
    ("by", "places"),
    [("country", "KEN, TZA, UGA, total"), ("region", "East, total"), ("total", "total")],
)
def test_a_denominator_below_0_is_told(by: str, places: str) -> None:
    options = ["-i", "Cost per death averted", "--by", by]
    result = CliRunner().invoke(main, ["indicators", *options])
    words = f"(Cost per death averted until 2026: Deaths averted is below 0 under worse: {places})"
    assert result.exit_code == 0
    assert words in result.stderr.splitlines()
    assert "below 0 under scale_up" not in result.stderr
    told = json.loads(CliRunner().invoke(main, ["indicators", *options, "--json"]).stdout)
    assert words[1:-1] in told["notes"]


@pytest.mark.parametrize("name", ["Cost per death averted", "Death rate"])
def test_a_denominator_of_0_is_told_and_has_no_number(name: str) -> None:
    result = CliRunner().invoke(main, ["indicators", "-i", name, "--json", "--by", "region"])
    told = json.loads(result.stdout)
    south = [row for row in told["rows"] if row["region"] == "South"]
    assert {row["value"] for row in south} == {None}
    below = "Deaths averted" if name.startswith("Cost") else "Population"
    assert {row["note"] for row in south} == {f"{below} is 0"}
    assert f"({name} until 2026: {below} is 0 under scale_up: South)" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--indicator", "Deaths"], "'Deaths' is a label, not an indicator: give it with --label"),
        (["--indicator", "Death averted"], "no indicator 'Death averted' in this study. Did you"),
        (["--label", "Deaths averted"], "take it with --indicator 'Deaths averted'"),
        (["--label", "Deaths", "--indicator", "All deaths"], "--indicator and --label: give one"),
        (["--indicator", "All deaths", "--reference", "x"], "--indicator and --reference: give"),
        (["--indicator", "All deaths", "--by", "year"], "an indicator is one number of all its"),
        (["--indicator", "All deaths", "--by", "total,region"], "--by total goes with no other"),
        (["--indicator", "All deaths", "--by", "regoin"], "Did you mean region?"),
        (["--indicator", "All deaths", "--sort", "averted"], "--sort averted: columns are"),
        (
            ["--indicator", "All deaths", "--base-year", "2025"],
            "not discounted; give a rate, such as 3%",
        ),
        (["--indicator", "Most deaths", "--discount", "3%"], "no sum over years, so nothing is"),
        (["--indicator", "Death rate", "--discount", "0.03"], "no sum over years, so nothing is"),
        (["--indicator", "Extra cost", "--discount", "3"], "--discount: 3 could mean 3% or"),
        (["--indicator", "Deaths averted", "--until", "2060"], "no indicator has a number"),
        (
            ["--indicator", "Cost per death averted"],
            "ingest indicators --baseline null --scenarios scale_up --indicator 'Cost per death",
        ),
    ],
)
def test_what_has_no_meaning_is_one_line(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["compare", "null", "scale_up", *arguments])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert message in line


def test_a_study_without_indicators_says_how_to_write_some(
    study: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    assert ingest("run", "-q").exit_code == 0
    result = ingest("compare", "null", "scale_up", "--indicator", "Deaths averted")
    assert result.exit_code == 2
    assert "this study has no indicators. Write some in ingest.toml" in result.stderr
