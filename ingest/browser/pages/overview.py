"""The overview: is everything fine, what is going on, what changed, what is missing or odd."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from ingest.browser.pages.changes import Change, read_changes
from ingest.browser.pages.matrix import Matrix, read_matrix
from ingest.browser.pages.run import RuleFindings, read_findings
from ingest.browser.pages.runs import Progress, Run, read_progress, read_run_facts
from ingest.browser.questions.catalogue import question_problems, question_topics
from ingest.database.states import RunRef, newest_run, run_before
from ingest.questions.files import CannedQuery

SHOWN_CHANGES = 8


@dataclass(frozen=True)
class Overview:
    """What the overview shows. run: the newest that has ended; going_on: a newer one, if any.

    Both are None in a database that has no run yet. previous: the run before, None for the first.
    topics: the questions by topic. question_problems: what is wrong with files of questions.
    """

    run: Run | None
    going_on: Progress | None
    previous: RunRef | None
    matrix: Matrix
    changes: list[Change]
    findings: list[RuleFindings]
    topics: list[tuple[str, list[CannedQuery]]]
    question_problems: Mapping[str, str]

    @property
    def finding_counts(self) -> tuple[int, int]:
        """Errors and warnings that the data-quality rules found in the run."""
        errors = sum(rule.findings for rule in self.findings if rule.severity == "error")
        return errors, sum(rule.findings for rule in self.findings) - errors


def read_overview(connection: sqlite3.Connection) -> Overview:
    """The state as of now."""
    file = connection.execute("PRAGMA database_list").fetchone()[2]
    newest = newest_run(connection)
    last = newest_run(connection, ended=True)
    ended = last.run_id if last else None
    run = None if ended is None else read_run_facts(connection, ended)
    is_going_on = newest is not None and newest != last
    changed_series = run.facts["changed_series"] if run else 0
    return Overview(
        run=run,
        going_on=read_progress(connection, newest.run_id) if newest and is_going_on else None,
        previous=None if ended is None else run_before(connection, ended),
        matrix=read_matrix(connection),
        changes=read_changes(connection, ended, SHOWN_CHANGES) if ended and changed_series else [],
        findings=[] if ended is None else read_findings(connection, ended),
        topics=question_topics(file),
        question_problems=question_problems(file),
    )
