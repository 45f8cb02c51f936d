"""Texts and tables in Markdown, as README files and pull requests show them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Control characters would break a line, direction overrides the lines around it.
_UNWANTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
_SPECIAL = re.compile(r"[\\|`*\[\]~$]|(?<![^\W_])_|_(?![^\W_])")
# As entities: with a backslash these would still become HTML, mentions and links.
_ENTITIES = {"&": "&amp;", "<": "&lt;", "@": "&#64;", "#": "&#35;", "://": "&#58;//"}
_ENTITY = re.compile("|".join(map(re.escape, _ENTITIES)) + r"|(?<=www)\.", re.IGNORECASE)


def escape(text: str) -> str:
    """Text that Markdown and a pull request show as it is, on one line and within a table."""
    # the entities' own & and # are no special characters of _SPECIAL
    return _SPECIAL.sub(lambda match: "\\" + match[0], entities(text)).strip()


def entities(text: str) -> str:
    """Text without what would become HTML, a mention or a link, on one line."""
    return _ENTITY.sub(lambda m: _ENTITIES.get(m[0], "&#46;"), _UNWANTED.sub(" ", text))


def markdown_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table; a header that ends with a colon belongs to a column of numbers."""
    rule = ["---:" if header.endswith(":") else "---" for header in headers]
    lines = [[header.removesuffix(":") for header in headers], rule, *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
