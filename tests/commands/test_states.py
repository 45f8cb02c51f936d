"""A state is of one study and one model: what is restored, retired or left out, and is said."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.conftest import MODEL, MODEL_CODE, Ingest, StudyFolder, scenario


def read(study: StudyFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(sql).fetchall()


def set_end_year(study: StudyFolder, year: int) -> None:
    """Another model document: its results get longer or shorter."""
    study.write_json("model.json", {**MODEL, "runtime": {**MODEL["runtime"], "endYear": year}})


def write_groups(study: StudyFolder, **regions: str) -> None:
    countries = [{"iso3": code, "name": code, "region": region} for code, region in regions.items()]
    study.write_json("countries.json", {"countries": countries})


def test_results_computed_before_are_restored(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    set_end_year(study, 2031)
    ingest("run", "--countries", "KEN,UGA")
    set_end_year(study, 2028)
    study.write_model("raise SystemExit('no job may run')")
    study.write_model(MODEL_CODE)
    planned = json.loads(ingest("plan", "--json").stdout)
    assert (planned["to_run"], planned["restored"]) == (0, [{"run_id": 1, "count": 4}])
    result = ingest("run")
    assert "4 restored from run 1 · KEN, UGA under null, scale_up" in result.stderr
    assert "4 restored, 0 succeeded, 0 failed" in result.stdout
    assert read(
        study,
        "SELECT restored_from, job_status, reason, count(*) FROM job_results WHERE run_id = 3",
    ) == [(1, "success", "computed in run 1", 4)]
    sets = "SELECT result_set_id FROM job_results WHERE run_id = {} AND country = 'KEN' ORDER BY 1"
    assert read(study, sets.format(3)) == read(study, sets.format(1))
    assert "up to date" in ingest("run").stdout


def test_a_result_is_restored_whatever_changed_that_is_no_input(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run", "--countries", "KEN")
    set_end_year(study, 2031)
    ingest("run", "--countries", "KEN")
    metadata = {**MODEL.get("metadata", {}), "version": "2"}
    study.write_json("model.json", {**MODEL, "metadata": metadata})
    assert "2 restored, 0 succeeded" in ingest("run", "--countries", "KEN").stdout


def test_a_restored_result_names_the_run_that_computed_it(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run", "--countries", "KEN")
    for year in (2031, 2028, 2031, 2028):
        set_end_year(study, year)
        ingest("run", "--countries", "KEN")
    found = read(study, "SELECT DISTINCT run_id, restored_from FROM job_results ORDER BY 1")
    assert found == [(1, None), (2, None), (3, 1), (4, 2), (5, 1)]


def test_without_reuse_every_changed_combination_runs(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--countries", "KEN")
    set_end_year(study, 2031)
    ingest("run", "--countries", "KEN")
    set_end_year(study, 2028)
    assert "2 succeeded" in ingest("run", "--no-reuse", "--countries", "KEN").stdout
    assert read(study, "SELECT count(*) FROM job_results WHERE restored_from > 0") == [(0,)]


def test_what_a_change_does_not_reach_is_of_the_new_model_too(
    study: StudyFolder, ingest: Ingest
) -> None:
    bare = scenario(0.0)
    del bare["parameters"]["Coverage"]
    study.write_json("scenarios/null.json", bare)
    ingest("run", "--countries", "KEN")
    changed = json.loads(json.dumps(MODEL))
    changed["nodes"][1]["generate_array"]["parameters"]["value"] = 0.4
    study.write_json("model.json", changed)  # scale_up sets the coverage itself
    assert "1 restored, 1 succeeded" in ingest("run", "--countries", "KEN").stdout
    versions = """SELECT count(DISTINCT model_version_id) FROM latest_results
                    JOIN input_sets USING (input_set_id)"""
    assert read(study, versions) == [(1,)]


def test_a_deleted_scenario_leaves_the_state_and_stays_in_history(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run")
    (study.root / "scenarios" / "scale_up.json").unlink()
    planned = ingest("plan")
    assert "Study: 1 scenario no longer in the study: scale_up" in planned.stdout
    result = ingest("run")
    assert "1 scenario no longer in the study: scale_up" in result.stderr
    assert "Run 2 keeps what the study consists of now: no job had to run" in result.stdout
    assert "Nothing to do" in ingest("run").stdout
    ingest("export", "-o", "now.csv")
    assert "scale_up" not in (study.root / "now.csv").read_text()
    ingest("export", "-o", "all.csv", "--all-history")
    assert "scale_up" in (study.root / "all.csv").read_text()
    assert read(study, "SELECT count(*) FROM metrics WHERE scenario = 'scale_up'") == [(24,)]
    assert read(study, "SELECT DISTINCT scenario FROM latest_results") == [("null",)]


def test_removed_combinations_close_the_gate(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    (study.root / "scenarios" / "scale_up.json").unlink()
    ingest("run")
    result = ingest("diff", "1", "2", "--fail-on-change")
    assert result.exit_code == 3
    assert "4 removed" in result.stdout
    assert "KEN / scale_up" in result.stdout


def test_what_comes_back_is_up_to_date(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    kept = (study.root / "scenarios" / "scale_up.json").read_text()
    (study.root / "scenarios" / "scale_up.json").unlink()
    ingest("run")
    (study.root / "scenarios" / "scale_up.json").write_text(kept)
    assert "1 scenario added: scale_up" in ingest("run").stderr
    assert read(study, "SELECT count(*) FROM latest_results") == [(8,)]


def test_first_numbers_after_a_failure_are_named(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model("def simulate(document):\n    raise ValueError('not yet')\n")
    ingest("run")
    study.write_model(MODEL_CODE)
    ingest("run")
    result = ingest("diff", "1", "2", "--fail-on-change")
    assert result.exit_code == 3
    assert "48 numbers are new" in result.stdout


def test_changed_groups_and_names_are_told_and_kept_with_each_run(
    study: StudyFolder, ingest: Ingest
) -> None:
    write_groups(study, KEN="East", UGA="East", TZA="South", NAM="South")
    ingest("run")
    write_groups(study, KEN="East", UGA="East", TZA="East", NAM="South")
    assert "TZA: region South -> East" in ingest("plan").stdout
    ingest("run")
    compare = ("compare", "null", "scale_up", "--by", "region", "--json")
    for run, expected in (("1", {"East": 2, "South": 2}), ("2", {"East": 3, "South": 1})):
        rows = json.loads(ingest(*compare, "--run", run).stdout)["rows"]
        assert {row["region"]: row["countries"] for row in rows} == expected


def test_a_label_means_in_a_pinned_answer_what_it_meant_then(
    study: StudyFolder, ingest: Ingest
) -> None:
    label = '[labels."Population"]\nkind = "{}"\nunit = "{}"\n'
    study.write_settings(label.format("flow", "people a year"))
    ingest("run")
    study.write_settings(label.format("stock", "people"))
    assert "Population: unit people a year -> people" in ingest("plan").stdout
    ingest("run")
    compare = ("compare", "null", "scale_up", "--label", "Population", "--country", "KEN")
    people = sum(map(ord, "KEN")) / 7
    for run, years, total in (("1", "2025-2027", 78), ("2", "in 2027", 27)):
        assert years in ingest(*compare, "--run", run).stdout.splitlines()[0]
        answer = json.loads(ingest(*compare, "--run", run, "--json").stdout)
        assert answer["rows"][0]["baseline_value"] == pytest.approx(people * total)


def test_a_country_is_called_in_a_pinned_answer_what_it_was_called_then(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run")
    study.write_json("countries.json", {"countries": [{"iso3": "KEN", "name": "Kenya"}]})
    ingest("run")
    compare = ("compare", "null", "scale_up", "--country", "KEN", "--json", "--run")
    names = [json.loads(ingest(*compare, run).stdout)["rows"][0]["name"] for run in ("1", "2")]
    assert names == ["Land of KEN", "Kenya"]


# --- mixed inputs --------------------------------------------------------------------------------


def half_run(study: StudyFolder, ingest: Ingest) -> None:
    """All run; then the model changes, and one scenario of one country runs again."""
    ingest("run")
    set_end_year(study, 2031)
    ingest("run", "--countries", "KEN", "--scenarios", "scale_up")


MIXED = (
    "Warning: mixed inputs: the model document differs: null of run 1 (commit unknown); "
    "scale_up of run 2 (commit unknown) (1 current, 1 stale)\n"
)


def test_a_pair_of_different_models_is_told(study: StudyFolder, ingest: Ingest) -> None:
    half_run(study, ingest)
    result = ingest("compare", "null", "scale_up", "--country", "KEN")
    assert MIXED in result.stderr
    answer = json.loads(ingest("compare", "null", "scale_up", "--country", "KEN", "--json").stdout)
    assert answer["mixed"]["differing"] == ["the model document"]
    assert [(s["scenario"], s["runs"]) for s in answer["mixed"]["sources"]] == [
        ("null", [1, 1]),
        ("scale_up", [2, 2]),
    ]
    assert answer["state"]["stale"] == 1
    other = ingest("compare", "null", "scale_up", "--country", "UGA")
    assert "2 results are of other inputs than the study had at run 2 (2 stale)" in other.stderr


def test_a_total_over_two_models_is_told(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    set_end_year(study, 2031)
    ingest("run", "--countries", "KEN,UGA")
    result = ingest("compare", "null", "scale_up", "--by", "total")
    assert "mixed inputs: the model document differs: null of run 1" in result.stderr
    assert "(4 current, 4 stale)" in result.stderr


def test_consistent_leaves_out_what_is_of_other_inputs(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    set_end_year(study, 2031)
    ingest("run", "--countries", "KEN,UGA")
    result = ingest("compare", "null", "scale_up", "--consistent", "--json")
    assert [row["country"] for row in json.loads(result.stdout)["rows"]] == ["KEN", "UGA"]
    assert "Left out: 4 of other inputs (4 current, 4 stale)" in result.stderr
    whole = json.loads(ingest("compare", "null", "scale_up", "--by", "total", "--json").stdout)
    part = ingest("compare", "null", "scale_up", "--by", "total", "--json", "--consistent").stdout
    assert json.loads(part)["total"]["countries"] == 2 < whole["total"]["countries"]
    study.write_settings("[results]\nconsistent = true\n")
    by_setting = ingest("compare", "null", "scale_up", "--by", "total", "--json").stdout
    assert json.loads(by_setting)["total"] == json.loads(part)["total"]


def test_nothing_of_the_present_inputs_is_an_error_that_says_so(
    study: StudyFolder, ingest: Ingest
) -> None:
    half_run(study, ingest)
    result = ingest("compare", "null", "scale_up", "--country", "UGA", "--consistent")
    assert result.exit_code == 2
    assert "no results of the inputs that the study had at run 2 (2 stale)" in result.stderr


def test_require_consistent_closes_the_gate(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    compare = ("compare", "null", "scale_up", "--require-consistent")
    assert ingest(*compare).exit_code == 0
    set_end_year(study, 2031)
    ingest("run", "--countries", "KEN")
    result = ingest(*compare)
    assert result.exit_code == 3
    assert "Error: --require-consistent: 2 current, 6 stale as of run 2" in result.stderr
    assert ingest(*compare, "--country", "KEN").exit_code == 0
    refused = ingest("export", "-o", "x.csv", "--require-consistent")
    assert refused.exit_code == 3
    assert not (study.root / "x.csv").exists()


def test_an_export_of_several_models_says_which_run_each_number_is_of(
    study: StudyFolder, ingest: Ingest
) -> None:
    half_run(study, ingest)
    result = ingest("export", "-o", "mixed.csv")
    assert "Warning: mixed inputs: the model document differs" in result.stderr
    lines = (study.root / "mixed.csv").read_text().splitlines()
    assert lines[0] == "country,scenario,element_label,timestamp_year,value,run_id"
    runs = {(line.split(",")[0], line.split(",")[1], line.split(",")[-1]) for line in lines[1:]}
    assert ("KEN", "scale_up", "2") in runs
    assert ("KEN", "null", "1") in runs
    ingest("export", "-o", "one.csv", "--consistent")
    assert (study.root / "one.csv").read_text().splitlines()[0].endswith("timestamp_year,value")


def test_a_failure_of_the_newest_run_is_told_beside_older_numbers(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run")
    study.write_model("def simulate(document):\n    raise ValueError('broken')\n")
    ingest("run")
    result = ingest("compare", "null", "scale_up")
    assert "the newest job of 8 combinations failed" in result.stderr
    assert "(8 failed)" in result.stderr
    study.write_model(MODEL_CODE)
    ingest("run")
    assert ingest("compare", "null", "scale_up").stderr == ""


def test_what_can_be_missing_is_what_the_study_has_now(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    study.write_countries("KEN", "RWA")
    study.write_model("def simulate(document):\n    raise ValueError('broken')\n")
    ingest("run")
    answer = json.loads(ingest("query", "SELECT * FROM present_countries", "--json").stdout)
    assert answer == [{"country": "KEN"}, {"country": "RWA"}]
    state = json.loads(ingest("compare", "null", "scale_up", "--json").stdout)["state"]
    assert state == {"current": 0, "stale": 0, "failed": 4, "missing": 0, "retired": 0}


def test_retired_jobs_go_when_asked(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    (study.root / "scenarios" / "scale_up.json").unlink()
    ingest("run")
    assert "4 jobs" in ingest("gc", "--retired").stdout
    assert read(study, "SELECT count(*) FROM job_results") == [(8,)]
    ingest("gc", "--retired", "--yes")
    assert read(study, "SELECT DISTINCT scenario FROM job_results") == [("null",)]
    assert "Nothing to do" in ingest("run").stdout
