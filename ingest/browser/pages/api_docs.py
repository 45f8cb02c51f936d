"""docs/api.md's part on each question, as Markdown: what the page /DATABASE/-/api shows."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.browser.pages.api import ApiParameter, ApiQuestion, describe_query, in_order
from ingest.questions.catalogue import load_canned_queries

# The bundled study, served with: ingest serve --study examples/asthma
DATABASE = "/validation_results"
SITE = f"http://localhost:8001{DATABASE}"
_ARGUMENTS = {
    "country": "KEN",
    "countries": "KEN,UGA",
    "baseline": "null",
    "scenario": "all_treatments",
    "label": "Healthy Years Lived",
    "group_1": "region",
}


def documented_questions() -> list[ApiQuestion]:
    """The questions of this installation, asked of the bundled study."""
    queries = in_order(load_canned_queries().values())
    return [describe_query(query, _ARGUMENTS) for query in queries]


def questions_markdown() -> str:
    """All of them, one below the other."""
    return "\n".join(line for one in documented_questions() for line in _question(one))


def _question(question: ApiQuestion) -> Iterator[str]:
    query = question.query
    yield f"### {query.name}\n"
    yield f"**{query.title}** {query.description} Unit: {query.unit}.\n"
    yield "| parameter | meaning | value | default |"
    yield "|---|---|---|---|"
    yield from (_row(f"`{one.name}`", one.title, _value(one), one.default) for one in
                question.parameters)  # fmt: skip
    yield "\n| column | meaning |"
    yield "|---|---|"
    yield from (_row(f"`{name}`", meaning) for name, meaning in question.columns.items())
    yield f"\nRows: `{DATABASE}/{question.address('.json', _shape='array')}`\n"
    pictures = ", ".join(f"`_chart={chart.anchor}`" for chart in query.charts)
    yield f"Charts: `{query.name}.svg`, `.png` or `.vl.json` with {pictures}.\n"


def _value(parameter: ApiParameter) -> str:
    table, column = parameter.table
    return f"{parameter.kind}; `{column}` of `{table}.json`" if table else parameter.kind


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
