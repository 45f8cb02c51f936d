from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from datetime import datetime, tzinfo

import pytest

from ingest.database import ValidationDatabase
from ingest.study.combination import Combination
from tests.changes.test_diff import store
from tests.conftest import MODEL, MODEL_CODE, Ingest, StudyFolder, scenario

MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def changed(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """A study run twice; the second time with another coverage in one scenario."""
    ingest("run", "--quiet")
    study.write_json("scenarios/scale_up.json", scenario(0.8))
    ingest("run", "--quiet")
    return study


def test_diff_names_the_parameter_with_old_and_new_value(
    changed: StudyFolder, ingest: Ingest
) -> None:
    result = ingest("diff")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Run 1 (unknown, ")
    assert lines[1] == (
        "4 combinations changed, 4 equal, 0 added, 0 removed · rule: |b-a| > 1e-09 + 1e-06·|a|"
    )
    assert "  100 % of changes: Healthy Years Lived, all 4 countries, scale_up, ×0.99" in lines
    assert "  scale_up: Coverage 0.9 -> 0.8   4 combinations, 4 countries under scale_up" in lines
    assert any(line.startswith("KEN") and f"{MINUS}1.01 %" in line for line in lines)


def test_fail_on_change_exits_with_3(changed: StudyFolder, ingest: Ingest) -> None:
    assert ingest("diff", "--fail-on-change").exit_code == 3


def test_rerun_without_changes_says_so_and_exits_with_0(
    changed: StudyFolder, ingest: Ingest
) -> None:
    ingest("run", "--force", "--quiet")
    result = ingest("diff", "--fail-on-change")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[1].startswith("0 combinations changed, 8 equal, 0 added, 0 removed")
    assert lines[2] == "Nothing changed between run 2 and run 3: 8 combinations are equal."


def test_a_label_tolerance_of_5_percent_hides_what_is_smaller(
    changed: StudyFolder, ingest: Ingest
) -> None:
    changed.write_settings('[tolerance.labels."Healthy Years Lived"]\nrtol = 0.05\n')
    result = ingest("diff", "--fail-on-change")
    assert result.exit_code == 0
    assert "0 combinations changed, 4 equal, 4 within the tolerance" in result.stdout
    assert "1 labels have their own" not in result.stdout
    assert "1 label has its own" in result.stdout


def test_options_replace_the_tolerances(changed: StudyFolder, ingest: Ingest) -> None:
    assert ingest("diff", "--fail-on-change", "--rtol", "0.02").exit_code == 0
    assert ingest("diff", "--fail-on-change", "--rtol", "0.01").exit_code == 3
    assert "rule: |b-a| > 0 + 0.02·|a|" in ingest("diff", "--rtol", "0.02", "--atol", "0").stdout


def test_json_holds_everything(changed: StudyFolder, ingest: Ingest) -> None:
    found = json.loads(ingest("diff", "--json").stdout)
    assert (found["before"]["run_id"], found["after"]["run_id"]) == (1, 2)
    assert found["rule"] == "|b-a| > 1e-09 + 1e-06·|a|"
    assert (found["changed"], found["equal"], found["has_changes"]) == (4, 4, True)
    (cause,) = found["causes"]
    assert cause["changes"] == [
        {
            "kind": "scenario",
            "name": "Coverage",
            "before": "0.9",
            "after": "0.8",
            "is_input": True,
        }
    ]
    assert len(found["series"]) == 4
    kenya = next(series for series in found["series"] if series["country"] == "KEN")
    people = sum(map(ord, "KEN")) / 7
    assert kenya["largest_year"] == 2027
    assert kenya["before"] == people * 27 * (0.9 + 0.9 / 10)
    assert kenya["after"] == people * 27 * (0.9 + 0.8 / 10)
    assert kenya["relative"] == pytest.approx(-0.01 / 0.99)


def test_csv_holds_every_series(changed: StudyFolder, ingest: Ingest) -> None:
    rows = list(csv.DictReader(io.StringIO(ingest("diff", "--csv").stdout)))
    assert sorted(row["country"] for row in rows) == ["KEN", "NAM", "TZA", "UGA"]
    assert {row["kind"] for row in rows} == {"changed"}


def test_selection_of_countries_scenarios_and_labels(changed: StudyFolder, ingest: Ingest) -> None:
    found = json.loads(ingest("diff", "-c", "KEN,U*", "-s", "scale*", "--json").stdout)
    assert sorted(series["country"] for series in found["series"]) == ["KEN", "UGA"]
    assert found["equal"] == 0
    assert json.loads(ingest("diff", "-l", "Population", "--json").stdout)["series"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-c", "TAZ"), "Error: no country TAZ in this study. Did you mean TZA?\n"),
        (("-l", "Healthy"), "Error: no label Healthy in this study. Known: Healthy "
         "Years Lived, Population.\n"),
        (("9",), "Error: no run '9' in this database; runs are 1 to 2. Name one by number, tag, "
         "commit, date, latest or previous (ingest status lists them)\n"),
        (("--since", "soon"), "Error: 'soon' is no time; write an age or a date: 36h, 7d, 2w, 1y, "
         "2026-11-20\n"),
        (("--since", ""), "Error: '' is no time; write an age or a date: 36h, 7d, 2w, 1y, "
         "2026-11-20\n"),
        (("--since", "7d", "1"), "Error: --since takes the place of A and B: leave them out\n"),
        (("--chart", "x.gif"), "Error: x.gif: the name must end in .svg or .png\n"),
        (("--html", "no/such/folder.html"),
         "Error: there is no folder no/such for folder.html\n"),
    ],
)  # fmt: skip
def test_errors_are_one_line(
    changed: StudyFolder, ingest: Ingest, arguments: tuple[str, ...], message: str
) -> None:
    result = ingest("diff", *arguments)
    assert result.exit_code == 2
    assert result.stderr == message


@pytest.mark.parametrize(
    ("since", "before"),
    [("36h", 2), ("3d", 1), ("2w", 1), ("2026-11-20", 1), ("2026-11-21 18:00:00Z", 2), ("1h", 3)],
)
def test_since_compares_with_the_state_as_of_then(
    changed: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, since: str, before: int
) -> None:
    ingest("run", "--force", "--quiet")
    days = {1: "2026-11-05T12:00:00Z", 2: "2026-11-21T12:00:00Z", 3: "2026-11-23T10:00:00Z"}
    move_runs(changed, days)
    monkeypatch.setattr("ingest.clock.datetime", _At)
    result = ingest("diff", "--since", since, "--json")
    found = json.loads(result.stdout)
    assert (found["before"]["run_id"], found["after"]["run_id"]) == (before, 3)
    assert found["changed"] == (4 if before == 1 else 0)
    told = "No run began since then; the newest is run 3\n"
    assert result.stderr == (told if before == 3 else "")


class _At(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime(2026, 11, 23, 12, tzinfo=tz)


def move_runs(study: StudyFolder, times: dict[int, str]) -> None:
    with closing(sqlite3.connect(study.database)) as connection, connection:
        for run_id, time in times.items():
            query = "UPDATE validation_runs SET timestamp = ? WHERE run_id = ?"
            connection.execute(query, [time, run_id])


@pytest.mark.parametrize("since", ["7d", "2026-11-04", "999999y"])
def test_since_before_the_oldest_run_names_it(
    changed: StudyFolder, ingest: Ingest, since: str
) -> None:
    move_runs(changed, {1: "2999-11-05T12:00:00Z", 2: "2999-11-06T12:00:00Z"})
    result = ingest("diff", "--since", since)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Error: no run began by '{since}' (")
    assert result.stderr.endswith("); the oldest is run 1 of 2999-11-05T12:00:00Z\n")


def test_markdown_report_is_short_and_names_the_cause(changed: StudyFolder, ingest: Ingest) -> None:
    report = ingest("diff", "--md").stdout
    assert len(report.splitlines()) < 60
    assert "Coverage 0.9 -> 0.8" in report


def test_html_and_chart_are_written(changed: StudyFolder, ingest: Ingest) -> None:
    assert ingest("diff", "--html", "d.html", "--chart", "d.svg").exit_code == 0
    assert "Coverage 0.9" in (changed.root / "d.html").read_text(encoding="utf-8")
    assert (changed.root / "d.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_model_that_is_not_deterministic_is_a_warning(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model(MODEL_CODE.replace("/ 7", "/ 7 + __import__('random').random()"))
    ingest("run", "--quiet")
    run = ingest("run", "--force")
    warning = "numbers changed although no input did: the model is not deterministic"
    assert f"Warning: {warning}" in run.stdout
    diff = ingest("diff").stdout
    assert "Warning: the model is not deterministic: 8 combinations changed" in diff
    assert "  none: the model is not deterministic   8 combinations" in diff


def test_an_incremental_run_compares_whole_states(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet", "-c", "KEN,UGA")
    ingest("run", "--quiet", "-c", "TZA")
    study.write_json("scenarios/scale_up.json", scenario(0.8))
    ingest("run", "--quiet", "-c", "KEN")
    found = json.loads(ingest("diff", "1", "3", "--json").stdout)
    assert found["changed"] == 1
    assert found["equal"] == 3
    assert found["added"] == [
        {"country": "TZA", "scenario": "null"},
        {"country": "TZA", "scenario": "scale_up"},
    ]


def test_what_moved_is_kept_with_the_run(changed: StudyFolder) -> None:
    with closing(sqlite3.connect(changed.database)) as connection:
        rows = connection.execute(
            "SELECT run_id, country, element_label, kind, changed_years, cause FROM series_changes "
            "ORDER BY country"
        ).fetchall()
    assert rows == [
        (2, country, "Healthy Years Lived", "changed", 3, "scale_up: Coverage 0.9 -> 0.8")
        for country in ("KEN", "NAM", "TZA", "UGA")
    ]


def test_diff_of_a_database_without_a_second_run_names_what_there_is(
    study: StudyFolder, ingest: Ingest
) -> None:
    ingest("run", "--quiet")
    result = ingest("diff", "previous")
    assert result.exit_code == 2
    assert "no run 'previous' in this database; its only run is 1." in result.stderr


def test_explain_tells_the_history_of_one_combination(changed: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--quiet", "--force", "-c", "KEN")
    lines = ingest("explain", "ken", "scale_up").stdout.splitlines()
    assert lines[0] == "KEN / scale_up"
    assert [line[:5] for line in lines if line.startswith("Run")] == ["Run 1", "Run 2", "Run 3"]
    assert "  ran because  scenario scale_up changed (Coverage 0.9 -> 0.8)" in lines
    assert "  inputs       scale_up: Coverage 0.9 -> 0.8" in lines
    assert f"  results      1 label moved, largest Healthy Years Lived {MINUS}1.01 %" in lines
    assert "  results      the same numbers to the last bit" in lines


def test_explain_as_json(changed: StudyFolder, ingest: Ingest) -> None:
    history = json.loads(ingest("explain", "KEN", "scale_up", "--json").stdout)
    assert [entry["run_id"] for entry in history] == [1, 2]
    assert history[0]["cause"] is None
    assert history[1]["same_results"] is False


def test_explain_of_an_unknown_combination_suggests(changed: StudyFolder, ingest: Ingest) -> None:
    result = ingest("explain", "KNE", "scale_up")
    assert result.exit_code == 2
    assert result.stderr == "Error: no country KNE in this study. Did you mean KEN?\n"


def test_years_that_one_state_lacks_are_told(study: StudyFolder, ingest: Ingest) -> None:
    longer = {("x", year): 1.0 for year in range(2025, 2051)} | {("y", 2025): 2.0}
    shorter = {("x", year): 1.0 for year in range(2025, 2036)} | {
        ("y", 2025): 3.0,
        ("y", 2026): 1.0,
    }
    combinations = [Combination(country, "s") for country in ("KEN", "UGA")]
    database = ValidationDatabase(study.database)
    with database.writing():
        store(database, dict.fromkeys(combinations, longer))
        store(database, dict.fromkeys(combinations, shorter))
    shown = ingest("diff", "1", "2").stdout
    assert "\n  years: 2026 added in 2 series; 2036-2050 removed in 2 series\n" in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "KEN s x 2036 2036-2050 removed 1" in lines
    assert "KEN s y 2025 +50.0 %; 2026 added 2 3" in lines
    assert "x 2 other years" in lines
    assert "n/a" not in shown
    report = ingest("diff", "1", "2", "--md").stdout
    assert "- Years 2026 added in 2 series; 2036-2050 removed in 2 series\n" in report
    assert "| x | 2 (2 with other years) | other years |  |" in report
    assert "n/a" not in report
    ingest("diff", "1", "2", "--html", "report.html")
    page = (study.root / "report.html").read_text(encoding="utf-8")
    assert "<p>Years 2026 added in 2 series; 2036-2050 removed in 2 series.</p>" in page
    assert "2036-2050 removed</td>" in page
    answer = json.loads(ingest("diff", "1", "2", "--json").stdout)
    assert answer["headline"].endswith("; years 2026 added in 2 series and 1 more.")
    assert [(s["element_label"], s["years_added"], s["years_removed"]) for s in answer["series"]][
        :3:2
    ] == [("y", "2026", ""), ("x", "", "2036-2050")]


def test_explain_names_the_years_that_went(study: StudyFolder, ingest: Ingest) -> None:
    ingest("run", "--countries", "KEN")
    runtime = {**MODEL["runtime"], "endYear": MODEL["runtime"]["endYear"] - 1}
    study.write_json("model.json", {**MODEL, "runtime": runtime})
    ingest("run", "--countries", "KEN")
    shown = ingest("explain", "KEN", "null").stdout
    last = MODEL["runtime"]["endYear"] - 1
    assert f"2 labels moved, largest Healthy Years Lived {last} removed" in shown
    assert "n/a" not in shown
    entry = json.loads(ingest("explain", "KEN", "null", "--json").stdout)[1]
    assert entry["largest_other_years"] == f"{last} removed"


@pytest.mark.parametrize("form", [(), ("--json",), ("--fail-on-change",)])
def test_first_run_has_nothing_to_be_compared_with(
    study: StudyFolder, ingest: Ingest, form: tuple[str, ...]
) -> None:
    ingest("run", "--quiet")
    result = ingest("diff", *form)
    assert result.exit_code == 0
    assert "There is one run so far, nothing to compare it with" in result.stdout + result.stderr
    assert ingest("diff", "previous", "latest").exit_code == 2
