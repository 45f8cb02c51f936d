"""Pictures of Vega-Lite specifications by vl-convert. They load nothing.

vl-convert draws one picture at a time and holds Python up meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from ingest.errors import ConfigError
from ingest.text.foreign import show_unseen
from ingest.text.installation import not_installed


def render_svg(spec: Mapping[str, Any]) -> str:
    """The chart as SVG. Raises ConfigError: vl-convert is not there, or the chart is wrong."""
    return str(_render("svg", spec, allowed_base_urls=[]))


def render_png(spec: Mapping[str, Any]) -> bytes:
    """The chart as PNG, twice the size for sharp screens. Raises ConfigError as render_svg does."""
    return bytes(_render("png", spec, scale=2, allowed_base_urls=[]))


def render_html(spec: Mapping[str, Any]) -> str:
    """The chart as one HTML file with its scripts inside. Raises ConfigError as render_svg does."""
    return str(_render("html", spec, bundle=True))


def can_draw() -> bool:
    """Whether pictures can be made here."""
    return find_spec("vl_convert") is not None


def _render(kind: str, spec: Mapping[str, Any], **options: Any) -> Any:
    try:
        import vl_convert
    except ImportError as exc:
        raise ConfigError(not_installed("vl-convert-python", "charts")) from exc
    try:
        return getattr(vl_convert, f"vegalite_to_{kind}")(_readable(spec), **options)
    except ValueError as exc:
        reason = " ".join(str(exc).split())[:200]
        raise ConfigError(f"the chart cannot be drawn: {reason}") from exc


def _readable(value: Any) -> Any:
    """The same with control characters shown: SVG cannot hold them, and drawing would abort."""
    if isinstance(value, str):
        return show_unseen(value)
    if isinstance(value, Mapping):
        return {_readable(key): _readable(each) for key, each in value.items()}
    return [_readable(each) for each in value] if isinstance(value, list | tuple) else value
