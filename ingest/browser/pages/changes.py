"""What a run moved, as it was kept with the run: series, labels, counts."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ingest.browser.pages.reasons import Reason, read_reasons
from ingest.browser.pages.runs import Run, read_run_facts

SHOWN_CHANGES = 500


@dataclass(frozen=True)
class Change:
    """One series that a run moved, with the name of its country."""

    country: str
    name: str
    scenario: str
    element_label: str
    kind: str
    largest_year: int | None
    before_value: float | None
    after_value: float | None
    relative_change: float | None
    cause: str
    other_years: str
    """2036-2050 removed: the years that only one state has."""

    @property
    def has_common_change(self) -> bool:
        """Whether it moved in a year that both states have, or came or went as a whole."""
        return self.kind != "changed" or None not in (self.before_value, self.after_value)


@dataclass(frozen=True)
class ChangesPage:
    """What a run moved: every series, or those of the label or country that was chosen."""

    run: Run
    label: str | None
    country: str | None
    labels: list[LabelChanges]
    changes: list[Change]
    has_more: bool
    reasons: list[Reason]


def read_changes_page(
    connection: sqlite3.Connection, run_id: int, label: str | None, country: str | None
) -> ChangesPage | None:
    """The page of what a run changed, None where there is none of that number."""
    run = read_run_facts(connection, run_id)
    if run is None:
        return None
    changes = read_changes(connection, run_id, SHOWN_CHANGES + 1, label=label, country=country)
    return ChangesPage(
        run=run,
        label=label,
        country=country,
        labels=read_label_changes(connection, run_id),
        changes=changes[:SHOWN_CHANGES],
        has_more=len(changes) > SHOWN_CHANGES,
        reasons=read_reasons(connection, run_id),
    )


@dataclass(frozen=True)
class LabelChanges:
    """What a run moved of one label; shares are of the value before."""

    element_label: str
    series: int
    smallest: float | None
    largest: float | None


_CHANGES = """
SELECT s.country, coalesce(nullif(c.name, ''), s.country), s.scenario, s.element_label, s.kind,
       s.largest_year, s.before_value, s.after_value, s.relative_change, coalesce(s.cause, ''),
       s.other_years
  FROM series_changes AS s LEFT JOIN countries AS c ON c.iso3 = s.country
 WHERE s.run_id = ?
"""


def read_changes(
    connection: sqlite3.Connection,
    run_id: int,
    limit: int,
    *,
    label: str | None = None,
    country: str | None = None,
    scenario: str | None = None,
) -> list[Change]:
    """The series that a run moved, the largest relative change first, of the names given."""
    sql, values = _CHANGES, [run_id]
    chosen = {"country": country, "scenario": scenario, "element_label": label}
    given = {column: value for column, value in chosen.items() if value is not None}
    sql += "".join(f" AND s.{column} = ?" for column in given)
    # a change from zero has no share and is larger than any
    sql += """ ORDER BY abs(coalesce(s.relative_change, 9e999)) DESC, s.country, s.scenario,
                        s.element_label LIMIT ?"""
    return [Change(*row) for row in connection.execute(sql, [*values, *given.values(), limit])]


def read_label_changes(connection: sqlite3.Connection, run_id: int) -> list[LabelChanges]:
    """The labels that a run moved, those with the largest change first."""
    rows = connection.execute(
        """SELECT element_label, count(*), min(relative_change), max(relative_change)
             FROM series_changes WHERE run_id = ? GROUP BY element_label
            ORDER BY max(abs(coalesce(relative_change, 9e999))) DESC, element_label""",
        [run_id],
    )
    return [LabelChanges(*row) for row in rows]
