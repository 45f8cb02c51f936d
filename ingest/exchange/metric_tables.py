"""Tables of metrics in every layout that is exported, as one row for each number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ingest.errors import ConfigError
from ingest.exchange.imported_records import ImportFileError
from ingest.text.csv_rows import Rows
from ingest.text.installation import not_installed
from ingest.text.tables import Table, TableChoice, read_table

YEAR, VALUE = "timestamp_year", "value"
_YEAR_COLUMN = re.compile(r"(19|2[0-3])\d\d")
# The head of the IAMC template, in any case of letters, and what its columns are here.
_IAMC = {"model": "model", "scenario": "scenario", "region": "country"}
_IAMC |= {"variable": "element_label", "unit": "unit"}
_PARQUET = b"PAR1"


def read_metric_table(path: Path, choice: TableChoice, *, has_names: bool) -> Table:
    """The table in a file, long: years that are columns become rows, IAMC's names become ours.

    has_names: a person says which columns are which, so no name is changed.
    Raises ConfigError as read_table does.
    """
    table = _read_parquet(path) if _is_parquet(path) else read_table(path, choice)
    header = table.header if has_names else _own_names(table.header)
    years = {position: name for position, name in enumerate(header) if _YEAR_COLUMN.fullmatch(name)}
    if not years or VALUE in header:
        return replace(table, header=header)
    others = [position for position in range(len(header)) if position not in years]
    long_header = [*(header[position] for position in others), YEAR, VALUE]
    rows = list(_long_rows(table.rows, len(header), others, years))
    return replace(table, header=long_header, rows=rows)


def _own_names(header: list[str]) -> list[str]:
    """Our names of the columns of the IAMC template; another header stays as it is."""
    folded = [name.casefold() for name in header]
    if not set(_IAMC) <= set(folded):
        return header
    return [_IAMC.get(short, name) for short, name in zip(folded, header, strict=True)]


def _long_rows(
    rows: Rows, width: int, others: list[int], years: dict[int, str]
) -> Iterator[tuple[int, list[str]]]:
    """A row for each number; one of another width stays, to be told with the other bad ones."""
    for line, cells in rows:
        if len(cells) != width:
            yield line, cells
            continue
        of_series = [cells[position] for position in others]
        for position, year in years.items():
            if cells[position].strip():
                yield line, [*of_series, year, cells[position]]


def _is_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_PARQUET)) == _PARQUET
    except OSError:
        return False  # told by the reader of text


def _read_parquet(path: Path) -> Table:
    """A Parquet file as texts; numbers read back to the same bits."""
    try:
        import pyarrow  # type: ignore[import-untyped]  # it brings no types
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as exc:
        raise ConfigError(not_installed("pyarrow", "frames")) from exc
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as exc:
        reason = str(exc).splitlines()[0]
        raise ImportFileError(f"{path} is no whole Parquet file: {reason:.200}") from exc
    columns = [map(_text, column.to_pylist()) for column in table.columns]
    rows = [(line, list(cells)) for line, cells in enumerate(zip(*columns, strict=True), 2)]
    return Table(str(path), list(table.column_names), rows, is_exact=True)


def _text(value: object) -> str:
    return "" if value is None else str(value)
