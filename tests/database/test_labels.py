"""Meanings of labels that no study says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ingest.database.files import open_for_reading
from ingest.database.labels import read_label
from ingest.database.schema import migrations, update_schema
from ingest.database.validation_database import ValidationDatabase
from ingest.database.write import keep_study
from ingest.study.label import Label
from tests.questions.test_canned_queries import store_run


def test_an_earlier_database_learns_what_its_labels_mean(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "r.db", isolation_level=None)) as connection:
        migrations.apply(connection, stop_before="m010_meaning_of_labels")
        connection.execute("INSERT INTO elements VALUES (1, 'Population'), (2, 'DALYs')")
        connection.execute("INSERT INTO labels VALUES ('Population', 'people', '')")
        update_schema(connection)
        found = connection.execute(
            "SELECT element_label, unit, kind, over_years, better FROM labels ORDER BY 1"
        ).fetchall()
    assert found == [
        ("DALYs", "", "flow", "sum", "lower"),
        ("Population", "people", "stock", "last", "none"),
    ]


def test_a_label_that_only_results_have_is_guessed_and_what_a_study_says_stays(
    tmp_path: Path,
) -> None:
    said = Label("Population", "people", kind="flow", better="higher")
    with ValidationDatabase(tmp_path / "r.db").writing() as database:
        keep_study(database.db, [], [], [said])
        store_run(database, {("KEN", "null"): [1.5]})
    with closing(open_for_reading(tmp_path / "r.db")) as connection:
        assert read_label(connection, "Population") == said
        guessed = read_label(connection, "Healthy Years Lived")
        assert (guessed.kind, guessed.better) == ("flow", "higher")
        assert guessed.guessed == "kind, over_years, over_countries, better"
        assert read_label(connection, "Coverage").kind == "share"  # which no result has
