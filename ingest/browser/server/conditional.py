"""ETags for data: asked again for what has not changed, the server answers 304 before any SQL runs.

A tag is made of everything that an answer depends on: the state of the database's file, the
address, the question, and what is the same for the whole server (versions, settings, metadata).
Pages have none, since they show ages; nor has what depends on the clock or on who asks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

from ingest import __version__
from ingest.browser.file_state import settled_state
from ingest.browser.files.json_answer import MIXED_HEADER, TRUNCATED_HEADER
from ingest.browser.links import decode
from ingest.browser.protocols import App, Datasette, Message, Receive, Send
from ingest.browser.questions.catalogue import questions_of
from ingest.resources import resource_path

Headers = list[tuple[bytes, bytes]]

_DATA = re.compile(
    r"/(?P<database>[^/.]+)"
    r"/((?P<table>(?!-/)[^/.]+)(/[^/.]+)?\.(json|csv|vl\.json|png|svg)|-/progress\.json)$"
)
# Arguments with which an answer depends on the clock, or comes with a lifetime of its own.
_OWN_LIFETIME = re.compile(r"_(where|facet\w*|stream|timelimit|trace|ttl)")
# SQL that may give something else for the same data.
_UNSTEADY = re.compile(
    r"\bnow\b|\bcurrent_(?:date|time)|\brandom|:_|\b(date|time|datetime|julianday|unixepoch)\(\s*\)"
    r"|\bstrftime\(\s*'[^']*'\s*\)",
    re.IGNORECASE,
)
# An answer may depend on who asks where one of these is there; Datasette forbids to keep it.
_PERSONAL = (b"cookie", b"authorization")
_VARY = (b"vary", b"Cookie, Authorization")
_ANYONE = (b"access-control-allow-origin", b"*")
_PREFLIGHT: Headers = [
    _ANYONE,
    (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
    (b"access-control-allow-headers", b"Authorization, If-None-Match"),
    (b"access-control-max-age", b"3600"),
]
_CORS: Headers = [
    _ANYONE,
    (b"access-control-expose-headers", f"Link, ETag, {TRUNCATED_HEADER}, {MIXED_HEADER}".encode()),
]


def conditional(app: App, datasette: Datasette) -> App:
    """ASGI middleware: answers conditional requests for data with 304 where nothing has changed."""
    cors = _CORS if datasette.cors else []
    base_url: str = datasette.setting("base_url")
    server = cache(lambda: _server_state(datasette))  # with the first request all of it is known

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        found = _DATA.match(_path(scope, base_url)) if scope["type"] == "http" else None
        if found is None:
            await app(scope, receive, send)
        elif scope["method"] == "OPTIONS" and cors:
            await _send(send, 204, _PREFLIGHT)
        else:
            tag = _tag(datasette, server(), found, scope)
            wanted = _if_none_match(scope) if tag else set()
            if tag in wanted:
                await _send(send, 304, [*_tagged(tag), _VARY, *cors])
            else:
                await app(scope, receive, _with_tag(send, tag, "*" in wanted, cors))

    return answer


def _path(scope: Message, base_url: str) -> str:
    """The path as Datasette's router sees it: still encoded, without base_url."""
    raw = scope.get("raw_path")
    path: str = raw.decode("latin-1").partition("?")[0] if raw else scope["path"]
    return "/" + path.removeprefix(base_url if path.startswith(base_url) else "/")


def _with_tag(send: Send, tag: str | None, any_will_do: bool, cors: Headers) -> Send:
    """Sends an answer with its tag; as 304 where any answer would do (If-None-Match: *).

    tag: as _tag() gives it. An answer that says no-store gets none: it is out of date at once.
    """
    is_replaced = False

    async def send_on(message: Message) -> None:
        nonlocal is_replaced
        if message["type"] == "http.response.start":
            headers = _without(message.get("headers", []), [name for name, _ in cors])
            if tag is not None and _may_be_tagged(message["status"], headers):
                is_replaced = any_will_do
                headers = [*_without(headers, [b"cache-control"]), *_tagged(tag)]
            message = {**message, "headers": headers + cors}
            if is_replaced:
                await _send(send, 304, [*_tagged(tag), _VARY, *cors])
        if not is_replaced:
            await send(message)

    return send_on


def _may_be_tagged(status: int, headers: Headers) -> bool:
    passing = any(
        name.lower() == b"etag" or (name.lower() == b"cache-control" and b"no-store" in value)
        for name, value in headers
    )
    return status == 200 and not passing


def _without(headers: Iterable[tuple[bytes, bytes]], names: list[bytes]) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in names]


def _tagged(tag: str | None) -> Headers:
    tags = [(b"etag", tag.encode())] if tag else []
    return [*tags, (b"cache-control", b"no-cache")]


async def _send(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _if_none_match(scope: Message) -> set[str]:
    """The tags that somebody has already, all as weak ones; perhaps with a *."""
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    tags = (tag.strip() for tag in given.decode("latin-1").split(","))
    return {f"W/{tag}" if tag.startswith('"') else tag for tag in tags if tag}


# --- the tag -------------------------------------------------------------------------------------


def _tag(datasette: Datasette, server: str, found: re.Match[str], scope: Message) -> str | None:
    """The tag of the answer to a request; made before it, so a later commit is seen next time.

    Empty while another commit could still hide behind the last one. None for an answer that other
    things change, too: the clock, chance, who asks.
    """
    query_string = scope.get("query_string") or b""
    names = {name for name, _ in scope["headers"]}
    arguments = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True)
    if (
        scope["method"] not in ("GET", "HEAD")
        or not names.isdisjoint(_PERSONAL)
        or any(_OWN_LIFETIME.fullmatch(name) for name, _ in arguments)
    ):
        return None
    try:
        database = datasette.get_database(route=decode(found["database"]))
        name = decode(found["table"] or "")
        question = questions_of(database.path).get(name)
    except KeyError:
        return None
    queries = datasette.metadata("queries", database=database.name) or {}
    sql = question.sql if question else str(queries.get(name, ""))
    if not database.path or _UNSTEADY.search(sql):
        return None
    state = settled_state(database.path)
    parts = (server, database.path, state, found[0], query_string, question)
    return f'W/"{_digest(parts)}"' if state else ""


def _server_state(datasette: Datasette) -> str:
    """What is the same for all answers: versions, code, settings and metadata.

    Code by size and time of its files: in a checkout they change without the version.
    """
    from datasette import __version__ as datasette_version

    metadata = json.dumps(datasette.metadata(), sort_keys=True, default=str)
    settings = sorted(datasette.settings_dict().items())
    folders = (Path(__file__).resolve().parents[2], resource_path("datasette_plugins"))
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    code = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return _digest((__version__, datasette_version, settings, metadata, code))


def _digest(parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
