"""Scenario and country applied to the model document: the document a job gets, and its digest.

A scenario's paths are resolved once, with a marker in place of the country: that gives the digests
of all countries. For the first job of a scenario the document is dumped once, and the ISO3 code is
spliced in for each country. Where a path might find different places depending on
the country (a filter that looks at more than ids, after the Country parameter), the scenario is
applied from the start for each country instead. Both ways give the same documents.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ingest.findings import Finding, error, warning
from ingest.study.json_files import canonical_json, sha256_text
from ingest.study.json_paths import JsonPathError, Location, locations, remove, value_at
from ingest.study.scenario import COUNTRY_PARAMETER, Scenario
from ingest.study.study import Model
from ingest.text.numbers import count_text

Slot = tuple[Location, str]

UNMATCHED = "unmatched-path"
"""The code of the finding that a path matches nothing."""

# Stands for the country while a document is dumped; private-use characters keep it unmistakable.
_MARKER = "\ue000ISO3\ue000"
_DUMPED_MARKER = json.dumps(_MARKER)[1:-1]
# What the generation of model documents before this one writes into a country slot.
_OLD_PLACEHOLDER = "COUNTRY"

# Names, indexes and filters on `@.id == '...'` find the same places as long as ids and structure
# stay as they are.
_STATIC_PATH = re.compile(
    r"""\$(?: \.[A-Za-z_]\w* | \[\d+\] | \['[^'\\]*'\] | \["[^"\\]*"\]
        | \[\?\s*\(?\s*@\.id\s*==\s*(?:'[^'\\]*'|"[^"\\]*")\s*\)?\s*\] )*""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class ComposedScenario:
    """One scenario applied to the model document, ready for any country.

    canonical_digest: SHA-256 of the canonical text with the country's slots marked; None when the
    places that the paths find depend on the country. takes_country: whether a slot is marked.
    uncovered: country slots no path reaches. unmatched: paths that find nothing, each with its
    parameter. years: start and end, end exclusive.
    """

    model: Model
    scenario: Scenario
    canonical_digest: str | None
    takes_country: bool
    uncovered: tuple[Slot, ...]
    unmatched: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    years: tuple[Any, Any]
    cache: _PathCache = field(repr=False, compare=False)

    def document(self, iso3: str) -> bytes:
        """The model document of this scenario for one country, as UTF-8 JSON."""
        if self.canonical_digest is None:
            return json.dumps(self._applied(iso3)).encode()
        return iso3.join(self._parts).encode()

    @cached_property
    def _parts(self) -> list[str]:
        """The document's text, split where the ISO3 code goes; planning does without."""
        return json.dumps(self._applied(_MARKER)).split(_DUMPED_MARKER)

    def document_digest(self, iso3: str) -> str:
        """SHA-256 that tells two composed documents apart, independent of key order and blanks.

        It is taken over the canonical text with the country's slots marked, and the ISO3 code, so
        that a country costs microseconds whatever the size of the document.
        """
        if self.canonical_digest is None:
            return sha256_text(canonical_json(self._applied(iso3)))
        return sha256_text(f"{self.canonical_digest} {iso3 if self.takes_country else '-'}")

    def _applied(self, iso3: str) -> Any:
        return _apply(self.model, self.scenario, iso3, self.cache).document


def compose_scenario(
    model: Model, scenario: Scenario, *, cache: _PathCache | None = None
) -> ComposedScenario:
    """A scenario applied to the model document, with what is wrong in findings."""
    cache = cache or _PathCache()
    applied = _apply(model, scenario, _MARKER, cache)
    findings = list(applied.findings)
    slots = list(country_slots(applied.document))
    uncovered = tuple(slot for slot in slots if slot[0] not in applied.assigned)
    years, more = _check_years(applied.document, scenario)
    findings += more
    digest, takes_country = None, False
    if not applied.depends_on_country:
        canonical = canonical_json(applied.document)
        digest, takes_country = sha256_text(canonical), _DUMPED_MARKER in canonical
        if slots and not uncovered and not takes_country:
            message = (
                f"every country gets the same document: no country slot takes the country. Name "
                f"the parameter that sets it {COUNTRY_PARAMETER}"
            )
            findings.append(warning("same-document", scenario.file, message))
    return ComposedScenario(
        model=model,
        scenario=scenario,
        canonical_digest=digest,
        takes_country=takes_country,
        uncovered=uncovered,
        unmatched=tuple(applied.unmatched),
        findings=tuple(findings),
        years=years,
        cache=cache,
    )


def compose_scenarios(model: Model, scenarios: Sequence[Scenario]) -> dict[str, ComposedScenario]:
    """Each scenario applied to the model document, by name; equal paths are resolved once."""
    cache = _PathCache()
    return {s.name: compose_scenario(model, s, cache=cache) for s in scenarios}


def gives_same_input(
    old: Model, new: Model, scenario: Scenario, iso3: str | None = None
) -> bool | None:
    """Whether a scenario's documents of two models differ by what is no input alone.

    None where that may depend on the country: ask with its ISO3 code.
    """
    if old.input_digest != new.input_digest:
        return False
    if not any(_looks_at_values(path) for p in scenario.parameters for path in p.paths):
        return True
    # a filter may look at what is no input, and find other places with it
    applied = [(_apply(m, scenario, iso3 or _MARKER, _PathCache()), m.ignore) for m in (old, new)]
    if iso3 is None and any(one.depends_on_country for one, _ in applied):
        return None
    texts = [canonical_json(remove(one.document, ignore)) for one, ignore in applied]
    return texts[0] == texts[1]


def composition_findings(
    composed: Sequence[ComposedScenario], unmatched_paths: str = "error"
) -> list[Finding]:
    """What is wrong in composed scenarios; what several have in common is told once.

    unmatched_paths: "error" or "warning", what a path that matches nothing is.
    """
    findings: list[Finding] = []
    uncovered: dict[tuple[Slot, ...], list[str]] = {}
    unmatched: dict[str, dict[str, str]] = {}
    for item in composed:
        findings += item.findings
        for path, parameter in item.unmatched:
            unmatched.setdefault(path, {}).setdefault(item.scenario.file, parameter)
        if item.uncovered:
            uncovered.setdefault(item.uncovered, []).append(item.scenario.name)
    for slots, names in uncovered.items():
        findings.append(_uncovered_finding(slots, names, len(composed), composed[0].model.file))
    make = warning if unmatched_paths == "warning" else error
    for path, files in unmatched.items():
        (file, parameter), *others = files.items()
        more = f", as in {count_text(len(others), 'other scenario')}" if others else ""
        message = (
            f"parameter {parameter!r}: {path} matches nothing in {composed[0].model.file}{more} "
            f"(study.unmatched_paths = {unmatched_paths!r})"
        )
        findings.append(make(UNMATCHED, file, message))
    return findings


def sum_up_unmatched(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, with one in place of all warnings of paths that match nothing."""
    unmatched = [f for f in findings if f.code == UNMATCHED and not f.is_error]
    if not unmatched:
        return list(findings)
    verb = "path matches" if len(unmatched) == 1 else "paths match"
    message = (
        f"{len(unmatched):,} {verb} nothing in the model document. List them with: ingest check "
        "(setting study.unmatched_paths)"
    )
    return [*(f for f in findings if f not in unmatched), warning(UNMATCHED, "", message)]


def _uncovered_finding(
    slots: tuple[Slot, ...], scenarios: list[str], total: int, file: str
) -> Finding:
    labels = ", ".join(f"{slot_label!r}" for _, slot_label in slots)
    which = "every scenario" if len(scenarios) == total else ", ".join(scenarios)
    plural = "s" if len(slots) > 1 else ""
    return warning(
        "uncovered-country-slot",
        file,
        f"{len(slots)} country slot{plural} not covered by the {COUNTRY_PARAMETER} parameter of "
        f"{which}, so every country gets the model document's own value: {labels}",
    )


def country_slots(document: Any) -> Iterator[Slot]:
    """Location and label of each generate_array.parameters.country of nodes and links."""
    for kind in ("nodes", "links"):
        entries = _nested(document, kind)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            parameters = _nested(entry, "generate_array", "parameters")
            if isinstance(parameters, dict) and "country" in parameters:
                location = (kind, index, "generate_array", "parameters", "country")
                yield location, str(entry.get("label") or entry.get("id") or f"{kind}[{index}]")


def _nested(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


@dataclass
class _PathCache:
    """Places that static paths find in the untouched model document."""

    places: dict[str, list[Location]] = field(default_factory=dict)


@dataclass
class _Applied:
    """A document with a scenario's parameters in it, and what was seen on the way."""

    document: Any
    assigned: set[Location] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    unmatched: list[tuple[str, str]] = field(default_factory=list)
    depends_on_country: bool = False
    ids_and_structure_kept: bool = True


def _apply(model: Model, scenario: Scenario, country: str, cache: _PathCache) -> _Applied:
    """Apply a scenario's parameters in order; the Country parameter takes the given country."""
    applied = _Applied(model.copy_document())
    for location, _ in country_slots(applied.document):
        if value_at(applied.document, location) == _OLD_PLACEHOLDER:
            _assign(applied, location, country)
    country_is_set = bool(applied.assigned)
    for parameter in scenario.parameters:
        is_country = parameter.name == COUNTRY_PARAMETER
        value = country if is_country else parameter.value
        for path in parameter.paths:
            if country_is_set and _looks_at_values(path):
                applied.depends_on_country = True
            try:
                places = _places(path, applied, cache)
            except JsonPathError as exc:
                message = f"parameter {parameter.name!r}: {exc}"
                applied.findings.append(error("bad-path", scenario.file, message))
                continue
            if not places:
                applied.unmatched.append((path, parameter.name))
            for location in places:
                if is_country and location[-1:] == ("id",):
                    applied.depends_on_country = True
                if not _assign(applied, location, value):
                    message = f"parameter {parameter.name!r}: {path} finds a place in another one"
                    applied.findings.append(error("bad-path", scenario.file, message))
                    break
            country_is_set = country_is_set or is_country
    return applied


def _looks_at_values(path: str) -> bool:
    """Whether a path may find other places when a value (not an id, not the structure) changes."""
    return "?" in path and not _STATIC_PATH.fullmatch(path)


def _places(path: str, applied: _Applied, cache: _PathCache) -> list[Location]:
    """Where a path leads in the document as it is now."""
    cacheable = applied.ids_and_structure_kept and _STATIC_PATH.fullmatch(path)
    if cacheable and path in cache.places:
        return cache.places[path]
    places = locations(path, applied.document)
    if cacheable:
        cache.places[path] = places
    return places


def _assign(applied: _Applied, location: Location, value: Any) -> bool:
    """Put a value at a location; containers are copied, so no two places share one.

    False where there is no such location any more: an assignment just before replaced what held it.
    """
    if not location:
        applied.document = copy.deepcopy(value)
        applied.assigned.clear()
        applied.ids_and_structure_kept = False
        return True
    try:
        target = value_at(applied.document, location[:-1])
        old = target[location[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    if isinstance(target, str):
        return False
    if location[-1] == "id" or isinstance(old, dict | list):
        applied.ids_and_structure_kept = False
    if isinstance(value, dict | list):
        applied.ids_and_structure_kept = False
        value = copy.deepcopy(value)
        applied.assigned = {a for a in applied.assigned if a[: len(location)] != location}
    target[location[-1]] = value
    applied.assigned.add(location)
    return True


def years_of(composed: Iterable[ComposedScenario]) -> range | None:
    """The years that all scenarios compute; None where one does not say, or they have none."""
    years = [scenario.years for scenario in composed]
    if not years or not all(isinstance(year, int) for pair in years for year in pair):
        return None
    return range(max(start for start, _ in years), min(end for _, end in years)) or None


def _check_years(document: Any, scenario: Scenario) -> tuple[tuple[Any, Any], list[Finding]]:
    """Start and end year (end exclusive) of a composed document, and what is wrong with them."""
    runtime = document.get("runtime") if isinstance(document, dict) else None
    start = _nested(runtime, "startYear")
    end = _nested(runtime, "endYear")
    if start is None and end is None:
        return (None, None), []
    findings = [
        error("bad-years", scenario.file, f"runtime.{key} must be a whole year, not {year!r}")
        for key, year in (("startYear", start), ("endYear", end))
        if isinstance(year, bool) or not isinstance(year, int)
    ]
    if not findings and end <= start:
        message = f"the end year {end} (exclusive) does not come after the start year {start}"
        findings.append(error("bad-years", scenario.file, message))
    return (start, end), findings
