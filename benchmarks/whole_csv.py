"""What the CSV of all numbers costs in the browser's way, next to sqlite3 and csv.writer alone.

Seconds are of the processor, as the browser's limit counts them.

python benchmarks/whole_csv.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import csv
import sqlite3
import tempfile
import threading
from contextlib import closing
from pathlib import Path

from diff import LABELS, YEARS, store_run
from timing import side_by_side

from ingest.browser.files.csv_file import FileLimits, Statement, write_csv
from ingest.database import ValidationDatabase
from ingest.database.files import open_for_reading

SQL = "SELECT * FROM metrics"


def plain(database: Path, target: Path) -> None:
    uri = f"{database.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection, target.open("w") as file:
        writer, cursor = csv.writer(file), connection.execute(SQL)
        writer.writerow(column[0] for column in cursor.description)
        writer.writerows(cursor)


def ours(database: Path, target: Path) -> None:
    with closing(open_for_reading(database)) as connection, target.open("wb+") as file:
        write_csv(connection, Statement(SQL, {}), file, FileLimits(3600, 0), threading.Event())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows // (LABELS * YEARS) * LABELS * YEARS
    with tempfile.TemporaryDirectory() as folder:
        database = ValidationDatabase(Path(folder) / "results.db")
        with database.writing():
            store_run(database, 1.0, rows // (LABELS * YEARS))
            database.settle()
        files = Path(folder) / "plain.csv", Path(folder) / "ours.csv"
        alone, served = side_by_side(
            lambda: plain(database.path, files[0]), lambda: ours(database.path, files[1])
        )
        assert files[0].read_bytes() == files[1].read_bytes()
    print(f"CSV of {rows:,} rows as the browser writes it  {served:.2f} s")
    print(f"sqlite3 and csv.writer alone                   {alone:.2f} s")
    print(f"ratio                                          {served / alone:.2f}   aim: at most 1.3")


if __name__ == "__main__":
    main()
