"""Pages below a path such as /results/: with and without a proxy that takes the path off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from ingest.browser.protocols import App, Datasette, Message, Receive, Send
from ingest.browser.server.datasette_internals import build_links_once
from ingest.errors import ConfigError

Text = TypeVar("Text", str, bytes)


def base_path(text: str, databases: Iterable[str]) -> str:
    """A base_url as Datasette needs it: it begins and ends with a slash.

    Raises ConfigError: it begins with the name of a database, so that an address could mean both.
    """
    path = f"/{text.strip('/')}/".replace("//", "/")
    first = path.split("/")[1]
    if first in databases:
        raise ConfigError(
            f"base_url {path} begins with the name of a database, {first}. "
            "Choose another path: ingest serve -- --setting base_url /results/"
        )
    return path


def below_base_path(app: App, datasette: Datasette) -> App:
    """ASGI middleware: paths and redirects begin with base_url, though a proxy takes it off.

    Links are made of the path of the request, which is the one that the visitor sees.
    """
    base: str = datasette.setting("base_url")
    if base == "/":
        return app
    build_links_once()

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope, send = _with_base(scope, base), _redirecting_below(send, base.encode())
        await app(scope, receive, send)

    return answer


def _with_base(scope: Message, base: str) -> Message:
    paths: Message = {**scope, "path": _below(scope["path"], base, "/")}
    if scope.get("raw_path"):
        paths["raw_path"] = _below(scope["raw_path"], base.encode(), b"/")
    return paths


def _below(path: Text, base: Text, slash: Text) -> Text:
    """/results, /results/x and /x below /results/."""
    if path + slash == base:
        return base
    return path if path.startswith(base) else base + path.lstrip(slash)


def _redirecting_below(send: Send, base: bytes) -> Send:
    def address(name: bytes, value: bytes) -> bytes:
        is_own = name.lower() == b"location" and value.startswith(b"/")
        return _below(value, base, b"/") if is_own else value

    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name, address(name, value)) for name, value in message.get("headers", [])]
            message = {**message, "headers": headers}
        await send(message)

    return send_on
