"""Numbers of countries, such as GDP per person, that money is written as a multiple of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import ConfigError
from ingest.study.regular_files import read_regular
from ingest.text.csv_rows import parse_csv
from ingest.text.numbers import at_most
from ingest.text.suggest import did_you_mean

if TYPE_CHECKING:
    from ingest.study.settings import Settings

Values = Mapping[str, Mapping[str, float]]
"""Of each column the numbers by ISO3 code; a country whose cell is blank has none."""


def read_country_values(settings: Settings) -> Values:
    """The columns that the amounts of [economics] are multiples of.

    Raises ConfigError: a file that cannot be read, a column that is in none of them or in several,
    or a cell that is no number above 0.
    """
    wanted = settings.economics.columns
    if not wanted:
        return {}
    own = settings.study.country_values
    chosen = [(own, "iso3")] if own else [(f.file, f.key) for f in settings.study.country_data]
    if not chosen:
        raise ConfigError(
            f"economics: no file has the column {wanted[0]}. Name one: "
            'study.country_values = "FILE.csv", with a column iso3'
        )
    tables = {file: _read_table(settings.root, file, key) for file, key in chosen}
    return {column: _column(tables, column) for column in wanted}


_Table = Mapping[str, Mapping[str, str]]


def _read_table(root: Path, file: str, key: str) -> _Table:
    """The cells of each column by ISO3 code."""
    try:
        header, lines = parse_csv(
            read_regular(root / file), file, "\t" if file.lower().endswith(".tsv") else ","
        )
    except OSError as exc:
        raise ConfigError(f"{file} cannot be read: {exc.strerror}") from exc
    if key not in header:
        raise ConfigError(f"{file}: no column {key}; it has {', '.join(header)}")
    place = header.index(key)
    codes = [cells[place].strip() if place < len(cells) else "" for _, cells in lines]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise ConfigError(f"{file}: several rows for {at_most(twice)}")
    return {
        column: {
            code: cells[number].strip()
            for code, (_, cells) in zip(codes, lines, strict=True)
            if number < len(cells)
        }
        for number, column in enumerate(header)
    }


def _column(tables: Mapping[str, _Table], column: str) -> dict[str, float]:
    found = [file for file, table in tables.items() if column in table]
    if len(found) > 1:
        raise ConfigError(f"economics: column {column} is in {' and in '.join(found)}: say which "
                          "one by study.country_values")  # fmt: skip
    if not found:
        known = [name for table in tables.values() for name in table]
        hint = did_you_mean(column, known) or f" They have {', '.join(known)}"
        raise ConfigError(f"economics: no column {column!r} in {', '.join(tables)}.{hint}")
    cells = tables[found[0]][column]
    return {code: _number(cell, column, code, found[0]) for code, cell in cells.items() if cell}


def _number(cell: str, column: str, code: str, file: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number <= 0:
        raise ConfigError(
            f"{file}: {column} of {code} is {cell!r}, no number above 0; leave the cell blank "
            "where it is not known"
        )
    return number
