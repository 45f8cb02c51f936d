"""Two numbers against each other, with the line on which they are equal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ingest.charts.drawing import Body, Drawing, Row, is_number, joined_values
from ingest.charts.style import (
    FAINT,
    INK,
    LINE,
    NUMBER_AXIS,
    WIDTH,
    Spec,
    column_title,
    exact_text,
    hover_fields,
    hover_values,
    nominal,
    number_scale,
    numeric,
)

_MOST_LABELS = 12
_MANY = 300
_WIDE = 50
"""From how many times the smallest number the largest one asks for logarithmic scales."""


def draw_points(drawing: Drawing) -> Body | None:
    """Two numbers against each other, with the line on which they are equal.

    low and high, where the chart has them: an interval of x, a bar through its point.
    """
    chart = drawing.chart
    x, y, named = chart.column("x"), chart.column("y"), chart.listed("name")
    rows = [row for row in drawing.rows if is_number(row[x]) and is_number(row[y])]
    if not rows:
        return None
    both = [row[column] for row in rows for column in (x, y)]
    logarithmic = min(both) > 0 and max(both) / min(both) > _WIDE
    ends = [end for row in rows for end in _ends(drawing, row)]
    both += [end for end in ends if end > 0 or not logarithmic]
    low, high = (min(both) / 1.5, max(both) * 1.5) if logarithmic else number_scale(both)
    scale = {"domain": [low, high], "nice": False, **({"type": "log"} if logarithmic else {})}
    x_title, y_title = (column_title(column, drawing.names) for column in (x, y))
    place = {"x": _axis("x", x_title, scale), "y": _axis("y", y_title, scale)}
    titles = [column_title(" · ".join(named)), x_title, y_title, *(["interval"] if ends else [])]
    layers: list[Spec] = [
        {
            "data": {"values": [{"x": low, "y": low}, {"x": high, "y": high}]},
            "mark": {"type": "line", "strokeDash": [4, 4], "color": LINE},
            "encoding": place,
        },
    ]
    if ends:
        bar = {"type": "rule", "color": FAINT, "strokeWidth": 2}
        layers.append({"mark": bar, "encoding": {**place, "x": {**place["x"], "field": "low"},
                                                 "x2": {"field": "high"}}})  # fmt: skip
    layers += [
        {
            "mark": {"type": "point", "filled": True, "size": _size(rows), "opacity": 0.85},
            "encoding": {**place, "tooltip": hover_fields(titles)},
        },
    ]
    if len(rows) <= _MOST_LABELS:
        middle = math.sqrt(low * high) if logarithmic else (low + high) / 2
        layers += [_names(place, "<=", middle), _names(place, ">", middle)]
    values = [
        {
            "x": row[x],
            "y": row[y],
            "label": name,
            # logarithmic axes have no place for an end at 0 or below
            **{key: max(end, low) for key, end in zip(("low", "high"), found, strict=False)},
            **hover_values(
                [name, row[x], row[y], *(["–".join(map(exact_text, found))] if found else [])]
            ),
        }
        for row in rows
        for name, found in [(joined_values(row, named), _ends(drawing, row))]
    ]
    note = "dashed: where both are equal" + ("; logarithmic scales" if logarithmic else "")
    note += "; bars: intervals" if ends else ""
    return {"width": WIDTH, "height": 400, "data": {"values": values}, "layer": layers}, note


def _names(place: Spec, side: str, middle: float) -> Spec:
    """The names of the points to one side of the middle, written towards it."""
    is_left = side == "<="
    mark = {"type": "text", "align": "left" if is_left else "right", "dx": 7 if is_left else -7,
            "dy": -7, "color": INK, "fontSize": 11}  # fmt: skip
    encoding = {**place, "text": nominal("label")}
    return {"transform": [{"filter": f"datum.x {side} {middle!r}"}], "mark": mark,
            "encoding": encoding}  # fmt: skip


def _ends(drawing: Drawing, row: Row) -> list[float]:
    """The ends of a row's interval, none where it has none."""
    columns = [*drawing.chart.listed("low"), *drawing.chart.listed("high")]
    ends = [row[column] for column in columns]
    return ends if all(map(is_number, ends)) else []


def _size(rows: Sequence[Row]) -> int:
    return 60 if len(rows) <= _MANY else 20


def _axis(field: str, title: str, scale: Spec) -> Spec:
    axis = {**NUMBER_AXIS, "labelOverlap": "greedy", "labelSeparation": 12}
    return numeric(field, scale=scale, axis=axis, title=title)
