"""A report built from a state: every section that the study's settings allow, and the notes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from ingest.database.consistency import Consistency, read_consistency
from ingest.errors import ConfigError
from ingest.questions.caption import RunFacts
from ingest.reports.change_section import change_part
from ingest.reports.economics_sections import economics_part
from ingest.reports.indicator_section import indicator_part
from ingest.reports.model import Report
from ingest.reports.question import Part, ReportQuestion
from ingest.study.report_settings import (
    CHANGES,
    COST_EFFECTIVENESS,
    INDICATORS,
    INVESTMENT_CASE,
    SUMMARY,
)

_MAKERS: dict[Callable[[sqlite3.Connection, ReportQuestion], Part], set[str]] = {
    indicator_part: {INDICATORS},
    economics_part: {COST_EFFECTIVENESS, INVESTMENT_CASE},
    change_part: {CHANGES},
}
_MOST_ANSWERS = 12


def build_report(connection: sqlite3.Connection, question: ReportQuestion) -> Report:
    """The report as of a run.

    Raises ConfigError: a name that is not there, numbers that cannot be computed, or nothing to
    report at all.
    """
    wanted = set(question.settings.sections)
    parts = [make(connection, question) for make, names in _MAKERS.items() if names & wanted]
    sections = [section for part in parts for section in part.sections]
    notes = [note for part in parts for note in part.notes]
    if not sections:
        reasons = "; ".join(f"{what}: {why}" for what, why in notes)
        raise ConfigError(f"there is nothing to report. {reasons or 'report.sections names none'}")
    answers = [text for section in sections for text in section.answers]
    consistency = read_consistency(
        connection, question.run.run_id, question.scenarios, question.countries
    )
    is_mixed = consistency.warning and not question.consistent
    return Report(
        title=question.settings.title or question.study,
        as_of=_as_of(question),
        summary=_shortened(answers) if SUMMARY in wanted else (),
        sections=sections,
        notes=[*_run_notes(question, consistency), *notes],
        warnings=[f"{consistency.warning} ({consistency.counts})"] if is_mixed else (),
    )


def _as_of(question: ReportQuestion) -> str:
    run = question.run
    return f"{RunFacts.of(run).words}, {run.timestamp[:16].replace('T', ' ')} UTC"


def _shortened(answers: list[str]) -> list[str]:
    more = len(answers) - _MOST_ANSWERS
    return [*answers[:_MOST_ANSWERS], *([f"… and {more:,} more"] if more > 0 else [])]


def _run_notes(question: ReportQuestion, consistency: Consistency) -> Iterator[tuple[str, str]]:
    """Which state this is, and which part of it."""
    run = question.run
    yield "Run", f"{run.run_id}, {run.timestamp}"
    yield "Commit", run.git_commit
    if run.uncommitted:
        yield "Not committed", ", ".join(run.uncommitted)
    left_out = "; those of other inputs are left out" if question.consistent else ""
    yield "Results", f"{consistency.counts}{left_out}"
    for what, names in (("countries", question.countries), ("scenarios", question.scenarios)):
        if names:
            yield f"Only {what}", ", ".join(names)
