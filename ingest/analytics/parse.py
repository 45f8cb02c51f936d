"""Raw analytics answers to rows: JSON records and CSV; nothing is judged here but the form."""

from __future__ import annotations

import csv
import io
import json
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any, NamedTuple

from ingest.errors import AnalyticsError, CutOffError
from ingest.metrics import Metric
from ingest.study.json_files import repeated_keys

COLUMNS = Metric._fields


class RawRow(NamedTuple):
    """One row as it was found; line is its line in a CSV, or its number (from 1) in an array."""

    line: int
    element_label: Any
    timestamp_year: Any
    value: Any


def parse_rows(raw: bytes, *, is_whole: bool = False) -> list[RawRow]:
    """The rows of an analytics answer, in order.

    raw: a JSON array of records, or UTF-8 CSV with a header; columns element_label,
    timestamp_year, value in any order, further ones are ignored.
    is_whole: nothing can have cut it off, so that the last line of a CSV needs no line end.
    Raises AnalyticsError: not UTF-8, truncated or otherwise broken JSON, a key that stands twice in
    a record, missing columns;
    CutOffError: a CSV whose last line has no end, so that its last number may be 330 of 33048.5.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise AnalyticsError(f"the results are not UTF-8 text (byte {exc.start + 1})") from exc
    if _is_json(text):
        return list(_json_rows(text))
    return list(_csv_rows(text, is_cut_off=not is_whole and lacks_line_end(raw)))


def lacks_line_end(raw: bytes) -> bool:
    """Whether a CSV ends amid a line; a part of it will do, as long as its end is in it."""
    return bool(raw.removeprefix(BOM_UTF8).rpartition(b"\n")[2].rpartition(b"\r")[2].strip())


def row_word(raw: bytes) -> str:
    """What RawRow.line counts in an answer: "record" in JSON, "line" in CSV."""
    return "record" if _is_json(raw[:1000].decode("utf-8-sig", "replace")) else "line"


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in ("[", "{")


def _json_rows(text: str) -> Iterator[RawRow]:
    try:
        records = json.loads(text)
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}"
        raise AnalyticsError(
            f"the results are broken or cut-off JSON: {exc.msg} ({place}, {len(text)} characters)"
        ) from exc
    except (ValueError, RecursionError) as exc:  # a number of 5,000 digits, brackets without end
        raise AnalyticsError(f"the results are JSON that cannot be read: {exc}") from exc
    if any(text.count(f'"{column}"') > len(records) for column in COLUMNS):
        twice = next(repeated_keys(text), None)
        if twice is not None:
            raise AnalyticsError(f"the results are JSON that can be read in two ways: {twice}")
    if not isinstance(records, list):
        shown = json.dumps(records, ensure_ascii=False)
        raise AnalyticsError(f"the results are no array of records but a JSON object: {shown:.300}")
    for number, record in enumerate(records, 1):
        try:
            yield RawRow(number, record["element_label"], record["timestamp_year"], record["value"])
        except (KeyError, TypeError):
            raise AnalyticsError(_record_problem(number, record)) from None


def _record_problem(number: int, record: Any) -> str:
    if not isinstance(record, dict):
        return f"record {number} of the results is no object: {record!r:.60}"
    missing = [column for column in COLUMNS if column not in record]
    has = ", ".join(map(str, record))
    return f"record {number} of the results has no {', '.join(missing)} (it has {has})"


def _csv_rows(text: str, *, is_cut_off: bool) -> Iterator[RawRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next((cells for cells in reader if not _is_blank(cells)), [])
        positions = _positions(header)
        if is_cut_off and len(text.strip().splitlines()) > 1:
            raise CutOffError("the results are cut off: their last line has no line end")
        width = len(header)
        line = reader.line_num + 1  # where the next row begins; quoted cells may hold line ends
        for cells in reader:
            if len(cells) == width:
                yield RawRow(line, *(cells[position] for position in positions))
            elif not _is_blank(cells):
                # told with the other bad rows, not raised: on_bad_rows decides
                yield RawRow(line, ShortRow(len(cells), width), None, None)
            line = reader.line_num + 1
    except csv.Error as exc:
        raise AnalyticsError(
            f"the results are broken or cut-off CSV: {exc} (line {reader.line_num})"
        ) from exc


def _is_blank(cells: list[str]) -> bool:
    return not cells or (len(cells) == 1 and not cells[0].strip())


class ShortRow(NamedTuple):
    """Stands in place of the cells of a CSV row that has another number of them than the header."""

    found: int
    expected: int


def _positions(header: list[str]) -> list[int]:
    names = [name.strip() for name in header]
    if not any(names):
        raise AnalyticsError("the results are empty: not even a header was found")
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise AnalyticsError(
            f"the results lack the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}: "
            f"the header is {','.join(header)!r:.120}, needed are {','.join(COLUMNS)}"
        )
    twice = [column for column in COLUMNS if names.count(column) > 1]
    if twice:
        raise AnalyticsError(f"the results have the column {twice[0]} more than once")
    return [names.index(column) for column in COLUMNS]
