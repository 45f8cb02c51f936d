"""`ingest check`: everything that is wrong with a study, without running it."""

from __future__ import annotations

import json

import click

from ingest.commands.context import load_plugins_of, read_settings, study_options
from ingest.commands.words import count, show_findings
from ingest.compose import compose_scenarios, composition_findings
from ingest.errors import ConfigError, StudyError
from ingest.executor_setup import choose_backend
from ingest.findings import Finding, error, has_errors
from ingest.settings import STUDY_FILE
from ingest.study import read_study


@click.command()
@study_options
@click.option("--executor", "-x", metavar="NAME", help="Check for this executor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
def check(
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    executor: str | None,
    as_json: bool,
) -> None:
    """Check a study without running it.

    All errors and warnings are told at once. Looked at: the JSON files, every path of every
    scenario, country slots that no path covers, ISO3 codes, duplicate names, the years, and whether
    the executor could start. Exit code 2 when there is an error, 0 otherwise.

    \b
    Examples:
      ingest check
      ingest check --study my-study --json
    """
    findings, summary = _check(study_path, database, overrides, executor)
    errors = [finding for finding in findings if finding.is_error]
    if as_json:
        listed = [finding.as_dict() for finding in findings]
        click.echo(json.dumps({"ok": not errors, "findings": listed}, indent=2))
    else:
        show_findings(findings)
        warnings = count(len(findings) - len(errors), "warning")
        click.echo(f"{summary}: {count(len(errors), 'error')}, {warnings}", err=True)
    if errors:
        raise SystemExit(StudyError.exit_code)


def _check(
    study_path: str | None, database: str | None, overrides: tuple[str, ...], executor: str | None
) -> tuple[list[Finding], str]:
    """Findings of every kind, errors first, and a line that says what was looked at."""
    if executor is not None:
        overrides = (*overrides, f"run.executor={executor}")
    try:
        settings, findings = read_settings(study_path, database, overrides)
    except StudyError as exc:
        return list(exc.findings), STUDY_FILE
    plugins = load_plugins_of(settings)
    study, more = read_study(settings, plugins.hook)
    findings += more
    if study is not None and study.scenarios:
        composed = list(compose_scenarios(study.model, study.scenarios).values())
        findings += composition_findings(composed, settings.study.unmatched_paths)
    try:
        findings += choose_backend(settings, plugins).check()
    except StudyError as exc:
        findings += exc.findings
    except ConfigError as exc:
        findings.append(error("bad-value", STUDY_FILE, str(exc)))
    findings.sort(key=lambda finding: not finding.is_error)
    if study is None or has_errors(findings):
        return findings, settings.name
    countries = f"{len(study.countries):,} countr{'y' if len(study.countries) == 1 else 'ies'}"
    size = f"{countries} x {count(len(study.scenarios), 'scenario')}"
    return findings, f"{settings.name}, {size}"
