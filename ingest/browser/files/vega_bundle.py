"""Vega, Vega-Lite and Vega-Embed as one script, made from vl-convert once and kept."""

from __future__ import annotations

import os
import tempfile
import threading
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ingest.errors import ConfigError
from ingest.text.installation import not_installed


def bundle_version() -> str:
    """Identifies a bundle. Raises ConfigError: vl-convert is not installed."""
    try:
        return metadata.version("vl-convert-python")
    except metadata.PackageNotFoundError as exc:
        raise ConfigError(not_installed("vl-convert-python", "charts")) from exc


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


ROUTE = r"/-/ingest/vega\.js$"
_YEAR_S = 31_536_000


async def serve_vega() -> Any:
    """The script with Vega, to be kept by the browser for good; its address names its version."""
    import asyncio

    from datasette import Response

    try:
        script = await asyncio.to_thread(vega_bundle)
    except ConfigError as exc:
        return Response.text(str(exc), status=404)
    return Response(
        script,
        content_type="text/javascript; charset=utf-8",
        headers={"Cache-Control": f"public, max-age={_YEAR_S}, immutable"},
    )


def vega_url(base_url: str) -> str:
    """The script's address; without a version where it cannot be made."""
    try:
        return f"{base_url}-/ingest/vega.js?v={bundle_version()}"
    except ConfigError:
        return f"{base_url}-/ingest/vega.js"


def warm_up() -> None:
    """Make the script in the background, so that the first page need not wait for it."""
    threading.Thread(target=_make_quietly, daemon=True).start()


def _make_quietly() -> None:
    try:
        vega_bundle()
    except ConfigError:
        return  # the page says so
