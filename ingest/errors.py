"""The errors a person can act on, one root; anything else that escapes is a bug.

IngestError                     exit code 1
├── ConfigError                 2   usage or configuration: the study, an option, a selection
│   ├── StudyError              2   carries all findings about the study's files
│   ├── PluginError             2   a plugin could not be loaded or broke its contract
│   ├── JsonFileError           2   a JSON file cannot be used (study.json_files)
│   ├── ImportFileError         2   a file to import cannot be used (exchange.imported_records)
│   └── BundleError             2   a file is no bundle, or was changed (exchange.bundle)
├── DatabaseError               2   the results database cannot be used as it is
│   ├── DatabaseMissingError    2   there is no database yet
│   ├── DatabaseBusyError       2   another run is writing to it
│   ├── OriginalSchemaError     2   the original three-table schema; import it, it is never written
│   ├── NewerSchemaError        2   written by a later version of ingest
│   ├── OtherStudyError         2   the results of another study
│   └── QueryError              2   SQL that a person typed is wrong or tries to write
├── AnalyticsError              1   one job's results cannot be used; only that job fails
│   └── ResultsNotReadyError    1   there are none yet; ask again for a while
│       ├── CutOffError         1   what came ends amid its text
│       └── ThrottledError      1   the service asks for fewer calls; all calls wait
├── BackendError                4   the place where jobs run could not be used
├── OutputError                 74  standard output took nothing, or not all
└── InterruptedRunError         130 stopped by the user
"""

from __future__ import annotations

from collections.abc import Sequence

from ingest.findings import Finding

__all__ = [
    "AnalyticsError",
    "BackendError",
    "ConfigError",
    "CutOffError",
    "DatabaseBusyError",
    "DatabaseError",
    "DatabaseMissingError",
    "IngestError",
    "InterruptedRunError",
    "NewerSchemaError",
    "OriginalSchemaError",
    "OtherStudyError",
    "OutputError",
    "PluginError",
    "QueryError",
    "ResultsNotReadyError",
    "StudyError",
    "ThrottledError",
]


class IngestError(Exception):
    """Root: str(error) is one line that names the thing, the value and the next step."""

    exit_code = 1


class ConfigError(IngestError):
    """Usage or configuration is wrong."""

    exit_code = 2


class StudyError(ConfigError):
    """The study cannot be used; findings holds every reason at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        errors = [finding for finding in self.findings if finding.is_error]
        first = str(errors[0]) if errors else "the study is not valid"
        more = f" (and {len(errors) - 1} more: ingest check)" if len(errors) > 1 else ""
        super().__init__(first + more)


class PluginError(ConfigError):
    """A plugin could not be loaded or broke the contract of its hook."""


class DatabaseError(IngestError):
    """The results database cannot be used as it is."""

    exit_code = 2


class DatabaseMissingError(DatabaseError):
    """There is no database at the path given."""


class DatabaseBusyError(DatabaseError):
    """Another process is writing to this database; pid is its process id where known."""

    def __init__(self, message: str, pid: int | None) -> None:
        self.pid = pid
        super().__init__(message)


class OriginalSchemaError(DatabaseError):
    """The database has the original three-table schema."""


class NewerSchemaError(DatabaseError):
    """The database was written by a later version of ingest."""


class OtherStudyError(DatabaseError):
    """The database holds the results of another study."""


class QueryError(DatabaseError):
    """SQL that a person typed is wrong, or tries to write."""


class AnalyticsError(IngestError):
    """One job's results cannot be used."""


class ResultsNotReadyError(AnalyticsError):
    """A job that succeeded has no results yet; after_s is when to ask again, where told."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        self.after_s = after_s
        super().__init__(message)


class CutOffError(ResultsNotReadyError):
    """Results that end amid their text, as far as it shows."""


class ThrottledError(ResultsNotReadyError):
    """The service asks for fewer calls: no job's results are asked for before after_s is over."""


class BackendError(IngestError):
    """The place where jobs run could not be used: credentials, network, quota, missing program."""

    exit_code = 4


class OutputError(IngestError):
    """What a command prints could not be written to standard output, or not all of it."""

    exit_code = 74  # EX_IOERR of sysexits.h


class InterruptedRunError(IngestError):
    """The user stopped the run; what had finished is stored."""

    exit_code = 130
