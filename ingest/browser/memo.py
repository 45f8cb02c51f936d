"""What a database answered, remembered until its file changes."""

from __future__ import annotations

from ingest.browser.file_state import State, settled_state
from ingest.questions.catalogue import Memo

_MOST_REMEMBERED = 1000


_memos: dict[str, tuple[State, Memo]] = {}


def memo_of(path: str | None) -> Memo:
    """What was read of the database in a file, empty again as soon as the file has changed.

    Every commit changes the file or the log beside it, so nothing outdated is given. Nothing is
    kept for a file that changed a moment ago.
    """
    state = settled_state(path) if path else None
    if path is None or state is None:
        return {}
    known = _memos.get(path)
    if known is None or known[0] != state or len(known[1]) > _MOST_REMEMBERED:
        known = _memos[path] = (state, {})
    return known[1]
