"""The results database: one SQLite file, one writer, any number of readers.

In: runs, jobs and result sets. Out: rows, and the state as of a run.
Imports: analytics, planning, study. Only this package writes SQL that changes anything.
"""

from ingest.database.validation_database import ValidationDatabase

__all__ = ["ValidationDatabase"]
