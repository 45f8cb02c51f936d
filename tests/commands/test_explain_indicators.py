"""`ingest explain --indicator`: an indicator over the runs, and what moved it."""

from __future__ import annotations

import json

import pytest

from tests.conftest import MODEL_CODE, Ingest, StudyFolder, scenario

YEARS = """
[[indicators]]
name = "Years"
labels = "Healthy Years Lived"
sense = "gained"
until = [2026, 2027]
unit = "healthy years"
[[indicators]]
name = "People"
labels = "Population"
sense = "level"
aggregate = "last"
[[indicators]]
name = "Cheer"
labels = "Smiles"
"""
PEOPLE = sum(map(ord, "KEN")) / 7


@pytest.fixture
def four_runs(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """Run 2 changes the scenario, run 3 the baseline, run 4 (forced) nothing."""
    ingest("run", "--quiet")
    study.write_json("scenarios/scale_up.json", scenario(0.8))
    ingest("run", "--quiet")
    study.write_json("scenarios/null.json", scenario(0.1))
    ingest("run", "--quiet")
    ingest("run", "--quiet", "--force")
    study.write_settings(YEARS.partition('[[indicators]]\nname = "Cheer"')[0])
    return study


def test_each_run_has_its_number_and_its_causes(four_runs: StudyFolder, ingest: Ingest) -> None:
    found = json.loads(ingest("explain", "KEN", "scale*", "-i", "Years", "--json").stdout)
    last = [entry for entry in found if entry["until"] == 2027]
    years = PEOPLE * (25 + 26 + 27)
    expected = [years * share / 10 for share in (0.9, 0.8, 0.7, 0.7)]
    assert [entry["value"] for entry in last] == pytest.approx(expected)
    assert [entry["run_id"] for entry in last] == [1, 2, 3, 4]
    assert [entry["causes"] for entry in last] == [
        [], ["scale_up: Coverage 0.9 -> 0.8"], ["null: Coverage 0.0 -> 0.1"], [],
    ]  # fmt: skip
    assert last[1]["relative"] == pytest.approx(-1 / 9)
    shown = json.loads(ingest("indicators", "--by", "country", "--json").stdout)
    (row,) = (
        row
        for row in shown["rows"]
        if (row["country"], row["scenario"], row["indicator"]) == ("KEN", "scale_up", "Years")
        and row["until_year"] == 2027
    )
    assert last[-1]["value"] == row["value"]


def test_the_table_tells_change_and_cause(four_runs: StudyFolder, ingest: Ingest) -> None:
    text = ingest("explain", "KEN", "scale_up", "--indicator", "Years").stdout
    assert text.startswith("KEN / scale_up, baseline null\n\nYears until 2026 (healthy years)\n")
    lines = text.split("Years until 2027")[1].splitlines()
    assert lines[4].endswith("\N{MINUS SIGN}11.1 %  scale_up: Coverage 0.9 -> 0.8")
    assert lines[5].rstrip().endswith("null: Coverage 0.0 -> 0.1")
    assert lines[6].rstrip().endswith("the same")


def test_a_label_that_came_later_is_a_note_of_the_runs_before(
    four_runs: StudyFolder, ingest: Ingest
) -> None:
    more = '        yield "Smiles", year, 2.0\n'
    four_runs.write_model(MODEL_CODE + more)
    ingest("run", "--quiet")
    four_runs.write_settings(YEARS)
    found = json.loads(ingest("explain", "KEN", "scale_up", "-i", "Cheer", "--json").stdout)
    assert [entry["value"] for entry in found] == [None, None, None, None, 6.0]
    assert all("Smiles" in entry["note"] for entry in found[:4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scale_up", "-i", "Yeers"), "no indicator Yeers in this study. Did you mean Years?"),
        (("scale_up", "-i", "Years", "--attribute"),
         "--indicator goes without --attribute and --label"),
        (("null", "-i", "Years"),
         "null is the baseline, and Years compares with it; name another scenario"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_named(
    four_runs: StudyFolder, ingest: Ingest, arguments: tuple[str, ...], message: str
) -> None:
    result = ingest("explain", "KEN", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")
