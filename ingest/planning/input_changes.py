"""Which values of an input changed: parameters, code files, places in the model document.

Values are compared as digests are, by canonical JSON: 1, 1.0 and true are three values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ingest.study.json_files import canonical_json

_LONGEST = 40


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
    """One value that changed; before or after is None where it was not there. Long ones are cut."""

    kind: InputKind
    name: str
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name} added: {self.after}" if self.after is not None else self.name
        if self.after is None:
            return f"{self.name} removed"
        if self.before == self.after:  # alike where they are cut
            return f"{self.name}: another value"
        return f"{self.name} {self.before} -> {self.after}"


def describe_changes(changes: Sequence[InputChange], limit: int) -> str:
    """The first few changes as text, and how many more there are."""
    more = [f"{len(changes) - limit} more"] if len(changes) > limit else []
    return ", ".join([*map(str, changes[:limit]), *more])


def parameter_changes(old: Any, new: Any) -> list[InputChange]:
    """The parameters that differ between two scenario contents ([name, value, paths] lists)."""
    before = {name: (canonical_json([value, paths]), value) for name, value, paths in old}
    after = {name: (canonical_json([value, paths]), value) for name, value, paths in new}
    changes = [
        _parameter_change(name, before.get(name), after.get(name))
        for name in dict.fromkeys([*after, *before])
        if before.get(name, ("",))[0] != after.get(name, ("",))[0]
    ]
    return changes or [InputChange(InputKind.SCENARIO, "order of the parameters", None, None)]


def _parameter_change(name: str, old: Any, new: Any) -> InputChange:
    if old and new and canonical_json(old[1]) == canonical_json(new[1]):
        return InputChange(InputKind.SCENARIO, f"{name}: other paths", None, None)
    before, after = _texts(old[1:] if old else (), new[1:] if new else ())
    return InputChange(InputKind.SCENARIO, name, before, after)


def document_changes(old: Any, new: Any) -> list[InputChange]:
    """The values that differ between two model documents; list members are told apart by id."""
    return list(_document_changes(old, new, ""))


def _document_changes(old: Any, new: Any, where: str) -> Iterator[InputChange]:
    if canonical_json(old) == canonical_json(new):
        return
    if _has_ids(old) and _has_ids(new):
        old = {f"[{entry['id']}]": entry for entry in old}
        new = {f"[{entry['id']}]": entry for entry in new}
    if not (isinstance(old, dict) and isinstance(new, dict)):
        yield InputChange(InputKind.MODEL, where or "document", *_texts((old,), (new,)))
        return
    for key in dict.fromkeys([*new, *old]):
        place = f"{where}{key}" if key.startswith("[") or not where else f"{where}.{key}"
        if key in old and key in new:
            yield from _document_changes(old[key], new[key], place)
        else:
            texts = _texts((old[key],) if key in old else (), (new[key],) if key in new else ())
            yield InputChange(InputKind.MODEL, place, *texts)


def _has_ids(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in value)
    )


def _texts(old: Sequence[Any], new: Sequence[Any]) -> tuple[str | None, str | None]:
    """Two values (or none) as short texts that differ where the values do."""
    texts = [[_words(value) for value in side] for side in (old, new)]
    if texts[0] == texts[1]:  # the text "1" and the number 1
        texts = [[canonical_json(value) for value in side] for side in (old, new)]
    before, after = (_cut(side[0]) if side else None for side in texts)
    return before, after


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
