"""The closing report of `ingest run`: counts, failures by cause, the commands that come next."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from ingest.commands.common.context import StudyContext
from ingest.commands.common.output import print_json, show_failure_causes
from ingest.commands.plan import nothing_to_do
from ingest.database import ValidationDatabase
from ingest.database.read import read_failure_causes, read_incomplete_causes
from ingest.database.records import RunStatus
from ingest.errors import InterruptedRunError
from ingest.planning.plan import Plan
from ingest.text.numbers import count_text
from ingest.text.times import duration_text

if TYPE_CHECKING:
    from ingest.running.closing import RunQuality
    from ingest.running.session import RunReport

JOBS_FAILED = 1
GATE_CLOSED = 3


@dataclass(frozen=True)
class Hints:
    """Options of the commands that come next.

    where: for the same study and database. as_run: for a run with the same executor and settings.
    again: the whole command that goes on with this run.
    """

    where: str
    as_run: str
    again: str


def show_nothing(plan: Plan, context: StudyContext, as_json: bool, quiet: bool) -> None:
    """Say that there was nothing to do."""
    if as_json:
        print_json({"run_id": None, "up_to_date": len(plan.up_to_date)})
    elif not quiet:
        click.echo(nothing_to_do(plan, context))


def show_report(
    database: ValidationDatabase, report: RunReport, as_json: bool, quiet: bool, hints: Hints
) -> None:
    """The closing summary.

    Raises InterruptedRunError for a run that was stopped, SystemExit: 1 when jobs failed,
    3 when the study lets errors of its data-quality rules fail the run.
    """
    with database.reading() as connection:
        causes = read_failure_causes(connection, report.run_id) if report.failed_jobs else []
        incomplete = read_incomplete_causes(connection, report.run_id)
    database.close()
    if as_json:
        print_json(
            {
                **asdict(report),
                "status": report.status.value,
                "failures": causes,
                "incomplete": incomplete,
            }
        )
    elif not quiet:
        _show_summary(report, causes, incomplete, hints)
    elif report.failed_jobs:
        click.echo(
            f"Run {report.run_id}: {report.failed_jobs:,} of "
            f"{count_text(report.total_jobs, 'job')} failed. See them with: "
            f"ingest status {report.run_id} --failed{hints.where}",
            err=True,
        )
    if report.status is RunStatus.INTERRUPTED:
        left = report.total_jobs - report.successful_jobs - report.failed_jobs
        raise InterruptedRunError(
            f"run {report.run_id} was stopped with {count_text(left, 'job')} left. "
            f"Go on with: {hints.again}"
        )
    if report.quality.fails_run:
        found = count_text(report.quality.errors, "error")
        click.echo(
            f"Error: the data-quality rules found {found} in run {report.run_id}, and "
            f"quality.fail_run is set. See them with: ingest check --results{hints.where}",
            err=True,
        )
    if report.failed_jobs:
        raise SystemExit(JOBS_FAILED)
    if report.quality.fails_run:
        raise SystemExit(GATE_CLOSED)


def _show_summary(
    report: RunReport, causes: list[dict[str, Any]], incomplete: list[dict[str, Any]], hints: Hints
) -> None:
    if report.total_jobs == 0:
        click.echo(f"Run {report.run_id} keeps what the study consists of now: no job had to run")
        return
    seen = f"{report.known_result_sets:,} seen before"
    restored = f"{report.restored_jobs:,} restored, " if report.restored_jobs else ""
    click.echo(
        f"Run {report.run_id} {_ending(report)} in {duration_text(report.elapsed_s)}: "
        f"{restored}{report.successful_jobs - report.restored_jobs:,} succeeded, "
        f"{report.failed_jobs:,} failed, "
        f"{count_text(report.values, 'value')} "
        f"({count_text(report.new_result_sets, 'new result set')}, {seen})"
    )
    show_failure_causes(causes)
    if incomplete:
        results = count_text(sum(len(cause["jobs"]) for cause in incomplete), "result")
        click.echo(
            f"Kept though incomplete: {results}. Fetch the rest: ingest backfill{hints.as_run}"
        )
        show_failure_causes(incomplete)
    _show_changes(report)
    _show_quality(report.quality, hints.where)
    steps = _next_steps(report, hints)
    width = max(len(command) for command, _ in steps)
    for command, why in steps:
        click.echo(f"  {command:<{width}}  {why}")


def _show_changes(report: RunReport) -> None:
    changes = report.changes
    if changes is None:
        return
    if not changes.combinations:
        click.echo(f"Changed against run {changes.before_run_id}: nothing")
        return
    largest = ""
    if changes.largest is not None:
        from ingest.changes.summary import describe_series

        largest = f"; largest {describe_series(changes.largest)}"
    click.echo(
        f"Changed against run {changes.before_run_id}: "
        f"{count_text(changes.combinations, 'combination')}, "
        f"{count_text(changes.labels, 'label')}{largest}"
    )
    if changes.is_nondeterministic:
        click.echo("Warning: numbers changed although no input did: the model is not deterministic")


def _show_quality(quality: RunQuality, where: str) -> None:
    if quality.errors or quality.warnings:
        found = f"{count_text(quality.errors, 'error')}, {count_text(quality.warnings, 'warning')}"
        click.echo(f"Quality: {found}: ingest check --results{where}")


def _next_steps(report: RunReport, hints: Hints) -> list[tuple[str, str]]:
    """The commands that come next, and what each is for."""
    where = hints.where
    numbers = f"SELECT * FROM metrics WHERE run_id = {report.run_id} LIMIT 5"
    steps = [
        (f"ingest serve{where}", "look at it: http://localhost:8001"),
        (f"ingest status{where}", "the last runs"),
        (f'ingest query{where} "{numbers}"', "some numbers"),
    ]
    if report.changes is not None and report.changes.combinations:
        steps.insert(0, (f"ingest diff{where}", "what changed, and why"))
    if report.failed_jobs:
        steps = [
            (f"ingest status {report.run_id} --failed{where}", "every failure in full"),
            (f"ingest run --only-failed{hints.as_run}", "try the failed ones again"),
            *steps,
        ]
    return steps


def _ending(report: RunReport) -> str:
    if report.status is RunStatus.INTERRUPTED:
        return "was interrupted"
    return "was taken up again and finished" if report.is_resumed else "finished"
