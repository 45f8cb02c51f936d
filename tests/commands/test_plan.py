from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Ingest, StudyFolder, scenario

NOWHERE = 'not in a git repository: results are kept under the commit "unknown"'


@pytest.fixture
def ran(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """The tiny study after a run of everything."""
    assert ingest("run", "--quiet").exit_code == 0
    return study


def planned(ingest: Ingest, *arguments: str) -> dict[str, Any]:
    result = ingest("plan", "--json", *arguments)
    assert result.exit_code == 0
    assert result.stderr == ""
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def pairs(answer: dict[str, Any]) -> list[str]:
    return [f"{job['country']}/{job['scenario']}" for job in answer["jobs"]]


# --- what is shown -------------------------------------------------------------------------------


def test_first_plan_runs_everything(ingest: Ingest) -> None:
    result = ingest("plan")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout == (
        f"8 of 8 combinations to run ({NOWHERE})\n"
        "      8  never run: KEN, UGA, TZA and 1 more under null, scale_up\n"
    )


def test_plan_after_a_run_finds_nothing(ran: StudyFolder, ingest: Ingest) -> None:
    result = ingest("plan")
    assert result.exit_code == 0
    assert result.stdout == (
        "Nothing to do: 8 of 8 combinations are up to date (commit unknown).\n"
    )


def test_plan_groups_by_reason_the_largest_first(ran: StudyFolder, ingest: Ingest) -> None:
    ran.write_json("scenarios/scale_up.json", scenario(0.95))
    ran.write_countries("KEN", "UGA", "TZA", "NAM", "RWA")
    assert ingest("plan").stdout == (
        f"6 of 10 combinations to run ({NOWHERE})\n"
        "      4  scenario scale_up changed (Coverage 0.9 -> 0.95):"
        " KEN, UGA, TZA and 1 more under scale_up\n"
        "      2  never run: RWA under null, scale_up\n"
        "      4  up to date\n"
        "Study: 1 country added: RWA\n"
        "Study: scale_up: label Coverage 0.9 -> Coverage 0.95\n"
    )


def test_plan_names_changed_code(ran: StudyFolder, ingest: Ingest) -> None:
    ran.write_model((ran.root / "model.py").read_text() + "\n# other\n")
    assert ingest("plan").stdout.splitlines()[1] == (
        "      8  code changed (model.py, line 11 added: # other): "
        "KEN, UGA, TZA and 1 more under null, scale_up"
    )


def test_plan_shows_warnings_on_stderr_and_the_plan_on_stdout(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_countries("KEN", "XKX")
    result = ingest("plan")
    assert result.exit_code == 0
    assert result.stderr == (
        "Warning: countries.json, country 2: XKX (Land of XKX) is a user-assigned code,"
        " not an ISO 3166 country\n"
    )
    assert result.stdout.startswith("4 of 4 combinations to run (")


def run_git(folder: Path, *arguments: str) -> str:
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | nobody, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_plan_tells_commit_branch_and_what_is_not_committed(
    study: StudyFolder, ingest: Ingest
) -> None:
    run_git(study.root, "init", "--quiet", "--initial-branch=trunk")
    run_git(study.root, "add", "--all")
    run_git(study.root, "commit", "--quiet", "--message", "first")
    commit = run_git(study.root, "rev-parse", "HEAD")
    assert f"({commit[:7]} on trunk)" in ingest("plan").stdout
    study.write_json("scenarios/null.json", scenario(0.1))
    (study.root / "notes.md").write_text("no input")
    text = ingest("plan").stdout
    assert f"({commit[:7]} on trunk, 1 file not committed (scenarios/null.json))" in text
    answer = planned(ingest)
    assert answer["git_commit"] == commit
    assert answer["dirty_files"] == ["scenarios/null.json"]


# --- JSON ----------------------------------------------------------------------------------------


def test_plan_as_json(ran: StudyFolder, ingest: Ingest) -> None:
    ran.write_json("scenarios/null.json", scenario(0.1))
    answer = planned(ingest, "--countries", "KEN")
    assert answer["reasons"][0].pop("changes") == [
        {"kind": "scenario", "name": "Coverage", "before": "0.0", "after": "0.1", "is_input": True}
    ]
    digest = answer["jobs"][0].pop("input_digest")
    assert len(digest) == 64
    reason = "scenario null changed (Coverage 0.0 -> 0.1)"
    assert answer == {
        "study": "tiny",
        "git_commit": "unknown",
        "dirty_files": [],
        "total": 2,
        "to_run": 1,
        "up_to_date": 1,
        "restored": [],
        "study_changes": ["null: label Coverage 0.0 -> Coverage 0.1"],
        "reasons": [{"kind": "input", "reason": reason, "count": 1}],
        "jobs": [{"country": "KEN", "scenario": "null", "kind": "input", "reason": reason}],
    }


def test_plan_without_work_as_json(ran: StudyFolder, ingest: Ingest) -> None:
    answer = planned(ingest)
    assert (answer["to_run"], answer["up_to_date"], answer["jobs"]) == (0, 8, [])


# --- exit codes ----------------------------------------------------------------------------------


def test_detailed_exitcode_is_3_when_there_is_work(ingest: Ingest) -> None:
    assert ingest("plan", "--detailed-exitcode").exit_code == 3
    result = ingest("plan", "--detailed-exitcode", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["to_run"] == 8


def test_detailed_exitcode_is_0_when_there_is_none(ran: StudyFolder, ingest: Ingest) -> None:
    assert ingest("plan", "--detailed-exitcode").exit_code == 0


# --- nothing changes -----------------------------------------------------------------------------


def files(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_plan_makes_no_database(study: StudyFolder, ingest: Ingest) -> None:
    before = files(study.root)
    ingest("plan")
    assert files(study.root) == before


def test_plan_leaves_the_database_as_it_is(ran: StudyFolder, ingest: Ingest) -> None:
    ran.write_json("scenarios/null.json", scenario(0.1))
    before = files(ran.root)
    first = ingest("plan").stdout
    assert ingest("plan").stdout == first
    assert files(ran.root) == before


# --- selection -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["--countries", "KEN", "--scenarios", "null"], ["KEN/null"]),
        (["-c", "NAM,ken", "-s", "null"], ["KEN/null", "NAM/null"]),
        (["-c", "*A", "-s", "scale*"], ["UGA/scale_up", "TZA/scale_up"]),
        (["-c", "NAM", "-c", "KEN", "-s", "null"], ["KEN/null", "NAM/null"]),
        (["-c", "KEN"], ["KEN/null", "KEN/scale_up"]),
        (["-c", "KEN", "-s", "scale_up", "-s", "null"], ["KEN/null", "KEN/scale_up"]),
    ],
)
def test_plan_of_a_selection(ingest: Ingest, arguments: list[str], chosen: list[str]) -> None:
    answer = planned(ingest, *arguments)
    assert pairs(answer) == chosen
    assert answer["total"] == len(chosen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-c", "KEM"], "no country KEM in this study. Did you mean KEN (Land of KEN)?"),
        (["-c", "KEN,Q*"], "no country Q* in this study. Known: KEN, UGA, TZA, NAM."),
        (["-s", "scaleup"], "no scenario scaleup in this study. Did you mean scale_up?"),
        (["-c", ""], "no country was chosen: the list given is empty"),
        (
            ["--rerun-triggers", "inputs"],
            "ingest.toml: run.rerun_triggers: 'inputs' is not one of"
            " input, code, environment, commit. Did you mean input?",
        ),
        (["--set", "run.retry=1"], "ingest.toml: unknown key run.retry. Did you mean retries?"),
    ],
)
def test_wrong_option_is_told(ingest: Ingest, arguments: list[str], message: str) -> None:
    result = ingest("plan", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"Error: {message}\n"


def test_study_that_is_wrong_is_told_with_all_its_errors(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_countries("KEN", "QQQQ")
    (study.root / "model.json").unlink()
    result = ingest("plan")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[0] == (
        "Error: model.json: cannot be read: No such file or directory"
    )
    assert result.stderr.splitlines()[1].startswith("Error: countries.json, country 2: 'QQQQ'")


def test_more_errors_than_fit_are_counted(study: StudyFolder, ingest: Ingest) -> None:
    study.write_countries(*[f"Q{number}" for number in range(15)])
    lines = ingest("plan").stderr.splitlines()
    assert len(lines) == 11
    assert lines[-1] == "(5 more errors; all of them: ingest check)"


def test_force_plans_everything(ran: StudyFolder, ingest: Ingest) -> None:
    assert ingest("plan", "--force").stdout.splitlines()[1] == (
        "      8  --force: KEN, UGA, TZA and 1 more under null, scale_up"
    )


FAILS_FOR_UGANDA = """
def simulate(document):
    country = document["nodes"][0]["generate_array"]["parameters"]["country"]
    if country == "UGA":
        raise ValueError("no data")
    yield "Population", 2025, 1.0
"""


def test_only_failed_plans_those_that_failed_and_looks_at_no_other(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_model(FAILS_FOR_UGANDA)
    assert ingest("run", "--quiet").exit_code == 1
    answer = planned(ingest, "--only-failed")
    assert pairs(answer) == ["UGA/null", "UGA/scale_up"]
    (reason,) = answer["reasons"]
    assert (reason["kind"], reason["reason"], reason["count"]) == ("failed", "failed in run 1", 2)
    assert (answer["total"], answer["up_to_date"]) == (2, 0)
    assert ingest("plan", "--only-failed").stdout == (
        f"2 of 2 combinations to run ({NOWHERE})\n"
        "      2  failed in run 1: UGA under null, scale_up\n"
    )


def test_only_failed_without_a_failure_says_so(study: StudyFolder, ingest: Ingest) -> None:
    assert ingest("plan", "--only-failed").stdout == (
        "Nothing to do: no combination's newest job has failed.\n"
    )


@pytest.mark.parametrize(
    ("triggers", "number"), [("input", 0), ("code", 8), ("environment", 0), ("input,code", 8)]
)
def test_rerun_triggers_choose_which_changes_count(
    ran: StudyFolder, ingest: Ingest, triggers: str, number: int
) -> None:
    ran.write_model((ran.root / "model.py").read_text() + "\n# other\n")
    assert planned(ingest, "--rerun-triggers", triggers)["to_run"] == number


def test_environment_is_set_by_an_override(ran: StudyFolder, ingest: Ingest) -> None:
    (reason,) = planned(ingest, "--set", "study.environment=big")["reasons"]
    assert reason == {
        "kind": "environment",
        "reason": "environment changed (standard -> big)",
        "count": 8,
        "changes": [],
    }


# --- which database ------------------------------------------------------------------------------


def test_other_database_is_another_state(
    ran: StudyFolder, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planned(ingest, "--database", "other.db")["to_run"] == 8
    monkeypatch.setenv("INGEST_DATABASE", str(tmp_path / "other.db"))
    assert planned(ingest)["to_run"] == 8
    # the option wins over the variable
    assert planned(ingest, "--database", "validation_results.db")["to_run"] == 0
    assert planned(ingest, "--set", f"database.path={ran.database}")["to_run"] == 0


def test_database_option_is_relative_to_where_one_stands(
    ran: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ran.root.parent)
    study = ("--study", "tiny")
    assert planned(ingest, *study)["to_run"] == 0
    assert planned(ingest, *study, "--database", "validation_results.db")["to_run"] == 8
    assert planned(ingest, *study, "-d", "tiny/validation_results.db")["to_run"] == 0
    monkeypatch.setenv("INGEST_DATABASE", "tiny/validation_results.db")
    assert planned(ingest, *study)["to_run"] == 0
