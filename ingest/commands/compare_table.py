"""The table of `ingest compare`: each column with its own number of decimals, a total last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest.commands.common.output import table
from ingest.questions.compare_rows import REFERENCE_COLUMNS, decimals, is_number
from ingest.text.numbers import in_full

_RATIO_PLACES = 3


def comparison_table(
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    scenarios: tuple[str, str],
    total: tuple[Any, ...] | None,
    total_name: str = "total",
) -> str:
    """Rows and the total below them. scenarios: the baseline and the other, as headers."""
    numbered = [*rows, *([] if total is None else [total])]
    cells = [
        _column(name, [row[position] for row in numbered]) for position, name in enumerate(columns)
    ]
    lines = [list(line) for line in zip(*cells, strict=True)]
    if total is not None:
        lines[-1][0] = total_name
    shown = {
        "timestamp_year": "year",
        "baseline_value": scenarios[0],
        "scenario_value": scenarios[1],
        "percent": "%",
        "model_value": "value",
        "reference_value": "reference",
    }
    headers = [shown.get(column, column) for column in columns]
    return table(
        lines,
        headers,
        right=[h for h, name in zip(headers, columns, strict=True) if is_number(name)],
    )


def _column(name: str, values: Sequence[Any]) -> list[str]:
    if name == "timestamp_year" or not is_number(name):
        return ["" if value is None else str(value) for value in values]
    if name == "countries":
        return [
            "" if value is None else value if isinstance(value, str) else f"{value:,}"
            for value in values
        ]
    places = _RATIO_PLACES if name == "ratio" else decimals(values, 3 if name == "percent" else 6)
    missing = "" if name in REFERENCE_COLUMNS else "n/a"
    return [missing if value is None else in_full(value, places) for value in values]
