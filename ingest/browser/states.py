"""States as the pages show them: by mark and word, never by colour only."""

from __future__ import annotations

STATE_MARKS = {
    "completed": "✓",
    "success": "✓",
    "failed": "✕",
    "timeout": "◷",
    "cancelled": "⊘",
    "interrupted": "⊘",
    "running": "▸",
    "submitted": "…",
    "missing": "–",
}
STATE_WORDS = {"success": "succeeded", "timeout": "timed out", "missing": "never run"}


def state_word(state: str) -> str:
    """The word for a state of a run or job: succeeded, failed, timed out, ..."""
    return STATE_WORDS.get(state, state)


def state_mark(state: str) -> str:
    """One letter or mark for a state."""
    return STATE_MARKS.get(state, "?")
