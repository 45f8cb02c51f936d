from __future__ import annotations

import json
import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.cli import main
from ingest.database.schema import migrations
from tests.conftest import Ingest, StudyFolder
from tests.odd_study import run_study
from tests.recorded import make_small, query, ulid

OTHER = 'name = "copd"'
STATE = "SELECT run_id, country, scenario, result_set_id FROM latest_results ORDER BY 2, 3"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the database of a run of `tiny`, and the bundle of one of another study."""
    folder = tmp_path_factory.mktemp("identity")
    run_study(StudyFolder(folder / "tiny"))
    other = StudyFolder(folder / "other")
    other.write_settings(study=OTHER)
    other.write_model((other.root / "model.py").read_text().replace("/ 7", "/ 2"))
    run_study(other)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(other.root)
        assert CliRunner().invoke(main, ["export", "-o", "copd.zip"]).exit_code == 0
    return folder


@pytest.fixture
def ran(built: Path, study: StudyFolder) -> StudyFolder:
    """The tiny study after a run, with the bundle of another study beside it."""
    shutil.copy(built / "tiny" / "validation_results.db", study.database)
    shutil.copy(built / "other" / "copd.zip", study.root)
    return study


def test_a_database_knows_the_study_of_its_first_run(ran: StudyFolder, ingest: Ingest) -> None:
    assert ingest("status").stdout.splitlines()[0] == "Study  tiny"
    assert query(ran.database, "SELECT name, reason FROM study_names") == [("tiny", "first run")]


@pytest.mark.parametrize(
    "command", [("run",), ("run", "--dry-run"), ("plan",), ("backfill", "--dry-run")]
)
def test_another_study_is_refused(
    ran: StudyFolder, ingest: Ingest, command: tuple[str, ...]
) -> None:
    ran.write_settings(study=OTHER)
    before = ran.database.read_bytes()
    result = ingest(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == (
        "Error: validation_results.db holds the results of study 'tiny', and this study is "
        "'copd': name another --database FILE. If they are one study, write name = 'tiny' into "
        "[study] of ingest.toml, or say that it was renamed: ingest rename-study copd --reason TEXT"
    )
    assert ran.database.read_bytes() == before
    assert ingest("run", "--quiet", "--database", "copd.db").exit_code == 0


def test_a_renamed_study_goes_on(ran: StudyFolder, ingest: Ingest) -> None:
    ran.write_settings(study=OTHER)
    result = ingest("rename-study", "copd", "--reason", "one study a disease")
    assert (result.exit_code, result.stdout) == (
        0,
        "The study of validation_results.db is now copd (was: tiny)\n",
    )
    assert query(ran.database, "SELECT name, reason FROM study_names") == [
        ("tiny", "first run"),
        ("copd", "one study a disease"),
    ]
    assert ingest("status").stdout.splitlines()[0] == "Study  copd (was: tiny)"
    assert "Nothing to do" in ingest("run").stdout
    again = ingest("rename-study", "copd", "--reason", "again")
    assert (again.exit_code, again.stderr) == (
        2,
        "Error: the study of validation_results.db is called 'copd' already\n",
    )
    blank = ingest("rename-study", "x", "--reason", " ")
    assert blank.exit_code == 2
    ran.write_settings()
    assert ingest("run").exit_code == 2


def test_a_bundle_of_another_study_is_refused(ran: StudyFolder, ingest: Ingest) -> None:
    state = query(ran.database, STATE)
    result = ingest("import", "copd.zip")
    assert (result.exit_code, result.stdout, result.stderr) == (
        2,
        "",
        "Error: copd.zip is of study 'copd', validation_results.db of 'tiny'; nothing was "
        "changed. Keep its numbers apart with --as-study copd, or import it into another "
        "--database FILE\n",
    )
    assert query(ran.database, STATE) == state
    assert query(ran.database, "SELECT count(*) FROM validation_runs") == [(1,)]


def test_a_study_without_results_refuses_a_bundle_of_another(
    ran: StudyFolder, ingest: Ingest
) -> None:
    ran.database.unlink()
    assert "'copd'" in ingest("import", "copd.zip").stderr
    assert not ran.database.exists()
    assert ingest("import", "copd.zip", "--database", "copd.db").exit_code == 0
    assert query(ran.root / "copd.db", "SELECT name, reason FROM study_names") == [
        ("copd", "first import")
    ]


def test_another_studys_numbers_are_kept_apart(ran: StudyFolder, ingest: Ingest) -> None:
    state, export = query(ran.database, STATE), ingest("export").stdout
    comparison = ingest("compare", "null", "scale_up", "--label", "Population", "--json").stdout
    result = ingest("import", "copd.zip", "--as-study", "copd")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == (
        "8 combinations of copd kept apart in validation_results.db\n"
        'Read them with: ingest query "SELECT * FROM other_metrics LIMIT 5"\n'
    )
    assert query(ran.database, STATE) == state
    assert ingest("export").stdout == export
    after = ingest("compare", "null", "scale_up", "--label", "Population", "--json").stdout
    assert after == comparison
    (own,) = query(
        ran.database,
        "SELECT value FROM latest_metrics WHERE country = 'KEN' AND scenario = 'null' "
        "AND element_label = 'Population' AND timestamp_year = 2025",
    )
    (kept,) = query(
        ran.database,
        "SELECT value FROM other_metrics WHERE study = 'copd' AND country = 'KEN' "
        "AND scenario = 'null' AND element_label = 'Population' AND timestamp_year = 2025",
    )
    assert kept[0] == pytest.approx(own[0] * 7 / 2)
    assert ingest("status").stdout.splitlines()[1] == "Apart  copd · 8 combinations"
    again = ingest("import", "copd.zip", "--as-study", "copd")
    assert again.stderr == (
        "Nothing to do: validation_results.db has the numbers of 8 combinations of copd already\n"
    )
    assert "Nothing to do" in ingest("run").stdout
    own_name = ingest("import", "copd.zip", "--as-study", "tiny")
    assert own_name.exit_code == 2
    assert "is of this study itself" in own_name.stderr


def test_what_is_kept_apart_stays_out_of_bundles_and_label_lists(
    ran: StudyFolder, ingest: Ingest
) -> None:
    (ran.root / "m.csv").write_text("metric,year,value\nOnly elsewhere,1990,1\n")
    options = ("--country", "KEN", "--scenario", "null", "--as-study", "GBD 2021")
    assert ingest("import", "--metrics", "m.csv", *options).exit_code == 0
    assert query(ran.database, "SELECT element_label FROM other_metrics") == [("Only elsewhere",)]
    assert "Only elsewhere" not in [
        label for (label,) in query(ran.database, "SELECT element_label FROM elements")
    ]
    assert query(ran.database, "SELECT min(first_year) FROM result_sets") == [(2025,)]
    ingest("export", "-o", "own.zip")
    ingest("import", "own.zip", "--database", "new.db")
    assert query(ran.root / "new.db", "SELECT * FROM other_series") == []
    with zipfile.ZipFile(ran.root / "own.zip") as bundle:
        counts = json.loads(bundle.read("manifest.json"))["row_counts"]
    assert [table for table in counts if table.startswith("other")] == []


def test_a_database_of_the_original_form_is_kept_apart(ran: StudyFolder, ingest: Ingest) -> None:
    make_small(ran.root / "old.db")
    state = query(ran.database, STATE)
    assert ingest("import", "old.db", "--as-study", "before").exit_code == 0
    assert query(ran.database, STATE) == state
    assert query(ran.database, "SELECT count(*) FROM validation_runs") == [(1,)]
    kept = query(ran.database, "SELECT DISTINCT country, scenario, origin FROM other_series")
    assert kept == [("KEN", "null", "old.db, run 1")]


def test_a_study_at_hand_gives_no_other_database_its_own(ran: StudyFolder, ingest: Ingest) -> None:
    make_small(ran.root / "old.db")
    (ran.root / "m.csv").write_text(
        "country,scenario,element_label,timestamp_year,value\nKEN,x,Y,2025,1\n"
    )
    ran.write_settings(study=OTHER)
    for command in (("old.db",), ("--metrics", "m.csv")):
        result = ingest("import", *command)
        assert (result.exit_code, "of study 'tiny', and this study is 'copd'" in result.stderr) == (
            2,
            True,
        )
    ran.write_json("model.json", [])  # its name says enough
    assert "of study 'tiny', and this study is 'copd'" in ingest("import", "old.db").stderr
    assert query(ran.database, "SELECT count(*) FROM validation_runs") == [(1,)]


def test_a_job_list_has_nothing_to_keep_apart(ran: StudyFolder, ingest: Ingest) -> None:
    (ran.root / "list.csv").write_text(
        f"ulid,timestamp,country,scenario\n{ulid(1)},2026-01-02T03:04:05,KEN,null\n"
    )
    result = ingest("import", "list.csv", "--as-study", "x")
    assert (result.exit_code, result.stderr) == (
        2,
        "Error: list.csv records no numbers, so there is nothing to keep apart\n",
    )


def test_a_bundle_from_before_the_study_was_renamed_is_taken_in(
    ran: StudyFolder, ingest: Ingest
) -> None:
    ingest("export", "-o", "before.zip")
    ingest("rename-study", "tiny-2027", "--reason", "a year")
    ran.write_settings(study='name = "tiny-2027"')
    ran.write_model((ran.root / "model.py").read_text().replace("/ 7", "/ 3"))
    ingest("run", "--quiet")
    ingest("export", "-o", "after.zip")
    assert ingest("import", "before.zip").exit_code == 0
    new = ("--database", "new.db")
    assert ingest("import", "before.zip", *new).exit_code == 0
    assert ingest("import", "after.zip", *new).exit_code == 0


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([("old", None), ("tiny", None), ("copd", "digest")], ["old", "tiny"]),
        ([("tiny", "digest"), ("copd", "digest 2")], ["copd"]),
        ([("", None)], []),
        ([], []),
    ],
)
def test_a_database_from_before_gets_the_names_in_its_own_runs(
    study: StudyFolder, ingest: Ingest, runs: list[tuple[str, str | None]], names: list[str]
) -> None:
    with closing(sqlite3.connect(study.database)) as connection, connection:
        migrations.apply(connection, stop_before="m011_whose_results")
        connection.executemany(
            "INSERT INTO validation_runs (timestamp, git_commit, status, study, source) "
            "VALUES ('2026-01-01', 'c', 'completed', ?, ?)",
            runs,
        )
    study.write_settings(study=f'name = "{names[-1] if names else "tiny"}"')
    assert ingest("run", "--quiet").exit_code == 0
    told = [name for (name,) in query(study.database, "SELECT name FROM study_names")]
    assert told == (names or ["tiny"])


def test_status_as_json_stays_a_list_of_runs(ran: StudyFolder, ingest: Ingest) -> None:
    (run,) = json.loads(ingest("status", "--json").stdout)
    assert run["study"] == "tiny"
