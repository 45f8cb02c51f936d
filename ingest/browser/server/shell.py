"""The frame around every page: whose results they are, where one can go, how values are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.browser import states
from ingest.browser.links import Links
from ingest.browser.memo import remembered
from ingest.browser.own_database import results_databases
from ingest.browser.pages.routes import place_of
from ingest.browser.protocols import Datasette
from ingest.browser.questions.catalogue import questions_of
from ingest.browser.server.connections import reading
from ingest.database.read import read_study_name
from ingest.text.numbers import (
    count_text,
    percent_text,
    quantity_text,
    signed_quantity_text,
    whole_number,
)
from ingest.text.times import age_text, duration_text, moment_text

TEMPLATE_FILTERS: dict[str, Callable[..., Any]] = {
    "quantity": quantity_text,
    "signed": signed_quantity_text,
    "percent": percent_text,
    "count": count_text,
    "whole": whole_number,
    "duration": duration_text,
    "moment": moment_text,
    "age": age_text,
    "state_word": states.state_word,
    "state_mark": states.state_mark,
}
# The menu.
PLACES: dict[str, Callable[[Links], str]] = {
    "Overview": Links.overview,
    "Compare": lambda links: links.question("compare_scenarios"),
    "Countries": Links.countries,
    "Economics": Links.economics,
    "Changes": lambda links: links.question("biggest_changes"),
    "Runs": Links.runs,
    "Data": Links.data,
}


@dataclass(frozen=True)
class Place:
    """One entry of the navigation."""

    title: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Shell:
    """The frame of one page. links: of the database that the page is about.

    databases: all with results, where there are several. problems: those that cannot be read, why.
    """

    study: str
    links: Links
    navigation: tuple[Place, ...] = ()
    databases: tuple[Place, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


async def read_shell(datasette: Datasette, database: str | None = None, path: str = "") -> Shell:
    """The frame for a page on a database (by name; the first with results where None)."""
    base_url = datasette.setting("base_url")
    own = await results_databases(datasette)
    chosen = next((one for one in own if one.name == database), own[0] if own else None)
    if chosen is None:
        other = datasette.get_database(database) if database else None
        return Shell("", Links(other.route if other else "", base_url))
    links = Links(chosen.route, base_url)
    current = _current(path, links)
    request = reading.get()
    navigation = (Place(title, url(links), title == current) for title, url in PLACES.items())
    switch = (Place(one.name, Links(one.route, base_url).overview(), one is chosen) for one in own)
    return Shell(
        study=await remembered(chosen, "study", read_study_name),
        links=links,
        navigation=tuple(navigation),
        databases=tuple(switch) if len(own) > 1 else (),
        problems=tuple(request.problems.items()) if request else (),
    )


def _current(path: str, links: Links) -> str:
    """The place that a page belongs to, by its path; Data takes what is left, and errors."""
    place = place_of("/" + path.removeprefix(links.base_url)) if path else None
    query = questions_of(None).get(path.removeprefix(links.data() + "/").partition(".")[0])
    return place or (query.topic if query else "") or "Data"
