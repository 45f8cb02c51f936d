"""Numbers, times and lists as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from ingest.text.numbers import count_text

if TYPE_CHECKING:
    from ingest.findings import Finding
    from ingest.study.git import GitState


def duration(seconds: float) -> str:
    """0.4 s, 4.3 s, 2 min 05 s, 3 h 07 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60:02d} min"


def local_time(timestamp: str | None) -> str:
    """An ISO 8601 time of the database in this machine's time zone, to the second."""
    if not timestamp:
        return ""
    return datetime.fromisoformat(timestamp).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def some(items: Sequence[str], limit: int = 3) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(items) - limit:,} more" if len(items) > limit else ""
    return ", ".join(items[:limit]) + more


def table(rows: Iterable[Sequence[Any]], headers: Sequence[str], right: Iterable[str] = ()) -> str:
    """An aligned table; right names the headers of the columns that hold numbers."""
    from tabulate import tabulate

    numbers = set(right)
    align = ["right" if header in numbers else "left" for header in headers]
    return tabulate(
        rows, headers, tablefmt="simple", colalign=align, disable_numparse=True, missingval=""
    )


def code_words(commit: str, dirty_files: int) -> str:
    """4f2c9e1 + 2 files."""
    dirty = f" + {count_text(dirty_files, 'file')}" if dirty_files else ""
    return commit[:7] + dirty


def code_line(git: GitState) -> str:
    """Commit, branch and what is not committed, on one line."""
    if not git.is_known:
        return 'not in a git repository: results are kept under the commit "unknown"'
    branch = f" on {git.branch}" if git.branch and git.branch != "HEAD" else ""
    if not git.dirty_files:
        return f"{git.short_commit}{branch}"
    files = count_text(len(git.dirty_files), "file")
    return f"{git.short_commit}{branch}, {files} not committed ({some(git.dirty_files)})"


def show_findings(findings: Iterable[Finding]) -> None:
    """Print findings to stderr, one line each."""
    for finding in findings:
        colour = "red" if finding.is_error else "yellow"
        head = click.style(finding.severity.value.capitalize(), fg=colour)
        click.echo(f"{head}: {finding}", err=True)
