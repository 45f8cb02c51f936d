"""Which parameters of a scenario changed: values, and paths with the places that they reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ingest.planning.document_changes import place_name
from ingest.planning.input_changes import InputChange, InputKind, value_texts
from ingest.study.json_files import canonical_json
from ingest.text.numbers import at_most

_NAMED_PLACES = 5


def parameter_changes(
    old: Any, new: Any, old_model: Any = None, new_model: Any = None
) -> list[InputChange]:
    """The parameters that differ between two scenario contents ([name, value, paths] lists).

    old_model, new_model: the model documents in which their paths are looked up, where known.
    """
    before = {name: (value, paths) for name, value, paths in old}
    after = {name: (value, paths) for name, value, paths in new}
    changes = []
    for name in dict.fromkeys([*after, *before]):
        sides = [side[name][:1] if name in side else () for side in (before, after)]
        if canonical_json(sides[0]) != canonical_json(sides[1]):
            changes.append(InputChange(InputKind.SCENARIO, name, *value_texts(*sides)))
        if name in before and name in after:
            paths = before[name][1], after[name][1]
            changes += _path_changes(name, *paths, old_model, new_model)
    order = "order of the parameters, which apply one after another"
    return changes or [InputChange(InputKind.SCENARIO, order, None, None)]


def _path_changes(
    name: str, old: list[str], new: list[str], old_model: Any, new_model: Any
) -> Iterator[InputChange]:
    """A parameter's paths that came or went, and the places that they now reach or did reach."""
    for verb, tense, paths, others, model in (
        ("removed", "reached", old, new, old_model),
        ("added", "reaches", new, old, new_model),
    ):
        for path in dict.fromkeys(paths):
            if path not in others:
                reach = _reach(path, model)
                where = f", {tense} {reach}" if reach else ""
                text = f"{name}: path {path} {verb}{where}"
                yield InputChange(InputKind.SCENARIO, text, None, None)
    if old != new and set(old) == set(new):
        yield InputChange(InputKind.SCENARIO, f"{name}: order of the paths", None, None)


def _reach(path: str, model: Any) -> str:
    """The places that a path finds in a model document; empty without one."""
    from ingest.study.json_paths import JsonPathError, locations

    if model is None:
        return ""
    try:
        found: Sequence[Any] = locations(path, model)
    except JsonPathError:
        return ""
    return at_most([place_name(model, place) for place in found], _NAMED_PLACES) or "nothing"
