"""`ingest report`: indicators, economics and changes as what people send."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ingest.changes.diff import Tolerances
from ingest.commands.common.accepted import accepted_entries
from ingest.commands.common.consistency import only_consistent
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import (
    consistent_option,
    countries_option,
    force_option,
    scenarios_option,
)
from ingest.commands.common.output import warn
from ingest.commands.common.progress import long_work
from ingest.commands.common.runs import find_run
from ingest.database.kept_economics import read_kept_economics
from ingest.database.study_identity import read_study_names
from ingest.database.study_settings import read_definitions
from ingest.errors import ConfigError
from ingest.reports.build import build_report
from ingest.reports.markdown import markdown_of
from ingest.reports.question import ReportQuestion
from ingest.reports.update import replace_report
from ingest.study.combination import select_names
from ingest.study.country_values import read_country_values
from ingest.study.report_settings import DEFAULT_REPORT

if TYPE_CHECKING:
    from ingest.exchange.whole_file import OutputFile
    from ingest.reports.model import Report

OUT_OF_DATE = 3
_ENDINGS = (".md", ".xlsx", ".docx", ".html")


@click.command()
@click.argument("run_name", default="latest", metavar="[RUN]")
@study_options
@click.option(
    "--output", "-o", metavar="FILE", help="Write .md, .xlsx, .docx or .html, by its ending"
)
@click.option("--update", metavar="FILE.md", help="Replace the report within a Markdown file")
@click.option(
    "--check",
    is_flag=True,
    help=f"With --update: write nothing, exit code {OUT_OF_DATE} where FILE.md is out of date",
)
@click.option("--by", multiple=True, metavar="GROUP,...", help="In place of report.by")
@countries_option
@scenarios_option
@consistent_option
@force_option
def report(
    run_name: str,
    choice: StudyChoice,
    output: str | None,
    update: str | None,
    check: bool,
    by: tuple[str, ...],
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    consistent: bool,
    force: bool,
) -> None:
    """Write the study's indicators, cost-effectiveness, investment case and changes for people.

    Without --output, Markdown is printed. [report] of ingest.toml says which sections, groups,
    countries and scenarios; what the study does not define is left out, with a line in the notes.
    Notes say of every number where it is from: run, commit, definitions, discount rates. RUN is a
    run's number, a tag, a commit, a date, `latest` (default) or `previous`; changes are since the
    run before it.

    --update replaces what stands between two lines of the file and leaves the rest as it is:
    <!-- begin ingest report --> and <!-- end ingest report -->.

    \b
    Examples:
      ingest report -o report.xlsx
      ingest report --by income_group,total -o report.html
      ingest report --countries KEN,UGA > kenya-uganda.md
      ingest report --update README.md
      ingest report --update README.md --check
    """
    if check and not update:
        raise ConfigError("--check goes with --update FILE.md")
    if update and output:
        raise ConfigError("--update and --output: choose one")
    file = None if output is None else choice.output(output, *_ENDINGS, force=force)
    within = None if update is None else choice.output(update, ".md", force=True)
    with choice.reading() as connection, long_work("computing"):
        question = _question(connection, choice, run_name)
        settings = replace(
            question.settings,
            by=_names(by) or question.settings.by,
            countries=tuple(code.upper() for code in countries) or question.settings.countries,
            scenarios=scenarios or question.settings.scenarios,
        )
        question = replace(
            question,
            settings=settings,
            countries=_chosen(connection, "country", settings.countries),
            scenarios=_chosen(connection, "scenario", settings.scenarios),
            consistent=consistent or only_consistent(choice),
        )
        built = build_report(connection, question)
    warn(*built.warnings)
    if file is not None:
        _write(built, file)
    elif within is not None:
        _update(built, within, check)
    else:
        click.echo(markdown_of(built), nl=False)


def _names(given: Sequence[str]) -> tuple[str, ...]:
    names = (name.strip() for part in given for name in part.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _question(connection: sqlite3.Connection, choice: StudyChoice, run_name: str) -> ReportQuestion:
    """The question as the study's files ask it; without them, as its database can answer it."""
    settings = choice.settings()[0] if choice.has_study else None
    if settings is None:
        economics, values = read_kept_economics(connection)
    else:
        economics, values = settings.economics, read_country_values(settings)
    names = [settings.name] if settings else read_study_names(connection)
    return ReportQuestion(
        run=find_run(connection, run_name),
        settings=settings.report if settings else DEFAULT_REPORT,
        study=names[0] if names else "Results",
        definitions=read_definitions(connection, settings),
        economics=economics,
        values=values,
        tolerances=Tolerances.of(settings) if settings else Tolerances(),
        ignore=choice.ignored,
        accepted=accepted_entries(choice),
    )


def _chosen(connection: sqlite3.Connection, column: str, patterns: Sequence[str]) -> list[str]:
    if not patterns:
        return []
    query = f"SELECT DISTINCT {column} FROM job_results ORDER BY 1"
    return select_names(patterns, [name for (name,) in connection.execute(query)], column)


def _write(built: Report, file: OutputFile) -> None:
    """The report in the format that the file's name ends in."""
    kind = file.path.suffix.lower()
    with file.whole() as temporary, long_work("writing"):
        if kind == ".xlsx":
            from ingest.reports.workbook import write_report_workbook

            write_report_workbook(temporary, built)
        elif kind == ".docx":
            from ingest.reports.word import write_report_document

            write_report_document(temporary, built)
        elif kind == ".html":
            from ingest.reports.html import html_of

            temporary.write_text(html_of(built), encoding="utf-8")
        else:
            temporary.write_text(markdown_of(built), encoding="utf-8")
    click.echo(f"Wrote {file.path}", err=True)


def _update(built: Report, file: OutputFile, only_check: bool) -> None:
    """Put the report between the marks of a file, or say that another one is there."""
    path = file.path
    try:
        before = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path} cannot be read: {reason}") from exc
    after = replace_report(before, markdown_of(built), str(path))
    if after == before:
        click.echo(f"{path} is up to date", err=True)
    elif only_check:
        click.echo(f"{path} is out of date: ingest report --update {path}", err=True)
        raise SystemExit(OUT_OF_DATE)
    else:
        replace(file, path=path.resolve()).write(after.encode())
        click.echo(f"Wrote {path}", err=True)
