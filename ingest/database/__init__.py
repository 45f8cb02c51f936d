"""The results database: one SQLite file, one writer, any number of readers.

In: runs, jobs and result sets. Out: rows, and the state as of a run.
Imports: analytics, planning, study. Only this package writes SQL that changes anything.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.database.validation_database import ValidationDatabase

__all__ = ["ValidationDatabase"]


def __getattr__(name: str) -> Any:
    """ValidationDatabase, imported when it is asked for: commands that only read do without."""
    if name != "ValidationDatabase":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ingest.database.validation_database import ValidationDatabase

    return ValidationDatabase
