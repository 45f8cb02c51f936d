"""The nearest known word to one that is not known, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from ingest.text.numbers import at_most


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to the given one, or None when none is close.

    Of words that are as close, one with the same letters in another order: KEN for KNE, not NER.
    """
    folded = {candidate.casefold(): candidate for candidate in known}
    letters = sorted(word.casefold())
    matches = difflib.get_close_matches(word.casefold(), folded, n=5, cutoff=0.55)
    matches.sort(key=lambda match: sorted(match) != letters)
    return folded[matches[0]] if matches else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' Did you mean X?' with a leading blank, or an empty string."""
    match = nearest(word, known)
    return f" Did you mean {match}?" if match else ""


def did_you_mean_or_list(word: str, known: Sequence[str]) -> str:
    """'. Did you mean X?', or '; there are A, B' where none is close: eight of them at most."""
    if match := nearest(word, known):
        return f". Did you mean {match}?"
    return f"; there are {at_most(known, 8) or 'none'}"
