from __future__ import annotations

import hashlib
import json
import math
import struct

from hypothesis import given
from hypothesis import strategies as st

from ingest.metrics import Metric, ResultSet

METRICS = [
    Metric("Births", 2030, 1.5),
    Metric("Births", 2031, 2.5),
    Metric("Population", 2029, 54_027_487.0),
]


def test_a_result_set_knows_its_labels_and_years() -> None:
    result_set = ResultSet(METRICS)
    assert len(result_set) == 3
    assert list(result_set) == METRICS
    assert result_set.element_labels == ["Births", "Population"]
    assert result_set.years() == (2029, 2031)


def test_an_empty_result_set_has_no_years_but_a_digest() -> None:
    assert ResultSet([]).years() is None
    assert ResultSet([]).element_labels == []
    assert ResultSet([]).digest != ResultSet(METRICS).digest


def test_the_digest_is_that_of_the_documented_bytes() -> None:
    labels = json.dumps([["Births", 2], ["Population", 1]]).encode()
    years = struct.pack("<3q", 2030, 2031, 2029)
    values = struct.pack("<3d", 1.5, 2.5, 54_027_487.0)
    expected = hashlib.sha256(labels + years + values).hexdigest()
    assert ResultSet(METRICS).digest == expected


def test_the_digest_is_the_same_on_every_machine_and_in_every_version() -> None:
    # databases hold it: were it to change, every stored result would seem to have changed
    assert ResultSet(METRICS).digest == (
        "930909bde1d660da2d33c17cf90047014e639f1b9de406dbe30cbe7a912fb9b7"
    )


def test_notes_are_no_part_of_the_digest() -> None:
    assert ResultSet(METRICS).digest == ResultSet(METRICS, ("1 bad row dropped",)).digest


@given(
    st.integers(0, 2),
    st.sampled_from(["value", "smaller value", "year", "label"]),
)
def test_the_digest_differs_when_anything_differs_in_the_last_bit(place: int, what: str) -> None:
    metric = METRICS[place]
    changed = {
        "value": metric._replace(value=math.nextafter(metric.value, math.inf)),
        "smaller value": metric._replace(value=math.nextafter(metric.value, 0)),
        "year": metric._replace(timestamp_year=metric.timestamp_year + 1),
        "label": metric._replace(element_label=metric.element_label + "s"),
    }[what]
    metrics = [*METRICS[:place], changed, *METRICS[place + 1 :]]
    assert ResultSet(metrics).digest != ResultSet(METRICS).digest


def test_the_digest_differs_when_a_row_moves_from_one_label_to_another() -> None:
    one = [Metric("A", 2030, 1.0), Metric("A", 2031, 2.0), Metric("B", 2032, 3.0)]
    other = [Metric("A", 2030, 1.0), Metric("B", 2031, 2.0), Metric("B", 2032, 3.0)]
    assert ResultSet(one).digest != ResultSet(other).digest
