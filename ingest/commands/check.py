"""`ingest check`: everything that is wrong with a study, without running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import date
from textwrap import fill

import click

from ingest.browser.own_database import own_tables
from ingest.commands.check_results import check_results
from ingest.commands.common.context import StudyChoice, load_plugins_of, study_options
from ingest.commands.common.options import executor_option, json_option, run_option
from ingest.commands.common.output import print_json, show_findings, table
from ingest.database.files import open_for_reading
from ingest.database.labels import read_labels_of_results
from ingest.errors import BackendError, ConfigError, DatabaseError, StudyError
from ingest.findings import Finding, error, has_errors, warning
from ingest.questions.catalogue import OWN_QUERIES, load_canned_queries, load_own_queries
from ingest.questions.economics_check import economics_findings
from ingest.running.backend import Backend, choose_backend, with_source
from ingest.study.accepted import accepted_findings
from ingest.study.compose import (
    UNMATCHED,
    compose_scenarios,
    composition_findings,
    years_of,
)
from ingest.study.indicators import indicator_findings
from ingest.study.json_paths import locations
from ingest.study.label import Label
from ingest.study.quality_rules import unknown_scenarios
from ingest.study.scenario_order import choose_baseline
from ingest.study.settings import STUDY_FILE, read_settings_file
from ingest.study.study import Model, Study, read_study
from ingest.study.study_files import is_code
from ingest.text.numbers import at_most, count_text

_SHOWN_FILES = 20

_SHOWN_PATHS = 10


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
    executor could start, and shows what of the model document is no input (study.ignore). If all of
    that is right, it also asks the service that the executor needs: credentials, names, network.
    Exit code 2 for an error in the study, 4 if only its backend cannot be used, 0 otherwise.

    It shows what is known of each element label: whether its numbers add up over years and over
    countries, and which direction is good. What nobody says is guessed by unit and name; [labels]
    in ingest.toml says it, and runs nothing.

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
    findings, summary, backend, study = _check(choice)
    exit_code = StudyError.exit_code
    if backend is not None and not offline and not has_errors(findings):
        findings += backend.preflight()
        exit_code = BackendError.exit_code
    errors = [finding for finding in findings if finding.is_error]
    source = "" if backend is None else backend.context.analytics.source
    if as_json:
        listed = [finding.as_dict() for finding in findings]
        usable = None if errors else study
        ignored = _ignored_places(usable.model) if usable else {}
        labels = [vars(label) for label in usable.labels] if usable else []
        files = {} if study is None else _files(study)
        answer = {"findings": listed, "ignored": ignored, "labels": labels}
        print_json({"ok": not errors, **answer, **files, "analytics_source": source})
    else:
        if study is not None and not errors:
            _show_files(_files(study))
            click.echo(_label_table(study.labels))
        if source and source != choice.settings(read_settings_file)[0].analytics.source:
            click.echo(f"Results come from {source} (analytics.source): no other place is named")
        _show(findings)
        if study is not None and not errors:
            _show_ignored(study.model)
        others = count_text(len(findings) - len(errors), "warning")
        click.echo(f"{summary}: {count_text(len(errors), 'error')}, {others}", err=True)
    if errors:
        raise SystemExit(exit_code)


def _indicator_findings(study: Study, years: range | None) -> list[Finding]:
    """What is wrong with indicators and economics, by labels of model and results."""
    settings = study.settings
    labels = {label.element_label: label for label in study.labels}
    names = [scenario.name for scenario in study.scenarios]
    findings = []
    if names:
        try:
            choose_baseline(settings.study.baseline, names)
        except ConfigError as exc:
            findings.append(error("bad-value", STUDY_FILE, str(exc)))
    is_used = settings.indicators or settings.economics.is_set
    if is_used and settings.database_path.is_file():
        with suppress(DatabaseError), closing(open_for_reading(settings.database_path)) as opened:
            stored = read_labels_of_results(opened)
            labels = {label.element_label: label for label in stored} | labels
    findings += indicator_findings(settings.indicators, labels.values(), years, STUDY_FILE)
    return findings + economics_findings(study, labels, years)


def _files(study: Study) -> dict[str, list[str]]:
    """What counts as code, what as data, and whose rows are inputs of single countries."""
    code = [name for name in study.code.files if is_code(name)]
    data = [name for name in study.code.files if not is_code(name)]
    rows = [f"{file.name} ({file.key})" for file in study.country_data.files]
    return {"code": code, "data": data, "country_data": rows}


def _show_files(files: Mapping[str, Sequence[str]]) -> None:
    for kind, names in files.items():
        if names:
            words = kind.replace("_", " ").capitalize()
            click.echo(f"{words}: {at_most(names, _SHOWN_FILES)}")


_SHOWN = ("kind", "over_years", "over_countries", "better")


def _label_table(labels: Sequence[Label]) -> str:
    """A line for all labels that add up alike, with what of it was guessed."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for label in labels:
        guessed = [name.replace("_", " ") for name in _SHOWN if name in label.guessed.split(", ")]
        key = [*(getattr(label, name) for name in _SHOWN), *guessed]
        alike.setdefault(tuple(key), []).append(label.element_label)
    headers = (*(name.replace("_", " ") for name in _SHOWN), "guessed", "labels")
    count = len(_SHOWN)
    rows = [
        [*key[:count], _guessed(key[count:]), fill(", ".join(names), 60)]
        for key, names in alike.items()
    ]
    return table(rows, headers) + "\n"


def _guessed(names: Sequence[str]) -> str:
    return "all of it" if len(names) == len(_SHOWN) else ", ".join(names)


def _show(findings: Sequence[Finding]) -> None:
    """All findings, but of paths that match nothing the first few and how many more there are."""
    unmatched = [finding for finding in findings if finding.code == UNMATCHED]
    hidden = unmatched[_SHOWN_PATHS:]
    show_findings(finding for finding in findings if finding not in hidden)
    if hidden:
        more = count_text(len(hidden), "more path matches|more paths match")
        click.echo(f"and {more} nothing; all of them: ingest check --json", err=True)


def _ignored_places(model: Model) -> dict[str, int]:
    """How many places of the model document each path of study.ignore finds."""
    return {path: len(locations(path, model.document)) for path in model.ignore}


def _show_ignored(model: Model) -> None:
    found = _ignored_places(model)
    texts = [f"{path} ({count_text(number, 'place')})" for path, number in found.items()]
    click.echo(f"No input (study.ignore): {', '.join(texts) or 'nothing'}")


def _check(choice: StudyChoice) -> tuple[list[Finding], str, Backend | None, Study | None]:
    """Findings of every kind, errors first; a line that says what was checked; the backend; the
    study where its model document can be read.
    """
    backend = None
    try:
        settings, findings = choice.settings(read_settings_file)
        plugins = load_plugins_of(settings)
        settings = with_source(settings, plugins)
    except ConfigError as exc:
        return [error("bad-value", "", str(exc))], STUDY_FILE, None, None
    study, more = read_study(settings, plugins.hook)
    findings += more
    own = load_own_queries(settings.database_path, load_canned_queries(), own_tables())
    findings += [warning("question", OWN_QUERIES, problem) for problem in own.problems.values()]
    findings += accepted_findings(settings.root, date.today())
    years = None
    if study is not None and study.scenarios:
        composed = list(compose_scenarios(study.model, study.scenarios).values())
        findings += composition_findings(composed, settings.study.unmatched_paths)
        years = years_of(composed)
    if study is not None:
        findings += _indicator_findings(study, years)
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
        return findings, settings.name, backend, study
    countries = count_text(len(study.countries), "country|countries")
    size = f"{countries} x {count_text(len(study.scenarios), 'scenario')}"
    return findings, f"{settings.name}, {size}", backend, study
