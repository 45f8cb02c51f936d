"""Data quality: what the rules of a study find in results. Pure: numbers in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ingest.findings import Severity
from ingest.metrics import ResultSet
from ingest.study.combination import Combination
from ingest.study.quality_rules import Rule
from ingest.study.rule_kinds import KINDS, Problem

MAX_FINDINGS = 20


@dataclass(frozen=True)
class QualityFinding:
    """One thing that a rule found in the results of one combination.

    element_label, timestamp_year and value are None where a finding is about more than one.
    """

    rule: str
    severity: Severity
    country: str
    scenario: str
    element_label: str | None
    timestamp_year: int | None
    value: float | None
    message: str


def check_result_set(
    rules: Iterable[Rule],
    combination: Combination,
    result_set: ResultSet,
    max_findings: int = MAX_FINDINGS,
) -> list[QualityFinding]:
    """What the rules that look at one job only find in its results, in the order of the rules."""
    chosen = [rule for rule in rules if rule.is_per_job and rule.applies_to(*combination)]
    if not chosen:
        return []
    results = series_by_label(result_set)
    return [
        finding
        for rule in chosen
        for finding in as_findings(
            rule, combination, KINDS[rule.kind].check(rule, results), max_findings
        )
    ]


def series_by_label(result_set: ResultSet) -> dict[str, dict[int, float]]:
    """The values of each label by year, sorted."""
    results: dict[str, dict[int, float]] = {}
    for label, year, value in result_set.metrics:
        results.setdefault(label, {})[year] = value
    return results


def as_findings(
    rule: Rule, combination: Combination, problems: Iterable[Problem], max_findings: int
) -> list[QualityFinding]:
    """Problems as findings of a rule; the last of max_findings says how many more there are."""
    remaining = iter(problems)
    findings = [
        QualityFinding(
            rule.name, Severity(rule.severity), *combination, p.label, p.year, p.value, p.message
        )
        for p in islice(remaining, max_findings)
    ]
    more = sum(1 for _ in remaining)
    if more:
        findings[-1] = replace(findings[-1], message=f"{findings[-1].message} (and {more:,} more)")
    return findings


def count_severities(findings: Sequence[QualityFinding]) -> tuple[int, int]:
    """How many findings are errors, and how many are warnings."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    return errors, len(findings) - errors
