"""How two code versions of a study differ, whatever files each of them was set to cover.

A version covers the files that the default or the study's settings gave at its time. Files that
only one of two versions covers are no change. The first run that covers more takes the older
results to be of the files as they are then: a baseline, stored once, and compared from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from ingest.planning.file_changes import file_changes
from ingest.planning.input_changes import InputChange, InputKind
from ingest.planning.inputs import ContentLookup
from ingest.study.code_version import differing_parts, newly_covered

# (code digest, "") -> the code version it was taken for; (code digest, file of country data) ->
# the digest of the file that it was taken to have read.
Baselines = Mapping[tuple[str, str], str]
# Content of a file by its digest; a text says why it was not kept, None: it is not known.
FileLookup = Callable[[str], bytes | str | None]


def no_file(digest: str) -> None:
    """A lookup that knows no file."""


class CodeHistory:
    """Answers for the versions of one study; content and file look up what was stored."""

    def __init__(self, content: ContentLookup, file: FileLookup, baselines: Baselines) -> None:
        self._content = lru_cache(maxsize=None)(content)
        self.file = file
        self._baselines = baselines

    def links(self, code_digest: str) -> list[str]:
        """A code version and those it was taken for, one after the other."""
        links = [code_digest]
        while (follower := self._baselines.get((links[-1], ""))) and follower not in links:
            links.append(follower)
        return links

    def newly_covered(self, before: str, now: Mapping[str, str]) -> list[str]:
        """The files of a version that an older one and those it was taken for did not look for."""
        olds = [parts for link in self.links(before) if (parts := self._content(link))]
        names = (set(newly_covered(old, now)) for old in olds)
        return sorted(set.intersection(*names)) if olds else []

    def changes(
        self, before: str, now: str, content: ContentLookup, file: FileLookup
    ) -> list[InputChange]:
        """What differs between a stored version and another; empty where they are the same.

        content, file: look up what the other version consists of.
        """
        links = self.links(before)
        if now in links:
            return []
        new, olds = content(now), [self._content(link) for link in links]
        if new is None or None in olds:
            return [InputChange(InputKind.CODE, "its files were not recorded", None, None)]
        found = [(old, names) for old in olds if (names := differing_parts(old, new))]
        if not found:
            return []
        old, names = found[-1]
        return [c for name in names for c in self._part_changes(name, old, new, file)]

    def _part_changes(
        self, name: str, old: Mapping[str, str], new: Mapping[str, str], file: FileLookup
    ) -> Iterator[InputChange]:
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            word = "added" if before is None else "removed"
            yield InputChange(InputKind.CODE, f"{name} {word}", None, None)
            return
        was, is_now = self.file(before), file(after)
        if isinstance(was, bytes) and isinstance(is_now, bytes):
            yield from file_changes(name, was, is_now)
            return
        why = next((text for text in (was, is_now) if isinstance(text, str)), None)
        yield InputChange(InputKind.CODE, f"{name} ({why})" if why else name, None, None)

    def known_file(self, code_digest: str, name: str) -> str | None:
        """The digest of a file when a code version was used, where it was recorded."""
        for link in self.links(code_digest):
            parts = self._content(link) or {}
            known = parts.get(name) or self._baselines.get((link, name))
            if known:
                return str(known)
        return None
