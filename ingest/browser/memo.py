"""What a database answered, remembered until its file changes."""

from __future__ import annotations

from typing import Any

from ingest.browser.file_state import State, settled_state
from ingest.questions.catalogue import Memo

_MOST_REMEMBERED = 1000


_memos: dict[str, tuple[State, Memo]] = {}


def memo_of(database: Any) -> Memo:
    """What was read of a database's choices, empty again as soon as its file has changed.

    Every commit changes the file or the log beside it, so nothing is ever told that has passed.
    Nothing is kept of a file that changed a moment ago.
    """
    state = settled_state(database.path) if database.path else None
    if state is None:
        return {}
    known = _memos.get(database.path)
    if known is None or known[0] != state or len(known[1]) > _MOST_REMEMBERED:
        known = _memos[database.path] = (state, {})
    return known[1]
