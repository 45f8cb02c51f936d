"""Calls to the run API: health, submit, status; each gives an answer or says why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ingest.errors import BackendError
from ingest.executors.run_api.answers import (
    BARRIER_HINT,
    Outcome,
    StatusAnswer,
    SubmitAnswer,
    parse_status_answer,
    parse_submit_answer,
    unreachable,
)
from ingest.services.http_answers import HttpAnswer, find_barrier, without_credentials
from ingest.services.http_calls import NoAnswerError, exchange, make_session

if TYPE_CHECKING:
    import requests

# Answers of this API are a few hundred bytes; a longer body did not come from it.
_LARGEST_BODY_BYTES = 1 << 20
# How much longer than the time-out an answer to a document may take to end, while it comes.
ANSWER_GRACE_S = 10.0
_POST_HEADERS = {"Content-Type": "application/json", "Connection": "close"}


class RunApiClient:
    """The run API at an address; may be used by as many threads as there are connections."""

    def __init__(self, url: str, timeout_s: float, connections: int = 1) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = make_session(connections)

    @property
    def shown_url(self) -> str:
        """The address without user and password."""
        return without_credentials(self._url)

    def check_health(self) -> None:
        """Raises BackendError unless GET /docs is answered with 200."""
        try:
            answer = self._exchange("GET", "/docs", self._session)
        except NoAnswerError as exc:
            raise BackendError(
                f"the run API at {self.shown_url} cannot be reached: {exc}. "
                "Check executors.run-api.url, and that the service runs"
            ) from exc
        self._check_barrier(answer, "GET /docs")
        if answer.status != 200:
            raise BackendError(
                f"the run API at {self.shown_url} is not healthy: GET /docs was answered "
                f"{answer.status}, not 200. Check executors.run-api.url, and that the service runs"
            )

    def submit(self, environment: str, document: bytes) -> SubmitAnswer:
        """What became of one attempt to submit a document; never tried again in here."""
        body = _Document(document)
        # a connection of its own: one that stood idle may be closed by the server just as it is
        # used again, and nobody could tell whether the document arrived
        try:
            with make_session(1) as session:
                answer = self._exchange(
                    "POST", f"/run/{quote(environment, safe='')}", session, body
                )
        except NoAnswerError as exc:
            if exc.part is not None:  # a whole jobId is an answer, however its connection ended
                told = parse_submit_answer(exc.part, environment, len(document))
                if told.outcome is Outcome.ACCEPTED:
                    return told
            outcome = Outcome.LOST if body.is_sent else Outcome.NOT_SENT
            return SubmitAnswer(outcome, str(exc))
        return parse_submit_answer(answer, environment, len(document))

    def status(self, job_id: str) -> StatusAnswer:
        """What the API says of a job. Raises BackendError when something stands in the way."""
        try:
            answer = self._exchange("GET", f"/status/{quote(job_id, safe='')}", self._session)
        except NoAnswerError as exc:
            return unreachable(str(exc))
        self._check_barrier(answer, "GET /status")
        return parse_status_answer(answer, job_id)

    def _check_barrier(self, answer: HttpAnswer, asked: str) -> None:
        barrier = find_barrier(answer)
        if barrier is not None:
            raise BackendError(
                f"the run API at {self.shown_url} {barrier} when asked for {asked}: {BARRIER_HINT}"
            )

    def close(self) -> None:
        """Close the connections that are idle."""
        self._session.close()

    def _exchange(
        self, method: str, path: str, session: requests.Session, document: _Document | None = None
    ) -> HttpAnswer:
        """One call and its whole answer. Raises NoAnswerError."""
        options: dict[str, Any] = {}
        if document is not None:
            # a lost answer is a job that nobody knows of: while it comes, it is waited for
            options = {"data": document, "headers": _POST_HEADERS, "grace_s": ANSWER_GRACE_S}
        return exchange(
            session,
            method,
            self._url + path,
            self._timeout_s,
            largest_bytes=_LARGEST_BODY_BYTES,
            **options,
        )


class _Document:
    """A request's body that knows whether a byte of it may have left."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.is_sent = False

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        self.is_sent = True
        yield self._content
