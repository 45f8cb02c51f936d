"""Texts from models and services, which may be of any length, cut to what can be read."""

from __future__ import annotations


def shorten_middle(text: str, limit: int) -> str:
    """A text of at most about limit characters: of a longer one the beginning and the end.

    In between stands how many bytes (of UTF-8) were left out.
    """
    if len(text) <= limit:
        return text
    end = limit // 3
    left_out = len(text[limit - end : -end].encode("utf-8", "surrogatepass"))
    return f"{text[: limit - end]} [... {left_out:,} bytes left out ...] {text[-end:]}"
