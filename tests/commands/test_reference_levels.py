from __future__ import annotations

import csv
import io
import json
import math
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

# Kenya's results under null are 10.1, 20.2, 30.3; Uganda's 1.1, 2.2, 3.3; Namibia's 5, 5, 5.
LEVELS = f"""iso3,year,label,value,low,high,source,unit
KEN,2025,{LABEL},9,8,10,GBD,
KEN,2026,{LABEL},20,18,22,GBD,
UGA,2025,{LABEL},1,0.5,1.5,GBD,
UGA,2026,{LABEL},0,,,census,
NAM,2025,{LABEL},6,5.5,7,GBD,
NAM,2031,{LABEL},6,5,7,GBD,
RWA,2025,{LABEL},4,3,5,GBD,
TZA,2025,{LABEL},,,,GBD,
KEN,2025,Population,100,,,GBD,
"""


@pytest.fixture
def stored(study: StudyFolder) -> Path:
    """The hand-made two runs of tests/questions/test_canned_queries.py, and a table of levels."""
    store_two_runs(study.database)
    (study.root / "levels.csv").write_text(LEVELS)
    return study.database


def load(ingest: Ingest, *more: str, text: str = "") -> str:
    if text:
        Path("levels.csv").write_text(text)
    result = ingest("reference", "load", "levels.csv", "--name", "gbd", *more)
    assert result.exit_code == 0, result.stderr
    return str(result.stderr)


def fit(ingest: Ingest, *more: str) -> dict[str, Any]:
    result = ingest("reference", "fit", "gbd", "--json", *more)
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def plain_fit(path: Path, pairs: dict[tuple[str, int], float], scenario: str) -> dict[str, Any]:
    """Bias, relative bias and RMSE in plain arithmetic over the numbers of the view `metrics`."""
    with closing(sqlite3.connect(path)) as connection:
        stored = {
            (country, year): value
            for country, year, value in connection.execute(
                """SELECT country, timestamp_year, value FROM metrics
                    WHERE scenario = ? AND element_label = ? ORDER BY run_id""",
                [scenario, LABEL],
            )
        }
    errors = {key: stored[key] - figure for key, figure in pairs.items() if key in stored}
    relative = [error / pairs[key] for key, error in errors.items() if pairs[key]]
    return {
        "figures": len(errors),
        "bias": sum(errors.values()) / len(errors),
        "relative_bias_percent": 100 * sum(relative) / len(relative),
        "rmse": math.sqrt(sum(error * error for error in errors.values()) / len(errors)),
        "lacking": len(pairs) - len(errors),
    }


EVERY = {
    ("KEN", 2025): 9.0, ("KEN", 2026): 20.0, ("UGA", 2025): 1.0, ("UGA", 2026): 0.0,
    ("NAM", 2025): 6.0, ("NAM", 2031): 6.0, ("RWA", 2025): 4.0,
}  # fmt: skip
EAST = {key: value for key, value in EVERY.items() if key[0] in ("KEN", "UGA")}


# --- loading -------------------------------------------------------------------------------------


def test_load_tells_what_it_took_and_what_comes_next(stored: Path, ingest: Ingest) -> None:
    assert load(ingest) == (
        "gbd: 8 levels from levels.csv: 4 countries, 2025-2026, 2031, Healthy Years Lived, "
        "Population; 6 with an interval\n"
        "  1 row without a value, so no figure\n"
        "  ingest reference fit gbd\n"
    )
    assert "in place of 8" in load(ingest)
    listed = json.loads(ingest("reference", "list", "--json").stdout)
    assert [(e["element_label"], e["kind"], e["figures"], e["total"]) for e in listed] == [
        (LABEL, "level", 7, None), ("Population", "level", 1, None),
    ]  # fmt: skip
    assert (listed[0]["first_year"], listed[0]["last_year"], listed[0]["intervals"]) == (
        2025, 2031, 6,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("ISO3;year;label;value\nKEN;2025;Population;1.234,5\nUGA;2026;Population;7\n", ()),
        ("country,timestamp_year,element_label,value\nKEN,2025,Population,1234.5\n"
         "UGA,2026.0,Population,7\n", ()),
        ('place,when,cause,value\nKEN,2025,Population,"1,234.5"\nUGA,2026,Population,7\n',
         ("--column", "iso3=place", "--column", "year=when", "--column", "label=cause")),
        ("code\tyear\tvalue\nKEN\t2025\t1234.5\nUGA\t2026\t7\n",
         ("--iso3-column", "code", "--label", "Population")),
    ],
)  # fmt: skip
def test_columns_and_numbers_are_read_as_other_tables_are(
    stored: Path, ingest: Ingest, text: str, options: tuple[str, ...]
) -> None:
    load(ingest, *options, text=text)
    with closing(sqlite3.connect(stored)) as connection:
        rows = connection.execute(
            "SELECT country, timestamp_year, element_label, value FROM reference_levels"
        ).fetchall()
    assert rows == [("KEN", 2025, "Population", 1234.5), ("UGA", 2026, "Population", 7.0)]


HEAD = "iso3,year,label,value,low,high,unit,scenario\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("KEN,2025,Population,5,6,7,,\n",
         "line 2: value 5 is not within low 6 and high 7"),
        ("KEN,2025,Population,5,7,4,,\n",
         "line 2: value 5 is not within low 7 and high 4"),
        ("KEN,2025,Population,5,4,,,\n", "line 2: an interval has both ends: low and high"),
        ("KEN,2025,Population,5,,,,\nKEN,2025,Population,5,,,,\n",
         "line 3: KEN 2025 Population is in line 2 already"),
        ("KEN,25,Population,5,,,,\n", "line 2: year '25' is none from 1900 to 2300"),
        ("KEN,2025.5,Population,5,,,,\n", "line 2: year '2025.5' is none from 1900 to 2300"),
        ("KEN,2025,Population,12.5 %,,,,\n",
         "line 2: value is '12.5 %': write it as a number, as 0.125"),
        ("KEN,2025,Population,many,,,,\n", "line 2: value is 'many', not a number"),
        ("KEN,2025,,5,,,,\n", "line 2: label '' is blank"),
        ("Kenya,2025,Population,5,,,,\n", "line 2: Kenya: write KEN"),
        ("KEN,2025,Populatoin,5,,,,\n",
         "no label 'Populatoin' in the results. Did you mean Population?"),
        ("KEN,2025,Population,5,,,,nul\n",
         "no scenario 'nul' in this database. Did you mean null?"),
        ("KEN,2025,Population,5,,\n", "line 2: 6 cells where the header has 8"),
        ("KEN,2025,Population,,,,,\n", "levels.csv has no value. Nothing was stored"),
    ],
)  # fmt: skip
def test_bad_rows_store_nothing(stored: Path, ingest: Ingest, rows: str, message: str) -> None:
    (stored.parent / "levels.csv").write_text(HEAD + rows)
    result = ingest("reference", "load", "levels.csv", "--name", "gbd")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert json.loads(ingest("reference", "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("iso3,year,label,valu", (),
         "levels.csv lacks value; it has iso3, year, label, valu. Say which column it is: "
         "--column value=COLUMN"),
        ("iso3,year,value,x", (),
         "levels.csv lacks label; it has iso3, year, value, x. Say which column it is: "
         "--column label=COLUMN or --label LABEL"),
        ("iso3,year,label,value", ("--column", "vlaue=value"),
         "--column vlaue=value: no column 'vlaue' here. Did you mean value?"),
        ("iso3,year,label,value", ("--column", "low=lower"),
         "levels.csv has no column 'lower' (--column); it has iso3, year, label, value."),
        ("iso3,year,label,value", ("--label", "Population"),
         "levels.csv has a column label: leave out --label 'Population'"),
        ("iso3,year,label,value,low", (),
         "levels.csv has low and not high: an interval has both ends"),
        ("iso3,year,label,value", ("--discount", "3%"),
         "--discount: these figures are of single years, neither summed nor discounted; "
         "leave it out"),
        ("iso3,year,label,value", ("--baseline", "nul"),
         "no scenario 'nul' in this database (--baseline). Did you mean null?"),
    ],
)  # fmt: skip
def test_a_header_or_option_that_does_not_fit_is_told(
    stored: Path, ingest: Ingest, header: str, options: tuple[str, ...], message: str
) -> None:
    cells = ["KEN", "2025", "Population", "5", "4"][: header.count(",") + 1]
    Path("levels.csv").write_text(f"{header}\n{','.join(cells)}\n")
    result = ingest("reference", "load", "levels.csv", "--name", "gbd", *options)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")


def test_a_value_in_another_unit_than_its_label_is_refused(stored: Path, ingest: Ingest) -> None:
    with ValidationDatabase(stored).writing() as database:
        database.db.conn.execute("INSERT INTO labels (element_label, unit, description) "
                                 "VALUES ('Population', 'people', '') ON CONFLICT DO UPDATE "
                                 "SET unit = 'people'")  # fmt: skip
        database.db.conn.commit()
    load(ingest, text=HEAD + "KEN,2025,Population,5,,,People,\n")
    (stored.parent / "levels.csv").write_text(HEAD + "KEN,2025,Population,5,,,thousands,\n")
    result = ingest("reference", "load", "levels.csv", "--name", "gbd")
    assert result.stderr == (
        "Error: levels.csv: 'Population' is in people, here in thousands. Convert the values (or "
        "mend the unit). Nothing was stored\n"
    )


# --- the fit -------------------------------------------------------------------------------------


def test_fit_equals_plain_arithmetic_in_total_and_by_group(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    answer = fit(ingest, "--label", LABEL, "--by", "region")
    (of_label,) = answer["labels"]
    assert (of_label["scenario"], answer["run_id"]) == ("null", 2)
    expected = plain_fit(stored, EVERY, "null")
    assert {name: of_label["total"][name] for name in expected} == pytest.approx(expected, 1e-12)
    assert (of_label["total"]["figures"], of_label["total"]["lacking"]) == (5, 2)
    # inside: KEN 2026, UGA 2025; outside: KEN 2025 above, NAM 2025 below
    total = of_label["total"]
    assert (total["inside"], total["with_interval"], total["inside_percent"]) == (2, 4, 50.0)
    groups = {group["region"]: group for group in of_label["groups"]}
    assert list(groups) == ["(none)", "East", "South"]
    east = plain_fit(stored, EAST, "null")
    assert {name: groups["East"][name] for name in east} == pytest.approx(east, 1e-12)
    assert groups["(none)"]["bias"] is groups["(none)"]["rmse"] is None
    assert of_label["no_results"] == [
        {"country": "NAM", "year": 2031}, {"country": "RWA", "year": 2025},
    ]  # fmt: skip


def test_fit_of_another_scenario_run_and_of_nested_groups(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    for run in (1, 2):
        answer = fit(ingest, "--label", LABEL, "--scenario", "up", "--run", str(run))
        model = {("KEN", 2025): (11.7, 12.3)[run - 1], ("KEN", 2026): (22.9, 24.1)[run - 1],
                 ("UGA", 2025): 1.4, ("UGA", 2026): 2.6}  # fmt: skip
        errors = [value - EVERY[key] for key, value in model.items()]
        assert answer["labels"][0]["total"]["bias"] == pytest.approx(sum(errors) / 4, rel=1e-12)
        assert answer["labels"][0]["total"]["lacking"] == 3
    answer = fit(ingest, "--label", LABEL, "--by", "region,year")
    assert [(g["region"], g["year"], g["figures"]) for g in answer["labels"][0]["groups"]] == [
        ("(none)", "2025", 0), ("East", "2025", 2), ("East", "2026", 2),
        ("South", "2025", 1), ("South", "2031", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("said", "taken", "values"), [("", "null", [2.0, 2.0]),
                                                       ("up", "up", [12.3, 24.1])])  # fmt: skip
def test_page_and_terminal_take_the_same_baseline(
    stored: Path, ingest: Ingest, said: str, taken: str, values: list[float]
) -> None:
    with ValidationDatabase(stored).writing() as database:
        store_run(database, {("KEN", "baseline"): (1.0, 1.0, 1.0), ("KEN", "null"): (2.0, 2.0)})
        keep_settings(database.db, {"baseline": said})
    load(ingest)
    assert {each["scenario"] for each in fit(ingest)["labels"]} == {taken}
    rows = Site(stored).get("model_fit.json", _shape="array", countries="KEN").json
    assert [row["model_value"] for row in rows] == values


def test_many_levels_begin_with_the_last_year_of_the_results(stored: Path, ingest: Ingest) -> None:
    rows = [f"KEN,{year},{LABEL},{year}" for year in range(1900, 2301)]
    rows += [f"UGA,{year},{LABEL},{year}" for year in range(1900, 2301)]
    load(ingest, text="iso3,year,label,value\n" + "\n".join(rows) + "\n")
    site = Site(stored)
    found = site.get("model_fit.json", _shape="array", until="2030").json
    assert [row["timestamp_year"] for row in found][:4] == [2027, 2028, 2029, 2030]
    assert len(site.get("model_fit.json", _shape="array", since="1900", until="2030").json) == 262


def test_fit_as_people_and_spreadsheets_read_it(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    result = ingest("reference", "fit", "gbd", "--by", "income_group", "--label", LABEL)
    assert result.stdout == (
        "Healthy Years Lived: null against gbd · as of run 2, commit ccccccc\n\n"
        "income_group      figures    bias    relative    RMSE    inside the interval    lacking\n"
        "--------------  ---------  ------  ----------  ------  ---------------------  ---------\n"
        "(none)                  0                                                             1\n"
        "High                    3  +0.433     −3.33 %   1.396          1 of 2 (50 %)          1\n"
        "Low                     2  +0.650     +6.61 %   0.791          1 of 2 (50 %)\n"
        "total                   5  +0.520     +1.64 %   1.192          2 of 4 (50 %)          2\n"
    )
    assert result.stderr.startswith(
        "(Healthy Years Lived: the results of null lack 2 figures: NAM 2031; RWA 2025)\n"
    )
    printed = ingest("reference", "fit", "gbd", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [(row["label"], row["figures"]) for row in rows] == [(LABEL, "5"), ("Population", "1")]
    total = fit(ingest, "--label", LABEL)["labels"][0]["total"]
    assert (float(rows[0]["rmse"]), rows[1]["inside_percent"]) == (total["rmse"], "")


def test_levels_are_held_against_their_own_scenario(stored: Path, ingest: Ingest) -> None:
    load(ingest, text=HEAD + "KEN,2025,Population,1,,,,up\nKEN,2025,Population,2,,,,null\n")
    found = [(e["scenario"], e["total"]["bias"]) for e in fit(ingest)["labels"]]
    assert found == [("null", pytest.approx(99)), ("up", pytest.approx(122))]
    load(ingest, "--baseline", "up", text=HEAD + "KEN,2025,Population,1,,,,\n")
    assert [each["scenario"] for each in fit(ingest)["labels"]] == ["up"]
    shown = Site(stored).get("model_fit.json", _shape="array").json
    assert [row["model_value"] for row in shown] == [123.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gdb"], "no reference 'gdb'. Did you mean gbd?"),
        (["gbd", "--label", "Populaton"],
         "reference 'gbd' has no levels of 'Populaton'. Did you mean Population?"),
        (["gbd", "--scenario", "nul"], "no results of scenario 'nul'. Did you mean null?"),
        (["gbd", "--by", "regoin"], "--by regoin: groups are total, country, year, region, "
         "income_group, club. Did you mean region?"),
        (["a3"], "reference 'a3' has differences and no levels. See them beside the results: "
         "ingest compare BASELINE up --reference a3"),
    ],
)  # fmt: skip
def test_fit_errors(stored: Path, ingest: Ingest, arguments: list[str], message: str) -> None:
    load(ingest)
    Path("differences.csv").write_text("ISO3,up\nKEN,5\n")
    ingest("reference", "load", "differences.csv", "--name", "a3")
    result = ingest("reference", "fit", *arguments)
    assert (result.exit_code, result.stderr) == (2, f"Error: {message}\n")


def test_levels_are_no_differences(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    result = ingest("compare", "null", "up", "--reference", "gbd")
    assert result.stderr == (
        "Error: reference 'gbd' has levels and no differences. See how the results fit them: "
        "ingest reference fit gbd\n"
    )


def test_money_of_another_year_is_said(stored: Path, ingest: Ingest) -> None:
    with ValidationDatabase(stored).writing() as database:
        settings = {"cost": "Cost", "effect": LABEL, "currency": "USD", "currency_year": 2015}
        keep_settings(database.db, {"economics": {"settings": settings, "values": {}}})
    load(ingest, "--currency", "USD", "--currency-year", "2021")
    note = "gbd is in USD 2021, the results are in USD 2015"
    assert fit(ingest)["labels"][0]["reference_notes"] == [note]
    assert f"({LABEL}: {note})" in ingest("reference", "fit", "gbd").stderr
    assert f"Published figures: {note}." in Site(stored).get("model_fit").text


# --- the page ------------------------------------------------------------------------------------


def test_the_page_answers_with_the_fit_and_draws_intervals(stored: Path, ingest: Ingest) -> None:
    load(ingest)
    site = Site(stored)
    page = site.get("model_fit")
    assert page.words == (
        "Over 5 figures of gbd, Healthy Years Lived of null is on average 0.52 higher (mean of the "
        "relative errors +1.64 %); root mean square error 1.192. 2 of 4 with an interval lie "
        "inside it (50 %). The results lack 2 figures: Namibia 2031, RWA 2025."
    )
    (spec,) = page.specs
    points = spec["data"]["values"]
    assert len(points) == 5
    assert [(p["low"], p["high"]) for p in points if "low" in p] == [
        (8, 10), (18, 22), (5.5, 7), (0.5, 1.5),
    ]  # fmt: skip
    rows = site.get("model_fit.json", _shape="array").json
    assert [(row["country"], row["timestamp_year"], row["interval"]) for row in rows] == [
        ("KEN", 2025, "above"), ("KEN", 2026, "inside"), ("NAM", 2025, "below"),
        ("NAM", 2031, None), ("RWA", 2025, None), ("UGA", 2025, "inside"), ("UGA", 2026, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "countries"),
    [
        ({"group": "East"}, ["KEN", "KEN", "UGA", "UGA"]),
        ({"group": "Low"}, ["KEN", "KEN"]),
        ({"countries": "UGA,NAM"}, ["NAM", "NAM", "UGA", "UGA"]),
        ({"since": "2026"}, ["KEN", "NAM", "UGA"]),
        ({"since": "2026", "until": "2030"}, ["KEN", "UGA"]),
        ({"label": "Population"}, ["KEN"]),
        ({"scenario": "up", "group": "South"}, ["NAM", "NAM"]),
    ],
)
def test_the_page_by_label_years_country_or_group(
    stored: Path, ingest: Ingest, values: dict[str, str], countries: list[str]
) -> None:
    load(ingest)
    rows = Site(stored).get("model_fit.json", _shape="array", **values).json
    assert [row["country"] for row in rows] == countries
