"""`ingest run`: run what has to run, and keep every result."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager

import click

from ingest.commands.common.context import StudyContext, load_context, study_options
from ingest.commands.common.progress import progress_display
from ingest.commands.common.stopping import stopping
from ingest.commands.common.words import code_line, show_findings
from ingest.commands.plan import (
    plan_as_json,
    sample,
    selection_options,
    show_plan,
)
from ingest.commands.run_report import show_nothing, show_report
from ingest.errors import ConfigError
from ingest.planning.plan import Plan
from ingest.running.backend import Backend, choose_backend
from ingest.running.planner import Selection
from ingest.running.runner import ValidationRunner
from ingest.text.numbers import count_text


@click.command()
@study_options
@selection_options
@click.option("--dry-run", is_flag=True, help="Show the plan and stop")
@click.option("--executor", "-x", metavar="NAME", help="Where jobs run; default: local")
@click.option("--max-in-flight", metavar="N", help="Jobs submitted and not finished, at most")
@click.option("--submit-rate", metavar="N/TIME", help="Submissions per span of time: 50/1s, 10/1m")
@click.option("--retries", metavar="N", help="Further attempts after a fault that can pass")
@click.option("--job-timeout", metavar="SECONDS", help="Stop a job that runs longer")
@click.option(
    "--cancel-on-interrupt", is_flag=True, help="On Ctrl-C stop the jobs at the backend too"
)
@click.option("--wait", is_flag=True, help="Wait for another run on this database to end")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON")
@click.option("--quiet", "-q", is_flag=True, help="Errors and warnings only")
@click.option("--verbose", "-v", is_flag=True, help="Tell of every job")
@click.option("--log-file", metavar="FILE", help="Append a log of every job to FILE")
def run(
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    force: bool,
    only_failed: bool,
    dry_run: bool,
    cancel_on_interrupt: bool,
    wait: bool,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    log_file: str | None,
    **options: str | None,
) -> None:
    """Run what has changed, and store the results.

    A combination runs when it never succeeded, when the model, its scenario, the code or the
    environment changed, when a success has no metrics, or with --force. Stopped or killed at any
    moment, the next `ingest run` goes on where it was.

    \b
    Examples:
      ingest run
      ingest run --countries KEN,UGA --scenarios 'asthma_*'
      ingest run --only-failed --retries 5
      ingest run --dry-run
    """
    context = load_context(study_path, database, (*overrides, *_option_overrides(options)))
    selection = Selection(countries, scenarios, force, only_failed)
    backend = choose_backend(context.settings, context.plugins)
    quiet = quiet or as_json
    if dry_run:
        _show_dry_run(context, selection, as_json)
        return
    with _log_to(log_file, verbose):
        runner = ValidationRunner(
            context.study,
            context.database,
            context.git,
            selection,
            plugins=context.plugins,
        )
        with context.database.writing(wait=wait):
            _tell_migration(context)
            plan = runner.plan()
            show_findings([*context.findings, *runner.findings])
            if not quiet:
                _show_head(context, backend, plan)
            report = None
            if plan.to_run:
                with (
                    stopping(runner.request_stop, _what_goes_on(backend, cancel_on_interrupt)),
                    progress_display(quiet=quiet) as show_progress,
                ):
                    report = runner.execute(
                        plan, backend, show_progress, cancel_on_interrupt=cancel_on_interrupt
                    )
            else:
                runner.tidy(plan)
    if report is None:
        show_nothing(plan, context, as_json, quiet)
    else:
        where = _where_options(study_path, database)
        show_report(context.database, report, as_json, quiet, where)


def _where_options(study_path: str | None, database: str | None) -> str:
    """The options that lead the next command to the same study and database."""
    options = (("--study", study_path), ("--database", database))
    return "".join(f" {option} {shlex.quote(value)}" for option, value in options if value)


_OPTION_SETTINGS = {
    "executor": "run.executor",
    "max_in_flight": "run.max_in_flight",
    "submit_rate": "run.submit_rate",
    "retries": "run.retries",
    "job_timeout": "run.job_timeout_s",
    "rerun_triggers": "run.rerun_triggers",
}


def _option_overrides(options: dict[str, str | None]) -> list[str]:
    """Options as the settings they override."""
    return [
        f"{_OPTION_SETTINGS[name]}={value}" for name, value in options.items() if value is not None
    ]


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
    """Writes to whatever stderr is at the time, so that a live display stays whole."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(self.format(record), err=True)


def _show_dry_run(context: StudyContext, selection: Selection, as_json: bool) -> None:
    runner = ValidationRunner(
        context.study, context.database, context.git, selection, plugins=context.plugins
    )
    with closing(context.database):
        plan = runner.plan()
    show_findings([*context.findings, *runner.findings])
    if as_json:
        click.echo(json.dumps(plan_as_json(plan, context), indent=2))
    else:
        show_plan(plan, context)


def _tell_migration(context: StudyContext) -> None:
    copy = context.database.set_aside
    if copy is not None:
        click.echo(f"The database's schema was brought up to date; before it: {copy}", err=True)


def _show_head(context: StudyContext, backend: Backend, plan: Plan) -> None:
    """Study, code and plan, a line each."""
    study, settings = context.study, context.settings
    size = f"{len(study.countries):,} countries x {count_text(len(study.scenarios), 'scenario')}"
    total = len(study.countries) * len(study.scenarios)
    click.echo(f"Study  {settings.name} · {size} = {total:,} · {settings.run.executor}", err=True)
    click.echo(f"Code   {code_line(context.git)}", err=True)
    if not plan.to_run:
        return
    for number, (reason, group) in enumerate(plan.by_reason().items()):
        head = "Plan  " if number == 0 else "      "
        click.echo(f"{head} {len(group):,} to run: {reason.text} · {sample(group)}", err=True)
    if plan.up_to_date:
        click.echo(f"       {len(plan.up_to_date):,} up to date", err=True)


def _what_goes_on(backend: Backend, cancel_on_interrupt: bool) -> str:
    """What a stop leaves running, for the line that tells of it."""
    if not backend.executor_type.jobs_survive_run or cancel_on_interrupt:
        return ""
    return " Jobs that were submitted go on; the next `ingest run` follows them."
