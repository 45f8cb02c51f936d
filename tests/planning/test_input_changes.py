from __future__ import annotations

from typing import Any

import pytest

from ingest.planning.input_changes import (
    InputKind,
    describe_changes,
    document_changes,
    parameter_changes,
)


def entry(name: str, value: Any, *paths: str) -> list[Any]:
    return [name, value, list(paths)]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ([entry("Coverage", 0.95, "$")], [entry("Coverage", 0.9, "$")], "Coverage 0.95 -> 0.9"),
        ([], [entry("Coverage", 0.9, "$")], "Coverage added: 0.9"),
        ([entry("Coverage", 0.9, "$")], [], "Coverage removed"),
        ([entry("A", 1, "$")], [entry("A", 1, "$.x")], "A: other paths"),
        ([entry("A", 1, "$")], [entry("A", 2, "$.x")], "A 1 -> 2"),
        ([entry("A", "low", "$")], [entry("A", "hoch ä", "$")], "A low -> hoch ä"),
        ([entry("A", 1, "$")], [entry("A", 1.0, "$")], "A 1 -> 1.0"),
        ([entry("A", 1, "$")], [entry("A", True, "$")], "A 1 -> true"),
        ([entry("A", "1", "$")], [entry("A", 1, "$")], 'A "1" -> 1'),
        ([entry("A", None, "$")], [entry("A", "", "$")], "A null -> "),
        (
            [entry("A", list(range(40)), "$")],
            [entry("A", [*range(39), 0], "$")],
            "A: another value",
        ),
        (
            [entry("A", 1, "$")],
            [entry("A", "x" * 41, "$")],
            "A 1 -> " + "x" * 37 + "...",
        ),
        (
            [entry("A", 1, "$"), entry("B", 1, "$")],
            [entry("B", 1, "$"), entry("A", 1, "$")],
            "order of the parameters",
        ),
        (
            [entry("A", 1, "$"), entry("B", 1, "$"), entry("D", 1, "$")],
            [entry("A", 2, "$"), entry("B", 2, "$"), entry("C", 1, "$")],
            "A 1 -> 2, B 1 -> 2, 2 more",
        ),
    ],
)
def test_changed_parameters_are_told_with_old_and_new_value(old: Any, new: Any, text: str) -> None:
    assert describe_changes(parameter_changes(old, new), 2) == text


def node(name: str, **parameters: Any) -> dict[str, Any]:
    return {"id": name, "generate_array": {"parameters": parameters}}


@pytest.mark.parametrize(
    ("old", "new", "texts"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, ["a 1 -> 1.0"]),
        ({"a": 1}, {"a": 1, "b": 2}, ["b added: 2"]),
        ({"a": 1, "b": 2}, {"a": 1}, ["b removed"]),
        ({"runtime": {"endYear": 2051}}, {"runtime": {"endYear": 2061}},
         ["runtime.endYear 2051 -> 2061"]),
        (
            {"nodes": [node("x", value=1), node("y", value=2)]},
            {"nodes": [node("y", value=3), node("x", value=1)]},
            ["nodes[y].generate_array.parameters.value 2 -> 3"],
        ),
        ({"nodes": [node("x")]}, {"nodes": [node("x"), node("z")]},
         ['nodes[z] added: {"id": "z", "generate_array": {"param...']),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a [1, 2] -> [1, 3]"]),
        ([1], {"a": 1}, ['document [1] -> {"a": 1}']),
    ],
)  # fmt: skip
def test_changed_places_of_a_document_are_named_by_ids(
    old: Any, new: Any, texts: list[str]
) -> None:
    changes = document_changes(old, new)
    assert [str(change) for change in changes] == texts
    assert {change.kind for change in changes} <= {InputKind.MODEL}
