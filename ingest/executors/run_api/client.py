"""Calls to the run API: health, submit, status; each gives an answer or says why there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ingest import __version__
from ingest.errors import BackendError
from ingest.executors.run_api.answers import (
    Outcome,
    StatusAnswer,
    SubmitAnswer,
    parse_status_answer,
    parse_submit_answer,
    unreachable,
)
from ingest.services.http_answers import (
    CONNECT_TIMEOUT_S,
    HttpAnswer,
    describe_failure,
    without_credentials,
)

if TYPE_CHECKING:
    import requests

# Answers of this API are a few hundred bytes; a body beyond this is none of its own.
_LARGEST_BODY_BYTES = 1 << 20


class NoAnswerError(Exception):
    """A call ended without a whole answer; str() says why in a few words."""


class RunApiClient:
    """The run API at an address; may be used by as many threads as there are connections."""

    def __init__(self, url: str, timeout_s: float, connections: int = 1) -> None:
        self._url = url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = _make_session(connections)

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
            with _make_session(1) as session:
                answer = self._exchange(
                    "POST", f"/run/{quote(environment, safe='')}", session, body
                )
        except NoAnswerError as exc:
            outcome = Outcome.LOST if body.is_sent else Outcome.NOT_SENT
            return SubmitAnswer(outcome, str(exc))
        return parse_submit_answer(answer, environment)

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
        import requests
        import urllib3

        headers = {"Content-Type": "application/json", "Connection": "close"}
        timeout_s = self._timeout_s
        deadline = time.monotonic() + timeout_s
        try:
            with session.request(
                method,
                self._url + path,
                data=document,
                headers=headers if document is not None else {},
                timeout=(min(CONNECT_TIMEOUT_S, timeout_s), timeout_s),
                allow_redirects=document is None,
                stream=True,
            ) as response:
                body = _read_body(response, deadline)
                return HttpAnswer(response.status_code, response.headers, body)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            raise NoAnswerError(describe_failure(exc, timeout_s)) from exc


def _make_session(connections: int) -> requests.Session:
    """A session that tries nothing twice."""
    import requests
    import requests.adapters

    session = requests.Session()
    session.headers["User-Agent"] = f"ingest/{__version__}"
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=connections, max_retries=0)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


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


def _read_body(response: requests.Response, deadline: float) -> bytes:
    """The body; a server that dribbles it or never ends is not waited for."""
    body = bytearray()
    for chunk in response.iter_content(1 << 16):
        body += chunk
        if len(body) > _LARGEST_BODY_BYTES:
            raise NoAnswerError("the answer is too large")
        if time.monotonic() > deadline:
            raise NoAnswerError("the answer did not end in time")
    return bytes(body)


def access_denied(shown_url: str, call: str, status: int) -> BackendError:
    """The error for an API that lets nobody in."""
    return BackendError(
        f"the run API at {shown_url} denies access: {call} was answered {status}. "
        "Check the user and password in executors.run-api.url"
    )


def find_url_problem(url: str) -> str | None:
    """What is wrong with an address, None where it may be called."""
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:  # its words may hold a part of a password
        return "it cannot be read; write @, / and : within a password as %40, %2F and %3A"
    if parts.scheme not in ("http", "https") or not has_host:
        return "it must begin with http:// or https:// and name a host"
    if parts.query or parts.fragment:
        return "it must end with its path: no ? and no #"
    return None
