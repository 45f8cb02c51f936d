"""The commands that install more of ingest, or a later version of it."""

from __future__ import annotations

import shlex
import sys
from importlib import metadata
from pathlib import Path

_PROJECT = "ingest"


def not_installed(name: str, extra: str) -> str:
    """That a library is missing, and the command that installs all that its extra needs.

    It names the packages themselves, and this Python: that works for a checkout and for a wheel.
    """
    try:
        requirements = metadata.requires(_PROJECT) or []
    except metadata.PackageNotFoundError:
        requirements = []
    parts = (requirement.partition(";") for requirement in requirements)
    of_extra = [what.strip() for what, _, marker in parts if extra in marker]
    packages = " ".join(shlex.quote(what) for what in of_extra or [name])
    return f"{name} is not installed: {shlex.quote(sys.executable)} -m pip install {packages}"


def update_command() -> str:
    """How a later version of ingest is had."""
    root = Path(__file__).resolve().parent.parent.parent
    if (root / "pyproject.toml").exists():
        return f"Update with: git -C {shlex.quote(str(root))} pull"
    return f"Update with: {shlex.quote(sys.executable)} -m pip install FILE, the later wheel"
