"""`ingest economics` on numbers made by hand, against sums that SQL and plain arithmetic give."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from python_calamine import CalamineWorkbook

from ingest.cli import main
from ingest.database import ValidationDatabase
from ingest.database.kept_economics import economics_content
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunStatus
from ingest.database.study_settings import keep_definitions
from ingest.database.write import keep_study
from ingest.metrics import Metric, ResultSet
from ingest.study.combination import Combination
from ingest.study.label import Label
from ingest.study.settings import load_settings
from tests.conftest import BUNDLED_STUDY, PROJECT, Ingest, StudyFolder
from tests.questions.test_canned_queries import COUNTRIES, INPUTS, NOW, REASON, RECORD
from tests.questions.test_cost_effectiveness import HIV_SCREENING

SETTINGS = """
[economics]
cost = "Cost"
effect = "Healthy Years Lived"
baseline = "null"
currency = "US$"
currency_year = 2020
population = "Population"
thresholds = [50, "2 x gdp"]
[[economics.benefits]]
name = "social"
effect = "Healthy Years Lived"
value = "1 x gdp"
[[economics.benefits]]
name = "productivity"
effect = "DALYs"
value = 10
"""
LABELS = [
    Label("Cost", "US$"),
    Label("Healthy Years Lived", "years", better="higher"),
    Label("DALYs", "years", better="lower"),
    Label("Population", "people", kind="stock", over_years="last"),
    Label("Coverage", "share", kind="share", over_years="last", over_countries="none"),
]
GDP = {"KEN": 20.0, "UGA": 30.0}
Numbers = Mapping[str, Sequence[float]]
YEARS = (2025, 2026, 2027)


def numbers(cost: Sequence[float], healthy: Sequence[float], dalys: float = 5) -> Numbers:
    people = (1000, 1100, 1200)
    return {
        "Cost": cost, "Healthy Years Lived": healthy, "DALYs": [dalys] * 3, "Population": people,
        "Coverage": [0.5] * 3,
    }  # fmt: skip


NULL = numbers((0, 0, 0), (100, 100, 100))
STORED = {
    ("KEN", "null"): NULL,
    ("KEN", "cheap"): numbers((100, 50, 50), (101, 102, 103), 4),
    ("KEN", "dear"): numbers((500, 500, 500), (102, 103, 104), 3),
    ("UGA", "null"): numbers((10, 10, 10), (50, 50, 50)),
    ("UGA", "cheap"): numbers((5, 5, 5), (51, 51, 51)),
    ("UGA", "dear"): numbers((90, 90, 90), (50, 50, 50)),
    ("TZA", "null"): NULL,
    ("TZA", "cheap"): numbers((100, 50, 50), (101, 102, 103)),
    ("NAM", "cheap"): NULL,
}


def store(study: StudyFolder, stored: Mapping[tuple[str, str], Numbers]) -> None:
    """One run with these results."""
    jobs = [
        JobRecord(Combination(*names), f"{number:026d}", "job", INPUTS, REASON)
        for number, names in enumerate(stored)
    ]
    with ValidationDatabase(study.database).writing() as database:
        keep_study(database.db, COUNTRIES, [], LABELS)
        run_id = database.start_validation_run(RECORD, jobs, {})
        for names, values in stored.items():
            metrics = [
                Metric(label, YEARS[0] + i, float(value))
                for label, of_label in values.items()
                for i, value in enumerate(of_label)
            ]
            outcome = JobOutcome(
                Combination(*names), JobStatus.SUCCESS, NOW, 1, 0.5, ResultSet(metrics)
            )
            database.record_job_result(run_id, outcome)
        database.update_run_status(run_id, RunStatus.COMPLETED, NOW)


@pytest.fixture
def stored(study: StudyFolder) -> StudyFolder:
    study.write_settings(SETTINGS, 'name = "tiny"\ncountry_values = "gdp.csv"')
    rows = "".join(f"{iso3},{value}\n" for iso3, value in GDP.items())
    (study.root / "gdp.csv").write_text(f"iso3,gdp\n{rows}")
    store(study, STORED)
    return study


def answer(ingest: Ingest, *arguments: str) -> dict[str, Any]:
    result = ingest("economics", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def rows_of(found: dict[str, Any], *keys: str) -> dict[tuple[str, ...], dict[str, Any]]:
    return {tuple(row[key] for key in keys): row for row in found["rows"]}


def sql_sum(
    study: StudyFolder, label: str, scenario: str, countries: Sequence[str], rate: float
) -> float:
    """The discounted sum by SQL over the view that people query."""
    marks = ", ".join("?" * len(countries))
    query = f"""SELECT timestamp_year, sum(value) FROM metrics WHERE element_label = ?
                   AND scenario = ? AND country IN ({marks}) GROUP BY timestamp_year"""
    with closing(sqlite3.connect(study.database)) as connection:
        found = connection.execute(query, [label, scenario, *countries]).fetchall()
    return sum(value / (1 + rate) ** (year - YEARS[0]) for year, value in found)


# --- cost-effectiveness --------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--undiscounted"]])
@pytest.mark.parametrize(
    ("by", "group", "countries"),
    [
        ("country", "KEN", ["KEN"]), ("country", "UGA", ["UGA"]),
        ("region", "East", ["KEN", "UGA"]), ("income_group", "Low", ["KEN"]),
        ("total", "total", ["KEN", "UGA"]),
    ],
)  # fmt: skip
def test_costs_effects_and_ratios_are_those_of_plain_sql(
    stored: StudyFolder, ingest: Ingest, by: str, group: str, countries: list[str],
    options: list[str],
) -> None:  # fmt: skip
    found = answer(ingest, "--by", "country,region,income_group,total", *options)
    rows = rows_of(found, "by", "group", "scenario")
    rate = 0.0 if options else 0.03
    assert (found["discount_cost"], found["discount_effect"]) == (rate, rate)
    cost, effect = (
        {s: sql_sum(stored, label, s, countries, rate) for s in ("null", "cheap", "dear")}
        for label in ("Cost", "Healthy Years Lived")
    )
    for scenario in ("null", "cheap", "dear"):
        row = rows[by, group, scenario]
        assert row["cost"] == pytest.approx(cost[scenario], rel=1e-12)
        assert row["effect"] == pytest.approx(effect[scenario], rel=1e-12)
        assert row["countries"] == len(countries)
        if scenario != "null":
            extra, gained = cost[scenario] - cost["null"], effect[scenario] - effect["null"]
            assert row["extra_cost"] == pytest.approx(extra, rel=1e-9)
            assert row["effect_gained"] == pytest.approx(gained, rel=1e-9)
            is_ratio = extra > 0 and gained > 0
            assert row["icer"] == (pytest.approx(extra / gained) if is_ratio else None)


def test_each_mark_is_there(stored: StudyFolder, ingest: Ingest) -> None:
    rows = rows_of(answer(ingest, "--by", "country", "--undiscounted"), "group", "scenario")
    cheap = rows["UGA", "cheap"]
    assert (cheap["mark"], cheap["icer"]) == ("cost-saving", None)
    assert cheap["quadrant"] == "costs less, gains more"
    assert (rows["UGA", "dear"]["mark"], rows["UGA", "dear"]["icer"]) == (
        "dominated by the baseline", None,
    )  # fmt: skip
    assert rows["UGA", "dear"]["dominated_by"] == ["cheap"]
    assert rows["UGA", "null"]["status"] == "dominated"
    dear = rows["KEN", "dear"]
    assert (dear["next"], dear["next_icer"]) == ("cheap", (1500 - 200) / (9 - 6))
    assert dear["icer"] == 1500 / 9


def of_one_year(cost: float, effect: float) -> Numbers:
    return numbers((cost, 0, 0), (effect, 0, 0))


def test_the_published_example_comes_out(study: StudyFolder, ingest: Ingest) -> None:
    text = SETTINGS.partition("[[")[0].replace('[50, "2 x gdp"]', "[50_000, 100_000]")
    study.write_settings(text.replace('baseline = "null"', 'baseline = "status quo"'))
    store(study, {("KEN", s.name): of_one_year(s.cost, s.effect) for s in HIV_SCREENING})
    found = answer(ingest, "-c", "KEN")
    assert [(row["scenario"], row["status"], row["next_icer"]) for row in found["rows"]] == [
        ("status quo", "on the frontier", None),
        ("one time", "on the frontier", pytest.approx(37_500)),
        ("every 5 years", "on the frontier", pytest.approx(58_286, abs=0.5)),
        ("every 3 years", "on the frontier", pytest.approx(100_800)),
        ("every year", "dominated", None),
    ]
    best = [[row["scenario"] for row in found["rows"] if row["thresholds"][n]["best"]]
            for n in (0, 1)]  # fmt: skip
    assert best == [["one time"], ["every 5 years"]]
    lines = ingest("economics", "-c", "KEN").stdout.splitlines()
    on_the_frontier = [line for line in lines if "37,500" in line or "100,800" in line]
    assert [line.split()[0] for line in on_the_frontier] == ["one", "every"]


def test_scenarios_that_are_the_same_or_between_two_others_say_so(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_settings(SETTINGS.partition("[[")[0].replace('"2 x gdp"', "60"))
    points = {"null": (0, 100), "twin": (0, 100), "between": (100, 101), "far": (140, 103)}
    store(study, {("KEN", name): of_one_year(*point) for name, point in points.items()})
    rows = rows_of(answer(ingest, "-c", "KEN"), "scenario")
    twin, between = rows["twin",], rows["between",]
    assert (twin["status"], twin["dominated_by"]) == ("same as another", ["null"])
    assert (twin["mark"], twin["icer"]) == ("no difference", None)
    assert (between["status"], between["dominated_by"]) == ("extendedly dominated", ["null", "far"])
    stdout = ingest("economics", "-c", "KEN").stdout
    assert "same as null" in stdout
    assert "extendedly dominated" in stdout


def test_thresholds_are_numbers_or_multiples_of_a_column(
    stored: StudyFolder, ingest: Ingest
) -> None:
    rows = rows_of(answer(ingest, "--by", "country,total", "--undiscounted"), "group", "scenario")
    fixed, multiple = rows["KEN", "cheap"]["thresholds"]
    assert (fixed["threshold"], fixed["value"]) == ("50", 50)
    assert (fixed["net_benefit"], fixed["cost_effective"]) == (50 * 6 - 200, True)
    assert (multiple["threshold"], multiple["value"]) == ("2 x gdp", 40)
    assert [t["best"] for t in rows["KEN", "cheap"]["thresholds"]] == [True, True]
    assert rows["KEN", "dear"]["thresholds"][0]["cost_effective"] is False
    # in total the mean by people: 1000 in both
    assert rows["total", "cheap"]["thresholds"][1]["value"] == 2 * (20 + 30) / 2


def test_a_country_without_gdp_is_named_and_has_no_threshold(
    stored: StudyFolder, ingest: Ingest
) -> None:
    arguments = ("--by", "country,total", "--scenarios", "cheap")
    rows = rows_of(answer(ingest, *arguments), "group", "scenario")
    unknown = rows["TZA", "cheap"]["thresholds"][1]
    assert (unknown["value"], unknown["net_benefit"], unknown["best"]) == (None, None, None)
    assert (unknown["without"], unknown["note"]) == (["TZA"], "no gdp")
    assert rows["total", "cheap"]["countries"] == 3
    assert rows["total", "cheap"]["thresholds"][1]["without"] == ["TZA"]
    assert "countries without gdp: TZA" in ingest("economics", *arguments).stderr


def test_without_a_label_of_people_groups_have_no_mean(stored: StudyFolder, ingest: Ingest) -> None:
    arguments = ("--set", "economics.population=")
    (row, *_) = answer(ingest, *arguments)["rows"]
    assert row["thresholds"][1]["value"] is None
    assert "population is not set" in row["thresholds"][1]["note"]


def test_countries_that_lack_a_scenario_are_in_no_group_and_named(
    stored: StudyFolder, ingest: Ingest
) -> None:
    result = ingest("economics")
    assert "total, 2 of 4 countries" in result.stdout
    assert result.stderr.startswith(
        "(groups have 2 of 4 countries; left out: NAM (no results of null), "
        "TZA (no results of dear))"
    )
    found = answer(ingest, "--by", "country")
    assert found["left_out"] == {"NAM": "no results of null", "TZA": "no results of dear"}
    assert {row["group"] for row in found["rows"]} == {"KEN", "TZA", "UGA"}


def test_a_burden_is_averted(stored: StudyFolder, ingest: Ingest) -> None:
    arguments = ("--set", "economics.effect=DALYs", "--undiscounted", "-c", "KEN")
    rows = rows_of(answer(ingest, *arguments), "scenario")
    assert (rows["cheap",]["effect"], rows["cheap",]["effect_gained"]) == (12, 3)
    assert rows["cheap",]["icer"] == 200 / 3
    assert "DALYs averted" in ingest("economics", *arguments).stdout


def test_rates_and_base_year_may_differ(stored: StudyFolder, ingest: Ingest) -> None:
    options = ("discount_cost=0.05", "discount_effect=0", "base_year=2027")
    found = answer(ingest, "-c", "KEN", *(f"--set=economics.{each}" for each in options))
    rows = rows_of(found, "scenario")
    assert rows["cheap",]["cost"] == pytest.approx(100 * 1.05**2 + 50 * 1.05 + 50, rel=1e-12)
    assert rows["cheap",]["effect"] == 306


def test_the_table_is_read_at_once(stored: StudyFolder, ingest: Ingest) -> None:
    stdout = ingest("economics", "-c", "KEN", "--undiscounted").stdout
    assert stdout == (
        "Cost of Healthy Years Lived gained against null · US$ 2020 · 2025-2027 · not discounted · "
        f"as of run 1, commit {'c' * 7}\n\n"
        "Kenya (KEN)\n\n"
        "scenario      cost        Healthy    extra cost    gained    cost per unit      on the"
        "    net benefit    net benefit\n"
        "                      Years Lived                                   gained    frontier"
        "          at 50          at 40\n"
        "----------  ------  -------------  ------------  --------  ---------------  ----------"
        "  -------------  -------------\n"
        "null             0            300      baseline                               cheapest"
        "              0              0\n"
        "cheap          200            306          +200        +6            33.33       33.33"
        "    +100 (best)     +40 (best)\n"
        "dear         1,500            309        +1,500        +9            166.7       433.3"
        "         −1,050         −1,140\n"
        "Best at 50 (50): cheap\n"
        "Best at 2 x gdp (40): cheap\n\n"
        "A net benefit above 0 is worth its cost at that threshold; the best has the largest. On "
        "the frontier, the ratio is against the one before.\n"
    )


def test_csv_has_a_column_for_each_number(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("economics", "--by", "country,total", "--undiscounted", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    (cheap,) = [row for row in rows if (row["group"], row["scenario"]) == ("KEN", "cheap")]
    assert float(cheap["icer"]) == 200 / 6
    assert (cheap["threshold_2"], cheap["threshold_2_value"]) == ("2 x gdp", "40.0")
    assert float(cheap["threshold_1_net_benefit"]) == 100


# --- investment cases ----------------------------------------------------------------------------


@pytest.mark.parametrize(("prefix", "rate"), [("", 0.0), ("discounted_", 0.03)])
@pytest.mark.parametrize(
    ("by", "group", "countries"),
    [
        ("country", "KEN", ["KEN"]), ("total", "total", ["KEN", "UGA"]),
        ("region", "East", ["KEN", "UGA"]),
    ],
)  # fmt: skip
def test_costs_and_benefits_are_those_of_plain_sql(
    stored: StudyFolder, ingest: Ingest, by: str, group: str, countries: list[str], prefix: str,
    rate: float,
) -> None:  # fmt: skip
    found = answer(ingest, "--investment-case", "--by", "country,region,total")
    row = rows_of(found, "by", "group", "scenario")[by, group, "dear"]

    def extra(label: str, country: str) -> float:
        new, old = (sql_sum(stored, label, s, [country], rate) for s in ("dear", "null"))
        return new - old

    cost = sum(extra("Cost", each) for each in countries)
    social = sum(extra("Healthy Years Lived", each) * GDP[each] for each in countries)
    productivity = sum(-10 * extra("DALYs", each) for each in countries)
    benefit = social + productivity
    assert row[f"{prefix}extra_cost"] == pytest.approx(cost, rel=1e-9)
    assert row[f"{prefix}benefit_social"] == pytest.approx(social, rel=1e-9)
    assert row[f"{prefix}benefit_productivity"] == pytest.approx(productivity, rel=1e-9)
    assert row[f"{prefix}net_benefit"] == pytest.approx(benefit - cost, rel=1e-9)
    assert row[f"{prefix}benefit_cost_ratio"] == pytest.approx(benefit / cost, rel=1e-9)
    assert row[f"{prefix}return_on_investment"] == pytest.approx(benefit / cost - 1, rel=1e-9)
    people = 3300 * len(countries)
    assert row[f"{prefix}cost_per_person_year"] == pytest.approx(cost / people, rel=1e-9)


def test_each_horizon_has_its_sums_and_each_year_what_came_together(
    stored: StudyFolder, ingest: Ingest
) -> None:
    arguments = ("--investment-case", "-c", "KEN", "-s", "cheap")
    found = answer(ingest, *arguments, "--set", "economics.horizon=2026,2027")
    assert [(row["horizon"], row["extra_cost"]) for row in found["rows"]] == [
        (2026, 150), (2027, 200),
    ]  # fmt: skip
    # 20 and 10 a year lived; 1, 2 and 3 of one, 1 a year of the other
    assert [row["benefit"] for row in found["years"]] == [30, 50, 70]
    assert [row["net_so_far"] for row in found["years"]] == [-70, -70, -50]
    assert [row["break_even_year"] for row in found["rows"]] == [None, None]
    lines = ingest("economics", *arguments, "--years").stdout.splitlines()
    assert lines[-1].split()[:6] == ["2027", "+50", "+60", "+10", "+20", "−50"]


def test_what_saves_has_no_ratio(stored: StudyFolder, ingest: Ingest) -> None:
    found = answer(ingest, "--investment-case", "-c", "UGA", "-s", "cheap")
    (row,) = found["rows"]
    assert (row["mark"], row["benefit_cost_ratio"], row["return_on_investment"]) == (
        "cost-saving", None, None,
    )  # fmt: skip
    assert row["break_even_year"] is None
    assert "cost-saving" in ingest("economics", "--investment-case", "-c", "UGA").stdout


def test_countries_without_gdp_are_left_out_of_costs_and_benefits(
    stored: StudyFolder, ingest: Ingest
) -> None:
    arguments = ("--investment-case", "-s", "cheap")
    (row,) = answer(ingest, *arguments)["rows"]
    assert (row["countries"], row["of_countries"], row["without"]) == (2, 4, ["TZA"])
    assert row["extra_cost"] == 200 - 15
    assert "because they have no gdp: TZA" in ingest("economics", *arguments).stderr


def test_money_is_discounted_at_the_rate_of_costs(stored: StudyFolder, ingest: Ingest) -> None:
    options = ("--set", "economics.discount_cost=0.1", "--set", "economics.discount_effect=0")
    arguments = ("--investment-case", "-c", "KEN", "-s", "cheap")
    (row,) = answer(ingest, *arguments, *options)["rows"]
    assert row["discounted_extra_cost"] == pytest.approx(100 + 50 / 1.1 + 50 / 1.21)
    assert row["discounted_benefit"] == pytest.approx(30 + 50 / 1.1 + 70 / 1.21)


def test_break_even_is_the_year_from_which_costs_are_covered(
    study: StudyFolder, ingest: Ingest
) -> None:
    text = SETTINGS.replace('"2 x gdp"', "60").replace('"1 x gdp"', "20")
    study.write_settings(text.partition('[[economics.benefits]]\nname = "productivity"')[0])
    store(study, {
        ("KEN", "null"): NULL,
        # nothing is paid in the first year; it pays off, fails again, pays off for good
        ("KEN", "late"): numbers((0, 20, 30), (100, 101, 102)),
        ("KEN", "never"): numbers((100, 0, 0), (101, 101, 101)),
        ("KEN", "third"): numbers((30, 10, 0), (101, 101, 101)),
        ("KEN", "less"): numbers((0, -10, 0), (100, 99, 99)),
    })  # fmt: skip
    rows = rows_of(answer(ingest, "--investment-case", "-c", "KEN"), "scenario")
    assert {name: row["break_even_year"] for (name,), row in rows.items()} == {
        "late": 2026, "never": None, "third": 2026, "less": None,
    }  # fmt: skip
    assert rows["less",]["mark"] == "saves, brings less"
    stdout = ingest("economics", "--investment-case", "-c", "KEN", "-s", "never").stdout
    assert stdout.splitlines()[-1].split()[-2:] == ["not", "reached"]


def test_a_workbook_has_the_numbers_of_the_json(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path
) -> None:
    rows = answer(ingest, "--by", "country,total")["rows"]
    path = str(tmp_path / "a.xlsx")
    assert ingest("economics", "--by", "country,total", "--xlsx", path).exit_code == 0
    book = CalamineWorkbook.from_path(path)
    assert book.sheet_names == ["Cost-effectiveness", "Notes"]
    head, *cells = book.get_sheet_by_name("Cost-effectiveness").to_python()
    place = head.index("icer")
    assert [cell[place] or None for cell in cells] == pytest.approx([row["icer"] for row in rows])
    assert ingest("economics", "--xlsx", path).exit_code == 2
    again = ingest("economics", "--investment-case", "--xlsx", path, "--force")
    assert again.exit_code == 0
    names = CalamineWorkbook.from_path(path).sheet_names
    assert names == ["Investment case", "Years", "Notes"]


# --- what is wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["economics.cost=Costs"], "economics.cost: no label or indicator 'Costs'. Did you mean"),
        (["economics.effect=Coverage"], "'Coverage' (share) is not summed over years."),
        (["economics.baseline=nul"], "no results of scenario 'nul' as of run 1"),
        (["economics.horizon=2060"], "[economics] counts 2025-2060, but the results have "
                                     "2025-2027. Change start_year or horizon, or cut it"),
        (["economics.start_year=2020"], "counts 2020-2027, but the results have 2025-2027"),
        (["economics.discount_cost=3"], "economics.discount_cost: 3 a year is 300%"),
        (["economics.thresholds=1 x gpd"], "no column 'gpd' in gdp.csv"),
    ],
)  # fmt: skip
def test_what_cannot_be_evaluated_is_an_error(
    stored: StudyFolder, ingest: Ingest, options: list[str], words: str
) -> None:
    result = ingest("economics", *(f"--set={each}" for each in options))
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""


def test_a_label_without_a_good_direction_is_no_effect(stored: StudyFolder, ingest: Ingest) -> None:
    with closing(sqlite3.connect(stored.database)) as connection, connection:
        connection.execute("UPDATE labels SET better = 'none'")
    result = ingest("economics")
    assert result.exit_code == 2
    assert "nobody says whether more or less of 'Healthy Years Lived' is better" in result.stderr


def test_a_partial_horizon_is_told_where_it_is_allowed(stored: StudyFolder, ingest: Ingest) -> None:
    options = ("--set", "economics.horizon=2060", "--set", "economics.allow_partial=true")
    assert answer(ingest, *options)["last_year"] == 2027
    result = ingest("economics", *options)
    assert "(years: asked for 2025-2060, the results have 2025-2027)" in result.stderr


def test_no_country_with_the_baseline_is_an_error(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings(SETTINGS.replace('"2 x gdp"', "60").replace('"1 x gdp"', "60"))
    store(study, {("KEN", "cheap"): NULL, ("UGA", "null"): NULL})
    result = ingest("economics")
    assert result.exit_code == 2
    assert "no country has results of the baseline null and of another scenario" in result.stderr
    assert "KEN: no results of null; UGA: no results of cheap" in result.stderr


def test_a_study_without_the_section_is_told_what_to_write(
    study: StudyFolder, ingest: Ingest
) -> None:
    store(study, STORED)
    result = ingest("economics")
    assert result.exit_code == 2
    assert 'cost = "Cost"' in result.stderr


def test_an_investment_case_needs_benefits(stored: StudyFolder, ingest: Ingest) -> None:
    stored.write_settings(SETTINGS.partition("[[")[0].replace('"2 x gdp"', "60"))
    assert ingest("economics").exit_code == 0
    result = ingest("economics", "--investment-case")
    assert result.exit_code == 2
    assert "no [[economics.benefits]]" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--years"], "--years goes with --investment-case"),
        (["--undiscounted", "--investment-case"], "no --undiscounted"),
        (["--by", "regoin"], "--by regoin: groups are country, total, region"),
        (["-c", "XYZ"], "XYZ"),
        (["17"], "no run '17'"),
    ],
)
def test_options_that_do_not_fit_are_told(
    stored: StudyFolder, ingest: Ingest, arguments: list[str], words: str
) -> None:
    result = ingest("economics", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


# --- indicators as cost and effect ---------------------------------------------------------------

INDICATORS = """
[[indicators]]
name = "Burden averted"
labels = ["DALYs", "-Healthy Years Lived"]
sense = "averted"
scale = 2
unit = "years"
until = 2026
discount = 0.05
[[indicators]]
name = "Cost per DALY"
ratio = ["Burden averted", "Burden averted"]
[[indicators]]
name = "Peak"
labels = ["DALYs"]
aggregate = "max"
[[indicators]]
name = "Mixed"
labels = ["Cost", "DALYs"]
"""


def with_indicators(stored: StudyFolder) -> None:
    stored.write_settings(
        SETTINGS + INDICATORS.replace('unit = "years"\n', ""),
        'name = "tiny"\ncountry_values = "gdp.csv"',
    )


def test_an_indicator_is_an_effect_over_the_years_of_economics(
    stored: StudyFolder, ingest: Ingest
) -> None:
    with_indicators(stored)
    arguments = ("--set", "economics.effect=Burden averted", "--undiscounted", "-c", "KEN")
    rows = rows_of(answer(ingest, *arguments), "scenario")
    # DALYs 15 -> 12, healthy years 300 -> 306, twice
    assert rows["cheap",]["effect_gained"] == 2 * (3 + 6)
    assert rows["cheap",]["icer"] == pytest.approx(200 / 18)
    assert ingest("economics", *arguments).stdout.startswith("Cost of Burden averted against null")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Cost per DALY", "indicator 'Cost per DALY' is no sum of labels over years"),
        ("Peak", "indicator 'Peak' is no sum of labels over years"),
        ("Mixed", "its labels have different units: Cost is in US$; DALYs is in years"),
        ("Burden", "no label or indicator 'Burden'"),
    ],
)
def test_an_indicator_that_is_no_sum_is_refused(
    stored: StudyFolder, ingest: Ingest, name: str, words: str
) -> None:
    with_indicators(stored)
    for key in ("cost", "effect"):
        result = ingest("economics", "--set", f"economics.{key}={name}")
        assert result.exit_code == 2
        assert words in result.stderr


def test_the_baseline_of_the_study_is_taken_where_economics_names_none(
    stored: StudyFolder, ingest: Ingest
) -> None:
    arguments = ("--set", "economics.baseline=", "-c", "KEN")
    assert answer(ingest, *arguments)["baseline"] == "null"
    assert answer(ingest, *arguments, "--set", "study.baseline=dear")["baseline"] == "dear"


def test_without_the_study_the_section_is_the_one_that_was_kept(
    stored: StudyFolder, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = load_settings(stored.root / "ingest.toml", {}, ["economics.base_year=2026"])
    with ValidationDatabase(stored.database).writing() as database:
        keep_definitions(database.db, settings)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    arguments = ("--by", "country,total", "--database", str(stored.database))
    found = answer(ingest, *arguments)
    assert found["base_year"] == 2026
    (multiple,) = [row["thresholds"][1] for row in found["rows"] if row["group"] == "UGA"][:1]
    assert multiple["value"] == 60
    assert ingest("economics", "--investment-case", *arguments).exit_code == 0


def test_a_file_of_values_that_is_gone_stops_no_run(stored: StudyFolder) -> None:
    (stored.root / "gdp.csv").unlink()
    settings, _ = load_settings(stored.root / "ingest.toml", {})
    assert economics_content(settings)["values"] == {}


# --- ingest check --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("cost=Csot", "economics.cost: no label or indicator 'Csot'. Did you mean Cost?"),
        ("baseline=nul", "economics.baseline: no scenario 'nul'. Did you mean null?"),
        ("horizon=2060", "economics.horizon: 2060 is outside the years of the model (2025-2027)"),
        ("start_year=2020", "economics.start_year: 2020 is outside the years of the model"),
        ("population=Poeple", "economics.population: no label 'Poeple'"),
        ("thresholds=1 x gpd", "economics: no column 'gpd' in gdp.csv. Did you mean gdp?"),
    ],
)
def test_check_tells_what_does_not_fit(
    stored: StudyFolder, ingest: Ingest, option: str, words: str
) -> None:
    result = ingest("check", "--set", f"economics.{option}")
    assert result.exit_code == 2
    assert f"Error: ingest.toml: {words}" in result.stderr


def test_check_names_countries_without_a_value(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("check")
    assert result.exit_code == 0
    assert "Warning: ingest.toml: economics: 2 countries without gdp: TZA, NAM" in result.stderr


@pytest.mark.parametrize(
    ("cost", "currency", "is_told"),
    [
        ("Cost", "EUR", True),
        ("Cost", "US", False),
        ("Cost", "us$", False),
        ("Cost", "", False),
        ("Spent", "US$", True),
        ("Spent", "KES", False),
    ],
)
def test_a_cost_in_another_currency_is_told(
    stored: StudyFolder, ingest: Ingest, cost: str, currency: str, is_told: bool
) -> None:
    with (stored.root / "ingest.toml").open("a") as file:
        file.write('[[indicators]]\nname = "Spent"\nlabels = "Cost"\nunit = "million KES"\n')
    chosen = ("--set", f"economics.currency={currency}", "--set", f"economics.cost={cost}")
    unit = "US$" if cost == "Cost" else "million KES"
    words = f"economics.currency is {currency}, but {cost!r} is in {unit}."
    for command in ("check", "economics"):
        result = ingest(command, *chosen)
        assert result.exit_code == 0, result.stderr
        assert (words in result.stderr, "economics.currency" in result.stderr) == (is_told,) * 2


@pytest.mark.parametrize(
    ("unit", "currency", "told"),
    [
        ("EUR", "US$", "economics.currency is US$, but the benefit 'Wages' is in EUR"),
        ("million €", "US$", "economics.currency is US$, but the benefit 'Wages' is in million €"),
        ("EUR", "", "'Cost' is in US$, but the benefit 'Wages' is in EUR"),
        ("US$ 2015", "US$", ""),
        ("million $", "", ""),
        ("years", "US$", ""),
        ("ICS doses", "US$", ""),
    ],
)
def test_a_benefit_in_another_currency_is_told(
    stored: StudyFolder, ingest: Ingest, unit: str, currency: str, told: str
) -> None:
    with (stored.root / "ingest.toml").open("a") as file:
        file.write('[[economics.benefits]]\nname = "work"\neffect = "Wages"\nvalue = 1\n')
        file.write('[[indicators]]\nname = "Wages"\nlabels = "Healthy Years Lived"\n')
        file.write(f'sense = "gained"\nunit = "{unit}"\n')
    chosen = ("--set", f"economics.currency={currency}")
    for command in (("check",), ("economics", "--investment-case")):
        result = ingest(*command, *chosen)
        assert result.exit_code == 0, result.stderr
        assert ("the benefit" in result.stderr) == bool(told)
        assert told in result.stderr


@pytest.mark.parametrize("cell", ["0", "-5", "inf", "n/a", "1,5"])
def test_a_value_of_a_country_that_is_none_is_refused(
    stored: StudyFolder, ingest: Ingest, cell: str
) -> None:
    (stored.root / "gdp.csv").write_text(f'iso3,gdp\nKEN,"{cell}"\n')
    words = f"gdp.csv: gdp of KEN is '{cell}', no number above 0; leave the cell blank"
    for command in ("check", "economics"):
        result = ingest(command)
        assert (result.exit_code, words in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("discount_cost=3", "discount_cost: 3 a year is 300%; a rate is 0 to 0.3. For 3 %, write"),
        ("discount_effect=1.5", "discount_effect: 1.5 a year is 150%"),
        ("discount_effect=-0.03", "discount_effect: must be at least 0, not -0.03"),
        ("base_year=25", "base_year: 25 is no year from 1900 to 2300"),
        ("thresholds=0", "thresholds: 0 must be more than 0"),
    ],
)
def test_rates_years_and_thresholds_are_refused_by_every_command(
    stored: StudyFolder, ingest: Ingest, option: str, words: str
) -> None:
    for command in ("check", "economics", "indicators"):
        result = ingest(command, "--set", f"economics.{option}")
        assert (result.exit_code, words in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("people", [0, -1000])
def test_without_people_there_is_nothing_to_divide_by(
    stored: StudyFolder, ingest: Ingest, people: int
) -> None:
    with closing(sqlite3.connect(stored.database)) as connection, connection:
        connection.execute(
            """UPDATE metric_values SET value = ? WHERE element_id = (
                   SELECT element_id FROM elements WHERE element_label = 'Population')""",
            [people],
        )
    (row, *_) = answer(ingest)["rows"]
    assert row["thresholds"][1]["value"] is None
    assert row["thresholds"][1]["note"] == "no people in 2025 to weigh by"
    case = answer(ingest, "--investment-case")["rows"][0]
    assert case["cost_per_person_year"] is None
    assert case["extra_cost"] is not None


# --- the bundled study ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_bundled_study_equals_plain_sql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(BUNDLED_STUDY, tmp_path / "asthma")
    study = StudyFolder.at(tmp_path / "asthma")
    monkeypatch.chdir(study.root)

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False)

    assert call("run", "--quiet", "--countries", "KEN,UGA,IND").exit_code == 0
    facts = list(csv.DictReader(io.StringIO((study.root / "country_facts.csv").read_text())))
    income = {row["iso3"]: float(row["income_per_person"]) for row in facts}
    rows = rows_of(answer(call, "--by", "country,region,total"), "by", "group", "scenario")
    groups = {
        ("country", "KEN"): ["KEN"],
        ("region", "Sub-Saharan Africa"): ["KEN", "UGA"],
        ("total", "total"): ["IND", "KEN", "UGA"],
    }
    for group, countries in groups.items():
        cost, null_cost, healthy, null_healthy = (
            sql_sum(study, label, scenario, countries, 0.03)
            for label in ("Cost", "Healthy Years Lived")
            for scenario in ("all_treatments", "null")
        )
        row = rows[(*group, "all_treatments")]
        ratio = (cost - null_cost) / (healthy - null_healthy)
        assert row["icer"] == pytest.approx(ratio, rel=1e-9)
        # at such a rate nothing but the first year counts
        people = {c: sql_sum(study, "Population", "null", [c], 1e9) for c in countries}
        mean = sum(people[c] * income[c] for c in countries) / sum(people.values())
        assert row["thresholds"][1]["value"] == pytest.approx(mean, rel=1e-9)
        assert row["thresholds"][1]["net_benefit"] == pytest.approx(
            mean * (healthy - null_healthy) - (cost - null_cost), rel=1e-9
        )
    # what docs/economics.md works through by hand
    page = (PROJECT / "docs" / "economics.md").read_text()
    printed = call("economics", "--countries", "KEN", "--scenarios", "inhaled*").stdout
    assert printed.partition("\n\n")[2].rpartition("\n\n")[0] in page
    (row,) = answer(call, "-c", "KEN", "-s", "inhaled*", "--investment-case")["rows"][-1:]
    assert f"{row['discounted_extra_cost']:,.0f}" in page
    assert f"{row['discounted_benefit']:,.0f} / 857,972,873 = 1.96" in page
