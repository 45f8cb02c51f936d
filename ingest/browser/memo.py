"""What a database answered, remembered until its file changes, and throughout one request."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import cast

from ingest.browser.file_state import State, settled_state
from ingest.browser.protocols import Database, T
from ingest.browser.server.connections import reading
from ingest.questions.catalogue import Memo

_MOST_REMEMBERED = 1000


_memos: dict[str, tuple[State, Memo]] = {}


def memo_of(path: str | None) -> Memo:
    """What was read of the database in a file, empty again as soon as the file has changed.

    Every commit changes the file or the log beside it, so nothing outdated is given. Of a file that
    changed a moment ago, it lasts as long as the request.
    """
    request = reading.get()
    if request is None or path is None:
        return _memo_now(path)
    if path not in request.memos:
        request.memos[path] = _memo_now(path)
    return request.memos[path]


async def remembered(
    database: Database, name: str, read: Callable[[sqlite3.Connection], T], *values: object
) -> T:
    """What a reader gives; asked for once under a name and values, as memo_of() says."""
    memo, key = memo_of(database.path), (name, values)
    if key not in memo:
        memo[key] = await database.execute_fn(read)
    return cast(T, memo[key])


def _memo_now(path: str | None) -> Memo:
    state = settled_state(path) if path else None
    if path is None or state is None:
        return {}
    known = _memos.get(path)
    if known is None or known[0] != state or len(known[1]) > _MOST_REMEMBERED:
        known = _memos[path] = (state, {})
    return known[1]
