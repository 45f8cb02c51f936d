"""The groups and facts of countries as of a run, as the countries file said them then."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from ingest.database.rows import read_dicts

NO_GROUP = "(none)"


def read_country_facts(connection: sqlite3.Connection, run_id: int) -> dict[str, dict[str, str]]:
    """What is known of each country by ISO3 code: name, region, income_group and other groups.

    As of the run, the latest ones where it kept none. What is blank is left out.
    """
    latest = {row["iso3"]: row for row in read_dicts(connection, "SELECT * FROM countries")}
    kept = connection.execute(
        "SELECT country, details FROM study_countries WHERE run_id = ?", [run_id]
    )
    latest |= {country: json.loads(details) for country, details in kept if details is not None}
    return {
        iso3: {name: str(value) for name, value in facts.items() if value and name != "iso3"}
        for iso3, facts in latest.items()
    }


def group_of(country: str, facts: Mapping[str, str], by: Sequence[str]) -> tuple[str, ...]:
    """The group of a country, nested in the order of by; its own code for "country"."""
    return tuple(country if name == "country" else facts.get(name, NO_GROUP) for name in by)
