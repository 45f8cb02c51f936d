"""The world with its countries coloured by a number; zero is the middle of the colours.

The outlines are Natural Earth's (public domain) as TopoJSON, from world-atlas 2.0.2 by Mike Bostock
(ISC), which have ISO 3166 numeric codes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from ingest.charts.drawing import Body, Drawing, is_number
from ingest.charts.style import (
    BAD,
    GOOD,
    WIDTH,
    Spec,
    coloured,
    column_title,
    hover_fields,
    hover_values,
    numeric,
)
from ingest.resources import resource_path

SHAPES_FILE = "world-110m.json"
_FORMAT = {"type": "topojson", "feature": "countries"}
_OUTLINE = {"type": "geoshape", "stroke": "white", "strokeWidth": 0.5}
_MIDDLE = "#f3f3f0"
_NO_DATA = "#d9dce1"


def draw_map(drawing: Drawing) -> Body | None:
    """Countries coloured by a number, the middle of the colours at zero; grey is no data."""
    chart = drawing.chart
    column, country = chart.column("value"), chart.column("country")
    rows = {str(row[country]): row for row in drawing.rows if is_number(row[column])}
    codes = _numeric_codes(rows)
    if not codes:
        return None
    shown = drawing.present(*dict.fromkeys([column, "difference"]))
    values = [
        {
            "id": code,
            "value": rows[iso3][column],
            **hover_values([rows[iso3].get("name") or iso3, *(rows[iso3][c] for c in shown)]),
        }
        for iso3, code in codes.items()
    ]
    shapes = _topology()["objects"]["countries"]["geometries"]
    outlined = {shape["id"] for shape in shapes if "id" in shape}
    small = sorted(iso3 for iso3 in rows if codes.get(iso3) not in outlined)
    body = {
        "width": WIDTH,
        "height": 300,
        "projection": {"type": "equalEarth"},
        "data": drawing.shapes or {"values": _topology(), "format": _FORMAT},
        "layer": [{"mark": _OUTLINE | {"fill": _NO_DATA}}, _coloured(drawing, shown, values)],
    }
    return body, "grey: no data" + (f"; too small to be seen: {_some(small)}" if small else "")


def draw_classes(rows: Mapping[str, Spec], colours: Mapping[str, str], shapes: Spec) -> Spec:
    """Countries by the class that they are in; grey is no data.

    rows: by ISO3 code the class under "kind", and hover_values() of country and text. colours: of
    each class, in the order of the legend. shapes: where the outlines come from.
    """
    codes = _numeric_codes(rows)
    tooltip = hover_fields(["country", ""])
    fields = ["kind", *(field["field"] for field in tooltip)]
    values = [{"id": code, **rows[iso3]} for iso3, code in codes.items()]
    legend = {"title": None, "orient": "bottom", "columns": 3}
    layer = {
        "transform": [
            {"lookup": "id", "from": {"data": {"values": values}, "key": "id", "fields": fields}},
            {"filter": "isValid(datum.kind)"},
        ],
        "mark": _OUTLINE,
        "encoding": {"color": coloured("kind", colours, legend=legend), "tooltip": tooltip},
    }
    return {
        "width": WIDTH,
        "height": 300,
        "projection": {"type": "equalEarth"},
        "data": shapes,
        "layer": [{"mark": _OUTLINE | {"fill": _NO_DATA}}, layer],
    }


def _coloured(drawing: Drawing, shown: Sequence[str], values: Sequence[Spec]) -> Spec:
    """The countries that have a number, which is looked up by their outlines' codes."""
    column = drawing.chart.column("value")
    most = max(abs(value["value"]) for value in values) or 1.0
    tooltip = hover_fields(["country", *map(column_title, shown)])
    fields = ["value", *(field["field"] for field in tooltip)]
    numbers = {"data": {"values": values}, "key": "id", "fields": fields}
    title = "%" if column == "percent" else None
    scale: Spec = {"domain": [-most, most]}
    if drawing.shows_better(column):
        scale = {"domain": [-most, 0, most], "range": [BAD, _MIDDLE, GOOD]}
        ends = ["worse", "better"]
        if drawing.better == "lower":
            scale["range"], ends = scale["range"][::-1], ends[::-1]
        title = f"← {ends[0]} · {title or column} · {ends[1]} →"
    else:
        scale = {**scale, "scheme": "purpleorange", "reverse": True, "domainMid": 0}
    legend = {"orient": "bottom", "title": title, "gradientLength": 220, "format": "~g"}
    return {
        "transform": [{"lookup": "id", "from": numbers}, {"filter": "isValid(datum.value)"}],
        "mark": _OUTLINE,
        "encoding": {"color": numeric("value", scale=scale, legend=legend), "tooltip": tooltip},
    }


def _some(codes: Sequence[str]) -> str:
    more = f" and {len(codes) - 6} more" if len(codes) > 6 else ""
    return ", ".join(codes[:6]) + more


def shapes_at(url: str) -> Spec:
    """The outlines as Vega-Lite data that a browser fetches."""
    return {"url": url, "format": _FORMAT}


@lru_cache(maxsize=1)
def _topology() -> dict[str, Any]:
    path = resource_path("static") / SHAPES_FILE
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _numeric_codes(countries: Iterable[str]) -> dict[str, str]:
    """The ISO 3166 numeric code (404) of each ISO3 code (KEN); those without one are left out."""
    import pycountry  # its tables are read on first use, so not on import of this module

    found = {iso3: pycountry.countries.get(alpha_3=iso3) for iso3 in countries}
    return {iso3: country.numeric for iso3, country in found.items() if country}
