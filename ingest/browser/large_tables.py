"""Tables with millions of rows: they are shown without being counted first."""

from __future__ import annotations

import re

from ingest.browser.security import App, Message, Receive, Send

_LARGE = re.compile(r"/(metrics|latest_metrics|metric_values)(\.\w+)?$")
_ARGUMENT = b"_nocount"


def uncounted(app: App) -> App:
    """The application, asked not to count large tables unless a request says _nocount itself.

    Datasette would count every row of a view until its time limit, for each page of it.
    """

    async def answer(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _LARGE.search(scope["path"]):
            scope = _without_count(scope)
        await app(scope, receive, send)

    return answer


def _without_count(scope: Message) -> Message:
    given = scope.get("query_string") or b""
    if _ARGUMENT + b"=" in given:
        return scope
    return {**scope, "query_string": b"&".join(filter(None, (given, _ARGUMENT + b"=1")))}
