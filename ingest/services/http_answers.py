"""Answers of HTTP services: their error texts, Retry-After, and addresses without credentials."""

from __future__ import annotations

import json
import math
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

# The longest that a Retry-After is obeyed: one of days is a mistake, and would freeze a run.
LONGEST_RETRY_AFTER_S = 900.0


DETAIL_CHARACTERS = 300


@dataclass(frozen=True)
class HttpAnswer:
    """A whole answer; the names in headers ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def read_detail(body: bytes) -> str:
    """What a server says is wrong, in one line of at most 300 characters."""
    content = parse_json(body)
    if isinstance(content, dict) and "detail" in content:
        content = content["detail"]
    if isinstance(content, list):
        text = "; ".join(_detail_text(item) for item in content)
    elif content is None or isinstance(content, dict):
        text = body.decode("utf-8", "replace")
    else:
        text = str(content)
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:DETAIL_CHARACTERS]


def _detail_text(item: Any) -> str:
    """One item of a list of validation errors: where, and what."""
    if not isinstance(item, dict) or "msg" not in item:
        return str(item)
    place = item.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, list) else ""
    return f"{where}: {item['msg']}" if where else str(item["msg"])


def retry_after(answer: HttpAnswer) -> float | None:
    """Seconds that the server asks to wait, None where it asks for nothing that can be read."""
    text = answer.headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        date, now = _date(text), _date(answer.headers.get("Date", "")) or datetime.now(UTC)
        if date is None:
            return None
        seconds = (date - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S) if math.isfinite(seconds) else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def parse_json(body: bytes) -> Any:
    """The JSON value, None for anything else."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def without_credentials(url: str) -> str:
    """A URL as it may be shown: no user, password, query or fragment."""
    scheme, separator, rest = url.rpartition("://")
    try:
        # everything before the last @ goes first: a password may hold what splits an address
        parts = urlsplit(scheme + separator + rest.rpartition("@")[2])
    except ValueError:
        return "the address given"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}" if host else parts.path


CONNECT_TIMEOUT_S = 10.0


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
        return prefix + f"no connection within {min(CONNECT_TIMEOUT_S, timeout_s):g} s"
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
