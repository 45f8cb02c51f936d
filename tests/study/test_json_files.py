from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.errors import ConfigError
from ingest.study.json_files import (
    JsonFileError,
    canonical_json,
    parse_json,
    read_json,
    sha256_text,
)

# a busy machine is no defect
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # no lone surrogates: text from a UTF-8 file has none
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def failure(text: str) -> str:
    with pytest.raises(JsonFileError) as caught:
        parse_json(text, "model.json")
    return str(caught.value)


def test_json_of_every_kind_is_read() -> None:
    text = '{"a": [1, -2.5e3, true, null, "ä\\u00e4"], "b": {}}'
    assert parse_json(text, "x") == {"a": [1, -2500.0, True, None, "ää"], "b": {}}


def test_invalid_json_is_told_with_line_and_column() -> None:
    text = '{\n "nodes": [\n  {"id": "a" "label": "A"}\n ]\n}'
    assert failure(text) == ("model.json, line 3, column 14: invalid JSON: Expecting ',' delimiter")


def test_truncated_json_is_told_with_line_and_column() -> None:
    assert failure('{"a":\n') == "model.json, line 2, column 1: invalid JSON: Expecting value"


def test_empty_text_is_no_json() -> None:
    assert failure("") == "model.json, line 1, column 1: invalid JSON: Expecting value"


def test_two_documents_in_one_text_are_refused() -> None:
    assert failure("{} {}") == "model.json, line 1, column 4: invalid JSON: Extra data"


def test_duplicate_key_is_refused_at_any_depth() -> None:
    text = '{"parameters": {"Coverage": 1, "Country": 2, "Coverage": 3}}'
    assert failure(text) == (
        "model.json: the key 'Coverage' stands twice in one object: "
        "line 1, column 17 and line 1, column 46"
    )
    text = '{"a \\"{": {"b": 1},\n "c": [{"b": "b: {"}, {"b": 2,\n   "\\u0062" : 3}]}'
    assert failure(text) == (
        "model.json: the key 'b' stands twice in one object: line 2, column 24 and line 3, column 4"
    )


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_refused(name: str) -> None:
    assert failure(f'{{"value": {name}}}') == f"model.json: {name} is not a JSON number"


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_a_number_that_would_become_infinite_is_refused(number: str) -> None:
    assert failure(f"[{number}]") == f"model.json: {number} is too large a number"


def test_a_whole_number_of_thousands_of_digits_is_refused() -> None:
    assert failure("9" * 5000) == f"model.json: {'9' * 20}... is too large a number"


def test_nesting_without_end_is_refused() -> None:
    for levels in (101, 900, 100_000):
        text = "[" * levels + "]" * levels
        assert failure(text) == "model.json: nested too deeply: 100 levels at most"
        assert failure('{"a":' * levels + "1" + "}" * levels).endswith("100 levels at most")
    assert parse_json("[" * 100 + "]" * 100, "model.json")


def test_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(JsonFileError) as caught:
        read_json(tmp_path / "model.json", "model.json")
    assert str(caught.value) == "model.json: cannot be read: No such file or directory"


def test_folder_in_place_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(JsonFileError) as caught:
        read_json(tmp_path, "model.json")
    assert str(caught.value) == "model.json: cannot be read: it is a folder, not a file"


def test_bytes_that_are_not_utf8_are_told_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b'{\n "name": "C\xf4te"\n}')
    with pytest.raises(JsonFileError) as caught:
        read_json(tmp_path / "c.json", "countries/c.json")
    assert str(caught.value) == "countries/c.json, line 2, column 12: byte 0xf4 is not UTF-8"
    assert caught.value.where == "countries/c.json, line 2, column 12"
    assert caught.value.reason == "byte 0xf4 is not UTF-8"


def test_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "c.json", "c.json") == {"a": 1}


def test_json_error_is_a_usage_error() -> None:
    assert issubclass(JsonFileError, ConfigError)
    assert JsonFileError.exit_code == 2


def test_canonical_json_has_sorted_keys_no_blanks_and_ascii_alone() -> None:
    assert canonical_json({"b": [1, 1.5], "a": "é"}) == '{"a":"\\u00e9","b":[1,1.5]}'


@unhurried
@given(json_values)
def test_canonical_json_loses_nothing(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@unhurried
@given(st.dictionaries(st.text(), json_values, min_size=2))
def test_canonical_json_does_not_depend_on_key_order(value: dict[str, Any]) -> None:
    reordered = dict(reversed(list(value.items())))
    assert canonical_json(reordered) == canonical_json(value)


def test_sha256_is_that_of_the_utf8_bytes() -> None:
    known = "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"
    assert sha256_text("é") == known
