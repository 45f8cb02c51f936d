"""What the browser benchmark asks: every page, every question, the tables and the links on them."""

from __future__ import annotations

import html
import random
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit

from ingest.browser.links import Links
from ingest.browser.questions.catalogue import questions_of
from ingest.questions.catalogue import parameter_options
from ingest.questions.files import CannedQuery, QueryParameter

SEED = 7
_HREF = re.compile(r'<a [^>]*href="([^"#]+)')
_MANY = 4
_LARGE = ("metrics", "latest_metrics", "job_results", "metric_values")


@dataclass(frozen=True)
class Asked:
    """One line of the result: a name, the path asked again and again, and paths that all differ.

    ending: html, json, csv or png. varied is empty where a page has nothing to choose.
    """

    name: str
    ending: str
    repeated: str
    varied: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What there is to choose from in a database. newest: the newest run; jobs: some, shuffled."""

    links: Links
    countries: list[str]
    scenarios: list[str]
    labels: list[str]
    regions: list[str]
    runs: list[int]
    jobs: list[tuple[int, str, str]]

    @property
    def newest(self) -> int:
        """The newest run."""
        return self.runs[-1]


def read_facts(connection: sqlite3.Connection, name: str) -> Facts:
    """What there is to choose from. name: of the database in addresses."""

    def column(sql: str) -> list[str]:
        return [value for (value,) in connection.execute(sql)]

    jobs = connection.execute("SELECT run_id, country, scenario FROM job_results").fetchall()
    random.Random(SEED).shuffle(jobs)
    return Facts(
        links=Links(name),
        countries=column("SELECT DISTINCT country FROM job_results ORDER BY 1"),
        scenarios=column("SELECT DISTINCT scenario FROM job_results ORDER BY 1"),
        labels=column("SELECT element_label FROM elements ORDER BY 1"),
        regions=column("SELECT DISTINCT region FROM countries WHERE region <> '' ORDER BY 1"),
        runs=[int(run) for run in column("SELECT run_id FROM validation_runs ORDER BY 1")],
        jobs=jobs[:1000],
    )


# --- pages ---------------------------------------------------------------------------------------


def pages(facts: Facts, count: int) -> Iterator[Asked]:
    """Every page of ingest's own, with so many variations where there is something to choose."""
    links, newest, chance = facts.links, facts.newest, random.Random(SEED)
    country, run = facts.countries[0], facts.runs[-1]

    def some_country() -> str:
        return links.country(
            chance.choice(facts.countries), chance.choice(facts.labels), chance.choice(facts.runs)
        )

    def some_changes() -> str:
        label = chance.choice([None, *facts.labels])
        return links.changes(chance.choice(facts.runs[1:] or [run]), label)

    yield Asked("overview", "html", links.home())
    regions = tuple(links.countries(region) for region in facts.regions)
    yield Asked("countries", "html", links.countries(), regions)
    varied = different(some_country, count)
    yield Asked("country", "html", links.country(country), varied)
    earlier = different(lambda: links.runs(chance.choice(facts.runs)), count)
    yield Asked("runs", "html", links.runs(), earlier)
    others = different(lambda: links.run(chance.choice(facts.runs)), count)
    yield Asked("run", "html", links.run(newest), others)
    changes = different(some_changes, count)
    yield Asked("changes of a run", "html", links.changes(newest), changes)
    jobs = tuple(links.job(*job) for job in facts.jobs[: count + 1])
    yield Asked("job", "html", jobs[0], jobs[1:])
    for ending in ("html", "json"):
        suffix = "" if ending == "html" else f".{ending}"
        some = different(partial(_some_economics, facts, chance, suffix), count)
        yield Asked("economics", ending, links.economics(None, suffix), some)
    yield Asked("api", "html", links.api())
    progress = different(lambda: links.progress(chance.choice(facts.runs)), count)
    yield Asked("progress", "json", links.progress(), progress)


def _some_economics(facts: Facts, chance: random.Random, suffix: str) -> str:
    """The evaluation of a country, a region or all, of some scenario, discounted or not."""
    place = chance.choice(
        [
            None,
            f"region:{chance.choice(facts.regions)}",
            f"country:{chance.choice(facts.countries)}",
        ]
    )
    scenario, discounted = chance.choice(facts.scenarios), chance.choice(["", "no"])
    return facts.links.economics(place, suffix, scenario=scenario, discounted=discounted)


# --- questions -----------------------------------------------------------------------------------


def questions(
    connection: sqlite3.Connection, facts: Facts, endings: Iterable[str], count: int
) -> Iterator[Asked]:
    """Every question with its defaults, and with other values of all its parameters."""
    for name, query in questions_of(None).items():
        varied = _varied_values(connection, facts, query, count)
        for ending in endings:
            suffix = "" if ending == "html" else f".{ending}"
            path = facts.links.question(name) + suffix
            yield Asked(name, ending, path, tuple(f"{path}?{values}" for values in varied))


def _varied_values(
    connection: sqlite3.Connection, facts: Facts, query: CannedQuery, count: int
) -> tuple[str, ...]:
    chance = random.Random(f"{SEED} {query.name}")

    def some() -> str:
        values: dict[str, str] = {}
        for parameter in query.parameters:
            value = _some_value(connection, facts, query, parameter, values, chance)
            if value is not None:
                values[parameter.name] = value
        return urlencode(values)

    return different(some, count)


def _some_value(
    connection: sqlite3.Connection,
    facts: Facts,
    query: CannedQuery,
    parameter: QueryParameter,
    values: dict[str, str],
    chance: random.Random,
) -> str | None:
    """A value that the page itself would offer; None keeps the default."""
    name = parameter.name
    if name == "before":  # an earlier state than that of the run
        return str(chance.choice([run for run in facts.runs if run < int(values["run"])] or [1]))
    if name == "discount_rate":
        return str(chance.choice([0, 1, 3, 5]))
    if parameter.options is None or (parameter.many and parameter.default == ""):
        return None  # all countries, as the page has it at first
    offered = [str(value) for value, _ in parameter_options(connection, query, parameter, values)]
    if name == "scenario" and len(offered) > 1:  # not the one that it is held against
        offered = [value for value in offered if value != values.get("baseline")]
    if parameter.many:
        return ",".join(sorted(chance.sample(offered, min(_MANY, len(offered)))))
    return chance.choice(offered) if offered else None


# --- Datasette's own pages -----------------------------------------------------------------------


def tables(facts: Facts, linked: Iterable[str], count: int) -> Iterator[Asked]:
    """The page of the database, its large tables as they are, and every kind of link to a table.

    linked: paths that pages carry. Links with the same table and arguments are one line.
    """
    links = facts.links
    yield Asked("data", "html", links.data())
    plain = {(f"data: {table}", ending) for table in _LARGE for ending in ("html", "json")}
    for table in _LARGE:
        yield Asked(f"data: {table}", "html", links.table(table))
        yield Asked(f"data: {table}", "json", links.table(table) + ".json")
    groups: dict[tuple[str, str], dict[str, None]] = {}
    for path in dict.fromkeys(linked):
        if kind := _kind(links, path):
            groups.setdefault(kind, {})[path] = None
    for (name, ending), paths in sorted(groups.items()):
        if (name, ending) in plain:
            continue
        first, *others = paths
        yield Asked(name, ending, first, tuple(others[:count]))


def linked_paths(page: str) -> list[str]:
    """The addresses within the site that a page links to, each once."""
    found = (html.unescape(path) for path in _HREF.findall(page))
    return list(dict.fromkeys(path for path in found if path.startswith("/")))


def _kind(links: Links, path: str) -> tuple[str, str] | None:
    """Name and ending of a link to Datasette's own pages; None for ingest's and for no data."""
    address = urlsplit(path)
    beginning = f"{links.data()}/"
    below = address.path.removeprefix(beginning)
    if not address.path.startswith(beginning) or below.startswith("-/"):
        return None
    table, *rest = below.split("/")
    stem, _, ending = (rest[-1] if rest else table).partition(".")
    if stem in questions_of(None) or ending not in ("", "json"):
        return None
    if rest:
        return f"data: a row of {table}", ending or "html"
    arguments = sorted({argument for argument, _ in parse_qsl(address.query)})
    name = f"data: {stem}" + (f" with {', '.join(arguments)}" if arguments else "")
    return name, ending or "html"


def different(make: Callable[[], str], count: int) -> tuple[str, ...]:
    """So many different texts; fewer where there are no more to be found."""
    found: dict[str, None] = {}
    for _ in range(count * 20):
        found[make()] = None
        if len(found) == count:
            break
    return tuple(found)
