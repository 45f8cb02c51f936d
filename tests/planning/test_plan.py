from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.database import ValidationDatabase
from ingest.errors import ConfigError, StudyError
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.plan import (
    EMPTY_STATE,
    Plan,
    PlannedJob,
    PlanRules,
    Reason,
    ReasonKind,
    StoredFailure,
    StoredState,
    StoredSuccess,
    UnfinishedJob,
    content_lookup,
    make_plan,
    study_contents,
    wanted_inputs,
)
from ingest.plugins.manager import load_plugins
from ingest.running.planner import RunPlanner, Selection
from ingest.study.code_version import CodeVersion
from ingest.study.combination import Combination, select_names
from ingest.study.compose import compose_scenarios
from ingest.study.country import Country
from ingest.study.git import GitState
from ingest.study.identity import query_values
from ingest.study.json_files import canonical_json, sha256_text
from ingest.study.scenario import parse_scenario
from ingest.study.settings import AnalyticsSettings, Settings, StudySettings
from ingest.study.study import Model, Study
from tests.conftest import COVERAGE_PATH, MODEL, scenario

HEAD = "b" * 40
ALL_TRIGGERS = frozenset({"input", "code", "environment", "commit"})


def study_of(
    scenarios: Mapping[str, Any] | None = None,
    countries: tuple[str, ...] = ("KEN", "UGA", "TZA"),
    model: Any = MODEL,
    code: Mapping[str, str] | None = None,
    environment: str = "standard",
    analytics: AnalyticsSettings | None = None,
    ignore: tuple[str, ...] = StudySettings.ignore,
    query: str | None = None,
) -> Study:
    """A study in memory: two scenarios, three countries unless others are given."""
    documents = scenarios or {"null": scenario(0.0), "scale_up": scenario(0.9)}
    return Study(
        settings=Settings(
            Path("study"),
            study=StudySettings(environment=environment, ignore=ignore),
            analytics=analytics or AnalyticsSettings(),
        ),
        model=Model(model, "model.json", ignore),
        scenarios=tuple(
            parse_scenario(d, name, f"{name}.json")[0] for name, d in documents.items()
        ),
        countries=tuple(Country(iso3, f"Land of {iso3}") for iso3 in countries),
        code=CodeVersion(code or {"model.py": "1"}),
        input_files=(),
        query=query or query_of(analytics or AnalyticsSettings()),
    )


def query_of(analytics: AnalyticsSettings, **tables: Any) -> str:
    """What decides which numbers are read; tables: the sections of sources."""
    settings = Settings(Path("study"), analytics=analytics, analytics_sources=tables)
    return canonical_json(query_values(settings, load_plugins().hook))


def inputs_of(study: Study) -> dict[Combination, Inputs]:
    composed = compose_scenarios(study.model, study.scenarios)
    return wanted_inputs(study, composed, [country.iso3 for country in study.countries])


def succeeded(study: Study, run_id: int = 1, **fields: Any) -> StoredState:
    """The state after a run of every combination of a study."""
    successes = {
        combination: StoredSuccess(
            run_id, **({"git_commit": HEAD, "has_metrics": True, "inputs": inputs} | fields)
        )
        for combination, inputs in inputs_of(study).items()
    }
    return StoredState(successes, {}, {}, content_lookup(study_contents(study)))


def plan(study: Study, stored: StoredState, **rules: Any) -> Plan:
    rules = {"commit": HEAD, "ignore": study.settings.study.ignore} | rules
    contents = content_lookup(study_contents(study))
    return make_plan(inputs_of(study), stored, PlanRules(**rules), contents)


def reasons(made: Plan) -> dict[tuple[str, str], int]:
    """Kind and words of each reason, with the number of its combinations."""
    return {(r.kind.value, r.text): len(group) for r, group in made.by_reason().items()}


def without(state: StoredState, *combinations: Combination) -> StoredState:
    left = {c: s for c, s in state.successes.items() if c not in combinations}
    return dataclasses.replace(state, successes=left)


KEN_NULL = Combination("KEN", "null")


# --- never run, up to date -----------------------------------------------------------------------


def test_plan_runs_everything_where_nothing_is_stored() -> None:
    made = plan(study_of(), EMPTY_STATE)
    assert reasons(made) == {("never-run", "never run"): 6}
    assert made.up_to_date == ()
    assert made.total == 6


def test_plan_skips_combinations_with_the_same_digest() -> None:
    study = study_of()
    made = plan(study, succeeded(study))
    assert made.to_run == ()
    assert made.up_to_date == tuple(inputs_of(study))


def test_plan_keeps_scenarios_and_countries_in_the_order_of_the_study() -> None:
    study = study_of(countries=("UGA", "KEN"))
    order = [job.combination for job in plan(study, EMPTY_STATE).to_run]
    assert order == [("UGA", "null"), ("KEN", "null"), ("UGA", "scale_up"), ("KEN", "scale_up")]


def test_new_country_and_new_scenario_run_alone() -> None:
    stored = succeeded(study_of())
    documents = {"null": scenario(0.0), "scale_up": scenario(0.9), "more": scenario(1.0)}
    made = plan(study_of(documents, countries=("KEN", "UGA", "TZA", "NAM")), stored)
    assert reasons(made) == {("never-run", "never run"): 6}
    assert {job.combination for job in made.to_run} == {
        *(Combination(iso3, "more") for iso3 in ("KEN", "UGA", "TZA", "NAM")),
        Combination("NAM", "null"),
        Combination("NAM", "scale_up"),
    }


def test_success_of_a_combination_outside_the_study_does_not_matter() -> None:
    stored = succeeded(study_of(countries=("KEN", "UGA", "TZA", "NAM")))
    assert plan(study_of(), stored).to_run == ()


# --- input ---------------------------------------------------------------------------------------


def test_changed_scenario_runs_alone_and_names_the_parameter() -> None:
    made = plan(
        study_of({"null": scenario(0.0), "scale_up": scenario(0.95)}), succeeded(study_of())
    )
    assert reasons(made) == {("input", "scenario scale_up changed (Coverage 0.9 -> 0.95)"): 3}
    assert {c.scenario for c in made.up_to_date} == {"null"}


def test_scenario_whose_words_alone_change_does_not_run() -> None:
    relabelled = scenario(0.9)
    relabelled["metadata"] = {"label": "other", "description": "other"}
    relabelled["parameters"]["Coverage"] |= {"description": "other", "category": "c"}
    documents = {"null": scenario(0.0), "scale_up": relabelled}
    assert plan(study_of(documents), succeeded(study_of())).to_run == ()


def test_scenario_written_otherwise_with_the_same_document_does_not_run() -> None:
    twice = scenario(0.0, Again={"value": 0.9, "paths": [COVERAGE_PATH]})
    documents = {"null": scenario(0.0), "scale_up": twice}
    assert plan(study_of(documents), succeeded(study_of())).to_run == ()


def test_changed_model_runs_everything() -> None:
    changed = MODEL | {"runtime": {"startYear": 2025, "endYear": 2028}}
    made = plan(study_of(model=changed), succeeded(study_of()))
    text = "model document changed (runtime.synchronous_iterations removed)"
    assert reasons(made) == {("input", text): 6}


def moved(**layout: Any) -> dict[str, Any]:
    """The model with another layout and other metadata, and nothing else."""
    changed = copy.deepcopy(MODEL)
    changed["metadata"] = {"version": 7}
    changed["nodes"][0] |= {"x": 3.5, "y": -1, "color": "#fff", "description": "New"} | layout
    return changed


def test_change_of_layout_words_and_metadata_alone_runs_nothing() -> None:
    before = succeeded(study_of(model=moved()))
    assert plan(study_of(), before).to_run == ()
    assert plan(study_of(model=moved(x=9)), before).to_run == ()


def test_change_of_layout_counts_where_the_study_says_so() -> None:
    made = plan(study_of(model=moved(), ignore=("$.metadata",)), succeeded(study_of()))
    text = (
        "model document changed (node 'Population': color added: #fff, "
        "node 'Population': description added: New, node 'Population': x added: 3.5, 1 more; "
        "2 metadata values)"
    )
    assert reasons(made) == {("input", text): 6}


def test_list_of_what_is_no_input_is_none_itself() -> None:
    for ignore in ((), ("$.nodes[*].label",), ("$.runtime", "$.nodes")):
        assert plan(study_of(ignore=ignore), succeeded(study_of())).to_run == ()


def test_change_of_layout_runs_where_the_document_before_was_not_kept() -> None:
    stored = dataclasses.replace(succeeded(study_of()), content=lambda digest: None)
    assert len(plan(study_of(model=moved()), stored).to_run) == 6


def test_change_of_layout_beside_another_runs_and_the_other_is_named() -> None:
    changed = moved()
    changed["runtime"] = MODEL["runtime"] | {"endYear": 2030}
    made = plan(study_of(model=changed), succeeded(study_of()))
    text = (
        "model document changed (runtime.endYear 2028 -> 2030; "
        "2 metadata values, 3 layout values, 1 text)"
    )
    assert reasons(made) == {("input", text): 6}


def test_scenario_may_set_what_is_no_input() -> None:
    def documents(version: int) -> dict[str, Any]:
        parameter = {"value": version, "paths": ["$.metadata.name"]}
        return {"null": scenario(0.0), "scale_up": scenario(0.9, Version=parameter)}

    stored = succeeded(study_of(documents(1)))
    composed = compose_scenarios(study_of().model, study_of(documents(5)).scenarios)
    assert json.loads(composed["scale_up"].document("KEN"))["metadata"]["name"] == 5
    assert plan(study_of(documents(1)), stored).to_run == ()
    made = plan(study_of(documents(2)), stored)
    assert reasons(made) == {("input", "scenario scale_up changed (Version 1 -> 2)"): 3}


@pytest.mark.parametrize(
    ("path", "runs"),
    [
        ("$.nodes[?(@.x > 5)].generate_array.parameters.value", True),
        ("$.nodes[?(@.label == 'Coverage')].generate_array.parameters.value", False),
        ("$.nodes[?(@.generate_array.parameters.country == 'UGA')].label", False),
        ("$.nodes[?(@.generate_array.parameters.country == 'UGA' && @.x > 5)].label", {"UGA"}),
    ],
)
def test_layout_that_a_scenarios_path_looks_at_counts(path: str, runs: bool | set[str]) -> None:
    documents = {"null": scenario(0.0), "more": scenario(0.9, X={"value": 7, "paths": [path]})}
    old, new = copy.deepcopy(MODEL), copy.deepcopy(MODEL)
    old["nodes"][1]["x"], new["nodes"][1]["x"] = 9, 1
    old["nodes"][0]["generate_array"]["parameters"]["value"] = 0
    new["nodes"][0]["generate_array"]["parameters"]["value"] = 0
    old["nodes"][0]["x"], new["nodes"][0]["x"] = 1, 9
    made = plan(study_of(documents, model=new), succeeded(study_of(documents, model=old)))
    countries = {"KEN", "UGA", "TZA"} if runs is True else runs or set()
    assert {job.combination for job in made.to_run} == {(c, "more") for c in countries}


def test_documents_are_compared_once_for_each_pair_and_only_where_they_differ() -> None:
    asked: list[str] = []
    stored = succeeded(study_of(model=moved()))

    def content(digest: str) -> Any:
        asked.append(digest)
        return stored.content(digest)

    counted = dataclasses.replace(stored, content=content)
    assert plan(study_of(), counted).to_run == ()
    assert asked == [study_of(model=moved()).model.digest]
    asked.clear()
    assert plan(study_of(model=moved()), counted).to_run == ()
    assert asked == []


def test_scenarios_that_changed_alike_have_one_reason_and_their_jobs_name_their_own() -> None:
    def documents(coverage: float, other: float) -> dict[str, Any]:
        alike = {f"s{number}": scenario(coverage) for number in range(9)}
        return alike | {"other": scenario(other)}

    made = plan(study_of(documents(0.9, 0.5)), succeeded(study_of(documents(0.8, 0.4))))
    assert reasons(made) == {
        ("input", "9 scenarios changed (Coverage 0.8 -> 0.9)"): 27,
        ("input", "scenario other changed (Coverage 0.4 -> 0.5)"): 3,
    }
    assert made.to_run[0].reason.text == "scenario s0 changed (Coverage 0.8 -> 0.9)"


def test_reasons_that_begin_alike_stay_apart() -> None:
    def model(last: int) -> dict[str, Any]:
        return MODEL | {"other": {"a": 1, "b": 1, "c": 1, "d": last}}

    first, second = succeeded(study_of(model=model(1))), succeeded(study_of(model=model(2)))
    mixed = {c: (first if c.country == "KEN" else second).successes[c] for c in first.successes}
    contents = {
        **study_contents(study_of(model=model(1))),
        **study_contents(study_of(model=model(2))),
    }
    stored = dataclasses.replace(first, successes=mixed, content=content_lookup(contents))
    new = MODEL | {"other": {"a": 2, "b": 2, "c": 2, "d": 3}}
    made = plan(study_of(model=new), stored)
    groups = made.by_reason()
    assert sorted(len(group) for group in groups.values()) == [2, 4]
    assert len({reason.text for reason in groups}) == 1
    lasts = {reason.cause.more()[0] for reason in groups if reason.cause}
    assert lasts == {"other.d 1 -> 3", "other.d 2 -> 3"}


def test_model_change_that_a_scenario_overrides_does_not_run_that_scenario() -> None:
    bare = scenario(0.0)
    del bare["parameters"]["Coverage"]
    documents = {"bare": bare, "scale_up": scenario(0.9)}
    changed = copy.deepcopy(MODEL)
    changed["nodes"][1]["generate_array"]["parameters"]["value"] = 0.4
    made = plan(study_of(documents, model=changed), succeeded(study_of(documents)))
    place = "node 'Coverage': value"
    assert reasons(made) == {("input", f"model document changed ({place} 0.1 -> 0.4)"): 3}
    assert {job.combination.scenario for job in made.restored} == {"scale_up"}
    assert made.up_to_date == ()


def test_changed_model_and_scenario_are_both_named() -> None:
    changed = study_of({"null": scenario(0.5)}, model=MODEL | {"subroutines": [1]})
    made = plan(changed, succeeded(study_of({"null": scenario(0.0)})))
    text = (
        "model document changed (subroutines [] -> [1])"
        " and scenario null changed (Coverage 0.0 -> 0.5)"
    )
    assert reasons(made) == {("input", text): 3}


def test_scenario_whose_old_content_was_not_kept_is_named_without_the_parameter() -> None:
    stored = dataclasses.replace(succeeded(study_of()), content=lambda digest: None)
    documents = {"null": scenario(0.0), "scale_up": scenario(0.95)}
    text = "scenario scale_up changed (what it was before is not kept)"
    assert reasons(plan(study_of(documents), stored)) == {("input", text): 3}


def test_other_document_of_the_same_model_and_scenario_is_a_change_of_composition() -> None:
    study = study_of()
    inputs = inputs_of(study)[KEN_NULL]._replace(document_digest="of another version")
    stored = succeeded(study)
    successes = {**stored.successes, KEN_NULL: StoredSuccess(1, HEAD, True, inputs)}
    made = plan(study, dataclasses.replace(stored, successes=successes))
    assert reasons(made) == {("input", "composition of the document changed"): 1}


API = AnalyticsSettings(source="analytics-api", url="http://u")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (
            AnalyticsSettings(),
            AnalyticsSettings(element_labels=("Cost",)),
            'analytics.element_labels [] -> ["Cost"]',
        ),
        (
            AnalyticsSettings(),
            AnalyticsSettings(on_bad_rows="skip"),
            "analytics.on_bad_rows fail -> skip",
        ),
        (
            API,
            dataclasses.replace(API, filters=("a=1",)),
            'analytics.filters [] -> ["a=1"]',
        ),
    ],
)
def test_changed_analytics_query_runs_everything_and_is_named(
    before: AnalyticsSettings, now: AnalyticsSettings, told: str
) -> None:
    stored = succeeded(study_of(analytics=before), source=before.source)
    made = plan(study_of(analytics=now), stored, source=now.source)
    assert reasons(made) == {("input", f"analytics query changed ({told})"): 6}


@pytest.mark.parametrize(
    "now", [API, AnalyticsSettings(source="s3"), AnalyticsSettings(source="executor")]
)
@pytest.mark.parametrize(
    "before", [API, AnalyticsSettings(source="s3"), AnalyticsSettings(source="executor")]
)
def test_another_source_runs_everything_and_both_are_named(
    before: AnalyticsSettings, now: AnalyticsSettings
) -> None:
    stored = succeeded(study_of(analytics=before), source=before.source)
    made = plan(study_of(analytics=now), stored, source=now.source)
    text = f"analytics query changed (analytics.source {before.source} -> {now.source})"
    assert reasons(made) == ({} if before == now else {("input", text): 6})


def test_a_setting_of_a_source_that_decides_a_result_is_named() -> None:
    s3 = AnalyticsSettings(source="s3")
    places = [{"location": f"s3://bucket/{key}/{{ulid}}.csv"} for key in ("a", "b")]
    before, now = (study_of(analytics=s3, query=query_of(s3, s3=place)) for place in places)
    made = plan(now, succeeded(before, source="s3"), source="s3")
    text = "analytics query changed (analytics.s3.key a/{ulid}.csv -> b/{ulid}.csv)"
    assert reasons(made) == {("input", text): 6}


def test_a_source_that_older_databases_do_not_record_is_taken_to_be_the_one_of_now() -> None:
    """Their results of s3 have the query of the executor's own; they are restored, none runs."""
    now = study_of(analytics=AnalyticsSettings(source="s3"))
    made = plan(now, succeeded(study_of()), source="s3")
    assert made.to_run == ()
    assert len(made.restored) == 6
    assert plan(study_of(), succeeded(study_of())).restored == ()


def test_a_setting_that_only_a_later_version_of_a_source_tells_is_no_change() -> None:
    queries = ['{"source":"own"}', '{"source":"own","own.table":"x"}']
    before, now = (study_of(query=query) for query in queries)
    assert plan(now, succeeded(before, source="own"), source="own").to_run == ()


@pytest.mark.parametrize(
    ("analytics", "digest"),
    [
        (AnalyticsSettings(), "ea366be0fe4be9888382441b3d63010c825584511c0ef8741c69d8f5875603e4"),
        (
            AnalyticsSettings(filters=("x=1",), url="http://u"),
            "ea366be0fe4be9888382441b3d63010c825584511c0ef8741c69d8f5875603e4",
        ),
        (
            AnalyticsSettings(element_labels=("B", "A"), on_bad_rows="skip"),
            "2a76088ff9a8d6c5f9d7c550e156f782c65ecde26e56025027573771107daeb3",
        ),
        (
            AnalyticsSettings(
                source="analytics-api",
                url="http://u",
                filters=("b=2", "a=1"),
                element_labels=("B", "A"),
                event_type="*",
                aggregations=("value:sum",),
            ),
            "3bd964374b9b995fecc54b361b026963de6b5f05bee6a7f3faeb4816b6b72a36",
        ),
    ],
)
def test_query_has_the_digest_that_databases_hold(
    analytics: AnalyticsSettings, digest: str
) -> None:
    assert sha256_text(query_of(analytics)) == digest


def test_inputs_have_the_digest_that_databases_hold() -> None:
    inputs = inputs_of(study_of())[KEN_NULL]
    assert inputs.shared.code_digest == (
        "4f1da65ccd472abd6f58a06743c78324298e3249a6f22505287d8947c6734a63"
    )
    assert inputs.digest == "3bdfef841c51df4579035137639a086844a5546aae04dc0a018cce9243818702"


def test_order_of_element_labels_is_no_change() -> None:
    one, two = (
        AnalyticsSettings(element_labels=("A", "B")),
        AnalyticsSettings(element_labels=("B", "A")),
    )
    assert query_of(one) == query_of(two)


def test_inputs_that_were_not_recorded_run_again() -> None:
    study = study_of()
    made = plan(study, succeeded(study, run_id=4, inputs=None))
    assert reasons(made) == {("input", "inputs of run 4 were not recorded"): 6}


# --- code, environment, commit -------------------------------------------------------------------


def test_changed_code_runs_everything_and_names_the_files() -> None:
    before = study_of(code={"model.py": "1", "facts.csv": "1", "same.py": "1"})
    now = study_of(code={"model.py": "2", "facts.csv": "2", "same.py": "1"})
    made = plan(now, succeeded(before))
    assert reasons(made) == {("code", "code changed (facts.csv, model.py)"): 6}


def test_code_whose_old_parts_were_not_kept_is_told_without_files() -> None:
    stored = dataclasses.replace(succeeded(study_of()), content=lambda digest: None)
    made = plan(study_of(code={"model.py": "2"}), stored)
    assert reasons(made) == {("code", "code changed (what it was before is not kept)"): 6}


def test_changed_environment_runs_everything_and_names_both() -> None:
    made = plan(study_of(environment="big"), succeeded(study_of()))
    assert reasons(made) == {("environment", "environment changed (standard -> big)"): 6}


def test_another_commit_runs_nothing_unless_it_is_a_trigger() -> None:
    study, stored = study_of(), succeeded(study_of(), git_commit="a" * 40)
    assert plan(study, stored).to_run == ()
    made = plan(study, stored, triggers=ALL_TRIGGERS)
    assert reasons(made) == {("commit", "commit changed (aaaaaaa -> bbbbbbb)"): 6}


def test_same_commit_runs_nothing_under_the_commit_trigger() -> None:
    study = study_of()
    assert plan(study, succeeded(study), triggers=frozenset({"commit"})).to_run == ()


CHANGES: dict[str, tuple[Study, dict[str, Any]]] = {
    "input": (study_of(model=MODEL | {"subroutines": [1]}), {}),
    "code": (study_of(code={"model.py": "2"}), {}),
    "environment": (study_of(environment="big"), {}),
    "commit": (study_of(), {"commit": "c" * 40}),
}


@pytest.mark.parametrize("trigger", CHANGES)
def test_trigger_alone_finds_its_own_change_and_no_other(trigger: str) -> None:
    stored = succeeded(study_of())
    for change, (study, rules) in CHANGES.items():
        made = plan(study, stored, triggers=frozenset({trigger}), **rules)
        kinds = {job.reason.kind.value for job in made.to_run}
        assert kinds == ({trigger} if change == trigger else set()), change


@pytest.mark.parametrize("trigger", CHANGES)
def test_change_whose_trigger_is_off_runs_nothing(trigger: str) -> None:
    study, rules = CHANGES[trigger]
    others = ALL_TRIGGERS - {trigger}
    assert plan(study, succeeded(study_of()), triggers=others, **rules).to_run == ()


def test_input_is_told_before_code_before_environment_before_commit() -> None:
    stored = succeeded(study_of(), git_commit="a" * 40)
    everything = study_of(
        model=MODEL | {"subroutines": [1]}, code={"model.py": "2"}, environment="big"
    )
    triggers = set(ALL_TRIGGERS)
    for kind in ("input", "code", "environment", "commit"):
        made = plan(everything, stored, triggers=frozenset(triggers))
        assert {job.reason.kind.value for job in made.to_run} == {kind}
        triggers.discard(kind)


# --- metrics, failures, unfinished, force --------------------------------------------------------


def test_success_without_metrics_runs_again() -> None:
    study = study_of()
    made = plan(study, succeeded(study, run_id=3, has_metrics=False))
    assert reasons(made) == {("no-metrics", "success without metrics in run 3"): 6}


@pytest.mark.parametrize(
    ("status", "words"),
    [("failed", "failed"), ("timeout", "timed out"), ("cancelled", "cancelled")],
)
def test_combination_that_never_succeeded_says_how_it_failed(status: str, words: str) -> None:
    study = study_of()
    state = without(succeeded(study), KEN_NULL)
    stored = dataclasses.replace(state, failures={KEN_NULL: StoredFailure(7, status)})
    assert reasons(plan(study, stored)) == {("failed", f"{words} in run 7"): 1}


def test_failure_after_a_success_with_the_same_inputs_needs_nothing() -> None:
    study = study_of()
    failures = {KEN_NULL: StoredFailure(7, "failed")}
    stored = dataclasses.replace(succeeded(study), failures=failures)
    assert plan(study, stored).to_run == ()


def test_failure_after_a_success_with_other_inputs_tells_the_change() -> None:
    failures = {KEN_NULL: StoredFailure(7, "failed")}
    stored = dataclasses.replace(succeeded(study_of()), failures=failures)
    made = plan(study_of({"null": scenario(0.1), "scale_up": scenario(0.9)}), stored)
    assert reasons(made) == {("input", "scenario null changed (Coverage 0.0 -> 0.1)"): 3}


def test_force_runs_everything() -> None:
    study = study_of()
    assert reasons(plan(study, succeeded(study), force=True)) == {("forced", "--force"): 6}


def test_only_failed_runs_those_whose_newest_job_did_not_succeed_and_looks_at_no_other() -> None:
    study = study_of(environment="big")
    failures = {KEN_NULL: StoredFailure(7, "timeout")}
    stored = dataclasses.replace(succeeded(study_of()), failures=failures)
    made = plan(study, stored, only_failed=True)
    assert reasons(made) == {("failed", "timed out in run 7"): 1}
    assert made.to_run[0].combination == KEN_NULL
    assert made.up_to_date == ()


def test_only_failed_does_not_run_what_never_ran() -> None:
    made = plan(study_of(), EMPTY_STATE, only_failed=True)
    assert made.total == 0


def test_only_failed_wins_over_force() -> None:
    study = study_of()
    assert plan(study, succeeded(study), only_failed=True, force=True).to_run == ()


def unfinished(study: Study, digest: str | None = None) -> StoredState:
    job = UnfinishedJob(2, digest or inputs_of(study)[KEN_NULL].digest)
    return dataclasses.replace(succeeded(study), unfinished={KEN_NULL: job})


@pytest.mark.parametrize("force", [False, True])
def test_unfinished_job_with_the_same_inputs_is_taken_up_again(force: bool) -> None:
    study = study_of()
    made = plan(study, unfinished(study), force=force)
    assert made.by_reason()[Reason(ReasonKind.UNFINISHED, "left over from run 2")] == [KEN_NULL]
    assert len(made.to_run) == (6 if force else 1)


def test_unfinished_job_with_other_inputs_is_not_taken_up() -> None:
    study = study_of()
    assert plan(study, unfinished(study, "of other inputs")).to_run == ()


# --- groups --------------------------------------------------------------------------------------


def test_groups_stand_with_the_largest_first() -> None:
    study = study_of()
    stored = without(succeeded(study_of(environment="big")), KEN_NULL)
    groups = list(plan(study, stored).by_reason().items())
    assert [(reason.kind.value, len(group)) for reason, group in groups] == [
        ("environment", 5),
        ("never-run", 1),
    ]


def test_groups_of_one_size_stand_in_the_order_of_the_plan() -> None:
    jobs = [
        PlannedJob(Combination(iso3, "null"), inputs_of(study_of())[KEN_NULL], Reason(kind, iso3))
        for iso3, kind in (("KEN", ReasonKind.CODE), ("UGA", ReasonKind.INPUT))
    ]
    assert [reason.text for reason in Plan(tuple(jobs), ()).by_reason()] == ["KEN", "UGA"]


def test_combination_is_shown_as_country_and_scenario() -> None:
    assert str(KEN_NULL) == "KEN / null"


# --- the property: a plan depends on nothing but what it is given --------------------------------

# a busy machine is no defect
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
COMBINATIONS = [Combination(iso3, name) for iso3 in ("KEN", "UGA") for name in ("x", "y")]
words = st.sampled_from(["1", "2"])
input_sets = st.builds(InputSet, st.just("x"), words, words, words, words, words)
all_inputs = st.builds(Inputs, input_sets, words)
states = st.builds(
    StoredState,
    st.dictionaries(
        st.sampled_from(COMBINATIONS),
        st.builds(StoredSuccess, st.just(1), words, st.booleans(), st.none() | all_inputs),
    ),
    st.dictionaries(
        st.sampled_from(COMBINATIONS),
        st.builds(StoredFailure, st.just(1), st.sampled_from(["failed", "timeout", "cancelled"])),
    ),
    st.dictionaries(
        st.sampled_from(COMBINATIONS),
        st.builds(UnfinishedJob, st.just(1), all_inputs.map(lambda i: i.digest)),
    ),
    st.just(lambda digest: None),
)
all_rules = st.builds(
    PlanRules, st.frozensets(st.sampled_from(sorted(ALL_TRIGGERS))), words, st.booleans(),
    st.booleans(),
)  # fmt: skip
wanted = st.fixed_dictionaries(dict.fromkeys(COMBINATIONS, all_inputs))


def nothing(digest: str) -> None:
    return None


@unhurried
@given(wanted, states, all_rules)
def test_plan_is_pure_and_parts_the_wanted(
    wanted: dict[Combination, Inputs], stored: StoredState, rules: PlanRules
) -> None:
    before = copy.deepcopy((wanted, stored.successes, stored.failures, stored.unfinished))
    made = make_plan(wanted, stored, rules, nothing)
    assert make_plan(wanted, stored, rules, nothing) == made
    assert (wanted, stored.successes, stored.failures, stored.unfinished) == before
    ran = [job.combination for job in made.to_run]
    assert not set(ran) & set(made.up_to_date)
    assert [c for c in wanted if c in ran] == ran
    assert [c for c in wanted if c in made.up_to_date] == list(made.up_to_date)
    assert rules.only_failed or {*ran, *made.up_to_date} == set(wanted)
    assert all(job.inputs == wanted[job.combination] for job in made.to_run)


@unhurried
@given(wanted, states, all_rules)
def test_planning_again_after_everything_succeeded_finds_nothing(
    wanted: dict[Combination, Inputs], stored: StoredState, rules: PlanRules
) -> None:
    rules = dataclasses.replace(rules, force=False, only_failed=False)
    made = make_plan(wanted, stored, rules, nothing)
    ran = {job.combination: StoredSuccess(2, rules.commit, True, job.inputs) for job in made.to_run}
    after = StoredState({**stored.successes, **ran}, {}, {}, nothing)
    assert make_plan(wanted, after, rules, nothing).to_run == ()


# --- selection -----------------------------------------------------------------------------------

NAMES = ["null", "scale_up", "scale_up_slow", "clean-air", "Baseline"]


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ([], NAMES),
        (["null"], ["null"]),
        (["clean-air,null"], ["null", "clean-air"]),
        (["clean-air", "null"], ["null", "clean-air"]),
        ([" null , clean-air ,"], ["null", "clean-air"]),
        (["null,null", "null"], ["null"]),
        (["scale*"], ["scale_up", "scale_up_slow"]),
        (["scale_up"], ["scale_up"]),
        (["*_slow,n*"], ["null", "scale_up_slow"]),
        (["?ull"], ["null"]),
        (["*"], NAMES),
        (["baseline"], ["Baseline"]),
        (["B*"], ["Baseline"]),
        (["[nb]*"], ["null", "Baseline"]),
    ],
)
def test_selection_takes_comma_lists_globs_and_repetitions(
    patterns: list[str], chosen: list[str]
) -> None:
    assert select_names(patterns, NAMES, "scenario") == chosen


def test_name_that_looks_like_a_pattern_is_that_name() -> None:
    assert select_names(["a[1]"], ["a1", "a[1]"], "scenario") == ["a[1]"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("scaleup", "no scenario scaleup in this study. Did you mean scale_up?"),
        ("null,nul", "no scenario nul in this study. Did you mean null?"),
        (
            "zzz*",
            "no scenario zzz* in this study. Known: null, scale_up, scale_up_slow, clean-air,"
            " Baseline.",
        ),
        ("", "no scenario was chosen: the list given is empty"),
        (" , ", "no scenario was chosen: the list given is empty"),
    ],
)
def test_selection_of_an_unknown_name_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        select_names([pattern], NAMES, "scenario")
    assert str(caught.value) == message


def test_long_list_of_known_names_is_cut() -> None:
    with pytest.raises(ConfigError) as caught:
        select_names(["zzz"], [f"n{number}" for number in range(9)], "scenario")
    assert str(caught.value).endswith("Known: n0, n1, n2, n3, n4, n5, n6, n7, ... (9 in all).")


# --- RunPlanner ----------------------------------------------------------------------------------


def planner(study: Study, tmp_path: Path, **selection: Any) -> RunPlanner:
    database = ValidationDatabase(tmp_path / "none.db")
    return RunPlanner(study, database, GitState(HEAD), Selection(**selection))


def test_planner_plans_the_selection_alone(tmp_path: Path) -> None:
    chosen = planner(study_of(), tmp_path, countries=("ken,T*",), scenarios=("scale*",))
    assert [job.combination for job in chosen.plan().to_run] == [
        ("KEN", "scale_up"),
        ("TZA", "scale_up"),
    ]
    assert not list(tmp_path.iterdir())


def test_planner_suggests_a_country_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        planner(study_of(), tmp_path, countries=("KEM",)).plan()
    assert str(caught.value) == ("no country KEM in this study. Did you mean KEN (Land of KEN)?")


def test_planner_refuses_a_study_whose_scenarios_do_not_fit_the_model(tmp_path: Path) -> None:
    bad = scenario(0.0, Bad={"value": 1, "paths": ["$.absent"]})
    with pytest.raises(StudyError) as caught:
        planner(study_of({"null": bad}), tmp_path).plan()
    assert str(caught.value) == (
        "null.json: parameter 'Bad': $.absent matches nothing in model.json "
        "(study.unmatched_paths = 'error')"
    )


def test_planner_looks_at_the_chosen_scenarios_alone(tmp_path: Path) -> None:
    bad = scenario(0.0, Bad={"value": 1, "paths": ["$.absent"]})
    study = study_of({"null": scenario(0.0), "bad": bad})
    assert planner(study, tmp_path, scenarios=("null",)).plan().total == 3


def test_planner_composes_the_document_of_a_planned_combination(tmp_path: Path) -> None:
    study = study_of()
    made = planner(study, tmp_path)
    made.plan()
    composed = compose_scenarios(study.model, study.scenarios)
    assert made.compose_document(KEN_NULL) == composed["null"].document("KEN")
