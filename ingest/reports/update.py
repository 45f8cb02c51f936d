"""A report within a file that people write: the text between two lines, and nothing else."""

from __future__ import annotations

import re

from ingest.errors import ConfigError

BEGIN, END = "<!-- begin ingest report -->", "<!-- end ingest report -->"
_LINE = r"^[ \t]*{}[ \t]*(?:\r?\n|\Z)"
_BEGIN, _END = (re.compile(_LINE.format(re.escape(mark)), re.MULTILINE) for mark in (BEGIN, END))


def replace_report(text: str, report: str, where: str) -> str:
    """The text with this report between its marks, in its own kind of line ends.

    where: the file, for messages. Raises ConfigError: not one of each mark, or in the wrong order.
    """
    begins, ends = (list(pattern.finditer(text)) for pattern in (_BEGIN, _END))
    if not begins and not ends:
        raise ConfigError(
            f"{where} does not say where the report goes; write these two lines there:\n"
            f"{BEGIN}\n{END}"
        )
    if len(begins) != 1 or len(ends) != 1 or ends[0].start() < begins[0].end():
        raise ConfigError(
            f"{where} has {len(begins)} lines {BEGIN} and {len(ends)} lines {END}; "
            "one of each is needed, in this order"
        )
    newline = "\r\n" if begins[0][0].endswith("\r\n") else "\n"
    body = f"\n{report.strip()}\n\n".replace("\n", newline)
    return text[: begins[0].end()] + body + text[ends[0].start() :]
