from __future__ import annotations

from typing import Any

import pytest

from ingest.planning.input_changes import (
    InputChange,
    InputKind,
    describe_changes,
    value_texts,
)


def change(name: str, sum_noun: str = "") -> InputChange:
    return InputChange(InputKind.MODEL, name, "1", "2", sum_noun)


LAYOUT = [change(f"nodes[{name}].x", "layout value") for name in "abcd"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ([change("a")], "a 1 -> 2"),
        ([change("a"), *LAYOUT], "a 1 -> 2; 4 layout values"),
        (
            [change("a"), change("b"), change("c"), LAYOUT[0], change("m", "metadata value")],
            "a 1 -> 2, b 1 -> 2, 1 more; 1 layout value, 1 metadata value",
        ),
        (LAYOUT[:2], "nodes[a].x 1 -> 2, nodes[b].x 1 -> 2"),
        (LAYOUT, "nodes[a].x 1 -> 2, nodes[b].x 1 -> 2; 2 other layout values"),
        ([], ""),
    ],
)
def test_what_can_move_a_number_is_named_and_the_rest_summed_up(
    changes: list[InputChange], text: str
) -> None:
    assert describe_changes(changes, 2) == text


def test_changes_of_no_weight_are_summed_up_alone_where_none_is_to_be_named() -> None:
    assert describe_changes(LAYOUT, 0) == "4 layout values"


@pytest.mark.parametrize(
    ("old", "new", "texts"),
    [
        ((1,), (2,), ("1", "2")),
        (("1",), (1,), ('"1"', "1")),
        ((), ("x" * 41,), (None, "x" * 37 + "...")),
        ((1,), ("x" * 41,), ("1", "x" * 37 + "...")),
        ((list(range(40)),), ([*range(39), 0],), ("..., 37, 38, 39]", "..., 37, 38, 0]")),
        (("a" * 50 + "b",), ("a" * 50,), ("..." + "a" * 10 + "b", "..." + "a" * 10)),
    ],
)
def test_texts_of_two_values_are_short_and_differ(
    old: tuple[Any, ...], new: tuple[Any, ...], texts: tuple[str | None, str | None]
) -> None:
    assert value_texts(old, new) == texts
