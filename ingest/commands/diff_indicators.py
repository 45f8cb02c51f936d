"""`ingest diff --indicator`: indicators that moved between two states."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Any

import click

from ingest.changes.accepted import Acceptance, accept_indicators
from ingest.changes.diff import Tolerances, changed_causes
from ingest.changes.indicator_changes import IndicatorDiff, diff_indicators
from ingest.commands.common.accepted import accepted_entries, show_accepted
from ingest.commands.common.context import StudyChoice
from ingest.commands.common.output import print_csv, print_json, text_table
from ingest.commands.common.runs import run_as_json
from ingest.database.choice import NameChoice
from ingest.database.states import RunRef
from ingest.database.study_settings import read_definitions
from ingest.questions.indicator_tables import change_table
from ingest.study.combination import select_names
from ingest.text.numbers import count_text

_SHOWN = 20
_COLUMNS = (
    "indicator", "until", "country", "scenario", "before", "after", "absolute", "relative", "unit",
    "countries_before", "countries_after",
)  # fmt: skip


def find_indicator_changes(
    connection: sqlite3.Connection,
    choice: StudyChoice,
    before: RunRef,
    after: RunRef,
    tolerances: Tolerances,
    chosen: NameChoice,
) -> tuple[IndicatorDiff, Acceptance]:
    """The indicators that moved, and what of it is accepted.

    chosen: in place of labels, patterns of their names.

    Raises ConfigError: a name that is not there, labels that do not fit.
    """
    definitions = read_definitions(connection, choice.settings()[0] if choice.has_study else None)
    known = [indicator.name for indicator in definitions.indicators]
    names: list[list[str]] = [
        select_names(patterns, [name for (name,) in connection.execute(query)], what)
        if patterns
        else []
        for what, patterns, query in (
            ("country", chosen.countries, "SELECT DISTINCT country FROM job_results ORDER BY 1"),
            ("scenario", chosen.scenarios, "SELECT DISTINCT scenario FROM job_results ORDER BY 1"),
        )
    ]
    found = diff_indicators(
        connection,
        definitions,
        (before, after),
        tolerances,
        names=select_names(chosen.labels, known, "indicator"),
        countries=names[0],
        scenarios=names[1],
    )
    entries = accepted_entries(choice)
    causes = {}
    if entries and found.rows:
        causes = changed_causes(connection, before, after, names[0], choice.ignored)
    baseline = definitions.baseline
    return found, accept_indicators(found.rows, causes, baseline, entries, date.today())


def show_indicator_changes(
    found: IndicatorDiff, accepted: Acceptance, form: str | None, show_all: bool
) -> None:
    """Print them as JSON, as CSV, or as a table of the totals and the largest of the countries."""
    if form == "json":
        print_json(_as_json(found) | {"accepted": accepted.as_dict()})
    elif form == "csv":
        print_csv(_COLUMNS, ([getattr(row, name) for name in _COLUMNS] for row in found.rows))
    else:
        _show(found, show_all)
        show_accepted(accepted)


def _as_json(found: IndicatorDiff) -> dict[str, Any]:
    return {
        "before": run_as_json(found.before),
        "after": run_as_json(found.after),
        "has_changes": bool(found.rows),
        "compared": found.compared,
        "indicators": [{name: getattr(row, name) for name in _COLUMNS} for row in found.rows],
    }


def _show(found: IndicatorDiff, show_all: bool) -> None:
    compared = count_text(found.compared, "number")
    head = f"Run {found.before.run_id} -> run {found.after.run_id}"
    click.echo(f"{head}: {len(found.rows):,} of {compared} of indicators moved")
    if not found.rows:
        return
    shown = found.rows if show_all else found.rows[: max(_SHOWN, len(found.totals))]
    click.echo("\n" + text_table(change_table(shown)))
    if len(shown) < len(found.rows):
        rest = count_text(len(found.rows) - len(shown), "number")
        click.echo(f"and {rest} more: --all, --csv, --json", err=True)
