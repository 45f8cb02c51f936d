"""Two numbers against each other, with the line on which they are equal."""

from __future__ import annotations

from ingest.charts.drawing import Body, Drawing, is_number, joined_values
from ingest.charts.style import (
    INK,
    LINE,
    NUMBER_AXIS,
    WIDTH,
    Spec,
    column_title,
    hover_fields,
    hover_values,
    nominal,
    number_scale,
    numeric,
)

_MOST_LABELS = 12
_WIDE = 50
"""From how many times the smallest number the largest one asks for logarithmic scales."""


def draw_points(drawing: Drawing) -> Body | None:
    """Two numbers against each other, with the line on which they are equal."""
    chart = drawing.chart
    x, y, named = chart.column("x"), chart.column("y"), chart.listed("name")
    rows = [row for row in drawing.rows if is_number(row[x]) and is_number(row[y])]
    if not rows:
        return None
    both = [row[column] for row in rows for column in (x, y)]
    logarithmic = min(both) > 0 and max(both) / min(both) > _WIDE
    low, high = (min(both) / 1.5, max(both) * 1.5) if logarithmic else number_scale(both)
    scale = {"domain": [low, high], "nice": False, **({"type": "log"} if logarithmic else {})}
    place = {"x": _axis("x", x, scale), "y": _axis("y", y, scale)}
    titles = [" · ".join(named), x, y]
    layers = [
        {
            "data": {"values": [{"x": low, "y": low}, {"x": high, "y": high}]},
            "mark": {"type": "line", "strokeDash": [4, 4], "color": LINE},
            "encoding": place,
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 0.85},
            "encoding": {**place, "tooltip": hover_fields([column_title(c) for c in titles])},
        },
    ]
    if len(rows) <= _MOST_LABELS:
        label = {"type": "text", "align": "left", "dx": 7, "color": INK, "fontSize": 11}
        layers.append({"mark": label, "encoding": {**place, "text": nominal("label")}})
    values = [
        {"x": row[x], "y": row[y], "label": name, **hover_values([name, row[x], row[y]])}
        for row in rows
        for name in [joined_values(row, named)]
    ]
    note = "dashed: where both are equal" + ("; logarithmic scales" if logarithmic else "")
    return {"width": WIDTH, "height": 400, "data": {"values": values}, "layer": layers}, note


def _axis(field: str, column: str, scale: Spec) -> Spec:
    axis = {**NUMBER_AXIS, "labelOverlap": "greedy", "labelSeparation": 12}
    return numeric(field, scale=scale, axis=axis, title=column_title(column))
