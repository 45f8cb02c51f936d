"""How the rows of country data of one country differ between two states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ingest.errors import ConfigError
from ingest.planning.code_history import CodeHistory
from ingest.planning.file_changes import row_changes
from ingest.planning.input_changes import InputChange, InputKind
from ingest.study.country_data import Row, parse_rows

Rows = Mapping[str, Any]


def country_changes(
    iso3: str, old: Rows, new: Rows, code: str, files: Mapping[str, str], history: CodeHistory
) -> list[InputChange]:
    """The cells that differ between two states of a country's rows.

    code: the code version of the old state. files: digests of the whole files in the new one. A
    file that study.country_data did not name before is compared with its rows when it was a part
    of the code; where it was none, nothing is known and nothing is told.
    """
    changes: list[InputChange] = []
    for name in dict.fromkeys([*new, *old]):
        if name in old and name in new:
            changes += row_changes(f"{name}, {iso3}", old[name], new[name])
        elif name in old:
            changes.append(_said(f"{name} is no longer in study.country_data"))
        else:
            known = history.known_file(code, name)
            if known is not None and known != files.get(name):
                changes += _since(iso3, history.file(known), name, new[name])
    return [replace(change, kind=InputKind.COUNTRY_DATA) for change in changes]


def _since(iso3: str, raw: bytes | str | None, name: str, new: Row | None) -> list[InputChange]:
    """The changes of a row since the whole file was a part of the code."""
    if not isinstance(raw, bytes):
        return [_said(f"{name} changed ({raw or 'its rows before were not kept'})")]
    key = next((column for column, value in (new or {}).items() if value == iso3), "iso3")
    try:
        rows, _ = parse_rows(raw, name, key)
    except ConfigError:
        return [_said(f"{name} changed")]
    return row_changes(f"{name}, {iso3}", rows.get(iso3), new)


def _said(text: str) -> InputChange:
    return InputChange(InputKind.COUNTRY_DATA, text, None, None)
