"""[[indicators]]: what is read, what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.errors import ConfigError
from ingest.study.indicators import (
    Indicator,
    indicator_findings,
    read_indicators_section,
    said_of,
    unit_of,
)
from ingest.study.label import Label
from ingest.study.scenario_order import choose_baseline

DEATHS = {"name": "Deaths averted", "labels": ["A -> Dead", "B -> Dead"], "sense": "averted"}
COST = {"name": "Cost", "labels": ["Cost"]}
LABELS = (
    Label("A -> Dead", "deaths a year", sum_unit="deaths"),
    Label("B -> Dead", "deaths a year", sum_unit="deaths"),
    Label("Cost", "USD"),
    Label("Cost in euro", "EUR"),
    Label("People", "people", kind="stock", over_years="last"),
)
BY_NAME = {label.element_label: label for label in LABELS}


def read(*raw: dict[str, Any]) -> tuple[Indicator, ...]:
    indicators, findings = read_indicators_section(list(raw), "ingest.toml")
    assert findings == []
    return indicators


def problems(*raw: Any) -> list[str]:
    _, findings = read_indicators_section(list(raw), "ingest.toml")
    assert all(finding.is_error for finding in findings)
    return [str(finding).removeprefix("ingest.toml: ") for finding in findings]


def test_an_indicator_has_defaults() -> None:
    (one,) = read(COST)
    assert one == Indicator("Cost", ("Cost",))
    assert (one.aggregate, one.sense, one.until, one.scale) == ("sum", "level", (), 1.0)


def test_one_horizon_or_several_are_taken() -> None:
    one, two = read({**COST, "until": 2030, "from": 2026}, {**DEATHS, "until": [2030, 2035]})
    assert (one.until, one.from_year, two.until) == ((2030,), 2026, (2030, 2035))


def test_a_stored_definition_is_read_as_it_was() -> None:
    given = [
        {**DEATHS, "until": [2030], "from": 2026, "discount": 0.03, "base_year": 2025},
        {**COST, "per": "People", "scale": 1000.0, "unit": "USD", "allow_partial": True},
        {"name": "Cost per death", "ratio": ["Cost", "Deaths averted"]},
    ]
    indicators = read(*given)
    assert read(*map(said_of, indicators)) == indicators


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**COST, "discount": 3}, "discount: 3 is more than 30 % a year: it is a fraction. 3 % is"),
        ({**COST, "discount": 5.0}, "a fraction. 5 % is 0.05"),
        ({**COST, "discount": 300}, "discount: 300 is more than 30 % a year: it is a fraction."),
        ({**COST, "discount": -0.03}, "discount: must be at least 0"),
        ({**COST, "discount": 0.03, "aggregate": "last"}, "discount: goes with aggregate"),
        ({**COST, "base_year": 2025}, "base_year: needs a rate: add discount = 0.03"),
        ({**COST, "until": 30}, "until: 30 is no year from 1900 to 2300"),
        ({**COST, "until": ["2030"]}, "until: a whole number or a list of them is needed"),
        ({**COST, "until": 2030.5}, "until: a whole number or a list of them is needed"),
        ({**COST, "until": [True]}, "until: a whole number or a list of them is needed"),
        ({**COST, "until": [2030, 2030]}, "until: a year is given twice"),
        ({**COST, "until": 2030, "from": 2031}, "until: there is no year from 2031 to 2030"),
        ({**COST, "aggregate": "total"}, "aggregate: 'total' is not one of sum, mean"),
        ({**COST, "sense": "avert"}, "Did you mean averted?"),
        ({**COST, "scale": 0}, "scale: must be more than 0, not 0"),
        ({**COST, "from_year": 2030}, "unknown key indicators[1].from_year."),
        ({**COST, "untill": 2030}, "unknown key indicators[1].untill. Did you mean until?"),
        ({"labels": ["Cost"]}, "name: give it one, such as Deaths averted"),
        ({"name": "X"}, "labels: write the labels that are added, or ratio"),
        ({**COST, "ratio": ["A", "B"]}, "and not both"),
        ({"name": "X", "ratio": ["A"]}, "ratio: two indicators are needed, not 1"),
        ({"name": "X", "ratio": ["X", "X"]}, "ratio: goes in a circle: X -> X"),
        ({"name": "X", "ratio": ["Cots", "X"], }, "no indicator 'Cots'"),
        ({"name": "X", "ratio": ["A", "B"], "sense": "gained"}, "sense: a ratio has that of its"),
        ("Cost", "indicators: tables headed [[indicators]] are needed"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(raw: Any, message: str) -> None:
    assert any(message in problem for problem in problems(raw)), problems(raw)


def test_two_of_one_name_are_refused() -> None:
    assert problems(COST, COST, DEATHS) == [
        "indicators: 2 are named 'Cost'; give each its own name"
    ]


def test_a_longer_circle_is_told_with_its_way() -> None:
    found = problems(
        COST,
        {"name": "X", "ratio": ["Y", "Cost"]},
        {"name": "Y", "ratio": ["Cost", "Z"]},
        {"name": "Z", "ratio": ["X", "Cost"]},
    )
    assert "indicator 'X': ratio: goes in a circle: X -> Y -> Z -> X" in found


def test_members_of_a_ratio_that_end_in_other_years_need_a_horizon() -> None:
    first, second = {**COST, "until": 2030}, {**DEATHS, "until": 2035}
    ratio = {"name": "X", "ratio": ["Cost", "Deaths averted"]}
    assert "end in other years: say until here" in problems(first, second, ratio)[0]
    assert problems(first, second, {**ratio, "until": 2035}) == []


# --- against labels and years --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**COST, "labels": ["Cots"]}, "no label Cots in this study. Did you mean Cost?"),
        ({**COST, "labels": ["Cost", "-Deahts"]}, "no label Deahts in this study."),
        ({**COST, "labels": ["Birth*"]}, "no label Birth* in this study."),
        ({**COST, "per": "Poeple"}, "no label Poeple in this study. Did you mean People?"),
        ({**COST, "labels": ["Cost*"]}, "Cost is in USD; Cost in euro is in EUR"),
        ({**COST, "labels": ["Cost", "A*"]}, "A -> Dead is in deaths a year; Cost is in USD"),
        ({**COST, "labels": ["People"]}, "'People' (stock) is not summed over years. Take"),
        ({**COST, "until": 2060}, "until: 2060 is outside the years of the model: the model comp"),
        ({**COST, "until": [2030, 2051]}, "until: 2051 is outside the years of the model"),
        ({**COST, "from": 2020}, "from: 2020 is outside the years of the model"),
    ],
)
def test_what_does_not_fit_the_study_is_told(raw: dict[str, Any], message: str) -> None:
    findings = indicator_findings(read(raw), LABELS, range(2025, 2051), "ingest.toml")
    assert any(message in finding.message for finding in findings), findings
    assert all(finding.is_error for finding in findings)


def test_a_later_horizon_is_right_where_part_of_it_is_enough() -> None:
    later = read({**COST, "until": 2060, "allow_partial": True})
    assert indicator_findings(later, LABELS, range(2025, 2051), "ingest.toml") == []


@pytest.mark.parametrize(
    ("labels", "counts"),
    [
        (["* -> Dead"], {"A -> Dead": 1, "B -> Dead": 1}),
        (["* -> Dead", "-B*"], {"A -> Dead": 1}),
        (["A -> Dead", "-B -> Dead"], {"A -> Dead": 1, "B -> Dead": -1}),
        (["A -> Dead", "A*"], {"A -> Dead": 1}),
        (["-Cost"], {"Cost": -1}),
    ],
)
def test_labels_are_added_and_subtracted(labels: list[str], counts: dict[str, int]) -> None:
    assert read({"name": "X", "labels": labels})[0].select([*BY_NAME]) == counts


def test_a_label_that_begins_with_a_minus_sign_is_itself() -> None:
    assert Indicator("X", ("-A",)).select(["-A", "A"]) == {"-A": 1}


@pytest.mark.parametrize(
    ("raw", "unit"),
    [
        (DEATHS, "deaths"),
        ({**DEATHS, "aggregate": "mean"}, "deaths a year"),
        ({**DEATHS, "per": "People", "scale": 100_000}, "deaths per 100,000 people"),
        ({**COST, "unit": "million USD"}, "million USD"),
    ],
)
def test_the_unit_is_that_of_the_labels(raw: dict[str, Any], unit: str) -> None:
    assert unit_of(*read(raw), BY_NAME, {}) == unit


def test_the_unit_of_a_ratio_is_of_its_members() -> None:
    indicators = read(COST, DEATHS, {"name": "X", "ratio": ["Cost", "Deaths averted"]})
    known = {indicator.name: indicator for indicator in indicators}
    assert unit_of(known["X"], BY_NAME, known) == "USD / deaths"


@pytest.mark.parametrize(
    ("names", "baseline"),
    [
        (["up", "null", "baseline"], "null"),
        (["up", "baseline"], "baseline"),
        (["up", "a"], "a"),
    ],
)
def test_the_baseline_is_chosen_by_its_name(names: list[str], baseline: str) -> None:
    assert choose_baseline("", names) == baseline
    assert choose_baseline("up", names) == "up"


def test_a_baseline_that_is_no_scenario_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no scenario 'nul'\. Did you mean null\?"):
        choose_baseline("nul", ["null", "up"])
    with pytest.raises(ConfigError, match="there are no scenarios"):
        choose_baseline("", [])
