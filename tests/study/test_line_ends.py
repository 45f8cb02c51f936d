from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import pytest

from ingest.study import line_ends
from ingest.study.line_ends import file_digest, with_line_feeds


@pytest.mark.parametrize("block", [1, 2, 3, 1 << 20])
def test_a_file_read_in_blocks_has_the_digest_of_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(line_ends, "_BLOCK", block)
    path = tmp_path / "file.csv"
    for pieces in itertools.product([b"\r", b"\n", b"\r\n", b"a"], repeat=4):
        content = b"".join(pieces)
        path.write_bytes(content)
        assert file_digest(path) == hashlib.sha256(with_line_feeds(content)).hexdigest()


def test_text_without_crlf_and_what_is_no_text_count_by_their_bytes(tmp_path: Path) -> None:
    for content in (b"", b"a\nb\rc", b"\xff\0\r\n\r\n", "\ufeffa\r\n".encode("utf-16")):
        path = tmp_path / "file"
        path.write_bytes(content)
        assert file_digest(path) == hashlib.sha256(content).hexdigest()
        assert with_line_feeds(content) == content
