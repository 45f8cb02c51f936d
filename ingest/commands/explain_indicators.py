"""`ingest explain --indicator`: indicators of a combination over the runs, and what moved them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from ingest.commands.common.context import StudyChoice
from ingest.commands.common.output import local_time, print_json, table
from ingest.commands.explain import HistoryEntry, read_history
from ingest.database.indicators import IndicatorRequest, IndicatorRow, read_shown_rows
from ingest.database.study_settings import Definitions, read_definitions
from ingest.errors import ConfigError
from ingest.study.combination import select_names
from ingest.text.numbers import finite, percent_text, quantity_text


@dataclass(frozen=True)
class IndicatorEntry:
    """An indicator in the state as of a run; the change is that since the run before.

    value: None where there is none, and note says why. causes: what changed in the inputs of the
    scenario and of the baseline, where the run has other results of one of them.
    """

    run_id: int
    timestamp: str
    git_commit: str
    indicator: str
    until: int | None
    value: float | None
    absolute: float | None
    relative: float | None
    unit: str
    note: str
    causes: tuple[str, ...]


def show_indicator_history(
    choice: StudyChoice,
    connection: sqlite3.Connection,
    combination: tuple[str, str],
    patterns: Sequence[str],
    as_json: bool,
) -> None:
    """Print the series of each indicator over the runs that ran the scenario or the baseline."""
    definitions = read_definitions(connection, choice.settings()[0] if choice.has_study else None)
    known = [indicator.name for indicator in definitions.indicators]
    names = select_names(patterns, known, "indicator")
    entries = list(_read(connection, definitions, combination, names, choice.ignored))
    if not entries:
        raise ConfigError(
            f"{combination[1]} is the baseline, and {', '.join(names)} compares with it; "
            "name another scenario"
        )
    if as_json:
        print_json([vars(entry) for entry in entries])
        return
    click.echo(f"{combination[0]} / {combination[1]}, baseline {definitions.baseline}")
    for key in dict.fromkeys((entry.indicator, entry.until) for entry in entries):
        _show([entry for entry in entries if (entry.indicator, entry.until) == key])


def _read(
    connection: sqlite3.Connection,
    definitions: Definitions,
    combination: tuple[str, str],
    names: Sequence[str],
    ignore: Sequence[str],
) -> Iterator[IndicatorEntry]:
    """Each indicator and horizon as of each of the runs, the oldest first."""
    country, scenario = combination
    histories = [
        read_history(connection, country, one, ignore)
        for one in dict.fromkeys((scenario, definitions.baseline))
    ]
    runs: dict[int, list[HistoryEntry]] = {}
    for entry in sorted((e for h in histories for e in h), key=lambda entry: entry.run_id):
        if entry.job_status == "success":
            runs.setdefault(entry.run_id, []).append(entry)
    before: dict[tuple[str, int | None], float | None] = {}
    for run_id, jobs in runs.items():
        request = IndicatorRequest(run_id, definitions.baseline, (scenario,), (country,))
        for row in _rows(connection, definitions, request, names):
            if row.scenario == scenario:
                key = row.indicator, row.until
                yield _entry(row, jobs, before.get(key))
                before[key] = row.value


def _rows(
    connection: sqlite3.Connection,
    definitions: Definitions,
    request: IndicatorRequest,
    names: Sequence[str],
) -> Sequence[IndicatorRow]:
    """The numbers as of a run; none, and why, where its results do not have what is defined now."""
    try:
        return read_shown_rows(connection, definitions.indicators, request, names, {})
    except ConfigError as exc:
        (scenario,) = request.scenarios
        return [
            IndicatorRow(one.name, until, (), scenario, None, one.unit, 0, 1, note=str(exc))
            for one in definitions.indicators
            if one.name in names
            for until in one.until or (None,)
        ]


def _entry(row: IndicatorRow, jobs: Sequence[HistoryEntry], before: float | None) -> IndicatorEntry:
    change = None if row.value is None or before is None else finite(row.value - before)
    return IndicatorEntry(
        run_id=jobs[0].run_id,
        timestamp=jobs[0].timestamp,
        git_commit=jobs[0].git_commit,
        indicator=row.indicator,
        until=row.until,
        value=row.value,
        absolute=change,
        relative=finite(change / abs(before)) if change is not None and before else None,
        unit=row.unit,
        note=row.note,
        causes=tuple(dict.fromkeys(job.cause.text for job in jobs if job.cause)),
    )


def _show(entries: Sequence[IndicatorEntry]) -> None:
    first = entries[0]
    until = "" if first.until is None else f" until {first.until}"
    unit = next((f" ({entry.unit})" for entry in entries if entry.unit), "")
    rows = [
        (
            str(entry.run_id),
            local_time(entry.timestamp),
            quantity_text(entry.value),
            _change_text(entry),
            "; ".join(filter(None, (entry.note, *entry.causes))),
        )
        for entry in entries
    ]
    headers = ("run", "time", "value", "change", "why")
    click.echo(f"\n{first.indicator}{until}{unit}")
    click.echo(table(rows, headers, right=("run", "value", "change")))


def _change_text(entry: IndicatorEntry) -> str:
    if entry.absolute is None:
        return ""
    return percent_text(entry.relative) if entry.absolute else "the same"
