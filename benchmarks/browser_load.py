"""Whether fifty visitors at once are served well while runs are stored, and beside half-open ones.

    python benchmarks/browser_load.py [--database FILE] [--visitors 50] [--seconds 60]

Visitors ask for pages, data and pictures, and read for some seconds in between, as people do; then
the same beside 500 connections that never send a whole request. Prints what the server works for an
answer, medians and memory. Exit code 1 when an aim is missed or an answer is wrong.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from browser_addresses import Asked, pages, questions, read_facts
from browser_storing import WriterProcess
from large_database import NAME, ROWS, make_large_database
from serving import Answer, Client, Served, serving

from ingest.database.files import open_for_reading

HALF_OPEN = 500
READING_S = (1.5, 4.5)  # a person looks at an answer for so long
RUN_EVERY_S = 20.0  # each is stored as fast as it can be
VARIATIONS = 15
PICTURES = 12
# Of ten requests: pages and questions, data, pictures.
MIX = ("html",) * 6 + ("json",) * 2 + ("png",) * 2
AIMS_S = {"html": 0.150, "json": 0.150, "png": 0.300}
AIM_CPU_S = 0.045  # of the server for an answer: fifty visitors keep it busy for 3/4 of the time
MOST_MB = 1500
MOST_GROWTH_MB = 100  # in the second half: what grows without end is seen
ONE_BY_ONE = 60
_MEMORY = re.compile(r"(VmHWM|VmRSS):\s+(\d+) kB")


@dataclass
class Load:
    """Seconds of all answers by kind, what was wrong with some, and the largest memory in MB.

    refused: pictures for which the queue had no place (503). growth_mb: of the second half. cpu_s:
    of the server's process.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    refused: int = 0
    jobs: int = 0
    peak_mb: int = 0
    growth_mb: int = 0
    cpu_s: float = 0.0

    def missed(self) -> list[str]:
        """Which aims were missed."""
        slow = [
            f"{kind}: median {statistics.median(taken) * 1000:.0f} ms"
            for kind, taken in self.seconds.items()
            if statistics.median(taken) > AIMS_S[kind]
        ]
        large = [f"{self.peak_mb} MB of memory"] if self.peak_mb > MOST_MB else []
        if self.growth_mb > MOST_GROWTH_MB:
            large.append(f"{self.growth_mb} MB more memory in the second half")
        worked_s = self.cpu_s / self.answers
        busy = [f"{worked_s * 1000:.0f} ms of work for an answer"] if worked_s > AIM_CPU_S else []
        return [*self.problems[:10], *slow, *busy, *large]

    @property
    def answers(self) -> int:
        """How many there were."""
        return sum(map(len, self.seconds.values()))

    def table(self) -> str:
        """As lines of Markdown."""
        lines = ["| asked | answers | median | p95 | slowest |", "|---|--:|--:|--:|--:|"]
        for kind, taken in sorted(self.seconds.items()):
            ordered = sorted(taken)
            shown = (statistics.median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1])
            cells = " | ".join(f"{one * 1000:,.0f} ms" for one in shown)
            lines.append(f"| {kind} | {len(taken):,} | {cells} |")
        lines.append(
            f"\nThe server worked {self.cpu_s / self.answers * 1000:.0f} ms for an answer."
        )
        lines.append(
            f"{self.jobs:,} jobs stored meanwhile, {len(self.problems)} wrong answers, "
            f"{self.refused} pictures refused, {self.peak_mb:,} MB of memory at most (server and "
            f"drawing process), {self.growth_mb:+,} MB in the second half."
        )
        return "\n".join(lines)


def addresses(database: Path) -> dict[str, list[str]]:
    """What there is to ask, by kind; of pictures only some, so that they are asked for again."""
    with closing(open_for_reading(database)) as connection:
        facts = read_facts(connection, database.stem)
        asked: list[Asked] = [
            *pages(facts, VARIATIONS),
            *questions(connection, facts, ("html", "json", "png"), VARIATIONS),
        ]
    chosen: dict[str, list[str]] = {kind: [] for kind in AIMS_S}
    for one in asked:
        more = () if one.ending == "png" else one.varied
        chosen[one.ending] += [one.repeated, *more]
    return {**chosen, "png": chosen["png"][:PICTURES]}


def visit(
    port: int, paths: dict[str, list[str]], number: int, load: Load, end: threading.Event
) -> None:
    """One visitor, until the end."""
    chance = random.Random(number)
    end.wait(chance.uniform(0, READING_S[1]))
    with closing(Client(port)) as client:
        while not end.is_set():
            kind = chance.choice(MIX)
            answer: Answer = client.get(chance.choice(paths[kind]))
            load.seconds.setdefault(kind, []).append(answer.seconds)
            if answer.status == 503 and kind == "png":
                load.refused += 1
            elif answer.problem:
                load.problems.append(answer.problem)
            end.wait(chance.uniform(*READING_S))


@contextmanager
def half_open(port: int, count: int) -> Iterator[None]:
    """Connections that have sent half a header; those that the server ends are opened anew."""
    end = threading.Event()

    def keep() -> None:
        with ExitStack() as stack:
            while not end.is_set():
                for _ in range(count):
                    one = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                    one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: ")
                end.wait(8)
                stack.pop_all().close()

    thread = threading.Thread(target=keep)
    if count:
        thread.start()
    try:
        yield
    finally:
        end.set()
        if count:
            thread.join()


def measure(
    served: Served, database: Path, paths: dict[str, list[str]], visitors: int, seconds: float
) -> Load:
    """What so many visitors got in so many seconds, while runs were stored."""
    load, end = Load(), threading.Event()
    threads = [
        threading.Thread(target=visit, args=[served.port, paths, number, load, end])
        for number in range(visitors)
    ]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    cpu_s, half_mb = _cpu_s(served.pid), 0
    while (passed := time.monotonic() - begin) < seconds:
        load.jobs += WriterProcess(database, 1).store().jobs
        end.wait(max(0.0, RUN_EVERY_S - (time.monotonic() - begin - passed)))
        if not half_mb and time.monotonic() - begin >= seconds / 2:
            half_mb = _memory_mb(served.pid, "VmRSS")
    load.cpu_s = _cpu_s(served.pid) - cpu_s
    load.growth_mb = _memory_mb(served.pid, "VmRSS") - half_mb if half_mb else 0
    end.set()
    for thread in threads:
        thread.join()
    load.peak_mb = _memory_mb(served.pid, "VmHWM")
    return load


def _cpu_s(pid: int) -> float:
    """Processor time of a process so far, to the nanosecond; its number is in the clock's."""
    return time.clock_gettime((~pid << 3) | 2)


def _with_children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [pid, *(int(child) for task in tasks for child in task.read_text().split())]


def _memory_mb(pid: int, name: str) -> int:
    """Of the server and the process that draws."""
    told = (Path(f"/proc/{each}/status").read_text() for each in _with_children(pid))
    found = (dict(_MEMORY.findall(text)) for text in told)
    return sum(int(values.get(name, 0)) for values in found) // 1024


def work_one_by_one(served: Served, paths: dict[str, list[str]]) -> str:
    """What the server works for an answer of each kind when nobody else asks, as Markdown."""
    chance, lines = random.Random(1), ["| alone | median work | p95 |", "|---|--:|--:|"]
    with closing(Client(served.port)) as client:
        for kind, known in paths.items():
            taken = []
            for path in chance.sample(known, min(ONE_BY_ONE, len(known))):
                before = _cpu_s(served.pid)
                client.get(path)
                taken.append(_cpu_s(served.pid) - before)
            taken.sort()
            shown = (statistics.median(taken), taken[int(len(taken) * 0.95)])
            lines.append(f"| {kind} | " + " | ".join(f"{s * 1000:.0f} ms" for s in shown) + " |")
    return "\n".join(lines)


def run(database: Path, visitors: int, seconds: float) -> list[str]:
    """Both measurements on a copy, printed; which aims were missed."""
    missed: list[str] = []
    with tempfile.TemporaryDirectory(dir=database.parent) as folder:
        copy = Path(shutil.copyfile(database, Path(folder) / database.name))
        paths = addresses(copy)
        with serving(copy) as served:
            with closing(Client(served.port)) as client:
                for path in paths["png"]:
                    client.get(path)
            print(work_one_by_one(served, paths), flush=True)
            for count in (0, HALF_OPEN):
                beside = f", beside {count} half-open connections" if count else ""
                print(f"\n{visitors} visitors for {seconds:g} s{beside}\n", flush=True)
                with half_open(served.port, count):
                    load = measure(served, copy, paths, visitors, seconds)
                print(load.table(), flush=True)
                missed += [f"{problem}{beside}" for problem in load.missed()]
    return missed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", type=Path, help=f"as made by large_database.py: {NAME}")
    parser.add_argument("--rows", type=int, default=ROWS, help="numbers in a new database")
    parser.add_argument("--visitors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        database = given.database or make_large_database(Path(folder), given.rows)
        missed = run(database, given.visitors, given.seconds)
    for problem in missed:
        print(f"missed: {problem}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
