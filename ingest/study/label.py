"""Element labels of a study: the unit and the meaning of what is counted under each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Label:
    """One element label; unit and description are empty where nobody says them."""

    element_label: str
    unit: str
    description: str = ""


def read_labels(document: Any, units: Mapping[str, str]) -> tuple[Label, ...]:
    """The labels of which a unit or a description is known, in the order of the model document.

    document: a model document; its nodes and links say `label`, `unit` and `description`, of two
    with one label the later one. units: [units] of ingest.toml, which win over the document.
    """
    found = {label.element_label: label for label in _labels_in(document)}
    for name, unit in units.items():
        known = found.get(name)
        found[name] = Label(name, unit, known.description if known else "")
    return tuple(found.values())


def _labels_in(document: Any) -> Iterator[Label]:
    for part in ("nodes", "links"):
        entries = document.get(part) if isinstance(document, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                name, unit, text = (_text(entry, key) for key in ("label", "unit", "description"))
                if name and (unit or text):
                    yield Label(name, unit, text)


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value.strip() if isinstance(value, str) else ""
