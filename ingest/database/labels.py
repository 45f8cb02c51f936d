"""What element labels mean: kept for every label of the results, guessed where no study says it."""

from __future__ import annotations

import sqlite3

from ingest.study.label import Label, guessed_label

_COLUMNS = (
    "element_label, unit, description, kind, over_years, over_countries, sum_unit, better, guessed"
)


def read_label(
    connection: sqlite3.Connection, element_label: str, run_id: int | None = None
) -> Label:
    """A label as the study said it at a run (without one: now), else as its name tells."""
    row = connection.execute(
        f"""SELECT {_COLUMNS} FROM study_labels
             WHERE run_id = coalesce(?, (SELECT max(run_id) FROM validation_runs))
               AND element_label = ?""",
        [run_id, element_label],
    ).fetchone()
    return Label(*row) if row else guessed_label(element_label, "", "", ())


def read_labels_of_results(
    connection: sqlite3.Connection, run_id: int | None = None
) -> list[Label]:
    """Every label of the results as the study said it at a run (None: now), sorted by name."""
    rows = connection.execute(
        f"""SELECT {_COLUMNS} FROM study_labels
             WHERE run_id = coalesce(?, (SELECT max(run_id) FROM validation_runs))""",
        [run_id],
    )
    said = {row[0]: Label(*row) for row in rows}
    names = connection.execute("SELECT element_label FROM elements ORDER BY element_label")
    return [said.get(name) or guessed_label(name, "", "", ()) for (name,) in names]


def summed_elements(connection: sqlite3.Connection, run_id: int) -> set[int]:
    """The ids of the labels that are summed over years, as the study said it at a run."""
    rows = connection.execute(
        """SELECT element_id FROM elements WHERE element_label NOT IN (
               SELECT element_label FROM study_labels
                WHERE run_id = ? AND over_years NOT IN ('', 'sum'))""",
        [run_id],
    )
    return {element_id for (element_id,) in rows}


def fill_in_labels(connection: sqlite3.Connection) -> None:
    """Guess what labels of the results mean, of those that have no meaning yet."""
    connection.execute(
        """INSERT INTO labels (element_label, unit, description)
           SELECT element_label, '', '' FROM elements
            WHERE element_label NOT IN (SELECT element_label FROM labels)"""
    )
    known = [name for (name,) in connection.execute("SELECT element_label FROM elements")]
    unknown = connection.execute(
        "SELECT element_label, unit, description FROM labels WHERE kind = ''"
    ).fetchall()
    labels = [guessed_label(name, unit, text, known) for name, unit, text in unknown]
    connection.executemany(
        """UPDATE labels SET kind = :kind, over_years = :over_years, better = :better,
               over_countries = :over_countries, sum_unit = :sum_unit, guessed = :guessed
            WHERE element_label = :element_label""",
        [vars(label) for label in labels],
    )
