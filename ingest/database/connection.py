"""The one connection that writes, and its transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


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

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()
