"""`ingest check`: everything that is wrong with a study, without running it."""

from __future__ import annotations

import click

from ingest.commands.check_results import check_results
from ingest.commands.common.context import StudyChoice, load_plugins_of, study_options
from ingest.commands.common.options import executor_option, json_option, run_option
from ingest.commands.common.output import print_json, show_findings
from ingest.errors import BackendError, ConfigError, StudyError
from ingest.findings import Finding, error, has_errors
from ingest.running.backend import Backend, choose_backend
from ingest.study.compose import compose_scenarios, composition_findings
from ingest.study.quality_rules import unknown_scenarios
from ingest.study.settings import STUDY_FILE, read_settings_file
from ingest.study.study import Study, read_study
from ingest.study.study_files import is_code
from ingest.text.numbers import at_most, count_text

_SHOWN_FILES = 20


@click.command()
@study_options
@executor_option
@click.option("--offline", is_flag=True, help="Make no call to the executor's service")
@click.option("--results", is_flag=True, help="Check the stored results against the study's rules")
@run_option
@json_option
def check(
    choice: StudyChoice,
    offline: bool,
    results: bool,
    run_name: str | None,
    as_json: bool,
) -> None:
    """Check a study without running it.

    Reports all errors and warnings at once. It checks the JSON files, every path of every scenario,
    country slots that no path covers, ISO3 codes, duplicate names, the years, and whether the
    executor could start. If all of that is right, it also asks the service that the executor needs:
    credentials, names, network. Exit code 2 for an error in the study, 4 if only its backend cannot
    be used, 0 otherwise.

    With --results, it checks the stored results against the [[rules]] of ingest.toml instead, in
    the state as of --run (default: latest). Exit code 3 when a rule of severity error is broken, 0
    otherwise.

    \b
    Examples:
      ingest check
      ingest check --executor aws-batch
      ingest check --results
      ingest check --results --run 7 --json
      ingest check --study my-study --json
    """
    if results:
        settings, warnings = choice.settings()
        show_findings(warnings)
        check_results(settings, run_name or "latest", as_json)
        return
    if run_name is not None:
        raise ConfigError("--run chooses among stored results: ingest check --results --run NAME")
    findings, summary, backend, files = _check(choice)
    exit_code = StudyError.exit_code
    if backend is not None and not offline and not has_errors(findings):
        findings += backend.preflight()
        exit_code = BackendError.exit_code
    errors = [finding for finding in findings if finding.is_error]
    if as_json:
        listed = [finding.as_dict() for finding in findings]
        print_json({"ok": not errors, "findings": listed, **files})
    else:
        show_findings(findings)
        if not errors:
            _show_files(files)
        others = count_text(len(findings) - len(errors), "warning")
        click.echo(f"{summary}: {count_text(len(errors), 'error')}, {others}", err=True)
    if errors:
        raise SystemExit(exit_code)


Files = dict[str, list[str]]


def _check(choice: StudyChoice) -> tuple[list[Finding], str, Backend | None, Files]:
    """Findings of every kind, errors first; what was checked, in a line; the backend; files."""
    backend = None
    try:
        settings, findings = choice.settings(read_settings_file)
        plugins = load_plugins_of(settings)
    except ConfigError as exc:
        return [error("bad-value", "", str(exc))], STUDY_FILE, None, {}
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
        return findings, settings.name, backend, {} if study is None else _files(study)
    countries = count_text(len(study.countries), "country|countries")
    size = f"{countries} x {count_text(len(study.scenarios), 'scenario')}"
    return findings, f"{settings.name}, {size}", backend, _files(study)


def _files(study: Study) -> Files:
    """What counts as code, what as data, and whose rows are inputs of single countries."""
    code = [name for name in study.code.files if is_code(name)]
    data = [name for name in study.code.files if not is_code(name)]
    rows = [f"{file.name} ({file.key})" for file in study.country_data.files]
    return {"code": code, "data": data, "country_data": rows}


def _show_files(files: Files) -> None:
    for kind, names in files.items():
        if names:
            head = f"{kind.replace('_', ' ')}:"
            click.echo(f"{head:<13} {at_most(names, _SHOWN_FILES)}")
