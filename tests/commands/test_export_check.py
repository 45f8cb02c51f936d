from __future__ import annotations

import json

import pytest

from tests.conftest import Ingest, StudyFolder
from tests.odd_study import make_odd, run_study
from tests.recorded import query


@pytest.fixture
def stored(study: StudyFolder, ingest: Ingest) -> StudyFolder:
    """The odd study, run, with its export in all.csv."""
    make_odd(study)
    run_study(study)
    ingest("export", "-o", "all.csv")
    return study


def lines(study: StudyFolder) -> list[str]:
    return (study.root / "all.csv").read_text().splitlines()


def write(study: StudyFolder, name: str, rows: list[str]) -> None:
    (study.root / name).write_text("\n".join(rows) + "\n")


def test_an_export_is_equal_to_the_database(stored: StudyFolder, ingest: Ingest) -> None:
    result = ingest("export", "--check", "all.csv")
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        "1 file and run 1 are equal: 88 numbers\n",
    )


def test_every_kind_of_difference_is_told(stored: StudyFolder, ingest: Ingest) -> None:
    header, *rows = lines(stored)
    rows = [row for row in rows if not row.startswith("KEN,null,Population,2026")]
    rows[0] = rows[0].rpartition(",")[0] + ",0.5"
    write(stored, "changed.csv", [header, *rows, "KEN,null,New,2025,1.0"])
    result = ingest("export", "--check", "changed.csv", "--json")
    assert result.exit_code == 3
    report = json.loads(result.stdout)
    assert report.pop("timestamp")
    differences = report.pop("differences")
    assert report == {
        "run_id": 1,
        "git_commit": "unknown",
        "dirty_files": [],
        "files": 1,
        "equal": 86,
        "not_in_database": 1,
        "not_in_file": 1,
        "other_value": 1,
    }
    value = "SELECT value FROM metrics WHERE country = 'KEN' AND scenario = 'null'"
    label, year = rows[0].rsplit(",", 2)[0].partition("null,")[2].strip('"'), 2025
    stored_value = query(
        stored.database,
        f"{value} AND timestamp_year = ? AND element_label = ?",
        year,
        label.replace('""', '"'),
    )[0][0]
    missing = query(stored.database, f"{value} AND timestamp_year = 2026 AND element_label = ?",
                    "Population")[0][0]  # fmt: skip
    assert [
        (d["kind"], d["element_label"], d["timestamp_year"], d["in_file"], d["in_database"])
        for d in differences
    ] == [
        ("other value", label.replace('""', '"'), 2025, 0.5, stored_value),
        ("not in the database", "New", 2025, 1.0, None),
        ("not in the file", "Population", 2026, None, missing),
    ]
    shown = ingest("export", "--check", "changed.csv")
    assert shown.exit_code == 3
    assert shown.stderr == (
        "1 file against run 1: 86 equal, 1 not in the database, 1 not in the file, 1 other value\n"
    )
    assert len(shown.stdout.splitlines()) == 5
    assert repr(stored_value) in shown.stdout


def test_a_combination_that_the_file_leaves_out_is_told(
    stored: StudyFolder, ingest: Ingest
) -> None:
    write(stored, "some.csv", [row for row in lines(stored) if not row.startswith("UGA")])
    result = ingest("export", "--check", "some.csv")
    assert result.exit_code == 3
    assert result.stderr == (
        "1 file against run 1: 66 equal, 22 not in the file\n"
        "The first 20 are shown; every one: --all\n"
    )
    assert len(result.stdout.splitlines()) == 22
    everything = ingest("export", "--check", "some.csv", "--all")
    assert len(everything.stdout.splitlines()) == 24
    chosen = ("--countries", "KEN,TZA,NAM")
    assert ingest("export", "--check", "some.csv", *chosen).exit_code == 0
    fewer = ingest("export", "--check", "all.csv", "--countries", "KEN", "--labels", "NA")
    assert fewer.stderr == "1 file and run 1 are equal: 4 numbers\n"


def test_an_export_in_several_files_is_one(stored: StudyFolder, ingest: Ingest) -> None:
    header, *rows = lines(stored)
    write(stored, "a.csv", [header, *(row for row in rows if row < "NAM")])
    write(stored, "b.csv", [header, *(row for row in rows if row >= "NAM")])
    result = ingest("export", "--check", "a.csv", "b.csv")
    assert (result.exit_code, result.stderr) == (0, "2 files and run 1 are equal: 88 numbers\n")
    assert ingest("export", "--check", "a.csv").exit_code == 3


def test_the_files_of_save_csv_are_compared_by_their_ulid(
    study: StudyFolder, ingest: Ingest
) -> None:
    run_study(study, "--set", "run.save_csv=true")
    files = sorted(str(path) for path in (study.root / "results").glob("*.csv"))
    assert len(files) == 8
    assert ingest("export", "--check", *files).exit_code == 0
    run_study(study, "--force")  # a file stays that of its own job, whatever is the newest
    assert ingest("export", "--check", *files).exit_code == 0
    unknown = study.root / "01K2XZEH0E8Z5GVZGT00000001.csv"
    unknown.write_text("element_label,timestamp_year,value\nX,2025,1\n")
    result = ingest("export", "--check", str(unknown))
    assert result.exit_code == 3
    assert result.stderr == "1 file against run 2: 0 equal, 1 not in the database\n"


def test_a_file_of_one_combination_needs_its_name(stored: StudyFolder, ingest: Ingest) -> None:
    header, *rows = lines(stored)
    one = [row.removeprefix("KEN,null,") for row in rows if row.startswith("KEN,null,")]
    write(stored, "one.csv", [header.removeprefix("country,scenario,"), *one])
    result = ingest("export", "--check", "one.csv")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: one.csv does not say of which country its numbers are: add --countries ISO3, or a "
        "column country\n",
    )
    names = ("--countries", "KEN", "--scenarios", "null")
    result = ingest("export", "--check", "one.csv", *names)
    assert (result.exit_code, result.stderr) == (0, "1 file and run 1 are equal: 11 numbers\n")


def test_an_earlier_run_is_named_with_run(stored: StudyFolder, ingest: Ingest) -> None:
    stored.write_json("model.json", {**json.loads((stored.root / "model.json").read_text()),
                      "runtime": {"startYear": 2025, "endYear": 2027}})  # fmt: skip
    run_study(stored)
    assert ingest("export", "--check", "all.csv").exit_code == 3
    assert ingest("export", "--check", "all.csv", "--run", "1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--check",), "--check needs files: ingest export --check results/*.csv"),
        (
            ("--check", "all.csv", "-o", "x.csv"),
            "--check writes no file: leave out --format, --output, --force and what chooses a "
            "part of the state",
        ),
        (("--check", "none.csv"), "none.csv cannot be read: No such file or directory"),
        (
            ("--check", "all.csv", "--countries", "KEX"),
            "no country KEX in this study. Did you mean KEN?",
        ),
        (("1", "2"), "one RUN at a time, not 1, 2; files need --check"),
        (("--run", "1"), "--run, --all and --json need --check"),
        (("--json",), "--run, --all and --json need --check"),
    ],
)
def test_an_error_is_one_line(
    stored: StudyFolder, ingest: Ingest, arguments: tuple[str, ...], message: str
) -> None:
    result = ingest("export", *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {message}\n")
