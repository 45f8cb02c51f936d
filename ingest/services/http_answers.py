"""Answers of HTTP services: their error texts, Retry-After, and addresses without credentials."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ingest.services.secrets import mask_secrets
from ingest.text.foreign import shorten_middle

# The longest that a Retry-After is obeyed: one of days is a mistake, and would freeze a run.
LONGEST_RETRY_AFTER_S = 900.0
DETAIL_CHARACTERS = 300


@dataclass(frozen=True)
class HttpAnswer:
    """A whole answer; the names in headers ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


# A page that asks who one is. The docs of a service are a page as well, so that it has to say so.
_LOGIN_PAGE = re.compile(
    rb"""type\s*=\s*["']?password|<(title|h1|h2)[^>]*>[^<]*\b(log|sign)[ -]?(in|on)\b"""
    rb"""|<form[^>]*\b(login|log-in|signin|sign-in|sso|saml)\b""",
    re.IGNORECASE,
)
_LOGIN_BYTES = 200_000


def find_barrier(answer: HttpAnswer) -> str | None:
    """What stands between us and the service, in words that go on from its address.

    None where the answer is the service's own: no demand for a password, no redirect, no login.
    """
    if answer.status in (401, 403, 407, 511):
        detail = read_detail(answer.body)
        said = f": {detail}" if detail and not detail.startswith("<") else ""
        return f"denies access ({answer.status}{said})"
    if 300 <= answer.status < 400:
        target = without_credentials(answer.headers.get("Location", "another place"))
        return f"leads on to {target} ({answer.status})"
    is_page = answer.body.lstrip()[:1] == b"<"
    if 200 <= answer.status < 300 and is_page and _LOGIN_PAGE.search(answer.body[:_LOGIN_BYTES]):
        return f"answers with a login page ({answer.status})"
    return None


def read_detail(body: bytes) -> str:
    """What a server says is wrong, in one line; of a long one 300 characters of both ends."""
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
    return shorten_middle(mask_secrets(" ".join(printable.split())), DETAIL_CHARACTERS)


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
