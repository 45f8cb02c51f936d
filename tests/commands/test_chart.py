from __future__ import annotations

import json
import sys

import pytest

from ingest.questions.catalogue import load_canned_queries
from ingest.text.installation import not_installed
from tests.conftest import Ingest, StudyFolder

LABEL = "label=Healthy Years Lived"


@pytest.fixture
def ran(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    ingest("run")
    return study


@pytest.mark.parametrize(
    ("name", "begin"),
    [("c.svg", b"<svg"), ("c.png", b"\x89PNG"), ("c.html", b"<!DOCTYPE html>"), ("C.SVG", b"<svg")],
)
def test_the_ending_says_what_is_written(
    ran: StudyFolder, ingest: Ingest, name: str, begin: bytes
) -> None:
    result = ingest("chart", "compare_scenarios", "-p", "country=KEN", "-p", LABEL, "-o", name)
    assert result.exit_code == 0
    assert result.stdout == f"Wrote {name}: 3 rows of compare_scenarios\n"
    assert (ran.root / name).read_bytes().lstrip().startswith(begin)


def test_the_chart_says_what_it_shows(ran: StudyFolder, ingest: Ingest) -> None:
    ingest("chart", "compare_scenarios", "-p", "country=KEN", "-p", LABEL, "-o", "c.svg")
    svg = (ran.root / "c.svg").read_text(encoding="utf-8")
    assert ">How does a scenario differ from a baseline in one country?<" in svg
    assert ">Land of KEN · Healthy Years Lived · scale_up against null · 2025-2027 · run 1<" in svg
    assert ">scale_up<" in svg
    assert ">null<" in svg


def test_the_specification_goes_to_a_file_or_to_stdout(ran: StudyFolder, ingest: Ingest) -> None:
    printed = json.loads(ingest("chart", "scenario_impact").stdout)
    ingest("chart", "scenario_impact", "--output", "impact.vl.json")
    assert json.loads((ran.root / "impact.vl.json").read_text(encoding="utf-8")) == printed
    assert printed["layer"][0]["mark"]["type"] == "bar"
    assert len(printed["data"]["values"]) == 4


def test_html_opens_offline(ran: StudyFolder, ingest: Ingest) -> None:
    ingest("chart", "scenario_impact", "-o", "c.html")
    html = (ran.root / "c.html").read_text(encoding="utf-8")
    assert "<script src" not in html
    assert "<link" not in html


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize("name", [n for n, q in load_canned_queries().items() if q.chart])
def test_every_canned_query_with_a_chart_can_be_drawn(ingest: Ingest, name: str) -> None:
    result = ingest("chart", name, "-o", "c.svg")
    assert result.exit_code == 0, result.output


def test_without_a_query_those_with_a_chart_are_listed(ingest: Ingest) -> None:
    lines = ingest("chart").stdout.splitlines()
    assert "scenario_impact: What does a scenario change in each country?" in lines
    assert any(line.startswith("  -p run, ") for line in lines)


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["scenario_impct", "-o", "c.svg"],
            "there is no canned query 'scenario_impct'. Did you mean scenario_impact?",
        ),
        (["zzz", "-o", "c.svg"], "there is no canned query 'zzz'. List them with: ingest chart"),
        (
            ["scenario_impact", "-o", "c.jpg"],
            "c.jpg: the name must end in .svg, .png, .html or .vl.json",
        ),
        (["scenario_impact", "-o", "no/c.svg"], "there is no folder no for c.svg"),
        (["scenario_impact", "-p", "KEN"], "--parameter 'KEN' is not NAME=VALUE"),
        (
            ["scenario_impact", "-p", "labl=x"],
            "canned query scenario_impact has no parameter 'labl'. Did you mean label?",
        ),
        (
            ["scenario_impact", "-p", "scenario=scale_upp"],
            "scenario: there is no 'scale_upp'. Did you mean scale_up?",
        ),
    ],
)
def test_errors_are_told(ingest: Ingest, arguments: list[str], message: str) -> None:
    result = ingest("chart", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")


@pytest.mark.usefixtures("ran")
def test_a_file_that_cannot_be_written_is_told(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "c.svg").mkdir()
    result = ingest("chart", "scenario_impact", "-o", "c.svg")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: c.svg is a folder; name a file\n",
    )


def test_without_a_database(ingest: Ingest) -> None:
    result = ingest("chart", "scenario_impact", "-o", "c.svg")
    assert result.exit_code == 2
    assert result.stderr.endswith("Make one with: ingest run\n")


@pytest.mark.usefixtures("ran")
def test_without_vl_convert_the_specification_is_still_to_be_had(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    result = ingest("chart", "scenario_impact", "-o", "c.png")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {not_installed('vl-convert-python', 'charts')}\n",
    )
    assert ingest("chart", "scenario_impact", "-o", "c.vl.json").exit_code == 0
