"""Altair charts for notebooks: one label over the years, one scenario against another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ingest.questions.compare import TOTAL
from ingest.questions.compare_rows import VALUE_COLUMNS
from ingest.questions.compared import Compared
from ingest.questions.frames import ADDED, STATE_TYPES

if TYPE_CHECKING:
    import altair

Measure = Literal["difference", "percent"]


def draw_trend(alt: Any, label: str, rows: Iterable[Sequence[Any]]) -> altair.Chart:
    """Lines over the years, one for each country and scenario. rows: as of a state."""
    values = [dict(zip(STATE_TYPES, row, strict=False)) for row in rows]
    data = alt.InlineData(values=values)
    chart: altair.Chart = alt.Chart(data, title=label, mark={"type": "line"}).encode(
        x=_year_axis(alt),
        y=alt.Y("value:Q", title=label, scale=alt.Scale(zero=False)),
        color=alt.Color("scenario:N", title="Scenario"),
        detail="country:N",
        tooltip=["country:N", "scenario:N", "timestamp_year:Q", "value:Q"],
    )
    return chart


def draw_comparison(alt: Any, title: str, found: Compared, measure: Measure) -> altair.Chart:
    """A bar for each row of a comparison, or a line over its years."""
    (key,) = found.keys or [TOTAL]
    position = VALUE_COLUMNS.index(measure) - len(VALUE_COLUMNS) - len(ADDED)
    values = [
        {key: row[0] if found.keys else TOTAL, measure: row[position]}
        for row in found.rows
        if row[position] is not None
    ]
    is_over_years = key == "timestamp_year"
    shown = "Difference" if measure == "difference" else "Difference in %"
    if is_over_years:
        mark, x, y = "line", _year_axis(alt), alt.Y(f"{measure}:Q", title=shown)
    else:
        mark, x = "bar", alt.X(f"{measure}:Q", title=shown)
        y = alt.Y(f"{key}:N", sort="-x", title=None)
    below = list(found.attrs["captions"].values())
    head = alt.TitleParams(title, subtitle=below, anchor="start")
    chart = alt.Chart(alt.InlineData(values=values), title=head, mark={"type": mark})
    tooltip = [f"{key}:{'Q' if is_over_years else 'N'}", f"{measure}:Q"]
    drawn: altair.Chart = chart.encode(x=x, y=y, tooltip=tooltip)
    return drawn


def _year_axis(alt: Any) -> Any:
    return alt.X("timestamp_year:Q", title="Year", axis=alt.Axis(format="d"))
