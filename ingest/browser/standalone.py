"""A chart that stands by itself, in a report or a message: it says where its numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest.browser.question_page import source_text
from ingest.canned_query_files import Chart
from ingest.charts import Spec, question_chart
from ingest.questions import AskedQuestion

_OUTLINES = "outlines: Natural Earth"


def standalone_chart(
    asked: AskedQuestion, chart: Chart, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Spec:
    """A chart of a question with title, subtitle and source; its data and shapes are inside."""
    spec = question_chart(asked, chart, columns, rows)
    outlines = _OUTLINES if "projection" in spec else ""
    source = "; ".join(filter(None, [source_text(asked), outlines]))
    if source:
        above = spec["title"].get("subtitle", [])
        lines = above if isinstance(above, list) else [above]
        spec["title"] = {**spec["title"], "subtitle": [*lines, f"Source: {source}"]}
    return spec
