"""The columns and the order of the rows of a comparison, and how precisely they are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ingest.errors import ConfigError
from ingest.text.suggest import did_you_mean

VALUE_COLUMNS = ("baseline_value", "scenario_value", "difference", "percent")
REFERENCE_COLUMNS = ("model_value", "reference_value", "ratio")
DIFFERENCES = ("difference", "averted", "gained")
"""What the column of differences is called: of an indicator, by its sense."""

_YEARS = ("timestamp_year", "until_year")
_NUMBERS = {
    *("countries", "of_countries", *_YEARS, *VALUE_COLUMNS, *REFERENCE_COLUMNS, *DIFFERENCES)
}
_ALIASES = {
    "year": "timestamp_year", "baseline": "baseline_value", "scenario": "scenario_value",
    "value": "model_value", "reference": "reference_value", "%": "percent",
}  # fmt: skip


def sort_rows(
    columns: Sequence[str], rows: Sequence[tuple[Any, ...]], column: str
) -> tuple[tuple[Any, ...], ...]:
    """The rows by a column: the largest number first, names from A; a leading "-" reverses it.

    Rows without a value come last. Raises ConfigError: no such column.
    """
    name = column.removeprefix("-")
    name = _ALIASES.get(name, name) if name not in columns else name
    if name not in columns:
        hint = did_you_mean(name, columns)
        raise ConfigError(f"--sort {column}: columns are {', '.join(columns)}.{hint}")
    position = columns.index(name)
    ordered = sorted(
        (row for row in rows if row[position] is not None),
        key=lambda row: row[position],
        reverse=(is_number(name) and name not in _YEARS) is not column.startswith("-"),
    )
    return (*ordered, *(row for row in rows if row[position] is None))


def is_number(column: str) -> bool:
    """Whether a column of a comparison holds numbers."""
    return column in _NUMBERS


def decimals(values: Sequence[Any], digits: int) -> int:
    """Decimal places that the largest value needs to show `digits` significant ones, 8 at most."""
    sizes = [abs(value) for value in values if isinstance(value, int | float)]
    largest = max(sizes, default=0.0)
    if not largest or not math.isfinite(largest):
        return 0
    return min(8, max(0, digits - 1 - math.floor(math.log10(largest))))
