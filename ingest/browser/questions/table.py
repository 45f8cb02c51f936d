"""The table of a question: headings for people, numbers that line up, what scripts sort by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from ingest.browser.protocols import Datasette, Request
from ingest.browser.questions.routes import asked_question
from ingest.browser.tables.cells import CHANGES, RUNS, TIMES, is_plain_number
from ingest.questions.asked import AskedQuestion
from ingest.text.numbers import exact_number, shared_decimals, table_number

Rows = Sequence[Sequence[Any]]

_HEADINGS = {
    "timestamp_year": "year",
    "largest_year": "year of the largest",
    "changed_years": "years changed",
    "element_label": "label",
    "run_id": "run",
    "job_status": "status",
    "ulid": "job",
    "git_commit": "commit",
    "timestamp": "time",
    "submitted_at": "submitted",
    "completed_at": "completed",
    "finished_at": "finished",
    "duration_s": "duration",
    "model_value": "model",
    "before_value": "before",
    "after_value": "after",
    "before_sum": "sum before",
    "after_sum": "sum after",
    "value_before": "year before",
    "error_kind": "kind of error",
}
FOR_CHART = "for the chart:"
"""With this begins the meaning of a column that the table leaves out."""
# Columns that percent may be a change from.
_CHANGED_FROM = {"before_value", "value_before", "first_value"}
# Columns in the unit of the question's label.
_OF_LABEL = {
    "value", "baseline_value", "scenario_value", "model_value", "reference_value", "before_value",
    "after_value", "value_before", "first_value", "last_value", "total", *CHANGES,
}  # fmt: skip


@dataclass(frozen=True)
class Heading:
    """The head of one column. title: its name in the data, and what it means there."""

    column: str
    text: Markup
    unit: str
    title: str
    css_class: str


@dataclass(frozen=True)
class QuestionTable:
    """A question's rows as the page shows them. body: the rows as HTML, in one piece.

    A template that loops over thousands of cells takes longer than all else on the page.
    """

    headings: tuple[Heading, ...]
    body: Markup


async def read_question_table(
    datasette: Datasette, request: Request, columns: Sequence[str], rows: Rows, display_rows: Rows
) -> QuestionTable:
    """The table of the question that a request asks.

    display_rows: the cells as Datasette has them, after the hook render_cell.
    """
    asked = await asked_question(datasette, request)
    assert asked is not None, "only the page of a question has this table"
    return build_question_table(asked, columns, rows, display_rows)


def build_question_table(
    asked: AskedQuestion,
    columns: Sequence[str],
    rows: Rows,
    display_rows: Rows,
) -> QuestionTable:
    """Headings and cells; display_rows as in read_question_table()."""
    headings, cells = [], []
    for at, column in enumerate(columns):
        values = [row[at] for row in rows]
        if _is_hidden(asked, column, values):
            continue
        are_numbers = _are_numbers(values)
        is_duration = are_numbers and column == "duration_s"
        is_figure = are_numbers and not (is_duration or column in RUNS or is_plain_number(column))
        is_right = are_numbers and at > 0 and column not in RUNS
        css_class = f"col-{_css_class(column)}" + (" number" if is_right else "")
        headings.append(_heading(asked, column, columns, css_class))
        if is_figure:
            cells.append(_figures(values, css_class, signed=_is_change(column, columns)))
        else:
            shown = [row[at] for row in display_rows]
            cells.append(_shown_cells(values, shown, css_class, is_duration or column in TIMES))
    return QuestionTable(tuple(headings), _body(zip(*cells, strict=True)))


def _is_hidden(asked: AskedQuestion, column: str, values: Sequence[Any]) -> bool:
    """Whether a column is for the question's chart alone, or of notes where there are none."""
    is_helper = asked.query.columns.get(column, "").startswith(FOR_CHART)
    return is_helper or (column == "note" and not any(values))


def _are_numbers(values: Sequence[Any]) -> bool:
    """Whether a column holds nothing but numbers, one at least."""
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, int | float) for value in there)


def _is_change(column: str, columns: Sequence[str]) -> bool:
    return column in CHANGES or (column == "percent" and _percent_of(columns) != "")


def _percent_of(columns: Sequence[str]) -> str:
    """What a column `percent` beside these is: difference, change, or empty for a level."""
    if "difference" in columns:
        return "difference"
    return "change" if _CHANGED_FROM & set(columns) or "change" in columns else ""


def _heading(asked: AskedQuestion, column: str, columns: Sequence[str], css_class: str) -> Heading:
    meaning = asked.query.columns.get(column, "")
    title = f"{column}: {meaning}" if meaning else column
    if asked.unit and column in _OF_LABEL:
        title = f"{title}; unit: {asked.unit}"
    if column == "percent":
        return Heading(column, Markup(_percent_of(columns)), "%", title, css_class)
    text = asked.series_names.get(column) or _HEADINGS.get(column) or column.replace("_", " ")
    # it may break after an underscore: names of scenarios have no spaces
    shown = escape(text).replace("_", Markup("_<wbr>"))
    return Heading(column, shown, "", title, css_class)


# --- cells: HTML from the attributes of an element to its content --------------------------------


def _body(rows: Iterable[Sequence[str]]) -> Markup:
    """Rows of cells as HTML; the first cell of a row is its header."""
    return Markup(
        "\n".join(
            f'<tr><th scope="row"{first}</th>{"".join(f"<td{cell}</td>" for cell in others)}</tr>'
            for first, *others in rows
        )
    )


def _figures(values: Sequence[Any], css_class: str, *, signed: bool) -> list[str]:
    """Numbers with the same decimals; the attribute data-value has them as they are."""
    decimals = shared_decimals(value for value in values if value is not None)
    empty = f' class="{css_class}">'
    cells = []
    for value in values:
        if value is None:
            cells.append(empty)
            continue
        text = table_number(value, decimals, signed=signed)
        exact = exact_number(value)
        title = f' title="{exact}"' if exact not in (text, text[1:]) else ""
        cells.append(f' class="{css_class}" data-value="{value!r}"{title}>{text}')
    return cells


def _shown_cells(
    values: Sequence[Any], shown: Sequence[Any], css_class: str, keeps_value: bool
) -> list[str]:
    """Cells as Datasette has them, with what they are sorted by where their text does not do."""
    attributes = f' class="{css_class}"'
    cells = []
    for value, content in zip(values, shown, strict=True):
        with_value = keeps_value and value is not None
        own = f' data-value="{escape(value)}"' if with_value else ""
        cells.append(f"{attributes}{own}>{escape(content)}")
    return cells


def _css_class(column: str) -> str:
    from datasette.utils import to_css_class

    return str(to_css_class(column))
