"""Datasette's own pages on versions, plugins, threads and settings: closed unless asked for."""

from __future__ import annotations

import re

from ingest.browser.protocols import App, Message, Receive, Send
from ingest.browser.server.security import METHODS, with_headers

_OPEN = re.compile(r"/-/(ingest|static|static-plugins)/")
_CLOSED = (
    b"This page is about the server, and closed. Open such pages: ingest serve --diagnostics\n"
)


def without_diagnostics(app: App, base_url: str) -> App:
    """The application without what Datasette has below /-/ but scripts and styles; 404 for it."""

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        is_page = scope["type"] == "http" and scope["method"] in METHODS
        if is_page and _is_closed(scope["path"], base_url):
            await _refuse(with_headers(scope, send))
        else:
            await app(scope, receive, send)

    return answer


def _is_closed(path: str, base_url: str) -> bool:
    """A path may begin with base_url or not, as a proxy may have taken it off."""
    own = "/" + path.lstrip("/").removeprefix(base_url.strip("/")).lstrip("/")
    return (own + "/").startswith("/-/") and not _OPEN.match(own)


async def _refuse(send: Send) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": _CLOSED})
