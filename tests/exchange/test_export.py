from __future__ import annotations

import csv
import io
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from ingest.cli import main
from ingest.database.choice import (
    NameChoice,
    ResultRow,
    StatePart,
    choose_labels,
    choose_results,
    read_rows,
    read_years,
)
from ingest.database.files import open_for_reading
from ingest.database.states import resolve_run
from ingest.errors import ConfigError
from ingest.exchange.export import (
    FORMATS,
    format_of,
    read_units,
    write_csv,
    write_iamc,
    write_parquet,
    write_wide,
)
from ingest.exchange.whole_file import OutputFile
from ingest.text.installation import not_installed
from tests.conftest import PROJECT, StudyFolder, scenario
from tests.odd_study import ODD_LABEL, SPARSE_LABEL, make_odd, metrics, run_study


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """The odd study whose results are stored; these tests only read it."""
    study = make_odd(StudyFolder(tmp_path_factory.mktemp("export") / "tiny"))
    run_study(study)
    return study


@pytest.fixture
def connection(stored: StudyFolder) -> Iterator[sqlite3.Connection]:
    with closing(open_for_reading(stored.database)) as connection:
        yield connection


# pandas 3 reads numbers exactly by itself and warns of the option
EXACT: dict[str, Any] = {} if pandas.__version__ >= "3" else {"float_precision": "round_trip"}

ROWS = [
    ResultRow("NAM", "null", ODD_LABEL, 2025, 0.1 + 0.2),
    ResultRow("NAM", "null", ODD_LABEL, 2027, 5e-324),
    ResultRow("NAM", "null", "NA", 2026, -1.7976931348623157e308),
]


def test_the_table_of_formats_is_complete_and_without_contradiction() -> None:
    suffixes = [suffix for form in FORMATS.values() for suffix in form.suffixes]
    assert len(suffixes) == len(set(suffixes))
    help_text = CliRunner().invoke(main, ["export", "--help"]).stdout
    for name, form in FORMATS.items():
        assert (form.write_text is None) != (form.write_file is None), name
        assert re.search(rf"^    {name} +{re.escape(form.help)}$", help_text, re.M)
        assert all(format_of(Path(f"X{suffix.upper()}")) is form for suffix in form.suffixes)
    assert format_of(Path("numbers.txt")) is format_of(None) is FORMATS["csv"]


def test_csv_reads_back_to_the_same_bits() -> None:
    file = io.StringIO(newline="")
    assert write_csv(ROWS, file) == 3
    lines = file.getvalue().splitlines()
    assert lines[0] == "country,scenario,element_label,timestamp_year,value"
    assert lines[1] == 'NAM,null,"Cost, ""net"" → €|a=b",2025,0.30000000000000004'
    file.seek(0)
    read = [
        ResultRow(c, s, label, int(year), float(value))
        for c, s, label, year, value in list(csv.reader(file))[1:]
    ]
    assert read == ROWS


def test_wide_has_a_column_a_year_and_blanks_for_missing_years() -> None:
    file = io.StringIO(newline="")
    assert write_wide(ROWS, [2025, 2026, 2027], file) == 3
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [
        ["country", "scenario", "element_label", "2025", "2026", "2027"],
        ["NAM", "null", ODD_LABEL, "0.30000000000000004", "", "5e-324"],
        ["NAM", "null", "NA", "", "-1.7976931348623157e+308", ""],
    ]


def test_iamc_has_the_columns_of_the_template() -> None:
    file = io.StringIO(newline="")
    write_iamc(ROWS, [2025, 2026, 2027], file, model="tiny", units={ODD_LABEL: "€"})
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [
        ["Model", "Scenario", "Region", "Variable", "Unit", "2025", "2026", "2027"],
        ["tiny", "null", "NAM", ODD_LABEL, "€", "0.30000000000000004", "", "5e-324"],
        ["tiny", "null", "NAM", "NA", "unknown", "", "-1.7976931348623157e+308", ""],
    ]


def test_parquet_has_no_nulls_and_the_same_bits(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    assert write_parquet(iter(ROWS), path) == 3
    table = pyarrow.parquet.read_table(path)
    assert [str(field.type) for field in table.schema] == ["string"] * 3 + ["int64", "double"]
    assert not any(field.nullable for field in table.schema)
    assert [ResultRow(**row) for row in table.to_pylist()] == ROWS


def test_parquet_of_no_rows_has_the_columns(tmp_path: Path) -> None:
    assert write_parquet([], tmp_path / "none.parquet") == 0
    assert pyarrow.parquet.read_table(tmp_path / "none.parquet").column_names == list(
        ResultRow._fields
    )


@pytest.mark.slow
def test_every_format_holds_the_numbers_of_the_metrics_view(
    stored: StudyFolder, connection: sqlite3.Connection, tmp_path: Path
) -> None:
    chosen = choose_results(connection, resolve_run(connection, "latest"))
    expected = metrics(stored)
    assert len(expected) == 4 * 2 * (3 * 3 + 2)
    assert [tuple(row) for row in read_rows(connection, chosen)] == expected
    years = read_years(connection, chosen)
    assert years == [2025, 2026, 2027]
    for name, write in (
        ("csv", lambda rows, file: write_csv(rows, file)),
        ("wide", lambda rows, file: write_wide(rows, years, file)),
        ("iamc", lambda rows, file: write_iamc(rows, years, file, model="tiny", units={})),
    ):
        file = io.StringIO(newline="")
        assert write(read_rows(connection, chosen), file) == len(expected), name
        file.seek(0)
        blank = {str(year): [""] for year in years}
        frame = pandas.read_csv(file, keep_default_na=False, na_values=blank, **EXACT)
        assert sorted(melted(frame)) == expected, name
    write_parquet(read_rows(connection, chosen), tmp_path / "r.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "r.parquet").to_pylist()
    assert [tuple(row.values()) for row in table] == expected


def melted(frame: pandas.DataFrame) -> list[tuple[str, str, str, int, float]]:
    """The rows of a frame in long form, as pyam melts a table with year columns."""
    names = {"Region": "country", "Scenario": "scenario", "Variable": "element_label"}
    frame = frame.rename(columns=names).drop(columns=["Model", "Unit"], errors="ignore")
    keys = ["country", "scenario", "element_label"]
    if "value" not in frame:
        frame = frame.melt(keys, var_name="timestamp_year").dropna(subset=["value"])
        frame["timestamp_year"] = frame["timestamp_year"].astype(int)
    return list(frame[[*keys, "timestamp_year", "value"]].itertuples(index=False, name=None))


@pytest.mark.slow
def test_units_are_those_of_the_model_document(
    stored: StudyFolder, connection: sqlite3.Connection
) -> None:
    assert read_units(connection) == {"Population": "people", ODD_LABEL: "€"}


@pytest.mark.slow
def test_an_incremental_run_exports_the_state_and_only_run_what_it_ran(
    study: StudyFolder,
) -> None:
    run_study(make_odd(study))
    study.write_json("scenarios/scale_up.json", scenario(0.5))
    run_study(study, "--countries", "NAM")
    with closing(open_for_reading(study.database)) as connection:
        latest = resolve_run(connection, "latest")
        assert latest.run_id == 2
        chosen = choose_results(connection, latest)
        assert chosen.columns[5:] == ("run_id",)  # for scale_up is of two versions now
        state = [tuple(row[:5]) for row in read_rows(connection, chosen)]
        assert state == metrics(study)
        own = choose_results(connection, latest, part=StatePart(only_run=True))
        assert [tuple(row) for row in read_rows(connection, own)] == metrics(study, "run_id = 2")
        assert {(job.country, job.scenario) for job in own.jobs} == {("NAM", "scale_up")}
        before = choose_results(connection, resolve_run(connection, "previous"))
        old = [tuple(row) for row in read_rows(connection, before)]
    assert len(old) == len(state)
    changed = {row[:2] for row in set(old) - set(state)}
    assert changed == {("NAM", "scale_up")}


@pytest.mark.slow
def test_a_label_with_commas_is_one_name(
    stored: StudyFolder, connection: sqlite3.Connection
) -> None:
    assert choose_labels(connection, [ODD_LABEL]) == [ODD_LABEL]
    assert choose_labels(connection, ["Pop*,NA"]) == [SPARSE_LABEL, "Population"]
    assert choose_labels(connection, [ODD_LABEL, "population"]) == [ODD_LABEL, "Population"]


@pytest.mark.slow
def test_names_choose_what_is_exported(stored: StudyFolder, connection: sqlite3.Connection) -> None:
    chosen = choose_results(
        connection,
        resolve_run(connection, "latest"),
        NameChoice(["N*,KEN"], ["null"], ["NA"]),
    )
    assert [row[:4] for row in read_rows(connection, chosen)] == [
        ("KEN", "null", "NA", 2025),
        ("KEN", "null", "NA", 2027),
        ("NAM", "null", "NA", 2025),
        ("NAM", "null", "NA", 2027),
    ]
    assert read_years(connection, chosen) == [2025, 2027]


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[ResultRow]:
        yield ROWS[0]
        raise ZeroDivisionError

    def write() -> None:
        with OutputFile(tmp_path / "out.csv").whole() as temporary, temporary.open("w") as file:
            write_csv(rows(), file)

    with pytest.raises(ZeroDivisionError):
        write()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_overwritten_by_force_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(ConfigError, match="exists; overwrite it with --force"):
        OutputFile(path).whole().__enter__()
    assert path.read_text() == "old"
    with OutputFile(path, force=True).whole() as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_came_to_be_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"

    def write() -> None:
        with OutputFile(path).whole() as temporary:
            temporary.write_text("mine")
            path.write_text("another's")

    with pytest.raises(ConfigError, match="exists"):
        write()
    assert path.read_text() == "another's"
    assert list(tmp_path.iterdir()) == [path]


def run_without(module: str, code: str) -> str:
    """What a script prints in a Python that has no such module."""
    block = f"import sys; sys.modules[{module!r}] = None\n"
    result = subprocess.run(
        [sys.executable, "-c", block + code],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
    )
    return result.stdout + result.stderr


@pytest.mark.slow
def test_without_pyarrow_parquet_says_how_to_install_it(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from ingest.errors import ConfigError
from ingest.exchange.export import write_parquet
try:
    write_parquet([], Path({str(tmp_path / "x.parquet")!r}))
except ConfigError as error:
    print(error)
"""
    assert run_without("pyarrow", code) == (f"{not_installed('pyarrow', 'frames')}\n")
