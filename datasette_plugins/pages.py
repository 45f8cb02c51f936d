"""The pages of ingest: overview, countries, runs, jobs. Their logic is in ingest/browser/."""

from datasette import NotFound, Response, hookimpl
from datasette.utils import sqlite_timelimit
from datasette.utils.asgi import BadRequest

from ingest.browser.links import ROUTES, Links, decode
from ingest.browser.pages.routes import PAGES, read_progress_json
from ingest.browser.server.shell import results_databases
from ingest.errors import IngestError


@hookimpl
def register_routes():
    """A view for each page; ingest.browser.links says where they are."""
    views = {name: _page_view(page) for name, page in PAGES.items()}
    views["progress"] = progress
    return [(ROUTES[name], view) for name, view in views.items()]


def _page_view(page):
    async def view(datasette, request):
        database = await _find_database(datasette, request)
        if database is None:
            return Response.html(await datasette.render_template("no_results.html", {}, request))
        values = await _read(datasette, database, page.read, request.url_vars, request.args)
        if values is None:
            raise NotFound("There is no such page in these results.")
        links = Links(database.route, datasette.setting("base_url"))
        context = {"database": database.name, "links": links, "metadata": datasette.metadata()}
        body = await datasette.render_template(page.template, context | values, request)
        return Response.html(body, headers={"Cache-Control": "no-cache"})

    return view


async def progress(datasette, request):
    """How far the run is, as JSON, for pages that watch it."""
    database = await _find_database(datasette, request)
    values = await _read(datasette, database, read_progress_json, request.args)
    if values is None:
        raise NotFound("There is no such run.")
    passing = values["status"] == "running"  # it tells how long the run has taken so far
    return Response.json(values, headers={"Cache-Control": "no-store" if passing else "no-cache"})


async def _find_database(datasette, request):
    """The database that a path names, the first one with results at home; None without any."""
    names = await results_databases(datasette)
    route = request.url_vars.get("database")
    if route is not None:
        found = [datasette.get_database(name) for name in names]
        found = [database for database in found if database.route == decode(route)]
        if not found:
            raise NotFound(f"There is no database {decode(route)} with results.")
        database = found[0]
    elif names:
        database = datasette.get_database(names[0])
    else:
        return None
    await datasette.ensure_permissions(
        request.actor, [("view-database", database.name), "view-instance"]
    )
    return database


async def _read(datasette, database, read, *arguments):
    """What a reader gives, within the time that any query has."""

    def within_limit(connection):
        with sqlite_timelimit(connection, datasette.sql_time_limit_ms):
            return read(connection, *arguments)

    try:
        return await database.execute_fn(within_limit)
    except IngestError as exc:
        raise BadRequest(str(exc)) from exc
