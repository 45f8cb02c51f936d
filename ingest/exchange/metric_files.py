"""Metrics in CSV files, job by job: those of one job, or of many in the layout of an export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingest.analytics.parse import RawRow, ShortRow
from ingest.analytics.validate import validate_rows
from ingest.errors import AnalyticsError
from ingest.exchange.imported_records import ImportFileError, ulid_in
from ingest.metrics import ResultSet
from ingest.study.combination import Combination
from ingest.text.csv_rows import read_csv

YEAR, DATE, AUTHOR = "timestamp_year", "timestamp", "author"
# The options that say it, for a command about one combination and for one about many.
_OPTIONS = (
    {"country": "--country ISO3", "scenario": "--scenario NAME"},
    {"country": "--countries ISO3", "scenario": "--scenarios NAME"},
)
_KNOWN = ("element_label", YEAR, DATE, "value", "country", "scenario", AUTHOR)


@dataclass(frozen=True)
class FileChoice:
    """What a file's columns may leave open: whose numbers they are, and by which author.

    columns_win: country and scenario are for files without such a column, not for all.
    """

    country: str | None = None
    scenario: str | None = None
    author: str | None = None
    columns_win: bool = False


@dataclass(frozen=True)
class FileMetrics:
    """One job's numbers in a file. combination is None where only a ULID says which job."""

    path: Path
    result_set: ResultSet
    combination: Combination | None
    ulid: str | None
    author: str | None
    has_columns: bool
    """Whether country and scenario stand in the file, as they do in an export."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is kept with the job: whose numbers they are, and the notes on them."""
        author = (f"author: {self.author}",) if self.author else ()
        return (*author, *self.result_set.notes)


@dataclass
class _Job:
    """The rows of one combination while a file is read."""

    rows: list[RawRow] = field(default_factory=list)
    authors: set[str] = field(default_factory=set)


_Key = tuple[str | None, str | None]
"""Country and scenario of a job, as far as they are known."""


def read_metric_file(path: Path, choice: FileChoice = FileChoice()) -> list[FileMetrics]:
    """The numbers in a CSV file with a header, by job, in the order in which jobs begin.

    Columns: element_label, value, and timestamp_year or a date timestamp; country, scenario and
    author where it has them. A file named {ulid}.csv is of that job.
    Raises ConfigError: bad rows, the first of them with their lines; nothing says whose they are.
    """
    return _Reader(path, choice).read()


class _Reader:
    """Reads one file; its rows are gathered by what country and scenario they name."""

    def __init__(self, path: Path, choice: FileChoice) -> None:
        self._path, self._choice = path, choice
        self._header, self._rows = read_csv(path)
        self._columns = self._find_columns()
        self._ulid = ulid_in(path.stem)
        self._jobs: dict[_Key, _Job] = {}

    def read(self) -> list[FileMetrics]:
        """The numbers by job; see read_metric_file."""
        self._check_choice()
        for line, cells in self._rows:
            self._add_row(line, cells)
        if not self._jobs:
            raise ImportFileError(f"{self._path} has no row; nothing was changed")
        return [self._file_metrics(key, job) for key, job in self._jobs.items()]

    def _find_columns(self) -> dict[str, int]:
        """Where each known column stands."""
        header = self._header
        twice = [name for name in _KNOWN if header.count(name) > 1]
        missing = [name for name in ("element_label", "value") if name not in header]
        if YEAR not in header and DATE not in header:
            missing.append(f"{YEAR} (or a date {DATE})")
        if missing or twice:
            wrong = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(twice)} twice"
            raise ImportFileError(f"{self._path} {wrong}: its header is {','.join(header)!r:.120}")
        return {name: header.index(name) for name in _KNOWN if name in header}

    def _check_choice(self) -> None:
        """Country and scenario each from one place, a column or an option; a ULID needs neither."""
        choice, columns = self._choice, self._columns
        for name, chosen in (("country", choice.country), ("scenario", choice.scenario)):
            if chosen and name in columns and not choice.columns_win:
                raise ImportFileError(
                    f"{self._path} has a column {name}: leave out --{name} {chosen}"
                )
            other = "scenario" if name == "country" else "country"
            begun = other in columns or (getattr(choice, other) and not choice.columns_win)
            if not chosen and name not in columns and (self._ulid is None or begun):
                raise ImportFileError(
                    f"{self._path} does not say of which {name} its numbers are: add "
                    f"{_OPTIONS[choice.columns_win][name]}, or a column {name}"
                )
        if choice.author and AUTHOR not in columns:
            raise ImportFileError(f"{self._path} has no column {AUTHOR}: leave out --author")

    def _add_row(self, line: int, cells: Sequence[str]) -> None:
        choice, width = self._choice, len(self._header)
        if len(cells) != width:
            # reported with the other bad rows of the job before it
            key = next(reversed(self._jobs), (choice.country, choice.scenario))
            row = RawRow(line, ShortRow(len(cells), width), None, None)
            self._jobs.setdefault(key, _Job()).rows.append(row)
            return
        found = {name: cells[position].strip() for name, position in self._columns.items()}
        author = found.get(AUTHOR, "")
        key = (found.get("country", choice.country), found.get("scenario", choice.scenario))
        job = self._jobs.setdefault(key, _Job())
        job.authors.add(author)
        if choice.author is None or author == choice.author:
            year = found[YEAR] if YEAR in found else _year_of(found[DATE])
            job.rows.append(RawRow(line, found["element_label"], year, found["value"]))

    def _file_metrics(self, key: _Key, job: _Job) -> FileMetrics:
        author = self._author(job)  # first: two authors' numbers contradict each other
        combination = self._combination(key, job)
        has_columns = "country" in self._columns and "scenario" in self._columns
        try:
            result_set = validate_rows(job.rows)
        except AnalyticsError as exc:
            message = str(exc).replace(" in the results: ", ": ", 1)
            raise ImportFileError(f"{self._path}: {message}; nothing was changed") from exc
        return FileMetrics(self._path, result_set, combination, self._ulid, author, has_columns)

    def _author(self, job: _Job) -> str | None:
        """Whose numbers they are, where the file says so: one author, or the chosen one."""
        if self._choice.author is not None:
            return self._choice.author
        if len(job.authors) > 1:
            names = ", ".join(repr(name) for name in sorted(job.authors))
            raise ImportFileError(
                f"{self._path} has numbers of several authors ({names}): choose one with "
                "--author NAME; nothing was changed"
            )
        return next(iter(job.authors), "") or None

    def _combination(self, key: _Key, job: _Job) -> Combination | None:
        country, scenario = key
        if country is None or scenario is None:
            return None
        if not country or not scenario:
            line = job.rows[0].line if job.rows else "?"
            raise ImportFileError(
                f"{self._path}, line {line}: country or scenario is blank; nothing was changed"
            )
        return Combination(country, scenario)


def _year_of(text: str) -> str:
    """The year of a date; another text stays as it is and is reported as a bad year."""
    try:
        return str(datetime.fromisoformat(text).year)
    except ValueError:
        return text
