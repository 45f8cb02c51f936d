from __future__ import annotations

from typing import Any

import pytest

from ingest.planning.parameter_changes import parameter_changes
from tests.conftest import COUNTRY_PATHS, MODEL

ORDER = "order of the parameters, which apply one after another"


def entry(name: str, value: Any, *paths: str) -> list[Any]:
    return [name, value, list(paths)]


def texts(old: Any, new: Any, *models: Any) -> list[str]:
    return [str(change) for change in parameter_changes(old, new, *models)]


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ([entry("Coverage", 0.95, "$")], [entry("Coverage", 0.9, "$")], "Coverage 0.95 -> 0.9"),
        ([], [entry("Coverage", 0.9, "$")], "Coverage added: 0.9"),
        ([entry("Coverage", 0.9, "$")], [], "Coverage removed"),
        ([entry("A", "low", "$")], [entry("A", "hoch ä", "$")], "A low -> hoch ä"),
        ([entry("A", 1, "$")], [entry("A", 1.0, "$")], "A 1 -> 1.0"),
        ([entry("A", 1, "$")], [entry("A", True, "$")], "A 1 -> true"),
        ([entry("A", "1", "$")], [entry("A", 1, "$")], 'A "1" -> 1'),
        ([entry("A", None, "$")], [entry("A", "", "$")], "A null -> "),
        (
            [entry("A", 1, "$"), entry("B", 1, "$")],
            [entry("B", 1, "$"), entry("A", 1, "$")],
            ORDER,
        ),
        ([entry("A", 1, "$.a", "$.b")], [entry("A", 1, "$.b", "$.a")], "A: order of the paths"),
    ],
)
def test_changed_parameters_are_told_with_old_and_new_value(old: Any, new: Any, text: str) -> None:
    assert texts(old, new) == [text]


def test_paths_that_came_and_went_are_told_beside_the_value() -> None:
    old, new = [entry("A", 1, "$.a", "$.b")], [entry("A", 2, "$.b", "$.c")]
    assert texts(old, new) == ["A 1 -> 2", "A: path $.a removed", "A: path $.c added"]


def test_paths_are_told_with_the_slots_that_they_reach() -> None:
    old = [entry("Country", "AFG", COUNTRY_PATHS[0], "$.links[0].label")]
    new = [entry("Country", "AFG", COUNTRY_PATHS[1], "$..country", "$.absent", "$.nodes[")]
    assert texts(old, new, MODEL, MODEL) == [
        f"Country: path {COUNTRY_PATHS[0]} removed, reached node 'Population': country",
        "Country: path $.links[0].label removed, reached link 'Births': label",
        f"Country: path {COUNTRY_PATHS[1]} added, reaches link 'Births': country",
        "Country: path $..country added, reaches node 'Population': country, "
        "link 'Births': country",
        "Country: path $.absent added, reaches nothing",
        "Country: path $.nodes[ added",
    ]
