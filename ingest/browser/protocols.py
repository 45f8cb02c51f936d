"""What Datasette and the web server hand over, as far as the browser uses it."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# ruff: noqa: D102  # the methods are described by Datasette's documentation


class Database(Protocol):
    """One attached database. route: its name in addresses; path: None where it is in memory."""

    name: str
    route: str
    path: str | None

    async def execute_fn(self, fn: Callable[[sqlite3.Connection], T]) -> T: ...
    async def table_names(self) -> list[str]: ...
    async def table_columns(self, table: str) -> list[str]: ...
    async def primary_keys(self, table: str) -> list[str]: ...
    async def get_view_definition(self, view: str) -> str | None: ...
    async def fts_table(self, table: str) -> str | None: ...
    async def label_column_for_table(self, table: str) -> str | None: ...
    async def foreign_keys_for_table(self, table: str) -> list[dict[str, str]]: ...


class Datasette(Protocol):
    """The application."""

    databases: Mapping[str, Database]
    cors: bool
    sql_time_limit_ms: int
    urls: Any

    def app(self) -> App: ...
    def setting(self, key: str) -> Any: ...
    def settings_dict(self) -> dict[str, Any]: ...
    def metadata(self, key: str | None = None, database: str | None = None) -> Any: ...
    def table_metadata(self, database: str, table: str) -> dict[str, Any]: ...
    def get_database(self, name: str | None = None, route: str | None = None) -> Database: ...
    def absolute_url(self, request: Request, path: str) -> str: ...
    async def render_template(self, templates: Any, context: Any, request: Request) -> str: ...
    async def ensure_permissions(self, actor: Any, permissions: Any) -> None: ...
    async def get_canned_query(self, database: str, name: str, actor: Any) -> Any: ...


class Request(Protocol):
    """One request. url_vars: the named groups of its route, as they stand in the address."""

    scope: Message
    receive: Receive
    method: str
    query_string: str
    url_vars: Mapping[str, str]
    args: Arguments
    actor: Any


class Arguments(Protocol):
    """The arguments after the question mark."""

    def __iter__(self) -> Iterator[str]: ...
    def __contains__(self, name: str) -> bool: ...
    def get(self, name: str) -> str | None: ...
    def getlist(self, name: str) -> list[str]: ...
