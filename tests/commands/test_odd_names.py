"""Names with commas, blanks and marks that nobody sees, and numbers of every size."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Ingest, StudyFolder, scenario

LABELS_CODE = """
def simulate(document):
    coverage = document["nodes"][1]["generate_array"]["parameters"]["value"]
    for year in (2025, 2026):
        yield "Cost, total", year, 10.0 + coverage
        yield "Cost", year, 5.0
        yield "total", year, 7.0
"""


@pytest.fixture
def commas(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """Two runs; between them `Cost, total` moves under `base,up` and nothing else."""
    for name in ("null", "scale_up"):
        (study.root / f"scenarios/{name}.json").unlink()
    study.write_countries("KEN")
    study.write_model(LABELS_CODE)
    for name, coverage in (("base", 0.1), ("up", 0.2), ("base,up", 0.3)):
        study.write_json(f"scenarios/{name}.json", scenario(coverage))
    assert ingest("run", "--quiet").exit_code == 0
    study.write_json("scenarios/base,up.json", scenario(0.4))
    assert ingest("run", "--quiet").exit_code == 0
    return study


def labels_of(study: StudyFolder) -> list[str]:
    sql = "SELECT DISTINCT element_label FROM latest_metrics ORDER BY 1"
    with closing(sqlite3.connect(study.database)) as connection:
        return [label for (label,) in connection.execute(sql)]


@pytest.mark.parametrize(
    ("options", "exit_code"),
    [
        (["-l", "Cost, total"], 3),
        (["-l", "Cost,total"], 0),
        (["-l", "Cost", "-l", "total"], 0),
        (["-l", "total,Cost, total"], 3),
        (["-s", "base,up"], 3),
        (["-s", "base, up"], 0),
        (["-s", "base,up,base"], 3),
    ],
)
def test_diff_takes_a_text_that_is_a_name_as_that_name(
    commas: StudyFolder, ingest: Ingest, options: list[str], exit_code: int
) -> None:
    result = ingest("diff", "--fail-on-change", *options)
    assert result.exit_code == exit_code, result.output


def test_explain_plan_and_export_take_it_too(commas: StudyFolder, ingest: Ingest) -> None:
    assert ingest("explain", "KEN", "base,up").stdout.startswith("KEN / base,up\n")
    plan = json.loads(ingest("plan", "--force", "-s", "base,up", "--json").stdout)
    assert plan["to_run"] == 1
    exported = ingest("export", "-l", "Cost, total", "-s", "base,up").stdout.splitlines()
    assert exported[1:] == [f'KEN,"base,up","Cost, total",{year},10.4' for year in (2025, 2026)]
    compared = ingest("compare", "base", "base,up", "--label", "Cost, total", "--json")
    assert json.loads(compared.stdout)["total"]["scenario_value"] == 20.8


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Cost, total", ["Cost, total"]),
        ('["Cost, total"]', ["Cost, total"]),
        ("['Cost, total', 'Cost']", ["Cost", "Cost, total"]),
        ("Cost,total", ["Cost", "total"]),
    ],
)
@pytest.mark.parametrize("way", ["variable", "--set"])
def test_lists_in_variables_and_set(
    study: StudyFolder, ingest: Ingest, text: str, labels: list[str], way: str
) -> None:
    study.write_model(LABELS_CODE)
    study.write_countries("KEN")
    if way == "--set":
        result = ingest("run", "--set", f"analytics.element_labels={text}")
    else:
        result = ingest("run", env={"INGEST_ANALYTICS_ELEMENT_LABELS": text})
    assert (result.exit_code, labels_of(study)) == (0, labels), result.output
    assert "no metric labelled" not in result.output


def test_a_list_that_is_broken_is_told(ingest: Ingest) -> None:
    result = ingest("check", "--set", 'analytics.element_labels=["Cost, total]')
    assert result.exit_code == 2
    assert 'analytics.element_labels: ["Cost, total] is no list of texts as in TOML' in (
        result.stderr
    )


BAD_FILES = {
    "up .json": "begins or ends with a space",
    "a\nb.json": "holds a line break (U+000A)",
    "a\u202eb.json": "holds a mark of direction",
    "a\x07b.json": "holds a control character (U+0007)",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_check_refuses_scenario_files_that_nobody_can_tell_apart(
    study: StudyFolder, ingest: Ingest, name: str
) -> None:
    study.write_json(f"scenarios/{name}", scenario(0.5))
    for command in ("check", "run"):
        result = ingest(command)
        assert result.exit_code == 2
        assert f"{'scenarios/' + name!r}: the name of a scenario {BAD_FILES[name]}" in result.stderr


def test_check_refuses_a_file_name_that_is_no_utf_8(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "scenarios" / os.fsdecode(b"caf\xe9.json")).write_text("{}")
    for command in ("check", "run"):
        result = ingest(command)
        assert result.exit_code == 2
        assert "'scenarios/caf\\udce9.json': the name of a scenario is no Unicode" in result.stderr


@pytest.mark.parametrize("label", ["Cost ", "a\0b", "a\nb", "a\u202eb"])
def test_a_label_that_nobody_can_tell_apart_fails_its_job(
    study: StudyFolder, ingest: Ingest, label: str
) -> None:
    study.write_countries("KEN")
    study.write_model(f"def simulate(document):\n    yield {label!r}, 2025, 1.0\n")
    result = ingest("run")
    assert result.exit_code == 1
    assert f"element_label {label!r} " in result.output


@pytest.mark.parametrize("name", [" ", "x ", "a\u202eb"])
def test_other_names_are_not_trimmed_but_refused(
    study: StudyFolder, ingest: Ingest, name: str
) -> None:
    (study.root / "figures.csv").write_text("ISO3,scale_up\nKEN,5\n")
    numbers = "country,scenario,element_label,timestamp_year,value\nKEN,x,Population,2025,1.5\n"
    (study.root / "numbers.csv").write_text(numbers)
    for command in (
        ["reference", "load", "figures.csv", "--name", name],
        ["rename-study", name, "--reason", "why"],
        ["import", "--metrics", "numbers.csv", "--as-study", name],
    ):
        result = ingest(*command)
        assert (result.exit_code, f"{name!r} " in result.stderr) == (2, True), result.output
    assert not study.database.exists()


# --- numbers of every size -----------------------------------------------------------------------

SIZES = {
    "tiny before": (1e-310, 1.0, "more than 1,000,000 %"),
    "all of the range": (1e308, -1e308, "−200 %"),
    "tiny both": (1e-250, 3e-250, "+200 %"),
    "denormal": (5e-324, 1e308, "more than 1,000,000 %"),
}


def two_values(study: StudyFolder, ingest: Ingest, before: float, after: float) -> None:
    study.write_countries("KEN", "UGA")
    for value in (before, after):
        years = "for year in range(2025, 2029):"
        code = f"def simulate(document):\n    {years}\n        yield 'Deaths', year, {value!r}\n"
        study.write_model(code)
        result = ingest("run")
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", SIZES)
def test_numbers_of_every_size_are_compared_and_shown(
    study: StudyFolder, ingest: Ingest, name: str, tmp_path: Path
) -> None:
    before, after, words = SIZES[name]
    tolerance = "[tolerance]\nrtol = 0.0\natol = 0.0\n"
    study.write_settings(tolerance)
    two_values(study, ingest, before, after)
    commands: dict[tuple[str, ...], int] = {
        ("diff", "--fail-on-change", "--all"): 3,
        ("diff", "--html", "r.html", "--chart", "r.svg"): 0,
        ("explain", "KEN", "null"): 0,
        ("compare", "null", "scale_up", "--label", "Deaths"): 0,
        ("query", "SELECT relative_change, absolute_change FROM series_changes"): 0,
        ("status",): 0,
    }
    for command, exit_code in commands.items():
        result = ingest(*command)
        assert (result.exit_code, max(map(len, result.stdout.splitlines()), default=0) < 250) == (
            exit_code,
            True,
        ), result.output
        if command[0] in ("diff", "explain"):
            assert words.lstrip("+−") in result.stdout + result.stderr or "--html" in command
    for command in (
        ("diff", "--json"),
        ("explain", "KEN", "null", "--json"),
        ("compare", "null", "scale_up", "--label", "Deaths", "--json"),
        ("query", "SELECT 9e999 AS x, * FROM series_changes", "--json"),
    ):
        json.loads(ingest(*command).stdout, parse_constant=refuse)

    pages(study, words)


def pages(study: StudyFolder, words: str) -> None:
    """Every page of the numbers can be shown, and says the change in the same words."""
    pytest.importorskip("datasette")
    from ingest.browser.server.server import ServeOptions, make_site

    datasette = make_site(ServeOptions(study.database)).datasette
    for path in ("", "-/run/2", "-/run/2/changes", "-/job/2/KEN/null", "series_changes",
                 "run_against_run", "run_against_run.json", "series_changes.json",
                 "run_against_run.vl.json"):  # fmt: skip
        address = f"/validation_results/{path}"
        answer = asyncio.run(datasette.client.get(address, follow_redirects=True))
        assert answer.status_code == 200, (path, answer.text[-2000:])
        if path.endswith("json"):
            json.loads(answer.text, parse_constant=refuse)
        elif path in ("-/run/2", "-/run/2/changes", "-/job/2/KEN/null"):
            assert words in answer.text, path


def refuse(word: str) -> Any:
    raise AssertionError(f"{word} in JSON")


@pytest.mark.parametrize("value", ["inf", "nan", "-inf"])
@pytest.mark.parametrize("key", ["rtol", "atol"])
def test_a_tolerance_that_is_no_finite_number_is_refused(
    study: StudyFolder, ingest: Ingest, key: str, value: str
) -> None:
    study.write_settings(f"[tolerance]\n{key} = {value}\n")
    for command in ("check", "run", "diff"):
        result = ingest(command)
        assert result.exit_code == 2
        if command != "diff":
            message = f"tolerance.{key}: a finite number is needed, not {float(value)!r}"
            assert message in result.stderr
    by_option = ingest("run", "--set", f"tolerance.{key}=0", "--dry-run")
    assert by_option.exit_code == 0
    assert not study.database.exists()


def test_a_label_has_a_finite_tolerance_too(study: StudyFolder, ingest: Ingest) -> None:
    study.write_settings('[tolerance.labels."Population"]\natol = inf\n')
    result = ingest("check")
    assert result.exit_code == 2
    assert "a finite number is needed, not inf" in result.stderr


# --- names that look alike -----------------------------------------------------------------------


def test_check_warns_about_names_that_look_alike(study: StudyFolder, ingest: Ingest) -> None:
    for name in ("café", "cafe\u0301", "Null", "up 2", "up\u00a02"):
        study.write_json(f"scenarios/{name}.json", scenario(0.5))
    countries = [("KEN", "East Africa"), ("UGA", "East africa"), ("TZA", "West")]
    listed = [{"iso3": iso3, "name": iso3, "region": region} for iso3, region in countries]
    study.write_json("countries.json", {"countries": listed})
    study.write_settings('[units]\n"Cost" = "USD"\n"cost" = "USD"\n')
    result = ingest("check")
    assert result.exit_code == 0, result.output
    head = "Warning: {} that look alike, and are one on some systems: {} and {}. Rename one\n"
    for what, first, second in (
        ("scenarios", r"'caf\xe9' ('scenarios/caf\xe9.json')",
         r"'cafe\u0301' ('scenarios/cafe\u0301.json')"),
        ("scenarios", "'Null' ('scenarios/Null.json')", "'null' ('scenarios/null.json')"),
        ("scenarios", r"'up 2' ('scenarios/up 2.json')", r"'up\xa02' ('scenarios/up\xa02.json')"),
        ("labels", "'Cost'", "'cost'"),
        ("groups of region", "'East Africa'", "'East africa'"),
    ):  # fmt: skip
        both = {head.format(what, first, second), head.format(what, second, first)}
        assert any(line in result.stderr for line in both), (first, result.stderr)


def test_names_that_are_other_names_are_not_warned_about(ingest: Ingest) -> None:
    assert "look alike" not in ingest("check").output


# --- surroundings that are not UTF-8 -------------------------------------------------------------


@pytest.mark.parametrize(
    "surroundings",
    [
        {"LC_ALL": "POSIX"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
def test_data_on_stdout_is_utf_8_whatever_surrounds_it(
    study: StudyFolder, surroundings: dict[str, str]
) -> None:
    code = "def simulate(document):\n    yield 'Länge 人', 2025, 1.5\n"
    (study.root / "model.py").write_text(code, encoding="utf-8")
    study.write_countries("KEN")
    study.write_json("scenarios/düster.json", scenario(0.5))
    environment = {**os.environ, **surroundings}

    def call(*arguments: str) -> bytes:
        command = [sys.executable, "-m", "ingest", *arguments]
        done = subprocess.run(
            command, cwd=study.root, env=environment, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    call("run", "--quiet")
    for command in (
        ("export", "-o", "-"),
        ("query", "SELECT scenario, element_label FROM metrics", "--csv"),
        ("diff", "1", "1", "--json"),
        ("status", "--jobs"),
    ):
        text = call(*command).decode("utf-8")
        if command[0] != "diff":
            assert "düster" in text
        if command[0] in ("export", "query"):
            assert "Länge 人" in text
