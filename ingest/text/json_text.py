"""JSON of numbers that JSON has not, and indented JSON as fast as the other."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

_SCALARS = {str, int, float, bool, type(None)}
_INDENT = 2


def json_text(value: Any, **options: Any) -> str:
    """JSON, with null in place of infinity and NaN; options: as of json.dumps."""
    dumps = _indented if options == {"indent": _INDENT} else json.dumps
    try:
        return dumps(value, allow_nan=False, **options)
    except ValueError:
        return dumps(_as_json(value), allow_nan=False, **options)


def _as_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- indented -------------------------------------------------------------------------------------


def _indented(value: Any, depth: int = 0, **_: Any) -> str:
    """The text of json.dumps(value, indent=2), which writes whole tables in Python, item by item.

    Here the encoder in C writes what holds only numbers and texts, and tables of these. No text
    has a line break within, so that the breaks it is given tell where an item ends.
    """
    inner, outer = ("\n" + " " * _INDENT * n for n in (depth + 1, depth))
    if not isinstance(value, dict | list | tuple) or not value:
        return json.dumps(value, allow_nan=False)
    if not isinstance(value, dict) and all(map(_is_flat, value)):
        deeper = inner + " " * _INDENT
        rows = _in_c(value, deeper)[2:-2].replace(f"}},{deeper}{{", f"{inner}}},{inner}{{{deeper}")
        return f"[{inner}{{{deeper}{rows}{inner}}}{outer}]"
    texts = _item_texts(value.values() if isinstance(value, dict) else value, depth + 1)
    if isinstance(value, dict):
        keys = [text[:-3] for text in _in_c(dict.fromkeys(value, 0), "\n")[1:-1].split(",\n")]
        texts = [f"{key}: {text}" for key, text in zip(keys, texts, strict=True)]
    start, end = "{}" if isinstance(value, dict) else "[]"
    return f"{start}{inner}{f',{inner}'.join(texts)}{outer}{end}"


def _item_texts(items: Iterable[Any], depth: int) -> list[str]:
    """The text of each item; of the plain ones by one call."""
    items = list(items)
    plain = [item if type(item) in _SCALARS else 0 for item in items]
    texts = _in_c(plain, "\n")[1:-1].split(",\n")
    return [
        text if type(item) in _SCALARS else _indented(item, depth)
        for text, item in zip(texts, items, strict=True)
    ]


def _is_flat(value: Any) -> bool:
    """Whether it is a row of numbers and texts."""
    return (
        isinstance(value, dict) and bool(value) and _SCALARS.issuperset(map(type, value.values()))
    )


def _in_c(value: Any, line: str) -> str:
    return json.dumps(value, allow_nan=False, separators=("," + line, ": "))
