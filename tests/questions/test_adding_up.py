"""How labels add up over years and countries: the SQL against plain Python."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.database.files import open_for_reading
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunStatus
from ingest.database.validation_database import ValidationDatabase
from ingest.database.write import keep_study
from ingest.errors import ConfigError
from ingest.metrics import Metric, ResultSet
from ingest.questions.compare import CompareRequest, compare_scenarios
from ingest.study.combination import Combination
from ingest.study.label import Label
from tests.questions.test_canned_queries import (
    COUNTRIES,
    INPUTS,
    NOW,
    QUERIES,
    REASON,
    RECORD,
    answer,
)

YEARS = range(2025, 2031)
PLACES = ("KEN", "TZA", "UGA")
OVER_YEARS = ("sum", "last", "mean", "none", "weighted:Heads")
OVER_COUNTRIES = ("sum", "mean", "none", "weighted:Heads")
RULES = [(years, countries) for years in OVER_YEARS for countries in OVER_COUNTRIES]

Numbers = dict[tuple[str, str, str], dict[int, float]]
"""(country, scenario, label) to values by year."""


def name_of(rule: tuple[str, str]) -> str:
    return f"{rule[0]} {rule[1]}"


@pytest.fixture(scope="module")
def numbers() -> Numbers:
    """A label for each rule, and Heads, in three countries; Uganda's up ends a year earlier."""
    draw = random.Random(7)
    labels = ["Heads", *map(name_of, RULES)]
    return {
        (country, scenario, label): {
            year: draw.uniform(1, 9)
            for year in YEARS
            if (country, scenario, year) != ("UGA", "up", YEARS[-1])
        }
        for country in PLACES
        for scenario in ("null", "up")
        for label in labels
    }


@pytest.fixture(scope="module")
def stored(numbers: Numbers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("adding") / "r.db"
    combinations = sorted({Combination(country, scenario) for country, scenario, _ in numbers})
    labels = [
        Label(name_of(rule), "", kind="share", over_years=rule[0], over_countries=rule[1])
        for rule in RULES
    ]
    with ValidationDatabase(path).writing() as database:
        keep_study(database.db, COUNTRIES, [], labels)
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
            results = ResultSet(sorted(metrics))
            outcome = JobOutcome(combination, JobStatus.SUCCESS, NOW, 1, 0.5, results)
            database.record_job_result(run_id, outcome)
        database.update_run_status(run_id, RunStatus.COMPLETED, NOW)
    return path


@pytest.fixture
def connection(stored: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_reading(stored)) as opened:
        yield opened


# --- the same in plain Python --------------------------------------------------------------------


def together(rule: str, values: list[float], weights: list[float]) -> float | None:
    """Values in the order of the years, added up by a rule."""
    if rule == "sum":
        return math.fsum(values)
    if rule in ("last", "none"):
        return values[-1]
    used = weights if rule.startswith("weighted") else [1.0] * len(values)
    return math.fsum(v * w for v, w in zip(values, used, strict=True)) / math.fsum(used)


def expected(
    numbers: Numbers, rule: tuple[str, str], scenario: str, years: dict[str, list[int]]
) -> float | None:
    """The value of a scenario over the countries of `years`, each over these years."""
    values, weights = [], []
    for country, own in years.items():
        series = numbers[country, scenario, name_of(rule)]
        heads = numbers[country, scenario, "Heads"]
        found = [heads[year] for year in own]
        value = together(rule[0], [series[year] for year in own], found)
        assert value is not None
        values.append(value)
        is_last = rule[0] in ("last", "none")
        weights.append(found[-1] if is_last else math.fsum(found) / len(found))
    if rule[1] == "none" and len(values) > 1:
        return None
    return together("sum" if len(values) == 1 else rule[1], values, weights)


def common(numbers: Numbers, *countries: str) -> dict[str, list[int]]:
    """The years that both scenarios have, by country."""
    return {country: sorted(numbers[country, "up", "Heads"]) for country in countries}


def close(found: Any, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    return math.isclose(found, wanted, rel_tol=1e-12)


# --- every rule ----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_countries_and_totals_add_up_by_the_rule(
    connection: sqlite3.Connection, numbers: Numbers, rule: tuple[str, str]
) -> None:
    values = {"baseline": "null", "scenario": "up", "label": name_of(rule)}
    for row in answer(connection, "scenario_impact", **values):
        years = common(numbers, row["country"])
        assert close(row["baseline_value"], expected(numbers, rule, "null", years))
        assert close(row["scenario_value"], expected(numbers, rule, "up", years))
    (total,) = answer(connection, "scenario_impact_by_group", group_1="", **values)
    everywhere = common(numbers, *PLACES)
    assert close(total["baseline_value"], expected(numbers, rule, "null", everywhere))
    assert close(total["scenario_value"], expected(numbers, rule, "up", everywhere))


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_a_group_of_a_year_adds_up_countries_alone(
    connection: sqlite3.Connection, numbers: Numbers, rule: tuple[str, str]
) -> None:
    values = {"baseline": "null", "scenario": "up", "label": name_of(rule)}
    rows = answer(connection, "scenario_impact_by_group", group_1="year", **values)
    assert [row["group_1"] for row in rows] == list(YEARS)
    for row in rows:
        year = row["group_1"]
        countries = [c for c in PLACES if year in numbers[c, "up", "Heads"]]
        assert row["countries"] == len(countries)
        years = {country: [year] for country in countries}
        assert close(row["scenario_value"], expected(numbers, rule, "up", years))


@pytest.mark.parametrize("rule", RULES, ids=name_of)
def test_single_series_add_up_by_the_same_rule(
    connection: sqlite3.Connection, numbers: Numbers, rule: tuple[str, str]
) -> None:
    label = name_of(rule)
    wanted = {
        scenario: expected(
            numbers, rule, scenario, {"UGA": sorted(numbers["UGA", scenario, label])}
        )
        for scenario in ("null", "up")
    }
    totals = answer(connection, "scenario_totals", country="UGA", baseline="null", label=label)
    assert all(close(row["value"], wanted[row["scenario"]]) for row in totals)
    chosen = {"country": "UGA", "scenario": "up"}
    (catalogued,) = [
        row
        for row in answer(connection, "label_catalogue", **chosen)
        if row["element_label"] == label
    ]
    assert close(catalogued["total"], wanted["up"])
    assert (catalogued["over_years"], catalogued["over_countries"]) == rule
    (kept,) = answer(connection, "history_of_a_number", label=label, **chosen)
    assert close(kept["value"], wanted["up"])


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule[0] != "sum"], ids=name_of)
def test_only_sums_over_years_are_discounted(
    connection: sqlite3.Connection, rule: tuple[str, str]
) -> None:
    values = {"baseline": "null", "scenario": "up", "label": name_of(rule)}
    plain = answer(connection, "scenario_impact", **values)
    assert answer(connection, "scenario_impact", discount_rate=0.03, **values) == plain
    request = CompareRequest("null", "up", name_of(rule), 1, discount_rate=0.03)
    with pytest.raises(ConfigError, match="is not summed over years, so it is not discounted"):
        compare_scenarios(connection, QUERIES, request)


def test_a_mean_that_lacks_a_weight_is_no_number(stored: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    path.write_bytes(stored.read_bytes())
    with closing(sqlite3.connect(path)) as changed:
        changed.execute(
            """DELETE FROM metric_values WHERE timestamp_year = 2027
                  AND element_id = (SELECT element_id FROM elements WHERE element_label = 'Heads')
                  AND result_set_id = (SELECT result_set_id FROM job_results
                                        WHERE country = 'KEN' AND scenario = 'up')"""
        )
        changed.commit()
    label = name_of(("weighted:Heads", "sum"))
    with closing(open_for_reading(path)) as connection:
        values = {"baseline": "null", "scenario": "up", "label": label}
        kenya, *others = answer(connection, "scenario_impact", **values)
    assert kenya["scenario_value"] is None
    assert kenya["baseline_value"] is not None
    assert None not in [row["scenario_value"] for row in others]
