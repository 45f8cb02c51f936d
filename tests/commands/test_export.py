from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from ingest.database.choice import Chosen, choose_results
from ingest.text.installation import not_installed
from tests.conftest import Ingest, StudyFolder
from tests.exchange.test_export import run_without
from tests.odd_study import ODD_LABEL, Row, make_odd, metrics, run_study


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The odd study whose results are stored; these tests only read it."""
    study = make_odd(StudyFolder(tmp_path_factory.mktemp("export") / "tiny"))
    run_study(study)
    return study


@pytest.fixture
def export(stored: StudyFolder, ingest: Ingest) -> Ingest:
    """`ingest export ARGUMENTS...` on the stored results, in a folder of its own."""

    def call(*arguments: str) -> object:
        return ingest("export", *arguments, "--database", str(stored.database))

    return call  # type: ignore[return-value]


def csv_rows(text: str) -> list[Row]:
    _, *lines = csv.reader(io.StringIO(text))
    return [(c, s, label, int(year), float(value)) for c, s, label, year, value in lines]


def test_export_writes_csv_to_standard_output(stored: StudyFolder, export: Ingest) -> None:
    result = export()
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("country,scenario,element_label,timestamp_year,value\n")
    assert csv_rows(result.stdout) == metrics(stored)


def test_export_to_a_file_says_how_many_numbers(
    study: StudyFolder, stored: StudyFolder, export: Ingest
) -> None:
    result = export("-o", "out.csv")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "Run 1 in out.csv: 88 numbers\n"
    text = (study.root / "out.csv").read_text(encoding="utf-8")
    assert csv_rows(text) == metrics(stored)
    assert "\r" not in text


def test_the_file_ending_chooses_the_format(
    study: StudyFolder, stored: StudyFolder, export: Ingest
) -> None:
    assert export("-o", "out.parquet").exit_code == 0
    table = pyarrow.parquet.read_table(study.root / "out.parquet").to_pylist()
    assert [tuple(row.values()) for row in table] == metrics(stored)
    result = export("-o", "run.zip")
    assert result.stderr == "Run 1 in run.zip: 1 run, 8 result sets\n"


def test_wide_and_iamc(export: Ingest) -> None:
    names = ("--countries", "NAM", "--scenarios", "null", "--labels", ODD_LABEL, "--labels", "NA")
    value = repr(sum(map(ord, "NAM")) / 7 / 3e7 + 0.1)
    rows = list(csv.reader(io.StringIO(export("--format", "wide", *names).stdout)))
    assert rows == [
        ["country", "scenario", "element_label", "2025", "2026", "2027"],
        ["NAM", "null", ODD_LABEL, value, value, value],
        ["NAM", "null", "NA", "0.30000000000000004", "", "0.30000000000000004"],
    ]
    rows = list(csv.reader(io.StringIO(export("--format", "iamc", *names).stdout)))
    assert rows == [
        ["Model", "Scenario", "Region", "Variable", "Unit", "2025", "2026", "2027"],
        ["tiny", "null", "NAM", ODD_LABEL, "€", value, value, value],
        ["tiny", "null", "NAM", "NA", "unknown", "0.30000000000000004", "", "0.30000000000000004"],
    ]


def test_only_run_leaves_out_what_other_runs_found(study: StudyFolder, ingest: Ingest) -> None:
    run_study(study)
    run_study(study, "--force", "--countries", "NAM")
    state = csv_rows(ingest("export").stdout)
    assert {row[0] for row in state} == {"KEN", "NAM", "TZA", "UGA"}
    own = csv_rows(ingest("export", "latest", "--only-run").stdout)
    assert {row[0] for row in own} == {"NAM"}
    assert set(own) < set(state)
    assert len(csv_rows(ingest("export", "1", "--only-run").stdout)) == len(state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "parquet"], "Error: --format parquet needs a file: -o FILE\n"),
        (["--format", "bundle"], "Error: --format bundle needs a file: -o FILE\n"),
        (
            ["-o", "run.zip", "--countries", "NAM"],
            "Error: a bundle holds a whole run: leave out --countries, --scenarios, --labels and "
            "what chooses a part of the state\n",
        ),
        (
            ["--countries", "NAN"],
            "Error: no country NAN in this study. Did you mean NAM?\n",
        ),
        (["--scenarios", "nul"], "Error: no scenario nul in this study. Did you mean null?\n"),
        (
            ["--labels", "Populatoin"],
            "Error: no label Populatoin in this study. Did you mean Population?\n",
        ),
        (
            ["7"],
            "Error: no run '7' in this database; its only run is 1. Name one by number, tag, "
            "commit, date, latest or previous (ingest status lists them)\n",
        ),
        (["-o", "none/out.csv"], "Error: there is no folder none for out.csv\n"),
        (["-o", "scenarios"], "Error: scenarios is a folder; name a file\n"),
    ],
)
def test_an_error_is_one_line_and_leaves_no_file(
    study: StudyFolder, export: Ingest, arguments: list[str], message: str
) -> None:
    before = sorted(study.root.iterdir())
    result = export(*arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)
    assert sorted(study.root.iterdir()) == before


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.zip"])
def test_an_existing_file_is_kept_without_force(
    study: StudyFolder, export: Ingest, name: str
) -> None:
    path = study.root / name
    path.write_text("mine")
    result = export("-o", name)
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {name} exists; overwrite it with --force, or name another file\n",
    )
    assert path.read_text() == "mine"
    assert export("-o", name, "--force").exit_code == 0
    assert path.stat().st_size > 100
    assert path.stat().st_mode & 0o777 == (study.root / "model.json").stat().st_mode & 0o777
    assert not [entry for entry in study.root.iterdir() if entry.name.endswith(".part")]


def test_a_run_without_a_success_has_nothing_to_export(study: StudyFolder, ingest: Ingest) -> None:
    study.write_model("def simulate(document):\n    raise ValueError\n")
    run_study(study, "--countries", "NAM", exit_code=1)
    result = ingest("export", "-o", "out.csv")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: run 1 has no success as of it: there is nothing to export\n",
    )
    result = ingest("export", "--only-run")
    assert result.stderr == ("Error: run 1 has no success of its own: there is nothing to export\n")
    assert not (study.root / "out.csv").exists()


def test_an_export_is_of_one_moment(
    study: StudyFolder, ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_study(study)
    before = ingest("export").stdout

    def choose_and_lose(connection: sqlite3.Connection, *args: Any, **options: Any) -> Chosen:
        chosen = choose_results(connection, *args, **options)
        with closing(sqlite3.connect(study.database)) as other, other:
            other.execute("DELETE FROM metric_values")
        return chosen

    monkeypatch.setattr("ingest.commands.export.choose_results", choose_and_lose)
    assert ingest("export").stdout == before


def test_export_without_a_database_names_the_next_step(study: StudyFolder, ingest: Ingest) -> None:
    result = ingest("export")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: there is no database validation_results.db yet. Make one with: ingest run\n",
    )


def test_without_pyarrow_the_command_says_how_to_install_it(
    stored: StudyFolder, tmp_path: Path
) -> None:
    arguments = ["export", "-d", str(stored.database), "-o", str(tmp_path / "out.parquet")]
    output = run_without("pyarrow", f"from ingest.cli import main\nmain({arguments!r})")
    assert output == f"Error: {not_installed('pyarrow', 'frames')}\n"
    assert list(tmp_path.iterdir()) == []
