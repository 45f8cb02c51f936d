"""The canned queries that a served database answers."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError
from ingest.questions.catalogue import load_canned_queries
from ingest.questions.files import CannedQuery

OWN_QUESTIONS = "canned_queries"


_loaded: dict[Path | None, tuple[Any, dict[str, CannedQuery]]] = {}


def questions_of(path: str | None) -> dict[str, CannedQuery]:
    """The bundled questions and those in `canned_queries` beside a database file, by name.

    Files are read again when they change. Raises ConfigError: a file is wrong, or has the name of
    a bundled question.
    """
    bundled = _load(None)
    folder = Path(path).parent / OWN_QUESTIONS if path else None
    if folder is None or not folder.is_dir():
        return bundled
    own = _load(folder)
    same = sorted(set(own) & set(bundled))
    if same and own != bundled:
        raise ConfigError(f"{folder / same[0]}.sql has the name of a bundled question; rename it")
    return {**bundled, **own}


def _load(folder: Path | None) -> dict[str, CannedQuery]:
    files = sorted(folder.glob("*.sql")) if folder else []
    state = [(file.name, file.stat().st_mtime_ns) for file in files]
    known = _loaded.get(folder)
    if known is None or known[0] != state:
        known = _loaded[folder] = (state, load_canned_queries(folder))
    return known[1]


def question_topics() -> list[tuple[str, list[CannedQuery]]]:
    """The questions by topic, in the order of the navigation."""
    order = ("Compare", "Countries", "Changes", "Runs", "Data")
    known = sorted(
        questions_of(None).values(),
        key=lambda query: (
            order.index(query.topic) if query.topic in order else len(order),
            query.topic,
            query.title,
        ),
    )
    return [(topic, list(group)) for topic, group in groupby(known, lambda query: query.topic)]
