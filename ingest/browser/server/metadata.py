"""The browser's metadata: metadata.yml for whatever name a results database has."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from ingest.errors import ConfigError
from ingest.resources import resource_path
from ingest.text.yaml_text import read_yaml

# The name under which metadata.yml describes a results database.
_NAME = "validation_results"


def browser_metadata(names: Iterable[str]) -> dict[str, Any]:
    """metadata.yml with its description of a results database under each of these names."""
    document = _document()
    described = document["databases"].pop(_NAME)
    document["databases"] |= {name: copy.deepcopy(described) for name in names}
    return dict(document)


def described_tables() -> list[str]:
    """The tables and views of a results database that metadata.yml describes."""
    tables = _document()["databases"][_NAME]["tables"]
    return [name for name in tables if not name.startswith("_")]


def _document() -> Any:
    return read_yaml(resource_path("metadata.yml").read_text(encoding="utf-8"))


def parse_metadata(text: str, where: str) -> dict[str, Any]:
    """A person's own metadata, JSON or YAML. Raises ConfigError."""
    try:
        document = read_yaml(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"{where}: {' '.join(str(exc).split())}") from exc
    if not isinstance(document, dict):
        raise ConfigError(f"{where}: metadata is a mapping of keys to values")
    return document


def merge_metadata(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """base with everything in more put over it, mapping by mapping."""
    merged = dict(base)
    for key, value in more.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge_metadata(below, value)
        else:
            merged[key] = value
    return merged
