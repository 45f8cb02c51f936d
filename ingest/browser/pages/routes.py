"""The pages of ingest's own, in one table: address, template, entry of the menu, reader.

A new page is a reader in this folder, a template, and a line of PAGES.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any, TypeVar

from ingest.browser.links import Links, decode
from ingest.browser.memo import memo_of
from ingest.browser.own_database import results_databases
from ingest.browser.pages.api import read_api_questions
from ingest.browser.pages.changes import read_changes_page
from ingest.browser.pages.country import read_country_page
from ingest.browser.pages.economics import (
    economics_rows,
    economics_tables,
    read_economics_page,
)
from ingest.browser.pages.job import read_job_page
from ingest.browser.pages.matrix import read_countries_page
from ingest.browser.pages.overview import read_overview
from ingest.browser.pages.run import read_run_page
from ingest.browser.pages.runs import Progress, read_progress, read_runs_page, run_number
from ingest.browser.protocols import Database, Datasette, Request
from ingest.browser.server.datasette_internals import work_limit
from ingest.database.states import newest_run
from ingest.errors import ConfigError, IngestError
from ingest.text.csv_rows import CsvWriter

T = TypeVar("T")
View = Callable[[Any, Any], Awaitable[Any]]


@dataclass(frozen=True)
class Page:
    """A page: where it is, and what it shows under which entry of the menu.

    pattern: of the address, without base_url. read takes a connection, the parts of the path, and
    the arguments after the question mark (None where one is missing), by their names; it gives the
    template's `page`, None where there is no such thing (404).
    """

    pattern: str
    template: str
    place: str
    read: Callable[..., object]
    arguments: tuple[str, ...] = ()
    has_memo: bool = False
    """Whether read also takes `memo`: what it read before, until the database changes."""


ECONOMICS_CHOICES = ("where", "scenario", "discounted")

# Datasette keeps "-" for itself, so no table can be called that.
_OWN = r"/(?P<database>[^/.]+)/-/"
_RUN = rf"{_OWN}run/(?P<run_id>\d{{1,15}})"
_COUNTRY = r"(?P<country>[^/]+)"
_JOB = rf"{_OWN}job/(?P<run_id>\d{{1,15}})/{_COUNTRY}/(?P<scenario>[^/]+)"

PAGES = {
    "home": Page("/$", "overview.html", "Overview", read_overview),
    "overview": Page(f"{_OWN}overview$", "overview.html", "Overview", read_overview),
    "countries": Page(
        f"{_OWN}countries$", "countries.html", "Countries", read_countries_page, ("region",)
    ),
    "country": Page(
        f"{_OWN}country/{_COUNTRY}$", "country.html", "Countries", read_country_page,
        ("label", "run"),
    ),
    "economics": Page(
        f"{_OWN}economics$", "economics.html", "Economics", read_economics_page, ECONOMICS_CHOICES,
        has_memo=True,
    ),
    "runs": Page(f"{_OWN}runs$", "runs.html", "Runs", read_runs_page, ("before",)),
    "run": Page(f"{_RUN}$", "run.html", "Runs", read_run_page),
    "changes": Page(
        f"{_RUN}/changes$", "changes.html", "Runs", read_changes_page, ("label", "country")
    ),
    "job": Page(f"{_JOB}$", "job.html", "Runs", read_job_page),
    "api": Page(f"{_OWN}api$", "api.html", "Data", read_api_questions),
}  # fmt: skip
PROGRESS = rf"{_OWN}progress\.json$"
ECONOMICS = rf"{_OWN}economics\.(?P<kind>json|csv)$"


def place_of(path: str) -> str | None:
    """The entry of the menu that a path (without base_url) belongs to; None for other pages."""
    return next((page.place for page in PAGES.values() if re.match(page.pattern, path)), None)


def page_routes() -> list[tuple[str, View]]:
    """Addresses and views, as Datasette registers them."""
    pages = [(page.pattern, _page_view(page)) for page in PAGES.values()]
    return [*pages, (PROGRESS, answer_progress), (ECONOMICS, answer_economics)]


def _page_view(page: Page) -> View:
    async def view(datasette: Datasette, request: Request) -> Any:
        from datasette import Response

        database = await _chosen_database(datasette, request)
        if database is None:
            return Response.html(await datasette.render_template("no_results.html", {}, request))
        given: dict[str, Any] = {name: request.args.get(name) or None for name in page.arguments}
        given |= {name: decode(part) for name, part in request.url_vars.items()}
        given.pop("database", None)
        if "run_id" in given:
            given["run_id"] = int(given["run_id"])
        found = await _read_page(datasette, database, page, given)
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
    run = run_number(request.args.get("run"))
    progress = await _read(datasette, database, lambda conn: _progress(conn, run))
    values = _known(progress, "There is no such run.").as_json()
    passing = values["status"] == "running"  # it tells how long the run has taken so far
    return Response.json(values, headers={"Cache-Control": "no-store" if passing else "no-cache"})


async def answer_economics(datasette: Datasette, request: Request) -> Any:
    """The numbers of an economic evaluation: all as JSON, one table as CSV."""
    from datasette import Response
    from datasette.utils.asgi import BadRequest

    database = _known(await _chosen_database(datasette, request), "There are no results.")
    given = {name: request.args.get(name) or None for name in ECONOMICS_CHOICES}
    page = await _read_page(datasette, database, PAGES["economics"], given)
    headers = {"Cache-Control": "no-cache"}
    if request.url_vars["kind"] == "json":
        return Response.json(economics_tables(page), headers=headers)
    try:
        rows = economics_rows(page, request.args.get("table") or "scenarios")
    except ConfigError as exc:
        raise BadRequest(str(exc)) from exc
    text = StringIO()
    writer = CsvWriter(text)
    writer.writerow(list(rows[0]) if rows else [])
    writer.writerows(list(row.values()) for row in rows)
    kind = "text/csv; charset=utf-8"
    return Response(text.getvalue(), headers=headers, content_type=kind)


def _progress(connection: sqlite3.Connection, run_id: int | None) -> Progress | None:
    newest = newest_run(connection) if run_id is None else None
    return read_progress(connection, newest.run_id if newest else run_id or 0)


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


async def _read_page(
    datasette: Datasette, database: Database, page: Page, given: Mapping[str, Any]
) -> Any:
    """What a page shows."""
    more = {"memo": memo_of(database.path)} if page.has_memo else {}
    return await _read(datasette, database, lambda conn: page.read(conn, **given, **more))


async def _read(
    datasette: Datasette, database: Database, read: Callable[[sqlite3.Connection], T]
) -> T:
    """What a reader gives, within the time that any query has."""
    from datasette.utils.asgi import BadRequest

    limit_ms = datasette.sql_time_limit_ms

    def within_limit(connection: sqlite3.Connection) -> T:
        with work_limit(connection, limit_ms):
            return read(connection)

    try:
        return await database.execute_fn(within_limit)
    except IngestError as exc:
        raise BadRequest(str(exc)) from exc
    except sqlite3.OperationalError as exc:
        if str(exc) != "interrupted":
            raise
        message = f"This takes more than {limit_ms / 1000:g} s. Choose less"
        raise BadRequest(message) from exc


def _known(found: T | None, message: str) -> T:
    """What was found; raises Datasette's NotFound (404) for None."""
    if found is None:
        from datasette import NotFound

        raise NotFound(message)
    return found
