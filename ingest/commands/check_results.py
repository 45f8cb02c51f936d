"""What `ingest check --results` does: the study's data-quality rules over the stored state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import click

from ingest.analytics.quality import QualityFinding, count_severities
from ingest.changes.quality_of_state import check_stored_results, unknown_labels
from ingest.database.files import open_for_reading
from ingest.database.states import RunRef, resolve_run
from ingest.findings import Severity
from ingest.study.settings import Settings
from ingest.text.numbers import count_text

GATE_CLOSED = 3
_SHOWN_FINDINGS = 3


@dataclass(frozen=True)
class _Checked:
    """The findings in the state as of a run. unknown_labels: (rule, label that nothing has)."""

    run: RunRef
    rules: int
    combinations: int
    findings: Sequence[QualityFinding]
    unknown_labels: Sequence[tuple[str, str]]


def check_results(settings: Settings, run_name: str, as_json: bool) -> None:
    """Check and print. Raises SystemExit(3) when a rule of severity error is broken."""
    with closing(open_for_reading(settings.database_path)) as connection:
        run = resolve_run(connection, run_name)
        limit = settings.quality.max_findings
        combinations, findings = check_stored_results(connection, settings.rules, run.run_id, limit)
        unknown = unknown_labels(connection, settings.rules)
    checked = _Checked(run, len(settings.rules), combinations, findings, unknown)
    if as_json:
        click.echo(json.dumps(_as_json(checked), indent=2))
    else:
        _show(checked)
    if count_severities(findings)[0]:
        raise SystemExit(GATE_CLOSED)


def _as_json(checked: _Checked) -> dict[str, Any]:
    errors, warnings = count_severities(checked.findings)
    return {
        "ok": not errors,
        "run_id": checked.run.run_id,
        "rules": checked.rules,
        "combinations": checked.combinations,
        "errors": errors,
        "warnings": warnings,
        "unknown_labels": [
            {"rule": rule, "label": label} for rule, label in checked.unknown_labels
        ],
        "findings": [asdict(finding) for finding in checked.findings],
    }


def _show(checked: _Checked) -> None:
    """Errors before warnings, the rules with the most findings first."""
    if not checked.rules:
        click.echo(
            "This study has no data-quality rules; write [[rules]] into ingest.toml "
            "(docs/quality.md)",
            err=True,
        )
        return
    for rule, label in checked.unknown_labels:
        head = click.style("Warning", fg="yellow")
        click.echo(f"{head}: rule {rule!r}: no stored result has the label {label!r}", err=True)
    groups: dict[str, list[QualityFinding]] = {}
    for finding in checked.findings:
        groups.setdefault(finding.rule, []).append(finding)
    for rule, found in sorted(groups.items(), key=_weight):
        _show_rule(rule, found)
    errors, warnings = count_severities(checked.findings)
    looked_at = (
        f"{count_text(checked.combinations, 'combination')}, {count_text(checked.rules, 'rule')}"
    )
    click.echo(
        f"State as of run {checked.run.run_id}, {looked_at}: "
        f"{count_text(errors, 'error')}, {count_text(warnings, 'warning')}",
        err=True,
    )


def _weight(group: tuple[str, list[QualityFinding]]) -> tuple[bool, int]:
    _, found = group
    return found[0].severity is not Severity.ERROR, -len(found)


def _show_rule(rule: str, found: Sequence[QualityFinding]) -> None:
    severity = found[0].severity
    colour = "red" if severity is Severity.ERROR else "yellow"
    jobs = len({(finding.country, finding.scenario) for finding in found})
    head = click.style(severity.value.capitalize(), fg=colour)
    in_jobs = f"{count_text(len(found), 'finding')} in {count_text(jobs, 'combination')}"
    click.echo(f"{head}: {rule}: {in_jobs}")
    for finding in found[:_SHOWN_FINDINGS]:
        click.echo(f"  {_line(finding)}")
    if len(found) > _SHOWN_FINDINGS:
        click.echo(f"  and {len(found) - _SHOWN_FINDINGS:,} more: --json lists all")


def _line(finding: QualityFinding) -> str:
    what = [finding.element_label, finding.timestamp_year]
    words = " ".join(str(word) for word in what if word is not None)
    place = f"{finding.country} / {finding.scenario}"
    return f"{place}  {words}: {finding.message}" if words else f"{place}  {finding.message}"
