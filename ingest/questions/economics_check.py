"""What is wrong with [economics] of a study, told by `ingest check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ingest.errors import ConfigError
from ingest.findings import Finding, error, warning
from ingest.questions.currency import other_currency
from ingest.questions.economics import find_measures
from ingest.study.country_values import read_country_values
from ingest.study.economics import EconomicsSettings
from ingest.study.label import Label
from ingest.study.settings import STUDY_FILE
from ingest.study.study import Study
from ingest.text.numbers import at_most, count_text, years_text
from ingest.text.suggest import did_you_mean

_SHOWN = 5


def economics_findings(
    study: Study, labels: Mapping[str, Label], years: range | None
) -> list[Finding]:
    """Unknown names, years that the model does not compute, other currencies, missing values.

    labels: those of the model document and of the results. years: those that the model computes,
    None where it does not say.
    """
    settings = study.settings.economics
    if not settings.is_set:
        return []
    findings = [*_scenario_findings(study, settings), *_year_findings(settings, years)]
    try:
        measures = find_measures(settings, labels, study.settings.indicators)
        told = other_currency(settings, measures)
        findings += [warning("other-currency", STUDY_FILE, text) for text in told]
    except ConfigError as exc:
        findings.append(error("bad-economics", STUDY_FILE, str(exc)))
    try:
        findings += _country_findings(study)
    except ConfigError as exc:
        findings.append(error("bad-economics", STUDY_FILE, str(exc)))
    return findings


def _scenario_findings(study: Study, settings: EconomicsSettings) -> Iterator[Finding]:
    names = [scenario.name for scenario in study.scenarios]
    if settings.baseline and names and settings.baseline not in names:
        hint = did_you_mean(settings.baseline, names)
        message = f"economics.baseline: no scenario {settings.baseline!r}.{hint}"
        yield error("unknown-scenario", STUDY_FILE, message)


def _year_findings(settings: EconomicsSettings, years: range | None) -> Iterator[Finding]:
    if not years or settings.allow_partial:
        return
    named = [("horizon", year) for year in settings.horizons]
    named += [("start_year", settings.start_year)] if settings.start_year else []
    for key, year in named:
        if year not in years:
            message = (
                f"economics.{key}: {year} is outside the years of the model ({years_text(years)}); "
                "allow_partial = true cuts it to them"
            )
            yield error("bad-horizon", STUDY_FILE, message)


def _country_findings(study: Study) -> Iterator[Finding]:
    for column, values in read_country_values(study.settings).items():
        lacking = [country.iso3 for country in study.countries if country.iso3 not in values]
        if lacking:
            count = count_text(len(lacking), "country|countries")
            message = f"economics: {count} without {column}: {at_most(lacking, _SHOWN)}"
            yield warning("no-value", STUDY_FILE, message)
