"""The one connection that writes, and its transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

# How long a short query of a reader may take before the log is left as it is.
_READER_WAIT_MS = 250


class Database:
    """An open database that may be written, within atomic() all or nothing."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """A transaction; within another one, a part that can be undone without the rest."""
        is_part = self.conn.in_transaction
        self.conn.execute("SAVEPOINT part" if is_part else "BEGIN")
        try:
            yield
            self.conn.execute("RELEASE part" if is_part else "COMMIT")
        except BaseException:
            if self.conn.in_transaction:  # some errors undo the whole transaction themselves
                self.conn.execute("ROLLBACK TO part" if is_part else "ROLLBACK")
                if is_part:
                    self.conn.execute("RELEASE part")
            raise

    def fold_log(self) -> bool:
        """Fold the write-ahead log into the file; False where a reader still needs some of it.

        Readers are not waited for: the next writer folds the rest.
        """
        (timeout_ms,) = self.conn.execute("PRAGMA busy_timeout").fetchone()
        self.conn.execute(f"PRAGMA busy_timeout = {_READER_WAIT_MS}")
        try:
            is_busy, *_ = self.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            self.conn.execute(f"PRAGMA busy_timeout = {timeout_ms}")
        return not is_busy

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()
