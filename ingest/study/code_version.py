"""The version of a model's code: the digests of its files, or a version the study names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ingest.findings import Finding, error, warning
from ingest.study.json_files import canonical_json, sha256_text


@dataclass(frozen=True)
class CodeVersion:
    """parts maps what the code consists of (a file, an entry point) to a digest or a version."""

    parts: Mapping[str, str]

    @cached_property
    def content(self) -> str:
        """The parts as canonical JSON."""
        return canonical_json(dict(self.parts))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of content."""
        return sha256_text(self.content)


def read_code_version(
    root: Path, patterns: tuple[str, ...], version: str | None, runs: Mapping[str, str]
) -> tuple[CodeVersion, list[Finding]]:
    """The code version of a study, and what is wrong with its patterns and files.

    root: the study's folder. patterns: globs below it. version: stands for the files when given.
    runs: how the model is called (entry point, command), a part of the version too.
    """
    if version:
        return CodeVersion({"version": version, **runs}), []
    files: dict[str, str] = {}
    findings: list[Finding] = []
    for pattern in patterns:
        try:
            found = [path for path in sorted(root.glob(pattern)) if path.is_file()]
        except (ValueError, NotImplementedError):
            message = f"study.code: {pattern!r} is no pattern below the study's folder"
            findings.append(error("bad-value", "ingest.toml", message))
            continue
        for path in found:
            file = path.relative_to(root).as_posix()
            try:
                files[file] = file_digest(path)
            except OSError as exc:
                findings.append(error("bad-code-file", file, f"cannot be read: {exc.strerror}"))
        if not found and pattern != "*.py":
            message = f"study.code pattern {pattern!r} finds no file"
            findings.append(warning("no-code-file", "ingest.toml", message))
    return CodeVersion({**dict(sorted(files.items())), **runs}), findings


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
