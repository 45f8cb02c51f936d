"""Scenarios of a study: named sets of parameters, each a value and the JSONPaths it goes to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ingest.findings import Finding, error
from ingest.study.json_files import canonical_json, sha256_text

COUNTRY_PARAMETER = "Country"


@dataclass(frozen=True)
class Parameter:
    """One parameter: its value replaces what each of its RFC 9535 JSONPaths finds."""

    name: str
    value: Any
    paths: tuple[str, ...]
    description: str = ""


@dataclass(frozen=True)
class Scenario:
    """One scenario; parameters apply in order, a later one wins. file is relative to the study."""

    name: str
    label: str
    description: str
    parameters: tuple[Parameter, ...]
    file: str

    @cached_property
    def content(self) -> str:
        """What of the scenario enters a document, as canonical JSON: [name, value, paths] lists."""
        return canonical_json([[p.name, p.value, list(p.paths)] for p in self.parameters])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of content: labels and descriptions may change without a re-run."""
        return sha256_text(self.content)


def scenario_of(content: Any, name: str = "") -> Scenario:
    """The scenario with a content that was kept ([name, value, paths] lists)."""
    parameters = tuple(Parameter(name, value, tuple(paths)) for name, value, paths in content)
    return Scenario(name, name, "", parameters, "")


def parse_scenario(document: Any, name: str, where: str) -> tuple[Scenario, list[Finding]]:
    """The scenario in a scenario document, and what is wrong with it (broken parameters left out).

    name: the file's stem. where: the file as messages name it.
    """
    findings: list[Finding] = []
    entries = document.get("parameters") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        message = 'no table "parameters": write {"parameters": {"Country": {"value", "paths"}}}'
        findings.append(error("bad-scenario", where, message))
        entries = {}
    metadata = document.get("metadata", {}) if isinstance(document, dict) else {}
    if not isinstance(metadata, dict):
        findings.append(error("bad-scenario", where, "metadata: a table is needed"))
        metadata = {}
    parameters = []
    for parameter_name, entry in entries.items():
        problem = _parameter_problem(entry)
        if problem:
            finding = error("bad-parameter", where, f"parameter {parameter_name!r}: {problem}")
            findings.append(finding)
        else:
            parameters.append(_parse_parameter(parameter_name, entry))
    label = str(metadata.get("label") or name)
    description = str(metadata.get("description") or "").strip()
    return Scenario(name, label, description, tuple(parameters), where), findings


def _parameter_problem(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return 'a table with "value" and "paths" is needed'
    if "value" not in entry:
        return 'has no "value"'
    paths = entry.get("paths")
    if not isinstance(paths, list) or not paths:
        return 'has no "paths": list at least one JSONPath'
    if not all(isinstance(path, str) for path in paths):
        return '"paths" must be a list of texts'
    return None


def _parse_parameter(name: str, entry: dict[str, Any]) -> Parameter:
    return Parameter(
        name=name,
        value=entry["value"],
        paths=tuple(entry["paths"]),
        description=str(entry.get("description") or ""),
    )
