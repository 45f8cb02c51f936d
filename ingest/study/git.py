"""What git says about a study: commit, branch, and which of its files are not committed."""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

UNKNOWN_COMMIT = "unknown"
_TIMEOUT_S = 60
# Variables by which git tells the commands that it starts (hooks, submodule foreach) which
# repository, index and objects it is about: not the study's. The rest, its settings, stays.
_ABOUT_ANOTHER = re.compile(
    r"GIT_(DIR|WORK_TREE|IMPLICIT_WORK_TREE|COMMON_DIR|INDEX_FILE|PREFIX|INTERNAL_SUPER_PREFIX|"
    r"NAMESPACE|CONFIG|SHALLOW_FILE|GRAFT_FILE|QUARANTINE_PATH|NO_REPLACE_OBJECTS|"
    r"REPLACE_REF_BASE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|ATTR_SOURCE|"
    r"(GLOB|NOGLOB|LITERAL|ICASE)_PATHSPECS)"
)


@dataclass(frozen=True)
class GitState:
    """commit is 40 hexadecimal digits or "unknown"; dirty_files are relative to the study.

    problem: why git could not tell, and what to do; empty outside a repository.
    """

    commit: str = UNKNOWN_COMMIT
    branch: str = ""
    dirty_files: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the study lies in a git repository with at least one commit."""
        return self.commit != UNKNOWN_COMMIT

    @property
    def short_commit(self) -> str:
        """The first seven digits, or "unknown"."""
        return self.commit[:7]


class _NoAnswerError(Exception):
    """git could not answer: str() is what it said.

    Not an IngestError: read_git_state() turns it into the problem of a state.
    """


def read_git_state(root: Path, input_files: Iterable[str]) -> GitState:
    """The git state of a study; GitState() when it lies outside git.

    input_files: the study's files relative to root; only these count as dirty (changed, or not in
    the repository), so a database or a log beside them does not.
    """
    files = set(input_files)
    try:
        head = _git(root, "rev-parse", "--show-toplevel", "HEAD", "--abbrev-ref", "HEAD")
    except _NoAnswerError as exc:
        return GitState(problem=_problem(root, str(exc)))
    top, commit, branch = head.removesuffix("\n").rsplit("\n", 2)
    try:
        return GitState(commit, branch, _dirty_files(root, Path(top), files))
    except _NoAnswerError as exc:
        # what nobody can say to be committed counts as not committed
        return GitState(commit, branch, tuple(sorted(files)), _problem(root, str(exc)))


def list_git_files(root: Path, *, tracked_only: bool = False) -> list[str] | None:
    """The files below a folder that git tracks, or would track, relative to it.

    None where git knows none of them: outside a repository (no process is started then), without
    git, or in a folder that git ignores as a whole.
    """
    if _repository(root.resolve()) is None:
        return None
    others = () if tracked_only else ("--others", "--exclude-standard")
    try:
        listed = _git(root, "ls-files", "-z", "--cached", *others)
    except _NoAnswerError:
        return None
    return sorted(set(listed.split("\0")) - {""}) or None


def _repository(folder: Path) -> Path | None:
    """The folder of the repository that a folder lies in, None where there is none."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), None)


def _dirty_files(root: Path, top: Path, files: set[str]) -> tuple[str, ...]:
    """The files that are not committed. Raises _NoAnswerError."""
    folder = root.resolve()
    paths = {file: Path(os.path.normpath(folder / file)) for file in files}
    by_repository: dict[Path | None, set[str]] = defaultdict(set)
    for file, path in paths.items():
        by_repository[_repository_within(path, top)].add(file)
    dirty = by_repository.pop(None, set())
    names = {
        place: {os.path.relpath(paths[file], place) for file in inside}
        for place, inside in by_repository.items()
        if place is not None
    }
    # a submodule at another commit than the one committed, or a clone that is no submodule
    nested = {os.path.relpath(place, top) for place in names if place != top}
    moved = _changed(top, names.pop(top, set()) | nested, "--ignore-submodules=dirty")
    changed = {top: moved} | {place: _changed(place, inside) for place, inside in names.items()}
    for place, those in changed.items():
        is_moved = os.path.relpath(place, top) in moved
        inside = by_repository[place]
        dirty |= {f for f in inside if is_moved or os.path.relpath(paths[f], place) in those}
    return tuple(sorted(dirty))


def _repository_within(path: Path, top: Path) -> Path | None:
    """The repository of a file below top: top itself, a submodule or another clone in it.

    None for a file elsewhere.
    """
    if not path.is_relative_to(top):
        return None
    found = _repository(path.parent)
    return found if found and found.is_relative_to(top) else top


def _changed(place: Path, names: Iterable[str], *more: str) -> set[str]:
    """Those of a repository's files that are not committed as they are. Raises _NoAnswerError."""
    asked = sorted(names)
    if not asked:
        return set()
    options = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignored", *more)
    status = _git(place, "status", *options, "--", *asked)
    return {entry[3:].rstrip("/") for entry in status.split("\0") if entry}


def _git(root: Path, *arguments: str) -> str:
    """What a git command prints. Raises _NoAnswerError when it fails."""
    # no optional locks: asking must not disturb a git command that runs beside
    options = ("--no-optional-locks", "--literal-pathspecs", "-C", str(root))
    environment = {k: v for k, v in os.environ.items() if not _ABOUT_ANOTHER.fullmatch(k)}
    try:
        result = subprocess.run(
            ["git", *options, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=_TIMEOUT_S,
            check=False,
            env=environment | {"LC_ALL": "C"},  # its errors are read below
        )
    except FileNotFoundError as exc:
        raise _NoAnswerError(_NOT_INSTALLED) from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise _NoAnswerError(str(exc)) from exc
    if result.returncode:
        raise _NoAnswerError(result.stderr.encode(errors="replace").decode())
    return result.stdout


_NOT_INSTALLED = "git is not installed"
# What git says, and what to tell a person; the first row that fits counts.
_PROBLEMS = (
    (r"git config --global --add safe\.directory (?P<at>.+)",
     "git does not read {at}, which belongs to another user. Allow it with: "
     "git config --global --add safe.directory {at}"),
    (r"dubious ownership|unsafe repository",
     "git does not read {place}, which belongs to another user. Allow it with: "
     "git config --global --add safe.directory {place}"),
    (r"must be run in a work tree|bare repository",
     "{place} is a bare repository, without files of its own. Run in a clone of it: git clone"),
    (r"ambiguous argument 'HEAD'|unknown revision",
     "the repository {place} has no commit yet. Make one with: git add . && git commit"),
    (_NOT_INSTALLED,
     "git is not installed, or not on PATH, so that nobody can tell the commit of {place}"),
    (r"(?P<said>[^\n]*)",
     "the repository {place} cannot be read (git: {said}). See: git -C {place} fsck"),
)  # fmt: skip


def _problem(root: Path, said: str) -> str:
    """Why git could not answer, and what to do; empty outside a repository."""
    place = _repository(root.resolve())
    if place is None and not re.search("work tree|bare repository", said):
        own = os.environ.get("GIT_DIR")
        return f"GIT_DIR is set ({own}), and ingest looks for .git in the study's folder" * bool(
            own
        )
    words = {"place": place or root.resolve()}
    for pattern, sentence in _PROBLEMS:
        match = re.search(pattern, said)
        if match:
            return sentence.format(**(words | match.groupdict()))
    raise AssertionError("the last pattern fits everything")
