"""The frame around every page: whose results they are, where one can go, how values are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.browser import formatting
from ingest.browser.links import Links
from ingest.browser.own_database import has_results
from ingest.browser.questions.catalogue import questions
from ingest.database.read import read_study_name
from ingest.text.numbers import count_text, percent_text, quantity_text, signed_quantity_text
from ingest.text.times import age_text, duration_text, moment_text

TEMPLATE_FILTERS: dict[str, Callable[..., Any]] = {
    "quantity": quantity_text,
    "signed": signed_quantity_text,
    "percent": percent_text,
    "count": count_text,
    "whole": formatting.whole_number,
    "duration": duration_text,
    "moment": moment_text,
    "age": age_text,
    "state_word": formatting.state_word,
    "state_mark": formatting.state_mark,
}
_OWN_PAGES = {
    "/-/overview": "Overview",
    "/-/countr": "Countries",
    "/-/run": "Runs",
    "/-/job": "Runs",
}


@dataclass(frozen=True)
class Place:
    """One entry of the navigation."""

    title: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Shell:
    """The frame of one page. links: of the database that the page is about."""

    study: str
    links: Links
    navigation: tuple[Place, ...]
    databases: tuple[Place, ...]
    """All databases with results, where there are several."""


async def read_shell(datasette: Any, database: str | None = None, path: str = "") -> Shell:
    """The frame for a page on a database (by name; the first with results where None)."""
    names = await results_databases(datasette)
    name = database if database in names else next(iter(names), database)
    base_url = datasette.setting("base_url")
    if name is None:
        return Shell("", Links("", base_url), (), ())
    chosen = datasette.get_database(name)
    links = Links(chosen.route, base_url)
    study = await chosen.execute_fn(read_study_name) if name in names else ""
    others = [datasette.get_database(other) for other in names]
    switch = [
        Place(other.name, Links(other.route, base_url).overview(), other.name == name)
        for other in others
    ]
    navigation = _navigation(links, path) if name in names else ()
    return Shell(study, links, navigation, tuple(switch) if len(switch) > 1 else ())


async def results_databases(datasette: Any) -> list[str]:
    """The names of the databases that hold results, in the order of the command line."""
    names = [name for name in datasette.databases if not name.startswith("_")]
    return [name for name in names if await datasette.get_database(name).execute_fn(has_results)]


def _navigation(links: Links, path: str) -> tuple[Place, ...]:
    places = {
        "Overview": links.overview(),
        "Compare": links.question("compare_scenarios"),
        "Countries": links.countries(),
        "Changes": links.question("biggest_changes"),
        "Runs": links.runs(),
        "Data": links.data(),
    }
    current = "Overview" if path == links.home() else _current(path.removeprefix(links.data()))
    return tuple(Place(title, url, title == current) for title, url in places.items())


def _current(below: str) -> str:
    """The place that a page belongs to, by its path below the database; Data takes what is left."""
    for beginning, title in _OWN_PAGES.items():
        if below.startswith(beginning):
            return title
    query = questions().get(below.lstrip("/").partition(".")[0])
    return (query.topic if query else "") or "Data"
