"""How the dev server misbehaves: which faults there are, how often each, decided from a seed."""

from __future__ import annotations

import math
import random
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from ingest.errors import ConfigError
from ingest.text.suggest import did_you_mean


class Endpoint(StrEnum):
    """The calls of the two APIs."""

    DOCS = "docs"
    SUBMIT = "submit"
    STATUS = "status"
    ANALYTICS = "analytics"


KINDS = {
    "docs-503": "the health check is answered with 503",
    "docs-redirect": "the health check leads on to a login page",
    "submit-429": "refused as one too many, nothing accepted",
    "submit-413": "refused as too large, nothing accepted",
    "submit-500": "an internal error, nothing accepted",
    "submit-503": "not available, nothing accepted",
    "submit-drop-before": "the connection is closed, nothing accepted",
    "submit-drop-after": "the job is accepted, then the connection is closed unanswered",
    "submit-truncated": "the job is accepted, the connection ends amid the answer",
    "submit-broken-json": "the job is accepted, the answer is whole but broken JSON",
    "submit-same-ulid": "the job is accepted under the ULID of the first job",
    "submit-same-id": "the job is accepted under the id of the first job",
    "submit-other-environment": "the job is accepted for another environment",
    "submit-dribble": "the job is accepted, the answer comes byte by byte and never ends",
    "submit-login": "a login page, nothing accepted",
    "submit-wrong-types": "the job is accepted, the answer holds numbers for its names",
    "status-429": "refused as one too many",
    "status-500": "an internal error",
    "status-503": "not available",
    "status-drop": "the connection is closed unanswered",
    "status-redirect": "the call leads on to a login page",
    "status-truncated": "the connection ends amid the answer",
    "status-broken-json": "the answer is whole but broken JSON",
    "status-wrong-types": "jobStatus is a number, startedAt and exitCode are texts",
    "status-unknown-state": "jobStatus is a word that is none of AWS Batch's",
    "status-no-state": "jobStatus is missing",
    "status-seconds": "startedAt is in seconds instead of milliseconds",
    "status-lost": "404 for an accepted job, from the first question on",
    "status-forgotten": "404 for a job that has ended",
    "analytics-429": "refused as one too many",
    "analytics-500": "an internal error",
    "analytics-503": "not available",
    "analytics-drop": "the connection is closed unanswered",
    "analytics-truncated": "the connection ends amid the answer",
    "analytics-broken-json": "the answer is whole, but half of its text is missing",
    "analytics-cut-csv": "CSV whose connection ends three bytes early, without a Content-Length",
    "analytics-cut-gzip": "a whole answer whose gzip was cut off before",
    "analytics-few-years": "only the first ten years",
    "analytics-few-labels": "only the first half of the labels",
    "analytics-dribble": "the answer comes byte by byte and never ends",
    "analytics-login": "a login page with 200",
    "analytics-redirect": "the call leads on to a login page",
    "analytics-empty": "an empty array instead of the results",
    "analytics-late": "an empty array at the first two questions for a job's results",
    "job-not-started": "the job ends as FAILED, as its container's image could not be pulled",
    "job-failed": "the job ends as FAILED, with exit code 1 and a reason",
    "job-stuck": "the job runs and never ends",
}
# Decided once for each job, not anew at every call.
ONCE_A_JOB = (
    *("status-seconds", "status-lost", "status-forgotten", "analytics-late"),
    *("job-not-started", "job-failed", "job-stuck"),
)
# Of a kind that hits only the first calls about a job: how many.
_FIRST_CALLS = {"analytics-late": 2}
# Faults that take the place of an answer before the call has had any effect.
REFUSED_WITH = (413, 429, 500, 503)


@dataclass(frozen=True)
class Faults:
    """How the server misbehaves.

    rates: share of calls (of jobs, where a kind is decided once a job) by fault kind, 0 to 1.
    latency_s: seconds that each call takes, by endpoint. retry_after_s: the Retry-After header of
    429 and 503; none where None. analytics_lag_s: results show up this long after their job's end.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    latency_s: Mapping[str, float] = field(default_factory=dict)
    retry_after_s: float | None = None
    analytics_lag_s: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises ConfigError: an unknown kind or endpoint, a rate or time out of range."""
        for kind, rate in self.rates.items():
            if kind not in KINDS:
                hint = did_you_mean(kind, KINDS)
                raise ConfigError(f"no fault {kind!r}.{hint} All kinds: ingest dev-server --help")
            if not _is_number(rate) or not 0 <= rate <= 1:
                raise ConfigError(f"fault {kind}: a rate from 0 to 1 is needed, not {rate!r}")
        for name, seconds in self.latency_s.items():
            if name not in tuple(Endpoint):
                known = ", ".join(Endpoint)
                raise ConfigError(f"latency: no endpoint {name!r}; there are {known}")
            _check_seconds(f"latency {name}", seconds)
        if self.retry_after_s is not None:
            _check_seconds("retry_after_s", self.retry_after_s)
        _check_seconds("analytics_lag_s", self.analytics_lag_s)
        if not isinstance(self.seed, int) or isinstance(self.seed, bool):
            raise ConfigError(f"seed: a whole number is needed, not {self.seed!r}")

    def changed(self, changes: Mapping[str, Any]) -> Faults:
        """These faults with the named fields replaced; an empty mapping clears a field of rates.

        Raises ConfigError: an unknown field, or a value as above.
        """
        known = self.as_dict()
        for name, value in changes.items():
            if name not in known:
                raise ConfigError(f"faults have no {name!r}; there are {', '.join(known)}")
            if name in ("rates", "latency_s") and not isinstance(value, Mapping):
                raise ConfigError(f"{name}: an object is needed, not {value!r}")
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON has them."""
        return asdict(self)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_seconds(name: str, value: Any) -> None:
    if not _is_number(value) or not 0 <= value < math.inf:
        raise ConfigError(f"{name}: seconds from 0 on are needed, not {value!r}")


def parse_rates(texts: Iterable[str]) -> dict[str, float]:
    """Rates by kind from texts like "submit-429:0.1". Raises ConfigError for another form."""
    return _numbers(texts, ":", "--fault {!r}: write KIND:RATE, e.g. submit-429:0.1")


def parse_latency(texts: Iterable[str]) -> dict[str, float]:
    """Seconds by endpoint from texts like "submit=0.5,status=0.1". Raises ConfigError."""
    parts = (part for text in texts for part in text.split(",") if part.strip())
    form = "--latency {!r}: write ENDPOINT=SECONDS, e.g. submit=0.5,status=0.1"
    return _numbers(parts, "=", form)


def _numbers(texts: Iterable[str], sign: str, problem: str) -> dict[str, float]:
    """Numbers by name from texts that have a sign between the two."""
    numbers = {}
    for text in texts:
        name, _, number = text.partition(sign)
        try:
            numbers[name.strip()] = float(number)
        except ValueError as exc:
            raise ConfigError(problem.format(text)) from exc
    return numbers


class Dice:
    """Decides which calls are hit by which fault.

    The answer follows from the seed, the kind, the subject (a document, a job) and how often that
    subject was asked about before: the order in which threads arrive changes nothing, so that a
    run against the same seed meets the same faults.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str]] = Counter()

    def hits(self, faults: Faults, kind: str, subject: str) -> bool:
        """Whether this call about a subject is hit."""
        rate = faults.rates.get(kind, 0.0)
        if rate <= 0:
            return False
        with self._lock:
            self._calls[kind, subject] += 1
            call = self._calls[kind, subject]
        if call > _FIRST_CALLS.get(kind, call):
            return False
        if kind in ONCE_A_JOB:
            call = 0
        return random.Random(f"{faults.seed} {kind} {subject} {call}").random() < rate
