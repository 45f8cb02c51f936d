"""The tiny study with all that trips a reader of its results: labels, names, missing years."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Sequence
from contextlib import closing

from click.testing import CliRunner

from ingest.cli import main
from tests.conftest import MODEL, MODEL_CODE, StudyFolder

ODD_LABEL = 'Cost, "net" → €|a=b'
SPARSE_LABEL = "NA"
ODD_MODEL_CODE = (
    MODEL_CODE
    + f"""
        yield {ODD_LABEL!r}, year, people / 3e7 + 0.1
        if year != 2026:
            yield {SPARSE_LABEL!r}, year, 0.1 + 0.2
"""
)
Row = tuple[str, str, str, int, float]


def make_odd(study: StudyFolder) -> StudyFolder:
    """A label with commas, quotes and arrows, one called NA without 2026; units; scenario null."""
    study.write_model(ODD_MODEL_CODE)
    model = copy.deepcopy(MODEL)
    model["nodes"][0]["unit"] = "people"  # type: ignore[index]  # of the literal's mixed types
    model["links"].append({"id": "cost", "label": ODD_LABEL, "unit": "€"})  # type: ignore[attr-defined]
    study.write_json("model.json", model)
    return study


def metrics(study: StudyFolder, where: str = "1", values: Sequence[object] = ()) -> list[Row]:
    """The rows of the latest state by plain SQL, sorted."""
    with closing(sqlite3.connect(study.database)) as connection:
        return connection.execute(
            f"""SELECT country, scenario, element_label, timestamp_year, value FROM latest_metrics
                 WHERE {where} ORDER BY 1, 2, 3, 4""",
            values,
        ).fetchall()


def run_study(study: StudyFolder, *options: str, exit_code: int = 0) -> None:
    """`ingest run` for fixtures of a whole module, which have no folder to stand in."""
    command = ["run", "--quiet", "--study", str(study.root), *options]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code == exit_code, result.output
