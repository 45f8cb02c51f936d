"""Every answer reads files as they are now; where one cannot be read, 503 says so."""

from __future__ import annotations

import asyncio
from typing import Any

from ingest.browser.links import decode
from ingest.browser.protocols import App, Datasette, Message, Receive, Send
from ingest.browser.server.connections import Reading, ServedFile, reading
from ingest.browser.server.datasette_internals import show_databases

_TRIES = 3
_CHANGING = "The database is being replaced while it is read. Load the page again."


class ServedFiles:
    """The database files of a site."""

    def __init__(self, datasette: Datasette) -> None:
        self._datasette = datasette
        self._all = dict(datasette.databases)
        self._files = {
            name: ServedFile(datasette, database, database.path)
            for name, database in self._all.items()
            if database.path
        }

    async def answer(self, app: App, scope: Message, receive: Receive, send: Send) -> None:
        """The application's answer, made again where a file was replaced meanwhile."""
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        problem = _CHANGING
        for _ in range(_TRIES):
            request = await self._look()
            found = self._problem_of(scope)
            problem = found or problem
            if found or await _answer_once(app, request, scope, receive, send):
                break
        else:
            found = problem
        if found:
            await self._unavailable(found, scope, receive, send)

    async def _look(self) -> Reading:
        """Which files are there; those that cannot be read are none of Datasette's for now."""
        for file in self._files.values():
            if file.has_changed():
                await asyncio.to_thread(file.look)
        problems = {name: file.problem for name, file in self._files.items() if file.problem}
        self._all.update(self._datasette.databases)  # one in memory may be added later
        usable = {name: one for name, one in self._all.items() if name not in problems}
        show_databases(self._datasette, usable)
        identities = {file.path: file.identity for file in self._files.values()}
        return Reading(identities, problems)

    def _problem_of(self, scope: Message) -> str:
        """Why the database that an address names, the first one at home, cannot be read."""
        path = scope["path"].removeprefix(self._datasette.setting("base_url").rstrip("/"))
        first = path.lstrip("/").partition("/")[0].partition(".")[0]
        for file in self._files.values():
            if not first or decode(first) == file.database.route:
                return file.problem
        return ""

    async def _unavailable(
        self, problem: str, scope: Message, receive: Receive, send: Send
    ) -> None:
        from datasette import Request, Response

        body: dict[str, Any] = {"ok": False, "error": problem, "status": 503}
        headers = {"Cache-Control": "no-store", "Retry-After": "5"}
        request = Request({**scope, "csrftoken": str}, receive)  # there is no form
        if "." in scope["path"].rpartition("/")[2]:
            answer = Response.json({**body, "title": None}, status=503, headers=headers)
        else:
            context = {**body, "title": "The results cannot be read now"}
            page = await self._datasette.render_template(["error.html"], context, request)
            answer = Response.html(page, status=503, headers=headers)
        await answer.asgi_send(send)


async def _answer_once(
    app: App, request: Reading, scope: Message, receive: Receive, send: Send
) -> bool:
    """Whether the answer was sent; not where it is outdated before it begins."""
    is_sent, is_started = True, False

    async def send_on(message: Message) -> None:
        nonlocal is_sent, is_started
        if message["type"] == "http.response.start" and request.is_outdated:
            is_sent = is_started
        if is_sent:
            is_started = True
            await send(message)

    token = reading.set(request)
    try:
        await app(scope, receive, send_on)
    except Exception:
        if not request.is_outdated or is_started:
            raise
        is_sent = False
    finally:
        reading.reset(token)
    return is_sent
