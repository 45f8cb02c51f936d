from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BUNDLED_STUDY, MODEL_CODE, Ingest, StudyFolder

# Population of the tiny study lies between 700 and 1,000.
HOLDS = """
[[rules]]
kind = "bounds"
label = "Population"
minimum = 0
[[rules]]
kind = "ordering"
label = "Healthy Years Lived"
scenarios = ["null", "scale_up"]
"""
# Broken in every job, three years each, as an error; and for each country, as a warning.
BROKEN = """
[[rules]]
name = "few people"
kind = "bounds"
label = "Population"
maximum = 1
severity = "error"
[[rules]]
kind = "ordering"
label = "Healthy Years Lived"
scenarios = ["scale_up", "null"]
"""
GATE = "[quality]\nfail_run = true\n"


def rows(study: StudyFolder, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(sql).fetchall()


def write_rules(study: StudyFolder, rules: str) -> None:
    study.write_settings(rules)


# --- ingest run ----------------------------------------------------------------------------------


def test_run_whose_rules_hold_says_nothing_of_quality(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, HOLDS + GATE)
    result = ingest("run")
    assert result.exit_code == 0
    assert "uality" not in result.stdout + result.stderr
    assert rows(study, "SELECT count(*) FROM quality_findings") == [(0,)]


def test_broken_rules_are_told_and_stored_and_the_numbers_too(
    study: StudyFolder, ingest: Ingest
) -> None:
    write_rules(study, BROKEN)
    result = ingest("run")
    assert result.exit_code == 0
    assert "8 succeeded, 0 failed" in result.stdout
    assert "Quality: 24 errors, 4 warnings: ingest check --results\n" in result.stdout
    assert rows(study, "SELECT count(*) FROM metrics") == [(48,)]
    assert rows(
        study,
        "SELECT run_id, rule, severity, element_label, timestamp_year, round(value, 1), message "
        "FROM quality_findings WHERE country = 'KEN' AND scenario = 'null'",
    ) == [
        (1, "few people", "error", "Population", 2025, 792.9, "792.857 is above 1"),
        (1, "few people", "error", "Population", 2026, 824.6, "824.571 is above 1"),
        (1, "few people", "error", "Population", 2027, 856.3, "856.286 is above 1"),
        (1, "ordering Healthy Years Lived", "warning", "Healthy Years Lived", None, 742.1,
         "the mean over the years, 742.114, is below that of scale_up, 816.326"),
    ]  # fmt: skip


def test_json_report_counts_findings(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, BROKEN)
    report = json.loads(ingest("run", "--json").stdout)
    assert report["quality"] == {"errors": 24, "warnings": 4, "fails_run": False}


def test_findings_kept_of_a_rule_and_job_are_limited(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, BROKEN + "[quality]\nmax_findings = 1\n")
    ingest("run", "--countries", "KEN", "--scenarios", "null")
    assert rows(study, "SELECT message FROM quality_findings") == [
        ("792.857 is above 1 (and 2 more)",)
    ]


def test_gate_ends_the_run_with_exit_code_3(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, BROKEN + GATE)
    result = ingest("run")
    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1] == (
        "Error: the data-quality rules found 24 errors in run 1, and quality.fail_run is set. "
        "See them with: ingest check --results"
    )
    assert rows(study, "SELECT status FROM validation_runs") == [("completed",)]


def test_gate_lets_warnings_through(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, BROKEN.replace('"error"', '"warning"') + GATE)
    result = ingest("run")
    assert result.exit_code == 0
    assert "Quality: 0 errors, 28 warnings" in result.stdout


def test_failed_jobs_count_more_than_the_gate(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, BROKEN + GATE)
    uga_fails = "    if 'UGA' in str(document): raise ValueError\n    runtime"
    study.write_model(MODEL_CODE.replace("    runtime", uga_fails, 1))
    result = ingest("run")
    assert result.exit_code == 1
    assert "quality.fail_run is set" in result.stderr


def test_rules_across_scenarios_look_at_the_countries_of_the_run(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run")
    write_rules(study, BROKEN)
    ingest("run", "--force", "--countries", "UGA", "--scenarios", "null")
    assert rows(
        study,
        "SELECT run_id, country, scenario, count(*) FROM quality_findings GROUP BY 1, 2, 3, rule",
    ) == [(2, "UGA", "null", 3), (2, "UGA", "null", 1)]


def test_jump_against_the_state_before_is_found(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, '[[rules]]\nkind = "jump"\nlabel = "*"\nfactor = 1.5\n')
    first = ingest("run")
    study.write_model(MODEL_CODE.replace("/ 7", "/ 3"))
    second = ingest("run", "--countries", "KEN", "--scenarios", "null")
    assert "Quality" not in first.stdout
    assert "Quality: 0 errors, 6 warnings" in second.stdout
    assert rows(study, "SELECT message FROM quality_findings LIMIT 1") == [
        ("was 713.571, is 1665 (2.33 times)",)
    ]


def test_country_unlike_the_others_is_found(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(
        study,
        '[[rules]]\nkind = "outlier"\nlabel = "Healthy Years Lived"\nper = "Population"\n',
    )
    study.write_countries("KEN", "UGA", "TZA", "NAM", "RWA", "BDI", "ETH", "SOM", "ZMB")
    study.write_model(
        MODEL_CODE.replace("(0.9 + coverage / 10)", "(9 if country == 'ETH' else people / 50)")
    )
    result = ingest("run")
    assert "Quality: 0 errors, 2 warnings" in result.stdout
    found = rows(study, "SELECT DISTINCT country, element_label, value FROM quality_findings")
    assert [(country, label, round(value, 6)) for country, label, value in found] == [
        ("ETH", "Healthy Years Lived", 9.0)
    ]


def test_scenarios_that_begin_in_another_year_are_found(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, '[[rules]]\nkind = "same_first_year"\n')
    later = 'range(runtime["startYear"] + (coverage > 0)'
    study.write_model(MODEL_CODE.replace('range(runtime["startYear"]', later))
    ingest("run")
    assert rows(study, "SELECT DISTINCT scenario, message FROM quality_findings") == [
        ("scale_up", "begins in 2026, other scenarios in 2025")
    ]


def test_values_of_the_first_year_may_be_compared(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, '[[rules]]\nkind = "same_first_year"\nvalues = true\n')
    ingest("run")
    assert rows(
        study, "SELECT DISTINCT scenario, element_label, timestamp_year FROM quality_findings"
    ) == [("scale_up", "Healthy Years Lived", 2025)]


# --- ingest check --results ----------------------------------------------------------------------


def test_check_of_good_results(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, HOLDS)
    ingest("run")
    result = ingest("check", "--results")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "State as of run 1, 8 combinations, 2 rules: 0 errors, 0 warnings\n"


def test_check_groups_by_rule_errors_first(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    write_rules(study, BROKEN)
    result = ingest("check", "--results")
    assert result.exit_code == 3
    assert result.stdout == (
        "Error: few people: 24 findings in 8 combinations\n"
        "  KEN / null  Population 2025: 792.857 is above 1\n"
        "  KEN / null  Population 2026: 824.571 is above 1\n"
        "  KEN / null  Population 2027: 856.286 is above 1\n"
        "  and 21 more: --json lists all\n"
        "Warning: ordering Healthy Years Lived: 4 findings in 4 combinations\n"
        "  KEN / null  Healthy Years Lived: the mean over the years, 742.114, is below that of "
        "scale_up, 816.326\n"
        "  NAM / null  Healthy Years Lived: the mean over the years, 735.429, is below that of "
        "scale_up, 808.971\n"
        "  TZA / null  Healthy Years Lived: the mean over the years, 798.943, is below that of "
        "scale_up, 878.837\n"
        "  and 1 more: --json lists all\n"
    )
    assert result.stderr == "State as of run 1, 8 combinations, 2 rules: 24 errors, 4 warnings\n"


def test_check_finds_what_the_run_found(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, BROKEN)
    ingest("run")
    answer = json.loads(ingest("check", "--results", "--json").stdout)
    stored = rows(
        study,
        "SELECT rule, severity, country, scenario, element_label, timestamp_year, value, message "
        "FROM quality_findings",
    )
    assert sorted(map(str, stored)) == sorted(str(tuple(f.values())) for f in answer["findings"])
    assert len(stored) == 28


def test_check_as_json(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, BROKEN)
    ingest("run")
    result = ingest("check", "--results", "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, result.stderr) == (3, "")
    findings = answer.pop("findings")
    assert answer.pop("timestamp")
    assert answer == {
        "ok": False, "run_id": 1, "git_commit": "unknown", "dirty_files": [],
        "rules": 2, "combinations": 8, "errors": 24, "warnings": 4,
        "unknown_labels": [],
    }  # fmt: skip
    assert findings[0] == {
        "rule": "few people", "severity": "error", "country": "KEN", "scenario": "null",
        "element_label": "Population", "timestamp_year": 2025,
        "value": pytest.approx(792.857, abs=1e-3), "message": "792.857 is above 1",
    }  # fmt: skip


def test_check_with_warnings_alone_exits_0(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    write_rules(study, BROKEN.replace('"error"', '"warning"'))
    assert ingest("check", "--results").exit_code == 0


def test_check_looks_at_the_state_as_of_a_run(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model(MODEL_CODE.replace("people * (year - 2000)\n", "-1\n"))
    ingest("run")
    study.write_model(MODEL_CODE)
    ingest("run")
    write_rules(study, HOLDS.replace("[[rules]]\n", '[[rules]]\nseverity = "error"\n'))
    assert ingest("check", "--results").exit_code == 0
    before = ingest("check", "--results", "--run", "1")
    assert before.exit_code == 3
    assert "  KEN / null  Population 2025: -1 is below 0\n" in before.stdout
    unknown = ingest("check", "--results", "--run", "9")
    assert unknown.exit_code == 2
    assert unknown.stderr.startswith("Error: no run '9' in this database; runs are 1 to 2.")


def test_check_says_when_there_is_no_rule(ingest: Ingest) -> None:
    ingest("run")
    result = ingest("check", "--results")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        "This study has no data-quality rules; write [[rules]] into ingest.toml (docs/quality.md)\n"
    )


def test_check_names_labels_that_no_result_has(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run")
    write_rules(study, '[[rules]]\nkind = "outlier"\nlabel = "Populaton"\nper = "Population"\n')
    result = ingest("check", "--results")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == (
        "Warning: rule 'outlier Populaton': no stored result has the label 'Populaton'"
    )


def test_check_without_a_database_names_the_next_step(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, HOLDS)
    result = ingest("check", "--results")
    assert result.exit_code == 2
    assert "ingest run" in result.stderr
    assert not study.database.exists()


def test_run_goes_with_results_alone(ingest: Ingest) -> None:
    result = ingest("check", "--run", "1")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: --run chooses among stored results: ingest check --results --run NAME\n"
    )


# --- rules that are wrong ------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["run"], ["check", "--results"]])
def test_wrong_rule_is_one_line_and_exit_code_2(
    study: StudyFolder, ingest: Ingest, command: list[str]
) -> None:
    write_rules(study, '[[rules]]\nkind = "bounds"\nlabel = "Population"\nminimun = 0\n')
    result = ingest(*command)
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: ingest.toml: unknown key rules[1].minimun. Did you mean minimum?\n"
    )


def test_check_tells_every_wrong_rule(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, '[[rules]]\nkind = "bound"\n[[rules]]\nlabel = "A"\n')
    result = ingest("check")
    assert result.exit_code == 2
    kinds = "bounds, monotone, conserved, complete_years, ordering, same_first_year, jump, outlier"
    kinds += ", indicator"
    assert result.stderr.splitlines()[:2] == [
        f"Error: ingest.toml: rules[1].kind: 'bound' is not one of {kinds}. Did you mean bounds?",
        f"Error: ingest.toml: rules[2].kind: write one of {kinds}",
    ]


def test_check_warns_of_a_scenario_that_is_not_there(study: StudyFolder, ingest: Ingest) -> None:
    write_rules(study, HOLDS.replace('"scale_up"', '"scaleup"'))
    result = ingest("check")
    assert result.exit_code == 0
    assert (
        "Warning: ingest.toml: rule 'ordering Healthy Years Lived': no scenario scaleup"
        in result.stderr.splitlines()
    )


# --- the bundled study ---------------------------------------------------------------------------


def test_rules_of_the_bundled_study_hold(
    tmp_path: Path, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(
        BUNDLED_STUDY, tmp_path / "asthma", ignore=shutil.ignore_patterns("*.db*", "__pycache__")
    )
    monkeypatch.chdir(folder)
    result = ingest("run", "--countries", "KEN,IND,MDV")
    assert result.exit_code == 0
    assert "Quality" not in result.stdout
    checked = ingest("check", "--results")
    assert checked.stderr == "State as of run 1, 24 combinations, 6 rules: 0 errors, 0 warnings\n"
