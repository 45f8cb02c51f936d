"""How two code versions of a study differ, whatever files each of them was set to cover.

A version covers the files that the default or the study's settings gave at its time. Files that
only one of two versions covers are no change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from ingest.planning.file_changes import file_changes
from ingest.planning.input_changes import InputChange, InputKind, value_texts
from ingest.planning.inputs import ContentLookup
from ingest.study.code_version import differing_parts, is_file, newly_covered, without_marks
from ingest.study.line_ends import with_line_feeds

# Content of a file by its digest; a text says why it was not kept, None: it is not known.
FileLookup = Callable[[str], bytes | str | None]


def no_file(digest: str) -> None:
    """A lookup that knows no file."""


class CodeHistory:
    """Answers for the stored versions of one study; content and file look up what was kept."""

    def __init__(self, content: ContentLookup, file: FileLookup) -> None:
        self._content = lru_cache(maxsize=None)(content)
        self.file = file

    def newly_covered(self, before: str, now: Mapping[str, str]) -> list[str]:
        """The files of a version that an older one did not look for."""
        old = self._content(before)
        return [] if old is None else newly_covered(old, now)

    def changes(
        self, before: str, now: str, content: ContentLookup, file: FileLookup
    ) -> list[InputChange] | None:
        """What differs between a stored version and another; empty where they are the same.

        None where one of them was not kept.

        content, file: look up what the other version consists of.
        """
        if before == now:
            return []
        old, new = self._content(before), content(now)
        if old is None or new is None:
            return None
        names = differing_parts(old, new)
        parts = without_marks(old), without_marks(new)
        return [change for name in names for change in self._part_changes(name, *parts, file)]

    def _part_changes(
        self, name: str, old: Mapping[str, str], new: Mapping[str, str], file: FileLookup
    ) -> Iterator[InputChange]:
        before, after = old.get(name), new.get(name)
        if not is_file(name):
            sides = [[] if value is None else [value] for value in (before, after)]
            yield InputChange(InputKind.CODE, name, *value_texts(*sides))
            return
        if before is None or after is None:
            word = "added" if before is None else "removed"
            yield InputChange(InputKind.CODE, f"{name} {word}", None, None)
            return
        was, is_now = self.file(before), file(after)
        if isinstance(was, bytes) and isinstance(is_now, bytes):
            # versions of before line ends were left out had digests of the bytes
            if with_line_feeds(was) != with_line_feeds(is_now):
                yield from file_changes(name, was, is_now)
            return
        why = next((text for text in (was, is_now) if isinstance(text, str)), None)
        yield InputChange(InputKind.CODE, f"{name} ({why})" if why else name, None, None)

    def known_file(self, code_digest: str, name: str) -> str | None:
        """The digest of a file when it was a part of a code version, None where it was none."""
        digest = (self._content(code_digest) or {}).get(name)
        return None if digest is None else str(digest)
