"""Texts from models and services: of any length, with any character, made fit to be read."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t"
_UNSEEN = ("Cc", "Cf", "Cs")  # control characters, marks of direction, halves of surrogates


def shorten_middle(text: str, limit: int) -> str:
    """A text of at most about limit characters: of a longer one the beginning and the end.

    In between stands how many bytes (of UTF-8) were left out.
    """
    if len(text) <= limit:
        return text
    end = limit // 3
    left_out = len(text[limit - end : -end].encode("utf-8", "surrogatepass"))
    return f"{text[: limit - end]} [... {left_out:,} bytes left out ...] {text[-end:]}"


def show_unseen(text: str) -> str:
    r"""The text with \x1b in place of each character that steers a terminal or hides others."""
    text = text.replace("\r\n", "\n")
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape", "backslashreplace").decode()
        if letter not in _KEPT and unicodedata.category(letter) in _UNSEEN
        else letter
        for letter in text
    )
