"""Data quality of the stored state: the rules that compare scenarios, countries and runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ingest.analytics.quality import (
    MAX_FINDINGS,
    QualityFinding,
    as_findings,
    check_result_set,
)
from ingest.database.indicators import IndicatorRequest, read_indicators, shown_rows
from ingest.database.states import make_state_table
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.metrics import Metric, ResultSet
from ingest.study.combination import Combination
from ingest.study.quality_rules import Rule
from ingest.study.rule_kinds import KINDS, Problem, Scope, Series, matches, matching
from ingest.study.scenario_order import order_scenarios
from ingest.study.settings import Settings

_STATE, _BEFORE = "quality_state", "quality_before"

Problems = Iterator[tuple[Combination, Problem]]


def check_state(
    connection: sqlite3.Connection,
    rules: Iterable[Rule],
    run_id: int,
    countries: Sequence[str] | None = None,
    max_findings: int = MAX_FINDINGS,
    settings: Settings | None = None,
) -> list[QualityFinding]:
    """What the rules that need more than one job find in the state as of a run.

    countries: report findings for these only; None means all. Outliers are found among all.
    settings: of the study at hand, for its indicators.
    """
    chosen = [rule for rule in rules if not rule.is_per_job]
    if not chosen:
        return []
    make_state_table(connection, _STATE, run_id)
    state = _State(connection, run_id, countries, settings)
    findings = []
    for rule in chosen:
        problems: dict[Combination, list[Problem]] = {}
        for combination, problem in CHECKS[KINDS[rule.kind].scope](rule, state):
            problems.setdefault(combination, []).append(problem)
        for combination, found in sorted(problems.items()):
            findings += as_findings(rule, combination, found, max_findings)
    return findings


def check_stored_results(
    connection: sqlite3.Connection,
    rules: Iterable[Rule],
    run_id: int,
    max_findings: int = MAX_FINDINGS,
    settings: Settings | None = None,
) -> tuple[int, list[QualityFinding]]:
    """How many combinations the state as of a run has, and what all rules find in it."""
    rules = tuple(rules)
    make_state_table(connection, _STATE, run_id)
    combinations = 0
    findings = []
    for combination, result_set in _result_sets(connection):
        combinations += 1
        findings += check_result_set(rules, combination, result_set, max_findings)
    of_state = check_state(connection, rules, run_id, None, max_findings, settings)
    return combinations, findings + of_state


def unknown_labels(connection: sqlite3.Connection, rules: Iterable[Rule]) -> list[tuple[str, str]]:
    """Labels and patterns that rules name and that no stored result has: (rule, label)."""
    known = tuple(label for _, label in _elements(connection))
    return [
        (rule.name, label)
        for rule in rules
        for label in rule.labels
        if not matching(known, (label,))
    ]


def _elements(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    rows = connection.execute("SELECT element_id, element_label FROM elements ORDER BY 2")
    return [(element_id, label) for element_id, label in rows]


def _result_sets(connection: sqlite3.Connection) -> Iterator[tuple[Combination, ResultSet]]:
    rows = connection.execute(
        f"""SELECT s.country, s.scenario, e.element_label, m.timestamp_year, m.value
              FROM temp.{_STATE} AS s
              CROSS JOIN metric_values AS m ON m.result_set_id = s.result_set_id
              JOIN elements AS e ON e.element_id = m.element_id
             ORDER BY s.country, s.scenario"""
    )
    for key, group in groupby(rows, key=lambda row: (row[0], row[1])):
        metrics = sorted(Metric(label, year, value) for _, _, label, year, value in group)
        yield Combination(*key), ResultSet(metrics)


@dataclass(frozen=True)
class _State:
    """The stored state, of which some countries are looked at; reads one label at a time."""

    connection: sqlite3.Connection
    run_id: int
    countries: Sequence[str] | None
    settings: Settings | None = None

    def chosen(self, rule: Rule, *, all_countries: bool = False) -> list[Combination]:
        """The combinations that a rule is about, sorted."""
        rows = self.connection.execute(
            f"SELECT country, scenario FROM temp.{_STATE} ORDER BY country, scenario"
        )
        return [
            Combination(country, scenario)
            for country, scenario in rows
            if rule.applies_to(country, scenario) and (all_countries or self.looks_at(country))
        ]

    def looks_at(self, country: str) -> bool:
        return self.countries is None or country in self.countries

    def labels(self, rule: Rule) -> list[tuple[int, str]]:
        return [(number, label) for number, label in self.elements() if matches(label, rule.label)]

    def elements(self) -> list[tuple[int, str]]:
        return _elements(self.connection)

    def series(self, element_id: int, table: str = _STATE) -> dict[Combination, dict[int, float]]:
        """The values of one label in the countries that are looked at."""
        condition = "" if self.countries is None else "WHERE s.country IN (SELECT value FROM c)"
        rows = self.connection.execute(
            f"""WITH c AS (SELECT value FROM json_each(?))
                SELECT s.country, s.scenario, m.timestamp_year, m.value
                  FROM temp.{table} AS s
                  CROSS JOIN metric_values AS m
                          ON m.result_set_id = s.result_set_id AND m.element_id = ?
                 {condition}""",
            [json.dumps(self.countries), element_id],
        )
        series: dict[Combination, dict[int, float]] = {}
        for country, scenario, year, value in rows:
            series.setdefault(Combination(country, scenario), {})[year] = value
        return series

    def sums(self, element_id: int) -> dict[Combination, float]:
        """The sum over the years of one label, in every country."""
        rows = self.connection.execute(
            f"""SELECT s.country, s.scenario, sum(m.value) FROM temp.{_STATE} AS s
                  CROSS JOIN metric_values AS m
                          ON m.result_set_id = s.result_set_id AND m.element_id = ?
                 GROUP BY s.country, s.scenario""",
            [element_id],
        )
        return {Combination(country, scenario): total for country, scenario, total in rows}

    def first_years(self) -> dict[Combination, int]:
        """The first year of all labels together."""
        rows = self.connection.execute(
            f"""SELECT s.country, s.scenario, r.first_year FROM temp.{_STATE} AS s
                  JOIN result_sets AS r ON r.result_set_id = s.result_set_id"""
        )
        return {Combination(country, scenario): year for country, scenario, year in rows}


def _by_country(
    combinations: Iterable[Combination], series: Mapping[Combination, Series]
) -> Iterator[tuple[str, dict[str, Series]]]:
    for country, group in groupby(combinations, key=lambda combination: combination.country):
        yield country, {c.scenario: series.get(c, {}) for c in group}


def _within_countries(rule: Rule, state: _State) -> Problems:
    chosen = state.chosen(rule)
    read: Iterable[tuple[str | None, Mapping[Combination, Series]]]
    if rule.label or rule.values:
        read = ((label, state.series(element_id)) for element_id, label in state.labels(rule))
    else:
        read = [(None, {c: {year: 0.0} for c, year in state.first_years().items()})]
    for label, series in read:
        for country, scenarios in _by_country(chosen, series):
            for scenario, problem in KINDS[rule.kind].check(rule, label, scenarios):
                yield Combination(country, scenario), problem


def _against_the_state_before(rule: Rule, state: _State) -> Problems:
    make_state_table(state.connection, _BEFORE, state.run_id - 1)
    moved = _moved(state.connection)
    chosen = [combination for combination in state.chosen(rule) if combination in moved]
    for element_id, label in state.labels(rule) if chosen else ():
        before, after = state.series(element_id, _BEFORE), state.series(element_id)
        for combination in chosen:
            old, new = before.get(combination, {}), after.get(combination, {})
            for problem in KINDS[rule.kind].check(rule, label, old, new):
                yield combination, problem


def _moved(connection: sqlite3.Connection) -> set[Combination]:
    """The combinations with other results than in the state before."""
    rows = connection.execute(
        f"""SELECT s.country, s.scenario FROM temp.{_STATE} AS s
              JOIN temp.{_BEFORE} AS b USING (country, scenario)
             WHERE s.result_set_id <> b.result_set_id"""
    )
    return {Combination(country, scenario) for country, scenario in rows}


def _among_countries(rule: Rule, state: _State) -> Problems:
    numbers = {label: element_id for element_id, label in state.elements()}
    if rule.per not in numbers:
        return
    chosen = state.chosen(rule, all_countries=True)
    per = state.sums(numbers[rule.per])
    for element_id, label in state.labels(rule):
        sums = state.sums(element_id)
        ratios: dict[str, dict[str, float]] = {}
        for c in chosen:
            if c in sums and per.get(c, 0.0) != 0:
                ratios.setdefault(c.scenario, {})[c.country] = sums[c] / per[c]
        for scenario, of_countries in ratios.items():
            for country, problem in KINDS[rule.kind].check(rule, label, of_countries):
                if state.looks_at(country):
                    yield Combination(country, scenario), problem


def _of_indicators(rule: Rule, state: _State) -> Problems:
    chosen = state.chosen(rule)
    if not chosen:
        return
    try:
        definitions = read_definitions(state.connection, state.settings)
        request = IndicatorRequest(
            run_id=state.run_id,
            baseline=definitions.baseline,
            scenarios=order_scenarios({combination.scenario for combination in chosen}),
            countries=tuple(sorted({combination.country for combination in chosen})),
        )
        names = [rule.indicator]
        table = read_indicators(state.connection, definitions.indicators, request, names)
    except ConfigError as exc:
        yield chosen[0], Problem(rule.indicator, None, None, str(exc))
        return
    values: dict[Combination, dict[int | None, float]] = {}
    for row in shown_rows(table, table.rows):
        if row.value is not None:
            values.setdefault(Combination(row.group[0], row.scenario), {})[row.until] = row.value
    for combination in chosen:
        if combination in values:
            for problem in KINDS[rule.kind].check(rule, rule.indicator, values[combination]):
                yield combination, problem


CHECKS: dict[Scope, Callable[[Rule, _State], Problems]] = {
    Scope.COUNTRY: _within_countries,
    Scope.RUNS: _against_the_state_before,
    Scope.COUNTRIES: _among_countries,
    Scope.INDICATORS: _of_indicators,
}
