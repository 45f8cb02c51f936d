"""Element labels of a study: what is counted under each, in which unit, and how it adds up."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ingest.findings import Finding, error, warning
from ingest.study.label_guess import Clues, guess_meaning
from ingest.study.setting_fields import read_section, setting
from ingest.text.suggest import did_you_mean

KINDS = ("flow", "stock", "share", "cumulative")
BETTER = ("lower", "higher", "none")
WEIGHTED = "weighted:"
_OVER = {"over_years": ("sum", "last", "mean", "none"), "over_countries": ("sum", "mean", "none")}


@dataclass(frozen=True)
class Label:
    """One element label; unit and description are empty where nobody says them.

    kind: flow (in a year), stock (at a moment), share (a share, rate or mean), or cumulative.
    over_years, over_countries: sum, mean, weighted:OTHER LABEL or none; over_years may be last, the
    value of the last year. unit is of one year, sum_unit of a sum over years. better: lower,
    higher or none. guessed: those of these fields that nobody says, with commas between.
    """

    element_label: str
    unit: str
    description: str = ""
    kind: str = "flow"
    over_years: str = "sum"
    over_countries: str = "sum"
    sum_unit: str = ""
    better: str = "none"
    guessed: str = ""

    @property
    def unit_of_years(self) -> str:
        """The unit of several years together, as the label adds up; empty where it is not known."""
        return (self.over_years == "sum" and self.sum_unit) or self.unit


@dataclass(frozen=True)
class LabelSettings:
    """[labels]: what one element label is; what is not set is as the model document says it."""

    kind: str = setting(
        "",
        "what its numbers are: of a year, at a moment, a share or mean, or from the start on",
        choices=KINDS,
    )
    over_years: str = setting(
        "", "how years add up: `sum`, `last` (the last year), `mean`, `weighted:LABEL`, `none`"
    )
    over_countries: str = setting(
        "", "how countries add up: `sum`, `mean`, `weighted:LABEL`, `none`"
    )
    unit: str = setting("", "unit of one year; `[units]` says it, too")
    sum_unit: str = setting("", "unit of a sum over years")
    better: str = setting("", "which direction is good", choices=BETTER)

    def said(self) -> dict[str, str]:
        """The keys that are set."""
        return {name: value for name, value in vars(self).items() if value}


MEANING = tuple(f.name for f in fields(LabelSettings) if f.name != "unit")
"""The fields that are guessed where nobody says them."""


@dataclass
class _Entry:
    """What the files say of one label; node: its entry in the model document."""

    unit: str = ""
    description: str = ""
    said: dict[str, str] = field(default_factory=dict)
    node: Mapping[str, Any] = field(default_factory=dict)


def read_labels(
    document: Any, units: Mapping[str, str], settings: Mapping[str, LabelSettings] | None = None
) -> tuple[Label, ...]:
    """The labels of a study in the order of the model document; what nobody says is guessed.

    document: a model document; its nodes and links say `label`, `unit`, `description` and the keys
    of LabelSettings, of two with one label the later one that says something. units, settings:
    [units] and [labels] of ingest.toml, which win over the document.
    """
    found = _entries(document)
    for name, unit in units.items():
        found.setdefault(name, _Entry()).unit = unit
    for name, own in (settings or {}).items():
        entry, said = found.setdefault(name, _Entry()), own.said()
        entry.unit = said.pop("unit", entry.unit)
        entry.said |= said
    return tuple(
        _label(name, entry.unit, entry.description, entry.said, entry.node, found)
        for name, entry in found.items()
    )


def guessed_label(name: str, unit: str, description: str, known: Iterable[str]) -> Label:
    """A label of which no more is known; known: all labels that it may be weighted by."""
    return _label(name, unit, description, {}, {}, frozenset(known))


def _label(
    name: str,
    unit: str,
    description: str,
    said: Mapping[str, str],
    node: Mapping[str, Any],
    known: Container[str],
) -> Label:
    guesses = guess_meaning(Clues(name, unit, description, node, known), said)
    guessed = ", ".join(key for key in MEANING if key not in said and guesses[key])
    return Label(name, unit, description, **{**guesses, **said}, guessed=guessed)


def _entries(document: Any) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for node in _nodes(document):
        name, unit, text = (_text(node, key) for key in ("label", "unit", "description"))
        said = {key: _text(node, key) for key in MEANING if is_allowed(key, _text(node, key))}
        if name and (unit or text or said or name not in found):
            found[name] = _Entry(unit, text, said, node)
    return found


def _nodes(document: Any) -> Iterator[Mapping[str, Any]]:
    for part in ("nodes", "links"):
        entries = document.get(part) if isinstance(document, dict) else None
        yield from (
            e for e in (entries if isinstance(entries, list) else ()) if isinstance(e, dict)
        )


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value.strip() if isinstance(value, str) else ""


# --- what is wrong -------------------------------------------------------------------------------


def is_allowed(key: str, value: str) -> bool:
    """Whether a key of LabelSettings may have a value, whatever labels there are."""
    if key in _OVER:
        return value in _OVER[key] or (value.startswith(WEIGHTED) and value != WEIGHTED)
    return bool(value) and value in {"kind": KINDS, "better": BETTER}.get(key, (value,))


def read_label_settings(
    raw: Mapping[str, Any], where: str
) -> tuple[dict[str, LabelSettings], list[Finding]]:
    """[labels."..."] of ingest.toml, and what is wrong with it."""
    settings: dict[str, LabelSettings] = {}
    findings: list[Finding] = []
    for label, values in raw.items():
        name = f'labels."{label}"'
        if not isinstance(values, dict):
            findings.append(error("bad-value", where, f"{name}: a table such as {_EXAMPLE}"))
            continue
        settings[label], more = read_section(LabelSettings, values, name, where)
        findings += more
        for key, value in settings[label].said().items():
            if not is_allowed(key, value):
                known = (*_OVER[key], f"{WEIGHTED}LABEL")
                hint = did_you_mean(value, known)
                message = f"{name}.{key}: {value!r} is not one of {', '.join(known)}.{hint}"
                findings.append(error("bad-value", where, message))
    return settings, findings


_EXAMPLE = '{ kind = "stock" } is needed'


def label_findings(
    document: Any, labels: Iterable[Label], settings: Mapping[str, LabelSettings], where: str
) -> list[Finding]:
    """Weights that are no label of the study, and words of the document that mean nothing here."""
    known = {label.element_label: label for label in labels}
    findings = []
    for label in known.values():
        for key in _OVER:
            value = getattr(label, key)
            weight = value.removeprefix(WEIGHTED)
            if value.startswith(WEIGHTED) and weight not in known:
                hint = did_you_mean(weight, known)
                own = settings.get(label.element_label)
                place = where if own and getattr(own, key) else "model document"
                message = f'labels."{label.element_label}".{key}: no label {weight!r} to weigh by.'
                findings.append(error("unknown-label", place, message + hint))
    for node in _nodes(document):
        for key in ("over_years", "over_countries", "better"):
            if _text(node, key) and not is_allowed(key, _text(node, key)):
                message = f"{_text(node, 'label')}: {key} {_text(node, key)!r} is ignored"
                findings.append(warning("bad-label", "model document", message))
    return findings
