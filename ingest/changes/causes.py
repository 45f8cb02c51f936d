"""The causes of what moved: which inputs of a combination changed between two of its successes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial

from ingest.database.kept_files import read_file
from ingest.database.read import read_input
from ingest.planning.causes import Cause, ChangeFinder
from ingest.planning.input_changes import InputChange, InputKind
from ingest.planning.inputs import InputSet
from ingest.study.settings import StudySettings
from ingest.text.numbers import at_most

# ISO3 code, and the digests of the country's rows before and after; empty where it had none.
CountryDataPair = tuple[str, str, str]

NONDETERMINISTIC = "none: the model is not deterministic"
NOT_RECORDED = "inputs were not recorded"
CAME, WENT = (
    Cause((InputChange(InputKind.UNKNOWN, f"combination {word}", None, None),))
    for word in ("added", "removed")
)


class CauseFinder:
    """Finds causes by the stored inputs; equal questions are answered once.

    ignore: JSONPaths of what is no input in a model document, as in study.ignore.
    """

    def __init__(
        self, connection: sqlite3.Connection, ignore: Iterable[str] = StudySettings.ignore
    ) -> None:
        self._connection = connection
        content, file = partial(read_input, connection), partial(read_file, connection)
        self._changes = ChangeFinder(content, content, ignore, file, file)
        self._causes = lru_cache(maxsize=None)(self._find)
        self._input_sets = lru_cache(maxsize=None)(self._read_input_set)

    def cause(
        self,
        before_id: int | None,
        after_id: int | None,
        same_document: bool,
        country_data: CountryDataPair | None = None,
    ) -> Cause:
        """What changed between two input sets (their input_set_id, None where not recorded).

        same_document: the composed documents were equal, so neither model nor scenario counts.
        country_data: the country, and the digests of its rows before and after, where they differ.
        """
        return self._causes(before_id, after_id, same_document, country_data)

    def _find(
        self,
        before_id: int | None,
        after_id: int | None,
        same_document: bool,
        country_data: CountryDataPair | None,
    ) -> Cause:
        before, after = self._input_sets(before_id), self._input_sets(after_id)
        if before is None or after is None:
            return Cause((InputChange(InputKind.UNKNOWN, NOT_RECORDED, None, None),))
        changes = tuple(self._all_changes(before, after, same_document, country_data))
        changes = changes or tuple(self._not_recorded(before, after, country_data))
        none = InputChange(InputKind.NONE, NONDETERMINISTIC, None, None)
        return Cause(changes or (none,), after.scenario)

    def _read_input_set(self, set_id: int | None) -> InputSet | None:
        row = self._connection.execute(
            """SELECT scenario, model_digest, scenario_digest, code_digest, environment,
                      query_digest FROM input_sets WHERE input_set_id = ?""",
            [set_id],
        ).fetchone()
        return InputSet(*row) if row else None

    def _all_changes(
        self,
        before: InputSet,
        after: InputSet,
        same_document: bool,
        country_data: CountryDataPair | None,
    ) -> Iterator[InputChange]:
        if not same_document:
            yield from self._changes.of_documents(before, after).changes
        if country_data is not None:
            iso3, *rows = country_data
            yield from self._changes.of_country_data(iso3, before.code_digest, *rows).changes
        if before.code_digest != after.code_digest:
            yield from self._changes.of_code(before.code_digest, after.code_digest).changes
        if before.environment != after.environment:
            kind = InputKind.ENVIRONMENT
            yield InputChange(kind, "environment", before.environment, after.environment)
        if before.query_digest != after.query_digest:
            yield from self._changes.of_query(before.query_digest, after.query_digest).changes

    def _not_recorded(
        self, before: InputSet, after: InputSet, country_data: CountryDataPair | None
    ) -> Iterator[InputChange]:
        """The files that only the later state recorded: whether they changed is not known."""
        rows = country_data[1:] if country_data is not None else ("", "")
        files = self._changes.unrecorded(before.code_digest, after.code_digest, *rows)
        if files:
            name = f"files that were not recorded before: {at_most(files)}"
            yield InputChange(InputKind.UNKNOWN, name, None, None)
