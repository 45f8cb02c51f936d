"""The charts of questions as Vega-Lite specifications, which hold their data and load nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ingest.charts.bars import draw_bars
from ingest.charts.drawing import Body, Drawing
from ingest.charts.lines import draw_lines
from ingest.charts.points import draw_points
from ingest.charts.style import Spec, message_chart, scenario_colours, styled
from ingest.charts.world_map import draw_map
from ingest.questions.asked import AskedQuestion, chart_subtitle
from ingest.questions.files import Chart
from ingest.text.times import moment_text

Rows = Sequence[Sequence[Any]]

DRAWINGS: dict[str, Callable[[Drawing], Body | None]] = {
    "bar": draw_bars,
    "line": draw_lines,
    "map": draw_map,
    "point": draw_points,
}
"""How each of ingest.questions.marks.MARKS is drawn; None where there is no number to draw."""


def draw_chart(
    title: str,
    chart: Chart,
    columns: Sequence[str],
    rows: Rows,
    subtitle: str = "",
    names: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    shapes: Spec | None = None,
    better: str = "none",
) -> Spec:
    """A chart of these rows.

    names: what to call columns that are series, where not by their own name. colours: by series or
    scenario. shapes: data of a map's outlines, in the specification itself where None. better:
    which direction of a difference is good.
    """
    if not rows:
        return message_chart(title, "No rows. Are country, scenario and label spelled right?")
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    drawing = Drawing(chart, records, names or {}, colours or {}, shapes, better)
    body = DRAWINGS[chart.mark](drawing)
    if body is None:
        return message_chart(title, "No numbers in these rows to draw")
    spec, note = body
    return styled(title, " · ".join(filter(None, [subtitle, note])), spec)


def question_chart(
    asked: AskedQuestion,
    chart: Chart,
    columns: Sequence[str],
    rows: Rows,
    shapes: Spec | None = None,
) -> Spec:
    """A chart of a question as it was asked, the same in a terminal, on a page and as a picture."""
    subtitle = chart_subtitle(asked, chart, columns, rows)
    names, colours = asked.series_names, _series_colours(asked)
    better = asked.label.better
    return draw_chart(
        asked.query.title, chart, columns, rows, subtitle, names, colours, shapes, better
    )


def _series_colours(asked: AskedQuestion) -> dict[str, str]:
    """The colours by series; a difference has that of its scenario."""
    colours = scenario_colours(asked.scenarios)
    own = colours.get(asked.values.get("scenario", ""))
    return {**colours, **({"difference": own, "percent": own} if own else {})}


def standalone_chart(
    asked: AskedQuestion, chart: Chart, columns: Sequence[str], rows: Rows
) -> Spec:
    """question_chart() for a report or a message: it says where its numbers come from."""
    spec = question_chart(asked, chart, columns, rows)
    outlines = "outlines: Natural Earth" if "projection" in spec else ""
    source = "; ".join(filter(None, [source_text(asked), outlines]))
    if source:
        above = spec["title"].get("subtitle", [])
        lines = above if isinstance(above, list) else [above]
        spec["title"] = {**spec["title"], "subtitle": [*lines, f"Source: {source}"]}
    return spec


def source_text(asked: AskedQuestion) -> str:
    """Run 7, commit 4f2c9e1 and files that were not committed, 24 Nov 2026, 09:14."""
    run = asked.run
    return "" if run is None else f"{run.words}, {moment_text(run.timestamp)}"
