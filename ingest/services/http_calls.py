"""Calls to HTTP services, tried once: the whole answer, or in a few words why there is none."""

from __future__ import annotations

import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ingest import __version__
from ingest.services.http_answers import HttpAnswer
from ingest.services.http_deadline import limited, make_adapter
from ingest.services.secrets import remember_secrets

if TYPE_CHECKING:
    import requests

_CONNECT_TIMEOUT_S = 10.0
_AT_ONCE_BYTES = 1 << 16
_GZIP_WINDOW = 31  # zlib's word for a gzip header around the data
SOME_MIB = 1 << 25
"""The largest body of an answer with data, in bytes: a job of all labels has a tenth of it."""


class NoAnswerError(Exception):
    """A call ended without a whole answer; str() says why in a few words.

    Not an IngestError: what it means depends on the call, so the caller turns it into one.
    part: status, headers and what had come of the body; None where nothing had.
    """

    def __init__(self, why: str, part: HttpAnswer | None = None) -> None:
        self.part = part
        super().__init__(why)


class TooLargeError(NoAnswerError):
    """The answer is longer than any that the service has a reason to give."""


def make_session(connections: int) -> requests.Session:
    """A session that tries nothing twice, with a connection for each thread that calls."""
    import requests

    session = requests.Session()
    session.headers["User-Agent"] = f"ingest/{__version__}"
    session.headers["Accept-Encoding"] = "gzip"  # the one whose end can be told from a cut
    adapter = make_adapter(connections)
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session


def exchange(
    session: requests.Session,
    method: str,
    url: str,
    timeout_s: float,
    *,
    largest_bytes: int = SOME_MIB,
    grace_s: float = 0.0,
    **options: Any,
) -> HttpAnswer:
    """One call and its whole answer, wherever it would lead on to. Raises NoAnswerError.

    timeout_s: until the answer has begun, and until it has ended; grace_s: how much longer it may
    take to end while it comes. largest_bytes: of its body. options: as requests has them.
    """
    import requests
    import urllib3

    remember_secrets(url)
    deadline = time.monotonic() + timeout_s + grace_s
    limits_s = (min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)
    options = {"timeout": limits_s, "stream": True, "allow_redirects": False, **options}
    answer = None
    body = bytearray()
    try:
        with session.request(method, url, **options) as response:
            answer = HttpAnswer(response.status_code, response.headers, b"")
            with limited(response.raw.shutdown, max(0.0, deadline - time.monotonic())):
                while part := response.raw.read1(_AT_ONCE_BYTES, decode_content=False):
                    body += part
                    if len(body) > largest_bytes:
                        raise TooLargeError("the answer is too large")
            return replace(answer, body=_decoded(response.headers, bytes(body), largest_bytes))
    except TimeoutError as exc:
        raise NoAnswerError("the answer did not end in time", _with(answer, body)) from exc
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
        raise NoAnswerError(describe_failure(exc, timeout_s), _with(answer, body)) from exc


def _with(answer: HttpAnswer | None, body: bytearray) -> HttpAnswer | None:
    return replace(answer, body=bytes(body)) if answer else None


def _decoded(headers: Mapping[str, str], body: bytes, largest_bytes: int) -> bytes:
    """A body without its compression. Raises NoAnswerError: cut off, damaged, too large."""
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if not body or encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise NoAnswerError(f"the answer is compressed as {encoding}, which was not asked for")
    content = bytearray()
    while body:
        unpacking = zlib.decompressobj(_GZIP_WINDOW)
        try:
            content += unpacking.decompress(body, largest_bytes + 1 - len(content))
        except zlib.error as exc:
            raise NoAnswerError("the answer's gzip is damaged") from exc
        if len(content) > largest_bytes:
            raise TooLargeError("the answer is too large")
        if not unpacking.eof:
            raise NoAnswerError("the answer's gzip is cut off")
        body = unpacking.unused_data
    return bytes(content)


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
