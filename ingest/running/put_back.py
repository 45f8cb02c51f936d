"""The inputs of two states of one combination, and any mixture of them put back to be run."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ingest.database.kept_files import read_file
from ingest.database.read import read_input
from ingest.errors import ConfigError
from ingest.planning.code_history import CodeHistory
from ingest.planning.country_rows import country_changes
from ingest.planning.document_changes import document_changes
from ingest.planning.input_changes import describe_changes
from ingest.planning.inputs import Inputs, InputSet
from ingest.planning.parameter_changes import parameter_changes
from ingest.study.code_version import differing_parts, is_file
from ingest.study.combination import Combination
from ingest.study.compose import compose_scenario
from ingest.study.country_data import parse_rows
from ingest.study.file_contents import FileContents
from ingest.study.scenario import Parameter, Scenario
from ingest.study.study import Model, Study
from ingest.study.study_files import is_code, list_study_files
from ingest.text.csv_rows import parse_csv

_SHOWN_CHANGES = 2
_DATABASE_ENDINGS = (".db", "-wal", "-shm", ".lock")


@dataclass(frozen=True)
class Piece:
    """One input that differs between the two states; obstacle: why it cannot be put back.

    files: the code and data files that belong to it.
    """

    name: str
    text: str
    obstacle: str | None = None
    files: tuple[str, ...] = ()


class TwoStates:
    """The inputs of a combination before and after, from what the database kept."""

    def __init__(
        self,
        study: Study,
        connection: sqlite3.Connection,
        combination: Combination,
        before: Inputs,
        after: Inputs,
    ) -> None:
        self._study, self._connection = study, connection
        self._combination = combination
        self._before, self._after = before, after
        self._present = FileContents(study)
        self._history = CodeHistory(self._content, self._file)

    def _content(self, digest: str) -> Any:
        return read_input(self._connection, digest)

    def _file(self, digest: str) -> bytes | str | None:
        kept = read_file(self._connection, digest)
        return kept if isinstance(kept, bytes) else self._present.read(digest) or kept

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Every input that differs, the document's first."""
        before, after = self._before.shared, self._after.shared
        pieces: list[Piece] = []
        if self._before.document_digest != self._after.document_digest:
            pieces += self._document_pieces(before, after)
        pieces += self._country_pieces()
        pieces += self._code_pieces()
        if before.environment != after.environment:
            text = f"environment {before.environment} -> {after.environment}"
            pieces.append(Piece("environment", text, "an environment is a name alone"))
        if before.query_digest != after.query_digest:
            pieces.append(
                Piece("query", "analytics query", "it decides what is read, not computed")
            )
        return tuple(pieces)

    def _document_pieces(self, before: InputSet, after: InputSet) -> Iterator[Piece]:
        if before.model_digest != after.model_digest:
            digests = before.model_digest, after.model_digest
            yield self._document_piece("model document", *digests, document_changes)
        if before.scenario_digest != after.scenario_digest:
            digests = before.scenario_digest, after.scenario_digest
            yield self._document_piece(f"scenario {after.scenario}", *digests, parameter_changes)

    def _document_piece(
        self, name: str, before: str, after: str, compare: Callable[[Any, Any], Any]
    ) -> Piece:
        old, new = self._content(before), self._content(after)
        if old is None or new is None:
            return Piece(name, name, "its content was not kept")
        return Piece(name, f"{name}: {describe_changes(compare(old, new), _SHOWN_CHANGES)}")

    def _country_pieces(self) -> list[Piece]:
        if self._before.country_data_digest == self._after.country_data_digest:
            return []
        code = self._before.shared.code_digest
        changes = country_changes(self._combination.country, *self._rows, code, {}, self._history)
        text = describe_changes(changes, _SHOWN_CHANGES)
        known = all(self._rows)
        return [Piece("country data", text, None if known else "its rows before were not kept")]

    @cached_property
    def _rows(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The country's row in each file of country data, before and after."""
        digests = self._before.country_data_digest, self._after.country_data_digest
        old, new = (self._content(digest) or {} if digest else {} for digest in digests)
        for file in self._study.country_data.files:  # a part of the code before it was named
            known = self._history.known_file(self._before.shared.code_digest, file.name)
            raw = self._file(known) if known and file.name not in old else None
            if isinstance(raw, bytes):
                rows, _ = parse_rows(raw, file.name, file.key)
                old[file.name] = rows.get(self._combination.country)
        return old, new

    def _code_pieces(self) -> list[Piece]:
        """Code as a whole, since its files go together, and each data file."""
        old, new = self._parts
        names = differing_parts(old, new)
        code = tuple(name for name in names if is_code(name))
        groups = [code] if code else []
        groups += [(name,) for name in names if not is_code(name)]
        return [self._file_piece(files, old, new) for files in groups]

    def _file_piece(
        self, files: tuple[str, ...], old: Mapping[str, str], new: Mapping[str, str]
    ) -> Piece:
        changes = self._history.changes(
            self._before.shared.code_digest,
            self._after.shared.code_digest,
            self._content,
            self._file,
        )
        heads = tuple(f"{name}{end}" for name in files for end in " ,:")
        own = [c for c in changes or () if c.name in files or c.name.startswith(heads)]
        text = describe_changes(own, _SHOWN_CHANGES) or ", ".join(files)
        obstacle = None
        for name in files:
            if not is_file(name):
                return Piece(name, name, "a setting of how the model is called")
            for digest in filter(None, (old.get(name), new.get(name))):
                found = self._file(digest)
                if not isinstance(found, bytes):
                    obstacle = found or "its content was not kept"
        return Piece(files[0] if len(files) == 1 else "code", text, obstacle, files)

    @cached_property
    def _parts(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The parts of both code versions."""
        digests = self._before.shared.code_digest, self._after.shared.code_digest
        old, new = (self._content(digest) or {} for digest in digests)
        return old, new

    # --- a mixture -----------------------------------------------------------------------------

    def document(self, new: frozenset[str]) -> bytes:
        """The composed document, with those pieces as they are after and the others as before."""
        sets = self._before.shared, self._after.shared
        scenario = self._after.shared.scenario
        model_digest = sets["model document" in new].model_digest
        scenario_digest = sets[f"scenario {scenario}" in new].scenario_digest
        model = self._content(model_digest)
        parameters = self._content(scenario_digest)
        if model is None or parameters is None:
            raise ConfigError("the model document or the scenario was not kept: nothing can be run")
        entries = tuple(Parameter(name, value, tuple(paths)) for name, value, paths in parameters)
        made = Scenario(scenario, scenario, "", entries, "")
        return compose_scenario(Model(model, "model.json"), made).document(
            self._combination.country
        )

    def fill(self, folder: Path, new: frozenset[str]) -> None:
        """The study's folder with those pieces as they are after and the others as before."""
        old_parts, new_parts = self._parts
        files = {name for name in new_parts if name in self._study.code.files}
        chosen = {name: new_parts[name] for name in files}
        for piece in self.pieces:
            if piece.files and piece.name not in new:
                chosen |= {name: old_parts.get(name, "") for name in piece.files}
        placed = {name for name, digest in chosen.items() if self._place(folder, name, digest)}
        for name, row in self._rows["country data" in new].items():
            self._place_row(folder, name, row)
            placed.add(name)
        placed |= chosen.keys()
        for name in list_study_files(self._study.root).names:
            if name not in placed:
                _link(self._study.root / name, folder / name)
        for path in self._study.root.iterdir():
            if not path.name.endswith(_DATABASE_ENDINGS) and path.name not in placed:
                _link(path, folder / path.name)

    def _place(self, folder: Path, name: str, digest: str) -> bool:
        content = self._file(digest) if digest else None
        if isinstance(content, bytes):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        elif digest and digest == self._study.code.parts.get(name):
            _link(self._study.root / name, folder / name)
        elif digest:
            raise ConfigError(f"{name} as it was is not kept: nothing can be run")
        return bool(digest)

    def _place_row(self, folder: Path, name: str, row: Mapping[str, str] | None) -> None:
        """A file of country data as it is now, with the row of the country in question."""
        file = next(file for file in self._study.country_data.files if file.name == name)
        delimiter = "\t" if name.lower().endswith(".tsv") else ","
        header, lines = parse_csv((self._study.root / name).read_bytes(), name, delimiter)
        place = header.index(file.key)
        others = [cells for _, cells in lines if cells[place : place + 1] != [self._iso3]]
        header += [column for column in row or () if column not in header]
        own: Sequence[Sequence[str]] = [[row.get(c, "") for c in header]] if row else []
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(
            [header, *others, *own]
        )
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.getvalue(), encoding="utf-8")

    @property
    def _iso3(self) -> str:
        return self._combination.country


def _link(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())
