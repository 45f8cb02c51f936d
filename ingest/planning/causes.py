"""Causes: which inputs differ between two input sets, and how a cause is told in one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

from ingest.planning.code_history import CodeHistory, FileLookup, no_file
from ingest.planning.country_rows import Rows, country_changes
from ingest.planning.document_changes import document_changes
from ingest.planning.input_changes import (
    InputChange,
    InputKind,
    describe_changes,
    named_changes,
    query_changes,
)
from ingest.planning.inputs import ContentLookup, InputSet
from ingest.planning.parameter_changes import parameter_changes

if TYPE_CHECKING:
    from ingest.study.study import Model

_SHOWN = 3
NOT_KEPT = "what it was before is not kept"


@dataclass(frozen=True)
class Cause:
    """All inputs that changed, kind by kind. scenario: that of the combination, for texts."""

    changes: tuple[InputChange, ...]
    scenario: str = ""

    @property
    def kinds(self) -> tuple[InputKind, ...]:
        """The kinds of inputs that changed, each once."""
        return tuple(dict.fromkeys(change.kind for change in self.changes))

    @property
    def is_nondeterministic(self) -> bool:
        """Whether numbers changed although no input did."""
        return self.kinds == (InputKind.NONE,)

    @cached_property
    def key(self) -> str:
        """The same for causes with the same changes, whatever the scenario."""
        return "\n".join(f"{change.kind} {change}" for change in self.changes)

    @cached_property
    def text(self) -> str:
        """One line: "model document: ...; scale_up: ...; code: ..."."""
        return self.told([self.scenario])

    def told(self, scenarios: Sequence[str]) -> str:
        """The text for all scenarios that have this cause: "in 9 scenarios: ..."."""
        heads = {
            InputKind.MODEL: "model document: ",
            InputKind.SCENARIO: f"{_one_or_all(scenarios)}: ",
            InputKind.CODE: "code: ",
            InputKind.QUERY: "analytics query: ",
        }
        return "; ".join(heads.get(kind, "") + text for kind, text in self._told_by_kind)

    def reason(self, scenarios: Sequence[str]) -> str:
        """The text as the reason of a job: "model document changed (...)"."""
        one = len(scenarios) == 1
        who = f"scenario {scenarios[0]}" if one else f"{len(scenarios)} scenarios"
        heads = {
            InputKind.MODEL: "model document changed",
            InputKind.SCENARIO: f"{who} changed",
            InputKind.CODE: "code changed",
            InputKind.QUERY: "analytics query changed",
        }
        return " and ".join(
            f"{heads[kind]} ({text})" if kind in heads else text
            for kind, text in self._told_by_kind
        )

    def more(self, show_all: bool = False) -> list[str]:
        """What the text leaves out: every further change that can move a number; with show_all,
        those that cannot, too.
        """
        return [
            str(change)
            for _, own, limit in self._by_kind
            for change in own
            if (show_all or not change.sum_noun) and change not in named_changes(own, limit)
        ]

    @property
    def _by_kind(self) -> list[tuple[InputKind, list[InputChange], int]]:
        """The changes of each kind, and how many are named in a line.

        A kind where none can move a number comes last, and is summed up where another has one.
        """
        by_kind = groupby(self.changes, key=lambda change: change.kind)
        groups = [(kind, list(own)) for kind, own in by_kind]
        moves = {kind: any(not change.sum_noun for change in own) for kind, own in groups}
        limits = {kind: _SHOWN if moves[kind] or not any(moves.values()) else 0 for kind in moves}
        ordered = sorted(groups, key=lambda group: not moves[group[0]])
        return [(kind, own, limits[kind]) for kind, own in ordered]

    @property
    def _told_by_kind(self) -> list[tuple[InputKind, str]]:
        return [(kind, describe_changes(own, limit)) for kind, own, limit in self._by_kind]


def _one_or_all(scenarios: Sequence[str]) -> str:
    return scenarios[0] if len(scenarios) == 1 else f"in {len(scenarios)} scenarios"


class ChangeFinder:
    """Finds what changed between input sets; equal questions are answered once.

    before, now: contents of inputs by digest, None where one is not known; file_before, file_now:
    those of code and data files. ignore: JSONPaths of what is no input in the model document.
    row_files: digests of the files of country data as they are now.
    """

    def __init__(
        self,
        before: ContentLookup,
        now: ContentLookup,
        ignore: Iterable[str] = (),
        file_before: FileLookup = no_file,
        file_now: FileLookup = no_file,
        row_files: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._before, self._now = before, now
        self._file_now, self._row_files = file_now, row_files
        self._history = CodeHistory(before, file_before)
        self._ignore = tuple(ignore)
        self.of_model = lru_cache(maxsize=None)(self._of_model)
        self.of_documents = lru_cache(maxsize=None)(self._of_documents)
        self.of_code = lru_cache(maxsize=None)(self._of_code)
        self.of_country_data = lru_cache(maxsize=None)(self._of_country_data)
        self._models = lru_cache(maxsize=None)(self._model)
        self._same_input = lru_cache(maxsize=None)(self._is_same_input)

    def _of_documents(self, before: InputSet, now: InputSet) -> Cause:
        """What differs between the model documents and between the scenarios of two input sets."""
        changes: list[InputChange] = []
        if before.model_digest != now.model_digest:
            changes += self.of_model(before.model_digest, now.model_digest)
        if before.scenario_digest != now.scenario_digest:
            old = self._before(before.scenario_digest)
            new = self._now(now.scenario_digest)
            models = self._before(before.model_digest), self._now(now.model_digest)
            changes += (
                parameter_changes(old, new, *models)
                if old is not None and new is not None
                else [_not_kept(InputKind.SCENARIO)]
            )
        return Cause(tuple(changes), now.scenario)

    def _of_model(self, before: str, now: str) -> list[InputChange]:
        old, new = self._before(before), self._now(now)
        if old is None or new is None:
            return [_not_kept(InputKind.MODEL)]
        return document_changes(old, new, self._ignore)

    def _of_code(self, before: str, now: str) -> Cause:
        """What differs between two versions of the code, in files that both cover."""
        changes = self._history.changes(before, now, self._now, self._file_now)
        return Cause((_not_kept(InputKind.CODE),) if changes is None else tuple(changes))

    def of_query(self, before: str, now: str, sources: Sequence[str] = ()) -> Cause:
        """What differs between two analytics queries.

        sources: the names of the source before and now, where they are known. What of a source's
        settings only one of them tells is no change: a later version of it tells more.
        """
        if len(set(sources)) > 1:
            return Cause((InputChange(InputKind.QUERY, "analytics.source", *sources),))
        old, new = self._before(before), self._now(now)
        if old is None or new is None:
            return Cause((_not_kept(InputKind.QUERY),))
        named = {"source": sources[0]} if sources else {}
        return Cause(tuple(query_changes(named | old, named | new)))

    def _of_country_data(self, iso3: str, code: str, before: str, now: str) -> Cause:
        """What differs between two digests of a country's rows; empty where they are the same.

        code: the code version before, which may have had the whole files.
        """
        old, new = self._rows(before, now)
        if old is None or new is None:
            return Cause((_not_kept(InputKind.COUNTRY_DATA),))
        return Cause(tuple(country_changes(iso3, old, new, code, self._row_files, self._history)))

    def _rows(self, before: str, now: str) -> tuple[Rows | None, Rows | None]:
        return self._before(before) if before else {}, self._now(now) if now else {}

    def unrecorded(self, code: str, code_now: str, rows: str, rows_now: str) -> list[str]:
        """The files that only the later of two code versions, or of two rows, looked for."""
        files = self._history.newly_covered(code, self._now(code_now) or {})
        old, new = self._rows(rows, rows_now)
        named = (new or {}).keys() - (old or {}).keys()
        return sorted({*files, *(n for n in named if not self._history.known_file(code, n))})

    def is_same_input(self, before: InputSet, now: InputSet, country: str) -> bool:
        """Whether two documents differ by what is no input alone, as far as contents were kept."""
        answer = self._same_input(before, now, None)
        return self._same_input(before, now, country) is True if answer is None else answer

    def _is_same_input(self, before: InputSet, now: InputSet, country: str | None) -> bool | None:
        from ingest.study.compose import gives_same_input
        from ingest.study.scenario import scenario_of

        if before.scenario_digest != now.scenario_digest:
            return False
        if before.model_digest == now.model_digest:
            return False  # the same files, composed otherwise
        old = self._models(self._before, before.model_digest)
        new = self._models(self._now, now.model_digest)
        content = self._now(now.scenario_digest)
        if old is None or new is None or content is None:
            return False
        return gives_same_input(old, new, scenario_of(content), country)

    def _model(self, look_up: ContentLookup, digest: str) -> Model | None:
        from ingest.study.study import Model

        document = look_up(digest)
        return None if document is None else Model(document, "", self._ignore)


def _not_kept(kind: InputKind) -> InputChange:
    return InputChange(kind, NOT_KEPT, None, None)
