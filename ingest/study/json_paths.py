"""RFC 9535 JSONPaths: compiled once, and what of a document lies outside of some."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathQuery
from jsonpath_rfc9535.exceptions import JSONPathError

Location = tuple[int | str, ...]


class JsonPathError(ValueError):
    """A text is no JSONPath, or cannot be looked for; the message says why in one line."""


@lru_cache(maxsize=4096)
def _compiled(path: str) -> JSONPathQuery:
    return JSONPathEnvironment().compile(path)


def locations(path: str, document: Any) -> list[Location]:
    """The places that a path finds in a document. Raises JsonPathError."""
    try:
        return [node.location for node in _compiled(path).find(document)]
    except JSONPathError as exc:
        # not str(exc): of an empty path, version 2.0 of the library cannot make one
        reason = str(exc.args[0] if exc.args else exc).splitlines()[0]
        raise JsonPathError(f"{path} is no RFC 9535 JSONPath: {reason}") from exc


def value_at(document: Any, location: Location) -> Any:
    """What stands at a place of a document."""
    for key in location:
        document = document[key]
    return document


def places(document: Any, paths: Iterable[str]) -> list[Location]:
    """Every place that any of the paths finds, each once, in an order in which all can be removed.

    Members of a list come from the last to the first, and what lies within a place before it.
    """
    found = {location for path in paths for location in locations(path, document)}
    return sorted(found, key=_order, reverse=True)


def _order(location: Location) -> list[tuple[int, str]]:
    return [(key, "") if isinstance(key, int) else (-1, key) for key in location]


def remove(document: Any, paths: Iterable[str]) -> Any:
    """The document, which is changed, without what any of the paths finds in it."""
    for *parent, key in places(document, paths):
        del value_at(document, tuple(parent))[key]
    return document
