"""What the run API and the analytics API answer, faults included; nothing here knows sockets."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

from ingest.clock import Clock
from ingest.dev_server.faults import REFUSED_WITH, Dice, Endpoint, Faults
from ingest.dev_server.jobs import DevJob, JobBook, document_digest
from ingest.dev_server.results import (
    AnalyticsQuery,
    QueryMistakeError,
    Row,
    encode_rows,
    made_up_rows,
    parse_query,
    rows_in,
    select_rows,
)
from ingest.errors import AnalyticsError, ConfigError
from ingest.executors.base import JobFault
from ingest.executors.job_name import is_ulid

BUCKET = "ingest-dev-server"
_JSON = "application/json"

RawResult = bytes | list[Row]
Results = Callable[[str], RawResult | None]
"""Results for a ULID that no job here has: raw JSON or CSV, or rows; None for none."""


@dataclass(frozen=True)
class Call:
    """A request: method, path with query, Accept header, body."""

    method: str
    target: str
    accept: str = ""
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """An answer. is_dropped: close the connection unanswered. is_cut: promise the whole body, send
    half of it and close. has_length: tell how long the body is; else its end is the connection's.
    is_dribbled: send its first bytes one by one, and never the last.
    """

    status: int
    body: bytes = b""
    content_type: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False
    is_cut: bool = False
    has_length: bool = True
    is_dribbled: bool = False

    @property
    def outcome(self) -> str:
        """What is counted and logged: the status, or what went wrong on the way."""
        if self.is_dribbled:
            return "dribbled"
        return "dropped" if self.is_dropped else "truncated" if self.is_cut else str(self.status)


DROPPED = Reply(0, is_dropped=True)
_LOGIN_PAGE = b"<html><title>Sign in</title><form><input type='password'></form></html>"
LOGIN = Reply(HTTPStatus.OK, _LOGIN_PAGE, "text/html; charset=utf-8")
_LEADS_ON = Reply(HTTPStatus.FOUND, headers={"Location": "/login"})


def json_reply(content: Any, status: int = HTTPStatus.OK) -> Reply:
    """A JSON answer."""
    return Reply(status, json.dumps(content).encode())


def problem(status: int, detail: str) -> Reply:
    """An error answer that says what is wrong."""
    return json_reply({"detail": detail}, status)


@dataclass
class _Calls:
    """What is counted of one endpoint; answers: by HTTP status, "dropped" or "truncated"."""

    total: int = 0
    open: int = 0
    most_open: int = 0
    answers: Counter[str] = field(default_factory=Counter)


class DevApi:
    """Answers calls. run is handed each accepted job with its document.

    wait: waits that many seconds, less when the server is about to stop.
    """

    def __init__(
        self,
        jobs: JobBook,
        faults: Faults,
        clock: Clock,
        run: Callable[[DevJob, bytes], None],
        results: Results,
        wait: Callable[[float], Any],
    ) -> None:
        self.faults = faults
        self._jobs = jobs
        self._clock = clock
        self._run = run
        self._results = results
        self._wait = wait
        self._dice = Dice()
        self._lock = threading.Lock()  # of the counts
        self._calls = {endpoint: _Calls() for endpoint in Endpoint}

    def counts(self) -> dict[str, Any]:
        """The server's own counts, as JSON has them."""
        with self._lock:
            calls = {
                "calls": {name.value: its.total for name, its in self._calls.items()},
                "answers": {name.value: dict(its.answers) for name, its in self._calls.items()},
                "side_by_side_max": {
                    name.value: its.most_open for name, its in self._calls.items()
                },
            }
        return calls | self._jobs.as_dict()

    def answer(self, call: Call) -> Reply:
        """The answer to a call."""
        parts = urlsplit(call.target)
        match [unquote(part) for part in parts.path.strip("/").split("/")], call.method:
            case ["login"], "GET":
                return LOGIN
            case ["docs"], "GET":
                return self._counted(Endpoint.DOCS, self._docs)
            case ["run", environment], "POST":
                return self._counted(Endpoint.SUBMIT, lambda: self._submit(environment, call.body))
            case ["status", job_id], "GET":
                return self._counted(Endpoint.STATUS, lambda: self._status(job_id))
            case ["analytics", environment, ulid], "GET":
                return self._counted(
                    Endpoint.ANALYTICS,
                    lambda: self._analytics(environment, ulid, parts.query, call.accept),
                )
            case ["dev", "counts"], "GET":
                return json_reply(self.counts())
            case ["dev", "faults"], "GET":
                return json_reply(self.faults.as_dict())
            case ["dev", "faults"], "POST":
                return self._change_faults(call.body)
            case ["docs"] | ["run", _] | ["status", _] | ["analytics", _, _] | ["dev", _], method:
                return problem(HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not for {parts.path}")
        return problem(HTTPStatus.NOT_FOUND, f"no such path: {parts.path}")

    def _counted(self, endpoint: Endpoint, answer: Callable[[], Reply]) -> Reply:
        calls = self._calls[endpoint]
        with self._lock:
            calls.total += 1
            calls.open += 1
            calls.most_open = max(calls.most_open, calls.open)
        try:
            self._wait(self.faults.latency_s.get(endpoint, 0.0))
            reply = answer()
            with self._lock:
                calls.answers[reply.outcome] += 1
            return reply
        finally:
            with self._lock:
                calls.open -= 1

    def change_faults(self, changes: dict[str, Any]) -> Faults:
        """Misbehave in another way from now on. Raises ConfigError."""
        self.faults = self.faults.changed(changes)
        return self.faults

    def _change_faults(self, body: bytes) -> Reply:
        changes = _json_object(body)
        if changes is None:
            return problem(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
        try:
            return json_reply(self.change_faults(changes).as_dict())
        except ConfigError as exc:
            return problem(HTTPStatus.BAD_REQUEST, str(exc))

    # --- the calls -------------------------------------------------------------------------------

    def _docs(self) -> Reply:
        if self._hit("docs-503", "docs"):
            return self._refused(503)
        if self._hit("docs-redirect", "docs"):
            return _LEADS_ON
        return Reply(HTTPStatus.OK, b"<h1>ingest dev-server</h1>", "text/html; charset=utf-8")

    def _submit(self, environment: str, body: bytes) -> Reply:
        if not environment or "-" in environment:
            return problem(HTTPStatus.BAD_REQUEST, f"{environment!r} is no environment")
        if _json_object(body) is None:
            return problem(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
        subject = f"{environment} {document_digest(body)}"
        refused = self._refusal("submit", subject)
        if refused or self._hit("submit-drop-before", subject):
            return refused or DROPPED
        if self._hit("submit-login", subject):
            return LOGIN
        if self._hit("submit-other-environment", subject):
            environment = "elsewhere"
        job = self._jobs.accept(environment, body)
        self._hand_on(job, body)
        content: dict[str, Any] = {
            "jobId": job.job_id,
            "jobName": job.job_name,
            "config_s3_path": f"{_results_path(job)}model.json",
        }
        if self._hit("submit-drop-after", subject):
            return DROPPED
        first = self._jobs.first
        if self._hit("submit-same-ulid", subject):
            content["jobName"] = first.job_name
        if self._hit("submit-same-id", subject):
            content["jobId"] = first.job_id
        if self._hit("submit-wrong-types", subject):
            content |= {"jobId": 17, "jobName": 4}
        return self._spoilt("submit", subject, json_reply(content))

    def _hand_on(self, job: DevJob, body: bytes) -> None:
        if self._hit("job-not-started", job.subject):
            why = "Task failed to start: CannotPullContainerError (a fault of the dev server)"
            self._jobs.end(job, None, JobFault("not started", why))
        elif self._hit("job-stuck", job.subject):
            self._jobs.begin(job)
        elif self._hit("job-failed", job.subject):
            self._jobs.end(job, None, JobFault("fault", "made to fail (job-failed)"))
        else:
            self._run(job, body)

    def _status(self, job_id: str) -> Reply:
        job = self._jobs.find(job_id)
        subject = job.subject if job else job_id
        refused = self._refusal("status", subject)
        if refused or self._hit("status-drop", subject):
            return refused or DROPPED
        if self._hit("status-redirect", subject):
            return _LEADS_ON
        is_gone = job is not None and self._clock.now() >= job.ended_at
        is_gone = is_gone and self._hit("status-forgotten", subject)
        if job is None or is_gone or self._hit("status-lost", subject):
            return problem(HTTPStatus.NOT_FOUND, f"no job {job_id}")
        content = self._status_of(job)
        if self._hit("status-wrong-types", subject):
            content |= {"jobStatus": 7, "startedAt": "yesterday", "exitCode": "none"}
        if self._hit("status-unknown-state", subject):
            content["jobStatus"] = "HIBERNATING"
        if self._hit("status-no-state", subject):
            del content["jobStatus"]
        return self._spoilt("status", subject, json_reply(content))

    def _status_of(self, job: DevJob) -> dict[str, Any]:
        now = self._clock.now()
        state = job.state(now)
        content: dict[str, Any] = {
            "jobId": job.job_id,
            "jobName": job.job_name,
            "jobStatus": state,
        }
        if now >= job.began_at:
            in_seconds = self._hit("status-seconds", job.subject)
            started = self._jobs.unix_time_s(job.began_at)
            content["startedAt"] = int(started if in_seconds else started * 1000)
            content["logStreamName"] = f"ingest-dev-server/default/{job.job_id}"
        if state == "SUCCEEDED":
            content |= {"exitCode": 0, "resultsPath": _results_path(job)}
        if state == "FAILED" and job.fault:
            content |= {"exitCode": 1, "statusReason": job.fault.message}
        return content

    def _analytics(self, environment: str, ulid: str, query_text: str, accept: str) -> Reply:
        if not is_ulid(ulid):
            return problem(HTTPStatus.BAD_REQUEST, f"{ulid!r} is no ULID of 26 characters")
        try:
            query = parse_query(query_text, accept)
        except QueryMistakeError as exc:
            return problem(HTTPStatus.BAD_REQUEST, str(exc))
        job = self._jobs.find_ulid(environment, ulid)
        subject = job.subject if job else ulid
        refused = self._refusal("analytics", subject)
        if refused or self._hit("analytics-drop", subject):
            return refused or DROPPED
        if self._hit("analytics-login", subject):
            return LOGIN
        if self._hit("analytics-redirect", subject):
            return _LEADS_ON
        result = self._results(ulid) if job is None else self._result_of(job)
        is_empty = self._hit("analytics-empty", subject) or self._hit("analytics-late", subject)
        if result is None or is_empty:
            result = []
        return self._encoded(subject, result, query)

    def _encoded(self, subject: str, result: RawResult, query: AnalyticsQuery) -> Reply:
        """A result as a query asks for it, short or damaged where a fault says so."""
        is_cut_csv = self._hit("analytics-cut-csv", subject)
        query = replace(query, as_csv=query.as_csv or is_cut_csv)
        selected = _selected(result, query)
        for kind, shorten in _SHORTER.items():
            if self._hit(kind, subject):
                selected = encode_rows(shorten(rows_in(selected)), as_csv=query.as_csv)
        content_type = "text/csv; charset=utf-8" if query.as_csv else _JSON
        reply = Reply(HTTPStatus.OK, selected, content_type)
        if is_cut_csv:
            reply = replace(reply, body=selected[:-3], has_length=False)
        if self._hit("analytics-cut-gzip", subject):
            packed = gzip.compress(selected)
            headers = {"Content-Encoding": "gzip"}
            reply = replace(reply, body=packed[: len(packed) * 3 // 4], headers=headers)
        return self._spoilt("analytics", subject, reply)

    def _result_of(self, job: DevJob) -> RawResult | None:
        """A job's result once it is due; made up where no model ran."""
        if job.fault or self._clock.now() < job.ended_at + self.faults.analytics_lag_s:
            return None
        return made_up_rows(job.digest) if job.result is None else job.result

    # --- faults ----------------------------------------------------------------------------------

    def _hit(self, kind: str, subject: str) -> bool:
        return self._dice.hits(self.faults, kind, subject)

    def _refusal(self, endpoint: str, subject: str) -> Reply | None:
        """An error status instead of an answer, where a fault says so."""
        for status in REFUSED_WITH:
            if self._hit(f"{endpoint}-{status}", subject):
                return self._refused(status)
        return None

    def _refused(self, status: int) -> Reply:
        after = self.faults.retry_after_s
        headers = {} if after is None or status in (413, 500) else {"Retry-After": f"{after:g}"}
        reply = problem(status, f"{HTTPStatus(status).phrase} (a fault of the dev server)")
        return replace(reply, headers=headers)

    def _spoilt(self, endpoint: str, subject: str, reply: Reply) -> Reply:
        """The answer, damaged where a fault says so."""
        if self._hit(f"{endpoint}-broken-json", subject):
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        is_cut = self._hit(f"{endpoint}-truncated", subject)
        is_dribbled = self._hit(f"{endpoint}-dribble", subject)
        return replace(reply, is_cut=is_cut, is_dribbled=is_dribbled)


def _first_years(rows: Sequence[Row]) -> list[Row]:
    years = sorted({row["timestamp_year"] for row in rows})[:10]
    return [row for row in rows if row["timestamp_year"] in years]


def _first_labels(rows: Sequence[Row]) -> list[Row]:
    labels = list(dict.fromkeys(row["element_label"] for row in rows))
    return [row for row in rows if row["element_label"] in labels[: len(labels) // 2]]


_SHORTER = {"analytics-few-years": _first_years, "analytics-few-labels": _first_labels}


def _selected(result: RawResult, query: AnalyticsQuery) -> bytes:
    """The part of a result that a query asks for; the whole of one that cannot be read.

    The client then tells what is wrong with it, as it would of a model on its own machine.
    """
    if isinstance(result, list):
        return encode_rows(select_rows(result, query), as_csv=query.as_csv)
    try:
        return encode_rows(select_rows(rows_in(result), query), as_csv=query.as_csv)
    except (AnalyticsError, TypeError):  # no rows, or a text where a number belongs
        return result


def _results_path(job: DevJob) -> str:
    return f"s3://{BUCKET}/users/{job.environment}/results/{job.ulid}/"


def _json_object(body: bytes) -> dict[str, Any] | None:
    """The object that a body is; None for anything else."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
