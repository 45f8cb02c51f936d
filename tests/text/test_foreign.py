from __future__ import annotations

import pytest

from ingest.executors.base import JobFault
from ingest.text.foreign import show_unseen


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no life table for Côte d'Ivoire", "no life table for Côte d'Ivoire"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("\x1b]8;;http://evil.example\x07here", r"\x1b]8;;http://evil.example\x07here"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("10 %\r20 %", r"10 %\r20 %"),
        ("a\u202ebc", r"a\u202ebc"),
        ("half \ud800", r"half \ud800"),
        ("\x9b2J", r"\x9b2J"),
    ],
)
def test_what_steers_a_terminal_is_shown_escaped(text: str, shown: str) -> None:
    assert show_unseen(text) == shown
    assert JobFault("model error", text).message == shown
