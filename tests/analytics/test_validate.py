from __future__ import annotations

import csv
import io
import json
import math
import random
import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.analytics.parse import RawRow
from ingest.analytics.validate import (
    FIRST_YEAR,
    LAST_YEAR,
    NO_LINE_END,
    SHOWN_ROWS,
    parse_analytics,
    validate_rows,
)
from ingest.errors import AnalyticsError
from ingest.metrics import Metric, ResultSet
from ingest.study.setting_fields import TextList
from tests.effort import examples

COLUMNS = ["element_label", "timestamp_year", "value"]


def as_csv(*rows: tuple[Any, ...], header: str = ",".join(COLUMNS)) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header.split(","), *rows])
    return text.getvalue().encode()


def as_json(*rows: tuple[Any, ...]) -> bytes:
    return json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows]).encode()


def error_of(raw: bytes, **options: Any) -> str:
    with pytest.raises(AnalyticsError) as error:
        parse_analytics(raw, **options)
    return str(error.value)


# --- good rows -----------------------------------------------------------------------------------


def test_a_cut_off_csv_is_refused_and_noted_where_it_cannot_be_one() -> None:
    raw = b"element_label,timestamp_year,value\r\nA,2030,330"
    with pytest.raises(AnalyticsError, match="cut off"):
        parse_analytics(raw)
    assert parse_analytics(raw, is_whole=True).notes == (NO_LINE_END,)
    assert parse_analytics(raw + b"\r\n", is_whole=True).notes == ()


def test_metrics_are_sorted_by_label_and_year() -> None:
    rows = [("B", 2031, 1.0), ("A", 2032, 2.0), ("B", 2030, 3.0), ("A", 2031, 4.0)]
    expected = [Metric(*row) for row in sorted(rows)]
    assert list(parse_analytics(as_json(*rows))) == list(parse_analytics(as_csv(*rows))) == expected
    assert parse_analytics(as_json(*rows)).notes == ()


@pytest.mark.parametrize("year", [2030, 2030.0, "2030", "2030.0", " 2030 ", "2.03e3"])
def test_a_whole_year_is_read_however_it_is_written(year: Any) -> None:
    assert list(parse_analytics(as_json(("L", year, 1.0)))) == [Metric("L", 2030, 1.0)]
    assert list(parse_analytics(as_csv(("L", year, 1.0)))) == [Metric("L", 2030, 1.0)]
    (metric,) = parse_analytics(as_json(("L", year, 1.0)))
    assert type(metric.timestamp_year) is int


@pytest.mark.parametrize(
    ("written", "value"),
    [(7, 7.0), ("1.5", 1.5), (" -1e-3 ", -0.001), (10**30, 1e30), ("0.1", 0.1), (-0.0, 0.0)],
)
def test_a_value_is_read_however_it_is_written(written: Any, value: float) -> None:
    for raw in (as_json(("L", 2030, written)), as_csv(("L", 2030, written))):
        (metric,) = parse_analytics(raw)
        assert metric.value == value
        assert type(metric.value) is float


@pytest.mark.parametrize(
    "label", ["Années -> état", "a, b", 'the "net" cost', "喘息 🫁", "x\u00a0y"]
)
def test_any_text_is_a_label(label: str) -> None:
    for raw in (as_json((label, 2030, 1.0)), as_csv((label, 2030, 1.0))):
        assert list(parse_analytics(raw)) == [Metric(label, 2030, 1.0)]


@pytest.mark.parametrize("label", ["Cost, total", "ratio: A/B", "می\u200cخواهم", "🧑\u200d⚕️", "é"])
def test_a_label_is_kept_as_it_is(label: str) -> None:
    for render in (as_csv, as_json):
        assert list(parse_analytics(render((label, 2030, 1.0)))) == [Metric(label, 2030, 1.0)]


def test_labels_in_a_text_with_commas_are_those_that_the_results_have() -> None:
    rows = [(label, 2030, 1.0) for label in ("Cost, total", "Cost", "total", "Deaths")]
    kept = {
        "Cost, total": ["Cost, total"],
        "total,Cost, total": ["Cost, total", "total"],
        "Cost,total": ["Cost", "total"],
        "Deaths": ["Deaths"],
    }
    for text, labels in kept.items():
        result_set = parse_analytics(as_json(*rows), element_labels=TextList(text))
        assert result_set.element_labels == labels
    listed = parse_analytics(as_json(*rows), element_labels=("Cost", "total"))
    assert listed.element_labels == ["Cost", "total"]


def test_years_from_1900_to_2300_are_taken() -> None:
    rows = [("L", FIRST_YEAR, 1.0), ("L", LAST_YEAR, 2.0)]
    assert parse_analytics(as_json(*rows)).years() == (1900, 2300)


def test_minus_zero_is_zero_in_the_digest_too() -> None:
    minus, plus = (parse_analytics(as_json(("L", 2030, zero))) for zero in (-0.0, 0.0))
    assert minus.digest == plus.digest
    assert parse_analytics(as_csv(("L", 2030, "-0"))).digest == plus.digest
    both = parse_analytics(as_json(("L", 2030, -0.0), ("L", 2030, 0.0)))
    assert both.digest == plus.digest


# --- bad rows ------------------------------------------------------------------------------------


BAD = {
    "nan": ("L", 2030, math.nan, "value nan is not finite ('L' 2030)"),
    "infinity": ("L", 2030, math.inf, "value inf is not finite"),
    "null value": ("L", 2030, None, "value None is no number"),
    "boolean value": ("L", 2030, True, "value True is no number"),
    "text value": ("L", 2030, "many", "value 'many' is no number"),
    "empty value": ("L", 2030, "", "value '' is no number"),
    "underscored value": ("L", 2030, "1_000", "value '1_000' is no number"),
    "thousands": ("L", 2030, "1,000", "value '1,000' is no number"),
    "array value": ("L", 2030, [1], "value [1] is no number"),
    "huge value": ("L", 2030, 10**400, "is too large for a number"),
    "null year": ("L", None, 1.0, "timestamp_year None is no number"),
    "boolean year": ("L", True, 1.0, "timestamp_year True is no number"),
    "text year": ("L", "soon", 1.0, "timestamp_year 'soon' is no number"),
    "half year": ("L", 2030.5, 1.0, "timestamp_year 2030.5 is no whole year"),
    "nan year": ("L", math.nan, 1.0, "timestamp_year nan is no whole year"),
    "huge year": ("L", 10**400, 1.0, "is too large for a number"),
    "early year": ("L", 1899, 1.0, "timestamp_year 1899 is not within 1900-2300"),
    "late year": ("L", 2301, 1.0, "timestamp_year 2301 is not within 1900-2300"),
    "null label": (None, 2030, 1.0, "element_label None is no text"),
    "number label": (5, 2030, 1.0, "element_label 5 is no text"),
    "empty label": ("", 2030, 1.0, "element_label '' is blank"),
    "blank label": ("  ", 2030, 1.0, "element_label '  ' is blank"),
    "edge space": ("L ", 2030, 1.0, "element_label 'L ' begins or ends with a space"),
    "NUL": ("L\0M", 2030, 1.0, "element_label 'L\\x00M' holds a control character (U+0000)"),
    "line break": ("L\nM", 2030, 1.0, "element_label 'L\\nM' holds a line break (U+000A)"),
    "direction": ("L\u202eM", 2030, 1.0, "element_label 'L\\u202eM' holds a mark of direction"),
    "zero width": ("L\u200bM", 2030, 1.0, "'L\\u200bM' holds a character that nobody sees"),
    "half a character": ("\ud83d", 2030, 1.0, "element_label '\\ud83d' is no Unicode text"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_told_with_its_record(name: str) -> None:
    label, year, value, told = BAD[name]
    message = error_of(as_json(("Good", 2030, 1.0), (label, year, value)))
    assert message.startswith("1 bad row in the results: record 2: ")
    assert told in message
    message.encode()


@pytest.mark.parametrize("text", ["NaN", "inf", "-Infinity", "1e999", "-1e999"])
def test_csv_values_that_are_not_finite_are_told_with_their_line(text: str) -> None:
    message = error_of(as_csv(("Good", 2030, 1.0), ("L", 2030, text)))
    assert message == f"1 bad row in the results: line 3: value {text!r} is not finite ('L' 2030)"


def test_json_numbers_beyond_a_double_are_not_finite() -> None:
    raw = b'[{"element_label": "L", "timestamp_year": 2030, "value": 1e999}]'
    assert "record 1: value inf is not finite" in error_of(raw)


def test_rows_of_another_length_are_told_with_their_line() -> None:
    raw = as_csv(("A", 2030, 1.0), ("B", 2031), ("C", 2032, 3.0, 4.0))
    assert error_of(raw) == (
        "2 bad rows in the results: line 3: 2 cells instead of 3; line 4: 4 cells instead of 3 "
        "(numbers with thousands commas need quotes)"
    )


def test_the_line_is_that_of_the_file_after_quoted_line_ends() -> None:
    raw = as_csv(("A\nB", 2030, 1.0), ("C\r\nD\nE", 2031, 2.0), ("F", 1, 1.0))
    assert "line 7: timestamp_year '1'" in error_of(raw)


def test_the_first_five_bad_rows_are_shown_and_the_others_counted() -> None:
    message = error_of(as_csv(*[("L", 2000 + n, "x") for n in range(12)]))
    assert message.startswith("12 bad rows in the results: line 2: ")
    assert re.findall(r"line (\d+)", message) == ["2", "3", "4", "5", "6"]
    assert message.endswith("; and 7 more")


def test_exactly_five_bad_rows_are_all_shown() -> None:
    message = error_of(as_csv(*[("L", 2000 + n, "x") for n in range(SHOWN_ROWS)]))
    assert message.count("line ") == SHOWN_ROWS
    assert "more" not in message


def test_a_row_that_stands_twice_with_the_same_value_is_kept_once_and_noted() -> None:
    rows = [("L", 2030, 1.0), ("M", 2030, 2.0), ("L", 2030.0, "1.0"), ("L", 2030, 1)]
    result_set = parse_analytics(as_json(*rows))
    assert list(result_set) == [("L", 2030, 1.0), ("M", 2030, 2.0)]
    assert result_set.notes == ("2 repeated rows with the same value kept once",)


def test_a_row_that_stands_twice_with_different_values_is_an_error() -> None:
    message = error_of(as_csv(("L", 2030, 1.0), ("L", 2030, 1.5)))
    assert message == "1 bad row in the results: line 3: 'L' 2030 stands twice, with 1.0 and 1.5"


@pytest.mark.parametrize("raw", [b"[]", as_csv()])
def test_results_without_a_row_are_an_error(raw: bytes) -> None:
    assert error_of(raw) == error_of(raw, on_bad_rows="skip") == "the results hold no metric"


# --- skipping ------------------------------------------------------------------------------------


def test_skipping_drops_counts_and_notes_bad_rows() -> None:
    rows = [("A", 2030, 1.0), ("B", 1, 1.0), ("C", 2030, None), ("D", 2030, 2.0)]
    result_set = parse_analytics(as_json(*rows), on_bad_rows="skip")
    assert result_set.element_labels == ["A", "D"]
    (note,) = result_set.notes
    assert note.startswith("2 bad rows dropped: record 2: timestamp_year 1 is not within")
    assert "; record 3: value None is no number ('C' 2030)" in note


def test_skipping_keeps_the_first_of_two_different_values() -> None:
    rows = [("L", 2030, 1.0), ("L", 2030, 1.5), ("L", 2030, 1.0)]
    result_set = parse_analytics(as_csv(*rows), on_bad_rows="skip")
    assert list(result_set) == [("L", 2030, 1.0)]
    assert result_set.notes == (
        "1 bad row dropped: line 3: 'L' 2030 stands twice, with 1.0 and 1.5",
        "1 repeated row with the same value kept once",
    )


def test_skipping_every_row_is_an_error() -> None:
    message = error_of(as_csv(("L", 2030, "x")), on_bad_rows="skip")
    assert message.startswith("the results hold no metric; all rows were bad: line 2: value 'x'")


# --- labels --------------------------------------------------------------------------------------


def test_only_the_labels_asked_for_are_kept() -> None:
    rows = [("A", 2030, 1.0), ("B", 2030, 2.0), ("C", 2030, "bad"), ("A", 2031, 3.0)]
    result_set = parse_analytics(as_csv(*rows), element_labels=["A", "Z"])
    assert list(result_set) == [("A", 2030, 1.0), ("A", 2031, 3.0)]
    assert result_set.notes == ()


def test_rows_whose_label_cannot_be_read_are_told_whatever_is_asked_for() -> None:
    assert "cells instead of" in error_of(as_csv(("A", 2030, 1.0), ("B",)), element_labels=["A"])
    assert "no text" in error_of(as_json(("A", 2030, 1.0), (None, 1, 1)), element_labels=["A"])


def test_labels_that_are_not_there_are_told_with_those_that_are() -> None:
    rows = [(label, 2030, 1.0) for label in "GFEDCBA"]
    message = error_of(as_csv(*rows), element_labels=["Population"])
    assert "analytics.element_labels" in message
    assert message.endswith("'A', 'B', 'C', 'D', 'E' ...")


# --- properties ----------------------------------------------------------------------------------

LABELS = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), min_size=1, max_size=12
).filter(lambda label: label == label.strip() != "")
YEARS = st.integers(FIRST_YEAR, LAST_YEAR)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
VALID = st.dictionaries(st.tuples(LABELS, YEARS), VALUES, min_size=1, max_size=30)


@settings(deadline=None)
@given(VALID, st.randoms(use_true_random=False))
def test_json_and_csv_in_any_order_give_the_same_result_set(
    values: dict[tuple[str, int], float], shuffler: random.Random
) -> None:
    rows = [(*key, value) for key, value in values.items()]
    expected = validate_rows([RawRow(0, *row) for row in rows])
    for render in (as_json, as_csv):
        shuffler.shuffle(rows)
        result_set = parse_analytics(render(*rows))
        assert list(result_set) == list(expected) == sorted(result_set)
        assert result_set.digest == expected.digest
        assert result_set.notes == ()
    assert {(m.element_label, m.timestamp_year): m.value for m in expected} == values


@settings(deadline=None)
@given(VALID, st.data())
def test_digests_differ_when_one_row_differs(
    values: dict[tuple[str, int], float], data: st.DataObject
) -> None:
    metrics = [Metric(*key, value) for key, value in sorted(values.items())]
    place = data.draw(st.integers(0, len(metrics) - 1))
    metric = metrics[place]
    other = data.draw(
        st.sampled_from(
            [
                metric._replace(value=math.nextafter(metric.value, math.inf)),
                metric._replace(value=math.nextafter(metric.value, -math.inf)),
                metric._replace(timestamp_year=metric.timestamp_year + 1),
                metric._replace(element_label=metric.element_label + "!"),
            ]
        )
    )
    changed = [*metrics[:place], other, *metrics[place + 1 :]]
    assert ResultSet(changed).digest != ResultSet(metrics).digest


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["A", "B", 2030, 2031, 1.0, 2.0, "2030", "1.0"]),
)


@settings(deadline=None, max_examples=examples(100, long=3_000))
@given(st.lists(st.tuples(ANYTHING, ANYTHING, ANYTHING), max_size=20))
def test_no_row_ever_vanishes(rows: list[tuple[Any, Any, Any]]) -> None:
    raw = [RawRow(number, *row) for number, row in enumerate(rows, 1)]
    good = RawRow(0, "a good row", 2030, 1.0)
    result_set = validate_rows([good, *raw], on_bad_rows="skip")
    notes = " ".join(result_set.notes)
    dropped = re.search(r"(\d+) bad rows? dropped", notes)
    repeated = re.search(r"(\d+) repeated row", notes)
    counted = sum(int(match[1]) for match in (dropped, repeated) if match)
    assert len(result_set) + counted == 1 + len(rows)
    assert all(math.isfinite(metric.value) for metric in result_set)


@settings(deadline=None, max_examples=examples(100, long=3_000))
@given(st.lists(st.lists(st.text(max_size=4), min_size=1, max_size=5), max_size=12))
def test_no_csv_line_ever_vanishes(lines: list[list[str]]) -> None:
    raw = as_csv(("Good", 2030, 1.0), *lines)
    blank = sum(1 for cells in lines if len(cells) == 1 and not cells[0].strip())
    result_set = parse_analytics(raw, on_bad_rows="skip")
    dropped = re.match(r"(\d+) bad row", " ".join(result_set.notes))
    assert len(result_set) + (int(dropped[1]) if dropped else 0) == 1 + len(lines) - blank


@settings(deadline=None, max_examples=examples(100, long=3_000))
@given(st.one_of(st.binary(), st.text().map(str.encode), st.just(b"[").map(lambda b: b * 9)))
def test_any_bytes_give_metrics_or_an_analytics_error(raw: bytes) -> None:
    for on_bad_rows in ("fail", "skip"):
        with suppress(AnalyticsError):
            assert len(parse_analytics(raw, on_bad_rows=on_bad_rows)) > 0


@settings(deadline=None, max_examples=examples(50, long=1_000))
@given(VALID, st.data())
def test_cut_off_json_is_always_an_error(
    values: dict[tuple[str, int], float], data: st.DataObject
) -> None:
    raw = as_json(*[(*key, value) for key, value in values.items()])
    cut = data.draw(st.integers(0, len(raw) - 1))
    assert error_of(raw[:cut])
