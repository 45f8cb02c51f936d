"""Cells that a spreadsheet would take for a formula: which are marked, and that it is undone."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.text.csv_rows import CsvWriter, bare_text, spreadsheet_rows

_STARTS = st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", "'", "''=", "'-"])
_RESTS = st.sampled_from(["", "1", "1.5e-3", "inf", "nan", "1_0", "1+1", " x", ",=", "\r\n=", '"'])
_TEXTS = st.one_of(st.builds(str.__add__, _STARTS, _RESTS), st.text(max_size=4))
_CELLS = st.one_of(_TEXTS, st.none(), st.integers(-3, 3), st.floats(allow_nan=False), st.booleans())
_ROWS = st.lists(st.lists(_CELLS, max_size=4), max_size=6)


def marked(cell: Any) -> Any:
    """A cell by the rule as docs/export.md has it, one at a time."""
    if not isinstance(cell, str) or not cell.lstrip("'").startswith(tuple("=+-@\t\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


@given(_ROWS)
def test_rows_are_marked_as_cell_by_cell(rows: list[list[Any]]) -> None:
    wanted = [[marked(cell) for cell in row] for row in rows]
    given_back = [list(row) for row in spreadsheet_rows(rows)]
    assert list(map(repr, given_back)) == list(map(repr, wanted))  # 1, 1.0 and True stay apart


@given(_TEXTS)
def test_a_marked_text_comes_back(text: str) -> None:
    ((cell,),) = spreadsheet_rows([[text]])
    assert bare_text(cell) == text


@pytest.mark.parametrize("raw", [False, True])
def test_many_rows_are_all_written_and_counted(raw: bool) -> None:
    """More than are looked at together, with one mark in the last."""
    rows = [(n, "x") for n in range(1_700)] + [(-1, "=x")]
    file = io.StringIO()
    assert CsvWriter(file, raw=raw).writerows(iter(rows)) == len(rows)
    back = list(csv.reader(io.StringIO(file.getvalue())))
    assert back == [[str(n), text] for n, text in rows[:-1]] + [["-1", "=x" if raw else "'=x"]]
