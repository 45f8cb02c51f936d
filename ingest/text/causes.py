"""Messages that differ only in which job they are about: the same cause."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What names one job, one moment or one place; numbers that say what happened are kept.
_OWN = re.compile(
    r"""\b(?:exit[ ]code|answered|status|signal|HTTP|code)[ ]\(?-?\d+\b(?P<kept>)
    |https?://\S+|s3://\S+
    |(?<![\w.])(?:\.{0,2}/|[A-Za-z]:\\)[^\s:,;'"()]+
    |\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b
    |\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b
    |\b0x[0-9a-f]+\b
    |\b(?=[0-9a-f]*\d)[0-9a-f]{7,64}\b
    |[-+]?\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?""",
    re.VERBOSE | re.IGNORECASE,
)


def cause_of(message: str, names: Iterable[str] = ()) -> str:
    """What a message has in common with those of other jobs.

    names: those of the job, such as its country and scenario.
    """
    for name in sorted(filter(None, names), key=len, reverse=True):
        message = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "*", message)
    return _OWN.sub(lambda m: m[0] if m["kept"] is not None else "*", message)
