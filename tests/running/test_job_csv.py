"""run.save_csv: each job's CSV and the list of jobs, in the layout of before the database."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.errors import ConfigError
from ingest.running.job_csv import JobCsvFiles
from tests.cloud.driving import select
from tests.conftest import Ingest, StudyFolder

pytestmark = pytest.mark.slow

SAVE = ("--set", "run.save_csv=true")


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_each_success_has_a_file_and_a_line(study: StudyFolder, ingest: Ingest) -> None:
    assert ingest("run", *SAVE).exit_code == 0
    head, *lines = read(study.root / "validation_results.csv")
    assert head == ["ulid", "timestamp", "country", "scenario"]
    stored = select(study.database, "SELECT ulid, country, scenario FROM job_results")
    assert sorted((ulid, country, scenario) for ulid, _, country, scenario in lines) == sorted(
        stored
    )
    for ulid, _, country, scenario in lines:
        (first, *rows) = read(study.root / "results" / f"{ulid}.csv")
        assert first == ["element_label", "timestamp_year", "value"]
        metrics = select(
            study.database,
            f"""SELECT element_label, timestamp_year, value FROM metrics
                WHERE country = '{country}' AND scenario = '{scenario}'""",
        )
        assert sorted((label, int(year), float(value)) for label, year, value in rows) == sorted(
            metrics
        )


def test_the_files_agree_with_the_database_to_the_last_bit(
    study: StudyFolder, ingest: Ingest
) -> None:
    assert ingest("run", *SAVE).exit_code == 0
    files = [str(path) for path in sorted((study.root / "results").glob("*.csv"))]
    assert ingest("export", "--check", *files).exit_code == 0
    changed = Path(files[0])
    changed.write_text(changed.read_text().replace("Population,2025,", "Population,2025,1"))
    assert ingest("export", "--check", *files).exit_code == 3


def test_the_list_is_gone_on_with_and_keeps_local_times(study: StudyFolder, ingest: Ingest) -> None:
    old = "ulid,timestamp,country,scenario\n01K2XZEH0E8Z5GVZGT1PH5VGAE,2025-08-18T15:00:05,AFG,t1\n"
    (study.root / "validation_results.csv").write_text(old)
    assert ingest("run", "--countries", "KEN", *SAVE).exit_code == 0
    lines = read(study.root / "validation_results.csv")
    assert lines[1] == ["01K2XZEH0E8Z5GVZGT1PH5VGAE", "2025-08-18T15:00:05", "AFG", "t1"]
    assert len(lines) == 4
    written = datetime.fromisoformat(lines[2][1])
    assert written.tzinfo is None
    assert abs(written.astimezone(UTC) - datetime.now(UTC)) < timedelta(hours=1)


def test_a_list_of_another_layout_is_refused_before_anything_runs(
    study: StudyFolder, ingest: Ingest
) -> None:
    (study.root / "validation_results.csv").write_text("a,b\n1,2\n")
    result = ingest("run", *SAVE)
    assert result.exit_code == 2
    assert "has the columns a,b, not ulid,timestamp,country,scenario: move it away" in result.stderr
    assert (study.root / "validation_results.csv").read_text() == "a,b\n1,2\n"
    assert select(study.database, "SELECT count(*) FROM validation_runs") == [(0,)]


def test_without_the_setting_nothing_is_written(study: StudyFolder, ingest: Ingest) -> None:
    assert ingest("run").exit_code == 0
    assert not (study.root / "validation_results.csv").exists()
    assert not (study.root / "results").exists()


def test_a_list_that_is_a_folder_is_told(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "validation_results.csv")
    with pytest.raises(ConfigError, match=r"validation_results\.csv cannot be read: .*directory"):
        JobCsvFiles(tmp_path)


def test_a_folder_that_cannot_be_written_is_told(study: StudyFolder, ingest: Ingest) -> None:
    (study.root / "results").write_text("a file where the folder should be")
    result = ingest("run", *SAVE)
    assert result.exit_code == 2
    assert "Error: run.save_csv: " in result.stderr
    assert "results" in result.stderr.splitlines()[-1]
