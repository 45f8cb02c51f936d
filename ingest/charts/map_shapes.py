"""The outlines of the world's countries, and the numeric codes by which they are found.

Natural Earth's outlines (public domain) as TopoJSON, from world-atlas 2.0.2 by Mike Bostock (ISC).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ingest.resources import resource_path

SHAPES_FILE = "world-110m.json"
_FORMAT = {"type": "topojson", "feature": "countries"}


def shapes_at(url: str) -> dict[str, Any]:
    """The outlines as Vega-Lite data that a browser fetches."""
    return {"url": url, "format": _FORMAT}


def bundled_shapes() -> dict[str, Any]:
    """The outlines as Vega-Lite data that stand in the specification itself."""
    return {"values": _topology(), "format": _FORMAT}


@lru_cache(maxsize=1)
def _topology() -> dict[str, Any]:
    path = resource_path("static") / SHAPES_FILE
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@lru_cache(maxsize=1)
def shape_codes() -> frozenset[str]:
    """The numeric codes of the countries that have an outline."""
    outlines = _topology()["objects"]["countries"]["geometries"]
    return frozenset(outline["id"] for outline in outlines if "id" in outline)


def numeric_codes(countries: Iterable[str]) -> dict[str, str]:
    """The ISO 3166 numeric code (404) of each ISO3 code (KEN); those without one are left out."""
    known = _numeric_by_alpha()
    return {country: known[country] for country in countries if country in known}


@lru_cache(maxsize=1)
def _numeric_by_alpha() -> dict[str, str]:
    import pycountry  # its tables are read on first use, so not on import of this module

    return {country.alpha_3: country.numeric for country in pycountry.countries}
