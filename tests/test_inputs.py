from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ingest.inputs import Inputs, InputSet, describe_code_changes, describe_parameter_changes

SHARED = InputSet("null", "model", "scenario", "code", "standard", "query")
INPUTS = Inputs(SHARED, "document")


@pytest.mark.parametrize("field", ["code_digest", "environment", "query_digest"])
def test_digest_differs_with_each_shared_input(field: str) -> None:
    changed = dataclasses.replace(SHARED, **{field: "other"})
    assert Inputs(changed, "document").digest != INPUTS.digest


def test_digest_differs_with_the_document() -> None:
    assert Inputs(SHARED, "other").digest != INPUTS.digest


@pytest.mark.parametrize("field", ["scenario", "model_digest", "scenario_digest"])
def test_digest_does_not_differ_with_what_shows_in_the_document_alone(field: str) -> None:
    changed = dataclasses.replace(SHARED, **{field: "other"})
    assert Inputs(changed, "document").digest == INPUTS.digest


def test_digest_does_not_mix_up_neighbouring_inputs() -> None:
    one = dataclasses.replace(SHARED, code_digest="a", environment="b")
    two = dataclasses.replace(SHARED, code_digest="b", environment="a")
    assert Inputs(one, "document").digest != Inputs(two, "document").digest
    assert len(INPUTS.digest) == 64


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
        (None, [entry("A", 1, "$")], ""),
    ],
)
def test_changed_parameters_are_told_with_old_and_new_value(old: Any, new: Any, text: str) -> None:
    assert describe_parameter_changes(old, new) == text


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ({"model.py": "1"}, {"model.py": "2"}, "model.py"),
        ({"a.py": "1"}, {"b.py": "1"}, "b.py, a.py"),
        ({}, dict.fromkeys("abcde", "1"), "a, b, c, 2 more"),
        (None, {"model.py": "2"}, ""),
    ],
)
def test_changed_code_is_told_by_its_files(old: Any, new: Any, text: str) -> None:
    assert describe_code_changes(old, new) == text
