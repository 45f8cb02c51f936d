from __future__ import annotations

import copy
from typing import Any

import pytest

from ingest.study.json_paths import remove
from ingest.study.settings import StudySettings
from ingest.study.study import Model

VALUES = {"parameters": {"x": 1, "y": 2, "color": 3, "description": 4}}
LAYOUT = {"x": 1.5, "y": 2, "color": "#fff", "description": "Text"}
DOCUMENT: dict[str, Any] = {
    "metadata": {"version": 3},
    "runtime": {"startYear": 2025, "x": 1, "description": "a value"},
    "nodes": [{"id": "a", "label": "A", "generate_array": VALUES} | LAYOUT, {"id": "b"}],
    "links": [{"id": "l", "x": 1, "narration": "Text"}],
    "subroutines": [{"method": "echo", "narration": "Text"}],
    "tables": [{"x": 1, "y": 2}],
}


def test_default_leaves_out_layout_and_texts_where_they_are_such() -> None:
    left = remove(copy.deepcopy(DOCUMENT), StudySettings.ignore)
    assert left == {
        "runtime": DOCUMENT["runtime"],
        "nodes": [{"id": "a", "label": "A", "generate_array": VALUES}, {"id": "b"}],
        "links": [{"id": "l"}],
        "subroutines": [{"method": "echo"}],
        "tables": DOCUMENT["tables"],
    }


@pytest.mark.parametrize(
    ("document", "paths", "left"),
    [
        ({"a": [0, 1, 2, 3]}, ["$.a[0]", "$.a[2]", "$.a[-1]"], {"a": [1]}),
        ({"a": [*range(12)]}, ["$.a[2]", "$.a[10]"], {"a": [0, 1, *range(3, 10), 11]}),
        ({"a": {"b": {"c": 1}}, "d": 1}, ["$.a.b.c", "$.a", "$.a.b"], {"d": 1}),
        ({"a": [[1, 2], [3]]}, ["$.a[0]", "$.a[0][1]", "$.a[1][0]"], {"a": [[]]}),
        ({"a": 1}, ["$.b", "$.a.b", "$.a[0]"], {"a": 1}),
        ({"a": 1}, [], {"a": 1}),
    ],
)
def test_places_are_removed_whatever_holds_them(document: Any, paths: list[str], left: Any) -> None:
    assert remove(document, paths) == left


def test_input_digest_changes_with_what_is_input_alone() -> None:
    model = Model(copy.deepcopy(DOCUMENT), "model.json", StudySettings.ignore)
    moved = copy.deepcopy(DOCUMENT)
    moved["nodes"][0]["x"] = 99
    moved["metadata"] = {"version": 4}
    other = Model(moved, "model.json", StudySettings.ignore)
    assert other.digest != model.digest
    assert other.input_digest == model.input_digest
    assert model.document == DOCUMENT
    moved["nodes"][0]["generate_array"]["parameters"]["x"] = 99
    changed = Model(moved, "model.json", StudySettings.ignore)
    assert changed.input_digest != model.input_digest
    assert Model(DOCUMENT, "model.json").input_digest == model.digest
