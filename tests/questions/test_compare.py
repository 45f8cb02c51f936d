from __future__ import annotations

import functools
import operator
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from ingest.errors import ConfigError
from ingest.questions.catalogue import group_columns
from ingest.questions.compare import (
    CompareRequest,
    Comparison,
    choose_query,
    compare_scenarios,
    default_label,
    query_values,
    reference_label,
)
from ingest.questions.compare_rows import decimals, sort_rows
from tests.questions.test_canned_queries import LABEL, QUERIES, RUN_1, connection, empty, plain_sum

__all__ = ["connection", "empty"]  # fixtures

REQUEST = CompareRequest("null", "up", LABEL, run_id=1)


def compare(connection: sqlite3.Connection, **changes: Any) -> Comparison:
    return compare_scenarios(connection, QUERIES, replace(REQUEST, **changes))


@pytest.mark.parametrize(
    ("by", "countries", "query"),
    [
        (("country",), (), "scenario_impact"),
        (("year",), ("KEN",), "compare_scenarios"),
        (("year",), (), "scenario_impact_by_group"),
        (("year",), ("KEN", "UGA"), "scenario_impact_by_group"),
        (("total",), (), "scenario_impact_by_group"),
        (("region", "year"), ("KEN",), "scenario_impact_by_group"),
    ],
)
def test_the_query_that_answers(
    by: tuple[str, ...], countries: tuple[str, ...], query: str
) -> None:
    request = replace(REQUEST, by=by, countries=countries)
    assert choose_query(request)[0] == query
    assert None not in query_values(request, QUERIES[query]).values()


def test_by_country_agrees_with_plain_sql_to_the_last_digit(
    connection: sqlite3.Connection,
) -> None:
    comparison = compare(connection)
    assert comparison.columns == (
        "country", "name", "baseline_value", "scenario_value", "difference", "percent",
    )  # fmt: skip
    for country, _, low, high, difference, _ in comparison.rows:
        assert low == plain_sum(connection, 1, country, "null")
        assert high == plain_sum(connection, 1, country, "up")
        assert difference == high - low


def test_the_total_is_over_all_rows(connection: sqlite3.Connection) -> None:
    comparison = compare(connection)
    assert comparison.total is not None
    assert comparison.total[:2] == (None, None)
    for position in (2, 3, 4):
        # another order of adding: equal up to rounding
        expected = added(row[position] for row in comparison.rows)
        assert comparison.total[position] == pytest.approx(expected, rel=1e-13)
    low, difference, percent = (comparison.total[position] for position in (2, 4, 5))
    assert percent == 100 * difference / low


@pytest.mark.parametrize(
    "by", [("region",), ("year",), ("club", "region"), ("income_group", "club", "year")]
)
def test_every_grouping_has_the_same_total(
    connection: sqlite3.Connection, by: tuple[str, ...]
) -> None:
    (whole,) = compare(connection, by=("total",)).rows
    comparison = compare(connection, by=by)
    assert comparison.total is not None
    assert comparison.total[-5:] == whole
    difference = added(row[-2] for row in comparison.rows)
    assert difference == pytest.approx(whole[-2], rel=1e-13)


def test_groups_are_named_as_they_were_asked_for(connection: sqlite3.Connection) -> None:
    comparison = compare(connection, by=("club", "year"))
    assert comparison.columns[:3] == ("club", "timestamp_year", "countries")
    assert [row[:3] for row in comparison.rows][:4] == [
        ("(none)", 2025, 1), ("(none)", 2026, 1), ("(none)", 2027, 1), ("A", 2025, 1),
    ]  # fmt: skip


def test_by_year_of_one_country_and_of_several(connection: sqlite3.Connection) -> None:
    one = compare(connection, by=("year",), countries=("KEN",))
    assert [row[:3] for row in one.rows] == [
        (2025, 10.1, 11.7), (2026, 20.2, 22.9), (2027, 30.3, 33.1),
    ]  # fmt: skip
    two = compare(connection, by=("year",), countries=("KEN", "UGA"))
    assert two.rows[0][:3] == (2025, 2, 10.1 + 1.1)


def added(values: Iterable[float]) -> float:
    """Plain addition from left to right; sum() compensates for rounding from Python 3.12 on."""
    return functools.reduce(operator.add, values)


def test_state_as_of_a_run(connection: sqlite3.Connection) -> None:
    kenya = [compare(connection, run_id=run_id).rows[0] for run_id in (1, 2)]
    assert [row[3] for row in kenya] == [added(RUN_1["KEN", "up"]), 12.3 + 24.1 + 36.7]


def test_until_and_discount_reach_the_query(connection: sqlite3.Connection) -> None:
    comparison = compare(
        connection, countries=("TZA",), until_year=2026, discount_rate=0.25, base_year=2024
    )
    assert comparison.rows[0][4] == 1 / 1.25 + 1 / 1.5625


def test_a_baseline_of_zero_has_no_percentage(connection: sqlite3.Connection) -> None:
    assert compare(connection, countries=("TZA",)).rows == (
        ("TZA", "Tanzania", 0.0, 3.0, 3.0, None),
    )


def test_countries_with_one_scenario_alone_are_told(connection: sqlite3.Connection) -> None:
    assert compare(connection).left_out == ("NAM",)
    assert compare(connection, countries=("KEN",)).left_out == ()


def test_a_scenario_against_itself_differs_by_nothing(connection: sqlite3.Connection) -> None:
    assert {row[4] for row in compare(connection, scenario="null").rows} == {0.0}


# --- the order of the rows -----------------------------------------------------------------------


def shown(connection: sqlite3.Connection) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    found = compare(connection)
    return found.columns, found.rows


@pytest.mark.parametrize(
    ("column", "countries"),
    [
        ("difference", ["KEN", "TZA", "UGA"]),
        ("-difference", ["UGA", "TZA", "KEN"]),
        ("percent", ["UGA", "KEN", "TZA"]),
        ("-percent", ["KEN", "UGA", "TZA"]),
        ("name", ["KEN", "TZA", "UGA"]),
        ("-country", ["UGA", "TZA", "KEN"]),
        ("baseline", ["KEN", "UGA", "TZA"]),
    ],
)
def test_rows_by_a_column(
    connection: sqlite3.Connection, column: str, countries: list[str]
) -> None:
    rows = sort_rows(*shown(connection), column)
    assert [row[0] for row in rows] == countries


def test_an_unknown_column_to_sort_by(connection: sqlite3.Connection) -> None:
    with pytest.raises(ConfigError) as caught:
        sort_rows(*shown(connection), "diference")
    assert str(caught.value) == (
        "--sort diference: columns are country, name, baseline_value, scenario_value, difference, "
        "percent. Did you mean difference?"
    )


@pytest.mark.parametrize(
    ("values", "places"),
    [([], 0), ([0.0, None], 0), ([123456.7], 0), ([1.5, 12.25], 4), ([0.000123], 8), ([-9.9], 5)],
)
def test_decimals_show_six_digits_of_the_largest(values: list[float | None], places: int) -> None:
    assert decimals(values, 6) == places


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenario": "upp"}, "no results of scenario 'upp' as of run 1. Did you mean up?"),
        ({"baseline": "x"}, "no results of scenario 'x' as of run 1; there are null, up"),
        ({"countries": ("KEM",)}, "no results of country 'KEM' as of run 1. Did you mean KEN?"),
        (
            {"by": ("regoin",)},
            "--by regoin: groups are total, year, country, region, income_group, club. "
            "Did you mean region?",
        ),
        (
            {"by": ("total", "region")},
            "--by total goes with no other group: the total is the last row of every table",
        ),
        ({"by": ("region", "region")}, "--by: a group is given twice"),
        (
            {"by": ("region", "club", "country", "year")},
            "--by: at most 3 groups can be nested",
        ),
        (
            {"by": ("region",), "reference": "a3"},
            "--reference compares by country; leave out --by",
        ),
        (
            {"until_year": 2020},
            "null and up have no year of 'Healthy Years Lived' in common until 2020 as of run 1",
        ),
        (
            {"countries": ("NAM",)},
            "null and up have no year of 'Healthy Years Lived' in common as of run 1",
        ),
        (
            {"reference": "a3"},
            "reference 'a3' and the results of up as of run 1 have no country in common",
        ),
    ],
)
def test_errors_say_what_there_is(
    connection: sqlite3.Connection, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compare(connection, **changes)
    assert str(caught.value) == message


def test_the_label_is_healthy_years_or_the_first_there_is(
    connection: sqlite3.Connection, empty: sqlite3.Connection
) -> None:
    assert default_label(connection, None) == LABEL
    assert default_label(connection, "Population") == "Population"
    with pytest.raises(ConfigError) as caught:
        default_label(connection, "Populaton")
    assert str(caught.value) == "no label 'Populaton' in the results. Did you mean Population?"
    with pytest.raises(ConfigError) as caught:
        default_label(empty, None)
    assert str(caught.value) == (
        "there are no results in this database yet. Make some with: ingest run"
    )


def test_no_reference_is_loaded(empty: sqlite3.Connection) -> None:
    with pytest.raises(ConfigError) as caught:
        reference_label(empty, "a3", "up", None)
    assert str(caught.value) == (
        "no reference is loaded yet. Load one with: ingest reference load FILE"
    )


def test_group_columns_come_from_the_database(empty: sqlite3.Connection) -> None:
    assert group_columns(empty) == ["region", "income_group"]
