"""A table of texts for people: what a terminal, Markdown and HTML all show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """Cells as they are read, and what stands around them.

    title: above it, empty where the place says enough. numbers: the headers of the columns of
    numbers. after: lines below it. A header may have line breaks, for where room is scarce.
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[str] = ()
    after: Sequence[str] = ()
