"""Whether the browser stays fast at 28 million numbers, and while a run is stored.

    python benchmarks/browser.py [--database FILE] [--rounds 15] [--output FILE]

Starts `ingest serve` on a large database, makes one where none is named, and asks every page and
every question over HTTP: the same address again and again, and addresses that all differ, so that
nothing can be answered from memory. Then it asks while another process stores runs into a copy.
Writes benchmarks/browser.md. Exit code 1 when an aim is missed or an answer is wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from browser_addresses import Asked, Facts, linked_paths, pages, questions, read_facts, tables
from browser_report import Cold, Line, Machine, read_machine, write_report
from browser_storing import WhileStoring, measure_while_storing
from large_database import NAME, ROWS, make_large_database
from serving import Answer, Client, drop_from_cache, serving

from ingest.database.files import open_for_reading

RESULT = Path(__file__).resolve().with_suffix(".md")
ROUNDS = 15
ENDINGS = ("html", "json", "csv", "png")
# A picture takes as long as many pages, and has no aim.
PICTURE_ROUNDS = 3

# What readers ask while a run is stored: of each kind of page one, and of questions some.
WHILE_STORING = (
    ("overview", "html"),
    ("country", "html"),
    ("run", "html"),
    ("job", "html"),
    ("progress", "json"),
    ("compare_scenarios", "html"),
    ("compare_scenarios", "json"),
    ("scenario_impact", "html"),
    ("history_of_a_number", "json"),
    ("run_history", "json"),
)


@dataclass
class Measurement:
    """Everything that was measured with nobody writing."""

    cold: Cold
    lines: list[Line] = field(default_factory=list)


def measure(database: Path, rounds: int, endings: Sequence[str]) -> Measurement:
    """Every address on a server of its own that nobody else asks."""
    was_dropped = drop_from_cache(database)
    with serving(database) as served, closing(Client(served.port)) as client:
        first = client.get("/")
        measured = Measurement(Cold(served.start_s, first.seconds, was_dropped))
        with closing(open_for_reading(database)) as connection:
            facts = read_facts(connection, database.stem)
            wanted = [ending for ending in endings if _is_there(client, facts, ending)]
            for asked in _asked(connection, facts, client, rounds, wanted):
                line = _measure_line(client, asked, rounds)
                say(f"{line.slowest_s * 1000:7.1f} ms  {line.name} {line.ending}")
                measured.lines.append(line)
    return measured


def _asked(
    connection: sqlite3.Connection,
    facts: Facts,
    client: Client,
    rounds: int,
    endings: Sequence[str],
) -> Iterator[Asked]:
    """Everything there is to ask; the links to tables are those of the pages asked before."""
    own = list(pages(facts, rounds))
    yield from own
    asked = list(questions(connection, facts, endings, rounds))
    yield from asked
    carrying = [path for line in own for path in (line.repeated, *line.varied)]
    carrying += [line.repeated for line in asked if line.ending == "html"]
    data = facts.links.data()
    carrying += [data, *(path for path in linked_paths(client.get(data).text) if data in path)]
    carrying.append(facts.links.metrics(run_id=facts.newest, country=facts.countries[0]))
    html_pages = [client.get(path) for path in carrying if ".json" not in path]
    linked = [path for page in html_pages if page.status == 200 for path in linked_paths(page.text)]
    yield from tables(facts, linked, rounds)


def _is_there(client: Client, facts: Facts, ending: str) -> bool:
    """Whether questions are answered in a form; some need further packages."""
    suffix = "" if ending == "html" else f".{ending}"
    answer = client.get(facts.links.question("compare_scenarios") + suffix)
    return answer.status == 200 and ending in answer.content_type


def _measure_line(client: Client, asked: Asked, rounds: int) -> Line:
    """The first answer, which may be slow, then the others."""
    first = client.get(asked.repeated)
    if asked.ending == "png":
        rounds = min(rounds, PICTURE_ROUNDS)
    repeated = [client.get(asked.repeated) for _ in range(rounds)]
    varied = [client.get(path) for path in asked.varied[:rounds]]
    problems = [answer.problem for answer in (first, *repeated, *varied) if answer.problem]
    return Line(
        asked.name,
        asked.ending,
        first.seconds,
        _seconds(repeated),
        _seconds(varied),
        max(len(answer.body) for answer in (*repeated, *varied)),
        problems,
    )


def _seconds(answers: Sequence[Answer]) -> list[float]:
    return [answer.seconds for answer in answers]


def measure_storing(database: Path, rounds: int, runs: int) -> WhileStoring:
    """Reads while a run is stored, on a copy of the database."""
    with tempfile.TemporaryDirectory(dir=database.parent) as folder:
        copy = Path(folder) / database.name
        shutil.copyfile(database, copy)
        with closing(open_for_reading(copy)) as connection:
            facts = read_facts(connection, copy.stem)
            known = {(a.name, a.ending): a for a in pages(facts, rounds)}
            more = questions(connection, facts, ("html", "json"), rounds)
            known |= {(a.name, a.ending): a for a in more}
        asked = [
            (f"{name} {ending}", known[name, ending].varied or [known[name, ending].repeated])
            for name, ending in WHILE_STORING
        ]
        with serving(copy) as served:
            return measure_while_storing(served.port, copy, asked, runs)


@contextmanager
def some_database(named: Path | None, rows: int) -> Iterator[Path]:
    """The database that was named, or a new one for as long as the block lasts."""
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory() as folder:
        yield make_large_database(Path(folder), rows)


def say(text: str) -> None:
    """Tell on stderr what is being done."""
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", type=Path, help=f"as made by large_database.py: {NAME}")
    parser.add_argument("--rows", type=int, default=ROWS, help="numbers in a new database")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="answers of each address")
    parser.add_argument("--runs", type=int, default=3, help="runs stored while readers ask")
    parser.add_argument(
        "--endings", default=",".join(ENDINGS), help="in which forms questions are asked"
    )
    parser.add_argument("--output", type=Path, default=RESULT, help="where the result goes")
    arguments = parser.parse_args()
    with some_database(arguments.database, arguments.rows) as database:
        machine: Machine = read_machine(database)
        measured = measure(database, arguments.rounds, arguments.endings.split(","))
        say("reads while a run is stored")
        storing = measure_storing(database, arguments.rounds, arguments.runs)
    problems = write_report(arguments.output, machine, measured.cold, measured.lines, storing)
    for problem in problems:
        say(f"missed: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
