from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.study.scenario import Parameter, Scenario, parse_scenario

PATH = "$.runtime.startYear"


def document(**parameters: Any) -> dict[str, Any]:
    return {"metadata": {"label": "Null", "description": "none "}, "parameters": parameters}


def parsed(content: Any, name: str = "null") -> Scenario:
    scenario, findings = parse_scenario(content, name, f"scenarios/{name}.json")
    assert findings == []
    return scenario


def problems(content: Any) -> list[str]:
    _, findings = parse_scenario(content, "null", "scenarios/null.json")
    assert all(finding.is_error for finding in findings)
    return [str(finding) for finding in findings]


def test_scenario_holds_what_its_file_says() -> None:
    content = document(
        Start={"value": 2025, "paths": [PATH, "$.x"], "description": "d"},
        Country={"value": "AFG", "paths": ["$.y"], "hidden": True},
    )
    assert parsed(content) == Scenario(
        name="null",
        label="Null",
        description="none",
        parameters=(
            Parameter("Start", 2025, (PATH, "$.x"), "d"),
            Parameter("Country", "AFG", ("$.y",)),
        ),
        file="scenarios/null.json",
    )


def test_scenario_without_metadata_is_labelled_by_its_name() -> None:
    assert parsed({"parameters": {}}).label == "null"
    assert parsed({"parameters": {}, "metadata": {"label": ""}}).label == "null"


def test_value_may_be_null_false_zero_or_a_container() -> None:
    for value in (None, False, 0, "", [], {"a": [1]}):
        content = document(P={"value": value, "paths": [PATH]})
        assert parsed(content).parameters[0].value == value


@pytest.mark.parametrize("content", [None, [], "x", {}, {"parameters": []}, {"parameters": None}])
def test_document_without_parameters_is_an_error_that_says_what_to_write(content: Any) -> None:
    assert problems(content) == [
        'scenarios/null.json: no table "parameters":'
        ' write {"parameters": {"Country": {"value", "paths"}}}'
    ]


@pytest.mark.parametrize("metadata", [[], None, "x"])
def test_metadata_that_is_no_table_is_an_error(metadata: Any) -> None:
    content = {"parameters": {}, "metadata": metadata}
    assert problems(content) == ["scenarios/null.json: metadata: a table is needed"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (0.5, 'a table with "value" and "paths" is needed'),
        ({"paths": [PATH]}, 'has no "value"'),
        ({"value": 1}, 'has no "paths": list at least one JSONPath'),
        ({"value": 1, "paths": []}, 'has no "paths": list at least one JSONPath'),
        ({"value": 1, "paths": PATH}, 'has no "paths": list at least one JSONPath'),
        ({"value": 1, "paths": [PATH, 5]}, '"paths" must be a list of texts'),
    ],
)
def test_broken_parameter_is_an_error_that_names_it(entry: Any, message: str) -> None:
    assert problems(document(Coverage=entry)) == [
        f"scenarios/null.json: parameter 'Coverage': {message}"
    ]


def test_all_broken_parameters_are_told_and_the_good_ones_kept() -> None:
    content = document(A={}, B={"value": 1, "paths": [PATH]}, C={"value": 1})
    scenario, findings = parse_scenario(content, "null", "null.json")
    assert [finding.code for finding in findings] == ["bad-parameter", "bad-parameter"]
    assert [parameter.name for parameter in scenario.parameters] == ["B"]


# --- digest --------------------------------------------------------------------------------------

ENTRIES = {"A": {"value": 1, "paths": [PATH]}, "B": {"value": {"x": 1, "y": 2}, "paths": ["$.b"]}}


def digest(**parameters: Any) -> str:
    return parsed(document(**(ENTRIES | parameters))).digest


def test_digest_does_not_depend_on_words_for_people() -> None:
    one = parsed({"metadata": {"label": "x", "description": "y"}, "parameters": ENTRIES})
    words = {"description": "d", "category": "c", "hidden": True}
    two = document(**{name: entry | words for name, entry in ENTRIES.items()})
    assert parsed(two, "another").digest == one.digest


def test_digest_does_not_depend_on_blanks_or_the_key_order_within_a_value() -> None:
    text = '{"parameters":{"A":{"paths":["%s"],"value":1},"B":{"paths":["$.b"],"value":%s}}}'
    reordered = json.loads(text % (PATH, '{"y":2,"x":1}'))
    assert parsed(reordered).digest == digest()


def test_digest_depends_on_the_order_of_parameters() -> None:
    reordered = dict(reversed(list(ENTRIES.items())))
    assert parsed(document(**reordered)).digest != digest()


@pytest.mark.parametrize("value", [2, 1.0, True, "1", None, [1]])
def test_digest_depends_on_a_value_and_its_type(value: Any) -> None:
    assert digest(A={"value": value, "paths": [PATH]}) != digest()


@pytest.mark.parametrize("paths", [["$.runtime.endYear"], [PATH, PATH], [PATH, "$.b"]])
def test_digest_depends_on_paths(paths: list[str]) -> None:
    assert digest(A={"value": 1, "paths": paths}) != digest()


def test_digest_depends_on_the_order_of_paths() -> None:
    one = digest(A={"value": 1, "paths": [PATH, "$.b"]})
    assert digest(A={"value": 1, "paths": ["$.b", PATH]}) != one


def test_digest_depends_on_a_parameters_name() -> None:
    renamed = {"Country": ENTRIES["A"], "B": ENTRIES["B"]}
    assert parsed(document(**renamed)).digest != digest()
