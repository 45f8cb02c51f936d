"""Calls to HTTP services, tried once: the whole answer, or in a few words why there is none."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ingest import __version__
from ingest.services.http_answers import HttpAnswer

if TYPE_CHECKING:
    import requests

_CONNECT_TIMEOUT_S = 10.0


class NoAnswerError(Exception):
    """A call ended without a whole answer; str() says why in a few words.

    Not an IngestError: what it means depends on the call, so the caller turns it into one.
    """


def make_session(connections: int) -> requests.Session:
    """A session that tries nothing twice, with a connection for each thread that calls."""
    import requests
    import requests.adapters

    session = requests.Session()
    session.headers["User-Agent"] = f"ingest/{__version__}"
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=connections, max_retries=0)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    timeout_s: float,
    *,
    largest_bytes: int | None = None,
    **options: Any,
) -> HttpAnswer:
    """One call and its whole answer. Raises NoAnswerError.

    timeout_s: the longest silence. largest_bytes: for a service whose answers are short; its body
    may be no longer, and has to end within timeout_s. options: as requests has them.
    """
    import requests
    import urllib3

    deadline = time.monotonic() + timeout_s
    limits_s = (min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)
    try:
        with session.request(method, url, timeout=limits_s, stream=True, **options) as response:
            body = bytearray()
            for chunk in response.iter_content(1 << 16):
                body += chunk
                if largest_bytes is not None:
                    _check_short(len(body), largest_bytes, deadline)
            return HttpAnswer(response.status_code, response.headers, bytes(body))
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
        raise NoAnswerError(describe_failure(exc, timeout_s)) from exc


def _check_short(size: int, largest_bytes: int, deadline: float) -> None:
    """A server that dribbles its answer, or never ends it, is not waited for."""
    if size > largest_bytes:
        raise NoAnswerError("the answer is too large")
    if time.monotonic() > deadline:
        raise NoAnswerError("the answer did not end in time")


def find_url_problem(url: str) -> str | None:
    """What is wrong with an address, None where it may be called; no part of it is repeated."""
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


def describe_failure(exc: BaseException, timeout_s: float) -> str:
    """Why a call failed, in a few words without addresses."""
    import requests
    import urllib3.exceptions as urllib3_errors

    links = list(_chain(exc))

    def first(*kinds: type[BaseException]) -> BaseException | None:
        return next((link for link in links if isinstance(link, kinds)), None)

    prefix = "through the proxy: " if first(urllib3_errors.ProxyError) else ""
    if first(socket.gaierror):
        return prefix + "its host name is not known (DNS)"
    if certificate := first(ssl.SSLCertVerificationError):
        why = getattr(certificate, "verify_message", "") or certificate
        return prefix + f"its TLS certificate is not accepted ({why})"
    if first(ssl.SSLError, urllib3_errors.SSLError):
        return prefix + "TLS failed; is this an https address?"
    if first(ConnectionRefusedError):
        return prefix + "connection refused"
    if first(requests.ConnectTimeout):
        return prefix + f"no connection within {min(_CONNECT_TIMEOUT_S, timeout_s):g} s"
    if first(requests.ReadTimeout, urllib3_errors.ReadTimeoutError, TimeoutError):
        return prefix + f"no answer within {timeout_s:g} s"
    if first(ConnectionError, urllib3_errors.IncompleteRead):
        return prefix + "the connection was dropped"
    return prefix + _last_words(links)


def _last_words(links: list[BaseException]) -> str:
    for link in links:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
    return type(links[-1]).__name__


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """An error and those it came from: as cause, or wrapped as argument or reason."""
    seen: set[int] = set()
    waiting: list[object] = [exc]
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
