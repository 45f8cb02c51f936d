"""What a chart is drawn from, and what it becomes: the rows, their names, and a body."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.charts.style import Spec
from ingest.questions.files import Chart

DIFFERENCES = ("difference", "percent", "change")
"""Columns whose numbers have a sign that says which way something went."""
Row = Mapping[str, Any]
Body = tuple[Spec, str]
"""A specification without its title, and a note on what the picture leaves out."""


@dataclass(frozen=True)
class Drawing:
    """What is drawn: a chart, its rows (one at least), what to call columns, colours by series.

    shapes: where the map's outlines come from, as Vega-Lite data; the bundled ones where None.
    better: which direction of a difference is good: lower, higher or none.
    """

    chart: Chart
    rows: Sequence[Row]
    names: Mapping[str, str]
    colours: Mapping[str, str]
    shapes: Spec | None
    better: str = "none"

    def shows_better(self, column: str) -> bool:
        """Whether colours say which numbers of a column are good."""
        return self.better != "none" and column in DIFFERENCES

    def present(self, *columns: str) -> list[str]:
        """Those of the columns that the rows have."""
        return [column for column in columns if column in self.rows[0]]


def telling_columns(rows: Sequence[Row], columns: list[str]) -> list[str]:
    """The columns that tell rows apart, where there are several; the first one at least."""
    differing = [column for column in columns if len({row[column] for row in rows}) > 1]
    return differing or columns[:1]


def joined_values(row: Row, columns: Sequence[str]) -> str:
    """What a row is called by some of its columns."""
    return " · ".join(str(row[column]) for column in columns if row[column] not in (None, ""))


def is_number(value: Any) -> bool:
    """Whether a value can be drawn: a number, and a finite one."""
    return isinstance(value, int | float) and math.isfinite(value)
