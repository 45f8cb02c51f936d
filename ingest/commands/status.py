"""`ingest status`: the last runs, or one run with its jobs and failures."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import click

from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import Count, json_option
from ingest.commands.common.output import (
    code_words,
    local_time,
    print_json,
    show_failure_causes,
    table,
    warn,
)
from ingest.commands.common.runs import find_run
from ingest.database.files import database_file, has_lost_log, is_writer_gone
from ingest.database.other_series import read_other_studies
from ingest.database.read import read_failure_causes, read_jobs, read_runs
from ingest.database.records import RunStatus
from ingest.database.states import RunRef, newest_run
from ingest.database.study_identity import read_study_names
from ingest.text.foreign import show_unseen
from ingest.text.numbers import count_text
from ingest.text.times import duration_text


@click.command()
@click.argument("run", required=False, metavar="[RUN]")
@study_options
@click.option(
    "--limit", "-n", type=Count(), default=10, show_default=True, help="How many runs to list"
)
@click.option("--jobs", is_flag=True, help="List every job of the run")
@click.option("--failed", is_flag=True, help="List the jobs that failed, with their full errors")
@json_option
def status(
    run: str | None,
    choice: StudyChoice,
    limit: int,
    jobs: bool,
    failed: bool,
    as_json: bool,
) -> None:
    """Show the last runs, or one run.

    RUN is a run's number, tag, commit or date, `latest` (the newest that has ended) or `previous`:
    its counts, failures by cause, and jobs. A run whose process has gone is shown as cut off.

    \b
    Examples:
      ingest status
      ingest status latest
      ingest status release-1 --jobs
      ingest status 7 --failed
      ingest status 7 --jobs --json
    """
    path = choice.database_path()
    lost_log = has_lost_log(path)
    with choice.reading() as connection:
        if lost_log:
            _warn_of_lost_log(newest_run(connection), path)
        if run is None and not (jobs or failed):
            runs = _with_cut_off(connection, read_runs(connection, limit))
            if as_json:
                print_json(runs)
            else:
                _show_study(connection)
                click.echo(_runs_table(runs))
            return
        chosen = _find_run(connection, run)
        causes = read_failure_causes(connection, chosen["run_id"])
        listed = read_jobs(connection, chosen["run_id"], only_failed=failed and not jobs)
        if as_json:
            details = {"jobs": listed} if jobs or failed else {}
            print_json({**chosen, "failures": causes, **details})
            return
        _show_run(chosen, causes)
        if causes and not (failed or jobs):
            where = choice.as_options()
            click.echo(f"All of them: ingest status {chosen['run_id']} --failed{where}")
        if failed:
            _show_failed(listed)
        elif jobs:
            click.echo(_jobs_table(listed))


def _warn_of_lost_log(newest: RunRef | None, path: Path) -> None:
    """Tell where a run in progress has no log: the database was copied without it."""
    if newest is not None and newest.status == RunStatus.RUNNING:
        warn(
            f"run {newest.run_id} has not ended, and {path} has no log beside it "
            f"({path.name}-wal): it was copied without, and what was stored last is missing. "
            "Whole copies are made by: ingest backup FILE"
        )


def _show_study(connection: sqlite3.Connection) -> None:
    """Whose results these are, and what is kept beside them."""
    names = read_study_names(connection)
    if names:
        earlier = f" (was: {', '.join(names[1:])})" if names[1:] else ""
        click.echo(f"Study  {names[0]}{earlier}")
    for other in read_other_studies(connection):
        size = count_text(other["combinations"], "combination")
        click.echo(f"Apart  {other['study']} · {size}")


def _find_run(connection: sqlite3.Connection, name: str | None) -> dict[str, Any]:
    """The run that a name means; without one the newest, whether it has ended or not."""
    found = newest_run(connection) if name is None else None
    run_id = (found or find_run(connection, name or "latest")).run_id
    return _with_cut_off(connection, read_runs(connection, 1, before=run_id + 1))[0]


def _with_cut_off(
    connection: sqlite3.Connection, runs: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Runs, those marked whose process has ended without ending them."""
    is_gone = any(run["status"] == RunStatus.RUNNING for run in runs) and is_writer_gone(
        database_file(connection)
    )
    for run in runs:
        run["cut_off"] = is_gone and run["status"] == RunStatus.RUNNING
        run["status"] = "cut off" if run["cut_off"] else run["status"]
    return runs


def _runs_table(runs: list[dict[str, Any]]) -> str:
    if not runs:
        return "No run yet. Make one with: ingest run"
    rows = [
        (
            run["run_id"],
            local_time(run["timestamp"]),
            code_words(run["git_commit"], len(run["dirty_files"])),
            run["status"],
            f"{run['successful_jobs']:,}",
            f"{run['failed_jobs']:,}",
            f"{run['total_jobs']:,}",
            duration_text(run["duration_s"]) if run["duration_s"] is not None else "",
            run["executor"],
        )
        for run in runs
    ]
    headers = ("run", "started", "commit", "status", "ok", "failed", "jobs", "took", "executor")
    return table(rows, headers, right=("run", "ok", "failed", "jobs", "took"))


def _show_run(run: dict[str, Any], causes: list[dict[str, Any]]) -> None:
    took = f", took {duration_text(run['duration_s'])}" if run["duration_s"] is not None else ""
    click.echo(
        f"Run {run['run_id']} {run['status']}, started {local_time(run['timestamp'])}{took}, "
        f"commit {code_words(run['git_commit'], len(run['dirty_files']))}, {run['executor']}"
    )
    left = run["total_jobs"] - run["successful_jobs"] - run["failed_jobs"]
    unfinished = f", {left:,} not finished" if left else ""
    click.echo(
        f"{count_text(run['total_jobs'], 'job')}: {run['successful_jobs']:,} succeeded, "
        f"{run['failed_jobs']:,} failed{unfinished}; {run['up_to_date_jobs']:,} were up to date"
    )
    if run["git_problem"]:
        click.echo(f"Git: {run['git_problem']}")
    if run["model_path"]:
        click.echo(f"Model: {run['model_path']}")
    show_failure_causes(causes)


def _show_failed(jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        click.echo(f"\n{job['country']} / {job['scenario']}  {job['job_status']}  {job['ulid']}")
        for line in show_unseen(f"{job['error_kind']}: {job['error']}").splitlines():
            click.echo(f"    {line}")


def _jobs_table(jobs: list[dict[str, Any]]) -> str:
    rows = [
        (
            job["scenario"],
            job["country"],
            job["job_status"],
            job["attempts"],
            "" if job["duration_s"] is None else f"{job['duration_s']:.2f}",
            job["reason"],
            (job["error"] or job["notes"] or "").partition("\n")[0],
        )
        for job in jobs
    ]
    headers = ("scenario", "country", "status", "attempts", "seconds", "reason", "note")
    return table(rows, headers, right=("attempts", "seconds"))
