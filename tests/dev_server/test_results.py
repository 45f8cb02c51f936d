from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from ingest.analytics.validate import parse_analytics
from ingest.dev_server.results import (
    QueryMistakeError,
    encode_rows,
    made_up_rows,
    parse_query,
    rows_in,
    select_rows,
)

RAW = (
    b"element_label,timestamp_year,value\n"
    b'"Cases, all",2025,1\n"Cases, all",2026,2.5\n'
    b"A -> B,2025,10\nA -> B,2026,20\nA -> B,2027,5\n"
)
DEFAULT = {
    "event_type": "ECHO",
    "group_by": "element_label",
    "group_by_date": "timestamp:year",
    "aggregations": "value:last",
}


def ask(**parameters: str) -> list[tuple[Any, ...]]:
    query = parse_query(urlencode(parameters))
    return [tuple(row.values()) for row in select_rows(rows_in(RAW), query)]


def test_default_query_gives_every_row() -> None:
    assert ask(**DEFAULT) == [
        ("Cases, all", 2025, 1),
        ("Cases, all", 2026, 2.5),
        ("A -> B", 2025, 10),
        ("A -> B", 2026, 20),
        ("A -> B", 2027, 5),
    ]


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"element_label": "A -> B"}, {("A -> B", 2025), ("A -> B", 2026), ("A -> B", 2027)}),
        ({"element_label__neq": "A -> B"}, {("Cases, all", 2025), ("Cases, all", 2026)}),
        ({"element_label__contains": "all"}, {("Cases, all", 2025), ("Cases, all", 2026)}),
        ({"element_label__in": "X,A -> B"}, {("A -> B", y) for y in (2025, 2026, 2027)}),
        ({"timestamp_year": "2027.0"}, {("A -> B", 2027)}),
        ({"timestamp_year__in": "2024,2027"}, {("A -> B", 2027)}),
        ({"timestamp_year__gt": "2026"}, {("A -> B", 2027)}),
        ({"timestamp_year__gte": "2027"}, {("A -> B", 2027)}),
        ({"value__lt": "2"}, {("Cases, all", 2025)}),
        ({"value__lte": "2.5"}, {("Cases, all", 2025), ("Cases, all", 2026)}),
        ({"value__gt": "5", "timestamp_year": "2025"}, {("A -> B", 2025)}),
        ({"value__gt": "many"}, set()),
        ({"timestamp_year__contains": "27"}, {("A -> B", 2027)}),
    ],
)
def test_filters_keep_what_they_say(condition: dict[str, str], kept: set[Any]) -> None:
    assert {row[:2] for row in ask(**DEFAULT, **condition)} == kept


def test_sum_adds_up_over_the_years() -> None:
    sums = ask(group_by="element_label", aggregations="value:sum")
    assert sums == [("Cases, all", 3.5), ("A -> B", 35)]


def test_last_is_the_newest_year() -> None:
    assert ask(group_by="element_label") == [("Cases, all", 2.5), ("A -> B", 5)]
    assert ask(group_by_date="timestamp:year") == [(2025, 10), (2026, 20), (2027, 5)]


@pytest.mark.parametrize("event_type", ["BALANCE_SET", "EDGE_VALUES_CALCULATED"])
def test_rows_are_echo_events_alone(event_type: str) -> None:
    assert ask(**DEFAULT | {"event_type": event_type}) == []
    assert len(ask(**DEFAULT | {"event_type": "*"})) == 5


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("country=KEN", "no parameter or column 'country'; columns are element_label, "
         "timestamp_year, value"),
        ("value__like=1", "value__like: 'like' is none of eq, neq, gt, gte, lt, lte, in, contains"),
        ("event_type=echo",
         "event_type: 'echo' is none of *, ECHO, BALANCE_SET, EDGE_VALUES_CALCULATED"),
        ("group_by=country", "group_by: 'country' is none of element_label"),
        ("aggregations=value:mean",
         "aggregations: 'value:mean' is none of value:last, value:sum"),
        ("aggregations=value:sum&aggregations=value:last",
         "aggregations: one is answered at a time"),
    ],
)  # fmt: skip
def test_wrong_query_is_told(query: str, message: str) -> None:
    with pytest.raises(QueryMistakeError) as caught:
        parse_query(query)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("query", "accept", "as_csv"),
    [
        ("", "*/*", False),
        ("", "text/csv", True),
        ("format=csv", "application/json", True),
        ("format=json", "text/csv", False),
    ],
)
def test_form_is_chosen_by_parameter_then_header(query: str, accept: str, as_csv: bool) -> None:
    assert parse_query(query, accept).as_csv is as_csv


def test_csv_and_json_hold_the_same_numbers() -> None:
    rows = made_up_rows("a document")
    as_csv, as_json = (encode_rows(rows, as_csv=flag) for flag in (True, False))
    assert parse_analytics(as_csv).digest == parse_analytics(as_json).digest
    assert next(csv.reader(io.StringIO(as_csv.decode()))) == list(rows[0])
    assert '"Cases, all severities",2025,' in as_csv.decode()


def test_no_row_is_an_empty_array_or_a_header_alone() -> None:
    assert json.loads(encode_rows([], as_csv=False)) == []
    assert encode_rows([], as_csv=True) == b"element_label,timestamp_year,value\n"


def test_made_up_rows_follow_from_their_subject() -> None:
    assert made_up_rows("one") == made_up_rows("one")
    assert made_up_rows("one") != made_up_rows("another")
    assert len(made_up_rows("one")) == 12 * 26
