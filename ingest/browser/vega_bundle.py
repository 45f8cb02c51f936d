"""Vega, Vega-Lite and Vega-Embed as one script, made from vl-convert once and kept."""

from __future__ import annotations

import os
import tempfile
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError


def bundle_version() -> str:
    """What tells one bundle from another. Raises ConfigError: vl-convert is not installed."""
    try:
        return metadata.version("vl-convert-python")
    except metadata.PackageNotFoundError as exc:
        raise ConfigError("vl-convert is not installed: pip install 'ingest[charts]'") from exc


@lru_cache(maxsize=1)
def vega_bundle() -> bytes:
    """The script; it takes some seconds to make, so it is kept in the user's folder for caches.

    Raises ConfigError: vl-convert is not installed.
    """
    file = cache_folder() / f"vega-{bundle_version()}.js"
    try:
        return file.read_bytes()
    except OSError:
        script = _make()
        _keep(file, script)
        return script


def cache_folder() -> Path:
    """Where programs of this user keep what they can make again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "ingest"


def _make() -> bytes:
    import vl_convert

    make: Any = vl_convert.javascript_bundle  # its types ask for a text, which it does not need
    return str(make()).encode()


def _keep(file: Path, script: bytes) -> None:
    """Write the script whole or not at all; without a place for it, it is made again next time."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(handle, "wb") as temporary:
            temporary.write(script)
        os.replace(name, file)
    except OSError:
        return
