"""`ingest diff`: what changed between two states, where, by how much, and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import click

from ingest.changes.accepted import accept_changes
from ingest.changes.diff import Tolerances, diff_states
from ingest.changes.report import Report
from ingest.changes.report_html import html_report
from ingest.changes.report_markdown import markdown_report
from ingest.changes.summary import COUNTRIES, OTHER_YEARS, SERIES, LabelSummary
from ingest.commands.common.accepted import accepted_entries, show_accepted
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import (
    FiniteNumber,
    all_option,
    countries_option,
    force_option,
    labels_option,
    raw_option,
    scenarios_option,
)
from ingest.commands.common.output import (
    code_words,
    print_csv,
    print_json,
    table,
)
from ingest.commands.common.progress import long_work
from ingest.commands.common.runs import find_run, run_as_json
from ingest.commands.diff_indicators import find_indicator_changes, show_indicator_changes
from ingest.database.choice import NameChoice
from ingest.database.consistency import read_consistency
from ingest.database.states import RunRef, newest_run, run_as_of, run_before
from ingest.errors import ConfigError
from ingest.exchange.whole_file import OutputFile
from ingest.study.combination import select_names
from ingest.text.numbers import at_most, count_text, percent_text

CHANGES_FOUND = 3
_SHOWN = 10
_COLUMNS = (
    "country", "scenario", "element_label", "kind", "changed_years", "largest_year",
    "before", "after", "absolute", "relative", "before_sum", "after_sum", "years_added",
    "years_removed",
)  # fmt: skip


@click.command()
@click.argument("before", required=False, metavar="[A]")
@click.argument("after", required=False, metavar="[B]")
@click.option(
    "--since",
    metavar="TIME",
    help="In place of A and B, the state as of then against the newest: 36h, 7d, 2w ago, or a date",
)
@study_options
@countries_option
@scenarios_option
@labels_option
@click.option(
    "--indicator",
    "-i",
    "indicators",
    multiple=True,
    metavar="NAME,...",
    help="In place of labels, these indicators: names, comma lists, globs",
)
@click.option("--rtol", type=FiniteNumber(), help="Relative tolerance, for all that is compared")
@click.option("--atol", type=FiniteNumber(), help="Absolute tolerance, for all that is compared")
@all_option
@click.option("--json", "form", flag_value="json", help="Print JSON")
@click.option("--csv", "form", flag_value="csv", help="Print CSV")
@raw_option
@click.option("--md", "form", flag_value="md", help="Print a Markdown report for a pull request")
@click.option("--html", "html_file", metavar="FILE", help="Write one self-contained HTML file")
@click.option("--chart", "chart_file", metavar="FILE", help="Write a chart: .svg or .png")
@force_option
@click.option(
    "--fail-on-change",
    is_flag=True,
    help=f"Exit code {CHANGES_FOUND} when anything changed that accepted.toml does not list",
)
def diff(
    before: str | None,
    after: str | None,
    since: str | None,
    choice: StudyChoice,
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    labels: tuple[str, ...],
    indicators: tuple[str, ...],
    rtol: float | None,
    atol: float | None,
    show_all: bool,
    form: str | None,
    html_file: str | None,
    chart_file: str | None,
    force: bool,
    fail_on_change: bool,
) -> None:
    """Show what changed between two states, and which input caused it.

    A and B name runs: a number, a tag, a commit, a date, latest or previous. The state as of a run
    is each combination's newest success by then, so partial runs can be compared. --since takes the
    newest run that began that long ago, or by a date.
    CSV and JSON list every series. --all lists them too, and every change of the inputs.
    What accepted.toml beside ingest.toml lists passes --fail-on-change, and is told.
    With --indicator, indicators of ingest.toml are compared in each country and in total, by their
    definitions as of now; [tolerance.indicators] says by how much they may move.

    \b
    Examples:
      ingest diff
      ingest diff 5 9 --labels 'Healthy*' --all
      ingest diff --since 7d
      ingest diff main-2026 latest --md > report.md
      ingest diff --fail-on-change --rtol 0.01
      ingest diff --indicator 'Cost per*' --rtol 0.05 --fail-on-change
    """
    html = choice.output(html_file, ".html", force=force) if html_file else None
    chart = choice.output(chart_file, ".svg", ".png", force=force) if chart_file else None
    tolerances = _tolerances(choice, rtol, atol)
    if since is not None and before is not None:
        raise ConfigError("--since takes the place of A and B: leave them out")
    if indicators and (labels or html or chart or form == "md"):
        raise ConfigError("--indicator goes with --json, --csv or a table, and without --labels")
    with choice.reading() as connection, long_work("comparing"):
        if before is None and since is None and _is_first(connection):
            _say_nothing_before(form)
            return
        runs = _runs(connection, before, after, since)
        if indicators:
            moved, accepted = find_indicator_changes(
                connection,
                choice,
                *runs,
                tolerances,
                NameChoice(countries, scenarios, indicators),
            )
            show_indicator_changes(moved, accepted, form, show_all)
            if fail_on_change and accepted.is_open(bool(moved.rows)):
                raise SystemExit(CHANGES_FOUND)
            return
        study_countries, chosen = _choose(connection, countries, scenarios, labels)
        found = diff_states(
            connection,
            *runs,
            tolerances,
            countries=chosen[0],
            scenarios=chosen[1],
            labels=chosen[2],
            ignore=choice.ignored,
        )
        states = [read_consistency(connection, run.run_id, chosen[1], chosen[0]) for run in runs]
    mixed = [
        f"The state as of run {state.run_id} has {state.warning}"
        for state in states
        if state.is_mixed
    ]
    accepted = accept_changes(found, accepted_entries(choice), date.today())
    report = Report.of(found, study_countries, mixed, accepted)
    _write_files(report, html, chart)
    _print(report, form, chart_file, show_all)
    for text in mixed:
        click.echo(f"Warning: {text}", err=True)
    if fail_on_change and accepted.is_open(found.has_changes):
        raise SystemExit(CHANGES_FOUND)


def _print(report: Report, form: str | None, chart_file: str | None, show_all: bool) -> None:
    if form == "json":
        print_json(_as_json(report))
    elif form == "csv":
        series = report.diff.series
        print_csv(_COLUMNS, ([getattr(one, name) for name in _COLUMNS] for one in series))
    elif form == "md":
        click.echo(markdown_report(report, chart=chart_file), nl=False)
    else:
        _show(report, show_all)


_NOTHING_BEFORE = (
    "There is one run so far, nothing to compare it with; after the next `ingest run` this shows "
    "what changed."
)


def _is_first(connection: sqlite3.Connection) -> bool:
    """Whether the newest run that has ended is the only one."""
    newest = newest_run(connection, ended=True)
    return newest is not None and run_before(connection, newest.run_id) is None


def _say_nothing_before(form: str | None) -> None:
    if form == "json":
        print_json({"before": None, "has_changes": False, "headline": _NOTHING_BEFORE})
    else:
        click.echo(_NOTHING_BEFORE, err=form == "csv")


def _runs(
    connection: sqlite3.Connection, before: str | None, after: str | None, since: str | None
) -> tuple[RunRef, RunRef]:
    """The two runs to compare."""
    newest = find_run(connection, after or "latest")
    if since is None:
        return find_run(connection, before or "previous"), newest
    run = run_as_of(connection, since)
    if run.run_id >= newest.run_id:
        click.echo(f"No run began since then; the newest is run {newest.run_id}", err=True)
        return newest, newest
    return run, newest


_NAMES = {
    "country": "SELECT DISTINCT country FROM job_results ORDER BY country",
    "scenario": "SELECT DISTINCT scenario FROM job_results ORDER BY scenario",
    "label": "SELECT element_label FROM elements ORDER BY element_label",
}


def _choose(
    connection: sqlite3.Connection, *patterns: Sequence[str]
) -> tuple[int, list[list[str]]]:
    """How many countries there are, and the chosen countries, scenarios and labels, [] for all."""
    known = {column: [row[0] for row in connection.execute(sql)] for column, sql in _NAMES.items()}
    chosen = [
        select_names(names, known[column], column) if names else []
        for names, column in zip(patterns, _NAMES, strict=True)
    ]
    return len(known["country"]), chosen


def _tolerances(choice: StudyChoice, rtol: float | None, atol: float | None) -> Tolerances:
    """The study's tolerances where there is a study; an option replaces them for all labels."""
    tolerances = Tolerances.of(choice.settings()[0]) if choice.has_study else Tolerances()
    given = {k: v for k, v in (("rtol", rtol), ("atol", atol)) if v is not None}
    if not given:
        return tolerances
    labels, indicators = (
        {name: replace(own, **given) for name, own in group.items()}
        for group in (tolerances.labels, tolerances.indicators)
    )
    return Tolerances(replace(tolerances.default, **given), labels, indicators)


def _write_files(report: Report, html: OutputFile | None, chart: OutputFile | None) -> None:
    if html is not None:
        _write(html, html_report(report).encode())
    if chart is not None:
        from ingest.charts.change_chart import change_chart
        from ingest.charts.pictures import render_png, render_svg

        spec = change_chart(report.diff)
        is_png = chart.path.suffix.lower() == ".png"
        _write(chart, render_png(spec) if is_png else render_svg(spec).encode())


def _write(file: OutputFile, content: bytes) -> None:
    file.write(content)
    click.echo(f"Wrote {file.path}", err=True)


def _as_json(report: Report) -> dict[str, Any]:
    found = report.diff
    return {
        "before": run_as_json(found.before),
        "after": run_as_json(found.after),
        "rule": found.rule,
        "has_changes": found.has_changes,
        "headline": report.headline,
        "accepted": report.accepted.as_dict(),
        "mixed": list(report.mixed),
        "changed": len(found.changed),
        "equal": found.equal,
        "within_tolerance": len(found.within),
        "added": [combination._asdict() for combination in found.added],
        "removed": [combination._asdict() for combination in found.removed],
        "causes": [
            {
                "cause": shown.cause,
                "kinds": list(cause.kinds),
                "changes": [change.as_dict() for change in cause.changes],
                "combinations": [c._asdict() for c in combinations],
            }
            for shown, (cause, combinations) in zip(report.causes, found.by_cause, strict=True)
        ],
        "series": [{name: getattr(series, name) for name in _COLUMNS} for series in found.series],
    }


def _show(report: Report, show_all: bool) -> None:
    """Print the pattern first, then causes, labels, and the largest series."""
    found = report.diff
    click.echo(f"{_run_words(found.before)} -> {_run_words(found.after)}")
    click.echo(
        f"{count_text(len(found.changed), 'combination')} changed, {found.equal:,} equal"
        f"{f', {len(found.within):,} within the tolerance' if found.within else ''}, "
        f"{len(found.added):,} added, {len(found.removed):,} removed · rule: {found.rule}"
    )
    for word, combinations in (("added", found.added), ("removed", found.removed)):
        if combinations:
            click.echo(f"  {word}: {at_most(combinations, 5)}")
    if report.horizons:
        click.echo(f"  years: {at_most(report.horizons, 5, '; ')}")
    show_accepted(report.accepted)
    if not found.changed:
        click.echo(report.headline)
        return
    if report.warning:
        click.echo(f"Warning: {report.warning}")
    click.echo("\nPattern")
    for text in report.patterns[:_SHOWN]:
        click.echo(f"  {text}")
    click.echo("\nWhy")
    for cause in report.causes:
        size = count_text(cause.combinations, "combination")
        where = f"{count_text(cause.countries, COUNTRIES)} under {at_most(cause.scenarios)}"
        click.echo(f"  {cause.cause}   {size}, {where}")
        for change in (*cause.more, *(cause.rest if show_all else ())):
            click.echo(f"    {change}")
    click.echo(f"\n{_labels_table(report)}\n")
    _show_series(report, show_all)


def _run_words(run: RunRef) -> str:
    files = len(run.uncommitted)
    try:
        when = datetime.fromisoformat(run.timestamp).astimezone().strftime("%a %d %b %Y %H:%M")
    except (ValueError, OverflowError):
        when = run.timestamp or "time unknown"
    return f"Run {run.run_id} ({code_words(run.git_commit, files)}, {when})"


def _labels_table(report: Report) -> str:
    rows = [(label.element_label, f"{label.series:,}", *_sizes(label)) for label in report.labels]
    headers = ("label", "series", "from", "median", "to")
    return table(rows, headers, right=headers[1:])


def _sizes(label: LabelSummary) -> Sequence[str]:
    """The smallest, the median and the largest relative change."""
    if label.range_text == OTHER_YEARS:
        return (OTHER_YEARS, "", "")
    return [percent_text(size) for size in (label.smallest, label.median, label.largest)]


def _show_series(report: Report, show_all: bool) -> None:
    shown = report.series() if show_all else report.largest(_SHOWN)
    rows = [(s.country, s.scenario, s.label, s.year, s.change, s.before, s.after) for s in shown]
    headers = ("country", "scenario", "label", "year", "change", "before", "after")
    click.echo(table(rows, headers, right=headers[3:]))
    rest = len(report.diff.series) - len(shown)
    if rest > 0:
        click.echo(f"and {count_text(rest, SERIES)} more: --all, --csv, --json", err=True)
