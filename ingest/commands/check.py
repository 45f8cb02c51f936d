"""`ingest check`: everything that is wrong with a study, without running it."""

from __future__ import annotations

import json

import click

from ingest.commands.check_results import check_results
from ingest.commands.common.context import load_plugins_of, read_settings, study_options
from ingest.commands.common.words import show_findings
from ingest.errors import BackendError, ConfigError, StudyError
from ingest.findings import Finding, error, has_errors
from ingest.running.backend import Backend, choose_backend
from ingest.study.compose import compose_scenarios, composition_findings
from ingest.study.quality_rules import unknown_scenarios
from ingest.study.settings import STUDY_FILE, read_settings_file
from ingest.study.study import read_study
from ingest.text.numbers import count_text


@click.command()
@study_options
@click.option("--executor", "-x", metavar="NAME", help="Check for this executor")
@click.option("--offline", is_flag=True, help="Do not ask the executor's service")
@click.option("--results", is_flag=True, help="Check the stored results by the study's rules")
@click.option("--run", metavar="NAME", help="With --results: the state as of this run; latest")
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
def check(
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    executor: str | None,
    offline: bool,
    results: bool,
    run: str | None,
    as_json: bool,
) -> None:
    """Check a study without running it.

    All errors and warnings are told at once. Looked at: the JSON files, every path of every
    scenario, country slots that no path covers, ISO3 codes, duplicate names, the years, and whether
    the executor could start. Where all of that is well, a service that the executor needs is asked
    too: credentials, names, network. Exit code 2 when there is an error in the study, 4 when its
    backend alone cannot be used, 0 otherwise.

    With --results, the stored results are checked by the [[rules]] of ingest.toml instead, in the
    state as of a run: its number, tag, commit or date, latest or previous. Exit code 3 when a rule
    of severity error is broken, 0 otherwise.

    \b
    Examples:
      ingest check
      ingest check --executor aws-batch
      ingest check --results
      ingest check --results --run 7 --json
      ingest check --study my-study --json
    """
    if results:
        settings, warnings = read_settings(study_path, database, overrides)
        show_findings(warnings)
        check_results(settings, run or "latest", as_json)
        return
    if run is not None:
        raise ConfigError("--run chooses among stored results: ingest check --results --run NAME")
    if executor is not None:
        overrides = (*overrides, f"run.executor={executor}")
    findings, summary, backend = _check(study_path, database, overrides)
    exit_code = StudyError.exit_code
    if backend is not None and not offline and not has_errors(findings):
        findings += backend.preflight()
        exit_code = BackendError.exit_code
    errors = [finding for finding in findings if finding.is_error]
    if as_json:
        listed = [finding.as_dict() for finding in findings]
        click.echo(json.dumps({"ok": not errors, "findings": listed}, indent=2))
    else:
        show_findings(findings)
        others = count_text(len(findings) - len(errors), "warning")
        click.echo(f"{summary}: {count_text(len(errors), 'error')}, {others}", err=True)
    if errors:
        raise SystemExit(exit_code)


def _check(
    study_path: str | None, database: str | None, overrides: tuple[str, ...]
) -> tuple[list[Finding], str, Backend | None]:
    """Findings of every kind, errors first, a line that says what was looked at, the backend."""
    backend = None
    try:
        settings, findings = read_settings(study_path, database, overrides, read_settings_file)
        plugins = load_plugins_of(settings)
    except ConfigError as exc:
        return [error("bad-value", "", str(exc))], STUDY_FILE, None
    study, more = read_study(settings, plugins.hook)
    findings += more
    if study is not None and study.scenarios:
        composed = list(compose_scenarios(study.model, study.scenarios).values())
        findings += composition_findings(composed, settings.study.unmatched_paths)
    if study is not None:
        names = [scenario.name for scenario in study.scenarios]
        findings += unknown_scenarios(settings.rules, names, STUDY_FILE)
    try:
        backend = choose_backend(settings, plugins)
        findings += backend.check()
    except StudyError as exc:
        findings += exc.findings
    except ConfigError as exc:
        findings.append(error("bad-value", STUDY_FILE, str(exc)))
    findings.sort(key=lambda finding: not finding.is_error)
    if study is None or has_errors(findings):
        return findings, settings.name, backend
    countries = f"{len(study.countries):,} countr{'y' if len(study.countries) == 1 else 'ies'}"
    size = f"{countries} x {count_text(len(study.scenarios), 'scenario')}"
    return findings, f"{settings.name}, {size}", backend
