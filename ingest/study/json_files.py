"""Strict reading and canonical writing of JSON: nothing is guessed, nothing is lost silently."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError
from ingest.text.file_kind import HEAD_BYTES, other_kind


class JsonFileError(ConfigError):
    """A JSON file cannot be used; where names file, line and column, reason what is wrong there."""

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")


class _NotStrictError(ValueError):
    """What Python's JSON reader would let pass."""


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _NotStrictError(f"the key {key!r} stands twice in one object")
            seen.add(key)
    return result


def _no_constant(name: str) -> Any:
    raise _NotStrictError(f"{name} is not a JSON number")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _NotStrictError(f"{text} is too large a number")
    return value


def _limited_int(text: str) -> int:
    try:
        return int(text)
    except ValueError as exc:  # more digits than Python converts
        raise _NotStrictError(f"{text[:20]}... is too large a number") from exc


def parse_json(text: str, where: str) -> Any:
    """The value that a JSON text holds.

    Raises JsonFileError: invalid JSON (with line and column), a key twice in one object, NaN,
    a number too large for a float.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite_float,
            parse_int=_limited_int,
        )
    except json.JSONDecodeError as exc:
        place = f"{where}, line {exc.lineno}, column {exc.colno}"
        raise JsonFileError(place, f"invalid JSON: {exc.msg}") from exc
    except _NotStrictError as exc:
        raise JsonFileError(where, str(exc)) from exc
    except RecursionError as exc:
        raise JsonFileError(where, "nested too deeply to read") from exc


def read_json(path: Path, where: str) -> Any:
    """The value in a UTF-8 JSON file, where is how messages name it.

    Raises JsonFileError: unreadable file, not UTF-8, or not strict JSON.
    """
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise JsonFileError(where, f"cannot be read: {exc.strerror}") from exc
    if (kind := other_kind(raw[:HEAD_BYTES])) is not None:
        raise JsonFileError(where, f"it {kind}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        column = exc.start - raw.rfind(b"\n", 0, exc.start)
        place = f"{where}, line {line}, column {column}"
        raise JsonFileError(place, f"byte 0x{raw[exc.start]:02x} is not UTF-8") from exc
    return parse_json(text, where)


def canonical_json(value: Any) -> str:
    """The one text for a JSON value: keys sorted, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_text(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
