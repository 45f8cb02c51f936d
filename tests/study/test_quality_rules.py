from __future__ import annotations

from typing import Any

import pytest

from ingest.findings import Finding
from ingest.study.quality_rules import Rule, read_rules, unknown_scenarios
from ingest.study.rule_kinds import KINDS, matching

BOUNDS = {"kind": "bounds", "label": "Population", "minimum": 0}


def read(*raw: dict[str, Any]) -> Rule:
    rules, findings = read_rules(list(raw), "ingest.toml")
    assert findings == []
    return rules[0]


def problems(*raw: Any) -> list[str]:
    _, findings = read_rules(list(raw), "ingest.toml")
    assert all(isinstance(f, Finding) and f.is_error for f in findings)
    return [str(finding).removeprefix("ingest.toml: ") for finding in findings]


def test_rule_has_defaults() -> None:
    assert read(BOUNDS) == Rule(
        kind="bounds", name="bounds Population", label=("Population",), minimum=0.0
    )
    assert read(BOUNDS).severity == "warning"


def test_whole_numbers_and_single_labels_are_taken() -> None:
    rule = read({"kind": "bounds", "label": ["A", "B*"], "maximum": 3, "severity": "error"})
    assert (rule.label, rule.maximum, rule.name) == (("A", "B*"), 3.0, "bounds A, B*")


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ({"kind": "complete_years"}, "complete_years"),
        ({"kind": "conserved", "sum": ["A"], "total": "T"}, "conserved T"),
        (BOUNDS | {"name": "people"}, "people"),
    ],
)
def test_default_name_is_made_of_kind_and_labels(raw: dict[str, Any], name: str) -> None:
    assert read(raw).name == name


WRONG: dict[str, tuple[dict[str, Any], list[str]]] = {
    "unknown key": (
        BOUNDS | {"minimun": 1},
        ["unknown key rules[1].minimun. Did you mean minimum?"],
    ),
    "misspelt key that is needed": (
        {"kind": "bounds", "label": "A", "minimun": 0},
        ["unknown key rules[1].minimun. Did you mean minimum?"],
    ),
    "no kind": ({"label": "A"}, [f"rules[1].kind: write one of {', '.join(KINDS)}"]),
    "unknown kind": (
        {"kind": "bound", "label": "A"},
        [f"rules[1].kind: 'bound' is not one of {', '.join(KINDS)}. Did you mean bounds?"],
    ),
    "unknown severity": (
        BOUNDS | {"severity": "eror"},
        ["rules[1].severity: 'eror' is not one of error, warning. Did you mean error?"],
    ),
    "key of another kind": (
        BOUNDS | {"direction": "increasing"},
        [
            "rules[1].direction: a rule of kind bounds has label, minimum, maximum, rtol, name, "
            "kind, severity, countries, scenarios"
        ],
    ),
    "no label": (
        {"kind": "monotone", "direction": "increasing"},
        ["rules[1].label: a rule of kind monotone needs it"],
    ),
    "no bound": (
        {"kind": "bounds", "label": "A"},
        ["rules[1].minimum: a rule of kind bounds needs a minimum or a maximum"],
    ),
    "bounds the wrong way": (
        BOUNDS | {"maximum": -1},
        ["rules[1].minimum: 0 is more than the maximum, -1"],
    ),
    "no number": (BOUNDS | {"maximum": "1"}, ["rules[1].maximum: a number is needed, not '1'"]),
    "not finite": (
        BOUNDS | {"maximum": float("inf")},
        ["rules[1].maximum: a finite number is needed, not inf"],
    ),
    "one scenario": (
        {"kind": "ordering", "label": "A", "scenarios": "null"},
        ["rules[1].scenarios: two scenarios or more are needed, the lowest first"],
    ),
    "factor": (
        {"kind": "jump", "label": "A", "factor": 1},
        ["rules[1].factor: must be more than 1, not 1.0"],
    ),
    "two at once": (
        {"kind": "conserved", "severity": "bad"},
        [
            "rules[1].severity: 'bad' is not one of error, warning.",
            "rules[1].sum: a rule of kind conserved needs it",
            "rules[1].total: a rule of kind conserved needs it",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_rule_is_told_in_one_line_each(name: str) -> None:
    raw, messages = WRONG[name]
    assert problems(raw) == messages


def test_rules_of_the_same_name_are_an_error() -> None:
    assert problems(BOUNDS, BOUNDS | {"maximum": 1}) == [
        "rules: 2 are named 'bounds Population'; give each a name of its own"
    ]


@pytest.mark.parametrize("raw", [{"kind": "bounds"}, "bounds", [1]])
def test_rules_that_are_no_tables_are_an_error(raw: Any) -> None:
    rules, findings = read_rules(raw, "ingest.toml")
    assert rules == ()
    assert [f.message for f in findings] == ["rules: tables headed [[rules]] are needed"]


def test_countries_and_scenarios_are_patterns() -> None:
    rule = read(BOUNDS | {"countries": ["KEN", "U*"], "scenarios": "asthma_*"})
    assert rule.applies_to("UGA", "asthma_cr1")
    assert not rule.applies_to("TZA", "asthma_cr1")
    assert not rule.applies_to("KEN", "null")
    assert read(BOUNDS).applies_to("TZA", "null")


def test_a_label_with_pattern_characters_matches_itself() -> None:
    assert matching(("Deaths [0-4]", "Deaths 2"), ("Deaths [0-4]",)) == (
        "Deaths [0-4]",
        "Deaths 2",
    )


def test_scenarios_of_an_ordering_that_are_not_there_are_warned_of() -> None:
    rule = read({"kind": "ordering", "label": "A", "scenarios": ["null", "base"]})
    findings = unknown_scenarios([rule, read(BOUNDS | {"scenarios": "x"})], ["null"], "ingest.toml")
    assert [str(f) for f in findings] == ["ingest.toml: rule 'ordering A': no scenario base"]
