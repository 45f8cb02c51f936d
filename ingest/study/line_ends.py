"""Text files count by their lines: CRLF, as git writes it on Windows, is the same as LF."""

from __future__ import annotations

import hashlib
from pathlib import Path

_LOOKED_AT = 8_000  # as git does: a NUL byte in there, and the file is no text
_BLOCK = 1 << 20


def with_line_feeds(content: bytes) -> bytes:
    """A file's content with LF at the ends of lines; as it is where the file is no text."""
    return content if b"\0" in content[:_LOOKED_AT] else content.replace(b"\r\n", b"\n")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content with LF at the ends of lines, as 64 hexadecimal digits.

    Read in blocks. Of a file without CRLF, and of one that is no text, it is the digest of its
    bytes. Raises OSError.
    """
    with path.open("rb") as file:
        block = file.read(_BLOCK)
        if b"\0" in block[:_LOOKED_AT]:
            file.seek(0)
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256()
        while block:
            while block.endswith(b"\r") and (more := file.read(1)):  # it may be the LF
                block += more
            digest.update(block.replace(b"\r\n", b"\n"))
            block = file.read(_BLOCK)
        return digest.hexdigest()
