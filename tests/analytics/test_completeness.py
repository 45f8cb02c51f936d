"""What an answer lacks by its document and by the other jobs of the run."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ingest.analytics.completeness import Completeness
from ingest.metrics import Metric, ResultSet
from ingest.study.combination import Combination
from ingest.study.settings import AnalyticsSettings

END = 2051
COUNTRIES, SCENARIOS = ("KEN", "UGA", "TZA"), ("null", "t1", "t2")


def results(labels: str = "AB", years: Iterable[int] = range(2025, END)) -> ResultSet:
    known = list(years)
    return ResultSet([Metric(label, year, 1.0) for label in labels for year in known])


def until(year: int, labels: str = "AB") -> ResultSet:
    return results(labels, range(2025, year + 1))


def knowing(**settings: str) -> Completeness:
    return Completeness(AnalyticsSettings(source="analytics-api", **settings))


def of_run(*short: tuple[str, str], labels: str = "A") -> Completeness:
    """Nine jobs of which these have only some labels."""
    known = knowing()
    for country in COUNTRIES:
        for scenario in SCENARIOS:
            has = labels if (country, scenario) in short else "AB"
            known.keep(Combination(country, scenario), results(has), END, run_id=RUN)
    return known


RUN = 2
KEN_NULL = Combination("KEN", "null")


@pytest.mark.parametrize("year", [2026, 2034, 2048, 2049])
def test_an_answer_that_ends_before_its_document_lacks_years(year: int) -> None:
    assert knowing().find_lack(KEN_NULL, until(year), END) == (
        f"the results end in {year}, the document's years in 2050"
    )


@pytest.mark.parametrize(
    "answer",
    [
        until(2050),
        until(2060),
        results(years=range(2030, END)),  # the years of a burn-in are left out
        results(years=range(2025, END, 5)),
        results(years=range(2025, END, 10)),  # 2045: the next would be 2055
        results(years=[2050]),
    ],
)
def test_years_that_reach_the_end_are_whole(answer: ResultSet) -> None:
    assert knowing().find_lack(KEN_NULL, answer, END) == ""


def test_a_document_without_years_asks_for_none() -> None:
    assert knowing().find_lack(KEN_NULL, until(2026), None) == ""


@pytest.mark.parametrize(
    "settings",
    [
        {"source": "executor"},
        {"incomplete": "accept"},
        {"filters": ("timestamp_year__lte=2030",)},
        {"filters": ("element_label__contains=D", "value__gt=0")},
        {"event_type": "BALANCE_SET"},
    ],
)
def test_years_are_not_looked_at_where_the_query_may_leave_them_out(
    settings: dict[str, object],
) -> None:
    analytics = AnalyticsSettings(**{"source": "analytics-api", **settings})  # type: ignore[arg-type]
    assert Completeness(analytics).find_lack(KEN_NULL, until(2026), END) == ""


def test_a_model_that_ends_a_year_before_its_document_is_asked_once_and_believed() -> None:
    known = knowing()
    assert known.find_lack(KEN_NULL, until(2049), END)
    assert known.find_lack(KEN_NULL, until(2049), END, is_last=True) == ""
    other = Combination("UGA", "null")
    assert known.find_lack(other, until(2049), END) == ""
    assert known.find_lack(other, until(2048), END, is_last=True)


def test_what_was_believed_is_taken_back_when_another_job_reaches_the_end() -> None:
    known = knowing()
    known.find_lack(KEN_NULL, until(2049), END, is_last=True)
    known.keep(KEN_NULL, until(2049), END, run_id=RUN)
    assert known.find_late() == {}
    other = Combination("UGA", "t1")
    assert known.find_lack(other, until(2050), END) == ""
    assert set(known.find_late()[RUN]) == {KEN_NULL}


def test_labels_that_most_jobs_of_the_country_and_of_the_scenario_have_are_missed() -> None:
    known = of_run()
    lack = known.find_lack(Combination("KEN", "t3"), results("A"), END)
    assert lack == ""  # no other job of the scenario says what it has
    again = of_run(("KEN", "null"))
    lack = (
        "the results lack labels, or the last years of labels, that other jobs of the same country "
        "and of the same scenario have: B"
    )
    assert again.find_late() == {RUN: {KEN_NULL: lack}}


@pytest.mark.parametrize(("run_id", "late"), [(RUN - 1, {RUN - 1: {KEN_NULL}}), (None, {})])
def test_results_of_an_earlier_run_are_short_by_what_came_since(
    run_id: int | None, late: dict[int, set[Combination]]
) -> None:
    known = of_run()
    known.forget(KEN_NULL)
    known.keep(KEN_NULL, results("A"), END, run_id=run_id)
    assert {run: set(lacks) for run, lacks in known.find_late().items()} == late


def test_a_label_that_ends_before_the_others_is_missed() -> None:
    known = of_run()
    known.forget(KEN_NULL)
    early = ResultSet([*results("A"), *until(2034, "B")])
    assert known.find_lack(KEN_NULL, early, END).endswith(": B")
    assert known.find_lack(KEN_NULL, results("AB"), END) == ""
    assert known.find_lack(KEN_NULL, results("ABC"), END) == ""


@pytest.mark.parametrize(
    "short",
    [
        [("KEN", scenario) for scenario in SCENARIOS],  # a country without the label
        [(country, "null") for country in COUNTRIES],  # a scenario without it
        [("KEN", "null"), ("KEN", "t1"), ("UGA", "null"), ("UGA", "t1")],  # no clear majority
    ],
)
def test_labels_that_a_country_or_a_scenario_never_has_are_not_missed(
    short: list[tuple[str, str]],
) -> None:
    assert of_run(*short).find_late() == {}
