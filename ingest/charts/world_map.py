"""The world with its countries coloured by a number; zero is the middle of the colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.charts.drawing import Body, Drawing, is_number
from ingest.charts.map_shapes import bundled_shapes, numeric_codes, shape_codes
from ingest.charts.style import WIDTH, Spec, column_title, tooltip_fields, tooltip_values

_OUTLINE = {"type": "geoshape", "stroke": "white", "strokeWidth": 0.5}
_NO_DATA = "#d9dce1"


def draw_map(drawing: Drawing) -> Body | None:
    """Countries coloured by a number, the middle of the colours at zero; grey is no data."""
    column, country = drawing.column("value"), drawing.column("country")
    rows = {str(row[country]): row for row in drawing.rows if is_number(row[column])}
    codes = numeric_codes(rows)
    if not codes:
        return None
    told = [column, *(["difference"] if column != "difference" else [])]
    told = [name for name in told if name in drawing.columns]
    values = [
        {
            "id": code,
            "value": rows[iso3][column],
            **tooltip_values([rows[iso3].get("name") or iso3, *(rows[iso3][c] for c in told)]),
        }
        for iso3, code in codes.items()
    ]
    layers = [{"mark": _OUTLINE | {"fill": _NO_DATA}}, _coloured(column, told, values)]
    small = sorted(iso3 for iso3 in rows if codes.get(iso3) not in shape_codes())
    body = {
        "width": WIDTH,
        "height": 300,
        "projection": {"type": "equalEarth"},
        "data": drawing.shapes or bundled_shapes(),
        "layer": layers,
    }
    return Body(
        body, "grey: no data" + (f"; too small to be seen: {_some(small)}" if small else "")
    )


def _coloured(column: str, told: Sequence[str], values: Sequence[Mapping[str, Any]]) -> Spec:
    """The countries that have a number, which is looked up by their outlines' codes."""
    most = max(abs(value["value"]) for value in values) or 1.0
    tooltip = tooltip_fields(["country", *map(column_title, told)])
    fields = ["value", *(field["field"] for field in tooltip)]
    numbers = {"data": {"values": values}, "key": "id", "fields": fields}
    colour = {
        "field": "value",
        "type": "quantitative",
        "scale": {
            "scheme": "purpleorange",
            "reverse": True,
            "domainMid": 0,
            "domain": [-most, most],
        },
        "legend": {
            "orient": "bottom",
            "title": "%" if column == "percent" else None,
            "gradientLength": 220,
            "format": "~g",
        },
    }
    return {
        "transform": [{"lookup": "id", "from": numbers}, {"filter": "isValid(datum.value)"}],
        "mark": _OUTLINE,
        "encoding": {"color": colour, "tooltip": tooltip},
    }


def _some(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - 6} more" if len(codes) > 6 else ""
    return ", ".join(codes[:6]) + more
