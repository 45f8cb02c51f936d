"""The outermost layer of the web server: only methods that read, and headers that protect."""

from __future__ import annotations

from urllib.parse import parse_qs

from ingest.browser.links import EDITOR
from ingest.browser.protocols import App, Message, Receive, Send

METHODS = ("GET", "HEAD", "OPTIONS")

# Scripts come only from files, so text of the database can never become one. Charts and Datasette
# write style attributes.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
# Ingest's charts are interpreted; the chart editor (datasette-vega) compiles its expressions. Its
# script is on no page without its argument.
_EDITOR_POLICY = _POLICY.replace("script-src 'self'", "script-src 'self' 'unsafe-eval'")
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
}


def guard(app: App) -> App:
    """The application behind the guard."""

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif scope["method"] not in METHODS:
            await _refuse(send)
        else:
            await app(scope, receive, with_headers(scope, send))

    return guarded


def _policy(scope: Message) -> bytes:
    """The content security policy of a page."""
    names = parse_qs((scope.get("query_string") or b"").decode("latin-1"), keep_blank_values=True)
    return (_EDITOR_POLICY if EDITOR in names else _POLICY).encode()


def with_headers(scope: Message, send: Send) -> Send:
    """What sends an answer with the headers that protect, where it has none of its own."""
    wanted = {b"content-security-policy": _policy(scope), **_HEADERS}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", [])
            names = {name.lower() for name, _ in given}
            more = [(name, value) for name, value in wanted.items() if name not in names]
            message = {**message, "headers": [*given, *more]}
        await send(message)

    return send_with_headers


async def _refuse(send: Send) -> None:
    headers = [
        (b"allow", ", ".join(METHODS).encode()),
        (b"content-type", b"text/plain; charset=utf-8"),
        *_HEADERS.items(),
    ]
    await send({"type": "http.response.start", "status": 405, "headers": headers})
    body = b"These results can only be read: GET and HEAD are accepted, nothing else.\n"
    await send({"type": "http.response.body", "body": body})
