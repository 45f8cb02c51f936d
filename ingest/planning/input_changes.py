"""Which values of an input changed, in words.

Values are compared as digests are, by canonical JSON: 1, 1.0 and true are three values.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ingest.study.json_files import canonical_json
from ingest.text.numbers import count_text

_LONGEST = 40
_SHARED = 10


class InputKind(StrEnum):
    """Which input changed. UNKNOWN: it was not recorded; NONE: no input changed."""

    MODEL = "model"
    SCENARIO = "scenario"
    COUNTRY_DATA = "country data"
    CODE = "code"
    ENVIRONMENT = "environment"
    QUERY = "query"
    UNKNOWN = "unknown"
    NONE = "none"


@dataclass(frozen=True)
class InputChange:
    """One value that changed; before or after is None where it was not there. Long ones are cut.

    sum_noun: what a sum of such changes calls them ("layout value"); empty where the change can
    move a number, so that it is named.
    """

    kind: InputKind
    name: str
    before: str | None
    after: str | None
    sum_noun: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The change as JSON shows it."""
        values = {name: getattr(self, name) for name in ("kind", "name", "before", "after")}
        return values | {"is_input": not self.sum_noun}

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name} added: {self.after}" if self.after is not None else self.name
        if self.after is None:
            return f"{self.name} removed"
        return f"{self.name} {self.before} -> {self.after}"


def describe_changes(changes: Sequence[InputChange], limit: int) -> str:
    """The first few changes that can move a number, how many more there are, and sums of the rest.

    Where none can move a number, the first few of the others are told by name.
    """
    named = named_changes(changes, limit)
    others = [change for change in changes if change not in named]
    more = sum(not change.sum_noun for change in others)
    parts = [*map(str, named), *([f"{more:,} more"] if more else [])]
    other = "other " if named and named[0].sum_noun else ""
    sums = Counter(other + change.sum_noun for change in others if change.sum_noun)
    texts = [", ".join(parts), ", ".join(count_text(n, noun) for noun, n in sums.items())]
    return "; ".join(filter(None, texts))


def named_changes(changes: Sequence[InputChange], limit: int) -> list[InputChange]:
    """Those that describe_changes() tells by name."""
    return ([change for change in changes if not change.sum_noun] or list(changes))[:limit]


def query_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[InputChange]:
    """What differs between two analytics queries, but for settings of a source that one lacks."""
    for name in dict.fromkeys([*new, *old]):
        sides = [[side[name]] if name in side else [] for side in (old, new)]
        is_told_once = "." in name and not all(sides)
        if sides[0] != sides[1] and not is_told_once:
            yield InputChange(InputKind.QUERY, f"analytics.{name}", *value_texts(*sides))


def value_texts(old: Sequence[Any], new: Sequence[Any]) -> tuple[str | None, str | None]:
    """Two values (or none) as short texts that differ where the values do."""
    texts = [[_words(value) for value in side] for side in (old, new)]
    if texts[0] == texts[1]:  # the text "1" and the number 1
        texts = [[canonical_json(value) for value in side] for side in (old, new)]
    shared = _shared_length(*texts[0], *texts[1]) if old and new else 0
    # where they are alike up to the end of what is shown, from a little before the difference
    begin = max(shared - _SHARED, 0) if shared >= _LONGEST - 3 else 0
    before, after = (_cut(side[0], begin) if side else None for side in texts)
    return before, after


def _shared_length(old: str, new: str) -> int:
    pairs = enumerate(zip(old, new, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(old), len(new)))


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str, begin: int) -> str:
    shown = f"...{text[begin:]}" if begin else text
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."
