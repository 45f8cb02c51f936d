"""Where bundled files lie: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource_path(name: str) -> Path:
    """Path of a bundled file or folder: metadata.yml, templates, examples, static, ...

    Raises FileNotFoundError: neither a checkout nor an installed wheel has it.
    """
    for base in (_PACKAGE / "_bundled", _PACKAGE.parent):
        if (base / name).exists():
            return base / name
    raise FileNotFoundError(f"{name} is missing from this installation of ingest")
