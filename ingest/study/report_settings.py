"""[report] of a study: what `ingest report` tells, and of what."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.study.setting_fields import setting

SUMMARY, INDICATORS, COST_EFFECTIVENESS, INVESTMENT_CASE, CHANGES = REPORT_SECTIONS = (
    "summary",
    "indicators",
    "cost-effectiveness",
    "investment-case",
    "changes",
)


@dataclass(frozen=True)
class ReportSettings:
    """[report]: what `ingest report` writes; it runs nothing."""

    title: str = setting("", "the report's title; the study's name if empty")
    sections: tuple[str, ...] = setting(
        REPORT_SECTIONS, "its sections; notes follow them", choices=REPORT_SECTIONS
    )
    by: tuple[str, ...] = setting(
        (),
        "`total`, `country` or columns of the countries, each with tables of its own; if empty "
        "`total`, or `country` where `countries` says which",
    )
    countries: tuple[str, ...] = setting((), "only these: ISO3 codes and globs; all where empty")
    scenarios: tuple[str, ...] = setting((), "only these: names and globs; all where empty")
    indicators: tuple[str, ...] = setting((), "only these: names and globs; all where empty")


DEFAULT_REPORT = ReportSettings()
