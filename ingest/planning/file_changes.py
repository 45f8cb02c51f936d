"""Which lines, cells or values of a code or data file changed."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.errors import ConfigError
from ingest.planning.document_changes import document_changes
from ingest.planning.input_changes import InputChange, InputKind, value_texts
from ingest.text.csv_rows import parse_csv
from ingest.text.numbers import count_text

_KEY_COLUMNS = 4
_COMPARED_LINES = 2_000  # beyond, lines are counted: comparing takes the product of both numbers
Table = tuple[list[str], list[list[str]]]


def file_changes(name: str, old: bytes, new: bytes) -> list[InputChange]:
    """What differs between two contents of a file: by cells, by values of JSON, or by lines."""
    try:
        return _comparer(name)(name, old, new) or [_change(f"{name}: only blanks or line ends")]
    except (UnicodeDecodeError, ConfigError, ValueError, RecursionError):
        try:
            return _line_changes(name, old, new) or [_change(f"{name}: only line ends")]
        except UnicodeDecodeError:
            sizes = (f"{len(content):,} bytes" for content in (old, new))
            return [_change(f"{name}, no text,", *sizes)]


def row_changes(
    where: str, old: Mapping[str, str] | None, new: Mapping[str, str] | None
) -> list[InputChange]:
    """The cells that differ between two rows; where: file and key. None: there was no row."""
    if old is None or new is None:
        return [] if old == new else [_change(f"{where}: row {'added' if new else 'removed'}")]
    return [
        _change(f"{where}, {column}", old.get(column), new.get(column))
        for column in dict.fromkeys([*new, *old])
        if old.get(column) != new.get(column)
    ]


def _comparer(name: str) -> Any:
    ending = name.lower().rpartition(".")[2]
    return {"csv": _table_changes, "tsv": _table_changes, "json": _json_changes}.get(
        ending, _line_changes
    )


def _change(name: str, before: str | None = None, after: str | None = None) -> InputChange:
    sides = (() if text is None else (text,) for text in (before, after))
    return InputChange(InputKind.CODE, name, *value_texts(*sides))


def _json_changes(name: str, old: bytes, new: bytes) -> list[InputChange]:
    changes = document_changes(json.loads(old), json.loads(new))
    return [
        InputChange(InputKind.CODE, f"{name}, {change.name}", change.before, change.after)
        for change in changes
    ]


# --- tables -------------------------------------------------------------------------------------


def _table_changes(name: str, old: bytes, new: bytes) -> list[InputChange]:
    """Cells by the row's key: the fewest first columns that tell all rows apart."""
    delimiter = "\t" if name.lower().endswith(".tsv") else ","
    before, after = (_table(raw, name, delimiter) for raw in (old, new))
    width = _key_width(before, after)
    columns = [
        *(_change(f"{name}: column {c} added") for c in after[0] if c not in before[0]),
        *(_change(f"{name}: column {c} removed") for c in before[0] if c not in after[0]),
    ]
    if width is None or len(after[0]) < 2:
        return columns + _line_changes(name, old, new)
    return columns + list(_keyed_changes(name, _keyed(before, width), _keyed(after, width)))


def _table(raw: bytes, name: str, delimiter: str) -> Table:
    header, rows = parse_csv(raw, name, delimiter)
    return header, [cells for _, cells in rows]


def _key_width(*tables: Table) -> int | None:
    heads = {tuple(header[:_KEY_COLUMNS]) for header, _ in tables}
    for width in range(1, _KEY_COLUMNS + 1):
        same = len({head[:width] for head in heads}) == 1
        if same and all(len({tuple(r[:width]) for r in rows}) == len(rows) for _, rows in tables):
            return width
    return None


def _keyed(table: Table, width: int) -> dict[str, dict[str, str]]:
    header, rows = table
    return {" ".join(row[:width]): dict(zip(header, row, strict=False)) for row in rows}


def _keyed_changes(
    name: str, old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]
) -> Iterator[InputChange]:
    for key in dict.fromkeys([*new, *old]):
        if key in old and key in new:
            both = old[key].keys() & new[key].keys()
            rows = ({c: v for c, v in side[key].items() if c in both} for side in (old, new))
            yield from row_changes(f"{name}, {key}", *rows)
        else:
            yield from row_changes(f"{name}, {key}", old.get(key), new.get(key))
    if list(old) != list(new) and old.keys() == new.keys():
        yield _change(f"{name}: order of the rows")


# --- lines --------------------------------------------------------------------------------------


def _line_changes(name: str, old: bytes, new: bytes) -> list[InputChange]:
    before, after = (raw.decode("utf-8-sig").splitlines() for raw in (old, new))
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    before, after = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(before), len(after)) > _COMPARED_LINES:
        lines = count_text(max(len(before), len(after)), "line")
        return [_change(f"{name}: {lines} from line {start + 1} on")]
    return list(_compared_lines(name, before, after, start + 1))


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines or letters two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _compared_lines(
    name: str, before: Sequence[str], after: Sequence[str], first: int
) -> Iterator[InputChange]:
    """Lines by their numbers, those of removed lines by the old ones; blank lines do not count."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for _, start, stop, new_start, new_stop in matcher.get_opcodes():
        if before[start:stop] == after[new_start:new_stop]:
            continue
        for offset in range(max(stop - start, new_stop - new_start)):
            old = before[start + offset].strip() if start + offset < stop else None
            new = after[new_start + offset].strip() if new_start + offset < new_stop else None
            number = first + (start if new is None else new_start) + offset
            if old or new:
                yield _line_change(f"{name}, line {number}", old, new)


def _line_change(where: str, old: str | None, new: str | None) -> InputChange:
    if new is None:
        return _change(f"{where} removed: {value_texts((old,), ())[0]}")
    return _change(where if old is None else f"{where}:", old, new)
