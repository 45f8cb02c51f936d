from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jsonpath_rfc9535
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.findings import has_errors
from ingest.study.compose import (
    ComposedScenario,
    compose_scenario,
    compose_scenarios,
    composition_findings,
    country_slots,
    gives_same_input,
)
from ingest.study.json_files import canonical_json, read_json
from ingest.study.scenario import Parameter, Scenario, parse_scenario
from ingest.study.study import Model
from tests.conftest import BUNDLED_STUDY, COUNTRY_PATHS, COVERAGE_PATH, MODEL
from tests.effort import examples

Document = Any


# --- the plain way: what composing means ---------------------------------------------------------


class LostPlaceError(Exception):
    """A path found a place, and an assignment of the same path took it away."""


def naive_document(
    model: Document, scenario: Scenario, iso3: str, unmatched: list[str] | None = None
) -> Document:
    """A scenario applied step by step, each path searched in the document as it is by then.

    unmatched: takes the paths that find nothing.
    """
    document = copy.deepcopy(model)
    for entry in (*document.get("nodes", ()), *document.get("links", ())):
        parameters = entry.get("generate_array", {}).get("parameters", {})
        if parameters.get("country") == "COUNTRY":
            parameters["country"] = iso3
    for parameter in scenario.parameters:
        value = iso3 if parameter.name == "Country" else parameter.value
        for path in parameter.paths:
            nodes = list(jsonpath_rfc9535.find(path, document))
            if not nodes and unmatched is not None:
                unmatched.append(path)
            for node in nodes:
                document = put(document, node.location, copy.deepcopy(value))
    return document


def put(document: Document, location: Sequence[int | str], value: Any) -> Document:
    if not location:
        return value
    target = document
    for key in location[:-1]:
        target = child(target, key)
    child(target, location[-1])
    target[location[-1]] = value
    return document


def child(value: Any, key: int | str) -> Any:
    if isinstance(value, dict) and isinstance(key, str) and key in value:
        return value[key]
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    raise LostPlaceError


# --- helpers -------------------------------------------------------------------------------------


def scenario_of(*parameters: tuple[str, Any, Sequence[str]], name: str = "s") -> Scenario:
    made = tuple(Parameter(n, value, tuple(paths)) for n, value, paths in parameters)
    return Scenario(name, name, "", made, f"scenarios/{name}.json")


COUNTRY = ("Country", "AFG", COUNTRY_PATHS)


def compose(
    *parameters: tuple[str, Any, Sequence[str]], model: Document = MODEL
) -> ComposedScenario:
    return compose_scenario(Model(model, "model.json"), scenario_of(*parameters))


def assert_as_naive(composed: ComposedScenario, countries: Iterable[str]) -> None:
    for iso3 in countries:
        unmatched: list[str] = []
        plain = naive_document(composed.model.document, composed.scenario, iso3, unmatched)
        assert composed.document(iso3).decode() == json.dumps(plain), (composed.scenario.name, iso3)
        # where paths find other places for each country, no country stands for all
        assert composed.canonical_digest is None or unmatched_paths(composed) == unmatched


def unmatched_paths(composed: ComposedScenario) -> list[str]:
    """The paths that are told to match nothing; no other path may be told of."""
    assert "bad-path" not in {finding.code for finding in composed.findings}
    return [path for path, _ in composed.unmatched]


def told(composed: ComposedScenario, unmatched_paths: str = "error") -> list[str]:
    findings = composition_findings([composed], unmatched_paths)
    return [f"{finding.severity}: {finding}" for finding in findings]


def read_scenarios(folder: Path) -> list[Scenario]:
    scenarios = []
    for file in sorted((folder / "scenarios").glob("*.json")):
        scenario, findings = parse_scenario(read_json(file, file.name), file.stem, file.name)
        assert findings == []
        scenarios.append(scenario)
    return scenarios


# --- equal to the plain way ----------------------------------------------------------------------


def test_country_and_values_are_put_where_the_paths_lead() -> None:
    composed = compose(COUNTRY, ("Coverage", 0.95, [COVERAGE_PATH]))
    document = json.loads(composed.document("KEN"))
    expected = copy.deepcopy(MODEL)
    for kind in ("nodes", "links"):
        expected[kind][0]["generate_array"]["parameters"]["country"] = "KEN"
    expected["nodes"][1]["generate_array"]["parameters"]["value"] = 0.95
    assert document == expected


def test_model_document_is_left_as_it_is() -> None:
    before = copy.deepcopy(MODEL)
    compose(COUNTRY, ("P", {"a": 1}, ["$.nodes[0]", "$.runtime"])).document("KEN")
    assert before == MODEL


CASES: dict[str, list[tuple[str, Any, Sequence[str]]]] = {
    "nothing": [],
    "country alone": [COUNTRY],
    "no country": [("Coverage", 0.5, [COVERAGE_PATH])],
    "country twice": [COUNTRY, ("Coverage", 0.5, [COVERAGE_PATH]), COUNTRY],
    "later parameter wins": [("A", 0.1, [COVERAGE_PATH]), ("B", 0.2, [COVERAGE_PATH])],
    "later parameter fixes a country": [COUNTRY, ("Fixed", "FRA", COUNTRY_PATHS[:1])],
    "country wins over an earlier one": [("Fixed", "FRA", COUNTRY_PATHS[:1]), COUNTRY],
    "id changes what later filters find": [
        COUNTRY,
        ("Rename", "coverage", ["$.nodes[?(@.id=='population')].id"]),
        ("Coverage", 0.5, [COVERAGE_PATH, "$.nodes[?@.id == 'coverage'].label"]),
    ],
    "path is used before and after an id changes": [
        ("Before", 1, ["$.nodes[?@.id=='coverage'].label", "$.nodes[?@.id=='new'].label"]),
        ("Rename", "coverage", ["$.nodes[0].id"]),
        ("After", 2, ["$.nodes[?@.id=='coverage'].label"]),
        ("Rename again", "new", ["$.nodes[1].id"]),
        ("At last", 3, ["$.nodes[?@.id=='coverage'].label", "$.nodes[?@.id=='new'].label"]),
    ],
    "path is used before and after a container brings its place": [
        ("Before", 1, ["$.nodes[0].label.value"]),
        ("Container", {"value": 2}, ["$.nodes[0].label"]),
        ("After", 3, ["$.nodes[0].label.value"]),
    ],
    "path is used before and after a container goes": [
        ("Before", 1, ["$.nodes[0].generate_array.method"]),
        ("Scalar", 2, ["$.nodes[0].generate_array"]),
        ("After", 3, ["$.nodes[0].generate_array.method"]),
    ],
    "id is taken over": [
        ("Rename", "births", ["$.nodes[0].id", "$.nodes[1].id"]),
        ("B", "x", ["$.nodes[?@.id=='births'].label", "$.links[?@.id=='births'].label"]),
        ("C", 1, ["$.nodes[?@.id=='population'].label"]),
    ],
    "container at two places, then modified": [
        ("Container", {"value": 1, "more": [1, 2]}, ["$.nodes[0].x", "$.nodes[1].generate_array"]),
        ("Both", {"value": 1, "more": [1, 2]}, ["$.nodes[0].label", "$.nodes[1].label"]),
        ("Change", 5, ["$.nodes[0].label.more[0]"]),
        ("Change back", 6, ["$.nodes[1].label.value"]),
    ],
    "container replaces a node with a country": [
        COUNTRY,
        ("Node", {"id": "new", "generate_array": {"parameters": {"country": "FRA"}}},
         ["$.nodes[0]"]),
        ("Label", 1, ["$.nodes[?@.id=='new'].id"]),
    ],
    "filter on the country that was set": [
        COUNTRY,
        ("K", 7, ["$.nodes[?@.generate_array.parameters.country=='KEN'].label"]),
        ("L", 8, ["$.nodes[?@.generate_array.parameters.country!='KEN'].label"]),
    ],
    "filter on the country before it is set": [
        ("K", 7, ["$.nodes[?@.generate_array.parameters.country=='AFG'].label"]),
        COUNTRY,
    ],
    "country's own second path looks at its first": [
        ("Country", "AFG",
         ["$.nodes[0].generate_array.parameters.country",
          "$.nodes[?@.generate_array.parameters.country=='KEN'].label"]),
    ],
    "country becomes an id": [
        ("Country", "AFG", ["$.nodes[0].id"]),
        ("K", 7, ["$.nodes[?@.id=='KEN'].label", "$.nodes[?@.id=='UGA'].generate_array.method"]),
    ],
    "country found by a search for its code": [
        COUNTRY,
        ("K", 7, ["$.nodes[?search(@.generate_array.parameters.country, 'K')].label"]),
    ],
    "indexes, wildcards, slices, descendants": [
        ("Country", "AFG", ["$..country"]),
        ("A", 1, ["$.nodes[-1].label", "$.nodes[0]['label']", '$.links[0]["label"]']),
        ("B", 2, ["$.nodes[*].generate_array.method", "$.nodes[1:].id", "$..label"]),
    ],
    "country in place of a container": [("Country", "AFG", ["$.nodes[0].generate_array"])],
    "whole document": [("Country", "AFG", ["$.runtime.startYear"]), ("All", {"a": 1}, ["$"])],
    "whole document is the country": [("Country", "AFG", ["$"])],
    "values of every type": [
        (f"V{number}", value, [f"$.nodes[{number % 2}].label"])
        for number, value in enumerate([None, True, 0, 1.0, "é \u2028", [], {}, "\ue000"])
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_composed_document_equals_the_plain_way(case: str) -> None:
    assert_as_naive(compose(*CASES[case]), ["KEN", "UGA", "AFG"])


@pytest.mark.parametrize("case", CASES)
def test_placeholder_of_the_old_generation_becomes_the_country(case: str) -> None:
    model = copy.deepcopy(MODEL)
    model["nodes"][0]["generate_array"]["parameters"]["country"] = "COUNTRY"
    assert_as_naive(compose(*CASES[case], model=model), ["KEN", "UGA"])


def test_placeholder_is_filled_without_a_country_parameter() -> None:
    model = json.loads(json.dumps(MODEL).replace('"AFG"', '"COUNTRY"'))
    composed = compose(model=model)
    assert json.loads(composed.document("KEN")) == json.loads(
        json.dumps(MODEL).replace('"AFG"', '"KEN"')
    )
    assert told(composed) == []


def test_paths_shared_by_scenarios_find_what_each_scenario_made_of_the_document() -> None:
    """Places are resolved once for all scenarios; a scenario that moves ids must not spoil that."""
    scenarios = [scenario_of(*parameters, name=name) for name, parameters in CASES.items()]
    for order in (scenarios, scenarios[::-1]):
        for composed in compose_scenarios(Model(MODEL, "model.json"), order).values():
            assert_as_naive(composed, ["KEN", "UGA"])


@pytest.mark.parametrize(
    ("path", "is_fast"),
    [
        ("$.nodes[?(@.id=='population')].label", True),
        ("$.nodes[*].label", True),
        ("$..method", True),
        ("$.nodes[-1].label", True),
        ("$.nodes[?@.label=='Coverage'].label", False),
        ("$.nodes[?@.generate_array.parameters.country=='KEN'].label", False),
    ],
)
def test_only_a_filter_that_may_see_the_country_is_searched_for_every_country(
    path: str, is_fast: bool
) -> None:
    composed = compose(COUNTRY, ("P", 1, [path]))
    assert (composed.canonical_digest is not None) == is_fast
    assert compose(("P", 1, [path]), COUNTRY).canonical_digest is not None
    assert_as_naive(composed, ["KEN", "UGA"])


def test_bundled_study_equals_the_plain_way() -> None:
    model = Model(read_json(BUNDLED_STUDY / "model.json", "model.json"), "model.json")
    scenarios = read_scenarios(BUNDLED_STUDY)
    assert len(scenarios) == 8
    composed = compose_scenarios(model, scenarios)
    for item in composed.values():
        assert_as_naive(item, ["KEN", "DEU", "IND", "AFG"])
    assert composition_findings(list(composed.values())) == []


@pytest.fixture(scope="module")
def real_composed(real_study: Path) -> list[ComposedScenario]:
    model = Model(read_json(real_study / "model.json", "model.json"), "model.json")
    return list(compose_scenarios(model, read_scenarios(real_study)).values())


def real_countries(folder: Path) -> list[str]:
    file = folder / "countries" / "list_of_pruned_countries.json"
    return [entry["iso3"] for entry in read_json(file, file.name)["countries"]]


def test_real_study_equals_the_plain_way(
    real_study: Path, real_composed: list[ComposedScenario]
) -> None:
    countries = real_countries(real_study)
    assert len(countries) == 172
    for number, composed in enumerate(real_composed):
        # another dozen for each scenario: 172 of them would take the plain way a minute
        assert_as_naive(composed, countries[number::16][:12])


def test_real_study_has_a_document_and_a_digest_of_its_own_for_every_combination(
    real_study: Path, real_composed: list[ComposedScenario]
) -> None:
    combinations = [(c, iso3) for c in real_composed for iso3 in real_countries(real_study)]
    assert len(combinations) == 1376
    assert len({composed.document(iso3) for composed, iso3 in combinations}) == 1376
    assert len({composed.document_digest(iso3) for composed, iso3 in combinations}) == 1376


def test_real_study_leaves_exactly_two_country_slots_uncovered(
    real_composed: list[ComposedScenario],
) -> None:
    (finding,) = composition_findings(real_composed)
    assert str(finding) == (
        "model.json: 2 country slots not covered by the Country parameter of every scenario, so"
        " every country gets the model document's own value:"
        " 'GDP Per Capita', 'Labour Force Participation'"
    )
    assert not finding.is_error
    assert len(list(country_slots(real_composed[0].model.document))) == 19
    assert {composed.years for composed in real_composed} == {(2025, 2051)}


# --- equal to the plain way, whatever the study --------------------------------------------------

ids = st.sampled_from(["a", "b", "c", "KEN"])
scalars = st.sampled_from([None, True, 0, 1, 1.0, 0.5, "a", "b", "AFG", "KEN", "COUNTRY", "x'y"])
containers = st.sampled_from(
    [
        {},
        [],
        [1, {"id": "b", "K": 2}],
        {"id": "a", "K": 1, "country": "AFG"},
        {"id": "b", "generate_array": {"parameters": {"country": "COUNTRY", "K": [1, 2]}}},
    ]
)
values = scalars | containers
elements = st.fixed_dictionaries(
    {"id": ids},
    optional={
        "label": st.sampled_from(["a", "AFG", "KEN"]),
        "generate_array": st.fixed_dictionaries(
            {
                "parameters": st.fixed_dictionaries(
                    {},
                    optional={
                        "country": st.sampled_from(["AFG", "KEN", "COUNTRY"]),
                        "K": values,
                    },
                )
            }
        ),
    },
)
models = st.fixed_dictionaries(
    {"runtime": st.just({"startYear": 2025, "endYear": 2030})},
    optional={"nodes": st.lists(elements, max_size=4), "links": st.lists(elements, max_size=2)},
)

ELEMENTS = [
    "$.nodes[?@.id=='a']", "$.nodes[?(@.id=='b')]", "$.nodes[?@.id == 'KEN']",
    '$.links[?@.id=="a"]', "$.nodes[0]", "$['nodes'][1]", "$.nodes[-1]", "$.nodes[*]",
    "$.nodes[1:]", "$.links[*]", "$.nodes[?@.label=='a']", "$.nodes[?@.label=='KEN']",
    "$.nodes[?@.generate_array.parameters.country=='KEN']",
    "$.nodes[?@.generate_array.parameters.country!='KEN']",
    "$.nodes[?@.id==$.links[0].id]", "$.links[?match(@.id, 'K.N')]",
    "$.nodes[?@.id=='a' || @.id=='b']", "$.nodes[?count(@.*)==3]", "$..[?@.id=='b']",
]  # fmt: skip
PLACES = [
    "", ".id", ".label", ".generate_array", ".generate_array.parameters",
    ".generate_array.parameters.country", ".generate_array.parameters.K",
    ".generate_array.parameters.K[1].id", ".generate_array.parameters['K'].K", "..country",
    "..K", "[?@.id=='b'].K", "['label','id']",
]  # fmt: skip
paths = st.builds(str.__add__, st.sampled_from(ELEMENTS), st.sampled_from(PLACES)) | (
    st.sampled_from(["$..country", "$..id", "$.nodes", "$", "$.runtime.startYear", "$.absent"])
)
parameters = st.builds(
    lambda name, value, found: Parameter(name, value, tuple(found)),
    st.sampled_from(["Country", "Country", "P", "Q"]),
    values,
    st.lists(paths, min_size=1, max_size=3),
)
scenario_lists = st.lists(st.lists(parameters, max_size=4), min_size=1, max_size=3)


@settings(
    max_examples=examples(100, long=4_000),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=False,
)
@given(models, scenario_lists)
def test_any_scenario_composes_as_the_plain_way_does(
    document: Document, lists: list[list[Parameter]]
) -> None:
    scenarios = [Scenario(f"s{n}", "", "", tuple(made), "f") for n, made in enumerate(lists)]
    composed = list(compose_scenarios(Model(document, "model.json"), scenarios).values())
    by_digest: dict[str, str] = {}
    for item in composed:
        texts = {}
        for iso3 in ("KEN", "UGA"):
            unmatched: list[str] = []
            try:
                plain = naive_document(document, item.scenario, iso3, unmatched)
            except LostPlaceError:
                assert item.canonical_digest is None or has_errors(item.findings)
                continue
            assert item.document(iso3).decode() == json.dumps(plain)
            assert item.canonical_digest is None or unmatched_paths(item) == unmatched
            texts[iso3] = canonical_json(plain)
            # two composed documents never share a digest
            assert by_digest.setdefault(item.document_digest(iso3), texts[iso3]) == texts[iso3]
        if len(texts) == 2:
            same = item.document_digest("KEN") == item.document_digest("UGA")
            assert same == (texts["KEN"] == texts["UGA"])


# --- digests -------------------------------------------------------------------------------------


def reordered(value: Any) -> Any:
    """The same JSON value with every object's keys in the opposite order."""
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES)
def test_reordered_and_reformatted_files_give_the_same_digest(case: str) -> None:
    one = compose(*CASES[case])
    turned = [(name, reordered(value), paths) for name, value, paths in CASES[case]]
    model = json.loads(json.dumps(reordered(MODEL), indent=7))
    assert list(model) != list(MODEL)
    two = compose(*turned, model=model)
    for iso3 in ("KEN", "UGA"):
        assert two.document_digest(iso3) == one.document_digest(iso3)


def test_digest_is_the_same_for_every_country_where_the_document_is() -> None:
    composed = compose(("Coverage", 0.5, [COVERAGE_PATH]))
    assert composed.document("KEN") == composed.document("UGA")
    assert composed.document_digest("KEN") == composed.document_digest("UGA")


@pytest.mark.parametrize(
    "other",
    [
        [("Coverage", 0.6, [COVERAGE_PATH])],
        [("Coverage", "0.5", [COVERAGE_PATH])],
        [("Coverage", 0.5, [COVERAGE_PATH]), ("More", 2024, ["$.runtime.startYear"])],
        [("Coverage", [0.5], [COVERAGE_PATH])],
        [],
    ],
)
def test_digest_differs_where_the_document_differs(
    other: list[tuple[str, Any, Sequence[str]]],
) -> None:
    one = compose(COUNTRY, ("Coverage", 0.5, [COVERAGE_PATH]))
    two = compose(COUNTRY, *other)
    assert one.document_digest("KEN") != two.document_digest("KEN")
    assert one.document_digest("KEN") != one.document_digest("UGA")


def test_digest_differs_with_the_models_value_that_no_parameter_sets() -> None:
    changed = MODEL | {"metadata": {"name": "other"}}
    assert compose(COUNTRY, model=changed).document_digest("KEN") != (
        compose(COUNTRY).document_digest("KEN")
    )


def test_digest_does_not_differ_with_the_models_value_that_a_parameter_sets() -> None:
    changed = copy.deepcopy(MODEL)
    changed["nodes"][1]["generate_array"]["parameters"]["value"] = 99
    coverage = ("Coverage", 0.5, [COVERAGE_PATH])
    assert compose(COUNTRY, coverage, model=changed).document_digest("KEN") == (
        compose(COUNTRY, coverage).document_digest("KEN")
    )


@pytest.mark.parametrize("case", CASES)
def test_document_is_json_that_comes_back_the_same(case: str) -> None:
    text = compose(*CASES[case]).document("KEN").decode("ascii")
    assert json.dumps(json.loads(text)) == text


# --- findings ------------------------------------------------------------------------------------


def test_good_scenario_has_no_finding() -> None:
    assert told(compose(COUNTRY, ("Coverage", 0.5, [COVERAGE_PATH]))) == []


def test_path_that_matches_nothing_is_an_error_that_names_parameter_and_path() -> None:
    path = "$.nodes[?(@.id=='absent')].label"
    composed = compose(COUNTRY, ("Coverage", 0.5, [COVERAGE_PATH, path, "$.x"]))
    message = (
        "error: scenarios/s.json: parameter 'Coverage': {} matches nothing in model.json "
        "(study.unmatched_paths = 'error')"
    )
    assert told(composed) == [message.format(p) for p in (path, "$.x")]


def test_path_that_matches_nothing_may_be_a_warning() -> None:
    composed = compose(COUNTRY, ("Coverage", 0.5, ["$.x"]))
    assert told(composed, "warning") == [
        "warning: scenarios/s.json: parameter 'Coverage': $.x matches nothing in model.json "
        "(study.unmatched_paths = 'warning')"
    ]


@pytest.mark.parametrize("path", ["$.nodes[", "nodes[0]", "", "$.nodes[?unknown(@.id)]"])
def test_path_that_is_no_jsonpath_is_an_error_that_says_why(path: str) -> None:
    found = told(compose(COUNTRY, ("Coverage", 0.5, [path])), "warning")
    head = f"error: scenarios/s.json: parameter 'Coverage': {path} is no RFC 9535 JSONPath: "
    assert len(found) == 1
    assert found[0].startswith(head)
    assert len(found[0]) > len(head) + 5  # the reason is in the library's words
    assert "\n" not in found[0]


@pytest.mark.parametrize("value", [1, "text", None, {}, []])
def test_path_that_finds_a_place_within_another_is_an_error(value: Any) -> None:
    model = MODEL | {"metadata": {"authors": ["A", "B"]}}
    composed = compose(COUNTRY, ("P", value, ["$.metadata..*"]), model=model)
    assert told(composed) == [
        "error: scenarios/s.json: parameter 'P': $.metadata..* finds a place in another one"
    ]


def test_uncovered_slots_are_a_warning_that_names_them_by_label() -> None:
    assert told(compose(("Country", "AFG", COUNTRY_PATHS[:1]))) == [
        "warning: model.json: 1 country slot not covered by the Country parameter of every"
        " scenario, so every country gets the model document's own value: 'Births'"
    ]
    assert told(compose()) == [
        "warning: model.json: 2 country slots not covered by the Country parameter of every"
        " scenario, so every country gets the model document's own value: 'Population', 'Births'"
    ]


def test_slot_without_a_label_is_named_by_its_id_or_its_place() -> None:
    array = {"generate_array": {"parameters": {"country": "AFG"}}}
    model = MODEL | {"nodes": [{"id": "x", **array}, array], "links": []}
    assert [label for _, label in country_slots(model)] == ["x", "nodes[1]"]
    assert told(compose(model=model))[0].endswith("own value: 'x', 'nodes[1]'")


def test_slots_that_scenarios_leave_uncovered_are_told_once_for_each_set_of_slots() -> None:
    scenarios = [
        scenario_of(COUNTRY, name="good"),
        scenario_of(("Country", "AFG", COUNTRY_PATHS[1:]), name="one"),
        scenario_of(("Country", "AFG", COUNTRY_PATHS[1:]), name="two"),
        scenario_of(name="none"),
    ]
    composed = list(compose_scenarios(Model(MODEL, "model.json"), scenarios).values())
    first, second = (str(finding) for finding in composition_findings(composed))
    assert "parameter of one, two, so every country" in first
    assert first.endswith("own value: 'Population'")
    assert "parameter of none, so every country" in second
    assert second.endswith("own value: 'Population', 'Births'")


def test_slot_that_another_parameter_fixes_on_purpose_is_covered() -> None:
    fixed = ("Fixed", "FRA", COUNTRY_PATHS[1:])
    assert told(compose(("Country", "AFG", COUNTRY_PATHS[:1]), fixed)) == []


def test_slot_that_a_later_container_brings_anew_is_uncovered() -> None:
    node = {"label": "New", "generate_array": {"parameters": {"country": "FRA"}}}
    assert told(compose(COUNTRY, ("Node", node, ["$.nodes[0]"])))[0].endswith("own value: 'New'")


def test_slot_of_a_document_that_replaces_the_whole_is_uncovered() -> None:
    assert told(compose(COUNTRY, ("All", MODEL, ["$"])))[0].endswith("'Population', 'Births'")


@pytest.mark.parametrize("value", [None, 5, "x", {}, [1, None, "x"]])
def test_nodes_replaced_by_anything_have_no_slots(value: Any) -> None:
    composed = compose(COUNTRY, ("Nodes", value, ["$.nodes"]))
    assert told(composed) == []
    assert json.loads(composed.document("KEN"))["nodes"] == value


# --- years ---------------------------------------------------------------------------------------


def years(start: Any, end: Any) -> list[str]:
    composed = compose(
        COUNTRY, ("Start", start, ["$.runtime.startYear"]), ("End", end, ["$.runtime.endYear"])
    )
    assert composed.years == (start, end)
    return told(composed)


def test_year_after_the_start_is_enough() -> None:
    assert years(2025, 2026) == []


@pytest.mark.parametrize("end", [2025, 2024])
def test_end_year_that_does_not_come_after_the_start_is_an_error(end: int) -> None:
    assert years(2025, end) == [
        f"error: scenarios/s.json: the end year {end} (exclusive)"
        " does not come after the start year 2025"
    ]


@pytest.mark.parametrize("year", ["2025", 2025.0, True, None, [2025]])
def test_year_that_is_no_whole_number_is_an_error(year: Any) -> None:
    message = "error: scenarios/s.json: runtime.{} must be a whole year, not {!r}"
    assert years(year, 2030) == [message.format("startYear", year)]
    assert years(2025, year) == [message.format("endYear", year)]


def test_both_years_wrong_are_told_at_once() -> None:
    assert len(years("2025", "2030")) == 2


def test_model_without_years_is_left_alone() -> None:
    model = {key: value for key, value in MODEL.items() if key != "runtime"}
    composed = compose(COUNTRY, model=model)
    assert told(composed) == []
    assert composed.years == (None, None)


def test_a_country_parameter_by_another_name_is_a_warning() -> None:
    document = {
        "nodes": [
            {"id": "x", "label": "X", "generate_array": {"parameters": {"country": "AFG"}}},
        ]
    }
    path = "$.nodes[?(@.id=='x')].generate_array.parameters.country"
    entry = {"value": "AFG", "paths": [path]}
    scenario, _ = parse_scenario({"parameters": {"country": entry}}, "s", "s.json")
    findings = composition_findings([compose_scenario(Model(document, "model.json"), scenario)])
    assert [str(finding) for finding in findings] == [
        "s.json: every country gets the same document: no country slot takes the country. "
        "Name the parameter that sets it Country"
    ]
    assert not findings[0].is_error


# --- what is no input ----------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "same"), [("x < 5", False), ("x < 50", True)])
def test_a_filter_over_what_is_no_input_may_find_other_places(column: str, same: bool) -> None:
    """Node `coverage` is moved on the canvas from 1 to 9."""
    path = f"$.nodes[?@.{column}].generate_array.parameters.value"
    models = []
    for x in (1, 9):
        document = copy.deepcopy(MODEL)
        document["nodes"][1]["x"] = x
        models.append(Model(document, "model.json", ("$.nodes[*].x",)))
    assert models[0].input_digest == models[1].input_digest
    scenario = scenario_of(("Coverage", 0.9, [path]))
    assert gives_same_input(*models, scenario) is same
    with_country = scenario_of(COUNTRY, ("Coverage", 0.9, [path]))
    assert gives_same_input(*models, with_country, "KEN") is same


def test_paths_after_one_that_cannot_be_read_are_looked_at() -> None:
    composed = compose(("Coverage", 0.9, ["$.nodes[", "$.nothing"]))
    assert [finding.code for finding in composed.findings] == ["bad-path"]
    assert composed.unmatched == (("$.nothing", "Coverage"),)
