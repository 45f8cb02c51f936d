"""`ingest plan`: what would run now, and why."""

from __future__ import annotations

from contextlib import closing

import click

from ingest.commands.common.context import (
    StudyChoice,
    StudyContext,
    gathered,
    setting_option,
    study_options,
)
from ingest.commands.common.options import (
    all_changes_option,
    countries_option,
    json_option,
    scenarios_option,
)
from ingest.commands.common.output import code_line, print_json, show_findings
from ingest.database.read import count_incomplete
from ingest.planning.causes import Cause
from ingest.planning.plan import Plan
from ingest.running.planner import RunPlanner, Selection
from ingest.study.combination import Combination
from ingest.study.compose import sum_up_unmatched
from ingest.text.numbers import at_most, count_text

WORK_FOUND = 3


selection_options = gathered(
    "selection",
    Selection,
    ("countries", "scenarios", "force", "only_failed", "reuse"),
    countries_option,
    scenarios_option,
    click.option("--force", is_flag=True, help="Run them whether anything changed or not"),
    click.option("--only-failed", is_flag=True, help="Only those whose newest job did not succeed"),
    click.option(
        "--reuse/--no-reuse",
        default=True,
        help="Take results that were computed before for the same inputs (default), or run again",
    ),
    setting_option(
        "--rerun-triggers",
        "run.rerun_triggers",
        "NAME,...",
        "What makes a combination run again: input,code,environment,commit",
    ),
)
"""The options that choose what runs; the command gets them as `selection`."""


@click.command()
@study_options
@selection_options
@all_changes_option
@json_option
@click.option(
    "--detailed-exitcode", is_flag=True, help=f"Exit code {WORK_FOUND} when there is work, else 0"
)
def plan(
    choice: StudyChoice,
    selection: Selection,
    show_all: bool,
    as_json: bool,
    detailed_exitcode: bool,
) -> None:
    """Show what would run, and why. Changes nothing.

    \b
    Examples:
      ingest plan
      ingest plan --all
      ingest plan --countries KEN,'T*' --json
      ingest plan --detailed-exitcode || echo "there is work"
    """
    context = choice.context()
    planner = RunPlanner(context.study, context.database, context.git, selection)
    made = show_dry_run(planner, context, as_json, show_all=show_all)
    if detailed_exitcode and (made.to_run or made.restored):
        raise SystemExit(WORK_FOUND)


def show_dry_run(
    planner: RunPlanner, context: StudyContext, as_json: bool, *, show_all: bool = False
) -> Plan:
    """The plan, after printing it; closes the database. show_all: with changes of no weight."""
    with closing(context.database):
        plan = planner.plan()
        changes = planner.study_changes()
    show_findings(sum_up_unmatched([*context.findings, *planner.findings]))
    if as_json:
        print_json(_as_json(plan, changes, context))
    else:
        _show(plan, changes, context, show_all)
    return plan


def _show(plan: Plan, changes: list[str], context: StudyContext, show_all: bool) -> None:
    if not (plan.to_run or plan.restored):
        click.echo(nothing_to_do(plan, context))
        _show_changes(changes)
        return
    combinations = count_text(plan.total, "combination")
    click.echo(f"{len(plan.to_run):,} of {combinations} to run ({code_line(context.git)})")
    for words, group, cause in plan_groups(plan):
        click.echo(f"{len(group):>7,}  {words}: {sample(group)}")
        for change in cause.more(show_all) if cause else ():
            click.echo(f"{'':>9}{change}")
    if plan.up_to_date:
        click.echo(f"{len(plan.up_to_date):>7,}  up to date")
    _show_changes(changes)


def _show_changes(changes: list[str]) -> None:
    for line in changes:
        click.echo(f"Study: {line}")


def plan_groups(plan: Plan) -> list[tuple[str, list[Combination], Cause | None]]:
    """What runs and why, and what is restored from where: words, combinations and cause of each."""
    restored = plan.restored_by_run().items()
    return [
        *((reason.text, group, reason.cause) for reason, group in plan.by_reason().items()),
        *((f"restored from run {run}", group, None) for run, group in restored),
    ]


def sample(group: list[Combination]) -> str:
    """A few countries and scenarios of a group of combinations, each named once."""
    scenarios = list(dict.fromkeys(combination.scenario for combination in group))
    countries = list(dict.fromkeys(combination.country for combination in group))
    return f"{at_most(countries)} under {at_most(scenarios)}"


def nothing_to_do(plan: Plan, context: StudyContext) -> str:
    """The line for a plan without work."""
    if not plan.total:
        return "Nothing to do: no combination's newest job has failed."
    total = f"{len(plan.up_to_date):,} of {count_text(plan.total, 'combination')}"
    verb = "is" if plan.total == 1 else "are"
    line = f"Nothing to do: {total} {verb} up to date (commit {context.git.short_commit})."
    with context.database.reading() as connection:
        incomplete = count_incomplete(connection)
    if not incomplete:
        return line
    results = count_text(incomplete, "result is|results are")
    return f"{line}\n{results} incomplete. Fetch the rest: ingest backfill"


def _as_json(plan: Plan, changes: list[str], context: StudyContext) -> dict[str, object]:
    return {
        "study": context.settings.name,
        "git_commit": context.git.commit,
        "dirty_files": list(context.git.dirty_files),
        "total": plan.total,
        "to_run": len(plan.to_run),
        "up_to_date": len(plan.up_to_date),
        "restored": [
            {"run_id": run, "count": len(group)} for run, group in plan.restored_by_run().items()
        ],
        "study_changes": changes,
        "reasons": [
            {
                "kind": reason.kind.value,
                "reason": reason.text,
                "count": len(group),
                "changes": [c.as_dict() for c in reason.cause.changes] if reason.cause else [],
            }
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
