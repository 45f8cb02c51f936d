"""AnalyticsApiSource: the results of a job from the analytics API, one HTTP call a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any, ClassVar
from urllib.parse import quote

from ingest.analytics.parse import parse_rows
from ingest.analytics.sources.base import AnalyticsSource
from ingest.analytics.sources.query import query_findings, query_parameters
from ingest.errors import (
    AnalyticsError,
    BackendError,
    CutOffError,
    ResultsNotReadyError,
    StudyError,
    ThrottledError,
)
from ingest.executors.base import ExecutorContext
from ingest.executors.job_name import new_ulid
from ingest.findings import Finding, error, has_errors
from ingest.services.http_answers import (
    HttpAnswer,
    find_barrier,
    read_detail,
    retry_after,
    without_credentials,
)
from ingest.services.http_calls import NoAnswerError, TooLargeError, exchange, make_session
from ingest.study.settings import STUDY_FILE

# An answer that cannot be read may have been cut off on its way; four are no accident.
_UNREADABLE_AT_MOST = 4


class AnalyticsApiSource(AnalyticsSource):
    """Asks GET {url}/analytics/{environment}/{ulid}; the query is what [analytics] says.

    Answers may be JSON or CSV. A job without rows, or one that the API does not know, is taken for
    one whose results are not there yet, as analytics lag behind the jobs.
    """

    name: ClassVar[str] = "analytics-api"
    asks_query: ClassVar[bool] = True
    timeout_s: ClassVar[float] = 30.0
    """Longest silence of the service before a call is given up."""
    preflight_timeout_s: ClassVar[float] = 10.0

    def __init__(self, settings: Any, context: ExecutorContext) -> None:
        """Connects nothing. Raises StudyError where [analytics] makes no query."""
        super().__init__(settings, context)
        analytics = context.analytics
        findings = query_findings(analytics)
        if has_errors(findings):
            raise StudyError(findings)
        self._url = (analytics.url or "").rstrip("/")
        self._shown_url = without_credentials(self._url)
        self._query = query_parameters(analytics)
        self._is_filtered = bool(analytics.element_labels or analytics.filters)
        self._session = make_session(analytics.concurrency)
        self._unreadable: dict[str, int] = {}

    @classmethod
    def identity(cls, settings: Any) -> Mapping[str, Any]:
        """Nothing but the query: by that, databases know the results of this source."""
        return {}

    @staticmethod
    def check(settings: Any, context: ExecutorContext) -> Iterable[Finding]:
        """Whether [analytics] makes an address and a query that the API knows."""
        return query_findings(context.analytics)

    @classmethod
    def preflight(cls, settings: Any, context: ExecutorContext) -> Iterable[Finding]:
        """Whether the API answers, and under this address; nothing while check() finds errors."""
        if has_errors(query_findings(context.analytics)):
            return []
        with closing(cls(settings, context)) as source:
            problem = source._find_problem()
        return [error("unreachable", STUDY_FILE, problem)] if problem else []

    def _find_problem(self) -> str | None:
        """Why results could not be fetched from this address; a busy service is no problem."""
        shown = f"analytics.url {self._shown_url}"
        try:
            docs = self._ask("docs")
            if docs.status in (401, 403, 407):
                return f"{shown} denies access ({docs.status}): check its user and password"
            if docs.status != 404:
                return None
            # a service may have no such page: then it says otherwise that it knows no such job
            names = ("analytics", self.context.environment, new_ulid())
            job = self._ask(*names)
        except NoAnswerError as exc:
            return f"{shown} cannot be reached: {exc}"
        said, of_job = read_detail(docs.body), read_detail(job.body)
        is_same = said.replace("docs", "") == of_job.replace("/".join(names), "")
        if job.status != 404 or not said or not is_same:
            return None
        return (
            f"{shown} is reached, but is not that of an analytics API: it answers 404 to "
            "/docs and to /analytics/ENVIRONMENT/ULID alike; check its path"
        )

    def fetch(self, ulid: str) -> bytes:
        """The answer for one job, which holds at least one row; safe in several threads.

        Raises ThrottledError (429), ResultsNotReadyError (no rows yet, 404, 5xx, no connection, a
        CSV that is cut off), BackendError (no access, a redirect, a login page), AnalyticsError
        (the query is refused, the answer is unreadable or too large).
        """
        answer = self._get(ulid)
        barrier = find_barrier(answer)
        if barrier is not None:
            raise BackendError(
                f"{self._shown_url} {barrier} when asked for results: check the address, user and "
                "password in analytics.url, then go on with: ingest run"
            )
        if answer.status != 200:
            raise self._error_of(answer)
        self._check_rows(ulid, answer.body)
        return answer.body

    def close(self) -> None:
        """Close the connections that are kept open between calls."""
        self._session.close()

    def _get(self, ulid: str) -> HttpAnswer:
        names = ("analytics", self.context.environment, ulid)
        url = "/".join([self._url, *(quote(name, safe="") for name in names)])
        try:
            return exchange(self._session, "GET", url, self.timeout_s, params=self._query)
        except TooLargeError as exc:
            raise AnalyticsError(
                f"{self._shown_url}: {exc} for the results of one job: "
                "name the labels wanted in analytics.element_labels, then: ingest backfill"
            ) from exc
        except NoAnswerError as exc:
            raise ResultsNotReadyError(f"{self._shown_url} could not be asked: {exc}") from exc

    def _ask(self, *names: str) -> HttpAnswer:
        """The answer to one call before there is a job. Raises NoAnswerError."""
        url = "/".join([self._url, *(quote(name, safe="") for name in names)])
        return exchange(self._session, "GET", url, self.preflight_timeout_s)

    def _error_of(self, answer: HttpAnswer) -> AnalyticsError:
        """The error that an answer other than 200 stands for."""
        status = answer.status
        after_s = retry_after(answer) or None  # 0 s would be asking again without end
        said = f"{self._shown_url} answered {status}{_detail(answer.body)}"
        if status == 429 or (status == 503 and after_s):
            return ThrottledError(f"{said}: too many calls (analytics.pause_s)", after_s)
        if status == 404:
            return ResultsNotReadyError(f"{said}: no such job, or analytics.url is wrong", after_s)
        if status in (202, 204, 408, 425) or status >= 500:
            return ResultsNotReadyError(said, after_s)
        return AnalyticsError(
            f"{said}: the query is refused. Change [analytics], then fetch again: ingest backfill"
        )

    def _check_rows(self, ulid: str, body: bytes) -> None:
        """Raises ResultsNotReadyError or AnalyticsError for an answer without readable rows."""
        try:
            is_empty = not body.strip() or not parse_rows(body)
        except CutOffError:
            raise  # it shows, unlike what else is wrong: the end may come for as long as others do
        except AnalyticsError as exc:
            times = self._unreadable[ulid] = self._unreadable.get(ulid, 0) + 1
            if times < _UNREADABLE_AT_MOST:
                raise ResultsNotReadyError(str(exc)) from exc
            raise AnalyticsError(
                f"{exc}. {self._shown_url} answered so {times} times; "
                "fetch again later: ingest backfill"
            ) from exc
        if is_empty:
            rest = " that match analytics.element_labels and analytics.filters"
            raise ResultsNotReadyError(
                f"{self._shown_url} has no rows for it{rest * self._is_filtered}"
            )


def _detail(body: bytes) -> str:
    """What an error answer says about itself, in brackets; nothing for a web page."""
    detail = read_detail(body)
    return f" ({detail})" if detail and not detail.startswith("<") else ""
