"""What a command says about results that do not belong together, and when that is an error."""

from __future__ import annotations

import click

from ingest.commands.common.context import StudyChoice
from ingest.database.consistency import Consistency

INCONSISTENT = 3


def only_consistent(choice: StudyChoice) -> bool:
    """Whether the study's settings say that only results of its inputs count."""
    return choice.has_study and choice.settings()[0].results.consistent


def show_consistency(found: Consistency, only: bool = False) -> None:
    """Say on stderr what a reader has to know; only: what is stale is left out already."""
    if only and found.stale:
        click.echo(f"Left out: {found.stale:,} of other inputs ({found.counts})", err=True)
    elif found.warning:
        click.echo(f"Warning: {found.warning} ({found.counts})", err=True)


def refuse_inconsistent(found: Consistency, is_required: bool) -> None:
    """Raises SystemExit where --require-consistent asks for it."""
    if is_required and not found.is_consistent:
        click.echo(
            f"Error: --require-consistent: {found.counts} as of run {found.run_id}", err=True
        )
        raise SystemExit(INCONSISTENT)
