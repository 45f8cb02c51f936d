from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.study.label import (
    Label,
    LabelSettings,
    label_findings,
    read_label_settings,
    read_labels,
)
from tests.conftest import BUNDLED_STUDY


def read(document: Any, units: dict[str, str] | None = None) -> list[tuple[str, str, str]]:
    return [(x.element_label, x.unit, x.description) for x in read_labels(document, units or {})]


def guessed(name: str, unit: str = "", description: str = "", **node: Any) -> Label:
    """What is guessed of a label beside one of the whole population."""
    entry = {"label": name, "unit": unit, "description": description, **node}
    document = {"nodes": [entry, {"label": "Population", "unit": "people"}]}
    return read_labels(document, {})[0]


def test_labels_come_from_nodes_and_links() -> None:
    document = {
        "nodes": [
            {"id": "a", "label": " Population ", "unit": "people", "description": "All."},
            {"id": "b", "label": "Silent"},
            {"id": "c", "unit": "m"},
        ],
        "links": [
            {"id": "d", "label": "Births", "description": "In the year."},
            {"id": "e", "label": "Population"},
        ],
    }
    assert read(document) == [
        ("Population", "people", "All."),
        ("Silent", "", ""),
        ("Births", "", "In the year."),
    ]


def test_a_unit_of_the_settings_wins_and_may_be_of_a_label_the_document_has_not() -> None:
    document = {"nodes": [{"label": "DALYs", "unit": "years", "description": "Lost."}]}
    assert read(document, {"DALYs": "healthy years lost", "Total Cost": "US$"}) == [
        ("DALYs", "healthy years lost", "Lost."),
        ("Total Cost", "US$", ""),
    ]


@pytest.mark.parametrize(
    "document", [None, [], {}, {"nodes": 5}, {"nodes": ["x"]}, {"links": [{"label": 1, "unit": 2}]}]
)
def test_a_document_without_labels_gives_none(document: object) -> None:
    assert read_labels(document, {}) == ()


# --- what is guessed -----------------------------------------------------------------------------

PEOPLE = "people, 1 January"
BUNDLED = {
    "Population": ("stock", "last", "sum", "", "none"),
    "AsthmaEpsd": ("stock", "last", "sum", "", "none"),
    "Deceased": ("cumulative", "last", "sum", "", "lower"),
    "Life Expectancy": ("share", "last", "none", "", "higher"),
    "Coverage Clean Air": ("share", "last", "none", "", "none"),
    "Population Reached Clean Air": ("flow", "sum", "sum", "people", "none"),
    "Cost": ("flow", "sum", "sum", "US$, undiscounted", "lower"),
    "Births": ("flow", "sum", "sum", "people", "none"),
    "Asthma Deaths": ("flow", "sum", "sum", "people", "lower"),
    "Asthma Prevalence": ("share", "last", "weighted:Population", "", "lower"),
    "Healthy Years Lived": ("flow", "sum", "sum", "healthy years", "higher"),
    "Years Lived with Disability": ("flow", "sum", "sum", "healthy years lost", "lower"),
    "Years of Life Lost": ("flow", "sum", "sum", "years lost", "lower"),
    "DALYs": ("flow", "sum", "sum", "healthy years lost", "lower"),
    "Susceptible -> AsthmaEpsd": ("flow", "sum", "sum", "people", "none"),
    "AsthmaEpsd -> Deceased": ("flow", "sum", "sum", "people", "lower"),
    "Clean Air on Incidence": ("share", "last", "none", "", "none"),
}


def test_the_labels_of_the_bundled_study_are_guessed_right() -> None:
    document = json.loads((BUNDLED_STUDY / "model.json").read_text())
    found = {
        label.element_label: (
            label.kind, label.over_years, label.over_countries, label.sum_unit, label.better,
        )
        for label in read_labels(document, {})
    }  # fmt: skip
    assert {name: found[name] for name in BUNDLED} == BUNDLED


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        (guessed("Deaths", "people"), "flow"),
        (guessed("AsthmaEpsd", "people"), "stock"),
        (guessed("Treated", "cases"), "flow"),
        (guessed("Deaths", "deaths per 100,000 people per year"), "share"),
        (guessed("New Cases", "cases per year"), "flow"),
        (guessed("Generation", "shared meals"), "flow"),
        (guessed("ICER", "US$ per DALY averted"), "share"),
        (guessed("ICER", "US$/DALY"), "share"),
        (guessed("Spending", "US$/year"), "flow"),
        (guessed("Deaths", "people", "Since 2020, cumulative."), "cumulative"),
        (guessed("Cumulative Deaths"), "cumulative"),
        (guessed("Vaccinated", "people to date"), "cumulative"),
        (guessed("Prevalence"), "share"),
        (guessed("AsthmaEpsd_Incidence_Rate"), "share"),
        (guessed("PopulationReached-LowDoseBeclom"), "flow"),
        (guessed("Combined_DW"), "share"),
        (guessed("GDP Per Capita"), "share"),
        (guessed("Economic Value"), "flow"),
        (guessed("DsFreeSus", node_type="STATE"), "stock"),
        (guessed("Deceased-DsFreeSus", node_type="STATE", flush=True), "flow"),
        (guessed("price", node_type="CONSTANT"), "share"),
        (guessed("Whatever"), "flow"),
    ],
)  # fmt: skip
def test_the_kind_follows_from_unit_and_name(label: Label, kind: str) -> None:
    assert label.kind == kind
    assert label.over_years == ("sum" if kind == "flow" else "last")


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("Deaths", "lower"), ("Deaths Averted", "higher"), ("YLD-AsthmaEpsd", "lower"),
        ("YLL", "lower"), ("DALYs", "lower"), ("Total Cost", "lower"), ("Cost Savings", "higher"),
        ("QALYs", "higher"), ("DsFreeSus HYL", "higher"), ("Cases", "lower"),
        ("Mortality_Effect_Transform", "none"), ("total-prevalence-reduction", "none"),
        ("Cases -> Recovered", "none"), ("Whatever", "none"), ("Case Detection", "none"),
    ],
)  # fmt: skip
def test_a_direction_is_guessed_where_it_is_plain(name: str, better: str) -> None:
    assert guessed(name).better == better


def test_a_share_of_the_population_is_weighted_by_it_where_the_study_has_it() -> None:
    assert guessed("Smokers", "% of the population").over_countries == "weighted:Population"
    (alone,) = read_labels({"nodes": [{"label": "S", "unit": "% of the population"}]}, {})
    assert alone.over_countries == "none"


# --- what is said --------------------------------------------------------------------------------


def test_the_settings_win_over_the_document_and_the_document_over_the_guess() -> None:
    node = {"label": "A", "unit": "people", "better": "higher", "over_years": "mean"}
    own = {"A": LabelSettings(over_years="sum", unit="adults")}
    (label,) = read_labels({"nodes": [{**node, "kind": "SURROGATE"}]}, {}, own)
    assert (label.unit, label.kind, label.over_years, label.better) == (
        "adults", "flow", "sum", "higher",
    )  # fmt: skip
    assert label.guessed == "kind, over_countries, sum_unit"


def test_what_is_summed_because_it_is_asked_for_has_the_unit_of_a_sum() -> None:
    document = {"nodes": [{"label": "Population", "unit": PEOPLE}]}
    (label,) = read_labels(document, {}, {"Population": LabelSettings(over_years="sum")})
    assert (label.kind, label.sum_unit) == ("stock", "person-years")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"kind": "stok"}, "labels.\"A\".kind: 'stok' is not one of flow, stock, share, cumulative."
         " Did you mean stock?"),
        ({"over_years": "las"}, "labels.\"A\".over_years: 'las' is not one of sum, last, mean, "
         "none, weighted:LABEL. Did you mean last?"),
        ({"over_countries": "last"}, "labels.\"A\".over_countries: 'last' is not one of sum, mean, "
         "none, weighted:LABEL."),
        ({"beter": "lower"}, 'unknown key labels."A".beter. Did you mean better?'),
        ("stock", "labels.\"A\": a table such as { kind = \"stock\" } is needed"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_told(table: Any, message: str) -> None:
    _, findings = read_label_settings({"A": table}, "ingest.toml")
    assert [finding.message for finding in findings] == [message]


def test_a_weight_has_to_be_a_label() -> None:
    settings = {"Prevalence": LabelSettings(over_countries="weighted:Populaton")}
    document = {"nodes": [{"label": "Population"}, {"label": "B", "better": "up"}]}
    labels = read_labels(document, {}, settings)
    wrong, ignored = label_findings(document, labels, settings, "ingest.toml")
    assert str(wrong) == (
        "ingest.toml: labels.\"Prevalence\".over_countries: no label 'Populaton' to weigh by. "
        "Did you mean Population?"
    )
    assert wrong.is_error
    assert str(ignored) == "model document: B: better 'up' is ignored"
    assert not ignored.is_error
