"""Metrics in CSV files, job by job: those of one job, or of many in the layout of an export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ingest.analytics.parse import RawRow, ShortRow
from ingest.analytics.validate import NO_LINE_END, SHOWN_ROWS, noted, validate_rows
from ingest.errors import AnalyticsError
from ingest.exchange.imported_records import ImportFileError, ulid_in
from ingest.exchange.metric_tables import YEAR, read_metric_table
from ingest.metrics import ResultSet
from ingest.study.combination import Combination
from ingest.study.country import country_problem, is_aggregate, is_country
from ingest.text.csv_rows import (
    bare_text,
    only_text,
    parse_column_mapping,
    refuse_lines_above_header,
    second_header,
)
from ingest.text.names import name_problem
from ingest.text.numbers import at_most
from ingest.text.suggest import did_you_mean
from ingest.text.tables import ANY_TABLE, TableChoice

DATE, AUTHOR = "timestamp", "author"
# The options that say it, for a command about one combination and for one about many.
_OPTIONS = (
    {"country": "--country ISO3", "scenario": "--scenario NAME"},
    {"country": "--countries ISO3", "scenario": "--scenarios NAME"},
)
_TEXTS = ("element_label", "scenario", AUTHOR)
_KNOWN = ("element_label", YEAR, DATE, "value", "country", "scenario", AUTHOR)
# What other tools' long tables call them; taken where the name itself is not there.
_ALSO = {"element_label": "metric", YEAR: "year"}


@dataclass(frozen=True)
class FileChoice:
    """What a file's columns may leave open: whose numbers they are, and by which author.

    columns: name of a column here -> its name in the file.
    columns_win: country and scenario are for files without such a column, not for all.
    """

    country: str | None = None
    scenario: str | None = None
    author: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    columns_win: bool = False
    table: TableChoice = ANY_TABLE


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
    how_read: str = ""
    """How the file was read, in words, where that is not as every CSV."""

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


def parse_file_columns(pairs: Sequence[str]) -> dict[str, str]:
    """Name of a column here -> its name in the file, of NAME=COLUMN texts. Raises ConfigError."""
    columns = parse_column_mapping(pairs, "NAME=COLUMN", "element_label=metric")
    for name, column in columns.items():
        if name not in _KNOWN:
            other_way = f" Write it as {column}={name}" if column in _KNOWN else ""
            hint = other_way or did_you_mean(name, _KNOWN)
            raise ImportFileError(
                f"--column {name}={column}: NAME is one of {', '.join(_KNOWN)}.{hint}"
            )
    return columns


def read_metric_file(path: Path, choice: FileChoice = FileChoice()) -> list[FileMetrics]:
    """The numbers in a file with a header, by job, in the order in which jobs begin.

    CSV, a workbook, or any format of an export but a bundle. Columns: element_label (or metric),
    value, and timestamp_year (or year) or a date timestamp, or a column for each year;
    country, scenario and author where it has them. A file named {ulid}.csv is of that job.
    Raises ConfigError: bad rows, the first of them with their lines; nothing says whose they are;
    a country that is no ISO3 code, a row of totals, a header that is not one line.
    """
    return _Reader(path, choice).read()


class _Reader:
    """Reads one file; its rows are gathered by what country and scenario they name."""

    def __init__(self, path: Path, choice: FileChoice) -> None:
        self._path, self._choice = path, choice
        self._table = read_metric_table(path, choice.table, has_names=bool(choice.columns))
        self._header, self._rows = self._table.header, self._table.rows
        self._columns = self._find_columns()
        self._form = self._table.number_form([self._columns["value"]], choice.table)
        self._ulid = ulid_in(path.stem)
        self._problems: dict[str, int] = {}
        self._jobs: dict[_Key, _Job] = {}

    def read(self) -> list[FileMetrics]:
        """The numbers by job; see read_metric_file."""
        self._check_choice()
        for line, cells in self._rows:
            self._add_row(line, cells)
        if self._problems:
            lines = [f"line {line}: {problem}" for problem, line in self._problems.items()]
            raise ImportFileError(
                f"{self._path}: {at_most(lines, SHOWN_ROWS, '; ')}; nothing was changed"
            )
        if not self._jobs:
            raise ImportFileError(f"{self._path} has no row; nothing was changed")
        return [self._file_metrics(key, job) for key, job in self._jobs.items()]

    def _find_columns(self) -> dict[str, int]:
        """Where each known column stands."""
        header, chosen = self._header, self._choice.columns
        names = {name: chosen.get(name) or self._name_in_file(name) for name in _KNOWN}
        there = {name: column for name, column in names.items() if column in header}
        absent = [column for column in chosen.values() if column not in header]
        twice = [column for column in there.values() if header.count(column) > 1]
        missing = [name for name in ("element_label", "value") if name not in there]
        if YEAR not in there and DATE not in there:
            missing.append(f"{YEAR} (or a date {DATE})")
        if missing or absent:
            needed = (chosen.get("value", "value"), *chosen.values())
            refuse_lines_above_header(str(self._path), needed, self._rows)
        if absent:
            hint = did_you_mean(absent[0], header)
            raise ImportFileError(
                f"{self._path} has no column {absent[0]!r} (--column); it has "
                f"{', '.join(header)}.{hint}"
            )
        if missing or twice:
            wrong = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(twice)} twice"
            hint = "" if twice else "; say which column it is: --column NAME=COLUMN"
            raise ImportFileError(
                f"{self._path} {wrong}: its header is {','.join(header)!r:.120}{hint}"
            )
        return {name: header.index(column) for name, column in there.items()}

    def _name_in_file(self, name: str) -> str:
        return name if name in self._header else _ALSO.get(name, name)

    def _check_choice(self) -> None:
        """Country and scenario each from one place, a column or an option; a ULID needs neither."""
        choice, columns = self._choice, self._columns
        by_hand = choice.country if not choice.columns_win else None
        if by_hand and (problem := country_problem(by_hand)):
            raise ImportFileError(f"--country {problem}")
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
        if width > 1 and (note := only_text(cells)):
            self._problems.setdefault(note, line)
            return
        if len(cells) != width:
            # reported with the other bad rows of the job before it
            key = next(reversed(self._jobs), (choice.country, choice.scenario))
            row = RawRow(line, ShortRow(len(cells), width), None, None)
            self._jobs.setdefault(key, _Job()).rows.append(row)
            return
        found = {name: cells[position].strip() for name, position in self._columns.items()}
        if not self._table.is_exact:
            found |= {name: bare_text(found[name]) for name in _TEXTS if name in found}
        problem = self._problem(line, found, cells)
        if problem is not None:
            self._problems.setdefault(problem, line)
            return
        author = found.get(AUTHOR, "")
        key = (found.get("country", choice.country), found.get("scenario", choice.scenario))
        job = self._jobs.setdefault(key, _Job())
        job.authors.add(author)
        if choice.author is None or author == choice.author:
            year = found[YEAR] if YEAR in found else _year_of(found[DATE])
            value = found["value"] if self._form.is_plain else self._form.number(found["value"])
            job.rows.append(RawRow(line, found["element_label"], year, value))

    def _problem(self, line: int, found: Mapping[str, str], cells: Sequence[str]) -> str | None:
        """Why a row holds no number of a country: a sum, a country's name, a line of header."""
        country = found.get("country", "")
        has_year = (found[YEAR] if YEAR in found else found[DATE])[:1].isdecimal()
        has_number = has_year or self._form.number(found["value"]) is not None
        if line == self._rows[0][0] and not has_number and not (country and is_country(country)):
            return second_header(cells)
        if not has_year and any(map(is_aggregate, cells)):
            return "a row of totals, leave it out"
        if country and (problem := country_problem(country)):
            return problem
        if problem := name_problem(found.get("scenario") or "null"):
            return f"scenario {found['scenario']!r:.60} {problem}"
        if YEAR in found and DATE in found and _contradict(found[YEAR], found[DATE]):
            return f"{YEAR} {found[YEAR]} contradicts {DATE} {found[DATE]}"
        if not self._form.is_plain and self._form.number(found["value"]) is None:
            return f"value {found['value']!r:.60} is no number ({self._table.how_read(self._form)})"
        return None

    def _file_metrics(self, key: _Key, job: _Job) -> FileMetrics:
        author = self._author(job)  # first: two authors' numbers contradict each other
        combination = self._combination(key, job)
        has_columns = "country" in self._columns and "scenario" in self._columns
        try:
            result_set = validate_rows(job.rows)
        except AnalyticsError as exc:
            message = str(exc).replace(" in the results: ", ": ", 1)
            raise ImportFileError(f"{self._path}: {message}; nothing was changed") from exc
        if self._table.lacks_line_end:
            result_set = noted(result_set, NO_LINE_END)
        how_read = self._table.how_read(self._form)
        return FileMetrics(
            self._path, result_set, combination, self._ulid, author, has_columns, how_read
        )

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


def _contradict(year: str, date: str) -> bool:
    """Whether a year is another one than that of a date; False where one of them is neither."""
    try:
        return float(year) != float(_year_of(date))
    except ValueError:
        return False


def _year_of(text: str) -> str:
    """The year of a date; another text stays as it is and is reported as a bad year."""
    try:
        return str(datetime.fromisoformat(text).year)
    except ValueError:
        return text
