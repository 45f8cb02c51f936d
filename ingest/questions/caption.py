"""What a number of an answer depends on: one caption for pages, pictures, terminals and frames."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from ingest.database.read import read_run
from ingest.database.states import RunRef
from ingest.questions.discount import rate_words
from ingest.questions.horizon import NO_YEARS, Horizon
from ingest.text.numbers import at_most

_NAMED_COUNTRIES = 24


@dataclass(frozen=True)
class RunFacts:
    """The run whose state is shown; dirty: files of the study were not committed."""

    run_id: int
    timestamp: str
    git_commit: str
    status: str
    dirty: bool

    @classmethod
    def of(cls, run: RunRef) -> RunFacts:
        """What is told of a run that was found by its name."""
        dirty = bool(run.uncommitted)
        return cls(run.run_id, run.timestamp, run.git_commit, run.status, dirty)

    @property
    def words(self) -> str:
        """Run 7, commit 4f2c9e1 and files that were not committed."""
        commit = "no commit" if self.git_commit == "unknown" else f"commit {self.git_commit[:7]}"
        dirty = " and files that were not committed" if self.dirty else ""
        still = " (going on)" if self.status == "running" else ""
        return f"run {self.run_id}{still}, {commit}{dirty}"


@dataclass(frozen=True)
class Conditions:
    """Everything that would change the numbers of an answer, beside the names in its sentence.

    countries: the only ones, empty for all. discount_rate: a fraction a year. others: values of
    further parameters, in words. adding: how years and countries were added up, in place of the
    years, where they were not summed.
    """

    countries: tuple[str, ...] = ()
    horizon: Horizon = NO_YEARS
    discount_rate: float = 0.0
    others: tuple[str, ...] = ()
    adding: tuple[str, ...] = ()

    @property
    def parts(self) -> list[str]:
        """Only KEN, UGA; 2025-2050; discounted at 3 % a year to 2025."""
        parts = []
        if self.countries:
            number = len(self.countries)
            count = f"{number} countries: " if number > _NAMED_COUNTRIES else ""
            parts.append(f"only {count}{at_most(self.countries, _NAMED_COUNTRIES)}")
        if self.horizon.years is not None:
            parts += self.adding or (str(self.horizon.years),)
        if self.discount_rate:
            to = f" to {self.horizon.base_year}" if self.horizon.base_year is not None else ""
            parts.append(f"discounted at {rate_words(self.discount_rate)} a year{to}")
        return [*parts, *self.others]


def read_run_facts(connection: sqlite3.Connection, run_id: int) -> RunFacts | None:
    """The run of a number; None where there is none."""
    run = read_run(connection, run_id)
    if run is None:
        return None
    dirty = bool(run["dirty_files"])
    return RunFacts(run["run_id"], run["timestamp"], run["git_commit"], run["status"], dirty)
