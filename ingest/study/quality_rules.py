"""Data-quality rules as a study writes them: [[rules]] in ingest.toml, read with clear errors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest.findings import Finding, Severity, error, warning
from ingest.study.rule_kinds import KINDS, Scope, matches
from ingest.study.setting_fields import read_section, setting

DIRECTIONS = ("increasing", "decreasing")


@dataclass(frozen=True)
class Rule:
    """[[rules]]: one data-quality rule; name, where it is empty, is made of the kind and labels."""

    kind: str = setting("", "what is checked, see below", choices=tuple(KINDS))
    name: str = setting("", "the rule's name in messages; the kind and its labels where empty")
    severity: str = setting(
        "warning", "how bad a finding is", choices=tuple(severity.value for severity in Severity)
    )
    countries: tuple[str, ...] = setting((), "patterns of the countries it is about; all if empty")
    scenarios: tuple[str, ...] = setting(
        (),
        "patterns of the scenarios it is about; all if empty. `ordering`: names in their order",
    )
    label: tuple[str, ...] = setting((), "element labels or patterns (`Population*`)")
    indicator: str = setting("", "`indicator`: the name of an indicator")
    minimum: float | None = setting(None, "`bounds`, `indicator`: smallest value allowed")
    maximum: float | None = setting(None, "`bounds`, `indicator`: largest value allowed")
    direction: str = setting("", "`monotone`: where values go over the years", choices=DIRECTIONS)
    sum: tuple[str, ...] = setting((), "`conserved`: the labels that are added")
    minus: tuple[str, ...] = setting((), "`conserved`: the labels that are subtracted from the sum")
    total: str = setting("", "`conserved`: the label that the sum gives")
    compare: str = setting(
        "sum",
        "`ordering`: all years together, by their mean, or the value of each year",
        choices=("sum", "value"),
    )
    values: bool = setting(False, "`same_first_year`: the values of the first year are equal, too")
    factor: float = setting(10.0, "`jump`: how many times a value may grow or shrink", above=1)
    per: str = setting("", "`outlier`: the label to divide by, such as the population")
    z: float = setting(
        6.0, "`outlier`: distance from the median, in robust standard deviations", above=0
    )
    rtol: float = setting(1e-9, "relative tolerance for rounding in the numbers", minimum=0)

    def applies_to(self, country: str, scenario: str) -> bool:
        """Whether a combination is one that this rule is about."""
        return matches(country, self.countries) and matches(scenario, self.scenarios)

    @property
    def is_per_job(self) -> bool:
        """Whether one job's results are enough to check it."""
        return KINDS[self.kind].scope is Scope.JOB

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label and pattern that the rule names."""
        named = (*self.label, *self.sum, *self.minus, self.total, self.per)
        return tuple(label for label in named if label)


def read_rules(raw: Any, where: str) -> tuple[tuple[Rule, ...], list[Finding]]:
    """The rules in the raw value of `rules`, and everything that is wrong with them.

    where: the file, for messages, which count the rules from 1.
    """
    if not isinstance(raw, list) or not all(isinstance(values, dict) for values in raw):
        return (), [error("bad-value", where, "rules: tables headed [[rules]] are needed")]
    rules, findings = [], []
    for number, values in enumerate(raw, 1):
        rule, problems = _read_rule(values, f"rules[{number}]", where)
        findings += problems
        if not problems:
            rules.append(rule)
    findings += [error("same-name", where, message) for message in _same_names(rules)]
    return tuple(rules), findings


def _read_rule(values: Mapping[str, Any], place: str, where: str) -> tuple[Rule, list[Finding]]:
    rule, findings = read_section(Rule, values, place, where)
    if any(finding.code == "unknown-key" for finding in findings):
        pass  # it may be a key that the kind needs, misspelt
    elif rule.kind:
        messages = [*_key_problems(rule, values), *_value_problems(rule)]
        findings += [error("bad-value", where, f"{place}.{message}") for message in messages]
    elif "kind" not in values:
        findings.append(error("bad-value", where, f"{place}.kind: write one of {', '.join(KINDS)}"))
    return dataclasses.replace(rule, name=rule.name or _default_name(rule)), findings


def _key_problems(rule: Rule, values: Mapping[str, Any]) -> Iterable[str]:
    """Keys that a rule's kind needs and that are not there, and those that it does not have."""
    kind = KINDS[rule.kind]
    for key in kind.needs:
        if key not in values or values[key] in ("", []):
            yield f"{key}: a rule of kind {rule.kind} needs it"
    known = {field.name for field in dataclasses.fields(Rule)}
    for key in values:
        if key in known and key not in kind.keys:
            yield f"{key}: a rule of kind {rule.kind} has {', '.join(kind.keys)}"


def _value_problems(rule: Rule) -> Iterable[str]:
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{field.name}: a finite number is needed, not {value!r}"
    yield from KINDS[rule.kind].problems(rule)


def _default_name(rule: Rule) -> str:
    return " ".join([rule.kind, ", ".join(rule.label) or rule.total or rule.indicator]).strip()


def _same_names(rules: Sequence[Rule]) -> Iterable[str]:
    names = [rule.name for rule in rules]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"rules: {names.count(name)} are named {name!r}; give each a name of its own"


def unknown_scenarios(rules: Iterable[Rule], known: Iterable[str], where: str) -> list[Finding]:
    """A warning for each scenario that a rule needs by name and that is not there."""
    names = set(known)
    return [
        warning("unknown-scenario", where, f"rule {rule.name!r}: no scenario {scenario}")
        for rule in rules
        if "scenarios" in KINDS[rule.kind].needs
        for scenario in rule.scenarios
        if scenario not in names
    ]
