"""What git says about a study: commit, branch, and which of its files are not committed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

UNKNOWN_COMMIT = "unknown"


@dataclass(frozen=True)
class GitState:
    """commit is 40 hexadecimal digits or "unknown"; dirty_files are relative to the study."""

    commit: str = UNKNOWN_COMMIT
    branch: str = ""
    dirty_files: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the study lies in a git repository with at least one commit."""
        return self.commit != UNKNOWN_COMMIT

    @property
    def short_commit(self) -> str:
        """The first seven digits, or "unknown"."""
        return self.commit[:7]


def read_git_state(root: Path, input_files: Iterable[str]) -> GitState:
    """The git state of a study; GitState() when it lies outside git or git is not installed.

    input_files: the study's files relative to root; only these count as dirty (changed, or not in
    the repository), so a database or a log beside them does not.
    """
    head = _git(root, "rev-parse", "--show-toplevel", "HEAD", "--abbrev-ref", "HEAD")
    if head is None:
        return GitState()
    top, commit, branch = head.removesuffix("\n").rsplit("\n", 2)
    return GitState(commit, branch, _dirty_files(root, top, set(input_files)))


def list_git_files(root: Path, *, tracked_only: bool = False) -> list[str] | None:
    """The files below a folder that git tracks, or would track, relative to it.

    None where git knows none of them: outside a repository (no process is started then), without
    git, or in a folder that git ignores as a whole.
    """
    folder = root.resolve()
    if not any((place / ".git").exists() for place in (folder, *folder.parents)):
        return None
    others = () if tracked_only else ("--others", "--exclude-standard")
    listed = _git(root, "ls-files", "-z", "--cached", *others)
    return sorted(set(listed.split("\0")) - {""}) if listed else None


def _dirty_files(root: Path, top: str, input_files: set[str]) -> tuple[str, ...]:
    folder = root.resolve()
    names = {file: os.path.relpath(os.path.normpath(folder / file), top) for file in input_files}
    outside = {file for file, name in names.items() if name.split(os.sep)[0] == os.pardir}
    inside = sorted(input_files - outside)
    if not inside:
        return tuple(sorted(outside))
    options = ("--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignored")
    status = _git(root, "status", *options, "--", *inside) or ""
    changed = {entry[3:] for entry in status.split("\0") if entry}
    return tuple(sorted(outside | {file for file in inside if names[file] in changed}))


def _git(root: Path, *arguments: str) -> str | None:
    """What a git command prints, or None when it fails."""
    # no optional locks: asking must not disturb a git command that runs beside
    options = ("--no-optional-locks", "--literal-pathspecs", "-C", str(root))
    try:
        result = subprocess.run(
            ["git", *options, *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None
