"""Comparisons of several labels and scenarios as one list of rows, for frames and charts."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ingest.database.choice import choose_labels
from ingest.database.states import resolve_run
from ingest.errors import ConfigError
from ingest.questions.caption import read_run_facts
from ingest.questions.catalogue import load_canned_queries
from ingest.questions.compare import COUNTRY, TOTAL, YEAR, CompareRequest, compare_scenarios
from ingest.questions.compare_rows import VALUE_COLUMNS
from ingest.questions.discount import Bare, parse_rate
from ingest.questions.frames import Names, choose, patterns
from ingest.study.scenario_order import order_scenarios


class Sums(NamedTuple):
    """How to sum: the fields of a CompareRequest."""

    until_year: int | None
    discount_rate: float
    base_year: int | None


def rate_of(rate: float | str) -> float:
    """A rate as notebooks write it, as a fraction a year. Raises ConfigError: it is none."""
    return parse_rate(rate, "discount_rate", Bare.FRACTION)


def sums_of(until_year: int | None, discount_rate: float | str, base_year: int | None) -> Sums:
    """How to sum, checked. Raises ConfigError: no rate."""
    return Sums(until_year, rate_of(discount_rate), base_year)


class Compared(NamedTuple):
    """The rows of compare_scenarios(), the names of its key columns, and the frame's attrs."""

    rows: list[tuple[Any, ...]]
    keys: list[str]
    attrs: dict[str, Any]


def compare_labels(
    connection: sqlite3.Connection,
    run: str,
    baseline: str,
    scenarios: str | Sequence[str],
    label: Names,
    countries: Names,
    by: Sequence[str],
    sums: Sums,
) -> Compared:
    """The comparison of each label, one after the other, for one scenario or for each of a list."""
    request = CompareRequest(
        baseline=baseline,
        scenario=scenarios if isinstance(scenarios, str) else "",
        label="",
        run_id=resolve_run(connection, run).run_id,
        by=tuple(by) or (COUNTRY,),
        countries=tuple(choose(connection, countries, "country")),
        **sums._asdict(),
    )
    if isinstance(scenarios, str):
        return _compare(connection, request, label)
    chosen = order_scenarios(choose(connection, scenarios, "scenario"))
    found = {
        name: _compare(connection, replace(request, scenario=name), label)
        for name in chosen
        if name != baseline
    }
    if not found:
        raise ConfigError(f"there is no scenario to compare with {baseline}: name others than it")
    first = next(iter(found.values()))
    whole = {key: {n: each.attrs[key] for n, each in found.items()} for key in _OF_LABELS}
    rows = [
        (*row[: len(first.keys)], name, *row[len(first.keys) :])
        for name, each in found.items()
        for row in each.rows
    ]
    return Compared(rows, [*first.keys, "scenario"], first.attrs | whole)


_OF_LABELS = ("captions", "years", "horizon_notes")


def _compare(connection: sqlite3.Connection, request: CompareRequest, label: Names) -> Compared:
    facts = read_run_facts(connection, request.run_id)
    assert facts is not None, "it was found by its name"
    attrs: dict[str, Any] = {
        "run_id": facts.run_id, "git_commit": facts.git_commit,
        "discount_rate": request.discount_rate, **{name: {} for name in _OF_LABELS},
    }  # fmt: skip
    queries = load_canned_queries()
    names = ["timestamp_year" if n == YEAR else n for n in request.by if n != TOTAL]
    rows = []
    for element_label in choose_labels(connection, patterns(label)):
        own = replace(request, label=element_label)
        comparison = compare_scenarios(connection, queries, own, strict=label is not None)
        how = (
            None if YEAR in request.by else comparison.label.over_years,
            None if COUNTRY in request.by else comparison.label.over_countries,
        )
        if comparison.consistency.is_mixed:
            warnings.warn(comparison.consistency.warning, stacklevel=4)
        horizon = comparison.horizon
        attrs["captions"][element_label] = " · ".join([*comparison.conditions.parts, facts.words])
        attrs["years"][element_label] = list(horizon.years or ())
        attrs["horizon_notes"][element_label] = list(horizon.notes)
        keys = [comparison.columns.index(name) for name in names]
        for row in comparison.rows:
            values = row[-len(VALUE_COLUMNS) :]
            rows.append((*(row[key] for key in keys), element_label, *values, *how))
    return Compared(rows, names, attrs)
