"""Errors in the form of what was asked for: a page, or JSON for an address of data."""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ingest.browser.protocols import Datasette, Request
from ingest.browser.tables.arguments import check_values
from ingest.errors import ConfigError, IngestError

Answer = Callable[[], Awaitable[Any]]
# A question's own SQL or template, and values that SQLite cannot take.
_OF_ADDRESS = (IngestError, sqlite3.ProgrammingError, OverflowError)
_TOO_LONG = "this takes too long to find; ask for less (--setting sql_time_limit_ms)"


async def error_answer(
    datasette: Datasette,
    request: Request,
    status: int,
    message: str,
    *,
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Any:
    """An answer that says what is wrong: as JSON where the address has an ending, as a page."""
    from datasette import Response
    from datasette.utils import add_cors_headers

    sent = dict(headers or {})
    if datasette.cors:
        add_cors_headers(sent)
    body = {"ok": False, "error": message, "status": status}
    if is_data(request):
        return Response.json({**body, "title": None}, status=status, headers=sent)
    templates = [f"{status}.html", "error.html"]
    html = await datasette.render_template(templates, {**body, "title": title}, request=request)
    return Response.html(html, status=status, headers=sent)


def is_data(request: Request) -> bool:
    """Whether an address is that of JSON, CSV, a picture: names in it have no dots."""
    return "." in str(request.scope["path"]).rpartition("/")[2]


def answer_exception(datasette: Datasette, request: Request, exception: Exception) -> Answer | None:
    """What Datasette is to await for the answer to an error; None leaves it to Datasette.

    What Datasette itself refuses without saying whose fault it is came from the address.
    """
    from datasette.database import QueryInterrupted
    from datasette.utils.asgi import Base400
    from datasette.views.base import DatasetteError

    status, message = 500, str(exception)
    if isinstance(exception, Base400):
        status = exception.status
    elif isinstance(exception, DatasetteError):
        status = 400 if exception.status == 500 else exception.status
        message = _without_markup(exception)
    elif isinstance(exception, QueryInterrupted):
        status, message = 400, _TOO_LONG
    elif isinstance(exception, _OF_ADDRESS):
        status = 400
    else:
        try:
            check_values(request)
        except ConfigError as exc:
            status, message = 400, str(exc)
    if not is_data(request) and status in (500, getattr(exception, "status", None)):
        return None

    async def answer() -> Any:
        if status == 500:
            traceback.print_exception(exception)
        return await error_answer(datasette, request, status, message)

    return answer


def _without_markup(exception: Any) -> str:
    """The message of Datasette's error; its only one in HTML is that the time is over."""
    if exception.message_is_html:
        return _TOO_LONG
    return str(exception.message)
