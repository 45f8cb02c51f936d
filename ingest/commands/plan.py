"""`ingest plan`: what would run now, and why."""

from __future__ import annotations

import json
from contextlib import closing

import click

from ingest.commands.common.context import Command, StudyContext, load_context, study_options
from ingest.commands.common.words import code_line, show_findings, some
from ingest.planning.plan import Plan
from ingest.running.planner import RunPlanner, Selection
from ingest.study.combination import Combination
from ingest.text.numbers import count_text

WORK_FOUND = 3


def selection_options(command: Command) -> Command:
    """Add the options that choose combinations to a command."""
    options = (
        click.option(
            "--countries",
            "-c",
            metavar="ISO3,...",
            multiple=True,
            help="Only these countries: ISO3 codes, comma lists, globs",
        ),
        click.option(
            "--scenarios",
            "-s",
            metavar="NAME,...",
            multiple=True,
            help="Only these scenarios: names, comma lists, globs",
        ),
        click.option("--force", is_flag=True, help="Run them whether anything changed or not"),
        click.option(
            "--only-failed", is_flag=True, help="Only those whose newest job did not succeed"
        ),
        click.option(
            "--rerun-triggers",
            metavar="NAME,...",
            help="What makes a combination run again: input,code,environment,commit",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@study_options
@selection_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON")
@click.option(
    "--detailed-exitcode", is_flag=True, help=f"Exit code {WORK_FOUND} when there is work, else 0"
)
def plan(
    study_path: str | None,
    database: str | None,
    overrides: tuple[str, ...],
    countries: tuple[str, ...],
    scenarios: tuple[str, ...],
    force: bool,
    only_failed: bool,
    rerun_triggers: str | None,
    as_json: bool,
    detailed_exitcode: bool,
) -> None:
    """Show what would run, and why; changes nothing.

    \b
    Examples:
      ingest plan
      ingest plan --countries KEN,'T*' --json
      ingest plan --detailed-exitcode || echo "there is work"
    """
    if rerun_triggers is not None:
        overrides = (*overrides, f"run.rerun_triggers={rerun_triggers}")
    context = load_context(study_path, database, overrides)
    selection = Selection(countries, scenarios, force, only_failed)
    planner = RunPlanner(context.study, context.database, context.git, selection)
    with closing(context.database):
        made = planner.plan()
    show_findings([*context.findings, *planner.findings])
    if as_json:
        click.echo(json.dumps(plan_as_json(made, context), indent=2))
    else:
        show_plan(made, context)
    if detailed_exitcode and made.to_run:
        raise SystemExit(WORK_FOUND)


def show_plan(plan: Plan, context: StudyContext) -> None:
    """Print a plan for people, to stdout."""
    if not plan.to_run:
        click.echo(nothing_to_do(plan, context))
        return
    combinations = count_text(plan.total, "combination")
    click.echo(f"{len(plan.to_run):,} of {combinations} to run ({code_line(context.git)})")
    for reason, group in plan.by_reason().items():
        click.echo(f"{len(group):>7,}  {reason.text}: {sample(group)}")
    if plan.up_to_date:
        click.echo(f"{len(plan.up_to_date):>7,}  up to date")


def sample(group: list[Combination]) -> str:
    """A few of a group of combinations; one scenario or country is named once."""
    scenarios = list(dict.fromkeys(combination.scenario for combination in group))
    countries = list(dict.fromkeys(combination.country for combination in group))
    return f"{some(countries)} under {some(scenarios)}"


def nothing_to_do(plan: Plan, context: StudyContext) -> str:
    """The line for a plan without work."""
    if not plan.total:
        return "Nothing to do: no combination's newest job has failed."
    total = f"{len(plan.up_to_date):,} of {count_text(plan.total, 'combination')}"
    return f"Nothing to do: {total} are up to date (commit {context.git.short_commit})."


def plan_as_json(plan: Plan, context: StudyContext) -> dict[str, object]:
    """A plan for machines."""
    return {
        "study": context.settings.name,
        "git_commit": context.git.commit,
        "dirty_files": list(context.git.dirty_files),
        "total": plan.total,
        "to_run": len(plan.to_run),
        "up_to_date": len(plan.up_to_date),
        "reasons": [
            {"kind": reason.kind.value, "reason": reason.text, "count": len(group)}
            for reason, group in plan.by_reason().items()
        ],
        "jobs": [
            {
                "country": job.combination.country,
                "scenario": job.combination.scenario,
                "kind": job.reason.kind.value,
                "reason": job.reason.text,
                "input_digest": job.inputs.digest,
            }
            for job in plan.to_run
        ],
    }
