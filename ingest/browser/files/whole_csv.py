"""CSV of questions, tables and visitors' SQL with every row, however many; never a part of it.

The rows are read into a temporary file and sent from there. So what fails midway is an error and
no file, its length is known, and a slow reader holds no database open. Sent while it is read, a
file that breaks off looks complete behind a web server that speaks HTTP/1.0 to this one.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import IO, Any
from urllib.parse import parse_qsl, urlencode

from ingest.browser.files.csv_file import BlobText, FileLimits, Statement, Values, write_csv
from ingest.browser.protocols import Database, Datasette, Request, Send
from ingest.browser.server.datasette_internals import (
    first_row,
    magic_values,
    own_connection,
    without_page_end,
)
from ingest.errors import ConfigError

# A page waits for its query, and one of few threads with it. A file has a thread of its own; ten
# times is below the minute that web servers wait for a first byte.
_TIMES_PAGE_LIMIT = 10
_AT_ONCE = 2
_CHUNK_BYTES = 1 << 18
# Threads beside Datasette's own, so that files never hold up pages; they start with a file.
_THREADS = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="csv")


# --- what to read --------------------------------------------------------------------------------


async def question_statement(
    datasette: Datasette, request: Request, database: Database, name: str, values: Values
) -> Statement:
    """A question's statement. Raises Datasette's Forbidden."""
    asked = [("view-query", (database.name, name)), ("view-database", database.name)]
    await datasette.ensure_permissions(request.actor, [*asked, "view-instance"])
    query = await datasette.get_canned_query(database.name, name, request.actor)
    return Statement(query["sql"], values, _query_blobs(datasette, request))


def is_csv(request: Request) -> bool:
    """Whether a request is for CSV."""
    return request.url_vars["format"] == "csv" and request.method in ("GET", "HEAD")


async def answer_view(
    datasette: Datasette, request: Request, database: Database | None, view: Any, name: str
) -> Any:
    """Datasette's answer to a request for a table or SQL, but whole where it is CSV.

    Raises ConfigError as answer_csv() does, and what Datasette raises.
    """
    from datasette.database import QueryInterrupted
    from datasette.utils import InvalidSql, sqlite3

    if database is None or not database.path or not is_csv(request):
        return await view.dispatch_request(request)
    try:
        statement = await _view_statement(datasette, request, view, database)
    except QueryInterrupted as exc:
        limit = datasette.sql_time_limit_ms / 1000
        raise ConfigError(
            f"the first row takes more than {limit:g} s to find; filter less"
        ) from exc
    except (sqlite3.OperationalError, InvalidSql) as exc:
        raise ConfigError(f"SQL: {exc}") from exc
    if not isinstance(statement, Statement):
        return statement
    return await answer_csv(datasette, request, database, statement, name)


async def _view_statement(
    datasette: Datasette, request: Request, view: Any, database: Database
) -> Any:
    """The statement behind a view of Datasette, as it would answer this request with a page.

    Where it answers with something else, such as a redirect, that answer. Raises ConfigError: the
    SQL fails; and what Datasette does: there is no such table, it may not be seen.
    """
    limit = _size(request)
    page = _without_paging(request)
    data = await first_row(view, page)
    if not isinstance(data, dict):
        return data
    if data.get("error"):
        raise ConfigError(f"SQL: {data['error']}")
    sql, values = data["query"]["sql"], data["query"]["params"]
    if not data.get("table"):
        values = magic_values(datasette, page, values)
        return Statement(sql, values, _query_blobs(datasette, request))
    whole = await _with_labels(database, data, without_page_end(sql, limit))
    if data["is_view"]:
        return Statement(whole, values)  # its rows have no page of their own
    return Statement(whole, values, _table_blobs(datasette, request, database, data))


def _size(request: Request) -> int:
    """How many rows are asked for; -1, which is every one, without a number."""
    from datasette.utils.asgi import BadRequest

    text = request.args.get("_size") or "max"
    if text == "max":
        return -1
    if not re.fullmatch(r"\d{1,15}", text):
        raise BadRequest("_size must be a positive integer")
    return int(text)


def _without_paging(request: Request) -> Request:
    """The request for any number of rows, and without what a page counts beside them."""
    given = parse_qsl(request.query_string, keep_blank_values=True)
    kept = [(name, text) for name, text in given if name not in ("_size", "_stream")]
    kept += [(name, "1") for name in ("_nofacet", "_nocount", "_nosuggest")]
    return changed_request(request, kept)


def changed_request(request: Request, arguments: list[tuple[str, str]], **more: Any) -> Request:
    """The request with other arguments, and more in its scope."""
    from datasette.utils import asgi

    query_string = urlencode(arguments).encode("latin-1")
    changed: Request = asgi.Request(
        {**request.scope, "query_string": query_string, **more}, request.receive
    )
    return changed


async def _with_labels(database: Database, data: dict[str, Any], sql: str) -> str:
    """The statement with a column COLUMN_label behind each column that has a label."""
    from datasette.utils import escape_sqlite

    expanded = data.get("expanded_columns")
    if not expanded:
        return sql
    keys = {key["column"]: key for key in await database.foreign_keys_for_table(data["table"])}
    parts = []
    for column in data["columns"]:
        parts.append(f"page.{escape_sqlite(column)}")
        if column in expanded:
            label = await _label_sql(database, keys[column])
            parts.append(f"{label} AS {escape_sqlite(f'{column}_label')}")
    return f"SELECT {', '.join(parts)} FROM ({sql}) AS page"


async def _label_sql(database: Database, key: dict[str, Any]) -> str:
    from datasette.utils import escape_sqlite

    own = f"page.{escape_sqlite(key['column'])}"
    label = await database.label_column_for_table(key["other_table"])
    if not label:
        return f"CAST({own} AS TEXT)"
    table, column = escape_sqlite(key["other_table"]), escape_sqlite(key["other_column"])
    return f"(SELECT {escape_sqlite(label)} FROM {table} WHERE {column} = {own})"


def _query_blobs(datasette: Datasette, request: Request) -> BlobText:
    """The address of bytes in a row of a query."""
    from datasette.utils import path_with_format

    def text(_: Any, column: str, value: bytes) -> str:
        chosen = {"_blob_column": column, "_blob_hash": hashlib.sha256(value).hexdigest()}
        path = path_with_format(
            request=request, format="blob", extra_qs=chosen, replace_format="csv"
        )
        return str(datasette.absolute_url(request, path))

    return text


def _table_blobs(
    datasette: Datasette, request: Request, database: Database, data: dict[str, Any]
) -> BlobText:
    """The address of bytes in a row of a table."""
    from datasette.utils import path_from_row_pks

    keys = data["primary_keys"]

    def text(row: Any, column: str, _value: bytes) -> str:
        place = path_from_row_pks(row, keys, not keys)
        path = datasette.urls.row_blob(database.name, data["table"], place, column)
        return str(datasette.absolute_url(request, path))

    return text


# --- reading -------------------------------------------------------------------------------------


async def answer_csv(
    datasette: Datasette, request: Request, database: Database, statement: Statement, name: str
) -> CsvAnswer:
    """Every row of a statement as a file. name: of the file, without its ending.

    Raises ConfigError: the SQL fails or a limit is passed. HEAD gives no length, which is known
    only when every row was read.
    """
    headers = _headers(datasette, request, name)
    if request.method == "HEAD":
        return CsvAnswer(None, headers)
    given_up = threading.Event()
    limits = FileLimits(
        datasette.sql_time_limit_ms / 1000 * _TIMES_PAGE_LIMIT, datasette.setting("max_csv_mb")
    )

    def read() -> IO[bytes]:
        heading, raw = request.args.get("_header") != "off", bool(request.args.get("_raw"))
        file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the answer
        try:
            with own_connection(datasette, database) as connection:
                write_csv(connection, statement, file, limits, given_up, heading=heading, raw=raw)
        except BaseException:
            file.close()
            raise
        return file

    work = asyncio.get_running_loop().run_in_executor(_THREADS, copy_context().run, read)
    return CsvAnswer(await _while_wanted(request, work, given_up), headers)


async def _while_wanted(
    request: Request, work: asyncio.Future[Any], given_up: threading.Event
) -> IO[bytes]:
    """What the work gives; it is given up when the reader has gone or the server ends.

    Raises ConfigError: it is given up, or what the work raises.
    """
    gone: asyncio.Future[Any] = asyncio.ensure_future(disconnected(request.receive))
    work.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, always
    try:
        await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            given_up.set()
        file: IO[bytes] = await work
        return file
    except asyncio.CancelledError as exc:
        raise ConfigError("the server is ending") from exc
    finally:
        given_up.set()
        gone.cancel()


async def disconnected(receive: Any) -> None:
    """Returns when whoever asked has gone, or has the answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


# --- sending -------------------------------------------------------------------------------------


def _headers(datasette: Datasette, request: Request, name: str) -> dict[str, str]:
    """As Datasette's: shown as text, or to be kept with _dl."""
    from datasette.utils import add_cors_headers

    headers = {"content-type": "text/plain; charset=utf-8"}
    if request.args.get("_dl"):
        headers["content-type"] = "text/csv; charset=utf-8"
        headers["content-disposition"] = f'attachment; filename="{file_name(name)}.csv"'
    if datasette.cors:
        add_cors_headers(headers)
    return headers


def file_name(name: str) -> str:
    """A name as a header can hold it."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)


class CsvAnswer:
    """The file as an answer of Datasette; none for HEAD. It is closed when it was sent."""

    def __init__(self, file: IO[bytes] | None, headers: dict[str, str]) -> None:
        self.file = file
        self.headers = headers

    async def asgi_send(self, send: Send) -> None:
        """Send head and body; a reader that has gone ends it early."""
        headers = dict(self.headers)
        if self.file is not None:
            headers["content-length"] = str(self.file.tell())
        encoded = [[name.encode(), text.encode()] for name, text in headers.items()]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": encoded})
            if self.file is not None:
                self.file.seek(0)
                while chunk := await asyncio.to_thread(self.file.read, _CHUNK_BYTES):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            if self.file is not None:
                self.file.close()
