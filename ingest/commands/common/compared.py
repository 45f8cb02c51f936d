"""By what changes are found in a command: the study's tolerances, and what is no input."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ingest.changes.diff import Tolerances
from ingest.commands.common.context import StudyChoice
from ingest.errors import StudyError
from ingest.study.settings import StudySettings


def comparison_rules(choice: StudyChoice) -> tuple[Tolerances, Sequence[str]]:
    """Tolerances and study.ignore of the study; the defaults where there is none to be read."""
    if choice.has_study:
        with suppress(StudyError):
            settings, _ = choice.settings()
            return Tolerances.of(settings), settings.study.ignore
    return Tolerances(), StudySettings.ignore
