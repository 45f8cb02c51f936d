"""What a report is asked to tell, and what each of its parts answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.changes.diff import Tolerances
from ingest.database.states import RunRef
from ingest.database.study_settings import Definitions
from ingest.questions.economics import COUNTRY, TOTAL
from ingest.reports.model import Section
from ingest.study.accepted import Accepted
from ingest.study.country_values import Values
from ingest.study.economics import EconomicsSettings
from ingest.study.report_settings import ReportSettings


@dataclass(frozen=True)
class ReportQuestion:
    """Which part of the state as of a run is told, and the settings that it is computed by.

    study: its name. countries, scenarios: the names that the settings choose, all where empty.
    ignore: what is no input in a model document. consistent: only results of the inputs that the
    study had at the run. accepted: the study's accepted changes.
    """

    run: RunRef
    settings: ReportSettings
    study: str
    definitions: Definitions
    economics: EconomicsSettings
    values: Values
    tolerances: Tolerances
    ignore: Sequence[str]
    countries: Sequence[str] = ()
    scenarios: Sequence[str] = ()
    consistent: bool = False
    accepted: Sequence[Accepted] = ()

    @property
    def by(self) -> tuple[str, ...]:
        """What the tables are made by."""
        return self.settings.by or ((COUNTRY,) if self.countries else (TOTAL,))


@dataclass(frozen=True)
class Part:
    """Sections and what they add to the notes; without a section, the notes say why."""

    sections: Sequence[Section] = ()
    notes: Sequence[tuple[str, str]] = ()

    @classmethod
    def left_out(cls, title: str, why: str) -> Part:
        """No section."""
        return cls(notes=[(title, f"left out: {why}")])
