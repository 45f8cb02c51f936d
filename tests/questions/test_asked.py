from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.charts.question_charts import question_chart
from ingest.database import ValidationDatabase
from ingest.database.files import open_for_reading
from ingest.database.write import keep_study
from ingest.errors import ConfigError
from ingest.questions.asked import AskedQuestion, chart_subtitle, describe_question, resolve_values
from ingest.questions.catalogue import run_canned_query
from ingest.questions.files import CannedQuery, parse_canned_query
from ingest.study.label import Label
from tests.questions.test_canned_queries import (
    HEAD,
    LABEL,
    QUERIES,
    connection,
    empty,
    store_two_runs,
)

__all__ = ["connection", "empty"]  # fixtures


def resolve(connection: sqlite3.Connection, name: str, **given: str) -> dict[str, str]:
    return resolve_values(connection, QUERIES[name], given)


def ask(connection: sqlite3.Connection, name: str, **given: str) -> AskedQuestion:
    return describe_question(connection, QUERIES[name], resolve(connection, name, **given))


# --- values --------------------------------------------------------------------------------------


def test_a_question_without_parameters_has_its_defaults(connection: sqlite3.Connection) -> None:
    assert resolve(connection, "compare_scenarios") == {
        "run": "2",
        "country": "KEN",
        "baseline": "null",
        "scenario": "up",
        "label": LABEL,
        "until": "",
        "discount_rate": "0%",
        "base_year": "",
        "consistent": "",
    }


@pytest.mark.parametrize("name", QUERIES)
def test_resolving_what_was_resolved_changes_nothing(
    name: str, connection: sqlite3.Connection
) -> None:
    values = resolve(connection, name)
    assert resolve(connection, name, **values) == values


@pytest.mark.parametrize("name", QUERIES)
def test_an_empty_database_has_no_values_and_no_error(name: str, empty: sqlite3.Connection) -> None:
    values = resolve(empty, name)
    asked = describe_question(empty, QUERIES[name], values)
    assert asked.run is None
    assert run_canned_query(empty, QUERIES[name], values)[1] == []


@pytest.mark.parametrize(
    ("given", "run"), [("1", "1"), ("latest", "2"), ("previous", "1"), ("cccc", "2"), ("", "2")]
)
def test_a_run_may_be_named_as_everywhere(
    connection: sqlite3.Connection, given: str, run: str
) -> None:
    assert resolve(connection, "scenario_impact", run=given)["run"] == run


def test_blank_is_a_choice_where_there_is_one_and_the_default_elsewhere(
    connection: sqlite3.Connection,
) -> None:
    assert resolve(connection, "scenario_impact_by_group", group_1="")["group_1"] == ""
    assert resolve(connection, "scenario_impact_by_group")["group_1"] == "region"
    assert resolve(connection, "metrics_pivot", label="")["label"] == ""
    assert resolve(connection, "metrics_pivot")["label"] == LABEL
    assert resolve(connection, "label_trend", label="")["label"] == LABEL
    assert resolve(connection, "scenario_impact", discount_rate=" ")["discount_rate"] == "0%"


def test_options_and_default_may_be_the_same_sql(connection: sqlite3.Connection) -> None:
    sql = "SELECT element_label FROM elements ORDER BY 1"
    query = parsed(f"  a: {{options: {sql}, default: {sql}}}\n")
    values = resolve_values(connection, query, {"a": ""})
    (choice,) = describe_question(connection, query, values).choices
    assert (choice.value, choice.is_default, len(choice.options)) == (LABEL, True, 2)


def test_several_countries_each_once(connection: sqlite3.Connection) -> None:
    values = resolve(connection, "label_trend", countries="UGA, KEN,UGA,")
    assert values["countries"] == "UGA,KEN"


def test_a_default_follows_what_was_chosen_before_it(connection: sqlite3.Connection) -> None:
    assert resolve(connection, "label_trend")["countries"] == "KEN,NAM,UGA,TZA"
    assert resolve(connection, "label_trend", scenario="up")["countries"] == "KEN,UGA,TZA"
    assert resolve(connection, "run_against_run", run="1")["before"] == "1"
    assert resolve(connection, "run_against_run", run="2")["before"] == "1"


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("scenario_impact", {"scenari": "up"},
         "canned query scenario_impact has no parameter 'scenari'. Did you mean scenario?"),
        ("compare_scenarios", {"country": "KEM"}, "country: there is no 'KEM'. Did you mean KEN?"),
        ("compare_scenarios", {"country": "1"},
         "country: there is no '1'; there are KEN, NAM, TZA, UGA"),
        ("label_trend", {"countries": "KEN,KEM"},
         "countries: there is no 'KEM'. Did you mean KEN?"),
        ("scenario_impact", {"run": "9"},
         "no run '9' in this database; runs are 1 to 2. Name one by number, tag, commit, date, "
         "latest or previous (ingest status lists them)"),
        ("scenario_impact", {"run": "seven"},
         "no run 'seven' in this database; runs are 1 to 2. Name one by number, tag, commit, date, "
         "latest or previous (ingest status lists them)"),
        ("scenario_impact", {"discount_rate": "0.03"},
         "discount_rate: 0.03 could mean 0.03% or 3% a year. Write 0.03% or 3%"),
        ("biggest_changes", {"rows": "1e999"}, "rows: '1e999' is no number"),
        ("scenario_impact", {"until": "20x"},
         "until: '20x' is no year; write four digits, e.g. 2030"),
        ("reference_against_model", {"reference": "who"},
         "reference: there is no 'who'; there are none"),
        ("metrics_pivot", {"label": "'; DROP TABLE metrics; --"},
         "label: there is no \"'; DROP TABLE metrics; --\"; there are Healthy Years Lived, "
         "Population"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_told(
    connection: sqlite3.Connection, name: str, given: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(connection, name, **given)
    assert str(caught.value) == message


def test_a_run_number_that_sqlite_cannot_hold_is_no_run(connection: sqlite3.Connection) -> None:
    with pytest.raises(ConfigError, match=r"^no run '9{40}' in this database; "):
        resolve(connection, "scenario_impact", run="9" * 40)


# --- names ---------------------------------------------------------------------------------------


def test_a_question_knows_what_people_call_things(connection: sqlite3.Connection) -> None:
    asked = ask(connection, "compare_scenarios", run="1")
    assert asked.names["country"] == "Kenya"
    assert asked.names["run"] == "run 1"
    assert asked.series_names["baseline_value"] == "null"
    assert asked.run is not None
    assert (asked.run.run_id, asked.run.git_commit, asked.run.dirty) == (1, "c" * 40, False)
    options = {choice.parameter.name: choice.options for choice in asked.choices}
    assert ("KEN", "Kenya (KEN)") in options["country"]
    assert ("1", "run 1, 23 Nov 2026, ccccccc") in options["run"]
    assert options["until"] == ()


def test_choices_know_whether_they_are_the_default(connection: sqlite3.Connection) -> None:
    asked = ask(connection, "compare_scenarios", country="UGA")
    default = {choice.parameter.name: choice.is_default for choice in asked.choices}
    assert not default.pop("country")
    assert all(default.values())


def test_chosen_countries_are_named(connection: sqlite3.Connection) -> None:
    asked = ask(connection, "label_trend", countries="KEN,UGA")
    (countries,) = (c for c in asked.choices if c.parameter.name == "countries")
    assert countries.chosen == ("Kenya (KEN)", "Uganda (UGA)")


def test_the_unit_of_the_label_is_told_beside_it(tmp_path: Path) -> None:
    store_two_runs(tmp_path / "results.db")
    with ValidationDatabase(tmp_path / "results.db").writing() as database:
        keep_study(database.db, [], [], [Label(LABEL, "healthy years in the year")])
    with closing(open_for_reading(tmp_path / "results.db")) as stored:
        asked = ask(stored, "label_trend", scenario="up", countries="KEN")
        other = ask(stored, "label_trend", label="Population")
    told = chart_subtitle(asked, asked.query.charts[0], ["value"], [(1,)])
    assert asked.unit == "healthy years in the year"
    assert f"{LABEL} (healthy years in the year) · " in told
    assert other.unit == ""


@pytest.mark.parametrize(
    ("name", "tab", "subtitle"),
    [
        ("compare_scenarios", "chart", f"Kenya · {LABEL} · up against null · 2025-2027 · run 2"),
        ("compare_scenarios", "percent",
         f"Kenya · {LABEL} · up against null · 2025-2027 · difference in % · run 2"),
        ("label_trend", "chart", f"{LABEL} · null · run 2"),
        ("run_against_run", "chart", f"Kenya · {LABEL} · up · 2025-2027 · run 2 against run 1"),
        ("failed_jobs", "causes", "number of jobs · run 2"),
    ],
)  # fmt: skip
def test_a_subtitle_says_what_a_chart_is_of(
    connection: sqlite3.Connection, name: str, tab: str, subtitle: str
) -> None:
    asked = ask(connection, name)
    chart = asked.query.find_chart(tab)
    assert chart is not None
    assert chart_subtitle(asked, chart, ["value"], [(1,)]) == subtitle


def test_a_chart_is_found_by_its_name_in_an_address() -> None:
    query = QUERIES["scenario_impact"]
    assert query.find_chart("") == query.charts[0]
    assert query.find_chart("map") == query.charts[1]
    assert query.find_chart("mop") is None


@pytest.mark.parametrize("name", QUERIES)
def test_every_question_can_be_drawn(name: str, connection: sqlite3.Connection) -> None:
    asked = ask(connection, name)
    columns, rows = run_canned_query(connection, asked.query, asked.values)
    for chart in asked.query.charts:
        spec: dict[str, Any] = question_chart(asked, chart, columns, rows)
        assert spec["title"]["text"]
        if rows:
            assert spec["layer"], chart.tab


# --- files ---------------------------------------------------------------------------------------


def parsed(parameters: str, sql: str = "SELECT :a") -> CannedQuery:
    return parse_canned_query("q", HEAD.format(f"parameters:\n{parameters}") + sql)


def test_a_parameter_that_says_nothing_is_the_shared_one() -> None:
    (run,) = parse_canned_query(
        "q", HEAD.format("parameters:\n  run:\n") + "SELECT :run"
    ).parameters
    assert run == QUERIES["scenario_impact"].parameters[0]
    (mine,) = parsed("  a:\n    use: run\n    title: Mine\n").parameters
    assert (mine.title, mine.type, mine.options) == ("Mine", run.type, run.options)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("  a:\n", "q.sql: parameter a: no shared parameter 'a'."),
        ("  a:\n    use: rnu\n",
         "q.sql: parameter a: no shared parameter 'rnu'. Did you mean run?"),
        ("  a: {default: 1, type: int}\n",
         "q.sql: parameter a: type 'int' is none of text, number, rate, year, run"),
        ("  a: {default: 'SELECT :b'}\n  b: {default: 1}\n",
         "q.sql: parameter a: :b is not declared before it"),
    ],
)  # fmt: skip
def test_a_bad_parameter_is_told(parameters: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(parameters, "SELECT :a, :b" if ":b" in parameters else "SELECT :a")
    assert str(caught.value).startswith(message)


def test_charts_have_tabs_and_measures() -> None:
    query = parse_canned_query(
        "q",
        HEAD.format(
            "columns: {a: A}\ncharts:\n  In Short: {mark: bar, x: count(), y: a, measure: jobs}\n"
        )
        + "SELECT 1 AS a",
    )
    (chart,) = query.charts
    assert (chart.tab, chart.anchor, chart.measure) == ("In Short", "in-short", "jobs")
    assert chart.encoding == {"x": "count()", "y": "a"}


def test_the_numbers_of_year_columns_are_called_value_where_there_are_any(tmp_path: Path) -> None:
    head = "columns: {%s}\nchart: {mark: line, x: (years), y: value}\n"
    assert parse_canned_query("q", HEAD.format(head % "(years): Y") + "SELECT 1").has_year_columns
    with pytest.raises(ConfigError, match=r"^q\.sql: chart: x: no column '\(years\)'\."):
        parse_canned_query("q", HEAD.format(head % "a: A") + "SELECT 1")
