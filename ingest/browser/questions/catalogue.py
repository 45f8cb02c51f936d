"""The canned queries that a served database answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from itertools import groupby
from pathlib import Path

from ingest.browser.own_database import own_tables
from ingest.questions.catalogue import (
    OWN_QUERIES,
    OwnQueries,
    load_canned_queries,
    load_own_queries,
)
from ingest.questions.files import CannedQuery

_loaded: dict[str, tuple[object, OwnQueries]] = {}
_bundled = cache(load_canned_queries)


def questions_of(path: str | None) -> dict[str, CannedQuery]:
    """The bundled questions and those in `canned_queries` beside a database file, by name.

    Files are read again when they change.
    """
    return {**_bundled(), **(_own(path).usable if path else {})}


def question_problems(path: str | None) -> Mapping[str, str]:
    """What is wrong with files of questions beside a database, by their names."""
    return _own(path).problems if path else {}


def _own(path: str) -> OwnQueries:
    folder = Path(path).parent / OWN_QUERIES
    state = [(file.name, _changed_at(file)) for file in sorted(folder.glob("*.sql"))]
    known = _loaded.get(path)
    if known is None or known[0] != state:
        known = _loaded[path] = (state, load_own_queries(Path(path), _bundled(), own_tables()))
    return known[1]


def _changed_at(file: Path) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except OSError:  # a link to nowhere
        return 0


def question_topics(path: str | None = None) -> list[tuple[str, list[CannedQuery]]]:
    """The questions of a database by topic, in the order of the navigation."""
    order = ("Compare", "Countries", "Changes", "Runs", "Data")
    known = sorted(
        questions_of(path).values(),
        key=lambda query: (
            order.index(query.topic) if query.topic in order else len(order),
            query.topic,
            query.title,
        ),
    )
    return [(topic, list(group)) for topic, group in groupby(known, lambda query: query.topic)]
