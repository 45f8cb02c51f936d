"""Bars, the largest of many, with their numbers beside them; or stacked, or counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.charts.drawing import (
    DIFFERENCES,
    Body,
    Drawing,
    Row,
    is_number,
    joined_values,
    telling_columns,
)
from ingest.charts.style import (
    BAD,
    FAINT,
    GOOD,
    GREY,
    JUDGED,
    NUMBER_AXIS,
    PALETTE,
    STEP,
    WIDTH,
    Spec,
    coloured,
    column_title,
    hover_fields,
    hover_values,
    judged,
    nominal,
    numeric,
)
from ingest.questions.files import COUNT
from ingest.text.numbers import quantity_text, signed_quantity_text

MOST_BARS = 30
_COLUMN_COLOURS = {"successful_jobs": GOOD, "failed_jobs": BAD}


@dataclass(frozen=True)
class _Bar:
    """series: its group, or what its number is where several are stacked; empty for neither."""

    name: str
    value: float
    series: str
    row: Row


def draw_bars(drawing: Drawing) -> Body | None:
    """A bar for each number or count, at most MOST_BARS; None without a number."""
    column = drawing.chart.column("x")
    bars = list(_counted(drawing) if column == COUNT else _bars(drawing))
    if not bars:
        return None
    kept = _largest(bars)
    shown = _ordered(drawing, [bar for bar in bars if bar.name in kept])
    has_series = any(bar.series for bar in shown)
    hovers = [_hover(drawing, bar, has_series) for bar in shown]
    judges = _judges(drawing, shown)
    values = [
        {
            "name": bar.name,
            "value": bar.value,
            "series": bar.series,
            "text": _bar_text(column, bar.value),
            **(judged(drawing.better, bar.value) if judges else {}),
            **hover_values([text for _, text in hover]),
        }
        for bar, hover in zip(shown, hovers, strict=True)
    ]
    layers = [_bar_layer(drawing, shown, [title for title, _ in hovers[0]])]
    if not has_series:
        layers += _bar_texts(shown)
    names = len({bar.name for bar in bars})
    cut = f"the {MOST_BARS} largest of {names:,}" if names > len(kept) else ""
    height = STEP * len(kept)
    body = {"width": WIDTH, "height": height, "data": {"values": values}, "layer": layers}
    return body, " · ".join(filter(None, [*_in_common(drawing), cut]))


def _largest(bars: Sequence[_Bar]) -> set[str]:
    """The names of the bars that are shown."""
    sizes: dict[str, float] = {}
    for bar in bars:
        sizes[bar.name] = sizes.get(bar.name, 0.0) + abs(bar.value)
    return set(sorted(sizes, key=lambda name: -sizes[name])[:MOST_BARS])


def _ordered(drawing: Drawing, bars: list[_Bar]) -> list[_Bar]:
    """The largest first; runs, years and bars of several parts stay in the order of the rows."""
    if any(bar.series for bar in bars) or drawing.chart.column("y").endswith(("year", "run_id")):
        return bars
    falling = any(bar.value > 0 for bar in bars)
    return sorted(bars, key=lambda bar: -bar.value if falling else bar.value)


def _bar_layer(drawing: Drawing, bars: Sequence[_Bar], hover_titles: Sequence[str]) -> Spec:
    scale = {"domain": _bar_range(bars), "nice": False}
    axis = {"domain": False, "ticks": False, "labelLimit": 300}
    return {
        "mark": {"type": "bar", "height": {"band": 0.72}},
        "encoding": {
            "x": numeric("value", title=None, scale=scale, axis={**NUMBER_AXIS, "orient": "top"}),
            "y": nominal("name", title=None, sort=_names(bars), axis=axis),
            "color": _bar_colours(drawing, bars),
            "tooltip": hover_fields(hover_titles),
        },
    }


def _names(bars: Sequence[_Bar]) -> list[str]:
    return list(dict.fromkeys(bar.name for bar in bars))


def _in_common(drawing: Drawing) -> list[str]:
    """What all bars have in common, where bars are named by several columns."""
    by = drawing.chart.listed("y")
    common = [column for column in by if column not in telling_columns(drawing.rows, by)]
    return [str(drawing.rows[0][column]) for column in common]


def _bar_range(bars: Sequence[_Bar]) -> list[float]:
    """From the smallest to the largest sum of a bar, with room for a number to the left of it."""
    above, below = dict.fromkeys(_names(bars), 0.0), dict.fromkeys(_names(bars), 0.0)
    for bar in bars:
        (above if bar.value >= 0 else below)[bar.name] += bar.value
    high, low = max(above.values()), min(below.values())
    return [low - (high - low) * 0.14 if low else 0, high or (0 if low else 1)]


def _bars(drawing: Drawing) -> Iterator[_Bar]:
    """A bar for each number; several columns of numbers are stacked."""
    numbers, colour = drawing.chart.listed("x"), drawing.chart.listed("color")
    by = telling_columns(drawing.rows, drawing.chart.listed("y"))
    for row in drawing.rows:
        for column in numbers:
            if is_number(row[column]):
                series = joined_values(row, colour) if len(numbers) == 1 else column_title(column)
                yield _Bar(joined_values(row, by) or "(none)", row[column], series, row)


def _counted(drawing: Drawing) -> Iterator[_Bar]:
    by = drawing.chart.listed("y")
    counts = Counter(joined_values(row, by) or "(none)" for row in drawing.rows)
    return (_Bar(name, number, "", {}) for name, number in counts.most_common())


def _hover(drawing: Drawing, bar: _Bar, has_series: bool) -> list[tuple[str, Any]]:
    """What is shown while the pointer is over a bar: titles and values."""
    chart, column = drawing.chart, drawing.chart.column("x")
    several = len(chart.listed("x")) > 1
    series = [("what" if several else "group", bar.series)] if has_series else []
    number = "number" if several or column == COUNT else column_title(column)
    further = drawing.present("percent") if column == "difference" else []
    return [
        (" · ".join(map(column_title, chart.listed("y"))), bar.name),
        *series,
        (number, bar.value),
        *((column_title(name), bar.row[name]) for name in further),
    ]


def _bar_text(column: str, value: float) -> str:
    if column == "percent":
        return signed_quantity_text(value) + " %"
    return signed_quantity_text(value) if column in DIFFERENCES else quantity_text(value)


def _bar_texts(bars: Sequence[_Bar]) -> list[Spec]:
    """The numbers beside the bars: to the right of zero on the right, to the left on the left."""
    sides = [("datum.value >= 0", "left", 5)]
    if any(bar.value < 0 for bar in bars):
        sides.append(("datum.value < 0", "right", -5))
    return [
        {
            "transform": [{"filter": test}],
            "mark": {"type": "text", "align": align, "dx": dx, "color": GREY, "fontSize": 11},
            "encoding": {
                "x": numeric("value"),
                "y": nominal("name", sort=_names(bars)),
                "text": nominal("text"),
            },
        }
        for test, align, dx in sides
    ]


def _bar_colours(drawing: Drawing, bars: Sequence[_Bar]) -> Spec:
    """By series, by scenario where the bars are scenarios, by better and worse, else one colour."""
    series = list(dict.fromkeys(bar.series for bar in bars if bar.series))
    if series:
        known = {column_title(column): colour for column, colour in _COLUMN_COLOURS.items()}
        free = iter(PALETTE)
        colours = {name: known.get(name) or next(free, FAINT) for name in series}
        return coloured("series", colours, title=None, legend={"orient": "top", "columns": 3})
    if drawing.chart.listed("y") == ["scenario"]:
        return coloured(
            "name", {name: drawing.colours.get(name, PALETTE[0]) for name in _names(bars)}
        )
    if _judges(drawing, bars):
        return coloured("judged", JUDGED, title=None, legend={"orient": "top"})
    return {"value": drawing.colours.get(drawing.chart.column("x"), PALETTE[0])}


def _judges(drawing: Drawing, bars: Sequence[_Bar]) -> bool:
    """Whether the colours of the bars are free to say which of them are good."""
    is_free = not any(bar.series for bar in bars) and drawing.chart.listed("y") != ["scenario"]
    return is_free and drawing.shows_better(drawing.chart.column("x"))
