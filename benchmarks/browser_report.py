"""The result of the browser benchmark as a page: the machine, tables, and what missed its aim."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from browser_storing import READERS, WhileStoring

from ingest.database.files import open_for_reading

AIMS_S = {"html": 0.150, "json": 0.050}
"""Medians, in seconds; CSV and pictures have none."""


@dataclass(frozen=True)
class Cold:
    """After a start: until the server says that it serves, and its first answer, the overview.

    was_dropped: the system was asked to forget the file before.
    """

    start_s: float
    first_s: float
    was_dropped: bool


@dataclass(frozen=True)
class Line:
    """What one kind of address took, in seconds: its first answer, the same one again, others."""

    name: str
    ending: str
    first_s: float
    repeated: Sequence[float]
    varied: Sequence[float]
    largest_bytes: int
    problems: Sequence[str]

    @property
    def slowest_s(self) -> float:
        """The larger of the two medians."""
        medians = [statistics.median(times) for times in (self.repeated, self.varied) if times]
        return max(medians)

    @property
    def missed(self) -> bool:
        """Whether it takes longer than its aim."""
        return self.slowest_s > AIMS_S.get(self.ending, float("inf"))


@dataclass(frozen=True)
class Machine:
    """What was measured where: versions, and how large the database is."""

    cores: int
    system: str
    python: str
    sqlite: str
    datasette: str
    rows: int
    size_bytes: int
    counts: dict[str, int]
    load: float
    """Processes that wanted to run in the minute before, on average: other work, where above 1."""


def read_machine(database: Path) -> Machine:
    """The facts of this machine and of a database."""
    with closing(open_for_reading(database)) as connection:
        tables = ("validation_runs", "job_results", "series_changes", "quality_findings")
        return Machine(
            cores=os.cpu_count() or 1,
            system=platform.system(),
            python=platform.python_version(),
            sqlite=sqlite3.sqlite_version,
            datasette=metadata.version("datasette"),
            rows=connection.execute("SELECT sum(row_count) FROM result_sets").fetchone()[0],
            size_bytes=database.stat().st_size,
            counts={
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in tables
            },
            load=os.getloadavg()[0],
        )


def write_report(
    file: Path, machine: Machine, cold: Cold, lines: Sequence[Line], storing: WhileStoring
) -> list[str]:
    """Write the page; gives what was missed or wrong, a line each."""
    missed = _missed(lines, storing)
    parts = [
        "# The browser on a large database",
        "Written by `make bench-browser`; do not edit.",
        _machine_text(machine),
        _cold_text(cold),
        _verdict(missed),
        "## Every page and question",
        _explanation(lines),
        _lines_table(lines),
        "## Reads while a run is stored at full speed",
        _storing_text(storing),
        _storing_table(storing),
    ]
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return missed


def _missed(lines: Sequence[Line], storing: WhileStoring) -> list[str]:
    slow = [
        f"{line.name} {line.ending}: {_ms(line.slowest_s)} ms, aim {_ms(AIMS_S[line.ending])} ms"
        for line in lines
        if line.missed
    ]
    wrong = [problem for line in lines for problem in line.problems]
    wrong += [*storing.quiet.problems, *storing.busy.problems]
    if storing.both.last_log_bytes:
        wrong.append(f"the write-ahead log has {storing.both.last_log_bytes:,} bytes after the run")
    return slow + list(dict.fromkeys(wrong))


def _machine_text(machine: Machine) -> str:
    counts = machine.counts
    return (
        f"{datetime.now(UTC):%d %B %Y}, {machine.cores} cores, {machine.system}, "
        f"Python {machine.python}, SQLite {machine.sqlite}, Datasette {machine.datasette}; "
        f"load before: {machine.load:.1f}.\n"
        f"The database: {machine.rows:,} numbers in {machine.size_bytes / 1e6:,.0f} MB, "
        f"{counts['validation_runs']} runs, {counts['job_results']:,} jobs, "
        f"{counts['series_changes']:,} series moved, {counts['quality_findings']:,} findings."
    )


def _cold_text(cold: Cold) -> str:
    forgotten = ", the file not in the system's memory" if cold.was_dropped else ""
    return (
        f"Cold start{forgotten}: {cold.start_s:.1f} s until the server listens, its first answer "
        f"(the overview) after another {_ms(cold.first_s)} ms."
    )


def _verdict(missed: Sequence[str]) -> str:
    if not missed:
        return (
            "**Every aim was met**: HTML under 150 ms, JSON under 50 ms (medians), no answer wrong."
        )
    return "**Missed:**\n\n" + "\n".join(f"- {text}" for text in missed)


def _explanation(lines: Sequence[Line]) -> str:
    most = max(len(line.repeated) for line in lines)
    return (
        f"Milliseconds from the request to the last byte, one client, a connection that is kept, "
        f"{most} answers each (pictures fewer).\n"
        "*repeated*: the same address; *varied*: other countries, scenarios, labels and runs each "
        "time,\nso that no answer and no drop-down is known already; *first*: the first answer. "
        "Slowest first."
    )


def _lines_table(lines: Sequence[Line]) -> str:
    head = (
        "| asked | form | repeated, median | p95 | varied, median | p95 | first | kB |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    )
    rows = (
        f"| {line.name} | {line.ending} | {_median_and_p95(line.repeated)} "
        f"| {_median_and_p95(line.varied)} | {_ms(line.first_s)} "
        f"| {line.largest_bytes / 1000:,.0f} |"
        for line in sorted(lines, key=lambda line: -line.slowest_s)
    )
    return "\n".join((*head, *rows))


def _storing_text(storing: WhileStoring) -> str:
    alone, both = storing.alone, storing.both
    answers = sum(map(len, storing.busy.seconds.values()))
    return (
        f"A process stores {both.jobs:,} jobs of 546 numbers each into a copy of the database, a "
        f"transaction a job,\nwithout a pause, while {READERS} clients ask in a loop: "
        f"{answers:,} answers, {len(storing.busy.problems)} wrong. Server, writer and "
        f"clients share the cores.\n\n"
        f"- Stored without readers: {alone.rate:,.0f} jobs a second; with them: {both.rate:,.0f} "
        f"({both.rate / alone.rate:.2f} of it).\n"
        f"- The write-ahead log was at most {both.largest_log_bytes / 1e6:.1f} MB and has "
        f"{both.last_log_bytes:,} bytes after the checkpoint at the end, which took "
        f"{both.settle_s:.2f} s\n  ({alone.settle_s:.2f} s without readers)."
    )


def _storing_table(storing: WhileStoring) -> str:
    head = (
        "| asked (varied) | nobody writes: median | p95 | while storing: median | p95 | ratio |",
        "|---|--:|--:|--:|--:|--:|",
    )
    rows = []
    for name, busy in storing.busy.seconds.items():
        quiet = storing.quiet.seconds[name]
        ratio = statistics.median(busy) / statistics.median(quiet)
        rows.append(
            f"| {name} | {_median_and_p95(quiet)} | {_median_and_p95(busy)} | {ratio:.1f} |"
        )
    return "\n".join((*head, *rows))


def _median_and_p95(seconds: Sequence[float]) -> str:
    """Two cells of a table."""
    if not seconds:
        return "– | –"
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return f"{_ms(statistics.median(seconds))} | {_ms(p95)}"


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:,.0f}" if milliseconds >= 10 else f"{milliseconds:.1f}"
