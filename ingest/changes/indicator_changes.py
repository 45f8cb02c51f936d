"""Which indicators moved between two states, in each country and in total."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ingest.changes.diff import Tolerances
from ingest.database.indicators import (
    IndicatorRequest,
    IndicatorRow,
    read_indicators,
    shown_rows,
)
from ingest.database.states import RunRef
from ingest.database.study_settings import Definitions
from ingest.text.numbers import finite


class IndicatorChange(NamedTuple):
    """One number of an indicator that moved by more than its tolerance, or came or went.

    country: empty for the total, which is of countries_before and countries_after countries.
    before, after: None where there is no number.
    """

    indicator: str
    until: int | None
    country: str
    scenario: str
    before: float | None
    after: float | None
    unit: str
    countries_before: int
    countries_after: int

    @property
    def absolute(self) -> float | None:
        """after - before."""
        if self.before is None or self.after is None:
            return None
        return finite(self.after - self.before)

    @property
    def relative(self) -> float | None:
        """The change as a share of |before|; None where that is 0 or there is none."""
        return finite(self.absolute / abs(self.before)) if self.absolute and self.before else None


@dataclass(frozen=True)
class IndicatorDiff:
    """What moved, totals first; compared: how many numbers there are in either state."""

    before: RunRef
    after: RunRef
    rows: tuple[IndicatorChange, ...]
    compared: int

    @property
    def totals(self) -> tuple[IndicatorChange, ...]:
        """What moved over all countries together."""
        return tuple(row for row in self.rows if not row.country)


def diff_indicators(
    connection: sqlite3.Connection,
    definitions: Definitions,
    runs: tuple[RunRef, RunRef],
    tolerances: Tolerances = Tolerances(),
    *,
    names: Sequence[str] = (),
    countries: Sequence[str] = (),
    scenarios: Sequence[str] = (),
) -> IndicatorDiff:
    """The indicators that moved between the states as of two runs, by their definitions now.

    names, countries, scenarios: all where empty. Raises ConfigError as read_indicators().
    """
    before, after = (
        _read(connection, definitions, run, names, countries, scenarios) for run in runs
    )
    keys = {**before, **after}
    moved = []
    for key in keys:
        old, new = before.get(key), after.get(key)
        low, high = (row.value if row else None for row in (old, new))
        if _is_beyond(tolerances, key[0], low, high):
            unit = next(row.unit for row in (new, old) if row)
            counts = (row.countries if row else 0 for row in (old, new))
            moved.append(IndicatorChange(*key, low, high, unit, *counts))
    moved.sort(key=lambda row: (bool(row.country), -abs(row.relative or float("inf"))))
    return IndicatorDiff(*runs, tuple(moved), len(keys))


_Key = tuple[str, int | None, str, str]


def _read(
    connection: sqlite3.Connection,
    definitions: Definitions,
    run: RunRef,
    names: Sequence[str],
    countries: Sequence[str],
    scenarios: Sequence[str],
) -> dict[_Key, IndicatorRow]:
    request = IndicatorRequest(run.run_id, definitions.baseline, tuple(scenarios), tuple(countries))
    table = read_indicators(connection, definitions.indicators, request, names)
    rows = shown_rows(table, [*table.totals, *table.rows])
    return {(row.indicator, row.until, "".join(row.group), row.scenario): row for row in rows}


def _is_beyond(
    tolerances: Tolerances, name: str, before: float | None, after: float | None
) -> bool:
    if before is None or after is None:
        return before is not after
    own = tolerances.indicators.get(name, tolerances.default)
    return abs(after - before) > own.atol + own.rtol * abs(before)
