"""Names of jobs: ours, and those of the run API (botech-sim-{environment}-{ULID})."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Crockford's base 32: no I, L, O and U; the first character of 128 bits is 7 at most.
_ULID = r"[0-7][0-9A-HJKMNP-TV-Z]{25}"
_JOB_NAME = re.compile(rf"botech-sim-(?P<environment>[^-]+)-(?P<ulid>{_ULID})")


@dataclass(frozen=True)
class JobName:
    """What a job name says; an environment may hold an underscore, never a hyphen."""

    environment: str
    ulid: str


def name_job(study: str, ulid: str) -> str:
    """The name under which a job of a study is submitted; made of letters AWS Batch takes."""
    return f"ingest-{_clean(study)}-{ulid}"


def name_array(study: str, ulid: str) -> str:
    """The name under which several jobs of a study are submitted together."""
    return f"ingest-{_clean(study)}-array-{ulid}"


def _clean(study: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", study)[:60]


def new_ulid() -> str:
    """A ULID that nobody else has; those of a later millisecond sort after it."""
    from ulid import ULID

    return str(ULID())


def is_ulid(text: str) -> bool:
    """Whether a text is the 26 characters of a ULID, in capitals."""
    return re.fullmatch(_ULID, text) is not None


def parse_job_name(text: str) -> JobName | None:
    """Environment and ULID of a job name, None for a text of another form."""
    match = _JOB_NAME.fullmatch(text)
    return JobName(match["environment"], match["ulid"]) if match else None
