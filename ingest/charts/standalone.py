"""A chart that stands by itself, in a report or a message: it says where its numbers come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ingest.charts.charts import Spec, question_chart
from ingest.questions.asked import AskedQuestion
from ingest.questions.files import Chart
from ingest.text.times import moment_text

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


def source_text(asked: AskedQuestion) -> str:
    """Run 7, commit 4f2c9e1 and files not committed, 24 Nov 2026, 09:14."""
    run = asked.run
    if run is None:
        return ""
    commit = "no commit" if run.git_commit == "unknown" else f"commit {run.git_commit[:7]}"
    dirty = " and files that were not committed" if run.dirty else ""
    still = " (going on)" if run.status == "running" else ""
    return f"run {run.run_id}{still}, {commit}{dirty}, {moment_text(run.timestamp)}"
