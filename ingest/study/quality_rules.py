"""Data-quality rules as a study writes them: [[rules]] in ingest.toml, read with clear errors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from ingest.findings import Finding, Severity, error, warning
from ingest.study.setting_fields import read_section, setting


@dataclass(frozen=True)
class RuleKind:
    """A kind of rule: the keys it needs and the further ones it may have.

    is_per_job: it looks at one job's results alone, so it is checked as soon as they are there.
    """

    doc: str
    needs: tuple[str, ...] = ()
    may_have: tuple[str, ...] = ()
    is_per_job: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key of this kind, those of all kinds last."""
        return (*self.needs, *self.may_have, *_COMMON_KEYS)


_COMMON_KEYS = ("name", "kind", "severity", "countries", "scenarios")
KINDS: dict[str, RuleKind] = {
    "bounds": RuleKind(
        "every value is at least `minimum` and at most `maximum` (one of them may be left out)",
        ("label",),
        ("minimum", "maximum", "rtol"),
        is_per_job=True,
    ),
    "monotone": RuleKind(
        "values never fall (`increasing`) or never rise (`decreasing`) over the years",
        ("label", "direction"),
        ("rtol",),
        is_per_job=True,
    ),
    "conserved": RuleKind(
        "in every year the labels of `sum`, less those of `minus`, add up to the label `total`",
        ("sum", "total"),
        ("minus", "rtol"),
        is_per_job=True,
    ),
    "complete_years": RuleKind(
        "each label has every year from the first to the last of the job's results",
        (),
        ("label",),
        is_per_job=True,
    ),
    "ordering": RuleKind(
        "in each country the label does not fall from one of `scenarios` to the next",
        ("label", "scenarios"),
        ("compare", "rtol"),
    ),
    "same_first_year": RuleKind(
        "in each country all scenarios begin with the same year; with `values`, the same values",
        (),
        ("label", "values", "rtol"),
    ),
    "jump": RuleKind(
        "no value moves by more than `factor` times against the state before the run",
        ("label",),
        ("factor",),
    ),
    "outlier": RuleKind(
        "the label's sum over the years, per unit of `per`, is like that of other countries",
        ("label", "per"),
        ("z",),
    ),
}
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
    minimum: float | None = setting(None, "`bounds`: smallest value allowed")
    maximum: float | None = setting(None, "`bounds`: largest value allowed")
    direction: str = setting("", "`monotone`: where values go over the years", choices=DIRECTIONS)
    sum: tuple[str, ...] = setting((), "`conserved`: the labels that are added")
    minus: tuple[str, ...] = setting((), "`conserved`: the labels that are subtracted from the sum")
    total: str = setting("", "`conserved`: the label that the sum gives")
    compare: str = setting(
        "sum",
        "`ordering`: the sum over the years, or the value of each year",
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
        return KINDS[self.kind].is_per_job

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label and pattern that the rule names."""
        named = (*self.label, *self.sum, *self.minus, self.total, self.per)
        return tuple(label for label in named if label)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name is one of some names and glob patterns; no pattern stands for all."""
    return not patterns or any(name == p or fnmatchcase(name, p) for p in patterns)


@lru_cache(maxsize=256)
def matching(names: tuple[str, ...], patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The names that match() some patterns, in the order given."""
    return tuple(name for name in names if matches(name, patterns))


def is_pattern(name: str) -> bool:
    """Whether a name is a glob pattern."""
    return any(character in name for character in "*?[")


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
    for key in ("minimum", "maximum", "factor", "z", "rtol"):
        value = getattr(rule, key)
        if value is not None and not math.isfinite(value):
            yield f"{key}: a finite number is needed, not {value!r}"
    if rule.kind == "bounds":
        if rule.minimum is None and rule.maximum is None:
            yield "minimum: a rule of kind bounds needs a minimum or a maximum"
        elif rule.minimum is not None and rule.maximum is not None and rule.minimum > rule.maximum:
            yield f"minimum: {rule.minimum:g} is more than the maximum, {rule.maximum:g}"
    if rule.kind == "ordering" and len(rule.scenarios) == 1:
        yield "scenarios: two scenarios or more are needed, the lowest first"


def _default_name(rule: Rule) -> str:
    return " ".join([rule.kind, ", ".join(rule.label) or rule.total]).strip()


def _same_names(rules: Sequence[Rule]) -> Iterable[str]:
    names = [rule.name for rule in rules]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield f"rules: {names.count(name)} are named {name!r}; give each a name of its own"


def unknown_scenarios(rules: Iterable[Rule], known: Iterable[str], where: str) -> list[Finding]:
    """A warning for each scenario that a rule of kind ordering names and that is not there."""
    names = set(known)
    return [
        warning("unknown-scenario", where, f"rule {rule.name!r}: no scenario {scenario}")
        for rule in rules
        if rule.kind == "ordering"
        for scenario in rule.scenarios
        if scenario not in names
    ]
