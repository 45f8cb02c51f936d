from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.study.settings import StudySettings
from tests.conftest import BUNDLED_STUDY, COUNTRY_PATHS, MODEL, Ingest, StudyFolder, scenario


def test_good_study_has_no_finding(ingest: Ingest) -> None:
    result = ingest("check")
    assert result.exit_code == 0
    layout = "$['nodes','links','subroutines'][*]['x','y','color','description','narration']"
    ignored = f"No input (study.ignore): $.metadata (1 place), {layout} (0 places)"
    assert result.stdout.splitlines()[0] == "Code: model.py"
    assert result.stdout.splitlines()[-1] == ignored
    assert result.stderr == "tiny, 4 countries x 2 scenarios: 0 errors, 0 warnings\n"


def test_it_shows_how_labels_add_up_and_what_of_it_is_guessed(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_settings('[labels.Births]\nbetter = "higher"\n[labels.Deaths]\nunit = "people"\n')
    head, _, *lines = ingest("check").stdout.splitlines()[1:-1]
    assert [line.split() for line in (head, *lines)] == [
        ["kind", "over", "years", "over", "countries", "better", "guessed", "labels"],
        ["stock", "last", "sum", "none", "all", "of", "it", "Population"],
        ["share", "last", "none", "none", "all", "of", "it", "Coverage"],
        ["flow", "sum", "sum", "higher", "kind,", "over", "years,", "over", "countries", "Births"],
        ["flow", "sum", "sum", "lower", "all", "of", "it", "Deaths"],
        [],
    ]
    births = json.loads(ingest("check", "--json").stdout)["labels"][2]
    assert births["element_label"] == "Births"
    assert births["guessed"] == "kind, over_years, over_countries"


def test_check_makes_no_file(study: StudyFolder, ingest: Ingest) -> None:
    before = sorted(study.root.rglob("*"))
    ingest("check")
    assert sorted(study.root.rglob("*")) == before


def test_bundled_study_is_good(ingest: Ingest) -> None:
    result = ingest("check", "--study", str(BUNDLED_STUDY))
    assert result.exit_code == 0
    assert result.stderr == "asthma, 187 countries x 8 scenarios: 0 errors, 0 warnings\n"


# --- one problem each ----------------------------------------------------------------------------

Break = Callable[[StudyFolder], object]


def add_null(**parameters: Any) -> Break:
    return lambda study: study.write_json("scenarios/null.json", scenario(0.0, **parameters))


def text(name: str, content: str) -> Break:
    return lambda study: (study.root / name).write_text(content)


def document(name: str, content: Any) -> Break:
    return lambda study: study.write_json(name, content)


def path(value: str) -> Break:
    return add_null(P={"value": 1, "paths": [value]})


def start_year(value: Any) -> Break:
    return add_null(Start={"value": value, "paths": ["$.runtime.startYear"]})


ERRORS: dict[str, tuple[Break, str]] = {
    "broken model": (
        text("model.json", '{\n"nodes": [,]}'),
        "model.json, line 2, column 11: invalid JSON: Expecting value",
    ),
    "model is no object": (
        document("model.json", []),
        "model.json: a model document is a JSON object",
    ),
    "nodes are no list": (
        document("model.json", MODEL | {"nodes": {}}),
        'model.json: "nodes" must be a list of objects',
    ),
    "missing model": (
        lambda study: (study.root / "model.json").unlink(),
        "model.json: cannot be read: No such file or directory",
    ),
    "key twice": (
        text("countries.json", '{"countries": [], "countries": []}'),
        "countries.json: the key 'countries' stands twice in one object: "
        "line 1, column 2 and line 1, column 19",
    ),
    "not UTF-8": (
        lambda study: (study.root / "countries.json").write_bytes(b"{\xff}"),
        "countries.json, line 1, column 2: byte 0xff is not UTF-8",
    ),
    "NaN": (
        text("scenarios/null.json", '{"parameters": {"P": {"value": NaN, "paths": ["$"]}}}'),
        "scenarios/null.json: NaN is not a JSON number",
    ),
    "metadata is no table": (
        document("scenarios/null.json", scenario(0.0) | {"metadata": []}),
        "scenarios/null.json: metadata: a table is needed",
    ),
    "parameter without a value": (
        add_null(P={"paths": ["$.runtime"]}),
        "scenarios/null.json: parameter 'P': has no \"value\"",
    ),
    "path that matches nothing": (
        path("$.nodes[?(@.id=='absent')].label"),
        "scenarios/null.json: parameter 'P': $.nodes[?(@.id=='absent')].label"
        " matches nothing in model.json (study.unmatched_paths = 'error')",
    ),
    "end before start": (
        start_year(2030),
        "scenarios/null.json: the end year 2028 (exclusive) does not come after"
        " the start year 2030",
    ),
    "year that is no whole number": (
        start_year("2025"),
        "scenarios/null.json: runtime.startYear must be a whole year, not '2025'",
    ),
    "unknown country": (
        lambda study: study.write_countries("KEN", "UGX"),
        "countries.json, country 2: 'UGX' (Land of UGX) is no ISO 3166 alpha-3 code."
        " Did you mean UGA?",
    ),
    "country twice": (
        lambda study: study.write_countries("KEN", "KEN"),
        "countries.json: KEN stands twice (Land of KEN, Land of KEN)",
    ),
    "no countries": (
        lambda study: study.write_countries(),
        "countries.json: the list of countries is empty",
    ),
    "no scenarios": (
        lambda study: [file.unlink() for file in (study.root / "scenarios").iterdir()],
        "ingest.toml: no scenario file found in scenarios: set study.scenarios in ingest.toml",
    ),
    "missing scenario folder": (
        lambda study: study.write_settings(study='scenarios = "scenario"\nname = "tiny"'),
        "ingest.toml: study.scenarios: no folder or file scenario",
    ),
    "code pattern that is none": (
        lambda study: study.write_settings(study='code = ["/x/*.py"]\nname = "tiny"'),
        "ingest.toml: study.code: '/x/*.py' is no pattern below the study's folder",
    ),
    "unknown executor": (
        lambda study: study.write_settings('[run]\nexecutor = "locall"'),
        "ingest.toml: run.executor: no executor 'locall' (known: aws-batch, local, run-api). "
        "Did you mean local?",
    ),
    "unknown key of an executor": (
        lambda study: study.write_settings('worker = 2'),
        "ingest.toml: unknown key executors.local.worker. Did you mean workers?",
    ),
    "unknown analytics source": (
        lambda study: study.write_settings('[analytics]\nsource = "s4"'),
        "ingest.toml: analytics.source: no analytics source 's4' (known: analytics-api, s3).",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_check_tells_an_error(study: StudyFolder, ingest: Ingest, name: str) -> None:
    break_study, message = ERRORS[name]
    break_study(study)
    result = ingest("check")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"Error: {message}\ntiny: 1 error, 0 warnings\n"


WARNINGS: dict[str, tuple[Break, str]] = {
    "user-assigned country": (
        lambda study: study.write_countries("KEN", "XKX"),
        "countries.json, country 2: XKX (Land of XKX) is a user-assigned code,"
        " not an ISO 3166 country",
    ),
    "uncovered slot": (
        add_null(Country={"value": "AFG", "paths": COUNTRY_PATHS[:1]}),
        "model.json: 1 country slot not covered by the Country parameter of null, so every country"
        " gets the model document's own value: 'Births'",
    ),
    "code pattern that finds nothing": (
        lambda study: study.write_settings(study='code = ["*.py", "*.jl"]\nname = "tiny"'),
        "ingest.toml: study.code pattern '*.jl' finds no file",
    ),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_check_tells_a_warning(study: StudyFolder, ingest: Ingest, name: str) -> None:
    break_study, message = WARNINGS[name]
    break_study(study)
    result = ingest("check")
    assert result.exit_code == 0
    first, summary = result.stderr.splitlines()
    assert first == f"Warning: {message}"
    assert summary.endswith("x 2 scenarios: 0 errors, 1 warning")


DEEP = '{"parameters": ' + '{"a": ' * 900 + "1" + "}" * 901
IN_PLACE_OF_A_FILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "dangling link": (lambda p: p.symlink_to("gone.json"), "it is a link to gone.json, which is"),
    "loop": (lambda p: p.symlink_to(p.name), "it is a link that leads to itself"),
    "folder": (Path.mkdir, "it is a folder, not a file"),
    "pipe": (os.mkfifo, "it is a named pipe, not a file"),
    "device": (lambda p: p.symlink_to("/dev/zero"), "it is a device, not a file"),
    "too large": (lambda p: os.truncate(p.touch() or p, 10**10), "10,000 MB are too many"),
}


@pytest.mark.parametrize("kind", IN_PLACE_OF_A_FILE)
@pytest.mark.parametrize(
    "name", ["scenarios/odd.json", "model.json", "countries.json", "groups.csv", "facts.csv"]
)
def test_what_is_no_file_is_named_and_never_waited_for(
    study: StudyFolder, ingest: Ingest, name: str, kind: str
) -> None:
    more = 'groups = "groups.csv"\ncountry_data = [{file = "facts.csv", key = "iso3"}]'
    study.write_settings(study=f'name = "tiny"\n{more}')
    for file in ("groups.csv", "facts.csv"):
        rows = "".join(f"{iso3},1\n" for iso3 in ("KEN", "UGA", "TZA", "NAM"))
        (study.root / file).write_text(f"iso3,income\n{rows}")
    assert ingest("check").exit_code == 0
    make, told = IN_PLACE_OF_A_FILE[kind]
    (study.root / name).unlink(missing_ok=True)
    make(study.root / name)
    result = ingest("check")
    assert result.exit_code == 2
    lines = [line for line in result.stderr.splitlines() if line.startswith(f"Error: {name}: ")]
    assert [told in line for line in lines] == [True]


def test_what_is_no_file_among_data_is_no_input(study: StudyFolder, ingest: Ingest) -> None:
    os.mkfifo(study.root / "numbers.csv")
    (study.root / "more.csv").symlink_to("/dev/zero")
    result = ingest("check")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "Code: model.py"


def test_a_pattern_of_code_that_finds_no_file_is_told(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings(study='name = "tiny"\ncode = ["*.py", "data/*.csv"]')
    (study.root / "data").mkdir()
    os.mkfifo(study.root / "data/rates.csv")
    (study.root / "data/facts.csv").symlink_to("gone.csv")
    errors = [line for line in ingest("check").stderr.splitlines() if line.startswith("Error")]
    assert errors == [
        "Error: data/facts.csv: it is a link to gone.csv, which is not there",
        "Error: data/rates.csv: it is a named pipe, not a file",
    ]


@pytest.mark.parametrize("name", ["scenarios/null.json", "model.json", "countries.json"])
def test_json_of_hundreds_of_levels_is_told(study: StudyFolder, ingest: Ingest, name: str) -> None:
    (study.root / name).write_text(DEEP)
    result = ingest("check")
    assert result.exit_code == 2
    assert f"Error: {name}: nested too deeply: 100 levels at most\n" in result.stderr


def test_path_that_matches_nothing_may_be_a_warning(study: StudyFolder, ingest: Ingest) -> None:
    path("$.absent")(study)
    result = ingest("check", "--set", "study.unmatched_paths=warning")
    assert result.exit_code == 0
    assert result.stderr == (
        "Warning: scenarios/null.json: parameter 'P': $.absent matches nothing in model.json "
        "(study.unmatched_paths = 'warning')\n"
        "tiny, 4 countries x 2 scenarios: 0 errors, 1 warning\n"
    )


def test_unknown_variable_is_a_warning(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_EXECUTR", "local")
    result = ingest("check")
    assert result.exit_code == 0
    assert result.stderr == (
        "Warning: INGEST_EXECUTR: names no setting and is ignored. Did you mean INGEST_EXECUTOR?\n"
        "tiny, 4 countries x 2 scenarios: 0 errors, 1 warning\n"
    )


def test_one_country_and_one_scenario_are_counted_as_such(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_countries("KEN")
    (study.root / "scenarios" / "null.json").unlink()
    assert ingest("check").stderr == "tiny, 1 country x 1 scenario: 0 errors, 0 warnings\n"


# --- all at once ---------------------------------------------------------------------------------


@pytest.fixture
def broken(study: StudyFolder) -> StudyFolder:
    study.write_json("scenarios/null.json", scenario(0.0, P={"value": 1, "paths": ["$.absent"]}))
    study.write_json("scenarios/other.json", {})
    study.write_countries("KEN", "XKX", "QQQQ")
    study.write_settings("worker = 2")
    return study


EVERYTHING_BROKEN = [
    ("error", "bad-scenario", "scenarios/other.json"),
    ("error", "unknown-iso3", "countries.json, country 3"),
    ("error", "unmatched-path", "scenarios/null.json"),
    ("error", "unknown-key", "ingest.toml"),
    ("warning", "user-assigned-iso3", "countries.json, country 2"),
    ("warning", "uncovered-country-slot", "model.json"),
]


def test_check_tells_everything_at_once_errors_first(broken: StudyFolder, ingest: Ingest) -> None:
    result = ingest("check")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    heads = [f"{severity.capitalize()}: {where}:" for severity, _, where in EVERYTHING_BROKEN]
    assert [line[: len(head)] for line, head in zip(lines, heads, strict=False)] == heads
    assert lines[len(heads) :] == ["tiny: 4 errors, 2 warnings"]


def test_check_as_json_tells_everything_on_stdout(broken: StudyFolder, ingest: Ingest) -> None:
    result = ingest("check", "--json")
    assert result.exit_code == 2
    assert result.stderr == ""
    answer = json.loads(result.stdout)
    kinds = [
        "ok",
        "findings",
        "ignored",
        "labels",
        "code",
        "data",
        "country_data",
        "analytics_source",
    ]
    assert list(answer) == kinds
    assert (answer["ignored"], answer["labels"]) == ({}, [])
    assert answer["ok"] is False
    found = [(f["severity"], f["code"], f["where"]) for f in answer["findings"]]
    assert found == EVERYTHING_BROKEN
    assert {tuple(finding) for finding in answer["findings"]} == {
        ("severity", "code", "where", "message")
    }


def test_check_of_a_good_study_as_json(ingest: Ingest) -> None:
    result = ingest("check", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert len(answer.pop("labels")) == 3
    assert answer == {
        "ok": True,
        "analytics_source": "executor",
        "findings": [],
        "ignored": dict(zip(StudySettings.ignore, (1, 0), strict=True)),
        "code": ["model.py"],
        "data": [],
        "country_data": [],
    }


def test_wrong_settings_are_told_with_everything_else_that_is_wrong(
    study: StudyFolder, ingest: Ingest
) -> None:
    study.write_countries("KEN", "KNE")
    study.write_settings("[run]\nretry = 1\nretries = -1\n[databse]\n")
    result = ingest("check")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: ingest.toml: unknown section [databse]. Did you mean database?\n"
        "Error: ingest.toml: unknown key run.retry. Did you mean retries?\n"
        "Error: ingest.toml: run.retries: must be at least 0, not -1\n"
        "Error: countries.json, country 2: 'KNE' (Land of KNE) is no ISO 3166 alpha-3 code. "
        "Did you mean KEN?\n"
        "tiny: 4 errors, 0 warnings\n"
    )
    assert len(json.loads(ingest("check", "--json").stdout)["findings"]) == 4


# --- which study ---------------------------------------------------------------------------------


def test_folder_without_a_study_is_told(
    ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = ingest("check")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: no ingest.toml in {tmp_path}. "
        "Name a study with --study FOLDER, or write a first one: ingest init DIR\n"
        "ingest.toml: 1 error, 0 warnings\n"
    )
    assert json.loads(ingest("check", "--json").stdout)["ok"] is False


@pytest.mark.parametrize("file", [".", "ingest.toml"])
def test_study_is_named_by_its_folder_or_its_settings_or_a_variable(
    study: StudyFolder, ingest: Ingest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    monkeypatch.chdir(tmp_path)
    expected = "tiny, 4 countries x 2 scenarios: 0 errors, 0 warnings\n"
    assert ingest("check", "--study", str(study.root / file)).stderr == expected
    monkeypatch.setenv("INGEST_STUDY", str(study.root / file))
    assert ingest("check").stderr == expected


def test_check_for_another_executor(ingest: Ingest) -> None:
    result = ingest("check", "--executor", "cluster")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "Error: ingest.toml: run.executor: no executor 'cluster' (known: aws-batch, local, run-api"
    )


def test_malformed_override_is_told(ingest: Ingest) -> None:
    result = ingest("check", "--set", "run.retries")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: --set 'run.retries': write section.key=value, e.g. run.max_in_flight=50\n"
        "ingest.toml: 1 error, 0 warnings\n"
    )


def test_missing_plugin_folder_is_told(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("check", "--set", "study.plugins=plug")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: study.plugins: no folder plug\ningest.toml: 1 error, 0 warnings\n"
    )


# --- the real study ------------------------------------------------------------------------------

REAL_SETTINGS = """
[study]
model = "model.json"
scenarios = "scenarios"
countries = "countries/list_of_pruned_countries.json"
[executors.local]
command = ["python3", "model.py", "{document}", "{result}"]
"""


def test_real_study_loads_as_it_is_and_its_two_uncovered_slots_are_told(
    real_study: Path, tmp_path: Path, ingest: Ingest
) -> None:
    copy = tmp_path / "real"
    for folder in ("", "scenarios", "countries"):
        (copy / folder).mkdir()
        for file in (real_study / folder).glob("*.json"):
            shutil.copyfile(file, copy / folder / file.name)
    (copy / "ingest.toml").write_text(REAL_SETTINGS)
    (copy / "model.py").touch()
    result = ingest("check", "--study", str(copy))
    assert result.stderr == (
        "Warning: model.json: 2 country slots not covered by the Country parameter of every"
        " scenario, so every country gets the model document's own value:"
        " 'GDP Per Capita', 'Labour Force Participation'\n"
        "real, 172 countries x 8 scenarios: 0 errors, 1 warning\n"
    )
    assert result.exit_code == 0
    planned = json.loads(ingest("plan", "--study", str(copy), "--json").stdout)
    assert planned["to_run"] == 1376
    assert not list(copy.glob("*.db*"))


@pytest.fixture
def many_unmatched(study: StudyFolder) -> StudyFolder:
    """Ten scenarios, each with the same 53 paths that match nothing."""
    study.write_settings(study='name = "tiny"\nunmatched_paths = "warning"')
    for number in range(10):
        parameter = {"value": 1, "paths": [f"$.absent{place:02}" for place in range(53)]}
        name = "null" if number == 0 else f"s{number}"
        study.write_json(f"scenarios/{name}.json", scenario(0.0, Gone=parameter))
    (study.root / "scenarios" / "scale_up.json").unlink()
    return study


def test_paths_that_match_nothing_are_told_once_each(
    many_unmatched: StudyFolder, ingest: Ingest
) -> None:
    result = ingest("check")
    lines = result.stderr.splitlines()
    assert lines[0] == (
        "Warning: scenarios/null.json: parameter 'Gone': $.absent00 matches nothing in model.json, "
        "as in 9 other scenarios (study.unmatched_paths = 'warning')"
    )
    assert len(lines) == 12
    assert lines[10:] == [
        "and 43 more paths match nothing; all of them: ingest check --json",
        "tiny, 4 countries x 10 scenarios: 0 errors, 53 warnings",
    ]
    findings = json.loads(ingest("check", "--json").stdout)["findings"]
    assert len({finding["message"] for finding in findings}) == len(findings) == 53


@pytest.mark.parametrize("command", [("plan",), ("run", "--dry-run"), ("run",)])
def test_plan_and_run_sum_up_paths_that_match_nothing(
    many_unmatched: StudyFolder, ingest: Ingest, command: tuple[str, ...]
) -> None:
    lines = ingest(*command, "--countries", "KEN", "--scenarios", "null,s1").stderr.splitlines()
    assert [line for line in lines if "match" in line] == [
        "Warning: 53 paths match nothing in the model document. List them with: ingest check "
        "(setting study.unmatched_paths)"
    ]


def test_errors_of_paths_name_the_setting_and_are_at_most_ten(
    many_unmatched: StudyFolder, ingest: Ingest
) -> None:
    result = ingest("run", "--set", "study.unmatched_paths=error")
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines)) == (2, 11)
    assert "study.unmatched_paths = 'error'" in lines[0]
    assert lines[-1] == "(43 more errors; all of them: ingest check)"
