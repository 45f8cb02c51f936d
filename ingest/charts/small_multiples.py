"""Small multiples: a panel for each scenario of a country, all on one scale."""

from __future__ import annotations

from collections.abc import Mapping

from ingest.charts.style import (
    INK,
    LINE,
    NUMBER_AXIS,
    Spec,
    coloured,
    nominal,
    number_scale,
    numeric,
    styled,
)

Series = dict[str, list[tuple[int, float]]]
"""(year, value) by scenario, in the order of the panels."""

_WIDTH, _HEIGHT, _COLUMNS, _SPACING = 205, 120, 4, 18
_TICKS = 4


def draw_values(
    title: str, unit: str, baseline: str, series: Series, colours: Mapping[str, str]
) -> Spec | None:
    """Each scenario's line over the baseline's dashed one; None where there is no series."""
    low = dict(series.get(baseline, []))
    rows = [
        {"scenario": scenario, "year": year, "value": value, "baseline": low.get(year)}
        for scenario, points in series.items()
        for year, value in points
    ]
    note = f"Each scenario over {baseline} (dashed), all on one scale"
    return _draw(title, _with_unit(note, unit), rows, list(series), colours) if rows else None


def draw_differences(
    title: str, unit: str, baseline: str, series: Series, colours: Mapping[str, str]
) -> Spec | None:
    """Each scenario minus the baseline, in the years that both have; None where none has any."""
    low = dict(series.get(baseline, []))
    rows = [
        {"scenario": scenario, "year": year, "value": value - low[year], "baseline": 0.0}
        for scenario, points in series.items()
        if scenario != baseline
        for year, value in points
        if year in low
    ]
    if not any(row["value"] for row in rows):
        return None
    scenarios = list(dict.fromkeys(str(row["scenario"]) for row in rows))
    note = _with_unit("All on one scale", unit)
    return _draw(f"{title}: difference to {baseline}", note, rows, scenarios, colours)


def _with_unit(note: str, unit: str) -> str:
    return f"{unit[:1].upper()}{unit[1:]} · {note[:1].lower()}{note[1:]}" if unit else note


def _draw(
    title: str,
    subtitle: str,
    rows: list[Spec],
    scenarios: list[str],
    colours: Mapping[str, str],
) -> Spec:
    header = {
        "title": None,
        "labelAnchor": "start",
        "labelFontWeight": 600,
        "labelFontSize": 11,
        "labelColor": INK,
        "labelLimit": _WIDTH + _SPACING,
    }
    body = {
        "data": {"values": rows},
        "columns": min(_COLUMNS, len(scenarios)),
        "spacing": _SPACING,
        "facet": nominal("scenario", header=header, sort=scenarios),
        "spec": {"width": _WIDTH, "height": _HEIGHT, "layer": _layers(rows, scenarios, colours)},
    }
    return styled(title, subtitle, body)


def _layers(rows: list[Spec], scenarios: list[str], colours: Mapping[str, str]) -> list[Spec]:
    """The baseline's line, the scenario's line, and points that tell their values on hover."""
    scale = number_scale([row["value"] for row in rows])
    tooltip = [
        nominal("scenario"),
        numeric("year", format="d"),
        numeric("value", format=",.6~g"),
        numeric("baseline", format=",.6~g"),
    ]
    x = _axis("year", {"zero": False, "nice": False}, {"format": "d", "grid": False})
    y = {"domain": list(scale), "nice": False}
    value, baseline = (_axis(name, y, dict(NUMBER_AXIS)) for name in ("value", "baseline"))
    colour = coloured("scenario", {name: colours[name] for name in scenarios})
    dashed = {"type": "line", "color": LINE, "strokeDash": [4, 3], "strokeWidth": 1.5}
    solid = {"type": "line", "strokeWidth": 2.5}
    hidden = {"type": "point", "size": 60, "opacity": 0}
    return [
        {"mark": dashed, "encoding": {"x": x, "y": baseline}},
        {"mark": solid, "encoding": {"x": x, "y": value, "color": colour}},
        {"mark": hidden, "encoding": {"x": x, "y": value, "tooltip": tooltip}},
    ]


def _axis(field: str, scale: Spec, axis: Spec) -> Spec:
    more = {"tickCount": _TICKS} | ({"tickMinStep": 1} if field == "year" else {})
    return numeric(field, title=None, scale=scale, axis=axis | more)
