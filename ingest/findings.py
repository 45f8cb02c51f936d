"""Finding: one thing that is wrong or doubtful, told so that it can be mended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is: an error stops the work, a warning is shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One problem. code: a stable word for machines; where: a file with line, or a name."""

    severity: Severity
    code: str
    where: str
    message: str

    @property
    def is_error(self) -> bool:
        """Whether this stops the work."""
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message

    def as_dict(self) -> dict[str, str]:
        """The finding as JSON fields."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "where": self.where,
            "message": self.message,
        }


def error(code: str, where: str, message: str) -> Finding:
    """A finding that stops the work."""
    return Finding(Severity.ERROR, code, where, message)


def warning(code: str, where: str, message: str) -> Finding:
    """A finding that is shown and does not stop the work."""
    return Finding(Severity.WARNING, code, where, message)


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any finding stops the work."""
    return any(finding.is_error for finding in findings)
