from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.database import ValidationDatabase
from ingest.database.study_settings import keep_settings
from tests.browser.questions.test_page import Site
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
    nothing_said = dict.fromkeys(
        ("baseline", "discount_rate_percent", "until_year", "base_year", "currency",
         "currency_year", "source", "first_year", "last_year")
    )  # fmt: skip
    assert listed == {
        **nothing_said,
        "reference": "a3",
        "element_label": LABEL,
        "scenario": "up",
        "kind": "difference",
        "figures": 3,
        "countries": 3,
        "total": 1011.0,
        "intervals": 0,
    }


def test_another_label_of_the_same_reference_is_kept_beside(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    assert "in place" not in load(ingest, "--label", "Population")
    assert ingest("reference", "list").stdout == (
        "reference    label                kind        scenario      countries    figures    total"
        "  holds for\n"
        "-----------  -------------------  ----------  ----------  -----------  ---------  -------"
        "  -----------\n"
        "a3           Healthy Years Lived  difference  up                    3          3    1,011"
        "  not said\n"
        "a3           Population           difference  up                    3          3    1,011"
        "  not said\n"
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


# --- what the figures hold for -------------------------------------------------------------------

SAID = ("--baseline", "null", "--discount", "3%", "--base-year", "2025", "--until", "2026")


def compared(ingest: Ingest, *arguments: str) -> tuple[dict[str, Any], str]:
    result = ingest("compare", *arguments, "--reference", "a3", "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout), str(result.stderr)


def test_what_figures_hold_for_is_kept_and_listed(stored: Path, ingest: Ingest) -> None:
    load(ingest, *SAID, "--currency", "USD", "--currency-year", "2021", "--source", "Appendix 3")
    (listed,) = json.loads(ingest("reference", "list", "--json").stdout)
    assert listed["discount_rate_percent"] == 3.0
    assert (listed["baseline"], listed["until_year"], listed["base_year"]) == ("null", 2026, 2025)
    assert (listed["currency"], listed["currency_year"]) == ("USD", 2021)
    assert (
        ingest("reference", "list")
        .stdout.rstrip()
        .endswith(
            "baseline null, discounted at 3 % a year to 2025, until 2026, USD 2021, Appendix 3"
        )
    )
    load(ingest)
    assert ingest("reference", "list").stdout.rstrip().endswith("not said")


def test_a_comparison_is_as_the_reference_is_and_says_so(stored: Path, ingest: Ingest) -> None:
    load(ingest, *SAID)
    answer, told = compared(ingest, "null", "up")
    assert "(as a3 is: until 2026, discounted at 3 % a year, to 2025)\n" in told
    assert "published figures" not in told
    assert answer["reference_taken"] == ["until 2026", "discounted at 3 % a year", "to 2025"]
    assert (answer["discount_rate_percent"], answer["base_year"]) == (3.0, 2025)
    assert (answer["last_year"], answer["reference_notes"]) == (2026, [])
    assert answer["reference_holds_for"]["discount_rate_percent"] == 3.0
    # Kenya: (12.3 - 10.1) + (24.1 - 20.2) / 1.03
    assert answer["rows"][0]["model_value"] == pytest.approx(2.2 + 3.9 / 1.03, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "notes"),
    [
        (["null", "up", "--discount", "5%"],
         ["a3 is discounted at 3 % a year, the results are discounted at 5 % a year"]),
        (["null", "up", "--discount", "0%"],
         ["a3 is discounted at 3 % a year, the results are not discounted"]),
        (["null", "up", "--discount", "3%", "--base-year", "2020"],
         ["a3 is discounted to 2025, the results are to 2020"]),
        (["null", "up", "--until", "2027"], ["a3 is until 2026, the results are until 2027"]),
        (["up", "up", "--until", "2025"],
         ["a3 is against null, the results are against up",
          "a3 is until 2026, the results are until 2025"]),
    ],
)  # fmt: skip
def test_a_comparison_that_holds_for_something_else_says_so(
    stored: Path, ingest: Ingest, arguments: list[str], notes: list[str]
) -> None:
    load(ingest, *SAID)
    answer, told = compared(ingest, *arguments)
    assert answer["reference_notes"] == notes
    assert [line for line in told.splitlines() if "published" in line] == [
        f"(published figures: {note})" for note in notes
    ]
    asked = {"baseline": arguments[0], "scenario": "up", "reference": "a3"}
    options = dict(zip(arguments[2::2], arguments[3::2], strict=True))
    names = {"--discount": "discount_rate", "--until": "until", "--base-year": "base_year"}
    page = Site(stored).get(
        "reference_against_model", **asked, **{names[key]: each for key, each in options.items()}
    )
    shown = page.text
    assert shown.count("Published figures: ") == len(notes)
    assert all(f"Published figures: {note}." in shown for note in notes)


def test_the_page_takes_what_the_reference_holds_for(stored: Path, ingest: Ingest) -> None:
    load(ingest, *SAID)
    page = Site(stored).get("reference_against_model")
    assert "discounted at 3 % a year to 2025" in page.text
    assert "Published figures: " not in page.text
    rows = Site(stored).get("reference_against_model.json", _shape="array").json
    assert rows[0]["model_value"] == pytest.approx(2.2 + 3.9 / 1.03, rel=1e-12)


def test_what_is_not_summed_is_not_discounted_for_a_reference(stored: Path, ingest: Ingest) -> None:
    load(ingest, *SAID, "--label", "Population")
    answer, _ = compared(ingest, "null", "up", "--label", "Population")
    assert answer["reference_notes"] == [
        "a3 is discounted at 3 % a year, the results are not discounted"
    ]


@pytest.mark.parametrize(
    ("given", "kept", "note"),
    [
        (("USD", "2021"), {"currency": "USD", "currency_year": 2015}, "in USD 2021, the results "
         "are in USD 2015"),
        (("EUR", "2015"), {"currency": "USD", "currency_year": 2015}, "in EUR 2015, the results "
         "are in USD 2015"),
        (("usd", "2015"), {"currency": "USD", "currency_year": 2015}, ""),
    ],
)  # fmt: skip
def test_another_currency_or_year_of_prices_is_said(
    stored: Path, ingest: Ingest, given: tuple[str, str], kept: dict[str, Any], note: str
) -> None:
    with ValidationDatabase(stored).writing() as database:
        settings = {"cost": "Cost", "effect": LABEL, **kept}
        keep_settings(database.db, {"economics": {"settings": settings, "values": {}}})
    load(ingest, "--currency", given[0], "--currency-year", given[1])
    answer, _ = compared(ingest, "null", "up")
    assert answer["reference_notes"] == ([f"a3 is {note}"] if note else [])


def test_a_reference_of_an_older_version_still_compares(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    with closing(sqlite3.connect(stored)) as connection, connection:
        connection.execute("DROP TABLE reference_facts")
        connection.execute("DROP TABLE reference_levels")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE 'm019%'")
    assert "older schema" in ingest("reference", "list").stderr
    with ValidationDatabase(stored).writing():
        pass
    answer, _ = compared(ingest, "null", "up")
    assert (answer["reference_notes"], answer["reference_taken"]) == ([], [])
    assert answer["total"]["reference_value"] == 1006.0
    assert set(answer["reference_holds_for"].values()) == {None}


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
