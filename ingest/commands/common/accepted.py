"""Accepted changes of the study that a command works on."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ingest.changes.accepted import Acceptance
from ingest.commands.common.context import StudyChoice
from ingest.errors import ConfigError
from ingest.study.accepted import Accepted, read_accepted


def accepted_entries(choice: StudyChoice) -> Sequence[Accepted]:
    """The entries of accepted.toml; none without a study. Raises ConfigError: one is wrong."""
    if not choice.has_study:
        return ()
    entries, findings = read_accepted(choice.settings()[0].root)
    if findings:
        raise ConfigError(str(findings[0]))
    return entries


def show_accepted(found: Acceptance) -> None:
    """Print what is accepted, why and by whom; and entries that are over or not needed."""
    if found.lines:
        click.echo(f"\nAccepted{f': {found.head}' if found.head else ''}")
    for text in found.lines:
        click.echo(f"  {text}")
