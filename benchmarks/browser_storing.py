"""Reads while a run is stored at full speed: what the one costs the other.

    python benchmarks/browser_storing.py DATABASE --runs 3

stores runs into a database, each with every combination that is there, and tells jobs and seconds
as JSON; it begins when a line comes in. The benchmark of the browser starts it and asks meanwhile.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving import Client

from ingest.database import ValidationDatabase
from ingest.database.records import JobOutcome, JobRecord, JobStatus, RunRecord, RunStatus
from ingest.metrics import Metric, ResultSet
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.plan import Reason, ReasonKind
from ingest.study.combination import Combination

READERS = 2
_POLL_S = 0.02


# --- the writer ----------------------------------------------------------------------------------


class Writer:
    """Stores run after run, as `ingest run` does, with nothing to wait for between the jobs."""

    def __init__(self, database: ValidationDatabase) -> None:
        self._database = database
        with database.reading() as connection:
            self._combinations = [
                Combination(*row)
                for row in connection.execute(
                    "SELECT DISTINCT country, scenario FROM job_results ORDER BY 1, 2"
                )
            ]
            self._metrics = [
                Metric(*row)
                for row in connection.execute(
                    """SELECT element_label, timestamp_year, value
                         FROM metric_values JOIN elements USING (element_id)
                        WHERE result_set_id = (SELECT max(result_set_id) FROM result_sets)
                        ORDER BY 1, 2"""
                )
            ]
        self._numbers = itertools.count(1)

    def store_run(self) -> dict[str, float]:
        """One run: how many jobs it stored, and in how many seconds."""
        run_id = self._start()
        begin = time.perf_counter()
        for combination in self._combinations:
            self._database.record_job_result(run_id, self._outcome(combination))
        seconds = time.perf_counter() - begin
        self._database.update_run_status(run_id, RunStatus.COMPLETED, "2027-01-01T00:10:00.000Z")
        return {"jobs": len(self._combinations), "seconds": seconds}

    def _start(self) -> int:
        record = RunRecord("2027-01-01T00:00:00.000Z", "c" * 40, "main", (), "asthma", "local", "0")
        inputs = Inputs(InputSet("null", "m", "s", "c", "standard", "q"), "d")
        reason = Reason(ReasonKind.FORCED, "forced")
        jobs = [
            JobRecord(combination, f"{number:026d}", "", inputs, reason)
            for number, combination in enumerate(self._combinations)
        ]
        return self._database.start_validation_run(record, jobs, {})

    def _outcome(self, combination: Combination) -> JobOutcome:
        """A success with numbers that were never there."""
        factor = 1 + next(self._numbers) / 1e6
        metrics = [Metric(label, year, value * factor) for label, year, value in self._metrics]
        return JobOutcome(
            combination,
            JobStatus.SUCCESS,
            "2027-01-01T00:05:00.000Z",
            1,
            result_set=ResultSet(metrics),
        )


def write(path: Path, runs: int) -> None:
    """Wait for a line, then store runs and tell how fast."""
    database = ValidationDatabase(path)
    with database.writing():
        writer = Writer(database)
        print("ready", flush=True)
        sys.stdin.readline()
        stored = [writer.store_run() for _ in range(runs)]
        begin = time.perf_counter()
        database.settle()
        settle_s = time.perf_counter() - begin
    database.close()
    totals = {key: sum(run[key] for run in stored) for key in ("jobs", "seconds")}
    print(json.dumps({**totals, "settle_s": settle_s}), flush=True)


# --- the readers ---------------------------------------------------------------------------------


@dataclass
class Readings:
    """Seconds of every answer by what was asked, and what was wrong with some."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@contextmanager
def readers(port: int, asked: Sequence[tuple[str, Sequence[str]]]) -> Iterator[Readings]:
    """Visitors who ask for (name, paths) one after the other, as long as the block lasts."""
    readings = Readings()
    stop = threading.Event()
    threads = [
        threading.Thread(target=_read, args=[port, asked, number, readings, stop])
        for number in range(READERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield readings
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _read(
    port: int,
    asked: Sequence[tuple[str, Sequence[str]]],
    number: int,
    readings: Readings,
    stop: threading.Event,
) -> None:
    with closing(Client(port)) as client:
        for turn in itertools.count(number):
            for name, paths in asked:
                if stop.is_set():
                    return
                answer = client.get(paths[turn % len(paths)])
                readings.seconds.setdefault(name, []).append(answer.seconds)
                if answer.problem:
                    readings.problems.append(answer.problem)


@dataclass(frozen=True)
class Storing:
    """What a writer stored; log_bytes: the largest size of the write-ahead log, and at the end."""

    jobs: int
    seconds: float
    settle_s: float
    largest_log_bytes: int
    last_log_bytes: int

    @property
    def rate(self) -> float:
        """Jobs a second."""
        return self.jobs / self.seconds


class WriterProcess:
    """The writer as a process of its own, ready to begin."""

    def __init__(self, database: Path, runs: int) -> None:
        command = [sys.executable, __file__, str(database), "--runs", str(runs)]
        self._log = Path(f"{database}-wal")
        self._process = subprocess.Popen(
            command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise SystemExit("the writer did not begin; see above")

    def store(self) -> Storing:
        """Let it store, and wait for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        largest = 0
        while self._process.poll() is None:
            largest = max(largest, self._log_bytes())
            time.sleep(_POLL_S)
        if self._process.returncode:
            raise SystemExit("the writer failed; see above")
        told: Any = json.loads(self._process.stdout.read())
        return Storing(**told, largest_log_bytes=largest, last_log_bytes=self._log_bytes())

    def _log_bytes(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0


@dataclass(frozen=True)
class WhileStoring:
    """The three measurements: readers alone, the writer alone, both."""

    quiet: Readings
    alone: Storing
    both: Storing
    busy: Readings


def measure_while_storing(
    port: int, database: Path, asked: Sequence[tuple[str, Sequence[str]]], runs: int
) -> WhileStoring:
    """What reading and storing cost each other; the database gets larger by 2 x runs."""
    first = WriterProcess(database, runs)
    alone = first.store()
    with readers(port, asked):
        time.sleep(2)  # memory that the server has to read again after so much was written
    with readers(port, asked) as quiet:
        time.sleep(max(alone.seconds, 5))
    second = WriterProcess(database, runs)
    with readers(port, asked) as busy:
        both = second.store()
    return WhileStoring(quiet, alone, both, busy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("database", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    write(arguments.database, arguments.runs)


if __name__ == "__main__":
    main()
