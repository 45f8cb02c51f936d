"""The contents of a study's code and data files as they are, by digest."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

from ingest.study.line_ends import with_line_feeds
from ingest.study.study import Study
from ingest.study.study_files import StudyFiles, list_study_files

LARGEST_BYTES = 10_000_000
IGNORED = "git ignores it, so its content is not kept"


class FileContents:
    """Reads files when they are asked for; digests are those that the study was read with."""

    def __init__(self, study: Study) -> None:
        self._root = study.root
        self._study = study
        self.code = {study.code.parts[name]: name for name in study.code.files}
        """The files of the code version by digest."""
        self._names = self.code | {file.digest: file.name for file in study.country_data.files}

    @cached_property
    def _listed(self) -> StudyFiles:
        return self._study.code.listed or list_study_files(self._root)

    def read(self, digest: str) -> bytes | str | None:
        """A file's content, with LF at the ends of lines; a text says why it is not kept.

        None where there is no file of that digest, or it has changed since.
        """
        if digest not in self._names:
            return None
        name = self._names[digest]
        if self._listed.by_git and name not in self._listed.names:
            return IGNORED
        path = Path(self._root, name)
        try:
            size = path.stat().st_size
            if size > LARGEST_BYTES:
                limit = f"limit {LARGEST_BYTES / 1e6:.0f} MB"
                return f"{size / 1e6:,.1f} MB, too large to be kept: {limit}"
            content = with_line_feeds(path.read_bytes())
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() == digest else None
