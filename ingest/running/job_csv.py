"""Each job's numbers as CSV, and the list of jobs, in the layout from before the database."""

from __future__ import annotations

import csv
import os
from datetime import datetime
from pathlib import Path

from ingest.errors import ConfigError
from ingest.metrics import Metric, ResultSet
from ingest.study.combination import Combination

LIST_FILE = "validation_results.csv"
RESULTS_FOLDER = "results"
LIST_COLUMNS = ("ulid", "timestamp", "country", "scenario")


class JobCsvFiles:
    """results/<ULID>.csv for each job and a line in validation_results.csv, below one folder."""

    def __init__(self, folder: Path) -> None:
        """Reads which jobs the list has. Raises ConfigError: it is no such list."""
        self._folder = folder
        self._list = folder / LIST_FILE
        try:
            self._listed = self._read_list()
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"{self._list} cannot be read: {exc}") from exc

    def _read_list(self) -> set[str]:
        if not self._list.exists() or self._list.stat().st_size == 0:
            return set()
        with self._list.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            head = next(rows, [])
            if tuple(head) != LIST_COLUMNS:
                raise ConfigError(
                    f"{self._list} has the columns {','.join(head)}, not {','.join(LIST_COLUMNS)}: "
                    "move it away, or set run.save_csv = false"
                )
            return {row[0] for row in rows if row}

    def write(
        self, combination: Combination, ulid: str, timestamp: str, result_set: ResultSet
    ) -> None:
        """Write a job's file whole, then its line; timestamp is ISO 8601 in UTC.

        The list keeps local times without a zone, as it always did. Writing twice adds nothing.
        Raises ConfigError: the files cannot be written.
        """
        try:
            self._write(combination, ulid, timestamp, result_set)
        except OSError as exc:
            raise ConfigError(
                f"run.save_csv: {exc.filename or self._folder}: {exc.strerror}"
            ) from exc

    def _write(
        self, combination: Combination, ulid: str, timestamp: str, result_set: ResultSet
    ) -> None:
        self._write_results(ulid, result_set)
        if ulid in self._listed:
            return
        local = datetime.fromisoformat(timestamp).astimezone().replace(tzinfo=None)
        is_new = not self._list.exists() or self._list.stat().st_size == 0
        with self._list.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if is_new:
                writer.writerow(LIST_COLUMNS)
            writer.writerow((ulid, local.isoformat(), *combination))
        self._listed.add(ulid)

    def _write_results(self, ulid: str, result_set: ResultSet) -> None:
        path = self._folder / RESULTS_FOLDER / f"{ulid}.csv"
        path.parent.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".part")
        with unfinished.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Metric._fields)
            writer.writerows(result_set)
        os.replace(unfinished, path)
