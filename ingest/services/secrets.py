"""What was sent as a secret is masked in every text that comes back from outside."""

from __future__ import annotations

import base64
from functools import lru_cache
from urllib.parse import unquote, urlsplit

_MASK = "***"
_SHORTEST = 4  # a shorter word would be masked where it stands by chance
_sent: set[str] = set()


@lru_cache(maxsize=64)
def remember_secrets(url: str) -> None:
    """Keep the user and password of an address in mind, in each form that may come back."""
    userinfo, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return
    user, _, password = userinfo.partition(":")
    plain = f"{unquote(user)}:{unquote(password)}"
    forms = {userinfo, plain, password, unquote(password)}
    for encoding in ("utf-8", "latin-1"):
        encoded = plain.encode(encoding, "replace")
        forms.add(base64.b64encode(encoded).decode("ascii"))
    _sent.update(form for form in forms if len(form) >= _SHORTEST)


def mask_secrets(text: str) -> str:
    """The text with *** in place of what was sent as a secret."""
    for form in sorted(_sent, key=len, reverse=True):
        text = text.replace(form, _MASK)
    return text
