"""CSV files against the database: every number that differs or is only in one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ingest.database.choice import NameChoice, choose_labels
from ingest.database.late_results import KnownJob, find_jobs
from ingest.database.read import read_result_set
from ingest.database.states import RunRef, make_state_table
from ingest.exchange.metric_files import FileChoice, FileMetrics, read_metric_file
from ingest.metrics import ResultSet
from ingest.study.combination import Combination, select_names
from ingest.text.tables import TableChoice

_STATE = "check_state"
Numbers = dict[tuple[str, int], float]


class DifferenceKind(StrEnum):
    """How a file and the database differ in one number."""

    NOT_IN_DATABASE = "not in the database"
    NOT_IN_FILE = "not in the file"
    OTHER_VALUE = "other value"


@dataclass(frozen=True)
class Difference:
    """One number that differs; job names the combination, or the ULID where nobody knows it."""

    kind: DifferenceKind
    file: str
    job: str
    element_label: str
    timestamp_year: int
    in_file: float | None
    in_database: float | None


@dataclass(frozen=True)
class CheckReport:
    """What a check found. equal: how many numbers are the same in file and database."""

    run_id: int
    files: int
    equal: int
    differences: tuple[Difference, ...]

    def count(self, kind: DifferenceKind) -> int:
        """How many differences there are of a kind."""
        return sum(difference.kind is kind for difference in self.differences)


def check_files(
    connection: sqlite3.Connection, run: RunRef, paths: Sequence[Path], choice: NameChoice
) -> CheckReport:
    """CSV files compared with the state as of a run, number by number, to the last bit.

    A file named {ulid}.csv is compared with that job. Files with the columns country and scenario
    are one export together: what the state has and none of them is a difference too.
    Raises ConfigError: a file that cannot be read, a name that matches nothing.
    """
    of_files = FileChoice(
        _only(choice.countries),
        _only(choice.scenarios),
        columns_win=True,
        table=TableChoice(decimal="."),
    )
    files = [found for path in paths for found in read_metric_file(path, of_files)]
    jobs = find_jobs(connection, [file.ulid for file in files if file.ulid])
    checker = _Checker(connection, run, choice, jobs)
    differences = []
    for file in files:
        differences += checker.differences(file)
    exported = [file for file in files if file.has_columns and file.ulid is None]
    if exported:
        differences += checker.left_out(exported)
    return CheckReport(run.run_id, len(paths), checker.equal, tuple(differences))


class _Checker:
    """Compares file by file, and remembers how many numbers were equal."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        run: RunRef,
        choice: NameChoice,
        jobs: Mapping[str, KnownJob],
    ) -> None:
        self._connection, self._jobs = connection, jobs
        self._state = _read_state(connection, run)
        self._countries = _chosen(choice.countries, [c.country for c in self._state], "country")
        self._scenarios = _chosen(choice.scenarios, [c.scenario for c in self._state], "scenario")
        self._labels = set(choose_labels(connection, choice.labels)) if choice.labels else None
        self.equal = 0

    def _wants(self, combination: Combination) -> bool:
        return (self._countries is None or combination.country in self._countries) and (
            self._scenarios is None or combination.scenario in self._scenarios
        )

    def differences(self, file: FileMetrics) -> list[Difference]:
        """How one job's numbers in a file differ from those stored."""
        if file.combination is not None and not self._wants(file.combination):
            return []
        combination, set_id = self._job_of(file)
        in_file = self._numbers(file.result_set)
        stored = self._stored(set_id) if set_id is not None else {}
        found = list(_compare(file.path.name, str(combination or file.ulid), in_file, stored))
        self.equal += len(in_file.keys() | stored.keys()) - len(found)
        return found

    def _job_of(self, file: FileMetrics) -> tuple[Combination | None, int | None]:
        """The combination a file is of, and the result set it is held against."""
        if file.ulid is None:
            assert file.combination is not None
            return file.combination, self._state.get(file.combination)
        job = self._jobs.get(file.ulid)
        return (job.combination, job.result_set_id) if job else (file.combination, None)

    def left_out(self, files: Sequence[FileMetrics]) -> list[Difference]:
        """The numbers of the state whose combination stands in none of the files."""
        there = {file.combination for file in files}
        name = files[0].path.name if len({file.path for file in files}) == 1 else "the files"
        found: list[Difference] = []
        for combination, set_id in self._state.items():
            if combination not in there and self._wants(combination) and set_id is not None:
                found += _compare(name, str(combination), {}, self._stored(set_id))
        return found

    def _stored(self, set_id: int) -> Numbers:
        return self._numbers(read_result_set(self._connection, set_id))

    def _numbers(self, results: ResultSet) -> Numbers:
        labels = self._labels
        return {(m[0], m[1]): m[2] for m in results if labels is None or m[0] in labels}


def _read_state(connection: sqlite3.Connection, run: RunRef) -> dict[Combination, int | None]:
    make_state_table(connection, _STATE, run.run_id)
    rows = connection.execute(
        f"SELECT country, scenario, result_set_id FROM temp.{_STATE} ORDER BY country, scenario"
    )
    return {Combination(country, scenario): set_id for country, scenario, set_id in rows}


def _chosen(patterns: Sequence[str], known: Sequence[str], what: str) -> set[str] | None:
    return set(select_names(patterns, sorted(set(known)), what)) if patterns else None


def _only(names: Sequence[str]) -> str | None:
    """The one name that a choice is, for files that do not say it; None for several or none."""
    is_one = len(names) == 1 and not set(names[0]) & set(",*?[")
    return names[0].strip() if is_one else None


def _compare(file: str, job: str, in_file: Numbers, stored: Numbers) -> Iterator[Difference]:
    for label, year in sorted(in_file.keys() | stored.keys()):
        here, there = in_file.get((label, year)), stored.get((label, year))
        if here == there:
            continue
        kind = DifferenceKind.OTHER_VALUE
        if there is None:
            kind = DifferenceKind.NOT_IN_DATABASE
        elif here is None:
            kind = DifferenceKind.NOT_IN_FILE
        yield Difference(kind, file, job, label, year, here, there)
