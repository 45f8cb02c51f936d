"""What moved since the run before: indicators in total, causes and labels."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from ingest.changes.accepted import Acceptance, accept_changes
from ingest.changes.diff import diff_states
from ingest.changes.indicator_changes import diff_indicators
from ingest.changes.report import Report as ChangeReport
from ingest.changes.summary import median_text
from ingest.database.states import RunRef, run_before
from ingest.errors import ConfigError
from ingest.exchange.workbook import Sheet
from ingest.questions.caption import RunFacts
from ingest.questions.indicator_tables import change_table
from ingest.reports.model import Section
from ingest.reports.question import Part, ReportQuestion
from ingest.study.combination import select_names
from ingest.text.numbers import at_most
from ingest.text.text_table import TextTable

_TITLE = "Changes"
_MOST = 20


def change_part(connection: sqlite3.Connection, question: ReportQuestion) -> Part:
    """The difference to the state as of the run before."""
    before = run_before(connection, question.run.run_id)
    if before is None:
        return Part.left_out(_TITLE, f"run {question.run.run_id} is the first")
    found = diff_states(
        connection,
        before,
        question.run,
        question.tolerances,
        countries=question.countries,
        scenarios=_scenarios(question),
        ignore=question.ignore,
    )
    accepted = accept_changes(found, question.accepted, date.today())
    report = ChangeReport.of(found, accepted=accepted)
    moved, notes = _moved(connection, question, before)
    rows = [
        (label.element_label, label.series, label.smallest, label.median, label.largest)
        for label in report.labels
    ]
    columns = ("label", "series", "smallest change", "median change", "largest change")
    section = Section(
        title=_TITLE,
        conditions=f"What moved since {RunFacts.of(before).words} · rule: {found.rule}",
        answers=[report.headline],
        sentences=[report.headline, *_warning(report), *_accepted(accepted), *report.patterns],
        tables=[*moved, *_tables(report)],
        sheets=[Sheet(_TITLE, columns, rows)],
    )
    return Part([section], notes)


def _warning(report: ChangeReport) -> list[str]:
    return [f"Warning: {report.warning}."] if report.warning else []


def _accepted(found: Acceptance) -> list[str]:
    head = [f"{found.head}."] if found.head else []
    return [*head, *(f"Accepted changes: {text}" for text in found.lines)]


def _scenarios(question: ReportQuestion) -> list[str]:
    """The chosen scenarios, and the baseline that they are compared with; none for all."""
    chosen = question.scenarios
    return [*dict.fromkeys((question.definitions.baseline, *chosen))] if chosen else []


def _moved(
    connection: sqlite3.Connection, question: ReportQuestion, before: RunRef
) -> tuple[list[TextTable], list[tuple[str, str]]]:
    """The indicators that moved in total; else a note why they cannot be compared."""
    if not question.definitions.indicators:
        return [], []
    try:
        found = diff_indicators(
            connection,
            question.definitions,
            (before, question.run),
            question.tolerances,
            names=select_names(question.settings.indicators, _names(question), "indicator"),
            countries=question.countries,
            scenarios=question.scenarios,
        )
    except ConfigError as exc:  # the state before need not have what is defined now
        why = f"indicators are not compared with run {before.run_id}: {exc}"
        return [], [(_TITLE, why)]
    table = change_table(found.totals[:_MOST])
    more = len(found.totals) - _MOST
    after = [f"… and {more:,} more: ingest diff --indicator '*' --all"] if more > 0 else []
    title = "Indicators that moved, in total"
    return [replace(table, title=title, after=after)] if found.totals else [], []


def _names(question: ReportQuestion) -> list[str]:
    return [indicator.name for indicator in question.definitions.indicators]


def _tables(report: ChangeReport) -> Iterator[TextTable]:
    """The causes of the most combinations and the labels of the most series."""
    if report.causes:
        causes = [
            (
                cause.cause,
                f"{cause.combinations:,}",
                f"{cause.countries:,}",
                at_most(cause.scenarios),
            )
            for cause in report.causes[:_MOST]
        ]
        headers = ("cause", "combinations", "countries", "scenarios")
        yield TextTable("Why", headers, causes, headers[1:3])
    if report.labels:
        labels = [
            (label.element_label, f"{label.series:,}", label.range_text, median_text(label))
            for label in report.labels[:_MOST]
        ]
        headers = ("label", "series", "relative change", "median")
        yield TextTable("What", headers, labels, headers[1:])
