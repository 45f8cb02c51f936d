"""Inputs: the digests of everything that decides one combination's result, and how two differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.json_files import canonical_json

# Content of an input by its digest, or None when it was not kept.
ContentLookup = Callable[[str], Any]


@dataclass(frozen=True)
class InputSet:
    """What all combinations of one scenario share; stored once, not with every job."""

    scenario: str
    model_digest: str
    scenario_digest: str
    code_digest: str
    environment: str
    query_digest: str


@dataclass(frozen=True)
class Inputs:
    """Everything that decides one combination's result; document_digest is of the composed one."""

    shared: InputSet
    document_digest: str

    @property
    def digest(self) -> str:
        """The input digest: SHA-256 over document, code, environment and analytics query."""
        shared = self.shared
        parts = (
            self.document_digest,
            shared.code_digest,
            shared.environment,
            shared.query_digest,
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def describe_parameter_changes(old: Any, new: Any, limit: int = 2) -> str:
    """The parameters that differ between two scenario contents, e.g. "Coverage 0.95 -> 0.9".

    old, new: lists of [name, value, paths], as Scenario.content holds them; old may be None.
    """
    if old is None:
        return ""
    # compared as digests are, by canonical JSON: 1, 1.0 and true are three values
    before = {name: (canonical_json([value, paths]), value) for name, value, paths in old}
    after = {name: (canonical_json([value, paths]), value) for name, value, paths in new}
    changes = [
        _describe_change(name, before.get(name), after.get(name))
        for name in dict.fromkeys([*after, *before])
        if before.get(name) != after.get(name)
    ]
    if not changes:
        return "order of the parameters"
    more = [f"{len(changes) - limit} more"] if len(changes) > limit else []
    return ", ".join([*changes[:limit], *more])


def _describe_change(name: str, old: Any, new: Any) -> str:
    if old is None:
        return f"{name} added: {_short(_words(new[1]))}"
    if new is None:
        return f"{name} removed"
    if canonical_json(old[1]) == canonical_json(new[1]):
        return f"{name}: other paths"
    before, after = _words(old[1]), _words(new[1])
    if before == after:  # the text "1" and the number 1
        before, after = canonical_json(old[1]), canonical_json(new[1])
    before, after = _short(before), _short(after)
    return f"{name} {before} -> {after}" if before != after else f"{name}: another value"


def _words(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def describe_code_changes(old: Any, new: Any, limit: int = 3) -> str:
    """The parts of two code versions that differ, e.g. "model.py"; old may be None."""
    if old is None:
        return ""
    changed = [part for part in dict.fromkeys([*new, *old]) if old.get(part) != new.get(part)]
    more = [f"{len(changed) - limit} more"] if len(changed) > limit else []
    return ", ".join([*changed[:limit], *more])
