"""`ingest backfill`: fetch the results that successful jobs lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import click

from ingest.commands.common.context import StudyChoice, StudyContext, options_text, study_options
from ingest.commands.common.options import (
    Count,
    executor_option,
    json_option,
    quiet_option,
    run_option,
    wait_option,
)
from ingest.commands.common.output import print_json, show_findings
from ingest.commands.common.progress import progress_display
from ingest.commands.common.runs import find_run
from ingest.commands.common.stopping import stopping
from ingest.database.late_results import KnownJob, read_jobs_without_results
from ingest.errors import InterruptedRunError
from ingest.running.backend import choose_backend, with_source
from ingest.running.backfill import Backfill, BackfillReport, environment_of
from ingest.text.numbers import at_most, count_text
from ingest.text.times import duration_text

_JOBS_MISSED = 1


@click.command()
@study_options
@executor_option
@run_option
@click.option("--limit", type=Count(), metavar="N", help="At most N jobs")
@click.option("--dry-run", is_flag=True, help="Show what would be fetched and stop")
@wait_option
@json_option
@quiet_option
def backfill(
    choice: StudyChoice,
    run_name: str | None,
    limit: int | None,
    dry_run: bool,
    wait: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Fetch missing results of successful jobs, and store them.

    These are successes without metrics (as in an imported database), results that lack years or
    labels, jobs whose results could not be fetched, and jobs that were given up and may have ended
    well; with --run, those of one run. Results come from analytics.source, or from where the
    executor keeps them (aws-batch: its bucket), at the pace of analytics.concurrency and
    analytics.pause_s. Each job's results are stored as they arrive: after a stop or a kill, the
    next `ingest backfill` fetches the rest.

    \b
    Examples:
      ingest backfill --dry-run
      ingest backfill --run 1 --set analytics.pause_s=5
      ingest backfill --limit 10
    """
    context = choice.context()
    show_findings(context.findings)
    if dry_run:
        jobs = _choose(context, run_name, limit)
        context.database.close()
        _show_dry_run(jobs, context, as_json)
        return
    settings = with_source(context.settings, context.plugins, of_earlier_runs=True)
    worker = Backfill(
        context.database,
        choose_backend(settings, context.plugins),
        settings,
        context.plugins,
    )
    _choose(context, run_name, limit)  # a missing database is an error, none is created
    with context.database.writing(wait=wait):
        jobs = _choose(context, run_name, limit)
        with (
            stopping(worker.request_stop),
            progress_display(quiet=quiet or as_json, title="Backfill") as show_progress,
        ):
            report = worker.execute(jobs, show_progress)
    run_again = options_text([("--run", run_name)])
    _show(report, as_json, quiet, f"ingest backfill{choice.as_run_options()}{run_again}")


def _choose(context: StudyContext, run_name: str | None, limit: int | None) -> Sequence[KnownJob]:
    context.database.refuse_other_study(context.settings.name)
    with context.database.reading() as connection:
        run_id = None if run_name is None else find_run(connection, run_name).run_id
        return read_jobs_without_results(connection, run_id)[:limit]


def _show_dry_run(jobs: Sequence[KnownJob], context: StudyContext, as_json: bool) -> None:
    own = context.settings.study.environment
    groups = Counter((job.run_id, environment_of(job) or own) for job in jobs)
    if as_json:
        rows = [
            {"run_id": run_id, "environment": environment, "jobs": count}
            for (run_id, environment), count in groups.items()
        ]
        print_json({"jobs": len(jobs), "groups": rows})
        return
    click.echo(f"{count_text(len(jobs), 'job')} without results")
    for (run_id, environment), count in groups.items():
        click.echo(f"  run {run_id}, environment {environment}: {count_text(count, 'job')}")


def _show(report: BackfillReport, as_json: bool, quiet: bool, again: str) -> None:
    """The closing summary.

    Raises InterruptedRunError for a backfill that was stopped, SystemExit where jobs were missed.
    """
    if as_json:
        print_json(_as_json(report))
    elif not report.total:
        click.echo("Nothing to do: every success has its metrics.")
    elif not quiet:
        sets = count_text(report.new_result_sets, "new result set")
        click.echo(
            f"{report.filled:,} of {count_text(report.total, 'job')} filled in "
            f"{duration_text(report.elapsed_s)}: {count_text(report.values, 'value')}, {sets}"
        )
        for fault, jobs in report.causes():
            where = at_most([job.combination for job in jobs])
            click.echo(f"  {len(jobs):,} x {fault.kind}    {where}: {fault.message}")
    if report.is_interrupted:
        left = report.total - report.filled - len(report.missed)
        raise InterruptedRunError(
            f"stopped with {count_text(left, 'job')} left. Go on with: {again}"
        )
    if report.missed:
        raise SystemExit(_JOBS_MISSED)


def _as_json(report: BackfillReport) -> dict[str, object]:
    return {
        "jobs": report.total,
        "filled": report.filled,
        "missed": len(report.missed),
        "values": report.values,
        "new_result_sets": report.new_result_sets,
        "is_interrupted": report.is_interrupted,
        "elapsed_s": round(report.elapsed_s, 3),
        "causes": [
            {
                "error_kind": fault.kind,
                "error": fault.message,
                "jobs": [
                    {
                        "run_id": j.run_id,
                        "country": j.combination.country,
                        "scenario": j.combination.scenario,
                        "ulid": j.ulid,
                    }
                    for j in jobs
                ],
            }
            for fault, jobs in report.causes()
        ],
    }
