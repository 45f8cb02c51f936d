"""`ingest indicators` against plain SQL over `metrics` and plain arithmetic."""

from __future__ import annotations

import json
import math
import re
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from ingest.cli import main
from ingest.database.files import open_for_reading
from ingest.questions.catalogue import bind_values, load_canned_queries, run_canned_query
from ingest.questions.results_query import ResultsQuery
from tests.conftest import BUNDLED_STUDY, PROJECT, Ingest, StudyFolder, scenario

COUNTRIES = ("DEU", "FRA", "KEN", "UGA")
EUROPE, AFRICA = ("DEU", "FRA"), ("KEN", "UGA")
SCENARIOS = ("null", "inhaled_corticosteroids")
DEATHS = "Asthma Deaths"
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def asthma(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Calls `ingest ARGUMENTS...` on the bundled study, run for four countries."""
    folder = tmp_path_factory.mktemp("indicators") / "asthma"
    shutil.copytree(BUNDLED_STUDY, folder, ignore=shutil.ignore_patterns("*.db*", "__pycache__"))

    def call(*arguments: str) -> Result:
        command, *rest = arguments
        options = [command, "--study", str(folder), *rest]
        return CliRunner().invoke(main, options, catch_exceptions=False)

    chosen = ["--countries", ",".join(COUNTRIES), "--scenarios", ",".join(SCENARIOS)]
    assert call("run", "-q", *chosen).exit_code == 0
    call.database = folder / "validation_results.db"  # type: ignore[attr-defined]
    return call


def ask(asthma: Run, *arguments: str) -> dict[str, Any]:
    chosen = ["--countries", ",".join(COUNTRIES), "--scenarios", SCENARIOS[1], "--json"]
    result = asthma("indicators", *chosen, *arguments)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def plain(asthma: Run, label: str, country: str, until: int, rate: float = 0.0) -> list[float]:
    """The sums under both scenarios: of plain SQL, and in plain arithmetic where discounted."""
    sums = []
    with closing(sqlite3.connect(asthma.database)) as connection:  # type: ignore[attr-defined]
        for scenario in SCENARIOS:
            rows = connection.execute(
                """SELECT timestamp_year, value FROM metrics
                    WHERE element_label = ? AND country = ? AND scenario = ?
                      AND timestamp_year <= ? ORDER BY timestamp_year""",
                [label, country, scenario, until],
            ).fetchall()
            sums.append(sum(value / (1 + rate) ** (year - 2025) for year, value in rows))
    return sums


def found(rows: Sequence[dict[str, Any]], name: str, until: int, **group: str) -> float:
    (row,) = (
        row
        for row in rows
        if (row["indicator"], row["until_year"]) == (name, until) and group.items() <= row.items()
    )
    return float(row["value"])


@pytest.mark.parametrize("until", [2030, 2050])
def test_a_country_a_region_and_the_total_undiscounted(asthma: Run, until: int) -> None:
    differences = {}
    for country in COUNTRIES:
        null, treated = plain(asthma, "Asthma Deaths", country, until)
        differences[country] = null - treated
    name = "Asthma deaths averted"
    by_country = ask(asthma)["rows"]
    for country, difference in differences.items():
        value = found(by_country, name, until, country=country)
        assert value == pytest.approx(difference, rel=1e-12)
    by_region = ask(asthma, "--by", "region")
    for countries in (EUROPE, AFRICA):
        with closing(sqlite3.connect(asthma.database)) as connection:  # type: ignore[attr-defined]
            query = "SELECT region FROM countries WHERE iso3 = ?"
            (region,) = connection.execute(query, [countries[0]]).fetchone()
        value = found(by_region["rows"], name, until, region=region)
        assert value == pytest.approx(sum(differences[c] for c in countries), rel=1e-12)
    total = found(by_region["totals"], name, until)
    assert total == pytest.approx(sum(differences.values()), rel=1e-12)
    assert found(ask(asthma, "--by", "total")["rows"], name, until) == total


def test_a_discounted_ratio_is_the_ratio_of_sums(asthma: Run) -> None:
    cost, years = [], []
    for country in COUNTRIES:
        for label, differences in (("Cost", cost), ("Healthy Years Lived", years)):
            null, treated = plain(asthma, label, country, 2035, 0.03)
            differences.append(treated - null)
    answer = ask(asthma, "--by", "total")
    rows = answer["rows"]
    assert found(rows, "Extra cost", 2035) == pytest.approx(math.fsum(cost), rel=1e-12)
    assert found(rows, "Healthy years gained", 2035) == pytest.approx(math.fsum(years), rel=1e-9)
    ratio = found(rows, "Cost per healthy year gained", 2035)
    assert ratio == pytest.approx(math.fsum(cost) / math.fsum(years), rel=1e-9)
    assert answer["base_year"] == 2025


def test_csv_and_workbook_hold_the_numbers_of_the_json(asthma: Run, tmp_path: Path) -> None:
    rows = ask(asthma, "--by", "income_group")["rows"]
    chosen = ["--countries", ",".join(COUNTRIES), "--scenarios", SCENARIOS[1]]
    chosen += ["--by", "income_group"]
    printed = asthma("indicators", *chosen, "--csv").stdout.splitlines()
    assert printed[0] == (
        "indicator,until_year,income_group,scenario,value,unit,countries,of_countries,note,"
        "first_year,last_year"
    )
    assert [float(line.split(",")[4]) for line in printed[1:]] == [row["value"] for row in rows]
    path = tmp_path / "indicators.xlsx"
    assert asthma("indicators", *chosen, "--xlsx", str(path)).exit_code == 0
    book = CalamineWorkbook.from_path(path)
    assert book.sheet_names == ["Indicators", "Definitions", "Notes"]
    head, *cells = book.get_sheet_by_name("Indicators").to_python()
    assert ",".join(map(str, head)) == printed[0]
    assert [row[4] for row in cells] == pytest.approx([row["value"] for row in rows], rel=1e-15)
    refused = asthma("indicators", *chosen, "--xlsx", str(path))
    assert (refused.exit_code, "overwrite it with --force" in refused.stderr) == (2, True)


def test_the_table_says_units_horizons_and_how_many_countries(asthma: Run) -> None:
    result = asthma("indicators", "--by", "region", "-i", "Extra*", "--until", "2030")
    assert "Extra cost · US$ · until 2030 · discounted at 3 % a year" in result.stdout
    assert re.search(r"^total +4 of 187 ", result.stdout, re.MULTILINE)
    assert "(Extra cost until 2030: no results of baseline, " in result.stderr
    assert "in 187 of 187 countries: AFG, AGO, ALB, AND, ARE and 182 more)" in result.stderr


def test_the_block_of_the_documentation_takes_one_command(asthma: Run, tmp_path: Path) -> None:
    """Six measures to two horizons by income group, as docs/economics.md has them."""
    text = (PROJECT / "docs" / "economics.md").read_text()
    block = re.search(r"```toml\n(# Six measures.*?)```", text, re.DOTALL)
    command = re.search(r"^ingest (indicators --by income_group.*)$", text, re.MULTILINE)
    assert block is not None
    assert command is not None
    folder = tmp_path / "asthma"
    database = asthma.database  # type: ignore[attr-defined]
    shutil.copytree(database.parent, folder)
    settings = folder / "ingest.toml"
    before, _, _ = settings.read_text().partition("[[indicators]]")
    settings.write_text(before + block[1])
    arguments = [*command[1].split(), "--study", str(folder), "--json"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)["rows"]
    names = {row["indicator"] for row in rows}
    assert len(names) == 6
    assert {(row["indicator"], row["until_year"]) for row in rows} == {
        (name, year) for name in names for year in (2030, 2035)
    }
    assert {row["income_group"] for row in rows} >= {"High income", "Low income"}
    plan = CliRunner().invoke(main, ["plan", "--study", str(folder), "--json"])
    assert json.loads(plan.stdout)["up_to_date"] == len(COUNTRIES) * len(SCENARIOS)


def test_a_notebook_has_the_same_numbers(asthma: Run) -> None:
    answer = ask(asthma, "--by", "income_group", "--until", "2040")
    results = ResultsQuery(asthma.database)  # type: ignore[attr-defined]
    frame = results.indicators(
        by="income_group", countries=COUNTRIES, scenarios=SCENARIOS[1], until=2040
    )
    assert frame["value"].tolist() == [row["value"] for row in answer["rows"]]
    assert set(frame["income_group"]) == {"High income", "Low income", "Lower middle income"}
    assert (frame["until_year"] == 2040).all()
    assert (frame.attrs["baseline"], frame.attrs["run_id"]) == ("null", 1)
    whole = results.indicators("Extra cost", COUNTRIES, "total", scenarios=SCENARIOS[1])
    assert whole["value"].tolist() == [
        found(ask(asthma, "--by", "total")["rows"], "Extra cost", year)
        for year in (2030, 2035, 2050)
    ]


@pytest.mark.parametrize("group", ["", "country", "income_group"])
def test_the_question_of_the_browser_has_the_same_numbers(asthma: Run, group: str) -> None:
    answer = ask(asthma, "--by", group or "total", "-i", "Cost per*", "--until", "2050")
    values = {
        "indicator": "Cost per healthy year gained",
        "group_1": group,
        "countries": ",".join(COUNTRIES),
        "scenario": SCENARIOS[1],
    }
    with closing(open_for_reading(asthma.database)) as connection:  # type: ignore[attr-defined]
        query = load_canned_queries()["indicators"]
        columns, rows = run_canned_query(connection, query, values)
    shown = [dict(zip(columns, row, strict=True)) for row in rows]
    assert [row["value"] for row in shown] == [row["value"] for row in answer["rows"]]
    assert {row["until_year"] for row in shown} == {2050}
    assert [row["group"] for row in shown] == [
        row.get(group, "all together") for row in answer["rows"]
    ]


def test_the_sql_of_the_documentation_gives_the_numbers(asthma: Run) -> None:
    text = (PROJECT / "docs" / "economics.md").read_text()
    found_sql = re.search(r"```sql\n(.*?)```", text, re.DOTALL)
    assert found_sql is not None
    printed = json.loads(asthma("query", found_sql[1], "--json").stdout)
    shown = [tuple(row.values()) for row in printed]
    rows = json.loads(asthma("indicators", "--by", "region", "--until", "2035", "--json").stdout)
    expected = [(row["indicator"], row["scenario"], row["value"]) for row in rows["rows"]]
    assert [row[:2] for row in shown] == [row[:2] for row in expected]
    for (*_, value), (*_, wanted) in zip(shown, expected, strict=True):
        assert value is None if wanted is None else float(value) == pytest.approx(wanted)


def test_what_is_wrong_with_a_question_is_its_note(asthma: Run) -> None:
    with closing(open_for_reading(asthma.database)) as connection:  # type: ignore[attr-defined]
        query = "SELECT indicator_rows(NULL, 'nul', '', '', '', '')"
        (found,) = connection.execute(query).fetchone()
    assert "no results of scenario 'nul' as of run 1. Did you mean null?" in found


# --- what is refused -----------------------------------------------------------------------------

YEARS = '[[indicators]]\nname = "Years"\nlabels = "Healthy Years Lived"\nsense = "gained"\n'


@pytest.mark.parametrize(("rate", "base_year"), [(0.0, None), (0.05, None), (0.05, 2030)])
def test_another_rate_in_place_of_the_own_one(
    asthma: Run, rate: float, base_year: int | None
) -> None:
    options = ["--discount", str(rate), "--until", "2035", "--by", "total"]
    options += [] if base_year is None else ["--base-year", str(base_year)]
    answer = ask(asthma, *options)
    factor = (1 + rate) ** ((base_year or 2025) - 2025)
    for name, label, sign in (("Extra cost", "Cost", 1), ("Asthma deaths averted", DEATHS, -1)):
        sums = [plain(asthma, label, country, 2035, rate) for country in COUNTRIES]
        expected = sign * factor * sum(own - low for low, own in sums)
        assert found(answer["rows"], name, 2035) == pytest.approx(expected, rel=1e-12)
    death_rate = found(answer["rows"], "Asthma death rate", 2035)
    own = ask(asthma, "--until", "2035", "--by", "total")
    assert death_rate == found(own["rows"], "Asthma death rate", 2035)
    ratio = found(answer["rows"], "Cost per healthy year gained", 2035)
    cost, gained = (
        found(answer["rows"], name, 2035) for name in ("Extra cost", "Healthy years gained")
    )
    assert ratio == cost / gained
    definition = next(one for one in answer["indicators"] if one["name"] == "Extra cost")
    assert definition.get("discount", 0) == rate


@pytest.fixture
def results(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    study.write_settings(YEARS)
    assert ingest("run", "-q").exit_code == 0
    return study


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-i", "Yaers"], "no indicator Yaers in this study. Did you mean Years?"),
        (["--by", "regoin"], "--by regoin: groups are total, country, region"),
        (["--by", "region,region"], "--by: a group is given twice"),
        (["--baseline", "nul"], "no results of scenario 'nul' as of run 1. Did you mean null?"),
        (["--countries", "KEM"], "no country KEM in this study. Did you mean KEN?"),
        (["--scenarios", "scale"], "no scenario scale in this study. Did you mean scale_up?"),
        (["--until", "30"], "--until 30: write years with commas between: 2030,2035"),
        (["--until", "2060"], "no indicator has a number: Years until 2060: only 2025-2027 of the"),
        (["--until", "2020"], "Years until 2020: none of the years that are asked for in 4 of 4"),
        (["17"], "no run '17' in this database"),
        (["--discount", "3"], "--discount: 3 could mean 3% or 300% a year. Write 3%"),
        (["--base-year", "2025"], "base year 2025: 'Years': not discounted; give a rate"),
    ],
)
def test_what_is_not_there_is_refused(
    results: StudyFolder, ingest: Ingest, arguments: list[str], message: str
) -> None:
    result = ingest("indicators", *arguments)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


def test_without_indicators_it_says_how_to_write_some(study: StudyFolder, ingest: Ingest) -> None:
    assert ingest("run", "-q").exit_code == 0
    result = ingest("indicators")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "headed [[indicators]]: name, labels, sense" in result.stderr


def test_changing_an_indicator_runs_nothing_and_readers_know_it(
    results: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    results.write_settings(YEARS.replace("Years", "Life years", 1), 'name="tiny"\nbaseline="null"')
    again = ingest("run")
    assert (again.exit_code, "up to date" in again.stdout + again.stderr) == (0, True)
    alone = tmp_path / "alone.db"
    shutil.copy(results.database, alone)
    with closing(sqlite3.connect(alone)) as connection:
        assert connection.execute("SELECT count(*) FROM validation_runs").fetchone() == (1,)
    (tmp_path / "elsewhere").mkdir()
    result = CliRunner().invoke(main, ["query", "-d", str(alone), _KEPT], catch_exceptions=False)
    assert "Life years" in result.stdout


_KEPT = "SELECT content FROM study_settings WHERE section = 'indicators'"


@pytest.mark.parametrize(("setting", "baseline"), [("", "null"), ("scale_up", "scale_up")])
def test_every_surface_has_the_baseline_of_the_study(
    results: StudyFolder, ingest: Ingest, setting: str, baseline: str
) -> None:
    results.write_settings(YEARS, f'name = "tiny"\nbaseline = "{setting}"')
    assert ingest("run", "-q").exit_code == 0
    answer = json.loads(ingest("indicators", "--json").stdout)
    assert answer["baseline"] == baseline
    with closing(open_for_reading(results.database)) as connection:
        for name in ("indicators", "scenario_impact"):
            query = load_canned_queries()[name]
            assert bind_values(connection, query, {})["baseline"] == baseline
        columns, rows = run_canned_query(connection, load_canned_queries()["indicators"], {})
    shown = {row[columns.index("scenario")] for row in rows}
    assert shown == {row["scenario"] for row in answer["rows"]} == {"null", "scale_up"} - {baseline}


def test_a_reader_without_the_study_has_the_definitions(
    results: StudyFolder, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_study = ingest("indicators", "--json").stdout
    monkeypatch.chdir(tmp_path)
    alone = ["indicators", "-d", str(results.database), "--json"]
    result = CliRunner().invoke(main, alone, catch_exceptions=False)
    assert result.stdout == with_study


def test_a_country_without_a_baseline_is_listed(results: StudyFolder, ingest: Ingest) -> None:
    results.write_countries("KEN", "UGA", "TZA", "NAM", "RWA")
    assert ingest("run", "-q", "--scenarios", "scale_up").exit_code == 0
    result = ingest("indicators", "--by", "region")
    assert "no results of null, the baseline null in 1 of 5 countries: RWA" in result.stderr
    assert re.search(r"^total +4 of 5 ", result.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('labels = "Populatoin"', "no label Populatoin in this study. Did you mean Population?"),
        ('labels = "Births"\nuntil = 2060', "until: 2060 is outside the years of the model"),
        ('labels = "Births"\ndiscount = 3', "discount: 3 is more than 30 % a year"),
        ('ratio = ["Years", "Yeers"]', "no indicator 'Yeers'. Did you mean Years?"),
        (
            'labels = ["Births", "Coverage"]',
            "its labels have different units: Coverage is in sha",
        ),
    ],
)
def test_check_tells_what_is_wrong(
    study: StudyFolder, ingest: Ingest, text: str, message: str
) -> None:
    units = '[units]\nBirths = "people"\nCoverage = "share"\n'
    known = YEARS.replace("Healthy Years Lived", "Births")
    study.write_settings(f'{units}{known}[[indicators]]\nname = "Other"\n{text}\n')
    result = ingest("check", "--offline")
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


def test_check_knows_the_labels_of_stored_results(results: StudyFolder, ingest: Ingest) -> None:
    """The tiny model gives Healthy Years Lived, which its document does not name."""
    assert ingest("check", "--offline").exit_code == 0
    results.database.unlink()
    assert "no label Healthy Years Lived" in ingest("check", "--offline").stderr


def test_check_tells_a_baseline_that_is_no_scenario(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings(study='name = "tiny"\nbaseline = "nul"')
    result = ingest("check", "--offline")
    assert (result.exit_code, "study.baseline: no scenario 'nul'." in result.stderr) == (2, True)


# --- between two states --------------------------------------------------------------------------


@pytest.fixture
def moved(results: StudyFolder, ingest: Ingest) -> StudyFolder:
    """Run 2: scale_up has half of the coverage, so that it gains half of the years."""
    results.write_json("scenarios/scale_up.json", scenario(0.45))
    assert ingest("run", "-q").exit_code == 0
    return results


def test_diff_tells_which_indicators_moved_and_the_gate_fails(
    moved: StudyFolder, ingest: Ingest
) -> None:
    result = ingest("diff", "--indicator", "Years", "--fail-on-change")
    assert result.exit_code == 3
    assert "Run 1 -> run 2: 5 of 5 numbers of indicators moved" in result.stdout
    assert re.search(r"^Years +total of 4 +scale_up .* −50.0 %", result.stdout, re.MULTILINE)
    found = json.loads(ingest("diff", "-i", "Years", "--json").stdout)
    by_country = {row["country"]: row for row in found["indicators"]}
    assert set(by_country) == {"", "KEN", "NAM", "TZA", "UGA"}
    for key, run in (("before", 1), ("after", 2)):
        answer = json.loads(ingest("indicators", str(run), "--json").stdout)
        (total,) = answer["totals"]
        assert by_country[""][key] == total["value"]
        assert {row["country"]: row["value"] for row in answer["rows"]} == {
            country: row[key] for country, row in by_country.items() if country
        }


@pytest.mark.parametrize(("rtol", "exit_code"), [("0.4", 3), ("0.6", 0)])
def test_an_indicator_has_a_tolerance_of_its_own(
    moved: StudyFolder, ingest: Ingest, rtol: str, exit_code: int
) -> None:
    moved.write_settings(f'{YEARS}[tolerance.indicators."Years"]\nrtol = {rtol}\n')
    assert ingest("diff", "-i", "Years", "--fail-on-change").exit_code == exit_code
    assert ingest("diff", "-i", "Years", "--fail-on-change", "--rtol", "0.45").exit_code == 3
    moved.write_settings(f'{YEARS}[tolerance.indicators."Yaers"]\nrtol = {rtol}\n')
    refused = ingest("diff", "-i", "Years")
    assert "no indicator 'Yaers'. Did you mean Years?" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-i", "Yaers"], "no indicator Yaers in this study. Did you mean Years?"),
        (["-i", "Years", "--md"], "--indicator goes with --json, --csv or a table"),
        (["-i", "Years", "--labels", "Population"], "and without --labels"),
    ],
)
def test_diff_of_indicators_refuses(
    moved: StudyFolder, ingest: Ingest, arguments: list[str], message: str
) -> None:
    result = ingest("diff", *arguments)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


# --- in an export --------------------------------------------------------------------------------


def test_an_export_has_the_indicators(asthma: Run) -> None:
    chosen = ["--countries", ",".join(COUNTRIES), "--scenarios", SCENARIOS[1]]
    lines = asthma("export", "--format", "indicators", *chosen).stdout.splitlines()
    assert lines[0] == "country,scenario,indicator,until_year,value,unit,note"
    rows = ask(asthma)["rows"]
    cells = [line.split(",") for line in lines[1:]]
    assert [(c[0], c[2], int(c[3]), float(c[4])) for c in cells] == [
        (row["country"], row["indicator"], row["until_year"], row["value"]) for row in rows
    ]


@pytest.mark.parametrize("options", [["--labels", "Cost"], ["--only-run"], ["--all-history"]])
def test_an_export_of_indicators_is_of_a_whole_state(asthma: Run, options: list[str]) -> None:
    result = asthma("export", "--format", "indicators", *options)
    assert (result.exit_code, "indicators are of a whole state" in result.stderr) == (2, True)


def test_an_export_without_indicators_says_how_to_write_some(
    study: StudyFolder, ingest: Ingest
) -> None:
    assert ingest("run", "-q").exit_code == 0
    result = ingest("export", "--format", "indicators")
    assert (result.exit_code, "write [[indicators]] in ingest.toml" in result.stderr) == (2, True)


# --- in rules ------------------------------------------------------------------------------------

RULE = '[[rules]]\nkind = "indicator"\nindicator = "Years"\nseverity = "error"\n'


@pytest.mark.parametrize(
    ("bounds", "exit_code", "words"),
    [
        ("maximum = 300", 0, "0 errors"),
        ("minimum = 230", 3, "NAM / scale_up  Years: 220.629 is below 230"),
        ("maximum = 230", 3, "is above 230"),
    ],
)
def test_a_rule_holds_an_indicator_within_bounds(
    results: StudyFolder, ingest: Ingest, bounds: str, exit_code: int, words: str
) -> None:
    results.write_settings(f"{YEARS}{RULE}{bounds}\n")
    result = ingest("check", "--results")
    assert (result.exit_code, words in result.output) == (exit_code, True), result.output


def test_a_run_checks_the_rule_and_keeps_what_it_finds(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings(f"{YEARS}{RULE}minimum = 230\n[quality]\nfail_run = true\n")
    assert ingest("run", "-q").exit_code == 3
    query = "SELECT country, value FROM quality_findings WHERE element_label = 'Years'"
    kept = json.loads(ingest("query", query, "--json").stdout)
    rows = json.loads(ingest("indicators", "--json").stdout)["rows"]
    below = {row["country"]: row["value"] for row in rows if row["value"] < 230}
    assert {row["country"]: row["value"] for row in kept} == below
    assert 0 < len(below) < len(rows)


def test_a_rule_whose_indicator_has_no_number_is_broken(
    results: StudyFolder, ingest: Ingest
) -> None:
    results.write_settings(f"{YEARS.replace('Lived', 'Livde')}{RULE}minimum = 0\n")
    result = ingest("check", "--results")
    assert (result.exit_code, "no label Healthy Years Livde" in result.output) == (3, True)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            RULE.replace("Years", "Yaers") + "minimum = 0",
            "no indicator 'Yaers'. Did you mean Years?",
        ),
        (RULE, "a rule of kind indicator needs a minimum or a maximum"),
        (RULE.replace("indicator =", "label =") + "minimum = 0", "rule of kind indicator needs it"),
    ],
)
def test_a_rule_that_is_wrong_is_told(
    results: StudyFolder, ingest: Ingest, rule: str, message: str
) -> None:
    results.write_settings(f"{YEARS}{rule}\n")
    result = ingest("check", "--offline")
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
