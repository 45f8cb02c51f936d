"""Lines over years or runs, named at their ends; the pointer shows every series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.charts.drawing import Body, Drawing, is_number, joined_values, telling_columns
from ingest.charts.style import (
    FAINT,
    GREY,
    HEIGHT,
    INK,
    LINE,
    NUMBER_AXIS,
    PALETTE,
    WIDTH,
    Spec,
    coloured,
    column_title,
    hover_fields,
    hover_values,
    nominal,
    number_scale,
    numeric,
)
from ingest.questions.files import YEARS

MOST_COLOURS = len(PALETTE)
_LABEL_WIDTH = 190
_LABEL_HEIGHT = 15
_FEW_TICKS = 8
_FEW_POINTS = 3
_HIDDEN = 0


@dataclass(frozen=True)
class _Point:
    series: str
    x: float
    y: float


def draw_lines(drawing: Drawing) -> Body | None:
    """A line for each series, seven of them in colours of their own; None without a number."""
    points = list(_points(drawing))
    if not points:
        return None
    ends = _last_values(points)
    names = list(ends)
    if len(names) > MOST_COLOURS:
        names.sort(key=lambda name: -abs(ends[name]))
    colours = _line_colours(drawing, names)
    named = {name: colours[name] for name in names if colours[name] != FAINT}
    scale = number_scale([point.y for point in points])
    whole = _whole_numbers(points)
    x = numeric("x", title=None, scale={"zero": False, "nice": False}, axis=whole)
    layers = [
        *([_zero_line()] if scale[0] < 0 < scale[1] else []),
        _line_layer(points, colours, x, scale),
        _hover(points, names, drawing, x),
        *(_end_labels(points, ends, named, scale) if len(names) > 1 else []),
    ]
    values = [{"series": point.series, "x": point.x, "y": point.y} for point in points]
    note = f"the {len(named)} largest of {len(names)} are named" if len(named) < len(names) else ""
    body = {"width": WIDTH, "height": HEIGHT, "data": {"values": values}, "layer": layers}
    return body, note


def _line_layer(
    points: Sequence[_Point], colours: Mapping[str, str], x: Spec, scale: Sequence[float]
) -> Spec:
    domain = {"domain": list(scale), "nice": False, "zero": False}
    y = numeric("y", title=None, axis=NUMBER_AXIS, scale=domain)
    few = len({point.x for point in points}) <= _FEW_POINTS
    return {
        "mark": {"type": "line", "strokeWidth": 2.2, "point": few, "clip": True},
        "encoding": {"x": x, "y": y, "color": coloured("series", colours)},
    }


def _whole_numbers(points: Iterable[_Point]) -> Spec:
    """An axis of years or runs: each where they are few."""
    found = sorted({point.x for point in points})
    ticks = {"values": found} if len(found) <= _FEW_TICKS else {"tickCount": _FEW_TICKS}
    return {"format": "d", "labelFlush": False, "labelOverlap": True, **ticks}


def _points(drawing: Drawing) -> Iterable[_Point]:
    """Each number with its series: of several columns, of a column of names, or of year columns."""
    columns = drawing.chart.listed("y")
    by = telling_columns(drawing.rows, drawing.chart.listed("color"))
    x = drawing.chart.column("x")
    for row in drawing.rows:
        name = joined_values(row, by)
        if x == YEARS:
            yield from (
                _Point(name, int(year), value)
                for year, value in row.items()
                if year.isdecimal() and is_number(value)
            )
        elif is_number(row[x]):
            for column in columns:
                if is_number(row[column]):
                    series = name if by else column_title(column, drawing.names)
                    yield _Point(series, row[x], row[column])


def _last_values(points: Sequence[_Point]) -> dict[str, float]:
    """The last value of each series, in the order of the rows."""
    ends = dict.fromkeys((point.series for point in points), 0.0)
    return ends | {point.series: point.y for point in sorted(points, key=lambda point: point.x)}


def _line_colours(drawing: Drawing, names: Sequence[str]) -> dict[str, str]:
    """Known series have their own colour, others the palette's; beyond seven they are faint."""
    columns = {column_title(c, drawing.names): c for c in drawing.chart.listed("y")}
    free = iter(c for c in PALETTE if c not in {drawing.colours.get(name) for name in names})
    colours = {}
    for name in names:
        column = columns.get(name, name)
        if name in drawing.colours or column in drawing.colours:
            colours[name] = drawing.colours.get(name) or drawing.colours[column]
        elif column in ("baseline_value", "before_value"):
            colours[name] = GREY
        else:
            colours[name] = next(free, FAINT)
    if len(names) > MOST_COLOURS + 1:
        colours |= dict.fromkeys(names[MOST_COLOURS:], FAINT)
    return colours


def _zero_line() -> Spec:
    zero = {"y": {"datum": 0, "type": "quantitative"}}
    return {"data": {"values": [{}]}, "mark": {"type": "rule", "color": LINE}, "encoding": zero}


def _hover(points: Sequence[_Point], names: Sequence[str], drawing: Drawing, x: Spec) -> Spec:
    """An upright line at the year under the pointer; its hover text has all series of that year."""
    by_x: dict[float, dict[str, float]] = {}
    for point in points:
        by_x.setdefault(point.x, {})[point.series] = point.y
    axis = drawing.chart.column("x")
    first = "year" if axis == YEARS or axis.endswith("year") else column_title(axis)
    shown = names[:20]
    values = [
        {"x": at, **hover_values([f"{at:g}", *(found.get(name) for name in shown)])}
        for at, found in sorted(by_x.items())
    ]
    nearest = {"type": "point", "nearest": True, "encodings": ["x"]}
    seen = {"condition": {"param": "hover", "empty": False, "value": 1}, "value": _HIDDEN}
    return {
        "data": {"values": values},
        "params": [
            {"name": "hover", "select": {**nearest, "on": "pointermove", "clear": "pointerout"}}
        ],
        "mark": {"type": "rule", "color": LINE, "strokeWidth": 1},
        "encoding": {"x": x, "opacity": seen, "tooltip": hover_fields([first, *shown])},
    }


def _end_labels(
    points: Sequence[_Point],
    ends: Mapping[str, float],
    colours: Mapping[str, str],
    scale: Sequence[float],
) -> list[Spec]:
    """The names at the ends of the lines, each with a dot of its line's colour."""
    right = max(point.x for point in points)
    values = [
        {"x": right, "y": y, "label": name, "colour": colours[name], "dot": "●"}
        for name, y in _moved_apart({n: y for n, y in ends.items() if n in colours}, scale)
    ]
    data = {"values": values}
    place = {"x": numeric("x"), "y": numeric("y")}
    text = {"type": "text", "align": "left", "baseline": "middle", "clip": False}
    colour = nominal("colour", scale=None)
    return [
        {
            "data": data,
            "mark": {**text, "dx": 6, "fontSize": 10},
            "encoding": {**place, "text": nominal("dot"), "color": colour},
        },
        {
            "data": data,
            "mark": {**text, "dx": 17, "color": INK, "limit": _LABEL_WIDTH},
            "encoding": {**place, "text": nominal("label")},
        },
    ]


def _moved_apart(ends: Mapping[str, float], scale: Sequence[float]) -> list[tuple[str, float]]:
    """Heights for the labels, from below: near their ends, but never on each other."""
    apart = (scale[1] - scale[0]) * _LABEL_HEIGHT / HEIGHT
    placed: list[tuple[str, float]] = []
    for name, y in sorted(ends.items(), key=lambda end: end[1]):
        lowest = placed[-1][1] + apart if placed else scale[0]
        placed.append((name, max(y, lowest)))
    ceiling = scale[1]
    for position in reversed(range(len(placed))):
        name, y = placed[position]
        placed[position] = (name, min(y, ceiling))
        ceiling = placed[position][1] - apart
    return placed
