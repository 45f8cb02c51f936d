from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingest.database import ValidationDatabase
from ingest.database.files import open_for_reading
from ingest.questions import horizon as horizon_module
from ingest.questions.horizon import Horizon, Years, horizon_of_rows, read_horizon
from ingest.questions.shared import include_fragments
from tests.questions.test_canned_queries import LABEL, Values, connection, store_run

__all__ = ["connection"]  # fixture

ASKED = {"run": 1, "baseline": "null", "scenario": "up", "label": LABEL}


def horizon(tmp_path: Path, values: Values, **more: object) -> Horizon:
    """Of one run with these numbers, from 2025 on."""
    with ValidationDatabase(tmp_path / "results.db").writing() as database:
        store_run(database, values)
    with closing(open_for_reading(tmp_path / "results.db")) as connection:
        return read_horizon(connection, {**ASKED, **more})


THREE, TWO = (1.0, 2.0, 3.0), (1.0, 2.0)


def test_the_same_years_everywhere_need_no_note(tmp_path: Path) -> None:
    values = {("KEN", "null"): THREE, ("KEN", "up"): THREE}
    assert horizon(tmp_path, values) == Horizon(Years(2025, 2027), 2025)


def test_a_year_that_is_not_reached(tmp_path: Path) -> None:
    found = horizon(tmp_path, {("KEN", "null"): THREE, ("KEN", "up"): THREE}, until=2060)
    assert found.years == Years(2025, 2027)
    assert found.notes == ("asked for until 2060, the results end in 2027",)


@pytest.mark.parametrize(("until", "is_told"), [("", True), (2027, True), (2026, False)])
def test_a_scenario_that_ends_earlier(tmp_path: Path, until: object, is_told: bool) -> None:
    found = horizon(tmp_path, {("KEN", "null"): THREE, ("KEN", "up"): TWO}, until=until)
    assert str(found.years) == "2025-2026"
    told = "null has 2025-2027 and up 2025-2026 in KEN: only the years that both have are compared"
    assert found.notes == ((told,) if is_told else ())


def test_countries_with_other_years(tmp_path: Path) -> None:
    values = {
        (country, scenario): TWO if country == "UGA" else THREE
        for country in ("KEN", "TZA", "UGA")
        for scenario in ("null", "up")
    }
    found = horizon(tmp_path, values)
    assert str(found.years) == "2025-2027"
    assert found.notes == (
        "not all countries have the same years: 2025-2027 in KEN, TZA; 2025-2026 in UGA",
    )
    with closing(open_for_reading(tmp_path / "results.db")) as connection:
        assert read_horizon(connection, {**ASKED, "countries": "UGA"}).notes == ()
        base = read_horizon(connection, {**ASKED, "base_year": 2020})
        assert base.base_year == 2020


def test_a_country_with_one_scenario_alone_has_no_years(tmp_path: Path) -> None:
    assert horizon(tmp_path, {("KEN", "null"): THREE, ("UGA", "up"): THREE}) == Horizon()


def test_rows_that_name_their_years() -> None:
    assert horizon_of_rows(["timestamp_year", "a"], [(2027, 1), (2025, 2)]) == Horizon(
        Years(2025, 2027)
    )
    columns = ["scenario", "first_year", "last_year"]
    assert horizon_of_rows(columns, [("null", 2025, 2050), ("up", None, None)]) == Horizon(
        Years(2025, 2050)
    )
    assert horizon_of_rows(["a"], [(1,)]) == horizon_of_rows(columns, []) == Horizon()


def test_years_are_found_by_the_key_of_the_numbers(connection: sqlite3.Connection) -> None:
    values = dict.fromkeys(horizon_module.PARAMETERS, "")
    sql = include_fragments("horizon", horizon_module._ENDS)
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert not [step for step in steps if step.startswith("SCAN metric_values")]
    assert "SEARCH metric_values USING PRIMARY KEY (result_set_id=? AND element_id=?)" in steps
