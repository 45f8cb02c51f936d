"""What the page of a question shows: its drop-downs, the answer, charts, links and its source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ingest.browser.links import EDITOR
from ingest.browser.questions.answer import answer_text
from ingest.charts.question_charts import question_chart, source_text
from ingest.charts.style import Spec
from ingest.questions.asked import AskedQuestion, Choice
from ingest.questions.files import CannedQuery, ParameterType, is_sql
from ingest.questions.marks import MARKS

Rows = Sequence[Sequence[Any]]

_EMPTY = "There is no row to show. Choose something else above."


@dataclass(frozen=True)
class ChartPanel:
    """One chart of the page, under its tab. spec: without a title, which the page has."""

    tab: str
    anchor: str
    caption: str
    spec: Spec


@dataclass(frozen=True)
class QuestionPage:
    """Everything that the template needs beside Datasette's own values.

    unit: of the numbers. conditions: what the answer's numbers depend on, the run among it. notes:
    where its years are not those that a reader expects. reference_notes: where published figures
    hold for something else. choices stand in the form, further ones
    behind "More choices". pinned: the query string with every value, the run among them, which
    gives the same page after later runs. related: the other questions of the topic, title and
    address below the database. warning: what of the results does not belong together.
    consistent_address: the page with only those that do, empty where there is no such choice.
    """

    query: CannedQuery
    unit: str
    answer: str
    conditions: str
    notes: tuple[str, ...]
    reference_notes: tuple[str, ...]
    warning: str
    consistent_address: str
    is_empty: bool
    choices: tuple[Choice, ...]
    further: tuple[Choice, ...]
    charts: tuple[ChartPanel, ...]
    source: str
    pinned: str
    editor: str
    related: tuple[tuple[str, str], ...]

    @property
    def has_further_choice(self) -> bool:
        """Whether one of the further choices is not its default."""
        return any(not choice.is_default for choice in self.further)

    def address(self, suffix: str = "", **more: str) -> str:
        """The query's path below its database, with the pinned values: name.csv?run=7&..."""
        extra = "&" + urlencode(more) if more else ""
        return f"{self.query.name}{suffix}?{self.pinned}{extra}"


def build_question_page(
    asked: AskedQuestion,
    columns: Sequence[str],
    rows: Rows,
    *,
    shapes: Spec | None = None,
    truncated: bool = False,
    questions: Iterable[CannedQuery] = (),
) -> QuestionPage:
    """The page of a question and its rows. shapes: where a map's outlines come from.

    questions: all that there are. Raises ConfigError: the answer's template is wrong.
    """
    query = asked.query
    template = (query.answer if rows else query.empty) or ("" if rows else _EMPTY)
    answer = answer_text(template, asked.names, columns, rows, asked.label)
    if truncated:
        answer = f"Only the first {len(rows):,} rows are shown; choose less. {answer}"
    conditions = asked.conditions(columns, rows)
    parts = [*conditions.parts, *([asked.run.words] if asked.run else [])]
    shown, further = _arranged(asked.choices)
    return QuestionPage(
        query=query,
        unit=asked.unit or query.unit,
        answer=answer,
        conditions="; ".join(parts) if rows else "",
        notes=conditions.horizon.notes,
        reference_notes=asked.reference_notes,
        warning=asked.warning[:1].upper() + asked.warning[1:],
        consistent_address=_consistent_address(asked),
        is_empty=not rows,
        choices=shown,
        further=further,
        charts=_panels(asked, columns, rows, shapes) if rows else (),
        source=source_text(asked),
        pinned=urlencode(asked.values),
        editor=_editor(asked),
        related=tuple(_related(asked, questions)),
    )


def _consistent_address(asked: AskedQuestion) -> str:
    if asked.values.get("consistent", "yes"):
        return ""
    return f"{asked.query.name}?{urlencode({**asked.values, 'consistent': 'yes'})}"


def _related(asked: AskedQuestion, questions: Iterable[CannedQuery]) -> Iterator[tuple[str, str]]:
    """The other questions of the topic; what was chosen here is chosen there."""
    chosen = {c.parameter.name: c.value for c in asked.choices if c.value and not c.is_default}
    for query in questions:
        if query.topic == asked.query.topic and query.name != asked.query.name:
            names = {parameter.name for parameter in query.parameters}
            taken = {name: value for name, value in chosen.items() if name in names}
            yield query.title, query.name + (f"?{urlencode(taken)}" if taken else "")


def _arranged(choices: Sequence[Choice]) -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
    """What is asked first, runs at the end; and what can stay as it is."""
    further = [choice for choice in choices if _is_further(choice)]
    shown = [choice for choice in choices if choice not in further]
    shown.sort(key=lambda choice: choice.parameter.type is ParameterType.RUN)
    return tuple(shown), tuple(further)


def _is_further(choice: Choice) -> bool:
    parameter = choice.parameter
    if parameter.name == "consistent":
        return True
    default = parameter.default
    blank = default in ("", "0%", 0, 0.0, 100) or (
        choice.is_default and choice.value in ("", "0%") and is_sql(str(default))
    )
    return (parameter.options is None and blank) or (parameter.many and parameter.default == "")


def _panels(
    asked: AskedQuestion, columns: Sequence[str], rows: Rows, shapes: Spec | None
) -> tuple[ChartPanel, ...]:
    panels = []
    for chart in asked.query.charts:
        spec = question_chart(asked, chart, columns, rows, shapes)
        caption = _caption(spec.pop("title"))
        panels.append(ChartPanel(chart.tab, chart.anchor, caption, spec))
    return tuple(panels)


def _caption(title: Mapping[str, Any]) -> str:
    subtitle = title.get("subtitle", "")
    return " ".join(subtitle) if isinstance(subtitle, list) else str(subtitle)


def _editor(asked: AskedQuestion) -> str:
    """The address of the chart editor over the same rows, below the database; empty without one."""
    chart = asked.query.chart
    if chart is None or asked.query.has_year_columns:
        return ""
    state = {"g.mark": MARKS[chart.mark].editor}
    for channel in ("x", "y", "color"):
        for column in chart.listed(channel)[:1]:
            if column in asked.query.columns:
                state[f"g.{channel}_column"] = column
    if {"g.x_column", "g.y_column"} - state.keys():
        return ""
    address = urlencode({**asked.values, EDITOR: "1", "_size": "max"})
    return f"{asked.query.name}?{address}#{urlencode(state)}"
