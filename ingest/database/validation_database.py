"""ValidationDatabase: the results database opened for reading and writing.

The modules beside it read and write: those that read take a connection of reading(), those that
write take db.
"""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.database import read, write
from ingest.database.connection import Database
from ingest.database.damage import explain_failure, is_damage
from ingest.database.files import open_for_writing, writer_lock
from ingest.database.kept_files import read_file
from ingest.database.records import JobOutcome, JobRecord, RunRecord, RunStatus, StoredResult
from ingest.database.study_identity import read_study_names
from ingest.errors import DatabaseError, OtherStudyError
from ingest.planning.plan import EMPTY_STATE, StoredState

if TYPE_CHECKING:
    from ingest.planning.inputs import Inputs, InputSet
    from ingest.planning.plan import RestoredJob
    from ingest.study.combination import Combination
    from ingest.study.lists import Rows


class ValidationDatabase:
    """The results in one SQLite file. Reading needs nothing; writing happens within writing()."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reads = read.ReadConnections(path)
        self._db: Database | None = None
        self.set_aside: Path | None = None
        """The copy made before a migration, where there was one."""

    @contextmanager
    def writing(self, *, wait: bool = False) -> Iterator[ValidationDatabase]:
        """Be the one writer, with the schema up to date; wait for another writer if asked to.

        Raises DatabaseError: busy, foreign, original or newer form; the file is left as it was.
        """
        with writer_lock(self.path, wait=wait):
            try:
                self.setup_schema()
                yield self
            except sqlite3.Error as exc:
                damage = explain_failure(exc, self.path) if is_damage(exc) else None
                message = damage or f"{self.path}: {exc}; the last change was undone"
                raise DatabaseError(message) from exc
            finally:
                self._reads.close()
                if self._db is not None:
                    self._db.close()
                self._db = None

    def setup_schema(self) -> None:
        """Create or migrate the schema and become ready to write; see writing()."""
        self._db, self.set_aside = open_for_writing(self.path)

    @property
    def db(self) -> Database:
        """The writing connection; there is one within writing() only."""
        if self._db is None:
            raise DatabaseError(f"{self.path} is not open for writing")
        return self._db

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection from the pool."""
        with self._reads.connection() as connection:
            yield connection

    def close(self) -> None:
        """Close the pool of read-only connections."""
        self._reads.close()

    def start_validation_run(
        self,
        record: RunRecord,
        jobs: Sequence[JobRecord],
        contents: Mapping[str, tuple[str, str]],
        restored: Sequence[RestoredJob] = (),
        input_sets: Sequence[InputSet] = (),
    ) -> int:
        """A new run with all its intended jobs; contents are the inputs to keep. Gives its id.

        restored: jobs that take an earlier result. input_sets: those of the whole study.
        """
        write.keep_inputs(self.db, contents)
        return write.insert_run(self.db, record, jobs, restored, input_sets)

    def record_job_result(self, run_id: int, outcome: JobOutcome) -> StoredResult | None:
        """A job's metrics and its final state, together or not at all."""
        return write.finish_job(self.db, run_id, outcome)

    def update_run_status(
        self, run_id: int, status: RunStatus, finished_at: str | None = None
    ) -> None:
        """Set a run's status and recount its jobs."""
        write.set_run_status(self.db, run_id, status, finished_at)

    def settle(self) -> None:
        """Checkpoint and refresh statistics; at the end of a run."""
        write.settle(self.db)

    def refuse_other_study(self, study: str) -> None:
        """Raise OtherStudyError where these are the results of a study with another name."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        with self.reading() as connection:
            names = read_study_names(connection)
        if names and names[0] != study:
            raise OtherStudyError(
                f"{self.path} holds the results of study {names[0]!r}, and this study is {study!r}:"
                f" name another --database FILE. If they are one study, write name = {names[0]!r} "
                "into [study] of ingest.toml, or say that it was renamed: "
                f"ingest rename-study {shlex.quote(study)} --reason TEXT"
            )

    def stored_state(self) -> StoredState:
        """What planning needs to know; the empty state where there is no database yet."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return EMPTY_STATE
        with self.reading() as connection:
            return read.read_stored_state(
                connection, self._input_content, self._earlier, self._file_content
            )

    def stored_lists(self) -> dict[str, Rows]:
        """What the study consisted of and called things at the newest run that kept it, by kind."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return {}
        with self.reading() as connection:
            return read.read_lists(connection)

    def stored_input_sets(self) -> list[InputSet]:
        """The inputs that the study had at the newest run that kept them, one a scenario."""
        with self.reading() as connection:
            return read.read_run_inputs(connection)

    def _input_content(self, digest: str) -> Any:
        with self.reading() as connection:
            return read.read_input(connection, digest)

    def _file_content(self, digest: str) -> bytes | str | None:
        with self.reading() as connection:
            return read_file(connection, digest)

    def _earlier(self, combination: Combination, inputs: Inputs) -> int | None:
        with self.reading() as connection:
            return read.find_success(connection, combination, inputs)

    def get_failed_jobs(self, run_id: int) -> list[dict[str, Any]]:
        """The jobs of a run that did not succeed, with error_kind and error."""
        with self.reading() as connection:
            return read.read_jobs(connection, run_id, only_failed=True)
