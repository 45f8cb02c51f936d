"""Reads a long table of observed or published values, which the results are held against."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.database.references import ReferenceLevel
from ingest.errors import ConfigError
from ingest.questions.reference import (
    BadRowError,
    cell_number,
    refuse_bad_rows,
    refuse_second_header,
    row_cells,
)
from ingest.study.country import country_problem
from ingest.text.csv_rows import bare_text
from ingest.text.decimals import NumberForm
from ingest.text.names import name_problem
from ingest.text.numbers import at_most
from ingest.text.suggest import did_you_mean
from ingest.text.tables import ANY_TABLE, Table, TableChoice

NEEDED = ("iso3", "year", "label", "value")
OPTIONAL = ("low", "high", "source", "unit", "scenario")
# What exports, frames and other tools call them; taken where the name itself is not there.
_ALSO = {
    "iso3": ("country",),
    "year": ("timestamp_year",),
    "label": ("element_label", "metric"),
}
_NUMBERS = ("value", "low", "high")
_YEARS = range(1900, 2301)
_YEAR = re.compile(r"([0-9]{4})(?:\.0)?")

Columns = Mapping[str, str]
"""Name of a column here -> its name in the file."""


@dataclass(frozen=True)
class LevelTable:
    """The values of a long table in its order. blank: how many rows have no value."""

    levels: tuple[ReferenceLevel, ...]
    blank: int
    how_read: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that have values."""
        return tuple(dict.fromkeys(level.element_label for level in self.levels))

    @property
    def countries(self) -> tuple[str, ...]:
        """The countries that have values."""
        return tuple(dict.fromkeys(level.country for level in self.levels))


def find_level_columns(
    table: Table, chosen: Columns, iso3_column: str, label: str | None
) -> Columns | None:
    """Where the columns of a long table are; None where its header is not one of levels.

    chosen: --column NAME=COLUMN. label: of all rows, where no column names it. Raises ConfigError:
    it has a year and a value or a label, and lacks another column, or has one twice.
    """
    header = table.header
    own = {name: column for name, column in chosen.items() if name in (*NEEDED, *OPTIONAL)}
    found = {}
    for name in (*NEEDED, *OPTIONAL):
        names = [own[name]] if name in own else [name, *_ALSO.get(name, ())]
        if name == "iso3" and name not in own:
            names = [iso3_column, *names]
        there = [column for column in header if column.casefold() in map(str.casefold, names)]
        if there:
            found[name] = there[0]
    if "year" not in found or not {"value", "label"} & found.keys():
        return None
    _check_columns(table, chosen, own, found, label)
    return found


def _check_columns(
    table: Table, chosen: Columns, own: Columns, found: Columns, label: str | None
) -> None:
    where, has = table.where, ", ".join(table.header)
    for name, column in chosen.items():
        if name not in own:
            hint = did_you_mean(name, (*NEEDED, *OPTIONAL)) or (
                f" In a table with a row for each year, names are {', '.join((*NEEDED, *OPTIONAL))}"
            )
            raise ConfigError(f"--column {name}={column}: no column {name!r} here.{hint}")
        if name not in found:
            hint = did_you_mean(column, table.header)
            raise ConfigError(f"{where} has no column {column!r} (--column); it has {has}.{hint}")
    twice = [column for column in found.values() if table.header.count(column) > 1]
    if twice:
        raise ConfigError(f"{where} has the column {twice[0]!r} twice")
    if label is not None and "label" in found:
        raise ConfigError(f"{where} has a column {found['label']}: leave out --label {label!r}")
    missing = [name for name in NEEDED if name not in found and (name != "label" or label is None)]
    if missing:
        one = " or --label LABEL" if "label" in missing else ""
        raise ConfigError(
            f"{where} lacks {', '.join(missing)}; it has {has}. Say which column it is: "
            f"--column {missing[0]}=COLUMN{one}"
        )
    if ("low" in found) != ("high" in found):
        there, lacking = ("low", "high") if "low" in found else ("high", "low")
        raise ConfigError(f"{where} has {there} and not {lacking}: an interval has both ends")


def levels_in(
    table: Table, columns: Columns, label: str | None, choice: TableChoice = ANY_TABLE
) -> LevelTable:
    """The values in a long table; a row without one is counted.

    columns: as find_level_columns gives them. Raises ConfigError with the first five bad rows and
    their lines: too few or too many cells, no ISO3 code, no year, no number, a value outside its
    interval, an interval with one end, a row twice.
    """
    header = table.header
    refuse_second_header(table.where, table.rows, header.index(columns["iso3"]))
    numbers = [header.index(columns[name]) for name in _NUMBERS if name in columns]
    form = table.number_form(numbers, choice)
    levels: dict[tuple[str, str, str, int], ReferenceLevel] = {}
    lines: dict[tuple[str, str, str, int], int] = {}
    problems: list[str] = []
    blank = 0
    for line, row in table.rows:
        try:
            cells = row_cells(row, header)
            named = {name: cells[column].strip() for name, column in columns.items()}
            level = _level(named, label, form)
            if level is None:
                blank += 1
                continue
            key = (level.element_label, level.scenario, level.country, level.timestamp_year)
            if key in levels:
                raise BadRowError(f"{_words(level)} is in line {lines[key]} already")
            levels[key], lines[key] = level, line
        except BadRowError as exc:
            problems.append(f"line {line}: {exc}")
    refuse_bad_rows(table.where, problems)
    if not levels:
        raise ConfigError(f"{table.where} has no value. Nothing was stored")
    return LevelTable(tuple(levels.values()), blank, table.how_read(form))


def _words(level: ReferenceLevel) -> str:
    scenario = f" / {level.scenario}" if level.scenario else ""
    return f"{level.country} {level.timestamp_year} {level.element_label}{scenario}"


def _level(cells: Mapping[str, str], label: str | None, form: NumberForm) -> ReferenceLevel | None:
    """The value in a row; None where it is blank."""
    if problem := country_problem(cells["iso3"]):
        raise BadRowError(problem)
    element_label = bare_text(cells["label"]) if "label" in cells else label or ""
    texts = {name: bare_text(cells.get(name, "")) for name in ("scenario", "unit", "source")}
    for name, text in (("label", element_label), ("scenario", texts["scenario"] or "null")):
        if problem := name_problem(text):
            raise BadRowError(f"{name} {text!r:.60} {problem}")
    year = _year(cells["year"])
    value, low, high = (_number(name, cells.get(name, ""), form) for name in _NUMBERS)
    if value is None:
        return None
    if (low is None) != (high is None):
        raise BadRowError("an interval has both ends: low and high")
    if low is not None and high is not None and not low <= value <= high:
        raise BadRowError(f"value {value:.10g} is not within low {low:.10g} and high {high:.10g}")
    return ReferenceLevel(
        element_label=element_label,
        country=cells["iso3"],
        timestamp_year=year,
        value=value,
        low=low,
        high=high,
        **texts,
    )


def _number(name: str, text: str, form: NumberForm) -> float | None:
    if text.endswith("%") and (number := form.number(text.removesuffix("%").strip())) is not None:
        raise BadRowError(f"{name} is {text!r:.40}: write it as a number, as {number / 100:.10g}")
    return cell_number(name, text, form)


def _year(text: str) -> int:
    found = _YEAR.fullmatch(text)
    if found is None or int(found[1]) not in _YEARS:
        raise BadRowError(f"year {text!r:.40} is none from {_YEARS[0]} to {_YEARS[-1]}")
    return int(found[1])


def check_units(levels: Sequence[ReferenceLevel], units: Mapping[str, str], where: str) -> None:
    """Raise ConfigError where values are in another unit than their label.

    units: of a single year by label; of a label without one nothing is known.
    """
    wrong = {
        (level.element_label, level.unit): level
        for level in levels
        if level.unit
        and units.get(level.element_label)
        and _folded(level.unit) != _folded(units[level.element_label])
    }
    if wrong:
        told = [f"{name!r} is in {units[name]}, here in {unit}" for name, unit in wrong]
        raise ConfigError(
            f"{where}: {at_most(told, 3, '; ')}. Convert the values (or mend the unit). "
            "Nothing was stored"
        )


def _folded(unit: str) -> str:
    return " ".join(unit.casefold().split())
