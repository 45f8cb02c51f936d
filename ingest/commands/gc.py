"""`ingest gc`: remove old runs and unused numbers and inputs, and free their space."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ingest.changes.stored import store_changes
from ingest.clock import ago, parse_age
from ingest.commands.common.compared import comparison_rules
from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import Count, json_option
from ingest.commands.common.output import print_json, warn
from ingest.commands.common.progress import long_work
from ingest.commands.common.runs import find_run
from ingest.database import cleanup
from ingest.database.cleanup import Cleanup, CleanupRule, plan_cleanup, read_pinned
from ingest.database.states import runs_that_follow
from ingest.errors import ConfigError
from ingest.text.numbers import at_most, count_text


@click.command()
@study_options
@click.option("--older-than", metavar="AGE", help="Runs started longer ago: 36h, 90d, 12w, 1y")
@click.option("--keep", type=Count(), metavar="N", help="All but the newest N runs")
@click.option(
    "--retired", is_flag=True, help="Every job of what is no longer in the study, in all runs"
)
@click.option(
    "--run", "run_name", metavar="RUN", help="This run alone, whole, if nothing depends on it"
)
@click.option("--dry-run", is_flag=True, help="Only show what would be removed (the default)")
@click.option("--yes", "-y", is_flag=True, help="Remove it")
@json_option
def gc(
    choice: StudyChoice,
    older_than: str | None,
    keep: int | None,
    retired: bool,
    run_name: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove old runs and free their space; without --yes, show what would go.

    Always kept: the newest success of every combination, the whole state as of a run that stays,
    tagged runs, the newest run, and runs in progress. With both --older-than and --keep, a run is
    removed if both choose it; with neither, only numbers and inputs that no run refers to.
    With --retired, what is no longer in the study goes too, if no tagged run may show it. With
    --run, an imported run goes whole, and any other run whose results later runs do not show.

    \b
    Examples:
      ingest gc --keep 20
      ingest gc --older-than 90d --yes
      ingest gc --run 3 --yes
    """
    if dry_run and yes:
        raise ConfigError("--dry-run shows and --yes removes; give one of them")
    path = choice.database_path()
    if run_name is not None and (keep or older_than or retired):
        raise ConfigError("--run names one run: leave out --keep, --older-than and --retired")
    run_id = None if run_name is None else _removable(choice, run_name)
    rule = CleanupRule(keep, _moment(older_than) if older_than else None, retired, run_id)
    size_before = _size(path)
    if yes:
        removed, is_read = _remove(choice, rule)
    else:
        with choice.reading() as connection:
            removed = plan_cleanup(connection, rule)
        is_read = False
    freed = max(0, size_before - _size(path)) if yes else None
    if as_json:
        print_json({"removed": yes, **asdict(removed), "freed_bytes": freed, "in_use": is_read})
        return
    if removed.is_empty:
        click.echo("Nothing to remove.")
        _show_pinned(choice)
    else:
        _show(removed, yes)
    if freed is not None and (freed > 0 or not removed.is_empty):
        click.echo(f"Gave back {_megabytes(freed)} of {_megabytes(size_before)}.")
    if is_read:
        warn(
            f"{path} keeps its size for now: another program is reading it (a notebook, a backup, "
            "a long download). When that has ended: ingest gc --yes"
        )
    if yes or removed.is_empty:
        return
    _show_pinned(choice)
    options = choice.as_options()
    options += f" --older-than {older_than}" if older_than else ""
    options += f" --keep {keep}" if keep else ""
    options += " --retired" if retired else ""
    options += f" --run {run_id}" if run_id else ""
    click.echo(f"Nothing was removed. Do it with: ingest gc{options} --yes")


def _removable(choice: StudyChoice, name: str) -> int:
    """The run that a name means. Raises DatabaseError where something depends on it."""
    with choice.reading() as connection:
        run_id = find_run(connection, name).run_id
        cleanup.refuse_needed_run(connection, run_id)
    return run_id


def _moment(text: str) -> str:
    """The time that long ago, as the database writes times."""
    age = parse_age(text)
    if age is None:
        raise ConfigError(
            f"--older-than {text!r} is not an age; write hours, days, weeks or years: "
            "36h 90d 12w 1y"
        )
    try:
        return ago(age)
    except OverflowError as exc:
        raise ConfigError(f"--older-than {text!r} is before the calendar begins") from exc


def _remove(choice: StudyChoice, rule: CleanupRule) -> tuple[Cleanup, bool]:
    """What went, and whether a reader kept the file from shrinking."""
    with choice.changing() as database, long_work("removing"):
        following: list[int] = []
        if rule.run is not None:
            cleanup.refuse_needed_run(database.db.conn, rule.run)
            following = runs_that_follow(database.db.conn, [rule.run])[1:]
        removed = cleanup.clean_up(database.db, rule)
        store_changes(database.db, following, *comparison_rules(choice))
        database.settle()
        shrunk = cleanup.give_space_back(database.db)  # also what an earlier clean-up left behind
    return removed, not shrunk


def _size(path: Path) -> int:
    """The bytes of the file and its write-ahead log."""
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _show(removed: Cleanup, done: bool) -> None:
    rows = [
        (count_text(len(removed.runs), "run"), _ids(removed.runs)),
        (f"{count_text(len(removed.trimmed_runs), 'run')} in part", _ids(removed.trimmed_runs)),
        (count_text(removed.jobs, "job"), ""),
        (count_text(removed.result_sets, "result set"), count_text(removed.values, "value")),
        (count_text(removed.files, "kept file"), ""),
        (count_text(removed.inputs, "input"), count_text(removed.input_sets, "input set")),
        (count_text(removed.series_changes, "series change"), ""),
        (count_text(removed.quality_findings, "quality finding"), ""),
        (count_text(removed.elements, "element label"), ""),
    ]
    size = "" if done else f", about {_megabytes(removed.size_bytes)}"
    click.echo(f"{'Removed' if done else 'Would remove'}{size}:")
    for number, detail in rows:
        if not number.startswith("0 "):
            click.echo(f"  {number}" + (f"  ({detail})" if detail else ""))


def _ids(runs: tuple[int, ...]) -> str:
    return at_most(runs, 8)


def _show_pinned(choice: StudyChoice) -> None:
    with choice.reading() as connection:
        pinned = read_pinned(connection)
    if pinned.tagged:
        tagged = ", ".join(map(str, pinned.tagged[:8]))
        click.echo(f"Pinned by a tag: {count_text(len(pinned.tagged), 'run')} ({tagged})", err=True)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
