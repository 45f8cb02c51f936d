from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.planning.document_changes import document_changes
from ingest.planning.input_changes import InputKind
from ingest.study.json_files import canonical_json
from ingest.study.settings import StudySettings


def texts(old: Any, new: Any, ignore: tuple[str, ...] = ()) -> list[str]:
    return [str(change) for change in document_changes(old, new, ignore)]


def node(name: str, **parameters: Any) -> dict[str, Any]:
    return {"id": name, "generate_array": {"parameters": parameters}}


def echo(*nodes: str, **values: Any) -> dict[str, Any]:
    return {"method": "echo", "included_source_nodes": list(nodes), **values}


FLUSH = {"method": "flush"}
AGE = {"method": "age", "step": 1}
ROLL = {"method": "roll", "included_edges": ["a", "b"]}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": 1.0}, ["a 1 -> 1.0"]),
        ({"a": 1}, {"a": 1, "b": 2}, ["b added: 2"]),
        ({"a": 1, "b": 2}, {"a": 1}, ["b removed"]),
        ({"runtime": {"endYear": 2051}}, {"runtime": {"endYear": 2061}},
         ["runtime.endYear 2051 -> 2061"]),
        ({"a": [1, 2]}, {"a": [1, 3]}, ["a [1, 2] -> [1, 3]"]),
        ([1], {"a": 1}, ['document [1] -> {"a": 1}']),
    ],
)  # fmt: skip
def test_changed_values_are_named_by_their_place(old: Any, new: Any, changes: list[str]) -> None:
    assert texts(old, new) == changes
    assert {change.kind for change in document_changes(old, new)} <= {InputKind.MODEL}


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (
            [node("x", value=1), node("y", value=2)],
            [node("y", value=3), node("x", value=1)],
            ["node y: value 2 -> 3", "node y moved (from 2 to 1)"],
        ),
        ([node("x")], [node("x"), node("z")], ["node z added"]),
        ([], [{"id": "z", "label": "Zeta"}], ["node 'Zeta' added"]),
        ([node("x"), node("z")], [node("z")], ["node x removed"]),
        (
            [{"id": "x", "v": 1}] * 2,
            [{"id": "x", "v": 1}, {"id": "x", "v": 2}],
            ["node x: v 1 -> 2"],
        ),
        (
            [node(name) for name in "abcdefgh"],
            [node(name) for name in "aefghbcd"],
            ["node b moved (from 2 to 6)", "node c moved (from 3 to 7)",
             "node d moved to the end (from 4 to 8)"],
        ),
        (
            [node(name) for name in "abcdefghi"],
            [node(name) for name in "efghiabcd"],
            ["order of nodes: node a, node b, node c, node d moved"],
        ),
    ],
)  # fmt: skip
def test_members_with_ids_are_told_apart_by_them(old: Any, new: Any, changes: list[str]) -> None:
    assert texts({"nodes": old}, {"nodes": new}) == changes


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        (
            [FLUSH, AGE, echo("a")],
            [FLUSH, AGE, echo("a", "DsFreeSus")],
            ["subroutine 3 'echo': DsFreeSus added to included_source_nodes"],
        ),
        (
            [FLUSH, echo("a", "b", "c")],
            [FLUSH, echo("c", "a")],
            [
                "subroutine 2 'echo': b removed from included_source_nodes",
                "subroutine 2 'echo': c moved in included_source_nodes (from 3 to 1)",
            ],
        ),
        ([FLUSH, AGE], [FLUSH, ROLL, AGE], ["subroutine 2 'roll' added"]),
        ([FLUSH, ROLL, AGE], [FLUSH, AGE], ["subroutine 2 'roll' removed"]),
        (
            [FLUSH, ROLL, AGE],
            [ROLL, AGE, FLUSH],
            ["subroutine 3 'flush' moved to the end (from 1 to 3)"],
        ),
        ([AGE], [AGE | {"step": 5}], ["subroutine 1 'age': step 1 -> 5"]),
        ([AGE], [AGE | {"method": "grow"}], ["subroutine 1 'grow': method age -> grow"]),
        (
            [FLUSH, AGE, FLUSH, FLUSH],
            [FLUSH, FLUSH, AGE],
            [
                "subroutine 4 'flush' removed",
                "subroutine 1 'flush' moved before 'flush' (from 3 to 1)",
            ],
        ),
        (
            [AGE, ROLL, FLUSH],
            [FLUSH, AGE | {"step": 2}, ROLL],
            [
                "subroutine 2 'age': step 1 -> 2",
                "subroutine 1 'flush' moved before 'age' (from 3 to 1)",
            ],
        ),
        (
            [{"method": "run", "steps": [{"name": "s", "n": 1}, {"name": "t", "n": 1}]}],
            [{"method": "run", "steps": [{"name": "s", "n": 1}, {"name": "t", "n": 2}]}],
            ["subroutine 1 'run': step 2 't': n 1 -> 2"],
        ),
    ],
)
def test_members_without_ids_are_compared_by_position_label_and_content(
    old: Any, new: Any, changes: list[str]
) -> None:
    assert sorted(texts({"subroutines": old}, {"subroutines": new})) == sorted(changes)


def link(name: str, label: str, **made: Any) -> dict[str, Any]:
    return {"id": name, "label": label, **({"generate_array": made} if made else {})}


PINS = [link(f"p{n}", f"Country {n} PIN") for n in range(12)]
DEATHS = link("pfDEgvPv", "AsthmaEpsd -> Deceased", method="single_value",
              parameters={"value": 0.031})  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ([], [DEATHS], ["link 'AsthmaEpsd -> Deceased' added (single_value 0.031)"]),
        ([DEATHS], [], ["link 'AsthmaEpsd -> Deceased' removed"]),
        (
            [],
            [link("a", "A", method="rise", parameters={"start": 1, "end_value": 0.9})],
            ["link 'A' added (rise start 1, end_value 0.9)"],
        ),
        ([], [link("a", "A", method="zero")], ["link 'A' added (zero)"]),
        (
            [link("a", "Target Coverage", parameters={"end_value": 0.8})],
            [link("a", "Target Coverage", parameters={"end_value": 0.9})],
            ["link 'Target Coverage': end_value 0.8 -> 0.9"],
        ),
        (
            [link("a", "Same", v=1), link("b", "Same", v=1)],
            [link("a", "Same", v=1), link("b", "Same", v=2)],
            ["link 'Same' (b): v 1 -> 2"],
        ),
        ([link("a", "A")], [link("a", "B")], ["link 'B': label A -> B"]),
        ([], PINS, ["12 links labelled '... PIN' added"]),
        (PINS, [], ["12 links labelled '... PIN' removed"]),
        ([], [link(f"c{n}", f"Cost of {n}") for n in range(4)],
         ["4 links labelled 'Cost of ...' added"]),
        ([], PINS[:3], [f"link 'Country {n} PIN' added" for n in range(3)]),
        ([], [link(name, name.upper()) for name in "abcd"],
         [f"link '{name}' added" for name in "ABCD"]),
        ([DEATHS, PINS[0], PINS[1]], [PINS[0], PINS[1], DEATHS],
         ["link 'AsthmaEpsd -> Deceased' moved to the end (from 1 to 3)"]),
        ([PINS[0], PINS[1], DEATHS], [DEATHS, PINS[0], PINS[1]],
         ["link 'AsthmaEpsd -> Deceased' moved before 'Country 0 PIN' (from 3 to 1)"]),
    ],
)  # fmt: skip
def test_members_are_told_in_the_models_words(old: Any, new: Any, changes: list[str]) -> None:
    assert texts({"links": old}, {"links": new}) == changes


def test_subroutine_is_counted_as_it_stands_in_the_document() -> None:
    before = [AGE | {"step": number} for number in range(43)]
    old = {"subroutines": [*before, echo("Deceased")]}
    new = {"subroutines": [*before, echo("Deceased", "DsFreeSus")]}
    assert texts(old, new) == ["subroutine 44 'echo': DsFreeSus added to included_source_nodes"]


def test_what_can_move_a_number_comes_first() -> None:
    old = {
        "metadata": {"country": "AFG", "file_id": 1, "version": 2},
        "other": 1,
        "subroutines": [AGE, ROLL],
        "links": [{"id": "l", "operator": "add"}],
        "nodes": [node("n", value=1) | {"x": 1, "y": 2, "color": "red"}, node("gone")],
        "runtime": {"startYear": 2025},
    }
    new = {
        "metadata": {},
        "other": 2,
        "subroutines": [ROLL, AGE],
        "links": [{"id": "l", "operator": "set"}],
        "nodes": [node("n", value=2) | {"x": 3, "y": 4, "color": "blue", "description": "New"}],
        "runtime": {"startYear": 2025, "synchronous_iterations": 10},
    }
    found = document_changes(old, new, StudySettings.ignore)
    assert [str(change) for change in found if not change.sum_noun] == [
        "runtime.synchronous_iterations added: 10",
        "node n: value 1 -> 2",
        "node gone removed",
        "subroutine 1 'roll' moved before 'age' (from 2 to 1)",
        "other 1 -> 2",
        "link l: operator add -> set",
    ]
    rest = [change.sum_noun for change in found[6:]]
    assert sorted(rest) == ["layout value"] * 3 + ["metadata value"] * 3 + ["text"]


def test_edited_words_of_a_subroutine_do_not_hide_what_else_changed() -> None:
    old = {"subroutines": [AGE | {"narration": "Old"}, ROLL | {"narration": "Old"}]}
    new = {"subroutines": [ROLL | {"narration": "New"}, AGE | {"narration": "New", "step": 2}]}
    found = document_changes(old, new, StudySettings.ignore)
    assert [(str(change), change.sum_noun) for change in found] == [
        ("subroutine 2 'age': step 1 -> 2", ""),
        ("subroutine 1 'roll' moved before 'age' (from 2 to 1)", ""),
        ("subroutine 1 'roll': narration Old -> New", "text"),
        ("subroutine 2 'age': narration Old -> New", "text"),
    ]


def test_ignored_members_of_a_list_are_no_change_of_its_other_members() -> None:
    old, new = {"tables": [1, 2, 3]}, {"tables": [9, 2, 4]}
    found = document_changes(old, new, ["$.tables[0]"])
    assert [(str(change), bool(change.sum_noun)) for change in found] == [
        ("tables [2, 3] -> [2, 4]", False),
        ("tables [1] -> [9]", True),
    ]


def test_what_is_no_input_within_a_list_of_several_kinds_is_told_as_such() -> None:
    old, new = {"nodes": [{}, [], 1]}, {"nodes": [{"x": None}, [], 1]}
    found = document_changes(old, new, StudySettings.ignore)
    assert [bool(change.sum_noun) for change in found] == [True]


# --- nothing is missed ---------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a", "b", "1"])
NAMES = st.sampled_from(["id", "x", "label", "a", "b"])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)
TEXTS = st.lists(st.sampled_from("abcd"), max_size=6)
MEMBERS = st.lists(st.fixed_dictionaries({"method": st.sampled_from("ab"), "e": TEXTS}), max_size=5)
WITH_IDS = st.lists(st.fixed_dictionaries({"id": st.sampled_from("abc"), "x": SCALARS}), max_size=5)
ROOTS = st.dictionaries(
    st.sampled_from(["nodes", "subroutines", "metadata", "runtime"]),
    DOCUMENTS | TEXTS | MEMBERS | WITH_IDS,
    max_size=3,
)


@settings(max_examples=400, deadline=None)
@given(ROOTS, ROOTS)
def test_two_documents_that_differ_have_a_change_and_equal_ones_none(old: Any, new: Any) -> None:
    before = copy.deepcopy([old, new])
    found = document_changes(old, new)
    assert bool(found) == (canonical_json(old) != canonical_json(new))
    assert [old, new] == before


@settings(max_examples=400, deadline=None)
@given(ROOTS, ROOTS)
def test_what_is_input_is_named_if_and_only_if_it_differs(old: Any, new: Any) -> None:
    from ingest.study.json_paths import remove

    found = document_changes(old, new, StudySettings.ignore)
    sides = [canonical_json(remove(copy.deepcopy(d), StudySettings.ignore)) for d in (old, new)]
    assert any(not change.sum_noun for change in found) == (sides[0] != sides[1])
