"""How what a study consists of and calls things differs from then to now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ingest.study.lists import KEYS, Rows
from ingest.text.numbers import at_most, count_text

_WORDS = {
    "countries": "country|countries",
    "scenarios": "scenario|scenarios",
    "labels": "described label|described labels",
}


def list_changes(before: Mapping[str, Rows], after: Mapping[str, Rows]) -> list[str]:
    """A line for each kind of change between two sets of lists, whose rows are by names of KEYS.

    A list that was not kept is passed over.
    """
    lines: list[str] = []
    for kind, key in KEYS.items():
        if kind in before and kind in after:
            old, new = ({row[key]: row for row in side[kind]} for side in (before, after))
            lines += _came_and_went(kind, old, new)
            lines += _renamed(key, old, new)
    return lines


def _came_and_went(
    kind: str, old: Mapping[str, object], new: Mapping[str, object]
) -> Iterator[str]:
    for names, what in (
        ([name for name in new if name not in old], "added"),
        ([name for name in old if name not in new], "no longer in the study"),
    ):
        if names:
            yield f"{count_text(len(names), _WORDS[kind])} {what}: {at_most(names)}"


def _renamed(
    key: str, old: Mapping[str, Mapping[str, str]], new: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """Changed values of a column; the same change of many entries is one line."""
    changes: dict[tuple[str, str, str], list[str]] = {}
    for name, row in new.items():
        for column in dict.fromkeys([*row, *old.get(name, row)]):
            values = (old.get(name, row).get(column, ""), row.get(column, ""))
            if column != key and values[0] != values[1]:
                changes.setdefault((column, *values), []).append(name)
    for (column, was, now), names in changes.items():
        yield f"{at_most(names)}: {column} {was or '(none)'} -> {now or '(none)'}"
