"""Reads a table of published figures, which results are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ingest.errors import ConfigError
from ingest.study.country import country_problem, is_aggregate, is_country
from ingest.text.csv_rows import Rows, only_text, refuse_lines_above_header, second_header
from ingest.text.decimals import NumberForm
from ingest.text.numbers import at_most, count_text
from ingest.text.suggest import did_you_mean
from ingest.text.tables import ANY_TABLE, Table, TableChoice, parse_table


@dataclass(frozen=True)
class ReferenceValue:
    """One figure: a scenario's impact in a country, its difference to a baseline over the years."""

    country: str
    scenario: str
    value: float


@dataclass(frozen=True)
class ReferenceTable:
    """The figures of a table in its order; without: (country, scenario) of zero or blank cells.

    how_read: how the file was read, in words, where that is not as every CSV.
    """

    values: tuple[ReferenceValue, ...]
    without: tuple[tuple[str, str], ...]
    how_read: str = ""

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios that have figures."""
        return tuple(dict.fromkeys(value.scenario for value in self.values))

    @property
    def countries(self) -> tuple[str, ...]:
        """The countries that have figures."""
        return tuple(dict.fromkeys(value.country for value in self.values))


class BadRowError(Exception):
    """What is wrong with one row."""


def parse_reference(
    raw: bytes,
    where: str,
    columns: Mapping[str, str],
    iso3_column: str = "ISO3",
    choice: TableChoice = ANY_TABLE,
) -> ReferenceTable:
    """The figures in a table with a row for each country and a column for each scenario.

    columns: column -> scenario; where empty, every other column is named as its scenario is.
    Table and numbers are as parse_table and find_form read them; zero and blank are no figure.
    Raises ConfigError (with the first five bad rows and their line numbers): a row with too few or
    too many cells, no ISO3 code, a country twice, a cell that is no number.
    """
    return differences_in(open_figures(raw, where, choice), columns, iso3_column, choice)


def open_figures(raw: bytes, where: str, choice: TableChoice = ANY_TABLE) -> Table:
    """The table in a file of figures. Raises ConfigError: empty, or no table."""
    if not raw.strip():
        raise ConfigError(
            f"{where} is empty. Write a header ISO3,SCENARIO,... and a row for each country"
        )
    return parse_table(raw, where, choice)


def differences_in(
    table: Table,
    columns: Mapping[str, str],
    iso3_column: str = "ISO3",
    choice: TableChoice = ANY_TABLE,
) -> ReferenceTable:
    """What parse_reference gives, of a table."""
    where, header, rows = table.where, table.header, table.rows
    if iso3_column in header:
        refuse_second_header(where, rows, header.index(iso3_column))
    else:
        refuse_lines_above_header(where, (iso3_column, *columns), rows)
    mapping = _choose_columns(header, where, columns, iso3_column)
    form = table.number_form(map(header.index, mapping), choice)
    values: list[ReferenceValue] = []
    without: list[tuple[str, str]] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        try:
            cells = row_cells(row, header)
            country = _country(cells[iso3_column].strip(), line, lines)
            for column, scenario in mapping.items():
                number = cell_number(column, cells[column].strip(), form)
                if number:
                    values.append(ReferenceValue(country, scenario, number))
                else:
                    without.append((country, scenario))
        except BadRowError as exc:
            problems.append(f"line {line}: {exc}")
    refuse_bad_rows(where, problems)
    if not values:
        raise ConfigError(f"{where} has no figure in {', '.join(mapping)}. Nothing was stored")
    return ReferenceTable(tuple(values), tuple(without), table.how_read(form))


def refuse_bad_rows(where: str, problems: Sequence[str]) -> None:
    """Raise ConfigError with the first five, where there are any."""
    if problems:
        rows_text = count_text(len(problems), "bad row")
        raise ConfigError(f"{where}: {rows_text}: {at_most(problems, 5, '; ')}. Nothing was stored")


def _choose_columns(
    header: Sequence[str], where: str, columns: Mapping[str, str], iso3_column: str
) -> dict[str, str]:
    """The columns to read: column -> scenario."""
    has = ", ".join(header)
    for column in (iso3_column, *columns):
        if column not in header:
            hint = did_you_mean(column, header)
            option = "--iso3-column" if column == iso3_column else "--column"
            raise ConfigError(f"{where} has no column {column!r} ({option}); it has {has}.{hint}")
        if header.count(column) > 1:
            raise ConfigError(f"{where} has the column {column!r} twice")
    if columns:
        return dict(columns)
    others = [column for column in header if column and column != iso3_column]
    if not others:
        raise ConfigError(f"{where} has no column beside {iso3_column}")
    if len(set(others)) < len(others):
        raise ConfigError(f"{where} has a column twice; it has {has}")
    return {column: column for column in others}


def refuse_second_header(where: str, rows: Rows, position: int) -> None:
    """Raise ConfigError where the first row is a second line of header: units, or further names.

    position: of the cell with the country.
    """
    line, cells = rows[0] if rows else (0, [])
    country = cells[position].strip() if position < len(cells) else ""
    names_one = country and (is_country(country) or is_aggregate(country))
    if cells and not names_one and not any(map(_is_number, cells)):
        raise ConfigError(f"{where}: line {line}: {second_header(cells)}. Nothing was stored")


def _is_number(cell: str) -> bool:
    return NumberForm().number(cell.strip()) is not None


def row_cells(row: Sequence[str], header: Sequence[str]) -> dict[str, str]:
    """The cells of a row by column. Raises BadRowError: too few, too many, a note."""
    if note := only_text(row):
        raise BadRowError(note)
    if len(row) != len(header):
        hint = " (numbers with thousands commas need quotes)" if len(row) > len(header) else ""
        raise BadRowError(f"{len(row)} cells where the header has {len(header)}{hint}")
    return dict(zip(header, row, strict=True))


def _country(iso3: str, line: int, lines: dict[str, int]) -> str:
    problem = country_problem(iso3)
    if problem is not None:
        raise BadRowError(problem)
    if iso3 in lines:
        raise BadRowError(f"{iso3} is in line {lines[iso3]} already")
    lines[iso3] = line
    return iso3


def cell_number(column: str, text: str, form: NumberForm) -> float | None:
    """The number in a cell; None for blank. Raises BadRowError: another text."""
    if not text:
        return None
    number = form.number(text)
    if number is None:
        raise BadRowError(f"{column} is {text!r:.40}, not a number")
    return number + 0.0  # -0.0 is 0.0
