"""`ingest check --results`: the study's data-quality rules, applied to the stored state."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

import click

from ingest.analytics.quality import QualityFinding, count_severities
from ingest.changes.quality_of_state import check_stored_results, unknown_labels
from ingest.commands.common.output import print_json, severity_text, warn
from ingest.commands.common.runs import find_run, run_as_json
from ingest.database.files import open_for_reading
from ingest.findings import Severity
from ingest.study.settings import Settings
from ingest.text.numbers import count_text

GATE_CLOSED = 3
_SHOWN_FINDINGS = 3


def check_results(settings: Settings, run_name: str, as_json: bool) -> None:
    """Check and print. Raises SystemExit(3) when a rule of severity error is broken."""
    with closing(open_for_reading(settings.database_path)) as connection:
        run = find_run(connection, run_name)
        limit = settings.quality.max_findings
        combinations, findings = check_stored_results(
            connection, settings.rules, run.run_id, limit, settings
        )
        unknown = unknown_labels(connection, settings.rules)
    errors, warnings = count_severities(findings)
    if as_json:
        print_json(
            {
                "ok": not errors,
                **run_as_json(run),
                "rules": len(settings.rules),
                "combinations": combinations,
                "errors": errors,
                "warnings": warnings,
                "unknown_labels": [{"rule": rule, "label": label} for rule, label in unknown],
                "findings": [asdict(finding) for finding in findings],
            }
        )
    elif not settings.rules:
        message = "This study has no data-quality rules; write [[rules]] into ingest.toml"
        click.echo(f"{message} (docs/quality.md)", err=True)
    else:
        warn(*(f"rule {rule!r}: no stored result has the label {name!r}" for rule, name in unknown))
        _show(findings)
        click.echo(
            f"State as of run {run.run_id}, {count_text(combinations, 'combination')}, "
            f"{count_text(len(settings.rules), 'rule')}: "
            f"{count_text(errors, 'error')}, {count_text(warnings, 'warning')}",
            err=True,
        )
    if errors:
        raise SystemExit(GATE_CLOSED)


def _show(findings: Sequence[QualityFinding]) -> None:
    """Print errors before warnings, the rules with the most findings first."""
    groups: dict[str, list[QualityFinding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule, []).append(finding)
    for rule, found in sorted(groups.items(), key=_weight):
        _show_rule(rule, found)


def _weight(group: tuple[str, list[QualityFinding]]) -> tuple[bool, int]:
    _, found = group
    return found[0].severity is not Severity.ERROR, -len(found)


def _show_rule(rule: str, found: Sequence[QualityFinding]) -> None:
    severity = found[0].severity
    jobs = len({(finding.country, finding.scenario) for finding in found})
    in_jobs = f"{count_text(len(found), 'finding')} in {count_text(jobs, 'combination')}"
    click.echo(f"{severity_text(severity)}: {rule}: {in_jobs}")
    for finding in found[:_SHOWN_FINDINGS]:
        click.echo(f"  {_line(finding)}")
    if len(found) > _SHOWN_FINDINGS:
        click.echo(f"  and {len(found) - _SHOWN_FINDINGS:,} more: --json lists all")


def _line(finding: QualityFinding) -> str:
    what = [finding.element_label, finding.timestamp_year]
    words = " ".join(str(word) for word in what if word is not None)
    place = f"{finding.country} / {finding.scenario}"
    return f"{place}  {words}: {finding.message}" if words else f"{place}  {finding.message}"
