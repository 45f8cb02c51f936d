"""How well results fit published levels: bias, root mean square error, share inside intervals.

With m a result, r the published level of the same country and year, over the n that have both:
bias = sum(m - r) / n, relative bias = mean of (m - r) / |r| where r is not 0,
RMSE = sqrt(sum((m - r)^2) / n).
"""

from __future__ import annotations

import math
import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.database.consistency import Consistency, read_consistency
from ingest.database.labels import read_label
from ingest.database.references import LEVEL, read_references
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.questions.catalogue import load_canned_queries, run_canned_query
from ingest.questions.compare import check_group_names
from ingest.questions.reference_facts import read_contradictions
from ingest.study.label import Label
from ingest.text.numbers import exact_sum
from ingest.text.suggest import did_you_mean_or_list

NO_GROUP = "(none)"
COUNTRY, YEAR = "country", "year"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Fit:
    """The fit of some country-years, None where none has both numbers.

    figures: how many have both; lacking: how many the results lack. relative_bias: a fraction.
    inside: how many results lie within their interval, of those with_interval.
    """

    figures: int
    lacking: int
    bias: float | None
    relative_bias: float | None
    rmse: float | None
    inside: int
    with_interval: int

    @property
    def inside_share(self) -> float | None:
        """The part of the results with an interval that lie in it."""
        return self.inside / self.with_interval if self.with_interval else None


def fit_of(rows: Sequence[Row]) -> Fit:
    """The fit of rows with model_value, reference_value and interval; see model_fit.sql."""
    both = [row for row in rows if row["model_value"] is not None]
    errors = [row["model_value"] - row["reference_value"] for row in both]
    relative = [
        error / abs(row["reference_value"])
        for error, row in zip(errors, both, strict=True)
        if row["reference_value"]
    ]
    places = [row["interval"] for row in both if row["interval"] is not None]
    return Fit(
        figures=len(both),
        lacking=len(rows) - len(both),
        bias=_mean(errors),
        relative_bias=_mean(relative),
        # hypot: no square is too large for a number
        rmse=math.hypot(*errors) / math.sqrt(len(errors)) if errors else None,
        inside=places.count("inside"),
        with_interval=len(places),
    )


def _mean(numbers: Sequence[float]) -> float | None:
    return exact_sum(numbers) / len(numbers) if numbers else None


@dataclass(frozen=True)
class LabelFit:
    """The fit of one label under one scenario. groups: by the names of the groups.

    lacking: country and year of the levels that the results lack. notes: what the levels hold for
    and the results do not.
    """

    label: Label
    scenario: str
    total: Fit
    groups: Mapping[tuple[str, ...], Fit]
    lacking: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FitRequest:
    """What to fit: a reference's levels, in the state as of a run.

    scenario, label: None for every one that it has; by: groups, none for the total alone.
    """

    reference: str
    run_id: int
    scenario: str | None = None
    label: str | None = None
    by: tuple[str, ...] = ()
    consistent: bool = False


def fit_reference(
    connection: sqlite3.Connection, request: FitRequest
) -> tuple[list[LabelFit], Consistency]:
    """The fit of each label and scenario, and whether the results belong together.

    Raises ConfigError: no such reference, label, scenario or group, or no levels.
    """
    pairs = _pairs(connection, request)
    check_group_names(connection, request.by, ("total", COUNTRY, YEAR))
    by = tuple(name for name in request.by if name != "total")
    groups = _groups_of(connection, by)
    fits = [_label_fit(connection, request, by, groups, *pair) for pair in pairs]
    scenarios = sorted({scenario for _, scenario in pairs})
    return fits, read_consistency(connection, request.run_id, scenarios, ())


def _label_fit(
    connection: sqlite3.Connection,
    request: FitRequest,
    by: Sequence[str],
    groups: Mapping[str, Row],
    element_label: str,
    scenario: str,
) -> LabelFit:
    values = {
        "run": request.run_id,
        "reference": request.reference,
        "label": element_label,
        "scenario": scenario,
        "consistent": "yes" if request.consistent else "",
    }
    columns, found = run_canned_query(connection, load_canned_queries()["model_fit"], values)
    rows = [dict(zip(columns, row, strict=True)) for row in found]
    grouped: dict[tuple[str, ...], list[Row]] = {}
    for row in rows if by else ():
        known = {**groups.get(row["country"], {}), COUNTRY: row["country"]}
        known[YEAR] = str(row["timestamp_year"])
        grouped.setdefault(tuple(known.get(name) or NO_GROUP for name in by), []).append(row)
    lacking = [row for row in rows if row["model_value"] is None]
    label = read_label(connection, element_label, request.run_id)
    return LabelFit(
        label=label,
        scenario=scenario,
        total=fit_of(rows),
        groups={names: fit_of(grouped[names]) for names in sorted(grouped)},
        lacking=tuple((row["country"], row["timestamp_year"]) for row in lacking),
        notes=read_contradictions(connection, request.reference, label, None),
    )


def _groups_of(connection: sqlite3.Connection, by: Sequence[str]) -> dict[str, Row]:
    """The groups of each country by name."""
    names = [name for name in by if name not in (COUNTRY, YEAR)]
    if not names:
        return {}
    selected = ", ".join(f'"{name}"' for name in names)
    rows = connection.execute(f"SELECT iso3, {selected} FROM countries")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


# --- what there is to fit ------------------------------------------------------------------------


def _pairs(connection: sqlite3.Connection, request: FitRequest) -> list[tuple[str, str]]:
    """The label and scenario of each fit. Raises ConfigError: there is none."""
    own = _levels_of(connection, request.reference)
    labels = sorted({entry["element_label"] for entry in own})
    if request.label is not None and request.label not in labels:
        hint = did_you_mean_or_list(request.label, labels)
        raise ConfigError(
            f"reference {request.reference!r} has no levels of {request.label!r}{hint}"
        )
    if request.scenario is not None:
        _check_scenario(connection, request.scenario)
    pairs = dict.fromkeys(
        (entry["element_label"], scenario)
        for entry in own
        if request.label in (None, entry["element_label"])
        for scenario in _scenarios_of(connection, entry, request.scenario)
    )
    if not pairs:
        has = ", ".join(sorted({entry["scenario"] for entry in own}))
        raise ConfigError(
            f"reference {request.reference!r} has no levels of scenario {request.scenario}; "
            f"it has {has}"
        )
    return list(pairs)


def _levels_of(connection: sqlite3.Connection, reference: str) -> list[dict[str, Any]]:
    every = read_references(connection)
    if not every:
        raise ConfigError("no reference is loaded yet. Load one with: ingest reference load FILE")
    own = [entry for entry in every if entry["reference"] == reference]
    if not own:
        names = sorted({entry["reference"] for entry in every})
        raise ConfigError(f"no reference {reference!r}{did_you_mean_or_list(reference, names)}")
    levels = [entry for entry in own if entry["kind"] == LEVEL]
    if not levels:
        baseline = own[0]["baseline"] or "BASELINE"
        raise ConfigError(
            f"reference {reference!r} has differences and no levels. See them beside the results: "
            f"ingest compare {baseline} {own[0]['scenario']} --reference {shlex.quote(reference)}"
        )
    return levels


def _scenarios_of(connection: sqlite3.Connection, entry: Row, asked: str | None) -> Iterator[str]:
    """The scenario whose results levels are held against: their own, else the baseline."""
    if entry["scenario"]:
        if asked in (None, entry["scenario"]):
            yield entry["scenario"]
        return
    yield asked or entry["baseline"] or read_definitions(connection, None).baseline


def _check_scenario(connection: sqlite3.Connection, scenario: str) -> None:
    query = "SELECT DISTINCT scenario FROM job_results WHERE job_status = 'success' ORDER BY 1"
    known = [name for (name,) in connection.execute(query)]
    if scenario not in known:
        hint = did_you_mean_or_list(scenario, known)
        raise ConfigError(f"no results of scenario {scenario!r}{hint}")
