"""The page of an economic evaluation: league table, plane, frontier, investment case."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest.charts.economics_charts import (
    frontier_chart,
    investment_chart,
    plane_chart,
    verdict_map,
)
from ingest.charts.style import Spec
from ingest.charts.world_map import shapes_at
from ingest.database.country_facts import read_country_facts
from ingest.database.kept_economics import read_kept_economics
from ingest.database.states import RunRef, newest_run
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.questions.catalogue import Memo, group_columns
from ingest.questions.cost_effectiveness import Status
from ingest.questions.economics import (
    COUNTRY,
    TOTAL,
    Economics,
    EconomicsRequest,
    read_economics_of,
    threshold_text,
)
from ingest.questions.evaluation import (
    Evaluation,
    evaluate,
    evaluation_answer,
    evaluation_rows,
    flat_row,
    verdict,
)
from ingest.questions.investment import (
    InvestmentCase,
    case_answer,
    investment_cases,
    plain_row,
    summary_rows,
    year_rows,
)
from ingest.study.country_values import Values
from ingest.study.economics import EconomicsSettings
from ingest.text.numbers import quantity_text

_MOST_GROUPS = 60


@dataclass(frozen=True)
class Place:
    """One entry of the choice of places: its value, and what people read."""

    value: str
    text: str


@dataclass(frozen=True)
class EconomicsPage:
    """Everything about one country, group or the total; without a section only the choices."""

    is_set: bool
    where: str = ""
    places: tuple[tuple[str, tuple[Place, ...]], ...] = ()
    economics: Economics | None = None
    evaluation: Evaluation | None = None
    answer: str = ""
    rows: tuple[dict[str, Any], ...] = ()
    is_discounted: bool = True
    case: InvestmentCase | None = None
    case_answer: str = ""
    case_rows: tuple[dict[str, Any], ...] = ()
    problem: str = ""
    countries: tuple[Evaluation, ...] = ()
    """Of the total, what it is made of."""

    @property
    def charts(self) -> list[tuple[str, Spec]]:
        """Pictures of the scenarios, with their headings."""
        if self.economics is None or self.evaluation is None:
            return []
        return [
            ("The cost-effectiveness plane", plane_chart(self.economics, self.evaluation)),
            ("The efficiency frontier", frontier_chart(self.economics, self.evaluation)),
        ]

    @property
    def case_chart(self) -> Spec | None:
        """The money of the case over the years."""
        if self.economics is None or self.case is None:
            return None
        return investment_chart(self.economics, self.case)

    def map_chart(self, url: str) -> Spec | None:
        """What the scenario of the case is in each country; url: of the outlines."""
        if not self.countries or self.case is None:
            return None
        return verdict_map(self.countries, self.case.scenario, shapes_at(url))

    @property
    def map_answer(self) -> str:
        """In how many countries the scenario is what, the most first."""
        assert self.case is not None, "there is a map of its scenario"
        kinds = Counter(verdict(each, self.case.scenario) for each in self.countries)
        kinds.pop("", None)
        told = [f"{kind} in {number:,}" for kind, number in kinds.most_common()]
        return f"{self.case.scenario} is {', '.join(told)} of {sum(kinds.values()):,} countries."

    @property
    def streams(self) -> list[str]:
        """The streams of benefits."""
        return [each.name for each in self.economics.settings.benefits] if self.economics else []

    @property
    def threshold_headings(self) -> list[str]:
        """What stands above the net benefit at each threshold."""
        found = self.evaluation.thresholds if self.evaluation else ()
        return [f"Net benefit at {threshold_text(each)}" for each in found]

    @staticmethod
    def frontier_text(row: Mapping[str, Any]) -> str:
        """What a row says of the frontier: a ratio, or why there is none."""
        if row["status"] == Status.SAME.value:
            return f"same as {row['dominated_by'][0]}"
        if row["status"] != Status.FRONTIER.value:
            return str(row["status"])
        return "cheapest" if row["next"] is None else quantity_text(row["next_icer"])

    @property
    def run(self) -> RunRef:
        """The run whose state is shown."""
        assert self.economics is not None, "there is no state without one"
        return self.economics.request.run


def read_economics_page(
    connection: sqlite3.Connection,
    where: str | None = None,
    scenario: str | None = None,
    discounted: str | None = None,
    memo: Memo | None = None,
) -> EconomicsPage:
    """The page of a place: total, country:KEN, region:South Asia.

    scenario: of the investment case; the best one where None. discounted: "no" for sums as they
    are. memo: what was read before of the same data. Raises ConfigError: there is no such place.
    """
    memo = {} if memo is None else memo
    settings, values = read_kept_economics(connection)
    run = newest_run(connection, ended=True)
    if not settings.is_set or run is None:
        return EconomicsPage(is_set=False)
    where = where or TOTAL
    by, _, name = where.partition(":")
    facts = read_country_facts(connection, run.run_id)
    members = (name,) if by == COUNTRY else tuple(c for c in facts if facts[c].get(by) == name)
    if by != TOTAL and not members:
        raise ConfigError(
            f"where={where}: no such place in these results. Write {TOTAL}, country:KEN, or a "
            "column of the countries and a value of it, such as region:South Asia"
        )
    wanted = (by, COUNTRY) if by == TOTAL else (by,)
    request = EconomicsRequest(run, wanted, members, is_discounted=discounted != "no")
    page = EconomicsPage(True, where, _places(facts, group_columns(connection)))
    key = ("economics", (where, request.is_discounted))
    try:
        if key not in memo:
            memo[key] = _evaluated(connection, settings, values, request, memo)
    except ConfigError as exc:
        if where not in {place.value for _, found in page.places for place in found}:
            raise
        return replace(page, problem=str(exc))
    found: _Evaluated = memo[key]
    return _filled(page, found, scenario)


@dataclass(frozen=True)
class _Evaluated:
    """What was computed of a place; evaluation is None where no country has all its results."""

    economics: Economics
    evaluation: Evaluation | None
    countries: tuple[Evaluation, ...] = ()
    cases: tuple[InvestmentCase, ...] = ()


def _evaluated(
    connection: sqlite3.Connection,
    settings: EconomicsSettings,
    values: Values,
    request: EconomicsRequest,
    memo: Memo,
) -> _Evaluated:
    """The place of a request, which has one group of its first kind, with all its cases."""
    definitions = read_definitions(connection, None)
    known = memo.setdefault(("values of labels", ()), {})
    economics = read_economics_of(connection, settings, definitions, values, request, known)
    evaluations = evaluate(economics)
    by = request.by[0]
    evaluation = next((each for each in evaluations if each.group.by == by), None)
    if evaluation is None:
        return _Evaluated(economics, None)
    has_cases = bool(settings.benefits)
    cases = investment_cases(economics, (evaluation.group,)) if has_cases else []
    countries = tuple(each for each in evaluations if each.group.by == COUNTRY != by)
    return _Evaluated(economics, evaluation, countries, tuple(cases))


def _filled(page: EconomicsPage, found: _Evaluated, scenario: str | None) -> EconomicsPage:
    """The page with its answer, tables and charts, or with why there are none."""
    economics, evaluation = found.economics, found.evaluation
    if evaluation is None:
        name = page.where.partition(":")[2] or TOTAL
        return replace(page, problem=f"No country of {name} has every scenario with all its years.")
    filled = replace(
        page,
        economics=economics,
        evaluation=evaluation,
        answer=evaluation_answer(economics, evaluation),
        rows=tuple(evaluation_rows(economics, evaluation)),
        is_discounted=economics.request.is_discounted,
        countries=found.countries,
    )
    case = _case(economics, found.cases, scenario)
    if case is None:
        return filled
    return replace(
        filled,
        case=case,
        case_answer=case_answer(economics, case),
        case_rows=tuple(summary_rows(economics, case)),
    )


def economics_tables(page: EconomicsPage) -> dict[str, Any]:
    """The numbers of the page for programs: rows, and the investment case with its years."""
    if page.economics is None:
        return {"rows": [], "investment_case": [], "years": []}
    years = list(year_rows(page.economics, page.case)) if page.case else []
    return {
        "run_id": page.run.run_id,
        "git_commit": page.run.git_commit,
        "answer": page.answer,
        "rows": list(page.rows),
        "investment_case": list(page.case_rows),
        "years": years,
    }


def economics_rows(page: EconomicsPage, table: str) -> list[dict[str, Any]]:
    """One table of the page as CSV has it: scenarios, investment_case or years.

    Raises ConfigError: there is no such table.
    """
    tables = economics_tables(page)
    found: dict[str, list[dict[str, Any]]] = {
        "scenarios": [flat_row(row) for row in tables["rows"]],
        "investment_case": [plain_row(row) for row in tables["investment_case"]],
        "years": tables["years"],
    }
    if table not in found:
        raise ConfigError(f"table={table}: tables are {', '.join(found)}")
    return found[table]


def _case(
    economics: Economics, cases: Sequence[InvestmentCase], scenario: str | None
) -> InvestmentCase | None:
    """The case of the scenario that is asked for, else of the one with the largest net benefit."""
    chosen = [case for case in cases if case.scenario == scenario]
    last = economics.years[-1]

    def net(case: InvestmentCase) -> float:
        found = case.until(last, discounted=True)
        return found.benefit - found.cost

    return chosen[0] if chosen else max(cases, key=net, default=None)


def _places(
    facts: Mapping[str, Mapping[str, str]], columns: Sequence[str]
) -> tuple[tuple[str, tuple[Place, ...]], ...]:
    """What can be chosen: the total, groups of each column, countries."""
    found: list[tuple[str, tuple[Place, ...]]] = [("", (Place(TOTAL, "All countries"),))]
    for column in columns:
        names = sorted({of[column] for of in facts.values() if column in of})
        if 1 < len(names) <= _MOST_GROUPS:
            words = column.replace("_", " ").capitalize()
            found.append((words, tuple(Place(f"{column}:{name}", name) for name in names)))
    countries = sorted((of.get("name", iso3), iso3) for iso3, of in facts.items())
    found.append(("Country", tuple(Place(f"{COUNTRY}:{iso3}", name) for name, iso3 in countries)))
    return tuple(found)
