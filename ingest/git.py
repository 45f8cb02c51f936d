"""What git says about a study: commit, branch, and which of its files are not committed."""

from __future__ import annotations

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

    input_files: the study's files relative to root; only these count as dirty (changed or not yet
    added), so a database or a log beside them does not.
    """
    commit = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    if commit is None:
        return GitState()
    branch = _git(root, "rev-parse", "--abbrev-ref", "HEAD") or ""
    files = sorted(set(input_files))
    status = (
        _git(
            root,
            "status",
            "--porcelain=v1",
            "-z",
            "--untracked-files=all",
            "--no-renames",
            "--ignored=no",
            "--",
            *files,
        )
        if files
        else ""
    )
    prefix = (_git(root, "rev-parse", "--show-prefix") or "").strip()
    dirty = {entry[3:].removeprefix(prefix) for entry in (status or "").split("\0") if entry}
    return GitState(commit.strip(), branch.strip(), tuple(sorted(dirty)))


def _git(root: Path, *arguments: str) -> str | None:
    """What a git command prints, or None when it fails."""
    command = ["git", "-C", str(root), *arguments]
    try:
        # no optional locks: asking must not disturb a git command that runs beside
        result = subprocess.run(
            ["git", "--no-optional-locks", *command[1:]],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None
