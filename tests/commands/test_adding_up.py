"""The bundled study's labels in the terminal, on pages and in frames: what is summed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ingest.cli import main
from ingest.database.indicator_function import add_indicator_function
from ingest.errors import ConfigError
from ingest.questions.catalogue import load_canned_queries, sql_for
from ingest.questions.results_query import ResultsQuery
from tests.browser.questions.test_page import Site
from tests.conftest import BUNDLED_STUDY

COUNTRIES = ("DEU", "KEN", "UGA")
LAST = 2050
PREVALENCE = "Asthma Prevalence"

Call = Callable[..., Result]


def call_in(folder: Path) -> Call:
    def call(*arguments: str) -> Result:
        command = [*arguments, "--study", str(folder)]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    return call


def add_setting(folder: Path, text: str) -> None:
    with (folder / "ingest.toml").open("a") as file:
        file.write(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled study with two scenarios run in three countries."""
    folder = tmp_path_factory.mktemp("bundled") / "asthma"
    ignore = shutil.ignore_patterns("__pycache__", "*.db*", "results")
    shutil.copytree(BUNDLED_STUDY, folder, ignore=ignore)
    chosen = ("--countries", ",".join(COUNTRIES), "--scenarios", "null,all_treatments")
    assert call_in(folder)("run", *chosen).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def ask(folder: Path) -> Call:
    """Compares null with all_treatments."""
    call = call_in(folder)
    return lambda label, *more: call("compare", "null", "all_treatments", "--label", label, *more)


@pytest.fixture(scope="module")
def site(folder: Path) -> Site:
    return Site(folder / "validation_results.db")


@pytest.fixture(scope="module")
def values(folder: Path) -> Callable[[str, str, str], dict[int, float]]:
    """The series of a label, country and scenario as the database has them."""

    def read(label: str, country: str, scenario: str) -> dict[int, float]:
        with closing(sqlite3.connect(folder / "validation_results.db")) as connection:
            return dict(
                connection.execute(
                    """SELECT timestamp_year, value FROM latest_metrics
                        WHERE element_label = ? AND country = ? AND scenario = ?""",
                    [label, country, scenario],
                ).fetchall()
            )

    return read


def rows_of(result: Result) -> dict[str, dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return {row["country"]: row for row in json.loads(result.stdout)["rows"]}


@pytest.mark.parametrize("name", load_canned_queries())
def test_no_question_builds_a_filter_over_a_million_numbers(
    name: str, folder: Path, tmp_path: Path
) -> None:
    """With its statistics, SQLite may look at all numbers before it looks up a few."""
    path = tmp_path / "r.db"
    shutil.copy(folder / "validation_results.db", path)
    with closing(sqlite3.connect(path)) as connection:
        counted = "UPDATE sqlite_stat1 SET stat = '1000000 546 26 1' WHERE tbl = 'metric_values'"
        assert connection.execute(counted).rowcount
        connection.commit()
    query = load_canned_queries()[name]
    with closing(sqlite3.connect(path)) as connection:
        add_indicator_function(connection)
        names = dict.fromkeys((parameter.name for parameter in query.parameters), "")
        sql = f"EXPLAIN QUERY PLAN {sql_for(connection, query)}"
        steps = [row[3] for row in connection.execute(sql, names)]
    assert [step for step in steps if step.startswith("BLOOM FILTER ON metric_values")] == []


# --- shares --------------------------------------------------------------------------------------


def test_a_prevalence_is_no_sum_but_its_last_year(ask: Call, values: Any) -> None:
    answer = ask(PREVALENCE, "--json")
    for country, row in rows_of(answer).items():
        series = values(PREVALENCE, country, "null")
        assert row["baseline_value"] == series[LAST]
        assert sum(series.values()) > 0.6  # what it was before
    people = {c: values("Population", c, "null")[LAST] for c in COUNTRIES}
    shares = {c: values(PREVALENCE, c, "null")[LAST] for c in COUNTRIES}
    mean = sum(people[c] * shares[c] for c in COUNTRIES) / sum(people.values())
    assert json.loads(answer.stdout)["total"]["baseline_value"] == pytest.approx(mean, rel=1e-12)
    lines = ask(PREVALENCE).stdout.splitlines()
    assert lines[0] == (
        "Asthma Prevalence: all_treatments against null · share of the population, 1 January · "
        "in 2050 · mean over countries weighted by Population · as of run 1, no commit"
    )
    assert lines[-1].startswith("mean ")


def test_a_prevalence_on_the_page_and_in_a_frame(site: Site, folder: Path, values: Any) -> None:
    kenya = {s: values(PREVALENCE, "KEN", s)[LAST] for s in ("null", "all_treatments")}
    less = kenya["null"] - kenya["all_treatments"]
    chosen = {"scenario": "all_treatments", "label": PREVALENCE}
    assert site.get("compare_scenarios", country="KEN", **chosen).words == (
        f"In Kenya, Asthma Prevalence is {less:.4g} lower under all_treatments than under null "
        f"(−{100 * less / kenya['null']:.2f} %), in 2050."
    )
    assert site.get("scenario_impact", **chosen).words == (
        "Asthma Prevalence in 2050 under all_treatments, against null, in 3 countries. "
        "Germany improves most (−0.00461), Kenya least (−0.001647)."
    )
    page = site.get("/validation_results/-/country/KEN", label=PREVALENCE).text
    assert "summed over" not in page
    frame = ResultsQuery(folder / "validation_results.db").compare_scenarios(
        "null", "all_treatments", PREVALENCE
    )
    assert list(frame["baseline_value"]) == [values(PREVALENCE, c, "null")[LAST] for c in COUNTRIES]
    assert set(frame["over_years"]) == {"last"}


def test_by_year_a_share_has_no_total(ask: Call) -> None:
    lines = ask(PREVALENCE, "--by", "year").stdout.splitlines()
    assert lines[-1].split()[0] == str(LAST)
    assert "in 2050" not in lines[0]


def test_what_does_not_add_up_over_countries_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "asthma"
    shutil.copytree(folder, other)
    add_setting(other, f'[labels."{PREVALENCE}"]\nover_countries = "none"\n')
    call = call_in(other)
    again = call("run", "--countries", ",".join(COUNTRIES), "--scenarios", "null,all_treatments")
    assert "no job had to run" in again.output
    compared = ("compare", "null", "all_treatments", "--label", PREVALENCE)
    refused = call(*compared, "--by", "region")
    assert refused.exit_code == 2
    assert refused.stderr == (
        "Error: --by region: 'Asthma Prevalence' (share) does not add up over countries. Compare "
        '--by country, or say in ingest.toml how it does: [labels."Asthma Prevalence"] '
        'over_countries = "weighted:LABEL" or "mean"\n'
    )
    assert call(*compared).stdout.splitlines()[-1].startswith("UGA")  # and has no total
    assert call(*compared, "--by", "total", "--country", "KEN").exit_code == 0
    words = Site(other / "validation_results.db").get(
        "scenario_impact_by_group", scenario="all_treatments", label=PREVALENCE, group_1=""
    )
    assert words.words.startswith("Asthma Prevalence does not add up over countries.")
    results = ResultsQuery(other / "validation_results.db")
    with pytest.raises(ConfigError, match="does not add up over countries"):
        results.compare_scenarios("null", "all_treatments", PREVALENCE, by="region")
    frame = results.compare_scenarios("null", "all_treatments", by="region")
    own = frame[frame["element_label"] == PREVALENCE].set_index("region")["baseline_value"]
    assert own.isna().to_dict() == {"Europe and Central Asia": False, "Sub-Saharan Africa": True}


# --- stocks and what is cumulative ---------------------------------------------------------------


def test_people_are_not_summed_over_years(ask: Call, site: Site, values: Any) -> None:
    people = {c: values("Population", c, "null") for c in COUNTRIES}
    answer = ask("Population", "--json")
    assert {c: row["baseline_value"] for c, row in rows_of(answer).items()} == {
        c: series[LAST] for c, series in people.items()
    }
    total = json.loads(answer.stdout)["total"]["baseline_value"]
    assert total == pytest.approx(sum(series[LAST] for series in people.values()), rel=1e-12)
    assert "· people, 1 January · in 2050 ·" in ask("Population").stdout
    words = site.get("scenario_impact", scenario="all_treatments", label="Population").words
    assert words.startswith("all_treatments gives 99,243 more Population than null (+0.0409 %) in ")
    assert "in 3 countries, in 2050. Largest increase: Germany (+37,799), smallest: " in words


def test_person_years_are_there_where_they_are_asked_for(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "asthma"
    shutil.copytree(folder, other)
    add_setting(other, '[labels.Population]\nover_years = "sum"\n')
    call = call_in(other)
    call("run", "--countries", ",".join(COUNTRIES), "--scenarios", "null,all_treatments")
    result = call("compare", "null", "all_treatments", "--label", "Population", "--country", "KEN")
    assert result.stdout.startswith(
        "Population: all_treatments against null · person-years · only KEN · 2025-2050 · "
    )
    words = Site(other / "validation_results.db").get("scenario_totals", label="Population").text
    assert "unit: person-years" in words


def test_cumulative_deaths_are_those_of_the_last_year(ask: Call, site: Site, values: Any) -> None:
    deaths = values("Deceased", "KEN", "null")
    row = rows_of(ask("Deceased", "--json"))["KEN"]
    assert row["baseline_value"] == deaths[LAST] == max(deaths.values())
    assert sum(deaths.values()) > 10 * deaths[LAST]  # what it was before
    words = site.get(
        "compare_scenarios", country="KEN", scenario="all_treatments", label="Deceased"
    ).words
    assert words == (
        "In Kenya, all_treatments averts 31,572 Deceased against null (−0.323 %), by 2050."
    )


def test_a_difference_has_sums_of_what_is_summed_over_years(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "asthma"
    shutil.copytree(folder, copy)
    model = (copy / "model.json").read_text()
    other = model.replace('"lowest_growth": 0.004', '"lowest_growth": 0.005')
    (copy / "model.json").write_text(other)
    call = call_in(copy)
    assert call("run", "--countries", "DEU", "--scenarios", "null,all_treatments").exit_code == 0
    found = json.loads(call("diff", "1", "2", "--json").stdout)["series"]
    summed = {s["element_label"]: s["before_sum"] for s in found if s["before_sum"] is not None}
    assert PREVALENCE in {s["element_label"] for s in found} - summed.keys()
    assert summed.keys() >= {"Healthy Years Lived", "DALYs"}


def test_only_sums_are_discounted(ask: Call) -> None:
    refused = ask("Population", "--discount", "3%")
    assert refused.exit_code == 2
    assert (
        "'Population' (stock) is not summed over years, so it is not discounted" in refused.stderr
    )
    assert ask("DALYs", "--discount", "3%").exit_code == 0


# --- directions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("DALYs", "all_treatments averts 7.918 million DALYs against null (−32.6 %) in 3 "
         "countries, summed over 2025-2050. Germany averts most (3.472 million), Uganda least "
         "(2.129 million)."),
        ("Cost", "all_treatments costs 61.04 billion US$ more than null in 3 countries, summed "
         "over 2025-2050. Germany costs most (41.63 billion), Kenya least (9.444 billion)."),
        ("Healthy Years Lived", "all_treatments gains 5.302 million Healthy Years Lived against "
         "null (+0.0949 %) in 3 countries, summed over 2025-2050. Germany gains most "
         "(2.994 million), Uganda least (1.148 million)."),
        ("Births", "all_treatments gives 7,094 more Births than null (+0.00713 %) in 3 countries, "
         "summed over 2025-2050. Largest increase: Kenya (+3,504), smallest: Germany (+475.2)."),
    ],
)  # fmt: skip
def test_an_answer_says_what_is_good(site: Site, label: str, words: str) -> None:
    page = site.get("scenario_impact", scenario="all_treatments", label=label)
    assert page.words == words
    bars, world = page.specs
    has_direction = label != "Births"
    legend = bars["layer"][0]["encoding"]["color"].get("scale", {}).get("domain", [])
    assert (legend == ["better", "worse"]) == has_direction
    if label != "Cost":  # which is 0 without treatments, so that no per cent can be drawn
        title = world["layer"][1]["encoding"]["color"]["legend"]["title"]
        assert (
            title
            == {
                "DALYs": "← better · % · worse →",
                "Healthy Years Lived": "← worse · % · better →",
                "Births": "%",
            }[label]
        )
