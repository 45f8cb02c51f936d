"""`ingest run`: run what has to run, and keep every result."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

from ingest.commands.common.context import (
    StudyChoice,
    StudyContext,
    options_text,
    setting_option,
    study_options,
)
from ingest.commands.common.options import executor_option, json_option, quiet_option, wait_option
from ingest.commands.common.output import code_line, show_findings
from ingest.commands.common.progress import progress_display
from ingest.commands.common.stopping import STOPPING, stopping
from ingest.commands.plan import plan_groups, sample, selection_options, show_dry_run
from ingest.commands.run_report import Hints, show_nothing, show_report
from ingest.database.records import OpenRun
from ingest.errors import BackendError, ConfigError
from ingest.planning.plan import Plan
from ingest.running.backend import Backend, choose_backend
from ingest.running.planner import Selection
from ingest.running.runner import ValidationRunner
from ingest.running.session import RunReport
from ingest.study.compose import sum_up_unmatched
from ingest.text.numbers import count_text


@click.command()
@study_options
@selection_options
@click.option("--dry-run", is_flag=True, help="Show the plan and stop")
@executor_option
@setting_option(
    "--max-in-flight", "run.max_in_flight", "N", "Maximum of jobs submitted and not finished"
)
@setting_option("--submit-rate", "run.submit_rate", "N/TIME", "Maximum rate: 50/1s, 10/1m")
@setting_option("--retries", "run.retries", "N", "Further attempts after a temporary fault")
@setting_option("--job-timeout", "run.job_timeout_s", "SECONDS", "Stop a job that runs longer")
@click.option(
    "--cancel-on-interrupt", is_flag=True, help="On Ctrl-C stop the jobs at the backend too"
)
@wait_option
@json_option
@quiet_option
@click.option("--verbose", "-v", is_flag=True, help="Log every job")
@click.option("--log-file", metavar="FILE", help="Append a log of every job to FILE")
def run(
    choice: StudyChoice,
    selection: Selection,
    dry_run: bool,
    cancel_on_interrupt: bool,
    wait: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    log_file: str | None,
) -> None:
    """Run what has changed, and store the results.

    A combination runs if it never succeeded; if the model, its scenario, the code or the
    environment changed; if a success has no metrics; or with --force. After a stop or a kill, the
    next `ingest run` continues where this one ended.

    \b
    Examples:
      ingest run
      ingest run --countries KEN,UGA --scenarios 'all_*'
      ingest run --only-failed --retries 5
      ingest run --dry-run
    """
    context = choice.context()
    _require_commit(context)
    backend = choose_backend(context.settings, context.plugins)
    quiet = quiet or as_json
    if log_file is not None:
        choice.output(log_file, force=True)  # it is added to
    runner = ValidationRunner(
        context.study, context.database, context.git, selection, plugins=context.plugins
    )
    if dry_run:
        show_dry_run(runner, context, as_json)
        return
    again = f"ingest run{choice.as_run_options()}{_selection_options(selection)}"
    with _log_to(log_file, verbose), context.database.writing(wait=wait):
        _show_migration(context)
        plan = runner.plan()
        if not choice.names_executor:
            _refuse_to_leave(runner.run_left_elsewhere(), context, choice)
        show_findings(sum_up_unmatched([*context.findings, *runner.findings]))
        if not quiet:
            _show_head(context, plan, runner.study_changes())
        report: RunReport | None
        if plan.to_run:
            with (
                stopping(runner.request_stop, _stop_message(backend, cancel_on_interrupt)),
                progress_display(quiet=quiet) as show_progress,
                _told_how_to_go_on(again),
            ):
                report = runner.execute(
                    plan, backend, show_progress, cancel_on_interrupt=cancel_on_interrupt
                )
        else:
            report = runner.record(plan)
    if report is None:
        show_nothing(plan, context, as_json, quiet)
    else:
        hints = Hints(choice.as_options(), choice.as_run_options(), again)
        show_report(context.database, report, as_json, quiet, hints)


def _selection_options(selection: Selection) -> str:
    """The options that choose the same combinations, for going on with what is left of them."""
    chosen = [("--countries", text) for text in selection.countries]
    chosen += [("--scenarios", text) for text in selection.scenarios]
    return options_text(chosen) + ("" if selection.reuse else " --no-reuse")


def _refuse_to_leave(left: OpenRun | None, context: StudyContext, choice: StudyChoice) -> None:
    """Raises ConfigError where a run was cut off whose jobs go on at another executor."""
    if left is None:
        return
    where, here = left.record.executor, context.settings.run.executor
    jobs = count_text(len(left.unfinished), "job")
    raise ConfigError(
        f"run {left.run_id} was cut off with {jobs} at {where}, where they may go on. Follow them "
        f"with: ingest run --executor {where}{choice.as_run_options()} and the --set options that "
        f"it had. Or give them up, and run {here}: ingest run --executor {here}"
        f"{choice.as_run_options()}"
    )


@contextmanager
def _told_how_to_go_on(again: str) -> Iterator[None]:
    """A backend's error that ends the run also says the command that goes on with it."""
    try:
        yield
    except BackendError as exc:
        raise BackendError(f"{exc}. Go on with: {again}") from exc


def _require_commit(context: StudyContext) -> None:
    """Raises ConfigError where the study wants a commit and git cannot tell it."""
    git = context.git
    if context.settings.run.require_commit and (git.problem or not git.is_known):
        why = git.problem or f"{context.study.root.resolve()} is not in a git repository"
        raise ConfigError(f"run.require_commit is set, and git cannot tell the commit: {why}")


@contextmanager
def _log_to(log_file: str | None, verbose: bool) -> Iterator[None]:
    """Send the run's log to stderr (warnings; everything when verbose) and to a file."""
    handlers: list[logging.Handler] = [_EchoHandler(logging.DEBUG if verbose else logging.WARNING)]
    if log_file is not None:
        try:
            to_file = logging.FileHandler(log_file, encoding="utf-8")
        except OSError as exc:
            raise ConfigError(f"--log-file {log_file} cannot be written: {exc.strerror}") from exc
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(to_file)
    logger = logging.getLogger("ingest")
    logger.setLevel(logging.DEBUG)
    for handler in handlers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()


class _EchoHandler(logging.Handler):
    """Writes to whatever stderr is at the time, so that log lines do not break a live display."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def _show_migration(context: StudyContext) -> None:
    copy = context.database.set_aside
    if copy is not None:
        click.echo(f"The database's schema was brought up to date; before it: {copy}", err=True)


def _show_head(context: StudyContext, plan: Plan, changes: list[str]) -> None:
    """Print study, what changed of it, code and plan, one line each."""
    study, settings = context.study, context.settings
    countries = count_text(len(study.countries), "country|countries")
    size = f"{countries} x {count_text(len(study.scenarios), 'scenario')}"
    total = len(study.countries) * len(study.scenarios)
    click.echo(f"Study  {settings.name} · {size} = {total:,} · {settings.run.executor}", err=True)
    for line in changes:
        click.echo(f"       {line}", err=True)
    click.echo(f"Code   {code_line(context.git)}", err=True)
    if not (plan.to_run or plan.restored):
        return
    reasons = len(plan.by_reason())
    for number, (words, group, _) in enumerate(plan_groups(plan)):
        head = "Plan  " if number == 0 else "      "
        what = words if number >= reasons else f"to run: {words}"
        click.echo(f"{head} {len(group):,} {what} · {sample(group)}", err=True)
    if plan.up_to_date:
        click.echo(f"       {len(plan.up_to_date):,} up to date", err=True)


def _stop_message(backend: Backend, cancel_on_interrupt: bool) -> str:
    """What Ctrl-C does, with what it leaves running."""
    if not backend.executor_type.jobs_survive_run or cancel_on_interrupt:
        return STOPPING
    return f"{STOPPING} Submitted jobs continue; the next `ingest run` follows them."
