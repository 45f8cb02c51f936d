"""Charts as Vega-Lite specifications, and their pictures without a browser.

The specifications hold their data and load nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ingest.changes.diff import StateDiff
from ingest.changes.summary import Direction, headline, summarise_labels
from ingest.charts.bars import draw_bars
from ingest.charts.drawing import Body, Drawing
from ingest.charts.lines import draw_lines
from ingest.charts.pictures import render_html, render_png, render_svg
from ingest.charts.points import draw_points
from ingest.charts.style import (
    DOWN,
    MIXED,
    PALETTE,
    STEP,
    UP,
    WIDTH,
    Spec,
    as_json,
    message_chart,
    scenario_colours,
    styled,
)
from ingest.charts.world_map import draw_map
from ingest.errors import ConfigError
from ingest.questions.asked import AskedQuestion, chart_subtitle
from ingest.questions.files import CannedQuery, Chart

__all__ = [
    "PALETTE",
    "Spec",
    "as_json",
    "render_html",
    "render_png",
    "render_svg",
    "scenario_colours",
]

_MARKS: dict[str, Callable[[Drawing], Body | None]] = {
    "bar": draw_bars,
    "line": draw_lines,
    "map": draw_map,
    "point": draw_points,
}
_LABELS = 20
_DIRECTIONS = {"up": UP, "down": DOWN, "both ways": MIXED}


def change_chart(diff: StateDiff) -> Spec:
    """Relative change by label: a bar from the smallest to the largest change, a tick the median.

    The labels are those with the largest medians, 20 at most; the subtitle says how many there are.
    """
    labels = [label for label in summarise_labels(diff) if label.median is not None]
    labels.sort(key=lambda label: -abs(label.median or 0.0))
    names = {Direction.UP: "up", Direction.DOWN: "down"}
    values = [
        {
            "label": label.element_label,
            "smallest": label.smallest,
            "largest": label.largest,
            "median": label.median,
            "series": label.series,
            "direction": names.get(label.direction, "both ways"),
        }
        for label in labels[:_LABELS]
    ]
    title = f"What changed from run {diff.before.run_id} to run {diff.after.run_id}"
    if not values:
        return message_chart(title, headline(diff))
    cut = f"; the {_LABELS} largest of {len(labels)} labels" if len(labels) > _LABELS else ""
    subtitle = f"Relative change of each series; bar: range, tick: median{cut}"
    y = {"field": "label", "type": "nominal", "title": None, "sort": None}
    colour = {
        "field": "direction",
        "type": "nominal",
        "scale": {"domain": list(_DIRECTIONS), "range": list(_DIRECTIONS.values())},
        "legend": None,
    }
    layers: list[dict[str, Any]] = [
        {"mark": {"type": "rule", "color": "#9aa1ac"}, "encoding": {"x": {"datum": 0}}},
        {
            "mark": {"type": "bar", "height": 8, "opacity": 0.45, "minBandSize": 2},
            "encoding": {"x2": {"field": "largest"}, "x": _share("smallest"), "color": colour},
        },
        {
            "mark": {"type": "tick", "thickness": 3, "size": 14},
            "encoding": {"x": _share("median"), "color": colour},
        },
    ]
    for layer in layers[1:]:
        layer["encoding"] |= {"y": y, "tooltip": _tooltip()}
    return styled(title, subtitle, {
        "width": WIDTH, "height": {"step": STEP}, "data": {"values": values}, "layer": layers,
    })  # fmt: skip


def query_chart(
    query: CannedQuery,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    subtitle: str = "",
    names: Mapping[str, str] | None = None,
    *,
    chart: Chart | None = None,
    colours: Mapping[str, str] | None = None,
    shapes: Spec | None = None,
) -> Spec:
    """A chart that a canned query declares, of the rows it gave. Raises ConfigError: it has none.

    A list of columns on a channel is one series for each, told apart by colour. names: what to
    call such columns, where not by their own name. chart: the first of the query's where None.
    colours: by series or scenario. shapes: data of a map's outlines, in the specification itself
    where None.
    """
    chosen = chart or query.chart
    if chosen is None:
        raise ConfigError(f"canned query {query.name} has no chart")
    if not rows:
        return message_chart(query.title, "No rows. Are country, scenario and label spelled right?")
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    drawing = Drawing(chosen, columns, records, names or {}, colours or {}, shapes)
    body = _MARKS.get(chosen.mark, draw_lines)(drawing)
    if body is None:
        return message_chart(query.title, "No numbers in these rows to draw")
    return styled(query.title, " · ".join(filter(None, [subtitle, body.note])), body.spec)


def question_chart(
    asked: AskedQuestion,
    chart: Chart,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    shapes: Spec | None = None,
) -> Spec:
    """A chart of a question as it was asked, the same in a terminal, on a page and as a picture.

    shapes: data of a map's outlines, in the specification itself where None.
    """
    return query_chart(
        asked.query,
        columns,
        rows,
        chart_subtitle(asked, chart, rows),
        asked.series_names,
        chart=chart,
        colours=_series_colours(asked),
        shapes=shapes,
    )


def _series_colours(asked: AskedQuestion) -> dict[str, str]:
    """The colours by series; a difference has that of its scenario."""
    colours = scenario_colours(asked.scenarios)
    own = colours.get(asked.values.get("scenario", ""))
    return {**colours, **({"difference": own, "percent": own} if own else {})}


_SHARE = "datum.value === 0 ? '0 %' : replace(format(datum.value, '+~p'), '%', ' %')"


def _share(field: str) -> Spec:
    axis = {"labelExpr": _SHARE, "orient": "top", "tickCount": 6}
    return {"field": field, "type": "quantitative", "title": None, "axis": axis}


def _tooltip() -> list[Spec]:
    shares = [
        {"field": name, "type": "quantitative", "format": "+.3~p"}
        for name in ("smallest", "median", "largest")
    ]
    return [{"field": "label"}, *shares, {"field": "series", "format": ","}]
