"""Scenario against scenario: which canned query answers a comparison, its values, its totals."""

from __future__ import annotations

import shlex
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ingest.database.consistency import Consistency, read_consistency
from ingest.database.labels import read_label
from ingest.database.rows import first_value
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.questions.caption import Conditions
from ingest.questions.catalogue import group_columns, run_canned_query
from ingest.questions.compare_rows import REFERENCE_COLUMNS, VALUE_COLUMNS
from ingest.questions.files import CannedQuery
from ingest.questions.horizon import Horizon, read_horizon
from ingest.questions.wording import NO_LABEL, adding_words
from ingest.study.combination import select_names
from ingest.study.label import Label
from ingest.text.numbers import count_text, exact_sum
from ingest.text.suggest import did_you_mean, did_you_mean_or_list

DEFAULT_LABEL = "Healthy Years Lived"
DEEPEST_GROUPS = 3

_CONSISTENT = "only results of the inputs at that run"
_GROUPS_SOURCE = (
    "Groups are text fields of the countries file, or columns of a CSV file that study.groups "
    "names; the next ingest run stores them"
)
# Of --by, beside the columns of the countries table.
TOTAL, YEAR, COUNTRY = "total", "year", "country"


@dataclass(frozen=True)
class CompareRequest:
    """What to compare: the scenario against the baseline in the state as of a run.

    by: what to group by, nested from left to right; empty is by country. countries: ISO3 codes,
    empty for all. discount_rate: a fraction a year. reference: published figures to compare with.
    """

    baseline: str
    scenario: str
    label: str
    run_id: int
    by: tuple[str, ...] = (COUNTRY,)
    countries: tuple[str, ...] = ()
    until_year: int | None = None
    discount_rate: float = 0.0
    base_year: int | None = None
    reference: str | None = None
    consistent: bool = False
    """Only results of the inputs that the study had at the run."""


@dataclass(frozen=True)
class Comparison:
    """The answer. total is a row of the same columns, over all rows; None where there is no row.

    columns: what it is grouped by, then the values. In rows, percent and ratio are None where the
    baseline or the reference is 0. left_out: countries that have only one of the two scenarios.
    horizon: the years that are summed. lacking: countries that the reference has and the results
    lack; their model value is None, and the total is over the others.
    """

    request: CompareRequest
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: tuple[Any, ...] | None
    left_out: tuple[str, ...]
    horizon: Horizon
    consistency: Consistency
    lacking: tuple[str, ...] = ()
    label: Label = NO_LABEL

    @property
    def conditions(self) -> Conditions:
        """What the numbers depend on, beside label, scenarios and run."""
        request = self.request
        others = (_CONSISTENT,) if request.consistent else ()
        has_total = self.total is not None or COUNTRY not in request.by
        adding = adding_words(
            self.label, self.horizon.years, each_year=YEAR in request.by, countries=has_total
        )
        return Conditions(request.countries, self.horizon, request.discount_rate, others, adding)


def compare_scenarios(
    connection: sqlite3.Connection,
    queries: dict[str, CannedQuery],
    request: CompareRequest,
    *,
    strict: bool = True,
) -> Comparison:
    """The comparison that was asked for, by the canned queries.

    label: how its years and countries were added up; total is None where they do not add up.
    Raises ConfigError: a name that the state does not have, nothing to compare, or, if strict, a
    label that does not add up as it would have to.
    """
    left_out = _check(connection, request)
    label = read_label(connection, request.label, request.run_id)
    if strict:
        _check_adding_up(label, request)
    comparison = _compare(connection, queries, request, left_out)
    return replace(comparison, label=label, total=_total(comparison, label))


def _total(comparison: Comparison, label: Label) -> tuple[Any, ...] | None:
    """The total, or None where there is none; the last of several years is a row already."""
    request, total = comparison.request, comparison.total
    if YEAR in request.by and label.over_years in ("last", "none"):
        return None
    is_known = total is not None and total[-len(VALUE_COLUMNS)] is not None
    if label.over_countries != "sum" and (request.reference is not None or not is_known):
        return None
    return total


def _compare(
    connection: sqlite3.Connection,
    queries: dict[str, CannedQuery],
    request: CompareRequest,
    left_out: tuple[str, ...],
) -> Comparison:
    scenarios = (request.baseline, request.scenario)
    consistency = read_consistency(connection, request.run_id, scenarios, request.countries)
    if request.reference is not None:
        return _against_reference(connection, queries, request, left_out, consistency)
    query, renamed = choose_query(request)
    rows = _select(connection, queries[query], request, renamed)
    if not rows:
        raise ConfigError(_nothing(request, consistency))
    whole = replace(request, by=(TOTAL,))
    name, columns = choose_query(whole)
    (sums,) = _select(connection, queries[name], whole, columns)
    keys = tuple(renamed)[: -len(VALUE_COLUMNS)]
    known = dict(zip(columns, sums, strict=True))
    total = tuple(known.get(key) for key in keys) + sums[-len(VALUE_COLUMNS) :]
    horizon = _horizon(connection, request)
    return Comparison(request, tuple(renamed), rows, total, left_out, horizon, consistency)


def _horizon(connection: sqlite3.Connection, request: CompareRequest) -> Horizon:
    return read_horizon(connection, _values(request))


def choose_query(request: CompareRequest) -> tuple[str, dict[str, str]]:
    """Name of the canned query, and its columns to show: name shown -> name in the query."""
    values = {column: column for column in VALUE_COLUMNS}
    if request.by == (YEAR,) and len(request.countries) == 1:
        return "compare_scenarios", {"timestamp_year": "timestamp_year", **values}
    if request.by == (COUNTRY,):
        return "scenario_impact", {"country": "country", "name": "name", **values}
    groups = {_shown(group): f"group_{n}" for n, group in enumerate(_groups(request), 1)}
    return "scenario_impact_by_group", {**groups, "countries": "countries", **values}


def query_values(request: CompareRequest, query: CannedQuery) -> dict[str, Any]:
    """The values of a query's parameters, of those that it has."""
    values = _values(request)
    return {parameter.name: values[parameter.name] for parameter in query.parameters}


def _values(request: CompareRequest) -> dict[str, Any]:
    groups = [*_groups(request), "", "", ""]
    return {
        "run": request.run_id,
        "baseline": request.baseline,
        "scenario": request.scenario,
        "label": request.label,
        "country": request.countries[0] if request.countries else None,
        "countries": ",".join(request.countries),
        "until": "" if request.until_year is None else request.until_year,
        "discount_rate": request.discount_rate,
        "base_year": "" if request.base_year is None else request.base_year,
        "group_1": groups[0],
        "group_2": groups[1],
        "group_3": groups[2],
        "reference": request.reference,
        "consistent": "yes" if request.consistent else "",
    }


def _groups(request: CompareRequest) -> tuple[str, ...]:
    return tuple(group for group in request.by if group != TOTAL)


def _shown(group: str) -> str:
    return "timestamp_year" if group == YEAR else group


def _select(
    connection: sqlite3.Connection,
    query: CannedQuery,
    request: CompareRequest,
    renamed: dict[str, str],
) -> tuple[tuple[Any, ...], ...]:
    """The rows of a query with only the columns to show."""
    columns, rows = run_canned_query(connection, query, query_values(request, query))
    positions = [columns.index(column) for column in renamed.values()]
    return tuple(tuple(row[position] for position in positions) for row in rows)


def _against_reference(
    connection: sqlite3.Connection,
    queries: dict[str, CannedQuery],
    request: CompareRequest,
    left_out: tuple[str, ...],
    consistency: Consistency,
) -> Comparison:
    columns = ("country", "name", *REFERENCE_COLUMNS)
    query = queries["reference_against_model"]
    rows = _select(connection, query, request, {column: column for column in columns})
    both = [row for row in rows if row[2] is not None]
    if not both:
        raise ConfigError(
            f"reference {request.reference!r} and the results of {request.scenario} as of run "
            f"{request.run_id} have no country in common"
        )
    model, reference = (exact_sum([row[column] for row in both]) for column in (2, 3))
    counted = f"{len(both):,} of {count_text(len(rows), 'country|countries')}"
    total = ("", counted, model, reference, model / reference if reference else None)
    lacking = tuple(row[0] for row in rows if row[2] is None)
    horizon = _horizon(connection, request)
    return Comparison(request, columns, rows, total, left_out, horizon, consistency, lacking)


# --- checking what was asked for -----------------------------------------------------------------


def default_label(connection: sqlite3.Connection, label: str | None) -> str:
    """The label asked for, else Healthy Years Lived, else the first one. Raises ConfigError."""
    rows = connection.execute("SELECT element_label FROM elements ORDER BY element_label")
    labels = [row[0] for row in rows]
    if not labels:
        raise ConfigError("there are no results in this database yet. Make some with: ingest run")
    if label is None:
        return DEFAULT_LABEL if DEFAULT_LABEL in labels else labels[0]
    if label not in labels:
        if label in {one.name for one in read_definitions(connection, None).indicators}:
            raise ConfigError(
                f"{label!r} is an indicator, not a label: ingest compare, indicators and diff take "
                f"it with --indicator {label!r}"
            )
        hint = did_you_mean_or_list(label, labels)
        raise ConfigError(f"no label {label!r} in the results{hint}")
    return label


def reference_label(
    connection: sqlite3.Connection, reference: str, scenario: str, label: str | None
) -> str:
    """The label of a reference's figures for a scenario. Raises ConfigError: it has none."""
    rows = connection.execute(
        "SELECT DISTINCT reference, scenario, element_label FROM reference_values ORDER BY 1, 2, 3"
    ).fetchall()
    levels = "SELECT 1 FROM reference_levels WHERE reference = ? LIMIT 1"
    if reference not in {row[0] for row in rows} and first_value(connection, levels, reference):
        raise ConfigError(
            f"reference {reference!r} has levels and no differences. See how the results fit them: "
            f"ingest reference fit {shlex.quote(reference)}"
        )
    if not rows:
        raise ConfigError("no reference is loaded yet. Load one with: ingest reference load FILE")
    if reference not in {row[0] for row in rows}:
        names = sorted({row[0] for row in rows})
        raise ConfigError(f"no reference {reference!r}{did_you_mean_or_list(reference, names)}")
    of_scenario = [row[2] for row in rows if row[:2] == (reference, scenario)]
    if not of_scenario:
        has = ", ".join(sorted({row[1] for row in rows if row[0] == reference}))
        raise ConfigError(
            f"reference {reference!r} has no figures for scenario {scenario}; it has {has}"
        )
    if label is not None and label not in of_scenario:
        has = ", ".join(of_scenario)
        raise ConfigError(f"reference {reference!r} has no figures for {label!r}; it has {has}")
    return label or of_scenario[0]


def _check(connection: sqlite3.Connection, request: CompareRequest) -> tuple[str, ...]:
    """The chosen countries that have only one of the two scenarios. Raises ConfigError."""
    _check_groups(connection, request)
    state = defaultdict[str, set[str]](set)
    for country, scenario in connection.execute(
        """SELECT DISTINCT country, scenario FROM job_results
            WHERE job_status = 'success' AND run_id <= ?1
              AND (?2 OR country IN (SELECT country FROM study_countries WHERE run_id = ?1))""",
        [request.run_id, bool(request.countries)],
    ):
        state[scenario].add(country)
    countries = set().union(*state.values())
    named = [("scenario", name, set(state)) for name in (request.baseline, request.scenario)]
    named += [("country", name, countries) for name in request.countries]
    for what, name, known in named:
        if name not in known:
            hint = did_you_mean_or_list(name, sorted(known))
            raise ConfigError(f"no results of {what} {name!r} as of run {request.run_id}{hint}")
    one_alone = state[request.baseline] ^ state[request.scenario]
    chosen = set(request.countries) or countries
    return tuple(sorted(one_alone & chosen))


def _check_adding_up(label: Label, request: CompareRequest) -> None:
    """Raises ConfigError: a group of countries that do not add up, a discount of what is no sum."""
    setting = f'[labels."{label.element_label}"]'
    is_of_one = COUNTRY in request.by or len(request.countries) == 1
    if label.over_countries == "none" and not is_of_one:
        raise ConfigError(
            f"--by {','.join(request.by)}: {label.element_label!r} ({label.kind}) does not add up "
            "over countries. Compare --by country, or say in ingest.toml how it does: "
            f'{setting} over_countries = "weighted:LABEL" or "mean"'
        )
    if request.discount_rate and label.over_years != "sum":
        raise ConfigError(
            f"--discount: {label.element_label!r} ({label.kind}) is not summed over years, so it "
            f'is not discounted. Leave it out, or say in ingest.toml: {setting} over_years = "sum"'
        )


def countries_where(connection: sqlite3.Connection, conditions: Sequence[str]) -> tuple[str, ...]:
    """The countries that meet every condition of the form "region=Europe*".

    Raises ConfigError: another form, no such column of the countries, no country that fits.
    """
    chosen: set[str] | None = None
    for condition in conditions:
        column, equals, pattern = (part.strip() for part in condition.partition("="))
        if not equals or not pattern:
            raise ConfigError(f"--where {condition}: write COLUMN=VALUE, e.g. region=Europe*")
        known = group_columns(connection)
        if column not in known:
            hint = did_you_mean_or_list(column, sorted(known))
            raise ConfigError(f"--where {condition}: no column {column}{hint}")
        groups = dict(connection.execute(f'SELECT iso3, "{column}" FROM countries'))
        values = sorted({value for value in groups.values() if value})
        wanted = set(select_names([pattern.replace(",", "?")], values, column))
        fitting = {iso3 for iso3, value in groups.items() if value in wanted}
        chosen = fitting if chosen is None else chosen & fitting
    if conditions and not chosen:
        raise ConfigError(f"no country meets --where {' --where '.join(conditions)}")
    return tuple(sorted(chosen or ()))


def check_group_names(
    connection: sqlite3.Connection, by: Sequence[str], others: Sequence[str]
) -> None:
    """Raises ConfigError: a group that is none of others and no column with values, or twice."""
    columns = group_columns(connection)
    known = [*others, *columns]
    for group in by:
        if group not in known:
            hint = did_you_mean(group, known) or f" {_GROUPS_SOURCE}"
            raise ConfigError(f"--by {group}: groups are {', '.join(known)}.{hint}")
        if group in columns and not _has_values(connection, group):
            raise ConfigError(f"--by {group}: no country of this study has one. {_GROUPS_SOURCE}")
    if len(set(by)) < len(by):
        raise ConfigError("--by: a group is given twice")


def check_nesting(by: Sequence[str]) -> None:
    """Raises ConfigError: the total beside other groups, or too many of them."""
    if TOTAL in by and len(by) > 1:
        raise ConfigError(
            f"--by {TOTAL} goes with no other group: the total is the last row of every table"
        )
    if len(by) > DEEPEST_GROUPS:
        raise ConfigError(f"--by: at most {DEEPEST_GROUPS} groups can be nested")


def _check_groups(connection: sqlite3.Connection, request: CompareRequest) -> None:
    check_group_names(connection, request.by, (TOTAL, YEAR, COUNTRY))
    check_nesting(request.by)
    if request.reference is not None and request.by != (COUNTRY,):
        raise ConfigError("--reference compares by country; leave out --by")


def _has_values(connection: sqlite3.Connection, group: str) -> bool:
    query = f"SELECT 1 FROM countries WHERE \"{group}\" <> '' LIMIT 1"
    return connection.execute(query).fetchone() is not None


def _nothing(request: CompareRequest, consistency: Consistency) -> str:
    if request.consistent and not consistency.is_consistent:
        return (
            f"{request.baseline} and {request.scenario} have no results of the inputs that the "
            f"study had at run {request.run_id} ({consistency.counts}). Name an earlier run with "
            "--run, run what is stale, or leave out --consistent"
        )
    within = f" until {request.until_year}" if request.until_year is not None else ""
    return (
        f"{request.baseline} and {request.scenario} have no year of {request.label!r} in common"
        f"{within} as of run {request.run_id}"
    )
