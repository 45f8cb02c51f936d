"""Causes: which inputs of a combination changed between two of its successes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from ingest.database.kept_files import read_file
from ingest.database.read import read_input
from ingest.planning.code_history import CodeHistory
from ingest.planning.country_rows import country_changes
from ingest.planning.input_changes import (
    InputChange,
    InputKind,
    describe_changes,
    document_changes,
    parameter_changes,
)
from ingest.planning.inputs import InputSet
from ingest.text.numbers import at_most

# ISO3 code, and the digests of the country's rows before and after; empty where it had none.
CountryDataPair = tuple[str, str, str]

_SHOWN_CHANGES = 3
NONDETERMINISTIC = "none: the model is not deterministic"
NOT_RECORDED = "inputs were not recorded"


@dataclass(frozen=True)
class Cause:
    """All inputs that changed; text is one line for people."""

    changes: tuple[InputChange, ...]
    text: str

    @property
    def kinds(self) -> tuple[InputKind, ...]:
        """The kinds of inputs that changed, each once."""
        return tuple(dict.fromkeys(change.kind for change in self.changes))

    @property
    def is_nondeterministic(self) -> bool:
        """Whether numbers changed although no input did."""
        return self.kinds == (InputKind.NONE,)


class CauseFinder:
    """Finds causes by the stored inputs; equal questions are answered once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._causes = lru_cache(maxsize=None)(self._find)
        self._input_sets = lru_cache(maxsize=None)(self._read_input_set)
        self._model_changes = lru_cache(maxsize=None)(self._find_model_changes)
        self._code_changes = lru_cache(maxsize=None)(self._find_code_changes)

    @cached_property
    def _code(self) -> CodeHistory:
        return CodeHistory(self._content, self._file)

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
            return Cause((InputChange(InputKind.UNKNOWN, NOT_RECORDED, None, None),), NOT_RECORDED)
        changes = tuple(self._changes(before, after, same_document, country_data))
        changes = changes or tuple(self._not_recorded(before, after, country_data))
        if not changes:
            none = InputChange(InputKind.NONE, NONDETERMINISTIC, None, None)
            return Cause((none,), NONDETERMINISTIC)
        return Cause(changes, _text(changes, after.scenario))

    def _read_input_set(self, set_id: int | None) -> InputSet | None:
        row = self._connection.execute(
            """SELECT scenario, model_digest, scenario_digest, code_digest, environment,
                      query_digest FROM input_sets WHERE input_set_id = ?""",
            [set_id],
        ).fetchone()
        return InputSet(*row) if row else None

    def _changes(
        self,
        before: InputSet,
        after: InputSet,
        same_document: bool,
        country_data: CountryDataPair | None,
    ) -> Iterator[InputChange]:
        if not same_document and before.model_digest != after.model_digest:
            yield from self._model_changes(before.model_digest, after.model_digest)
        if not same_document and before.scenario_digest != after.scenario_digest:
            digests = before.scenario_digest, after.scenario_digest
            yield from parameter_changes(*map(self._content, digests))
        if country_data is not None:
            iso3, old_rows, new_rows = country_data
            old, new = (self._content(rows) or {} if rows else {} for rows in (old_rows, new_rows))
            yield from country_changes(iso3, old, new, before.code_digest, {}, self._code)
        yield from self._code_changes(before.code_digest, after.code_digest)
        if before.environment != after.environment:
            kind = InputKind.ENVIRONMENT
            yield InputChange(kind, "environment", before.environment, after.environment)
        if before.query_digest != after.query_digest:
            yield InputChange(InputKind.QUERY, "analytics query", None, None)

    def _not_recorded(
        self, before: InputSet, after: InputSet, country_data: CountryDataPair | None
    ) -> Iterator[InputChange]:
        """The files that only the later state recorded: whether they changed is not known."""
        files = self._code.newly_covered(before.code_digest, self._content(after.code_digest) or {})
        if country_data is not None and not country_data[1]:
            files += self._content(country_data[2]) or {}
        if files:
            name = f"files that were not recorded before: {at_most(files)}"
            yield InputChange(InputKind.UNKNOWN, name, None, None)

    def _find_model_changes(self, before: str, after: str) -> tuple[InputChange, ...]:
        return tuple(document_changes(self._content(before), self._content(after)))

    def _find_code_changes(self, before: str, after: str) -> tuple[InputChange, ...]:
        if before == after:
            return ()
        return tuple(self._code.changes(before, after, self._content, self._file))

    def _content(self, digest: str) -> Any:
        return read_input(self._connection, digest)

    def _file(self, digest: str) -> bytes | str | None:
        return read_file(self._connection, digest)


def _text(changes: tuple[InputChange, ...], scenario: str) -> str:
    """One line: the inputs, each with its first few changes."""
    heads = {
        InputKind.MODEL: "model document: ",
        InputKind.SCENARIO: f"{scenario}: ",
        InputKind.CODE: "code: ",
    }
    parts = []
    for kind in dict.fromkeys(change.kind for change in changes):
        own = [change for change in changes if change.kind is kind]
        parts.append(heads.get(kind, "") + describe_changes(own, _SHOWN_CHANGES))
    return "; ".join(parts)
