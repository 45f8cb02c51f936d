"""What a file really is, where it is not what its name says, and what to do about it."""

from __future__ import annotations

import zipfile

HEAD_BYTES = 1024
"""How much of a file's beginning says what it is."""

_SMALL_BYTES = 100_000_000
_LARGEST_RATIO = 200
_KINDS = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself: run `git lfs pull`"),
    (b"\x1f\x8b", "is compressed with gzip: unpack it first, with gunzip"),
    (b"SQLite format 3\x00", "is an SQLite database"),
    (b"PAR1", "is a Parquet file"),
    (b"PK\x03\x04", "is a zip file (Excel workbooks are, too)"),
    (b"\xd0\xcf\x11\xe0", "is a document of an older Office, or one with a password"),
    (b"%PDF", "is a PDF document"),
)
_WEB_PAGE = "is a web page (HTML), such as a sign-in or error page: download the file again"


def other_kind(head: bytes) -> str | None:
    """What a file is that should hold text or a database, in words with the remedy, else None.

    head: the file's first HEAD_BYTES, none for an empty file.
    """
    if not head:
        return "is empty"
    if (
        head.removeprefix(b"\xef\xbb\xbf")
        .lstrip()[:14]
        .lower()
        .startswith((b"<!doctype", b"<html"))
    ):
        return _WEB_PAGE
    return next((what for start, what in _KINDS if head.startswith(start)), None)


def zip_bomb(archive: zipfile.ZipFile, size_bytes: int) -> str | None:
    """Why a zip file is not unpacked: what is in it is out of all proportion; None if it may be.

    size_bytes: of the zip file.
    """
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked <= max(_SMALL_BYTES, _LARGEST_RATIO * size_bytes):
        return None
    return f"{size_bytes / 1e6:,.1f} MB would unpack to {unpacked / 1e6:,.0f} MB"
