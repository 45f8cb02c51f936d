from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.analytics.parse import RawRow, ShortRow, parse_rows, row_word
from ingest.errors import AnalyticsError, CutOffError

HEADER = b"element_label,timestamp_year,value\n"


def error_of(raw: bytes) -> str:
    with pytest.raises(AnalyticsError) as error:
        parse_rows(raw)
    message = str(error.value)
    assert "\n" not in message
    return message


def as_json(*records: Any) -> bytes:
    return json.dumps(records).encode()


def record(label: Any = "L", year: Any = 2030, value: Any = 1.5, **more: Any) -> dict[str, Any]:
    return {"element_label": label, "timestamp_year": year, "value": value, **more}


# --- JSON ----------------------------------------------------------------------------------------


def test_json_records_are_numbered_from_one() -> None:
    assert parse_rows(as_json(record("A"), record("B", 2031, 2.5))) == [
        RawRow(1, "A", 2030, 1.5),
        RawRow(2, "B", 2031, 2.5),
    ]


def test_json_keys_may_come_in_any_order_with_others_among_them() -> None:
    raw = (
        b'\xef\xbb\xbf \r\n [{"x": [1], "value": 1, "timestamp_year": 2030, "element_label": "L"}]'
    )
    assert parse_rows(raw) == [RawRow(1, "L", 2030, 1)]


def test_an_empty_json_array_has_no_rows() -> None:
    assert parse_rows(b"[]") == []


def test_values_are_left_as_they_are() -> None:
    rows = parse_rows(as_json(record(None, "2030", True), record(5, None, 10**30)))
    assert [row[1:] for row in rows] == [(None, "2030", True), (5, None, 10**30)]


@pytest.mark.parametrize("cut", [1, 10, 60, -1])
def test_truncated_json_is_told_with_its_place(cut: int) -> None:
    message = error_of(as_json(record(), record())[:cut])
    assert message.startswith("the results are broken or cut-off JSON: ")
    assert "line 1, column " in message
    assert "characters)" in message


def test_an_error_message_of_an_api_is_shown() -> None:
    message = error_of(b'{"message": "Forbidden: no such job \xc3\xa9t\xc3\xa9", "code": 403}')
    assert "no array of records but a JSON object" in message
    assert '"Forbidden: no such job été", "code": 403' in message


def test_a_large_json_object_is_shown_in_part() -> None:
    assert len(error_of(json.dumps({"data": ["x"] * 10_000}).encode())) < 400


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"[1, 2]", "record 1 of the results is no object: 1"),
        (b'["error"]', "record 1 of the results is no object: 'error'"),
        (b"[null]", "record 1 of the results is no object: None"),
        (b'[[["element_label"]]]', "record 1 of the results is no object: [['element_label']]"),
        (
            b'[{"element_label": "L", "year": 1, "value": 2}]',
            "record 1 of the results has no timestamp_year (it has element_label, year, value)",
        ),
        (b"[{}]", "record 1 of the results has no element_label, timestamp_year, value"),
    ],
)
def test_records_of_another_form_are_shown(raw: bytes, told: str) -> None:
    assert told in error_of(raw)


def test_a_record_of_another_form_further_down_is_told_by_its_number() -> None:
    assert error_of(as_json(record(), record(), {"error": "x"})).startswith("record 3 of the ")


@pytest.mark.parametrize(
    "raw",
    [b"[" * 100_000, b'[{"value": ' + b"[" * 100_000, b'[{"value": ' + b"9" * 5_000 + b"}]"],
)
def test_json_that_python_cannot_read_is_an_error_of_the_results(raw: bytes) -> None:
    assert error_of(raw).startswith("the results are ")


# --- CSV -----------------------------------------------------------------------------------------


def test_csv_rows_have_the_line_numbers_of_the_file() -> None:
    raw = HEADER + b"A,2030,1\n\n   \nB,2031,2\n"
    assert parse_rows(raw) == [RawRow(2, "A", "2030", "1"), RawRow(5, "B", "2031", "2")]


def test_line_numbers_count_line_ends_within_quotes() -> None:
    raw = HEADER + b'"A\nwith a line end",2030,1\nB,2031,2\n"C\r\n\r\n",2032,3\nD,2033,4\n'
    assert [(row.line, row.timestamp_year) for row in parse_rows(raw)] == [
        (2, "2030"),
        (4, "2031"),
        (5, "2032"),
        (8, "2033"),
    ]


def test_quoted_commas_and_quotes_are_part_of_a_label() -> None:
    raw = HEADER + b'"Cost, total ""net""",2030,"1.5"\n'
    assert parse_rows(raw) == [RawRow(2, 'Cost, total "net"', "2030", "1.5")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n", "\ufeff\r\n"])
def test_byte_order_marks_line_ends_and_blank_lines_are_fine(line_end: str, start: str) -> None:
    lines = ["element_label,timestamp_year,value", "Länge -> x,2030,1.5", "", "B,2031,2", ""]
    rows = parse_rows((start + line_end.join(lines)).encode())
    assert [row[1:] for row in rows] == [("Länge -> x", "2030", "1.5"), ("B", "2031", "2")]


def test_columns_may_come_in_any_order_with_blanks_and_others() -> None:
    raw = b"unit, value ,timestamp_year,element_label\nyears,1.5,2030,L\n"
    assert parse_rows(raw) == [RawRow(2, "L", "2030", "1.5")]


def test_a_header_alone_has_no_rows() -> None:
    assert parse_rows(HEADER) == []


def test_rows_of_another_length_are_rows_that_validation_tells() -> None:
    rows = parse_rows(HEADER + b"A,2030\nB,2031,2,3\nC\n,,\n")
    assert rows == [
        RawRow(2, ShortRow(2, 3), None, None),
        RawRow(3, ShortRow(4, 3), None, None),
        RawRow(4, ShortRow(1, 3), None, None),
        RawRow(5, "", "", ""),
    ]


@pytest.mark.parametrize(
    "rows",
    [
        b"A,2030,330",  # of 33048.5
        b"A,2030,33048.5\r\nB,2031,1",
        b'A,2030,1\n"B",2031,"2"',
        b'A,2030,1\n"B, and',
        b"A,2030,1\nB",
    ],
)
def test_csv_whose_last_line_has_no_end_is_cut_off(rows: bytes) -> None:
    raw = b"element_label,timestamp_year,value\r\n" + rows
    with pytest.raises(CutOffError, match="cut off: their last line has no line end"):
        parse_rows(raw)


def test_what_nothing_can_have_cut_off_may_lack_the_last_line_end() -> None:
    assert parse_rows(HEADER + b"A,2030,330", is_whole=True) == [RawRow(2, "A", "2030", "330")]


@pytest.mark.parametrize("raw", [b"", b"\n \n", b"\xef\xbb\xbf", b" "])
def test_empty_results_are_told(raw: bytes) -> None:
    assert error_of(raw) == "the results are empty: not even a header was found"


def test_csv_that_ends_within_quotes_is_told_with_its_line() -> None:
    message = error_of(HEADER + b'A,2030,1\n"B,2031,2\nC,2032,3\n')
    assert message.startswith("the results are broken or cut-off CSV: unexpected end of data")
    assert "(line 4)" in message


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"element_label,value", "lack the column timestamp_year: the header is"),
        (b"label,year,value", "lack the columns element_label, timestamp_year"),
        (b"element_label;timestamp_year;value", "'element_label;timestamp_year;value'"),
        (b"Element_Label,timestamp_year,value", "lack the column element_label"),
        (b"A,2030,1.5", "needed are element_label,timestamp_year,value"),
        (b"<html><body>502 Bad Gateway</body></html>", "502 Bad Gateway"),
        (b"null", "'null'"),
        (b"element_label,timestamp_year,value,value", "the column value more than once"),
    ],
)
def test_a_wrong_header_is_shown(header: bytes, told: str) -> None:
    assert told in error_of(header + b"\nA,2030,1\n")


@pytest.mark.parametrize("raw", [HEADER + b"L\xe4nge,2030,1\n", b'[{"element_label": "\xff'])
def test_text_that_is_not_utf8_is_told_with_its_byte(raw: bytes) -> None:
    place = next(n for n, byte in enumerate(raw, 1) if byte > 127)
    assert error_of(raw) == f"the results are not UTF-8 text (byte {place})"


def test_what_is_counted_is_named_after_the_format() -> None:
    assert row_word(HEADER) == row_word(b"") == row_word(b"\xff") == "line"
    assert row_word(b"\xef\xbb\xbf \n[") == row_word(b"{}") == "record"


@pytest.mark.parametrize("column", ["element_label", "timestamp_year", "value"])
def test_a_key_that_stands_twice_in_a_record_is_refused(column: str) -> None:
    good = '{"element_label": "value", "timestamp_year": 2030, "value": 1}'
    bad = good.replace("}", f',\n"{column}": 2031}}')
    with pytest.raises(AnalyticsError) as caught:
        parse_rows(f"[{good},\n{bad}]".encode())
    assert f"the key '{column}' stands twice in one object: line 2, column " in str(caught.value)
    assert str(caught.value).endswith(" and line 3, column 1")


def test_labels_named_like_columns_are_no_repeated_keys() -> None:
    record = '{"element_label": "value", "timestamp_year": 2030, "value": 1, "more": {"value": 2}}'
    assert len(parse_rows(f"[{record}, {record}]".encode())) == 2
