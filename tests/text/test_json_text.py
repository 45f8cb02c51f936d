from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.text.json_text import json_text

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
ROWS = st.lists(st.dictionaries(st.text(), SCALARS))
VALUES = st.recursive(
    SCALARS | ROWS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(VALUES)
def test_indented_text_is_that_of_the_standard_library(value: Any) -> None:
    assert json_text(value, indent=2) == json.dumps(plain(value), indent=2)


@pytest.mark.parametrize(
    "value",
    [
        [{"a": "},\n      {", "b": 1.5}, {"a": '"},', "b": None}],
        [{"a": [1, (2, 3)], "b": {}}, {}, []],
        {1: True, None: "x", 2.5: [{"a": 1}], "\u00e9\n": "\u00e9\n: 0"},
        {"rows": [{"a": 1}], "totals": ({"a": 1}, {"b": []})},
    ],
)
def test_marks_within_texts_and_rows_within_rows(value: Any) -> None:
    assert json_text(value, indent=2) == json.dumps(value, indent=2)


def test_what_json_has_not_is_null() -> None:
    assert json.loads(json_text([{"a": math.inf}, {"a": math.nan}], indent=2)) == [
        {"a": None},
        {"a": None},
    ]
