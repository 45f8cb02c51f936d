"""What the analytics API is asked: the query that [analytics] makes, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from ingest.findings import Finding, error, warning
from ingest.services.http_calls import find_url_problem
from ingest.study.settings import STUDY_FILE, AnalyticsSettings
from ingest.text.suggest import did_you_mean

OPERATORS = ("eq", "neq", "gt", "gte", "lt", "lte", "in", "contains")
AGGREGATIONS = ("value:last", "value:sum")
DATE_GROUPS = ("timestamp:year",)
LABEL = "element_label"

_OWN_SETTINGS = ("event_type", "group_by", "group_by_date", "aggregations")
_FILTER = re.compile(r"(?P<column>\w+?)(?:__(?P<operator>\w*))?=(?P<value>.+)", re.DOTALL)
# A server mostly takes 8,000 characters of address; the rest of the query needs a few hundred.
_LONGEST_LABEL_LIST = 6000


def query_parameters(settings: AnalyticsSettings) -> list[tuple[str, str]]:
    """The query of every job, name and value, as often as a name is repeated."""
    return [
        ("event_type", settings.event_type),
        *(("group_by", column) for column in settings.group_by),
        ("group_by_date", settings.group_by_date),
        *(("aggregations", aggregation) for aggregation in settings.aggregations),
        *_label_parameters(settings.element_labels),
        *_filter_parameters(settings.filters),
    ]


def _label_parameters(labels: Sequence[str]) -> list[tuple[str, str]]:
    """The labels wanted; none where they cannot be said and are sorted out after reading."""
    if not labels or _why_not_asked(labels):
        return []
    return [(LABEL, labels[0]) if len(labels) == 1 else (f"{LABEL}__in", ",".join(labels))]


def _why_not_asked(labels: Sequence[str]) -> str | None:
    """Why labels cannot be a part of the query, None where they can."""
    if len(labels) == 1:
        return None
    with_comma = [label for label in labels if "," in label]
    if with_comma:
        return f"{with_comma[0]!r} holds a comma, which separates labels in a query"
    if len(quote(",".join(labels))) > _LONGEST_LABEL_LIST:
        return f"the {len(labels)} labels are too long for a query"
    return None


def _filter_parameters(filters: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in filters:
        name, _, value = text.partition("=")
        yield name.strip(), value.strip()


def query_findings(settings: AnalyticsSettings) -> list[Finding]:
    """What is wrong with the settings of [analytics] as a query."""
    problems = [
        _url_problem(settings.url),
        *_grouping_problems(settings),
        *map(_filter_problem, settings.filters),
    ]
    findings = [error("bad-value", STUDY_FILE, problem) for problem in problems if problem]
    reason = _why_not_asked(settings.element_labels)
    if reason:
        message = f"analytics.element_labels: {reason}; all labels are fetched, then sorted out"
        findings.append(warning("labels-not-asked", STUDY_FILE, message))
    return findings


def _url_problem(url: str | None) -> str | None:
    """What is wrong with the address; it is not shown, as a password may stand anywhere in it."""
    if not url:
        return (
            "analytics.url is missing: the source analytics-api needs the address of the "
            "analytics API: --set analytics.url=https://HOST"
        )
    problem = find_url_problem(url)
    return f"analytics.url cannot be used: {problem}" if problem else None


def _grouping_problems(settings: AnalyticsSettings) -> Iterator[str]:
    if LABEL not in settings.group_by:
        yield f"analytics.group_by: {LABEL} is needed among the columns"
    others = [column for column in settings.group_by if column != LABEL]
    if others:
        yield (
            f"analytics.group_by: {others[0]!r} would give several values for one label and year; "
            f'write ["{LABEL}"]'
        )
    if settings.group_by_date not in DATE_GROUPS:
        yield (
            f"analytics.group_by_date: {settings.group_by_date!r} is not one of "
            f"{', '.join(DATE_GROUPS)}"
        )
    for aggregation in settings.aggregations:
        if aggregation not in AGGREGATIONS:
            hint = did_you_mean(aggregation, AGGREGATIONS)
            known = ", ".join(AGGREGATIONS)
            yield f"analytics.aggregations: {aggregation!r} is not one of {known}.{hint}"
    if len(settings.aggregations) != 1:
        yield (
            f"analytics.aggregations: one is needed, not {len(settings.aggregations)}, as results "
            "have one value for a label and year"
        )


def _filter_problem(text: str) -> str | None:
    match = _FILTER.fullmatch(text.strip())
    if match is None:
        return (
            f"analytics.filters: {text!r} is neither column=value nor column__op=value, "
            f'e.g. "{LABEL}__contains=Deaths"'
        )
    if match["column"] in _OWN_SETTINGS:
        return f"analytics.filters: {text!r} is no filter: set analytics.{match['column']} instead"
    if match["operator"] is not None and match["operator"] not in OPERATORS:
        hint = did_you_mean(match["operator"], OPERATORS)
        known = ", ".join(OPERATORS)
        return (
            f"analytics.filters: {text!r}: {match['operator']!r} is not one of the operators "
            f"{known}.{hint}"
        )
    return None
