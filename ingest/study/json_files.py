"""Strict reading and canonical writing of JSON: nothing is guessed, nothing is lost silently."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError
from ingest.study.regular_files import read_regular
from ingest.text.file_kind import HEAD_BYTES, other_kind

_LEVELS = 100
_TOO_DEEP = f"nested too deeply: {_LEVELS} levels at most"
_TOKEN = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|[{}\[\]]')


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
        raise _NotStrictError("a key stands twice in one object")
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

    Raises JsonFileError: invalid JSON (with line and column), a key twice in one object (with both
    places), NaN, a number too large for a float, more than a hundred levels.
    """
    try:
        value = json.loads(
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
        raise JsonFileError(where, next(repeated_keys(text), str(exc))) from exc
    except RecursionError as exc:
        raise JsonFileError(where, _TOO_DEEP) from exc
    if _is_too_deep(value):
        raise JsonFileError(where, _TOO_DEEP)
    return value


def _is_too_deep(value: Any) -> bool:
    """Whether a value is nested so deeply that somebody who works on it might run out of stack."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(_LEVELS):
        members = (v.values() if isinstance(v, dict) else v for v in level)
        level = [m for each in members for m in each if isinstance(m, (dict, list))]
        if not level:
            return False
    return True


def repeated_keys(text: str) -> Iterator[str]:
    """Keys that stand twice in one object of a text that is JSON, each with both places."""
    objects: list[dict[str, int] | None] = []
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "{[":
            objects.append({} if sign == "{" else None)
        elif sign in "}]":
            objects.pop()
        elif token["colon"] and objects and (keys := objects[-1]) is not None:
            key = json.loads(token["text"])
            if key in keys:
                places = (_place(text, start) for start in (keys[key], token.start()))
                yield f"the key {key!r} stands twice in one object: {' and '.join(places)}"
            keys[key] = token.start()


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"


def read_json(path: Path, where: str) -> Any:
    """The value in a UTF-8 JSON file, where is how messages name it.

    Raises JsonFileError: unreadable file, not UTF-8, or not strict JSON.
    """
    try:
        raw = read_regular(path)
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
