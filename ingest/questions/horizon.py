"""The years that the sums of an answer are over, and what to say where others are expected."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ingest.questions.shared import include_fragments
from ingest.text.numbers import at_most, count_text, years_text

_NAMED = 4
_GROUPS = 3


class Years(NamedTuple):
    """The years from the first to the last one."""

    first: int
    last: int

    def __str__(self) -> str:
        return years_text(range(self.first, self.last + 1))


@dataclass(frozen=True)
class Horizon:
    """The years of an answer, of all its sums together; None where it has none.

    base_year: what is discounted is discounted to it. notes: one clause each, where the years
    that were asked for are not reached, or differ between scenarios or countries.
    """

    years: Years | None = None
    base_year: int | None = None
    notes: tuple[str, ...] = ()


NO_YEARS = Horizon()


class _Ends(NamedTuple):
    """The years that one country has of a label under both scenarios."""

    country: str
    baseline: Years
    scenario: Years

    @property
    def common(self) -> Years | None:
        """The years that both have, where there are any."""
        years = Years(
            max(self.baseline.first, self.scenario.first),
            min(self.baseline.last, self.scenario.last),
        )
        return years if years.first <= years.last else None


_ENDS = """
WITH RECURSIVE
-- include: chosen, pairs, yearly
SELECT country,
       (SELECT min(timestamp_year) FROM metric_values
         WHERE result_set_id = baseline_set AND element_id = chosen.element_id) AS baseline_first,
       (SELECT max(timestamp_year) FROM metric_values
         WHERE result_set_id = baseline_set AND element_id = chosen.element_id),
       (SELECT min(timestamp_year) FROM metric_values
         WHERE result_set_id = scenario_set AND element_id = chosen.element_id) AS scenario_first,
       (SELECT max(timestamp_year) FROM metric_values
         WHERE result_set_id = scenario_set AND element_id = chosen.element_id),
       (SELECT base_year FROM span)
  FROM chosen CROSS JOIN pairs
 WHERE baseline_first IS NOT NULL AND scenario_first IS NOT NULL
 ORDER BY country
"""
"""The first and the last year by the key of metric_values: four seeks a country."""

PARAMETERS = (
    "run", "baseline", "scenario", "label", "countries", "until", "discount_rate", "base_year",
    "consistent",
)  # fmt: skip
"""What decides the years of a comparison."""


def read_horizon(connection: sqlite3.Connection, values: Mapping[str, Any]) -> Horizon:
    """The years of a scenario against a baseline. values: by PARAMETERS, blank where not chosen."""
    ends, base_year = _read_ends(connection, values)
    until = int(values.get("until") or 0)
    found = [_until(each, until) for each in ends] if until else ends
    common = [years for each in found if (years := each.common) is not None]
    if not common:
        return NO_YEARS
    notes = (
        *_not_reached(ends, until),
        *_between_sides(found, str(values["baseline"]), str(values["scenario"])),
        *_between_rows(
            ((each.country, each.common) for each in found if each.common), "country|countries"
        ),
    )
    return Horizon(_together(common), base_year, notes)


def read_horizon_of_states(connection: sqlite3.Connection, values: Mapping[str, Any]) -> Horizon:
    """The years of one scenario as of two runs: values of run, before, scenario and label."""
    sides = []
    for run in (values["before"], values["run"]):
        side = {**values, "run": run, "baseline": values["scenario"]}
        sides.append({each.country: each.scenario for each in _read_ends(connection, side)[0]})
    before, after = sides
    ends = [_Ends(c, before[c], after[c]) for c in before if c in after]
    common = [years for each in ends if (years := each.common) is not None]
    if not common:
        return NO_YEARS
    notes = _between_sides(ends, f"run {values['before']}", f"run {values['run']}")
    return Horizon(_together(common), None, tuple(notes))


def _read_ends(
    connection: sqlite3.Connection, values: Mapping[str, Any]
) -> tuple[list[_Ends], int | None]:
    """The years of each country that has both scenarios, and the year to discount to."""
    bound = {name: values.get(name, "") for name in PARAMETERS}
    rows = connection.execute(include_fragments("horizon", _ENDS), bound).fetchall()
    ends = [_Ends(row[0], Years(*row[1:3]), Years(*row[3:5])) for row in rows]
    return ends, rows[0][5] if rows else None


def horizon_of_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Horizon:
    """The years that the rows of an answer name themselves, and whether they are the same in all.

    By the columns first_year and last_year, or by timestamp_year; no years without such columns.
    """
    if "timestamp_year" in columns:
        place = columns.index("timestamp_year")
        years = [row[place] for row in rows if row[place] is not None]
        return Horizon(Years(min(years), max(years)) if years else None)
    if not {"first_year", "last_year"} <= set(columns):
        return NO_YEARS
    first, last = columns.index("first_year"), columns.index("last_year")
    spans = [(str(row[0]), Years(row[first], row[last])) for row in rows if row[first] is not None]
    if not spans:
        return NO_YEARS
    notes = _between_rows(spans, "row")
    return Horizon(_together([years for _, years in spans]), None, tuple(notes))


def _together(spans: Sequence[Years]) -> Years:
    return Years(min(years.first for years in spans), max(years.last for years in spans))


def _until(ends: _Ends, until: int) -> _Ends:
    """The same without the years after one."""
    low, high = (years._replace(last=min(years.last, until)) for years in ends[1:])
    return _Ends(ends.country, low, high)


def _not_reached(ends: Sequence[_Ends], until: int) -> Iterator[str]:
    last = max(max(each.baseline.last, each.scenario.last) for each in ends)
    if last < until:
        yield f"asked for until {until}, the results end in {last}"


def _between_sides(ends: Sequence[_Ends], baseline: str, scenario: str) -> Iterator[str]:
    groups: dict[tuple[Years, Years], list[str]] = {}
    for each in ends:
        if each.baseline != each.scenario:
            groups.setdefault((each.baseline, each.scenario), []).append(each.country)
    if groups:
        told = [
            f"{baseline} has {low} and {scenario} {high} in {_names(countries, len(ends))}"
            for (low, high), countries in _largest_first(groups)
        ]
        yield f"{at_most(told, _GROUPS, '; ')}: only the years that both have are compared"


def _between_rows(spans: Iterable[tuple[str, Years]], noun: str) -> Iterator[str]:
    groups: dict[Years, list[str]] = {}
    for name, years in spans:
        groups.setdefault(years, []).append(name)
    if len(groups) > 1:
        told = [f"{years} in {at_most(names, _NAMED)}" for years, names in _largest_first(groups)]
        plural = count_text(2, noun).partition(" ")[2]
        yield f"not all {plural} have the same years: {at_most(told, _GROUPS, '; ')}"


def _largest_first(groups: Mapping[Any, list[str]]) -> list[tuple[Any, list[str]]]:
    return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))


def _names(countries: Sequence[str], of: int) -> str:
    if len(countries) == of > 1:
        return f"all {of:,} countries"
    return at_most(countries, _NAMED)
