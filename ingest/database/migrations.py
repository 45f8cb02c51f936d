"""Numbered migrations, applied by sqlite-utils; it is imported only when one is to be applied."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

    Migration = Callable[[Database], None]

MIGRATIONS_TABLE = "_sqlite_migrations"


class Migrations:
    """Changes of a schema by name, in order."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._migrations: dict[str, Migration] = {}

    def __call__(self, *, name: str) -> Callable[[Migration], Migration]:
        """A decorator that adds a function as the last migration."""

        def add(function: Migration) -> Migration:
            self._migrations[name] = function
            return function

        return add

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all migrations, in order."""
        return tuple(self._migrations)

    def applied(self, connection: sqlite3.Connection) -> set[str]:
        """The names of those that a database has, known or not; none where there is no record."""
        tables = "SELECT 1 FROM sqlite_master WHERE name = ?"
        if connection.execute(tables, [MIGRATIONS_TABLE]).fetchone() is None:
            return set()
        names = f"SELECT name FROM {MIGRATIONS_TABLE} WHERE migration_set = ?"
        return {name for (name,) in connection.execute(names, [self._name])}

    def apply(self, connection: sqlite3.Connection, *, stop_before: str | None = None) -> None:
        """Apply those that a database lacks, each in a transaction."""
        if self.applied(connection) >= self._migrations.keys():
            return
        from sqlite_utils import Database
        from sqlite_utils.migrations import Migrations as Applied

        migrations = Applied(self._name)
        for name, function in self._migrations.items():
            migrations(name=name)(function)
        migrations.apply(Database(connection), stop_before=stop_before)
