"""Published figures in the database: stored by name, read as a list."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ingest.database.connection import Database
from ingest.database.rows import insert_rows, read_dicts

DIFFERENCE, LEVEL = "difference", "level"


@dataclass(frozen=True)
class ReferenceFacts:
    """What the figures of a reference hold for; None where nobody says it.

    baseline: the scenario that differences are from; of levels, the one they are of.
    discount_rate: a fraction a year. until_year: the last year of their sums.
    """

    baseline: str | None = None
    discount_rate: float | None = None
    until_year: int | None = None
    base_year: int | None = None
    currency: str | None = None
    currency_year: int | None = None
    source: str | None = None


NOTHING_SAID = ReferenceFacts()
FACTS = tuple(field.name for field in fields(ReferenceFacts))


@dataclass(frozen=True)
class ReferenceLevel:
    """An observed or published value of a label in a country and year, with its interval.

    scenario, unit and source are empty where the file does not say them.
    """

    element_label: str
    scenario: str
    country: str
    timestamp_year: int
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    source: str = ""


_LEVEL_COLUMNS = tuple(field.name for field in fields(ReferenceLevel))


def replace_reference(
    db: Database,
    reference: str,
    element_label: str,
    values: Iterable[tuple[str, str, float]],
    facts: ReferenceFacts = NOTHING_SAID,
) -> int:
    """Store (country, scenario, value) in place of what this reference had for this label.

    Gives how many figures it had before.
    """
    columns = ("reference", "element_label", "country", "scenario", "value")
    rows = ((reference, element_label, *value) for value in values)
    with db.atomic():
        before = _forget(db.conn, "reference_values", reference, [element_label])
        insert_rows(db.conn, "reference_values", columns, rows)
        _keep_facts(db.conn, reference, [element_label], DIFFERENCE, facts)
    return before


def replace_levels(
    db: Database,
    reference: str,
    levels: Sequence[ReferenceLevel],
    facts: ReferenceFacts = NOTHING_SAID,
) -> int:
    """Store levels in place of what this reference had for their labels; gives how many it had."""
    labels = list(dict.fromkeys(level.element_label for level in levels))
    rows = ((reference, *(getattr(level, name) for name in _LEVEL_COLUMNS)) for level in levels)
    with db.atomic():
        before = _forget(db.conn, "reference_levels", reference, labels)
        insert_rows(db.conn, "reference_levels", ("reference", *_LEVEL_COLUMNS), rows)
        _keep_facts(db.conn, reference, labels, LEVEL, facts)
    return before


def _forget(
    connection: sqlite3.Connection, table: str, reference: str, labels: Iterable[str]
) -> int:
    query = f"DELETE FROM {table} WHERE reference = ? AND element_label = ?"
    return sum(connection.execute(query, [reference, label]).rowcount for label in labels)


def _keep_facts(
    connection: sqlite3.Connection,
    reference: str,
    labels: Iterable[str],
    kind: str,
    facts: ReferenceFacts,
) -> None:
    columns = ("reference", "element_label", "kind", *FACTS)
    changes = ", ".join(f"{name} = excluded.{name}" for name in FACTS)
    said = [getattr(facts, name) for name in FACTS]
    insert_rows(
        connection,
        "reference_facts",
        columns,
        ((reference, label, kind, *said) for label in labels),
        f"ON CONFLICT (reference, element_label, kind) DO UPDATE SET {changes}",
    )


def read_facts(
    connection: sqlite3.Connection, reference: str, element_label: str, kind: str
) -> ReferenceFacts:
    """What a reference's figures for a label hold for; of older ones nothing is known."""
    row = connection.execute(
        f"""SELECT {", ".join(FACTS)} FROM reference_facts
             WHERE reference = ? AND element_label = ? AND kind = ?""",
        [reference, element_label, kind],
    ).fetchone()
    return ReferenceFacts(*row) if row else NOTHING_SAID


def read_references(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Each reference, label, kind and scenario: its figures, and what they hold for.

    total: the sum of differences, None of levels. first_year and last_year: of levels.
    """
    return read_dicts(
        connection,
        f"""WITH figures AS (
                SELECT reference, element_label, scenario, '{DIFFERENCE}' AS kind,
                       count(*) AS figures, count(*) AS countries, sum(value) AS total,
                       0 AS intervals, NULL AS first_year, NULL AS last_year
                  FROM reference_values GROUP BY reference, element_label, scenario
                UNION ALL
                SELECT reference, element_label, scenario, '{LEVEL}', count(*),
                       count(DISTINCT country), NULL, count(low),
                       min(timestamp_year), max(timestamp_year)
                  FROM reference_levels GROUP BY reference, element_label, scenario)
            SELECT figures.*, {", ".join(FACTS)}
              FROM figures LEFT JOIN reference_facts USING (reference, element_label, kind)
             ORDER BY reference, element_label, kind, scenario""",
    )


def read_known_names(connection: sqlite3.Connection) -> tuple[list[str], list[str]]:
    """The scenarios and the element labels that this database knows, both sorted."""
    scenarios = connection.execute(
        "SELECT name FROM scenarios UNION SELECT scenario FROM job_results ORDER BY 1"
    )
    labels = connection.execute("SELECT element_label FROM elements ORDER BY 1")
    return [name for (name,) in scenarios], [label for (label,) in labels]
