"""Calls to the run API: health, submit, status; each gives an answer or says why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from ingest.errors import BackendError
from ingest.executors.run_api.answers import (
    Outcome,
    StatusAnswer,
    SubmitAnswer,
    parse_status_answer,
    parse_submit_answer,
    unreachable,
)
from ingest.services.http_answers import HttpAnswer, without_credentials
from ingest.services.http_calls import NoAnswerError, exchange, make_session

if TYPE_CHECKING:
    import requests

# Answers of this API are a few hundred bytes; a longer body did not come from it.
_LARGEST_BODY_BYTES = 1 << 20
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
        if answer.status in (401, 403):
            raise access_denied(self.shown_url, "GET /docs", answer.status)
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
            outcome = Outcome.LOST if body.is_sent else Outcome.NOT_SENT
            return SubmitAnswer(outcome, str(exc))
        return parse_submit_answer(answer, environment, len(document))

    def status(self, job_id: str) -> StatusAnswer:
        """What the API says of a job. Raises BackendError when it denies access."""
        try:
            answer = self._exchange("GET", f"/status/{quote(job_id, safe='')}", self._session)
        except NoAnswerError as exc:
            return unreachable(str(exc))
        if answer.status in (401, 403):
            raise access_denied(self.shown_url, "GET /status", answer.status)
        return parse_status_answer(answer, job_id)

    def close(self) -> None:
        """Close the connections that are idle."""
        self._session.close()

    def _exchange(
        self, method: str, path: str, session: requests.Session, document: _Document | None = None
    ) -> HttpAnswer:
        """One call and its whole answer. Raises NoAnswerError."""
        options = {} if document is None else {"data": document, "headers": _POST_HEADERS}
        return exchange(
            session,
            method,
            self._url + path,
            self._timeout_s,
            largest_bytes=_LARGEST_BODY_BYTES,
            allow_redirects=document is None,
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


def access_denied(shown_url: str, call: str, status: int) -> BackendError:
    """The error for an API that lets nobody in."""
    return BackendError(
        f"the run API at {shown_url} denies access: {call} was answered {status}. "
        "Check the user and password in executors.run-api.url"
    )
