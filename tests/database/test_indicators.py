"""Indicators of stored results against plain SQL over `metrics` and plain arithmetic."""

from __future__ import annotations

import json
import math
import random
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.database.files import open_for_reading
from ingest.database.indicator_state import State
from ingest.database.indicators import (
    IndicatorRequest,
    IndicatorRow,
    IndicatorTable,
    read_indicators,
    read_shown_rows,
    shown_rows,
)
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunStatus
from ingest.database.validation_database import ValidationDatabase
from ingest.database.write import keep_study
from ingest.errors import ConfigError
from ingest.metrics import Metric, ResultSet
from ingest.study.combination import Combination
from ingest.study.indicators import Indicator
from ingest.study.label import Label
from tests.questions.test_canned_queries import COUNTRIES, INPUTS, NOW, REASON, RECORD

YEARS = range(2025, 2031)
PLACES = ("KEN", "NAM", "TZA", "UGA")
SCENARIOS = ("null", "up")
LABELS = (
    Label("Sick -> Dead", "deaths"),
    Label("Well -> Dead", "deaths"),
    Label("Cost", "USD"),
    Label("Years", "years"),
    Label("People", "people", kind="stock", over_years="last"),
    Label("Share", "", kind="share", over_years="mean", over_countries="weighted:People"),
)
DEATHS = Indicator("Deaths", ("* -> Dead",))
COST = Indicator("Cost", ("Cost",), sense="gained")
GAINED = Indicator("Years gained", ("Years",), sense="gained")
RATIO = Indicator("Cost per year", ratio=("Cost", "Years gained"))
EAST, SOUTH = ("KEN", "UGA"), ("NAM", "TZA")

Numbers = dict[tuple[str, str, str], dict[int, float]]


def store(path: Path, numbers: Numbers) -> None:
    """A run that has these numbers, by country, scenario and label."""
    combinations = sorted({Combination(country, scenario) for country, scenario, _ in numbers})
    with ValidationDatabase(path).writing() as database:
        keep_study(database.db, COUNTRIES, [], LABELS)
        jobs = [
            JobRecord(combination, f"{n:026d}", "job", INPUTS, REASON)
            for n, combination in enumerate(combinations)
        ]
        run_id = database.start_validation_run(RECORD, jobs, {})
        for combination in combinations:
            metrics = [
                Metric(label, year, value)
                for (*names, label), values in numbers.items()
                if tuple(names) == combination
                for year, value in values.items()
            ]
            outcome = JobOutcome(
                combination, JobStatus.SUCCESS, NOW, 1, 0.5, ResultSet(sorted(metrics))
            )
            database.record_job_result(run_id, outcome)
        database.update_run_status(run_id, RunStatus.COMPLETED, NOW)


def draw_numbers(seed: int = 7) -> Numbers:
    draw = random.Random(seed)
    return {
        (country, scenario, label.element_label): {year: draw.uniform(1, 9) for year in YEARS}
        for country in PLACES
        for scenario in SCENARIOS
        for label in LABELS
    }


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("indicators") / "r.db"
    store(path, draw_numbers())
    return path


@pytest.fixture
def connection(stored: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_reading(stored)) as opened:
        yield opened


def read(connection: sqlite3.Connection, *indicators: Indicator, **request: Any) -> IndicatorTable:
    asked = IndicatorRequest(**{"run_id": 1, "baseline": "null", **request})
    return read_indicators(connection, indicators, asked)


def value_of(
    rows: Sequence[IndicatorRow], name: str, *group: str, scenario: str = "up", until: Any = None
) -> float | None:
    (row,) = (
        row
        for row in rows
        if (row.indicator, row.group, row.scenario) == (name, group, scenario)
        and until in (None, row.until)
    )
    return row.value


def plain(
    connection: sqlite3.Connection,
    country: str,
    scenario: str,
    labels: Sequence[str],
    until: int = 2030,
) -> float:
    """The plain sum over `metrics`."""
    marks = ", ".join("?" * len(labels))
    query = f"""SELECT sum(value) FROM (
        SELECT value FROM metrics WHERE run_id = 1 AND country = ? AND scenario = ?
           AND element_label IN ({marks}) AND timestamp_year <= ?
         ORDER BY element_label, timestamp_year)"""
    return float(connection.execute(query, [country, scenario, *labels, until]).fetchone()[0])


FLOWS = ("Sick -> Dead", "Well -> Dead")


def plain_discounted(
    connection: sqlite3.Connection, until: int, rate: float, base_year: int
) -> float:
    """The plain sum of the flows in Kenya, each number divided by the factor of its year."""
    factors = {base_year: 1.0}
    for year in range(base_year, YEARS[-1]):
        factors[year + 1] = factors[year] * (1 + rate)
    for year in range(base_year, YEARS[0], -1):
        factors[year - 1] = factors[year] / (1 + rate)
    query = """SELECT value, timestamp_year FROM metrics
        WHERE run_id = 1 AND country = 'KEN' AND scenario = 'up'
          AND element_label IN (?, ?) AND timestamp_year <= ?
        ORDER BY element_label, timestamp_year"""
    rows = connection.execute(query, [*FLOWS, until])
    discounted = json.dumps([(value / factors[year]).hex() for value, year in rows])
    connection.create_function("unhex_number", 1, float.fromhex)
    added = "SELECT sum(n) FROM (SELECT unhex_number(value) AS n FROM json_each(?) ORDER BY key)"
    return float(connection.execute(added, [discounted]).fetchone()[0])


@pytest.mark.parametrize("until", [2026, 2030])
@pytest.mark.parametrize("country", PLACES)
def test_a_country_is_the_plain_sum_to_the_last_digit(
    connection: sqlite3.Connection, country: str, until: int
) -> None:
    averted = replace(DEATHS, name="Averted", sense="averted")
    table = read(connection, DEATHS, averted, until=(until,))
    null, up = (plain(connection, country, s, FLOWS, until) for s in SCENARIOS)
    assert value_of(table.rows, "Deaths", country) == up
    assert value_of(table.rows, "Deaths", country, scenario="null") == null
    assert value_of(table.rows, "Averted", country) == null - up
    assert value_of(table.rows, "Averted", country, scenario="null") == 0


def test_groups_and_the_total_are_sums_over_countries(connection: sqlite3.Connection) -> None:
    table = read(connection, DEATHS, by=("region",))
    sums = {c: plain(connection, c, "up", FLOWS) for c in PLACES}
    assert value_of(table.rows, "Deaths", "East") == math.fsum(sums[c] for c in EAST)
    assert value_of(table.rows, "Deaths", "South") == math.fsum(sums[c] for c in SOUTH)
    assert value_of(table.totals, "Deaths") == math.fsum(sums.values())


def test_groups_nest(connection: sqlite3.Connection) -> None:
    table = read(connection, DEATHS, by=("region", "income_group"))
    own = plain(connection, "TZA", "up", FLOWS)
    assert value_of(table.rows, "Deaths", "South", "Low") == own


def test_a_ratio_of_a_group_is_the_ratio_of_its_sums(connection: sqlite3.Connection) -> None:
    table = read(connection, COST, GAINED, RATIO, by=("region",))
    cost, years = (
        math.fsum(
            plain(connection, c, "up", [label]) - plain(connection, c, "null", [label])
            for c in EAST
        )
        for label in ("Cost", "Years")
    )
    assert value_of(table.rows, "Cost per year", "East") == cost / years
    (baseline,) = (
        row
        for row in table.rows
        if (row.indicator, row.group, row.scenario) == ("Cost per year", ("East",), "null")
    )
    assert (baseline.value, baseline.note) == (None, "Years gained is 0")


def test_per_is_the_sum_over_the_sum(connection: sqlite3.Connection) -> None:
    rate = replace(DEATHS, name="Rate", per="People", scale=100_000.0)
    table = read(connection, rate, by=("region",))
    deaths = math.fsum(plain(connection, c, "up", FLOWS) for c in EAST)
    people = math.fsum(plain(connection, c, "up", ["People"]) for c in EAST)
    assert value_of(table.rows, "Rate", "East") == deaths / people * 100_000


def test_a_difference_is_per_the_people_of_the_baseline(connection: sqlite3.Connection) -> None:
    rate = replace(DEATHS, name="Rate", per="People", sense="averted")
    averted = plain(connection, "KEN", "null", FLOWS) - plain(connection, "KEN", "up", FLOWS)
    people = plain(connection, "KEN", "null", ["People"])
    assert value_of(read(connection, rate).rows, "Rate", "KEN") == averted / people


@pytest.mark.parametrize("base_year", [None, 2027, 2040, 2000])
def test_a_sum_is_discounted_year_by_year(
    connection: sqlite3.Connection, base_year: int | None
) -> None:
    cost = Indicator("Cost", ("Cost",), discount=0.03, base_year=base_year)
    values = draw_numbers()["KEN", "up", "Cost"]
    expected = math.fsum(v / 1.03 ** (y - (base_year or 2025)) for y, v in values.items())
    found = value_of(read(connection, cost).rows, "Cost", "KEN")
    assert found == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("mean", lambda values: math.fsum(values) / len(values)),
        ("last", lambda values: values[-1]),
        ("first", lambda values: values[0]),
        ("max", max),
        ("min", min),
    ],
)
def test_years_are_put_together_by_the_aggregate(
    connection: sqlite3.Connection, aggregate: str, expected: Any
) -> None:
    labels = ("Sick -> Dead", "-Well -> Dead")
    one = Indicator("X", labels, aggregate=aggregate, from_year=2026, until=(2029,))
    numbers = draw_numbers()
    values = [
        numbers["UGA", "up", FLOWS[0]][year] - numbers["UGA", "up", FLOWS[1]][year]
        for year in range(2026, 2030)
    ]
    found = value_of(read(connection, one).rows, "X", "UGA")
    assert found == pytest.approx(expected(values), rel=1e-14)


def test_the_largest_year_of_a_group_is_no_sum(connection: sqlite3.Connection) -> None:
    peak = Indicator("Peak", ("People",), aggregate="max")
    table = read(connection, peak, by=("region",))
    assert {row.value for row in table.rows} == {None}
    assert table.rows[0].note == "the max over years does not add up over countries"


def test_a_share_of_a_group_is_no_sum(connection: sqlite3.Connection) -> None:
    share = Indicator("Share", ("Share",), aggregate="mean")
    table = read(connection, share, by=("region",))
    assert (table.rows[0].value, table.rows[0].note) == (
        None,
        "Share does not add up over countries",
    )
    assert value_of(read(connection, share).rows, "Share", "KEN") is not None


@pytest.mark.parametrize(
    ("indicator", "message"),
    [
        (Indicator("X", ("Costs",)), "indicator 'X': no label Costs in this study. Did you mean"),
        (Indicator("X", ("Cost", "Years")), "Cost is in USD; Years is in years"),
        (Indicator("X", ("People",)), "'People' (stock) is not summed over years"),
        (Indicator("X", ("Cost",), per="Poeple"), "no label Poeple in this study"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    connection: sqlite3.Connection, indicator: Indicator, message: str
) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(").replace(")", r"\)")):
        read(connection, indicator)


# --- what was read before ------------------------------------------------------------------------


def reads_of_numbers(connection: sqlite3.Connection, ask: Callable[[], object]) -> int:
    """How many statements on the numbers something takes."""
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    ask()
    connection.set_trace_callback(None)
    return len([sql for sql in statements if "metric_values" in sql])


def test_remembered_states_give_the_same_rows_without_reading_numbers_again(
    connection: sqlite3.Connection,
) -> None:
    all_indicators = [DEATHS, replace(COST, discount=0.03), GAINED, RATIO]
    remembered: dict[IndicatorRequest, State] = {}
    for by in (("country",), ("region",), ("total",)):
        asked = IndicatorRequest(1, "null", by=by, until=(2028,))
        table = read_indicators(connection, all_indicators, asked)

        def ask(asked: IndicatorRequest = asked) -> list[IndicatorRow]:
            return read_shown_rows(connection, all_indicators, asked, [], remembered)

        assert ask() == shown_rows(table, table.rows)
        assert reads_of_numbers(connection, ask) == 0
    later = replace(asked, until=(2029,))
    assert reads_of_numbers(
        connection, lambda: read_shown_rows(connection, all_indicators, later, [], remembered)
    )
    assert len(remembered) == 1


def test_numbers_of_other_results_are_not_taken_from_memory(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    remembered: dict[IndicatorRequest, State] = {}
    asked = IndicatorRequest(1, "null")
    read_shown_rows(connection, [DEATHS], asked, [], remembered)
    del (numbers := draw_numbers())["KEN", "up", "Cost"]
    store(tmp_path / "r.db", {key: v for key, v in numbers.items() if key[:2] != ("NAM", "up")})
    narrower = replace(DEATHS, labels=("Sick -> Dead",))
    with closing(open_for_reading(tmp_path / "r.db")) as other:
        for indicators in ([DEATHS], [narrower]):
            table = read_indicators(other, indicators, asked)
            found = read_shown_rows(other, indicators, asked, [], remembered)
            assert found == shown_rows(table, table.rows)


def test_only_a_few_states_are_remembered(connection: sqlite3.Connection) -> None:
    remembered: dict[IndicatorRequest, State] = {}
    for countries in permutations(PLACES, 2):
        for scenario in SCENARIOS:
            asked = IndicatorRequest(1, "null", (scenario,), countries)
            read_shown_rows(connection, [DEATHS], asked, [], remembered)
            assert 0 < len(remembered) <= 16
    for until in range(2000, 2040):
        read_shown_rows(connection, [DEATHS], replace(asked, until=(until,)), [], remembered)
    assert max(len(state.parts) for state in remembered.values()) <= 25


# --- results that lack something -----------------------------------------------------------------


@pytest.fixture
def patchy(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """No baseline in Kenya, an end in 2027 in Uganda, and no costs in Tanzania."""
    numbers = {
        key: {y: v for y, v in values.items() if key[0] != "UGA" or key[1] == "null" or y < 2028}
        for key, values in draw_numbers().items()
        if key[:2] != ("KEN", "null") and (key[0], key[2]) != ("TZA", "Cost")
    }
    store(tmp_path / "r.db", numbers)
    with closing(open_for_reading(tmp_path / "r.db")) as opened:
        yield opened


def test_countries_without_a_number_are_told_and_not_in_the_total(
    patchy: sqlite3.Connection,
) -> None:
    table = read(patchy, replace(COST, until=(2030,)))
    (total,) = (row for row in table.totals if row.scenario == "up")
    assert (total.countries, total.of_countries) == (1, 4)
    assert total.missing == ("KEN", "TZA", "UGA")
    notes = {row.group[0]: row.note for row in table.rows if row.scenario == "up"}
    assert notes == {
        "KEN": "no results of the baseline null",
        "NAM": "",
        "TZA": "no numbers of Cost",
        "UGA": "only 2025-2027 of the years",
    }
    assert "Cost until 2030: only 2025-2027 of the years in 1 of 4 countries: UGA" in table.notes


def test_part_of_the_years_is_taken_where_that_is_allowed(patchy: sqlite3.Connection) -> None:
    some = replace(COST, until=(2030,), allow_partial=True)
    (row,) = (
        row for row in read(patchy, some).rows if row.group == ("UGA",) and row.scenario == "up"
    )
    low, high = (plain(patchy, "UGA", scenario, ["Cost"], 2027) for scenario in SCENARIOS)
    assert row.value == high - low
    assert (row.first_year, row.last_year) == (2025, 2027)
    assert row.note == "only 2025-2027 of the years"


def test_without_a_horizon_other_years_of_the_baseline_are_refused(
    patchy: sqlite3.Connection,
) -> None:
    table = read(patchy, COST, countries=("UGA",))
    assert value_of(table.rows, "Cost", "UGA") is None
    level = replace(COST, sense="level")
    found = value_of(read(patchy, level, countries=("UGA",)).rows, "Cost", "UGA")
    assert found == plain(patchy, "UGA", "up", ["Cost"])


def test_a_ratio_is_of_the_countries_that_have_both(patchy: sqlite3.Connection) -> None:
    level = [replace(one, sense="level") for one in (COST, GAINED)]
    table = read(patchy, *level, RATIO, until=(2027,))
    (total,) = (
        row for row in table.totals if (row.indicator, row.scenario) == ("Cost per year", "up")
    )
    assert total.missing == ("TZA",)
    cost, years = (
        math.fsum(plain(patchy, c, "up", [label], 2027) for c in ("KEN", "NAM", "UGA"))
        for label in ("Cost", "Years")
    )
    assert total.value == cost / years


@settings(max_examples=10, deadline=None)
@given(
    values=st.lists(
        st.floats(-1e12, 1e12, allow_subnormal=False), min_size=len(YEARS), max_size=len(YEARS)
    ),
    until=st.sampled_from(YEARS),
    rate=st.floats(0.001, 0.2),
    base_year=st.integers(YEARS[0] - 3, YEARS[-1] + 3),
)
def test_any_numbers_come_to_their_plain_sum(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[float],
    until: int,
    rate: float,
    base_year: int,
) -> None:
    path = tmp_path_factory.mktemp("any") / "r.db"
    other = dict(zip(YEARS, reversed(values), strict=True))
    numbers: Numbers = {("KEN", "null", "Cost"): dict.fromkeys(YEARS, 1.0)}
    numbers |= {("KEN", "up", label): other for label in FLOWS}
    numbers["KEN", "up", FLOWS[1]] = {year: value / 3 for year, value in other.items()}
    numbers["KEN", "up", "Cost"] = dict(zip(YEARS, values, strict=True))
    store(path, numbers)
    with closing(open_for_reading(path)) as connection:
        cost = value_of(read(connection, COST, until=(until,)).rows, "Cost", "KEN")
        deaths = value_of(read(connection, DEATHS, until=(until,)).rows, "Deaths", "KEN")
        up, null = (plain(connection, "KEN", s, ["Cost"], until) for s in ("up", "null"))
        assert cost == up - null
        assert deaths == plain(connection, "KEN", "up", FLOWS, until)
        both = Indicator("Both", FLOWS, discount=rate, base_year=base_year)
        found = value_of(read(connection, both, until=(until,)).rows, "Both", "KEN")
        assert found == plain_discounted(connection, until, rate, base_year)


def test_a_year_that_only_the_baseline_has_is_refused(tmp_path: Path) -> None:
    numbers = draw_numbers()
    del numbers["KEN", "up", "Cost"][2027]
    store(tmp_path / "r.db", numbers)
    with closing(open_for_reading(tmp_path / "r.db")) as connection:
        table = read(connection, COST)
        notes = {row.group[0]: row.note for row in table.rows if row.scenario == "up"}
        assert notes["KEN"] == "years that only one of the baseline and the scenario has"
        assert notes["UGA"] == ""


def test_labels_that_cancel_out_are_refused(connection: sqlite3.Connection) -> None:
    with pytest.raises(ConfigError, match="subtracted again, and nothing is left"):
        read(connection, Indicator("X", ("Cost", "-C*")))
