from __future__ import annotations

import json
from pathlib import Path

import pytest

from ingest.database import ValidationDatabase
from tests.conftest import Ingest, StudyFolder
from tests.questions.test_canned_queries import LABEL, store_run, store_two_runs

FIGURES = 'ISO3,CR1,CR3\nKEN,"1,000.0",2\nTZA,6,0\nNAM,5,5\nUGA,,1\n'


@pytest.fixture
def stored(study: StudyFolder) -> Path:
    """The hand-made two runs of tests/questions/test_canned_queries.py, and a table of figures."""
    store_two_runs(study.database)
    (study.root / "figures.csv").write_text(FIGURES)
    return study.database


def load(ingest: Ingest, *more: str) -> str:
    result = ingest("reference", "load", "figures.csv", "--name", "a3", "--column", "CR1=up", *more)
    assert result.exit_code == 0, result.stderr
    return str(result.stderr)


def test_load_tells_what_it_took_and_what_comes_next(stored: Path, ingest: Ingest) -> None:
    assert load(ingest) == (
        "a3: 3 figures from figures.csv: 3 countries, scenarios up\n"
        "  read with thousands commas\n"
        "  1 zero or blank, so no figure: UGA / up\n"
        "  ingest compare null up --reference a3\n"
    )


def test_compare_with_a_reference_against_hand_computed_figures(
    stored: Path, ingest: Ingest
) -> None:
    load(ingest)
    # Kenya: 12.3 + 24.1 + 36.7 - (10.1 + 20.2 + 30.3) = 12.5; Namibia has no results of `up`.
    result = ingest("compare", "null", "up", "--reference", "a3")
    assert result.exit_code == 0
    assert result.stdout == (
        "Healthy Years Lived: up against null, beside a3 · 2025-2027 · as of run 2, commit ccccccc"
        "\n\n"
        "country    name                value    reference    ratio\n"
        "---------  ----------------  -------  -----------  -------\n"
        "KEN        Kenya             12.5000     1,000.00    0.013\n"
        "NAM        Namibia                           5.00\n"
        "TZA        Tanzania           3.0000         6.00    0.500\n"
        "total      2 of 3 countries  15.5000     1,006.00    0.015\n"
    )
    assert result.stderr == "(not in the total, because only a3 has figures: NAM)\n"
    answer = json.loads(ingest("compare", "null", "up", "--reference", "a3", "--json").stdout)
    assert answer["rows"][1] == {
        "country": "NAM", "name": "Namibia",
        "model_value": None, "reference_value": 5.0, "ratio": None,
    }  # fmt: skip
    assert answer["no_results"] == ["NAM"]
    assert (answer["total"]["countries"], answer["total"]["reference_countries"]) == (2, 3)
    assert answer["rows"][2] == {
        "country": "TZA", "name": "Tanzania",
        "model_value": 3.0, "reference_value": 6.0, "ratio": 0.5,
    }  # fmt: skip
    assert answer["total"]["reference_value"] == 1006.0
    assert answer["total"]["ratio"] == pytest.approx(15.5 / 1006, rel=1e-14)


def test_loading_again_replaces(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    assert "in place of 3" in load(ingest)
    (listed,) = json.loads(ingest("reference", "list", "--json").stdout)
    assert listed == {
        "reference": "a3",
        "element_label": LABEL,
        "scenario": "up",
        "countries": 3,
        "total": 1011.0,
    }


def test_another_label_of_the_same_reference_is_kept_beside(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    assert "in place" not in load(ingest, "--label", "Population")
    assert ingest("reference", "list").stdout == (
        "reference    label                scenario      countries    total\n"
        "-----------  -------------------  ----------  -----------  -------\n"
        "a3           Healthy Years Lived  up                    3    1,011\n"
        "a3           Population           up                    3    1,011\n"
    )
    answer = json.loads(
        ingest(
            "compare", "null", "up", "--reference", "a3", "--label", "Population", "--json"
        ).stdout
    )
    assert answer["rows"][2]["model_value"] == 10.0  # people are not summed over years


def test_list_of_nothing(stored: Path, ingest: Ingest) -> None:
    result = ingest("reference", "list")
    assert result.stdout == (
        "No reference yet. Load one with: ingest reference load FILE --name NAME\n"
    )


def test_a_reference_may_be_loaded_before_the_first_run(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "figures.csv").write_text(FIGURES)
    result = ingest("reference", "load", "figures.csv", "--name", "a3")
    assert result.exit_code == 0
    assert result.stderr.splitlines()[0] == (
        "a3: 6 figures from figures.csv: 4 countries, scenarios CR1, CR3"
    )


def test_bad_rows_store_nothing_and_keep_what_was_there(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    before = ingest("reference", "list", "--json").stdout
    Path("figures.csv").write_text("ISO3,CR1\nKEN,1\nUGA,much\n")
    result = ingest("reference", "load", "figures.csv", "--name", "a3", "--column", "CR1=up")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: figures.csv: 1 bad row: line 3: CR1 is 'much', not a number. Nothing was stored\n"
    )
    assert ingest("reference", "list", "--json").stdout == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.csv", "--name", "a3"], "none.csv cannot be read: No such file or directory"),
        (["figures.csv", "--name", " "], "--name ' ' is blank; give another name"),
        (
            ["figures.csv", "--name", "a3"],
            "no scenario 'CR1' in this database; name the scenario of a column with "
            "--column COLUMN=SCENARIO.",
        ),
        (
            ["figures.csv", "--name", "a3", "--column", "CR1=nul"],
            "no scenario 'nul' in this database; name the scenario of a column with "
            "--column COLUMN=SCENARIO. Did you mean null?",
        ),
        (
            ["figures.csv", "--name", "a3", "--column", "CR1=up", "--label", "Healthy Years"],
            "no label 'Healthy Years' in the results. Did you mean Healthy Years Lived?",
        ),
        (
            ["figures.csv", "--name", "a3", "--column", "CR1"],
            "--column CR1: write COLUMN=SCENARIO, such as CR1=asthma_cr1",
        ),
    ],
)
def test_load_errors(stored: Path, ingest: Ingest, arguments: list[str], message: str) -> None:
    result = ingest("reference", "load", *arguments)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {message}\n"
    assert json.loads(ingest("reference", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--reference", "a4"], "no reference 'a4'; there are a3"),
        (["null", "--reference", "a3"],
         "reference 'a3' has no figures for scenario null; it has up"),
        (["up", "--reference", "a3", "--label", "Population"],
         "reference 'a3' has no figures for 'Population'; it has Healthy Years Lived"),
        (["up", "--reference", "a3", "--by", "region"],
         "--reference compares by country; leave out --by"),
        (["up", "--reference", "a3", "--country", "UGA"],
         "reference 'a3' and the results of up as of run 2 have no country in common"),
    ],
)  # fmt: skip
def test_compare_errors(stored: Path, ingest: Ingest, arguments: list[str], message: str) -> None:
    load(ingest)
    result = ingest("compare", "null", *arguments)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {message}\n"


def test_a_run_on_the_database_is_not_disturbed(stored: Path, ingest: Ingest) -> None:
    with ValidationDatabase(stored).writing():
        result = ingest("reference", "load", "figures.csv", "--name", "a3", "--column", "CR1=up")
    assert result.exit_code == 2
    assert "is writing to validation_results.db already" in result.stderr


def test_the_published_table_beside_results_of_its_scenarios(
    study: StudyFolder, ingest: Ingest, real_study: Path
) -> None:
    with ValidationDatabase(study.database).writing() as database:
        store_run(
            database,
            {
                (country, scenario): values
                for country in ("AFG", "PRK", "YEM", "FRA")
                for scenario, values in {
                    "null": (1e6, 2e6),
                    "asthma_cr1": (4e6, 5e6),
                    "asthma_cr3": (2e6, 3e6),
                }.items()
            },
        )
    file = str(real_study / "data" / "asthma_impact_a3.csv")
    columns = ("--column", "CR1=asthma_cr1", "--column", "CR3=asthma_cr3")
    result = ingest("reference", "load", file, "--name", "appendix 3", *columns)
    assert result.stderr.splitlines()[:3] == [
        "appendix 3: 136 figures from asthma_impact_a3.csv: 68 countries, "
        "scenarios asthma_cr1, asthma_cr3",
        "  read with thousands commas",
        "  2 zero or blank, so no figure: PRK / asthma_cr1, PRK / asthma_cr3",
    ]
    answer = json.loads(
        ingest("compare", "null", "asthma_cr1", "--reference", "appendix 3", "--json").stdout
    )
    figures = {"AFG": 9_319_675, "YEM": 6_585_902}
    assert [
        (row["country"], row["model_value"], row["reference_value"], row["ratio"])
        for row in answer["rows"]
        if row["model_value"] is not None
    ] == [(country, 6e6, figure, 6e6 / figure) for country, figure in figures.items()]
    assert (answer["total"]["countries"], answer["total"]["reference_countries"]) == (2, 68)
    assert answer["total"]["model_value"] == 12e6
    assert answer["total"]["reference_value"] == sum(figures.values())
