"""`ingest tag`: names for runs. A run that has one is never removed by `ingest gc`."""

from __future__ import annotations

import re

import click

from ingest.commands.common.context import StudyChoice, study_options
from ingest.commands.common.options import json_option
from ingest.commands.common.output import local_time, print_json, table
from ingest.commands.common.runs import find_run
from ingest.database.tags import delete_tag, read_tags, store_tag
from ingest.errors import ConfigError
from ingest.text.suggest import did_you_mean

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
_COMMIT = re.compile(r"[0-9a-fA-F]{4,40}")
_WORDS = ("latest", "previous")


@click.command()
@click.argument("run", required=False, metavar="[RUN]")
@click.argument("name", required=False, metavar="[NAME]")
@study_options
@click.option("--delete", metavar="NAME", help="Delete a name; the run stays")
@click.option("--force", is_flag=True, help="Move a name from another run")
@json_option
def tag(
    run: str | None,
    name: str | None,
    choice: StudyChoice,
    delete: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Give a run a name, or list the names.

    RUN is a run's number, another tag, a commit, a date, `latest` or `previous`. NAME can then be
    used wherever a run is named, as in `ingest diff NAME latest`. `ingest gc` keeps a run that has
    a name, and the whole state as of it.

    \b
    Examples:
      ingest tag latest published-2026
      ingest tag
      ingest tag --delete published-2026
    """
    if delete is not None:
        if run is not None:
            raise ConfigError(f"--delete takes one name and no run; leave out {run!r}")
        _delete(choice, delete)
    elif run is None:
        _list(choice, as_json)
    elif name is None:
        raise ConfigError(f"which name should run {run} get? Type: ingest tag {run} NAME")
    else:
        _check(name)
        _tag(choice, run, name, force)


def _list(choice: StudyChoice, as_json: bool) -> None:
    with choice.reading() as connection:
        tags = read_tags(connection)
    if as_json:
        print_json(tags)
    elif not tags:
        click.echo("No run has a name. Give one with: ingest tag latest NAME")
    else:
        rows = [
            (t["tag"], t["run_id"], local_time(t["timestamp"]), t["git_commit"][:7], t["status"])
            for t in tags
        ]
        click.echo(table(rows, ("tag", "run", "started", "commit", "status"), right=("run",)))


def _check(name: str) -> None:
    """Raise ConfigError for a name that could mean something else, or that is hard to type."""
    if name in _WORDS:
        raise ConfigError(f"{name!r} always means a run by its position; choose another name")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be a tag: a tag starts with a letter, followed by letters, digits, "
            "_ . or -, up to 100 in all"
        )
    if _COMMIT.fullmatch(name):
        raise ConfigError(f"{name!r} looks like a commit; choose another name, such as v-{name}")


def _tag(choice: StudyChoice, run: str, name: str, force: bool) -> None:
    with choice.changing() as database:
        with database.reading() as connection:
            chosen = find_run(connection, run)
            holder = {t["tag"]: t["run_id"] for t in read_tags(connection)}.get(name)
        if holder is not None and holder != chosen.run_id and not force:
            raise ConfigError(
                f"{name!r} is already the name of run {holder}. "
                f"Move it with: ingest tag {run} {name} --force"
            )
        store_tag(database.db, chosen.run_id, name)
    moved = f" (was: run {holder})" if holder not in (None, chosen.run_id) else ""
    click.echo(f"Run {chosen.run_id} is now {name}{moved}")


def _delete(choice: StudyChoice, name: str) -> None:
    with choice.reading() as connection:
        known = [t["tag"] for t in read_tags(connection)]
    if name not in known:
        hint = did_you_mean(name, known) or " List them with: ingest tag"
        raise ConfigError(f"no run has the name {name!r}.{hint}")
    with choice.changing() as database:
        delete_tag(database.db, name)
    click.echo(f"{name} is no longer the name of a run")
