"""The pages of ingest's own, in one table: address, template, entry of the menu, reader.

A new page is a reader in this folder, a template, and a line of PAGES.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ingest.browser.links import Links, decode
from ingest.browser.own_database import results_databases
from ingest.browser.pages.api import read_api_questions
from ingest.browser.pages.changes import read_changes_page
from ingest.browser.pages.country import read_country_page
from ingest.browser.pages.job import read_job_page
from ingest.browser.pages.matrix import read_countries_page
from ingest.browser.pages.overview import read_overview
from ingest.browser.pages.run import read_run_page
from ingest.browser.pages.runs import newest_run_id, read_progress, read_runs_page
from ingest.browser.protocols import Database, Datasette, Request
from ingest.errors import IngestError

T = TypeVar("T")
Parts = Mapping[str, str]
View = Callable[[Any, Any], Awaitable[Any]]


@dataclass(frozen=True)
class Page:
    """A page. read gives the template's `page`, None where there is no such thing (404).

    pattern: of the address, without base_url. place: the entry of the menu that it belongs to.
    read takes a connection, the parts of the path, and the arguments after the question mark.
    """

    pattern: str
    template: str
    place: str
    read: Callable[[sqlite3.Connection, Parts, Parts], object]


# Datasette keeps "-" for itself, so no table can be called that.
_OWN = r"/(?P<database>[^/.]+)/-/"
_ISO3 = r"(?P<iso3>[^/]+)"
_RUN = r"(?P<run>\d{1,15})"

PAGES = {
    "home": Page(r"/$", "overview.html", "Overview", lambda db, path, given: read_overview(db)),
    "overview": Page(
        rf"{_OWN}overview$", "overview.html", "Overview", lambda db, path, given: read_overview(db)
    ),
    "countries": Page(
        rf"{_OWN}countries$",
        "countries.html",
        "Countries",
        lambda db, path, given: read_countries_page(db, given.get("region") or ""),
    ),
    "country": Page(
        rf"{_OWN}country/{_ISO3}$",
        "country.html",
        "Countries",
        lambda db, path, given: read_country_page(
            db, path["iso3"], given.get("label"), given.get("run")
        ),
    ),
    "runs": Page(
        rf"{_OWN}runs$",
        "runs.html",
        "Runs",
        lambda db, path, given: read_runs_page(db, _number(given.get("before"))),
    ),
    "run": Page(
        rf"{_OWN}run/{_RUN}$",
        "run.html",
        "Runs",
        lambda db, path, given: read_run_page(db, int(path["run"])),
    ),
    "changes": Page(
        rf"{_OWN}run/{_RUN}/changes$",
        "changes.html",
        "Runs",
        lambda db, path, given: read_changes_page(
            db, int(path["run"]), given.get("label") or None, given.get("country") or None
        ),
    ),
    "job": Page(
        rf"{_OWN}job/{_RUN}/{_ISO3}/(?P<scenario>[^/]+)$",
        "job.html",
        "Runs",
        lambda db, path, given: read_job_page(db, int(path["run"]), path["iso3"], path["scenario"]),
    ),
    "api": Page(rf"{_OWN}api$", "api.html", "Data", lambda db, path, given: read_api_questions(db)),
}
PROGRESS = rf"{_OWN}progress\.json$"


def place_of(path: str) -> str | None:
    """The entry of the menu that a path (without base_url) belongs to; None for other pages."""
    return next((page.place for page in PAGES.values() if re.match(page.pattern, path)), None)


def page_routes() -> list[tuple[str, View]]:
    """Addresses and views, as Datasette registers them."""
    pages = [(page.pattern, _page_view(page)) for page in PAGES.values()]
    return [*pages, (PROGRESS, answer_progress)]


def _page_view(page: Page) -> View:
    async def view(datasette: Datasette, request: Request) -> Any:
        from datasette import Response

        database = await _chosen_database(datasette, request)
        if database is None:
            return Response.html(await datasette.render_template("no_results.html", {}, request))
        path = {name: decode(part) for name, part in request.url_vars.items()}
        given = {name: request.args[name] for name in request.args}
        found = await _read(datasette, database, lambda conn: page.read(conn, path, given))
        context = {
            "page": _known(found, "There is no such page in these results."),
            "database": database.name,
            "links": Links(database.route, datasette.setting("base_url")),
            "metadata": datasette.metadata(),
        }
        body = await datasette.render_template(page.template, context, request)
        return Response.html(body, headers={"Cache-Control": "no-cache"})

    return view


async def answer_progress(datasette: Datasette, request: Request) -> Any:
    """How far a run is, the newest where none is named, as JSON for pages that watch it."""
    from datasette import Response

    database = _known(await _chosen_database(datasette, request), "There are no results.")
    run = _number(request.args.get("run"))
    progress = await _read(
        datasette, database, lambda conn: read_progress(conn, run or newest_run_id(conn) or 0)
    )
    values = _known(progress, "There is no such run.").as_json()
    passing = values["status"] == "running"  # it tells how long the run has taken so far
    return Response.json(values, headers={"Cache-Control": "no-store" if passing else "no-cache"})


async def _chosen_database(datasette: Datasette, request: Request) -> Database | None:
    """The database that a path names, the first one with results at home; None without any."""
    found = await results_databases(datasette)
    route = request.url_vars.get("database")
    if route is not None:
        route = decode(route)
        found = [database for database in found if database.route == route]
        _known(found or None, f"There is no database {route} with results.")
    if not found:
        return None
    await datasette.ensure_permissions(
        request.actor, [("view-database", found[0].name), "view-instance"]
    )
    return found[0]


async def _read(
    datasette: Datasette, database: Database, read: Callable[[sqlite3.Connection], T]
) -> T:
    """What a reader gives, within the time that any query has."""
    from datasette.utils import sqlite_timelimit
    from datasette.utils.asgi import BadRequest

    def within_limit(connection: sqlite3.Connection) -> T:
        with sqlite_timelimit(connection, datasette.sql_time_limit_ms):
            return read(connection)

    try:
        return await database.execute_fn(within_limit)
    except IngestError as exc:
        raise BadRequest(str(exc)) from exc


def _known(found: T | None, message: str) -> T:
    """What was found; raises Datasette's NotFound (404) for None."""
    if found is None:
        from datasette import NotFound

        raise NotFound(message)
    return found


def _number(text: str | None) -> int | None:
    """A run's number as a person may type it into a URL; None for anything else."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
