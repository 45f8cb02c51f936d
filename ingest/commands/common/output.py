"""What commands print: words, tables, JSON and CSV on stdout; warnings on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ingest.commands.common.options import wants_raw
from ingest.findings import Finding, Severity
from ingest.text.csv_rows import CsvWriter
from ingest.text.foreign import show_unseen
from ingest.text.json_text import json_text
from ingest.text.numbers import at_most, count_text
from ingest.text.text_table import TextTable

if TYPE_CHECKING:
    from ingest.study.git import GitState

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(json_text(value, indent=2))


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a header and rows as CSV."""
    writer = CsvWriter(sys.stdout, raw=wants_raw())
    writer.writerow(columns)
    writer.writerows(rows)


def table(rows: Iterable[Sequence[Any]], headers: Sequence[str], right: Iterable[str] = ()) -> str:
    """An aligned table; `right` names the headers of the columns that hold numbers."""
    from tabulate import tabulate

    numbers = set(right)
    align = ["right" if header in numbers else "left" for header in headers]
    shown = [[show_unseen(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    return tabulate(
        shown, headers, tablefmt="simple", colalign=align, disable_numparse=True, missingval=""
    )


def text_table(shown: TextTable) -> str:
    """A table with its title above it and its lines below it."""
    lines = [f"{shown.title}\n"] if shown.title else []
    return "\n".join([*lines, table(shown.rows, shown.headers, right=shown.numbers), *shown.after])


def severity_text(severity: Severity) -> str:
    """Error in red, Warning in yellow."""
    return click.style(severity.value.capitalize(), fg=_COLOURS[severity])


def show_findings(findings: Iterable[Finding]) -> None:
    """Print findings to stderr, one line each."""
    for finding in findings:
        click.echo(f"{severity_text(finding.severity)}: {finding}", err=True)


def show_failure_causes(causes: Iterable[dict[str, Any]]) -> None:
    """Print why jobs failed, one line a cause: the message of its first job, a few of its jobs."""
    for cause in causes:
        jobs, error = cause["jobs"], show_unseen(cause["error"] or "")
        click.echo(f"  {len(jobs):,} x {cause['error_kind']}: {error}  [{at_most(jobs)}]")


def warn(*messages: str) -> None:
    """Print warnings to stderr, one line each."""
    for message in messages:
        click.echo(f"{severity_text(Severity.WARNING)}: {message}", err=True)


def local_time(timestamp: str | None) -> str:
    """A time of the database in this machine's time zone, to the second; a text if it is none."""
    try:
        return datetime.fromisoformat(timestamp or "").astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return timestamp or ""


def code_words(commit: str, dirty_files: int) -> str:
    """4f2c9e1 + 2 files: a commit and how many files were not committed."""
    dirty = f" + {count_text(dirty_files, 'file')}" if dirty_files else ""
    return commit[:7] + dirty


def code_line(git: GitState) -> str:
    """Commit, branch and files that are not committed, on one line."""
    if not git.is_known:
        why = "git could not tell" if git.problem else "not in a git repository"
        return f'{why}: results are kept under the commit "unknown"'
    branch = f" on {git.branch}" if git.branch and git.branch != "HEAD" else ""
    if not git.dirty_files:
        return f"{git.short_commit}{branch}"
    files = count_text(len(git.dirty_files), "file")
    return f"{git.short_commit}{branch}, {files} not committed ({at_most(git.dirty_files)})"
