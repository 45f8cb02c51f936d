"""Names that people give to things: lists of them, what cannot be one, and which look alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

from ingest.errors import ConfigError

_LINE_BREAKS = "\n\r\v\f\x85\u2028\u2029"
_LONGEST_NAME = 1000
_JOINERS = "\u200c\u200d"  # letters of Persian, Hindi and others need them
_DIRECTION_MARKS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def split_names(text: str, known: Collection[str] = ()) -> list[str]:
    """The names in a comma list, each once; a known name that holds commas stays one.

    Spaces around a name are left out where they are no part of a known one.
    """
    longest = 1 + max((name.count(",") for name in known), default=0)
    parts = text.split(",")
    names: dict[str, None] = {}
    start = 0
    while start < len(parts):
        for size in range(min(longest, len(parts) - start), 0, -1):
            whole = ",".join(parts[start : start + size])
            name = whole if whole in known else whole.strip()
            if name in known or size == 1:
                names[name] = None
                start += size
                break
    return [name for name in names if name]


@lru_cache(maxsize=4096)
def name_problem(name: str) -> str | None:
    """Why a text cannot be a name, as it could not be told from another one; None if it can."""
    if not name.strip():
        return "is blank"
    if len(name) > _LONGEST_NAME:
        return f"has {len(name):,} characters, {_LONGEST_NAME:,} at most"
    if name != name.strip():
        return "begins or ends with a space"
    if name.isprintable():
        return None
    return next((problem for problem in map(_character_problem, name) if problem), None)


def _character_problem(character: str) -> str | None:
    if character in _LINE_BREAKS:
        return f"holds a line break (U+{ord(character):04X})"
    if character in _DIRECTION_MARKS:
        return f"holds a mark of direction, which nobody sees (U+{ord(character):04X})"
    kind = unicodedata.category(character)
    if kind == "Cs":
        return "is no Unicode text"
    if kind == "Cc":
        return f"holds a control character (U+{ord(character):04X})"
    if kind == "Cf" and character not in _JOINERS:
        return f"holds a character that nobody sees (U+{ord(character):04X})"
    return None


def require_name(what: str, name: str) -> None:
    """Raise ConfigError where a text cannot be the name of something, e.g. --name."""
    problem = name_problem(name)
    if problem:
        raise ConfigError(f"{what} {name!r} {problem}; give another name")


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that a reader, or a file system without upper case, cannot tell apart."""
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        folded = unicodedata.normalize("NFKC", name).casefold()
        key = " ".join(unicodedata.normalize("NFKC", folded).split())
        alike.setdefault(key, []).append(name)
    return [group for group in alike.values() if len(group) > 1]
