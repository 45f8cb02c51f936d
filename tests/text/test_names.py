from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import ConfigError
from ingest.text.names import look_alikes, name_problem, require_name, split_names

KNOWN = ("Cost, total", "Cost", "total", "a,b,c", "b", "up", "up ")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Cost, total", ["Cost, total"]),
        ("Cost,total", ["Cost", "total"]),
        ("total,Cost, total,b", ["total", "Cost, total", "b"]),
        (" Cost, total ,b", ["Cost, total", "b"]),
        ("a,b,c", ["a,b,c"]),
        ("a,b", ["a", "b"]),
        ("up ", ["up "]),
        (" up", ["up"]),
        ("b,b,,b", ["b"]),
        (" , ", []),
        ("", []),
        ("Cost*,x", ["Cost*", "x"]),
    ],
)
def test_a_known_name_is_never_split(text: str, names: list[str]) -> None:
    assert split_names(text, KNOWN) == names


@given(st.lists(st.text("ab, ", min_size=1), max_size=5))
def test_every_known_name_is_found_by_itself(known: list[str]) -> None:
    for name in known:
        if name.strip():
            assert split_names(name, known) == [name]


def test_without_known_names_every_comma_separates() -> None:
    assert split_names("KEN, UGA ,KEN,") == ["KEN", "UGA"]


PROBLEMS = {
    "": "is blank",
    " \t": "is blank",
    "up ": "begins or ends with a space",
    "\N{NO-BREAK SPACE}up": "begins or ends with a space",
    "a\nb": "holds a line break (U+000A)",
    "a\u2028b": "holds a line break (U+2028)",
    "a\tb": "holds a control character (U+0009)",
    "a\0b": "holds a control character (U+0000)",
    "a\x9fb": "holds a control character (U+009F)",
    "a\u202eb": "holds a mark of direction, which nobody sees (U+202E)",
    "a\u200eb": "holds a mark of direction, which nobody sees (U+200E)",
    "a\u200bb": "holds a character that nobody sees (U+200B)",
    "\ufeffa": "holds a character that nobody sees (U+FEFF)",
    "a\udc80": "is no Unicode text",
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_cannot_be_told_apart_is_no_name(name: str) -> None:
    assert name_problem(name) == PROBLEMS[name]
    with pytest.raises(ConfigError) as caught:
        require_name("--name", name)
    assert str(caught.value) == f"--name {name!r} {PROBLEMS[name]}; give another name"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", ["a b", "Cost, total", "Côte d'Ivoire", "می\u200cخواهم", "人口", "%"]
)
def test_names_of_every_language_are_names(name: str) -> None:
    assert name_problem(name) is None


def test_names_that_look_alike_are_found() -> None:
    names = ["café", "cafe\u0301", "Baseline", "baseline", "up", "up 2", "up\u00a02", "down", "up"]
    assert look_alikes(names) == [
        ["café", "cafe\u0301"],
        ["Baseline", "baseline"],
        ["up 2", "up\u00a02"],
    ]
    assert look_alikes(["straße", "STRASSE"]) == [["straße", "STRASSE"]]
    assert look_alikes(["a", "b"]) == []
