from __future__ import annotations

import pytest

from ingest.study.label import Label, read_labels


def test_labels_come_from_nodes_and_links_with_a_unit_or_a_description() -> None:
    document = {
        "nodes": [
            {"id": "a", "label": " Population ", "unit": "people", "description": "All."},
            {"id": "b", "label": "Silent"},
            {"id": "c", "unit": "m"},
        ],
        "links": [{"id": "d", "label": "Births", "description": "In the year."}],
    }
    assert read_labels(document, {}) == (
        Label("Population", "people", "All."),
        Label("Births", "", "In the year."),
    )


def test_a_unit_of_the_settings_wins_and_may_be_of_a_label_the_document_has_not() -> None:
    document = {"nodes": [{"label": "DALYs", "unit": "years", "description": "Lost."}]}
    units = {"DALYs": "healthy years lost", "Total Cost": "US$"}
    assert read_labels(document, units) == (
        Label("DALYs", "healthy years lost", "Lost."),
        Label("Total Cost", "US$"),
    )


@pytest.mark.parametrize(
    "document", [None, [], {}, {"nodes": 5}, {"nodes": ["x"]}, {"links": [{"label": 1, "unit": 2}]}]
)
def test_a_document_without_labels_gives_none(document: object) -> None:
    assert read_labels(document, {}) == ()
