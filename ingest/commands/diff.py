"""`ingest diff`: what moved between two states, where, by how much, and why."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from ingest.changes.diff import SeriesChange, StateDiff, Tolerances, diff_states
from ingest.changes.report_html import html_report
from ingest.changes.report_markdown import markdown_report
from ingest.changes.summary import (
    COUNTRIES,
    SERIES,
    headline,
    largest,
    nondeterministic_warning,
    summarise_causes,
    summarise_labels,
    summarise_patterns,
)
from ingest.commands.common.context import database_path, read_settings, study_file, study_options
from ingest.commands.common.words import code_words, some, table
from ingest.database.files import open_for_reading
from ingest.database.states import RunRef, resolve_run
from ingest.errors import ConfigError
from ingest.study.combination import Combination, select_names
from ingest.text.numbers import count_text, percent_text, quantity_text

CHANGES_FOUND = 3
_SHOWN = 10
_COLUMNS = (
    "country", "scenario", "element_label", "kind", "changed_years", "largest_year",
    "before", "after", "absolute", "relative", "before_sum", "after_sum",
)  # fmt: skip


@click.command()
@click.argument("before", required=False, default="previous", metavar="[A]")
@click.argument("after", required=False, default="latest", metavar="[B]")
@study_options
@click.option("--countries", "-c", metavar="ISO3,...", multiple=True, help="Only these countries")
@click.option("--scenarios", "-s", metavar="NAME,...", multiple=True, help="Only these scenarios")
@click.option("--labels", "-l", metavar="LABEL", multiple=True, help="Only this label or glob")
@click.option("--rtol", type=click.FloatRange(min=0), help="Relative tolerance, for all labels")
@click.option("--atol", type=click.FloatRange(min=0), help="Absolute tolerance, for all labels")
@click.option("--all", "show_all", is_flag=True, help="List every series that moved")
@click.option("--json", "form", flag_value="json", help="Print JSON, every series")
@click.option("--csv", "form", flag_value="csv", help="Print CSV, every series")
@click.option("--md", "form", flag_value="md", help="Print a Markdown report for a pull request")
@click.option("--html", "html_file", metavar="FILE", help="Write one self-contained HTML file")
@click.option("--chart", "chart_file", metavar="FILE", help="Write a chart: .svg or .png")
@click.option(
    "--fail-on-change", is_flag=True, help=f"Exit code {CHANGES_FOUND} when anything changed"
)
def diff(
    before: str,
    after: str,
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    labels: tuple[str, ...],
    rtol: float | None,
    atol: float | None,
    show_all: bool,
    form: str | None,
    html_file: str | None,
    chart_file: str | None,
    fail_on_change: bool,
) -> None:
    """Show what moved between two states, and because of which input.

    A and B name runs: a number, a tag, a commit, a date, latest or previous. The state as of a run
    is each combination's newest success by then, so runs that did only a part compare as wholes.

    \b
    Examples:
      ingest diff
      ingest diff 5 9 --labels 'Healthy*' --all
      ingest diff main-2026 latest --md > report.md
      ingest diff --fail-on-change --rtol 0.01
    """
    tolerances = _tolerances(study_path, database, overrides, rtol, atol)
    with closing(open_for_reading(database_path(study_path, database))) as connection:
        known = {
            column: [row[0] for row in connection.execute(sql)] for column, sql in _NAMES.items()
        }
        found = diff_states(
            connection,
            resolve_run(connection, before),
            resolve_run(connection, after),
            tolerances,
            countries=select_names(countries, known["country"], "country") if countries else (),
            scenarios=select_names(scenarios, known["scenario"], "scenario") if scenarios else (),
            labels=select_names(labels, known["label"], "label") if labels else (),
        )
    study_countries = len(known["country"])
    _write_files(found, study_countries, html_file, chart_file)
    if form == "json":
        click.echo(json.dumps(diff_as_json(found), indent=2))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([getattr(series, name) for name in _COLUMNS] for series in found.series)
    elif form == "md":
        report = markdown_report(found, chart=chart_file, study_countries=study_countries)
        click.echo(report, nl=False)
    else:
        _show(found, study_countries, show_all)
    if fail_on_change and found.has_changes:
        raise SystemExit(CHANGES_FOUND)


_NAMES = {
    "country": "SELECT DISTINCT country FROM job_results ORDER BY country",
    "scenario": "SELECT DISTINCT scenario FROM job_results ORDER BY scenario",
    "label": "SELECT element_label FROM elements ORDER BY element_label",
}


def _tolerances(
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    rtol: float | None,
    atol: float | None,
) -> Tolerances:
    """The study's tolerances where there is a study; an option replaces them for all labels."""
    tolerances = Tolerances()
    if study_path or overrides or study_file(None).exists():
        tolerances = Tolerances.of(read_settings(study_path, database, overrides)[0])
    given = {k: v for k, v in (("rtol", rtol), ("atol", atol)) if v is not None}
    if not given:
        return tolerances
    labels = {label: replace(own, **given) for label, own in tolerances.labels.items()}
    return Tolerances(replace(tolerances.default, **given), labels)


def _write_files(
    found: StateDiff, study_countries: int, html_file: str | None, chart_file: str | None
) -> None:
    if html_file is not None:
        _write(Path(html_file), html_report(found, study_countries=study_countries).encode())
    if chart_file is not None:
        from ingest.charts.change_chart import change_chart
        from ingest.charts.pictures import render_png, render_svg

        suffix = Path(chart_file).suffix
        if suffix not in (".svg", ".png"):
            raise ConfigError(f"--chart {chart_file}: the name must end in .svg or .png")
        spec = change_chart(found)
        image = render_svg(spec).encode() if suffix == ".svg" else render_png(spec)
        _write(Path(chart_file), image)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
    click.echo(f"Wrote {path}", err=True)


def diff_as_json(found: StateDiff) -> dict[str, Any]:
    """A difference for machines."""
    return {
        "before": _run_as_json(found.before),
        "after": _run_as_json(found.after),
        "rule": found.rule,
        "has_changes": found.has_changes,
        "headline": headline(found),
        "changed": len(found.changed),
        "equal": found.equal,
        "within_tolerance": len(found.within),
        "added": [combination._asdict() for combination in found.added],
        "removed": [combination._asdict() for combination in found.removed],
        "causes": [
            {
                "cause": cause.text,
                "kinds": list(cause.kinds),
                "changes": [vars(change) for change in cause.changes],
                "combinations": [c._asdict() for c in found.by_cause[cause.text]],
            }
            for cause in {cause.text: cause for cause in found.changed.values()}.values()
        ],
        "series": [{name: getattr(series, name) for name in _COLUMNS} for series in found.series],
    }


def _run_as_json(run: RunRef) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "timestamp": run.timestamp,
        "git_commit": run.git_commit,
        "dirty_files": json.loads(run.dirty_files or "[]"),
    }


def _show(found: StateDiff, study_countries: int, show_all: bool) -> None:
    """The pattern first, then causes, labels, and the largest series."""
    click.echo(f"{_run_words(found.before)} -> {_run_words(found.after)}")
    click.echo(
        f"{count_text(len(found.changed), 'combination')} changed, {found.equal:,} equal"
        f"{f', {len(found.within):,} within the tolerance' if found.within else ''}, "
        f"{len(found.added):,} added, {len(found.removed):,} removed · rule: {found.rule}"
    )
    _show_combinations("added", found.added)
    _show_combinations("removed", found.removed)
    if not found.changed:
        click.echo(headline(found))
        return
    warning = nondeterministic_warning(found)
    if warning:
        click.echo(f"Warning: {warning}")
    click.echo("\nPattern")
    for pattern in summarise_patterns(found)[:_SHOWN]:
        click.echo(f"  {pattern.text(study_countries)}")
    click.echo("\nWhy")
    for cause in summarise_causes(found)[:_SHOWN]:
        size = count_text(cause.combinations, "combination")
        where = f"{count_text(cause.countries, COUNTRIES)} under {some(cause.scenarios)}"
        click.echo(f"  {cause.cause}   {size}, {where}")
    click.echo()
    _show_labels(found)
    click.echo()
    _show_series(found, show_all)


def _run_words(run: RunRef) -> str:
    files = len(json.loads(run.dirty_files or "[]"))
    when = datetime.fromisoformat(run.timestamp).astimezone().strftime("%a %d %b %Y %H:%M")
    return f"Run {run.run_id} ({code_words(run.git_commit, files)}, {when})"


def _show_combinations(word: str, combinations: Sequence[Combination]) -> None:
    if combinations:
        click.echo(f"  {word}: {some([str(c) for c in combinations], 5)}")


def _show_labels(found: StateDiff) -> None:
    rows = [
        (
            label.element_label,
            f"{label.series:,}",
            percent_text(label.smallest),
            percent_text(label.median),
            percent_text(label.largest),
        )
        for label in summarise_labels(found)
    ]
    headers = ("label", "series", "from", "median", "to")
    click.echo(table(rows, headers, right=headers[1:]))


def _show_series(found: StateDiff, show_all: bool) -> None:
    shown = list(found.series) if show_all else largest(found, _SHOWN)
    rows = [_series_row(series) for series in shown]
    headers = ("country", "scenario", "label", "year", "change", "before", "after")
    click.echo(table(rows, headers, right=("year", "change", "before", "after")))
    rest = len(found.series) - len(shown)
    if rest > 0:
        click.echo(f"and {count_text(rest, SERIES)} more: --all, --csv, --json", err=True)


def _series_row(series: SeriesChange) -> tuple[object, ...]:
    change = percent_text(series.relative) if series.kind == "changed" else series.kind
    year = "" if series.largest_year is None else series.largest_year
    values = (quantity_text(series.before), quantity_text(series.after))
    return (series.country, series.scenario, series.element_label, year, change, *values)
