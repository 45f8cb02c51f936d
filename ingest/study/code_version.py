"""The version of a model's code: the digests of its files and data, or a version the study names.

Where a study does not say which files those are (study.code), they are the files that its command
names, the modules that these and the entry point import, and the data files in its folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath

from ingest.findings import Finding, error, warning
from ingest.study.identity import DEFAULT_MARK
from ingest.study.imports import reached_files
from ingest.study.json_files import canonical_json, sha256_text
from ingest.study.line_ends import file_digest
from ingest.study.local_settings import LocalSettings
from ingest.study.regular_files import what_it_is
from ingest.study.study_files import (
    StudyFiles,
    is_code,
    is_of_ingest,
    list_study_files,
    may_be_input,
)

Parts = Mapping[str, str]

# Parts that say which files are covered, so that two versions are compared by what both cover.
DEFAULT_FILES, IGNORED_FILES, ROW_FILES = "study.code", "study.ignore_files", "study.country_data"
_COVERAGE = (DEFAULT_FILES, IGNORED_FILES, ROW_FILES)
_THIS_DEFAULT = "default 2"  # the first default had no mark: *.py of the study's own folder
_SETTINGS = "executors."
VERSION = "version"


@dataclass(frozen=True)
class CodeSettings:
    """What a study says of its code.

    patterns: None for the default. ignored: globs of files that do not count. others: files and
    folders that are inputs of another kind, or none. row_files: files whose rows belong to single
    countries. model_is_here: the model runs from this folder, so that there must be code.
    """

    name: str = ""
    patterns: tuple[str, ...] | None = None
    version: str | None = None
    ignored: tuple[str, ...] = ()
    others: frozenset[str] = frozenset()
    row_files: tuple[str, ...] = ()
    model_is_here: bool = False


@dataclass(frozen=True)
class CodeVersion:
    """parts maps what the code consists of (a file, an entry point) to a digest or a version.

    files: those among the parts that are files, relative to the study. listed: all files of the
    study, where the default looked for them.
    """

    parts: Parts
    files: tuple[str, ...] = ()
    listed: StudyFiles | None = field(default=None, repr=False)

    @cached_property
    def content(self) -> str:
        """The parts as canonical JSON."""
        return canonical_json(dict(self.parts))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of content."""
        return sha256_text(self.content)


def read_code_version(
    root: Path, study: CodeSettings, local: LocalSettings, runs: Parts
) -> tuple[CodeVersion, list[Finding]]:
    """The code version of a study, and what is wrong with its patterns and files.

    root: the study's folder. local: how the model is called, to find its files. runs: settings
    that decide numbers, a part of the version too.
    """
    marks = {ROW_FILES: canonical_json(sorted(study.row_files))} if study.row_files else {}
    if study.version:
        return CodeVersion({VERSION: study.version, **runs, **marks}), []
    listed: StudyFiles | None = None
    findings: list[Finding] = []
    if study.patterns is None:
        listed = list_study_files(root)
        names = default_files(root, study, local, listed)
        marks |= {DEFAULT_FILES: _THIS_DEFAULT}
        if study.ignored:
            marks |= {IGNORED_FILES: canonical_json(sorted(study.ignored))}
        if study.model_is_here and not any(map(is_code, names)):
            findings.append(error("no-code-file", "ingest.toml", _NO_CODE))
    else:
        names, findings = _matching_files(root, study.patterns)
    digests: dict[str, str] = {}
    for file in sorted(set(names) - set(study.row_files)):
        try:
            digests[file] = file_digest(root / file)
        except OSError as exc:
            findings.append(error("bad-code-file", file, f"cannot be read: {exc.strerror}"))
    return CodeVersion({**digests, **runs, **marks}, tuple(digests), listed), findings


_NO_CODE = (
    "no file of the model's code is found: name it in executors.local.command, or write "
    '[study] code = ["model.R", "data/*.csv"]; code_version = "1.0" stands for a program '
    "that is installed elsewhere"
)


def default_files(
    root: Path, study: CodeSettings, local: LocalSettings, listed: StudyFiles
) -> list[str]:
    """The code and data files of a study that does not name them."""
    names = [name for name in listed.names if not is_named(name, study.ignored)]
    module = (local.entry_point or "").partition(":")[0].replace(".", "/")
    starts = [f"{module}.py", f"{module}/__init__.py", *command_files(root, local.command)]
    starts += [path.name for path in root.glob("*.py")]
    reached = reached_files(root, starts, names)
    data = {name for name in names if may_be_input(name)} - reached
    files = reached | {name for name in data if not is_of_ingest(root, name, study.name)}
    own = (name for name in files if study.others.isdisjoint(_places(name)))
    return [name for name in own if not is_named(name, study.ignored)]


def command_files(root: Path, command: Sequence[str]) -> list[str]:
    """The arguments of a command that are files of the study, also in --file=NAME and -m MODULE."""
    folder = root.resolve()
    found = []
    for before, argument in zip(("", *command), command, strict=False):
        text = argument.partition("=")[2] or argument
        if before == "-m":
            module = text.replace(".", "/")
            found += [f"{module}.py", f"{module}/__main__.py", f"{module}/__init__.py"]
        elif "{" not in text and (folder / text).is_file():
            place = PurePosixPath(os.path.relpath(folder / text, folder))
            hidden = any(part.startswith(".") and part != ".." for part in place.parts)
            if not hidden and not (Path(text).is_absolute() and ".." in place.parts):
                found.append(str(place))
    return found


def is_named(name: str, patterns: Iterable[str]) -> bool:
    """Whether a glob names a file, a folder that it lies in, or its name in any folder."""
    places = (*_places(name), PurePosixPath(name).name)
    return any(fnmatchcase(p, pattern.rstrip("/")) for pattern in patterns for p in places)


def _places(name: str) -> list[str]:
    """A file and the folders that it lies in, below the study's own."""
    return [name, *map(str, PurePosixPath(name).parents[:-1])]


def _matching_files(root: Path, patterns: Iterable[str]) -> tuple[list[str], list[Finding]]:
    """The files that the patterns of study.code find, and what is wrong with a pattern."""
    files: dict[str, None] = {}
    findings: list[Finding] = []
    for pattern in patterns:
        try:
            found = [path for path in sorted(root.glob(pattern)) if not path.is_dir()]
        except (ValueError, NotImplementedError):
            message = f"study.code: {pattern!r} is no pattern below the study's folder"
            findings.append(error("bad-value", "ingest.toml", message))
            continue
        names = {path.relative_to(root).as_posix(): what_it_is(path) for path in found}
        findings += [error("bad-code-file", name, what) for name, what in names.items() if what]
        files |= dict.fromkeys(name for name, what in names.items() if not what)
        if not found and pattern != "*.py":
            message = f"study.code pattern {pattern!r} finds no file"
            findings.append(warning("no-code-file", "ingest.toml", message))
    return list(files), findings


# --- two versions -------------------------------------------------------------------------------


def without_marks(version: Parts) -> Parts:
    """The parts of a version, what an executor has by default under the name of the setting."""
    return {name.removesuffix(DEFAULT_MARK): value for name, value in version.items()}


def differing_parts(old: Parts, new: Parts) -> list[str]:
    """The parts that differ between two versions, among those that both would have covered.

    So neither a wider default of a later ingest nor a change of study.ignore_files is a change,
    nor is a setting that an executor has by default and that only one of them names.
    """
    marked = {
        name.removesuffix(DEFAULT_MARK) for name in (*old, *new) if name.endswith(DEFAULT_MARK)
    }
    old, new = without_marks(old), without_marks(new)
    if VERSION in new and VERSION not in old and not any(map(is_file, old)):
        new = {name: value for name, value in new.items() if name != VERSION}
    return [
        name
        for name in dict.fromkeys([*new, *old])
        if name not in _COVERAGE
        and old.get(name) != new.get(name)
        and (name in old or _would_cover(old, name, new))
        and (name in new or _would_cover(new, name, old))
        and not (name in marked and (name in old) != (name in new))
    ]


def newly_covered(old: Parts, new: Parts) -> list[str]:
    """The files of a version that an older one would not have covered had they been there."""
    return [n for n in new if is_file(n) and n not in old and not _would_cover(old, n, new)]


def is_file(name: str) -> bool:
    """Whether a part of a version is a file."""
    return name != VERSION and name not in _COVERAGE and not name.startswith(_SETTINGS)


def _would_cover(version: Parts, name: str, other: Parts) -> bool:
    """Whether a version that has no part of this name looked for it, so that it was not there."""
    if not is_file(name):
        return True
    if name in json.loads(version.get(ROW_FILES, "[]")):
        return False
    if DEFAULT_FILES in version:
        return not is_named(name, json.loads(version.get(IGNORED_FILES, "[]")))
    if DEFAULT_FILES in other:
        return fnmatchcase(name, "*.py") and "/" not in name
    return True
