"""One country under one scenario, and how names on the command line choose them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ingest.errors import ConfigError
from ingest.text.names import split_names
from ingest.text.suggest import nearest


class Combination(NamedTuple):
    """One country under one scenario."""

    country: str
    scenario: str

    def __str__(self) -> str:
        return f"{self.country} / {self.scenario}"


def select_names(
    patterns: Sequence[str], known: Iterable[str], what: str, describe: Callable[[str], str] = str
) -> list[str]:
    """The known names that comma lists and globs choose, in the known order; all without patterns.

    A text that is a known name as a whole, commas and all, is that name.
    what: "country" or "scenario", for messages; describe: how a suggested name is shown.
    Raises ConfigError: a name or pattern that matches nothing, with the nearest known one.
    """
    names = list(known)
    if not patterns:
        return names
    chosen: set[str] = set()
    for pattern in (name for text in patterns for name in split_names(text, names)):
        matches = _matching(pattern, names)
        if not matches:
            match = nearest(pattern, names)
            hint = f" Did you mean {describe(match)}?" if match else f" Known: {_sample(names)}."
            raise ConfigError(f"no {what} {pattern} in this study.{hint}")
        chosen |= set(matches)
    if not chosen:
        raise ConfigError(f"no {what} was chosen: the list given is empty")
    return [name for name in names if name in chosen]


def _matching(pattern: str, names: Sequence[str]) -> list[str]:
    if pattern in names:
        return [pattern]
    folded = pattern.casefold()
    return [name for name in names if fnmatch.fnmatchcase(name.casefold(), folded)]


def _sample(names: Sequence[str], limit: int = 8) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
