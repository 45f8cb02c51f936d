from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingest.database import ValidationDatabase
from ingest.database.files import DatabaseForm, database_form, open_for_reading
from ingest.database.read import read_result_set
from ingest.database.states import resolve_run
from ingest.database.transfer import run_digest
from ingest.errors import ConfigError, DatabaseError
from ingest.exchange.bundle import BundleError, import_bundle, write_bundle
from ingest.study.json_files import canonical_json, sha256_text
from tests.conftest import PROJECT, StudyFolder, scenario
from tests.odd_study import ODD_MODEL_CODE, make_odd, run_study

pytestmark = pytest.mark.slow

RESULTS = """SELECT r.timestamp, j.country, j.scenario, j.ulid, j.job_status, j.error, j.reason,
                    j.input_digest, j.document_digest, i.model_digest, i.scenario_digest, s.digest
               FROM job_results AS j JOIN validation_runs AS r USING (run_id)
               LEFT JOIN input_sets AS i USING (input_set_id)
               LEFT JOIN result_sets AS s USING (result_set_id) ORDER BY 1, 2, 3"""
METRICS = """SELECT r.timestamp, m.country, m.scenario, m.element_label, m.timestamp_year, m.value
               FROM metrics AS m JOIN validation_runs AS r USING (run_id) ORDER BY 1, 2, 3, 4, 5"""
LATEST = "SELECT * FROM latest_metrics ORDER BY country, scenario, element_label, timestamp_year"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """Three runs: all, one country after a change, and one that fails; these tests only read."""
    study = make_odd(StudyFolder(tmp_path_factory.mktemp("bundle") / "tiny"))
    run_study(study)
    study.write_json("scenarios/scale_up.json", scenario(0.5))
    run_study(study, "--countries", "NAM")
    study.write_model('def simulate(document):\n    raise ValueError("no births, ever")\n')
    run_study(study, "--countries", "KEN", exit_code=1)
    study.write_model(ODD_MODEL_CODE)
    return study


@pytest.fixture(scope="module")
def bundle(stored: StudyFolder) -> Path:
    return make_bundle(stored.database, stored.root / "run.zip")


def make_bundle(database: Path, path: Path, run: str = "latest") -> Path:
    with closing(open_for_reading(database)) as connection:
        write_bundle(connection, resolve_run(connection, run), path)
    return path


@pytest.fixture
def target(tmp_path: Path) -> ValidationDatabase:
    return ValidationDatabase(tmp_path / "target.db")


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def manifest_of(bundle: Path) -> dict[str, Any]:
    with zipfile.ZipFile(bundle) as archive:
        manifest: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return manifest


def test_a_bundle_holds_a_database_and_the_inputs(
    stored: StudyFolder, bundle: Path, tmp_path: Path
) -> None:
    manifest = manifest_of(bundle)
    assert manifest["run"]["run_id"] == 3
    assert manifest["study"] == "tiny"
    assert list(manifest["runs"]) == ["1", "2", "3"]
    assert manifest["row_counts"]["metric_values"] == sum(manifest["result_sets"].values())
    with zipfile.ZipFile(bundle) as archive:
        archive.extract("results.db", tmp_path)
        names = archive.namelist()
        model = next(name for name in names if name.startswith("inputs/model-"))
        assert json.loads(archive.read(model)) == json.loads(
            (stored.root / "model.json").read_text()
        )
        for digest in manifest["scenarios"]["scale_up"]:
            assert f"inputs/scenario-{digest}.json" in names
    assert len(manifest["scenarios"]["scale_up"]) == 2
    with closing(open_for_reading(tmp_path / "results.db")) as connection:
        assert database_form(connection) is DatabaseForm.CURRENT
    for sql in (RESULTS, METRICS, LATEST):
        assert rows(tmp_path / "results.db", sql) == rows(stored.database, sql)


def test_a_bundle_holds_the_runs_of_its_state_alone(stored: StudyFolder, tmp_path: Path) -> None:
    manifest = manifest_of(make_bundle(stored.database, tmp_path / "first.zip", "1"))
    assert list(manifest["runs"]) == ["1"]
    assert manifest["row_counts"]["job_results"] == 8


def test_a_bundle_comes_back_with_equal_digests(
    stored: StudyFolder, bundle: Path, target: ValidationDatabase
) -> None:
    imported = import_bundle(bundle, target)
    assert imported.added == {1: 1, 2: 2, 3: 3}
    assert imported.known == {}
    tables = ("inputs", "countries", "scenarios", "series_changes", "quality_findings")
    everything = [f"SELECT * FROM {table} ORDER BY 1, 2, 3" for table in tables]
    runs = "SELECT run_id, timestamp, git_commit, status, total_jobs, dirty_files, finished_at "
    for sql in (RESULTS, METRICS, LATEST, *everything, f"{runs} FROM validation_runs"):
        assert rows(target.path, sql) == rows(stored.database, sql), sql
    with target.reading() as connection:
        sets = connection.execute("SELECT result_set_id, digest FROM result_sets").fetchall()
        assert {digest for _, digest in sets} == set(manifest_of(bundle)["result_sets"])
        for set_id, digest in sets:
            assert read_result_set(connection, set_id).digest == digest
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    target.close()


def test_importing_twice_doubles_nothing(bundle: Path, target: ValidationDatabase) -> None:
    import_bundle(bundle, target)
    before = [rows(target.path, sql) for sql in (RESULTS, METRICS, LATEST)]
    imported = import_bundle(bundle, target)
    assert imported.added == {}
    assert imported.known == {1: 1, 2: 2, 3: 3}
    assert [rows(target.path, sql) for sql in (RESULTS, METRICS, LATEST)] == before


def test_the_database_that_a_bundle_came_from_has_its_runs(study: StudyFolder) -> None:
    run_study(study)
    bundle = make_bundle(study.database, study.root / "own.zip")
    imported = import_bundle(bundle, ValidationDatabase(study.database))
    assert (imported.added, imported.known) == ({}, {1: 1})


def test_a_later_bundle_brings_what_is_new_alone(
    stored: StudyFolder, bundle: Path, target: ValidationDatabase, tmp_path: Path
) -> None:
    import_bundle(make_bundle(stored.database, tmp_path / "first.zip", "1"), target)
    imported = import_bundle(bundle, target)
    assert imported.known == {1: 1}
    assert imported.added == {2: 2, 3: 3}
    assert imported.new_result_sets == 1
    assert rows(target.path, METRICS) == rows(stored.database, METRICS)


def test_runs_get_new_numbers_in_a_database_with_runs(
    stored: StudyFolder, bundle: Path, study: StudyFolder
) -> None:
    study.write_model(ODD_MODEL_CODE.replace("0.1 + 0.2", "0.3"))
    run_study(study, "--countries", "KEN")
    own = rows(study.database, METRICS)
    imported = import_bundle(bundle, ValidationDatabase(study.database))
    assert imported.added == {1: 2, 2: 3, 3: 4}
    assert imported.shadowing == 3
    assert sorted(rows(study.database, METRICS)) == sorted([*own, *rows(stored.database, METRICS)])
    with (
        closing(open_for_reading(stored.database)) as here,
        closing(open_for_reading(study.database)) as there,
    ):
        for old, new in imported.added.items():
            assert run_digest(here, old) == run_digest(there, new)


def test_an_imported_run_is_recognised_in_a_bundle_of_its_new_place(
    bundle: Path, target: ValidationDatabase, tmp_path: Path
) -> None:
    import_bundle(bundle, target)
    again = make_bundle(target.path, tmp_path / "again.zip")
    assert manifest_of(again)["runs"] == manifest_of(bundle)["runs"]
    imported = import_bundle(again, ValidationDatabase(tmp_path / "third.db"))
    assert len(imported.added) == 3
    imported = import_bundle(bundle, ValidationDatabase(tmp_path / "third.db"))
    assert imported.added == {}


def test_an_imported_run_is_recognised_after_it_was_thinned_out(
    bundle: Path, target: ValidationDatabase
) -> None:
    import_bundle(bundle, target)
    with closing(sqlite3.connect(target.path)) as connection, connection:
        connection.execute("DELETE FROM job_results WHERE run_id = 1 AND country = 'NAM'")
    imported = import_bundle(bundle, target)
    assert imported.added == {}


def test_known_names_stay_and_missing_ones_are_filled(
    bundle: Path, target: ValidationDatabase
) -> None:
    with target.writing():
        target.db.conn.execute("INSERT INTO countries (iso3, name) VALUES ('NAM', 'Namibia')")
        target.db.conn.commit()
    import_bundle(bundle, target)
    found = rows(target.path, "SELECT iso3, name, region FROM countries WHERE iso3 = 'NAM'")
    assert found == [("NAM", "Namibia", "East")]


def test_units_of_labels_travel(study: StudyFolder, target: ValidationDatabase) -> None:
    study.write_settings('[units]\nPopulation = "people"\nUnused = "m"')
    run_study(study)
    import_bundle(make_bundle(study.database, study.root / "run.zip"), target)
    assert rows(target.path, "SELECT element_label, unit FROM labels WHERE unit <> ''") == [
        ("Population", "people")
    ]


def test_tags_travel_and_never_move(study: StudyFolder, target: ValidationDatabase) -> None:
    run_study(study)
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.executemany("INSERT INTO run_tags VALUES (?, 1)", [("v1",), ("paper",)])
    bundle = make_bundle(study.database, study.root / "tagged.zip")
    import_bundle(bundle, target)
    assert rows(target.path, "SELECT * FROM run_tags ORDER BY 1") == [("paper", 1), ("v1", 1)]
    with closing(sqlite3.connect(target.path)) as connection, connection:
        connection.execute(
            """INSERT INTO validation_runs (timestamp, git_commit, status)
               VALUES ('x', 'y', 'failed')"""
        )
        connection.execute("UPDATE run_tags SET run_id = 2 WHERE tag = 'v1'")
    imported = import_bundle(bundle, target)
    assert imported.kept_tags == ("v1",)
    assert rows(target.path, "SELECT * FROM run_tags ORDER BY 1") == [("paper", 1), ("v1", 2)]


def test_a_group_of_countries_that_the_target_has_not_becomes_a_column(
    study: StudyFolder, target: ValidationDatabase
) -> None:
    countries = [{"name": "Namibia", "iso3": "NAM", "who_region": "AFRO"}]
    study.write_json("countries.json", {"countries": countries})
    run_study(study)
    import_bundle(make_bundle(study.database, study.root / "b.zip"), target)
    assert rows(target.path, "SELECT iso3, who_region FROM countries") == [("NAM", "AFRO")]


def test_a_run_with_unfinished_jobs_is_not_bundled(study: StudyFolder, tmp_path: Path) -> None:
    run_study(study)
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute(
            "UPDATE job_results SET job_status = 'submitted', result_set_id = NULL "
            "WHERE country = 'NAM'"
        )
    with pytest.raises(ConfigError) as told:
        make_bundle(study.database, tmp_path / "b.zip")
    assert str(told.value) == (
        "run 1 has 2 unfinished jobs and cannot be bundled yet. Resume it with: ingest run"
    )
    assert not (tmp_path / "b.zip").exists()


# --- bundles that are not as they were written ----------------------------------------------------


def rewritten(bundle: Path, path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The bundle with its members changed, as a zip file that is whole by itself."""
    with zipfile.ZipFile(bundle) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def resealed(members: dict[str, bytes], change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and give it the digest that it then has."""
    manifest = json.loads(members["manifest.json"])
    del manifest["digest"]
    change(manifest)
    manifest["digest"] = sha256_text(canonical_json(manifest))
    members["manifest.json"] = json.dumps(manifest).encode()


def change_database(members: dict[str, bytes], sql: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(members["results.db"])
    with connection:
        connection.execute(sql)
    members["results.db"] = connection.serialize()
    connection.close()
    facts = {
        "sha256": hashlib.sha256(members["results.db"]).hexdigest(),
        "size_bytes": len(members["results.db"]),
    }
    resealed(members, lambda manifest: manifest["members"].update({"results.db": facts}))


def flip(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        content = bytearray(members[name])
        content[len(content) // 2] ^= 1
        members[name] = bytes(content)

    return change


def with_sql(sql: str) -> Callable[[dict[str, bytes]], None]:
    return lambda members: change_database(members, sql)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (flip("results.db"), "results.db does not have its digest"),
        (lambda m: m.pop("results.db"), "its members are not those that manifest.json lists"),
        (lambda m: m.update(extra=b"x"), "its members are not those that manifest.json lists"),
        (
            lambda m: m.update({"manifest.json": m["manifest.json"].replace(b"tiny", b"tidy")}),
            "manifest.json does not have its digest",
        ),
        (lambda m: m.update({"manifest.json": b"{"}), "manifest.json is no JSON"),
        (
            lambda m: resealed(m, lambda manifest: manifest["row_counts"].update(job_results=7)),
            "its row counts are not those that manifest.json lists",
        ),
        (
            lambda m: resealed(m, lambda manifest: manifest["result_sets"].popitem()),
            "its result sets are not those that manifest.json lists",
        ),
        (
            with_sql("UPDATE job_results SET error = 'other', ulid = 'X' WHERE country = 'NAM'"),
            "its runs are not those that manifest.json lists",
        ),
        (
            with_sql("DELETE FROM validation_runs WHERE run_id = 1"),
            "the database in it refers to rows that it does not have",
        ),
    ],
)
def test_a_tampered_bundle_is_refused_and_nothing_changed(
    bundle: Path,
    target: ValidationDatabase,
    tmp_path: Path,
    change: Callable[[dict[str, bytes]], None],
    why: str,
) -> None:
    path = rewritten(bundle, tmp_path / "tampered.zip", change)
    with pytest.raises(BundleError) as told:
        import_bundle(path, target)
    assert str(told.value) == f"{path} is not as it was written: {why}; nothing was changed"
    assert not target.path.exists()


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("UPDATE metric_values SET value = value + 1e-9", "the numbers of result set"),
        ("UPDATE elements SET element_label = element_label || '!'", "the numbers of result set"),
        ("UPDATE inputs SET content = content || ' '", "the content of input"),
    ],
)
def test_numbers_and_inputs_must_have_their_digests(
    bundle: Path, target: ValidationDatabase, tmp_path: Path, sql: str, why: str
) -> None:
    path = rewritten(bundle, tmp_path / "b.zip", with_sql(sql))
    with pytest.raises(BundleError, match=why):
        import_bundle(path, target)
    assert not target.path.exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_bundle_is_refused(
    bundle: Path, target: ValidationDatabase, tmp_path: Path, share: float
) -> None:
    content = bundle.read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BundleError, match="is not as it was written"):
        import_bundle(path, target)
    assert not target.path.exists()


def flipped_bytes(bundle: Path) -> Iterator[int]:
    size = bundle.stat().st_size
    yield from range(50, size, max(1, size // 25))


def test_no_flipped_byte_changes_what_is_imported(
    stored: StudyFolder, bundle: Path, tmp_path: Path
) -> None:
    """Each is refused, or hit a place that means nothing (a time stamp in the zip's directory)."""
    content = bundle.read_bytes()
    expected = rows(stored.database, RESULTS), rows(stored.database, METRICS)
    for number, place in enumerate(flipped_bytes(bundle)):
        changed = bytearray(content)
        changed[place] ^= 0x55
        path = tmp_path / f"{number}.zip"
        path.write_bytes(changed)
        database = ValidationDatabase(tmp_path / f"{number}.db")
        try:
            import_bundle(path, database)
        except BundleError:
            assert not database.path.exists()
        else:
            assert (rows(database.path, RESULTS), rows(database.path, METRICS)) == expected


def test_a_bundle_of_a_later_version_is_refused(
    bundle: Path, target: ValidationDatabase, tmp_path: Path
) -> None:
    later = rewritten(
        bundle,
        tmp_path / "later.zip",
        lambda m: resealed(m, lambda manifest: manifest.update(format_version=2)),
    )
    with pytest.raises(BundleError) as told:
        import_bundle(later, target)
    assert str(told.value) == (
        f"{later} has version 2 of the bundle format, this ingest reads version 1. "
        f"Update with: git -C {PROJECT} pull"
    )
    newer = rewritten(
        bundle,
        tmp_path / "newer.zip",
        with_sql(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('ingest', 'm999_later', '')"
        ),
    )
    with pytest.raises(BundleError, match="was written by a later version of ingest"):
        import_bundle(newer, target)
    assert not target.path.exists()


def test_a_failure_while_importing_leaves_the_target_as_it_was(
    bundle: Path, study: StudyFolder
) -> None:
    run_study(study)
    before = [rows(study.database, sql) for sql in (RESULTS, METRICS)]
    with closing(sqlite3.connect(study.database)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON job_results WHEN new.country = 'UGA' "
            "BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
        )
    with pytest.raises(DatabaseError, match="the disk is full"):
        import_bundle(bundle, ValidationDatabase(study.database))
    assert [rows(study.database, sql) for sql in (RESULTS, METRICS)] == before
    assert rows(study.database, "SELECT count(*) FROM validation_runs") == [(1,)]
