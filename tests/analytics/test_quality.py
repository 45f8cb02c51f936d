from __future__ import annotations

from typing import Any

import pytest

from ingest.analytics.quality import QualityFinding, check_result_set
from ingest.findings import Severity
from ingest.metrics import Metric, ResultSet
from ingest.study.combination import Combination
from ingest.study.quality_rules import Rule, read_rules
from ingest.study.rule_kinds import (
    check_jump,
    check_ordering,
    check_outliers,
    check_same_first_year,
)

KEN = Combination("KEN", "null")


def rule(kind: str, **values: Any) -> Rule:
    rules, findings = read_rules([{"kind": kind, **values}], "ingest.toml")
    assert findings == []
    return rules[0]


def results(**labels: dict[int, float] | list[float]) -> ResultSet:
    """Values by year, or a list of values from 2025 on."""
    metrics = [
        Metric(label, year, float(value))
        for label, series in sorted(labels.items())
        for year, value in sorted(
            (dict(enumerate(series, 2025)) if isinstance(series, list) else series).items()
        )
    ]
    return ResultSet(metrics)


def found(checked: Rule, result_set: ResultSet, **options: Any) -> list[tuple[Any, ...]]:
    """Label, year and message of what one rule finds."""
    findings = check_result_set([checked], KEN, result_set, **options)
    return [(f.element_label, f.timestamp_year, f.message) for f in findings]


# --- bounds --------------------------------------------------------------------------------------


def test_finding_says_rule_severity_place_and_value() -> None:
    negative = rule("bounds", label="A", minimum=0, severity="error", name="no debt")
    assert check_result_set([negative], KEN, results(A=[1, -2])) == [
        QualityFinding(
            "no debt", Severity.ERROR, "KEN", "null", "A", 2026, -2.0, "-2 is below 0"
        )
    ]  # fmt: skip


def test_values_on_the_bounds_are_within() -> None:
    assert found(rule("bounds", label="A", minimum=0, maximum=1), results(A=[0, 0.5, 1])) == []


def test_values_beyond_either_bound_are_found() -> None:
    assert found(rule("bounds", label="A", minimum=0, maximum=1), results(A=[-0.1, 1.5])) == [
        ("A", 2025, "-0.1 is below 0"),
        ("A", 2026, "1.5 is above 1"),
    ]


def test_rounding_is_no_finding() -> None:
    assert found(rule("bounds", label="A", maximum=1), results(A=[1 + 1e-12])) == []
    assert found(rule("bounds", label="A", maximum=1, rtol=0), results(A=[1 + 1e-12])) != []


def test_labels_are_patterns() -> None:
    checked = rule("bounds", label="Pop*", minimum=0)
    assert found(checked, results(PopA=[-1], PopB=[-1], Other=[-1])) == [
        ("PopA", 2025, "-1 is below 0"),
        ("PopB", 2025, "-1 is below 0"),
    ]


@pytest.mark.parametrize("label", ["B", "B*"])
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bounds", {"minimum": 0}),
        ("monotone", {"direction": "increasing"}),
        ("complete_years", {}),
    ],
)
def test_label_that_is_not_there_is_found(kind: str, values: dict[str, Any], label: str) -> None:
    checked = rule(kind, label=label, **values)
    assert found(checked, results(A=[1])) == [(label, None, f"no metric labelled {label!r}")]


def test_rule_of_other_countries_or_scenarios_is_not_asked() -> None:
    values: dict[str, Any] = {"label": "A", "minimum": 0}
    assert found(rule("bounds", countries="U*", **values), results(A=[-1])) == []
    assert found(rule("bounds", scenarios="base*", **values), results(A=[-1])) == []
    assert found(rule("bounds", countries="K*", **values), results(A=[-1])) != []


def test_many_findings_are_cut_and_the_last_says_how_many_more() -> None:
    checked = rule("bounds", label="A", minimum=0)
    cut = found(checked, results(A=[-1.0] * 30), max_findings=3)
    assert [message for *_, message in cut] == [
        "-1 is below 0",
        "-1 is below 0",
        "-1 is below 0 (and 27 more)",
    ]
    assert len(found(checked, results(A=[-1.0] * 30))) == 20
    assert "more" not in found(checked, results(A=[-1.0] * 3), max_findings=3)[-1][2]


def test_limit_is_for_each_rule() -> None:
    rules = [rule("bounds", label=label, minimum=0) for label in "AB"]
    findings = check_result_set(rules, KEN, results(A=[-1] * 5, B=[-1] * 5), max_findings=2)
    assert [f.rule for f in findings] == ["bounds A", "bounds A", "bounds B", "bounds B"]


# --- monotone ------------------------------------------------------------------------------------


def test_standing_still_is_monotone_either_way() -> None:
    for direction in ("increasing", "decreasing"):
        assert found(rule("monotone", label="A", direction=direction), results(A=[3, 3, 3])) == []
        assert found(rule("monotone", label="A", direction=direction), results(A=[3])) == []


def test_step_the_wrong_way_is_found() -> None:
    assert found(rule("monotone", label="A", direction="increasing"), results(A=[0, 2, 1, 3])) == [
        ("A", 2027, "falls from 2 in 2026 to 1")
    ]
    assert found(rule("monotone", label="A", direction="decreasing"), results(A=[3, 1, 2])) == [
        ("A", 2027, "rises from 1 in 2026 to 2")
    ]


def test_gap_in_the_years_does_not_hide_a_fall() -> None:
    checked = rule("monotone", label="A", direction="increasing")
    assert found(checked, results(A={2025: 2, 2030: 1})) == [
        ("A", 2030, "falls from 2 in 2025 to 1")
    ]


def test_fall_within_rounding_is_none() -> None:
    values = [1e9, 1e9 - 1e-3]
    checked = rule("monotone", label="A", direction="increasing")
    assert found(checked, results(A=values)) == []
    strict = rule("monotone", label="A", direction="increasing", rtol=0)
    assert len(found(strict, results(A=values))) == 1


# --- conserved -----------------------------------------------------------------------------------


def test_sum_that_is_the_total_holds_also_when_zero() -> None:
    checked = rule("conserved", sum=["A", "B"], total="T")
    assert found(checked, results(A=[1, 0], B=[2, 0], T=[3, 0])) == []


def test_sum_with_minus() -> None:
    checked = rule("conserved", sum=["A", "B"], minus=["C"], total="T")
    assert found(checked, results(A=[5, 5], B=[2, 2], C=[3, 3], T=[4, 5])) == [
        ("T", 2026, "5 is 1 more than A + B - C, 4")
    ]


def test_large_numbers_have_separators() -> None:
    checked = rule("conserved", sum=["A"], total="T")
    assert found(checked, results(A=[5_062_764.2], T=[5_062_764.1])) == [
        ("T", 2025, "5,062,764 is 0.1 less than A, 5,062,764")
    ]


def test_rounding_of_large_terms_that_cancel_is_no_finding() -> None:
    checked = rule("conserved", sum=["A"], minus=["B"], total="T")
    assert found(checked, results(A=[1e12], B=[1e12], T=[1e-4])) == []


def test_rtol_of_a_sum() -> None:
    numbers = results(A=[99.5], T=[100])
    assert found(rule("conserved", sum=["A"], total="T", rtol=0.01), numbers) == []
    assert len(found(rule("conserved", sum=["A"], total="T", rtol=0.001), numbers)) == 1


def test_parts_that_are_not_there_are_found_once_each() -> None:
    assert found(rule("conserved", sum=["A", "B"], total="T"), results(A=[1])) == [
        ("B", None, "no metric labelled 'B'"),
        ("T", None, "no metric labelled 'T'"),
    ]


def test_year_that_a_part_lacks_is_found() -> None:
    assert found(rule("conserved", sum=["A"], total="T"), results(A=[1], T=[1, 2])) == [
        ("T", 2026, "no value of A")
    ]


# --- complete years ------------------------------------------------------------------------------


def test_every_year_is_there() -> None:
    assert found(rule("complete_years"), results(A=[1, 2, 3], B=[0, 0, 0])) == []
    assert found(rule("complete_years"), results(A=[1])) == []


def test_gaps_and_early_ends_are_found() -> None:
    numbers = results(A={2025: 1, 2027: 1}, B=[1, 1], C=[1, 1, 1])
    message = "no value, though the results are of 2025 to 2027"
    assert found(rule("complete_years"), numbers) == [("A", 2026, message), ("B", 2027, message)]
    assert found(rule("complete_years", label="B"), numbers) == [("B", 2027, message)]


# --- ordering ------------------------------------------------------------------------------------

ORDERING = {"label": "A", "scenarios": ["null", "half", "all"]}


def ordering(scenarios: dict[str, dict[int, float]], **values: Any) -> list[tuple[Any, ...]]:
    checked = rule("ordering", **ORDERING, **values)
    return [(s, p.year, p.value, p.message) for s, p in check_ordering(checked, "A", scenarios)]


def test_equal_or_rising_scenarios_are_in_order() -> None:
    assert ordering({"null": {2025: 1}, "half": {2025: 1}, "all": {2025: 2}}) == []
    assert ordering({"all": {2025: 0.0}, "null": {2025: 0.0}}) == []


def test_scenario_below_the_one_before_is_found() -> None:
    assert ordering({"null": {2025: 2, 2026: 2}, "all": {2025: 1, 2026: 2}}) == [
        ("all", None, 1.5, "the mean over the years, 1.5, is below that of null, 2")
    ]


def test_means_may_be_in_order_where_values_are_not() -> None:
    scenarios: dict[str, dict[int, float]] = {"null": {2025: 2, 2026: 2}, "all": {2025: 1, 2026: 9}}
    assert ordering(scenarios) == []
    assert ordering(scenarios, compare="value") == [("all", 2025, 1, "1, is below that of null, 2")]


def test_only_years_of_both_count() -> None:
    assert ordering({"null": {2025: 1, 2026: 5}, "all": {2025: 1}}) == []
    assert ordering({"null": {2025: 1}, "all": {2026: 1}}) == []


def test_scenario_without_the_label_is_found_and_passed_over() -> None:
    assert ordering({"null": {2025: 2}, "half": {}, "all": {2025: 1}}) == [
        ("half", None, None, "no metric labelled 'A'"),
        ("all", None, 1.0, "the mean over the years, 1, is below that of null, 2"),
    ]


def test_rounding_is_in_order() -> None:
    scenarios = {"null": {2025: 1 + 1e-12}, "all": {2025: 1.0}}
    assert ordering(scenarios) == []
    assert len(ordering(scenarios, rtol=0)) == 1


# --- same first year -----------------------------------------------------------------------------


def first_year(scenarios: dict[str, dict[int, float]], **values: Any) -> list[tuple[Any, ...]]:
    checked = rule("same_first_year", **values)
    problems = check_same_first_year(checked, "A", scenarios)
    return [(scenario, p.year, p.message) for scenario, p in problems]


def test_scenarios_that_begin_together_are_fine() -> None:
    assert first_year({"a": {2025: 1}, "b": {2025: 2, 2026: 3}}) == []
    assert first_year({"a": {2025: 1}}) == []
    assert first_year({"a": {2025: 1}, "b": {}}) == []


def test_the_odd_one_out_is_found() -> None:
    scenarios: dict[str, dict[int, float]] = {"a": {2026: 1}, "b": {2025: 1}, "c": {2025: 1}}
    assert first_year(scenarios) == [("a", 2026, "begins in 2026, other scenarios in 2025")]


def test_of_two_the_later_is_found() -> None:
    assert first_year({"a": {2026: 1}, "b": {2025: 1}}) == [
        ("a", 2026, "begins in 2026, other scenarios in 2025")
    ]


def test_values_of_the_first_year_when_asked_for() -> None:
    scenarios: dict[str, dict[int, float]] = {"a": {2025: 1}, "b": {2025: 1}, "c": {2025: 2}}
    assert first_year(scenarios) == []
    assert first_year(scenarios, values=True) == [
        ("c", 2025, "begins with 2, other scenarios with 1")
    ]
    assert first_year({"a": {2025: 1}, "b": {2025: 1 + 1e-12}}, values=True) == []


# --- jumps and outliers --------------------------------------------------------------------------


def jumps(before: dict[int, float], after: dict[int, float]) -> list[tuple[Any, ...]]:
    problems = check_jump(rule("jump", label="A", factor=2), "A", before, after)
    return [(p.year, p.message) for p in problems]


def test_moves_up_to_the_factor_are_no_jump() -> None:
    assert jumps({2025: 1, 2026: 2}, {2025: 2, 2026: 1}) == []
    assert jumps({2025: 0, 2026: 1, 2027: 1}, {2025: 9, 2026: 0, 2028: 9}) == []


def test_growth_shrinkage_and_change_of_sign_are_jumps() -> None:
    assert jumps({2025: 1, 2026: 1, 2027: 1}, {2025: 3, 2026: 0.25, 2027: -1}) == [
        (2025, "was 1, is 3 (3 times)"),
        (2026, "was 1, is 0.25 (0.25 times)"),
        (2027, "was 1, is -1 (-1 times)"),
    ]


def outliers(ratios: dict[str, float], **values: Any) -> list[tuple[str, str]]:
    problems = check_outliers(rule("outlier", label="A", per="P", **values), "A", ratios)
    return [(country, p.message) for country, p in problems]


RATIOS = {f"C{number}": 1 + number / 10 for number in range(10)}


def test_ordinary_countries_are_no_outliers() -> None:
    assert outliers(RATIOS) == []
    assert outliers(dict.fromkeys(RATIOS, 1.0)) == []


@pytest.mark.parametrize("ratio", [1000, 0.001])
def test_country_far_from_the_median_is_an_outlier(ratio: float) -> None:
    [(country, message)] = outliers(RATIOS | {"ODD": ratio})
    assert country == "ODD"
    assert message.startswith(f"{ratio:g} per unit of P, where the median country has 1.")
    assert outliers(RATIOS | {"ODD": ratio}, z=100) == []


def test_few_countries_have_no_outlier() -> None:
    assert outliers({"A": 1, "B": 1.1, "C": 1.2, "D": 1000}) == []


def test_ratio_of_zero_has_no_logarithm_and_is_passed_over() -> None:
    assert outliers(RATIOS | {"NIL": 0.0, "NEG": -1.0}) == []
