"""The results database: one SQLite file, one writer, any number of readers."""

from ingest.database.validation_database import ValidationDatabase

__all__ = ["ValidationDatabase"]
